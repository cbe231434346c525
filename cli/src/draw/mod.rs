//! What is drawn, by whom, and which part of it.

pub(crate) mod coarse;
pub(crate) mod engine;
pub(crate) mod order;
pub(crate) mod ranks;
pub mod recipe;
pub mod seed;
