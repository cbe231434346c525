//! Types that values of TOML are read as.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// A value and its place in the text.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// A table and its place in the text.
pub(super) type Entries<'t> = Spanned<DeTable<'t>>;

/// A type that values are read as.
pub(super) trait FromValue<'t>: Sized {
    /// The values that can be read so, as errors say it.
    fn allowed() -> String;

    fn from_value(value: Value<'t>) -> Option<Self>;
}

/// A whole number, as TOML has them: of 64 bits.
pub(super) fn whole(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

impl<'t> FromValue<'t> for String {
    fn allowed() -> String {
        "a text".into()
    }

    fn from_value(value: Value<'t>) -> Option<Self> {
        match value.into_inner() {
            DeValue::String(text) => Some(text.into()),
            _ => None,
        }
    }
}

impl<'t> FromValue<'t> for bool {
    fn allowed() -> String {
        "true or false".into()
    }

    fn from_value(value: Value<'t>) -> Option<Self> {
        value.as_ref().as_bool()
    }
}

impl<'t> FromValue<'t> for u64 {
    fn allowed() -> String {
        "a whole number from 0 on".into()
    }

    fn from_value(value: Value<'t>) -> Option<Self> {
        whole(value.as_ref().as_integer()?).and_then(|number| number.try_into().ok())
    }
}

impl<'t> FromValue<'t> for f64 {
    fn allowed() -> String {
        "a number".into()
    }

    fn from_value(value: Value<'t>) -> Option<Self> {
        match value.as_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => whole(number).map(|number| number as f64),
            _ => None,
        }
    }
}

impl<'t> FromValue<'t> for DeValue<'t> {
    fn allowed() -> String {
        "any value".into()
    }

    fn from_value(value: Value<'t>) -> Option<Self> {
        Some(value.into_inner())
    }
}

impl<'t> FromValue<'t> for DeTable<'t> {
    fn allowed() -> String {
        "a table".into()
    }

    fn from_value(value: Value<'t>) -> Option<Self> {
        match value.into_inner() {
            DeValue::Table(table) => Some(table),
            _ => None,
        }
    }
}

impl<'t, T: FromValue<'t>> FromValue<'t> for Spanned<T> {
    fn allowed() -> String {
        T::allowed()
    }

    fn from_value(value: Value<'t>) -> Option<Self> {
        let span = value.span();
        T::from_value(value).map(|value| Spanned::new(span, value))
    }
}

/// A list.
impl<'t, T: FromValue<'t>> FromValue<'t> for Vec<T> {
    fn allowed() -> String {
        format!("a list, each of which is {}", T::allowed())
    }

    fn from_value(value: Value<'t>) -> Option<Self> {
        match value.into_inner() {
            DeValue::Array(list) => list.into_iter().map(T::from_value).collect(),
            _ => None,
        }
    }
}

/// A table with any keys.
impl<'t, T: FromValue<'t>> FromValue<'t> for BTreeMap<String, T> {
    fn allowed() -> String {
        format!("a table, each of whose values is {}", T::allowed())
    }

    fn from_value(value: Value<'t>) -> Option<Self> {
        DeTable::from_value(value)?
            .into_iter()
            .map(|(key, value)| Some((key.into_inner().into(), T::from_value(value)?)))
            .collect()
    }
}

/// Two values, of a list.
impl<'t, A: FromValue<'t>, B: FromValue<'t>> FromValue<'t> for (A, B) {
    fn allowed() -> String {
        format!("a list of {} and {}", A::allowed(), B::allowed())
    }

    fn from_value(value: Value<'t>) -> Option<Self> {
        let DeValue::Array(list) = value.into_inner() else { return None };
        let mut list = list.into_iter();
        match (list.next(), list.next(), list.next()) {
            (Some(a), Some(b), None) => Some((A::from_value(a)?, B::from_value(b)?)),
            _ => None,
        }
    }
}

/// One value, or a list of them.
pub(super) struct OneOrMore<T>(pub Vec<T>);

impl<'t, T: FromValue<'t>> FromValue<'t> for OneOrMore<T> {
    fn allowed() -> String {
        format!("{}, or a list of such", T::allowed())
    }

    fn from_value(value: Value<'t>) -> Option<Self> {
        if value.as_ref().is_array() {
            return Vec::from_value(value).map(OneOrMore);
        }
        T::from_value(value).map(|one| OneOrMore(vec![one]))
    }
}

/// One of two types, by which of them a value can be read as.
pub(super) enum Either<A, B> {
    First(A),
    Second(B),
}

impl<'t, A: FromValue<'t>, B: FromValue<'t>> FromValue<'t> for Either<A, B> {
    fn allowed() -> String {
        format!("{}, or {}", A::allowed(), B::allowed())
    }

    fn from_value(value: Value<'t>) -> Option<Self> {
        match A::from_value(value.clone()) {
            Some(first) => Some(Either::First(first)),
            None => B::from_value(value).map(Either::Second),
        }
    }
}
