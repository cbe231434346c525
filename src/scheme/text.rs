//! Schemes as text.

use std::str::FromStr;

use super::*;
use crate::error::quoted;
use crate::gain::Nonlinearity;
use crate::matrix::{Matrix, Taps};
use crate::names::{nearest, plain};
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
        (Name::LogUniform, "log_uniform", &[]),
        (Name::LogOfUniform, "log_of_uniform", &[]),
        (Name::InverseSoftplus, "inverse_softplus", &["inverse_softplus_log_uniform"]),
    ];
}

/// The keys whose values are numbers.
#[cfg(feature = "rules")]
pub(crate) const NUMBERS: &[&str] = &[
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
    "start",
    "step",
    "end",
    "theta",
    "floor",
];

impl FromStr for Scheme {
    type Err = Error;

    /// Reads `NAME[:key=value,...]`. Neither case nor `-` for `_` matters.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, keys) = text.split_once(':').map_or((text, None), |(name, keys)| (name, Some(keys)));
        let name = Name::named(name)?;
        let mut keys = Keys::read(name.name(), keys)?;
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
            Name::VarianceScaling => VarianceScaling::new(
                keys.number("scale", 1.0)?,
                keys.value("mode", FanMode::FanIn)?,
                keys.value("distribution", Spread::TruncatedNormal)?,
            )?
            .into(),
            Name::VarianceScalingInitializer => variance_scaling_initializer(
                keys.number("factor", 2.0)?,
                keys.value("mode", FanMode::FanIn)?,
                keys.truth("uniform")?,
            )?,
            Name::Orthogonal => {
                let gain = keys.number("gain", 1.0)?;
                match keys.matrix()? {
                    Some(matrix) => structured(Structure::Orthogonal { gain, matrix }),
                    None => Shaped::Orthogonal { gain, large: keys.truth("large")? }.into(),
                }
            }
            Name::DeltaOrthogonal => {
                Shaped::DeltaOrthogonal { gain: keys.number("gain", 1.0)?, large: keys.truth("large")? }.into()
            }
            Name::Identity => {
                let gain = keys.number("gain", 1.0)?;
                match keys.matrix()? {
                    Some(matrix) => {
                        let groups = keys.count("groups")?.unwrap_or(1);
                        structured(Structure::Identity { gain, groups, matrix })
                    }
                    None => identity(gain),
                }
            }
            Name::Dirac => dirac(keys.count("groups")?.unwrap_or(1)),
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
                match keys.count("count")? {
                    Some(count) => {
                        let inner = keys.count("inner")?.unwrap_or(1);
                        structured(Structure::Sequence { start, step, function, count, inner })
                    }
                    None => Shaped::Sequence { start, until: Until::Step(step), function, axis: keys.axis()? }.into(),
                }
            }
            Name::Linspace => {
                let (start, end) = (keys.required("start")?, keys.required("end")?);
                let until = if keys.truth_or("endpoint", true)? { Until::End(end) } else { Until::Before(end) };
                let function = keys.value("function", Function::Linear)?;
                Shaped::Sequence { start, until, function, axis: keys.axis()? }.into()
            }
            Name::InverseFrequencies => inverse_frequencies(keys.number("theta", 10_000.0)?, keys.axis()?)?,
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

/// The `key=value` pairs of a text, taken one by one; what is left over is an error that lists what was looked for.
struct Keys<'a> {
    scheme: &'static str,
    given: Vec<(String, &'a str)>,
    known: Vec<&'static str>,
}

impl<'a> Keys<'a> {
    fn read(scheme: &'static str, text: Option<&'a str>) -> Result<Self, Error> {
        let mut keys = Keys { scheme, given: Vec::new(), known: Vec::new() };
        let Some(text) = text else { return Ok(keys) };
        for pair in text.split(',').map(str::trim) {
            let Some((key, value)) = pair.split_once('=') else {
                let thing = format!("a parameter of the scheme {scheme}");
                return Err(Error::new(ErrorKind::Text, thing, quoted(pair), "key=value"));
            };
            let (key, value) = (plain(key), value.trim());
            if keys.given.iter().any(|(known, _)| *known == key) {
                return Err(keys.wrong(&key, value, "each key once"));
            }
            keys.given.push((key, value));
        }
        Ok(keys)
    }

    fn take(&mut self, key: &'static str) -> Option<&'a str> {
        self.known.push(key);
        let at = self.given.iter().position(|(k, _)| *k == key)?;
        Some(self.given.remove(at).1)
    }

    fn wrong(&self, key: &str, value: &str, allowed: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(ErrorKind::Text, format!("{key} of the scheme {}", self.scheme), quoted(value), allowed)
    }

    fn parse(&self, key: &str, text: &str) -> Result<f64, Error> {
        let number: f64 = text.parse().map_err(|_| self.wrong(key, text, "a number"))?;
        // Of a number that is too small or too large, f64 reads another one.
        let digits = text.split(['e', 'E']).next().unwrap_or_default();
        let is_held = match number {
            0.0 => !digits.contains(|c: char| ('1'..='9').contains(&c)),
            _ => number.is_finite() || !digits.contains(|c: char| c.is_ascii_digit()),
        };
        if is_held { Ok(number) } else { Err(self.wrong(key, text, "a number that f64 holds")) }
    }

    fn maybe(&mut self, key: &'static str) -> Result<Option<f64>, Error> {
        self.take(key).map(|text| self.parse(key, text)).transpose()
    }

    fn number(&mut self, key: &'static str, default: f64) -> Result<f64, Error> {
        Ok(self.maybe(key)?.unwrap_or(default))
    }

    fn required(&mut self, key: &'static str) -> Result<f64, Error> {
        self.maybe(key)?.ok_or_else(|| self.wrong(key, "", "a number, which must be given"))
    }

    fn value<T: FromStr<Err = Error>>(&mut self, key: &'static str, default: T) -> Result<T, Error> {
        let Some(text) = self.take(key) else { return Ok(default) };
        text.parse().map_err(|e: Error| self.unknown(key, text, &e))
    }

    /// A value that is none of those that a list has.
    fn unknown(&self, key: &str, text: &str, e: &Error) -> Error {
        self.wrong(key, text, e.allowed().unwrap_or_default().to_string()).near(e.nearest())
    }

    /// A whole number.
    fn count(&mut self, key: &'static str) -> Result<Option<u64>, Error> {
        let whole = |text: &str| text.parse().map_err(|_| self.wrong(key, text, "a whole number"));
        // Borrowed by `wrong`, too.
        let at = self.given.iter().position(|(k, _)| *k == key);
        let count = at.map(|at| whole(self.given[at].1)).transpose()?;
        self.take(key);
        Ok(count)
    }

    fn axis(&mut self) -> Result<i64, Error> {
        let Some(text) = self.take("axis") else { return Ok(-1) };
        text.parse().map_err(|_| self.wrong("axis", text, "a whole number"))
    }

    /// The places of matrices, if they are said: of a scheme that is resolved.
    fn matrix(&mut self) -> Result<Option<Matrix>, Error> {
        let Some(rows) = self.count("rows")? else { return Ok(None) };
        let columns = self.count("columns")?.ok_or_else(|| self.wrong("columns", "", "a whole number beside rows"))?;
        let is_transposed = self.truth("transposed")?;
        let taps = match self.count("taps")? {
            None => Taps::One,
            Some(count) => {
                let tap = self.count("tap")?.unwrap_or(0);
                if self.truth("outside")? { Taps::Outside { count, tap } } else { Taps::Inside { count, tap } }
            }
        };
        Matrix::new(rows, columns, is_transposed, taps).map(Some)
    }

    /// `true` or `false`, which it is if nothing is said.
    fn truth(&mut self, key: &'static str) -> Result<bool, Error> {
        self.truth_or(key, false)
    }

    fn truth_or(&mut self, key: &'static str, default: bool) -> Result<bool, Error> {
        match self.take(key) {
            None => Ok(default),
            Some(text) => plain(text)
                .parse()
                .map_err(|_| self.wrong(key, text, "true, false").near(nearest(text, ["true", "false"]))),
        }
    }

    /// `truncated=true`: cut at two sigmas, corrected.
    fn truncated(&mut self, scheme: Scheme) -> Result<Scheme, Error> {
        if self.truth("truncated")? { scheme.with_spread(Spread::TruncatedNormal) } else { Ok(scheme) }
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
            return Err(self.wrong("sigmas", text, "sigmas, or low and high, not both"));
        }
        let sigmas = self.parse("sigmas", text)?;
        require(sigmas > 0.0, "sigmas", sigmas, "above 0")?;
        Ok(truncated_at(mean, std, sigmas))
    }

    /// He's parameters: `mode`, and either `gain` or `nonlinearity` with its `negative_slope`.
    fn he(&mut self, scheme: Scheme) -> Result<Scheme, Error> {
        let scheme = scheme.with_mode(self.value("mode", FanMode::FanIn)?)?;
        let (gain, nonlinearity, slope) = (self.take("gain"), self.take("nonlinearity"), self.take("negative_slope"));
        if let (Some(gain), Some(_)) = (gain, nonlinearity) {
            return Err(self.wrong("gain", gain, "gain or nonlinearity, not both"));
        }
        let chosen = match nonlinearity {
            None => None,
            Some(text) => Some(text.parse::<Nonlinearity>().map_err(|e| self.unknown("nonlinearity", text, &e))?),
        };
        let chosen = match (chosen, nonlinearity, slope) {
            (chosen, _, None) => chosen,
            // With a slope behind it, there is no place for another.
            (Some(Nonlinearity::LeakyRelu { .. }), Some(text), Some(slope)) if !text.contains(':') => {
                let negative_slope = self.parse("negative_slope", slope)?;
                require(negative_slope.is_finite(), "negative_slope", negative_slope, "a finite number")?;
                Some(Nonlinearity::LeakyRelu { negative_slope })
            }
            (_, _, Some(slope)) => {
                return Err(self.wrong("negative_slope", slope, "once, and only with nonlinearity=leaky_relu"));
            }
        };
        match (gain, chosen) {
            (Some(gain), _) => scheme.with_gain(self.parse("gain", gain)?),
            (None, Some(nonlinearity)) => scheme.with_gain(nonlinearity.gain()),
            (None, None) => Ok(scheme),
        }
    }

    fn finish(mut self) -> Result<(), Error> {
        let Some((key, _)) = self.given.pop() else { return Ok(()) };
        let allowed = if self.known.is_empty() { "none".into() } else { self.known.join(", ") };
        let thing = format!("a parameter of the scheme {}", self.scheme);
        Err(Error::new(ErrorKind::Text, thing, quoted(&key), allowed).near(nearest(&key, self.known)))
    }
}
