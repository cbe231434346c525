//! The CPU twin: the same bits as the kernels, for slices.
//!
//! A tensor is drawn in tiles of 1,024 elements (256 blocks of four), which is also the unit that a truncated normal
//! shares spare candidates in. Each file here is the twin of the WGSL file of the same name.

// Loops over lanes index several arrays at once; iterators over them are not vectorised as surely.
#![allow(clippy::needless_range_loop)]

use std::hint::black_box;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::philox;
use crate::sampler::{Kernel, Numbers, asks};
use crate::{Dtype, Element, Error, Fill, Stream};

mod constant;
mod jax;
pub(crate) mod math;
mod normal;
mod past_cache;
pub(crate) mod rounding;
mod tensorflow;
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

/// The bytes that a fill of any dtype draws.
pub(crate) fn bytes(fill: &Fill) -> Result<Vec<u8>, Error> {
    fn drawn<T: Element>(fill: &Fill) -> Result<Vec<u8>, Error> {
        let mut values = vec![T::zeroed(); fill.len() as usize];
        self::fill(fill, &mut values)?;
        Ok(bytemuck::cast_slice(&values).to_vec())
    }
    match fill.dtype() {
        Dtype::F32 => drawn::<f32>(fill),
        Dtype::F16 => drawn::<half::f16>(fill),
        Dtype::BF16 => drawn::<half::bf16>(fill),
    }
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
    let past_cache = size_of_val(slice) >= past_cache::WORTHWHILE;
    let mut pieces = Vec::new();
    let (mut start, mut rest) = (fill.range().start, slice);
    while !rest.is_empty() {
        let end = (start / TILE * TILE + share).min(fill.range().end);
        let (elements, after) = rest.split_at_mut((end - start) as usize);
        pieces.push(Piece { range: start..end, elements, past_cache });
        (start, rest) = (end, after);
    }
    let (kernel, numbers, generator) = (fill.sampler.kernel, fill.sampler.numbers, Generator::new(fill.stream));
    let draw = |piece: Piece<'_, T>| match kernel {
        Kernel::Constant => constant::fill(&numbers, piece),
        Kernel::Words => words::fill(numbers.word, fill.stream, piece),
        Kernel::Uniform => uniform::fill(&numbers, &generator, piece),
        Kernel::Normal => normal::fill(&numbers, &generator, piece),
        Kernel::TruncatedByNormal => truncated_normal::fill_by_normal(&numbers, &generator, piece),
        Kernel::TruncatedByExponential => truncated_normal::fill_by_exponential(&numbers, &generator, piece),
        Kernel::ThreefryWords => words::fill_threefry(fill.stream.key, piece),
        Kernel::TensorFlowUniform => tensorflow::fill_uniform(&numbers, &generator, piece),
        Kernel::TensorFlowNormal => tensorflow::fill_normal(&numbers, &generator, piece),
        Kernel::TensorFlowTruncated => tensorflow::fill_truncated(&numbers, fill.stream, piece),
        Kernel::JaxUniform => jax::fill_uniform(&numbers, fill.stream.key, piece),
        Kernel::JaxNormal => jax::fill_normal(&numbers, fill.stream.key, piece),
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

/// One value of each of `LANES` blocks; then two, and all four, in element order. Every step of a draw is one loop over such
/// an array, which compilers turn into vector instructions far more surely than one loop over all steps.
type Lanes<T> = [T; LANES];
type Pairs<T> = [T; 2 * LANES];
type Batch<T> = [T; BATCH];
const BATCH: usize = 4 * LANES;

/// What one thread draws.
struct Piece<'a, T> {
    range: Range<u64>,
    elements: &'a mut [T],
    /// Whether the whole fill is too large for the caches.
    past_cache: bool,
}

/// Draws the units of `N` elements that a piece touches, by their numbers: in place where all of one is wanted, elsewhere
/// apart.
#[inline(always)]
fn fill_units<T: Element, const N: usize>(piece: Piece<'_, T>, draw: impl Fn(u64, &mut [T; N])) {
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
fn blocks_from(first: u64) -> (Lanes<u32>, u32) {
    let mut low = [first as u32; LANES];
    for lane in 0..LANES {
        low[lane] |= lane as u32;
    }
    (low, (first >> 32) as u32)
}

/// A stream, ready for many blocks side by side.
struct Generator {
    multipliers: [u32; 2],
    keys: [[u64; 2]; philox::ROUNDS as usize],
    nonce: u32,
}

impl Generator {
    fn new(stream: Stream) -> Generator {
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
    fn pairs(&self, low: &Lanes<u32>, high: u32, attempt: u32) -> Pairs<u64> {
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
fn words_of(mut pairs: Pairs<u64>) -> Batch<u32> {
    if cfg!(target_endian = "big") {
        pairs.iter_mut().for_each(|pair| *pair = pair.rotate_left(32));
    }
    bytemuck::cast(pairs)
}

/// The location and distances from it, with what the distances have beyond f32, as if rounded once.
#[inline(always)]
fn joined(n: &Numbers, mut distances: Batch<f32>, mut rests: Batch<f32>) -> Batch<f32> {
    if n.asks & asks::LOCATION == 0 {
        for i in 0..BATCH {
            distances[i] += rests[i];
        }
        return distances;
    }
    if n.asks & asks::OFFSET != 0 {
        rests.iter_mut().for_each(|rest| *rest += n.offset);
    }
    for i in 0..BATCH {
        let (sum, lost) = math::two_sum(n.location, distances[i]);
        distances[i] = sum + (lost + rests[i]);
    }
    distances
}

/// Values in working units to elements. What few distributions need has a loop of its own, not a branch in this one.
#[inline(always)]
fn store<T: Element>(n: &Numbers, mut values: Batch<f32>, elements: &mut Batch<T>) {
    if n.asks & asks::UNIT != 0 {
        for y in &mut values {
            *y = rounding::in_units(*y, n);
        }
    }
    if n.asks & asks::BOUNDS != 0 {
        for y in &mut values {
            *y = rounding::inside(*y, n);
        }
    }
    for i in 0..BATCH {
        elements[i] = T::round(values[i]);
    }
}
