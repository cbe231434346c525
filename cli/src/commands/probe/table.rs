//! A line for each layer.

use fanin::probe::{BINS, Histogram, Layer, Report};

use crate::commands::digits::{bars, four_digits, percent};

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
        let expected =
            |of: fn(&fanin::probe::Expected) -> f64| expected.as_ref().map_or("-".into(), |e| four_digits(of(e)));
        let counts: Vec<u64> = without_zeros(layer).chunks(BINS / bins).map(|some| some.iter().sum()).collect();
        let (low, high) = (layer.histogram.low.into(), layer.histogram.high.into());
        say!(
            "{:>5} {:>9} {:>9} {}  {}  {}{:>9} {:>6}{} {:>9} {:>9}",
            at + 1,
            four_digits(layer.pre_std),
            expected(|e| e.pre_std),
            wide(format!("{:>10}{:>10}", four_digits(layer.mean), four_digits(layer.std))),
            bars(&counts),
            wide(format!("{:>15}{:>13}  ", four_digits(low), four_digits(high))),
            percent(layer.saturated),
            percent(layer.zero),
            wide(format!(" {:>6}", layer.dead)),
            four_digits(layer.gradient_std),
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
