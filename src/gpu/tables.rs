//! Tables that are made for a recording: of values that the host draws, and of vectors of orthogonal matrices.

use crate::kernel::table::{ANY, HEAD, Rows, Table, tap};
use crate::{Error, ErrorKind, Matrix};

/// The largest number of values that the host draws for a recording.
pub(super) const MAX_DRAWN: u64 = 1 << 22;

/// The table of the values of elements from this one on, each in its place.
pub(super) fn of_values(first: u64, values: &[f32]) -> Table {
    let head = [1, 1, ANY, 1, 0, 0, values.len() as u32, 0];
    let words = head.into_iter().chain(values.iter().map(|value| value.to_bits())).collect();
    Table { words, rows: Rows { len: 1, count: 0, first } }
}

pub(super) fn check_drawn(elements: u64) -> Result<(), Error> {
    if elements <= MAX_DRAWN {
        return Ok(());
    }
    let allowed = format!("at most {MAX_DRAWN} in one recording; submit_all makes several");
    Err(Error::new(ErrorKind::Shape, "the number of values from the host", elements, allowed))
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
