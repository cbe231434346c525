//! The drawing: its seeds, its devices, and the part of it that is this process's.

pub(crate) mod adapters;
pub(crate) mod chunks;
pub(crate) mod coarse_notes;
pub(crate) mod engine;
pub(crate) mod fp8;
pub(crate) mod gpu;
pub(crate) mod ranks;
pub(crate) mod seed;
pub(crate) mod torch_order;
