//! Threefry2x32-20, the counter-based generator of JAX.
//!
//! J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
//! <https://doi.org/10.1145/2063384.2063405>.
//! The twin of `shaders/threefry.wgsl`.

const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
/// The constant of Skein's key schedule, which makes the third key word.
const PARITY: u32 = 0x1bd1_1bda;

/// The two random words of one counter under a key.
///
/// ```
/// assert_eq!(fanin::threefry2x32_20([0, 0], [0, 0]), [0x6b20_0159, 0x99ba_4efe]);
/// ```
#[inline(always)]
pub fn threefry2x32_20(counter: [u32; 2], key: [u32; 2]) -> [u32; 2] {
    let keys = [key[0], key[1], PARITY ^ key[0] ^ key[1]];
    let [mut x, mut y] = [counter[0].wrapping_add(keys[0]), counter[1].wrapping_add(keys[1])];
    for group in 0..5 {
        for rotation in ROTATIONS[group % 2] {
            x = x.wrapping_add(y);
            y = y.rotate_left(rotation) ^ x;
        }
        x = x.wrapping_add(keys[(group + 1) % 3]);
        y = y.wrapping_add(keys[(group + 2) % 3]).wrapping_add(group as u32 + 1);
    }
    [x, y]
}

/// Random123's known answers for threefry2x32-20: counter, key, words.
#[cfg(any(test, feature = "gpu"))]
pub(crate) const KNOWN_ANSWERS: [([u32; 2], [u32; 2], [u32; 2]); 3] = [
    ([0; 2], [0; 2], [0x6b20_0159, 0x99ba_4efe]),
    ([u32::MAX; 2], [u32::MAX; 2], [0x1cb9_96fc, 0xbb00_2be7]),
    ([0x243f_6a88, 0x85a3_08d3], [0x1319_8a2e, 0x0370_7344], [0xc492_3a9c, 0x483d_f7a0]),
];

#[cfg(test)]
mod tests {
    #[test]
    fn random123_known_answers() {
        for (counter, key, words) in super::KNOWN_ANSWERS {
            assert_eq!(super::threefry2x32_20(counter, key), words);
        }
    }
}
