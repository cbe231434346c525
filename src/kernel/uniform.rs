//! Uniform numbers, and the twin of `shaders/uniform.wgsl`.

use multiversion::multiversion;

use super::lanes::{BATCH, Generator, LANES, Piece, blocks_from, fill_units, words_of};
use super::line::{Line, asking, asks, fits, joined, normal_f32, scaled, store, within};
use super::numbers::{Kernel, Numbers};
use super::twin::{Source, Twin};
use crate::{Dtype, Element, Error};

/// The texts of `shaders/` that are the kernel's own.
#[cfg(feature = "gpu")]
pub(crate) const WGSL: &[&str] =
    &[include_str!("../../shaders/uniform.wgsl"), include_str!("../../shaders/blocks.wgsl")];

/// A line of whole words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Uniform {
    pub line: Line,
    /// The line's scale times 2^16, in two parts, the first of which has 8 bits.
    pub coarse: f32,
    pub fine: f32,
}

impl Uniform {
    pub fn new(low: f64, high: f64, dtype: Dtype) -> Result<Uniform, Error> {
        fits(dtype, "low", low)?;
        fits(dtype, "high", high)?;
        let bounds = within(dtype, low, high, true)?;
        let (middle, half) = (low / 2.0 + high / 2.0, high / 2.0 - low / 2.0);
        let line = asking(scaled(middle, half / 2f64.powi(31), low.abs().max(high.abs()), bounds), asks::BOUNDS);
        let per_high_half = half / f64::from(line.unit) / 2f64.powi(15);
        let coarse = f32::from_bits(normal_f32(per_high_half).to_bits() & 0xffff_0000);
        let fine = normal_f32(per_high_half - f64::from(coarse));
        Ok(Uniform { line, coarse, fine })
    }
}

impl Twin for Uniform {
    fn kernel(&self) -> Kernel {
        Kernel::Uniform
    }

    fn numbers(&self) -> Numbers {
        Numbers { coarse: self.coarse, fine: self.fine, ..self.line.into() }
    }

    fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>) {
        fill(self, &source.generator, piece);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn fill<T: Element>(uniform: &Uniform, generator: &Generator, piece: Piece<'_, T>) {
    fill_units::<T, BATCH>(piece, |number, elements| {
        let (low, high) = blocks_from(number * LANES as u64);
        let words = words_of(generator.pairs(&low, high, 0));
        let (mut distances, mut rests) = ([0.0; BATCH], [0.0; BATCH]);
        for i in 0..BATCH {
            let high = (words[i] as i32 >> 16) as f32;
            distances[i] = high * uniform.coarse;
            // All 32 bits count: the product of the high half is exact, and what it leaves out is small beside it.
            rests[i] = high * uniform.fine + (words[i] & 0xffff) as f32 * uniform.line.scale;
        }
        store(&uniform.line, joined(&uniform.line, distances, rests), elements);
    });
}
