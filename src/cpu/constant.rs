//! The value itself: the twin of `shaders/constant.wgsl`.

use super::{BATCH, Piece, fill_units};
use crate::Element;
use crate::sampler::Numbers;

pub(super) fn fill<T: Element>(numbers: &Numbers, piece: Piece<'_, T>) {
    let value = T::from_word(numbers.word);
    fill_units::<T, BATCH>(piece, |_, elements| elements.fill(value));
}
