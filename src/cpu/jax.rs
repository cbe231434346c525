//! The streams of `jax.random` on the CPU: the twin of `shaders/jax.wgsl` and the two kernels on it.

use multiversion::multiversion;

use super::{BATCH, Piece, fill_units, placing};
use crate::arithmetic::math::{inverse_sqrt, neg_ln, two_sum};
use crate::sampler::{JaxNormal, JaxUniform};
use crate::threefry::threefry2x32_20;
use crate::{Dtype, Element};

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill_uniform<T: Element>(n: &JaxUniform, key: [u32; 2], piece: Piece<'_, T>) {
    fill_units::<T, BATCH>(piece, |number, elements| {
        let words = words_from(number * BATCH as u64, key);
        for i in 0..BATCH {
            elements[i] = T::round(placing::placed::<T>(uniform::<T>(words[i], n), &n.placed));
        }
    });
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn fill_normal<T: Element>(n: &JaxNormal, key: [u32; 2], piece: Piece<'_, T>) {
    fill_units::<T, BATCH>(piece, |number, elements| {
        let words = words_from(number * BATCH as u64, key);
        for i in 0..BATCH {
            let z = normal::<T>(uniform::<T>(words[i], &n.uniform), n);
            elements[i] = T::round(placing::placed::<T>(z, &n.uniform.placed));
        }
    });
}

/// The words of elements, from the first on, a multiple of a batch.
#[inline(always)]
fn words_from(first: u64, key: [u32; 2]) -> [u32; BATCH] {
    let mut words = [0; BATCH];
    for i in 0..BATCH {
        let [a, b] = threefry2x32_20([(first >> 32) as u32, first as u32 | i as u32], key);
        words[i] = a ^ b;
    }
    words
}

/// A uniform value from `from` on, as wide as `coarse` and `fine` together.
#[inline(always)]
fn uniform<T: Element>(word: u32, n: &JaxUniform) -> f32 {
    // As many of the word's bits as the dtype's fraction has: the highest of 32, of the low 16, or of the low 8. XLA
    // rounds f16's sum alone, whose product is exact in f32, and bf16's product too.
    let range = n.coarse + n.fine;
    let u = match T::DTYPE {
        Dtype::F32 => fused(word >> 9, n),
        Dtype::F16 => T::in_dtype(((word & 0xffff) >> 6) as f32 * 9.765_625e-4 * range + n.from), // 2^-10
        Dtype::BF16 => T::in_dtype(T::in_dtype(((word & 0xff) >> 1) as f32 * 0.007_812_5 * range) + n.from), // 2^-7
    };
    if u < n.from { n.from } else { u }
}

/// m / 2^23 times the range plus `from`, rounded once: XLA compiles it to a fused multiply-add. Products of 12-bit parts are
/// exact, and of each sum the rounding error is kept.
#[inline(always)]
fn fused(m: u32, n: &JaxUniform) -> f32 {
    let high = (m & 0x7f_f800) as f32 * 1.192_092_9e-7; // 2^-23
    let low = (m & 0x7ff) as f32 * 1.192_092_9e-7;
    let (s, e0) = two_sum(n.from, high * n.coarse);
    let (middle, e1) = two_sum(high * n.fine, low * n.coarse);
    let (t, e2) = two_sum(s, middle);
    t + (e2 + (e0 + (e1 + low * n.fine)))
}

/// sqrt(2) times the inverse error function, kept inside the bounds.
#[inline(always)]
fn normal<T: Element>(u: f32, n: &JaxNormal) -> f32 {
    let z = T::in_dtype(T::in_dtype(inverse_erf(u)) * T::in_dtype(std::f32::consts::SQRT_2));
    let z = if z < n.low { n.low } else { z };
    if z > n.high { n.high } else { z }
}

/// M. Giles, "Approximating the erfinv function", GPU Computing Gems, Jade Edition, 2011,
/// <https://doi.org/10.1016/B978-0-12-385963-1.00010-1>: the single-precision polynomials.
#[inline(always)]
fn inverse_erf(x: f32) -> f32 {
    let y = x * x;
    let w = neg_ln(1.0 - y, -y);
    let near = w < 5.0;
    let v = if near { w - 2.5 } else { w * inverse_sqrt(w) - 3.0 };
    let c = |a: f32, b: f32| if near { a } else { b };
    let p = c(2.810_226_4e-8, -0.000_200_214_26);
    let p = p * v + c(3.432_739_4e-7, 0.000_100_950_56);
    let p = p * v + c(-3.523_387_7e-6, 0.001_349_343_2);
    let p = p * v + c(-4.391_506_5e-6, -0.003_673_428_4);
    let p = p * v + c(0.000_218_580_87, 0.005_739_507_7);
    let p = p * v + c(-0.001_253_725, -0.007_622_461_3);
    let p = p * v + c(-0.004_177_681_6, 0.009_438_870_5);
    let p = p * v + c(0.246_640_73, 1.001_674);
    let p = p * v + c(1.501_409_4, 2.832_976_8);
    p * x
}
