//! Numbers in texts.

use std::fmt;

/// A number as people write it, in the shortest text that reads back as the same one: what is very small or very large with an
/// exponent.
pub(crate) struct Number(pub f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Number(x) = *self;
        if x == 0.0 || !x.is_finite() || (1e-5..1e16).contains(&x.abs()) {
            write!(f, "{x}")
        } else {
            write!(f, "{x:e}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn numbers_are_short_and_read_back() {
        for (x, text) in [
            (0.02, "0.02"),
            (-1.0, "-1"),
            (1e-300, "1e-300"),
            (-2.5e-7, "-2.5e-7"),
            (1e15, "1000000000000000"),
            (f64::MAX, "1.7976931348623157e308"),
            (f64::NEG_INFINITY, "-inf"),
            (-0.0, "-0"),
        ] {
            assert_eq!(Number(x).to_string(), text);
            assert_eq!(text.parse::<f64>().unwrap(), x);
        }
    }
}
