//! PyTorch's own generator: places in its sequence, and tensors that one of its operations fills.

use fanin::torch::{Draw, Place, ScalarType};
use fanin::{Dtype, Layout, Scheme, Stream};
use pyo3::prelude::*;

use crate::draw::{block_of, bytes_at, drawn};
use crate::{error, wrong};

/// An operation of PyTorch's that fills a tensor.
#[pyclass(frozen, module = "fanin._fanin")]
pub struct TorchDraw {
    draw: Draw,
    scheme: Scheme,
    scalar: ScalarType,
    elements: u64,
    is_dense: bool,
}

#[pymethods]
impl TorchDraw {
    #[new]
    fn new(scheme: &str, elements: u64, dtype: &str, is_dense: bool) -> PyResult<TorchDraw> {
        let scheme: Scheme = scheme.parse().map_err(error)?;
        let distribution = scheme.distribution(&[elements], Layout::OUT_IN).map_err(error)?;
        let scalar: ScalarType = dtype.parse().map_err(error)?;
        let draw = Draw::new(&distribution, scalar, elements).map_err(error)?;
        let draw = if is_dense { draw } else { draw.strided() };
        Ok(TorchDraw { draw, scheme, scalar, elements, is_dense })
    }

    /// The place so many words after it, as a text.
    fn after(&self, py: Python<'_>, place: &str, then: u64) -> PyResult<String> {
        let place: Place = place.parse().map_err(error)?;
        Ok(py.detach(|| self.draw.after(place)).on(then).to_string())
    }

    /// Draws a block of a tensor of this shape into memory, an address and so many bytes, dense and in row-major order.
    ///
    /// The caller owns the memory, which must be writable and live on until this returns.
    #[pyo3(signature = (place, shape, block, memory, threads=None))]
    fn fill(
        &self,
        py: Python<'_>,
        place: &str,
        shape: Vec<u64>,
        block: Vec<(u64, u64)>,
        memory: (usize, usize),
        threads: Option<usize>,
    ) -> PyResult<()> {
        let place: Place = place.parse().map_err(error)?;
        let elements = fanin::elements(&shape).map_err(error)?;
        if elements != self.elements {
            return Err(wrong("the shape's number of elements", elements, &self.elements.to_string()));
        }
        let distribution = self.scheme.distribution(&[elements], Layout::OUT_IN).map_err(error)?;
        let stream = if self.is_dense { Stream::torch(place) } else { Stream::torch_strided(place) };
        let dtype = match self.scalar {
            ScalarType::F16 => Dtype::F16,
            ScalarType::BF16 => Dtype::BF16,
            _ => Dtype::F32,
        };
        let fill = distribution.fill(&shape, stream, dtype).map_err(error)?;
        let fill = block_of(fill, &shape, &block)?;
        let is_double = self.scalar == ScalarType::F64;
        let wanted = if is_double { 8 * fill.len() } else { fill.byte_len() };
        let (address, bytes) = memory;
        let Some(out) = bytes_at(address, bytes, wanted)? else { return Ok(()) };
        py.detach(|| {
            if !is_double {
                return drawn(&fill, out, threads);
            }
            // All from the block's first element to its last, of which some lie in it.
            let hull = fill.range();
            let mut values = vec![0.0; (hull.end - hull.start) as usize];
            self.draw.doubles(place, hull.clone(), &mut values)?;
            for (to, at) in out.chunks_exact_mut(8).zip(places(&shape, &block)) {
                to.copy_from_slice(&values[(at - hull.start) as usize].to_ne_bytes());
            }
            Ok(())
        })
        .map_err(error)
    }
}

/// The numbers of a block's elements, in order.
fn places(shape: &[u64], block: &[(u64, u64)]) -> Vec<u64> {
    let of_dim = |places: Vec<u64>, (&size, &(start, end)): (&u64, &(u64, u64))| {
        places.into_iter().flat_map(|at| (start..end).map(move |index| at * size + index)).collect()
    };
    shape.iter().zip(block).fold(vec![0], of_dim)
}

/// The place of a generator whose state this is, as a text.
#[pyfunction]
pub fn torch_place(py: Python<'_>, state: Vec<u8>) -> PyResult<String> {
    Ok(py.detach(|| Place::from_state(&state)).map_err(error)?.to_string())
}

/// Checks a place's text.
#[pyfunction]
pub fn torch_words(place: &str) -> PyResult<u64> {
    Ok(place.parse::<Place>().map_err(error)?.words())
}
