//! Lanes: what twins draw side by side, for compilers to turn into vector instructions.

use std::hint::black_box;
use std::ops::Range;

use super::past_cache;
use crate::{Element, Stream, philox};

/// Elements per tile.
pub(crate) const TILE: u64 = 1024;
/// Blocks that are worked on side by side.
pub(crate) const LANES: usize = 32;

/// One value of each of `LANES` blocks; then two, and all four, in element order. Every step of a draw is one loop over such
/// an array, which compilers turn into vector instructions far more surely than one loop over all steps.
pub(crate) type Lanes<T> = [T; LANES];
pub(crate) type Pairs<T> = [T; 2 * LANES];
pub(crate) type Batch<T> = [T; BATCH];
pub(crate) const BATCH: usize = 4 * LANES;

/// The share of one thread.
pub(crate) struct Piece<'a, T> {
    pub range: Range<u64>,
    pub elements: &'a mut [T],
    /// True if the whole fill is too large for the caches.
    pub past_cache: bool,
}

/// Draws the units of `N` elements that a piece touches, by their numbers: in place where all of one is wanted, elsewhere
/// apart.
#[inline(always)]
pub(crate) fn fill_units<T: Element, const N: usize>(piece: Piece<'_, T>, draw: impl Fn(u64, &mut [T; N])) {
    let mut apart = [T::zeroed(); N];
    let (mut start, mut rest) = (piece.range.start, piece.elements);
    while !rest.is_empty() {
        let skip = (start % N as u64) as usize;
        let count = rest.len().min(N - skip);
        let (part, after) = rest.split_at_mut(count);
        let number = start / N as u64;
        if piece.past_cache {
            draw(number, &mut apart);
            past_cache::copy(&apart[skip..skip + count], part);
        } else if let Ok(unit) = part.try_into() {
            draw(number, unit);
        } else {
            draw(number, &mut apart);
            part.copy_from_slice(&apart[skip..skip + count]);
        }
        start += count as u64;
        rest = after;
    }
    if piece.past_cache {
        past_cache::finish();
    }
}

/// The numbers of `LANES` blocks, low halves and high half, from the first, which is a multiple of `LANES`.
#[inline(always)]
pub(crate) fn blocks_from(first: u64) -> (Lanes<u32>, u32) {
    let mut low = [first as u32; LANES];
    for lane in 0..LANES {
        low[lane] |= lane as u32;
    }
    (low, (first >> 32) as u32)
}

/// A stream, ready for many blocks side by side.
pub(crate) struct Generator {
    multipliers: [u32; 2],
    keys: [[u64; 2]; philox::ROUNDS as usize],
    nonce: u32,
}

impl Generator {
    pub fn new(stream: Stream) -> Generator {
        let wide = |key: [u32; 2]| key.map(u64::from);
        Generator {
            // Constants would be multiplied by 2^32 ahead of the last round, where a product's low half is wanted in the high
            // half, and AVX-512 has no fast product with that.
            multipliers: black_box(philox::MULTIPLIER),
            keys: std::array::from_fn(|r| wide(philox::round_key(stream.key, r as u32))),
            nonce: stream.nonce,
        }
    }

    /// Each block's words in pairs, the first of a pair in the low half; block numbers differ in their low halves alone.
    #[inline(always)]
    pub fn pairs(&self, low: &Lanes<u32>, high: u32, attempt: u32) -> Pairs<u64> {
        // Each word in the low half of 64 bits, whose high half may hold anything: that is what wide multiplications take
        // and leave, so that no round has to move words between vectors.
        let mut c0 = [0; LANES];
        for lane in 0..LANES {
            c0[lane] = u64::from(low[lane]);
        }
        let (mut c1, mut c2, mut c3) =
            ([u64::from(high); LANES], [u64::from(attempt); LANES], [u64::from(self.nonce); LANES]);
        for [k0, k1] in &self.keys {
            for lane in 0..LANES {
                let p0 = philox::product(self.multipliers[0], c0[lane] as u32);
                let p1 = philox::product(self.multipliers[1], c2[lane] as u32);
                (c0[lane], c2[lane]) = ((p1 >> 32) ^ c1[lane] ^ k0, (p0 >> 32) ^ c3[lane] ^ k1);
                (c1[lane], c3[lane]) = (p1, p0);
            }
        }
        let mut pairs = [0; 2 * LANES];
        for lane in 0..LANES {
            pairs[2 * lane] = u64::from(c0[lane] as u32) | c1[lane] << 32;
            pairs[2 * lane + 1] = u64::from(c2[lane] as u32) | c3[lane] << 32;
        }
        pairs
    }
}

/// The words of pairs, in order.
#[inline(always)]
pub(crate) fn words_of(mut pairs: Pairs<u64>) -> Batch<u32> {
    if cfg!(target_endian = "big") {
        pairs.iter_mut().for_each(|pair| *pair = pair.rotate_left(32));
    }
    bytemuck::cast(pairs)
}
