//! The stream's words themselves: the twin of `shaders/words.wgsl`.

use super::Piece;
use crate::{Element, Stream};

pub(super) fn fill<T: Element>(attempt: u32, stream: Stream, piece: Piece<'_, T>) {
    for (i, element) in piece.range.zip(piece.elements) {
        *element = T::from_word(stream.block(i / 4, attempt)[(i % 4) as usize]);
    }
}
