//! Activations: the functions behind layers, with their slopes, in f32 as networks compute them. `shaders/probe.wgsl` says the same.

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::keys::Keyed;
use crate::names::Named;

/// The function that a network puts behind each layer.
///
/// | activation, and its other names | of z |
/// | --- | --- |
/// | `linear` (`identity`) | z |
/// | `sigmoid` | 1 / (1 + e^-z) |
/// | `tanh` | tanh z |
/// | `relu` | max(0, z) |
/// | `leaky_relu:SLOPE` | z, below zero SLOPE z; SLOPE is 0.01 if it is left out |
/// | `elu` | z, below zero e^z - 1 |
/// | `selu` | 1.0507 z, below zero 1.7581 (e^z - 1) |
/// | `gelu` | z times the normal distribution function, not its approximation by tanh |
/// | `silu` (`swish`) | z / (1 + e^-z) |
/// | `softsign` | z / (1 + \|z\|) |
///
/// ```
/// use fanin::probe::Activation;
///
/// let leaky: Activation = "leaky_relu:0.2".parse()?;
/// assert_eq!((leaky.value(-1.0), leaky.slope(-1.0)), (-0.2, 0.2));
/// assert!("gelo".parse::<Activation>().unwrap_err().to_string().contains("did you mean gelu?"));
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// None.
    Linear,
    /// The logistic function.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// max(0, z).
    Relu,
    /// max(0, z) + negative_slope min(0, z).
    LeakyRelu {
        /// The slope below zero.
        negative_slope: f32,
    },
    /// The exponential linear unit.
    Elu,
    /// The scaled exponential linear unit.
    Selu,
    /// The Gaussian error linear unit.
    Gelu,
    /// The sigmoid linear unit.
    Silu,
    /// z / (1 + |z|).
    Softsign,
}

/// SELU's two numbers, G. Klambauer et al., "Self-normalizing neural networks", 2017.
const SELU_SCALE: f32 = 1.050_701;
const SELU_ALPHA: f32 = 1.673_263_2;

impl Activation {
    /// The function's value.
    pub fn value(self, z: f32) -> f32 {
        match self {
            Activation::Linear => z,
            Activation::Sigmoid => sigmoid(z),
            Activation::Tanh => z.tanh(),
            Activation::Relu => z.max(0.0),
            Activation::LeakyRelu { negative_slope: slope } => z * if z < 0.0 { slope } else { 1.0 },
            Activation::Elu => elu(z),
            Activation::Selu => SELU_SCALE * if z < 0.0 { SELU_ALPHA * elu(z) } else { z },
            Activation::Gelu => z * normal(z),
            Activation::Silu => z * sigmoid(z),
            Activation::Softsign => z / (1.0 + z.abs()),
        }
    }

    /// The derivative; where there are two, at zero, the lesser of them but for `leaky_relu`, which has 1 there.
    pub fn slope(self, z: f32) -> f32 {
        match self {
            Activation::Linear => 1.0,
            Activation::Sigmoid => sigmoid(z) * sigmoid(-z),
            Activation::Tanh => {
                // 1 - tanh^2 has no digits where it is small.
                let e = (-2.0 * z.abs()).exp();
                4.0 * e / ((1.0 + e) * (1.0 + e))
            }
            Activation::Relu => f32::from(z > 0.0),
            Activation::LeakyRelu { negative_slope: slope } => {
                if z < 0.0 {
                    slope
                } else {
                    1.0
                }
            }
            Activation::Elu => z.min(0.0).exp(),
            Activation::Selu => SELU_SCALE * if z < 0.0 { SELU_ALPHA * z.exp() } else { 1.0 },
            Activation::Gelu => normal(z) + z * (-0.5 * z * z).exp() * 0.398_942_3,
            Activation::Silu => {
                let s = sigmoid(z);
                s + z * s * sigmoid(-z)
            }
            Activation::Softsign => 1.0 / ((1.0 + z.abs()) * (1.0 + z.abs())),
        }
    }

    /// The largest that the slope's size gets.
    pub fn largest_slope(self) -> f32 {
        match self {
            Activation::Sigmoid => 0.25,
            Activation::LeakyRelu { negative_slope: slope } => slope.abs().max(1.0),
            Activation::Selu => SELU_SCALE * SELU_ALPHA,
            Activation::Gelu => 1.128_904,
            Activation::Silu => 1.099_839_3,
            _ => 1.0,
        }
    }

    /// True if the slope's size is below 1 % of its largest, so that next to nothing passes back.
    ///
    /// For `relu` and its kin that is one whole side, on which a function is flat by design: [`flat`](Activation::flat).
    pub fn is_saturated(self, z: f32) -> bool {
        self.slope(z).abs() < self.least_slope()
    }

    /// 1 % of the largest slope.
    pub(super) fn least_slope(self) -> f32 {
        0.01 * self.largest_slope()
    }

    /// The share of wide, symmetric inputs that meet the flat side of a function that has one alone: 1/2 for `relu`, `elu`, `selu`,
    /// `gelu`, `silu` and a `leaky_relu` whose slope is below 1 %, 0 for the others.
    pub fn flat(self) -> f64 {
        let (left, right) = (self.is_saturated(-1e6), self.is_saturated(1e6));
        if left != right { 0.5 } else { 0.0 }
    }

    /// All that it can give, where that is bounded.
    pub(super) fn bounds(self) -> Option<(f32, f32)> {
        match self {
            Activation::Sigmoid => Some((0.0, 1.0)),
            Activation::Tanh | Activation::Softsign => Some((-1.0, 1.0)),
            _ => None,
        }
    }
}

fn sigmoid(z: f32) -> f32 {
    // The exponential of what is negative, so that nothing overflows.
    let e = (-z.abs()).exp();
    (if z < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

fn elu(z: f32) -> f32 {
    if z < 0.0 { z.exp_m1() } else { z }
}

/// The normal distribution function, to 1e-7. M. Abramowitz, I. A. Stegun, "Handbook of mathematical functions", 1964, 7.1.26.
fn normal(z: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let sum = 0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4)));
    let tail = 0.5 * t * sum * (-0.5 * z * z).exp();
    if z < 0.0 { tail } else { 1.0 - tail }
}

/// PyTorch's slope, where none is given.
const SLOPE: f32 = 0.01;

impl Named for Activation {
    const WHAT: &'static str = "activation";
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])] = &[
        (Activation::Linear, "linear", &["identity"]),
        (Activation::Sigmoid, "sigmoid", &[]),
        (Activation::Tanh, "tanh", &[]),
        (Activation::Relu, "relu", &[]),
        (Activation::LeakyRelu { negative_slope: SLOPE }, "leaky_relu", &[]),
        (Activation::Elu, "elu", &[]),
        (Activation::Selu, "selu", &[]),
        (Activation::Gelu, "gelu", &[]),
        (Activation::Silu, "silu", &["swish"]),
        (Activation::Softsign, "softsign", &[]),
    ];
}

/// The text that reads back as the same activation: `relu`, or `leaky_relu:0.2`.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Activation::LeakyRelu { negative_slope: slope } => f.pad(&format!("leaky_relu:{slope}")),
            other => f.pad(other.name()),
        }
    }
}

/// Reads a name, and of `leaky_relu` the slope behind it, `:SLOPE` or `:negative_slope=SLOPE`, which is 0.01 if it is left out. Neither
/// case nor `-` for `_` matters.
impl FromStr for Activation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = match text.split_once(':') {
            Some((name, slope)) if !slope.contains('=') => &format!("{name}:negative_slope={slope}"),
            _ => text,
        };
        let text = Keyed::read(Activation::WHAT, text)?;
        let activation = Activation::named(&text.name)?;
        let mut keys = text.keys(activation.name())?;
        let activation = match activation {
            Activation::LeakyRelu { negative_slope: slope } => {
                Activation::LeakyRelu { negative_slope: keys.finite("negative_slope", slope.into())? as f32 }
            }
            other => other,
        };
        keys.finish()?;
        Ok(activation)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ErrorKind;

    pub fn all() -> impl Iterator<Item = Activation> {
        Activation::NAMES
            .iter()
            .map(|(activation, _, _)| *activation)
            .chain([Activation::LeakyRelu { negative_slope: 0.2 }])
    }

    #[test]
    fn activations_are_read_as_they_are_written() {
        for activation in all() {
            assert_eq!(activation.to_string().parse::<Activation>().unwrap(), activation);
        }
        assert_eq!(
            "Leaky-ReLU:negative_slope=0.2".parse::<Activation>().unwrap(),
            Activation::LeakyRelu { negative_slope: 0.2 }
        );
        for wrong in ["", "relu6", "relu:1", "leaky_relu:", "leaky_relu:inf", "tanh:"] {
            assert_eq!(wrong.parse::<Activation>().unwrap_err().kind(), ErrorKind::Text, "{wrong}");
        }
    }

    /// Slopes are the values' differences, nowhere larger than the largest, which is met.
    #[test]
    fn slopes_are_those_of_the_values() {
        for activation in all() {
            let mut largest = 0f32;
            for i in -4000..4000 {
                let z = i as f32 * 0.005 + 0.0025;
                let step = 0.002;
                let difference = (activation.value(z + step) - activation.value(z - step)) / (2.0 * step);
                // Of values to 24 bits, and curves of at most 2.
                let near = 3e-4 + 1e-7 * activation.value(z).abs() / step;
                assert!((difference - activation.slope(z)).abs() < near, "{activation} at {z}");
                largest = largest.max(activation.slope(z).abs());
            }
            let known = activation.largest_slope();
            assert!(largest <= known * 1.000_001 && largest > known * 0.99, "{activation}: {largest}, {known}");
        }
    }

    #[test]
    fn extremes_give_numbers() {
        for activation in all() {
            for z in [0.0, -0.0, f32::MAX, f32::MIN, 1e-40, -1e-40, 100.0, -100.0] {
                assert!(activation.slope(z).is_finite(), "{activation} at {z}");
                assert!(activation.value(z).is_finite() || activation == Activation::Selu, "{activation} at {z}");
            }
        }
    }
}
