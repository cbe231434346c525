//! TOML that people write.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use crate::failure::Failure;
use crate::limits::MAX_TOML_BYTES;

/// Reads a person's TOML, which may come through a pipe.
pub fn read<T: FromStr<Err = fanin::Error>>(path: &Path) -> Result<T, Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::input(format!("{}: {e}", path.display()));
    let mut text = String::new();
    let file = File::open(path).map_err(|e| failed(&e))?;
    file.take(MAX_TOML_BYTES + 1).read_to_string(&mut text).map_err(|e| failed(&e))?;
    if text.len() as u64 > MAX_TOML_BYTES {
        return Err(failed(&format!("longer than {MAX_TOML_BYTES} bytes")));
    }
    text.parse().map_err(|e: fanin::Error| Failure::input(format!("{}, {e:#}", path.display())))
}
