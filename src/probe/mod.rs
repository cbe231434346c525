//! A check of whether an initialisation is healthy: a batch is sent through layers drawn by a scheme, and a gradient back. With the
//! feature `probe`.
//!
//! A network of equal square layers, each a weight matrix, a bias and an [`Activation`], takes a batch of inputs of variance 1, and
//! at its top a gradient of deviation 1. Each layer's numbers are in a [`Layer`]; beside them stands what mean-field [`Theory`]
//! expects of layers that are infinitely wide, and a [`Verdict`]: whether layers saturate, activations vanish, gradients vanish or
//! explode.
//!
//! ```
//! use fanin::probe::{Activation, Gradients, Probe};
//!
//! let glorot = Probe::new("glorot_normal".parse()?, Activation::Relu).with_depth(30)?.with_width(64)?.with_batch(16)?;
//! let report = glorot.on_cpu()?;
//! assert!(report.verdict.vanishes.is_some()); // the first layer whose rms is below 1/100
//! assert_eq!(report.verdict.gradients, Gradients::Vanish);
//! assert!((glorot.gain()?.unwrap() - 2f64.sqrt()).abs() < 1e-3); // he_normal's would hold
//! # Ok::<(), fanin::Error>(())
//! ```
//!
//! On a GPU weights are drawn where they are multiplied, by `Probe::on_gpu`; a layer's numbers come back, its weights do not.
//! A layer's weights are drawn again on the way back instead of being kept.

mod activation;
mod advice;
mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod measure;
mod spectrum;
mod theory;
mod verdict;

use std::fmt;

pub use activation::Activation;
pub use advice::Advice;
pub use measure::BINS;
use measure::{Draws, measure};
pub use spectrum::Spectrum;
pub use theory::{Expected, Phase, Theory};
pub use verdict::{Gradients, Verdict};

#[cfg(feature = "gpu")]
use crate::gpu::GpuFiller;
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
    scheme: Scheme,
    activation: Activation,
    bias: Scheme,
    input: Input,
    depth: u64,
    width: u64,
    batch: u64,
    seed: u64,
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

    /// A check that it can be run, but for the memory that there is.
    ///
    /// # Errors
    /// Those of [`Scheme::distribution_of_fans`] and [`Distribution::fill`](crate::Distribution::fill); [`ErrorKind::Memory`] where it would take more
    /// than 16 GiB; [`ErrorKind::Parameter`] for a batch of 1 in layers of 1 unit, which has no deviation.
    pub fn check(&self) -> Result<(), Error> {
        self.draws().map(|_| ())
    }

    /// The expectation of mean-field theory; nothing where weights or biases have another mean than 0, of which it does not speak.
    ///
    /// # Errors
    /// Those of [`check`](Probe::check).
    ///
    /// ```
    /// # use fanin::probe::{Activation, Probe};
    /// let theory = Probe::new("standard".parse()?, Activation::Tanh).theory()?.unwrap();
    /// assert!((theory.layers[0].pre_std.powi(2) - 1.0 / 3.0).abs() < 1e-6);
    /// assert!(Probe::new("uniform".parse()?, Activation::Tanh).theory()?.is_none());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn theory(&self) -> Result<Option<Theory>, Error> {
        self.theory_of(&self.draws()?)
    }

    fn theory_of(&self, draws: &Draws) -> Result<Option<Theory>, Error> {
        let depth = usize::try_from(self.depth).map_err(|_| too_large(self))?;
        Ok(draws.variances().map(|(var_w, var_b)| Theory::new(self.activation, var_w, var_b, depth)))
    }

    /// The deviation of weights, times the root of fan_in, with which theory has gradients as large in the first layer as in the
    /// last: `he_normal:gain=` takes it. Nothing where there is none, or where biases have another mean than 0.
    ///
    /// # Errors
    /// Those of [`check`](Probe::check).
    ///
    /// ```
    /// # use fanin::probe::{Activation, Probe};
    /// let gain = Probe::new(fanin::scheme::zeros(), Activation::Relu).gain()?.unwrap();
    /// assert!((gain - 2f64.sqrt()).abs() < 1e-3);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn gain(&self) -> Result<Option<f64>, Error> {
        let biased = Probe { scheme: crate::scheme::zeros(), ..self.clone() }.draws()?.variances();
        Ok(biased.and_then(|(_, var_b)| Theory::gain(self.activation, var_b, self.depth.min(1000) as usize)))
    }

    /// Sends a batch through on the CPU, on all its cores.
    ///
    /// # Errors
    /// Those of [`check`](Probe::check); [`ErrorKind::Memory`] where there is not enough.
    ///
    /// See [the module](crate::probe) for an example.
    pub fn on_cpu(&self) -> Result<Report, Error> {
        let draws = self.draws()?;
        let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
        let mut backend = cpu::Cpu::new(self, threads)?;
        self.report(&draws, &mut backend)
    }

    /// Sends a batch through on a GPU: weights are drawn into its buffers, multiplied there and drawn over, and never pass the host,
    /// which gets nine numbers for each unit. Numbers are the CPU's to what f32 rounds.
    ///
    /// It waits for the device.
    ///
    /// # Errors
    /// Those of [`check`](Probe::check); [`ErrorKind::DeviceLimit`] where a buffer would be larger than the device's may be;
    /// [`ErrorKind::Device`] where it fails.
    ///
    /// ```
    /// # let instance = fanin::gpu::wgpu::Instance::new(fanin::gpu::wgpu::InstanceDescriptor::new_without_display_handle());
    /// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
    /// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    /// use fanin::gpu::GpuFiller;
    /// use fanin::probe::{Activation, Gradients, Probe};
    ///
    /// let filler = GpuFiller::new(&device, &queue)?;
    /// let he = Probe::new("he_normal".parse()?, Activation::Relu).with_width(256)?.with_batch(32)?;
    /// assert_eq!(he.on_gpu(&filler)?.verdict.gradients, Gradients::Hold);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    #[cfg(feature = "gpu")]
    pub fn on_gpu(&self, filler: &GpuFiller) -> Result<Report, Error> {
        let draws = self.draws()?;
        let mut backend = gpu::Gpu::new(self, filler)?;
        self.report(&draws, &mut backend)
    }

    /// The fills of the probe, after a check that it can be run.
    fn draws(&self) -> Result<Draws, Error> {
        if self.bytes() > MAX_BYTES {
            return Err(too_large(self));
        }
        if self.width == 1 && self.batch == 1 {
            let allowed = "at least 2 of a width of 1, as one value has no deviation";
            return Err(Error::new(ErrorKind::Parameter, "the batch", 1, allowed));
        }
        Draws::new(self)
    }

    fn report(&self, draws: &Draws, backend: &mut dyn measure::Backend) -> Result<Report, Error> {
        let layers = measure(self, draws, backend)?;
        let theory = self.theory_of(draws)?;
        let verdict = Verdict::judged(self.activation, &layers);
        Ok(Report { layers, theory, verdict })
    }
}

fn within(thing: &'static str, value: u64, most: u64) -> Result<(), Error> {
    let allowed = || format!("1 to {most}");
    if (1..=most).contains(&value) { Ok(()) } else { Err(Error::new(ErrorKind::Parameter, thing, value, allowed())) }
}

fn too_large(probe: &Probe) -> Error {
    let Probe { depth, width, batch, .. } = probe;
    let bytes = format!("{} bytes, of {depth} layers of {width} units and a batch of {batch}", probe.bytes());
    Error::new(ErrorKind::Memory, "what the probe takes", bytes, format!("at most {MAX_BYTES}"))
}

/// The measurements of a probe, the expectations, and the verdict.
///
/// See [the module](crate::probe) for an example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The layers, from the input on.
    pub layers: Vec<Layer>,
    /// The expectation of mean-field theory; nothing where it does not speak of such weights.
    pub theory: Option<Theory>,
    /// The verdict: healthy, or what breaks.
    pub verdict: Verdict,
}

/// The measurements of a layer, over its units and the batch. They are NaN where numbers passed what f32 holds.
///
/// ```
/// use fanin::probe::{Activation, Probe};
///
/// let report = Probe::new("zeros".parse()?, Activation::Tanh).with_width(8)?.on_cpu()?;
/// let layer = report.layers[0];
/// assert_eq!((layer.zero, layer.dead, layer.rms()), (1.0, 8, 0.0));
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Layer {
    /// The mean of pre-activations.
    pub pre_mean: f64,
    /// The standard deviation of pre-activations.
    pub pre_std: f64,
    /// The mean of activations.
    pub mean: f64,
    /// The standard deviation of activations.
    pub std: f64,
    /// The share of activations that are [saturated](Activation::is_saturated).
    pub saturated: f64,
    /// The share of activations that are exactly zero.
    pub zero: f64,
    /// The number of units that are zero for the whole batch.
    pub dead: u64,
    /// The standard deviation of the gradient with respect to the pre-activation, relative to that of the last layer; 0 where the
    /// last layer's is 0.
    pub gradient_std: f64,
    /// The distribution of activations.
    pub histogram: Histogram,
}

impl Layer {
    /// The root of the activations' mean square.
    ///
    /// See [`Layer`] for an example.
    pub fn rms(&self) -> f64 {
        self.mean.hypot(self.std)
    }
}

/// The number of values in each of [`BINS`] equal parts of a range: of a bounded activation all that it can give, else from the least
/// to the largest.
///
/// ```
/// use fanin::probe::{Activation, Probe};
///
/// let report = Probe::new("lecun_normal".parse()?, Activation::Tanh).with_width(8)?.on_cpu()?;
/// let histogram = report.layers[0].histogram;
/// assert_eq!((histogram.low, histogram.high, histogram.counts.iter().sum::<u64>()), (-1.0, 1.0, 8 * 256));
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Histogram {
    /// The beginning of the range.
    pub low: f32,
    /// The end of the range.
    pub high: f32,
    /// The number of values in each bin.
    pub counts: [u64; BINS],
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Probe { scheme, activation, depth, width, batch, .. } = self;
        write!(f, "{scheme}, {activation}: {depth} layers of {width}, a batch of {batch}")
    }
}
