//! The uniform distribution: the twin of `shaders/uniform.wgsl`.

use multiversion::multiversion;

use super::{BATCH, Generator, LANES, Piece, blocks_from, fill_units, joined, store, words_of};
use crate::Element;
use crate::sampler::Uniform;

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill<T: Element>(uniform: &Uniform, generator: &Generator, piece: Piece<'_, T>) {
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
