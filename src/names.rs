//! Names in texts: one table for each list, from which names are read, written and told.

use crate::error::quoted;
use crate::{Error, ErrorKind};

/// What has a name in texts.
pub(crate) trait Named: Copy + PartialEq + 'static {
    /// What a name of the list is called.
    const WHAT: &'static str;
    /// The names, each with its other ones.
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])];

    /// The name that is written.
    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(value, _, _)| *value == self).map_or("", |(_, name, _)| name)
    }

    /// What has this name, in whatever case, with `-` or `_`.
    fn named(text: &str) -> Result<Self, Error> {
        let wanted = plain(text);
        let found = Self::NAMES.iter().find(|(_, name, others)| *name == wanted || others.contains(&wanted.as_str()));
        found
            .map(|(value, _, _)| *value)
            .ok_or_else(|| unknown(Self::WHAT, text, Self::NAMES.iter().map(|(_, name, _)| *name)))
    }
}

/// A name as it stands in tables: neither case nor `-` for `_` matters, anywhere.
pub(crate) fn plain(text: &str) -> String {
    text.trim().to_ascii_lowercase().replace('-', "_")
}

/// A name that is not among these.
pub(crate) fn unknown(what: &'static str, text: &str, known: impl Iterator<Item = &'static str>) -> Error {
    Error::new(ErrorKind::Text, format!("the {what}"), quoted(text), known.collect::<Vec<_>>().join(", "))
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
