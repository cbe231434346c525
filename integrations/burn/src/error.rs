//! Errors of modules that cannot be drawn.

use std::fmt;

/// An error that names the parameter, if it is about one, the value and what is allowed.
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
    /// The rules cannot be applied to the module, or a device draws other bits or fails.
    Fanin(fanin::Error),
    /// A parameter cannot be drawn as its rule says.
    Draw {
        /// The path of the parameter.
        path: String,
        /// The reason.
        error: fanin::Error,
    },
    /// A parameter cannot be drawn as the module has it.
    Parameter {
        /// The path of the parameter.
        path: String,
        /// The property that is wrong.
        thing: &'static str,
        /// Its value.
        value: String,
        /// The values that are allowed.
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

    /// An error of a parameter's fill.
    pub(crate) fn drawing(path: &str, error: fanin::Error) -> Error {
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
