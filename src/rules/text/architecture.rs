//! An architecture, from its text.

use std::collections::{BTreeMap, HashSet};

use toml::Spanned;
use toml::de::DeValue;

use super::reader::Reader;
use super::table::Table;
use super::values::{Either, Entries, OneOrMore, Value, whole};
use crate::error::quoted;
use crate::limits::rules::MAX_WORDS;
use crate::rules::blueprint::{Blueprint, Group, Key, Kind, Submodel};
use crate::rules::formula;
use crate::{Error, ErrorKind};

/// Words of each class, or of each model_type, and their values.
type Peculiar<'t> = BTreeMap<String, BTreeMap<String, Value<'t>>>;

/// The keys that only an architecture has, and how they stand in the text.
const KEYS: [(&str, &str); 9] = [
    ("model_type", "model_type"),
    ("config", "[config]"),
    ("alias", "[alias]"),
    ("let", "[let]"),
    ("check", "check"),
    ("linear", "linear"),
    ("tied", "tied"),
    ("submodel", "[[submodel]]"),
    ("tensors", "[[tensors]]"),
];

/// Takes from a file what is an architecture's, and no rule's; `others` are the words of the rules.
pub(super) fn read<'t>(
    reader: &Reader<'t>,
    text: &str,
    file: &mut Table<'_, 't>,
    others: impl Iterator<Item = impl AsRef<str>>,
) -> Result<Option<Blueprint>, Error> {
    let architectures = file.get::<Peculiar<'t>>("architectures")?.unwrap_or_default();
    if architectures.is_empty() {
        // In rules alone it would be passed over.
        return match KEYS.into_iter().find(|(key, _)| file.span_of(key).is_some()) {
            Some((_, key)) => {
                let error = Error::failed(ErrorKind::Rules, "the text", format!("has {key} and no [architectures]"));
                Err(error.allowing("both in an architecture, none in rules alone"))
            }
            None => Ok(None),
        };
    }
    let (model_types, of_types) = match file.get::<Either<OneOrMore<String>, Peculiar<'t>>>("model_type")? {
        Some(Either::First(OneOrMore(names))) => (names, BTreeMap::new()),
        Some(Either::Second(words)) => (words.keys().cloned().collect(), words),
        None => Default::default(),
    };
    let keys = file.get::<BTreeMap<String, Value<'t>>>("config")?.unwrap_or_default();
    let derived = file.get::<BTreeMap<String, String>>("let")?.unwrap_or_default();
    let aliases = file.get::<BTreeMap<String, String>>("alias")?.unwrap_or_default();
    let checks = file.get::<Vec<String>>("check")?.unwrap_or_default();
    let own: Vec<&str> = keys.keys().chain(derived.keys()).map(String::as_str).collect();
    let mut once = others.map(|name| name.as_ref().to_string()).collect();
    let tied = file.get::<BTreeMap<String, String>>("tied")?.unwrap_or_default();
    check_words(text, &mut once, &own, aliases.len() + checks.len() + tied.len(), &architectures, &of_types)?;
    let linear = file.spanned("linear")?;
    let linear = linear.map(|names| reader.patterns(names, "the list of linear layers' weights")).transpose()?;
    let classes = classes(reader, architectures, &model_types, &of_types)?;
    derived.keys().try_for_each(|name| formula::check_name(name))?;
    let keys = keys.into_iter().map(|(name, value)| {
        formula::check_name(&name).map_err(|e| reader.at(&value.span(), e))?;
        Ok((name, key(reader, value)?))
    });
    let submodels = file.get::<Vec<Entries<'t>>>("submodel")?.unwrap_or_default();
    let groups = file.get::<Vec<Entries<'t>>>("tensors")?.unwrap_or_default();
    Ok(Some(Blueprint {
        model_types,
        linear: linear.map(|(_, patterns)| patterns).unwrap_or_default(),
        tied,
        aliases,
        derived,
        checks,
        classes,
        keys: keys.collect::<Result<_, Error>>()?,
        submodels: submodels.into_iter().map(|entries| submodel(reader, entries)).collect::<Result<_, Error>>()?,
        groups: groups.into_iter().map(|entries| group(reader, entries)).collect::<Result<_, Error>>()?,
    }))
}

/// How often each name is there.
fn counted<'a>(names: impl Iterator<Item = &'a String>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    names.for_each(|name| *counts.entry(name.as_str()).or_default() += 1);
    counts
}

/// Refuses words that stand twice, that are too many, or that nothing asks for.
fn check_words(
    text: &str,
    once: &mut HashSet<String>,
    own: &[&str],
    others: usize,
    architectures: &Peculiar<'_>,
    of_types: &Peculiar<'_>,
) -> Result<(), Error> {
    let types = counted(of_types.values().flat_map(BTreeMap::keys));
    let classes = counted(architectures.values().flat_map(BTreeMap::keys));
    // Of two numbers of one name, one would be passed over.
    for name in own.iter().copied().chain(classes.keys().copied()).chain(types.keys().copied()) {
        if !once.insert(name.into()) {
            let error = Error::failed(ErrorKind::Rules, format!("the word {}", quoted(name)), "stands twice");
            return Err(error.allowing("one constant, count, key, name of [let], of a class or of a model_type"));
        }
    }
    let count = own.len() + others + classes.len() + types.len();
    if count > MAX_WORDS {
        let thing = "the number of an architecture's keys, other names, names, checks and words of classes";
        return Err(Error::new(ErrorKind::Rules, thing, count, format!("at most {MAX_WORDS}")));
    }
    // Of a word that some classes say others have 0: a misspelt one would be nobody's, and the one that was meant 0.
    let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
    for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
        *asked.entry(word).or_default() += 1;
    }
    let unasked = |said: BTreeMap<&str, usize>, all: usize| {
        let mut said = said.into_iter().filter(|(name, _)| *name != "model_type");
        said.find(|(name, times)| *times < all && asked.get(name).is_none_or(|asked| asked <= times))
            .map(|(name, _)| name.to_string())
    };
    match unasked(classes, architectures.len()).or_else(|| unasked(types, of_types.len())) {
        Some(name) => {
            let thing = format!("the word {}", quoted(&name));
            let error = Error::failed(ErrorKind::Rules, thing, "of a class is asked for nowhere");
            Err(error.allowing("words that a name has in braces, or a formula"))
        }
        None => Ok(()),
    }
}

/// A value as a configuration has it.
fn json(reader: &Reader<'_>, value: &Value<'_>) -> Result<serde_json::Value, Error> {
    let wrong = || reader.shown(&value.span(), "a value", "a number, true or false, a text, or a list of them");
    Ok(match value.as_ref() {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Boolean(truth) => (*truth).into(),
        DeValue::Integer(number) => whole(number).ok_or_else(wrong)?.into(),
        DeValue::Float(number) => {
            let number = number.as_str().parse().ok().and_then(serde_json::Number::from_f64);
            serde_json::Value::Number(number.ok_or_else(wrong)?)
        }
        DeValue::Datetime(_) => return Err(wrong()),
        DeValue::Array(list) => list.iter().map(|value| json(reader, value)).collect::<Result<_, _>>()?,
        DeValue::Table(table) => {
            let entry = |(key, value): (&Spanned<_>, _)| {
                Ok((String::from(AsRef::<str>::as_ref(key.as_ref())), json(reader, value)?))
            };
            serde_json::Value::Object(table.iter().map(entry).collect::<Result<_, Error>>()?)
        }
    })
}

/// The words of each class: its own, and those of its model_type.
fn classes<'t>(
    reader: &Reader<'t>,
    texts: Peculiar<'t>,
    model_types: &[String],
    of_types: &Peculiar<'t>,
) -> Result<BTreeMap<String, BTreeMap<String, serde_json::Value>>, Error> {
    let mut classes = BTreeMap::new();
    for (class, mut words) in texts {
        if let Some(own) = words.get("model_type").cloned() {
            let Some(own_type) = own.as_ref().as_str().filter(|own| model_types.iter().any(|known| known == own))
            else {
                let value = format!("none of the architecture's for {}", quoted(&class));
                return Err(reader.wrong(&own.span(), "the model_type", &value, "one of its list"));
            };
            let of_type = of_types.get(own_type).into_iter().flatten();
            words.extend(of_type.map(|(name, value)| (name.clone(), value.clone())));
        }
        let words = words.into_iter().map(|(name, value)| {
            formula::check_name(&name).map_err(|e| reader.at(&value.span(), e))?;
            let value = json(reader, &value)?;
            Ok((name, value))
        });
        classes.insert(class, words.collect::<Result<BTreeMap<_, _>, Error>>()?);
    }
    // A word that one class has and another does not say is nothing there.
    let all = classes.values().flatten().map(|(word, value)| (word.clone(), value.is_string()));
    for (word, is_text) in all.collect::<Vec<_>>().into_iter().filter(|(word, _)| word != "model_type") {
        for words in classes.values_mut() {
            words.entry(word.clone()).or_insert_with(|| if is_text { "".into() } else { 0.into() });
        }
    }
    Ok(classes)
}

/// A key of the configuration: what it may be, and what it is if it is left out.
fn key<'t>(reader: &Reader<'t>, value: Value<'t>) -> Result<Key, Error> {
    if !value.as_ref().is_table() {
        return plain_key(reader, &value);
    }
    let span = value.span();
    let words = reader.value::<BTreeMap<String, Value<'t>>>("a key", value)?.into_inner().into_iter();
    let mut words =
        words.map(|(word, value)| Ok((word, plain_key(reader, &value)?))).collect::<Result<BTreeMap<_, _>, Error>>()?;
    let (Some(missing), Some(null)) = (words.remove("missing"), words.remove("null")) else {
        let allowed = "{missing = .., null = ..}, and what texts stand for";
        return Err(reader.wrong(&span, "a key", "another table", allowed));
    };
    // Formulas need a number for a text.
    if let Some(word) = words.iter().find_map(|(word, key)| (key.kind() != Kind::Number).then_some(word)) {
        return Err(reader.wrong(&span, "the meaning of a text", word, "a number or a formula"));
    }
    Ok(Key::Either { missing: Box::new(missing), null: Box::new(null), words })
}

fn plain_key(reader: &Reader<'_>, value: &Value<'_>) -> Result<Key, Error> {
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
        None => Key::Value(json(reader, value)?),
    })
}

fn submodel<'t>(reader: &Reader<'t>, entries: Entries<'t>) -> Result<Submodel, Error> {
    let known = ["config", "class", "prefix", "when", "default", "flat"];
    let mut table = Table::read(reader, "a submodel", entries, &known)?;
    let OneOrMore(classes) = table.required("class")?.into_inner();
    let prefix = table.required::<String>("prefix")?.into_inner();
    if classes.is_empty() || prefix.is_empty() {
        return Err(reader.wrong(&table.span(), "a submodel", "one without a class or a prefix", "both"));
    }
    let default = table.get::<BTreeMap<String, Value<'t>>>("default")?.unwrap_or_default().into_iter();
    Ok(Submodel {
        line: reader.line(&table.span()),
        config: table.required("config")?.into_inner(),
        classes,
        prefix,
        when: table.get("when")?,
        default: default.map(|(key, value)| Ok((key, json(reader, &value)?))).collect::<Result<_, Error>>()?,
        flat: table.get("flat")?.unwrap_or(false),
    })
}

fn group<'t>(reader: &Reader<'t>, entries: Entries<'t>) -> Result<Group, Error> {
    let known = ["prefix", "for", "let", "when", "check", "dtype", "list"];
    let mut table = Table::read(reader, "a group of tensors", entries, &known)?;
    let tensors = table.required::<Vec<Vec<String>>>("list")?;
    let span = tensors.span();
    let tensors = tensors.into_inner().into_iter().map(|tensor| {
        let mut tensor = tensor.into_iter();
        let Some(name) = tensor.next() else {
            return Err(reader.wrong(&span, "a tensor", "an empty list", "its name, and a formula for each dimension"));
        };
        Ok((name, tensor.collect()))
    });
    Ok(Group {
        line: reader.line(&table.span()),
        prefix: table.get("prefix")?.unwrap_or_default(),
        counters: table.get("for")?.unwrap_or_default(),
        locals: table.get("let")?.unwrap_or_default(),
        when: table.get("when")?,
        checks: table.get("check")?.unwrap_or_default(),
        dtype: table.get("dtype")?,
        tensors: tensors.collect::<Result<_, _>>()?,
    })
}
