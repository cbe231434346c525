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

/// The sum, and what rounding took from it. D. E. Knuth, The art of computer programming 2, 4.2.2.
#[inline(always)]
pub(crate) fn two_sum(a: f32, b: f32) -> (f32, f32) {
    let s = a + b;
    let b_part = s - a;
    (s, (a - (s - b_part)) + (b - b_part))
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

/// The inverse of the factor by which [`root`] is too large, with the effect of the other functions' errors on a normal's variance.
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
/// on the generation of random normal deviates", Annals of Mathematical Statistics 29, 1958,
/// <https://doi.org/10.1214/aoms/1177706645>.
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

/// Less than 2^-10, of either sign, by bits of a word that decide next to nothing else. A distance of 24 bits is spread over so much of
/// itself where it meets a location: their sum is rounded to 24 other bits, and would find some of them twice, some not at all.
#[inline(always)]
pub(crate) fn spread(word: u32) -> f32 {
    (((word << 1) & 0x1fe | 1) as i32 - 256) as f32 * 3.814_697_3e-6 // 2^-18
}

#[cfg(test)]
mod tests {
    use std::f64::consts::{FRAC_PI_4, TAU};

    use super::*;

    /// The distance from the f64 `exact`, in units in the last place of the f32 nearest to it.
    fn ulps(x: f32, exact: f64) -> f64 {
        let magnitude = (exact.abs() as f32).max(f32::MIN_POSITIVE);
        let ulp = f64::from(magnitude.next_up()) - f64::from(magnitude);
        (f64::from(x) - exact).abs() / ulp
    }

    /// The words near every end and seam, and a 2^20th of all.
    fn words() -> impl Iterator<Item = u32> {
        let ends =
            (0..1 << 16).flat_map(|i| [i, !i, 0xb504_f300 ^ i, 0x2000_0000 ^ i, 0x1fff_0000 ^ i, 0x8000_0000 ^ i]);
        ends.chain((0..1 << 20).map(|i: u32| i.wrapping_mul(4097)))
    }

    /// The functions that the frameworks' streams and the exponential proposals depend on.
    #[test]
    fn logarithm_root_and_angle_are_within_their_stated_error() {
        let mut worst = [0f64; 3];
        for w in words() {
            let (u, rest) = ((f64::from(w) + 0.5) / 2f64.powi(32), (f64::from(!w) + 0.5) / 2f64.powi(32));
            // Near 1, ln(u) from the exact distance.
            let exact = if u > 0.5 { -f64::ln_1p(-rest) } else { -u.ln() };
            let ln = neg_ln(u as f32, -rest as f32);
            let q = 2.0 * ln;
            let angle = f64::from(w as i32) / 2f64.powi(31) * FRAC_PI_4;
            let (c, s) = cos_sin_from(0, w as i32);
            let errors = [
                ulps(ln, exact),
                ulps(q * inverse_sqrt(q), (2.0 * exact).sqrt()),
                ulps(c, angle.cos()).max(ulps(s, angle.sin())),
            ];
            for (worst, error) in worst.iter_mut().zip(errors) {
                *worst = worst.max(error);
            }
        }
        println!("ULP: -ln {:.3}, radius {:.3}, cos and sin {:.3}", worst[0], worst[1], worst[2]);
        assert!(worst.iter().zip([2.7, 3.9, 2.4]).all(|(e, b)| *e <= b), "{worst:?}");
    }

    /// The radius of a standard normal, and its exact value, at t.
    fn radius(t: f32) -> (f64, f64) {
        let u = f64::from(t) / 2f64.powi(33);
        let exact = (-2.0 * if u < 0.0 { u.ln_1p() } else { u.ln() }).sqrt();
        (f64::from(root(twice_neg_ln(t))) * RADIUS_UNIT, exact)
    }

    /// Cosine and sine as a normal has them, and the exact ones, of an angle in an eighth of a turn.
    fn cos_sin(part: f64) -> ([f64; 2], [f64; 2]) {
        // The radius is 1 but for rounding, which `scale` undoes.
        let w1 = (part * 2f64.powi(29)) as u32 & 0x3fff_ffff;
        let t = f64::from((w1 << 2) as i32 >> 16) + f64::from((w1 << 1) & 0x7fff | 1) / 2f64.powi(15);
        let one = f64::from(root(twice_neg_ln(2f32.powi(30))));
        let (c, s) = normal_pair(1 << 29, w1, 1.0);
        let angle = t / 2f64.powi(15) * FRAC_PI_4;
        ([f64::from(c) / one, f64::from(s) / one], [angle.cos(), angle.sin()])
    }

    #[test]
    fn normals_functions_are_within_their_stated_error() {
        let mut worst = [0f64; 3];
        for w in words() {
            let (r, exact) = radius(middle_of(w as i32));
            let ([c, s], [exact_c, exact_s]) = cos_sin(f64::from(w) / 2f64.powi(32));
            let errors = [r / exact, c / exact_c, s / exact_s];
            for (worst, error) in worst.iter_mut().zip(errors) {
                *worst = worst.max((error - 1.0).abs());
            }
        }
        println!("relative errors: radius {:.2e}, cosine {:.2e}, sine {:.2e}", worst[0], worst[1], worst[2]);
        assert!(worst.iter().zip([4.0e-6, 1.21e-5, 1.9e-6]).all(|(e, b)| *e <= b), "{worst:?}");
    }

    /// The bounds on the functions' errors, which DESIGN.md derives: with relative errors d of radius and angle, the distribution
    /// function of |z| moves by G(z) = E[f(r) r d], where f is the density of the radius r = z / cos(a), or z / sin(a). Of 2^40 values
    /// the chi-square over 2^16 cells then grows by 2^40 times the integral of G'^2 / density, the Kolmogorov statistic by at most 2^20
    /// times the largest G / 2, and the variance is off by some standard errors: each stays below one sigma.
    #[test]
    fn two_to_the_40_values_do_not_tell_their_errors() {
        let d_radius = |r: f64| {
            let u = (-r * r / 2.0).exp_m1();
            let t = if u > -0.5 { u } else { (-r * r / 2.0).exp() };
            let (r, exact) = radius((t * 2f64.powi(33)) as f32);
            r / exact - 1.0
        };
        let points = 1000;
        let angles: Vec<_> = (0..points).map(|i| (f64::from(i) + 0.5) / f64::from(points)).collect();
        let parts: Vec<_> = angles.iter().map(|&x| (x, cos_sin(x), cos_sin(x * x))).collect();
        let density_of_radius = |r: f64| r * (-r * r / 2.0).exp();
        // The angle x pi / 4, or its square: dense where a cosine changes least.
        let shift = |z: f64| {
            let sum: f64 = parts
                .iter()
                .map(|(x, ([_, s], [_, exact_s]), ([c, _], [exact_c, _]))| {
                    let term = |exact: f64, d: f64| {
                        let r = z / exact;
                        if r < 8.0 { density_of_radius(r) * r * (d_radius(r) + d) } else { 0.0 }
                    };
                    term(*exact_s, s / exact_s - 1.0) + 2.0 * x * term(*exact_c, c / exact_c - 1.0)
                })
                .sum();
            sum / f64::from(points) / 2.0
        };
        let step = 1.0 / 128.0;
        let shifts: Vec<_> = (1..640).map(|i| shift(f64::from(i) * step)).collect();
        let (mut chi_square, mut largest) = (0.0, 0f64);
        for (i, pair) in shifts.windows(2).enumerate() {
            let z = (i as f64 + 1.5) * step;
            let density = 4.0 / TAU.sqrt() * (-z * z / 2.0).exp() / 2.0;
            chi_square += (pair[1] - pair[0]).powi(2) / step / density;
            largest = largest.max(pair[0].abs());
        }
        let values = 2f64.powi(40);
        let (chi_square, kolmogorov) = (values * chi_square / (2.0 * 65_535f64).sqrt(), values.sqrt() * largest / 2.0);
        // By octaves of u.
        let mut variance = 0.0;
        for k in 1..34 {
            let ts = (0..1 << 14).map(|i| 2f64.powi(33 - k) * (1.0 + (f64::from(i) + 0.5) / 16384.0));
            let squares = ts.map(|t| radius(if k == 1 { t - 2f64.powi(33) } else { t } as f32).0.powi(2) / 16384.0);
            variance += squares.sum::<f64>() * 2f64.powi(-k) / 2.0;
        }
        variance *= parts.iter().map(|(_, ([c, s], _), _)| (c * c + s * s) / f64::from(points)).sum::<f64>();
        let variance = (variance - 1.0) / (2.0 / values).sqrt();
        println!("2^40 values: chi-square {chi_square:+.3}, sqrt(n) D {kolmogorov:+.3}, variance {variance:+.3} sigma");
        assert!(chi_square < 0.5 && kolmogorov < 0.5 && variance.abs() < 0.5);
    }

    #[test]
    fn the_largest_normal_is_beyond_six_and_none_is_zero() {
        let scale = RADIUS_UNIT as f32;
        let (z, _) = normal_pair(0, 0, scale);
        assert!((6.76..6.77).contains(&z), "{z}");
        for w in [0, 1, 0x1fff_ffff, 0x2000_0000, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let (a, b) = normal_pair(u32::MAX, w, scale);
            assert!(a != 0.0 && b != 0.0 && a.hypot(b) < 2e-5, "{a} {b}");
        }
    }
}
