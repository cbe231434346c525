//! Parts of a fill: elements that have a distribution of their own.

use std::fmt;
use std::mem::discriminant;
use std::ops::Range;

use crate::kernel::{RandomWords, Sampler, Twin};
use crate::{Distribution, Error, ErrorKind};

/// Elements of a tensor that have a distribution of their own, by their numbers in the whole tensor.
///
/// See [`Fill::parts`](crate::Fill::parts) for an example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FillPart {
    /// The distribution of these elements.
    pub distribution: Distribution,
    /// The length of each period, which has the elements of [`range`](FillPart::range) once; `None` where the range is of all elements.
    pub period: Option<u64>,
    /// The numbers of the elements, within each period if there is one.
    pub range: Range<u64>,
}

/// `constant(1) at elements 2..4`, or `constant(1) at elements 2..4 of each 8`.
impl fmt::Display for FillPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FillPart { distribution, period, range } = self;
        write!(f, "{distribution} at elements {range:?}")?;
        period.map_or(Ok(()), |period| write!(f, " of each {period}"))
    }
}

/// A part, with the sampler that draws it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DrawnPart {
    pub part: FillPart,
    pub sampler: Sampler,
}

/// The reason why two parts would be made of the same random words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clash {
    /// A border between kinds of distribution lies between two elements that are drawn as a pair.
    SplitPair,
    /// The part cuts an orthogonal matrix.
    CutMatrix,
    /// An orthogonal matrix is made of words of its neighbours, too.
    Neighbours,
    /// Both take words of the whole tensor.
    WholeTensor,
}

impl Clash {
    /// The error of this part.
    pub fn error(self, part: &FillPart) -> Error {
        let (shared, allowed) = match self {
            Clash::SplitPair => (
                "a random word at its border, as elements 2k and 2k + 1 are drawn together",
                "parts that begin and end at even elements, in rows of an even length, or constants",
            ),
            Clash::CutMatrix => {
                ("random words with the orthogonal matrix that it cuts", "whole orthogonal matrices, or constants")
            }
            Clash::Neighbours => (
                "random words with an orthogonal matrix beside it",
                "orthogonal matrices whose longer side is a multiple of 4, at no tap of a convolution, or constants beside them",
            ),
            Clash::WholeTensor => {
                ("random words of the whole tensor", "one such distribution in a tensor, and constants")
            }
        };
        Error::failed(ErrorKind::Parameter, "the part", format!("of {part} shares {shared}")).allowing(allowed)
    }
}

impl DrawnPart {
    /// True if it has the element; and the next one of which the opposite holds.
    pub fn at(&self, number: u64) -> (bool, u64) {
        let Range { start, end } = self.part.range;
        let within = self.part.period.map_or(number, |period| number % period);
        let begin = number - within;
        if within < start {
            (false, begin + start)
        } else if within < end {
            (true, begin + end)
        } else {
            (false, self.part.period.map_or(u64::MAX, |period| begin + period + start))
        }
    }

    /// The reason why it cannot be drawn beside the part before it, in a tensor that ends there, if there is one.
    pub fn clash(&self, before: &DrawnPart, end: u64) -> Option<Clash> {
        let (FillPart { period, range, .. }, other) = (&self.part, &before.part);
        let (words, others) = (self.sampler.words(), before.sampler.words());
        if self.sampler == before.sampler || range.is_empty() || [words, others].contains(&RandomWords::None) {
            return None;
        }
        let apart = *period == other.period && (range.end <= other.range.start || other.range.end <= range.start);
        let is_other_kind = discriminant(&self.sampler) != discriminant(&before.sampler);
        match (words, others) {
            (RandomWords::Neighbours, _) | (_, RandomWords::Neighbours) => Some(Clash::Neighbours),
            (RandomWords::WholeTensor, RandomWords::WholeTensor) if !is_other_kind => Some(Clash::WholeTensor),
            (_, RandomWords::Matrices { len }) if !apart => {
                (!is_multiple(len, *period, range)).then_some(Clash::CutMatrix)
            }
            _ => (is_other_kind && self.splits_pairs(end)).then_some(Clash::SplitPair),
        }
    }

    /// True if a border, before the tensor's end, lies at an odd element.
    fn splits_pairs(&self, end: u64) -> bool {
        let FillPart { period, range: Range { start, end: last }, .. } = self.part;
        let is_odd = |border: u64| border < end && !border.is_multiple_of(2);
        is_odd(start) || is_odd(last) || period.is_some_and(is_odd)
    }

    /// True if it may have some of these.
    pub fn meets(&self, numbers: &Range<u64>) -> bool {
        let (has, next) = self.at(numbers.start);
        !numbers.is_empty() && (has || next < numbers.end)
    }
}

/// True if the borders of a part, a range of each period, are whole multiples of this.
pub(super) fn is_multiple(len: u64, period: Option<u64>, range: &Range<u64>) -> bool {
    [range.start, range.end, period.unwrap_or(0)].iter().all(|border| border.is_multiple_of(len))
}
