//! Gains: what a nonlinearity needs so that the variance of a layer's outputs is that of its inputs.

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::keys::Keyed;
use crate::names::Named;
use crate::number::Number;

/// A nonlinearity, for its recommended gain. The values are PyTorch's `calculate_gain`.
///
/// | nonlinearity | gain |
/// | --- | --- |
/// | linear, conv, sigmoid | 1 |
/// | tanh | 5/3 |
/// | relu | sqrt(2) (He et al. 2015, <https://doi.org/10.1109/ICCV.2015.123>) |
/// | leaky_relu with negative slope a | sqrt(2 / (1 + a^2)) |
/// | selu | 3/4 |
///
/// ```
/// use fanin::Nonlinearity;
///
/// assert_eq!(Nonlinearity::Relu.gain(), 2f64.sqrt());
/// assert_eq!(Nonlinearity::LeakyRelu { negative_slope: 1.0 }.gain(), 1.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Nonlinearity {
    /// No nonlinearity.
    Linear,
    /// A convolution without a nonlinearity behind it.
    Conv,
    /// The logistic function.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// max(0, x).
    Relu,
    /// max(0, x) + a min(0, x).
    LeakyRelu {
        /// The slope a below zero; PyTorch's default is 0.01.
        negative_slope: f64,
    },
    /// The scaled exponential linear unit.
    Selu,
}

impl Nonlinearity {
    /// The factor on the standard deviation.
    ///
    /// ```
    /// assert_eq!(fanin::Nonlinearity::Tanh.gain(), 5.0 / 3.0);
    /// ```
    pub fn gain(self) -> f64 {
        match self {
            Nonlinearity::Linear | Nonlinearity::Conv | Nonlinearity::Sigmoid => 1.0,
            Nonlinearity::Tanh => 5.0 / 3.0,
            Nonlinearity::Relu => 2f64.sqrt(),
            Nonlinearity::LeakyRelu { negative_slope } => (2.0 / (1.0 + negative_slope * negative_slope)).sqrt(),
            Nonlinearity::Selu => 0.75,
        }
    }
}

/// PyTorch's, where none is given.
const NEGATIVE_SLOPE: f64 = 0.01;

impl Named for Nonlinearity {
    const WHAT: &'static str = "nonlinearity";
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])] = &[
        (Nonlinearity::Linear, "linear", &[]),
        (Nonlinearity::Conv, "conv", &["conv1d", "conv2d", "conv3d"]),
        (Nonlinearity::Sigmoid, "sigmoid", &[]),
        (Nonlinearity::Tanh, "tanh", &[]),
        (Nonlinearity::Relu, "relu", &[]),
        (Nonlinearity::LeakyRelu { negative_slope: NEGATIVE_SLOPE }, "leaky_relu", &[]),
        (Nonlinearity::Selu, "selu", &[]),
    ];
}

/// The text that reads back as the same nonlinearity: `relu`, or `leaky_relu:negative_slope=0.2`.
impl fmt::Display for Nonlinearity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Nonlinearity::LeakyRelu { negative_slope } => {
                f.pad(&format!("leaky_relu:negative_slope={}", Number(negative_slope)))
            }
            other => f.pad(other.name()),
        }
    }
}

/// Reads a name, and of `leaky_relu` the slope behind it, `:negative_slope=NUMBER`, which is 0.01 if it is left out. Neither case nor
/// `-` for `_` matters.
impl FromStr for Nonlinearity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = Keyed::read(Nonlinearity::WHAT, text)?;
        let nonlinearity = Nonlinearity::named(&text.name)?;
        let mut keys = text.keys(nonlinearity.name())?;
        let nonlinearity = match nonlinearity {
            Nonlinearity::LeakyRelu { negative_slope } => {
                Nonlinearity::LeakyRelu { negative_slope: keys.finite("negative_slope", negative_slope)? }
            }
            other => other,
        };
        keys.finish()?;
        Ok(nonlinearity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn nonlinearities_are_read_as_they_are_written() {
        for &(nonlinearity, _, _) in Nonlinearity::NAMES {
            assert_eq!(nonlinearity.to_string().parse::<Nonlinearity>().unwrap(), nonlinearity);
        }
        let leaky = Nonlinearity::LeakyRelu { negative_slope: 0.2 };
        assert_eq!(leaky.to_string(), "leaky_relu:negative_slope=0.2");
        assert_eq!("Leaky-ReLU:negative_slope=0.2".parse::<Nonlinearity>().unwrap(), leaky);
        for wrong in ["", "gelu", "relu:negative_slope=1", "leaky_relu:", "leaky_relu:negative_slope=inf"] {
            assert_eq!(wrong.parse::<Nonlinearity>().unwrap_err().kind(), ErrorKind::Text, "{wrong}");
        }
    }
}
