//! A tensor to write: what of it is copied, and what is drawn.

use std::cmp::Reverse;

use fanin::Fill;
use fanin::rules::{FileDtype, Recipe, Split, Tensor};

use crate::files::file_range::FileRange;
use crate::files::header::holds;
use crate::files::provenance::CopiedPart;

/// A tensor to write: copied elements come first; those that are neither copied nor drawn are zero.
#[derive(Debug)]
pub struct Content {
    /// The tensor as it is in the file.
    pub tensor: Tensor,
    /// The way in which ranks share it, if its rule says so.
    pub split: Option<Split>,
    pub copied: Option<(FileRange, CopiedPart)>,
    /// The recipe and the fill of the whole, although its begin may be copied.
    pub drawn: Option<(Recipe, Fill)>,
}

/// The pieces that are written one after the other.
pub enum Piece<'a> {
    /// A copy but for so many bytes at the begin.
    Copied(&'a FileRange, &'a CopiedPart, u64),
    /// A draw, and the scale of its E4M3 numbers, if it has such.
    Drawn(Box<Fill>, Option<f32>),
    Zeros(u64),
}

impl Content {
    pub fn zeros(tensor: Tensor) -> Content {
        Content { tensor, split: None, copied: None, drawn: None }
    }

    pub fn drawn(name: impl Into<String>, recipe: Recipe, fill: Fill) -> Content {
        let dtype = if recipe.scale.is_some() { FileDtype::F8E4M3 } else { fill.dtype().into() };
        let tensor = Tensor::new(name, fill.shape()).with_dtype(dtype);
        Content { drawn: Some((recipe, fill)), ..Content::zeros(tensor) }
    }

    pub fn elements(&self) -> u64 {
        self.tensor.shape.iter().fold(1, |n: u64, &d| n.saturating_mul(d))
    }

    pub fn bytes(&self) -> u64 {
        let bits = u128::from(self.elements()) * u128::from(holds(&self.tensor).bits());
        u64::try_from(bits.div_ceil(8)).unwrap_or(u64::MAX)
    }

    /// The order that the safetensors library writes: the widest elements first, which keeps all aligned, then by name.
    pub fn order(&self) -> impl Ord + '_ {
        (Reverse(holds(&self.tensor).bits()), self.tensor.name.as_str())
    }

    /// The pieces of all of it but for so many bytes at the begin.
    pub fn pieces(&self, skip: u64) -> Vec<Piece<'_>> {
        let mut pieces = Vec::new();
        let mut copied = 0;
        if let Some((range, said)) = &self.copied {
            copied = range.len();
            if skip < copied {
                pieces.push(Piece::Copied(range, said, skip));
            }
        }
        if let Some((recipe, fill)) = &self.drawn {
            let (_, rest) = fill.split_at(skip.max(copied) / u64::from(holds(&self.tensor).bits() / 8));
            if !rest.is_empty() {
                pieces.push(Piece::Drawn(Box::new(rest), recipe.scale));
            }
        }
        if self.copied.is_none() && self.drawn.is_none() && skip < self.bytes() {
            pieces.push(Piece::Zeros(self.bytes() - skip));
        }
        pieces
    }
}
