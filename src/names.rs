//! Names in texts: one table for each list, from which names are read, written and told.

use crate::error::quoted;
use crate::{Error, ErrorKind};

/// A list of values that have names in texts.
pub(crate) trait Named: Copy + PartialEq + 'static {
    /// The word for a name of the list.
    const WHAT: &'static str;
    /// The names, each with its other ones.
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])];

    /// The name that is written.
    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(value, _, _)| *value == self).map_or("", |(_, name, _)| name)
    }

    /// The value of this name, in whatever case, with `-` or `_`.
    fn named(text: &str) -> Result<Self, Error> {
        let wanted = plain(text);
        let found = Self::NAMES.iter().find(|(_, name, others)| *name == wanted || others.contains(&wanted.as_str()));
        found.map(|(value, _, _)| *value).ok_or_else(|| {
            let all =
                Self::NAMES.iter().flat_map(|(_, name, others)| [*name].into_iter().chain(others.iter().copied()));
            unknown(Self::WHAT, text, Self::NAMES.iter().map(|(_, name, _)| *name)).near(nearest(text, all))
        })
    }
}

/// A name as it stands in tables: neither case nor `-` for `_` matters, anywhere.
pub(crate) fn plain(text: &str) -> String {
    text.trim().to_ascii_lowercase().replace('-', "_")
}

/// A name that is not among these.
pub(crate) fn unknown(what: &'static str, text: &str, known: impl Iterator<Item = &'static str>) -> Error {
    let known: Vec<_> = known.collect();
    let near = nearest(text, known.iter().copied());
    Error::new(ErrorKind::Text, format!("the {what}"), quoted(text), known.join(", ")).near(near)
}

/// The known name that a misspelt text probably means: the nearest one, if at most a third of the text, or one letter, is wrong. Neither
/// case nor `-` for `_` matters.
///
/// ```
/// assert_eq!(fanin::nearest("he_nornal", ["he_normal", "zeros"]), Some("he_normal"));
/// assert_eq!(fanin::nearest("abacus", ["he_normal", "zeros"]), None);
/// ```
pub fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text: Vec<char> = plain(text).chars().collect();
    let most = (text.len() / 3).max(1);
    // The lengths first: a stranger's text may be long.
    let near = known.into_iter().filter(|name| name.chars().count().abs_diff(text.len()) <= most);
    let near = near.map(|name| (distance(&text, &plain(name).chars().collect::<Vec<_>>()), name));
    near.filter(|(wrong, _)| *wrong <= most).min_by_key(|(wrong, _)| *wrong).map(|(_, name)| name)
}

/// The number of letters that are missing, too many or others, and of pairs that stand the wrong way round.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let other = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j - 1] + other).min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// `Display` and `FromStr` of what has names.
macro_rules! as_text {
    ($type:ty) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::names::Named::name(*self))
            }
        }

        /// Neither case nor `-` for `_` matters.
        impl std::str::FromStr for $type {
            type Err = $crate::Error;

            fn from_str(text: &str) -> Result<Self, $crate::Error> {
                $crate::names::Named::named(text)
            }
        }
    };
}
pub(crate) use as_text;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_letters_and_of_neighbours_that_change_places() {
        for (a, b, wrong) in [
            ("", "", 0),
            ("", "abc", 3),
            ("relu", "relu", 0),
            ("rleu", "relu", 1),
            ("rel", "relu", 1),
            ("reelu", "relu", 1),
            ("rely", "relu", 1),
            ("kitten", "sitting", 3),
            ("größe", "große", 1),
        ] {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(distance(&letters(a), &letters(b)), wrong, "{a} {b}");
            assert_eq!(distance(&letters(b), &letters(a)), wrong, "{b} {a}");
        }
    }

    #[test]
    fn what_is_near_is_found_and_what_is_not_is_not() {
        let known = ["f32", "bf16", "he_normal", "he_uniform", "out_in", "in_out"];
        for (text, near) in [
            ("he_nornal", Some("he_normal")),
            ("He-Nromal", Some("he_normal")),
            ("henormal", Some("he_normal")),
            ("he_unifrom", Some("he_uniform")),
            ("f33", Some("f32")),
            ("fp32", Some("f32")),
            ("bf61", Some("bf16")),
            ("out_im", Some("out_in")),
            ("f64", None),
            ("normal", None),
            ("abacus", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, known), near, "{text}");
        }
        assert_eq!(nearest(&"he_normal".repeat(1 << 20), known), None);
    }
}
