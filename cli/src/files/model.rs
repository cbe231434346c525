//! A model's tensors, from a file of any kind that holds them: a JSON list, a safetensors file, the index of a sharded one.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use fanin::rules::{Config, Rules, Tensor};

use crate::failure::Failure;
use crate::files::header::{self, Header};
use crate::files::plan::{self, RecordedPlan};
use crate::files::{index, regular, toml};
use crate::limits::{MAX_HEADER_BYTES, MAX_HEADERS_BYTES};

/// A file of a checkpoint, and what its header says.
pub struct Shard {
    pub path: PathBuf,
    pub header: Header,
}

/// A file that describes a model.
pub enum ModelFile {
    Tensors(Vec<Tensor>),
    Config(Config),
    Plan(Box<RecordedPlan>),
}

/// Reads a model's tensors in the order of the file, of `.safetensors` files the header alone; or its configuration, which a folder
/// holds as config.json; or a plan.
pub fn read(path: &Path) -> Result<ModelFile, Failure> {
    if is_checkpoint(path) {
        let shards = shards(path, false)?;
        let tensors = shards.into_iter().flat_map(|shard| shard.header.tensors).map(|(tensor, _)| tensor).collect();
        return Ok(ModelFile::Tensors(tensors));
    }
    let within = path.join("config.json");
    let path = if path.is_dir() { &within } else { path };
    let failed = |e: &dyn fmt::Display| Failure::input(format!("{}: {e}", path.display()));
    // Whoever gives a list may give it through a pipe.
    let json = bounded(File::open(path), "list").map_err(|e| failed(&e))?;
    match Config::from_json(&json) {
        Ok(config) if config.is_model() => Ok(ModelFile::Config(config)),
        _ if plan::is_plan(&json) => plan::read(&json, path).map(Box::new).map(ModelFile::Plan).map_err(|e| failed(&e)),
        Ok(_) => header::list(&json).map(ModelFile::Tensors).map_err(|e| failed(&e)),
        // A text too long for a config may be a list; one that is no JSON is neither.
        Err(error) => header::list(&json).map(ModelFile::Tensors).map_err(|e| failed(&format!("{error:#}; and {e}"))),
    }
}

/// Rules that a person gives: a TOML text, or those of a plan, whose name ends in .json.
pub fn rules(path: &Path) -> Result<Rules, Failure> {
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
        return toml::read(path);
    }
    let failed = |e: &dyn fmt::Display| Failure::input(format!("{}: {e}", path.display()));
    let json = bounded(File::open(path), "plan").map_err(|e| failed(&e))?;
    plan::read(&json, path).map(|plan| plan.rules).map_err(|e| failed(&e))
}

/// A checkpoint's files: a `.safetensors` file, or all that an index names, in order of their names. If they are `whole`, they
/// must hold what their headers say, and no tensor that the index does not name.
pub fn shards(path: &Path, whole: bool) -> Result<Vec<Shard>, Failure> {
    let failed = |e: &dyn fmt::Display| Failure::input(format!("{}: {e}", path.display()));
    if !is_index(path) {
        return Ok(vec![shard(path, whole)?]);
    }
    let json = bounded(regular::open(path), "index").map_err(|e| failed(&e))?;
    let weight_map = index::read(&json).map_err(|e| failed(&e))?;
    drop(json);
    let (mut shards, mut bytes, mut stray) = (Vec::new(), 0, None);
    for name in BTreeSet::from_iter(weight_map.values()) {
        let mut shard = shard(&path.with_file_name(name), whole)?;
        bytes += shard.header.bytes;
        if bytes > MAX_HEADERS_BYTES {
            return Err(failed(&format!(
                "its files' headers have more than {MAX_HEADERS_BYTES} bytes, allowed: at most that"
            )));
        }
        let is_here = |tensor: &Tensor| weight_map.get(&tensor.name) == Some(name);
        let strays = shard.header.tensors.extract_if(.., |(tensor, _)| !is_here(tensor));
        stray = stray.or(strays.last().map(|(tensor, _)| (tensor.name, name)));
        shards.push(shard);
    }
    let tensors = shards.iter().flat_map(|shard: &Shard| &shard.header.tensors);
    let found: HashSet<_> = tensors.map(|(tensor, _)| tensor.name.as_str()).collect();
    if let Some((name, file)) = weight_map.iter().find(|(name, _)| !found.contains(name.as_str())) {
        return Err(failed(&format!("tensor \"{name}\" is not in {file}")));
    }
    // A program that loads the files one by one takes all that is in them.
    match stray {
        Some((name, file)) if whole => {
            Err(failed(&format!("tensor \"{name}\" is in {file}, allowed: those that the index says are there")))
        }
        _ => Ok(shards),
    }
}

fn shard(path: &Path, whole: bool) -> Result<Shard, Failure> {
    let failed = |e: &dyn fmt::Display| Failure::input(format!("{}: {e}", path.display()));
    let file = regular::open(path).map_err(|e| failed(&e))?;
    let length = file.metadata().map_err(|e| failed(&e))?.len();
    let header = header::read(BufReader::new(file), length, whole).map_err(|e| failed(&e))?;
    Ok(Shard { path: path.to_path_buf(), header })
}

/// The bytes of a file, which may say nothing of its length, or the wrong one.
fn bounded(file: std::io::Result<File>, what: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = file.and_then(|file| file.take(MAX_HEADER_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|e| e.to_string())?;
    if bytes.len() as u64 > MAX_HEADER_BYTES {
        return Err(format!("the {what} is longer than {MAX_HEADER_BYTES} bytes, allowed: at most that"));
    }
    // The mark with which some editors begin a text is none of it.
    if bytes.starts_with("\u{feff}".as_bytes()) {
        bytes.drain(..3);
    }
    Ok(bytes)
}

/// True if a file's name is that of a checkpoint, which holds tensors.
pub fn is_checkpoint(path: &Path) -> bool {
    is_index(path) || is_safetensors(path)
}

fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".index.json"))
}

fn is_safetensors(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"))
}
