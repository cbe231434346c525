//! PyTorch's values in f32, of words: those of its kernels for AVX2, in their order, each fused where they are.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::fused::fused;

/// Words and values that are worked on side by side: four blocks of 16.
const STEP: usize = 64;
const LANES: usize = STEP / 2;

/// A value of [0, 1) of a word's low 24 bits.
#[inline(always)]
pub(super) fn unit(word: u32) -> f32 {
    (word & 0xff_ffff) as f32 * (1.0 / 16_777_216.0)
}

/// Uniform values, not yet rounded to a dtype: `unit * width + low`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(super) fn uniforms(words: &[u32], low: f32, width: f32, out: &mut [f32]) {
    const FAST: bool = target_cfg_f!(any(target_arch = "aarch64", target_feature = "fma"));
    for (value, &word) in out.iter_mut().zip(words) {
        *value = fused::<FAST>(unit(word), width, low);
    }
}

/// Normal values of blocks of 16 words, of which words j and j + 8 make the values j and j + 8.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(super) fn normals(words: &[u32], mean: f32, std: f32, out: &mut [f32]) {
    const FAST: bool = target_cfg_f!(any(target_arch = "aarch64", target_feature = "fma"));
    let (steps, rest) = words.as_chunks::<STEP>();
    let (outs, out_rest) = out.as_chunks_mut::<STEP>();
    for (words, out) in steps.iter().zip(outs) {
        step::<FAST>(words, mean, std, out);
    }
    if !rest.is_empty() {
        let (mut words, mut values) = ([0; STEP], [0.0; STEP]);
        words[..rest.len()].copy_from_slice(rest);
        step::<FAST>(&words, mean, std, &mut values);
        out_rest.copy_from_slice(&values[..rest.len()]);
    }
}

#[inline(always)]
fn step<const FAST: bool>(words: &[u32; STEP], mean: f32, std: f32, out: &mut [f32; STEP]) {
    let (mut u, mut angle) = ([0f32; LANES], [0f32; LANES]);
    for lane in 0..LANES {
        let at = lane / 8 * 16 + lane % 8;
        u[lane] = 1.0 - unit(words[at]);
        angle[lane] = std::f32::consts::TAU * unit(words[at + 8]);
    }
    let mut radius = [0f32; LANES];
    for lane in 0..LANES {
        radius[lane] = (-2.0 * ln::<FAST>(u[lane])).sqrt();
    }
    let (mut cosines, mut sines) = ([0f32; LANES], [0f32; LANES]);
    for lane in 0..LANES {
        (cosines[lane], sines[lane]) = cos_sin::<FAST>(angle[lane]);
    }
    for lane in 0..LANES {
        let at = lane / 8 * 16 + lane % 8;
        out[at] = fused::<FAST>(radius[lane] * cosines[lane], std, mean);
        out[at + 8] = fused::<FAST>(radius[lane] * sines[lane], std, mean);
    }
}

/// The natural logarithm of a number of (0, 1] that is no smaller than 2^-24: S. L. Moshier's Cephes, `logf`.
#[inline(always)]
// Constants as Cephes has them.
#[allow(clippy::excessive_precision)]
fn ln<const FAST: bool>(x: f32) -> f32 {
    let f = fused::<FAST>;
    let bits = x.to_bits();
    // x is m 2^e with m in [1/2, 1), or, below the root of a half, in [sqrt(1/2), sqrt(2)).
    let m = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    let is_low = m < std::f32::consts::FRAC_1_SQRT_2;
    let e = ((bits >> 23) as i32 - 127) as f32 + 1.0 - if is_low { 1.0 } else { 0.0 };
    let x = (m - 1.0) + if is_low { m } else { 0.0 };
    let z = x * x;
    let mut y = 7.037_683_6e-2;
    for c in [
        -1.151_461e-1,
        1.167_699_84e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_4e-1,
        -2.499_999_4e-1,
        3.333_333_1e-1,
    ] {
        y = f(y, x, c);
    }
    y *= x;
    // ln 2 in two parts.
    y = f(y, z, e * -2.121_944_4e-4);
    y = f(-z, 0.5, y);
    f(e, 0.693_359_375, x + y)
}

/// Cosine and sine of an angle of [0, 2 pi): Cephes' `sinf` and `cosf`.
#[inline(always)]
fn cos_sin<const FAST: bool>(x: f32) -> (f32, f32) {
    let f = fused::<FAST>;
    // Octants, to the next even number.
    let octant = ((x * 1.273_239_5) as i32 + 1) & !1;
    let y = octant as f32;
    // pi / 4 in three parts.
    let x = f(y, -0.785_156_25, x);
    let x = f(y, -2.418_756_5e-4, x);
    let x = f(y, -3.774_895e-8, x);
    let z = x * x;
    let mut c = 2.443_315_7e-5;
    c = f(c, z, -1.388_731_6e-3);
    c = f(c, z, 4.166_664_6e-2);
    c *= z;
    c = f(c, z, -(z * 0.5)) + 1.0;
    let mut s = -1.951_529_6e-4;
    s = f(s, z, 8.332_161e-3);
    s = f(s, z, -1.666_665_5e-1);
    s *= z;
    s = f(s, x, x);
    let is_swapped = octant & 2 != 0;
    let (c, s) = if is_swapped { (s, c) } else { (c, s) };
    let sign = |x: f32, is_negative: bool| f32::from_bits(x.to_bits() ^ (u32::from(is_negative) << 31));
    (sign(c, (octant + 2) & 4 != 0), sign(s, octant & 4 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_without_fused_multiply_adds_draw_the_same_bits() {
        for n in 0..20_000u32 {
            let words = std::array::from_fn(|i| crate::philox4x32_10([n, i as u32 / 4, 0, 0], [0; 2])[i % 4]);
            let (mut slow, mut fast) = ([0.0; STEP], [0.0; STEP]);
            step::<false>(&words, 0.5, 0.02, &mut slow);
            normals(&words, 0.5, 0.02, &mut fast);
            assert_eq!(slow.map(f32::to_bits), fast.map(f32::to_bits));
        }
    }
}
