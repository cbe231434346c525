//! Values that the host works out, each from its place or from a word. A device gets them from here, and looks them up.

use std::ops::Range;

use super::lanes::Piece;
use super::line::{fits, normal_f32, within};
use super::norms::Norms;
use super::numbers::{Kernel, Numbers};
#[cfg(feature = "gpu")]
use super::table::{ANY, Rows, Table};
use super::twin::{RandomWords, Source, Twin};
use super::uniform::Uniform;
use crate::arithmetic::special;
#[cfg(feature = "gpu")]
use crate::torch::Cursors;
use crate::{Distribution, Dtype, Element, Error, Stream, Structure};

/// The texts of `shaders/` that are the kernel's own.
#[cfg(feature = "gpu")]
pub(crate) const WGSL: &[&str] = &[
    include_str!("../../shaders/table.wgsl"),
    include_str!("../../shaders/lookup.wgsl"),
    include_str!("../../shaders/blocks.wgsl"),
];

/// Values that the host works out in f64.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Values {
    /// A sequence, what becomes of a uniform number, or norms.
    pub distribution: Distribution,
    /// The smallest and the largest value of the dtype within its bounds.
    pub first: f32,
    pub last: f32,
    /// The matrix of whose columns they are norms, if they are.
    pub norms: Option<Norms>,
}

impl Values {
    pub fn new(distribution: &Distribution, dtype: Dtype) -> Result<Values, Error> {
        let last = dtype.max() as f32;
        let mut norms = None;
        let (first, last) = match *distribution {
            Distribution::LogUniform { low, high } => {
                fits(dtype, "low", low)?;
                fits(dtype, "high", high)?;
                within(dtype, low, high, true)?
            }
            Distribution::LogOfUniform { low, high } => {
                fits(dtype, "low", low)?;
                fits(dtype, "high", high)?;
                within(dtype, special::ln(low), special::ln(high), true)?
            }
            Distribution::InverseSoftplus { low, high, .. } => {
                fits(dtype, "low", low)?;
                fits(dtype, "high", high)?;
                (-last, last)
            }
            Distribution::Structured(structure) => {
                structure.check_in(dtype)?;
                if let Structure::ColumnNorms { bound, rows, columns } = structure {
                    norms = Some(Norms { matrix: Uniform::new(-bound, bound, dtype)?, rows, columns });
                }
                (-last, last)
            }
            Distribution::Constant { .. }
            | Distribution::Uniform { .. }
            | Distribution::Normal { .. }
            | Distribution::TruncatedNormal { .. } => unreachable!("kernels draw it"),
        };
        Ok(Values { distribution: *distribution, first, last, norms })
    }

    /// The f32 nearest to a value, with zero for what would be subnormal.
    pub fn held(&self, value: f64) -> f32 {
        let held = normal_f32(value);
        if held < self.first {
            self.first
        } else if held > self.last {
            self.last
        } else {
            held
        }
    }

    /// The sequence, if it is one, that the values are of: how many it has, and how many elements that follow one another have each.
    pub fn sequence(&self) -> Option<(Structure, u64, u64)> {
        let Distribution::Structured(structure) = self.distribution else { return None };
        structure.sequence().map(|(count, inner)| (structure, count, inner))
    }

    /// The value of a word of the stream.
    pub fn of_word(&self, word: u32) -> f32 {
        self.held(self.distribution.of_uniform((f64::from(word) + 0.5) / 2f64.powi(32)))
    }

    /// Hands over the elements of a range in this dtype, made of the stream's words.
    fn draw(&self, stream: Stream, dtype: Dtype, range: Range<u64>, mut next: impl FnMut(f32)) {
        match self.norms {
            Some(norms) => norms.draw(stream, dtype, range, |norm| next(self.held(norm))),
            None => range.for_each(|e| next(self.of_word(stream.block(e / 4, 0)[(e % 4) as usize]))),
        }
    }
}

impl Twin for Values {
    fn kernel(&self) -> Kernel {
        Kernel::Lookup
    }

    fn numbers(&self) -> Numbers {
        // They are what they are.
        Numbers { scale: 1.0, ..Numbers::default() }
    }

    #[cfg(feature = "gpu")]
    fn table(&self) -> Option<Table> {
        let (structure, count, inner) = self.sequence()?;
        let head = [(count * inner) as u32, inner as u32, ANY, 0, 1, 0, count as u32, 0];
        let values = (0..count).map(structure.value()).map(|value| self.held(value).to_bits());
        let words = head.into_iter().chain(values).collect();
        Some(Table { words, rows: Rows { len: count * inner, count: 1, first: 0 } })
    }

    #[cfg(feature = "gpu")]
    fn is_drawn_by_host(&self) -> bool {
        self.sequence().is_none()
    }

    #[cfg(feature = "gpu")]
    fn drawn_by_host(&self, stream: Stream, dtype: Dtype, range: Range<u64>, _: &mut Cursors) -> Vec<f32> {
        let mut values = Vec::with_capacity((range.end - range.start) as usize);
        self.draw(stream, dtype, range, |value| values.push(value));
        values
    }

    fn unit(&self) -> u64 {
        1
    }

    fn words(&self) -> RandomWords {
        if self.sequence().is_none() { RandomWords::Element } else { RandomWords::None }
    }

    fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>) {
        let Piece { range, elements, .. } = piece;
        let Some((structure, count, inner)) = self.sequence() else {
            let mut places = elements.iter_mut();
            return self.draw(source.stream, T::DTYPE, range, |value| {
                if let Some(element) = places.next() {
                    *element = T::round(value);
                }
            });
        };
        // Each value once, from the first that is wanted on.
        let first = range.start / inner;
        let wanted = (range.end.div_ceil(inner) - first).min(count);
        let value = structure.value();
        let table: Vec<T> = (0..wanted).map(|i| T::round(self.held(value((first + i) % count)))).collect();
        let mut rest = elements;
        let mut at = range.start;
        while !rest.is_empty() {
            let len = rest.len().min((inner - at % inner).min(u64::from(u32::MAX)) as usize);
            let (same, after) = rest.split_at_mut(len);
            same.fill(table[((at / inner - first) % count) as usize]);
            (rest, at) = (after, at + len as u64);
        }
    }
}
