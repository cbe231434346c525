//! Printing to a reader that may go away, such as `head`.

use std::fmt::Arguments;
use std::io::Write;

/// As `println!`, but where nobody reads any more the program ends instead of panicking.
macro_rules! say {
    ($($arguments:tt)*) => { $crate::say::line(format_args!($($arguments)*)) };
}

pub fn line(line: Arguments<'_>) {
    if writeln!(std::io::stdout().lock(), "{line}").is_err() {
        std::process::exit(1);
    }
}
