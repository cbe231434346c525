//! A line for each layer.

use fanin::probe::{BINS, Histogram, Layer, Report};

use crate::commands::stats::bars_of;

/// The width of a terminal that shows all columns.
const WIDE: usize = 142;

/// Prints a line for each layer: of a terminal of less than 142 columns some numbers, and a histogram of half as many bins.
pub fn say(report: &Report, columns: usize) {
    let is_wide = columns >= WIDE;
    let bins = if is_wide { BINS } else { BINS / 2 };
    let wide = |text: String| if is_wide { text } else { String::new() };
    say!(
        "layer   pre std  expected {}  {:bins$}  {}saturated   zero{}  gradient  expected",
        wide("      mean       std".into()),
        "activations",
        wide("           from           to  ".into()),
        wide("   dead".into()),
    );
    for (at, layer) in report.layers.iter().enumerate() {
        let expected = report.theory.as_ref().map(|theory| theory.layers[at]);
        let expected = |of: fn(&fanin::probe::Expected) -> f64| expected.as_ref().map_or("-".into(), |e| short(of(e)));
        let counts: Vec<u64> = without_zeros(layer).chunks(BINS / bins).map(|some| some.iter().sum()).collect();
        let (low, high) = (layer.histogram.low.into(), layer.histogram.high.into());
        say!(
            "{:>5} {:>9} {:>9} {}  {}  {}{:>9} {:>6}{} {:>9} {:>9}",
            at + 1,
            short(layer.pre_std),
            expected(|e| e.pre_std),
            wide(format!("{:>10}{:>10}", short(layer.mean), short(layer.std))),
            bars_of(&counts),
            wide(format!("{:>15}{:>13}  ", short(low), short(high))),
            share(layer.saturated),
            share(layer.zero),
            wide(format!(" {:>6}", layer.dead)),
            short(layer.gradient_std),
            expected(|e| e.gradient_std),
        );
    }
}

/// The histogram of what is not exactly zero, which has a column of its own and would dwarf the rest; of all, if all is zero.
fn without_zeros(layer: &Layer) -> [u64; BINS] {
    let Histogram { low, high, mut counts, .. } = layer.histogram;
    let zeros = (layer.zero * counts.iter().sum::<u64>() as f64).round() as u64;
    if layer.zero < 1.0 && low <= 0.0 && high > low {
        let bin = ((-low / (high - low) * BINS as f32) as usize).min(BINS - 1);
        counts[bin] = counts[bin].saturating_sub(zeros);
    }
    counts
}

/// Four digits, in nine columns.
pub fn short(x: f64) -> String {
    // Rounded first, so that its size is that of what is shown.
    let rounded: f64 = format!("{x:.3e}").parse().unwrap_or(x);
    match rounded.abs() {
        _ if !x.is_finite() => "-".into(),
        0.0 => "0".into(),
        size if !(0.01..1e4).contains(&size) => format!("{x:.2e}"),
        size => format!("{x:.*}", (3 - size.log10().floor() as i32).max(0) as usize),
    }
}

/// A share in percent.
pub fn share(x: f64) -> String {
    if x.is_finite() { format!("{:.1}%", 100.0 * x) } else { "-".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits_in_nine_columns() {
        for (x, text) in [
            (1.0, "1.000"),
            (-0.333_333, "-0.3333"),
            (0.0123, "0.01230"),
            (12.345, "12.35"),
            (9999.0, "9999"),
            (12345.0, "1.23e4"),
            (-1.234e-123, "-1.23e-123"),
            (f64::NAN, "-"),
            (0.0, "0"),
            (0.999_99, "1.000"),
            (9_999.9, "1.00e4"),
        ] {
            assert_eq!(short(x), text);
        }
        assert_eq!((share(0.123), share(f64::NAN)), ("12.3%".into(), "-".into()));
    }
}
