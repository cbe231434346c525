//! Rules as TOML.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use super::blueprint::{Blueprint, Group, Key, Kind, Submodel};
use super::formula::{self, Variables};
use super::plan::Split;
use super::rule::{Action, Beside, Drawn, PartOf, Rule, Sibling, Size, Slices, Text};
use super::{Mark, Rules};
use crate::error::quoted;
use crate::number::Number;
use crate::{Dtype, Error, ErrorKind, Layout, Scheme};

/// No pattern is longer.
const LONGEST_PATTERN: usize = 1000;

/// Of an example of a tensor, so many dimensions are there.
const DIMENSIONS: usize = 8;

/// No more words of rules' own: each tensor has them.
const MOST_WORDS: usize = 256;

/// No tensor has more parts.
const MOST_PARTS: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The source of the rules, for people.
    #[serde(rename = "source")]
    _source: Option<String>,
    /// The questions that names cannot answer, for those whom `recognise` serves.
    note: Option<String>,
    #[serde(default)]
    recognise: Vec<Spanned<MarkText>>,
    #[serde(default)]
    family: Vec<Spanned<String>>,
    dtype: Option<Spanned<String>>,
    layout: Option<Spanned<String>>,
    #[serde(default)]
    constants: BTreeMap<String, Spanned<f64>>,
    #[serde(default)]
    count: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    rule: Vec<Spanned<RuleText>>,
    // An architecture's.
    model_type: Option<Types>,
    #[serde(default)]
    architectures: BTreeMap<String, BTreeMap<String, Spanned<toml::Value>>>,
    #[serde(default)]
    config: BTreeMap<String, Spanned<toml::Value>>,
    #[serde(default)]
    alias: BTreeMap<String, String>,
    #[serde(default, rename = "let")]
    derived: BTreeMap<String, String>,
    #[serde(default)]
    check: Vec<String>,
    linear: Option<Spanned<Names>>,
    #[serde(default)]
    submodel: Vec<Spanned<SubmodelText>>,
    #[serde(default)]
    tensors: Vec<Spanned<GroupText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmodelText {
    config: String,
    class: Names,
    prefix: String,
    when: Option<String>,
    #[serde(default)]
    default: BTreeMap<String, toml::Value>,
    #[serde(default)]
    flat: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupText {
    #[serde(default)]
    prefix: String,
    #[serde(default, rename = "for")]
    counters: Vec<(String, String)>,
    #[serde(default, rename = "let")]
    locals: Vec<(String, String)>,
    when: Option<String>,
    dtype: Option<String>,
    list: Vec<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    name: Spanned<Names>,
    module: Option<Spanned<Names>>,
    rank: Option<Spanned<Ranks>>,
    shape: Option<Spanned<Vec<Dimension>>>,
    beside: Option<Spanned<BesideText>>,
    scheme: Option<Spanned<String>>,
    skip: Option<Spanned<bool>>,
    refuse: Option<Spanned<String>>,
    dtype: Option<Spanned<String>>,
    layout: Option<Spanned<String>>,
    fans_from: Option<Spanned<FansFrom>>,
    stream: Option<Spanned<String>>,
    zero_row: Option<Spanned<Row>>,
    #[serde(default)]
    part: Vec<Spanned<PartText>>,
    split: Option<Spanned<SplitText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BesideText {
    name: String,
    shape: Option<BesideShape>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "what stands beside has neither a list of dimensions for its shape nor a word")]
enum BesideShape {
    Word(String),
    List(Vec<Dimension>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartText {
    #[serde(default)]
    dim: usize,
    blocks: Option<Spanned<u64>>,
    block: Option<Spanned<Ranks>>,
    range: Option<Spanned<String>>,
    scheme: Option<Spanned<String>>,
    layout: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "split is neither a dimension, nor \"whole\" or \"tensor\", nor dimensions for a mesh's axes"
)]
enum SplitText {
    Along(usize),
    Word(String),
    Mesh(BTreeMap<String, usize>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "what a model is recognised by is neither a pattern nor {name, shape}")]
enum MarkText {
    Name(String),
    Shaped { name: String, shape: Vec<Dimension> },
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "fans_from is neither the end of a name nor {name, rank}")]
enum FansFrom {
    Name(String),
    Ranked { name: String, rank: u64 },
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "zero_row is neither the number of a row nor a formula")]
enum Row {
    Number(u64),
    Formula(String),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "name is neither a text nor a list of texts")]
enum Names {
    One(String),
    Many(Vec<String>),
}

/// Of configurations: their `model_type`, or several, or several with what is peculiar to the classes of each.
#[derive(Deserialize)]
#[serde(untagged, expecting = "model_type is neither a text, nor a list of texts, nor a table of tables")]
enum Types {
    Names(Names),
    Words(BTreeMap<String, BTreeMap<String, toml::Value>>),
}

impl Names {
    fn into_list(self) -> Vec<String> {
        match self {
            Names::One(one) => vec![one],
            Names::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "it is neither a number nor a list of numbers")]
enum Ranks {
    One(u64),
    Many(Vec<u64>),
}

impl Ranks {
    fn into_list(self) -> Vec<u64> {
        match self {
            Ranks::One(one) => vec![one],
            Ranks::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a dimension is neither a number nor \"*\"")]
enum Dimension {
    Size(u64),
    Any(String),
}

/// Of a text, where its lines end: errors name the line.
struct Reader {
    ends: Vec<usize>,
}

impl Reader {
    fn line(&self, span: &Range<usize>) -> usize {
        self.ends.partition_point(|&end| end < span.start) + 1
    }

    fn at(&self, span: &Range<usize>, error: Error) -> Error {
        error.with_kind(ErrorKind::Rules).at(format_args!("line {}", self.line(span)))
    }

    fn pattern(&self, span: &Range<usize>, text: &str) -> Result<glob::Pattern, Error> {
        pattern(text).map_err(|e| self.at(span, e))
    }

    fn parsed<T: FromStr<Err = Error>>(&self, text: Option<Spanned<String>>) -> Result<Option<T>, Error> {
        text.map(|text| text.as_ref().parse().map_err(|e| self.at(&text.span(), e))).transpose()
    }

    fn shape(&self, span: &Range<usize>, dimensions: Vec<Dimension>) -> Result<Vec<Option<u64>>, Error> {
        let size = |dimension| match dimension {
            Dimension::Size(size) => Ok(Some(size)),
            Dimension::Any(any) if any == "*" => Ok(None),
            Dimension::Any(other) => Err(self.wrong(span, "a dimension", &quoted(&other), "a number or \"*\"")),
        };
        dimensions.into_iter().map(size).collect()
    }

    fn patterns(&self, names: Spanned<Names>, which: &'static str) -> Result<(Vec<String>, Vec<glob::Pattern>), Error> {
        let span = names.span();
        let names = names.into_inner().into_list();
        if names.is_empty() {
            return Err(self.wrong(&span, which, "empty", "at least one pattern"));
        }
        let patterns = names.iter().map(|name| self.pattern(&span, name)).collect::<Result<_, _>>()?;
        Ok((names, patterns))
    }

    fn beside(&self, beside: Spanned<BesideText>) -> Result<Beside, Error> {
        let span = beside.span();
        let BesideText { name, shape } = beside.into_inner();
        let size = |dimension| match dimension {
            Dimension::Size(size) => Ok(Size::Number(size)),
            Dimension::Any(any) if any == "*" => Ok(Size::Any),
            Dimension::Any(other) => match other.strip_prefix("dim_").map(str::parse) {
                Some(Ok(dim)) => Ok(Size::Own(dim)),
                _ => Err(self.wrong(&span, "a dimension", &quoted(&other), "a number, \"*\", or dim_0, dim_1, ..")),
            },
        };
        let is = match shape {
            None => Sibling::Present,
            Some(BesideShape::Word(word)) if word == "alike" => Sibling::Alike,
            Some(BesideShape::Word(word)) if word == "absent" => Sibling::Absent,
            Some(BesideShape::Word(word)) => {
                let allowed = "\"alike\", \"absent\", or a list of dimensions";
                return Err(self.wrong(&span, "the shape of what stands beside", &quoted(&word), allowed));
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
                Err(self.wrong(&span, "the split", &quoted(&word), allowed))
            }
            SplitText::Mesh(axes) if axes.is_empty() => {
                Err(self.wrong(&span, "the split", "of no axis", "a dimension for one or more, such as {tp = 0}"))
            }
            SplitText::Mesh(axes) => Ok(Split::Mesh(axes)),
        }
    }

    fn wrong(&self, span: &Range<usize>, thing: &'static str, value: &str, allowed: &'static str) -> Error {
        self.at(span, Error::new(ErrorKind::Rules, thing, value, allowed))
    }
}

/// A reader of texts with formulas.
struct Checked<'a> {
    reader: &'a Reader,
    examples: &'a [Variables],
}

impl Checked<'_> {
    /// A text whose formulas can be read, and which is one of what is wanted for some values of them.
    fn text<T: FromStr<Err = Error>>(&self, text: Spanned<String>, keys: &[&str]) -> Result<Text, Error> {
        let at = |e| self.reader.at(&text.span(), e);
        let known = &self.examples[0];
        formula::with_each(text.as_ref(), keys, |formula| formula::check(formula, known).map(|()| String::new()))
            .map_err(at)?;
        let of = |variables| formula::evaluated(text.as_ref(), keys, variables).and_then(|text| text.parse::<T>());
        let of_number = |number: &str| {
            let text = formula::with_each(text.as_ref(), keys, |_| Ok(number.into()))?;
            text.parse::<T>()
        };
        let mut tried = self.examples.iter().map(of).chain(["1", "2", "0.5", "-1"].map(of_number));
        match tried.next() {
            Some(Err(error)) if !tried.any(|value| value.is_ok()) => Err(at(error)),
            _ => Ok(Text { line: self.reader.line(&text.span()), text: text.into_inner() }),
        }
    }

    fn formula(&self, span: &Range<usize>, formula: &str) -> Result<(), Error> {
        // Of a row there are no fans.
        let known: Variables = self.examples[0]
            .iter()
            .filter(|(name, _)| !name.starts_with("fan_"))
            .map(|(n, v)| (n.clone(), *v))
            .collect();
        formula::check(formula, &known).map_err(|e| self.reader.at(span, e))
    }

    fn row(&self, row: Spanned<Row>) -> Result<String, Error> {
        let span = row.span();
        match row.into_inner() {
            Row::Number(row) => Ok(row.to_string()),
            Row::Formula(formula) => self.formula(&span, &formula).map(|()| formula),
        }
    }

    fn scheme(&self, text: Spanned<String>) -> Result<Text, Error> {
        self.text::<Scheme>(text, formula::SCHEME_KEYS)
    }

    fn layout(&self, text: Spanned<String>) -> Result<Text, Error> {
        self.text::<Layout>(text, formula::LAYOUT_KEYS)
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
                let end = |formula: &str| Some(formula.trim().to_string()).filter(|formula| !formula.is_empty());
                for formula in [from, to].into_iter().filter_map(end) {
                    self.formula(&range.span(), &formula)?;
                }
                Slices::Range(end(from), end(to))
            }
            _ => return Err(self.reader.wrong(&span, "a part", "one with neither or both", "blocks, or a range")),
        };
        Ok(PartOf {
            line: self.reader.line(&span),
            dim,
            slices,
            scheme: scheme.map(|scheme| self.scheme(scheme)).transpose()?,
            layout: layout.map(|layout| self.layout(layout)).transpose()?,
        })
    }
}

/// A pattern of names.
pub(super) fn pattern(text: &str) -> Result<glob::Pattern, Error> {
    // Matching recurses, at each star.
    if text.len() > LONGEST_PATTERN {
        let length = format!("{} bytes", text.len());
        let allowed = format!("at most {LONGEST_PATTERN}");
        return Err(Error::new(ErrorKind::Rules, "the length of a pattern", length, allowed));
    }
    let wrong =
        |e| Error::failed(ErrorKind::Rules, format!("the pattern {}", quoted(text)), "cannot be read").because(e);
    glob::Pattern::new(text).map_err(|e: glob::PatternError| wrong(e))
}

/// Reads rules, and the architecture among which they stand, if there is one.
pub(super) fn read(text: &str) -> Result<(Rules, Option<Blueprint>), Error> {
    let reader = Reader { ends: text.match_indices('\n').map(|(at, _)| at).collect() };
    let mut file: File = toml::from_str(text).map_err(|e| {
        let message = e.message().trim().replace('\n', ", ");
        reader.at(
            &e.span().unwrap_or(0..0),
            Error::failed(ErrorKind::Rules, "the text", format!("cannot be read: {message}")),
        )
    })?;
    let blueprint = blueprint(&reader, text, &mut file)?;
    let dtype = reader.parsed::<Dtype>(file.dtype)?;

    let mut constants = BTreeMap::new();
    for (name, value) in file.constants {
        formula::check_name(&name).map_err(|e| reader.at(&value.span(), e))?;
        if !value.as_ref().is_finite() {
            let error = Error::new(ErrorKind::Rules, name, Number(*value.as_ref()), "a finite number");
            return Err(reader.at(&value.span(), error));
        }
        constants.insert(name, *value.as_ref());
    }
    let mut counts = BTreeMap::new();
    for (name, text) in file.count {
        formula::check_name(&name).map_err(|e| reader.at(&text.span(), e))?;
        if constants.contains_key(&name) {
            let error = Error::new(ErrorKind::Rules, name, "both a constant and a count", "one of them");
            return Err(reader.at(&text.span(), error));
        }
        counts.insert(name, reader.pattern(&text.span(), text.as_ref())?);
    }
    let words = constants.len() + counts.len();
    if words > MOST_WORDS {
        let allowed = format!("at most {MOST_WORDS}");
        return Err(Error::new(ErrorKind::Rules, "the number of constants and counts", words, allowed));
    }
    // To find what is wrong before there is a model, something is counted and measured: of these, one must do.
    // A configuration's words also as numbers that differ, either way: two of them may be bounds.
    let examples =
        [(12.0, 0.0), (1.0, 0.0), (2.0, 0.0), (100.0, 0.0), (12.0, 1.0), (100.0, -1.0)].map(|(count, step)| {
            let mut variables: Variables = counts.keys().map(|name| (name.clone(), count)).collect();
            variables.extend(["rank", "layer", "fan_in", "fan_out"].map(|name| (name.into(), count)));
            variables.extend((0..DIMENSIONS).map(|i| (format!("dim_{i}"), count)));
            let words = blueprint.iter().flat_map(Blueprint::words).enumerate();
            variables.extend(words.map(|(i, word)| (word.into(), count + step * i as f64)));
            variables.extend(constants.clone());
            variables
        });
    let checked = Checked { reader: &reader, examples: &examples };
    let layout = match file.layout {
        Some(layout) => checked.layout(layout)?,
        None => Text { line: 0, text: Layout::OUT_IN.to_string() },
    };

    let mut rules = Vec::new();
    for rule in file.rule {
        let span = rule.span();
        let rule = rule.into_inner();
        let (names, patterns) = reader.patterns(rule.name, "the list of a rule's names")?;
        let modules =
            rule.module.map(|modules| reader.patterns(modules, "the list of a rule's modules")).transpose()?;
        let modules = modules.map(|(_, patterns)| patterns);
        let beside = rule.beside.map(|beside| reader.beside(beside)).transpose()?;
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
            return Err(reader.wrong(
                &span,
                "a rule",
                &value,
                "one of them, with name, module, rank, shape and beside",
            ));
        }
        let own_layout = rule.layout.map(|layout| checked.layout(layout)).transpose()?;
        let own_dtype = reader.parsed::<Dtype>(rule.dtype)?;
        let parts = rule.part.into_iter().map(|part| checked.part(part)).collect::<Result<Vec<_>, _>>()?;
        let action = match (rule.scheme, rule.refuse) {
            (Some(scheme), _) => Action::Draw(Drawn {
                scheme: checked.scheme(scheme)?,
                dtype: own_dtype.or(dtype),
                layout: own_layout.unwrap_or_else(|| layout.clone()),
                fans_from: rule.fans_from.map(|from| match from.into_inner() {
                    FansFrom::Name(name) => (name, None),
                    FansFrom::Ranked { name, rank } => (name, Some(rank)),
                }),
                stream: rule.stream.map(Spanned::into_inner),
                zero_row: rule.zero_row.map(|row| checked.row(row)).transpose()?,
                parts,
                split: rule.split.map(|split| reader.split(split)).transpose()?,
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
        rules.push(Rule { line: reader.line(&span), names, patterns, modules, ranks, shape, beside, action });
    }
    if rules.is_empty() {
        return Err(Error::failed(ErrorKind::Rules, "the text", "has no [[rule]]").allowing("at least one"));
    }
    let mut recognise = Vec::new();
    for mark in file.recognise {
        let span = mark.span();
        let (name, shape) = match mark.into_inner() {
            MarkText::Name(name) => (name, None),
            MarkText::Shaped { name, shape } => (name, Some(reader.shape(&span, shape)?)),
        };
        recognise.push(Mark { pattern: reader.pattern(&span, &name)?, shape });
    }
    let family =
        file.family.iter().map(|name| reader.pattern(&name.span(), name.as_ref())).collect::<Result<_, _>>()?;
    let within = Vec::new();
    Ok((Rules { text: text.into(), note: file.note, recognise, family, constants, counts, rules, within }, blueprint))
}

/// Takes what is an architecture's, and no rule's.
fn blueprint(reader: &Reader, text: &str, file: &mut File) -> Result<Option<Blueprint>, Error> {
    if file.architectures.is_empty() {
        // Alone they would be passed over.
        let beside = [
            ("model_type", file.model_type.is_some()),
            ("[config]", !file.config.is_empty()),
            ("[alias]", !file.alias.is_empty()),
            ("[let]", !file.derived.is_empty()),
            ("check", !file.check.is_empty()),
            ("linear", file.linear.is_some()),
            ("[[submodel]]", !file.submodel.is_empty()),
            ("[[tensors]]", !file.tensors.is_empty()),
        ];
        return match beside.into_iter().find(|(_, is_there)| *is_there) {
            Some((key, _)) => {
                let error = Error::failed(ErrorKind::Rules, "the text", format!("has {key} and no [architectures]"));
                Err(error.allowing("both in an architecture, none in rules alone"))
            }
            None => Ok(None),
        };
    }
    // Of two numbers of one name, one would be passed over.
    let mut words: HashSet<&String> = file.constants.keys().chain(file.count.keys()).collect();
    let of_types = match &file.model_type {
        Some(Types::Words(words)) => words.values().collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    let of_types_said = of_types.len();
    // How often each is said.
    let count = |names: &mut dyn Iterator<Item = &'_ String>| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        names.for_each(|name| *counts.entry(name.clone()).or_default() += 1);
        counts
    };
    let of_types = count(&mut of_types.into_iter().flat_map(BTreeMap::keys));
    let of_classes = count(&mut file.architectures.values().flat_map(BTreeMap::keys));
    for name in file.config.keys().chain(file.derived.keys()).chain(of_classes.keys()).chain(of_types.keys()) {
        if !words.insert(name) {
            let error = Error::failed(ErrorKind::Rules, format!("the word {}", quoted(name)), "stands twice");
            return Err(error.allowing("one constant, count, key, name of [let], of a class or of a model_type"));
        }
    }
    let own = of_classes.len() + of_types.len();
    let count = file.config.len() + file.derived.len() + file.alias.len() + file.check.len() + own;
    if count > MOST_WORDS {
        let thing = "the number of an architecture's keys, other names, names, checks and words of classes";
        return Err(Error::new(ErrorKind::Rules, thing, count, format!("at most {MOST_WORDS}")));
    }
    // Of a word that some classes say others have 0: a misspelt one would be nobody's, and the one that was meant 0.
    let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
    for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
        *asked.entry(word).or_default() += 1;
    }
    let (classes, types) = (file.architectures.len(), of_types_said);
    let some = |names: &BTreeMap<String, usize>, all: usize| {
        let unasked = |(name, times): &(&String, &usize)| {
            **times < all && asked.get(name.as_str()).is_none_or(|asked| asked <= *times)
        };
        names.iter().filter(|(name, _)| *name != "model_type").find(unasked).map(|(name, _)| name.clone())
    };
    if let Some(name) = some(&of_classes, classes).or_else(|| some(&of_types, types)) {
        let error =
            Error::failed(ErrorKind::Rules, format!("the word {}", quoted(&name)), "of a class is asked for nowhere");
        return Err(error.allowing("words that a name has in braces, or a formula"));
    }
    let plain = |value: &Spanned<toml::Value>| {
        serde_json::to_value(value.as_ref()).map_err(|_| {
            reader.wrong(&value.span(), "a value", "none of JSON", "a number, true or false, a text, or a list of them")
        })
    };
    let key = |value: &Spanned<toml::Value>| {
        Ok(match value.as_ref().as_str() {
            Some("required") => Key::Required(Kind::Number),
            Some("required text") => Key::Required(Kind::Text),
            Some("required list") => Key::Required(Kind::List),
            Some("required number or list") => Key::Required(Kind::NumberOrList),
            Some("text or list") => Key::Texts,
            Some(text) => match text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
                Some(text) => Key::Value(text.into()),
                None => Key::Formula(text.into()),
            },
            None => Key::Value(plain(value)?),
        })
    };
    let (model_types, of_types) = match file.model_type.take() {
        Some(Types::Names(names)) => (names.into_list(), BTreeMap::new()),
        Some(Types::Words(words)) => (words.keys().cloned().collect(), words),
        None => Default::default(),
    };
    let linear =
        file.linear.take().map(|names| reader.patterns(names, "the list of linear layers' weights")).transpose()?;
    let mut blueprint = Blueprint {
        model_types,
        linear: linear.map(|(_, patterns)| patterns).unwrap_or_default(),
        aliases: std::mem::take(&mut file.alias),
        derived: std::mem::take(&mut file.derived),
        checks: std::mem::take(&mut file.check),
        ..Blueprint::default()
    };
    for (class, peculiar) in std::mem::take(&mut file.architectures) {
        if let Some(own) = peculiar.get("model_type")
            && !own.as_ref().as_str().is_some_and(|own| blueprint.model_types.iter().any(|of_file| of_file == own))
        {
            let value = format!("none of the architecture's for {}", quoted(&class));
            return Err(reader.wrong(&own.span(), "the model_type", &value, "one of its list"));
        }
        let own = peculiar.get("model_type").and_then(|own| of_types.get(own.as_ref().as_str()?));
        let own = own.into_iter().flatten().map(|(name, value)| (name.clone(), Spanned::new(0..0, value.clone())));
        let own: Vec<_> = own.collect();
        let peculiar = peculiar.iter().chain(own.iter().map(|(name, value)| (name, value))).map(|(name, value)| {
            formula::check_name(name).map_err(|e| reader.at(&value.span(), e))?;
            Ok((name.clone(), plain(value)?))
        });
        blueprint.classes.insert(class, peculiar.collect::<Result<_, Error>>()?);
    }
    // What a class has and another one says nothing of, that has not.
    let all: Vec<_> =
        blueprint.classes.values().flatten().map(|(word, value)| (word.clone(), value.is_string())).collect();
    for (word, is_text) in all.into_iter().filter(|(word, _)| word != "model_type") {
        for peculiar in blueprint.classes.values_mut() {
            peculiar.entry(word.clone()).or_insert_with(|| if is_text { "".into() } else { 0.into() });
        }
    }
    blueprint.derived.keys().try_for_each(|name| formula::check_name(name))?;
    for (name, value) in std::mem::take(&mut file.config) {
        formula::check_name(&name).map_err(|e| reader.at(&value.span(), e))?;
        let key = match value.as_ref() {
            toml::Value::Table(table) => {
                let mut words = table
                    .iter()
                    .map(|(word, of)| Ok((word.clone(), key(&Spanned::new(value.span(), of.clone()))?)))
                    .collect::<Result<BTreeMap<_, _>, Error>>()?;
                let (Some(missing), Some(null)) = (words.remove("missing"), words.remove("null")) else {
                    let allowed = "{missing = .., null = ..}, and what texts stand for";
                    return Err(reader.wrong(&value.span(), "a key", "another table", allowed));
                };
                // What stands for a text must be a number for formulas.
                if let Some(word) = words.iter().find_map(|(word, key)| (key.kind() != Kind::Number).then_some(word)) {
                    return Err(reader.wrong(&value.span(), "what a text stands for", word, "a number or a formula"));
                }
                Key::Either { missing: Box::new(missing), null: Box::new(null), words }
            }
            _ => key(&value)?,
        };
        blueprint.keys.insert(name, key);
    }
    for submodel in std::mem::take(&mut file.submodel) {
        let span = submodel.span();
        let SubmodelText { config, class, prefix, when, default, flat } = submodel.into_inner();
        let classes = class.into_list();
        if classes.is_empty() || prefix.is_empty() {
            return Err(reader.wrong(&span, "a submodel", "one without a class or a prefix", "both"));
        }
        let default = default.into_iter().map(|(key, value)| Ok((key, plain(&Spanned::new(span.clone(), value))?)));
        let default = default.collect::<Result<_, Error>>()?;
        blueprint.submodels.push(Submodel { line: reader.line(&span), config, classes, prefix, when, default, flat });
    }
    for group in std::mem::take(&mut file.tensors) {
        let line = reader.line(&group.span());
        let span = group.span();
        let GroupText { prefix, counters, locals, when, dtype, list } = group.into_inner();
        let mut tensors = Vec::new();
        for mut tensor in list {
            if tensor.is_empty() {
                return Err(reader.wrong(
                    &span,
                    "a tensor",
                    "an empty list",
                    "its name, and a formula for each dimension",
                ));
            }
            let dims = tensor.split_off(1);
            tensors.push((tensor.remove(0), dims));
        }
        blueprint.groups.push(Group { line, prefix, counters, locals, when, dtype, tensors });
    }
    Ok(Some(blueprint))
}
