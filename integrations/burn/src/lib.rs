//! Burn's modules, their every parameter drawn by [fanin]: one seed, the same bits on every backend, and those of the checkpoint that
//! `fanin init` writes for the same names.
//!
//! The module says which parameters there are, by their paths (`encoder.layers.0.mha.query.weight`), and of what shape and dtype;
//! rules say what each draws; a seed and its path say which values. On a wgpu device a parameter is drawn in its own buffer by
//! fanin's kernels, and no value passes through the host; elsewhere (ndarray, flex, ..) by their twins on the CPU. Burn's modules are
//! lazy: what it would have drawn itself is never drawn.
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::Device;
//! use fanin::rules::Rules;
//!
//! # #[allow(deprecated)]
//! let device = Device::ndarray();
//! let dense = LinearConfig::new(64, 10).init(&device);
//! let dense = fanin_burn::init(dense, &Rules::preset("burn")?, 42)?;
//! assert!(dense.weight.val().abs().max().into_scalar::<f32>() <= 0.125); // as Burn's own: U(+-1/sqrt(64))
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Names and layouts
//! A parameter's name is its path in the module, joined by dots, which is what Burn's own files have. Rules for Burn's layers ask for
//! the layout `in_out` of a `Linear`, whose weight is `[in, out]`, for `out_in` of convolutions (`[out, in / groups, *kernel]`), and for
//! `out_in_transposed` of transposed ones (`[in, out / groups, *kernel]`). The preset `burn` is what Burn's layers start with; as they
//! do, it takes out / groups times the kernel for the `fan_in` of a transposed convolution. A parameter that a rule skips keeps what
//! Burn gives it, and so do integers and truths.
//!
//! Each is drawn in the dtype that the module has it in, f32, f16 or bf16, whatever rules say of dtypes.
//!
//! # wgpu
//! fanin needs Burn's device and queue: `Gpu` opens them, or hands on those of the program; each kernel is tested on it before its first use. The
//! feature `wgpu` is a default. Where Burn's feature `fusion` is on, as it is with Burn's defaults, this crate's `fusion` has to be, too.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod error;
mod filling;
#[cfg(feature = "wgpu")]
mod gpu;
mod listing;

use std::collections::HashMap;

use burn::module::Module;
use burn::tensor::DType;
use fanin::rules::{Rules, Tensor};
use fanin::{Dtype, Seed};

pub use error::Error;
pub use fanin;
#[cfg(feature = "wgpu")]
pub use gpu::Gpu;

use filling::Filling;
use listing::Listing;

/// The module with all parameters drawn by these rules, for this seed, on devices other than wgpu's.
///
/// # Errors
/// Those of [`Initializer::init`].
///
/// See the [crate](crate) for an example.
pub fn init<M: Module>(module: M, rules: &Rules, seed: impl Into<Seed>) -> Result<M, Error> {
    Initializer::new(rules, seed).init(module)
}

/// Rules and a seed, for modules or for their layers one by one.
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use fanin::rules::Rules;
/// use fanin_burn::Initializer;
///
/// # #[allow(deprecated)]
/// let device = Device::ndarray();
/// let rules = Rules::preset("burn")?;
/// // Layers that are initialised apart need names apart, or they would be the same.
/// let initializer = Initializer::new(&rules, 42);
/// let first = initializer.clone().at("layers.0").init(LinearConfig::new(8, 8).init(&device))?;
/// let second = initializer.at("layers.1").init(LinearConfig::new(8, 8).init(&device))?;
/// assert_ne!(first.weight.val().into_data(), second.weight.val().into_data());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Initializer<'a> {
    rules: &'a Rules,
    seed: Seed,
    at: Vec<String>,
    #[cfg(feature = "wgpu")]
    gpu: Option<&'a Gpu>,
}

impl<'a> Initializer<'a> {
    /// An initializer by these rules, with this seed: a number, or a framework's by `fanin::Seed`.
    ///
    /// See [`Initializer`] for an example.
    pub fn new(rules: &'a Rules, seed: impl Into<Seed>) -> Initializer<'a> {
        Initializer {
            rules,
            seed: seed.into(),
            at: Vec::new(),
            #[cfg(feature = "wgpu")]
            gpu: None,
        }
    }

    /// The same for a module that has this path in a larger one.
    ///
    /// See [`Initializer`] for an example.
    #[must_use]
    pub fn at(self, path: &str) -> Initializer<'a> {
        Initializer { at: vec![path.to_string()], ..self }
    }

    /// The same, for parameters on this device.
    ///
    /// See [`Gpu`] for an example.
    #[cfg(feature = "wgpu")]
    #[must_use]
    pub fn on(self, gpu: &'a Gpu) -> Initializer<'a> {
        Initializer { gpu: Some(gpu), ..self }
    }

    /// The module with all parameters drawn. Those that are initialised already get other memory, so that clones of the module keep
    /// theirs; but of running means and variances, which Burn's clones share.
    ///
    /// # Errors
    /// A parameter that no rule fits, or two of one path; a dtype that fanin does not draw; a wgpu device that is not
    /// [`on`](Initializer::on)'s; a parameter that Burn would change as it is loaded (a `Linear` of the layout `Col`); a device that
    /// fails. Of what is wrong before anything is drawn, nothing is.
    ///
    /// See [`Initializer`] for an example.
    pub fn init<M: Module>(&self, module: M) -> Result<M, Error> {
        let mut listing = Listing::new(&self.at);
        module.visit(&mut listing);
        let listed = listing.listed;
        let tensors: Vec<Tensor> = listed.iter().map(|parameter| parameter.tensor.clone()).collect();
        let plan = self.rules.plan(&tensors)?;
        let mut fills = HashMap::new();
        for (planned, parameter) in plan.tensors().iter().zip(&listed) {
            let (path, Some(draw)) = (&planned.name, &planned.draw) else { continue };
            #[cfg(feature = "wgpu")]
            gpu::check(self.gpu, path, &parameter.device)?;
            let dtype = drawn_in(path, parameter.dtype)?;
            fills.insert(path.clone(), draw.fill(self.seed, dtype).map_err(|e| Error::drawing(path, e))?);
        }
        let filling = Filling::new(&self.at, fills);
        #[cfg(feature = "wgpu")]
        let filling = filling.on(self.gpu);
        let mut filling = filling;
        let module = module.map(&mut filling);
        filling.finish()?;
        Ok(module)
    }
}

/// fanin's name of Burn's dtype.
fn drawn_in(path: &str, dtype: DType) -> Result<Dtype, Error> {
    match dtype {
        DType::F32 => Ok(Dtype::F32),
        DType::F16 => Ok(Dtype::F16),
        DType::BF16 => Ok(Dtype::BF16),
        other => Err(Error::parameter(path, "the dtype", other.name(), "f32, f16, bf16")),
    }
}
