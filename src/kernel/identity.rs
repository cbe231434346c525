//! Identity matrices: a value where output and input have the same number in their group. The twin of `shaders/identity.wgsl`.

use super::constant::word;
use super::lanes::Piece;
use super::line::fits;
use super::numbers::{Kernel, Numbers};
#[cfg(feature = "gpu")]
use super::table::Table;
use super::twin::{RandomWords, Source, Twin};
#[cfg(feature = "gpu")]
use crate::matrix::Taps;
use crate::structure::outputs_and_inputs;
use crate::{Dtype, Element, Error, Matrix};

/// The texts of `shaders/` that are the kernel's own.
#[cfg(feature = "gpu")]
pub(crate) const WGSL: &[&str] = &[
    include_str!("../../shaders/table.wgsl"),
    include_str!("../../shaders/identity.wgsl"),
    include_str!("../../shaders/blocks.wgsl"),
];

/// A value where output and input have the same number in their group, and zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Identity {
    /// The value's bits.
    pub word: u32,
    /// The number of outputs of a group.
    pub per_group: u64,
    pub matrix: Matrix,
}

impl Identity {
    pub fn new(gain: f64, groups: u64, matrix: Matrix, dtype: Dtype) -> Result<Identity, Error> {
        fits(dtype, "gain", gain)?;
        let per_group = outputs_and_inputs(&matrix).0 / groups;
        Ok(Identity { word: word(gain as f32, dtype), per_group, matrix })
    }
}

impl Twin for Identity {
    fn kernel(&self) -> Kernel {
        Kernel::Identity
    }

    fn numbers(&self) -> Numbers {
        Numbers { word: self.word, ..Numbers::default() }
    }

    #[cfg(feature = "gpu")]
    fn table(&self) -> Option<Table> {
        let matrix = &self.matrix;
        let (all, first) = match matrix.taps() {
            Taps::Outside { count, tap } => (count * matrix.rows(), tap * matrix.rows()),
            _ => (matrix.rows(), 0),
        };
        let transposed = if matrix.is_transposed { 1 << 31 } else { 0 };
        let own = [matrix.rows() as u32, all as u32, first as u32, self.per_group as u32 | transposed, 0];
        Some(Table::of_matrix(matrix, all, own))
    }

    fn unit(&self) -> u64 {
        1
    }

    fn words(&self) -> RandomWords {
        RandomWords::None
    }

    fn fill<T: Element>(&self, _: &mut Source, piece: Piece<'_, T>) {
        let Identity { word, per_group, matrix } = *self;
        let (one, zero) = (T::from_word(word), T::from_word(0));
        let (start, row_len) = (piece.range.start, matrix.row_len());
        piece.elements.fill(zero);
        // Of each row, the one element that may be on the diagonal; of rows that are inputs, those of each group.
        let rows = start / row_len..piece.range.end.div_ceil(row_len);
        let tap = matrix.tap_inside();
        for row in rows {
            let within = row % matrix.rows();
            let first = if matrix.is_transposed { within } else { within % per_group };
            let step = if matrix.is_transposed { per_group } else { u64::MAX };
            let mut column = first;
            while column < matrix.columns() && (!matrix.is_transposed || within < per_group) {
                let element = row * row_len + column * matrix.inside() + tap;
                if piece.range.contains(&element) && matrix.place(element).is_inside {
                    piece.elements[(element - start) as usize] = one;
                }
                column = column.saturating_add(step);
            }
        }
    }
}
