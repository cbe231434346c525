//! The truncated normal by rejection: the twin of `shaders/truncated_normal.wgsl`.
//!
//! A tile of 1,024 elements has 32 groups: group l owns blocks l, l + 32, ..., l + 224 of the tile, so that groups side
//! by side write side by side. Each block draws a candidate for each of its four elements; those that the window rejects
//! are replaced, in order, by the accepted ones among the group's spare candidates, four per attempt.

use std::hint::select_unpredictable;

use multiversion::multiversion;

use super::normal::normals;
use super::{BATCH, Batch, Generator, LANES, Lanes, Piece, blocks_from, fill_units, joined, store};
use crate::Element;
use crate::arithmetic::math::{middle_of, middle_of_unsigned, neg_ln, spread, twice_neg_ln};
use crate::sampler::{ByExponential, ByNormal, Line, asks};

const TILE: usize = super::TILE as usize;
/// Groups per tile, each with a bit per element in a word.
const GROUPS: usize = 32;
/// After so many spare attempts what is left becomes `location`; with an acceptance of 0.48 or more that happens to fewer
/// than one group in 2^100.
const ATTEMPTS: u32 = 64;

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill_by_normal<T: Element>(n: &ByNormal, generator: &Generator, piece: Piece<'_, T>) {
    fill_units::<T, TILE>(piece, |number, tile| {
        draw_tile(&n.line, number, tile, |low, high, attempt, elements| {
            by_normal(n, generator, low, high, attempt, elements)
        });
    });
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill_by_exponential<T: Element>(n: &ByExponential, generator: &Generator, piece: Piece<'_, T>) {
    fill_units::<T, TILE>(piece, |number, tile| {
        draw_tile(&n.line, number, tile, |low, high, attempt, elements| {
            by_exponential(n, generator, low, high, attempt, elements)
        });
    });
}

/// Four normals for each of `LANES` blocks or groups; gives a bit for each that is outside the window.
#[inline(always)]
fn by_normal<T: Element>(
    n: &ByNormal,
    generator: &Generator,
    low: &Lanes<u32>,
    high: u32,
    attempt: u32,
    elements: &mut Batch<T>,
) -> Lanes<u32> {
    let pairs = generator.pairs(low, high, attempt);
    let distances = normals(&pairs, n.line.scale);
    let mut outside = [0; BATCH];
    for i in 0..BATCH {
        outside[i] = u8::from(distances[i] < n.low) | u8::from(distances[i] > n.high);
    }
    if n.line.asks & asks::LOCATION == 0 {
        store(&n.line, distances, elements);
    } else {
        let mut rests = [0.0; BATCH];
        for i in 0..BATCH {
            // Spread by nothing at a bound, so that none is passed.
            let d = distances[i];
            let (above, below) = (d - n.low, n.high - d);
            let room = if below < above { below } else { above };
            rests[i] = if d.abs() < room { d.abs() } else { room } * spread((pairs[i / 2] >> 32) as u32);
        }
        store(&n.line, joined(&n.line, distances, rests), elements);
    }
    bits_of(&outside)
}

/// Four exponentials, two of each of two blocks: a word for the distance, a word to accept or reject it.
#[inline(always)]
fn by_exponential<T: Element>(
    n: &ByExponential,
    generator: &Generator,
    low: &Lanes<u32>,
    high: u32,
    attempt: u32,
    elements: &mut Batch<T>,
) -> Lanes<u32> {
    let a = generator.pairs(low, high, 2 * attempt);
    let b = generator.pairs(low, high, 2 * attempt + 1);
    let (mut w0, mut w1) = ([0; BATCH], [0; BATCH]);
    for lane in 0..LANES {
        for (k, pair) in [a[2 * lane], a[2 * lane + 1], b[2 * lane], b[2 * lane + 1]].into_iter().enumerate() {
            (w0[4 * lane + k], w1[4 * lane + k]) = (pair as u32, (pair >> 32) as u32);
        }
    }
    let mut t = [0.0; BATCH];
    let narrow = n.line.asks & asks::NARROW != 0;
    if narrow {
        for i in 0..BATCH {
            t[i] = middle_of_unsigned(w0[i]);
        }
    } else {
        for i in 0..BATCH {
            t[i] = middle_of(w0[i] as i32);
        }
    }
    let (mut distances, mut rests, mut outside) = ([0.0; BATCH], [0.0; BATCH], [0; BATCH]);
    for i in 0..BATCH {
        let e = distance(t[i], narrow | (t[i] < 0.0), n);
        let threshold = n.peak - e * (n.slope - n.curve * e);
        outside[i] = u8::from(twice_neg_ln(middle_of(w1[i] as i32)) < threshold);
        // Spread by nothing at a bound, so that none is passed.
        let beyond = n.width - e;
        distances[i] = n.line.scale * e;
        rests[i] = n.line.scale * (if beyond < e { beyond } else { e } * spread(w1[i]));
    }
    store(&n.line, joined(&n.line, distances, rests), elements);
    bits_of(&outside)
}

/// A bit for each of a block's four, from a byte for each.
#[inline(always)]
fn bits_of(outside: &Batch<u8>) -> Lanes<u32> {
    let mut bits: Lanes<u32> = bytemuck::cast(*outside);
    for lane in 0..LANES {
        let bytes = u32::from_le(bits[lane]);
        bits[lane] = (bytes | bytes >> 7 | bytes >> 14 | bytes >> 21) & 0xf;
    }
    bits
}

/// A distance from the near bound, in units of the proposal's mean, from the exponential's mass that lies nearer (`near`, where it
/// is the lesser part), or farther.
#[inline(always)]
fn distance(t: f32, near: bool, n: &ByExponential) -> f32 {
    let p = t * n.mass_per_step;
    let v = if near { 1.0 } else { n.beyond } + p;
    neg_ln(v, if near { p } else { v - 1.0 })
}

/// Draws a tile; `candidates` takes the numbers of blocks or groups, low and high halves, the attempt, and where four elements of each
/// go, and gives a bit for each that the window rejects.
#[inline(always)]
fn draw_tile<T: Element>(
    line: &Line,
    tile_number: u64,
    tile: &mut [T; TILE],
    candidates: impl Fn(&Lanes<u32>, u32, u32, &mut Batch<T>) -> Lanes<u32>,
) {
    // A batch has one block of each group.
    const { assert!(LANES == GROUPS) };
    let mut rejected = [0u32; GROUPS];
    for (j, elements) in tile.chunks_exact_mut(BATCH).enumerate() {
        let (low, high) = blocks_from(tile_number * (TILE / 4) as u64 + (j * LANES) as u64);
        let outside = candidates(&low, high, 0, elements.try_into().expect("a whole batch"));
        for group in 0..GROUPS {
            rejected[group] |= outside[group] << (4 * j);
        }
    }
    redraw(line, tile_number, tile, rejected, candidates);
}

/// Replaces what was rejected. Only groups that wait are drawn.
#[inline(always)]
fn redraw<T: Element>(
    line: &Line,
    tile_number: u64,
    tile: &mut [T; TILE],
    mut rejected: [u32; GROUPS],
    candidates: impl Fn(&Lanes<u32>, u32, u32, &mut Batch<T>) -> Lanes<u32>,
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
        // Numbers drawn beyond the groups that wait are dropped.
        let mut numbers = [low; LANES];
        for lane in 0..LANES {
            numbers[lane] |= waiting[lane] as u32;
        }
        let mut spare = [T::zeroed(); BATCH];
        let outside = candidates(&numbers, high, attempt, &mut spare);
        for (lane, &group) in waiting[..count].iter().enumerate() {
            let mut left = rejected[group];
            for k in 0..4 {
                // Written also where the candidate is rejected, for the next one to overwrite, and where nothing waits any more,
                // with what is there: no branch to guess, but for the one that few need.
                let element = &mut tile[place(group, left.trailing_zeros())];
                *element = select_unpredictable(left == 0, *element, spare[4 * lane + k]);
                // One less, or all, of what waits.
                left &= left.wrapping_sub(1) | (outside[lane] >> k & 1).wrapping_neg();
                if k >= 1 && left == 0 {
                    break;
                }
            }
            rejected[group] = left;
        }
    }
    let mut location = [T::zeroed(); BATCH];
    store(line, joined(line, [0.0; BATCH], [0.0; BATCH]), &mut location);
    for group in 0..GROUPS {
        while rejected[group] != 0 {
            tile[place(group, rejected[group].trailing_zeros())] = location[0];
            rejected[group] &= rejected[group] - 1;
        }
    }
}

/// The place of a group's element in the tile.
#[inline(always)]
fn place(group: usize, bit: u32) -> usize {
    ((bit as usize / 4) * 4 * GROUPS + group * 4 + bit as usize % 4) % TILE
}
