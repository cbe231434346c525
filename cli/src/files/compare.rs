//! The comparison of a tensor's bytes in a file with those that are drawn.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use fanin::Fill;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::draw::engine::Engine;
use crate::draw::fp8;
use crate::failure::Failure;

/// The findings of a comparison.
#[derive(Default, Serialize)]
pub struct Comparison {
    /// The first element that differs.
    pub first: Option<u64>,
    pub different: u64,
    pub compared: u64,
}

impl Comparison {
    /// The text of the differences.
    pub fn to_text(&self) -> String {
        let Comparison { first, different, compared } = self;
        format!("{different} of {compared} values differ, the first is element {}", first.unwrap_or_default())
    }
}

/// The place of a tensor in a file.
pub struct StoredTensor<'a> {
    pub file: &'a File,
    pub path: &'a Path,
    pub start: u64,
    /// The scale of E4M3 numbers, if it has such.
    pub scale: Option<f32>,
}

/// Compares runs of elements with what is drawn, and adds what is stored to a hash.
pub fn compare(
    stored: &StoredTensor,
    fill: &Fill,
    runs: &[Range<u64>],
    engine: &Engine,
    hash: &mut Option<Sha256>,
) -> Result<Comparison, Failure> {
    let failed = |e: std::io::Error| Failure::other(format!("{}: {e}", stored.path.display()));
    let size = if stored.scale.is_some() { 1 } else { fill.dtype().bytes(1) };
    let mut file = stored.file;
    let mut found = Comparison::default();
    let mut bytes = Vec::new();
    for run in runs.iter().filter(|run| !run.is_empty()) {
        file.seek(SeekFrom::Start(stored.start + run.start * size)).map_err(failed)?;
        let some = fill.split_at(run.end).0.split_at(run.start).1;
        let mut at = run.start;
        let take = |drawn: &[u8]| {
            bytes.resize(drawn.len(), 0);
            file.read_exact(&mut bytes).map_err(failed)?;
            if let Some(hash) = hash {
                hash.update(&bytes);
            }
            if bytes != drawn {
                let pairs = bytes.chunks(size as usize).zip(drawn.chunks(size as usize));
                for (i, _) in pairs.enumerate().filter(|(_, (a, b))| a != b) {
                    found.first.get_or_insert(at + i as u64);
                    found.different += 1;
                }
            }
            at += drawn.len() as u64 / size;
            Ok(())
        };
        engine.draw(std::iter::once(some), engine.chunk(u64::MAX), fp8::as_in_file(stored.scale, take))?;
        found.compared += at - run.start;
    }
    Ok(found)
}
