//! Blueprints of architectures: the keys of their configurations, and their tensors by formulas.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Rules;
use super::config::{Config, QUANTISATION, number, shown, value};
use super::file_dtype::FileDtype;
use super::formula::Variables;
use super::fp8;
use super::model::Tensor;
use crate::error::quoted;
use crate::number::Number;
use crate::{Error, ErrorKind};

/// No model has more tensors, and no architecture counts further. A fuzzer tries more inputs that are smaller.
const MOST_TENSORS: u64 = if cfg!(fuzzing) { 1_000 } else { 1_000_000 };

/// No more formulas are worked out for a model's tensors.
const MOST_FORMULAS: u64 = 8 * MOST_TENSORS;

/// The most bytes of the names and shapes of a model's tensors.
const MOST_BYTES: u64 = 256 * MOST_TENSORS;

/// No tensor's name is longer.
const LONGEST_NAME: usize = 1000;

/// No more models are within one another.
const DEEPEST: usize = 4;

/// So many of a check's words are said with their values.
const SAID: usize = 16;

/// No whole number beyond it is sure to be what was written.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

#[derive(Clone, Debug, Default)]
pub(super) struct Blueprint {
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
pub(super) struct Submodel {
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
pub(super) enum Key {
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
pub(super) enum Kind {
    Number,
    Text,
    List,
    /// A number that may be another along each dimension, such as a size of images: formulas have `size[0]` either way.
    NumberOrList,
    TextOrList,
}

/// Tensors that are there together.
#[derive(Clone, Debug)]
pub(super) struct Group {
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

/// A configuration with all that its keys leave out.
pub(super) struct Resolved {
    pub config: Config,
    pub variables: Variables,
    /// The texts that stand in names.
    texts: BTreeMap<String, String>,
    /// Names for formulas.
    derived: BTreeMap<String, String>,
    pub within: Vec<Within>,
}

/// A submodel with its configuration.
pub(super) struct Within {
    pub prefix: String,
    pub rules: Rules,
    blueprint: Blueprint,
    pub resolved: Resolved,
}

/// Finds the rules and the blueprint of a class among fanin's own architectures.
pub(super) type Find = fn(&str) -> Result<Option<(Rules, Blueprint)>, Error>;

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
    fn of_word(&self, value: Option<&Value>) -> Option<&Key> {
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

    /// A configuration with all that it leaves out. Submodels may be classes of the same text, which has these rules.
    pub fn resolve(&self, rules: &Rules, given: &Config, find: Find) -> Result<Resolved, Error> {
        self.resolve_at(rules, given, find, 0)
    }

    fn resolve_at(&self, rules: &Rules, given: &Config, find: Find, depth: usize) -> Result<Resolved, Error> {
        if depth > DEEPEST {
            let allowed = format!("at most {DEEPEST}");
            return Err(Error::new(ErrorKind::Config, "the number of models within one another", "more", allowed));
        }
        let mut config = given.clone();
        for (other, key) in &self.aliases {
            match (given.get(key), given.get(other)) {
                (None, Some(value)) => config.insert(key, value.clone()),
                // Either would be passed over.
                (Some(value), Some(also)) if value != also => {
                    let value = format!("{}, and {} {}", shown(also), given.named(key), shown(value));
                    return Err(Error::new(
                        ErrorKind::Config,
                        given.named(other),
                        value,
                        "the same of both, or one of them",
                    ));
                }
                _ => {}
            }
        }
        let mut variables = Variables::new();
        let mut texts = BTreeMap::new();
        for (name, value) in self.class(&config)? {
            match value {
                Value::String(text) => {
                    texts.insert(name.clone(), text.clone());
                }
                _ => {
                    variables.insert(name.clone(), number(name, value)?);
                }
            }
        }
        let mut pending: Vec<_> = self.derived.iter().collect();
        for (name, key) in &self.keys {
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
                    continue;
                }
                (None, Key::Required(_)) => return Err(config.missing(name)),
                (None, Key::Formula(formula)) => {
                    pending.push((name, formula));
                    continue;
                }
                (None, Key::Either { .. }) => continue,
            };
            match (key.kind(), &value) {
                (Kind::Number, value) => {
                    variables.insert(name.clone(), number(&config.named(name), value)?);
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
        }
        let mut within = Vec::new();
        for submodel in &self.submodels {
            let at = |e: Error| e.at(format_args!("by line {} of the architecture", submodel.line));
            if let Some(when) = &submodel.when
                && value(when, &config, &variables).map_err(at)? == 0.0
            {
                continue;
            }
            let own_or_found = |class: &str| match self.classes.contains_key(class) {
                true => Ok((rules.clone(), self.clone())),
                false => find(class)?.ok_or_else(|| {
                    let error =
                        Error::failed(ErrorKind::Config, "the architecture", format!("has the submodel {class}"));
                    error.allowing("a class of its own, or of fanin's architectures")
                }),
            };
            let prefix = with_words(&submodel.prefix, &texts, &Variables::new())?;
            let (inner, rules, blueprint) = submodel.chosen(&config, own_or_found)?;
            let resolved = blueprint.resolve_at(&rules, &inner, find, depth + 1)?;
            let of = Within { prefix, rules, blueprint, resolved };
            let words = of.resolved.variables.iter();
            variables.extend(words.map(|(word, value)| (format!("{}.{word}", submodel.config), *value)));
            within.push(of);
        }
        // In whatever order one needs another.
        while !pending.is_empty() {
            let before = pending.len();
            let mut failed = None;
            pending.retain(|(name, formula)| match value(formula, &config, &variables) {
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
        for check in &self.checks {
            if value(check, &config, &variables)? == 0.0 {
                return Err(broken(check, &config, &variables));
            }
        }
        // As transformers checks it of each configuration, whatever the model.
        let layers = self.aliases.get("num_hidden_layers").map_or("num_hidden_layers", String::as_str);
        if let (Some(Value::Array(types)), Some(layers)) = (config.get("layer_types"), variables.get(layers))
            && types.len() as f64 != *layers
        {
            let (value, allowed) = (format!("a list of {}", types.len()), format!("a list of {}", Number(*layers)));
            return Err(Error::new(
                ErrorKind::Config,
                config.named("layer_types"),
                value,
                allowed + ", one for each layer",
            ));
        }
        Ok(Resolved { config, variables, texts, derived: self.derived.clone(), within })
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

    /// The tensors: of the submodels, then of the model itself, in the text's order.
    pub fn tensors(&self, resolved: &Resolved) -> Result<Vec<Tensor>, Error> {
        let dtype = dtype(&resolved.config)?;
        let mut made = Made { tensors: Vec::new(), rounds: 0, formulas: 0, bytes: 0 };
        for within in &resolved.within {
            let tensors = within.blueprint.tensors(&within.resolved);
            for tensor in tensors.map_err(|e| e.at(format_args!("the submodel {}", within.prefix)))? {
                made.push(Tensor { name: format!("{}{}", within.prefix, tensor.name), ..tensor })?;
            }
        }
        let of_submodels = made.tensors.len();
        for group in &self.groups {
            let mut variables = resolved.variables.clone();
            let named = |name: &String| FileDtype::named(name).ok_or_else(|| group.unknown_dtype(name));
            let dtype = group.dtype.as_ref().map_or(Ok(dtype), named)?;
            group.count(0, resolved, &mut variables, dtype, &mut made)?;
        }
        for tensor in &made.tensors[of_submodels..] {
            // The submodel's rules would have it.
            if let Some(within) = resolved.within.iter().find(|within| tensor.name.starts_with(&within.prefix)) {
                let allowed = format!("one that begins with something else than the submodel's {}", within.prefix);
                let thing = "the name of a tensor of the architecture";
                return Err(Error::new(ErrorKind::Config, thing, quoted(&tensor.name), allowed));
            }
        }
        Ok(made.tensors)
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

struct Made {
    tensors: Vec<Tensor>,
    /// How often was counted, also where no tensor came of it.
    rounds: u64,
    formulas: u64,
    bytes: u64,
}

impl Made {
    fn value(&mut self, formula: &str, config: &Config, variables: &Variables) -> Result<f64, Error> {
        self.formulas += 1;
        if self.formulas > MOST_FORMULAS {
            let allowed = format!("at most {MOST_FORMULAS}");
            return Err(Error::new(ErrorKind::Config, "the number of formulas for the tensors", "more", allowed));
        }
        value(formula, config, variables)
    }

    fn push(&mut self, tensor: Tensor) -> Result<(), Error> {
        if self.tensors.len() as u64 == MOST_TENSORS {
            return Err(too_many());
        }
        self.bytes += (tensor.name.len() + 8 * tensor.shape.len()) as u64;
        if self.bytes > MOST_BYTES {
            let thing = "the length of the tensors' names and shapes in bytes";
            return Err(Error::new(ErrorKind::Config, thing, "more", format!("at most {MOST_BYTES}")));
        }
        self.tensors.push(tensor);
        Ok(())
    }
}

fn too_many() -> Error {
    Error::new(ErrorKind::Config, "the number of tensors", "more", format!("at most {MOST_TENSORS}"))
}

/// The class that a configuration names, if it names one.
pub(super) fn class_of(config: &Config) -> Result<Option<&str>, Error> {
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

fn dtype(config: &Config) -> Result<FileDtype, Error> {
    // The second is the first's older name.
    for key in [QUANTISATION, "compression_config"] {
        if let Some(value) = config.get(key) {
            let key = config.named(key);
            let allowed = fp8::remedy(&key);
            return Err(Error::new(ErrorKind::Config, key, shown(value), allowed));
        }
    }
    let (key, value) = match (config.get("dtype"), config.get("torch_dtype")) {
        (Some(value), _) => ("dtype", value),
        (None, Some(value)) => ("torch_dtype", value),
        (None, None) => return Ok(FileDtype::F32),
    };
    match value.as_str().map(|text| text.trim_start_matches("torch.")) {
        Some("float32" | "float") => Ok(FileDtype::F32),
        Some("float16" | "half") => Ok(FileDtype::F16),
        Some("bfloat16") => Ok(FileDtype::BF16),
        _ => Err(Error::new(ErrorKind::Config, key, shown(value), "float32, float16, bfloat16")),
    }
}

impl Group {
    /// Counts with the counters from this one on.
    fn count(
        &self,
        counter: usize,
        resolved: &Resolved,
        variables: &mut Variables,
        dtype: FileDtype,
        made: &mut Made,
    ) -> Result<(), Error> {
        let at = |e: Error| e.at(format_args!("by line {} of the architecture", self.line));
        let Some((name, formula)) = self.counters.get(counter) else {
            return self.make(resolved, variables, dtype, made).map_err(at);
        };
        let count = made.value(formula, &resolved.config, variables).map_err(at)?;
        let most = (MOST_TENSORS - made.rounds) as f64;
        if !(0.0..=most).contains(&count) || count.fract() != 0.0 {
            let allowed = format!("a whole number from 0 to {most}");
            return Err(Error::new(ErrorKind::Config, self.explained(formula, resolved), Number(count), allowed));
        }
        for i in 0..count as u64 {
            made.rounds += 1;
            if made.rounds > MOST_TENSORS {
                return Err(at(too_many()));
            }
            variables.insert(name.clone(), i as f64);
            self.count(counter + 1, resolved, variables, dtype, made)?;
        }
        variables.remove(name);
        Ok(())
    }

    fn unknown_dtype(&self, name: &str) -> Error {
        let error = Error::new(ErrorKind::Config, "the dtype", quoted(name), "safetensors' dtypes, such as F32, I64");
        error.at(format_args!("by line {} of the architecture", self.line))
    }

    /// A formula, and those that its words stand for, so that errors have the keys.
    fn explained(&self, formula: &str, resolved: &Resolved) -> String {
        let all = || self.locals.iter().map(|(name, of)| (name, of)).chain(&resolved.derived);
        let words: BTreeSet<_> = formula.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
        let known = words.into_iter().filter_map(|word| all().find(|(name, _)| *name == word));
        known.take(SAID).fold(quoted(formula), |said, (name, of)| said + &format!(" ({name} = {})", quoted(of)))
    }

    fn make(&self, resolved: &Resolved, variables: &Variables, dtype: FileDtype, made: &mut Made) -> Result<(), Error> {
        let mut variables = variables.clone();
        for (name, formula) in &self.locals {
            let value = made.value(formula, &resolved.config, &variables)?;
            variables.insert(name.clone(), value);
        }
        if let Some(when) = &self.when
            && made.value(when, &resolved.config, &variables)? == 0.0
        {
            return Ok(());
        }
        for check in &self.checks {
            if made.value(check, &resolved.config, &variables)? == 0.0 {
                return Err(broken(check, &resolved.config, &variables));
            }
        }
        for (name, dims) in &self.tensors {
            let name = with_words(&format!("{}{name}", self.prefix), &resolved.texts, &variables)?;
            let mut shape = Vec::with_capacity(dims.len());
            for formula in dims {
                let size = made.value(formula, &resolved.config, &variables)?;
                if !(0.0..MOST_EXACT).contains(&size) || size.fract() != 0.0 {
                    let thing = format!("{}, a dimension of {name},", self.explained(formula, resolved));
                    return Err(Error::new(ErrorKind::Config, thing, Number(size), "a whole number, 0 or more"));
                }
                shape.push(size as u64);
            }
            made.push(Tensor::new(name, shape).with_dtype(dtype))?;
        }
        Ok(())
    }
}

/// The error of a check that does not hold, with the values of its words.
fn broken(check: &str, config: &Config, variables: &Variables) -> Error {
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
fn with_words(name: &str, texts: &BTreeMap<String, String>, variables: &Variables) -> Result<String, Error> {
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
        if made.len() > LONGEST_NAME {
            break;
        }
        rest = after;
    }
    made += rest;
    if made.len() > LONGEST_NAME {
        let length = format!("{} bytes or more", made.len());
        let thing = format!("the length of the name {}", quoted(name));
        return Err(Error::new(ErrorKind::Config, thing, length, format!("at most {LONGEST_NAME}")));
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_and_formulas_have_an_end() {
        let made = |formulas, bytes| Made { tensors: Vec::new(), rounds: 0, formulas, bytes };
        let config = Config::from_json(b"{}").unwrap();
        let mut last = made(MOST_FORMULAS - 1, 0);
        assert_eq!(last.value("1 + 1", &config, &Variables::new()).unwrap(), 2.0);
        let error = last.value("1 + 1", &config, &Variables::new()).unwrap_err();
        assert_eq!((error.kind(), error.thing()), (ErrorKind::Config, "the number of formulas for the tensors"));

        let mut last = made(0, MOST_BYTES - 20);
        last.push(Tensor::new("weig", [3, 4])).unwrap();
        let error = last.push(Tensor::new("b", [])).unwrap_err();
        assert!(error.to_string().contains("names and shapes in bytes"), "{error}");
    }
}
