//! Blueprints of architectures: the keys of their configurations, and their tensors by formulas.

mod resolve;
mod tensors;

use std::collections::BTreeMap;

use serde_json::Value;

pub(in crate::rules) use resolve::Resolved;

use super::config::{Config, shown};
use crate::error::quoted;
use crate::{Error, ErrorKind};

#[derive(Clone, Debug, Default)]
pub(in crate::rules) struct Blueprint {
    pub model_types: Vec<String>,
    /// Class names, and what is peculiar to each: its `model_type`, too, where there are several.
    pub classes: BTreeMap<String, BTreeMap<String, Value>>,
    pub keys: BTreeMap<String, Key>,
    /// Other names of keys.
    pub aliases: BTreeMap<String, String>,
    /// Names for formulas.
    pub derived: BTreeMap<String, String>,
    pub checks: Vec<String>,
    pub submodels: Vec<Submodel>,
    pub groups: Vec<Group>,
    /// The names of linear layers' weights, and of experts': what may be quantised.
    pub linear: Vec<glob::Pattern>,
    /// Linear layers whose weight is another tensor's, where a formula is not 0.
    pub tied: BTreeMap<String, String>,
}

/// A model within the model, of a configuration within the configuration: another architecture's, or a class of the same.
#[derive(Clone, Debug)]
pub(in crate::rules) struct Submodel {
    pub line: usize,
    /// The key of its configuration.
    pub config: String,
    /// Of these the first whose `model_type` that configuration has; the first of all, where it has none.
    pub classes: Vec<String>,
    /// The beginning of its tensors' names.
    pub prefix: String,
    pub when: Option<String>,
    /// The values of keys that its configuration leaves out.
    pub default: BTreeMap<String, Value>,
    /// Whether that configuration may be the model's own, where it has none such.
    pub flat: bool,
}

/// The value of a key that the configuration leaves out.
#[derive(Clone, Debug)]
pub(in crate::rules) enum Key {
    Required(Kind),
    Formula(String),
    Value(Value),
    /// A text or a list of texts; none, if it is left out or null.
    Texts,
    /// One where it is left out, another where it is null, and what numbers texts stand for, such as 'auto'.
    Either {
        missing: Box<Key>,
        null: Box<Key>,
        words: BTreeMap<String, Key>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::rules) enum Kind {
    Number,
    Text,
    List,
    /// A number that may be another along each dimension, such as a size of images: formulas have `size[0]` either way.
    NumberOrList,
    TextOrList,
}

/// Tensors that are there together.
#[derive(Clone, Debug)]
pub(in crate::rules) struct Group {
    pub line: usize,
    pub prefix: String,
    /// Each counts from 0 to below a formula's value.
    pub counters: Vec<(String, String)>,
    pub locals: Vec<(String, String)>,
    pub when: Option<String>,
    /// What must hold of each, if they are there.
    pub checks: Vec<String>,
    pub dtype: Option<String>,
    /// Names, and a formula for each dimension.
    pub tensors: Vec<(String, Vec<String>)>,
}

impl Key {
    pub fn kind(&self) -> Kind {
        match self {
            Key::Required(kind) => *kind,
            Key::Value(Value::String(_)) => Kind::Text,
            Key::Texts => Kind::TextOrList,
            Key::Value(Value::Array(_)) => Kind::List,
            Key::Either { null, .. } if null.kind() == Kind::NumberOrList => Kind::NumberOrList,
            Key::Either { missing, .. } => missing.kind(),
            _ => Kind::Number,
        }
    }

    /// The number that a text stands for, if it does.
    pub(super) fn of_word(&self, value: Option<&Value>) -> Option<&Key> {
        match self {
            Key::Either { words, .. } => words.get(value?.as_str()?),
            _ => None,
        }
    }

    /// The value of a key that has none in the configuration.
    fn without(&self, is_null: bool) -> &Key {
        match self {
            Key::Either { missing, null, .. } => if is_null { null } else { missing }.without(is_null),
            other => other,
        }
    }
}

impl Blueprint {
    /// The types of this class's configurations.
    pub fn types_of(&self, class: &str) -> Vec<&str> {
        match self.classes.get(class).and_then(|peculiar| peculiar.get("model_type")).and_then(Value::as_str) {
            Some(own) => vec![own],
            None => self.model_types.iter().map(String::as_str).collect(),
        }
    }

    /// Words that rules may have in formulas.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let keys = self.keys.iter().filter(|(_, key)| key.kind() == Kind::Number).map(|(name, _)| name);
        let of_classes = self.classes.values().flatten().filter(|(_, value)| !value.is_string()).map(|(name, _)| name);
        keys.chain(self.derived.keys()).chain(of_classes).map(String::as_str)
    }

    /// The words of the class that the configuration names.
    pub fn class(&self, config: &Config) -> Result<&BTreeMap<String, Value>, Error> {
        let known = || self.classes.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let Some(class) = class_of(config)? else {
            let error = Error::failed(ErrorKind::Config, "the config", "has no architectures");
            return Err(error.allowing(known()));
        };
        let wrong = || Error::new(ErrorKind::Config, config.named("architectures"), quoted(class), known());
        let peculiar = self.classes.get(class).ok_or_else(wrong)?;
        let types = self.types_of(class);
        match config.text("model_type") {
            // Who goes by it makes another class of it.
            Some(kind) if !types.is_empty() && !types.contains(&kind) => {
                let allowed = format!("{} for {class}", types.join(", "));
                Err(Error::new(ErrorKind::Config, config.named("model_type"), quoted(kind), allowed))
            }
            _ => Ok(peculiar),
        }
    }
}

/// The class that a configuration names, if it names one.
pub(in crate::rules) fn class_of(config: &Config) -> Result<Option<&str>, Error> {
    let wrong = |value: &Value| Err(Error::new(ErrorKind::Config, "architectures", shown(value), "a list of one name"));
    match config.get("architectures") {
        None => Ok(None),
        Some(Value::String(name)) => Ok(Some(name)),
        Some(value @ Value::Array(list)) => match &list[..] {
            [Value::String(name)] => Ok(Some(name)),
            [] => Ok(None),
            _ => wrong(value),
        },
        Some(value) => wrong(value),
    }
}
