//! Values that the host works out. A device gets them from here: they have no kernel, but for one that looks them up.

use std::ops::Range;

use super::Piece;
use crate::sampler::Values;
use crate::{Element, Stream};

pub(super) fn fill<T: Element>(values: &Values, stream: Stream, piece: Piece<'_, T>) {
    let Piece { range, elements, .. } = piece;
    let Some((sequence, inner)) = values.sequence() else {
        for (element, value) in elements.iter_mut().zip(drawn(values, stream, range)) {
            *element = T::round(value);
        }
        return;
    };
    // Only those that are wanted, where the range is shorter than a period.
    let table: Vec<f32> = sequence.collect();
    let mut rest = elements;
    let mut at = range.start;
    while !rest.is_empty() {
        let count = rest.len().min((inner - at % inner).min(u64::from(u32::MAX)) as usize);
        let (same, after) = rest.split_at_mut(count);
        same.fill(T::round(table[(at / inner % table.len() as u64) as usize]));
        (rest, at) = (after, at + count as u64);
    }
}

/// The elements of a range, made of the stream's words.
pub(crate) fn drawn(values: &Values, stream: Stream, range: Range<u64>) -> impl Iterator<Item = f32> {
    range.map(move |element| values.of_word(stream.block(element / 4, 0)[(element % 4) as usize]))
}
