//! The truncated normal by rejection: the twin of `shaders/truncated_normal.wgsl`.
//!
//! A tile of 1,024 elements has 32 groups: group l owns blocks l, l + 32, ..., l + 224 of the tile, so that groups side
//! by side write side by side. Each block draws a candidate for each of its four elements; those that the window rejects
//! are replaced, in order, by the accepted ones among the group's spare candidates, four per attempt.

use multiversion::multiversion;

use super::math::{middle_of, neg_ln, neg_ln_of_word};
use super::normal::normals;
use super::{BATCH, Batch, Generator, LANES, Lanes, Piece, blocks_from, fill_units, rounding, store};
use crate::Element;
use crate::sampler::Numbers;

const TILE: usize = super::TILE as usize;
/// Groups per tile, each with a bit per element in a word.
const GROUPS: usize = 32;
/// After so many spare attempts what is left becomes `location`; with an acceptance of 0.6 or more that happens to fewer
/// than one group in 2^100.
const ATTEMPTS: u32 = 64;

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill_by_normal<T: Element>(numbers: &Numbers, generator: &Generator, piece: Piece<'_, T>) {
    fill_units::<T, TILE>(piece, |number, tile| {
        draw_tile(numbers, number, tile, |low, high, attempt| by_normal(generator, low, high, attempt, numbers));
    });
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill_by_exponential<T: Element>(numbers: &Numbers, generator: &Generator, piece: Piece<'_, T>) {
    fill_units::<T, TILE>(piece, |number, tile| {
        draw_tile(numbers, number, tile, |low, high, attempt| by_exponential(generator, low, high, attempt, numbers));
    });
}

/// Four candidates for each of `LANES` blocks or groups, and a bit for each that the window rejects.
struct Candidates {
    distances: Batch<f32>,
    rejected: Lanes<u32>,
}

/// Four standard normals; those outside the window are rejected.
#[inline(always)]
fn by_normal(generator: &Generator, low: &Lanes<u32>, high: u32, attempt: u32, n: &Numbers) -> Candidates {
    let mut distances = normals(&generator.pairs(low, high, attempt));
    let mut outside = [0; BATCH];
    for i in 0..BATCH {
        outside[i] = u32::from(distances[i] < n.low || distances[i] > n.high);
        distances[i] *= n.scale;
    }
    Candidates { distances, rejected: bits_of(&outside) }
}

/// Four exponentials, two of each of two blocks: a word for the distance, a word to accept or reject it.
#[inline(always)]
fn by_exponential(generator: &Generator, low: &Lanes<u32>, high: u32, attempt: u32, n: &Numbers) -> Candidates {
    let a = generator.pairs(low, high, 2 * attempt);
    let b = generator.pairs(low, high, 2 * attempt + 1);
    let (mut w0, mut w1) = ([0; BATCH], [0; BATCH]);
    for lane in 0..LANES {
        for (k, pair) in [a[2 * lane], a[2 * lane + 1], b[2 * lane], b[2 * lane + 1]].into_iter().enumerate() {
            (w0[4 * lane + k], w1[4 * lane + k]) = (pair as u32, (pair >> 32) as u32);
        }
    }
    let (mut distances, mut outside) = ([0.0; BATCH], [0; BATCH]);
    for i in 0..BATCH {
        let e = distance(w0[i], n);
        distances[i] = e * n.scale;
        outside[i] = u32::from(neg_ln_of_word(w1[i]) < n.peak - e * (n.slope - n.curve * e));
    }
    Candidates { distances, rejected: bits_of(&outside) }
}

/// A bit for each of a block's four.
#[inline(always)]
fn bits_of(outside: &Batch<u32>) -> Lanes<u32> {
    let mut bits = [0; LANES];
    for lane in 0..LANES {
        for k in 0..4 {
            bits[lane] |= outside[4 * lane + k] << k;
        }
    }
    bits
}

/// A distance from the near bound, in units of the proposal's mean.
#[inline(always)]
fn distance(w: u32, n: &Numbers) -> f32 {
    neg_ln(middle_of(w) * n.mass_per_step + n.beyond, middle_of(!w) * -n.mass_per_step)
}

/// Draws a tile; `candidates` takes the numbers of blocks or groups, low and high halves, and the attempt.
#[inline(always)]
fn draw_tile<T: Element>(
    n: &Numbers,
    tile_number: u64,
    tile: &mut [T; TILE],
    candidates: impl Fn(&Lanes<u32>, u32, u32) -> Candidates,
) {
    // A batch has one block of each group.
    const { assert!(LANES == GROUPS) };
    let mut rejected = [0u32; GROUPS];
    for (j, elements) in tile.chunks_exact_mut(BATCH).enumerate() {
        let (low, high) = blocks_from(tile_number * (TILE / 4) as u64 + (j * LANES) as u64);
        let drawn = candidates(&low, high, 0);
        store(n, drawn.distances, elements.try_into().expect("a whole batch"));
        for group in 0..GROUPS {
            rejected[group] |= drawn.rejected[group] << (4 * j);
        }
    }
    redraw(n, tile_number, tile, rejected, candidates);
}

/// Replaces what was rejected. Only groups that wait are drawn.
#[inline(always)]
fn redraw<T: Element>(
    n: &Numbers,
    tile_number: u64,
    tile: &mut [T; TILE],
    mut rejected: [u32; GROUPS],
    candidates: impl Fn(&Lanes<u32>, u32, u32) -> Candidates,
) {
    let group = tile_number * GROUPS as u64;
    let (low, high) = (group as u32, (group >> 32) as u32);
    for attempt in 1..=ATTEMPTS {
        let mut waiting = [0; GROUPS];
        let mut count = 0;
        for group in 0..GROUPS {
            waiting[count] = group;
            count += usize::from(rejected[group] != 0);
        }
        if count == 0 {
            return;
        }
        // What is drawn beyond the groups that wait is dropped.
        let mut numbers = [low; LANES];
        for lane in 0..LANES {
            numbers[lane] |= waiting[lane] as u32;
        }
        let drawn = candidates(&numbers, high, attempt);
        let mut spare = [T::zeroed(); BATCH];
        store(n, drawn.distances, &mut spare);
        for (lane, &group) in waiting[..count].iter().enumerate() {
            let mut left = rejected[group];
            for k in 0..4 {
                if left == 0 {
                    break;
                }
                // Written also where the candidate is rejected, for the next one to overwrite: no branch to guess.
                tile[place(group, left.trailing_zeros())] = spare[4 * lane + k];
                let without_lowest = left & (left - 1);
                left = if drawn.rejected[lane] >> k & 1 == 0 { without_lowest } else { left };
            }
            rejected[group] = left;
        }
    }
    for group in 0..GROUPS {
        while rejected[group] != 0 {
            tile[place(group, rejected[group].trailing_zeros())] = T::round(rounding::finish(0.0, n));
            rejected[group] &= rejected[group] - 1;
        }
    }
}

/// Where a group's element is in the tile.
#[inline(always)]
fn place(group: usize, bit: u32) -> usize {
    (bit as usize / 4) * 4 * GROUPS + group * 4 + bit as usize % 4
}
