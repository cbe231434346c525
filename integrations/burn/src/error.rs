//! What can be wrong with a module.

use std::fmt;

/// What is refused, and why: each names the parameter, if it is about one, the value and what is allowed.
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
///
/// # #[allow(deprecated)]
/// let dense = LinearConfig::new(4, 2).init(&Device::ndarray());
/// let rules = "[[rule]]\nname = 'weight'\nscheme = 'he_normal'\nlayout = 'in_out'".parse()?;
/// let error = fanin_burn::init(dense, &rules, 42).unwrap_err();
/// assert!(error.to_string().starts_with("1 tensor met no rule: \"bias\""));
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Rules cannot be applied to the module, or a device draws other bits or fails.
    Fanin(fanin::Error),
    /// What its rule says of a parameter cannot be drawn.
    Draw {
        /// Its path.
        path: String,
        /// Why not.
        error: fanin::Error,
    },
    /// A parameter cannot be drawn as the module has it.
    Parameter {
        /// Its path.
        path: String,
        /// What is wrong.
        thing: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// Burn cannot open a device, or run on it.
    Device(String),
}

impl Error {
    pub(crate) fn parameter(
        path: &str,
        thing: &'static str,
        value: impl fmt::Display,
        allowed: impl fmt::Display,
    ) -> Error {
        Error::Parameter { path: path.into(), thing, value: value.to_string(), allowed: allowed.to_string() }
    }

    /// What fanin says of a parameter.
    pub(crate) fn of(path: &str, error: fanin::Error) -> Error {
        Error::Draw { path: path.into(), error }
    }
}

impl From<fanin::Error> for Error {
    fn from(error: fanin::Error) -> Error {
        Error::Fanin(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Fanin(error) => error.fmt(f),
            Error::Draw { path, error } => write!(f, "parameter {path:?}: {error}"),
            Error::Parameter { path, thing, value, allowed } => {
                write!(f, "parameter {path:?}: {thing} is {value}, allowed: {allowed}")
            }
            Error::Device(said) => write!(f, "the device failed: {said}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Fanin(error) | Error::Draw { error, .. } => Some(error),
            _ => None,
        }
    }
}
