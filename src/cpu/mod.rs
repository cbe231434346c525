//! The CPU twin: the same bits as the kernels, for slices.
//!
//! A tensor is drawn in tiles of 1,024 elements (256 blocks of four), which is also the unit that a truncated normal
//! shares spare candidates in. Each file here is the twin of the WGSL file of the same name.

// Loops over lanes index several arrays at once; iterators over them are not vectorised as surely.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::philox;
use crate::sampler::{Kernel, Numbers};
use crate::{Element, Error, Fill, Stream};

mod constant;
pub(crate) mod math;
mod normal;
pub(crate) mod rounding;
mod truncated_normal;
mod uniform;
mod words;

/// Elements per tile.
pub(crate) const TILE: u64 = 1024;
/// Blocks that are worked on side by side, for the compiler to turn into vector instructions.
const LANES: usize = 32;
/// Below this many elements a second thread costs more than it saves.
const ELEMENTS_PER_THREAD: u64 = 1 << 18;

/// Draws a fill into a slice, on all cores if it is large.
///
/// # Errors
/// [`Error::SliceLength`] or [`Error::SliceDtype`] if the slice is not of the fill's length and dtype; the slice is then
/// untouched.
///
/// ```
/// use fanin::{Dtype, Fill, Layout, Scheme, Stream, cpu};
/// use half::bf16;
///
/// let shape = [256, 128];
/// let he = "he_normal".parse::<Scheme>()?.distribution(&shape, Layout::OUT_IN)?;
/// let mut weight = vec![bf16::ZERO; 256 * 128];
/// cpu::fill(&Fill::new(&he, Stream::named(42, "weight"), Dtype::BF16, 0..256 * 128)?, &mut weight)?;
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn fill<T: Element>(fill: &Fill, slice: &mut [T]) -> Result<(), Error> {
    // Asking costs as much as drawing thousands of values.
    let worth_asking = fill.len() >= 2 * ELEMENTS_PER_THREAD;
    let threads = if worth_asking { thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    fill_with_threads(fill, slice, threads)
}

/// As [`fill`], on at most this many threads (0 counts as 1). The values do not depend on it.
///
/// # Errors
/// Those of [`fill`].
///
/// ```
/// # use fanin::{Distribution, Dtype, Fill, Stream, cpu};
/// # let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
/// let fill = Fill::new(&normal, Stream::numbered(0, 0), Dtype::F32, 0..4)?;
/// let mut values = [0f32; 4];
/// cpu::fill_with_threads(&fill, &mut values, 1)?;
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn fill_with_threads<T: Element>(fill: &Fill, slice: &mut [T], threads: usize) -> Result<(), Error> {
    if T::DTYPE != fill.dtype() {
        return Err(Error::SliceDtype { slice: T::DTYPE, fill: fill.dtype() });
    }
    if slice.len() as u64 != fill.len() {
        return Err(Error::SliceLength { slice: slice.len() as u64, fill: fill.len() });
    }
    let threads = (fill.len() / ELEMENTS_PER_THREAD).clamp(1, threads.max(1) as u64);
    // Whole tiles to each thread but the first and last, which take what the range leaves of theirs.
    let share = fill.len().div_ceil(threads).next_multiple_of(TILE);
    let mut pieces = Vec::new();
    let (mut start, mut rest) = (fill.range().start, slice);
    while !rest.is_empty() {
        let end = (start / TILE * TILE + share).min(fill.range().end);
        let (piece, after) = rest.split_at_mut((end - start) as usize);
        pieces.push((start..end, piece));
        (start, rest) = (end, after);
    }
    let (kernel, numbers, stream) = (fill.sampler.kernel, fill.sampler.numbers, fill.stream);
    let draw = |(range, piece): (Range<u64>, &mut [T])| match kernel {
        Kernel::Constant => constant::fill(&numbers, piece),
        Kernel::Words => words::fill(numbers.word, stream, range, piece),
        Kernel::Uniform => uniform::fill(&numbers, stream, range, piece),
        Kernel::Normal => normal::fill(&numbers, stream, range, piece),
        Kernel::TruncatedByNormal => truncated_normal::fill_by_normal(&numbers, stream, range, piece),
        Kernel::TruncatedByExponential => truncated_normal::fill_by_exponential(&numbers, stream, range, piece),
    };
    // This thread works too, so that all is drawn even where no other can be started.
    let pieces = Mutex::new(pieces.into_iter());
    let work = || {
        // The guard is dropped before the piece is drawn.
        let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some(piece) = next() {
            draw(piece);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    Ok(())
}

/// A tile's values before they are finished, in element order.
type Tile = [f32; TILE as usize];

/// Draws the tiles that `range` touches and writes the elements inside it.
#[inline(always)]
fn fill_tiles<T: Element>(numbers: &Numbers, range: Range<u64>, slice: &mut [T], draw: impl Fn(u64, &mut Tile)) {
    let mut tile = [0.0; TILE as usize];
    let (mut start, mut rest) = (range.start, slice);
    while !rest.is_empty() {
        let skip = (start % TILE) as usize;
        let count = rest.len().min(TILE as usize - skip);
        draw(start / TILE, &mut tile);
        let (part, after) = rest.split_at_mut(count);
        for (element, y) in part.iter_mut().zip(&tile[skip..]) {
            *element = T::round(rounding::finish(*y, numbers));
        }
        start += count as u64;
        rest = after;
    }
}

/// One value, word or mark of each of `LANES` blocks. Every step of a draw is one loop over lanes, which compilers turn
/// into vector instructions far more surely than one loop over all steps.
type Lanes<T> = [T; LANES];

/// The four words of each block; block numbers differ in their low halves alone.
#[inline(always)]
fn philox_lanes(stream: Stream, low: &Lanes<u32>, high: u32, attempt: u32) -> [Lanes<u32>; 4] {
    // Each word in the low half of 64 bits, whose high half may hold anything: that is what wide multiplications take
    // and leave, so that no round has to move words between vectors.
    let (mut c0, mut c1) = (each(low, u64::from), [u64::from(high); LANES]);
    let (mut c2, mut c3) = ([u64::from(attempt); LANES], [u64::from(stream.nonce); LANES]);
    for r in 0..philox::ROUNDS {
        let [k0, k1] = philox::round_key(stream.key, r);
        for lane in 0..LANES {
            let p0 = philox::product(0, c0[lane] as u32);
            let p1 = philox::product(1, c2[lane] as u32);
            (c0[lane], c2[lane]) = ((p1 >> 32) ^ c1[lane] ^ u64::from(k0), (p0 >> 32) ^ c3[lane] ^ u64::from(k1));
            (c1[lane], c3[lane]) = (p1, p0);
        }
    }
    let low_half = |c| each(c, |word: u64| word as u32);
    [low_half(&c0), low_half(&c1), low_half(&c2), low_half(&c3)]
}

/// `f` of each lane. `array::map` would not be inlined, and so not compiled for the vector instructions at hand.
#[inline(always)]
fn each<A: Copy, B: Copy + Default>(lanes: &Lanes<A>, f: impl Fn(A) -> B) -> Lanes<B> {
    let mut result = [B::default(); LANES];
    for lane in 0..LANES {
        result[lane] = f(lanes[lane]);
    }
    result
}

/// The same for each of a block's four.
#[inline(always)]
fn each4<A: Copy, B: Copy + Default>(columns: &[Lanes<A>; 4], f: impl Fn(A) -> B) -> [Lanes<B>; 4] {
    let [a, b, c, d] = columns;
    [each(a, &f), each(b, &f), each(c, &f), each(d, &f)]
}

/// The blocks of a tile in batches of `LANES`: the number of each, low halves and high half, and where its values go.
#[inline(always)]
fn batches(tile_number: u64, tile: &mut Tile) -> impl Iterator<Item = (usize, Lanes<u32>, u32, &mut [f32])> {
    let block = tile_number * (TILE / 4);
    let (low, high) = (block as u32, (block >> 32) as u32);
    tile.chunks_exact_mut(4 * LANES).enumerate().map(move |(batch, values)| {
        let mut lows = [0; LANES];
        for (lane, l) in lows.iter_mut().enumerate() {
            *l = low | (batch * LANES + lane) as u32;
        }
        (batch, lows, high, values)
    })
}

/// Lanes of four values each, into element order.
#[inline(always)]
fn interleave(columns: &[Lanes<f32>; 4], values: &mut [f32]) {
    let mut ordered = [0.0; 4 * LANES];
    for lane in 0..LANES {
        ordered[4 * lane] = columns[0][lane];
        ordered[4 * lane + 1] = columns[1][lane];
        ordered[4 * lane + 2] = columns[2][lane];
        ordered[4 * lane + 3] = columns[3][lane];
    }
    values.copy_from_slice(&ordered);
}
