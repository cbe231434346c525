//! Tables that are made for a recording: of values that the host draws, and of vectors of orthogonal matrices.

use crate::kernel::table::{ANY, HEAD, Rows, Table, tap};
use crate::kernel::{Sampler, Torch};
use crate::torch::{self, Cursors};
use crate::{Error, ErrorKind, Fill, Matrix};

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
pub(super) fn drawn(fill: &Fill, sampler: &Sampler, range: std::ops::Range<u64>, cursors: &mut Cursors) -> Table {
    let len = (range.end - range.start) as u32;
    let head = [1, 1, ANY, 1, 0, 0, len, 0];
    let first = range.start;
    let mut words = head.to_vec();
    match sampler {
        Sampler::Values(values) => {
            words.extend(values.drawn(fill.stream, range).map(f32::to_bits));
        }
        Sampler::Torch(Torch { distribution }) => {
            let mut drawn = vec![0.0; len as usize];
            torch::values(distribution, fill.stream, fill.dtype(), range, cursors, &mut drawn);
            words.extend(drawn.into_iter().map(f32::to_bits));
        }
        _ => unreachable!("is_drawn says what the host draws"),
    }
    Table { words: words.into(), rows: Rows { len: 1, count: 0, first } }
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
