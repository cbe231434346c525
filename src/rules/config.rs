//! A model's configuration: the `config.json` beside a checkpoint.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::expression::{Expression, Question, Scope, truth};
use super::formula::{self, FormulaScope, Variables};
use crate::error::quoted;
use crate::limits::rules::MAX_CONFIG_BYTES;
use crate::number::Number;
use crate::{Error, ErrorKind};

/// The key of a configuration's quantisation.
pub(super) const QUANTISATION: &str = "quantization_config";

/// Numbers that Python writes and reads, and JSON has not.
const NOT_FINITE: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// A text that begins so is such a number: the character is for private use.
const MARK: char = '\u{f8ff}';

/// The mark that some editors begin a text with.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A model's configuration, as `config.json` has it.
///
/// ```
/// use fanin::rules::Config;
///
/// let mut config = Config::from_json(br#"{"model_type": "llama", "hidden_size": 4096}"#)?;
/// config.set("hidden_size", "64")?;
/// assert_eq!(config.to_json(), "{\n  \"hidden_size\": 64,\n  \"model_type\": \"llama\"\n}\n");
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    values: Map<String, Value>,
    /// The path within another one, `text_config.`; empty, if it is in none.
    path: String,
    /// An architecture's values of keys that have none here.
    defaults: Map<String, Value>,
}

impl Config {
    /// Reads the JSON text, with `NaN`, `Infinity` and `-Infinity` as Python writes them, and behind a byte order mark, if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it is no object, or longer than 10 MB; with the line, if it is no JSON.
    pub fn from_json(text: &[u8]) -> Result<Config, Error> {
        if text.len() > MAX_CONFIG_BYTES {
            let allowed = format!("at most {MAX_CONFIG_BYTES}");
            return Err(Error::new(ErrorKind::Config, "the length of the config in bytes", text.len(), allowed));
        }
        let read = serde_json::from_slice(&standard(text));
        let values = read.map_err(|e| {
            let error = Error::failed(ErrorKind::Config, "the config", "cannot be read");
            error.allowing("a JSON object").because(e)
        })?;
        Ok(Config::at_path(values, String::new()))
    }

    fn at_path(values: Map<String, Value>, path: String) -> Config {
        Config { values, path, defaults: Map::new() }
    }

    /// Gives a key another value: JSON, or else a text. `text_config.hidden_size` is a key within the configuration `text_config`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an empty key, and for a key within a value that is not a configuration.
    ///
    /// See [`Config`] for an example.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        if key.is_empty() {
            return Err(Error::new(ErrorKind::Config, "a key of the config", "empty", "KEY=VALUE"));
        }
        let value = serde_json::from_slice(&standard(value.as_bytes())).unwrap_or_else(|_| Value::from(value));
        let (mut values, mut name) = (&mut self.values, key);
        while let Some((within, rest)) = name.split_once('.').filter(|_| !values.contains_key(name)) {
            let inner = values.entry(within).or_insert(Value::Null);
            if inner.is_null() {
                *inner = Value::Object(Map::new());
            }
            values = match inner {
                Value::Object(values) => values,
                other => return Err(not_nested(&key[..key.len() - rest.len() - 1], other)),
            };
            name = rest;
        }
        values.insert(name.into(), value);
        Ok(())
    }

    /// The same without its `quantization_config`: that of the model before it is quantised.
    #[must_use]
    pub fn unquantised(&self) -> Config {
        let mut config = self.clone();
        config.values.remove(QUANTISATION);
        config
    }

    /// Whether it names a model: a list of tensors is JSON too.
    pub fn is_model(&self) -> bool {
        self.text("model_type").is_some() || self.get("architectures").is_some_and(Value::is_array)
    }

    /// Whether it has a value of this key, other than null.
    pub fn has(&self, key: &str) -> bool {
        self.said(key).is_some_and(|value| !value.is_null())
    }

    /// The JSON text, its keys in order; `NaN` and infinities as Python writes them.
    ///
    /// See [`Config`] for an example.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(&self.values).unwrap_or_default();
        for word in NOT_FINITE {
            json = json.replace(&format!("\"{MARK}{word}\""), word);
        }
        json + "\n"
    }

    /// The value, or else the architecture's.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.said(key).filter(|value| !value.is_null()).or_else(|| self.defaults.get(key))
    }

    /// The value of a key in the JSON, also of one within another.
    fn said(&self, key: &str) -> Option<&Value> {
        let mut within = key.split('.');
        let first = self.values.get(key).or_else(|| self.values.get(within.next()?));
        if self.values.contains_key(key) { first } else { within.try_fold(first?, |value, key| value.get(key)) }
    }

    /// The key with the path to it.
    pub(super) fn named(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }

    /// The name of a key in errors, with its path.
    pub(super) fn called(&self) -> &str {
        self.path.strip_suffix('.').unwrap_or("the config")
    }

    /// The configuration under a key, or, if it is flat, this one, of a model of this class within the model.
    pub(super) fn within(
        &self,
        key: &str,
        is_flat: bool,
        defaults: &BTreeMap<String, Value>,
        class: &str,
    ) -> Result<Config, Error> {
        let (mut values, path) = match self.get(key) {
            Some(Value::Object(values)) => (values.clone(), self.named(key) + "."),
            None if is_flat => (self.values.clone(), self.path.clone()),
            None => (Map::new(), self.named(key) + "."),
            Some(other) => return Err(not_nested(&self.named(key), other)),
        };
        for (key, value) in defaults {
            values.entry(key.clone()).or_insert_with(|| value.clone());
        }
        if self.get(key).is_none() {
            values.remove("model_type");
        }
        values.insert("architectures".into(), vec![class].into());
        // All of a model is in one.
        let dtype = self.get("dtype").or_else(|| self.get("torch_dtype"));
        values.remove("torch_dtype");
        values.insert("dtype".into(), dtype.cloned().unwrap_or(Value::Null));
        Ok(Config::at_path(values, path))
    }

    /// Whether it says that there is none.
    pub(super) fn is_null(&self, key: &str) -> bool {
        self.said(key).is_some_and(Value::is_null)
    }

    pub(super) fn missing(&self, key: &str) -> Error {
        let error = Error::failed(ErrorKind::Config, "the config", format!("has no {}", self.named(key)));
        error.allowing("a value of it")
    }

    /// A text, if it is one.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    pub(super) fn insert(&mut self, key: &str, value: Value) {
        self.values.insert(key.into(), value);
    }

    /// Says what a key is that has no value.
    pub(super) fn insert_default(&mut self, key: &str, value: Value) {
        self.defaults.insert(key.into(), value);
    }
}

/// The text as JSON has it: numbers that are not finite are texts with a mark.
fn standard(text: &[u8]) -> Cow<'_, [u8]> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut made = Vec::new();
    // Up to here the text is made anew.
    let (mut copied, mut at, mut in_text) = (0, 0, false);
    while at < text.len() {
        let word = NOT_FINITE.iter().find(|word| !in_text && text[at..].starts_with(word.as_bytes()));
        match (word, text[at]) {
            (Some(word), _) => {
                made.extend_from_slice(&text[copied..at]);
                made.extend_from_slice(format!("\"{MARK}{word}\"").as_bytes());
                at += word.len();
                copied = at;
            }
            (None, byte) => {
                in_text ^= byte == b'"';
                at += if in_text && byte == b'\\' { 2 } else { 1 };
            }
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    made.extend_from_slice(&text[copied..]);
    Cow::Owned(made)
}

/// A number of a value: truths are 1 and 0.
pub(super) fn number(key: &str, value: &Value) -> Result<f64, Error> {
    match value {
        Value::Bool(truth) => Ok(f64::from(u8::from(*truth))),
        Value::Number(number) => Ok(number.as_f64().unwrap_or(f64::NAN)),
        _ => Err(Error::new(ErrorKind::Config, key.to_string(), shown(value), "a number, or true or false")),
    }
}

fn not_nested(key: &str, value: &Value) -> Error {
    Error::new(ErrorKind::Config, key.to_string(), shown(value), "a configuration of its own, {..}, or null")
}

pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text.strip_prefix(MARK).unwrap_or(text)),
        value => quoted(&value.to_string()),
    }
}

/// The value of a formula that may ask for texts and lists of the configuration: `hidden_act == 'gelu'`, or a pattern,
/// `feed_forward_proj == 'gated-*'`; `depths[stage]`, `layer_types[layer] == 'full_attention'`, `len(depths)`,
/// `has(mlp_only_layers, layer)`, `given(head_dim)`. Behind a dot is a key within another.
pub(super) fn value(text: &str, config: &Config, variables: &Variables) -> Result<f64, Error> {
    let at = |e: Error| e.with_kind(ErrorKind::Config);
    let expression = Expression::read(text, true).map_err(at)?;
    let words = FormulaScope { formula: text, variables };
    formula::finite(text, expression.value(&Asked { config, words }).map_err(at)?).map_err(at)
}

/// A configuration that a formula asks.
struct Asked<'a> {
    config: &'a Config,
    words: FormulaScope<'a>,
}

impl Asked<'_> {
    fn list(&self, key: &str) -> Result<&[Value], Error> {
        match self.config.get(key) {
            Some(Value::Array(list)) => Ok(list),
            Some(other) => Err(Error::new(ErrorKind::Config, self.config.named(key), shown(other), "a list")),
            None => Err(self.config.missing(key)),
        }
    }

    /// An item of a list, and its name; of a number in a list's place, each.
    fn item(&self, key: &str, index: f64, written: &str) -> Result<(String, &Value), Error> {
        if let Some(one @ Value::Number(_)) = self.config.get(key) {
            return Ok((self.config.named(key), one));
        }
        let list = self.list(key)?;
        let item = (index >= 0.0 && index.fract() == 0.0).then(|| list.get(index as usize)).flatten();
        let named = self.config.named(key);
        match item {
            Some(item) => Ok((format!("{named}[{index}]"), item)),
            None => {
                let thing = format!("the place in {named}, {},", quoted(written));
                Err(Error::new(ErrorKind::Config, thing, Number(index), format!("0 to below {}", list.len())))
            }
        }
    }
}

impl Scope for Asked<'_> {
    fn word(&self, word: &str) -> Result<f64, Error> {
        self.words.word(word)
    }

    fn answer(&self, key: &str, question: &Question, number: Option<f64>) -> Result<f64, Error> {
        match (question, number) {
            (Question::Item(written), Some(index)) => {
                let (name, item) = self.item(key, index, written)?;
                self::number(&name, item)
            }
            (Question::Is { pattern, equal, written }, index) => {
                let wanted = glob::Pattern::new(pattern).map_err(|e| {
                    Error::new(ErrorKind::Config, "the formula", quoted(self.words.formula), "a text or a pattern")
                        .because(e)
                })?;
                let (name, value) = match index {
                    Some(index) => self.item(key, index, written)?,
                    None => match self.config.get(key) {
                        Some(value) => (self.config.named(key), value),
                        None => return Err(self.config.missing(key)),
                    },
                };
                let is = match value {
                    Value::String(text) => wanted.matches(text),
                    // Of several texts one.
                    Value::Array(texts) if texts.iter().all(Value::is_string) => {
                        texts.iter().filter_map(Value::as_str).any(|text| wanted.matches(text))
                    }
                    other => return Err(Error::new(ErrorKind::Config, name, shown(other), "a text")),
                };
                Ok(truth(is == *equal))
            }
            (Question::Length, _) => Ok(match self.config.get(key) {
                // Names by their numbers, such as labels.
                Some(Value::Object(entries)) => entries.len(),
                Some(Value::Number(_)) => 1,
                _ => self.list(key)?.len(),
            } as f64),
            (Question::Given, _) => Ok(truth(self.config.has(key))),
            (Question::Has, wanted) => Ok(truth(self.list(key)?.iter().any(|item| item.as_f64() == wanted))),
            (Question::Item(_), None) => unreachable!("an item has a number"),
        }
    }
}
