//! Configurations with all that they leave out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Blueprint, Key, Kind, Submodel};
use crate::error::quoted;
use crate::limits::rules::{MAX_NAME_BYTES, MAX_SUBMODEL_DEPTH};
use crate::number::Number;
use crate::rules::Rules;
use crate::rules::config::{Config, number, shown, value};
use crate::rules::formula::Variables;
use crate::{Error, ErrorKind};

/// So many of a check's words are said with their values.
pub(super) const SAID: usize = 16;

/// A configuration with all that its keys leave out.
pub(in crate::rules) struct Resolved {
    pub config: Config,
    pub variables: Variables,
    /// The texts that stand in names.
    pub(super) texts: BTreeMap<String, String>,
    /// Names for formulas.
    pub(super) derived: BTreeMap<String, String>,
    pub within: Vec<Within>,
}

/// A submodel with its configuration.
pub(in crate::rules) struct Within {
    pub prefix: String,
    pub rules: Rules,
    pub(super) blueprint: Blueprint,
    pub resolved: Resolved,
}

/// Finds the rules and the blueprint of a class among fanin's own architectures.
pub(in crate::rules) type Find = fn(&str) -> Result<Option<(Rules, Blueprint)>, Error>;

impl Blueprint {
    /// A configuration with all that it leaves out. Submodels may be classes of the same text, which has these rules.
    pub fn resolve(&self, rules: &Rules, given: &Config, find: Find) -> Result<Resolved, Error> {
        self.resolve_at(rules, given, find, 0)
    }

    fn resolve_at(&self, rules: &Rules, given: &Config, find: Find, depth: usize) -> Result<Resolved, Error> {
        if depth > MAX_SUBMODEL_DEPTH {
            let allowed = format!("at most {MAX_SUBMODEL_DEPTH}");
            return Err(Error::new(ErrorKind::Config, "the number of models within one another", "more", allowed));
        }
        let config = self.without_aliases(given)?;
        let (texts, variables) = self.words_of_class(&config)?;
        let mut resolved = Resolved { config, variables, texts, derived: self.derived.clone(), within: Vec::new() };
        let mut pending: Vec<_> = self.derived.iter().collect();
        for (name, key) in &self.keys {
            pending.extend(resolved.set(name, key)?.map(|formula| (name, formula)));
        }
        for submodel in &self.submodels {
            if let Some(within) = self.within(submodel, rules, &resolved, find, depth)? {
                let words = within.resolved.variables.iter();
                let words = words.map(|(word, value)| (format!("{}.{word}", submodel.config), *value));
                resolved.variables.extend(words);
                resolved.within.push(within);
            }
        }
        resolved.work_out(pending)?;
        for check in &self.checks {
            if value(check, &resolved.config, &resolved.variables)? == 0.0 {
                return Err(broken(check, &resolved.config, &resolved.variables));
            }
        }
        self.check_layer_types(&resolved)?;
        Ok(resolved)
    }

    /// The linear layers whose weight is another tensor's, each with the formula that says so.
    pub fn tied(&self, resolved: &Resolved) -> Result<Vec<(&str, &str)>, Error> {
        let mut tied = Vec::new();
        for (module, formula) in &self.tied {
            if value(formula, &resolved.config, &resolved.variables)? != 0.0 {
                tied.push((module.as_str(), formula.as_str()));
            }
        }
        Ok(tied)
    }

    /// The configuration with each key under its first name.
    fn without_aliases(&self, given: &Config) -> Result<Config, Error> {
        let mut config = given.clone();
        for (other, key) in &self.aliases {
            match (given.get(key), given.get(other)) {
                (None, Some(value)) => config.insert(key, value.clone()),
                // Either would be passed over.
                (Some(value), Some(also)) if value != also => {
                    let value = format!("{}, and {} {}", shown(also), given.named(key), shown(value));
                    let allowed = "the same of both, or one of them";
                    return Err(Error::new(ErrorKind::Config, given.named(other), value, allowed));
                }
                _ => {}
            }
        }
        Ok(config)
    }

    /// The texts and the numbers of the configuration's class.
    fn words_of_class(&self, config: &Config) -> Result<(BTreeMap<String, String>, Variables), Error> {
        let (mut texts, mut variables) = (BTreeMap::new(), Variables::new());
        for (name, value) in self.class(config)? {
            if let Value::String(text) = value {
                texts.insert(name.clone(), text.clone());
            } else {
                variables.insert(name.clone(), number(name, value)?);
            }
        }
        Ok((texts, variables))
    }

    /// A submodel with its configuration, if the model has it.
    fn within(
        &self,
        submodel: &Submodel,
        rules: &Rules,
        outer: &Resolved,
        find: Find,
        depth: usize,
    ) -> Result<Option<Within>, Error> {
        let at = |e: Error| e.at(format_args!("by line {} of the architecture", submodel.line));
        if let Some(when) = &submodel.when
            && value(when, &outer.config, &outer.variables).map_err(at)? == 0.0
        {
            return Ok(None);
        }
        let own_or_found = |class: &str| match self.classes.contains_key(class) {
            true => Ok((rules.clone(), self.clone())),
            false => find(class)?.ok_or_else(|| {
                let error = Error::failed(ErrorKind::Config, "the architecture", format!("has the submodel {class}"));
                error.allowing("a class of its own, or of fanin's architectures")
            }),
        };
        let prefix = with_words(&submodel.prefix, &outer.texts, &Variables::new())?;
        let (inner, rules, blueprint) = submodel.chosen(&outer.config, own_or_found)?;
        let resolved = blueprint.resolve_at(&rules, &inner, find, depth + 1)?;
        Ok(Some(Within { prefix, rules, blueprint, resolved }))
    }

    /// An error unless `layer_types` has one for each layer, as transformers checks it of each configuration, whatever the model.
    fn check_layer_types(&self, Resolved { config, variables, .. }: &Resolved) -> Result<(), Error> {
        let layers = self.aliases.get("num_hidden_layers").map_or("num_hidden_layers", String::as_str);
        if let (Some(Value::Array(types)), Some(layers)) = (config.get("layer_types"), variables.get(layers))
            && types.len() as f64 != *layers
        {
            let value = format!("a list of {}", types.len());
            let allowed = format!("a list of {}, one for each layer", Number(*layers));
            return Err(Error::new(ErrorKind::Config, config.named("layer_types"), value, allowed));
        }
        Ok(())
    }
}

impl Resolved {
    /// Sets a key by the configuration, or as it is if that leaves it out; a formula is left for later.
    fn set<'a>(&mut self, name: &str, key: &'a Key) -> Result<Option<&'a String>, Error> {
        let config = &mut self.config;
        let given = config.get(name);
        let (given, without) = match key.of_word(given) {
            Some(key) => (None, key),
            None => (given.cloned(), key.without(config.is_null(name))),
        };
        let value = match (given, without) {
            (Some(value), _) => value,
            (None, Key::Value(value)) => {
                config.insert_default(name, value.clone());
                value.clone()
            }
            (None, Key::Texts) => {
                config.insert_default(name, Value::Array(Vec::new()));
                return Ok(None);
            }
            (None, Key::Required(_)) => return Err(config.missing(name)),
            (None, Key::Formula(formula)) => return Ok(Some(formula)),
            (None, Key::Either { .. }) => return Ok(None),
        };
        match (key.kind(), &value) {
            (Kind::Number, value) => {
                self.variables.insert(name.into(), number(&config.named(name), value)?);
            }
            (Kind::Text, Value::String(_))
            | (Kind::List, Value::Array(_) | Value::Object(_))
            | (Kind::NumberOrList, Value::Array(_) | Value::Number(_))
            | (Kind::TextOrList, Value::Array(_) | Value::String(_)) => {}
            (kind, other) => {
                let allowed = match kind {
                    Kind::Text => "a text",
                    Kind::List => "a list",
                    Kind::TextOrList => "a text, or a list of them",
                    _ => "a number, or a list of them",
                };
                return Err(Error::new(ErrorKind::Config, config.named(name), shown(other), allowed));
            }
        }
        Ok(None)
    }

    /// Works out formulas, in whatever order one needs another.
    fn work_out(&mut self, mut pending: Vec<(&String, &String)>) -> Result<(), Error> {
        let Resolved { config, variables, .. } = self;
        while !pending.is_empty() {
            let before = pending.len();
            let mut failed = None;
            pending.retain(|(name, formula)| match value(formula, config, variables) {
                Ok(value) => {
                    variables.insert((*name).clone(), value);
                    false
                }
                Err(error) => {
                    failed.get_or_insert((*name, *formula, error));
                    true
                }
            });
            if let (Some((name, formula, error)), true) = (failed, pending.len() == before) {
                return Err(error.at(format_args!("{}, {name} = {}", config.called(), quoted(formula))));
            }
        }
        Ok(())
    }
}

impl Submodel {
    /// Its configuration, and the rules and the blueprint of the class that the configuration has.
    fn chosen(
        &self,
        config: &Config,
        find: impl Fn(&str) -> Result<(Rules, Blueprint), Error>,
    ) -> Result<(Config, Rules, Blueprint), Error> {
        let kind_key = format!("{}.model_type", self.config);
        let kind = config.get(&kind_key).and_then(Value::as_str);
        let mut types = Vec::new();
        for class in &self.classes {
            let (rules, blueprint) = find(class)?;
            let known = blueprint.types_of(class);
            if kind.is_none_or(|kind| known.is_empty() || known.contains(&kind)) {
                return Ok((config.within(&self.config, self.flat, &self.default, class)?, rules, blueprint));
            }
            types.extend(known.into_iter().map(String::from));
        }
        let shown = kind.map_or_else(|| "none".into(), quoted);
        Err(Error::new(ErrorKind::Config, config.named(&kind_key), shown, types.join(", ")))
    }
}

/// The error of a check that does not hold, with the values of its words.
pub(super) fn broken(check: &str, config: &Config, variables: &Variables) -> Error {
    let words = check.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
    let said = words.filter_map(|word| match (variables.get(word), config.get(word)) {
        (Some(number), _) => Some((word, Number(*number).to_string())),
        (None, other) => Some((word, shown(other?))),
    });
    let said: BTreeMap<_, _> = said.collect();
    let said: Vec<_> = said.iter().take(SAID).map(|(word, value)| format!("{word} {value}")).collect();
    Error::new(
        ErrorKind::Config,
        config.called().to_string(),
        format!("one with {}", said.join(", ")),
        check.to_string(),
    )
}

/// A name with texts and counters in the places of `{..}`.
pub(super) fn with_words(name: &str, texts: &BTreeMap<String, String>, variables: &Variables) -> Result<String, Error> {
    let mut made = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('{') {
        let wrong = |allowed: &'static str| Error::new(ErrorKind::Config, "the name", quoted(name), allowed);
        let (word, after) = after.split_once('}').ok_or_else(|| wrong("a } for each {"))?;
        made += before;
        match (texts.get(word), variables.get(word)) {
            (Some(text), _) => made += text,
            (None, Some(number)) => made += &Number(*number).to_string(),
            (None, None) => return Err(wrong("counters and the classes' texts in { }")),
        }
        if made.len() > MAX_NAME_BYTES {
            break;
        }
        rest = after;
    }
    made += rest;
    if made.len() > MAX_NAME_BYTES {
        let length = format!("{} bytes or more", made.len());
        let thing = format!("the length of the name {}", quoted(name));
        return Err(Error::new(ErrorKind::Config, thing, length, format!("at most {MAX_NAME_BYTES}")));
    }
    Ok(made)
}
