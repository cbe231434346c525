//! The uniform distribution: the twin of `shaders/uniform.wgsl`.

use std::ops::Range;

use multiversion::multiversion;

use super::math::{from_signed_word, scaled};
use super::{batches, each4, fill_tiles, interleave, philox_lanes};
use crate::sampler::Numbers;
use crate::{Element, Stream};

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill<T: Element>(numbers: &Numbers, stream: Stream, range: Range<u64>, slice: &mut [T]) {
    fill_tiles(numbers, range, slice, |number, tile| {
        for (_, low, high, values) in batches(number, tile) {
            interleave(&each4(&philox_lanes(stream, &low, high, 0), |w| place(w, numbers)), values);
        }
    });
}

#[inline(always)]
fn place(word: u32, n: &Numbers) -> f32 {
    scaled(from_signed_word((word ^ 0x8000_0000) as i32), n)
}
