//! The CPU twin: the same bits as the kernels, in memory of the host.
//!
//! A tensor is drawn in tiles of 1,024 elements (256 blocks of four), which is also the unit that a truncated normal
//! shares spare candidates in. Each kernel's file in `src/kernel` has its twin; the functions that they share are in
//! `src/arithmetic`.

use std::thread;

use crate::fill::Span;
use crate::kernel::{Piece, Sampler, Source, TILE, Twin, WORTHWHILE};
use crate::{Dtype, Element, Error, ErrorKind, Fill, threads};

mod orthogonal;

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
        return Err(Error::new(ErrorKind::Slice, "the number of bytes", bytes.len(), allowed));
    }
    match fill.dtype() {
        Dtype::F32 => drawn::<f32>(fill, bytes),
        Dtype::F16 => drawn::<half::f16>(fill, bytes),
        Dtype::BF16 => drawn::<half::bf16>(fill, bytes),
    }
}

/// The number of elements that are drawn, with those that are dropped.
fn cost(fill: &Fill) -> u64 {
    fill.len().max(fill.most_spans().saturating_mul(fill.sampler.unit()))
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
        Error::new(ErrorKind::Memory, "the fill's memory", bytes, "what this machine can allocate")
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
/// let fill = normal.fill_range(0..4, Stream::numbered(0, 0), Dtype::F32)?;
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
    let past_cache = size_of_val(slice) >= WORTHWHILE;
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
    let mut source = Source::new(fill.stream);
    let mut rest = elements;
    // A few spans of one run, such as those around a zero row, are long.
    let scattered = fill.runs() > 1 || fill.most_spans() > 16;
    // Of spans shorter than what is drawn together, the next of the same sampler may begin where one ends: it is drawn once.
    let mut drawn: Vec<Drawn<T>> = Vec::new();
    for Span { range, sampler } in fill.spans() {
        let (elements, after) = rest.split_at_mut((range.end - range.start) as usize);
        rest = after;
        let unit = sampler.unit();
        if !scattered || elements.len() as u64 >= unit {
            let piece = Piece { range, elements, past_cache: past_cache && !scattered };
            sampler.fill(&mut source, piece);
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
                sampler.fill(&mut source, piece);
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
