//! Schemes as text.

use std::str::FromStr;

use super::*;
use crate::error::require;
use crate::gain::Nonlinearity;
use crate::keys::{FromKeyed, Keyed, Keys};
use crate::matrix::{Matrix, Taps};
use crate::names::Named;
use crate::structure::{Function, Structure};

/// The names that a text may begin with.
#[derive(Clone, Copy, PartialEq)]
enum Name {
    Zeros,
    Ones,
    Constant,
    Uniform,
    Normal,
    TruncatedNormal,
    Standard,
    UniformUnitScaling,
    GlorotUniform,
    GlorotNormal,
    HeUniform,
    HeNormal,
    LecunUniform,
    LecunNormal,
    VarianceScaling,
    VarianceScalingInitializer,
    Orthogonal,
    DeltaOrthogonal,
    Identity,
    Dirac,
    Sparse,
    Arange,
    Linspace,
    InverseFrequencies,
    Sinusoids,
    ColumnNorms,
    LogUniform,
    LogOfUniform,
    InverseSoftplus,
}

impl Named for Name {
    const WHAT: &'static str = "scheme";
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])] = &[
        (Name::Zeros, "zeros", &[]),
        (Name::Ones, "ones", &[]),
        (Name::Constant, "constant", &[]),
        (Name::Uniform, "uniform", &["random_uniform"]),
        (Name::Normal, "normal", &["random_normal"]),
        (Name::TruncatedNormal, "truncated_normal", &["trunc_normal"]),
        (Name::Standard, "standard", &[]),
        (Name::UniformUnitScaling, "uniform_unit_scaling", &[]),
        (Name::GlorotUniform, "glorot_uniform", &["xavier_uniform"]),
        (Name::GlorotNormal, "glorot_normal", &["xavier_normal"]),
        (Name::HeUniform, "he_uniform", &["kaiming_uniform"]),
        (Name::HeNormal, "he_normal", &["kaiming_normal"]),
        (Name::LecunUniform, "lecun_uniform", &[]),
        (Name::LecunNormal, "lecun_normal", &[]),
        (Name::VarianceScaling, "variance_scaling", &[]),
        // TensorFlow 1's, whose parameters mean something else.
        (Name::VarianceScalingInitializer, "variance_scaling_initializer", &[]),
        (Name::Orthogonal, "orthogonal", &[]),
        (Name::DeltaOrthogonal, "delta_orthogonal", &[]),
        (Name::Identity, "identity", &["eye"]),
        (Name::Dirac, "dirac", &[]),
        (Name::Sparse, "sparse", &[]),
        (Name::Arange, "arange", &[]),
        (Name::Linspace, "linspace", &[]),
        (Name::InverseFrequencies, "inverse_frequencies", &[]),
        (Name::Sinusoids, "sinusoids", &[]),
        (Name::ColumnNorms, "column_norms", &[]),
        (Name::LogUniform, "log_uniform", &[]),
        (Name::LogOfUniform, "log_of_uniform", &[]),
        (Name::InverseSoftplus, "inverse_softplus", &["inverse_softplus_log_uniform"]),
    ];
}

impl FromStr for Scheme {
    type Err = Error;

    /// Reads `NAME[:key=value,...]`. Neither case nor `-` for `_` matters.
    fn from_str(text: &str) -> Result<Self, Error> {
        Scheme::from_keyed(Keyed::read(Scheme::WHAT, text)?)
    }
}

impl FromKeyed for Scheme {
    const WHAT: &'static str = Name::WHAT;
    #[cfg(feature = "rules")]
    const NUMBERS: &'static [&'static str] = &[
        "value",
        "low",
        "high",
        "mean",
        "std",
        "sigmas",
        "factor",
        "gain",
        "negative_slope",
        "scale",
        "groups",
        "sparsity",
        "bound",
        "rows",
        "start",
        "step",
        "end",
        "theta",
        "floor",
    ];

    fn from_keyed(text: Keyed<'_>) -> Result<Scheme, Error> {
        let name = Name::named(&text.name)?;
        let mut keys = text.keys(name.name())?;
        let scheme = match name {
            Name::Zeros => zeros(),
            Name::Ones => ones(),
            Name::Constant => constant(keys.required("value")?),
            Name::Uniform => uniform(keys.number("low", 0.0)?, keys.number("high", 1.0)?),
            Name::Normal => normal(keys.number("mean", 0.0)?, keys.number("std", 1.0)?),
            Name::TruncatedNormal => keys.window()?,
            Name::Standard => standard(),
            Name::UniformUnitScaling => uniform_unit_scaling(keys.number("factor", 1.0)?)?,
            Name::GlorotUniform => glorot_uniform().with_gain(keys.number("gain", 1.0)?)?,
            Name::GlorotNormal => {
                let scheme = glorot_normal().with_gain(keys.number("gain", 1.0)?)?;
                keys.truncated(scheme)?
            }
            Name::HeUniform => keys.he(he_uniform())?,
            Name::HeNormal => {
                let scheme = keys.he(he_normal())?;
                keys.truncated(scheme)?
            }
            Name::LecunUniform => lecun_uniform(),
            Name::LecunNormal => keys.truncated(lecun_normal())?,
            Name::VarianceScaling => variance_scaling(
                keys.number("scale", 1.0)?,
                keys.value("mode", FanMode::FanIn)?,
                keys.value("distribution", Spread::TruncatedNormal)?,
            ),
            Name::VarianceScalingInitializer => variance_scaling_initializer(
                keys.number("factor", 2.0)?,
                keys.value("mode", FanMode::FanIn)?,
                keys.truth("uniform", false)?,
            )?,
            Name::Orthogonal => {
                let gain = keys.number("gain", 1.0)?;
                match keys.matrix()? {
                    Some(matrix) => structured(Structure::Orthogonal { gain, matrix }),
                    None => Shaped::Orthogonal { gain, large: keys.truth("large", false)? }.into(),
                }
            }
            Name::DeltaOrthogonal => {
                Shaped::DeltaOrthogonal { gain: keys.number("gain", 1.0)?, large: keys.truth("large", false)? }.into()
            }
            Name::Identity => {
                let gain = keys.number("gain", 1.0)?;
                match keys.matrix()? {
                    Some(matrix) => {
                        let groups = keys.count("groups", 0)?.unwrap_or(1);
                        structured(Structure::Identity { gain, groups, matrix })
                    }
                    None => identity(gain),
                }
            }
            Name::Dirac => dirac(keys.count("groups", 0)?.unwrap_or(1)),
            Name::Sparse => {
                let (sparsity, std) = (keys.required("sparsity")?, keys.number("std", 0.01)?);
                match keys.matrix()? {
                    Some(matrix) => structured(Structure::Sparse { sparsity, std, matrix }),
                    None => sparse(sparsity, std),
                }
            }
            Name::Arange => {
                let (start, step) = (keys.number("start", 0.0)?, keys.number("step", 1.0)?);
                let function = keys.value("function", Function::Linear)?;
                match keys.count("count", 0)? {
                    Some(count) => {
                        let inner = keys.count("inner", 0)?.unwrap_or(1);
                        structured(Structure::Sequence { start, step, function, count, inner })
                    }
                    None => Shaped::Sequence { start, until: Until::Step(step), function, axis: keys.axis()? }.into(),
                }
            }
            Name::Linspace => {
                let (start, end) = (keys.required("start")?, keys.required("end")?);
                let until = if keys.truth("endpoint", true)? { Until::End(end) } else { Until::Before(end) };
                let function = keys.value("function", Function::Linear)?;
                Shaped::Sequence { start, until, function, axis: keys.axis()? }.into()
            }
            Name::InverseFrequencies => inverse_frequencies(keys.number("theta", 10_000.0)?, keys.axis()?)?,
            Name::Sinusoids => {
                let theta = keys.number("theta", 10_000.0)?;
                let (endpoint, interleaved) = (keys.truth("endpoint", false)?, keys.truth("interleaved", true)?);
                match keys.count("positions", 0)? {
                    Some(positions) => {
                        let channels = keys.count("channels", 0)?;
                        let channels =
                            channels.ok_or_else(|| keys.missing("channels", "a whole number beside positions"))?;
                        structured(Structure::Sinusoids { positions, channels, theta, endpoint, interleaved })
                    }
                    None => Shaped::Sinusoids { theta, endpoint, interleaved }.into(),
                }
            }
            Name::ColumnNorms => {
                let bound = keys.required("bound")?;
                let rows = keys.count("rows", 1)?.ok_or_else(|| keys.missing("rows", "a whole number"))?;
                match keys.count("columns", 1)? {
                    Some(columns) => structured(Structure::ColumnNorms { bound, rows, columns }),
                    None => column_norms(bound, rows),
                }
            }
            Name::LogUniform => log_uniform(keys.required("low")?, keys.required("high")?),
            Name::LogOfUniform => log_of_uniform(keys.required("low")?, keys.required("high")?),
            Name::InverseSoftplus => {
                inverse_softplus(keys.number("low", 0.001)?, keys.number("high", 0.1)?, keys.number("floor", 0.0001)?)
            }
        };
        keys.finish()?;
        scheme.check()?;
        Ok(scheme)
    }
}

fn structured(structure: Structure) -> Scheme {
    Distribution::Structured(structure).into()
}

impl Keys<'_> {
    fn axis(&mut self) -> Result<i64, Error> {
        let Some(text) = self.take("axis") else { return Ok(-1) };
        text.parse().map_err(|_| self.wrong("axis", &text, "a whole number"))
    }

    /// The places of matrices, if they are said: of a scheme that is resolved.
    fn matrix(&mut self) -> Result<Option<Matrix>, Error> {
        let Some(rows) = self.count("rows", 0)? else { return Ok(None) };
        let columns = self.count("columns", 0)?.ok_or_else(|| self.missing("columns", "a whole number beside rows"))?;
        let is_transposed = self.truth("transposed", false)?;
        let taps = match self.count("taps", 0)? {
            None => Taps::One,
            Some(count) => {
                let tap = self.count("tap", 0)?.unwrap_or(0);
                if self.truth("outside", false)? { Taps::Outside { count, tap } } else { Taps::Inside { count, tap } }
            }
        };
        Matrix::new(rows, columns, is_transposed, taps).map(Some)
    }

    /// `truncated=true`: cut at two sigmas, corrected.
    fn truncated(&mut self, scheme: Scheme) -> Result<Scheme, Error> {
        if self.truth("truncated", false)? { scheme.with_spread(Spread::TruncatedNormal) } else { Ok(scheme) }
    }

    /// A truncated normal's `mean` and `std`, with bounds or with `sigmas`.
    fn window(&mut self) -> Result<Scheme, Error> {
        let (mean, std) = (self.number("mean", 0.0)?, self.number("std", 1.0)?);
        let (low, high, sigmas) = (self.maybe("low")?, self.maybe("high")?, self.take("sigmas"));
        let Some(text) = sigmas else {
            return Ok(match (low, high) {
                (None, None) => truncated_at(mean, std, 2.0),
                // A bound that is not given is none.
                (low, high) => {
                    truncated_normal(mean, std, low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY))
                }
            });
        };
        if low.is_some() || high.is_some() {
            return Err(self.wrong("sigmas", &text, "sigmas, or low and high, not both"));
        }
        let sigmas = self.parse("sigmas", &text)?;
        require(sigmas > 0.0, "sigmas", sigmas, "above 0")?;
        Ok(truncated_at(mean, std, sigmas))
    }

    /// He's parameters: `mode`, and either `gain` or `nonlinearity` with its `negative_slope`.
    fn he(&mut self, scheme: Scheme) -> Result<Scheme, Error> {
        let scheme = scheme.with_mode(self.value("mode", FanMode::FanIn)?)?;
        let (gain, nonlinearity, slope) = (self.take("gain"), self.take("nonlinearity"), self.take("negative_slope"));
        if let (Some(gain), Some(_)) = (&gain, &nonlinearity) {
            return Err(self.wrong("gain", gain, "gain or nonlinearity, not both"));
        }
        let chosen = match &nonlinearity {
            None => None,
            Some(text) => Some(text.parse::<Nonlinearity>().map_err(|e| self.unknown("nonlinearity", text, &e))?),
        };
        let chosen = match (chosen, &nonlinearity, slope) {
            (chosen, _, None) => chosen,
            // With a slope behind it, there is no place for another.
            (Some(Nonlinearity::LeakyRelu { .. }), Some(text), Some(slope)) if !text.contains(':') => {
                let negative_slope = self.parse("negative_slope", &slope)?;
                require(negative_slope.is_finite(), "negative_slope", negative_slope, "a finite number")?;
                Some(Nonlinearity::LeakyRelu { negative_slope })
            }
            (_, _, Some(slope)) => {
                return Err(self.wrong("negative_slope", &slope, "once, and only with nonlinearity=leaky_relu"));
            }
        };
        match (gain, chosen) {
            (Some(gain), _) => scheme.with_gain(self.parse("gain", &gain)?),
            (None, Some(nonlinearity)) => scheme.with_gain(nonlinearity.gain()),
            (None, None) => Ok(scheme),
        }
    }
}
