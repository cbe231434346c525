//! Shapes of tensors.

use crate::error::dimensions;
use crate::limits::MAX_ELEMENTS;
use crate::{Error, ErrorKind};

/// A shape in `u64`, as fanin takes it, from the `usize` sizes of most tensor libraries.
///
/// ```
/// use fanin::{Dtype, Layout, Stream, scheme};
///
/// let dims: [usize; 2] = [64, 32]; // tensor.dims()
/// let fill = scheme::he_normal().fill(&fanin::shape(&dims), Layout::OUT_IN, Stream::named(42, "weight"), Dtype::F32)?;
/// assert_eq!(fill.shape(), [64, 32]);
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn shape(dims: &[usize]) -> Vec<u64> {
    dims.iter().map(|&size| size as u64).collect()
}

/// The number of elements of a tensor of this shape; a scalar (no dimensions) has 1.
///
/// # Errors
/// [`ErrorKind::Shape`] above 2^60.
pub fn elements(shape: &[u64]) -> Result<u64, Error> {
    let overflow = || Error::new(ErrorKind::Shape, "the shape", dimensions(shape), "at most 2^60 elements");
    // A zero makes the tensor empty wherever it stands, but never hides an overflow of the other dimensions, so that
    // fans, which leave dimensions out, cannot overflow either.
    let nonzero =
        shape.iter().filter(|&&d| d != 0).try_fold(1u64, |product, &d| product.checked_mul(d)).ok_or_else(overflow)?;
    if nonzero > MAX_ELEMENTS {
        return Err(overflow());
    }
    Ok(if shape.contains(&0) { 0 } else { nonzero })
}
