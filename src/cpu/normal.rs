//! The normal distribution: the twin of `shaders/normal.wgsl`.

use std::ops::Range;

use multiversion::multiversion;

use super::math::{normal_pair, scaled};
use super::{LANES, Lanes, batches, each4, fill_tiles, interleave, philox_lanes};
use crate::sampler::Numbers;
use crate::{Element, Stream};

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill<T: Element>(numbers: &Numbers, stream: Stream, range: Range<u64>, slice: &mut [T]) {
    fill_tiles(numbers, range, slice, |number, tile| {
        for (_, low, high, values) in batches(number, tile) {
            let z = normals(&philox_lanes(stream, &low, high, 0));
            interleave(&each4(&z, |z| scaled(z, numbers)), values);
        }
    });
}

/// Four standard normals of each block's four words.
#[inline(always)]
pub(super) fn normals(words: &[Lanes<u32>; 4]) -> [Lanes<f32>; 4] {
    let mut z = [[0.0; LANES]; 4];
    for lane in 0..LANES {
        (z[0][lane], z[1][lane]) = normal_pair(words[0][lane], words[1][lane]);
    }
    for lane in 0..LANES {
        (z[2][lane], z[3][lane]) = normal_pair(words[2][lane], words[3][lane]);
    }
    z
}
