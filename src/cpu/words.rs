//! The stream's words themselves: the twin of `shaders/words.wgsl`.

use std::ops::Range;

use crate::{Element, Stream};

pub(super) fn fill<T: Element>(attempt: u32, stream: Stream, range: Range<u64>, slice: &mut [T]) {
    for (i, element) in range.zip(slice) {
        *element = T::from_word(stream.block(i / 4, attempt)[(i % 4) as usize]);
    }
}
