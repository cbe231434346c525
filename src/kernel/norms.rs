//! Norms of a matrix's columns, by drawing the matrix again.

use std::ops::Range;

use super::lanes::{Piece, TILE};
use super::twin::{Source, Twin};
use super::uniform::Uniform;
use crate::{Dtype, Stream};

/// The number of columns that are worked out at once: of a matrix with fewer, all, whose elements follow one another.
const AT_ONCE: u64 = 1 << 16;

/// A uniform matrix, whose columns have norms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Norms {
    pub matrix: Uniform,
    pub rows: u64,
    pub columns: u64,
}

impl Norms {
    /// Hands over the norms that the elements of a range are: element e is that of column e modulo their number.
    pub fn draw(&self, stream: Stream, dtype: Dtype, range: Range<u64>, mut next: impl FnMut(f64)) {
        let mut source = Source::new(stream);
        if self.columns <= AT_ONCE {
            let all = self.norms(0..self.columns, &mut source, dtype);
            return range.for_each(|element| next(all[(element % self.columns) as usize]));
        }
        let mut at = range.start;
        while at < range.end {
            let first = at % self.columns;
            let count = (range.end - at).min(self.columns - first).min(AT_ONCE);
            self.norms(first..first + count, &mut source, dtype).into_iter().for_each(&mut next);
            at += count;
        }
    }

    /// The norms of some columns: of elements as the dtype has them, whose squares are added row by row.
    fn norms(&self, columns: Range<u64>, source: &mut Source, dtype: Dtype) -> Vec<f64> {
        let count = columns.end - columns.start;
        // Rows of all columns follow one another.
        let (runs, len) = if count == self.columns { (1, self.rows * count) } else { (self.rows, count) };
        let mut squares = vec![0.0; count as usize];
        let mut elements = [0.0f32; TILE as usize];
        let mut column = 0;
        for first in (0..runs).map(|run| run * self.columns + columns.start) {
            for start in (first..first + len).step_by(elements.len()) {
                let range = start..(start + TILE).min(first + len);
                let elements = &mut elements[..(range.end - range.start) as usize];
                self.matrix.fill(source, Piece { range, elements: &mut *elements, past_cache: false });
                for x in elements {
                    let x = f64::from(dtype.rounded(*x));
                    squares[column] += x * x;
                    column = (column + 1) % squares.len();
                }
            }
        }
        squares.into_iter().map(f64::sqrt).collect()
    }
}
