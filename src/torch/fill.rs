//! Ranges of tensors in PyTorch's streams.

use std::ops::Range;

use super::sequence::{Cursors, Sequence};
use super::{draw, philox};
use crate::stream::Origin;
use crate::{Distribution, Dtype, Element, Error, Stream};

/// An error unless PyTorch draws this of a stream of its as it is drawn here.
pub(crate) fn check(distribution: &Distribution, dtype: Dtype, stream: &Stream) -> Result<(), Error> {
    match stream.origin {
        Origin::Torch(tensor) => draw::check(distribution, dtype, &tensor),
        _ => philox::check(distribution, dtype, stream),
    }
}

/// The values of a range of a tensor, rounded to its dtype.
pub(crate) fn values(
    distribution: &Distribution,
    stream: Stream,
    dtype: Dtype,
    range: Range<u64>,
    cursors: &mut Cursors,
    out: &mut [f32],
) {
    match stream.origin {
        Origin::Torch(_) => Sequence::new(distribution, stream, dtype).values(range, cursors, out),
        _ => philox::values(distribution, stream, dtype, range, out),
    }
}

/// Draws a range of a tensor.
pub(crate) fn fill<T: Element>(
    distribution: &Distribution,
    stream: Stream,
    range: Range<u64>,
    cursors: &mut Cursors,
    out: &mut [T],
) {
    const MANY: usize = 4096;
    let mut values = [0.0; MANY];
    let (mut at, mut rest) = (range.start, out);
    while at < range.end {
        let end = range.end.min((at / MANY as u64 + 1) * MANY as u64);
        let (part, after) = rest.split_at_mut((end - at) as usize);
        let values = &mut values[..part.len()];
        self::values(distribution, stream, T::DTYPE, at..end, cursors, values);
        for (element, &value) in part.iter_mut().zip(&*values) {
            *element = T::round(value);
        }
        (at, rest) = (end, after);
    }
}
