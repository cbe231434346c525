//! A rule, from its text.

use std::ops::Range;

use toml::Spanned;

use super::file::{BesideShape, BesideText, Dimension, FansFrom, PartText, Row, RuleText, SplitText};
use super::reader::Reader;
use crate::error::quoted;
use crate::keys::FromKeyed;
use crate::rules::formula::{Formula, Template, Variables};
use crate::rules::plan::Split;
use crate::rules::rule::{Action, Beside, Drawn, PartOf, Rule, Sibling, Size, Slices};
use crate::{Dtype, Error, ErrorKind, Layout, Scheme};

/// No tensor has more parts.
const MOST_PARTS: usize = 64;

/// A reader of rules.
pub(super) struct RuleReader<'a> {
    pub reader: &'a Reader,
    /// The words that formulas may have, with several values of each: for one of them a text must be a scheme.
    pub examples: &'a [Variables],
    /// The layout and the dtype of rules that say none.
    pub layout: Template,
    pub dtype: Option<Dtype>,
}

impl RuleReader<'_> {
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

    fn row(&self, row: Spanned<Row>) -> Result<Formula, Error> {
        let span = row.span();
        match row.into_inner() {
            Row::Number(row) => self.formula(&span, &row.to_string()),
            Row::Formula(formula) => self.formula(&span, &formula),
        }
    }

    fn part(&self, part: Spanned<PartText>) -> Result<PartOf, Error> {
        let span = part.span();
        let PartText { dim, blocks, block, range, scheme, layout } = part.into_inner();
        let slices = match (blocks, block, range) {
            (Some(of), _, None) if *of.as_ref() == 0 => {
                return Err(self.reader.wrong(&of.span(), "the number of blocks", "0", "at least 1"));
            }
            (Some(of), block, None) => {
                let of = of.into_inner();
                let which = block.map(|block| (block.span(), block.into_inner().into_list()));
                if let Some((span, which)) = &which {
                    if which.len() > MOST_PARTS {
                        let length = which.len().to_string();
                        return Err(self.reader.wrong(span, "how many blocks a part has", &length, "at most 64"));
                    }
                    if which.is_empty() {
                        return Err(self.reader.wrong(span, "the list of a part's blocks", "empty", "at least one"));
                    }
                    if let Some((_, twice)) = which.iter().enumerate().find(|(i, block)| which[..*i].contains(block)) {
                        return Err(self.reader.wrong(span, "a block", &format!("{twice}, twice"), "each once"));
                    }
                    if let Some(none) = which.iter().find(|&&block| block >= of) {
                        let allowed = format!("below {of}");
                        let error = Error::new(ErrorKind::Rules, "the number of a block", none, allowed);
                        return Err(self.reader.at(span, error));
                    }
                }
                Slices::Blocks { of, which: which.map(|(_, which)| which) }
            }
            (None, None, Some(range)) => {
                let Some((from, to)) = range.as_ref().split_once("..") else {
                    let allowed = "FROM..TO, either of which may be left out";
                    return Err(self.reader.wrong(&range.span(), "the range", &quoted(range.as_ref()), allowed));
                };
                let end = |formula: &str| match formula.trim() {
                    "" => Ok(None),
                    formula => self.formula(&range.span(), formula).map(Some),
                };
                Slices::Range(end(from)?, end(to)?)
            }
            _ => return Err(self.reader.wrong(&span, "a part", "one with neither or both", "blocks, or a range")),
        };
        Ok(PartOf {
            line: self.reader.line(&span),
            dim,
            slices,
            scheme: scheme.map(|scheme| self.template::<Scheme>(&scheme)).transpose()?,
            layout: layout.map(|layout| self.template::<Layout>(&layout)).transpose()?,
        })
    }

    fn beside(&self, beside: Spanned<BesideText>) -> Result<Beside, Error> {
        let span = beside.span();
        let BesideText { name, shape } = beside.into_inner();
        let size = |dimension| match dimension {
            Dimension::Size(size) => Ok(Size::Number(size)),
            Dimension::Any(any) if any == "*" => Ok(Size::Any),
            Dimension::Any(other) => match other.strip_prefix("dim_").map(str::parse) {
                Some(Ok(dim)) => Ok(Size::Own(dim)),
                _ => Err(self.reader.wrong(
                    &span,
                    "a dimension",
                    &quoted(&other),
                    "a number, \"*\", or dim_0, dim_1, ..",
                )),
            },
        };
        let is = match shape {
            None => Sibling::Present,
            Some(BesideShape::Word(word)) if word == "alike" => Sibling::Alike,
            Some(BesideShape::Word(word)) if word == "absent" => Sibling::Absent,
            Some(BesideShape::Word(word)) => {
                let allowed = "\"alike\", \"absent\", or a list of dimensions";
                return Err(self.reader.wrong(&span, "the shape of what stands beside", &quoted(&word), allowed));
            }
            Some(BesideShape::List(sizes)) => Sibling::Of(sizes.into_iter().map(size).collect::<Result<_, _>>()?),
        };
        Ok(Beside { last: name, is })
    }

    fn split(&self, split: Spanned<SplitText>) -> Result<Split, Error> {
        let span = split.span();
        match split.into_inner() {
            SplitText::Along(dim) => Ok(Split::Along(dim)),
            SplitText::Word(word) if word == "whole" => Ok(Split::Whole),
            SplitText::Word(word) if word == "tensor" => Ok(Split::Tensor),
            SplitText::Word(word) => {
                let allowed = "a dimension, whole, tensor, or dimensions for a mesh's axes, such as {tp = 0}";
                Err(self.reader.wrong(&span, "the split", &quoted(&word), allowed))
            }
            SplitText::Mesh(axes) if axes.is_empty() => Err(self.reader.wrong(
                &span,
                "the split",
                "of no axis",
                "a dimension for one or more, such as {tp = 0}",
            )),
            SplitText::Mesh(axes) => Ok(Split::Mesh(axes)),
        }
    }

    /// A rule: which tensors meet it, and what becomes of them.
    pub fn rule(&self, rule: Spanned<RuleText>) -> Result<Rule, Error> {
        let reader = self.reader;
        let span = rule.span();
        let rule = rule.into_inner();
        let (names, patterns) = reader.patterns(rule.name, "the list of a rule's names")?;
        let modules =
            rule.module.map(|modules| reader.patterns(modules, "the list of a rule's modules")).transpose()?;
        let modules = modules.map(|(_, patterns)| patterns);
        let beside = rule.beside.map(|beside| self.beside(beside)).transpose()?;
        let skip = rule.skip.as_ref().is_some_and(|skip| *skip.as_ref());
        let others = [
            ("scheme", rule.scheme.as_ref().map(Spanned::span)),
            ("dtype", rule.dtype.as_ref().map(Spanned::span)),
            ("layout", rule.layout.as_ref().map(Spanned::span)),
            ("fans_from", rule.fans_from.as_ref().map(Spanned::span)),
            ("stream", rule.stream.as_ref().map(Spanned::span)),
            ("zero_row", rule.zero_row.as_ref().map(Spanned::span)),
            ("part", rule.part.first().map(Spanned::span)),
            ("split", rule.split.as_ref().map(Spanned::span)),
        ];
        let instead = match (skip, &rule.refuse) {
            (true, None) => Some("skip"),
            (false, Some(_)) => Some("refuse"),
            (true, Some(refuse)) => {
                return Err(reader.wrong(&refuse.span(), "a rule", "one with skip and refuse", "one of them"));
            }
            (false, None) => None,
        };
        if let (Some(instead), Some((key, Some(span)))) = (instead, others.into_iter().find(|(_, span)| span.is_some()))
        {
            let value = format!("one with {instead} and {key}");
            let allowed = "one of them, with name, module, rank, shape and beside";
            return Err(reader.wrong(&span, "a rule", &value, allowed));
        }
        let own_layout = rule.layout.map(|layout| self.template::<Layout>(&layout)).transpose()?;
        let own_dtype = reader.parsed::<Dtype>(rule.dtype)?;
        let parts = rule.part.into_iter().map(|part| self.part(part)).collect::<Result<Vec<_>, _>>()?;
        let action = match (rule.scheme, rule.refuse) {
            (Some(scheme), _) => Action::Draw(Drawn {
                scheme: self.template::<Scheme>(&scheme)?,
                dtype: own_dtype.or(self.dtype),
                layout: own_layout.unwrap_or_else(|| self.layout.clone()),
                fans_from: rule.fans_from.map(|from| match from.into_inner() {
                    FansFrom::Name(name) => (name, None),
                    FansFrom::Ranked { name, rank } => (name, Some(rank)),
                }),
                stream: rule.stream.map(Spanned::into_inner),
                zero_row: rule.zero_row.map(|row| self.row(row)).transpose()?,
                parts,
                split: rule.split.map(|split| self.split(split)).transpose()?,
            }),
            (None, Some(reason)) => Action::Refuse { line: reader.line(&reason.span()), reason: reason.into_inner() },
            (None, None) if skip => Action::Skip,
            (None, None) => {
                return Err(reader.wrong(&span, "a rule", "one without a scheme", "scheme, skip = true, or refuse"));
            }
        };
        let ranks = rule.rank.map(|rank| (rank.span(), rank.into_inner().into_list()));
        if let Some((span, ranks)) = &ranks
            && ranks.is_empty()
        {
            return Err(reader.wrong(span, "the list of a rule's ranks", "empty", "at least one"));
        }
        let ranks = ranks.map(|(_, ranks)| ranks);
        let shape = rule.shape.map(|shape| (shape.span(), shape.into_inner()));
        let shape = shape.map(|(span, shape)| reader.shape(&span, shape)).transpose()?;
        Ok(Rule { line: reader.line(&span), names, patterns, modules, ranks, shape, beside, action })
    }
}
