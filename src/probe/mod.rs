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
mod layer;
mod measure;
mod network;
mod report;
mod spectrum;
mod theory;
mod verdict;

pub use activation::Activation;
pub use advice::Advice;
pub use layer::{BINS, Histogram, Layer};
pub use network::{Input, Probe};
pub use report::Report;
pub use spectrum::Spectrum;
pub use theory::{Expected, Phase, Theory};
pub use verdict::{Gradients, Verdict};
