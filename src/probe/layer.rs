//! Measurements of a layer.

#[cfg(doc)]
use super::activation::Activation;

/// The number of bins of a histogram.
pub const BINS: usize = 24;

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

/// The number of values in each of [`BINS`] equal parts of a range. The range is the activation's own if that is bounded, else from
/// the smallest value to the largest.
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
