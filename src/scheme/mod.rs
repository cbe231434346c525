//! Schemes: what a person asks for, resolved by a weight's shape into what a kernel draws.

mod named;
mod scaling;
mod shaped;
mod text;

use std::fmt;

pub use named::{
    arange, column_norms, constant, delta_orthogonal, dirac, glorot_normal, glorot_uniform, he_normal, he_uniform,
    identity, inverse_frequencies, inverse_softplus, lecun_normal, lecun_uniform, linspace, log_of_uniform,
    log_uniform, normal, ones, orthogonal, sinusoids, sparse, standard, truncated_at, truncated_normal, uniform,
    uniform_unit_scaling, variance_scaling, variance_scaling_initializer, zeros,
};

use crate::number::Number;
use crate::{Distribution, Dtype, Error, ErrorKind, Fans, Fill, Layout, Stream};
pub use scaling::{FanMode, Spread};
pub use shaped::{Shaped, Until};

/// An initialisation scheme.
///
/// | scheme, and its other names | draws | keys of its text, with their defaults |
/// | --- | --- | --- |
/// | `zeros`, `ones` | 0, 1 | |
/// | `constant` | the value | `value` (must be given) |
/// | `uniform` (`random_uniform`) | U\[low, high) | `low=0`, `high=1` |
/// | `normal` (`random_normal`) | N(mean, std^2) | `mean=0`, `std=1` |
/// | `truncated_normal` (`trunc_normal`) | N(mean, std^2) cut to \[low, high\] | `mean=0`, `std=1`; `low=-inf`, `high=inf`, both absolute, or `sigmas`: how many standard deviations from the mean. Without any of them `sigmas=2` |
/// | `standard` | U(+-1 / sqrt(fan_in)) | |
/// | `uniform_unit_scaling` | U(+-factor sqrt(3 / fan_in)) | `factor=1` |
/// | `glorot_uniform` (`xavier_uniform`) | U(+-gain sqrt(6 / (fan_in + fan_out))) | `gain=1` |
/// | `glorot_normal` (`xavier_normal`) | std gain sqrt(2 / (fan_in + fan_out)) | `gain=1`, `truncated=false` |
/// | `he_uniform` (`kaiming_uniform`) | U(+-gain sqrt(3 / fan)) | `mode=fan_in`, `gain=sqrt(2)` or `nonlinearity` (with `negative_slope=0.01` of `leaky_relu`) |
/// | `he_normal` (`kaiming_normal`) | std gain / sqrt(fan) | the same, `truncated=false` |
/// | `lecun_uniform` | U(+-sqrt(3 / fan_in)) | |
/// | `lecun_normal` | std sqrt(1 / fan_in); also the old "Xavier", randn / sqrt(n) | `truncated=false` |
/// | `variance_scaling` | variance scale / fan, see [`Scheme::VarianceScaling`] | `scale=1`, `mode=fan_in`, `distribution=truncated_normal` |
/// | `variance_scaling_initializer` | TensorFlow 1's contrib: U(+-sqrt(3 factor / n)), or N cut at two sigmas of sqrt(1.3 factor / n) | `factor=2`, `mode=fan_in`, `uniform=false` |
/// | `orthogonal` | a random rotation's rows or columns, whichever side of the weight as a matrix is shorter | `gain=1`, `large=false` |
/// | `delta_orthogonal` | the same at a convolution's middle tap, 0 elsewhere | `gain=1`, `large=false` |
/// | `identity` (`eye`) | `gain` where output and input have the same number, else 0 | `gain=1` |
/// | `dirac` | 1 at a convolution's middle tap where they have, in each group, else 0 | `groups=1` |
/// | `sparse` | ceil(sparsity outputs) zeros for each input, the others N(0, std^2) | `sparsity` (must be given), `std=0.01` |
/// | `arange` | f(start + index step) along an axis | `start=0`, `step=1`, `axis=-1`, `function=linear` (`log`, `exp`) |
/// | `linspace` | the same from `start` to `end` | `start`, `end` (must be given), `endpoint=true`, `axis=-1`, `function=linear` |
/// | `inverse_frequencies` | theta^(-index / n) | `theta=10000`, `axis=-1` |
/// | `sinusoids` | sine and cosine of position theta^(-k / n), n = channels / 2, or one less | `theta=10000`, `endpoint=false`, `interleaved=true` |
/// | `column_norms` | the norms of the columns of a matrix of U\[-bound, bound), which the same stream draws elsewhere: `weight_norm` | `bound`, `rows` (must be given) |
/// | `log_uniform` | exp(U\[ln low, ln high)) | `low`, `high` (must be given) |
/// | `log_of_uniform` | ln(U\[low, high)) | `low`, `high` (must be given) |
/// | `inverse_softplus` (`inverse_softplus_log_uniform`) | x + ln(1 - exp(-x)) of x = max(log-uniform, floor): Mamba's time steps | `low=0.001`, `high=0.1`, `floor=0.0001` |
///
/// All from `standard` to `variance_scaling_initializer` are one mechanism, [`Scheme::VarianceScaling`]; from `orthogonal` to
/// `column_norms` they are [`Shaped`]. `mode` is a [`FanMode`], `distribution` a [`Spread`],
/// `nonlinearity` a [`Nonlinearity`](crate::Nonlinearity), `truncated=true` [`Spread::TruncatedNormal`].
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
/// | Keras `RandomUniform(low, high)`, `RandomNormal(mean, std)` | `uniform:low=..,high=..`, `normal:mean=..,std=..` |
/// | Caffe's and MXNet's MSRA | `he_normal` |
/// | Keras `TruncatedNormal(stddev=s)`, JAX `truncated_normal(s)`, TF 1 `truncated_normal_initializer` | `truncated_normal:std=s` |
/// | TF 1 `uniform_unit_scaling_initializer` | `uniform_unit_scaling` |
/// | TF 1 `contrib.layers.xavier_initializer`, `variance_scaling_initializer` | `glorot_uniform`, `variance_scaling_initializer` |
/// | Burn `KaimingUniform`, `KaimingNormal { fan_out_only }` | `he_uniform:gain=..`, `he_normal:gain=..,mode=..` |
/// | Burn `XavierUniform`, `XavierNormal` | `glorot_uniform`, `glorot_normal` |
/// | PyTorch `orthogonal_(w, gain)`, Keras `Orthogonal(gain)`, JAX `orthogonal(scale)`, Burn `Orthogonal` | `orthogonal:gain=..`, by the weight's layout |
/// | JAX `delta_orthogonal(scale)` | `delta_orthogonal:gain=..` |
/// | PyTorch `eye_`, `dirac_(w, groups)`, Keras `Identity(gain)` | `identity`, `dirac:groups=..`, `identity:gain=..` |
/// | PyTorch `sparse_(w, sparsity, std)` | `sparse:sparsity=..,std=..` |
/// | Position tables of the Transformer paper, XLM, DistilBERT | `sinusoids` |
/// | of transformers' Marian, Pegasus, RoFormer | `sinusoids:interleaved=false` |
/// | of tensor2tensor, fairseq, Whisper | `sinusoids:interleaved=false,endpoint=true` |
///
/// # As text
/// A name, then keys: `NAME[:key=value,...]`. Neither case nor `-` for `_` matters.
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
#[non_exhaustive]
pub enum Scheme {
    /// The distribution itself, whatever the shape.
    Fixed(Distribution),
    /// Weights of mean 0 and variance `scale / fan`.
    ///
    /// | spread | draws |
    /// | --- | --- |
    /// | [`Uniform`](Spread::Uniform) | U(+-sqrt(3 scale / fan)) |
    /// | [`Normal`](Spread::Normal) | N with std sqrt(scale / fan), untruncated, as the papers and PyTorch |
    /// | [`TruncatedNormal`](Spread::TruncatedNormal) | N cut at two of its standard deviations, which are sqrt(scale / fan) / 0.8796, so that the variance is right *after* the cut, as Keras and JAX |
    /// | [`TruncatedNormalUncorrected`](Spread::TruncatedNormalUncorrected) | N cut at two of its standard deviations sqrt(scale / fan): the variance after the cut is 0.774 of that, as TensorFlow 1 |
    VarianceScaling {
        /// The variance times the fan: finite and above 0.
        scale: f64,
        /// The fan that the variance is divided by.
        mode: FanMode,
        /// The shape of the distribution.
        spread: Spread,
    },
    /// A distribution that depends on the shape itself.
    Shaped(Shaped),
}

impl Scheme {
    /// The distribution of a weight of this shape. Shapes matter only to schemes that need fans.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], as of [`Fans::from_shape`], if fans are needed; those of [`Distribution::check`].
    ///
    /// ```
    /// use fanin::{Layout, scheme};
    ///
    /// let glorot = scheme::glorot_uniform();
    /// assert_eq!(glorot.distribution(&[2, 4], Layout::IN_OUT)?.to_string(), "uniform[-1, 1)");
    /// assert!(glorot.distribution(&[768], Layout::IN_OUT).is_err());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn distribution(&self, shape: &[u64], layout: Layout) -> Result<Distribution, Error> {
        match self {
            Scheme::Fixed(distribution) => distribution.check().map(|()| *distribution),
            Scheme::VarianceScaling { .. } => self.distribution_of_fans(Fans::from_shape(shape, layout)?),
            Scheme::Shaped(shaped) => shaped.resolve(shape, layout),
        }
    }

    /// The distribution of a weight of these fans, whatever its shape.
    ///
    /// # Errors
    /// Those of [`Distribution::check`]; [`ErrorKind::Shape`] for a scheme that needs the shape itself.
    ///
    /// ```
    /// use fanin::{Fans, Scheme};
    ///
    /// // A stack of experts, [experts, out, in], each a matrix of its own.
    /// let he: Scheme = "he_normal".parse()?;
    /// assert_eq!(he.distribution_of_fans(Fans::new(512, 2048)?)?.to_string(), "normal(0, 0.0625^2)");
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn distribution_of_fans(&self, fans: Fans) -> Result<Distribution, Error> {
        match self {
            Scheme::Fixed(distribution) => distribution.check().map(|()| *distribution),
            Scheme::VarianceScaling { scale, mode, spread } => scaling::distribution(*scale, *mode, *spread, fans),
            Scheme::Shaped(shaped) => {
                let allowed = "a shape (Scheme::distribution)";
                Err(Error::new(ErrorKind::Shape, format!("the input of the scheme {shaped}"), "fans alone", allowed))
            }
        }
    }

    /// The whole of a tensor of this shape, ready to be drawn.
    ///
    /// # Errors
    /// Those of [`distribution`](Scheme::distribution), [`Distribution::check_in`] and [`Distribution::fill`].
    ///
    /// ```
    /// use fanin::{Dtype, Layout, Scheme, Stream, cpu};
    ///
    /// let he: Scheme = "he_normal".parse()?;
    /// let fill = he.fill(&[256, 128], Layout::OUT_IN, Stream::named(42, "weight"), Dtype::F32)?;
    /// let weight: Vec<f32> = cpu::vec(&fill)?;
    /// assert_eq!(weight.len(), 256 * 128);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn fill(&self, shape: &[u64], layout: Layout, stream: Stream, dtype: Dtype) -> Result<Fill, Error> {
        let distribution = self.distribution(shape, layout)?;
        distribution.check_in(dtype)?;
        distribution.fill(shape, stream, dtype)
    }

    /// The same scheme with another gain: `scale = gain^2` of a variance, or the gain of orthogonal and identity matrices.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] unless the scheme has a gain; of a variance, unless the gain is above 0 and f64 holds its square.
    ///
    /// ```
    /// use fanin::{Nonlinearity, scheme};
    ///
    /// let he = scheme::he_normal().with_gain(Nonlinearity::LeakyRelu { negative_slope: 0.1 }.gain())?;
    /// let variance = he.distribution_of_fans(fanin::Fans::new(256, 1024)?)?.std().powi(2);
    /// assert!((variance * 256.0 - 2.0 / 1.01).abs() < 1e-12);
    /// assert!(scheme::zeros().with_gain(2.0).is_err());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn with_gain(self, gain: f64) -> Result<Scheme, Error> {
        match self {
            Scheme::VarianceScaling { mode, spread, .. } => {
                Ok(Scheme::VarianceScaling { scale: scaling::scale_of("gain", gain)?, mode, spread })
            }
            Scheme::Shaped(Shaped::Orthogonal { large, .. }) => Ok(Shaped::Orthogonal { gain, large }.into()),
            Scheme::Shaped(Shaped::DeltaOrthogonal { large, .. }) => Ok(Shaped::DeltaOrthogonal { gain, large }.into()),
            Scheme::Shaped(Shaped::Identity { .. }) => Ok(Shaped::Identity { gain }.into()),
            _ => Err(self.lacks("gain", "one whose variance is scaled, orthogonal, delta_orthogonal or identity")),
        }
    }

    /// The same scheme by another fan.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] unless its variance is scaled to a fan.
    ///
    /// ```
    /// use fanin::scheme::{FanMode, he_uniform};
    ///
    /// assert_eq!(he_uniform().with_mode(FanMode::FanOut)?, "he_uniform:mode=fan_out".parse()?);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn with_mode(self, mode: FanMode) -> Result<Scheme, Error> {
        match self {
            Scheme::VarianceScaling { scale, spread, .. } => Ok(Scheme::VarianceScaling { scale, mode, spread }),
            _ => Err(self.lacks("mode", "one whose variance is scaled, such as he_normal")),
        }
    }

    /// The same scheme in another shape of distribution: [`Spread::TruncatedNormal`] is how Keras and JAX draw their normal schemes.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] unless its variance is scaled to a fan.
    ///
    /// ```
    /// use fanin::scheme::{Spread, lecun_normal};
    ///
    /// assert_eq!(lecun_normal().with_spread(Spread::TruncatedNormal)?, "lecun_normal:truncated=true".parse()?);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn with_spread(self, spread: Spread) -> Result<Scheme, Error> {
        match self {
            Scheme::VarianceScaling { scale, mode, .. } => Ok(Scheme::VarianceScaling { scale, mode, spread }),
            _ => Err(self.lacks("distribution", "one whose variance is scaled, such as he_normal")),
        }
    }

    fn lacks(&self, key: &'static str, allowed: &'static str) -> Error {
        Error::new(ErrorKind::Parameter, format!("the scheme for another {key}"), self, allowed)
    }

    /// A check of what is wrong whatever the fans and the shape.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Scheme::Shaped(shaped) => shaped.check(),
            // Fans of 1 serve to look at the numbers.
            _ => self.distribution_of_fans(Fans::new(1, 1)?).map(|_| ()),
        }
    }

    /// True if the scheme needs fan_in or fan_out, and so a shape that has them.
    pub const fn needs_fans(&self) -> bool {
        matches!(self, Scheme::VarianceScaling { .. })
    }
}

/// The text that reads back as the same scheme.
impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Scheme::Fixed(distribution) => distribution.fmt_as_scheme(f),
            Scheme::VarianceScaling { scale, mode, spread } => {
                write!(f, "variance_scaling:scale={},mode={mode},distribution={spread}", Number(scale))
            }
            Scheme::Shaped(shaped) => write!(f, "{shaped}"),
        }
    }
}

impl From<Distribution> for Scheme {
    fn from(distribution: Distribution) -> Self {
        Scheme::Fixed(distribution)
    }
}

impl From<Shaped> for Scheme {
    fn from(shaped: Shaped) -> Self {
        Scheme::Shaped(shaped)
    }
}
