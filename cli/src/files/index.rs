//! The index of a sharded checkpoint: which tensor is in which file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::files::unique;

#[derive(Deserialize)]
struct Index {
    #[serde(deserialize_with = "unique::map")]
    weight_map: BTreeMap<String, String>,
}

/// Tensors, and the names of the files that hold them, which stand beside the index.
pub fn read(json: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let Index { weight_map } =
        serde_json::from_slice(json).map_err(|e| format!("not an index, {{weight_map: {{name: file}}}}: {e}"))?;
    let is_name = |file: &str| Path::new(file).file_name().is_some_and(|name| name == file);
    match weight_map.values().find(|file| !is_name(file)) {
        Some(file) => Err(format!("the file \"{file}\" is not a name alone, allowed: a file beside the index")),
        None => Ok(weight_map),
    }
}
