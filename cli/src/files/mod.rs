//! The reading and writing of files.

pub(crate) mod base;
pub(crate) mod checkpoint;
pub(crate) mod compare;
pub(crate) mod content;
pub(crate) mod file_range;
pub(crate) mod folder;
pub mod header;
pub mod index;
pub(crate) mod model;
pub(crate) mod partial;
pub(crate) mod plan;
pub mod provenance;
pub(crate) mod regular;
pub(crate) mod summary;
pub(crate) mod toml;
pub(crate) mod unique;
pub(crate) mod writer;
