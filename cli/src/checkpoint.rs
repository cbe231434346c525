//! Writing a safetensors file, a chunk at a time, whole or not at all.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::Path;

use fanin::{Dtype, Fill};
use indicatif::{ProgressBar, ProgressStyle};
use safetensors::tensor::{Metadata, TensorInfo};

use crate::engine::{CHUNK, Engine};
use crate::failure::Failure;

/// A tensor of the file: what is drawn, and the shape that the file says.
pub struct Tensor {
    pub name: String,
    pub shape: Vec<u64>,
    pub fill: Fill,
}

/// What was written.
pub struct Written {
    pub values: u64,
    pub bytes: u64,
}

/// Draws the tensors and writes them. The file appears under its name when it is complete; until then it has another
/// name beside it, and none if anything fails.
pub fn write(path: &Path, provenance: String, mut tensors: Vec<Tensor>, engine: &Engine) -> Result<Written, Failure> {
    // The order that the safetensors library writes: the widest elements first, which keeps all aligned, then by name.
    tensors.sort_by(|a, b| (b.fill.dtype().size(), &a.name).cmp(&(a.fill.dtype().size(), &b.name)));
    let header = header(provenance, &tensors)?;
    let bytes = tensors.iter().map(|t| t.fill.len() * t.fill.dtype().size()).sum();

    let shown = path.display();
    let cannot_open = |e: std::io::Error| Failure::input(format!("{shown} cannot be written: {e}"));
    let failed = |e: &dyn std::fmt::Display| Failure::other(format!("{shown}: {e}"));
    let existing = fs::metadata(path).ok();
    if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(Failure::input(format!("{shown} is a directory, allowed: a file's name")));
    }
    // A device or a pipe is written to; it must not be replaced by a file.
    if existing.is_some_and(|m| !m.is_file()) {
        let file = OpenOptions::new().write(true).open(path).map_err(cannot_open)?;
        stream(&file, &header, &tensors, bytes, engine, &failed)?;
    } else {
        // A link is followed, so that its target is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".fanin-").suffix(".partial");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask, as any new file
        let file = builder.tempfile_in(folder).map_err(cannot_open)?;
        stream(file.as_file(), &header, &tensors, bytes, engine, &failed)?;
        file.as_file().sync_all().map_err(|e| failed(&e))?;
        file.persist(&path).map_err(|e| failed(&e.error))?;
    }
    Ok(Written { values: tensors.iter().map(|t| t.fill.len()).sum(), bytes })
}

/// Length, JSON, padding to 8 bytes.
fn header(provenance: String, tensors: &[Tensor]) -> Result<Vec<u8>, Failure> {
    let mut end = 0usize;
    let mut infos = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let too_large =
            || Failure::input(format!("tensor \"{}\" of shape {:?} does not fit a file", tensor.name, tensor.shape));
        let dtype = match tensor.fill.dtype() {
            Dtype::F32 => safetensors::Dtype::F32,
            Dtype::F16 => safetensors::Dtype::F16,
            Dtype::BF16 => safetensors::Dtype::BF16,
        };
        let bytes = tensor.fill.len().checked_mul(tensor.fill.dtype().size()).and_then(|b| usize::try_from(b).ok());
        let start = end;
        end = bytes.and_then(|b| start.checked_add(b)).filter(|&e| e <= isize::MAX as usize).ok_or_else(too_large)?;
        let shape =
            tensor.shape.iter().map(|&d| usize::try_from(d)).collect::<Result<_, _>>().map_err(|_| too_large())?;
        infos.push((tensor.name.clone(), TensorInfo { dtype, shape, data_offsets: (start, end) }));
    }
    // One entry: the map's order is not defined.
    let metadata = HashMap::from([("fanin".to_string(), provenance)]);
    let metadata = Metadata::new(Some(metadata), infos).map_err(Failure::input)?;
    let mut json = serde_json::to_vec(&metadata).map_err(Failure::other)?;
    json.resize(json.len().next_multiple_of(8), b' ');
    Ok([&(json.len() as u64).to_le_bytes(), json.as_slice()].concat())
}

fn stream(
    file: &File,
    header: &[u8],
    tensors: &[Tensor],
    bytes: u64,
    engine: &Engine,
    failed: &dyn Fn(&dyn std::fmt::Display) -> Failure,
) -> Result<(), Failure> {
    // Drawn on a terminal, hidden elsewhere.
    let bar = ProgressBar::new(bytes);
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut out = BufWriter::with_capacity(1 << 20, file);
    out.write_all(header).map_err(|e| failed(&e))?;
    for tensor in tensors {
        bar.set_message(tensor.name.clone());
        let range = tensor.fill.range();
        let step = CHUNK / tensor.fill.dtype().size();
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + step);
            let part = tensor.fill.part(start..end).map_err(Failure::other)?;
            let drawn = engine.draw(&part)?;
            out.write_all(&drawn).map_err(|e| failed(&e))?;
            bar.inc(drawn.len() as u64);
            start = end;
        }
    }
    out.flush().map_err(|e| failed(&e))?;
    bar.finish_and_clear();
    Ok(())
}
