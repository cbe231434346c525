//! Variance scaling: distributions of mean 0 whose variance is inverse to a fan.

use crate::error::require;
use crate::names::{Named, as_text};
use crate::{Distribution, Error, Fans, TRUNCATED_STD};

/// The fan that a variance is divided by.
///
/// ```
/// assert_eq!("fan_avg".parse::<fanin::scheme::FanMode>()?, fanin::scheme::FanMode::FanAvg);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FanMode {
    /// fan_in: keeps the variance of activations on the way forward.
    FanIn,
    /// fan_out: keeps the variance of gradients on the way back.
    FanOut,
    /// (fan_in + fan_out) / 2: the compromise of Glorot and Bengio.
    FanAvg,
}

/// The shape of a scaled distribution.
///
/// ```
/// use fanin::scheme::Spread;
///
/// assert_eq!("truncated_normal".parse::<Spread>()?, Spread::TruncatedNormal);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spread {
    /// Uniform, symmetric about 0.
    Uniform,
    /// Normal.
    Normal,
    /// Normal, cut at two sigmas, with the standard deviation corrected for the cut.
    TruncatedNormal,
    /// Normal, cut at two sigmas, with the standard deviation as it is before the cut.
    TruncatedNormalUncorrected,
}

/// The distribution of mean 0 and variance `scale / fan`.
pub(super) fn distribution(scale: f64, mode: FanMode, spread: Spread, fans: Fans) -> Result<Distribution, Error> {
    require(scale.is_finite() && scale > 0.0, "scale", scale, "finite and above 0")?;
    let (fan_in, fan_out) = (fans.fan_in() as f64, fans.fan_out() as f64);
    let fan = match mode {
        FanMode::FanIn => fan_in,
        FanMode::FanOut => fan_out,
        FanMode::FanAvg => (fan_in + fan_out) / 2.0,
    };
    let std = (scale / fan).sqrt();
    let holds = std.is_normal() && 3.0 * scale < f64::INFINITY;
    require(holds, "scale", scale, "one whose deviation and bounds f64 holds")?;
    let distribution = match spread {
        Spread::Uniform => {
            let limit = (3.0 * scale / fan).sqrt();
            Distribution::Uniform { low: -limit, high: limit }
        }
        Spread::Normal => Distribution::Normal { mean: 0.0, std },
        Spread::TruncatedNormal => Distribution::truncated_at(0.0, std / TRUNCATED_STD, 2.0),
        Spread::TruncatedNormalUncorrected => Distribution::truncated_at(0.0, std, 2.0),
    };
    distribution.check()?;
    Ok(distribution)
}

/// `factor^2`, the scale of a standard deviation of `factor / sqrt(fan)`; errors call the factor by this name.
pub(super) fn scale_of(name: &'static str, factor: f64) -> Result<f64, Error> {
    let scale = factor * factor;
    let holds = factor > 0.0 && scale.is_normal();
    require(holds, name, factor, "finite and above 0, as must be its square in f64")?;
    Ok(scale)
}

impl Named for FanMode {
    const WHAT: &'static str = "mode";
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])] =
        &[(FanMode::FanIn, "fan_in", &[]), (FanMode::FanOut, "fan_out", &[]), (FanMode::FanAvg, "fan_avg", &[])];
}
as_text!(FanMode);

impl Named for Spread {
    const WHAT: &'static str = "distribution";
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])] = &[
        (Spread::Uniform, "uniform", &[]),
        (Spread::Normal, "normal", &["untruncated_normal"]),
        (Spread::TruncatedNormal, "truncated_normal", &[]),
        (Spread::TruncatedNormalUncorrected, "truncated_normal_uncorrected", &[]),
    ];
}
as_text!(Spread);
