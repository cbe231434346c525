//! The uniform distribution: the twin of `shaders/uniform.wgsl`.

use multiversion::multiversion;

use super::{BATCH, Generator, LANES, Piece, blocks_from, fill_units, store, words_of};
use crate::Element;
use crate::sampler::Numbers;

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill<T: Element>(numbers: &Numbers, generator: &Generator, piece: Piece<'_, T>) {
    fill_units::<T, BATCH>(piece, |number, elements| {
        let (low, high) = blocks_from(number * LANES as u64);
        let words = words_of(generator.pairs(&low, high, 0));
        let mut distances = [0.0; BATCH];
        for i in 0..BATCH {
            distances[i] = distance(words[i], numbers);
        }
        store(numbers, distances, None, elements);
    });
}

/// All 32 bits count: the first product is exact, and the others are small beside it, so that the sum is rounded as if it had
/// been exact.
#[inline(always)]
fn distance(word: u32, n: &Numbers) -> f32 {
    let high = (word as i32 >> 16) as f32;
    let low = (word & 0xffff) as f32;
    let rest = high * n.fine + low * n.scale;
    high * n.coarse + rest
}
