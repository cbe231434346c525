//! The functions that the draws are made of: the twin of `shaders/math.wgsl`, line by line.
//!
//! Only `+ - *`, comparisons, bit casts and exact conversions of f32, each correctly rounded everywhere. WGSL leaves the
//! last bits of log, sin, cos and sqrt to the driver, so they are polynomials here; in WGSL, a product that feeds a sum is
//! guarded against fusing, which Rust never does on its own.

use std::f32::consts::FRAC_PI_4;

/// 2 i + 1 as f32, rounded once: the middle of a word's step, doubled. Written as one sum, since a compiler may change the
/// order of two.
#[inline(always)]
pub(crate) fn middle_of(i: i32) -> f32 {
    (i >> 16) as f32 * 131_072.0 + ((i << 1) & 0x1_ffff | 1) as f32
}

/// The same of an unsigned word.
#[inline(always)]
pub(crate) fn middle_of_unsigned(u: u32) -> f32 {
    (u >> 16) as f32 * 131_072.0 + ((u << 1) & 0x1_ffff | 1) as f32
}

/// i as f32, rounded once.
#[inline(always)]
pub(crate) fn from_signed_word(i: i32) -> f32 {
    (i >> 16) as f32 * 65536.0 + (i & 0xffff) as f32
}

/// A doubled step of a word in units of (0, 1): 2^-33.
pub(crate) const PER_STEP: f32 = 1.164_153_2e-10;
/// sqrt(1/2) - 1: above, 1 + f is within the logarithm's polynomial without a change of exponent.
const NEAR_ONE: f32 = -0.292_893_2;
const LN_2_HIGH: f32 = 0.693_145_75; // 15 bits, so that its product with an exponent is exact
const LN_2_LOW: f32 = 1.428_606_8e-6;

/// -ln(v) for v in (0, 1], where f = v - 1 is given apart so that v near 1 loses no digits.
#[inline(always)]
pub(crate) fn neg_ln(v: f32, f: f32) -> f32 {
    // v = 2^-e * m, m in [sqrt(1/2), sqrt(2))
    let bits = v.to_bits() + (0x3f80_0000 - 0x3f35_04f3);
    let near = f >= NEAR_ONE;
    let e = if near { 0 } else { 127 - (bits >> 23) as i32 };
    let m = f32::from_bits((bits & 0x007f_ffff) + 0x3f35_04f3);
    let x = if near { f } else { m - 1.0 };
    // -ln(1 + x) = x (-1 + x (1/2 + x p(x))), |relative error| < 2^-27
    let p = 0.078_622_04;
    let p = p * x + -0.128_832_28;
    let p = p * x + 0.131_284_42;
    let p = p * x + -0.141_809_06;
    let p = p * x + 0.166_245_6;
    let p = p * x + -0.200_023_03;
    let p = p * x + 0.250_008_1;
    let p = p * x + -0.333_333_16;
    let p = p * x + 0.5;
    let p = p * x + -1.0;
    let e = e as f32;
    e * LN_2_HIGH + (e * LN_2_LOW + p * x)
}

/// 1 / sqrt(q) for normal q > 0: a guess from the exponent, then three steps of Newton's method.
#[inline(always)]
pub(crate) fn inverse_sqrt(q: f32) -> f32 {
    let half = 0.5 * q;
    let y = f32::from_bits(0x5f37_59df - (q.to_bits() >> 1));
    let y = y * (1.5 - half * y * y);
    let y = y * (1.5 - half * y * y);
    y * (1.5 - half * y * y)
}

/// Cosine and sine of some quarter turns and then i / 2^31 of an eighth.
#[inline(always)]
pub(crate) fn cos_sin_from(quarter: u32, i: i32) -> (f32, f32) {
    let t = from_signed_word(i) * 4.656_613e-10; // 2^-31
    let s = t * t;
    let p = -3.660_915_5e-5;
    let p = p * s + 0.002_491_016_4;
    let p = p * s + -0.080_745_83;
    let p = p * s + FRAC_PI_4;
    let sin = p * t;
    let p = 3.494_087_4e-6;
    let p = p * s + -0.000_325_868_7;
    let p = p * s + 0.015_854_284;
    let p = p * s + -0.308_425_13;
    let cos = p * s + 1.0;
    let swap = quarter & 1 != 0;
    let (c, s) = if swap { (sin, cos) } else { (cos, sin) };
    // Quarters 1 and 2 turn the cosine's sign, 2 and 3 the sine's.
    let cos_sign = ((quarter + 1) & 2) << 30;
    let sin_sign = (quarter & 2) << 30;
    (f32::from_bits(c.to_bits() ^ cos_sign), f32::from_bits(s.to_bits() ^ sin_sign))
}

/// -2 ln(u), where u is t / 2^33 if t > 0, and 1 + t / 2^33 if t < 0, so that neither end loses digits; |t| <= 2^32. Within 7e-6
/// of it: see "How good the functions must be" in DESIGN.md.
#[inline(always)]
pub(crate) fn twice_neg_ln(t: f32) -> f32 {
    let bits = t.to_bits();
    let near = t < 0.0;
    // u = 2^-e (1 - y), with e = 0 or y in (0, 1/2].
    let y = if near { t * -PER_STEP } else { 1.0 - f32::from_bits(bits & 0x007f_ffff | 0x3f00_0000) };
    let e = if near { 0 } else { 159 - (bits >> 23) as i32 };
    // -2 ln(1 - y) = y p(y)
    let p = 1.692_760_1;
    let p = p * y + -0.622_188_15;
    let p = p * y + 0.806_725_7;
    let p = p * y + 0.627_342_2;
    let p = p * y + 1.001_790_9;
    let p = p * y + 1.999_987;
    p * y + e as f32 * (2.0 * std::f32::consts::LN_2)
}

/// What [`root`] is too large by, inverted; and what the other functions' errors do to the variance of a normal.
pub(crate) const RADIUS_UNIT: f64 = 0.084_659_682_89;

/// 1 / [`RADIUS_UNIT`] times sqrt(q), within 5e-7 of it: a guess from the exponent, and two steps like Newton's.
#[inline(always)]
fn root(q: f32) -> f32 {
    let y = f32::from_bits(0x5f30_4000 - (q.to_bits() >> 1));
    let y = y * (2.805_748_2 - q * y * y);
    let r = q * y;
    r * (9.802_052 - r * y)
}

/// Two independent normals from two words, of standard deviation `scale` / [`RADIUS_UNIT`]. G. E. P. Box, M. E. Muller, "A note
/// on the generation of random normal deviates", Annals of Mathematical Statistics 29, 1958.
///
/// The radius comes from the middle of a 2^-32 step at both ends of (0, 1): a standard normal reaches 6.76, and never is 0.
#[inline(always)]
pub(crate) fn normal_pair(w0: u32, w1: u32, scale: f32) -> (f32, f32) {
    let radius = scale * root(twice_neg_ln(middle_of(w0 as i32)));
    // The lowest 30 bits are an angle of up to an eighth of a turn, in units of 2^-15 of it, the others its octant.
    let t = ((w1 << 2) as i32 >> 16) as f32 + ((w1 << 1) & 0x7fff | 1) as f32 * 3.051_757_8e-5;
    let s = t * t;
    let sine = ((6.447_04e-26 * s + -2.294_335_5e-15) * s + 2.396_841_4e-5) * t;
    let cosine = (1.332_096_3e-20 * s + -2.870_626e-10) * s + 0.999_988_2;
    let cosine = f32::from_bits(cosine.to_bits() ^ w1 & 0x8000_0000);
    let swap = w1 & 0x4000_0000 != 0;
    (radius * if swap { sine } else { cosine }, radius * if swap { cosine } else { sine })
}

#[cfg(test)]
mod tests {
    use super::*;
}
