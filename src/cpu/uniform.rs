//! The uniform distribution: the twin of `shaders/uniform.wgsl`.

use std::ops::Range;

use multiversion::multiversion;

use super::math::place;
use super::{batches, each4, fill_tiles, interleave, philox_lanes};
use crate::sampler::Numbers;
use crate::{Element, Stream};

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill<T: Element>(numbers: &Numbers, stream: Stream, range: Range<u64>, slice: &mut [T]) {
    fill_tiles(numbers, range, slice, |number, tile| {
        for (_, low, high, values) in batches(number, tile) {
            interleave(&each4(&philox_lanes(stream, &low, high, 0), |w| uniform(w, numbers)), values);
        }
    });
}

/// All 32 bits count: the first product is exact, and the others are small beside it, so that the sum is rounded as if it had
/// been exact.
#[inline(always)]
fn uniform(word: u32, n: &Numbers) -> f32 {
    let i = (word ^ 0x8000_0000) as i32;
    let high = (i >> 16) as f32;
    let low = (i & 0xffff) as f32;
    let rest = high * n.fine + low * n.scale;
    place(high * n.coarse + rest, n)
}
