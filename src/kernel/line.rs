//! Lines: a location plus a scale times a working value, and how that becomes an element.
//!
//! With `src/arithmetic/rounding.rs` it is the twin of `shaders/rounding.wgsl`.

use super::lanes::{BATCH, Batch};
use super::numbers::Numbers;
use crate::arithmetic::math::two_sum;
use crate::arithmetic::rounding::clamp;
use crate::arithmetic::special;
use crate::number::Number;
use crate::{Dtype, Element, Error, ErrorKind};

/// location + scale * z, and how it becomes an element.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) struct Line {
    /// Uniform: the middle. Normal: the mean. Exponential proposal: the bound nearest to the mode.
    pub location: f32,
    /// The part of `location` that was lost when it was rounded to f32.
    pub offset: f32,
    /// Uniform: half the width, per 2^31. Normal: the standard deviation times `RADIUS_UNIT`. Exponential proposal: the signed mean
    /// distance.
    pub scale: f32,
    /// The smallest and largest value that the dtype holds inside the bounds.
    pub first: f32,
    pub last: f32,
    /// `location` and `scale` are in units of this power of two, which is 1 unless they are very small or very large.
    pub unit: f32,
    /// The bounds of f32 in those units: the largest number, and the smallest normal one.
    pub limit: f32,
    pub tiny: f32,
    /// The steps that the kernel has to [ask](asks) for.
    pub asks: u32,
}

/// The steps that a kernel has to ask for, a bit each: pipelines are compiled for them. The bits of `asks` in `shaders/rounding.wgsl`.
pub(crate) mod asks {
    /// Distances are from somewhere else than 0.
    pub const LOCATION: u32 = 1;
    /// f32 does not hold the location.
    pub const OFFSET: u32 = 2;
    /// The working unit is not 1.
    pub const UNIT: u32 = 4;
    /// Values may lie outside the bounds, or round to them.
    pub const BOUNDS: u32 = 8;
    /// Exponential proposal: the window holds half of its mass or less, which words share out from the near bound on.
    pub const NARROW: u32 = 16;
}

/// An error where the dtype does not reach a number of a distribution.
pub(super) fn fits(dtype: Dtype, name: &'static str, value: f64) -> Result<(), Error> {
    let max = dtype.max();
    if value.abs() <= max {
        return Ok(());
    }
    let allowed = format!("from -{max} to {max} in {dtype}", max = Number(max));
    Err(Error::new(ErrorKind::Dtype, name, Number(value), allowed))
}

pub(super) fn within(dtype: Dtype, low: f64, high: f64, open: bool) -> Result<(f32, f32), Error> {
    dtype.within(low, high, open).ok_or_else(|| {
        let window = format!("[{}, {}], which holds no {dtype}", Number(low), Number(high));
        let allowed = "one that holds at least one value (subnormal f32 and bf16 values are not drawn)";
        Error::new(ErrorKind::Window, "the window", window, allowed)
    })
}

/// location + scale * z. Where their magnitude is beyond 2^+-40 the kernel works in units of a power of
/// two, so that no intermediate result is subnormal or infinite: WGSL leaves both to the driver.
pub(super) fn scaled(location: f64, scale: f64, magnitude: f64, (first, last): (f32, f32)) -> Line {
    let ordinary = magnitude == 0.0 || (2f64.powi(-40)..=2f64.powi(40)).contains(&magnitude);
    let exponent = if ordinary { 0 } else { special::exponent(magnitude).clamp(-126, 127) };
    let unit = 2f64.powi(exponent);
    let rounded = normal_f32(location / unit);
    Line {
        location: rounded,
        offset: normal_f32(location / unit - f64::from(rounded)),
        scale: normal_f32(scale / unit),
        first,
        last,
        unit: unit as f32,
        limit: (f64::from(f32::MAX) / unit).min(f32::MAX.into()) as f32,
        tiny: normal_f32(f64::from(f32::MIN_POSITIVE) / unit),
        asks: 0,
    }
}

/// A line whose kernel asks for what it needs, and for this.
pub(super) fn asking(line: Line, asks: u32) -> Line {
    let needed =
        [(line.location != 0.0, asks::LOCATION), (line.offset != 0.0, asks::OFFSET), (line.unit != 1.0, asks::UNIT)];
    Line { asks: needed.iter().filter(|(needs, _)| *needs).fold(asks, |asks, (_, ask)| asks | ask), ..line }
}

/// The nearest f32, with zero for what would be subnormal or negative zero.
pub(super) fn normal_f32(x: f64) -> f32 {
    let nearest = x.clamp(-f64::from(f32::MAX), f32::MAX.into()) as f32;
    if nearest.is_normal() { nearest } else { 0.0 }
}

impl From<Line> for Numbers {
    fn from(line: Line) -> Numbers {
        let Line { location, offset, scale, first, last, unit, limit, tiny, asks } = line;
        Numbers { location, offset, scale, first, last, unit, limit, tiny, asks, ..Numbers::default() }
    }
}

/// The location and distances from it, with what the distances have beyond f32, as if rounded once.
#[inline(always)]
pub(super) fn joined(line: &Line, mut distances: Batch<f32>, mut rests: Batch<f32>) -> Batch<f32> {
    if line.asks & asks::LOCATION == 0 {
        for i in 0..BATCH {
            distances[i] += rests[i];
        }
        return distances;
    }
    if line.asks & asks::OFFSET != 0 {
        rests.iter_mut().for_each(|rest| *rest += line.offset);
    }
    for i in 0..BATCH {
        let (sum, lost) = two_sum(line.location, distances[i]);
        distances[i] = sum + (lost + rests[i]);
    }
    distances
}

/// The conversion of values in working units to elements. Steps that few distributions need have a loop of their own, not a branch in
/// this one.
#[inline(always)]
pub(super) fn store<T: Element>(line: &Line, mut values: Batch<f32>, elements: &mut Batch<T>) {
    if line.asks & asks::UNIT != 0 {
        for y in &mut values {
            *y = in_units(*y, line);
        }
    }
    if line.asks & asks::BOUNDS != 0 {
        for y in &mut values {
            *y = inside(*y, line);
        }
    }
    for i in 0..BATCH {
        elements[i] = T::round(values[i]);
    }
}

/// Out of the working unit.
#[inline(always)]
fn in_units(y: f32, line: &Line) -> f32 {
    let held = clamp(y, -line.limit, line.limit);
    if held.abs() < line.tiny { 0.0 } else { held * line.unit }
}

/// Inside the bounds.
#[inline(always)]
fn inside(x: f32, line: &Line) -> f32 {
    clamp(x, line.first, line.last)
}
