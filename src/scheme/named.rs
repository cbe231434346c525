//! The schemes that have a name.

use super::scaling::scale_of;
use super::{FanMode, Scheme, Shaped, Spread, Until};
use crate::arithmetic::special;
use crate::error::require;
use crate::structure::Function;
use crate::{Distribution, Error};

/// 0 everywhere.
pub const fn zeros() -> Scheme {
    constant(0.0)
}

/// 1 everywhere.
pub const fn ones() -> Scheme {
    constant(1.0)
}

/// The value everywhere.
pub const fn constant(value: f64) -> Scheme {
    Scheme::Fixed(Distribution::Constant { value })
}

/// U\[low, high).
pub const fn uniform(low: f64, high: f64) -> Scheme {
    Scheme::Fixed(Distribution::Uniform { low, high })
}

/// N(mean, std^2).
///
/// ```
/// use fanin::{Dtype, Layout, Stream, scheme};
///
/// let fill = scheme::normal(0.0, 0.02).fill(&[1000, 768], Layout::OUT_IN, Stream::named(42, "wte"), Dtype::BF16)?;
/// assert_eq!(fill.byte_len(), 1000 * 768 * 2);
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn normal(mean: f64, std: f64) -> Scheme {
    Scheme::Fixed(Distribution::Normal { mean, std })
}

/// N(mean, std^2) cut to \[low, high\], both absolute; either may be infinite.
///
/// ```
/// let scheme = fanin::scheme::truncated_normal(0.0, 0.02, -2.0, 2.0); // torch.nn.init.trunc_normal_(w, std=0.02)
/// assert_eq!(scheme, "truncated_normal:std=0.02,low=-2,high=2".parse()?);
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn truncated_normal(mean: f64, std: f64, low: f64, high: f64) -> Scheme {
    Scheme::Fixed(Distribution::TruncatedNormal { mean, std, low, high })
}

/// N(mean, std^2) cut at so many standard deviations on either side of the mean.
///
/// ```
/// let scheme = fanin::scheme::truncated_at(0.0, 0.02, 2.0); // keras.initializers.TruncatedNormal(stddev=0.02)
/// assert_eq!(scheme, fanin::scheme::truncated_normal(0.0, 0.02, -0.04, 0.04));
/// ```
pub fn truncated_at(mean: f64, std: f64, sigmas: f64) -> Scheme {
    Scheme::Fixed(Distribution::truncated_at(mean, std, sigmas))
}

/// Weights of mean 0 and variance `scale / fan`: see [`Scheme::VarianceScaling`]. Keras's and JAX's `VarianceScaling`.
///
/// ```
/// use fanin::scheme::{FanMode, Spread, he_normal, variance_scaling};
///
/// assert_eq!(he_normal(), variance_scaling(2.0, FanMode::FanIn, Spread::Normal));
/// ```
pub const fn variance_scaling(scale: f64, mode: FanMode, spread: Spread) -> Scheme {
    Scheme::VarianceScaling { scale, mode, spread }
}

/// U(+-gain sqrt(6 / (fan_in + fan_out))), gain 1. X. Glorot, Y. Bengio, "Understanding the difficulty of training deep
/// feedforward neural networks", AISTATS 2010, <https://proceedings.mlr.press/v9/glorot10a.html>.
///
/// ```
/// let distribution = fanin::scheme::glorot_uniform().distribution_of_fans(fanin::Fans::new(2, 4)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -1.0, high: 1.0 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn glorot_uniform() -> Scheme {
    variance_scaling(1.0, FanMode::FanAvg, Spread::Uniform)
}

/// N with std gain sqrt(2 / (fan_in + fan_out)), gain 1, untruncated. Glorot and Bengio 2010,
/// <https://proceedings.mlr.press/v9/glorot10a.html>.
///
/// ```
/// let distribution = fanin::scheme::glorot_normal().distribution_of_fans(fanin::Fans::new(3, 5)?)?;
/// assert_eq!(distribution, fanin::Distribution::Normal { mean: 0.0, std: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn glorot_normal() -> Scheme {
    variance_scaling(1.0, FanMode::FanAvg, Spread::Normal)
}

/// U(+-gain sqrt(3 / fan_in)), gain sqrt 2 for ReLU. K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers",
/// ICCV 2015, <https://doi.org/10.1109/ICCV.2015.123>; PyTorch's `kaiming_uniform_`, Caffe's MSRA.
///
/// ```
/// let distribution = fanin::scheme::he_uniform().distribution_of_fans(fanin::Fans::new(6, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -1.0, high: 1.0 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn he_uniform() -> Scheme {
    variance_scaling(2.0, FanMode::FanIn, Spread::Uniform)
}

/// N with std sqrt(2 / fan_in), untruncated as in the paper and PyTorch; with [`Spread::TruncatedNormal`] it is Keras's.
/// He et al. 2015, <https://doi.org/10.1109/ICCV.2015.123>.
///
/// ```
/// let distribution = fanin::scheme::he_normal().distribution_of_fans(fanin::Fans::new(8, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Normal { mean: 0.0, std: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn he_normal() -> Scheme {
    variance_scaling(2.0, FanMode::FanIn, Spread::Normal)
}

/// U(+-sqrt(3 / fan_in)). Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, "Efficient BackProp", 1998,
/// <https://doi.org/10.1007/3-540-49430-8_2>.
///
/// ```
/// let distribution = fanin::scheme::lecun_uniform().distribution_of_fans(fanin::Fans::new(12, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -0.5, high: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn lecun_uniform() -> Scheme {
    variance_scaling(1.0, FanMode::FanIn, Spread::Uniform)
}

/// N with std sqrt(1 / fan_in), untruncated. LeCun et al. 1998, <https://doi.org/10.1007/3-540-49430-8_2>; also what older code calls
/// Xavier, `randn(n) / sqrt(n)`.
///
/// ```
/// let distribution = fanin::scheme::lecun_normal().distribution_of_fans(fanin::Fans::new(4, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Normal { mean: 0.0, std: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn lecun_normal() -> Scheme {
    variance_scaling(1.0, FanMode::FanIn, Spread::Normal)
}

/// U(+-1 / sqrt(fan_in)): Glorot and Bengio's "standard" heuristic (<https://proceedings.mlr.press/v9/glorot10a.html>), and
/// what PyTorch's Linear and Conv start with.
///
/// ```
/// let distribution = fanin::scheme::standard().distribution_of_fans(fanin::Fans::new(4, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -0.5, high: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn standard() -> Scheme {
    variance_scaling(1.0 / 3.0, FanMode::FanIn, Spread::Uniform)
}

/// U(+-factor sqrt(3 / fan_in)): TensorFlow 1's `uniform_unit_scaling_initializer`, after D. Sussillo, L. F. Abbott,
/// "Random walk initialization for training very deep feedforward networks", 2014, <https://doi.org/10.48550/arXiv.1412.6558>.
///
/// # Errors
/// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) unless factor is above 0 and f64 holds its square.
///
/// ```
/// let distribution = fanin::scheme::uniform_unit_scaling(2.0)?.distribution_of_fans(fanin::Fans::new(3, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -2.0, high: 2.0 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn uniform_unit_scaling(factor: f64) -> Result<Scheme, Error> {
    Ok(variance_scaling(scale_of("factor", factor)?, FanMode::FanIn, Spread::Uniform))
}

/// TensorFlow 1's `contrib.layers.variance_scaling_initializer(factor, mode, uniform)`: U(+-sqrt(3 factor / n)), or N
/// with std sqrt(1.3 factor / n) cut at two sigmas.
///
/// # Errors
/// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) unless factor is finite and above 0.
///
/// ```
/// use fanin::{Distribution, Fans, scheme};
///
/// let scheme = scheme::variance_scaling_initializer(2.0, scheme::FanMode::FanIn, false)?;
/// let std = (1.3f64 * 2.0 / 10.0).sqrt();
/// assert_eq!(scheme.distribution_of_fans(Fans::new(10, 1)?)?, Distribution::truncated_at(0.0, std, 2.0));
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn variance_scaling_initializer(factor: f64, mode: FanMode, uniform: bool) -> Result<Scheme, Error> {
    let (scale, spread) =
        if uniform { (factor, Spread::Uniform) } else { (1.3 * factor, Spread::TruncatedNormalUncorrected) };
    let holds = factor.is_finite() && factor > 0.0 && scale.is_finite();
    require(holds, "factor", factor, "finite and above 0, as must be 1.3 times of it")?;
    Ok(variance_scaling(scale, mode, spread))
}

/// `gain` times orthonormal rows or columns, whichever are fewer, of the weight as a matrix, outputs by all else: uniform among all
/// such (Haar's measure). A. M. Saxe, J. L. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
/// linear neural networks", ICLR 2014, <https://doi.org/10.48550/arXiv.1312.6120>.
///
/// It is a product of Householder's reflections of independent normal vectors: G. W. Stewart, "The efficient generation of random
/// orthogonal matrices", SIAM Journal on Numerical Analysis 17, 1980, <https://doi.org/10.1137/0717034>. A slice along the shorter side
/// costs only its part of the work; a slice along the longer side costs as much as the whole matrix.
///
/// ```
/// let scheme = fanin::scheme::orthogonal(1.0);
/// assert_eq!(scheme, "orthogonal".parse()?);
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn orthogonal(gain: f64) -> Scheme {
    Scheme::Shaped(Shaped::Orthogonal { gain, large: false })
}

/// An [`orthogonal`] matrix of outputs by inputs at a convolution's middle tap, and zero at all other taps. L. Xiao et al., "Dynamical
/// isometry and a mean field theory of CNNs", ICML 2018, <https://doi.org/10.48550/arXiv.1806.05393>.
///
/// ```
/// use fanin::{Dtype, Layout, Stream, cpu, scheme};
///
/// let fill = scheme::delta_orthogonal(1.0).fill(&[2, 1, 3], Layout::OUT_IN, Stream::named(42, "conv"), Dtype::F32)?;
/// let w: Vec<f32> = cpu::vec(&fill)?;
/// assert_eq!([w[0], w[2], w[3], w[5]], [0.0; 4]);
/// assert!((w[1] * w[1] + w[4] * w[4] - 1.0).abs() < 1e-6);
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn delta_orthogonal(gain: f64) -> Scheme {
    Scheme::Shaped(Shaped::DeltaOrthogonal { gain, large: false })
}

/// A matrix with `gain` where output and input have the same number, and zero elsewhere. Q. V. Le, N. Jaitly, G. E. Hinton, "A simple way
/// to initialize recurrent networks of rectified linear units", 2015, <https://doi.org/10.48550/arXiv.1504.00941>.
///
/// ```
/// use fanin::{Dtype, Layout, Stream, cpu, scheme};
///
/// let fill = scheme::identity(2.0).fill(&[2, 3], Layout::OUT_IN, Stream::named(42, "hidden"), Dtype::F32)?;
/// assert_eq!(cpu::vec::<f32>(&fill)?, [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn identity(gain: f64) -> Scheme {
    Scheme::Shaped(Shaped::Identity { gain })
}

/// 1 at a convolution's middle tap from input i to output i of each group, zero elsewhere: what goes in comes out. S. Zagoruyko, N.
/// Komodakis, "DiracNets", 2017, <https://doi.org/10.48550/arXiv.1706.00388>; PyTorch's `dirac_`.
///
/// ```
/// use fanin::{Dtype, Layout, Stream, cpu, scheme};
///
/// let fill = scheme::dirac(1).fill(&[2, 2, 3], Layout::OUT_IN, Stream::named(42, "conv"), Dtype::F32)?;
/// assert_eq!(cpu::vec::<f32>(&fill)?, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn dirac(groups: u64) -> Scheme {
    Scheme::Shaped(Shaped::Dirac { groups })
}

/// N(0, std^2), but zero for `ceil(sparsity * outputs)` of each input's outputs, which a keyed permutation chooses. J. Martens, "Deep
/// learning via Hessian-free optimization", ICML 2010; PyTorch's `sparse_`.
///
/// ```
/// use fanin::{Dtype, Layout, Stream, cpu, scheme};
///
/// let fill = scheme::sparse(0.75, 0.01).fill(&[8, 3], Layout::OUT_IN, Stream::named(42, "weight"), Dtype::F32)?;
/// let w: Vec<f32> = cpu::vec(&fill)?;
/// for column in 0..3 {
///     assert_eq!((0..8).filter(|row| w[row * 3 + column] == 0.0).count(), 6);
/// }
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn sparse(sparsity: f64, std: f64) -> Scheme {
    Scheme::Shaped(Shaped::Sparse { sparsity, std })
}

/// `start + index * step` along a dimension; a negative number of the dimension counts from the last one, -1. [`Shaped::Sequence`] has
/// functions of it too, such as the logarithm.
///
/// ```
/// use fanin::{Dtype, Layout, Scheme, Stream, cpu, scheme};
///
/// let of = |scheme: Scheme| cpu::vec::<f32>(&scheme.fill(&[2, 3], Layout::OUT_IN, Stream::named(42, "x"), Dtype::F32)?);
/// assert_eq!(of(scheme::arange(1.0, 1.0, -1))?, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
/// assert_eq!(of("arange:start=1,function=log".parse()?)?[2], 3f32.ln()); // Mamba's A_log
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn arange(start: f64, step: f64, axis: i64) -> Scheme {
    Scheme::Shaped(Shaped::Sequence { start, until: Until::Step(step), function: Function::Linear, axis })
}

/// Evenly spaced values from `start` to `end` along a dimension.
pub const fn linspace(start: f64, end: f64, axis: i64) -> Scheme {
    Scheme::Shaped(Shaped::Sequence { start, until: Until::End(end), function: Function::Linear, axis })
}

/// theta^(-index / n) of n along a dimension: the frequencies of rotary positions. J. Su et al., "RoFormer", 2021,
/// <https://doi.org/10.48550/arXiv.2104.09864>.
///
/// # Errors
/// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) unless theta is finite and above 0.
///
/// ```
/// use fanin::{Dtype, Layout, Stream, cpu, scheme};
///
/// let fill = scheme::inverse_frequencies(10000.0, -1)?.fill(&[4], Layout::OUT_IN, Stream::named(42, "x"), Dtype::F32)?;
/// assert_eq!(cpu::vec::<f32>(&fill)?, [1.0, 0.1, 0.01, 0.001]);
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn inverse_frequencies(theta: f64, axis: i64) -> Result<Scheme, Error> {
    require(theta.is_normal() && theta > 0.0, "theta", theta, "finite and above 0")?;
    let until = Until::Before(-special::ln(theta));
    Ok(Scheme::Shaped(Shaped::Sequence { start: 0.0, until, function: Function::Exp, axis }))
}

/// Sines and cosines of positions, in the last two dimensions: `sin(p theta^(-2k / channels))` in channel 2k of position p, and the cosine in
/// channel 2k + 1. A. Vaswani et al., "Attention is all you need", NIPS 2017, <https://doi.org/10.48550/arXiv.1706.03762>.
///
/// [`Shaped::Sinusoids`] has other orders and frequencies, such as Whisper's.
///
/// ```
/// use fanin::{Dtype, Layout, Stream, cpu, scheme};
///
/// let fill = scheme::sinusoids(10000.0).fill(&[3, 2], Layout::OUT_IN, Stream::named(42, "x"), Dtype::F32)?;
/// let sine_and_cosine = |x: f64| [x.sin() as f32, x.cos() as f32];
/// assert_eq!(cpu::vec::<f32>(&fill)?, [0.0, 1.0, 2.0].map(sine_and_cosine).concat());
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn sinusoids(theta: f64) -> Scheme {
    Scheme::Shaped(Shaped::Sinusoids { theta, endpoint: false, interleaved: true })
}

/// The Euclidean norms of the columns of a matrix of this many rows, which the same stream draws from U\[-bound, bound). PyTorch's
/// `weight_norm` starts with them.
///
/// ```
/// use fanin::{Dtype, Layout, Stream, cpu, scheme};
///
/// let stream = Stream::named(42, "conv.weight");
/// let w: Vec<f32> = cpu::vec(&scheme::uniform(-0.5, 0.5).fill(&[8, 3], Layout::OUT_IN, stream, Dtype::F32)?)?;
/// let norms: Vec<f32> = cpu::vec(&scheme::column_norms(0.5, 8).fill(&[3], Layout::OUT_IN, stream, Dtype::F32)?)?;
/// let first: f32 = (0..8).map(|row| w[3 * row].powi(2)).sum();
/// assert!((norms[0] - first.sqrt()).abs() < 1e-6);
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn column_norms(bound: f64, rows: u64) -> Scheme {
    Scheme::Shaped(Shaped::ColumnNorms { bound, rows })
}

/// exp(U\[ln low, ln high)).
///
/// ```
/// let scheme = fanin::scheme::log_uniform(0.001, 0.1);
/// assert_eq!(scheme, "log_uniform:low=0.001,high=0.1".parse()?);
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn log_uniform(low: f64, high: f64) -> Scheme {
    Scheme::Fixed(Distribution::LogUniform { low, high })
}

/// ln(U\[low, high)): decay rates of state-space models, whose A is -exp of it.
pub const fn log_of_uniform(low: f64, high: f64) -> Scheme {
    Scheme::Fixed(Distribution::LogOfUniform { low, high })
}

/// x + ln(1 - exp(-x)) of x = max(log-uniform from `low` to `high`, `floor`), so that softplus of it is x: Mamba's biases of time
/// steps. A. Gu, T. Dao, 2023, <https://doi.org/10.48550/arXiv.2312.00752>.
///
/// ```
/// let scheme = fanin::scheme::inverse_softplus(0.001, 0.1, 0.0001);
/// assert_eq!(scheme, "inverse_softplus".parse()?);
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn inverse_softplus(low: f64, high: f64, floor: f64) -> Scheme {
    Scheme::Fixed(Distribution::InverseSoftplus { low, high, floor })
}
