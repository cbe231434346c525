//! Rules as TOML, and architectures, which have rules among other things.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeTable;

use super::Rules;
use super::blueprint::Blueprint;
use super::formula::{self, Template, Variables};
use super::rule::Mark;
use crate::limits::rules::MAX_WORDS;
use crate::number::Number;
use crate::{Dtype, Error, ErrorKind, Layout};
use reader::{Dimension, Reader};
use rule::RuleReader;
use table::Table;
use values::{Either, Entries};

mod architecture;
mod reader;
mod rule;
mod table;
mod values;

pub(super) use reader::pattern;

/// Of an example of a tensor, so many dimensions are there.
const DIMENSIONS: usize = 8;

/// The keys of rules, and those of an architecture among which rules stand.
const KEYS: [&str; 19] = [
    "source",
    "note",
    "recognise",
    "family",
    "dtype",
    "layout",
    "constants",
    "count",
    "rule",
    "model_type",
    "architectures",
    "config",
    "alias",
    "let",
    "check",
    "linear",
    "tied",
    "submodel",
    "tensors",
];

/// Reads rules, and the architecture among which they stand, if there is one.
pub(super) fn read(text: &str) -> Result<(Rules, Option<Blueprint>), Error> {
    let reader = Reader::new(text);
    let tables = DeTable::parse(text).map_err(|e| {
        let message = e.message().trim().replace('\n', ", ");
        let error = Error::failed(ErrorKind::Rules, "the text", format!("cannot be read: {message}"));
        reader.at(&e.span().unwrap_or(0..0), error)
    })?;
    let mut file = Table::read(&reader, "the text", tables, &KEYS)?;
    // The source of the rules, for people.
    file.get::<String>("source")?;
    let (constants, counts) = words(&reader, &mut file)?;
    let blueprint = architecture::read(&reader, text, &mut file, constants.keys().chain(counts.keys()))?;
    let examples = examples(&constants, &counts, blueprint.as_ref());
    let mut rules = RuleReader {
        reader: &reader,
        examples: &examples,
        layout: Template::read::<Layout>(&Layout::OUT_IN.to_string(), 0)?,
        dtype: reader.parsed::<Dtype>(file.spanned("dtype")?)?,
    };
    if let Some(layout) = file.spanned("layout")? {
        rules.layout = rules.template::<Layout>(&layout)?;
    }
    let list = file.get::<Vec<Entries<'_>>>("rule")?.unwrap_or_default();
    let rules = list.into_iter().map(|rule| rules.rule(rule)).collect::<Result<Vec<_>, _>>()?;
    if rules.is_empty() {
        return Err(Error::failed(ErrorKind::Rules, "the text", "has no [[rule]]").allowing("at least one"));
    }
    let marks = file.get::<Vec<Spanned<Either<String, DeTable<'_>>>>>("recognise")?.unwrap_or_default();
    let recognise = marks.into_iter().map(|mark| self::mark(&reader, mark)).collect::<Result<_, _>>()?;
    let family = file.get::<Vec<Spanned<String>>>("family")?.unwrap_or_default();
    let family = family.iter().map(|name| reader.pattern(&name.span(), name.as_ref())).collect::<Result<_, _>>()?;
    let (note, within) = (file.get("note")?, Vec::new());
    Ok((Rules { text: text.into(), note, recognise, family, constants, counts, rules, within }, blueprint))
}

/// The rules' own words: numbers, and patterns of tensors that are counted.
type ConstantsAndCounts = (BTreeMap<String, f64>, BTreeMap<String, glob::Pattern>);

fn words(reader: &Reader<'_>, file: &mut Table<'_, '_>) -> Result<ConstantsAndCounts, Error> {
    let constants = file.get::<BTreeMap<String, Spanned<f64>>>("constants")?.unwrap_or_default();
    let counts = file.get::<BTreeMap<String, Spanned<String>>>("count")?.unwrap_or_default();
    let words = constants.len() + counts.len();
    let mut numbers = BTreeMap::new();
    for (name, value) in constants {
        formula::check_name(&name).map_err(|e| reader.at(&value.span(), e))?;
        if !value.as_ref().is_finite() {
            let error = Error::new(ErrorKind::Rules, name, Number(*value.as_ref()), "a finite number");
            return Err(reader.at(&value.span(), error));
        }
        numbers.insert(name, *value.as_ref());
    }
    let mut patterns = BTreeMap::new();
    for (name, text) in counts {
        formula::check_name(&name).map_err(|e| reader.at(&text.span(), e))?;
        if numbers.contains_key(&name) {
            let error = Error::new(ErrorKind::Rules, name, "both a constant and a count", "one of them");
            return Err(reader.at(&text.span(), error));
        }
        patterns.insert(name, reader.pattern(&text.span(), text.as_ref())?);
    }
    if words > MAX_WORDS {
        let allowed = format!("at most {MAX_WORDS}");
        return Err(Error::new(ErrorKind::Rules, "the number of constants and counts", words, allowed));
    }
    Ok((numbers, patterns))
}

/// The words of formulas with several values of each, by which a text is tried before there is a model: for one of them it must be right.
/// A configuration's words are also numbers that differ, either way: two of them may be bounds.
fn examples(
    constants: &BTreeMap<String, f64>,
    counts: &BTreeMap<String, glob::Pattern>,
    blueprint: Option<&Blueprint>,
) -> Vec<Variables> {
    let example = |(count, step): (f64, f64)| {
        let mut variables: Variables = counts.keys().map(|name| (name.clone(), count)).collect();
        variables.extend(["rank", "layer", "fan_in", "fan_out"].map(|name| (name.into(), count)));
        variables.extend((0..DIMENSIONS).map(|i| (format!("dim_{i}"), count)));
        let words = blueprint.into_iter().flat_map(Blueprint::words).enumerate();
        variables.extend(words.map(|(i, word)| (word.into(), count + step * i as f64)));
        variables.extend(constants.clone());
        variables
    };
    [(12.0, 0.0), (1.0, 0.0), (2.0, 0.0), (100.0, 0.0), (12.0, 1.0), (100.0, -1.0)].map(example).into()
}

/// A mark by which a model is recognised: a pattern of names, or a pattern and a shape.
fn mark<'t>(reader: &Reader<'t>, mark: Spanned<Either<String, DeTable<'t>>>) -> Result<Mark, Error> {
    let span = mark.span();
    let table = match mark.into_inner() {
        Either::First(name) => return Ok(Mark { pattern: reader.pattern(&span, &name)?, shape: None }),
        Either::Second(table) => Spanned::new(span, table),
    };
    let mut table = Table::read(reader, "a mark of recognise", table, &["name", "shape"])?;
    let name = table.required::<String>("name")?;
    let shape = table.required::<Vec<Dimension>>("shape")?;
    let shape = Some(reader.shape(&shape.span(), shape.into_inner())?);
    Ok(Mark { pattern: reader.pattern(&name.span(), name.as_ref())?, shape })
}
