//! Distributions: the values that a kernel draws.

use std::fmt;
use std::ops::Bound;

use crate::arithmetic::special;
use crate::error::{finite, require};
use crate::moments::{self, NORMAL_REACH};
use crate::number::Number;
use crate::{Dtype, Error, ErrorKind, Structure};

/// The standard deviation of N(0, 1) cut to [-2, 2].
///
/// It is sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)), where phi and Phi are the standard normal density and distribution
/// function.
pub const TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;

/// No distance beyond the bound of a normal's tail reaches it, in standard deviations of the normal: the largest is 33 ln 2 = 22.87.
const TAIL_REACH: f64 = 23.0;

/// A distribution of weights, in absolute terms: what is left of a scheme once the fans are known.
///
/// Parameters are f64; the numbers that a kernel works with are rounded from them once, on the host.
///
/// ```
/// use fanin::Distribution;
///
/// let distribution = Distribution::TruncatedNormal { mean: 0.0, std: 0.02, low: -0.04, high: 0.04 };
/// distribution.check()?;
/// assert!((distribution.std() - 0.02 * 0.8796).abs() < 1e-5);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Distribution {
    /// The value itself.
    Constant {
        /// Any finite number.
        value: f64,
    },
    /// The uniform distribution on [low, high): no value that is drawn, in any dtype, equals `high`. (In other frameworks'
    /// streams some may, by rounding, as there.)
    Uniform {
        /// The lower bound, which can be drawn.
        low: f64,
        /// The upper bound, which cannot.
        high: f64,
    },
    /// N(mean, std^2). A value beyond the dtype's range becomes its largest finite one.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation, at least 0.
        std: f64,
    },
    /// N(mean, std^2) cut to [low, high], both absolute: `mean` and `std` are those before the cut. Either bound may be
    /// infinite, and the window may lie anywhere. (Other frameworks' streams have the windows that are drawn there.)
    ///
    /// It is drawn by rejection. Where the window holds less than 0.48 of the normal, proposals come from an exponential (Robert 1995,
    /// <https://doi.org/10.1007/BF00143942>).
    TruncatedNormal {
        /// The mean before the cut.
        mean: f64,
        /// The standard deviation before the cut, above 0.
        std: f64,
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// Numbers whose logarithm is uniform: exp(U\[ln low, ln high)).
    LogUniform {
        /// The lower bound, above 0.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// The logarithm of uniform numbers: ln(U\[low, high)). Decay rates start so, `A_log` of Mamba's kin.
    LogOfUniform {
        /// The lower bound of what the logarithm is taken of, above 0.
        low: f64,
        /// The upper bound of the same.
        high: f64,
    },
    /// The inverse softplus of a log-uniform number that is at least `floor`: with x = max(exp(U\[ln low, ln high)), floor), it is x +
    /// ln(1 - exp(-x)). Mamba's time steps start so (Gu and Dao 2023, <https://doi.org/10.48550/arXiv.2312.00752>).
    InverseSoftplus {
        /// The lower bound of what comes out of softplus, above 0.
        low: f64,
        /// The upper bound of the same.
        high: f64,
        /// The least value of what comes out of softplus, above 0.
        floor: f64,
    },
    /// A distribution of whole matrices, or of values that depend on their places.
    Structured(Structure),
}

impl Distribution {
    /// N(mean, std^2) cut at `sigmas` standard deviations on either side of the mean.
    ///
    /// ```
    /// use fanin::Distribution;
    ///
    /// assert_eq!(
    ///     Distribution::truncated_at(0.0, 0.5, 2.0),
    ///     Distribution::TruncatedNormal { mean: 0.0, std: 0.5, low: -1.0, high: 1.0 },
    /// );
    /// ```
    pub fn truncated_at(mean: f64, std: f64, sigmas: f64) -> Distribution {
        Distribution::TruncatedNormal { mean, std, low: mean - sigmas * std, high: mean + sigmas * std }
    }

    /// Says whether the parameters make a distribution.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] for a parameter outside its domain, [`ErrorKind::Window`] unless low < high.
    pub fn check(&self) -> Result<(), Error> {
        match *self {
            Distribution::Constant { value } => finite("value", value),
            Distribution::Uniform { low, high } => {
                finite("low", low)?;
                finite("high", high)?;
                window(low, high)
            }
            Distribution::Normal { mean, std } => {
                finite("mean", mean)?;
                require(std.is_finite() && std >= 0.0, "std", std, "finite and at least 0")
            }
            Distribution::TruncatedNormal { mean, std, low, high } => {
                finite("mean", mean)?;
                require(std.is_finite() && std > 0.0, "std", std, "finite and above 0")?;
                require(!low.is_nan(), "low", low, "a number or an infinity")?;
                require(!high.is_nan(), "high", high, "a number or an infinity")?;
                window(low, high)
            }
            Distribution::LogUniform { low, high } | Distribution::LogOfUniform { low, high } => {
                positive_window(low, high)
            }
            Distribution::InverseSoftplus { low, high, floor } => {
                positive_window(low, high)?;
                require(floor.is_normal() && floor > 0.0, "floor", floor, "finite and above 0")
            }
            Distribution::Structured(structure) => structure.check(),
        }
    }

    /// The expected value of what is drawn.
    pub fn mean(&self) -> f64 {
        match *self {
            Distribution::Constant { value } => value,
            Distribution::Uniform { low, high } => low / 2.0 + high / 2.0,
            Distribution::Normal { mean, .. } => mean,
            Distribution::TruncatedNormal { mean, std, low, high } => moments::truncated_normal(mean, std, low, high).0,
            Distribution::LogUniform { .. }
            | Distribution::LogOfUniform { .. }
            | Distribution::InverseSoftplus { .. } => self.by_quantiles().0,
            Distribution::Structured(structure) => structure.mean(),
        }
    }

    /// The standard deviation of what is drawn: for a truncated normal, after the cut.
    ///
    /// ```
    /// let std = fanin::Distribution::truncated_at(0.0, 1.0, 2.0).std();
    /// assert!((std - fanin::TRUNCATED_STD).abs() < 1e-9);
    /// ```
    pub fn std(&self) -> f64 {
        match *self {
            Distribution::Constant { .. } => 0.0,
            Distribution::Uniform { low, high } => (high / 2.0 - low / 2.0) / 3f64.sqrt(),
            Distribution::Normal { std, .. } => std,
            Distribution::TruncatedNormal { mean, std, low, high } => moments::truncated_normal(mean, std, low, high).1,
            Distribution::LogUniform { .. }
            | Distribution::LogOfUniform { .. }
            | Distribution::InverseSoftplus { .. } => self.by_quantiles().1,
            Distribution::Structured(structure) => structure.std(),
        }
    }

    /// The window that the values lie in, in every dtype: `low <= x < high` of a uniform or log-uniform distribution, `low <= x <= high` of
    /// a truncated normal, in fanin's own streams. The other distributions have no window.
    ///
    /// ```
    /// use std::ops::RangeBounds;
    ///
    /// let bounds = fanin::Distribution::Uniform { low: -1.0, high: 1.0 }.bounds();
    /// assert!(bounds.contains(&-1.0) && !bounds.contains(&1.0));
    /// ```
    pub fn bounds(&self) -> (Bound<f64>, Bound<f64>) {
        match *self {
            Distribution::Uniform { low, high } | Distribution::LogUniform { low, high } => {
                (Bound::Included(low), Bound::Excluded(high))
            }
            Distribution::TruncatedNormal { low, high, .. } => (Bound::Included(low), Bound::Included(high)),
            Distribution::LogOfUniform { low, high } => {
                (Bound::Included(special::ln(low)), Bound::Excluded(special::ln(high)))
            }
            Distribution::Constant { .. }
            | Distribution::Normal { .. }
            | Distribution::InverseSoftplus { .. }
            | Distribution::Structured(_) => (Bound::Unbounded, Bound::Unbounded),
        }
    }

    /// A bound on the magnitude of what is drawn: of a normal 6.78 standard deviations beyond its mean, of a window its bounds, of a
    /// normal's tail without end 23 standard deviations beyond its begin. Rounding may exceed it in the last place. (Of normals in fewer than
    /// 16 elements, PyTorch's streams reach 8.6 standard deviations.)
    ///
    /// ```
    /// use fanin::Distribution;
    ///
    /// assert_eq!(Distribution::Normal { mean: 0.0, std: 2.0 }.reach(), 13.56);
    /// assert_eq!(Distribution::TruncatedNormal { mean: 0.0, std: 1.0, low: -3.0, high: 2.0 }.reach(), 3.0);
    /// ```
    pub fn reach(&self) -> f64 {
        match *self {
            Distribution::Constant { value } => value.abs(),
            Distribution::Uniform { low, high } => low.abs().max(high.abs()),
            Distribution::Normal { mean, std } => mean.abs() + NORMAL_REACH * std,
            Distribution::TruncatedNormal { mean, std, low, high } => {
                let window = low.abs().max(high.abs());
                if (low..=high).contains(&mean) {
                    window.min(mean.abs() + NORMAL_REACH * std)
                } else if window.is_finite() {
                    window
                } else {
                    low.abs().min(high.abs()) + TAIL_REACH * std
                }
            }
            Distribution::LogUniform { .. }
            | Distribution::LogOfUniform { .. }
            | Distribution::InverseSoftplus { .. } => self.of_uniform(0.0).abs().max(self.of_uniform(1.0).abs()),
            Distribution::Structured(structure) => structure.reach(),
        }
    }

    /// The value at a uniform number from 0 to 1, for distributions that the host works out as functions of one.
    pub(crate) fn of_uniform(&self, u: f64) -> f64 {
        let scaled = |low: f64, high: f64| {
            let (from, to) = (special::ln(low), special::ln(high));
            special::exp(from + u * (to - from)).clamp(low, high)
        };
        match *self {
            Distribution::LogUniform { low, high } => scaled(low, high),
            Distribution::LogOfUniform { low, high } => {
                special::ln(low + u * (high - low)).clamp(special::ln(low), special::ln(high))
            }
            Distribution::InverseSoftplus { low, high, floor } => {
                let x = scaled(low, high).max(floor);
                x + special::ln(-special::expm1(-x))
            }
            Distribution::Constant { .. }
            | Distribution::Uniform { .. }
            | Distribution::Normal { .. }
            | Distribution::TruncatedNormal { .. }
            | Distribution::Structured(_) => f64::NAN,
        }
    }

    /// Mean and standard deviation of a distribution that [`of_uniform`](Distribution::of_uniform) draws, by the midpoint rule.
    fn by_quantiles(&self) -> (f64, f64) {
        const N: u32 = 1 << 14;
        let values = || (0..N).map(|i| self.of_uniform((f64::from(i) + 0.5) / f64::from(N)) / f64::from(N));
        let mean: f64 = values().sum();
        let square: f64 = values().map(|y| (y * f64::from(N) - mean).powi(2) / f64::from(N)).sum();
        (mean, square.sqrt())
    }

    /// The standard deviation of what comes out in this dtype, to about a thousandth: values are rounded to those that it holds, and
    /// what lies beyond its largest is that one.
    ///
    /// ```
    /// use fanin::{Distribution, Dtype};
    ///
    /// let wide = Distribution::Normal { mean: 0.0, std: 6e4 };
    /// assert!((wide.std_in(Dtype::F16) / 45_376.0 - 1.0).abs() < 0.01);
    /// assert_eq!(Distribution::Normal { mean: 0.0, std: 1e-9 }.std_in(Dtype::F16), 0.0);
    /// ```
    pub fn std_in(&self, dtype: Dtype) -> f64 {
        match self {
            // Rounding changes next to nothing of these.
            Distribution::LogUniform { .. }
            | Distribution::LogOfUniform { .. }
            | Distribution::InverseSoftplus { .. }
            | Distribution::Structured(_) => {
                return self.std();
            }
            Distribution::Constant { .. }
            | Distribution::Uniform { .. }
            | Distribution::Normal { .. }
            | Distribution::TruncatedNormal { .. } => {}
        }
        let (Some(Cut { mean, std, low, high }), Some((first, last))) = (self.cut(), self.within(dtype)) else {
            return 0.0;
        };
        let held = |x: f64| dtype.nearest(x).clamp(first.into(), last.into());
        moments::of_values(mean, std, low, high, Some(&held)).1
    }

    /// A normal that is cut to a window, if it varies; a uniform one is as flat as numbers are.
    fn cut(&self) -> Option<Cut> {
        let (mean, std, low, high) = match *self {
            Distribution::Constant { .. } | Distribution::Normal { std: 0.0, .. } => return None,
            Distribution::LogUniform { .. }
            | Distribution::LogOfUniform { .. }
            | Distribution::InverseSoftplus { .. }
            | Distribution::Structured(_) => {
                return None;
            }
            Distribution::Normal { mean, std } => (mean, std, f64::NEG_INFINITY, f64::INFINITY),
            Distribution::TruncatedNormal { mean, std, low, high } => (mean, std, low, high),
            Distribution::Uniform { low, high } => (low / 2.0 + high / 2.0, (high - low) * 1e9, low, high),
        };
        Some(Cut { mean, std, low, high })
    }

    /// The smallest and the largest value that a dtype holds of what it may draw.
    fn within(&self, dtype: Dtype) -> Option<(f32, f32)> {
        let Cut { low, high, .. } = self.cut()?;
        dtype.within(low, high, matches!(self.bounds().1, Bound::Excluded(_)))
    }

    /// A check that this dtype holds more than one of the values that are drawn, so that values that are meant to vary do. (Small or
    /// narrow distributions do not vary in every dtype. A [`Fill`](crate::Fill) draws what is left of them; rules and
    /// [`Scheme::fill`](crate::Scheme::fill) refuse to.)
    ///
    /// # Errors
    /// Those of [`check`](Distribution::check); [`ErrorKind::Dtype`] where all values become one.
    ///
    /// ```
    /// use fanin::{Distribution, Dtype};
    ///
    /// let tiny = Distribution::Normal { mean: 0.0, std: 1e-9 };
    /// assert!(tiny.check_in(Dtype::F32).is_ok());
    /// assert!(tiny.check_in(Dtype::F16).is_err()); // all zeros
    /// ```
    pub fn check_in(&self, dtype: Dtype) -> Result<(), Error> {
        self.check()?;
        match self {
            Distribution::Structured(structure) => return structure.check_in(dtype),
            Distribution::LogUniform { .. }
            | Distribution::LogOfUniform { .. }
            | Distribution::InverseSoftplus { .. } => {
                let [first, last] = [0.0, 1.0].map(|u| dtype.nearest(self.of_uniform(u)));
                if first < last && last.abs() < dtype.max() && first.abs() < dtype.max() {
                    return Ok(());
                }
                let allowed = "one that is wider than the dtype's values are apart, and within them";
                return Err(Error::new(ErrorKind::Dtype, "the distribution", format!("{self} in {dtype}"), allowed));
            }
            Distribution::Constant { .. }
            | Distribution::Uniform { .. }
            | Distribution::Normal { .. }
            | Distribution::TruncatedNormal { .. } => {}
        }
        // A window without any value is an error of drawing, not of this.
        let (Some(Cut { mean, std, low, high }), Some((first, last))) = (self.cut(), self.within(dtype)) else {
            return Ok(());
        };
        let mode = mean.clamp(low, high);
        let held = |x: f64| dtype.nearest(x).clamp(first.into(), last.into());
        // No standard normal reaches 7.
        if held((mode - 7.0 * std).max(low)) < held((mode + 7.0 * std).min(high)) {
            return Ok(());
        }
        let value = format!("{self}, all of which {dtype} rounds to {}", Number(held(mode)));
        let allowed = "one that is wider than the dtype's values are apart, or a constant";
        Err(Error::new(ErrorKind::Dtype, "the distribution", value, allowed))
    }
}

/// N(mean, std^2) between two bounds.
struct Cut {
    mean: f64,
    std: f64,
    low: f64,
    high: f64,
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = Number;
        match *self {
            Distribution::Constant { value } => write!(f, "constant({})", n(value)),
            Distribution::Uniform { low, high } => write!(f, "uniform[{}, {})", n(low), n(high)),
            Distribution::Normal { mean, std } => write!(f, "normal({}, {}^2)", n(mean), n(std)),
            Distribution::TruncatedNormal { mean, std, low, high } => {
                write!(f, "normal({}, {}^2) in [{}, {}]", n(mean), n(std), n(low), n(high))
            }
            Distribution::LogUniform { low, high } => write!(f, "log_uniform[{}, {})", n(low), n(high)),
            Distribution::LogOfUniform { low, high } => write!(f, "log(uniform[{}, {}))", n(low), n(high)),
            Distribution::InverseSoftplus { low, high, floor } => {
                write!(f, "inverse_softplus(log_uniform[{}, {}), at least {})", n(low), n(high), n(floor))
            }
            Distribution::Structured(structure) => write!(f, "{structure}"),
        }
    }
}

impl Distribution {
    /// Writes the text that is read as the scheme of this distribution.
    pub(crate) fn fmt_as_scheme(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = Number;
        match *self {
            Distribution::Constant { value } => write!(f, "constant:value={}", n(value)),
            Distribution::Uniform { low, high } => write!(f, "uniform:low={},high={}", n(low), n(high)),
            Distribution::Normal { mean, std } => write!(f, "normal:mean={},std={}", n(mean), n(std)),
            Distribution::TruncatedNormal { mean, std, low, high } => {
                write!(f, "truncated_normal:mean={},std={},low={},high={}", n(mean), n(std), n(low), n(high))
            }
            Distribution::LogUniform { low, high } => write!(f, "log_uniform:low={},high={}", n(low), n(high)),
            Distribution::LogOfUniform { low, high } => write!(f, "log_of_uniform:low={},high={}", n(low), n(high)),
            Distribution::InverseSoftplus { low, high, floor } => {
                write!(f, "inverse_softplus:low={},high={},floor={}", n(low), n(high), n(floor))
            }
            Distribution::Structured(structure) => write!(f, "{structure}"),
        }
    }
}

/// A parameter that must be within its domain.
fn positive_window(low: f64, high: f64) -> Result<(), Error> {
    for (name, bound) in [("low", low), ("high", high)] {
        require(bound.is_normal() && bound > 0.0, name, bound, "finite and above 0")?;
    }
    window(low, high)
}

fn window(low: f64, high: f64) -> Result<(), Error> {
    if low < high {
        return Ok(());
    }
    let window = format!("[{}, {}]", Number(low), Number(high));
    Err(Error::new(ErrorKind::Window, "the window", window, "low < high"))
}
