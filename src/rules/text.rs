//! Rules as TOML.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::{Action, Rule, Rules, formula};
use crate::{Dtype, Error, Layout, Scheme};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Where the rules come from, for people.
    #[serde(rename = "source")]
    _source: Option<String>,
    #[serde(default)]
    recognise: Vec<String>,
    dtype: Option<Spanned<String>>,
    layout: Option<Spanned<String>>,
    #[serde(default)]
    constants: BTreeMap<String, Spanned<f64>>,
    #[serde(default)]
    count: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    rule: Vec<Spanned<RuleText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    name: OneOrMany<String>,
    rank: Option<OneOrMany<u64>>,
    shape: Option<Vec<Dimension>>,
    scheme: Option<String>,
    #[serde(default)]
    skip: bool,
    dtype: Option<String>,
    layout: Option<String>,
    fans_from: Option<String>,
    stream: Option<String>,
    zero_row: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a string, or a list of strings")]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, or \"*\"")]
enum Dimension {
    Size(u64),
    Any(String),
}

pub(super) fn read(text: &str) -> Result<Rules, Error> {
    let line = |span: Range<usize>| text[..span.start.min(text.len())].matches('\n').count() + 1;
    let wrong = |span: Range<usize>, reason: String| Error::Rules { line: line(span), reason };
    let file: File =
        toml::from_str(text).map_err(|e| wrong(e.span().unwrap_or(0..0), e.message().trim().replace('\n', ", ")))?;
    let pattern = |span: Range<usize>, text: &str| {
        glob::Pattern::new(text).map_err(|e| wrong(span, format!("the pattern \"{text}\": {e}")))
    };
    let parsed = |span: &Range<usize>, e: Error| wrong(span.clone(), e.to_string());
    let dtype = file.dtype.map(|d| d.as_ref().parse::<Dtype>().map_err(|e| parsed(&d.span(), e))).transpose()?;
    let layout = file.layout.map(|l| l.as_ref().parse::<Layout>().map_err(|e| parsed(&l.span(), e))).transpose()?;

    let mut constants = BTreeMap::new();
    for (name, value) in file.constants {
        if !value.as_ref().is_finite() {
            return Err(wrong(value.span(), format!("{name} is {}, allowed: a finite number", value.as_ref())));
        }
        constants.insert(name, *value.as_ref());
    }
    let mut counts = BTreeMap::new();
    for (name, text) in file.count {
        if constants.contains_key(&name) {
            return Err(wrong(text.span(), format!("\"{name}\" is both a constant and a count")));
        }
        counts.insert(name, pattern(text.span(), text.as_ref())?);
    }
    // To find what is wrong before there is a model, anything may be counted.
    let mut variables = constants.clone();
    variables.extend(counts.keys().map(|name| (name.clone(), 1.0)));
    if let Some(name) = variables.keys().find(|name| !is_word(name)) {
        return Err(wrong(0..0, format!("\"{name}\" cannot stand in a formula, allowed: letters, digits and _")));
    }

    let mut rules = Vec::new();
    for rule in file.rule {
        let span = rule.span();
        let rule = rule.into_inner();
        let names = rule.name.into_vec();
        if names.is_empty() {
            return Err(wrong(span, "a rule without a name, allowed: at least one pattern".into()));
        }
        let patterns = names.iter().map(|name| pattern(span.clone(), name)).collect::<Result<_, _>>()?;
        let own = |text: Option<String>| match text {
            Some(text) => text.parse::<Layout>().map(Some).map_err(|e| parsed(&span, e)),
            None => Ok(layout),
        };
        let layout = own(rule.layout)?.unwrap_or(Layout::OUT_IN);
        let action = match (rule.scheme, rule.skip) {
            (Some(scheme), false) => {
                formula::evaluated(&scheme, &variables)
                    .and_then(|text| text.parse::<Scheme>().map_err(|e| e.to_string()))
                    .map_err(|reason| wrong(span.clone(), reason))?;
                let dtype = match rule.dtype {
                    Some(text) => Some(text.parse::<Dtype>().map_err(|e| parsed(&span, e))?),
                    None => dtype,
                };
                let (fans_from, stream, zero_row) = (rule.fans_from, rule.stream, rule.zero_row);
                Action::Draw { scheme, dtype, layout, fans_from, stream, zero_row }
            }
            (None, true) => Action::Skip,
            (Some(_), true) => return Err(wrong(span, "a rule with a scheme and skip, allowed: one of them".into())),
            (None, false) => return Err(wrong(span, "a rule without a scheme, allowed: scheme or skip = true".into())),
        };
        let shape = rule.shape.map(|dimensions| {
            dimensions
                .into_iter()
                .map(|d| match d {
                    Dimension::Size(size) => Ok(Some(size)),
                    Dimension::Any(any) if any == "*" => Ok(None),
                    Dimension::Any(other) => {
                        Err(wrong(span.clone(), format!("a dimension is \"{other}\", allowed: a number or \"*\"")))
                    }
                })
                .collect::<Result<Vec<_>, _>>()
        });
        rules.push(Rule {
            line: line(span.clone()),
            names,
            patterns,
            ranks: rule.rank.map(OneOrMany::into_vec),
            shape: shape.transpose()?,
            action,
        });
    }
    if rules.is_empty() {
        return Err(wrong(0..0, "there is no [[rule]]".into()));
    }
    let recognise = file.recognise.iter().map(|text| pattern(0..0, text)).collect::<Result<_, _>>()?;
    Ok(Rules { text: text.into(), recognise, constants, counts, rules })
}

fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
