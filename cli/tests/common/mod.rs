//! What the program's tests share.

#![allow(dead_code)] // Not every file uses all of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;

pub fn fanin(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fanin")).args(arguments).output().unwrap()
}

pub fn succeed(arguments: &[&str]) -> String {
    let output = fanin(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")
}

pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The labels of this machine's adapters; none is a failure.
pub fn adapters() -> &'static [String] {
    static ADAPTERS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let devices: Value = serde_json::from_str(&succeed(&["devices", "--json"])).unwrap();
        devices.as_array().unwrap().iter().map(|d| d["device"].as_str().unwrap().to_string()).collect()
    });
    assert!(!ADAPTERS.is_empty(), "these tests need an adapter: apt-get install mesa-vulkan-drivers, or run tests/run");
    &ADAPTERS
}

pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    entries
}
