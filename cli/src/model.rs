//! A model's tensor list: names, dtypes and shapes, from a JSON file or from the header of a safetensors file.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::Dtype;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use crate::failure::Failure;

/// No larger header or list is read, as in the safetensors library.
const MAX_HEADER: u64 = 100_000_000;

/// One tensor of a model.
#[derive(Debug)]
pub struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<u64>,
}

/// Reads a model's tensors in the order of the file; of a `.safetensors` file the header alone.
pub fn read(path: &Path) -> Result<Vec<Tensor>, Failure> {
    let shown = path.display();
    let failed = |e: &dyn fmt::Display| Failure::input(format!("{shown}: {e}"));
    let mut file = File::open(path).map_err(|e| failed(&e))?;
    let length = file.metadata().map_err(|e| failed(&e))?.len();
    let is_safetensors = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"));
    let size = if is_safetensors {
        let mut bytes = [0; 8];
        file.read_exact(&mut bytes).map_err(|_| {
            failed(&format!("the file holds {length} bytes, allowed: a safetensors header of at least 8"))
        })?;
        let size = u64::from_le_bytes(bytes);
        // A pipe has no length; nothing is believed of it.
        let most = MAX_HEADER.min(length.saturating_sub(8));
        if size > most {
            return Err(failed(&format!("the header's length is {size} bytes, allowed in this file: at most {most}")));
        }
        size
    } else {
        MAX_HEADER + 1
    };
    let mut json = Vec::new();
    file.take(size).read_to_end(&mut json).map_err(|e| failed(&e))?;
    if json.len() as u64 > MAX_HEADER {
        return Err(failed(&format!("the list is longer than {MAX_HEADER} bytes")));
    }
    let List(tensors) = serde_json::from_slice(&json)
        .map_err(|e| failed(&format!("not a list of tensors (name -> {{dtype, shape}}): {e}")))?;
    if is_safetensors {
        // The library checks what a list does not have: that the data's offsets fit the shapes.
        serde_json::from_slice::<safetensors::tensor::Metadata>(&json).map_err(|e| failed(&e))?;
    }
    tensors
        .into_iter()
        .map(|(name, entry)| match serde_json::from_value(serde_json::Value::String(entry.dtype.clone())) {
            Ok(dtype) => Ok(Tensor { name, dtype, shape: entry.shape }),
            Err(_) => Err(failed(&format!(
                "tensor \"{name}\" has the dtype \"{}\", allowed: the safetensors dtypes, such as F32, F16, BF16",
                entry.dtype
            ))),
        })
        .collect()
}

/// `name -> entry` in order, each name once, without `__metadata__`.
struct List(Vec<(String, Entry)>);

#[derive(serde::Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
}

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = List;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from tensor names to {dtype, shape}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<List, A::Error> {
                let (mut list, mut seen) = (Vec::new(), HashSet::new());
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format!("the tensor \"{name}\" stands twice")));
                    }
                    if name == "__metadata__" {
                        map.next_value::<serde::de::IgnoredAny>()?;
                    } else {
                        let entry =
                            map.next_value().map_err(|e| A::Error::custom(format!("tensor \"{name}\": {e}")))?;
                        list.push((name, entry));
                    }
                }
                Ok(List(list))
            }
        }

        deserializer.deserialize_map(Names)
    }
}
