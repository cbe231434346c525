//! The value itself: the twin of `shaders/constant.wgsl`.

use crate::Element;
use crate::sampler::Numbers;

pub(super) fn fill<T: Element>(numbers: &Numbers, slice: &mut [T]) {
    slice.fill(T::from_word(numbers.word));
}
