//! A tensor, ready to be drawn: the library's fill.

use std::ops::Range;

use fanin::rules::Recipe;
use fanin::{Dtype, Element, Fill, Layout, Scheme, cpu};
use pyo3::prelude::*;
use sha2::{Digest, Sha256};

use crate::{error, wrong};

/// So many bytes are drawn at once where they are not kept.
const PIECE: u64 = 1 << 24;

/// A slice along a dimension that has a scheme of its own: the dimension, from, before, the scheme.
pub type Slice = (usize, u64, u64, String);

/// A tensor, ready to be drawn, whole or any block of it.
#[pyclass(frozen, module = "fanin._fanin")]
pub struct Draw {
    recipe: Recipe,
    fill: Fill,
}

#[pymethods]
impl Draw {
    #[new]
    #[pyo3(signature = (scheme, shape, *, seed, name, dtype="f32", layout="out_in", slices=Vec::new()))]
    fn new(
        scheme: &str,
        shape: Vec<u64>,
        seed: &str,
        name: Option<&str>,
        dtype: &str,
        layout: &str,
        slices: Vec<Slice>,
    ) -> PyResult<Draw> {
        let layout: Layout = layout.parse().map_err(error)?;
        let dtype: Dtype = dtype.parse().map_err(error)?;
        let stream = crate::seed::stream(seed, name)?;
        let recipe = recipe(scheme, &shape, layout, name.unwrap_or_default(), slices)?;
        recipe.check_in(dtype).map_err(error)?;
        let fill = recipe.fill_of(stream, dtype).map_err(error)?;
        Ok(Draw { recipe, fill })
    }

    /// The scheme, resolved for the tensor's shape, as text that reads back.
    #[getter]
    fn scheme(&self) -> String {
        Scheme::from(self.recipe.distribution).to_string()
    }

    #[getter]
    fn mean(&self) -> f64 {
        self.recipe.distribution.mean()
    }

    #[getter]
    fn std(&self) -> f64 {
        self.recipe.distribution.std()
    }

    #[getter]
    fn shape(&self) -> Vec<u64> {
        self.recipe.shape.clone()
    }

    /// Draws a block, by default all, into so many bytes at an address, dense and in row-major order.
    ///
    /// The caller owns the memory, which must be writable and live on until this returns.
    #[pyo3(signature = (address, bytes, block=None, threads=None))]
    fn fill(
        &self,
        py: Python<'_>,
        address: usize,
        bytes: usize,
        block: Option<Vec<(u64, u64)>>,
        threads: Option<usize>,
    ) -> PyResult<()> {
        let fill = self.block(block)?;
        let Some(out) = bytes_at(address, bytes, fill.byte_len())? else { return Ok(()) };
        py.detach(|| drawn(&fill, out, threads)).map_err(error)
    }

    /// The SHA-256 of a block's little-endian bytes, in hexadecimal.
    #[pyo3(signature = (block=None))]
    fn digest(&self, py: Python<'_>, block: Option<Vec<(u64, u64)>>) -> PyResult<String> {
        let mut rest = self.block(block)?;
        py.detach(|| {
            let mut hash = Sha256::new();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(PIECE / rest.dtype().bytes(1));
                hash.update(cpu::bytes(&piece)?);
                rest = after;
            }
            Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
        })
        .map_err(error)
    }
}

impl Draw {
    fn block(&self, block: Option<Vec<(u64, u64)>>) -> PyResult<Fill> {
        match block {
            Some(block) => block_of(self.fill.clone(), &self.recipe.shape, &block),
            None => Ok(self.fill.clone()),
        }
    }
}

/// A block of a whole tensor.
pub fn block_of(fill: Fill, shape: &[u64], block: &[(u64, u64)]) -> PyResult<Fill> {
    if block.len() != shape.len() {
        let allowed = format!("{}, one for each dimension of the shape {shape:?}", shape.len());
        return Err(wrong("the number of the block's ranges", block.len(), &allowed));
    }
    let part = |fill: Fill, (dim, &(start, end)): (usize, &(u64, u64))| match shape[dim] == end && start == 0 {
        true => Ok(fill),
        false => fill.slice(dim, start..end),
    };
    block.iter().enumerate().try_fold(fill, part).map_err(error)
}

/// So many bytes at an address, if any are wanted.
pub fn bytes_at<'a>(address: usize, bytes: usize, wanted: u64) -> PyResult<Option<&'a mut [u8]>> {
    if wanted != bytes as u64 {
        return Err(wrong("the number of bytes", bytes, &format!("{wanted}, the block's")));
    }
    if bytes == 0 {
        return Ok(None);
    }
    if address == 0 {
        return Err(wrong("the address", 0, "that of memory"));
    }
    // SAFETY: Python's side holds an array or a tensor whose dense memory this is, and has asked it for both numbers. Python's own
    // buffers, which would say so themselves, are no part of its stable interface before 3.11.
    #[allow(unsafe_code)]
    let out = unsafe { std::slice::from_raw_parts_mut(address as *mut u8, bytes) };
    Ok(Some(out))
}

pub fn drawn(fill: &Fill, out: &mut [u8], threads: Option<usize>) -> Result<(), fanin::Error> {
    fn elements<T: Element + bytemuck::Pod>(fill: &Fill, out: &mut [u8], threads: usize) -> Result<(), fanin::Error> {
        match bytemuck::try_cast_slice_mut::<u8, T>(out) {
            Ok(elements) => cpu::fill_with_threads(fill, elements, threads),
            // Bytes may lie anywhere, elements may not.
            Err(_) => cpu::fill_bytes(fill, out),
        }
    }
    match (threads, fill.dtype()) {
        (Some(threads), Dtype::F32) => elements::<f32>(fill, out, threads),
        (Some(threads), Dtype::F16) => elements::<half::f16>(fill, out, threads),
        (Some(threads), Dtype::BF16) => elements::<half::bf16>(fill, out, threads),
        _ => cpu::fill_bytes(fill, out),
    }
}

fn recipe(scheme: &str, shape: &[u64], layout: Layout, name: &str, slices: Vec<Slice>) -> PyResult<Recipe> {
    let distribution = |scheme: &str, shape: &[u64]| {
        let scheme: Scheme = scheme.parse()?;
        scheme.distribution(shape, layout)
    };
    let mut recipe = Recipe::new(distribution(scheme, shape).map_err(error)?, shape, name);
    for (dim, start, end, scheme) in slices {
        // By the slice's own shape.
        let mut of_slice = shape.to_vec();
        if let Some(size) = of_slice.get_mut(dim) {
            *size = end.saturating_sub(start);
        }
        recipe = recipe.with_part(dim, Range { start, end }, distribution(&scheme, &of_slice).map_err(error)?);
    }
    Ok(recipe)
}

/// The text of a scheme that is resolved for a shape: of one for any shape, itself.
#[pyfunction]
#[pyo3(signature = (scheme, shape, layout="out_in"))]
pub fn resolve(scheme: &str, shape: Vec<u64>, layout: &str) -> PyResult<String> {
    let scheme: Scheme = scheme.parse().map_err(error)?;
    let layout: Layout = layout.parse().map_err(error)?;
    Ok(Scheme::from(scheme.distribution(&shape, layout).map_err(error)?).to_string())
}
