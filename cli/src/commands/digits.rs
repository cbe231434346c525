//! Numbers and counts as tables show them.

/// Five digits, in the width of a column.
pub fn five_digits(x: f64) -> String {
    if !x.is_finite() {
        "-".into()
    } else if x == 0.0 || (1e-4..1e5).contains(&x.abs()) {
        format!("{x:.5}")
    } else {
        format!("{x:.3e}")
    }
}

/// Four digits, in nine columns.
pub fn four_digits(x: f64) -> String {
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
pub fn percent(x: f64) -> String {
    if x.is_finite() { format!("{:.1}%", 100.0 * x) } else { "-".into() }
}

/// Counts, a letter for each.
pub fn bars(counts: &[u64]) -> String {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    counts.iter().map(|count| BARS[(count * 8).div_ceil(most) as usize]).collect()
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
            assert_eq!(four_digits(x), text);
        }
        assert_eq!((percent(0.123), percent(f64::NAN)), ("12.3%".into(), "-".into()));
    }
}
