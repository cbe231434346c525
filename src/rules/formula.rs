//! Numbers of a scheme that are written as formulas.

use std::collections::BTreeMap;

use super::expression::{Expression, Question, Scope, failed, is_word};
use crate::error::quoted;
use crate::names::{Named, nearest, plain};
use crate::number::Number;
use crate::scheme::{FanMode, NUMBERS, Spread};
use crate::{Error, ErrorKind, Nonlinearity};

/// Words of formulas, and their values.
pub(super) type Variables = BTreeMap<String, f64>;

/// Keys whose values are numbers, of schemes and of layouts.
pub(super) const SCHEME_KEYS: &[&str] = NUMBERS;
pub(super) const LAYOUT_KEYS: &[&str] = &["groups", "fan_in", "fan_out"];

/// A scheme's or a layout's text with the formulas among its numbers worked out: `normal:std=0.02/sqrt(2*n_layers)`.
///
/// Operators are those that IEEE 754 rounds correctly, so that every host gets the same number.
pub(super) fn evaluated(text: &str, keys: &[&str], variables: &Variables) -> Result<String, Error> {
    with_each(text, keys, |formula| number(formula, variables).map(|value| value.to_string()))
}

/// The text with something else for each of its formulas.
pub(super) fn with_each(
    text: &str,
    keys: &[&str],
    mut made: impl FnMut(&str) -> Result<String, Error>,
) -> Result<String, Error> {
    let Some((name, parameters)) = text.split_once(':') else { return Ok(text.into()) };
    let parameters = parameters
        .split(',')
        .map(|parameter| match parameter.split_once('=') {
            // What is no number of a scheme is its own word.
            Some((key, value)) if keys.contains(&plain(key).as_str()) && value.trim().parse::<f64>().is_err() => {
                Ok(format!("{key}={}", made(value.trim())?))
            }
            _ => Ok(parameter.into()),
        })
        .collect::<Result<Vec<String>, Error>>()?;
    Ok(format!("{name}:{}", parameters.join(",")))
}

/// Whether fans stand in a scheme's formulas.
pub(super) fn has_fans(scheme: &str) -> bool {
    scheme.split(|c| !is_word(c)).any(|word| ["fan_in", "fan_out"].contains(&word))
}

/// A name that formulas can have for a number: neither one of the schemes' own words nor one of the formulas'.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let wrong =
        |allowed: &'static str| Error::new(ErrorKind::Rules, "the name of a constant or count", quoted(name), allowed);
    let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_word {
        return Err(wrong("letters, digits and _, no digit first"));
    }
    let has = |known: &str, others: &[&str]| known == plain(name) || others.contains(&plain(name).as_str());
    let of_schemes = FanMode::NAMES.iter().any(|(_, known, others)| has(known, others))
        || Spread::NAMES.iter().any(|(_, known, others)| has(known, others))
        || Nonlinearity::NAMES.iter().any(|(_, known, others)| has(known, others))
        || has("true", &["false"]);
    // So have numbers: inf, nan.
    let of_formulas = name.parse::<f64>().is_ok() || ["sqrt", "floor", "ceil", "len", "has", "given"].contains(&name);
    if of_schemes || of_formulas || is_dim(name) || name == "dim_" || ["rank", "layer"].contains(&name) {
        return Err(wrong("another one: schemes or formulas have this word for something else"));
    }
    Ok(())
}

/// The value of a formula.
pub(super) fn number(formula: &str, variables: &Variables) -> Result<f64, Error> {
    finite(formula, Expression::read(formula, false)?.value(&Words { formula, variables })?)
}

/// A check that a formula's value is finite.
pub(super) fn finite(formula: &str, value: f64) -> Result<f64, Error> {
    if value.is_finite() {
        return Ok(value);
    }
    let thing = format!("the value of the formula {}", quoted(formula));
    Err(Error::new(ErrorKind::Rules, thing, Number(value), "a finite number"))
}

/// Whether a formula can be read, and has no words but these and dimensions', whatever its value.
pub(super) fn check(formula: &str, variables: &Variables) -> Result<(), Error> {
    let expression = Expression::read(formula, false)?;
    match expression.unknown_word(&|word| variables.contains_key(word) || is_dim(word)) {
        Some(word) => Err(unknown(formula, word, variables)),
        None => Ok(()),
    }
}

/// The words of a formula.
pub(super) struct Words<'a> {
    pub formula: &'a str,
    pub variables: &'a Variables,
}

impl Scope for Words<'_> {
    fn word(&self, word: &str) -> Result<f64, Error> {
        self.variables.get(word).copied().ok_or_else(|| unknown(self.formula, word, self.variables))
    }

    fn answer(&self, _: &str, _: &Question, _: Option<f64>) -> Result<f64, Error> {
        unreachable!("formulas are read without questions")
    }
}

/// Whether a word is a dimension's, `dim_0` and on.
fn is_dim(word: &str) -> bool {
    word.strip_prefix("dim_").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn unknown(formula: &str, word: &str, variables: &Variables) -> Error {
    let dims = variables.keys().any(|name| is_dim(name)).then_some("dim_0 and on");
    let others = variables.keys().map(String::as_str).filter(|name| !is_dim(name));
    let all = others.chain(dims).collect::<Vec<_>>().join(", ");
    let all = if all.is_empty() { "none".into() } else { all };
    let near = nearest(word, variables.keys().map(String::as_str));
    failed(formula, &format!("has \"{word}\", which is not defined")).near(near).allowing(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_worked_out_and_the_rest_is_left_alone() {
        let variables = BTreeMap::from([("n_layers".to_string(), 12.0), ("std".to_string(), 0.02)]);
        let of = |text| evaluated(text, SCHEME_KEYS, &variables).unwrap();
        assert_eq!(of("normal:std=0.02/sqrt(2*n_layers)"), format!("normal:std={}", 0.02 / 24f64.sqrt()));
        assert_eq!(of("normal:std=std"), "normal:std=0.02");
        assert_eq!(of("uniform:low=-std,high=std * 2"), "uniform:low=-0.02,high=0.04");
        assert_eq!(of("normal:std=1e-3*n_layers"), "normal:std=0.012");
        assert_eq!(of("normal:std=(2E3-1.5e+1)/n_layers+0e0"), format!("normal:std={}", 1985.0 / 12.0));
        assert_eq!(of("normal:std=1e-300*1e300*std"), format!("normal:std={}", 1e-300 * 1e300 * 0.02));
        // From left to right, as IEEE 754 rounds each step.
        assert_eq!(of("normal:std=0.1*3/0.7"), format!("normal:std={}", 0.1 * 3.0 / 0.7));
        assert_eq!(of("normal:std=0.1+0.7-0.3"), format!("normal:std={}", 0.1 + 0.7 - 0.3));
        assert_eq!(of("normal:std=1-2-3*4/5/6"), format!("normal:std={}", 1.0 - 2.0 - 3.0 * 4.0 / 5.0 / 6.0));
        assert_eq!(
            of("normal:std=-std/(3-1)*sqrt(std*-2*-3)"),
            format!("normal:std={}", -0.02 / 2.0 * (0.02f64 * -2.0 * -3.0).sqrt())
        );
        assert_eq!(of("normal:std=n_layers%5"), "normal:std=2");
        assert_eq!(of("normal:std=floor(n_layers/5)+ceil(0.2)"), "normal:std=3");
        assert_eq!(of("normal:std=(n_layers==12)+(n_layers<12)+2*(n_layers>=12)+4*!(n_layers!=12)"), "normal:std=7");
        assert_eq!(of("normal:std=1+1==2&&0||n_layers>3"), "normal:std=1");
        assert_eq!(of("normal:std=!1||1<=0"), "normal:std=0");
        let none = Variables::new();
        for (formula, value) in [
            ("!(0 && 1)", 1.0),
            ("!(0 && !0 && 128 > 0 && (0 + 1) % 1 == 0)", 1.0),
            ("(1 || 0)*2", 2.0),
            ("2*(1 || 0) + 1 == 3", 1.0),
            ("1 || 0 && 0", 1.0),
            ("(1 < 2) + (2 < 1) - 3*(1 != 1)", 1.0),
            ("-(1 && 1)*!(1 - 1)", -1.0),
            ("!0 && 0 == 0", 1.0),
            ("7 - 5 % 3", 5.0),
            ("sqrt(!(0 || 0) + 3)", 2.0),
        ] {
            assert_eq!(number(formula, &none).unwrap(), value, "{formula}");
        }
        for text in [
            "he_normal",
            "he_normal:mode=fan-out",
            "truncated_normal:low=-inf,high=1e-3,std=1",
            "x:a=b",
            "he_normal:nonlinearity=leaky_relu:negative_slope=0.2",
            "variance_scaling:distribution=truncated-normal",
        ] {
            assert_eq!(of(text), text);
        }
    }

    #[test]
    fn a_wrong_formula_says_what_is_wrong() {
        let variables = BTreeMap::from([("n".to_string(), 0.0)]);
        for (formula, says) in [
            ("1/n", "the value of the formula \"1/n\" is inf, allowed: a finite number"),
            ("2*m", "has \"m\", which is not defined, did you mean n? allowed: n"),
            ("PI", "has \"PI\", which is not defined"),
            ("sin", "has \"sin\", which is not defined"),
            ("sin(n)", "the formula \"sin(n)\""),
            ("2^n", "has \"^\", allowed: +"),
            ("é", "has \"é\", allowed: +"),
            ("(1", "the formula \"(1\" cannot be read"),
            ("1+", "the formula \"1+\""),
            ("1e*n", "the formula \"1e*n\""),
            ("1e-*n", "the formula \"1e-*n\""),
            ("1..2", "the formula \"1..2\""),
            ("n n", "the formula \"n n\""),
            ("", "the formula \"\""),
            ("1e999*n", "is NaN"),
            ("sqrt(0-1)", "is NaN"),
        ] {
            let error = number(formula, &variables).unwrap_err().to_string();
            assert!(error.contains(says), "{formula}: {error}");
        }
        assert!(number(&"(".repeat(2000), &variables).unwrap_err().to_string().contains("longer than"));
        assert!(number(&"(".repeat(999), &variables).is_err());
        assert!(number(&format!("{}1{}", "(".repeat(499), ")".repeat(499)), &variables).is_ok());
    }

    #[test]
    fn names_of_numbers_mean_nothing_else() {
        for name in ["n_layers", "std", "_x1", "scale", "PI", "e"] {
            check_name(name).unwrap();
        }
        for name in [
            "rank", "layer", "dim_0", "dim_17", "fan_in", "FAN_AVG", "uniform", "relu", "true", "inf", "NaN", "sqrt",
            "floor", "1a", "a-b", "",
        ] {
            check_name(name).unwrap_err();
        }
    }
}
