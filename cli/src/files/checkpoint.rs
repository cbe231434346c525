//! The writing of checkpoints: which tensors are in which file, in which order, and the header and the index that say so.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::Metadata;

use crate::draw::engine::Engine;
use crate::failure::Failure;
use crate::files::content::Content;
use crate::files::header;
use crate::files::partial::{check_replaceable, write_text};
use crate::files::provenance::Provenance;
use crate::files::writer::{WriteOptions, Writer};
use crate::limits::{MAX_FILES, MAX_HEADER_BYTES};
use crate::progress;

/// The result of writing.
pub struct Written {
    pub values: u64,
    pub bytes: u64,
    /// The files, without the index.
    pub files: usize,
}

/// Draws and copies the tensors and writes them to `path`, or to shards named after it.
pub fn write(
    path: &Path,
    provenance: &Provenance,
    mut tensors: Vec<Content>,
    engine: &Engine,
    options: &WriteOptions,
) -> Result<Written, Failure> {
    tensors.sort_by(|a, b| a.order().cmp(&b.order()));
    let bytes = tensors.iter().try_fold(0u64, |sum, t| sum.checked_add(t.bytes())).unwrap_or(u64::MAX);
    let values = tensors.iter().map(Content::elements).fold(0, u64::saturating_add);
    let shards = match options.shard {
        Some(most) => shards(tensors, most),
        None => vec![tensors],
    };
    let files = shards.len();
    if files > MAX_FILES {
        return Err(Failure::input(format!(
            "--max-shard-size makes {files} files, allowed: at most {MAX_FILES}; a larger size makes fewer"
        )));
    }
    // All that can be wrong with the request comes before the first byte.
    let headers = shards.iter().map(|tensors| header(provenance, tensors)).collect::<Result<Vec<_>, _>>()?;
    let writer = Writer { engine, options, bar: progress::bar(bytes) };
    if fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        if files > 1 || options.resume {
            return Err(Failure::input(format!("{} is no file, which shards and --resume need", path.display())));
        }
        writer.write_stream(path, &headers[0], &shards[0])?;
    } else if files == 1 {
        // A link is followed, so that its target is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        writer.check_not_read(&path)?;
        writer.write_file(&path, &headers[0], &shards[0])?;
    } else {
        write_shards(path, &headers, &shards, &writer)?;
    }
    writer.bar.finish_and_clear();
    Ok(Written { values, bytes, files })
}

/// Writes shards named after `path`, and their index.
fn write_shards(path: &Path, headers: &[Vec<u8>], shards: &[Vec<Content>], writer: &Writer) -> Result<(), Failure> {
    let files = shards.len();
    let index_path = with_suffix(path, ".index.json");
    let names: Vec<_> = (1..=files).map(|i| with_inserted(path, &format!("-{i:05}-of-{files:05}"))).collect();
    for name in &names {
        check_replaceable(name)?;
        writer.check_not_read(name)?;
    }
    let index = index(path, &names, shards)?;
    check_replaceable(&index_path)?;
    writer.check_not_read(&index_path)?;
    // An index never names shards of two runs.
    match fs::remove_file(&index_path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::input(format!("{} cannot be replaced: {e}", index_path.display())));
        }
        _ => {}
    }
    for ((tensors, header), name) in shards.iter().zip(headers).zip(&names) {
        writer.write_file(name, header, tensors)?;
    }
    write_text(&index_path, &index)
}

/// The index of shards of these names.
fn index(path: &Path, names: &[PathBuf], shards: &[Vec<Content>]) -> Result<Vec<u8>, Failure> {
    let mut weight_map = BTreeMap::new();
    for (tensors, name) in shards.iter().zip(names) {
        let name = name.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            let shown = path.display();
            Failure::input(format!("{shown} is no UTF-8, allowed where an index has to name the files: UTF-8"))
        })?;
        weight_map.extend(tensors.iter().map(|t| (t.tensor.name.as_str(), name)));
    }
    let all = || shards.iter().flatten();
    let total = all().map(Content::bytes).fold(0, u64::saturating_add);
    let parameters = all().filter(|t| is_parameter(t)).map(Content::elements).fold(0, u64::saturating_add);
    let metadata = serde_json::json!({"total_parameters": parameters, "total_size": total});
    let index = serde_json::json!({"metadata": metadata, "weight_map": weight_map});
    let index = serde_json::to_vec_pretty(&index).map_err(Failure::other)?;
    if index.len() as u64 > MAX_HEADER_BYTES {
        let message = format!("the index has {} bytes, allowed: {MAX_HEADER_BYTES}", index.len());
        return Err(Failure::input(format!("{message}; shorter names have a shorter one")));
    }
    Ok(index)
}

/// True if it is a parameter to transformers, which counts no buffers: integers, and the running statistics of norms.
fn is_parameter(Content { tensor, .. }: &Content) -> bool {
    let last = tensor.name.rsplit('.').next().unwrap_or_default();
    !tensor.is_integer() && !["running_mean", "running_var"].contains(&last)
}

/// Tensors in order, as many to a shard as fit; one that is larger has a shard of its own.
fn shards(tensors: Vec<Content>, most: u64) -> Vec<Vec<Content>> {
    let mut shards = Vec::new();
    let (mut shard, mut bytes) = (Vec::new(), 0u64);
    for tensor in tensors {
        if !shard.is_empty() && bytes.saturating_add(tensor.bytes()) > most {
            shards.push(std::mem::take(&mut shard));
            bytes = 0;
        }
        bytes = bytes.saturating_add(tensor.bytes());
        shard.push(tensor);
    }
    shards.push(shard);
    shards
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    path.with_file_name(name)
}

/// `model.safetensors` -> `model-00001-of-00003.safetensors` and the like: something ahead of the extension.
pub fn with_inserted(path: &Path, text: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(text);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// The header of a file: its length, JSON, padding to 8 bytes.
fn header(provenance: &Provenance, tensors: &[Content]) -> Result<Vec<u8>, Failure> {
    let mut end = 0u64;
    let mut infos = Vec::with_capacity(tensors.len());
    let mut provenance = provenance.clone();
    for content in tensors {
        let Content { tensor, copied, drawn, .. } = content;
        let start = end;
        end = end.saturating_add(content.bytes());
        infos.push(header::info(tensor, start..end).map_err(Failure::input)?);
        if let Some((recipe, _)) = drawn {
            provenance.tensors.insert(tensor.name.clone(), recipe.to_json(&tensor.name, provenance.seed));
        }
        if let Some((_, copied)) = copied {
            provenance.copied.insert(tensor.name.clone(), copied.clone());
        }
    }
    let words = serde_json::to_string(&provenance).map_err(Failure::other)?;
    // In an order of its own, which the library's map has not. Readers of transformers and accelerate ask for the format.
    let metadata = BTreeMap::from([("fanin", words.as_str()), ("format", "pt")]);
    let metadata = serde_json::to_string(&metadata).map_err(Failure::other)?;
    let tensors = Metadata::new(None, infos).map_err(Failure::input)?;
    let tensors = serde_json::to_string(&tensors).map_err(Failure::other)?;
    let comma = if tensors == "{}" { "" } else { "," };
    let mut json = format!("{{\"__metadata__\":{metadata}{comma}{}", &tensors[1..]).into_bytes();
    json.resize(json.len().next_multiple_of(8), b' ');
    if json.len() as u64 > MAX_HEADER_BYTES {
        let message = format!("the header has {} bytes, allowed: {}", json.len(), MAX_HEADER_BYTES);
        return Err(Failure::input(format!(
            "{message}; a smaller --max-shard-size makes more files, with shorter headers"
        )));
    }
    Ok([&(json.len() as u64).to_le_bytes(), json.as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use fanin::Seed;
    use fanin::rules::{FileDtype, Tensor};

    use super::*;
    use crate::files::file_range::FileRange;
    use crate::files::partial::partial_path;
    use crate::files::provenance::CopiedPart;

    /// The header speaks of bytes that are no longer there.
    #[test]
    fn a_base_that_changes_while_it_is_copied_makes_no_file() {
        let folder = tempfile::TempDir::new().unwrap();
        let (base, out) = (folder.path().join("base"), folder.path().join("out"));
        fs::write(&base, "12345678").unwrap();
        let range = FileRange { path: base.as_path().into(), bytes: 0..8 };
        let copied = CopiedPart { rows: None, sha256: range.sha256().unwrap() };
        let options = WriteOptions { resume: false, shard: None, chunk: 1 << 20, read: vec![base.clone()] };
        let made = || {
            let tensor = Tensor::new("w", [8]).with_dtype(FileDtype::U8);
            let content = Content { copied: Some((range.clone(), copied.clone())), ..Content::zeros(tensor) };
            write(&out, &Provenance::new(Seed::Native(0)), vec![content], &Engine::Cpu, &options)
        };
        fs::write(&base, "12345679").unwrap();
        let failure = made().err().unwrap();
        assert!(failure.message.ends_with("base was changed while it was copied"), "{failure:?}");
        assert!(!out.exists() && fs::read(partial_path(&out)).unwrap().is_empty());
        fs::write(&base, "1234567").unwrap();
        assert!(made().is_err() && !out.exists());
        fs::write(&base, "12345678").unwrap();
        assert_eq!((made().ok().unwrap().bytes, fs::read(&out).unwrap().ends_with(b"12345678")), (8, true));
    }
}
