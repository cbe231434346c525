//! The recurrence of the Mersenne Twister mt19937.

use multiversion::multiversion;

/// Words of a state.
pub(crate) const N: usize = 624;
const M: usize = 397;

#[inline(always)]
fn twisted(far: u32, one: u32, two: u32) -> u32 {
    let y = (one & 0x8000_0000) | (two & 0x7fff_ffff);
    far ^ (y >> 1) ^ ((y & 1).wrapping_neg() & MATRIX)
}

/// The last row of the matrix that makes a word of two others.
pub(crate) const MATRIX: u32 = 0x9908_b0df;

/// The words that follow, in their place. Each loop reads what it has not written, or wrote at least 227 words before.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn twist(s: &mut [u32; N]) {
    for j in 0..N - M {
        s[j] = twisted(s[j + M], s[j], s[j + 1]);
    }
    for j in N - M..2 * (N - M) {
        s[j] = twisted(s[j - (N - M)], s[j], s[j + 1]);
    }
    for j in 2 * (N - M)..N - 1 {
        s[j] = twisted(s[j - (N - M)], s[j], s[j + 1]);
    }
    s[N - 1] = twisted(s[M - 1], s[N - 1], s[0]);
}
