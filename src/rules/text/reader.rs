//! Reading parts of a text, with the line in each error.

use std::borrow::Cow;
use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;

use super::values::{Either, FromValue, OneOrMore, Value};
use crate::error::quoted;
use crate::limits::rules::MAX_PATTERN_BYTES;
use crate::{Error, ErrorKind};

/// A dimension of a shape: a number, or a word.
pub(super) type Dimension = Either<u64, String>;

/// A text, and the ends of its lines, by which errors name a line.
pub(super) struct Reader<'t> {
    text: &'t str,
    ends: Vec<usize>,
}

impl<'t> Reader<'t> {
    pub fn new(text: &'t str) -> Reader<'t> {
        Reader { text, ends: text.match_indices('\n').map(|(at, _)| at).collect() }
    }

    pub fn line(&self, span: &Range<usize>) -> usize {
        self.ends.partition_point(|&end| end < span.start) + 1
    }

    pub fn at(&self, span: &Range<usize>, error: Error) -> Error {
        error.with_kind(ErrorKind::Rules).at(format_args!("line {}", self.line(span)))
    }

    pub fn wrong(&self, span: &Range<usize>, thing: &'static str, value: &str, allowed: &'static str) -> Error {
        self.at(span, Error::new(ErrorKind::Rules, thing, value, allowed))
    }

    /// An error of the value that stands there.
    pub fn shown(&self, span: &Range<usize>, thing: &'static str, allowed: impl Into<Cow<'static, str>>) -> Error {
        let (source, quotes) = (self.text.get(span.clone()).unwrap_or_default(), ['"', '\'']);
        let shown = quoted(source.trim_matches(quotes));
        // What is no text is shown as it is written, without quotes.
        let value = if source.starts_with(quotes) { shown.as_str() } else { shown.trim_matches('"') };
        self.at(span, Error::new(ErrorKind::Rules, thing, value, allowed))
    }

    /// A value of this type.
    pub fn value<T: FromValue<'t>>(&self, thing: &'static str, value: Value<'t>) -> Result<Spanned<T>, Error> {
        let span = value.span();
        let read = T::from_value(value).ok_or_else(|| self.shown(&span, thing, T::allowed()))?;
        Ok(Spanned::new(span, read))
    }

    pub fn parsed<T: FromStr<Err = Error>>(&self, text: Option<Spanned<String>>) -> Result<Option<T>, Error> {
        text.map(|text| text.as_ref().parse().map_err(|e| self.at(&text.span(), e))).transpose()
    }

    pub fn pattern(&self, span: &Range<usize>, text: &str) -> Result<glob::Pattern, Error> {
        pattern(text).map_err(|e| self.at(span, e))
    }

    /// Patterns, at least one, and their texts.
    pub fn patterns(
        &self,
        names: Spanned<OneOrMore<String>>,
        which: &'static str,
    ) -> Result<(Vec<String>, Vec<glob::Pattern>), Error> {
        let span = names.span();
        let OneOrMore(names) = names.into_inner();
        if names.is_empty() {
            return Err(self.wrong(&span, which, "empty", "at least one pattern"));
        }
        let patterns = names.iter().map(|name| self.pattern(&span, name)).collect::<Result<_, _>>()?;
        Ok((names, patterns))
    }

    /// A shape whose dimensions are numbers, or any.
    pub fn shape(&self, span: &Range<usize>, dimensions: Vec<Dimension>) -> Result<Vec<Option<u64>>, Error> {
        let size = |dimension: Dimension| match dimension {
            Either::First(size) => Ok(Some(size)),
            Either::Second(any) if any == "*" => Ok(None),
            Either::Second(other) => Err(self.wrong(span, "a dimension", &quoted(&other), "a number or \"*\"")),
        };
        dimensions.into_iter().map(size).collect()
    }
}

/// A pattern of names.
pub(in crate::rules) fn pattern(text: &str) -> Result<glob::Pattern, Error> {
    // Matching recurses, at each star.
    if text.len() > MAX_PATTERN_BYTES {
        let length = format!("{} bytes", text.len());
        let allowed = format!("at most {MAX_PATTERN_BYTES}");
        return Err(Error::new(ErrorKind::Rules, "the length of a pattern", length, allowed));
    }
    let wrong =
        |e| Error::failed(ErrorKind::Rules, format!("the pattern {}", quoted(text)), "cannot be read").because(e);
    glob::Pattern::new(text).map_err(|e: glob::PatternError| wrong(e))
}
