//! The writing of safetensors files, a chunk at a time: their tensors, and the order of them.
//!
//! An interrupted run leaves the partial file alone, which `--resume` goes on with.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fanin::Fill;
use indicatif::ProgressBar;
use safetensors::tensor::Metadata;

use crate::draw::engine::Engine;
use crate::draw::fp8;
use crate::failure::Failure;
use crate::files::content::{Content, Piece};
use crate::files::header;
use crate::files::partial::{Partial, check_replaceable, partial_path};
use crate::files::provenance::Provenance;
use crate::files::regular;
use crate::limits::{MAX_FILES, MAX_HEADER_BYTES};
use crate::progress;

/// The options of writing.
pub struct WriteOptions {
    /// True if it goes on with the file that an interrupted run left.
    pub resume: bool,
    /// The most bytes of tensors of a file, if there are several, with an index.
    pub shard: Option<u64>,
    /// The number of bytes that are drawn at once.
    pub chunk: u64,
    /// Files that are read meanwhile, and may not be replaced.
    pub read: Vec<PathBuf>,
}

/// The result of writing.
pub struct Written {
    pub values: u64,
    pub bytes: u64,
    /// The files, without the index.
    pub files: usize,
}

/// The part at the end of a partial file that is not trusted.
const WRITTEN_AGAIN: u64 = 8 << 20;

/// Draws and copies the tensors and writes them to `path`, or to shards named after it.
pub fn write(
    path: &Path,
    provenance: &Provenance,
    mut tensors: Vec<Content>,
    engine: &Engine,
    options: &WriteOptions,
) -> Result<Written, Failure> {
    tensors.sort_by(|a, b| a.order().cmp(&b.order()));
    let total = tensors.iter().try_fold(0u64, |sum, t| sum.checked_add(t.bytes())).unwrap_or(u64::MAX);
    let values = tensors.iter().map(Content::elements).fold(0, u64::saturating_add);
    let parameters = tensors.iter().filter(|t| is_parameter(t)).map(Content::elements).fold(0, u64::saturating_add);
    let bar = progress::bar(total);
    let shown = path.display();
    let shards = match options.shard {
        Some(most) => shards(tensors, most),
        None => vec![tensors],
    };
    let files = shards.len();
    if files > MAX_FILES {
        return Err(Failure::input(format!(
            "--max-shard-size makes {files} files, allowed: at most {MAX_FILES}; larger ones are fewer"
        )));
    }
    // All that can be wrong with the request comes before the first byte.
    let headers = shards.iter().map(|tensors| header(provenance, tensors)).collect::<Result<Vec<_>, _>>()?;
    if fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        // A device or a pipe is written to; it must not be replaced by a file.
        if files > 1 || options.resume {
            return Err(Failure::input(format!("{shown} is no file, which shards and --resume need")));
        }
        let cannot_open = |e: std::io::Error| Failure::input(format!("{shown} cannot be written: {e}"));
        let mut file = OpenOptions::new().write(true).open(path).map_err(cannot_open)?;
        file.write_all(&headers[0]).map_err(|e| Failure::other(format!("{shown}: {e}")))?;
        append(&file, path, &shards[0], 0, engine, options, &bar)?;
    } else if files == 1 {
        // A link is followed, so that its target is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        check_not_read(&path, options)?;
        write_file(&path, &headers[0], &shards[0], engine, options, &bar)?;
    } else {
        let index_path = with_suffix(path, ".index.json");
        let names: Vec<_> = (1..=files).map(|i| with_inserted(path, &format!("-{i:05}-of-{files:05}"))).collect();
        let mut weight_map = BTreeMap::new();
        for (tensors, name) in shards.iter().zip(&names) {
            check_replaceable(name)?;
            check_not_read(name, options)?;
            let name = name.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
                Failure::input(format!("{shown} is no UTF-8, allowed where an index has to name the files: UTF-8"))
            })?;
            weight_map.extend(tensors.iter().map(|t| (t.tensor.name.as_str(), name)));
        }
        let metadata = serde_json::json!({"total_parameters": parameters, "total_size": total});
        let index = serde_json::json!({"metadata": metadata, "weight_map": weight_map});
        let index = serde_json::to_vec_pretty(&index).map_err(Failure::other)?;
        if index.len() as u64 > MAX_HEADER_BYTES {
            let message = format!("the index has {} bytes, allowed: {MAX_HEADER_BYTES}", index.len());
            return Err(Failure::input(format!("{message}; shorter names have a shorter one")));
        }
        check_replaceable(&index_path)?;
        check_not_read(&index_path, options)?;
        // An index never names shards of two runs.
        match fs::remove_file(&index_path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::input(format!("{} cannot be replaced: {e}", index_path.display())));
            }
            _ => {}
        }
        for ((tensors, header), name) in shards.iter().zip(&headers).zip(&names) {
            write_file(name, header, tensors, engine, options, &bar)?;
        }
        write_text(&index_path, &index)?;
    }
    bar.finish_and_clear();
    Ok(Written { values, bytes: total, files })
}

/// Writes a small file beside its name, and renames it.
pub fn write_text(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let partial = Partial::open(path)?.emptied()?;
    partial.file().write_all(text).map_err(|e| Failure::other(format!("{}: write: {e}", path.display())))?;
    partial.finish()
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
        return Err(Failure::input(format!("{message}; more files, by --max-shard-size, have shorter ones")));
    }
    Ok([&(json.len() as u64).to_le_bytes(), json.as_slice()].concat())
}

/// Writes one file beside its name, and renames it.
fn write_file(
    path: &Path,
    header: &[u8],
    tensors: &[Content],
    engine: &Engine,
    options: &WriteOptions,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let total = header.len() as u64 + tensors.iter().map(Content::bytes).sum::<u64>();
    let is_done =
        |file: File| file.metadata().is_ok_and(|metadata| metadata.len() == total) && begins_with(&file, header);
    if options.resume && regular::open(path).is_ok_and(is_done) {
        bar.inc(total - header.len() as u64);
        return Ok(());
    }
    let mut partial = Partial::open(path)?;
    let shown = partial.partial_path().to_path_buf();
    let length = partial.file().metadata().map_err(|e| partial.failed("fstat", e))?.len();
    let mut done = 0;
    if options.resume && length >= header.len() as u64 {
        if !begins_with(partial.file(), header) {
            return Err(Failure::input(format!(
                "{} was begun with another seed, rules, model, base or version, allowed: the same; without --resume it is begun \
                 anew",
                shown.display()
            )));
        }
        // Elements are not cut; and what was written last may not have reached the disk as it should.
        done = (length.min(total) - header.len() as u64).saturating_sub(WRITTEN_AGAIN) / 4 * 4;
        let end = header.len() as u64 + done;
        partial.cut(end, total)?;
        partial.file().seek(SeekFrom::Start(end)).map_err(|e| partial.failed("lseek", e))?;
    } else {
        partial = partial.emptied()?;
        partial.file().write_all(header).map_err(|e| partial.failed("write", e))?;
    }
    let file = partial.file();
    bar.inc(done);
    bar.reset_eta();
    append(file, &shown, tensors, done, engine, options, bar).map_err(|e| match file.metadata() {
        Ok(metadata) if metadata.len() == 0 => e,
        _ => Failure { message: format!("{}; what is done stays there, see --resume", e.message), ..e },
    })?;
    partial.finish()
}

/// Refuses the name of a file that is read meanwhile, or of what it is while it is written.
fn check_not_read(path: &Path, options: &WriteOptions) -> Result<(), Failure> {
    for name in [path, &partial_path(path)] {
        if let Some(read) = options.read.iter().find(|read| regular::is_same(name, read)) {
            return Err(Failure::input(format!(
                "{} would be replaced, and is {}, which is copied from, allowed: another name for the output",
                name.display(),
                read.display()
            )));
        }
    }
    Ok(())
}

fn begins_with(mut file: &File, header: &[u8]) -> bool {
    let mut begin = vec![0; header.len()];
    file.rewind().and_then(|()| file.read_exact(&mut begin)).is_ok() && begin == header
}

/// Draws and copies the tensors from byte `done` of them on.
fn append(
    mut file: &File,
    shown: &Path,
    tensors: &[Content],
    done: u64,
    engine: &Engine,
    options: &WriteOptions,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let mut skipped = done;
    let mut pieces = Vec::new();
    for content in tensors {
        let skip = skipped.min(content.bytes());
        skipped -= skip;
        pieces.extend(content.pieces(skip).into_iter().map(|piece| (piece, content.tensor.name.as_str())));
    }
    let mut write = |bytes: &[u8]| {
        file.write_all(bytes).map_err(|e| Failure::other(format!("{}: write: {e}", shown.display())))?;
        bar.inc(bytes.len() as u64);
        Ok(())
    };
    let mut pieces = pieces.into_iter().peekable();
    while let Some((piece, name)) = pieces.next() {
        match piece {
            Piece::Copied(run, copied, mut skip) => {
                progress::show(bar, &format!("copies {name}"));
                let read = run.read(|bytes| {
                    let now = skip.min(bytes.len() as u64);
                    skip -= now;
                    write(&bytes[now as usize..])
                })?;
                if read != copied.sha256 {
                    // The header speaks of other bytes. Of a device, nothing can be taken back.
                    let _ = file.set_len(0);
                    return Err(Failure::other(format!("{} was changed while it was copied", run.path.display())));
                }
            }
            Piece::Zeros(mut left) => {
                while left > 0 {
                    let now = left.min(1 << 16);
                    write(&vec![0; now as usize])?;
                    left -= now;
                }
            }
            Piece::Drawn(first, scale) => {
                let is_alike = |next: &Piece| matches!(next, Piece::Drawn(_, of_next) if *of_next == scale);
                let next = || match pieces.next_if(|(next, _)| is_alike(next))? {
                    (Piece::Drawn(fill, _), name) => Some((*fill, name)),
                    _ => None,
                };
                let fills = std::iter::once((*first, name)).chain(std::iter::from_fn(next));
                let show = |(fill, name): &(Fill, &str)| {
                    progress::show(bar, &progress::draws(engine.name(), fill, name, options.chunk));
                };
                let fills = fills.inspect(show).map(|(fill, _)| fill);
                engine.draw(fills, options.chunk, fp8::as_in_file(scale, &mut write))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use fanin::Seed;
    use fanin::rules::{FileDtype, Tensor};

    use super::*;
    use crate::files::file_range::FileRange;
    use crate::files::provenance::Copied;

    /// The header speaks of bytes that are no longer there.
    #[test]
    fn a_base_that_changes_while_it_is_copied_makes_no_file() {
        let folder = tempfile::TempDir::new().unwrap();
        let (base, out) = (folder.path().join("base"), folder.path().join("out"));
        fs::write(&base, "12345678").unwrap();
        let run = FileRange { path: base.as_path().into(), bytes: 0..8 };
        let copied = CopiedPart { rows: None, sha256: run.sha256().unwrap() };
        let options = WriteOptions { resume: false, shard: None, chunk: 1 << 20, read: vec![base.clone()] };
        let made = || {
            let tensor = Tensor::new("w", [8]).with_dtype(FileDtype::U8);
            let content = Content { copied: Some((run.clone(), copied.clone())), ..Content::zeros(tensor) };
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
