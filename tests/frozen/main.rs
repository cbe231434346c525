//! The library for the CPU alone, without wgpu, draws the frozen values.

#[cfg(test)]
#[path = "../cpu/stream_stability.rs"]
mod stream_stability;
#[cfg(test)]
#[path = "../cpu/value_stability.rs"]
mod value_stability;
