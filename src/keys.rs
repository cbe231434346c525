//! Texts of a name and its keys, `NAME[:key=value,...]`: schemes, layouts, nonlinearities and activations.

use std::borrow::Cow;
use std::str::FromStr;

use crate::error::quoted;
use crate::names::{nearest, plain};
use crate::{Error, ErrorKind};

/// A text cut into its name and its keys: `normal:std=0.02` is `normal` and `std=0.02`.
#[derive(Clone, Debug)]
pub(crate) struct Keyed<'a> {
    /// The word for it in errors: `scheme`.
    pub what: &'static str,
    pub name: Cow<'a, str>,
    /// The keys, as tables have them, and their values.
    pub pairs: Vec<(String, Cow<'a, str>)>,
}

impl<'a> Keyed<'a> {
    /// Cuts a text at the colon, commas and signs of equality.
    pub fn read(what: &'static str, text: &'a str) -> Result<Keyed<'a>, Error> {
        let (name, keys) = text.split_once(':').map_or((text, None), |(name, keys)| (name, Some(keys)));
        let pair = |pair: &'a str| match pair.split_once('=') {
            Some((key, value)) => Ok((plain(key), value.trim().into())),
            None => {
                let thing = format!("a parameter of the {what} {}", plain(name));
                Err(Error::new(ErrorKind::Text, thing, quoted(pair.trim()), "key=value"))
            }
        };
        let pairs = keys.into_iter().flat_map(|keys| keys.split(',')).map(pair).collect::<Result<_, _>>()?;
        Ok(Keyed { what, name: name.into(), pairs })
    }

    /// Its keys; errors have its name as tables have it, `the scheme normal`.
    pub fn keys(self, name: &str) -> Result<Keys<'a>, Error> {
        let keys = Keys { owner: format!("the {} {name}", self.what), given: self.pairs, known: Vec::new() };
        for (i, (key, value)) in keys.given.iter().enumerate() {
            if keys.given[..i].iter().any(|(before, _)| before == key) {
                return Err(keys.wrong(key, value, "each key once"));
            }
        }
        Ok(keys)
    }
}

/// A value that is read from a name and its keys.
pub(crate) trait FromKeyed: Sized {
    /// The word for it in errors.
    const WHAT: &'static str;
    /// The keys whose values are numbers, in place of which rules may have formulas.
    #[cfg(feature = "rules")]
    const NUMBERS: &'static [&'static str];

    fn from_keyed(text: Keyed<'_>) -> Result<Self, Error>;
}

/// The keys of a text, taken one by one; a key that nobody takes is an error that lists those that were looked for.
pub(crate) struct Keys<'a> {
    owner: String,
    given: Vec<(String, Cow<'a, str>)>,
    known: Vec<&'static str>,
}

impl<'a> Keys<'a> {
    /// The value of a key, if it is given.
    pub fn take(&mut self, key: &'static str) -> Option<Cow<'a, str>> {
        self.known.push(key);
        let at = self.given.iter().position(|(given, _)| given == key)?;
        Some(self.given.remove(at).1)
    }

    /// An error of this key's value.
    pub fn wrong(&self, key: &str, value: &str, allowed: impl Into<Cow<'static, str>>) -> Error {
        Error::new(ErrorKind::Text, format!("{key} of {}", self.owner), quoted(value), allowed)
    }

    /// An error of a key that must be given.
    pub fn missing(&self, key: &str, allowed: impl Into<Cow<'static, str>>) -> Error {
        Error::new(ErrorKind::Text, format!("{key} of {}", self.owner), "not given", allowed)
    }

    /// The number that a key's value is.
    pub fn parse(&self, key: &str, text: &str) -> Result<f64, Error> {
        let number: f64 = text.parse().map_err(|_| self.wrong(key, text, "a number"))?;
        // Of a number that is too small or too large, f64 reads another one.
        let digits = text.split(['e', 'E']).next().unwrap_or_default();
        let is_held = match number {
            0.0 => !digits.contains(|c: char| ('1'..='9').contains(&c)),
            _ => number.is_finite() || !digits.contains(|c: char| c.is_ascii_digit()),
        };
        if is_held { Ok(number) } else { Err(self.wrong(key, text, "a number that f64 holds")) }
    }

    pub fn maybe(&mut self, key: &'static str) -> Result<Option<f64>, Error> {
        self.take(key).map(|text| self.parse(key, &text)).transpose()
    }

    pub fn number(&mut self, key: &'static str, default: f64) -> Result<f64, Error> {
        Ok(self.maybe(key)?.unwrap_or(default))
    }

    pub fn required(&mut self, key: &'static str) -> Result<f64, Error> {
        self.maybe(key)?.ok_or_else(|| self.missing(key, "a number"))
    }

    pub fn finite(&mut self, key: &'static str, default: f64) -> Result<f64, Error> {
        let number = self.number(key, default)?;
        if number.is_finite() { Ok(number) } else { Err(self.wrong(key, &number.to_string(), "a finite number")) }
    }

    /// A whole number from `least` on.
    pub fn count(&mut self, key: &'static str, least: u64) -> Result<Option<u64>, Error> {
        let allowed = if least == 0 { "a whole number".into() } else { format!("a whole number from {least} on") };
        let Some(text) = self.take(key) else { return Ok(None) };
        match text.parse() {
            Ok(count) if count >= least => Ok(Some(count)),
            _ => Err(self.wrong(key, &text, allowed)),
        }
    }

    /// One of a list's names.
    pub fn value<T: FromStr<Err = Error>>(&mut self, key: &'static str, default: T) -> Result<T, Error> {
        let Some(text) = self.take(key) else { return Ok(default) };
        text.parse().map_err(|e: Error| self.unknown(key, &text, &e))
    }

    /// An error of a value that is none of those that a list has.
    pub fn unknown(&self, key: &str, text: &str, e: &Error) -> Error {
        self.wrong(key, text, e.allowed().unwrap_or_default().to_string()).near(e.nearest())
    }

    /// `true` or `false`.
    pub fn truth(&mut self, key: &'static str, default: bool) -> Result<bool, Error> {
        let Some(text) = self.take(key) else { return Ok(default) };
        let near = |text| nearest(text, ["true", "false"]);
        plain(&text).parse().map_err(|_| self.wrong(key, &text, "true, false").near(near(&text)))
    }

    /// Refuses keys that nobody took.
    pub fn finish(mut self) -> Result<(), Error> {
        let Some((key, _)) = self.given.pop() else { return Ok(()) };
        let allowed = if self.known.is_empty() { "none".into() } else { self.known.join(", ") };
        let thing = format!("a parameter of {}", self.owner);
        Err(Error::new(ErrorKind::Text, thing, quoted(&key), allowed).near(nearest(&key, self.known)))
    }
}
