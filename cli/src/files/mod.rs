//! What reads files and what writes them.

pub(crate) mod checkpoint;
pub(crate) mod compare;
pub mod header;
pub mod index;
pub(crate) mod model;
pub(crate) mod partial;
pub mod provenance;
pub(crate) mod regular;
pub(crate) mod summary;
pub(crate) mod unique;
