//! What the library promises on the CPU, and what its texts are read as.

mod architectures;
mod distribution;
mod frameworks;
mod imports;
mod public_api;
mod rules;
mod schemes;
mod sources;
mod stream_stability;
mod streams;
mod torch;
mod value_stability;
