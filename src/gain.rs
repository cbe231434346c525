//! Gains: what a nonlinearity needs so that the variance of a layer's outputs is that of its inputs.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A nonlinearity, for its recommended gain. The values are PyTorch's `calculate_gain`.
///
/// | nonlinearity | gain |
/// | --- | --- |
/// | linear, conv, sigmoid | 1 |
/// | tanh | 5/3 |
/// | relu | sqrt(2) (He et al. 2015) |
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

impl fmt::Display for Nonlinearity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Nonlinearity::Linear => "linear",
            Nonlinearity::Conv => "conv",
            Nonlinearity::Sigmoid => "sigmoid",
            Nonlinearity::Tanh => "tanh",
            Nonlinearity::Relu => "relu",
            Nonlinearity::LeakyRelu { .. } => "leaky_relu",
            Nonlinearity::Selu => "selu",
        })
    }
}

impl FromStr for Nonlinearity {
    type Err = Error;

    /// Reads a name; `leaky_relu` has PyTorch's default slope of 0.01.
    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "linear" => Nonlinearity::Linear,
            "conv" | "conv1d" | "conv2d" | "conv3d" => Nonlinearity::Conv,
            "sigmoid" => Nonlinearity::Sigmoid,
            "tanh" => Nonlinearity::Tanh,
            "relu" => Nonlinearity::Relu,
            "leaky_relu" => Nonlinearity::LeakyRelu { negative_slope: 0.01 },
            "selu" => Nonlinearity::Selu,
            _ => {
                return Err(Error::UnknownName {
                    what: "nonlinearity",
                    name: text.into(),
                    allowed: "linear, conv, sigmoid, tanh, relu, leaky_relu, selu",
                });
            }
        })
    }
}
