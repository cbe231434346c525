//! Numbers of a scheme that are written as formulas.

use std::collections::BTreeMap;

use exmex::Express;

/// A scheme's text with the formulas among its numbers worked out: `normal:std=0.02/sqrt(2*n_layers)`.
///
/// Operators are those that IEEE 754 rounds correctly, so that every host gets the same number.
pub(super) fn evaluated(scheme: &str, variables: &BTreeMap<String, f64>) -> Result<String, String> {
    let Some((name, parameters)) = scheme.split_once(':') else { return Ok(scheme.into()) };
    let parameters = parameters
        .split(',')
        .map(|parameter| match parameter.split_once('=') {
            Some((key, value)) if is_formula(value, variables) => Ok(format!("{key}={}", number(value, variables)?)),
            _ => Ok(parameter.into()),
        })
        .collect::<Result<Vec<String>, String>>()?;
    Ok(format!("{name}:{}", parameters.join(",")))
}

/// Numbers, and words such as `fan_out` or `true`, are the scheme's own.
fn is_formula(value: &str, variables: &BTreeMap<String, f64>) -> bool {
    let value = value.trim();
    let is_word = value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    value.parse::<f64>().is_err() && (variables.contains_key(value) || !is_word)
}

/// The value of a formula.
pub(super) fn number(formula: &str, variables: &BTreeMap<String, f64>) -> Result<f64, String> {
    let wrong = |reason: &dyn std::fmt::Display| format!("the formula \"{formula}\": {reason}");
    // The parser recurses.
    if formula.len() > 1000 {
        return Err(wrong(&"longer than 1000 characters"));
    }
    // The parser knows more than it may use here, and works out constants by itself.
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let unknown = |what: &str| wrong(&format!("there is no \"{what}\" here, allowed: + - * / sqrt and parentheses"));
    if let Some(c) = formula.chars().find(|&c| !is_word(c) && !"+-*/() ".contains(c)) {
        return Err(unknown(&c.to_string()));
    }
    let words =
        || formula.split(|c| !is_word(c)).filter(|word| word.starts_with(|c: char| !c.is_ascii_digit() && c != '.'));
    if let Some(word) = words().find(|word| *word != "sqrt" && !variables.contains_key(*word)) {
        if formula.contains(&format!("{word}(")) {
            return Err(unknown(word));
        }
        let all: Vec<_> = variables.keys().map(String::as_str).collect();
        let all = if all.is_empty() { "none".into() } else { all.join(", ") };
        return Err(wrong(&format!("\"{word}\" is not defined, allowed: {all}")));
    }
    let parsed = exmex::parse::<f64>(formula).map_err(|e| wrong(&e))?;
    let used = parsed.var_names();
    if let Some(word) = words().find(|word| *word != "sqrt" && !used.iter().any(|name| name == word)) {
        return Err(wrong(&format!("\"{word}\" means something else here, allowed: another name")));
    }
    let values: Vec<_> = used.iter().map(|name| variables.get(name).copied().unwrap_or(f64::NAN)).collect();
    let value = parsed.eval(&values).map_err(|e| wrong(&e))?;
    if value.is_finite() { Ok(value) } else { Err(wrong(&format!("its value is {value}, allowed: a finite number"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_worked_out_and_the_rest_is_left_alone() {
        let variables = BTreeMap::from([("n_layers".to_string(), 12.0), ("std".to_string(), 0.02)]);
        let of = |text| evaluated(text, &variables).unwrap();
        assert_eq!(of("normal:std=0.02/sqrt(2*n_layers)"), format!("normal:std={}", 0.02 / 24f64.sqrt()));
        assert_eq!(of("normal:std=std"), "normal:std=0.02");
        assert_eq!(of("uniform:low=-std,high=std * 2"), "uniform:low=-0.02,high=0.04");
        for text in ["he_normal", "he_normal:mode=fan_out", "truncated_normal:low=-inf,high=1e-3,std=1", "x:a=b"] {
            assert_eq!(of(text), text);
        }
    }

    #[test]
    fn a_wrong_formula_says_what_is_wrong() {
        let variables = BTreeMap::from([("n".to_string(), 0.0)]);
        for (formula, says) in [
            ("1/n", "its value is inf"),
            ("2*m", "\"m\" is not defined, allowed: n"),
            ("sin(n)", "there is no \"sin\""),
            ("2^n", "there is no \"^\""),
            ("2^3", "there is no \"^\""),
            ("sin(1)", "there is no \"sin\""),
            ("PI", "\"PI\" is not defined"),
            ("(1", "the formula \"(1\""),
            ("1+", "the formula \"1+\""),
            ("", "the formula \"\""),
            ("sqrt(0-1)", "its value is NaN"),
        ] {
            let error = number(formula, &variables).unwrap_err();
            assert!(error.contains(says), "{formula}: {error}");
        }
        let taken = BTreeMap::from([("PI".to_string(), 3.0)]);
        assert!(number("2*PI", &taken).unwrap_err().contains("\"PI\" means something else"));
        assert!(number(&"(".repeat(2000), &variables).unwrap_err().contains("longer than"));
        assert!(number(&"(".repeat(999), &variables).is_err());
        assert!(number(&format!("{}1{}", "(".repeat(499), ")".repeat(499)), &variables).is_ok());
    }
}
