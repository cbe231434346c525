//! Why the program stops, and with which exit code.

use std::fmt::Display;

/// A message, with what is underneath where the library's errors tell it (`{:#}`), and an exit code.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub message: String,
}

impl Failure {
    /// What the user asked for or gave cannot be served.
    pub fn input(message: impl Display) -> Failure {
        Failure { code: 2, message: format!("{message:#}") }
    }

    /// Something failed underway.
    pub fn other(message: impl Display) -> Failure {
        Failure { code: 1, message: format!("{message:#}") }
    }
}
