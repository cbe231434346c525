//! An architecture, from its text.

use std::collections::{BTreeMap, HashSet};

use toml::Spanned;

use super::MOST_WORDS;
use super::file::{File, GroupText, SubmodelText, Types};
use super::reader::Reader;
use crate::error::quoted;
use crate::rules::blueprint::{Blueprint, Group, Key, Kind, Submodel};
use crate::rules::formula;
use crate::{Error, ErrorKind};

/// Words that are said of each class, or of each model_type, and their values.
type Peculiar = BTreeMap<String, BTreeMap<String, toml::Value>>;

/// Takes from a file what is an architecture's, and no rule's.
pub(super) fn read(reader: &Reader, text: &str, file: &mut File) -> Result<Option<Blueprint>, Error> {
    if file.architectures.is_empty() {
        return alone(file).map(|()| None);
    }
    let (model_types, of_types) = match file.model_type.take() {
        Some(Types::Names(names)) => (names.into_list(), BTreeMap::new()),
        Some(Types::Words(words)) => (words.keys().cloned().collect(), words),
        None => Default::default(),
    };
    check_words(text, file, &of_types)?;
    let linear =
        file.linear.take().map(|names| reader.patterns(names, "the list of linear layers' weights")).transpose()?;
    let classes = classes(reader, std::mem::take(&mut file.architectures), &model_types, &of_types)?;
    let derived = std::mem::take(&mut file.derived);
    derived.keys().try_for_each(|name| formula::check_name(name))?;
    let keys = std::mem::take(&mut file.config).into_iter().map(|(name, value)| {
        formula::check_name(&name).map_err(|e| reader.at(&value.span(), e))?;
        Ok((name, key(reader, &value)?))
    });
    let submodels = std::mem::take(&mut file.submodel).into_iter().map(|text| submodel(reader, text));
    let groups = std::mem::take(&mut file.tensors).into_iter().map(|text| group(reader, text));
    Ok(Some(Blueprint {
        model_types,
        linear: linear.map(|(_, patterns)| patterns).unwrap_or_default(),
        aliases: std::mem::take(&mut file.alias),
        derived,
        checks: std::mem::take(&mut file.check),
        classes,
        keys: keys.collect::<Result<_, Error>>()?,
        submodels: submodels.collect::<Result<_, Error>>()?,
        groups: groups.collect::<Result<_, Error>>()?,
    }))
}

/// Refuses what only an architecture has, in rules alone: it would be passed over.
fn alone(file: &File) -> Result<(), Error> {
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
    match beside.into_iter().find(|(_, is_there)| *is_there) {
        Some((key, _)) => {
            let error = Error::failed(ErrorKind::Rules, "the text", format!("has {key} and no [architectures]"));
            Err(error.allowing("both in an architecture, none in rules alone"))
        }
        None => Ok(()),
    }
}

/// How often each name is there.
fn counted<'a>(names: impl Iterator<Item = &'a String>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    names.for_each(|name| *counts.entry(name.as_str()).or_default() += 1);
    counts
}

/// Refuses words that stand twice, that are too many, or that nothing asks for.
fn check_words(text: &str, file: &File, of_types: &Peculiar) -> Result<(), Error> {
    let types = counted(of_types.values().flat_map(BTreeMap::keys));
    let classes = counted(file.architectures.values().flat_map(BTreeMap::keys));
    // Of two numbers of one name, one would be passed over.
    let mut words: HashSet<&str> = file.constants.keys().chain(file.count.keys()).map(String::as_str).collect();
    let own = file.config.keys().chain(file.derived.keys()).map(String::as_str);
    for name in own.chain(classes.keys().copied()).chain(types.keys().copied()) {
        if !words.insert(name) {
            let error = Error::failed(ErrorKind::Rules, format!("the word {}", quoted(name)), "stands twice");
            return Err(error.allowing("one constant, count, key, name of [let], of a class or of a model_type"));
        }
    }
    let count = file.config.len() + file.derived.len() + file.alias.len() + file.check.len();
    let count = count + classes.len() + types.len();
    if count > MOST_WORDS {
        let thing = "the number of an architecture's keys, other names, names, checks and words of classes";
        return Err(Error::new(ErrorKind::Rules, thing, count, format!("at most {MOST_WORDS}")));
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
    match unasked(classes, file.architectures.len()).or_else(|| unasked(types, of_types.len())) {
        Some(name) => {
            let thing = format!("the word {}", quoted(&name));
            let error = Error::failed(ErrorKind::Rules, thing, "of a class is asked for nowhere");
            Err(error.allowing("words that a name has in braces, or a formula"))
        }
        None => Ok(()),
    }
}

/// A value as a configuration has it.
fn json(reader: &Reader, value: &Spanned<toml::Value>) -> Result<serde_json::Value, Error> {
    serde_json::to_value(value.as_ref()).map_err(|_| {
        reader.wrong(&value.span(), "a value", "none of JSON", "a number, true or false, a text, or a list of them")
    })
}

/// The words of each class: its own, and those of its model_type.
fn classes(
    reader: &Reader,
    texts: BTreeMap<String, BTreeMap<String, Spanned<toml::Value>>>,
    model_types: &[String],
    of_types: &Peculiar,
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
            words.extend(of_type.map(|(name, value)| (name.clone(), Spanned::new(0..0, value.clone()))));
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
fn key(reader: &Reader, value: &Spanned<toml::Value>) -> Result<Key, Error> {
    let toml::Value::Table(table) = value.as_ref() else { return plain_key(reader, value) };
    let mut words = BTreeMap::new();
    for (word, text) in table {
        words.insert(word.clone(), plain_key(reader, &Spanned::new(value.span(), text.clone()))?);
    }
    let (Some(missing), Some(null)) = (words.remove("missing"), words.remove("null")) else {
        let allowed = "{missing = .., null = ..}, and what texts stand for";
        return Err(reader.wrong(&value.span(), "a key", "another table", allowed));
    };
    // Formulas need a number for a text.
    if let Some(word) = words.iter().find_map(|(word, key)| (key.kind() != Kind::Number).then_some(word)) {
        return Err(reader.wrong(&value.span(), "what a text stands for", word, "a number or a formula"));
    }
    Ok(Key::Either { missing: Box::new(missing), null: Box::new(null), words })
}

fn plain_key(reader: &Reader, value: &Spanned<toml::Value>) -> Result<Key, Error> {
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

fn submodel(reader: &Reader, text: Spanned<SubmodelText>) -> Result<Submodel, Error> {
    let span = text.span();
    let SubmodelText { config, class, prefix, when, default, flat } = text.into_inner();
    let classes = class.into_list();
    if classes.is_empty() || prefix.is_empty() {
        return Err(reader.wrong(&span, "a submodel", "one without a class or a prefix", "both"));
    }
    let default = default.into_iter().map(|(key, value)| Ok((key, json(reader, &Spanned::new(span.clone(), value))?)));
    let default = default.collect::<Result<_, Error>>()?;
    Ok(Submodel { line: reader.line(&span), config, classes, prefix, when, default, flat })
}

fn group(reader: &Reader, text: Spanned<GroupText>) -> Result<Group, Error> {
    let span = text.span();
    let GroupText { prefix, counters, locals, when, dtype, list } = text.into_inner();
    let tensors = list.into_iter().map(|tensor| {
        let mut tensor = tensor.into_iter();
        let Some(name) = tensor.next() else {
            return Err(reader.wrong(&span, "a tensor", "an empty list", "its name, and a formula for each dimension"));
        };
        Ok((name, tensor.collect()))
    });
    let tensors = tensors.collect::<Result<_, _>>()?;
    Ok(Group { line: reader.line(&span), prefix, counters, locals, when, dtype, tensors })
}
