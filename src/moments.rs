//! The moments of a truncated standard normal, for people and tests; no draw depends on them.

/// Mean and standard deviation of N(mean, std^2) cut to [low, high], by Simpson's rule on the part of the window that holds all but
/// e^-50 of the mass; NaN for what is no window. Distances are taken from the window's most likely point, in units of the smaller of
/// the standard deviation and the window, so that neither far tails nor narrow windows lose digits.
pub(crate) fn truncated_normal(mean: f64, std: f64, low: f64, high: f64) -> (f64, f64) {
    if low.is_nan() || high.is_nan() || low > high {
        return (f64::NAN, f64::NAN);
    }
    // Ten of them must be a number.
    if std > 1e300 && std.is_finite() {
        let small = 2f64.powi(-64);
        let (mean, std) = truncated_normal(mean * small, std * small, low * small, high * small);
        return (mean / small, std / small);
    }
    let mode = mean.clamp(low, high);
    // How many sigmas the most likely point is from the mean.
    let a = ((mode - mean) / std).abs();
    // Where the density is e^-50 of its peak: (z^2 - a^2) / 2 = 50, written without cancellation.
    let reach = std * if a == 0.0 { 10.0 } else { 100.0 / (a.hypot(10.0) + a) };
    let (from, to) = ((low - mode).max(-reach), (high - mode).min(reach));
    let unit = to - from;
    if unit == 0.0 {
        return (mode, 0.0);
    }
    // The density at s units from the most likely point: exp(-s (slope + curve s)).
    let (slope, curve) = ((mode - mean) / std * (unit / std), (unit / std) * (unit / std) / 2.0);
    const INTERVALS: u32 = 4096;
    let [mut mass, mut first, mut second] = [0.0; 3];
    let start = from / unit;
    let step = 1.0 / f64::from(INTERVALS);
    for i in 0..=INTERVALS {
        let s = start + step * f64::from(i);
        let weight = if i == 0 || i == INTERVALS { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
        let density = weight * (-s * (slope + curve * s)).exp();
        mass += density;
        first += density * s;
        second += density * s * s;
    }
    let distance = first / mass;
    (mode + unit * distance, unit * (second / mass - distance * distance).max(0.0).sqrt())
}

#[cfg(test)]
mod tests {
    #[test]
    fn known_windows() {
        let close = |x: f64, y: f64| assert!((x - y).abs() <= 1e-9 * y.abs().max(1e-3), "{x} is not {y}");
        let truncated_normal = |low, high| super::truncated_normal(0.0, 1.0, low, high);
        close(truncated_normal(-2.0, 2.0).1, crate::TRUNCATED_STD);
        close(truncated_normal(f64::NEG_INFINITY, f64::INFINITY).1, 1.0);
        // The half-normal: mean sqrt(2/pi), variance 1 - 2/pi.
        let (mean, std) = truncated_normal(0.0, f64::INFINITY);
        close(mean, (2.0 / std::f64::consts::PI).sqrt());
        close(std, (1.0 - 2.0 / std::f64::consts::PI).sqrt());
        // A far tail is nearly an exponential of rate a: mean a + 1/a - 2/a^3, std 1/a - 3/a^3.
        let a = 1e3;
        let (mean, std) = truncated_normal(a, f64::INFINITY);
        close((mean - a) * a, 1.0 - 2.0 / (a * a));
        close(std * a, 1.0 - 3.0 / (a * a));
        // A narrow window is uniform.
        close(truncated_normal(-1e-6, 1e-6).1, 1e-6 / 3f64.sqrt());
        // Where the mean is far, or large beside the window, and where sigmas are small beside it: exponentials and uniforms.
        let (mean, std) = super::truncated_normal(-1.0, 1e-9, 0.0, 1.0);
        assert!((mean / 1e-18 - 1.0).abs() < 1e-6 && (std / 1e-18 - 1.0).abs() < 1e-6, "{mean} {std}");
        let (mean, std) = super::truncated_normal(1e30, 1e30, -1.0, 1.0);
        assert!(mean.abs() < 1e-12 && (std * 3f64.sqrt() - 1.0).abs() < 1e-9, "{mean} {std}");
        let (mean, std) = super::truncated_normal(3.0, 1e-300, 2.0, 4.0);
        assert!(mean == 3.0 && (std / 1e-300 - 1.0).abs() < 1e-9, "{mean} {std}");
        let (mean, std) = super::truncated_normal(-0.5, 5e-309, -3e-25, -9e-306);
        assert!(mean == -3e-25 && std == 0.0, "{mean} {std}");
        let (mean, std) = super::truncated_normal(0.0, 1e308, f64::NEG_INFINITY, f64::INFINITY);
        assert!(mean.abs() < 1e297 && (std / 1e308 - 1.0).abs() < 1e-9, "{mean} {std}");
        let (mean, std) = super::truncated_normal(1e308, 1e-300, -1e308, 0.0);
        assert!(mean <= 0.0 && std >= 0.0 && mean.is_finite(), "{mean} {std}");
    }
}
