//! A range of a file's bytes, read a piece at a time.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::files::regular;
use crate::sha256::hex;

/// The number of bytes that are read at once.
const PIECE: u64 = 1 << 20;

/// A range of a file's bytes.
#[derive(Clone, Debug)]
pub struct FileRange {
    pub path: Arc<Path>,
    pub bytes: Range<u64>,
}

impl FileRange {
    pub fn len(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }

    /// The first bytes of the range.
    pub fn first(&self, len: u64) -> FileRange {
        FileRange {
            path: self.path.clone(),
            bytes: self.bytes.start..self.bytes.end.min(self.bytes.start.saturating_add(len)),
        }
    }

    /// Hands the bytes over in order, and returns their SHA-256 in hexadecimal.
    pub fn read(&self, mut take: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<String, Failure> {
        let failed = |e: std::io::Error| Failure::other(format!("{}: {e}", self.path.display()));
        let mut file = regular::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(self.bytes.start)).map_err(failed)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; self.len().min(PIECE) as usize];
        let mut left = self.len();
        while left > 0 {
            let piece = &mut buffer[..left.min(PIECE) as usize];
            file.read_exact(piece).map_err(failed)?;
            hash.update(&*piece);
            take(piece)?;
            left -= piece.len() as u64;
        }
        Ok(hex(hash))
    }

    pub fn sha256(&self) -> Result<String, Failure> {
        self.read(|_| Ok(()))
    }
}
