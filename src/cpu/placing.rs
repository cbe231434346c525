//! The placing of the kernels' working values inside their bounds: with `src/arithmetic/rounding.rs` the twin of `shaders/rounding.wgsl`.

use crate::arithmetic::rounding::clamp;
use crate::sampler::{Line, Placed};

/// Out of the working unit.
#[inline(always)]
pub(super) fn in_units(y: f32, line: &Line) -> f32 {
    let held = clamp(y, -line.limit, line.limit);
    if held.abs() < line.tiny { 0.0 } else { held * line.unit }
}

/// Inside the bounds.
#[inline(always)]
pub(super) fn inside(x: f32, line: &Line) -> f32 {
    clamp(x, line.first, line.last)
}

/// A value of a framework, times the scale and plus the location, each step rounded to the dtype as the framework does.
#[inline(always)]
pub(super) fn placed<T: crate::Element>(z: f32, n: &Placed) -> f32 {
    let x = T::in_dtype(T::in_dtype(z) * n.scale);
    clamp(T::in_dtype(x + n.location), -n.last, n.last)
}
