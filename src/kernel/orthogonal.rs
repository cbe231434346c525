//! Orthogonal matrices: products of reflections, which take more than a kernel draws of each element alone.
//!
//! `src/cpu/orthogonal.rs` and `src/gpu/orthogonal.rs` put the matrices where there are zeros by this twin; on a device, elements are
//! looked up among vectors that other kernels have made.

use super::constant::Constant;
use super::lanes::Piece;
use super::line::asks;
use super::line::fits;
use super::numbers::{Kernel, Numbers};
use super::twin::{Source, Twin};
use crate::matrix::Taps;
use crate::{Dtype, Element, Error, Matrix};

/// Matrices with orthonormal rows or columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Orthogonal {
    pub gain: f32,
    /// The largest value of the dtype.
    pub last: f32,
    pub matrix: Matrix,
}

impl Orthogonal {
    pub fn new(gain: f64, matrix: Matrix, dtype: Dtype) -> Result<Orthogonal, Error> {
        fits(dtype, "gain", gain)?;
        Ok(Orthogonal { gain: gain as f32, last: dtype.max() as f32, matrix })
    }

    /// True if each matrix is made of the random words of its own elements. Others have vectors of other lengths than their normals lie
    /// apart, or other taps beside them.
    pub fn has_words_of_its_own(&self) -> bool {
        self.matrix.taps() == Taps::One && self.matrix.longer().is_multiple_of(4)
    }
}

impl Twin for Orthogonal {
    fn kernel(&self) -> Kernel {
        Kernel::Lookup
    }

    fn numbers(&self) -> Numbers {
        let (scale, last) = (self.gain, self.last);
        Numbers { scale, first: -last, last, asks: asks::BOUNDS, ..Numbers::default() }
    }

    fn unit(&self) -> u64 {
        1
    }

    fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>) {
        Constant::ZERO.fill(source, piece);
    }
}
