//! The value itself: the twin of `shaders/constant.wgsl`.

use super::{BATCH, Piece, fill_units};
use crate::Element;

pub(super) fn fill<T: Element>(word: u32, piece: Piece<'_, T>) {
    let value = T::from_word(word);
    fill_units::<T, BATCH>(piece, |_, elements| elements.fill(value));
}
