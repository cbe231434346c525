//! Numbers of a scheme that are written as formulas.

use std::collections::BTreeMap;

use super::expression::{Expression, Question, Scope, failed, is_function};
use crate::error::quoted;
use crate::keys::{FromKeyed, Keyed};
use crate::names::{Named, nearest, plain};
use crate::number::Number;
use crate::scheme::{FanMode, Spread};
use crate::{Error, ErrorKind, Nonlinearity};

/// Words of formulas, and their values.
pub(super) type Variables = BTreeMap<String, f64>;

/// A formula, which is read once and worked out for each tensor.
#[derive(Clone, Debug)]
pub(super) struct Formula {
    text: String,
    expression: Expression,
}

impl Formula {
    pub fn read(text: &str) -> Result<Formula, Error> {
        Ok(Formula { text: text.into(), expression: Expression::read(text, false)? })
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A check that it has no words but these and dimensions', whatever its value.
    pub fn check(&self, known: &Variables) -> Result<(), Error> {
        match self.expression.unknown_word(&|word| known.contains_key(word) || is_dim(word)) {
            Some(word) => Err(unknown(&self.text, word, known)),
            None => Ok(()),
        }
    }

    /// Its value. Operators are those that IEEE 754 rounds correctly, so that every host gets the same number.
    pub fn value(&self, variables: &Variables) -> Result<f64, Error> {
        finite(&self.text, self.expression.value(&FormulaScope { formula: &self.text, variables })?)
    }

    fn has_fans(&self) -> bool {
        self.expression.unknown_word(&|word| !["fan_in", "fan_out"].contains(&word)).is_some()
    }
}

/// The text of a scheme or a layout whose numbers may be formulas: `normal:std=0.02/sqrt(2*n_layers)`.
#[derive(Clone, Debug)]
pub(super) struct Template {
    /// Its line among the rules.
    pub line: usize,
    name: String,
    pairs: Vec<(String, Value)>,
}

#[derive(Clone, Debug)]
enum Value {
    Word(String),
    Formula(Formula),
}

impl Template {
    /// Reads a text; values that are numbers, or none of the numbers that it can have, stay as they are.
    pub fn read<T: FromKeyed>(text: &str, line: usize) -> Result<Template, Error> {
        let Keyed { name, pairs, .. } = Keyed::read(T::WHAT, text)?;
        let pairs = pairs.into_iter().map(|(key, value)| {
            let is_formula = T::NUMBERS.contains(&key.as_str()) && value.parse::<f64>().is_err();
            let value = if is_formula { Value::Formula(Formula::read(&value)?) } else { Value::Word(value.into()) };
            Ok((key, value))
        });
        Ok(Template { line, name: name.into(), pairs: pairs.collect::<Result<_, Error>>()? })
    }

    fn formulas(&self) -> impl Iterator<Item = &Formula> {
        self.pairs.iter().filter_map(|(_, value)| match value {
            Value::Word(_) => None,
            Value::Formula(formula) => Some(formula),
        })
    }

    /// A check that its formulas have no words but these and dimensions'.
    pub fn check(&self, known: &Variables) -> Result<(), Error> {
        self.formulas().try_for_each(|formula| formula.check(known))
    }

    /// Whether fans stand in its formulas.
    pub fn has_fans(&self) -> bool {
        self.formulas().any(Formula::has_fans)
    }

    /// The scheme or the layout, with these values in place of its formulas.
    pub fn with<T: FromKeyed>(&self, number: impl Fn(&Formula) -> Result<f64, Error>) -> Result<T, Error> {
        let pairs = self.pairs.iter().map(|(key, value)| {
            let value = match value {
                Value::Word(word) => word.as_str().into(),
                Value::Formula(formula) => number(formula)?.to_string().into(),
            };
            Ok((key.clone(), value))
        });
        let pairs = pairs.collect::<Result<_, Error>>()?;
        T::from_keyed(Keyed { what: T::WHAT, name: self.name.as_str().into(), pairs })
    }

    /// The scheme or the layout that it is for these words.
    pub fn value<T: FromKeyed>(&self, variables: &Variables) -> Result<T, Error> {
        self.with(|formula| formula.value(variables))
    }
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
    let of_formulas = name.parse::<f64>().is_ok() || is_function(name);
    if of_schemes || of_formulas || is_dim(name) || name == "dim_" || ["rank", "layer"].contains(&name) {
        return Err(wrong("another one: schemes or formulas have this word for something else"));
    }
    Ok(())
}

/// A check that a formula's value is finite.
pub(super) fn finite(formula: &str, value: f64) -> Result<f64, Error> {
    if value.is_finite() {
        return Ok(value);
    }
    let thing = format!("the value of the formula {}", quoted(formula));
    Err(Error::new(ErrorKind::Rules, thing, Number(value), "a finite number"))
}

/// The words of a formula.
pub(super) struct FormulaScope<'a> {
    pub formula: &'a str,
    pub variables: &'a Variables,
}

impl Scope for FormulaScope<'_> {
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
    use crate::Scheme;

    #[test]
    fn formulas_are_worked_out_and_the_rest_is_left_alone() {
        let variables = BTreeMap::from([("n_layers".to_string(), 12.0), ("std".to_string(), 0.02)]);
        let of = |text: &str| {
            let Template { name, pairs, .. } = Template::read::<Scheme>(text, 0).unwrap();
            let pairs = pairs.into_iter().map(|(key, value)| match value {
                Value::Word(word) => format!("{key}={word}"),
                Value::Formula(formula) => format!("{key}={}", formula.value(&variables).unwrap()),
            });
            let pairs = pairs.collect::<Vec<_>>().join(",");
            if pairs.is_empty() { name } else { format!("{name}:{pairs}") }
        };
        let number = |formula: &str, variables: &Variables| Formula::read(formula)?.value(variables);
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
            ("exp2(0) + exp2(5)*exp2(0 - 3)", 5.0),
            ("exp2(1023)/exp2(1022)", 2.0),
            // What is settled asks no further.
            ("1 || m", 1.0),
            ("0 && m || 2 > 1 || m", 1.0),
            ("!(3 && 0 && m)", 1.0),
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
        let number = |formula: &str, variables: &Variables| Formula::read(formula)?.value(variables);
        let variables = BTreeMap::from([("n".to_string(), 0.0)]);
        for (formula, says) in [
            ("1/n", "the value of the formula \"1/n\" is inf, allowed: a finite number"),
            ("0 || m", "has \"m\", which is not defined"),
            ("2 && m", "has \"m\", which is not defined"),
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
            ("exp2(0.5)", "is NaN"),
            ("exp2(1024)", "is NaN"),
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
            "floor", "exp2", "given", "1a", "a-b", "",
        ] {
            check_name(name).unwrap_err();
        }
    }
}
