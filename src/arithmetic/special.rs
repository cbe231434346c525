//! The few special functions that a kernel's numbers are made with, in `+ - * /` of f64 alone, which IEEE 754 rounds the same
//! way on every host: a seed's values depend on no mathematical library.
//!
//! Relative errors are below 1e-15, in `erfc`'s tail too as long as it is a normal number, of sine and cosine where they are above 1e-10;
//! a unit test holds them against values of 40 digits.

/// ln 2, the first 32 bits and the rest: what is left of an exponent loses nothing by it. W. J. Cody, W. Waite, "Software
/// manual for the elementary functions", 1980.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
const SQRT_PI: f64 = 1.772_453_850_905_516;
/// pi / 2 in parts of 29, 29 and 53 bits: a whole number of 24 bits times either of the first two is exact.
const HALF_PI: [f64; 3] = [
    421_657_428.0 / (1u128 << 28) as f64,
    142_975_752.0 / (1u128 << 57) as f64,
    7_426_527_562_416_238.0 / (1u128 << 110) as f64,
];
/// The largest angle of which sine and cosine are worked out.
pub(crate) const MAX_ANGLE: f64 = 16_777_216.0;

/// e^x: 2^k e^r with |r| <= ln(2) / 2, and the series of e^r.
pub(crate) fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 710.0 {
        return f64::INFINITY;
    }
    if x < -746.0 {
        return 0.0;
    }
    let k = (x / (LN_2_HIGH + LN_2_LOW) + 0.5).floor();
    let r = x - k * LN_2_HIGH - k * LN_2_LOW;
    // In two steps, neither of which leaves the normal numbers before the result does.
    let half = (k / 2.0).floor();
    (1.0 + r * series(r)) * power_of_two(half) * power_of_two(k - half)
}

/// e^x - 1, also where it is small.
pub(crate) fn expm1(x: f64) -> f64 {
    if x.abs() < 0.5 { x * series(x) } else { exp(x) - 1.0 }
}

/// The natural logarithm: 2^k m with m next to 1, and the series of artanh. M. Abramowitz, I. A. Stegun, "Handbook of mathematical
/// functions", 1964, 4.1.27.
pub(crate) fn ln(x: f64) -> f64 {
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x.is_nan() || x < 0.0 || x == f64::INFINITY {
        return if x > 0.0 { x } else { f64::NAN };
    }
    // A subnormal number is made normal.
    let (x, scaled) = if x < f64::MIN_POSITIVE { (x * power_of_two(54.0), 54) } else { (x, 0) };
    let mut k = exponent(x);
    let mut m = x / power_of_two(f64::from(k));
    if m > std::f64::consts::SQRT_2 {
        (m, k) = (m / 2.0, k + 1);
    }
    let s = (m - 1.0) / (m + 1.0);
    let (square, mut sum) = (s * s, 0.0);
    let mut n = 23.0;
    while n > 1.0 {
        sum = square * (1.0 / n + sum);
        n -= 2.0;
    }
    let k = f64::from(k - scaled);
    k * LN_2_HIGH + (k * LN_2_LOW + 2.0 * s * sum + 2.0 * s)
}

/// The error function.
pub(crate) fn erf(x: f64) -> f64 {
    if x.abs() < 1.0 {
        near_erf(x)
    } else if x < 0.0 {
        tail(-x) - 1.0
    } else {
        1.0 - tail(x)
    }
}

/// 1 - erf(x), also where it is small.
pub(crate) fn erfc(x: f64) -> f64 {
    if x.abs() < 1.0 {
        1.0 - near_erf(x)
    } else if x < 0.0 {
        2.0 - tail(-x)
    } else {
        tail(x)
    }
}

/// The sine of at most 2^24 radians, NaN of more.
pub(crate) fn sin(x: f64) -> f64 {
    sine_after(0, x)
}

/// The cosine of at most 2^24 radians, NaN of more.
pub(crate) fn cos(x: f64) -> f64 {
    sine_after(1, x)
}

/// The exponent of a normal number; of a smaller one, less than that of any.
pub(crate) fn exponent(x: f64) -> i32 {
    (x.to_bits() >> 52 & 0x7ff) as i32 - 1023
}

/// (e^x - 1) / x = 1 + x/2 (1 + x/3 (1 + ...)) for |x| <= 0.5.
fn series(x: f64) -> f64 {
    let mut sum = 1.0;
    let mut n = 16.0;
    while n > 1.0 {
        sum = 1.0 + x / n * sum;
        n -= 1.0;
    }
    sum
}

/// The sine so many quarter turns further on: x = k pi / 2 + r with |r| <= pi / 4, and the series of r. W. J. Cody, W. Waite, as above.
fn sine_after(quarters: i64, x: f64) -> f64 {
    if x.is_nan() || x.abs() > MAX_ANGLE {
        return f64::NAN;
    }
    let k = (x / (HALF_PI[0] + HALF_PI[1]) + 0.5).floor();
    let (r, lost) = difference(x - k * HALF_PI[0], k * HALF_PI[1]);
    let (r, more) = difference(r, k * HALF_PI[2]);
    let (square, lost) = (r * r, lost + more);
    let quarter = k as i64 + quarters;
    let value = if quarter & 1 == 0 {
        r - (r * (square / 6.0 * alternating(square, 16.0)) - lost)
    } else {
        1.0 - (square / 2.0 * alternating(square, 15.0) + r * lost)
    };
    if quarter & 2 == 0 { value } else { -value }
}

/// 1 - x^2/(4 * 5) (1 - x^2/(6 * 7) (1 - ...)) up to the factor n (n + 1), for an even n; from 3 * 4 on for an odd one.
fn alternating(square: f64, mut n: f64) -> f64 {
    let mut sum = 1.0;
    while n > 2.0 {
        sum = 1.0 - square / (n * (n + 1.0)) * sum;
        n -= 2.0;
    }
    sum
}

/// a - b, and what rounding took from it.
fn difference(a: f64, b: f64) -> (f64, f64) {
    let d = a - b;
    (d, (a - d) - b)
}

/// 2^k, for a whole k within the normal numbers' exponents.
pub(crate) fn power_of_two(k: f64) -> f64 {
    f64::from_bits(((k + 1023.0) as u64) << 52)
}

/// erf(x) = 2 x / sqrt(pi) e^(-x^2) (1 + 2x^2/3 (1 + 2x^2/5 (1 + ...))) for |x| <= 1. M. Abramowitz, I. A. Stegun, "Handbook of
/// mathematical functions", 1964, 7.1.6.
fn near_erf(x: f64) -> f64 {
    let mut sum = 1.0;
    let mut n = 45.0;
    while n > 1.0 {
        sum = 1.0 + 2.0 * x * x / n * sum;
        n -= 2.0;
    }
    2.0 / SQRT_PI * x * exp(-x * x) * sum
}

/// erfc(x) = e^(-x^2) / sqrt(pi) / (x + 1/2 / (x + 2/2 / (x + 3/2 / (x + ...)))) for x >= 1. The same, 7.1.14.
fn tail(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 28.0 {
        return 0.0;
    }
    let mut fraction = x;
    let mut n = 200.0;
    while n > 0.0 {
        fraction = x + n / 2.0 / fraction;
        n -= 1.0;
    }
    // x^2 in two parts, the first of which is exact; its exponential by halves, which are normal numbers where erfc is not.
    let near = (x * 1_048_576.0).floor() / 1_048_576.0;
    let half = exp(-near * near / 2.0);
    half * (half * exp(-(x - near) * (x + near)) / (SQRT_PI * fraction))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    type Function = fn(f64) -> f64;
    const NAMED: [(&str, Function); 7] =
        [("exp", exp), ("expm1", expm1), ("erf", erf), ("erfc", erfc), ("ln", ln), ("sin", sin), ("cos", cos)];

    fn is_of_angles(name: &str) -> bool {
        ["sin", "cos"].contains(&name)
    }

    /// `tests/golden/special.txt` has on each line a function, an argument and what the function gives, as f64 words: this
    /// module and the contract's other implementation give these bits. `FANIN_WRITE=1` writes them anew.
    #[test]
    fn functions_give_the_bits_that_they_always_gave() {
        let mut arguments: Vec<f64> = (-60..=60).map(|i| f64::from(i) * 0.37 + 1e-3).collect();
        arguments.extend((1..=40).flat_map(|i| [10f64.powi(-i), -(10f64.powi(-i))]));
        arguments.extend([0.0, -0.0, 0.5, -0.5, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 1e300]);
        arguments.extend([709.7, 709.8, 710.0, -708.0, -745.0, -745.2, -746.0, 26.5, 27.2, 27.3, 28.0, 28.1]);
        // The arguments at which the logarithm changes its exponent, and those that have none.
        let root = std::f64::consts::SQRT_2;
        arguments.extend([root.next_down(), root, root.next_up(), root / 2.0, 2.0]);
        arguments.extend([1.0f64.next_down(), 1.0f64.next_up()]);
        arguments.extend([f64::from_bits(1), 1e-310, f64::MIN_POSITIVE.next_down(), f64::MAX]);
        let mut text = String::new();
        // Angles around each multiple of an eighth of a turn, small and large ones.
        let eighths =
            (1..=40).chain([12_345, 1 << 20, 21_361_414]).map(|i| f64::from(i) * (HALF_PI[0] + HALF_PI[1]) / 2.0);
        let mut angles: Vec<f64> = eighths.flat_map(|x| [x.next_down(), x, x.next_up(), -x]).collect();
        angles.extend((1..=60).map(|i| f64::from(i) * 1234.567));
        angles.extend([99_999.0, MAX_ANGLE, MAX_ANGLE.next_up()]);
        for (name, function) in NAMED {
            let more = if is_of_angles(name) { &angles[..] } else { &[] };
            for &x in arguments.iter().chain(more) {
                let value = function(x);
                // NaN has many words.
                let is_outside = if is_of_angles(name) { x.abs() > MAX_ANGLE } else { name == "ln" && x < 0.0 };
                assert_eq!(value.is_nan(), is_outside, "{name}({x:e})");
                if !value.is_nan() {
                    writeln!(text, "{name} {:016x} {:016x}", x.to_bits(), value.to_bits()).unwrap();
                }
            }
        }
        crate::golden::agrees("special.txt", &text);
        assert!(NAMED.iter().all(|(_, function)| function(f64::NAN).is_nan()));
    }

    /// mpmath's, of 40 digits.
    #[test]
    fn functions_are_within_1e_15_of_known_values() {
        let known = include_str!("../../tests/golden/special_known.txt");
        let (mut worst, mut count) = ([0f64; 7], 0);
        for line in known.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<_> = line.split(' ').collect();
            let at = NAMED.iter().position(|(name, _)| *name == fields[0]).unwrap();
            let (x, exact): (f64, f64) = (fields[1].parse().unwrap(), fields[2].parse().unwrap());
            let ours = NAMED[at].1(x);
            // The part of a subnormal result that rounding takes; of an angle nearer to a zero than most f64s are, what is left of it.
            let lost = if is_of_angles(fields[0]) { 1e-25 } else { f64::from_bits(1) };
            let error = ((ours - exact).abs() - lost).max(0.0) / exact.abs();
            assert!(error <= 1e-15, "{line}: {ours:e}, {error:e}");
            worst[at] = worst[at].max(error);
            count += 1;
        }
        println!("{count} values, the worst relative errors of exp, expm1, erf, erfc, ln, sin, cos: {worst:?}");
        assert!(count > 3000);
    }

    /// Over many more arguments, against a library whose errors are about 1e-16.
    #[test]
    fn functions_are_those_of_libm() {
        let others: [Function; 7] = [libm::exp, libm::expm1, libm::erf, libm::erfc, libm::log, libm::sin, libm::cos];
        for ((name, function), other) in NAMED.into_iter().zip(others) {
            let at = |x: f64| {
                let is_too_large = is_of_angles(name) && x.abs() > MAX_ANGLE;
                let (ours, theirs) = (function(x), if is_too_large { f64::NAN } else { other(x) });
                let near = (ours - theirs).abs() <= 2e-15 * theirs.abs() + f64::from_bits(1);
                let none = ours.is_nan() && theirs.is_nan();
                assert!(near || ours == theirs || none, "{name}({x:e}) is {ours:e}, not {theirs:e}");
            };
            (-400_000..=400_000).for_each(|i| at(f64::from(i) * 7.31e-5));
            (-100_000..=100_000).for_each(|i| at(f64::from(i) * 7.31e-3));
            (0..=300).for_each(|i| at(10f64.powi(-i)));
            (0..=300).for_each(|i| at(-(10f64.powi(-i))));
            (0..=308).for_each(|i| at(10f64.powi(i)));
            (1..=1074).for_each(|i| at(2f64.powi(-i)));
        }
    }

    #[test]
    fn exponents_are_those_of_libm() {
        for x in [1.0, 1.5, 2.0, 0.999, 1e300, 1e-300, f64::MAX, f64::MIN_POSITIVE] {
            assert_eq!(exponent(x), libm::ilogb(x));
        }
        assert!(exponent(1e-310) < -1022);
    }
}
