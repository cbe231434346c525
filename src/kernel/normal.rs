//! Normal numbers, and the twin of `shaders/normal.wgsl`.

use multiversion::multiversion;

use super::lanes::{BATCH, Batch, Generator, LANES, Pairs, Piece, blocks_from, fill_units};
use super::line::{Line, asking, asks, fits, joined, scaled, store, within};
use super::numbers::{Kernel, Numbers};
use super::twin::{Source, Twin};
use crate::arithmetic::math::{RADIUS_UNIT, normal_pair, spread};
use crate::{Dtype, Element, Error};

/// The texts of `shaders/` that are the kernel's own.
#[cfg(feature = "gpu")]
pub(crate) const WGSL: &[&str] =
    &[include_str!("../../shaders/normal.wgsl"), include_str!("../../shaders/blocks.wgsl")];

/// A mean plus a standard deviation times pairs of Box and Muller's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Normal {
    pub line: Line,
}

impl Normal {
    /// The normal, if its values vary.
    pub fn new(mean: f64, std: f64, dtype: Dtype) -> Result<Option<Normal>, Error> {
        fits(dtype, "mean", mean)?;
        fits(dtype, "std", std)?;
        if std == 0.0 {
            return Ok(None);
        }
        let bounds = within(dtype, f64::NEG_INFINITY, f64::INFINITY, false)?;
        let line = scaled(mean, std * RADIUS_UNIT, mean.abs().max(std), bounds);
        // No standard normal reaches 7.
        let overflows = mean.abs() + 7.0 * std > dtype.max();
        Ok(Some(Normal { line: asking(line, if overflows { asks::BOUNDS } else { 0 }) }))
    }
}

impl Twin for Normal {
    fn kernel(&self) -> Kernel {
        Kernel::Normal
    }

    fn numbers(&self) -> Numbers {
        self.line.into()
    }

    fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>) {
        fill(&self.line, &source.generator, piece);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn fill<T: Element>(line: &Line, generator: &Generator, piece: Piece<'_, T>) {
    fill_units::<T, BATCH>(piece, |number, elements| {
        let (low, high) = blocks_from(number * LANES as u64);
        let pairs = generator.pairs(&low, high, 0);
        let distances = normals(&pairs, line.scale);
        if line.asks & asks::LOCATION == 0 {
            return store(line, distances, elements);
        }
        let mut rests = [0.0; BATCH];
        for i in 0..BATCH {
            rests[i] = distances[i] * spread((pairs[i / 2] >> 32) as u32);
        }
        store(line, joined(line, distances, rests), elements);
    });
}

/// Two normals of each pair of words.
#[inline(always)]
pub(super) fn normals(pairs: &Pairs<u64>, scale: f32) -> Batch<f32> {
    let (mut w0, mut w1) = ([0; 2 * LANES], [0; 2 * LANES]);
    for i in 0..2 * LANES {
        (w0[i], w1[i]) = (pairs[i] as u32, (pairs[i] >> 32) as u32);
    }
    let (mut z0, mut z1) = ([0.0; 2 * LANES], [0.0; 2 * LANES]);
    for i in 0..2 * LANES {
        (z0[i], z1[i]) = normal_pair(w0[i], w1[i], scale);
    }
    let mut z = [0.0; BATCH];
    for i in 0..2 * LANES {
        (z[2 * i], z[2 * i + 1]) = (z0[i], z1[i]);
    }
    z
}
