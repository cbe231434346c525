//! Copying to memory past the caches.
//!
//! An ordinary store first reads the line that it writes into. That read, of memory that is about to be overwritten, costs as much as
//! drawing the values. It is wasted on a fill that is too large to stay in the caches anyway.

use crate::Element;

/// Fills of at least so many bytes are written past the caches.
pub(crate) const WORTHWHILE: usize = 16 << 20;

/// Copies `from` to `to`, of the same length.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn copy<T: Element>(from: &[T], to: &mut [T]) {
    use std::arch::x86_64::{__m128i, _mm_stream_si128};

    assert_eq!(from.len(), to.len());
    // SAFETY: any bits are an __m128i and are a T, a plain number.
    let (head, body, tail) = unsafe { to.align_to_mut::<__m128i>() };
    let (from_head, rest) = from.split_at(head.len());
    let (from_body, from_tail) = rest.split_at(rest.len() - tail.len());
    head.copy_from_slice(from_head);
    tail.copy_from_slice(from_tail);
    for (line, values) in body.iter_mut().zip(from_body.chunks_exact(size_of::<__m128i>() / size_of::<T>())) {
        let value = bytemuck::pod_read_unaligned::<__m128i>(bytemuck::cast_slice(values));
        // SAFETY: `line` is a valid, aligned place for 16 bytes; every x86-64 processor has the instruction.
        unsafe { _mm_stream_si128(line, value) };
    }
}

/// The fence to call after the last copy: such stores are not ordered with others.
#[inline(always)]
#[allow(unsafe_code)]
pub(super) fn finish() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// Elsewhere this is an ordinary copy.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn copy<T: Element>(from: &[T], to: &mut [T]) {
    to.copy_from_slice(from);
}
