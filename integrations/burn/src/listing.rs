//! The parameters of a module, listed.

use burn::module::{ModuleVisitor, Param};
use burn::tensor::{Bool, DType, Device, Int, Tensor};
use fanin::rules::{self, FileDtype};

/// A parameter before it has values.
pub(crate) struct Listed {
    pub tensor: rules::Tensor,
    #[cfg_attr(not(feature = "wgpu"), allow(dead_code))] // Only wgpu's devices are shared.
    pub device: Device,
    pub dtype: DType,
}

/// Lists parameters by their paths, and initialises none.
pub(crate) struct Listing {
    path: Vec<String>,
    pub listed: Vec<Listed>,
}

impl Listing {
    pub fn new(at: &[String]) -> Listing {
        Listing { path: at.to_vec(), listed: Vec::new() }
    }

    /// `kind` of what is not drawn.
    fn push(&mut self, shape: &[usize], device: Device, dtype: DType, kind: Option<FileDtype>) {
        let shape = fanin::shape(shape);
        let tensor = rules::Tensor::new(self.path.join("."), shape);
        let tensor = match kind {
            Some(kind) => tensor.with_dtype(kind),
            None => tensor,
        };
        self.listed.push(Listed { tensor, device, dtype });
    }
}

impl ModuleVisitor for Listing {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let device = param.lazy_device();
        // One that is not initialised yet takes the device's.
        let dtype = match param.is_initialized() {
            true => param.base().dtype(),
            false => device.settings().float_dtype.into(),
        };
        self.push(&param.lazy_shape(), device, dtype, None);
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.push(&param.lazy_shape(), param.lazy_device(), DType::I64, Some(FileDtype::I64));
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.push(&param.lazy_shape(), param.lazy_device(), DType::U8, Some(FileDtype::Bool));
    }
}
