//! The CPU twin: the same bits as the kernels, in memory of the host.
//!
//! A tensor is drawn in tiles of 1,024 elements (256 blocks of four), which is also the unit that a truncated normal
//! shares spare candidates in. Each kernel here is the twin of the WGSL file of the same name; the functions that they
//! share are in `src/arithmetic`.

// Loops over lanes index several arrays at once; iterators over them are not vectorised as surely.
#![allow(clippy::needless_range_loop)]

use std::hint::black_box;
use std::ops::Range;
use std::thread;

use crate::arithmetic::math::two_sum;
use crate::fill::Span;
use crate::philox;
use crate::sampler::{Line, Sampler, asks};
use crate::{Dtype, Element, Error, ErrorKind, Fill, Stream, threads, torch};

mod constant;
mod identity;
mod jax;
mod normal;
pub(crate) mod orthogonal;
mod past_cache;
mod placing;
pub(crate) mod sparse;
mod tensorflow;
mod truncated_normal;
mod uniform;
pub(crate) mod values;
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
/// [`ErrorKind::Slice`] if the slice is not of the fill's length and dtype; the slice is then untouched.
///
/// ```
/// use fanin::{Dtype, Layout, Scheme, Stream, cpu};
/// use half::bf16;
///
/// let he: Scheme = "he_normal".parse()?;
/// let mut weight = vec![bf16::ZERO; 256 * 128];
/// cpu::fill(&he.fill(&[256, 128], Layout::OUT_IN, Stream::named(42, "weight"), Dtype::BF16)?, &mut weight)?;
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn fill<T: Element>(fill: &Fill, slice: &mut [T]) -> Result<(), Error> {
    // Asking costs as much as drawing thousands of values.
    let worth_asking = cost(fill) >= 2 * ELEMENTS_PER_THREAD;
    let threads = if worth_asking { thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    fill_with_threads(fill, slice, threads)
}

/// The elements of a fill, in memory of their own.
///
/// # Errors
/// [`ErrorKind::Slice`] if the element type is not the fill's dtype; [`ErrorKind::Memory`].
///
/// ```
/// use fanin::{Dtype, Layout, Stream, cpu, scheme};
///
/// let fill = scheme::normal(0.0, 0.02).fill(&[1000, 8], Layout::OUT_IN, Stream::named(42, "wte"), Dtype::F32)?;
/// let weight: Vec<f32> = cpu::vec(&fill)?;
/// assert_eq!(weight.len(), 8000);
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn vec<T: Element>(fill: &Fill) -> Result<Vec<T>, Error> {
    check_dtype::<T>(fill)?;
    let mut values = zeroed(fill.len(), fill)?;
    self::fill(fill, &mut values)?;
    Ok(values)
}

/// The little-endian bytes of what a fill of any dtype draws.
///
/// # Errors
/// [`ErrorKind::Memory`].
///
/// ```
/// use fanin::{Dtype, Layout, Stream, cpu, scheme};
///
/// let dtype: Dtype = "bf16".parse()?; // known at run time alone
/// let fill = scheme::normal(0.0, 0.02).fill(&[1000, 8], Layout::OUT_IN, Stream::named(42, "wte"), dtype)?;
/// let bytes: Vec<u8> = cpu::bytes(&fill)?;
/// assert_eq!(bytes.len(), 16000);
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn bytes(fill: &Fill) -> Result<Vec<u8>, Error> {
    let mut bytes = zeroed(fill.byte_len(), fill)?;
    fill_bytes(fill, &mut bytes)?;
    Ok(bytes)
}

/// Draws a fill of any dtype into memory, as little-endian bytes.
///
/// # Errors
/// [`ErrorKind::Slice`] if the length is not the fill's; the memory is then untouched.
///
/// ```
/// use fanin::{Dtype, Layout, Stream, cpu, scheme};
///
/// let fill = scheme::ones().fill(&[3], Layout::OUT_IN, Stream::named(42, "norm"), Dtype::BF16)?;
/// let mut bytes = [0; 6];
/// cpu::fill_bytes(&fill, &mut bytes)?;
/// assert_eq!(bytes, [0x80, 0x3f, 0x80, 0x3f, 0x80, 0x3f]);
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn fill_bytes(fill: &Fill, bytes: &mut [u8]) -> Result<(), Error> {
    fn drawn<T: Element>(fill: &Fill, bytes: &mut [u8]) -> Result<(), Error> {
        match bytemuck::try_cast_slice_mut(bytes) {
            Ok(elements) => self::fill::<T>(fill, elements)?,
            // Bytes may lie anywhere, elements may not.
            Err(_) => {
                let mut elements = zeroed::<T>(fill.len().min(1 << 22), fill)?;
                let mut rest = fill.clone();
                for bytes in bytes.chunks_mut(size_of_val(elements.as_slice()).max(1)) {
                    let some = &mut elements[..bytes.len() / size_of::<T>()];
                    let (first, after) = rest.split_at(some.len() as u64);
                    self::fill(&first, some)?;
                    bytes.copy_from_slice(bytemuck::cast_slice(some));
                    rest = after;
                }
            }
        }
        if cfg!(target_endian = "big") {
            bytes.chunks_mut(size_of::<T>()).for_each(<[u8]>::reverse);
        }
        Ok(())
    }
    if bytes.len() as u64 != fill.byte_len() {
        let allowed = format!("{}, the fill's", fill.byte_len());
        return Err(Error::new(ErrorKind::Slice, "how many bytes there are", bytes.len(), allowed));
    }
    match fill.dtype() {
        Dtype::F32 => drawn::<f32>(fill, bytes),
        Dtype::F16 => drawn::<half::f16>(fill, bytes),
        Dtype::BF16 => drawn::<half::bf16>(fill, bytes),
    }
}

/// The number of elements that are drawn, with those that are dropped.
fn cost(fill: &Fill) -> u64 {
    fill.len().max(fill.most_spans().saturating_mul(unit(&fill.sampler)))
}

/// Elements that are drawn together.
fn unit(sampler: &Sampler) -> u64 {
    match sampler {
        Sampler::Constant(_) | Sampler::Identity(_) | Sampler::Values(_) | Sampler::Orthogonal(_) => 1,
        Sampler::TruncatedByNormal(_) | Sampler::TruncatedByExponential(_) => TILE,
        _ => BATCH as u64,
    }
}

fn check_dtype<T: Element>(fill: &Fill) -> Result<(), Error> {
    if T::DTYPE == fill.dtype() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Slice, "the slice's dtype", T::DTYPE, format!("{}, the fill's", fill.dtype())))
}

/// Memory for so many elements.
fn zeroed<T: bytemuck::Zeroable>(len: u64, fill: &Fill) -> Result<Vec<T>, Error> {
    let made = usize::try_from(len).ok().and_then(|len| bytemuck::allocation::try_zeroed_vec(len).ok());
    made.ok_or_else(|| {
        let bytes = format!("{} bytes", fill.byte_len());
        Error::new(ErrorKind::Memory, "what the fill takes", bytes, "what this machine can allocate")
    })
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
    check_dtype::<T>(fill)?;
    if slice.len() as u64 != fill.len() {
        let allowed = format!("{}, the fill's", fill.len());
        return Err(Error::new(ErrorKind::Slice, "the slice's length", slice.len(), allowed));
    }
    fill_checked(fill, bytemuck::cast_slice_mut(slice), threads)
}

/// Draws a fill into the bytes of as many of its elements. Of no element type, so that the twins are compiled here, once, and not in each
/// crate that draws.
fn fill_checked(fill: &Fill, bytes: &mut [u8], threads: usize) -> Result<(), Error> {
    fn drawn<T: Element>(fill: &Fill, bytes: &mut [u8], threads: usize) -> Result<(), Error> {
        let elements: &mut [T] = bytemuck::cast_slice_mut(bytes);
        draw_apart(fill, elements, threads);
        // The orthogonal matrices, in place of the zeros that are there.
        for orthogonal in fill.orthogonals() {
            orthogonal::fill(orthogonal, fill, elements, threads)?;
        }
        Ok(())
    }
    match fill.dtype() {
        Dtype::F32 => drawn::<f32>(fill, bytes, threads),
        Dtype::F16 => drawn::<half::f16>(fill, bytes, threads),
        Dtype::BF16 => drawn::<half::bf16>(fill, bytes, threads),
    }
}

/// Draws what can be drawn of each element apart, on threads; others are zero.
fn draw_apart<T: Element>(fill: &Fill, slice: &mut [T], threads: usize) {
    let threads = (cost(fill) / ELEMENTS_PER_THREAD).clamp(1, threads.max(1) as u64);
    // Whole tiles to each thread but the first and last, which take what the range leaves of theirs.
    let share = fill.len().div_ceil(threads);
    let share = if fill.runs() == 1 { share.next_multiple_of(TILE) } else { share.max(1) };
    let past_cache = size_of_val(slice) >= past_cache::WORTHWHILE;
    let mut shares = Vec::new();
    let (mut left, mut rest) = (fill.clone(), slice);
    while !rest.is_empty() {
        let before = if left.runs() == 1 { left.range().start % TILE } else { 0 };
        let (part, after) = left.split_at(share - before);
        let (elements, after_elements) = rest.split_at_mut(part.len() as usize);
        shares.push((part, elements));
        (left, rest) = (after, after_elements);
    }
    threads::share(threads as usize, shares, |(fill, elements)| draw_spans(&fill, elements, past_cache));
}

/// The elements that a sampler drew together last.
struct Drawn<'a, T> {
    sampler: &'a Sampler,
    number: Option<u64>,
    elements: Vec<T>,
}

/// Draws what one thread draws, a span after the other.
fn draw_spans<T: Element>(fill: &Fill, elements: &mut [T], past_cache: bool) {
    let generator = Generator::new(fill.stream);
    let mut cursors = torch::Cursors::default();
    let mut rest = elements;
    // A few spans of one run, such as those around a zero row, are long.
    let scattered = fill.runs() > 1 || fill.most_spans() > 16;
    // Of spans shorter than what is drawn together, the next of the same sampler may begin where one ends: it is drawn once.
    let mut drawn: Vec<Drawn<T>> = Vec::new();
    for Span { range, sampler } in fill.spans() {
        let (elements, after) = rest.split_at_mut((range.end - range.start) as usize);
        rest = after;
        let unit = unit(sampler);
        if !scattered || elements.len() as u64 >= unit {
            let piece = Piece { range, elements, past_cache: past_cache && !scattered };
            draw(sampler, fill.stream, &generator, &mut cursors, piece);
            continue;
        }
        let at = drawn.iter().position(|drawn| std::ptr::eq(drawn.sampler, sampler)).unwrap_or_else(|| {
            drawn.push(Drawn { sampler, number: None, elements: vec![T::zeroed(); unit as usize] });
            drawn.len() - 1
        });
        let Drawn { number: of, elements: apart, .. } = &mut drawn[at];
        let (mut start, mut rest) = (range.start, elements);
        while !rest.is_empty() {
            let (number, skip) = (start / unit, (start % unit) as usize);
            if *of != Some(number) {
                let range = number * unit..(number + 1) * unit;
                let piece = Piece { range, elements: &mut *apart, past_cache: false };
                draw(sampler, fill.stream, &generator, &mut cursors, piece);
                *of = Some(number);
            }
            let count = rest.len().min(unit as usize - skip);
            let (part, after) = rest.split_at_mut(count);
            part.copy_from_slice(&apart[skip..skip + count]);
            start += count as u64;
            rest = after;
        }
    }
}

/// Draws elements that follow one another.
fn draw<T: Element>(
    sampler: &Sampler,
    stream: Stream,
    generator: &Generator,
    cursors: &mut torch::Cursors,
    piece: Piece<'_, T>,
) {
    match sampler {
        Sampler::Constant(word) => constant::fill(*word, piece),
        Sampler::Words(attempt) => words::fill(*attempt, stream, piece),
        Sampler::Uniform(uniform) => uniform::fill(uniform, generator, piece),
        Sampler::Normal(line) => normal::fill(line, generator, piece),
        Sampler::TruncatedByNormal(n) => truncated_normal::fill_by_normal(n, generator, piece),
        Sampler::TruncatedByExponential(n) => truncated_normal::fill_by_exponential(n, generator, piece),
        Sampler::ThreefryWords => words::fill_threefry(stream.key, piece),
        Sampler::TensorFlowUniform(n) => tensorflow::fill_uniform(n, generator, piece),
        Sampler::TensorFlowNormal(n) => tensorflow::fill_normal(n, generator, piece),
        Sampler::TensorFlowTruncated(n) => tensorflow::fill_truncated(n, stream, piece),
        Sampler::JaxUniform(n) => jax::fill_uniform(n, stream.key, piece),
        Sampler::JaxNormal(n) => jax::fill_normal(n, stream.key, piece),
        Sampler::Identity(identity) => identity::fill(identity, piece),
        Sampler::Sparse(sparse) => sparse::fill(sparse, stream, generator, piece),
        Sampler::Values(values) => values::fill(values, stream, piece),
        Sampler::Torch(distribution) => {
            let Piece { range, elements, .. } = piece;
            torch::fill(distribution, stream, range, cursors, elements);
        }
        Sampler::Orthogonal(_) => constant::fill(0, piece),
    }
}

/// One value of each of `LANES` blocks; then two, and all four, in element order. Every step of a draw is one loop over such
/// an array, which compilers turn into vector instructions far more surely than one loop over all steps.
type Lanes<T> = [T; LANES];
type Pairs<T> = [T; 2 * LANES];
type Batch<T> = [T; BATCH];
const BATCH: usize = 4 * LANES;

/// The share of one thread.
struct Piece<'a, T> {
    range: Range<u64>,
    elements: &'a mut [T],
    /// True if the whole fill is too large for the caches.
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
fn joined(line: &Line, mut distances: Batch<f32>, mut rests: Batch<f32>) -> Batch<f32> {
    if line.asks & asks::LOCATION == 0 {
        for i in 0..BATCH {
            distances[i] += rests[i];
        }
        return distances;
    }
    if line.asks & asks::OFFSET != 0 {
        rests.iter_mut().for_each(|rest| *rest += line.offset);
    }
    for i in 0..BATCH {
        let (sum, lost) = two_sum(line.location, distances[i]);
        distances[i] = sum + (lost + rests[i]);
    }
    distances
}

/// The conversion of values in working units to elements. Steps that few distributions need have a loop of their own, not a branch in
/// this one.
#[inline(always)]
fn store<T: Element>(line: &Line, mut values: Batch<f32>, elements: &mut Batch<T>) {
    if line.asks & asks::UNIT != 0 {
        for y in &mut values {
            *y = placing::in_units(*y, line);
        }
    }
    if line.asks & asks::BOUNDS != 0 {
        for y in &mut values {
            *y = placing::inside(*y, line);
        }
    }
    for i in 0..BATCH {
        elements[i] = T::round(values[i]);
    }
}
