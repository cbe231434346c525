//! A tensor to write: what of it is copied, and what is drawn.

use std::cmp::Reverse;

use fanin::{Dtype, Fill};
use safetensors::Dtype as FileDtype;

use crate::draw::recipe::{Recipe, Tensor};
use crate::draw::seed::Seed;
use crate::failure::Failure;
use crate::files::header::file_dtype;
use crate::files::provenance::Copied;
use crate::files::run::Run;

/// A tensor to write. What is copied comes first.
#[derive(Debug)]
pub struct Content {
    pub name: String,
    pub dtype: FileDtype,
    pub shape: Vec<u64>,
    pub bytes: u64,
    pub copied: Option<(Run, Copied)>,
    /// As a whole, although its begin may be copied.
    pub drawn: Option<(Recipe, Dtype)>,
}

/// What is written one after the other.
pub enum Piece<'a> {
    /// But for so many bytes at the begin.
    Copied(&'a Run, &'a Copied, u64),
    Drawn(Fill),
}

impl Content {
    pub fn drawn(tensor: Tensor) -> Result<Content, Failure> {
        let dtype = file_dtype(tensor.dtype);
        let dtype = dtype.map_err(|e| Failure::input(format!("tensor \"{}\": {e}", tensor.name)))?;
        let (shape, bytes) = (tensor.recipe.shape(), tensor.bytes());
        Ok(Content { name: tensor.name, dtype, shape, bytes, copied: None, drawn: Some((tensor.recipe, tensor.dtype)) })
    }

    /// The order that the safetensors library writes: the widest elements first, which keeps all aligned, then by name.
    pub fn order(&self) -> impl Ord + '_ {
        (Reverse(self.dtype.bitsize()), self.name.as_str())
    }

    /// All of it but for so many bytes at the begin.
    pub fn pieces(&self, seed: Seed, skip: u64) -> Result<Vec<Piece<'_>>, fanin::Error> {
        let mut pieces = Vec::new();
        let mut copied = 0;
        if let Some((run, said)) = &self.copied {
            copied = run.len();
            if skip < copied {
                pieces.push(Piece::Copied(run, said, skip));
            }
        }
        if let Some((recipe, dtype)) = &self.drawn {
            let fill = recipe.fill(seed, *dtype)?;
            let (_, rest) = fill.split_at(skip.max(copied) / dtype.bytes(1));
            if !rest.is_empty() {
                pieces.push(Piece::Drawn(rest));
            }
        }
        Ok(pieces)
    }
}
