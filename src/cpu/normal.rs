//! The normal distribution: the twin of `shaders/normal.wgsl`.

use multiversion::multiversion;

use super::{BATCH, Batch, Generator, LANES, Pairs, Piece, blocks_from, fill_units, joined, store};
use crate::Element;
use crate::arithmetic::math::{normal_pair, spread};
use crate::sampler::{Line, asks};

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill<T: Element>(line: &Line, generator: &Generator, piece: Piece<'_, T>) {
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
