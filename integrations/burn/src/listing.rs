//! Which parameters a module has.

use burn::module::{ModuleVisitor, Param};
use burn::tensor::{Bool, DType, Device, Int, Tensor};
use fanin::Dtype;
use fanin::rules;

use crate::Error;

/// A parameter before it has values.
pub(crate) struct Listed {
    pub tensor: rules::Tensor,
    #[cfg_attr(not(feature = "wgpu"), allow(dead_code))] // Only wgpu's devices are shared.
    pub device: Device,
    /// What it is drawn in; none of integers and truths, which are not drawn.
    pub dtype: Option<Dtype>,
}

/// Lists parameters by their paths, and initialises none.
pub(crate) struct Listing {
    path: Vec<String>,
    listed: Vec<Listed>,
    wrong: Option<Error>,
}

impl Listing {
    pub fn new(at: &[String]) -> Listing {
        Listing { path: at.to_vec(), listed: Vec::new(), wrong: None }
    }

    pub fn into_result(self) -> Result<Vec<Listed>, Error> {
        match self.wrong {
            Some(error) => Err(error),
            None => Ok(self.listed),
        }
    }

    fn push(&mut self, shape: &[usize], device: Device, kind: Option<&str>, dtype: Option<Dtype>) {
        let shape: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
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
        let own = match param.is_initialized() {
            true => param.base().dtype(),
            false => device.settings().float_dtype.into(),
        };
        let dtype = match own {
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            other => {
                let wrong = || Error::parameter(&self.path.join("."), "the dtype", other.name(), "f32, f16, bf16");
                self.wrong.get_or_insert_with(wrong);
                return;
            }
        };
        self.push(&param.lazy_shape(), device, None, Some(dtype));
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.push(&param.lazy_shape(), param.lazy_device(), Some("I64"), None);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.push(&param.lazy_shape(), param.lazy_device(), Some("BOOL"), None);
    }
}
