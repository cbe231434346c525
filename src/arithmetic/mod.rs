//! Arithmetic that gives the same bits on every host: f64 functions, the kernels' f32 functions, and rounding to 16 bits.

pub(crate) mod math;
pub(crate) mod rounding;
pub(crate) mod special;
