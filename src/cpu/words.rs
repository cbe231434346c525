//! The streams' words themselves: the twin of `shaders/words.wgsl` and `shaders/threefry_words.wgsl`.

use super::Piece;
use crate::threefry::threefry2x32_20;
use crate::{Element, Stream};

pub(super) fn fill<T: Element>(attempt: u32, stream: Stream, piece: Piece<'_, T>) {
    for (i, element) in piece.range.zip(piece.elements) {
        *element = T::from_word(stream.block(i / 4, attempt)[(i % 4) as usize]);
    }
}

/// The words of each block's counter: its two words and two zeros.
pub(super) fn fill_threefry<T: Element>(key: [u32; 2], piece: Piece<'_, T>) {
    for (i, element) in piece.range.zip(piece.elements) {
        let [x, y] = threefry2x32_20([((i / 4) >> 32) as u32, (i / 4) as u32], key);
        *element = T::from_word([x, y, 0, 0][(i % 4) as usize]);
    }
}
