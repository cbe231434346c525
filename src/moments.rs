//! The moments of a truncated standard normal, for people and tests; no draw depends on them.

/// No standard normal reaches it: the largest is sqrt(66 ln 2) = 6.7638, or, beside a location, 2^-10 of that more.
pub(crate) const NORMAL_REACH: f64 = 6.78;

/// Mean and standard deviation of N(mean, std^2) cut to [low, high], by Simpson's rule on the part of the window that holds all but
/// e^-50 of the mass; NaN for what is no window. Distances are taken from the window's most likely point, in units of the smaller of
/// the standard deviation and the window, so that neither far tails nor narrow windows lose digits.
pub(crate) fn truncated_normal(mean: f64, std: f64, low: f64, high: f64) -> (f64, f64) {
    of_values(mean, std, low, high, None)
}

/// The same of what a function makes of each value, to about a thousandth where it jumps.
pub(crate) fn of_values(mean: f64, std: f64, low: f64, high: f64, value: Option<&dyn Fn(f64) -> f64>) -> (f64, f64) {
    if low.is_nan() || high.is_nan() || low > high {
        return (f64::NAN, f64::NAN);
    }
    // Ten of them must be a number.
    if std > 1e300 && std.is_finite() {
        let small = 2f64.powi(-64);
        let shrunk = value.map(|value| move |x: f64| value(x / small) * small);
        let value = shrunk.as_ref().map(|shrunk| shrunk as &dyn Fn(f64) -> f64);
        let (mean, std) = of_values(mean * small, std * small, low * small, high * small, value);
        return (mean / small, std / small);
    }
    let mode = mean.clamp(low, high);
    // The distance of the most likely point from the mean, in sigmas.
    let a = ((mode - mean) / std).abs();
    // The distance at which the density is e^-50 of its peak: (z^2 - a^2) / 2 = 50, written without cancellation.
    let reach = std * if a == 0.0 { 10.0 } else { 100.0 / (a.hypot(10.0) + a) };
    let (from, to) = ((low - mode).max(-reach), (high - mode).min(reach));
    let unit = to - from;
    if unit == 0.0 {
        return (mode, 0.0);
    }
    // The density at s units from the most likely point: exp(-s (slope + curve s)).
    let (slope, curve) = ((mode - mean) / std * (unit / std), (unit / std) * (unit / std) / 2.0);
    // Of jumps, a number of intervals that keeps step with no lattice.
    let intervals: u32 = if value.is_some() { 16381 } else { 4096 };
    let [mut mass, mut first, mut second] = [0.0; 3];
    let start = from / unit;
    let step = 1.0 / f64::from(intervals);
    for i in 0..=intervals {
        let s = start + step * f64::from(i);
        let weight = match value {
            _ if i == 0 || i == intervals => 1.0,
            Some(_) => 2.0,
            None => f64::from(2 + 2 * (i % 2)),
        };
        let density = weight * (-s * (slope + curve * s)).exp();
        let made = value.map_or(s, |value| (value(mode + unit * s) - mode) / unit);
        mass += density;
        first += density * made;
        second += density * made * made;
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
        // A mean that is far, or large beside the window, and sigmas that are small beside it: exponentials and uniforms.
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
