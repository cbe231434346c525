//! The parameters of kernels: f32 numbers, by kernel.

use crate::matrix::Taps;
use crate::number::Number;
use crate::{Distribution, Dtype, Error, ErrorKind, Matrix};

/// A kernel and what it works with; each has one WGSL file and one Rust file, but for the two proposals of the truncated normal,
/// which share one.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(not(feature = "gpu"), allow(dead_code))] // The words alone are drawn for devices.
pub(crate) enum Sampler {
    /// A constant's bit pattern.
    Constant(u32),
    Uniform(Uniform),
    Normal(Line),
    /// Truncated normal, proposals from the normal itself.
    TruncatedByNormal(ByNormal),
    /// Truncated normal, proposals from an exponential cut to the window.
    TruncatedByExponential(ByExponential),
    /// The stream's words of an attempt; no distribution has it.
    Words(u32),
    /// Threefry's words, for known answers.
    ThreefryWords,
    TensorFlowUniform(TensorFlow),
    TensorFlowNormal(TensorFlow),
    TensorFlowTruncated(TensorFlow),
    JaxUniform(JaxUniform),
    /// Normal and truncated normal, by the inverse error function.
    JaxNormal(JaxNormal),
    Orthogonal(Orthogonal),
    Identity(Identity),
    Sparse(Sparse),
    /// Values that the host works out, for a device as well.
    Values(Values),
    /// PyTorch's generator; the host draws it, for a device as well.
    Torch(Distribution),
}

impl Sampler {
    /// True if anything of it depends on the stream.
    pub fn is_random(&self) -> bool {
        match self {
            Sampler::Constant(_) | Sampler::Identity(_) => false,
            Sampler::Values(values) => values.sequence().is_none(),
            _ => true,
        }
    }
}

/// Products of reflections, from a place of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Orthogonal {
    pub gain: f32,
    /// The largest value of the dtype.
    pub last: f32,
    pub matrix: Matrix,
}

impl Orthogonal {
    /// True if each matrix is made of the random words of its own elements. Others have vectors of other lengths than their normals lie
    /// apart, or other taps beside them.
    pub fn has_words_of_its_own(&self) -> bool {
        self.matrix.taps() == Taps::One && self.matrix.longer().is_multiple_of(4)
    }
}

/// A value where output and input have the same number in their group, and zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Identity {
    /// The value's bits.
    pub word: u32,
    /// The number of outputs of a group.
    pub per_group: u64,
    pub matrix: Matrix,
}

/// Normals, of which so many of each input's outputs are zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sparse {
    pub line: Line,
    pub zeros: u64,
    pub matrix: Matrix,
}

/// Values that the host works out in f64.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Values {
    /// A sequence, or what becomes of a uniform number.
    pub distribution: Distribution,
    /// The smallest and the largest value of the dtype within its bounds.
    pub first: f32,
    pub last: f32,
}

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

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Uniform {
    pub line: Line,
    /// The line's scale times 2^16, in two parts, the first of which has 8 bits.
    pub coarse: f32,
    pub fine: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ByNormal {
    pub line: Line,
    /// The window, from the location.
    pub low: f32,
    pub high: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ByExponential {
    pub line: Line,
    /// The mass of the unit exponential between the bounds, per doubled step of a word (2^-33), negative for [`asks::NARROW`]; and
    /// the mass beyond the far bound.
    pub mass_per_step: f32,
    pub beyond: f32,
    /// The terms of the log-probability of acceptance at distance e: (e (slope - curve e) - peak) / 2.
    pub slope: f32,
    pub curve: f32,
    pub peak: f32,
    /// The far bound's distance.
    pub width: f32,
}

/// A framework's value times the scale and plus the location, each step rounded to the dtype, and kept inside what it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placed {
    pub location: f32,
    pub scale: f32,
    /// The largest value, of either sign.
    pub last: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TensorFlow {
    pub placed: Placed,
    /// The third word of its counters.
    pub base: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct JaxUniform {
    pub placed: Placed,
    /// The beginning of uniform values, and their width in two parts, the first of which has 12 bits.
    pub from: f32,
    pub coarse: f32,
    pub fine: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct JaxNormal {
    pub uniform: JaxUniform,
    /// The bounds, in sigmas.
    pub low: f32,
    pub high: f32,
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
