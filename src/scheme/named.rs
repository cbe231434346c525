//! The schemes that have a name.

use super::{FanMode, Scheme, Spread, VarianceScaling};
use crate::distribution::require;
use crate::{Distribution, Error};

/// 0 everywhere.
///
/// ```
/// assert_eq!(fanin::scheme::zeros(), fanin::scheme::constant(0.0));
/// ```
pub const fn zeros() -> Scheme {
    constant(0.0)
}

/// 1 everywhere.
///
/// ```
/// assert_eq!(fanin::scheme::ones(), fanin::scheme::constant(1.0));
/// ```
pub const fn ones() -> Scheme {
    constant(1.0)
}

/// The value everywhere.
///
/// ```
/// let scheme = fanin::scheme::constant(0.5);
/// assert_eq!(scheme, "constant:value=0.5".parse()?);
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn constant(value: f64) -> Scheme {
    Scheme::Fixed(Distribution::Constant { value })
}

/// U\[low, high).
///
/// ```
/// let scheme = fanin::scheme::uniform(-0.05, 0.05);
/// assert_eq!(scheme, "uniform:low=-0.05,high=0.05".parse()?);
/// # Ok::<(), fanin::Error>(())
/// ```
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

/// U(+-gain sqrt(6 / (fan_in + fan_out))), gain 1. X. Glorot, Y. Bengio, "Understanding the difficulty of training deep
/// feedforward neural networks", AISTATS 2010, <https://proceedings.mlr.press/v9/glorot10a.html>.
///
/// ```
/// let distribution = fanin::scheme::glorot_uniform().distribution_of_fans(fanin::Fans::new(2, 4)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -1.0, high: 1.0 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn glorot_uniform() -> VarianceScaling {
    VarianceScaling { scale: 1.0, mode: FanMode::FanAvg, spread: Spread::Uniform }
}

/// N with std gain sqrt(2 / (fan_in + fan_out)), gain 1, untruncated. Glorot and Bengio 2010,
/// <https://proceedings.mlr.press/v9/glorot10a.html>.
///
/// ```
/// let distribution = fanin::scheme::glorot_normal().distribution_of_fans(fanin::Fans::new(3, 5)?)?;
/// assert_eq!(distribution, fanin::Distribution::Normal { mean: 0.0, std: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn glorot_normal() -> VarianceScaling {
    VarianceScaling { spread: Spread::Normal, ..glorot_uniform() }
}

/// U(+-gain sqrt(3 / fan_in)), gain sqrt 2 for ReLU. K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers",
/// ICCV 2015, <https://doi.org/10.1109/ICCV.2015.123>; PyTorch's `kaiming_uniform_`, Caffe's MSRA.
///
/// ```
/// let distribution = fanin::scheme::he_uniform().distribution_of_fans(fanin::Fans::new(6, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -1.0, high: 1.0 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn he_uniform() -> VarianceScaling {
    VarianceScaling { scale: 2.0, mode: FanMode::FanIn, spread: Spread::Uniform }
}

/// N with std sqrt(2 / fan_in), untruncated as in the paper and PyTorch; with [`Spread::TruncatedNormal`] it is Keras's.
/// He et al. 2015, <https://doi.org/10.1109/ICCV.2015.123>.
///
/// ```
/// let distribution = fanin::scheme::he_normal().distribution_of_fans(fanin::Fans::new(8, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Normal { mean: 0.0, std: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn he_normal() -> VarianceScaling {
    VarianceScaling { spread: Spread::Normal, ..he_uniform() }
}

/// U(+-sqrt(3 / fan_in)). Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, "Efficient BackProp", 1998,
/// <https://doi.org/10.1007/3-540-49430-8_2>.
///
/// ```
/// let distribution = fanin::scheme::lecun_uniform().distribution_of_fans(fanin::Fans::new(12, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -0.5, high: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn lecun_uniform() -> VarianceScaling {
    VarianceScaling { scale: 1.0, mode: FanMode::FanIn, spread: Spread::Uniform }
}

/// N with std sqrt(1 / fan_in), untruncated. LeCun et al. 1998, <https://doi.org/10.1007/3-540-49430-8_2>; also what older code calls
/// Xavier, `randn(n) / sqrt(n)`.
///
/// ```
/// let distribution = fanin::scheme::lecun_normal().distribution_of_fans(fanin::Fans::new(4, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Normal { mean: 0.0, std: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn lecun_normal() -> VarianceScaling {
    VarianceScaling { spread: Spread::Normal, ..lecun_uniform() }
}

/// U(+-1 / sqrt(fan_in)): Glorot and Bengio's "standard" heuristic (<https://proceedings.mlr.press/v9/glorot10a.html>), and
/// what PyTorch's Linear and Conv start with.
///
/// ```
/// let distribution = fanin::scheme::standard().distribution_of_fans(fanin::Fans::new(4, 1)?)?;
/// assert_eq!(distribution, fanin::Distribution::Uniform { low: -0.5, high: 0.5 });
/// # Ok::<(), fanin::Error>(())
/// ```
pub const fn standard() -> VarianceScaling {
    VarianceScaling { scale: 1.0 / 3.0, ..lecun_uniform() }
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
pub fn uniform_unit_scaling(factor: f64) -> Result<VarianceScaling, Error> {
    lecun_uniform().with_factor("factor", factor)
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
/// let scaling = scheme::variance_scaling_initializer(2.0, scheme::FanMode::FanIn, false)?;
/// let std = (1.3f64 * 2.0 / 10.0).sqrt();
/// assert_eq!(scaling.distribution_of_fans(Fans::new(10, 1)?)?, Distribution::truncated_at(0.0, std, 2.0));
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn variance_scaling_initializer(factor: f64, mode: FanMode, uniform: bool) -> Result<VarianceScaling, Error> {
    let (scale, spread) =
        if uniform { (factor, Spread::Uniform) } else { (1.3 * factor, Spread::TruncatedNormalUncorrected) };
    let holds = factor.is_finite() && factor > 0.0 && scale.is_finite();
    require(holds, "factor", factor, "finite and above 0, as must be 1.3 times of it")?;
    Ok(VarianceScaling { scale, mode, spread })
}
