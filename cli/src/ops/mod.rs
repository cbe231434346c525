//! The operations behind the program's verbs, over files and drawing.

pub(crate) mod bench;
pub(crate) mod devices;
pub(crate) mod expected;
pub(crate) mod fill;
pub(crate) mod init;
pub(crate) mod matrices;
pub(crate) mod named_rules;
pub(crate) mod share;
pub(crate) mod spectra;
pub(crate) mod verify;
