//! Diagonals: the twin of `shaders/identity.wgsl`.

use super::Piece;
use crate::Element;
use crate::sampler::Identity;

pub(super) fn fill<T: Element>(identity: &Identity, piece: Piece<'_, T>) {
    let Identity { word, per_group, matrix } = *identity;
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
