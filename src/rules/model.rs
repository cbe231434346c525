//! A model's list of tensors.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::config::Config;
use super::file_dtype::FileDtype;
use crate::error::quoted;
use crate::limits::rules::MAX_DIMENSIONS;
use crate::names::nearest;
use crate::{Dtype, Error, ErrorKind};

/// A tensor of a model.
///
/// ```
/// use fanin::rules::{FileDtype, Tensor};
///
/// let tensor = Tensor::new("lm_head.weight", [50257, 768]).with_dtype(FileDtype::BF16);
/// assert_eq!(tensor.drawn_in()?, Some(fanin::Dtype::BF16));
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tensor {
    /// Its name, which its values depend on.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<u64>,
    /// Its element type, if it is known.
    pub dtype: Option<FileDtype>,
    /// Of a weight in fp8, the rows and columns of the blocks that share a scale: see [`Architecture::describe`](super::Architecture::describe).
    pub fp8_block: Option<[u64; 2]>,
    /// The place of its bytes in a safetensors file, from the end of the header on, if it is known.
    pub data_offsets: Option<Range<u64>>,
    /// Whether it needs no rule, as its values are there already.
    pub optional: bool,
}

impl Tensor {
    /// Of this name and shape, and an element type that is not known.
    ///
    /// ```
    /// let tensor = fanin::rules::Tensor::new("bias", [768]);
    /// assert_eq!(tensor.dtype, None);
    /// ```
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<u64>>) -> Tensor {
        let (name, shape) = (name.into(), shape.into());
        Tensor { name, shape, dtype: None, fp8_block: None, data_offsets: None, optional: false }
    }

    /// The same with an element type.
    ///
    /// See [`Tensor`] for an example.
    #[must_use]
    pub fn with_dtype(self, dtype: FileDtype) -> Tensor {
        Tensor { dtype: Some(dtype), ..self }
    }

    /// The same with the element type of this name, in whatever case.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if there is none.
    pub fn with_dtype_named(self, name: &str) -> Result<Tensor, Error> {
        match FileDtype::named(name) {
            Some(dtype) => Ok(self.with_dtype(dtype)),
            None => Err(unknown_dtype(&self.name, name)),
        }
    }

    /// The same, which needs no rule: it counts as others do, but where no rule draws it, that is no error.
    ///
    /// ```
    /// use fanin::rules::{Rules, Tensor};
    ///
    /// let rules: Rules = "[[rule]]\nname = 'weight'\nscheme = 'ones'".parse()?;
    /// let plan = rules.plan(&[Tensor::new("weight", [8]), Tensor::new("table", [8]).optional()])?;
    /// assert!(plan.tensors()[0].draw.is_some() && plan.tensors()[1].draw.is_none());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    #[must_use]
    pub fn optional(self) -> Tensor {
        Tensor { optional: true, ..self }
    }

    /// Whether it holds integers or truths, which are not drawn.
    pub fn is_integer(&self) -> bool {
        self.dtype.is_some_and(FileDtype::is_integer)
    }

    /// The dtype to draw it in, if one is known and nobody says another.
    ///
    /// # Errors
    /// [`ErrorKind::Dtype`] if fanin draws none such.
    ///
    /// ```
    /// use fanin::rules::{FileDtype, Tensor};
    ///
    /// assert_eq!(Tensor::new("weight", [8]).drawn_in()?, None);
    /// assert!(Tensor::new("weight", [8]).with_dtype(FileDtype::F64).drawn_in().is_err());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn drawn_in(&self) -> Result<Option<Dtype>, Error> {
        let Some(dtype) = self.dtype else { return Ok(None) };
        dtype.drawn().map(Some).ok_or_else(|| {
            let allowed = "F32, F16, BF16, or any float that is drawn in one of them";
            Error::new(ErrorKind::Dtype, "the dtype", quoted(dtype.name()), allowed)
        })
    }
}

/// A model: its tensors, each name once.
///
/// ```
/// use fanin::rules::Model;
///
/// // The header of a safetensors file, or a list that is written by hand.
/// let model = Model::from_json(br#"{
///     "__metadata__": {"format": "pt"},
///     "wte.weight": {"dtype": "F32", "shape": [50257, 768]},
///     "ln_f.bias": {"dtype": "F32", "shape": [768]}
/// }"#)?;
/// assert_eq!(model.tensors()[1].shape, [768]);
/// assert_eq!(model.metadata()["format"], "pt");
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    tensors: Vec<Tensor>,
    metadata: BTreeMap<String, String>,
}

impl Model {
    /// Of these tensors.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if a name stands twice, a tensor has more than 256 dimensions, or its bytes end before they begin.
    ///
    /// ```
    /// use fanin::rules::{Model, Tensor};
    ///
    /// let model = Model::new(vec![Tensor::new("weight", [8, 4]), Tensor::new("bias", [8])])?;
    /// assert!(Model::new([model.into_tensors(), vec![Tensor::new("bias", [8])]].concat()).is_err());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn new(tensors: Vec<Tensor>) -> Result<Model, Error> {
        let mut seen = HashSet::new();
        for Tensor { name, shape, data_offsets, .. } in &tensors {
            if !seen.insert(name) {
                return Err(twice(name));
            }
            let wrong = |said: String, allowed: &'static str| {
                let error = Error::failed(ErrorKind::Model, format!("tensor {}", quoted(name)), said);
                Err(error.allowing(allowed))
            };
            if shape.len() > MAX_DIMENSIONS {
                return wrong(format!("has {} dimensions", shape.len()), "at most 256");
            }
            if let Some(Range { start, end }) = data_offsets
                && start > end
            {
                return wrong(format!("has its bytes from {start} to {end}"), "a start that is not after the end");
            }
        }
        Ok(Model { tensors, metadata: BTreeMap::new() })
    }

    /// Reads a JSON object from names to `{"dtype": .., "shape": [..]}`, which a safetensors file's header is: the text that begins
    /// at its ninth byte. The order is kept. What else an entry has is passed over.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if the text is no such object, as a model's `config.json` is none; those of [`new`](Model::new).
    ///
    /// See [`Model`] for an example.
    pub fn from_json(text: &[u8]) -> Result<Model, Error> {
        let List { entries, metadata } = serde_json::from_slice(text).map_err(|e| {
            if Config::from_json(text).is_ok_and(|config| config.is_model()) {
                let error = Error::failed(ErrorKind::Model, "the list of tensors", "is a model's config.json");
                return error
                    .allowing("an object from tensor names to {dtype, shape}; Plan::from_config reads this one");
            }
            let error = Error::failed(ErrorKind::Model, "the list of tensors", "cannot be read");
            error.allowing("an object from tensor names to {dtype, shape}").because(e)
        })?;
        let tensors = entries.into_iter().map(|(name, entry)| entry.tensor(name)).collect::<Result<_, _>>()?;
        let model = Model::new(tensors)?;
        let mut texts = BTreeMap::new();
        // Of two, one reader takes the first and another the last.
        match metadata.as_slice() {
            [] => {}
            [pairs] => {
                for (key, text) in pairs.iter().flat_map(|Pairs(pairs)| pairs) {
                    if texts.insert(key.clone(), text.clone()).is_some() {
                        return Err(twice(key).at(METADATA));
                    }
                }
            }
            _ => return Err(twice(METADATA)),
        }
        Ok(Model { metadata: texts, ..model })
    }

    /// The tensors, in the order of the text.
    ///
    /// See [`Model`] for an example.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The same, to be taken apart.
    ///
    /// See [`Model::new`] for an example.
    pub fn into_tensors(self) -> Vec<Tensor> {
        self.tensors
    }

    /// The texts under `__metadata__`.
    ///
    /// See [`Model`] for an example.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }
}

const METADATA: &str = "__metadata__";

pub(super) fn twice(name: &str) -> Error {
    let error = Error::failed(ErrorKind::Model, format!("the name {}", quoted(name)), "stands twice");
    error.allowing("each name once")
}

/// The entries of a text, in its order.
#[derive(Default)]
struct List {
    entries: Vec<(String, Entry)>,
    metadata: Vec<Option<Pairs>>,
}

#[derive(serde::Deserialize)]
struct Entry {
    dtype: Option<String>,
    shape: Vec<u64>,
    data_offsets: Option<(u64, u64)>,
    // What is passed over is taken in, and so is JSON that every reader takes: numbers in range, escapes that are characters.
    #[serde(flatten)]
    _more: IgnoredAny,
}

impl Entry {
    fn tensor(self, name: String) -> Result<Tensor, Error> {
        let mut tensor = Tensor::new(name, self.shape);
        tensor.data_offsets = self.data_offsets.map(|(start, end)| start..end);
        let Some(said) = &self.dtype else { return Ok(tensor) };
        match FileDtype::named(said) {
            // People write lists in whatever case, and files have offsets.
            Some(dtype) if tensor.data_offsets.is_some() && dtype.name() != said => {
                Err(unknown_dtype(&tensor.name, said))
            }
            _ => tensor.with_dtype_named(said),
        }
    }
}

fn unknown_dtype(name: &str, said: &str) -> Error {
    let (thing, said_of_it) = (format!("tensor {}", quoted(name)), format!("has the dtype {}", quoted(said)));
    let error = Error::failed(ErrorKind::Model, thing, said_of_it).near(nearest(said, FileDtype::names()));
    error.allowing("safetensors' dtypes, such as F32, F16, BF16")
}

struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = List;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<List, A::Error> {
                let mut list = List::default();
                while let Some(name) = map.next_key::<String>()? {
                    let of = |e: A::Error| A::Error::custom(format!("tensor {}: {e}", quoted(&name)));
                    if name == METADATA {
                        list.metadata.push(map.next_value().map_err(of)?);
                    } else {
                        let entry = map.next_value().map_err(of)?;
                        list.entries.push((name, entry));
                    }
                }
                Ok(list)
            }
        }

        deserializer.deserialize_map(Names)
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from texts to texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_order_and_what_is_none_is_said() {
        let text =
            br#"{"b": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "a": {"shape": [], "more": [1]}}"#;
        let model = Model::from_json(text).unwrap();
        let [b, a] = model.tensors() else { panic!("{model:?}") };
        assert_eq!((b.name.as_str(), &b.shape[..], b.data_offsets.clone()), ("b", &[2, 3][..], Some(0..24)));
        assert_eq!((a.name.as_str(), a.shape.len(), &a.dtype), ("a", 0, &None));
        assert_eq!(Model::from_json(br#"{"__metadata__": null}"#).unwrap(), Model::default());
        let deep = format!("{{\"a\": {{\"shape\": [{}1]}}}}", "1,".repeat(256));
        assert!(
            Model::from_json(deep.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("has 257 dimensions, allowed: at most 256")
        );
        for (text, says) in [
            (
                &b""[..],
                "the list of tensors cannot be read, allowed: an object from tensor names to {dtype, shape}: EOF",
            ),
            (b"[]", "expected an object"),
            (br#"{"a": 1}"#, "tensor \"a\""),
            (br#"{"a": {"shape": [-1]}}"#, "tensor \"a\""),
            (br#"{"a": {"shape": [1]}, "a": {"shape": [1]}}"#, "the name \"a\" stands twice, allowed: each name once"),
            (br#"{"__metadata__": {"a": "", "a": ""}}"#, "the name \"a\" stands twice, allowed: each name once"),
            (br#"{"__metadata__": null, "__metadata__": null}"#, "the name \"__metadata__\" stands twice"),
            (br#"{"__metadata__": {"a": 1}}"#, "__metadata__"),
            (b"{\"\\u001b[31m\": 1}", "\\u{1b}[31m"),
            (br#"{"a": {"shape": [1], "data_offsets": [4, 0]}}"#, "tensor \"a\" has its bytes from 4 to 0"),
            (br#"{"a": {"shape": [1]}} x"#, "trailing"),
            (br#"{"a": {"shape": [1], "more": "\ud800"}}"#, "tensor \"a\""),
            (br#"{"a": {"shape": [1], "more": {"\udfff": 1}}}"#, "tensor \"a\""),
            (br#"{"a": {"shape": [1], "more": [1e999]}}"#, "tensor \"a\""),
        ] {
            let error = Model::from_json(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Model);
            let said = format!("{error:#}");
            assert!(said.contains(says) && said.matches("allowed:").count() <= 1, "{said}");
        }
    }
}
