//! The moments of a truncated standard normal, for people and tests; no draw depends on them.

/// Mean and standard deviation of N(0, 1) cut to [a, b], by Simpson's rule on the part of the window that holds all but
/// e^-50 of the mass; NaN for what is no window. Distances are taken from the window's most likely point, so that far tails lose no digits.
pub(crate) fn truncated_normal(a: f64, b: f64) -> (f64, f64) {
    if a.is_nan() || b.is_nan() || a > b {
        return (f64::NAN, f64::NAN);
    }
    let mode = 0f64.clamp(a, b);
    // Where the density is e^-50 of its peak: (z^2 - mode^2) / 2 = 50, written without cancellation.
    let reach = 100.0 / ((mode * mode + 100.0).sqrt() + mode.abs());
    let both = if mode == 0.0 { 10.0 } else { reach };
    let (from, to) = ((a - mode).max(-both), (b - mode).min(both));
    const INTERVALS: u32 = 4096;
    let step = (to - from) / f64::from(INTERVALS);
    let [mut mass, mut first, mut second] = [0.0; 3];
    for i in 0..=INTERVALS {
        let s = from + step * f64::from(i);
        let weight = if i == 0 || i == INTERVALS { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
        let density = weight * (-s * (mode + s / 2.0)).exp();
        mass += density;
        first += density * s;
        second += density * s * s;
    }
    let mean = first / mass;
    (mode + mean, (second / mass - mean * mean).max(0.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::truncated_normal;

    #[test]
    fn known_windows() {
        let close = |x: f64, y: f64| assert!((x - y).abs() <= 1e-9 * y.abs().max(1e-3), "{x} is not {y}");
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
    }
}
