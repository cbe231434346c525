//! The texts that are frozen in `tests/golden`: for the unit tests, and by its path for the others.

use std::path::Path;

/// The innermost folder around this package that has such a folder.
///
/// # Panics
/// If there is none.
pub fn folder_with(name: &str) -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|folder| folder.join(name).is_dir()).unwrap()
}

/// Holds a text against the kept one. `FANIN_WRITE=1` writes it anew.
///
/// # Panics
/// If they differ.
pub fn agrees(name: &str, text: &str) {
    let path = folder_with("tests/golden").join("tests/golden").join(name);
    if std::env::var_os("FANIN_WRITE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let mut lines = kept.lines();
    for line in text.lines() {
        assert_eq!(lines.next(), Some(line), "of tests/golden/{name}: what is kept, and what is made");
    }
    assert_eq!(lines.next(), None, "of tests/golden/{name}: more than is made");
}
