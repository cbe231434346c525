//! The drawing of a module's parameters, one after the other.

use std::collections::HashMap;

use burn::module::{ModuleMapper, Param};
use burn::tensor::{DType, Tensor, TensorData};
use fanin::{Dtype, Fill, cpu};

use crate::Error;
#[cfg(feature = "wgpu")]
use crate::gpu::{Gpu, Places};

/// Gives each parameter that has a fill memory with its values.
pub(crate) struct Filling<'a> {
    path: Vec<String>,
    fills: HashMap<String, Fill>,
    wrong: Option<Error>,
    #[cfg(feature = "wgpu")]
    places: Option<Places<'a>>,
    #[cfg(not(feature = "wgpu"))]
    of: std::marker::PhantomData<&'a ()>,
}

impl<'a> Filling<'a> {
    pub fn new(at: &[String], fills: HashMap<String, Fill>) -> Filling<'a> {
        Filling {
            path: at.to_vec(),
            fills,
            wrong: None,
            #[cfg(feature = "wgpu")]
            places: None,
            #[cfg(not(feature = "wgpu"))]
            of: std::marker::PhantomData,
        }
    }

    #[cfg(feature = "wgpu")]
    pub fn on(self, gpu: Option<&'a Gpu>) -> Filling<'a> {
        Filling { places: gpu.map(Places::new), ..self }
    }

    /// Draws what waits for its device.
    pub fn finish(self) -> Result<(), Error> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        if let Some(path) = self.fills.keys().next() {
            let allowed = "a module that maps what it visits";
            return Err(Error::parameter(path, "the parameter", "visited and not mapped", allowed));
        }
        #[cfg(feature = "wgpu")]
        if let Some(places) = self.places {
            places.draw()?;
        }
        Ok(())
    }

    fn filled<const D: usize>(
        &mut self,
        path: &str,
        fill: Fill,
        param: Param<Tensor<D>>,
    ) -> Result<Param<Tensor<D>>, Error> {
        if fill.is_empty() {
            return Ok(param);
        }
        let (id, shape, device) = (param.id, param.lazy_shape(), param.lazy_device());
        let dtype = match fill.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            _ => DType::BF16,
        };
        let changed = |what: String| {
            let allowed = "one that stays as it is, such as a Linear's of the layout Row";
            Error::parameter(path, "the parameter", format!("changed as it is loaded, {what}"), allowed)
        };
        #[cfg(feature = "wgpu")]
        if let Some(places) = self.places.as_mut().filter(|places| places.gpu.is_of(&device)) {
            // As Burn's own parameters lie.
            let make = |()| Tensor::<D>::empty(shape.clone(), (&device, dtype));
            let tensor = device.memory_persistent_allocations((), make);
            let place = places.find(path, &tensor)?;
            let param = param.transform_for_load(tensor, id);
            if param.lazy_shape() != shape {
                return Err(changed(format!("to the shape {:?}", param.lazy_shape().as_slice())));
            }
            if place != places.find(path, &param.base())? {
                return Err(changed("to another place or order".into()));
            }
            places.push(fill, place);
            return Ok(param);
        }
        let bytes = cpu::bytes(&fill).map_err(|e| Error::drawing(path, e))?;
        let data = TensorData::from_bytes_vec(bytes, shape.clone(), dtype);
        let param = param.transform_for_load(Tensor::from_data(data.clone(), (&device, dtype)), id);
        if param.lazy_shape() != shape {
            return Err(changed(format!("to the shape {:?}", param.lazy_shape().as_slice())));
        }
        if param.base().try_into_data().map_err(|e| Error::Device(e.to_string()))? != data {
            return Err(changed("to other values".into()));
        }
        Ok(param)
    }
}

impl ModuleMapper for Filling<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let Some(fill) = self.fills.remove(&path).filter(|_| self.wrong.is_none()) else { return param };
        match self.filled(&path, fill, param.clone()) {
            Ok(param) => param,
            Err(error) => {
                self.wrong = Some(error);
                param
            }
        }
    }
}
