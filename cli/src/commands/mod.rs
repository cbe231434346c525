//! The program's verbs, one a file: arguments, what is called, what is printed; and the options that several have.

pub(crate) mod bench;
pub(crate) mod devices;
pub(crate) mod digits;
pub(crate) mod fill;
pub(crate) mod init;
pub(crate) mod model_options;
pub(crate) mod options;
pub(crate) mod probe;
pub(crate) mod rule_options;
pub(crate) mod rules;
pub(crate) mod stats;
pub(crate) mod verify;
