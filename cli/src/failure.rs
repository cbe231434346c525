//! Failures: why the program stops, and with which exit code.

use std::fmt::Display;

/// The reason why the program stops: a message, with what is underneath where the library's errors tell it (`{:#}`), and an exit code.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub message: String,
}

impl Failure {
    /// A failure of the input: the user asked for or gave something that cannot be served.
    pub fn input(message: impl Display) -> Failure {
        Failure { code: 2, message: format!("{message:#}") }
    }

    /// A failure of something underway.
    pub fn other(message: impl Display) -> Failure {
        Failure { code: 1, message: format!("{message:#}") }
    }
}

impl From<fanin::Error> for Failure {
    fn from(error: fanin::Error) -> Failure {
        Failure::input(error)
    }
}

/// The words after a name that is not known, up to "allowed": the name that was probably meant, as in the library's errors.
pub fn near<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    fanin::nearest(text, known).map_or(",".into(), |name| format!(", did you mean {name}?"))
}
