//! The tables of kernels, where an element depends on its place in a matrix; `shaders/table.wgsl` reads them.

use std::sync::Arc;

use crate::cpu::sparse::half_bits;
use crate::matrix::Taps;
use crate::sampler::Sampler;
use crate::structure::outputs_and_inputs;
use crate::torch::{self, Cursors};
use crate::{Error, ErrorKind, Fill, Matrix};

/// Words before a table's values, as in the shader.
pub(super) const HEAD: usize = 8;
/// Every element of a column is the matrix's.
const ANY: u32 = u32::MAX;

/// The place of a window's first element, in rows of so many elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    pub len: u64,
    /// Rows are counted modulo so many, from this one on.
    pub count: u64,
    pub first: u64,
}

impl Rows {
    /// The place in its row, and the row, of an element; what lies before the first row wraps around.
    pub fn of(&self, element: u64) -> [u32; 2] {
        let row = (element / self.len).wrapping_sub(self.first);
        [(element % self.len) as u32, if self.count == 0 { row as u32 } else { (row % self.count) as u32 }]
    }
}

/// The table of a sampler that has one for all of its elements, and how they are counted.
pub(super) fn of(sampler: &Sampler) -> Option<(Arc<[u32]>, Rows)> {
    let rows = |matrix: &Matrix, count| Rows { len: matrix.row_len(), count, first: 0 };
    let head = |matrix: &Matrix, own: [u32; 5]| {
        let [a, b, c, d, e] = own;
        [matrix.row_len() as u32, matrix.inside() as u32, tap(matrix), a, b, c, d, e]
    };
    match sampler {
        Sampler::Identity(identity) => {
            let matrix = &identity.matrix;
            let (all, first) = match matrix.taps() {
                Taps::Outside { count, tap } => (count * matrix.rows(), tap * matrix.rows()),
                _ => (matrix.rows(), 0),
            };
            let transposed = if matrix.is_transposed { 1 << 31 } else { 0 };
            let own = [matrix.rows() as u32, all as u32, first as u32, identity.per_group as u32 | transposed, 0];
            Some((head(matrix, own).into(), rows(matrix, all)))
        }
        Sampler::Sparse(sparse) => {
            let matrix = &sparse.matrix;
            let outputs = outputs_and_inputs(matrix).0 as u32;
            let own = [outputs, sparse.zeros as u32, matrix.is_transposed.into(), half_bits(outputs), 0];
            Some((head(matrix, own).into(), rows(matrix, 0)))
        }
        Sampler::Values(values) => {
            let (sequence, inner) = values.sequence()?;
            let words: Vec<u32> = sequence.map(f32::to_bits).collect();
            let len = words.len() as u64;
            let head = [(len * inner) as u32, inner as u32, ANY, 0, 1, 0, len as u32, 0];
            Some((head.into_iter().chain(words).collect(), Rows { len: len * inner, count: 1, first: 0 }))
        }
        _ => None,
    }
}

fn tap(matrix: &Matrix) -> u32 {
    match matrix.taps() {
        Taps::Inside { tap, .. } => tap as u32,
        _ => ANY,
    }
}

/// The largest number of values that the host draws for a recording.
pub(super) const MOST_DRAWN: u64 = 1 << 22;

/// True if the host draws this sampler's values.
pub(super) fn is_drawn(sampler: &Sampler) -> bool {
    match sampler {
        Sampler::Values(values) => values.sequence().is_none(),
        Sampler::Torch(_) => true,
        _ => false,
    }
}

/// The table of values that the host draws, of a run of elements.
pub(super) fn drawn(
    fill: &Fill,
    sampler: &Sampler,
    range: std::ops::Range<u64>,
    cursors: &mut Cursors,
) -> (Arc<[u32]>, Rows) {
    let len = (range.end - range.start) as u32;
    let head = [1, 1, ANY, 1, 0, 0, len, 0];
    let first = range.start;
    let mut words = head.to_vec();
    match sampler {
        Sampler::Values(values) => {
            words.extend(crate::cpu::values::drawn(values, fill.stream, range).map(f32::to_bits));
        }
        Sampler::Torch(distribution) => {
            let mut drawn = vec![0.0; len as usize];
            torch::values(distribution, fill.stream, fill.dtype(), range, cursors, &mut drawn);
            words.extend(drawn.into_iter().map(f32::to_bits));
        }
        _ => unreachable!("is_drawn says what the host draws"),
    }
    (words.into(), Rows { len: 1, count: 0, first })
}

pub(super) fn check_drawn(elements: u64) -> Result<(), Error> {
    if elements <= MOST_DRAWN {
        return Ok(());
    }
    let allowed = format!("at most {MOST_DRAWN} in one recording; submit_all makes several");
    Err(Error::new(ErrorKind::Shape, "how many values the host draws for the device", elements, allowed))
}

/// The head of a table of vectors of a matrix, from one on, each so many values apart.
pub(super) fn of_vectors(matrix: &Matrix, number: u32, places: u32, padded: u32) -> [u32; HEAD] {
    let by_rows = matrix.rows() <= matrix.columns();
    let (per_row, per_column) = if by_rows { (padded, 1) } else { (1, padded) };
    let length = places * padded;
    [
        matrix.row_len() as u32,
        matrix.inside() as u32,
        tap(matrix),
        per_row,
        per_column,
        number.wrapping_mul(padded),
        length,
        0,
    ]
}
