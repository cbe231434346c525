//! Errors: each names the thing, its value and what is allowed.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::number::Number;

/// A refusal or failure of fanin, and its reason. Each message names the thing, its value and what is allowed; when one is returned,
/// nothing was drawn, recorded or submitted.
///
/// The error underneath, of a driver or of another crate's reader, is the [`source`](std::error::Error::source). `{}` leaves it out, as
/// errors do; `{:#}` puts it behind.
///
/// ```
/// use fanin::{Distribution, ErrorKind};
///
/// let error = Distribution::Normal { mean: 0.0, std: -1.0 }.check().unwrap_err();
/// assert_eq!(error.to_string(), "std is -1, allowed: finite and at least 0");
/// assert_eq!((error.kind(), error.thing(), error.value()), (ErrorKind::Parameter, "std", "-1"));
/// assert_eq!(error.allowed(), Some("finite and at least 0"));
/// ```
#[derive(Clone)]
pub struct Error(Box<Parts>);

#[derive(Clone)]
struct Parts {
    kind: ErrorKind,
    /// The place in a text or a model.
    place: Option<String>,
    thing: Cow<'static, str>,
    /// The words between the thing and its value.
    verb: &'static str,
    value: String,
    /// The name that was probably meant.
    near: Option<String>,
    allowed: Option<Cow<'static, str>>,
    source: Option<Cause>,
}

type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// The subject of an [`Error`].
///
/// ```
/// use fanin::{Dtype, ErrorKind};
///
/// assert_eq!("f33".parse::<Dtype>().unwrap_err().kind(), ErrorKind::Text);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A number of a scheme or a distribution is outside its domain.
    Parameter,
    /// A window is empty, or holds no value of the dtype.
    Window,
    /// A number is beyond what the dtype holds.
    Dtype,
    /// A shape has no fans, too many elements, or no such dimension or row.
    Shape,
    /// A range has elements outside the tensor or the fill.
    Range,
    /// The length or the element type of memory on the host is not the fill's.
    Slice,
    /// The host has no memory for what would be drawn.
    Memory,
    /// A buffer is too small, lacks the usage `STORAGE`, or would be written from the middle of an element.
    Buffer,
    /// A stream is not of the kind that is needed.
    Stream,
    /// A device lacks what the kernels need.
    DeviceLimit,
    /// A device draws other bits than the CPU.
    SelfTest,
    /// A device failed, or was lost.
    Device,
    /// A text cannot be read: a name that is unknown, a number that is none.
    Text,
    /// Rules cannot be read, or applied to a tensor.
    Rules,
    /// Tensors meet no rule.
    Unmatched,
    /// A model's list of tensors cannot be read, or has a name twice.
    Model,
    /// A model's configuration cannot be read, lacks a key, or has a value that makes no model.
    Config,
}

#[cfg_attr(not(all(feature = "gpu", feature = "rules")), allow(dead_code))] // Not every part needs each.
impl Error {
    /// "{thing} is {value}, allowed: {allowed}"
    pub(crate) fn new(
        kind: ErrorKind,
        thing: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
        allowed: impl Into<Cow<'static, str>>,
    ) -> Error {
        let (thing, value, allowed) = (thing.into(), value.to_string(), Some(allowed.into()));
        Error(Box::new(Parts { kind, place: None, thing, verb: "is ", value, near: None, allowed, source: None }))
    }

    /// "{thing} {what happened}": nothing that a person could have given otherwise.
    pub(crate) fn failed(kind: ErrorKind, thing: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Error {
        let (thing, value) = (thing.into(), value.to_string());
        Error(Box::new(Parts { kind, place: None, thing, verb: "", value, near: None, allowed: None, source: None }))
    }

    /// The same, if something else is given.
    pub(crate) fn allowing(mut self, allowed: impl Into<Cow<'static, str>>) -> Error {
        self.0.allowed = Some(allowed.into());
        self
    }

    /// The same, with the name that was probably meant, if there is one.
    pub(crate) fn near(mut self, name: Option<&str>) -> Error {
        self.0.near = name.map(str::to_string);
        self
    }

    /// The name that was probably meant.
    pub(crate) fn nearest(&self) -> Option<&str> {
        self.0.near.as_deref()
    }

    /// The same, of that place in a text or a model.
    pub(crate) fn at(mut self, place: impl fmt::Display) -> Error {
        self.0.place = Some(match self.0.place.take() {
            Some(inner) => format!("{place}, {inner}"),
            None => place.to_string(),
        });
        self
    }

    /// The same, of another kind, which is the whole's.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Error {
        self.0.kind = kind;
        self
    }

    /// The same, with what is underneath.
    pub(crate) fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.0.source = Some(cause.into().into());
        self
    }

    /// The kind of the error: its subject.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The place of the error in a text or a model, if there is one: a line, a tensor.
    pub fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    /// The thing that is wrong.
    pub fn thing(&self) -> &str {
        &self.0.thing
    }

    /// The value of the thing: as it was given, or what happened to it.
    pub fn value(&self) -> &str {
        &self.0.value
    }

    /// The allowed values, or `None` if no other request would have helped.
    pub fn allowed(&self) -> Option<&str> {
        self.0.allowed.as_deref()
    }
}

/// A text that was given, between quotes, with what is not printable escaped; the beginning of one that is long.
pub(crate) fn quoted(text: &str) -> String {
    const MAX_QUOTED: usize = 200;
    match text.char_indices().nth(MAX_QUOTED) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?} and {} bytes more", &text[..end], text.len() - end),
    }
}

/// An error that names the parameter, unless the condition holds.
pub(crate) fn require(holds: bool, name: &'static str, value: f64, allowed: &'static str) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::new(ErrorKind::Parameter, name, Number(value), allowed)) }
}

/// An error unless the parameter is a finite number.
pub(crate) fn finite(name: &'static str, value: f64) -> Result<(), Error> {
    require(value.is_finite(), name, value, "a finite number")
}

/// A shape, or the beginning of one that has very many dimensions.
pub(crate) fn dimensions(shape: &[u64]) -> String {
    const MAX_SHOWN: usize = 64;
    if shape.len() <= MAX_SHOWN {
        return format!("{shape:?}");
    }
    format!("{:?} and {} dimensions more", &shape[..MAX_SHOWN], shape.len() - MAX_SHOWN)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { place, thing, verb, value, near, allowed, source, .. } = &*self.0;
        if let Some(place) = place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{thing} {verb}{value}")?;
        if let Some(near) = near {
            write!(f, ", did you mean {near}?")?;
        }
        if let Some(allowed) = allowed {
            write!(f, "{} allowed: {allowed}", if near.is_some() { "" } else { "," })?;
        }
        let mut cause = source.as_deref().filter(|_| f.alternate()).map(|cause| cause as &dyn std::error::Error);
        while let Some(next) = cause {
            write!(f, ": {}", next.to_string().trim_end())?;
            cause = next.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self:#})", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_small_keeps_its_cause_and_says_where_it_is() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        let cause = "x".parse::<u8>().unwrap_err();
        let error =
            Error::new(ErrorKind::Rules, "the size", "\"x\"", "a number").because(cause).at("line 3").at("a.toml");
        assert_eq!(error.to_string(), "a.toml, line 3: the size is \"x\", allowed: a number");
        assert_eq!(format!("{error:#}"), format!("{error}: invalid digit found in string"));
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.is::<std::num::ParseIntError>());
        fn thread_safe<T: Send + Sync + 'static>() {}
        thread_safe::<Error>();
    }
}
