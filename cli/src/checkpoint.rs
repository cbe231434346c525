//! Writing safetensors files, a chunk at a time, whole or not at all.
//!
//! A file is written under the name `.NAME.partial` beside its own, and renamed when it is complete. What is interrupted leaves
//! the partial file alone, which `--resume` goes on with.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fanin::{Dtype, Fill};
use indicatif::{ProgressBar, ProgressStyle};
use safetensors::tensor::{Metadata, TensorInfo};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::failure::Failure;
use crate::ranks::Rank;
use crate::recipe::{Recipe, Words};
use crate::seed::Seed;

/// A tensor of a file.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub recipe: Recipe,
}

impl Tensor {
    fn elements(&self) -> u64 {
        self.recipe.shape().iter().product()
    }

    pub fn bytes(&self) -> u64 {
        self.elements().saturating_mul(self.dtype.size())
    }
}

/// How a file was made: the value of "fanin" in its metadata.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Provenance {
    /// The version that drew it.
    pub fanin: String,
    pub seed: Seed,
    /// Where the rules come from, and the SHA-256 of their text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<Rank>,
    /// What each tensor of the file draws.
    #[serde(default)]
    pub tensors: BTreeMap<String, Words>,
}

impl Provenance {
    pub fn new(seed: Seed) -> Provenance {
        Provenance {
            fanin: env!("CARGO_PKG_VERSION").into(),
            seed,
            rules: None,
            rules_sha256: None,
            rank: None,
            tensors: BTreeMap::new(),
        }
    }

    /// From a file's metadata.
    pub fn read(text: &str) -> Result<Provenance, String> {
        /// A file of contract 1, when one number stood for all kinds of streams.
        #[derive(Deserialize)]
        struct OfContract1 {
            fanin: String,
            contract: u32,
        }
        if let Ok(OfContract1 { fanin, contract }) = serde_json::from_str(text) {
            return Err(format!(
                "fanin {fanin} drew it by value contract {contract}, allowed: {} of fanin's own streams, this version's; that \
                 version verifies it",
                fanin::VALUE_CONTRACT
            ));
        }
        serde_json::from_str(text).map_err(|e| format!("its metadata cannot be read: {e}"))
    }
}

/// How to write.
pub struct Manner {
    /// Go on with what an interrupted run left.
    pub resume: bool,
    /// Files of at most so many bytes of tensors, with an index.
    pub shard: Option<u64>,
    /// How many bytes are drawn at once.
    pub chunk: u64,
}

/// What was written.
pub struct Written {
    pub values: u64,
    pub bytes: u64,
    /// The files, without the index.
    pub files: usize,
}

/// How much of the end of a partial file is not trusted.
const WRITTEN_AGAIN: u64 = 8 << 20;

/// Draws the tensors and writes them to `path`, or to shards named after it.
pub fn write(
    path: &Path,
    provenance: &Provenance,
    mut tensors: Vec<Tensor>,
    engine: &Engine,
    manner: &Manner,
) -> Result<Written, Failure> {
    // The order that the safetensors library writes: the widest elements first, which keeps all aligned, then by name.
    tensors.sort_by(|a, b| (b.dtype.size(), &a.name).cmp(&(a.dtype.size(), &b.name)));
    let total = tensors.iter().try_fold(0u64, |sum, t| sum.checked_add(t.bytes())).unwrap_or(u64::MAX);
    let values = tensors.iter().map(Tensor::elements).fold(0, u64::saturating_add);
    // Drawn on a terminal, hidden elsewhere.
    let bar = ProgressBar::new(total);
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));

    let shown = path.display();
    let shards = match manner.shard {
        Some(most) => shards(tensors, most),
        None => vec![tensors],
    };
    // All that can be wrong with the request comes before the first byte.
    let headers = shards.iter().map(|tensors| header(provenance, tensors)).collect::<Result<Vec<_>, _>>()?;
    let existing = fs::metadata(path).ok();
    if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(Failure::input(format!("{shown} is a directory, allowed: a file's name")));
    }
    let files = shards.len();
    if existing.is_some_and(|m| !m.is_file()) {
        // A device or a pipe is written to; it must not be replaced by a file.
        if files > 1 || manner.resume {
            return Err(Failure::input(format!("{shown} is no file, which shards and --resume need")));
        }
        let cannot_open = |e: std::io::Error| Failure::input(format!("{shown} cannot be written: {e}"));
        let mut file = OpenOptions::new().write(true).open(path).map_err(cannot_open)?;
        file.write_all(&headers[0]).map_err(|e| Failure::other(format!("{shown}: {e}")))?;
        append(&file, path, provenance.seed, &shards[0], 0, engine, manner, &bar)?;
    } else if files == 1 {
        // A link is followed, so that its target is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        write_file(&path, &headers[0], provenance.seed, &shards[0], engine, manner, &bar)?;
    } else {
        let index_path = with_suffix(path, ".index.json");
        let names: Vec<_> = (1..=files).map(|i| inserted(path, &format!("-{i:05}-of-{files:05}"))).collect();
        let mut weight_map = BTreeMap::new();
        for (tensors, name) in shards.iter().zip(&names) {
            let name = name.file_name().unwrap_or_default().to_string_lossy();
            weight_map.extend(tensors.iter().map(|t| (t.name.clone(), name.clone())));
        }
        let index = serde_json::json!({"metadata": {"total_size": total}, "weight_map": weight_map});
        // An index never names shards of two runs.
        match fs::remove_file(&index_path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::input(format!("{} cannot be replaced: {e}", index_path.display())));
            }
            _ => {}
        }
        for ((tensors, header), name) in shards.iter().zip(&headers).zip(&names) {
            write_file(name, header, provenance.seed, tensors, engine, manner, &bar)?;
        }
        let failed = |e: &dyn std::fmt::Display| Failure::other(format!("{}: {e}", index_path.display()));
        let partial = partial_path(&index_path);
        let text = serde_json::to_vec_pretty(&index).map_err(Failure::other)?;
        fs::write(&partial, text).map_err(|e| failed(&e))?;
        fs::rename(&partial, &index_path).map_err(|e| failed(&e))?;
    }
    bar.finish_and_clear();
    Ok(Written { values, bytes: total, files })
}

/// Tensors in order, as many to a shard as fit; one that is larger has a shard of its own.
fn shards(tensors: Vec<Tensor>, most: u64) -> Vec<Vec<Tensor>> {
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

fn partial_path(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".partial");
    path.with_file_name(name)
}

/// `model.safetensors` -> `model-00001-of-00003.safetensors` and the like: something ahead of the extension.
pub fn inserted(path: &Path, text: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}{text}{extension}"))
}

/// Length, JSON, padding to 8 bytes.
fn header(provenance: &Provenance, tensors: &[Tensor]) -> Result<Vec<u8>, Failure> {
    let mut end = 0usize;
    let mut infos = Vec::with_capacity(tensors.len());
    let mut provenance = provenance.clone();
    for tensor in tensors {
        let shape = tensor.recipe.shape();
        let too_large = || Failure::input(format!("tensor \"{}\" of shape {shape:?} does not fit a file", tensor.name));
        let dtype = match tensor.dtype {
            Dtype::F32 => safetensors::Dtype::F32,
            Dtype::F16 => safetensors::Dtype::F16,
            Dtype::BF16 => safetensors::Dtype::BF16,
        };
        let bytes = tensor.elements().checked_mul(tensor.dtype.size()).and_then(|b| usize::try_from(b).ok());
        let start = end;
        end = bytes.and_then(|b| start.checked_add(b)).filter(|&e| e <= isize::MAX as usize).ok_or_else(too_large)?;
        let shape = shape.iter().map(|&d| usize::try_from(d)).collect::<Result<_, _>>().map_err(|_| too_large())?;
        infos.push((tensor.name.clone(), TensorInfo { dtype, shape, data_offsets: (start, end) }));
        provenance.tensors.insert(tensor.name.clone(), tensor.recipe.to_words(&tensor.name, provenance.seed));
    }
    let words = serde_json::to_string(&provenance).map_err(Failure::other)?;
    // One entry: the map's order is not defined.
    let metadata = HashMap::from([("fanin".to_string(), words)]);
    let metadata = Metadata::new(Some(metadata), infos).map_err(Failure::input)?;
    let mut json = serde_json::to_vec(&metadata).map_err(Failure::other)?;
    json.resize(json.len().next_multiple_of(8), b' ');
    if json.len() as u64 > crate::model::MAX_HEADER {
        let message = format!("the header has {} bytes, allowed: {}", json.len(), crate::model::MAX_HEADER);
        return Err(Failure::input(format!("{message}; more files, by --max-shard-size, have shorter ones")));
    }
    Ok([&(json.len() as u64).to_le_bytes(), json.as_slice()].concat())
}

/// Writes one file beside its name, and renames it.
fn write_file(
    path: &Path,
    header: &[u8],
    seed: Seed,
    tensors: &[Tensor],
    engine: &Engine,
    manner: &Manner,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let total = header.len() as u64 + tensors.iter().map(Tensor::bytes).sum::<u64>();
    if manner.resume && begins_with(path, header) && fs::metadata(path).is_ok_and(|m| m.len() == total) {
        bar.inc(total - header.len() as u64);
        return Ok(());
    }
    let partial = partial_path(path);
    let cannot_open = |e: std::io::Error| Failure::input(format!("{} cannot be written: {e}", path.display()));
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&partial).map_err(cannot_open)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            return Err(Failure::input(format!("another process is writing {}", path.display())));
        }
        // Some file systems have no locks.
        Err(TryLockError::Error(_)) | Ok(()) => {}
    }
    let failed = |e: std::io::Error| {
        Failure::other(format!("{}: {e}; what is done is in {}, see --resume", path.display(), partial.display()))
    };
    let length = file.metadata().map_err(failed)?.len();
    let mut done = 0;
    if manner.resume && length >= header.len() as u64 {
        if !begins_with(&partial, header) {
            return Err(Failure::input(format!(
                "{} was begun with another seed, rules, model or version, allowed: the same; without --resume it is begun \
                 anew",
                partial.display()
            )));
        }
        // Elements are not cut; and what was written last may not have reached the disk as it should.
        done = (length.min(total) - header.len() as u64).saturating_sub(WRITTEN_AGAIN) / 4 * 4;
        file.set_len(header.len() as u64 + done).map_err(failed)?;
    } else {
        file.set_len(0).map_err(failed)?;
        file.write_all(header).map_err(failed)?;
    }
    file.seek(SeekFrom::End(0)).map_err(failed)?;
    bar.inc(done);
    append(&file, &partial, seed, tensors, done, engine, manner, bar)
        .map_err(|e| Failure { message: format!("{}; what is done stays there, see --resume", e.message), ..e })?;
    file.sync_all().map_err(failed)?;
    fs::rename(&partial, path).map_err(failed)
}

fn begins_with(path: &Path, header: &[u8]) -> bool {
    let mut begin = vec![0; header.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok() && begin == header
}

/// Draws the tensors from byte `done` of them on.
#[allow(clippy::too_many_arguments)]
fn append(
    mut file: &File,
    shown: &Path,
    seed: Seed,
    tensors: &[Tensor],
    done: u64,
    engine: &Engine,
    manner: &Manner,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let wholes = tensors.iter().map(|t| t.recipe.whole_fills(seed, t.dtype)).collect::<Result<Vec<Vec<Fill>>, _>>();
    let wholes = wholes.map_err(Failure::input)?;
    let mut skipped = done;
    let fills = tensors.iter().zip(&wholes).flat_map(move |(tensor, whole)| {
        let skip = skipped.min(tensor.bytes());
        skipped -= skip;
        tensor.recipe.fills(whole, skip / tensor.dtype.size())
    });
    engine.draw(fills, manner.chunk, |bytes| {
        file.write_all(bytes).map_err(|e| Failure::other(format!("{}: {e}", shown.display())))?;
        bar.inc(bytes.len() as u64);
        Ok(())
    })
}
