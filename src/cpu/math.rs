//! The functions that the draws are made of: the twin of `shaders/math.wgsl`, line by line.
//!
//! Only `+ - *`, comparisons, bit casts and exact conversions of f32, each correctly rounded everywhere. WGSL leaves the
//! last bits of log, sin, cos and sqrt to the driver, so they are polynomials here; in WGSL, a product that feeds a sum is
//! guarded against fusing, which Rust never does on its own.

use std::f32::consts::FRAC_PI_4;

/// 2 u + 1 as f32, rounded once: the middle of u's step, doubled. Written as one sum, since a compiler may change the order
/// of two.
#[inline(always)]
pub(crate) fn middle_of(u: u32) -> f32 {
    (u >> 15) as f32 * 65536.0 + (u << 1 & 0xffff | 1) as f32
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

/// -ln(u) for the middle u of a word's step.
#[inline(always)]
pub(crate) fn neg_ln_of_word(w: u32) -> f32 {
    neg_ln(middle_of(w) * PER_STEP, middle_of(!w) * -PER_STEP)
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

/// Cosine and sine of a full turn times w / 2^32, taken at the middle of w's step so that neither is ever zero.
#[inline(always)]
pub(crate) fn cos_sin_turn(w: u32) -> (f32, f32) {
    cos_sin_from(w.wrapping_add(0x2000_0000) >> 30, ((w << 2) | 2) as i32)
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

/// Two independent standard normals from two words. G. E. P. Box, M. E. Muller, "A note on the generation of random normal
/// deviates", Annals of Mathematical Statistics 29, 1958.
///
/// The radius comes from the middle of a 2^-32 step at both ends of (0, 1): |z| reaches 6.76, and never is 0.
#[inline(always)]
pub(crate) fn normal_pair(w0: u32, w1: u32) -> (f32, f32) {
    let q = 2.0 * neg_ln_of_word(w0);
    let radius = q * inverse_sqrt(q);
    let (cos, sin) = cos_sin_turn(w1);
    (radius * cos, radius * sin)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distance from the f64 `exact`, in units in the last place of the f32 nearest to it.
    fn ulps(x: f32, exact: f64) -> f64 {
        let magnitude = (exact.abs() as f32).max(f32::MIN_POSITIVE);
        let ulp = f64::from(magnitude.next_up()) - f64::from(magnitude);
        (f64::from(x) - exact).abs() / ulp
    }

    /// The largest errors over words, in ULP: the logarithm, the radius, cosine and sine.
    fn worst(words: impl Iterator<Item = u32>) -> [f64; 3] {
        let mut worst = [0f64; 3];
        for w in words {
            let u = (f64::from(w) + 0.5) / 2f64.powi(32);
            let exact = -f64::ln(u);
            // Near 1, ln(u) from the exact distance.
            let exact = if u > 0.5 { -f64::ln_1p(-(f64::from(!w) + 0.5) / 2f64.powi(32)) } else { exact };
            let ln = neg_ln_of_word(w);
            let q = 2.0 * ln;
            let angle = (f64::from((w << 2) as i32 >> 2) + 0.5) / 2f64.powi(30) * std::f64::consts::FRAC_PI_2;
            let (sin, cos) = angle.sin_cos();
            let (sin, cos) = match w.wrapping_add(1 << 29) >> 30 {
                0 => (sin, cos),
                1 => (cos, -sin),
                2 => (-sin, -cos),
                _ => (-cos, sin),
            };
            let (c, s) = cos_sin_turn(w);
            let errors =
                [ulps(ln, exact), ulps(q * inverse_sqrt(q), (2.0 * exact).sqrt()), ulps(c, cos).max(ulps(s, sin))];
            for (worst, error) in worst.iter_mut().zip(errors) {
                *worst = worst.max(error);
            }
        }
        worst
    }

    // What the exhaustive test measured, 2.678, 3.807 and 2.377, rounded up.
    const BOUNDS: [f64; 3] = [2.7, 3.9, 2.4];

    #[track_caller]
    fn assert_within_bounds(errors: [f64; 3]) {
        println!("ULP: -ln {:.3}, radius {:.3}, cos and sin {:.3}", errors[0], errors[1], errors[2]);
        assert!(errors.iter().zip(BOUNDS).all(|(e, b)| *e <= b), "{errors:?} exceed {BOUNDS:?} ULP");
    }

    #[test]
    fn functions_are_within_their_stated_error() {
        let ends = (0..1 << 16).flat_map(|i| [i, !i, 0xb504_f300 ^ i, 0x2000_0000 ^ i, 0x1fff_0000 ^ i]);
        assert_within_bounds(worst(ends.chain((0..1 << 20).map(|i: u32| i.wrapping_mul(4097)))));
    }

    #[test]
    #[ignore = "all 2^32 words take minutes: cargo test --release --lib -- --ignored"]
    fn functions_are_within_their_stated_error_at_every_word() {
        let quarters: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4u32).map(|q| scope.spawn(move || worst((0..1 << 30).map(|i| q << 30 | i)))).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_within_bounds(quarters.into_iter().reduce(|a, b| std::array::from_fn(|i| a[i].max(b[i]))).unwrap());
    }

    #[test]
    fn the_largest_normal_is_beyond_six_and_none_is_zero() {
        let (z, _) = normal_pair(0, 0);
        assert!((6.76..6.77).contains(&z), "{z}");
        for w in [0, 1, 0x1fff_ffff, 0x2000_0000, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let (a, b) = normal_pair(u32::MAX, w);
            assert!(a != 0.0 && b != 0.0 && a.hypot(b) < 2e-5, "{a} {b}");
        }
    }
}
