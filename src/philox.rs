//! Philox4x32-10, the counter-based generator under every draw.
//!
//! J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
//! <https://doi.org/10.1145/2063384.2063405>.
//! The twin of `shaders/philox.wgsl`.

pub(crate) const MULTIPLIER: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
/// The Weyl sequence that bumps the key: the golden ratio and sqrt(3) - 1, as 32-bit fractions.
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];

/// The four random words of one block: a pure function of a 128-bit counter and a 64-bit key.
///
/// ```
/// let words = fanin::philox4x32_10([0; 4], [0; 2]);
/// assert_eq!(words, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
/// ```
#[inline(always)]
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut c = counter;
    for r in 0..ROUNDS {
        c = round(c, round_key(key, r));
    }
    c
}

pub(crate) const ROUNDS: u32 = 10;

/// The key of round r.
#[inline(always)]
pub(crate) fn round_key(key: [u32; 2], r: u32) -> [u32; 2] {
    [key[0].wrapping_add(WEYL[0].wrapping_mul(r)), key[1].wrapping_add(WEYL[1].wrapping_mul(r))]
}

#[inline(always)]
fn round(c: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let (p0, p1) = (product(MULTIPLIER[0], c[0]), product(MULTIPLIER[1], c[2]));
    let high = |p: u64| (p >> 32) as u32;
    [high(p1) ^ c[1] ^ key[0], p1 as u32, high(p0) ^ c[3] ^ key[1], p0 as u32]
}

/// The product of two words, in 64 bits.
#[inline(always)]
pub(crate) fn product(multiplier: u32, word: u32) -> u64 {
    u64::from(multiplier) * u64::from(word)
}
