//! A model's tensor list: names, dtypes and shapes, from a JSON file or from the headers of safetensors files.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use crate::failure::Failure;

/// No larger header or list is read or written, as in the safetensors library.
pub const MAX_HEADER: u64 = 100_000_000;

/// One tensor of a model.
#[derive(Debug)]
pub struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<u64>,
}

impl Tensor {
    pub fn named_shape(&self) -> fanin::rules::Tensor {
        fanin::rules::Tensor { name: self.name.clone(), shape: self.shape.clone() }
    }
}

/// A checkpoint's file: what its header says.
pub struct Header {
    pub path: PathBuf,
    /// The tensors, and where in the file each is.
    pub tensors: Vec<(Tensor, Range<u64>)>,
    /// The value of "fanin" in its metadata.
    pub provenance: Option<String>,
}

/// Reads a model's tensors in the order of the file; of `.safetensors` files the header alone.
pub fn read(path: &Path) -> Result<Vec<Tensor>, Failure> {
    if is_index(path) || is_safetensors(path) {
        let headers = headers(path, false)?;
        return Ok(headers.into_iter().flat_map(|header| header.tensors).map(|(tensor, _)| tensor).collect());
    }
    let failed = |e: &dyn fmt::Display| Failure::input(format!("{}: {e}", path.display()));
    let file = File::open(path).map_err(|e| failed(&e))?;
    let mut json = Vec::new();
    file.take(MAX_HEADER + 1).read_to_end(&mut json).map_err(|e| failed(&e))?;
    if json.len() as u64 > MAX_HEADER {
        return Err(failed(&format!("the list is longer than {MAX_HEADER} bytes")));
    }
    tensors(&json).map_err(|e| failed(&e))
}

/// The headers of a checkpoint: of a `.safetensors` file, or of all that an index names. If they are `whole`, the files must
/// hold what their headers say.
pub fn headers(path: &Path, whole: bool) -> Result<Vec<Header>, Failure> {
    let failed = |e: &dyn fmt::Display| Failure::input(format!("{}: {e}", path.display()));
    if !is_index(path) {
        return Ok(vec![header(path, whole)?]);
    }
    let length = fs::metadata(path).map_err(|e| failed(&e))?.len();
    if length > MAX_HEADER {
        return Err(failed(&format!("the index has {length} bytes, allowed: at most {MAX_HEADER}")));
    }
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let text = fs::read(path).map_err(|e| failed(&e))?;
    let index: Index = serde_json::from_slice(&text)
        .map_err(|e| failed(&format!("not an index, {{weight_map: {{name: file}}}}: {e}")))?;
    let mut headers = Vec::new();
    for name in BTreeSet::from_iter(index.weight_map.values()) {
        if Path::new(name).file_name().is_none_or(|file| file != name.as_str()) {
            return Err(failed(&format!("the file \"{name}\" is not a name alone, allowed: a file beside the index")));
        }
        let mut header = header(&path.with_file_name(name), whole)?;
        header.tensors.retain(|(tensor, _)| index.weight_map.get(&tensor.name) == Some(name));
        headers.push(header);
    }
    let found: HashSet<_> = headers.iter().flat_map(|h: &Header| &h.tensors).map(|(t, _)| t.name.as_str()).collect();
    if let Some((name, file)) = index.weight_map.iter().find(|(name, _)| !found.contains(name.as_str())) {
        return Err(failed(&format!("tensor \"{name}\" is not in {file}")));
    }
    Ok(headers)
}

fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".index.json"))
}

fn is_safetensors(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"))
}

fn header(path: &Path, whole: bool) -> Result<Header, Failure> {
    let failed = |e: &dyn fmt::Display| Failure::input(format!("{}: {e}", path.display()));
    let mut file = File::open(path).map_err(|e| failed(&e))?;
    let length = file.metadata().map_err(|e| failed(&e))?.len();
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes)
        .map_err(|_| failed(&format!("the file holds {length} bytes, allowed: a safetensors header of at least 8")))?;
    let size = u64::from_le_bytes(bytes);
    // A pipe has no length; nothing is believed of it.
    let most = MAX_HEADER.min(length.saturating_sub(8));
    if size > most {
        return Err(failed(&format!("the header's length is {size} bytes, allowed in this file: at most {most}")));
    }
    let mut json = Vec::new();
    file.take(size).read_to_end(&mut json).map_err(|e| failed(&e))?;
    let tensors = tensors(&json).map_err(|e| failed(&e))?;
    // The library checks what a list does not have: that the data's offsets fit the shapes and one another.
    let metadata: Metadata = serde_json::from_slice(&json).map_err(|e| failed(&e))?;
    let start = 8 + size;
    let end = start + metadata.data_len() as u64;
    if whole && length != end {
        return Err(failed(&format!("the file holds {length} bytes, and its header speaks of {end}")));
    }
    let tensors = tensors
        .into_iter()
        .map(|tensor| {
            let info = metadata.info(&tensor.name).ok_or_else(|| failed(&format!("no data of \"{}\"", tensor.name)))?;
            let (from, to) = info.data_offsets;
            Ok((tensor, start + from as u64..start + to as u64))
        })
        .collect::<Result<_, _>>()?;
    let provenance = metadata.metadata().as_ref().and_then(|m| m.get("fanin").cloned());
    Ok(Header { path: path.to_path_buf(), tensors, provenance })
}

fn tensors(json: &[u8]) -> Result<Vec<Tensor>, String> {
    let List(tensors) =
        serde_json::from_slice(json).map_err(|e| format!("not a list of tensors (name -> {{dtype, shape}}): {e}"))?;
    tensors
        .into_iter()
        .map(|(name, entry)| match serde_json::from_value(serde_json::Value::String(entry.dtype.clone())) {
            Ok(dtype) => Ok(Tensor { name, dtype, shape: entry.shape }),
            Err(_) => Err(format!(
                "tensor \"{name}\" has the dtype \"{}\", allowed: the safetensors dtypes, such as F32, F16, BF16",
                entry.dtype
            )),
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
