//! Values of other frameworks, placed as they do it: in the dtype's own arithmetic, step by step.

use super::line::fits;
use super::numbers::Numbers;
use crate::arithmetic::rounding::clamp;
use crate::error::require;
use crate::{Dtype, Element, Error};

/// A framework's value times the scale and plus the location, each step rounded to the dtype, and kept inside what it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placed {
    pub location: f32,
    pub scale: f32,
    /// The largest value, of either sign.
    pub last: f32,
}

/// The frameworks' own steps are followed, in no unit but theirs: a magnitude at which one of them could be subnormal or
/// infinite, which WGSL leaves to the driver, is refused.
pub(super) fn ordinary(dtype: Dtype, name: &'static str, value: f64) -> Result<(), Error> {
    fits(dtype, name, value)?;
    let magnitude = value.abs();
    let allowed = "0, or a magnitude from 2^-60 to 2^60 in other frameworks' streams";
    require(magnitude == 0.0 || (2f64.powi(-60)..=2f64.powi(60)).contains(&magnitude), name, value, allowed)
}

pub(super) fn at(dtype: Dtype, location: f32, scale: f32) -> Placed {
    Placed { location, scale, last: dtype.max() as f32 }
}

/// Their steps go through `high - low`, in the dtype.
pub(super) const WIDTH: &str = "a bound whose distance from the other the dtype holds, in other frameworks' streams";

pub(super) fn in_dtype(dtype: Dtype, x: f32) -> f32 {
    match dtype {
        Dtype::F16 if x.abs() >= 65520.0 => f32::INFINITY.copysign(x),
        _ if x.is_finite() => dtype.rounded(x),
        _ => x,
    }
}

impl From<Placed> for Numbers {
    fn from(placed: Placed) -> Numbers {
        let Placed { location, scale, last } = placed;
        Numbers { location, scale, first: -last, last, ..Numbers::default() }
    }
}

/// A value of a framework, times the scale and plus the location, each step rounded to the dtype as the framework does.
#[inline(always)]
pub(super) fn placed<T: Element>(z: f32, n: &Placed) -> f32 {
    let x = T::in_dtype(T::in_dtype(z) * n.scale);
    clamp(T::in_dtype(x + n.location), -n.last, n.last)
}
