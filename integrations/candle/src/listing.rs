//! The parameters that a model's code asks for, listed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder, VarMap};
use fanin::rules::Tensor as Listed;

use crate::{drawn_in, wrong};

/// The parameters that this code asks a `VarBuilder` for, with their shapes, sorted by name: a model as rules plan it, before there are
/// any values. The tensors that the code gets are zero, and take no memory.
///
/// `VarBuilder::contains_tensor` says whether the parameter was asked for before.
///
/// # Errors
/// A parameter that is asked for in two shapes, without one (`get_unchecked`), or in a dtype that fanin does not draw; what the code
/// itself fails with.
///
/// ```
/// use candle_core::{DType, Device};
///
/// let listed = fanin_candle::list(DType::F32, &Device::Cpu, |vb| candle_nn::linear(8, 4, vb.pp("dense")))?;
/// assert_eq!((listed[1].name.as_str(), &listed[1].shape[..]), ("dense.weight", &[4, 8][..]));
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn list<T>(
    dtype: DType,
    device: &Device,
    build: impl FnOnce(VarBuilder<'static>) -> Result<T>,
) -> Result<Vec<Listed>> {
    let listing = Listing::default();
    build(VarBuilder::from_backend(Box::new(listing.clone()), dtype, device.clone()))?;
    let shapes = listing.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(shapes.iter().map(|(name, shape)| listed(name, shape)).collect())
}

/// The variables of a map, with their shapes, sorted by name.
///
/// # Errors
/// A variable of a dtype that fanin does not draw.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_nn::{VarBuilder, VarMap};
///
/// let map = VarMap::new();
/// candle_nn::linear(8, 4, VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu).pp("dense"))?;
/// assert_eq!(fanin_candle::list_of(&map)?[0].name, "dense.bias");
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn list_of(map: &VarMap) -> Result<Vec<Listed>> {
    let vars = map.data().lock().unwrap_or_else(PoisonError::into_inner);
    let mut tensors = Vec::with_capacity(vars.len());
    for (name, var) in vars.iter() {
        drawn_in(name, var.dtype())?;
        tensors.push(listed(name, var.shape()));
    }
    tensors.sort_by(|a: &Listed, b| a.name.cmp(&b.name));
    Ok(tensors)
}

/// Its dtype is left out: the model's code says it, whatever rules say.
fn listed(name: &str, shape: &Shape) -> Listed {
    Listed::new(name, fanin::shape(shape.dims()))
}

/// What was asked for so far.
#[derive(Clone, Default)]
struct Listing(Arc<Mutex<BTreeMap<String, Shape>>>);

impl SimpleBackend for Listing {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        drawn_in(name, dtype)?;
        let mut shapes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = shapes.entry(name.into()).or_insert_with(|| shape.clone());
        if *first != shape {
            let allowed = format!("{:?}, as it was asked for before", first.dims());
            return Err(wrong(name, "the shape", format!("{:?}", shape.dims()), allowed));
        }
        Tensor::zeros((), dtype, device)?.broadcast_as(shape)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        let allowed = "a shape, which the model's code has to say (get), or a plan that has it";
        Err(wrong(name, "the shape", "not said (get_unchecked)", allowed))
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }
}
