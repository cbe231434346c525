//! A rule, from its text.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::reader::{Dimension, Reader};
use super::table::Table;
use super::values::{Either, Entries, OneOrMore};
use crate::error::quoted;
use crate::keys::FromKeyed;
use crate::limits::MAX_PARTS;
use crate::rules::formula::{Formula, Template, Variables};
use crate::rules::plan::Split;
use crate::rules::rule::{Action, Beside, Drawn, PartRule, Rule, Sibling, Size, Slices};
use crate::{Dtype, Error, ErrorKind, Layout, Scheme};

/// The keys that say which tensors meet a rule.
const CONDITIONS: [&str; 5] = ["name", "module", "rank", "shape", "beside"];
/// The keys that say how they are drawn.
const DRAWN: [&str; 8] = ["scheme", "dtype", "layout", "fans_from", "stream", "zero_row", "part", "split"];
/// The keys that stand in the place of these.
const INSTEAD: [&str; 2] = ["skip", "refuse"];

/// The split of a rule: a dimension, a word, or dimensions for a mesh's axes.
type SplitText = Either<u64, Either<String, BTreeMap<String, u64>>>;

/// A reader of rules.
pub(super) struct RuleReader<'r, 't> {
    pub reader: &'r Reader<'t>,
    /// The words that formulas may have, with several values of each: for one of them a text must be a scheme.
    pub examples: &'r [Variables],
    /// The layout and the dtype of rules that say none.
    pub layout: Template,
    pub dtype: Option<Dtype>,
}

impl<'r, 't> RuleReader<'r, 't> {
    /// A rule: which tensors meet it, and what becomes of them.
    pub fn rule(&self, entries: Entries<'t>) -> Result<Rule, Error> {
        let reader = self.reader;
        let known = [&CONDITIONS[..], &DRAWN, &INSTEAD].concat();
        let mut table = Table::read(reader, "a rule", entries, &known)?;
        let line = reader.line(&table.span());
        let (names, patterns) = reader.patterns(table.required("name")?, "the list of a rule's names")?;
        let modules = table.spanned("module")?;
        let modules = modules.map(|modules| reader.patterns(modules, "the list of a rule's modules")).transpose()?;
        let ranks = table.spanned::<OneOrMore<u64>>("rank")?.map(|ranks| (ranks.span(), ranks.into_inner().0));
        if let Some((span, _)) = ranks.as_ref().filter(|(_, ranks)| ranks.is_empty()) {
            return Err(reader.wrong(span, "the list of a rule's ranks", "empty", "at least one"));
        }
        let shape = table.spanned::<Vec<Dimension>>("shape")?.map(|shape| (shape.span(), shape.into_inner()));
        Ok(Rule {
            line,
            names,
            patterns,
            modules: modules.map(|(_, patterns)| patterns),
            ranks: ranks.map(|(_, ranks)| ranks),
            shape: shape.map(|(span, shape)| reader.shape(&span, shape)).transpose()?,
            beside: table.get("beside")?.map(|beside| self.beside(beside)).transpose()?,
            action: self.action(table)?,
        })
    }

    fn action(&self, mut table: Table<'r, 't>) -> Result<Action, Error> {
        let reader = self.reader;
        let skip = table.get("skip")?.unwrap_or(false);
        let refuse = table.spanned::<String>("refuse")?;
        let instead = match (skip, &refuse) {
            (true, None) => Some("skip"),
            (false, Some(_)) => Some("refuse"),
            (true, Some(refuse)) => {
                return Err(reader.wrong(&refuse.span(), "a rule", "one with skip and refuse", "one of them"));
            }
            (false, None) => None,
        };
        if let Some(instead) = instead
            && let Some((key, span)) = DRAWN.into_iter().find_map(|key| Some((key, table.span_of(key)?)))
        {
            let value = format!("one with {instead} and {key}");
            return Err(reader.wrong(
                &span,
                "a rule",
                &value,
                "one of them, with name, module, rank, shape and beside",
            ));
        }
        match refuse {
            Some(reason) => Ok(Action::Refuse { line: reader.line(&reason.span()), reason: reason.into_inner() }),
            None if skip => Ok(Action::Skip),
            None => Ok(Action::Draw(self.drawn(table)?.into())),
        }
    }

    fn drawn(&self, mut table: Table<'r, 't>) -> Result<Drawn, Error> {
        let reader = self.reader;
        let layout = table.spanned("layout")?.map(|layout| self.template::<Layout>(&layout)).transpose()?;
        let dtype = reader.parsed::<Dtype>(table.spanned("dtype")?)?;
        let parts = table.get::<Vec<Entries<'t>>>("part")?.unwrap_or_default();
        let parts = parts.into_iter().map(|part| self.part(part)).collect::<Result<_, _>>()?;
        let Some(scheme) = table.spanned("scheme")? else {
            let allowed = "scheme, skip = true, or refuse";
            return Err(reader.wrong(&table.span(), "a rule", "one without a scheme", allowed));
        };
        Ok(Drawn {
            scheme: self.template::<Scheme>(&scheme)?,
            dtype: dtype.or(self.dtype),
            layout: layout.unwrap_or_else(|| self.layout.clone()),
            fans_from: table.get("fans_from")?.map(|from| self.fans_from(from)).transpose()?,
            stream: table.get("stream")?,
            zero_row: table.spanned("zero_row")?.map(|row| self.row(row)).transpose()?,
            parts,
            split: table.spanned("split")?.map(|split| self.split(split)).transpose()?,
        })
    }

    /// A text whose formulas can be read, and which is one of what is wanted for some values of them.
    pub fn template<T: FromKeyed>(&self, text: &Spanned<String>) -> Result<Template, Error> {
        let at = |e| self.reader.at(&text.span(), e);
        let template = Template::read::<T>(text.as_ref(), self.reader.line(&text.span())).map_err(at)?;
        template.check(&self.examples[0]).map_err(at)?;
        let with_words = self.examples.iter().map(|words| template.value::<T>(words));
        let with_number = [1.0, 2.0, 0.5, -1.0].into_iter().map(|number| template.with::<T>(|_| Ok(number)));
        let mut tried = with_words.chain(with_number);
        match tried.next() {
            Some(Err(error)) if !tried.any(|value| value.is_ok()) => Err(at(error)),
            _ => Ok(template),
        }
    }

    /// A formula of a row or a range, for which there are no fans.
    fn formula(&self, span: &Range<usize>, text: &str) -> Result<Formula, Error> {
        let at = |e| self.reader.at(span, e);
        let words = self.examples[0].iter().filter(|(name, _)| !name.starts_with("fan_"));
        let formula = Formula::read(text).map_err(at)?;
        formula.check(&words.map(|(name, value)| (name.clone(), *value)).collect()).map_err(at)?;
        Ok(formula)
    }

    fn row(&self, row: Spanned<Either<u64, String>>) -> Result<Formula, Error> {
        let span = row.span();
        match row.into_inner() {
            Either::First(row) => self.formula(&span, &row.to_string()),
            Either::Second(formula) => self.formula(&span, &formula),
        }
    }

    /// The end of the name of the tensor whose fans are taken, and its rank, if that is said.
    fn fans_from(&self, from: Either<String, Entries<'t>>) -> Result<(String, Option<u64>), Error> {
        match from {
            Either::First(name) => Ok((name, None)),
            Either::Second(entries) => {
                let mut table = Table::read(self.reader, "fans_from", entries, &["name", "rank"])?;
                Ok((table.required("name")?.into_inner(), Some(table.required("rank")?.into_inner())))
            }
        }
    }

    fn part(&self, entries: Entries<'t>) -> Result<PartRule, Error> {
        let reader = self.reader;
        let known = ["dim", "blocks", "block", "range", "scheme", "layout"];
        let mut table = Table::read(reader, "a part", entries, &known)?;
        let dim = table.get::<u64>("dim")?.unwrap_or(0) as usize;
        let (blocks, block) = (table.spanned("blocks")?, table.spanned("block")?);
        let slices = match (blocks, block, table.spanned("range")?) {
            (Some(of), block, None) => self.blocks(of, block)?,
            (None, None, Some(range)) => self.range(range)?,
            _ => {
                return Err(reader.wrong(&table.span(), "a part", "one with neither or both", "blocks, or a range"));
            }
        };
        let (scheme, layout) = (table.spanned("scheme")?, table.spanned("layout")?);
        Ok(PartRule {
            line: reader.line(&table.span()),
            dim,
            slices,
            scheme: scheme.map(|scheme| self.template::<Scheme>(&scheme)).transpose()?,
            layout: layout.map(|layout| self.template::<Layout>(&layout)).transpose()?,
        })
    }

    /// Some of equal blocks, or all.
    fn blocks(&self, of: Spanned<u64>, which: Option<Spanned<OneOrMore<u64>>>) -> Result<Slices, Error> {
        let reader = self.reader;
        let (at, of) = (of.span(), of.into_inner());
        if of == 0 {
            return Err(reader.wrong(&at, "the number of blocks", "0", "at least 1"));
        }
        let Some(which) = which else { return Ok(Slices::Blocks { of, which: None }) };
        let (span, OneOrMore(which)) = (which.span(), which.into_inner());
        if which.len() > MAX_PARTS {
            return Err(reader.wrong(&span, "the number of a part's blocks", &which.len().to_string(), "at most 64"));
        }
        if which.is_empty() {
            return Err(reader.wrong(&span, "the list of a part's blocks", "empty", "at least one"));
        }
        if let Some((_, twice)) = which.iter().enumerate().find(|(i, block)| which[..*i].contains(block)) {
            return Err(reader.wrong(&span, "a block", &format!("{twice}, twice"), "each once"));
        }
        if let Some(none) = which.iter().find(|&&block| block >= of) {
            let error = Error::new(ErrorKind::Rules, "the number of a block", none, format!("below {of}"));
            return Err(reader.at(&span, error));
        }
        Ok(Slices::Blocks { of, which: Some(which) })
    }

    fn range(&self, range: Spanned<String>) -> Result<Slices, Error> {
        let span = range.span();
        let Some((from, to)) = range.as_ref().split_once("..") else {
            let allowed = "FROM..TO, either of which may be left out";
            return Err(self.reader.wrong(&span, "the range", &quoted(range.as_ref()), allowed));
        };
        let end = |formula: &str| match formula.trim() {
            "" => Ok(None),
            formula => self.formula(&span, formula).map(Some),
        };
        Ok(Slices::Range(end(from)?, end(to)?))
    }

    fn beside(&self, entries: Entries<'t>) -> Result<Beside, Error> {
        let reader = self.reader;
        let mut table = Table::read(reader, "beside", entries, &["name", "shape"])?;
        let span = table.span();
        let last = table.required("name")?.into_inner();
        let size = |dimension: Dimension| match dimension {
            Either::First(size) => Ok(Size::Number(size)),
            Either::Second(any) if any == "*" => Ok(Size::Any),
            Either::Second(other) => match other.strip_prefix("dim_").map(str::parse) {
                Some(Ok(dim)) => Ok(Size::SameAs(dim)),
                _ => Err(reader.wrong(&span, "a dimension", &quoted(&other), "a number, \"*\", or dim_0, dim_1, ..")),
            },
        };
        let is = match table.get::<Either<String, Vec<Dimension>>>("shape")? {
            None => Sibling::Present,
            Some(Either::First(word)) if word == "alike" => Sibling::Alike,
            Some(Either::First(word)) if word == "absent" => Sibling::Absent,
            Some(Either::First(word)) => {
                let allowed = "\"alike\", \"absent\", or a list of dimensions";
                return Err(reader.wrong(&span, "the shape of what stands beside", &quoted(&word), allowed));
            }
            Some(Either::Second(sizes)) => Sibling::Of(sizes.into_iter().map(size).collect::<Result<_, _>>()?),
        };
        Ok(Beside { last, is })
    }

    fn split(&self, split: Spanned<SplitText>) -> Result<Split, Error> {
        let span = split.span();
        let allowed = "a dimension, whole, tensor, or dimensions for a mesh's axes, such as {tp = 0}";
        match split.into_inner() {
            Either::First(dim) => Ok(Split::Along(dim as usize)),
            Either::Second(Either::First(word)) => match word.as_str() {
                "whole" => Ok(Split::Whole),
                "tensor" => Ok(Split::Tensor),
                _ => Err(self.reader.wrong(&span, "the split", &quoted(&word), allowed)),
            },
            Either::Second(Either::Second(axes)) if axes.is_empty() => {
                let allowed = "a dimension for one or more, such as {tp = 0}";
                Err(self.reader.wrong(&span, "the split", "of no axis", allowed))
            }
            Either::Second(Either::Second(axes)) => {
                Ok(Split::Mesh(axes.into_iter().map(|(axis, dim)| (axis, dim as usize)).collect()))
            }
        }
    }
}
