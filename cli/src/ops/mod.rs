//! The operations behind the program's verbs, over files and drawing.

pub(crate) mod init;
pub(crate) mod share;
pub(crate) mod verify;
