//! Tables of kernels whose elements depend on their places; `shaders/table.wgsl` reads them.

use std::sync::Arc;

use crate::Matrix;
use crate::matrix::Taps;

/// Words before a table's values, as in the shader.
pub(crate) const HEAD: usize = 8;
/// Every element of a column is the matrix's.
pub(crate) const ANY: u32 = u32::MAX;

/// The words of a table, and how elements are counted in it.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub words: Arc<[u32]>,
    pub rows: Rows,
}

/// The place of a window's first element, in rows of so many elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    pub len: u64,
    /// Rows are counted modulo so many, from this one on.
    pub count: u64,
    pub first: u64,
}

impl Rows {
    /// The place in its row, and the row, of an element; what lies before the first row wraps around.
    pub fn place(&self, element: u64) -> [u32; 2] {
        let row = (element / self.len).wrapping_sub(self.first);
        [(element % self.len) as u32, if self.count == 0 { row as u32 } else { (row % self.count) as u32 }]
    }
}

impl Table {
    /// The table of a matrix, whose rows are counted modulo so many, with five words of the kernel's own.
    pub fn of_matrix(matrix: &Matrix, count: u64, [a, b, c, d, e]: [u32; 5]) -> Table {
        let words = [matrix.row_len() as u32, matrix.inside() as u32, tap(matrix), a, b, c, d, e];
        Table { words: words.into(), rows: Rows { len: matrix.row_len(), count, first: 0 } }
    }
}

pub(crate) fn tap(matrix: &Matrix) -> u32 {
    match matrix.taps() {
        Taps::Inside { tap, .. } => tap as u32,
        _ => ANY,
    }
}
