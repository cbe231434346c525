//! Orthogonal matrices: products of reflections, which take more than a kernel draws of each element alone.
//!
//! `src/cpu/orthogonal.rs` and `src/gpu/orthogonal.rs` put the matrices where there are zeros by this twin; on a device, elements are
//! looked up among vectors that other kernels have made.

use super::constant::Constant;
use super::lanes::Piece;
use super::line::{asks, fits};
use super::normal::Normal;
use super::numbers::{Kernel, Numbers};
use super::twin::{RandomWords, Source, Twin};
use crate::matrix::Taps;
use crate::{Dtype, Element, Error, ErrorKind, Matrix};

/// Reflections of a block, and the lanes that a sum is shared out among.
pub(crate) const BLOCK: usize = 32;

/// Matrices with orthonormal rows or columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Orthogonal {
    pub gain: f32,
    /// The standard normal in f32, of which the vectors are made.
    pub unit: Normal,
    /// The largest value of the dtype.
    pub last: f32,
    pub matrix: Matrix,
}

impl Orthogonal {
    pub fn new(gain: f64, matrix: Matrix, dtype: Dtype) -> Result<Orthogonal, Error> {
        fits(dtype, "gain", gain)?;
        let unit = Normal::new(0.0, 1.0, Dtype::F32)?;
        let unit =
            unit.ok_or_else(|| Error::failed(ErrorKind::Parameter, "the standard normal", "does not vary in f32"))?;
        Ok(Orthogonal { gain: gain as f32, unit, last: dtype.max() as f32, matrix })
    }

    /// A coordinate of a vector of length 1 as it is drawn, but for rounding to the dtype.
    pub fn value(&self, x: f32) -> f32 {
        let y = self.gain * x;
        let y = if y < -self.last { -self.last } else { y };
        if y > self.last { self.last } else { y }
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

    /// Matrices at a tap, and those whose vectors are no whole blocks of four normals, take words beyond their own elements.
    fn words(&self) -> RandomWords {
        let has_own = self.matrix.taps() == Taps::One && self.matrix.longer().is_multiple_of(4);
        if has_own { RandomWords::Matrices { len: self.matrix.len() } } else { RandomWords::Neighbours }
    }

    /// Parts take more than their share of time: those shorter than this several times as much.
    fn efficient_len(&self) -> u64 {
        let matrix = &self.matrix;
        let rows = if matrix.rows() > matrix.columns() { matrix.rows() } else { matrix.rows().min(1024) };
        rows * matrix.row_len()
    }

    fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>) {
        Constant::ZERO.fill(source, piece);
    }
}

/// The sizes of one matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    /// The number of vectors.
    pub count: usize,
    /// The length of each.
    pub len: usize,
    /// The same, up to whole lanes.
    pub padded: usize,
}

impl Geometry {
    pub fn new(orthogonal: &Orthogonal) -> Geometry {
        let matrix = orthogonal.matrix;
        let len = matrix.longer() as usize;
        Geometry { count: matrix.shorter() as usize, len, padded: len.next_multiple_of(BLOCK) }
    }

    /// Elements of the stream from one normal vector to the next, whole blocks of four.
    pub const fn stride(&self) -> u64 {
        (self.len as u64).next_multiple_of(4)
    }

    /// The first of the stream's elements that reflection `first` of a matrix is made of.
    pub const fn normals(&self, matrix: u64, first: usize) -> u64 {
        (matrix * self.count as u64 + first as u64) * self.stride()
    }
}
