//! The truncated normal by rejection: the twin of `shaders/truncated_normal.wgsl`.
//!
//! A tile of 1,024 elements has 32 groups: group l owns blocks l, l + 32, ..., l + 224 of the tile, so that groups side
//! by side write side by side. Each block draws a candidate for each of its four elements; those that the window rejects
//! are replaced, in order, by the accepted ones among the group's spare candidates, four per attempt.

use std::ops::Range;

use multiversion::multiversion;

use super::math::{PER_STEP, middle_of, neg_ln, scaled};
use super::normal::normals;
use super::{LANES, Lanes, Tile, batches, each4, fill_tiles, interleave, philox_lanes};
use crate::sampler::Numbers;
use crate::{Element, Stream};

/// Groups per tile, each with a bit per element in a word.
const GROUPS: usize = 32;
/// After so many spare attempts what is left becomes `location`; with an acceptance of 0.6 or more that happens to fewer
/// than one group in 2^100.
const ATTEMPTS: u32 = 64;

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill_by_normal<T: Element>(numbers: &Numbers, stream: Stream, range: Range<u64>, slice: &mut [T]) {
    fill_tiles(numbers, range, slice, |number, tile| {
        draw_tile(numbers, number, tile, |low, high, attempt| by_normal(stream, low, high, attempt, numbers));
    });
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill_by_exponential<T: Element>(numbers: &Numbers, stream: Stream, range: Range<u64>, slice: &mut [T]) {
    fill_tiles(numbers, range, slice, |number, tile| {
        draw_tile(numbers, number, tile, |low, high, attempt| by_exponential(stream, low, high, attempt, numbers));
    });
}

/// Four candidates for each of `LANES` blocks or groups, and a bit for each that the window rejects.
struct Candidates {
    values: [Lanes<f32>; 4],
    rejected: Lanes<u32>,
}

/// Four standard normals; those outside the window are rejected.
#[inline(always)]
fn by_normal(stream: Stream, low: &Lanes<u32>, high: u32, attempt: u32, n: &Numbers) -> Candidates {
    let z = normals(&philox_lanes(stream, low, high, attempt));
    let mut rejected = [0; LANES];
    for k in 0..4 {
        for lane in 0..LANES {
            rejected[lane] |= u32::from(z[k][lane] < n.low || z[k][lane] > n.high) << k;
        }
    }
    Candidates { values: each4(&z, |z| scaled(z, n)), rejected }
}

/// Four exponentials, two of each of two blocks: a word for the distance, a word to accept or reject it.
#[inline(always)]
fn by_exponential(stream: Stream, low: &Lanes<u32>, high: u32, attempt: u32, n: &Numbers) -> Candidates {
    let [a0, a1, a2, a3] = philox_lanes(stream, low, high, 2 * attempt);
    let [b0, b1, b2, b3] = philox_lanes(stream, low, high, 2 * attempt + 1);
    let mut values = [[0.0; LANES]; 4];
    let mut rejected = [0; LANES];
    for (k, (w0, w1)) in [(a0, a1), (a2, a3), (b0, b1), (b2, b3)].iter().enumerate() {
        for lane in 0..LANES {
            let (e, outside) = distance(w0[lane], w1[lane], n);
            values[k][lane] = scaled(e, n);
            rejected[lane] |= u32::from(outside) << k;
        }
    }
    Candidates { values, rejected }
}

/// A distance from the near bound, in units of the proposal's mean, and whether it is rejected.
#[inline(always)]
fn distance(w0: u32, w1: u32, n: &Numbers) -> (f32, bool) {
    let v = middle_of(w0) * n.mass_per_step + n.beyond;
    let f = middle_of(!w0) * -n.mass_per_step;
    let e = neg_ln(v, f);
    let v = middle_of(w1) * PER_STEP;
    let f = middle_of(!w1) * -PER_STEP;
    (e, neg_ln(v, f) < n.peak - e * (n.slope - n.curve * e))
}

/// Draws a tile; `candidates` takes the numbers of blocks or groups, low and high halves, and the attempt.
#[inline(always)]
fn draw_tile(n: &Numbers, tile_number: u64, tile: &mut Tile, candidates: impl Fn(&Lanes<u32>, u32, u32) -> Candidates) {
    let mut rejected = [0u32; GROUPS];
    for (batch, low, high, values) in batches(tile_number, tile) {
        let drawn = candidates(&low, high, 0);
        interleave(&drawn.values, values);
        let group = batch * LANES % GROUPS;
        let shift = 4 * (batch * LANES / GROUPS);
        for lane in 0..LANES {
            rejected[group + lane] |= drawn.rejected[lane] << shift;
        }
    }
    redraw(n, tile_number, tile, rejected, candidates);
}

/// Replaces what was rejected. Only groups that wait are drawn, `LANES` at a time.
#[inline(always)]
fn redraw(
    n: &Numbers,
    tile_number: u64,
    tile: &mut Tile,
    mut rejected: [u32; GROUPS],
    candidates: impl Fn(&Lanes<u32>, u32, u32) -> Candidates,
) {
    let group = tile_number * GROUPS as u64;
    let (low, high) = (group as u32, (group >> 32) as u32);
    for attempt in 1..=ATTEMPTS {
        let mut waiting = [0; GROUPS];
        let mut count = 0;
        for lane in 0..GROUPS {
            waiting[count] = lane;
            count += usize::from(rejected[lane] != 0);
        }
        if count == 0 {
            return;
        }
        for batch in waiting[..count].chunks(LANES) {
            // What a last, short batch draws beyond its groups is dropped.
            let mut numbers = [low; LANES];
            for (number, group) in numbers.iter_mut().zip(batch) {
                *number |= *group as u32;
            }
            let drawn = candidates(&numbers, high, attempt);
            for (lane, &group) in batch.iter().enumerate() {
                for k in 0..4 {
                    if rejected[group] != 0 && drawn.rejected[lane] >> k & 1 == 0 {
                        tile[place(group, take_lowest(&mut rejected[group]))] = drawn.values[k][lane];
                    }
                }
            }
        }
    }
    for group in 0..GROUPS {
        while rejected[group] != 0 {
            tile[place(group, take_lowest(&mut rejected[group]))] = n.location;
        }
    }
}

/// Where a group's element is in the tile.
#[inline(always)]
fn place(group: usize, bit: u32) -> usize {
    (bit as usize / 4) * 4 * GROUPS + group * 4 + bit as usize % 4
}

#[inline(always)]
fn take_lowest(mask: &mut u32) -> u32 {
    let bit = mask.trailing_zeros();
    *mask &= *mask - 1;
    bit
}
