//! Schemes: what a person asks for, resolved by a weight's shape into what a kernel draws.

use std::fmt;
use std::str::FromStr;

use crate::distribution::require;
use crate::{Distribution, Error, Fans, Layout, Nonlinearity, TRUNCATED_STD};

/// An initialisation scheme.
///
/// | scheme, and its other names | draws |
/// | --- | --- |
/// | `zeros` (`zero`), `ones` (`one`), `constant` (`const`) | the value |
/// | `uniform` (`random_uniform`) | U\[low, high) |
/// | `normal` (`random_normal`, `gaussian`) | N(mean, std^2) |
/// | `truncated_normal` (`trunc_normal`) | N(mean, std^2) cut to \[low, high\], absolute, or at `sigmas` (default 2) |
/// | `standard` | U(+-1 / sqrt(fan_in)) |
/// | `uniform_unit_scaling` | U(+-factor sqrt(3 / fan_in)) |
/// | `glorot_uniform` (`xavier_uniform`, `xavier`, `glorot`) | U(+-gain sqrt(6 / (fan_in + fan_out))) |
/// | `glorot_normal` (`xavier_normal`) | std gain sqrt(2 / (fan_in + fan_out)) |
/// | `he_uniform` (`kaiming_uniform`, `msra_uniform`) | U(+-gain sqrt(3 / fan)), gain sqrt 2 |
/// | `he_normal` (`kaiming_normal`, `msra_normal`, `msra`, `he`, `kaiming`) | std gain / sqrt(fan), gain sqrt 2 |
/// | `lecun_uniform` | U(+-sqrt(3 / fan_in)) |
/// | `lecun_normal` (`lecun`) | std sqrt(1 / fan_in); also the old "Xavier", randn / sqrt(n) |
/// | `variance_scaling` | variance scale / fan, see [`VarianceScaling`] |
/// | `variance_scaling_initializer` | TensorFlow 1's contrib: U(+-sqrt(3 factor / n)), or N cut at two sigmas of sqrt(1.3 factor / n) |
///
/// All from `standard` down are one mechanism, [`VarianceScaling`].
///
/// # Which scheme is which
/// | elsewhere | here |
/// | --- | --- |
/// | PyTorch `kaiming_normal_`, `xavier_normal_` | `he_normal`, `glorot_normal` |
/// | PyTorch `kaiming_uniform_(w, a=sqrt(5))`, the default of Linear and Conv | `standard` |
/// | PyTorch `trunc_normal_(w, std=s)` | `truncated_normal:std=s,low=-2,high=2` |
/// | Keras `HeNormal`, `GlorotNormal`, `LecunNormal`; `jax.nn.initializers.he_normal` and so on | `he_normal:truncated=true`, `glorot_normal:truncated=true`, `lecun_normal:truncated=true` |
/// | Keras, JAX `VarianceScaling(scale, mode, "truncated_normal")` | `variance_scaling:scale=..,mode=..` |
/// | Keras, JAX `VarianceScaling(.., "untruncated_normal")`, JAX `"normal"` | `variance_scaling:..,distribution=normal` |
/// | Keras `TruncatedNormal(stddev=s)`, JAX `truncated_normal(s)`, TF 1 `truncated_normal_initializer` | `truncated_normal:std=s` |
/// | TF 1 `uniform_unit_scaling_initializer` | `uniform_unit_scaling` |
/// | TF 1 `contrib.layers.xavier_initializer`, `variance_scaling_initializer` | `glorot_uniform`, `variance_scaling_initializer` |
/// | Burn `KaimingUniform`, `KaimingNormal { fan_out_only }` | `he_uniform:gain=..`, `he_normal:gain=..,mode=..` |
/// | Burn `XavierUniform`, `XavierNormal` | `glorot_uniform`, `glorot_normal` |
///
/// # As text
/// A name, then parameters: `NAME[:key=value,...]`.
///
/// ```
/// use fanin::{Distribution, Layout, Scheme};
///
/// let scheme: Scheme = "he_normal:mode=fan_out".parse()?;
/// let distribution = scheme.distribution(&[64, 32, 3, 3], Layout::OUT_IN)?;
/// assert_eq!(distribution, Distribution::Normal { mean: 0.0, std: (2.0f64 / (64.0 * 9.0)).sqrt() });
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scheme {
    /// The distribution itself, whatever the shape.
    Fixed(Distribution),
    /// A distribution whose variance is scaled to the fans.
    Scaled(VarianceScaling),
}

impl Scheme {
    /// What this scheme draws into a weight of this shape. Shapes matter only to schemes that need fans.
    ///
    /// # Errors
    /// [`Error::NoFans`] and the others of [`Fans::from_shape`] if fans are needed; those of [`Distribution::check`].
    ///
    /// ```
    /// use fanin::{Layout, Scheme, scheme};
    ///
    /// let glorot = Scheme::from(scheme::glorot_uniform());
    /// assert_eq!(glorot.distribution(&[2, 4], Layout::IN_OUT)?.to_string(), "uniform[-1, 1)");
    /// assert!(glorot.distribution(&[768], Layout::IN_OUT).is_err());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn distribution(&self, shape: &[u64], layout: Layout) -> Result<Distribution, Error> {
        match self {
            Scheme::Fixed(distribution) => distribution.check().map(|()| *distribution),
            Scheme::Scaled(scaling) => scaling.distribution(Fans::from_shape(shape, layout)?),
        }
    }

    /// Whether the scheme needs fan_in or fan_out, and so a shape that has them.
    ///
    /// ```
    /// assert!("he_normal".parse::<fanin::Scheme>()?.needs_fans());
    /// assert!(!"normal:std=0.02".parse::<fanin::Scheme>()?.needs_fans());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const fn needs_fans(&self) -> bool {
        matches!(self, Scheme::Scaled(_))
    }
}

/// The text that reads back as the same scheme.
impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Scheme::Fixed(Distribution::Constant { value }) => write!(f, "constant:value={value}"),
            Scheme::Fixed(Distribution::Uniform { low, high }) => write!(f, "uniform:low={low},high={high}"),
            Scheme::Fixed(Distribution::Normal { mean, std }) => write!(f, "normal:mean={mean},std={std}"),
            Scheme::Fixed(Distribution::TruncatedNormal { mean, std, low, high }) => {
                write!(f, "truncated_normal:mean={mean},std={std},low={low},high={high}")
            }
            Scheme::Scaled(VarianceScaling { scale, mode, spread }) => {
                write!(f, "variance_scaling:scale={scale},mode={mode},distribution={spread}")
            }
        }
    }
}

impl From<Distribution> for Scheme {
    fn from(distribution: Distribution) -> Self {
        Scheme::Fixed(distribution)
    }
}

impl From<VarianceScaling> for Scheme {
    fn from(scaling: VarianceScaling) -> Self {
        Scheme::Scaled(scaling)
    }
}

/// Weights of mean 0 and variance `scale / fan`.
///
/// | spread | draws |
/// | --- | --- |
/// | [`Uniform`](Spread::Uniform) | U(+-sqrt(3 scale / fan)) |
/// | [`Normal`](Spread::Normal) | N with std sqrt(scale / fan), untruncated, as the papers and PyTorch |
/// | [`TruncatedNormal`](Spread::TruncatedNormal) | N cut at two of its standard deviations, which are sqrt(scale / fan) / 0.8796, so that the variance is right *after* the cut, as Keras and JAX |
/// | [`TruncatedNormalUncorrected`](Spread::TruncatedNormalUncorrected) | N cut at two of its standard deviations sqrt(scale / fan): the variance after the cut is 0.774 of that, as TensorFlow 1 |
///
/// ```
/// use fanin::scheme::{self, FanMode};
/// use fanin::{Fans, Nonlinearity};
///
/// let scaling = scheme::he_normal()
///     .with_mode(FanMode::FanOut)
///     .with_gain(Nonlinearity::LeakyRelu { negative_slope: 0.1 }.gain())
///     .truncated();
/// let distribution = scaling.distribution(Fans::new(256, 1024)?)?;
/// assert!((distribution.std() - (2.0f64 / 1.01 / 1024.0).sqrt()).abs() < 1e-9);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VarianceScaling {
    /// The variance times the fan, above 0.
    pub scale: f64,
    /// Which fan.
    pub mode: FanMode,
    /// The shape of the distribution.
    pub spread: Spread,
}

/// Which fan a variance is divided by.
///
/// ```
/// assert_eq!("fan_avg".parse(), Ok(fanin::scheme::FanMode::FanAvg));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
/// assert_eq!("truncated_normal".parse(), Ok(Spread::TruncatedNormal));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl VarianceScaling {
    /// The same with `scale = gain^2`.
    ///
    /// ```
    /// assert_eq!(fanin::scheme::glorot_normal().with_gain(2.0).scale, 4.0);
    /// ```
    #[must_use]
    pub fn with_gain(self, gain: f64) -> Self {
        // A negative gain has no meaning; its square would hide it.
        VarianceScaling { scale: gain * gain.abs(), ..self }
    }

    /// The same with another fan.
    ///
    /// ```
    /// use fanin::scheme::{FanMode, he_uniform};
    ///
    /// assert_eq!(he_uniform().with_mode(FanMode::FanOut).mode, FanMode::FanOut);
    /// ```
    #[must_use]
    pub const fn with_mode(self, mode: FanMode) -> Self {
        VarianceScaling { mode, ..self }
    }

    /// The same, cut at two sigmas and corrected for the cut, as Keras and JAX draw their normal schemes.
    ///
    /// ```
    /// use fanin::scheme::{Spread, lecun_normal};
    ///
    /// assert_eq!(lecun_normal().truncated().spread, Spread::TruncatedNormal);
    /// ```
    #[must_use]
    pub const fn truncated(self) -> Self {
        VarianceScaling { spread: Spread::TruncatedNormal, ..self }
    }

    /// What is drawn for these fans.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless scale is finite and above 0.
    ///
    /// ```
    /// use fanin::{Distribution, Fans, scheme};
    ///
    /// let distribution = scheme::lecun_uniform().distribution(Fans::new(3, 7)?)?;
    /// assert_eq!(distribution, Distribution::Uniform { low: -1.0, high: 1.0 });
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn distribution(&self, fans: Fans) -> Result<Distribution, Error> {
        let scale = self.scale;
        require(scale.is_finite() && scale > 0.0, "scale (the square of gain or factor)", scale, "finite and above 0")?;
        let (fan_in, fan_out) = (fans.fan_in() as f64, fans.fan_out() as f64);
        let fan = match self.mode {
            FanMode::FanIn => fan_in,
            FanMode::FanOut => fan_out,
            FanMode::FanAvg => (fan_in + fan_out) / 2.0,
        };
        let std = (scale / fan).sqrt();
        let distribution = match self.spread {
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
}

/// U(+-gain sqrt(6 / (fan_in + fan_out))), gain 1. X. Glorot, Y. Bengio, "Understanding the difficulty of training deep
/// feedforward neural networks", AISTATS 2010.
///
/// ```
/// let distribution = fanin::scheme::glorot_uniform().distribution(fanin::Fans::new(2, 4)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -1.0, high: 1.0 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn glorot_uniform() -> VarianceScaling {
    VarianceScaling { scale: 1.0, mode: FanMode::FanAvg, spread: Spread::Uniform }
}

/// N with std gain sqrt(2 / (fan_in + fan_out)), gain 1, untruncated. Glorot and Bengio 2010.
///
/// ```
/// let distribution = fanin::scheme::glorot_normal().distribution(fanin::Fans::new(3, 5)?)?;
/// assert_eq!(distribution, fanin::Distribution::Normal { mean: 0.0, std: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn glorot_normal() -> VarianceScaling {
    VarianceScaling { spread: Spread::Normal, ..glorot_uniform() }
}

/// U(+-gain sqrt(3 / fan_in)), gain sqrt 2 for ReLU. K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers",
/// ICCV 2015; PyTorch's `kaiming_uniform_`, Caffe's MSRA.
///
/// ```
/// let distribution = fanin::scheme::he_uniform().distribution(fanin::Fans::new(6, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -1.0, high: 1.0 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn he_uniform() -> VarianceScaling {
    VarianceScaling { scale: 2.0, mode: FanMode::FanIn, spread: Spread::Uniform }
}

/// N with std sqrt(2 / fan_in), untruncated as in the paper and PyTorch; [`VarianceScaling::truncated`] is Keras's.
/// He et al. 2015.
///
/// ```
/// let distribution = fanin::scheme::he_normal().distribution(fanin::Fans::new(8, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Normal { mean: 0.0, std: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn he_normal() -> VarianceScaling {
    VarianceScaling { spread: Spread::Normal, ..he_uniform() }
}

/// U(+-sqrt(3 / fan_in)). Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, "Efficient BackProp", 1998.
///
/// ```
/// let distribution = fanin::scheme::lecun_uniform().distribution(fanin::Fans::new(12, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -0.5, high: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn lecun_uniform() -> VarianceScaling {
    VarianceScaling { scale: 1.0, mode: FanMode::FanIn, spread: Spread::Uniform }
}

/// N with std sqrt(1 / fan_in), untruncated. LeCun et al. 1998; also what older code calls Xavier, `randn(n) / sqrt(n)`.
///
/// ```
/// let distribution = fanin::scheme::lecun_normal().distribution(fanin::Fans::new(4, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Normal { mean: 0.0, std: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn lecun_normal() -> VarianceScaling {
    VarianceScaling { spread: Spread::Normal, ..lecun_uniform() }
}

/// U(+-1 / sqrt(fan_in)): Glorot and Bengio's "standard" heuristic, and what PyTorch's Linear and Conv start with.
///
/// ```
/// let distribution = fanin::scheme::standard().distribution(fanin::Fans::new(4, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -0.5, high: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn standard() -> VarianceScaling {
    VarianceScaling { scale: 1.0 / 3.0, ..lecun_uniform() }
}

/// U(+-factor sqrt(3 / fan_in)): TensorFlow 1's `uniform_unit_scaling_initializer`, after D. Sussillo, L. F. Abbott,
/// "Random walk initialization for training very deep feedforward networks", 2014.
///
/// ```
/// let distribution = fanin::scheme::uniform_unit_scaling(2.0).distribution(fanin::Fans::new(3, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -2.0, high: 2.0 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn uniform_unit_scaling(factor: f64) -> VarianceScaling {
    lecun_uniform().with_gain(factor)
}

/// TensorFlow 1's `contrib.layers.variance_scaling_initializer(factor, mode, uniform)`: U(+-sqrt(3 factor / n)), or N
/// with std sqrt(1.3 factor / n) cut at two sigmas.
///
/// ```
/// use fanin::{Distribution, Fans, scheme};
///
/// let scaling = scheme::variance_scaling_initializer(2.0, scheme::FanMode::FanIn, false);
/// let std = (1.3f64 * 2.0 / 10.0).sqrt();
/// assert_eq!(scaling.distribution(Fans::new(10, 1)?)?, Distribution::truncated_at(0.0, std, 2.0));
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn variance_scaling_initializer(factor: f64, mode: FanMode, uniform: bool) -> VarianceScaling {
    if uniform {
        VarianceScaling { scale: factor, mode, spread: Spread::Uniform }
    } else {
        VarianceScaling { scale: 1.3 * factor, mode, spread: Spread::TruncatedNormalUncorrected }
    }
}

impl fmt::Display for FanMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FanMode::FanIn => "fan_in",
            FanMode::FanOut => "fan_out",
            FanMode::FanAvg => "fan_avg",
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Spread::Uniform => "uniform",
            Spread::Normal => "normal",
            Spread::TruncatedNormal => "truncated_normal",
            Spread::TruncatedNormalUncorrected => "truncated_normal_uncorrected",
        })
    }
}

impl FromStr for FanMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "fan_in" => Ok(FanMode::FanIn),
            "fan_out" => Ok(FanMode::FanOut),
            "fan_avg" => Ok(FanMode::FanAvg),
            _ => Err(Error::UnknownName { what: "mode", name: text.into(), allowed: "fan_in, fan_out, fan_avg" }),
        }
    }
}

impl FromStr for Spread {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "uniform" => Ok(Spread::Uniform),
            "normal" | "untruncated_normal" => Ok(Spread::Normal),
            "truncated_normal" => Ok(Spread::TruncatedNormal),
            "truncated_normal_uncorrected" => Ok(Spread::TruncatedNormalUncorrected),
            _ => Err(Error::UnknownName {
                what: "distribution",
                name: text.into(),
                allowed: "uniform, normal, truncated_normal, truncated_normal_uncorrected",
            }),
        }
    }
}

/// The scheme names that a text may begin with, each with its other names.
const NAMES: [(&str, &[&str]); 15] = [
    ("zeros", &["zero"]),
    ("ones", &["one"]),
    ("constant", &["const"]),
    ("uniform", &["random_uniform"]),
    ("normal", &["random_normal", "gaussian"]),
    ("truncated_normal", &["trunc_normal"]),
    ("standard", &[]),
    ("uniform_unit_scaling", &[]),
    ("glorot_uniform", &["xavier_uniform", "xavier", "glorot"]),
    ("glorot_normal", &["xavier_normal"]),
    ("he_uniform", &["kaiming_uniform", "msra_uniform"]),
    ("he_normal", &["kaiming_normal", "msra_normal", "msra", "he", "kaiming"]),
    ("lecun_uniform", &[]),
    ("lecun_normal", &["lecun"]),
    ("variance_scaling", &[]),
];

/// TensorFlow 1's name, kept apart from `variance_scaling` because its parameters mean something else.
const TF1: &str = "variance_scaling_initializer";

impl FromStr for Scheme {
    type Err = Error;

    /// Reads `NAME[:key=value,...]`. Case and `-` for `_` in the name do not matter.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (given, rest) = text.split_once(':').unwrap_or((text, ""));
        let name = given.trim().to_ascii_lowercase().replace('-', "_");
        let canonical = NAMES
            .iter()
            .find(|(known, others)| *known == name || others.contains(&name.as_str()))
            .map(|(known, _)| *known)
            .or((name == TF1).then_some(TF1))
            .ok_or_else(|| Error::UnknownScheme {
                name: given.into(),
                allowed: NAMES.iter().map(|(known, _)| *known).chain([TF1]).collect::<Vec<_>>().join(", "),
            })?;
        let mut p = Parameters::read(canonical, rest)?;
        let scheme = match canonical {
            "zeros" => Distribution::Constant { value: 0.0 }.into(),
            "ones" => Distribution::Constant { value: 1.0 }.into(),
            "constant" => Distribution::Constant { value: p.required("value")? }.into(),
            "uniform" => Distribution::Uniform { low: p.number("low", 0.0)?, high: p.number("high", 1.0)? }.into(),
            "normal" => Distribution::Normal { mean: p.number("mean", 0.0)?, std: p.number("std", 1.0)? }.into(),
            "truncated_normal" => {
                let (mean, std, sigmas) = (p.number("mean", 0.0)?, p.number("std", 1.0)?, p.number("sigmas", 2.0)?);
                require(sigmas > 0.0, "sigmas", sigmas, "above 0")?;
                let (low, high) = (p.number("low", mean - sigmas * std)?, p.number("high", mean + sigmas * std)?);
                Distribution::TruncatedNormal { mean, std, low, high }.into()
            }
            "standard" => standard().into(),
            "uniform_unit_scaling" => uniform_unit_scaling(p.number("factor", 1.0)?).into(),
            "glorot_uniform" => glorot_uniform().with_gain(p.number("gain", 1.0)?).into(),
            "glorot_normal" => {
                let scaling = glorot_normal().with_gain(p.number("gain", 1.0)?);
                p.truncated(scaling)?.into()
            }
            "he_uniform" => p.he(he_uniform())?.into(),
            "he_normal" => {
                let scaling = p.he(he_normal())?;
                p.truncated(scaling)?.into()
            }
            "lecun_uniform" => lecun_uniform().into(),
            "lecun_normal" => p.truncated(lecun_normal())?.into(),
            TF1 => variance_scaling_initializer(
                p.number("factor", 2.0)?,
                p.value("mode", FanMode::FanIn)?,
                p.value("uniform", false)?,
            )
            .into(),
            _ => Scheme::Scaled(VarianceScaling {
                scale: p.number("scale", 1.0)?,
                mode: p.value("mode", FanMode::FanIn)?,
                spread: p.value("distribution", Spread::TruncatedNormal)?,
            }),
        };
        p.finish()?;
        match &scheme {
            Scheme::Fixed(distribution) => distribution.check()?,
            // Fans of 1 check the scale.
            Scheme::Scaled(scaling) => scaling.distribution(Fans::new(1, 1)?).map(|_| ())?,
        }
        Ok(scheme)
    }
}

/// The `key=value` pairs of a text, taken one by one; what is left over is an error that lists what was looked for.
struct Parameters<'a> {
    scheme: &'static str,
    given: Vec<(&'a str, &'a str)>,
    known: Vec<&'static str>,
}

impl<'a> Parameters<'a> {
    fn read(scheme: &'static str, text: &'a str) -> Result<Self, Error> {
        let mut given: Vec<(&str, &str)> = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let wrong = |name: &str, value: &str, allowed: &str| Error::ParameterText {
                scheme: scheme.into(),
                name: name.into(),
                value: value.into(),
                allowed: allowed.into(),
            };
            let (key, value) = pair.split_once('=').ok_or_else(|| wrong(pair, "", "key=value"))?;
            let (key, value) = (key.trim(), value.trim());
            if given.iter().any(|(k, _)| *k == key) {
                return Err(wrong(key, value, "each key once"));
            }
            given.push((key, value));
        }
        Ok(Parameters { scheme, given, known: Vec::new() })
    }

    fn take(&mut self, key: &'static str) -> Option<&'a str> {
        self.known.push(key);
        let at = self.given.iter().position(|(k, _)| *k == key)?;
        Some(self.given.remove(at).1)
    }

    fn text_error(&self, name: &str, value: &str, allowed: impl Into<String>) -> Error {
        Error::ParameterText {
            scheme: self.scheme.into(),
            name: name.into(),
            value: value.into(),
            allowed: allowed.into(),
        }
    }

    fn parse(&self, key: &str, text: &str) -> Result<f64, Error> {
        text.parse().map_err(|_| self.text_error(key, text, "a number"))
    }

    fn number(&mut self, key: &'static str, default: f64) -> Result<f64, Error> {
        self.take(key).map_or(Ok(default), |text| self.parse(key, text))
    }

    fn required(&mut self, key: &'static str) -> Result<f64, Error> {
        let text = self.take(key).ok_or_else(|| self.text_error(key, "", "a number, which must be given"))?;
        self.parse(key, text)
    }

    fn value<T: FromStr>(&mut self, key: &'static str, default: T) -> Result<T, Error>
    where
        T::Err: fmt::Display,
    {
        self.take(key)
            .map_or(Ok(default), |text| text.parse().map_err(|e: T::Err| self.text_error(key, text, e.to_string())))
    }

    /// `truncated=true`: cut at two sigmas, corrected.
    fn truncated(&mut self, scaling: VarianceScaling) -> Result<VarianceScaling, Error> {
        Ok(if self.value("truncated", false)? { scaling.truncated() } else { scaling })
    }

    /// He's parameters: `mode`, and either `gain` or `nonlinearity` with its `negative_slope`.
    fn he(&mut self, scaling: VarianceScaling) -> Result<VarianceScaling, Error> {
        let scaling = scaling.with_mode(self.value("mode", FanMode::FanIn)?);
        let gain = self.take("gain");
        let nonlinearity = self.take("nonlinearity");
        let slope = self.take("negative_slope");
        if let (Some(gain), Some(nonlinearity)) = (gain, nonlinearity) {
            return Err(self.text_error("gain", gain, format!("gain or nonlinearity={nonlinearity}, not both")));
        }
        if let Some(gain) = gain {
            if let Some(slope) = slope {
                return Err(self.text_error("negative_slope", slope, "only with nonlinearity=leaky_relu"));
            }
            return Ok(scaling.with_gain(self.parse("gain", gain)?));
        }
        let mut chosen = match nonlinearity {
            None => {
                return slope.map_or(Ok(scaling), |s| {
                    Err(self.text_error("negative_slope", s, "only with nonlinearity=leaky_relu"))
                });
            }
            Some(text) => {
                text.parse::<Nonlinearity>().map_err(|e| self.text_error("nonlinearity", text, e.to_string()))?
            }
        };
        if let Some(text) = slope {
            match &mut chosen {
                Nonlinearity::LeakyRelu { negative_slope } => *negative_slope = self.parse("negative_slope", text)?,
                _ => return Err(self.text_error("negative_slope", text, "only with nonlinearity=leaky_relu")),
            }
        }
        Ok(scaling.with_gain(chosen.gain()))
    }

    fn finish(mut self) -> Result<(), Error> {
        match self.given.pop() {
            None => Ok(()),
            Some((name, _)) => Err(Error::UnknownParameter {
                scheme: self.scheme.into(),
                name: name.into(),
                allowed: if self.known.is_empty() { "none".into() } else { self.known.join(", ") },
            }),
        }
    }
}
