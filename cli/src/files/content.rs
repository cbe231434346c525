//! A tensor to write: what of it is copied, and what is drawn.

use std::cmp::Reverse;

use fanin::{Dtype, Fill, Seed};
use safetensors::Dtype as FileDtype;

use crate::draw::recipe::{Recipe, Tensor};
use crate::failure::Failure;
use crate::files::header::{self, file_dtype};
use crate::files::provenance::Copied;
use crate::files::run::Run;

/// A tensor to write: copied elements come first; those that are neither copied nor drawn are zero.
#[derive(Debug)]
pub struct Content {
    pub name: String,
    pub dtype: FileDtype,
    pub shape: Vec<u64>,
    pub bytes: u64,
    pub copied: Option<(Run, Copied)>,
    /// The recipe of the whole, although its begin may be copied.
    pub drawn: Option<(Recipe, Dtype)>,
}

/// The pieces that are written one after the other.
pub enum Piece<'a> {
    /// A copy but for so many bytes at the begin.
    Copied(&'a Run, &'a Copied, u64),
    /// With the scale of E4M3 numbers, if it has such.
    Drawn(Box<Fill>, Option<f32>),
    Zeros(u64),
}

impl Content {
    pub fn drawn(tensor: Tensor) -> Result<Content, Failure> {
        let dtype = if tensor.recipe.scale.is_some() { Ok(FileDtype::F8_E4M3) } else { file_dtype(tensor.dtype) };
        let dtype = dtype.map_err(|e| Failure::input(format!("tensor \"{}\": {e}", tensor.name)))?;
        let (shape, bytes) = (tensor.recipe.shape(), tensor.bytes());
        Ok(Content { name: tensor.name, dtype, shape, bytes, copied: None, drawn: Some((tensor.recipe, tensor.dtype)) })
    }

    /// A buffer of integers as it is at the start of a training.
    pub fn zeros(tensor: &header::Tensor) -> Result<Content, Failure> {
        let bits = u64::try_from(tensor.dtype.bitsize()).unwrap_or(u64::MAX);
        let elements = fanin::elements(&tensor.shape).map_err(Failure::input)?;
        let bytes = elements.checked_mul(bits).map(|bits| bits.div_ceil(8));
        let bytes = bytes.ok_or_else(|| Failure::input(format!("tensor \"{}\" does not fit a file", tensor.name)))?;
        let (name, shape) = (tensor.name.clone(), tensor.shape.clone());
        Ok(Content { name, dtype: tensor.dtype, shape, bytes, copied: None, drawn: None })
    }

    pub fn elements(&self) -> u64 {
        self.shape.iter().fold(1, |n: u64, &d| n.saturating_mul(d))
    }

    /// The order that the safetensors library writes: the widest elements first, which keeps all aligned, then by name.
    pub fn order(&self) -> impl Ord + '_ {
        (Reverse(self.dtype.bitsize()), self.name.as_str())
    }

    /// All of it but for so many bytes at the begin.
    pub fn pieces(&self, seed: Seed, skip: u64) -> Result<Vec<Piece<'_>>, String> {
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
            let (_, rest) = fill.split_at(skip.max(copied) / recipe.size(*dtype));
            if !rest.is_empty() {
                pieces.push(Piece::Drawn(Box::new(rest), recipe.scale));
            }
        }
        if self.copied.is_none() && self.drawn.is_none() && skip < self.bytes {
            pieces.push(Piece::Zeros(self.bytes - skip));
        }
        Ok(pieces)
    }
}
