//! The drawing: its recipes, its devices, and the part of it that is this process's.

pub(crate) mod coarse;
pub(crate) mod engine;
pub(crate) mod fp8;
pub(crate) mod order;
pub(crate) mod ranks;
pub mod recipe;
pub mod seed;
