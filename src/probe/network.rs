//! The network that a probe looks at.

use std::fmt;

use super::activation::Activation;
use crate::limits::probe::{MAX_BATCH, MAX_BYTES, MAX_LAYERS};
use crate::names::{Named, as_text};
use crate::{Error, ErrorKind, Scheme};

/// The distribution of the inputs, with mean 0 and variance 1.
///
/// ```
/// assert_eq!("uniform".parse::<fanin::probe::Input>()?, fanin::probe::Input::Uniform);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// Normal.
    Normal,
    /// Uniform, between plus and minus sqrt(3).
    Uniform,
}

impl Named for Input {
    const WHAT: &'static str = "input";
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])] =
        &[(Input::Normal, "normal", &[]), (Input::Uniform, "uniform", &[])];
}
as_text!(Input);

/// A network to look at: 20 layers of 512 units, a batch of 256 normal inputs, no biases, seed 0, unless something else is said.
///
/// See [the module](crate::probe) for an example.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Probe {
    pub(super) scheme: Scheme,
    pub(super) activation: Activation,
    pub(super) bias: Scheme,
    pub(super) input: Input,
    pub(super) depth: u64,
    pub(super) width: u64,
    pub(super) batch: u64,
    pub(super) seed: u64,
}

impl Probe {
    /// A network whose weights are drawn by this scheme.
    ///
    /// ```
    /// use fanin::probe::{Activation, Probe};
    ///
    /// let probe = Probe::new("he_normal".parse()?, Activation::Relu);
    /// assert_eq!((probe.depth(), probe.width(), probe.batch()), (20, 512, 256));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const fn new(scheme: Scheme, activation: Activation) -> Probe {
        let bias = crate::scheme::zeros();
        Probe { scheme, activation, bias, input: Input::Normal, depth: 20, width: 512, batch: 256, seed: 0 }
    }

    /// The same with so many layers.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] for 0 and for more than 2^32.
    pub fn with_depth(self, depth: u64) -> Result<Probe, Error> {
        within("the depth", depth, MAX_LAYERS)?;
        Ok(Probe { depth, ..self })
    }

    /// The same with so many units in each layer, and in the input.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] for 0 and for more than 2^32.
    pub fn with_width(self, width: u64) -> Result<Probe, Error> {
        within("the width", width, MAX_LAYERS)?;
        Ok(Probe { width, ..self })
    }

    /// The same with so many inputs.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] for 0 and for more than 2^20.
    pub fn with_batch(self, batch: u64) -> Result<Probe, Error> {
        within("the batch", batch, MAX_BATCH)?;
        Ok(Probe { batch, ..self })
    }

    /// The same with biases drawn by a scheme, which has the weight's fans where it needs some, as in PyTorch.
    pub const fn with_bias(self, bias: Scheme) -> Probe {
        Probe { bias, ..self }
    }

    /// The same with other inputs.
    pub const fn with_input(self, input: Input) -> Probe {
        Probe { input, ..self }
    }

    /// The same with other random values. Weights are those of the streams `layer.0.weight`, `layer.1.weight` and so on of this seed.
    pub const fn with_seed(self, seed: u64) -> Probe {
        Probe { seed, ..self }
    }

    /// The same with other weights.
    pub const fn with_scheme(self, scheme: Scheme) -> Probe {
        Probe { scheme, ..self }
    }

    /// The scheme of the weights.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The function behind each layer.
    pub const fn activation(&self) -> Activation {
        self.activation
    }

    /// The number of layers.
    pub const fn depth(&self) -> u64 {
        self.depth
    }

    /// The number of units of a layer.
    pub const fn width(&self) -> u64 {
        self.width
    }

    /// The number of inputs.
    pub const fn batch(&self) -> u64 {
        self.batch
    }

    /// The seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The memory that it takes, in bytes: all layers' pre-activations, and one layer's weights.
    pub const fn bytes(&self) -> u128 {
        let (depth, width, batch) = (self.depth as u128, self.width as u128, self.batch as u128);
        4 * (width * batch * (depth + 2) + width * width)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Probe { scheme, activation, depth, width, batch, .. } = self;
        write!(f, "{scheme}, {activation}: {depth} layers of {width}, a batch of {batch}")
    }
}

fn within(thing: &'static str, value: u64, most: u64) -> Result<(), Error> {
    let allowed = || format!("1 to {most}");
    if (1..=most).contains(&value) { Ok(()) } else { Err(Error::new(ErrorKind::Parameter, thing, value, allowed())) }
}

/// The error of a probe that takes too much memory.
pub(super) fn too_large(probe: &Probe) -> Error {
    let Probe { depth, width, batch, .. } = probe;
    let bytes = format!("{} bytes, of {depth} layers of {width} units and a batch of {batch}", probe.bytes());
    Error::new(ErrorKind::Memory, "the probe's memory", bytes, format!("at most {MAX_BYTES}"))
}
