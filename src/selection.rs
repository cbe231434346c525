//! The choice of a tensor's elements that are drawn, and their order.

use std::ops::Range;

use crate::error::dimensions;
use crate::{Error, ErrorKind};

/// A box of a tensor's elements in row-major order, or some that follow one another in it.
///
/// An element has a number, its place in the whole tensor, and a position, its place among those that are selected; both grow
/// together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Selection {
    /// The number of the box's first element.
    first: u64,
    /// The box: along each dimension how many, and how far neighbours are apart in the tensor.
    dims: Vec<Dim>,
    /// The positions of the box that are selected.
    positions: Range<u64>,
    /// True if it is cut out of a box of several dimensions, which it then has no more.
    is_cut: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Dim {
    count: u64,
    stride: u64,
}

impl Selection {
    /// Elements that follow one another.
    pub fn range(range: Range<u64>) -> Selection {
        let count = range.end - range.start;
        Selection { first: range.start, dims: vec![Dim { count, stride: 1 }], positions: 0..count, is_cut: false }
    }

    /// A whole tensor, whose dimensions' product is known to be no overflow.
    pub fn whole(shape: &[u64]) -> Selection {
        let mut dims: Vec<_> = shape.iter().map(|&count| Dim { count, stride: 1 }).collect();
        let mut stride = 1;
        for dim in dims.iter_mut().rev() {
            dim.stride = stride;
            stride *= dim.count.max(1);
        }
        let elements = dims.iter().map(|dim| dim.count).product();
        Selection { first: 0, dims, positions: 0..elements, is_cut: false }
    }

    /// The elements of the tensor whose index along a dimension of the box is in a range. They are the range that is returned, in each
    /// period of so many numbers (of all, along the first dimension).
    pub fn along(&self, dim: usize, range: Range<u64>) -> Result<(Option<u64>, Range<u64>), Error> {
        // For what is wrong with them.
        self.slice(dim, range.clone())?;
        if self.len() == 0 {
            return Ok((None, 0..0));
        }
        let stride = self.dims[dim].stride;
        let period = dim.checked_sub(1).map(|before| self.dims[before].stride);
        let first = period.map_or(self.first, |period| self.first % period) / stride;
        Ok((period, (first + range.start) * stride..(first + range.end) * stride))
    }

    /// A slice of the box along a dimension.
    pub fn slice(&self, dim: usize, range: Range<u64>) -> Result<Selection, Error> {
        let shape = self.shape();
        if self.is_cut {
            let allowed = "a whole tensor, or a slice of one";
            return Err(Error::new(ErrorKind::Shape, "what is sliced", "a range of elements", allowed));
        }
        let Some(&count) = shape.get(dim) else {
            let allowed = format!("below {} in the shape {}", shape.len(), dimensions(&shape));
            return Err(Error::new(ErrorKind::Shape, "the dimension", dim, allowed));
        };
        if range.start > range.end || range.end > count {
            let allowed = format!("start <= end <= {count} along dimension {dim} of the shape {}", dimensions(&shape));
            return Err(Error::new(ErrorKind::Range, "the slice", format!("{range:?}"), allowed));
        }
        let mut sliced = self.clone();
        sliced.dims[dim].count = range.end - range.start;
        // A slice without elements has no first one.
        let elements = sliced.dims.iter().map(|dim| dim.count).product();
        if elements > 0 {
            sliced.first += range.start * self.dims[dim].stride;
        }
        sliced.positions = 0..elements;
        Ok(sliced)
    }

    /// The box's dimensions, or the number of elements of what is cut out of it.
    pub fn shape(&self) -> Vec<u64> {
        if self.is_cut { vec![self.len()] } else { self.dims.iter().map(|dim| dim.count).collect() }
    }

    pub fn len(&self) -> u64 {
        self.positions.end - self.positions.start
    }

    fn box_len(&self) -> u64 {
        self.dims.iter().map(|dim| dim.count).product()
    }

    /// The first `len` elements, and all after them.
    pub fn split_at(&self, len: u64) -> (Selection, Selection) {
        let middle = self.positions.start + len;
        (self.at(self.positions.start..middle), self.at(middle..self.positions.end))
    }

    /// The selected elements with these numbers.
    pub fn clip(&self, numbers: Range<u64>) -> Selection {
        let Range { start, end } = self.positions;
        let [from, to] = [numbers.start, numbers.end.max(numbers.start)].map(|n| self.position(n).clamp(start, end));
        self.at(from..to)
    }

    fn at(&self, positions: Range<u64>) -> Selection {
        // All of a box is still one.
        if positions == (0..self.box_len()) {
            return Selection { positions, ..self.clone() };
        }
        let is_cut = self.is_cut || self.dims.len() != 1;
        let (run, len) = (self.run(), positions.end - positions.start);
        if len == 0 || positions.start % run + len <= run {
            // Nothing is where the next element would be.
            let start = match positions.start {
                0 => self.first,
                after if len == 0 => self.number(after - 1) + 1,
                first => self.number(first),
            };
            return Selection { is_cut, ..Selection::range(start..start + len) };
        }
        Selection { positions, is_cut, ..self.clone() }
    }

    /// The number of the first element, and the one after the last.
    pub fn hull(&self) -> Range<u64> {
        if self.len() == 0 {
            return self.first..self.first;
        }
        self.number(self.positions.start)..self.number(self.positions.end - 1) + 1
    }

    /// The number of elements that follow one another in the tensor before the box leaves some out.
    pub fn run(&self) -> u64 {
        let inner =
            |run: u64, dim: &Dim| if dim.count == 1 || dim.stride == run { Ok(run * dim.count) } else { Err(run) };
        self.dims.iter().rev().try_fold(1, inner).unwrap_or_else(|run| run).max(1)
    }

    /// The number of runs.
    pub fn runs(&self) -> u64 {
        let run = self.run();
        self.positions.end.div_ceil(run) - self.positions.start / run
    }

    /// The element at a position.
    fn number(&self, position: u64) -> u64 {
        let mut rest = position;
        let along = |dim: &Dim| {
            let at = rest % dim.count;
            rest /= dim.count;
            at * dim.stride
        };
        self.first + self.dims.iter().rev().map(along).sum::<u64>()
    }

    /// The first position whose element has this number or a later one.
    fn position(&self, number: u64) -> u64 {
        let Some(mut rest) = number.checked_sub(self.first) else { return 0 };
        let mut inside = self.box_len();
        let mut position = 0;
        if inside == 0 {
            return 0;
        }
        for dim in &self.dims {
            inside /= dim.count;
            let at = rest / dim.stride;
            if at >= dim.count {
                return position + dim.count * inside;
            }
            position += at * inside;
            rest -= at * dim.stride;
        }
        // A scalar has no dimensions to be beyond.
        position + u64::from(rest > 0)
    }

    /// The runs of numbers, in order.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let run = self.run();
        let Range { mut start, end } = self.positions;
        std::iter::from_fn(move || {
            (start < end).then(|| {
                let len = (run - start % run).min(end - start);
                let number = self.number(start);
                start += len;
                number..number + len
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    /// Against a list of all numbers: slices of slices, cuts and clips.
    #[test]
    fn selections_are_those_of_a_list() {
        let mut rng = crate::Stream::numbered(9, 0).rng();
        for _ in 0..2000 {
            let shape: Vec<u64> = (0..rng.random_range(0..5)).map(|_| rng.random_range(0..5)).collect();
            let mut selection = Selection::whole(&shape);
            let mut list: Vec<u64> = (0..shape.iter().product()).collect();
            for _ in 0..rng.random_range(0..3) {
                if shape.is_empty() {
                    break;
                }
                let dims = selection.shape();
                let dim = rng.random_range(0..dims.len());
                let start = rng.random_range(0..=dims[dim]);
                let range = start..rng.random_range(start..=dims[dim]);
                let inner: u64 = dims[dim + 1..].iter().product();
                selection = selection.slice(dim, range.clone()).unwrap();
                let at = |i: usize| i as u64 / inner.max(1) % dims[dim].max(1);
                list = list.iter().enumerate().filter(|(i, _)| range.contains(&at(*i))).map(|(_, n)| *n).collect();
            }
            if rng.random() {
                let middle = rng.random_range(0..=list.len());
                let (front, back) = selection.split_at(middle as u64);
                (selection, list) =
                    if rng.random() { (front, list[..middle].into()) } else { (back, list[middle..].into()) };
            }
            if rng.random() {
                let most = shape.iter().product::<u64>() + 2;
                let start = rng.random_range(0..most);
                let range = start..rng.random_range(start..=most);
                selection = selection.clip(range.clone());
                list.retain(|n| range.contains(n));
            }
            let numbers: Vec<u64> = selection.ranges().flatten().collect();
            assert_eq!(numbers, list, "{shape:?} {selection:?}");
            assert_eq!(selection.len(), list.len() as u64);
            assert_eq!(selection.shape().iter().product::<u64>(), selection.len());
            assert_eq!(selection.runs(), selection.ranges().count() as u64, "{selection:?}");
            if let [first, .., last] = list[..] {
                assert_eq!(selection.hull(), first..last + 1);
            }
        }
    }

    #[test]
    fn what_is_no_slice_is_an_error() {
        let whole = Selection::whole(&[3, 4]);
        let kind = |selection: Result<Selection, Error>| selection.unwrap_err().kind();
        assert_eq!(kind(whole.slice(2, 0..1)), ErrorKind::Shape);
        assert_eq!(kind(whole.slice(1, 3..5)), ErrorKind::Range);
        #[allow(clippy::reversed_empty_ranges)]
        let backwards = 2..1;
        assert_eq!(kind(whole.slice(0, backwards)), ErrorKind::Range);
        let cut = whole.slice(1, 1..3).unwrap().split_at(3).0;
        assert_eq!(kind(cut.slice(0, 0..1)), ErrorKind::Shape);
        assert_eq!(kind(whole.clip(0..11).slice(0, 0..1)), ErrorKind::Shape);
        assert_eq!(whole.clip(0..99).shape(), [3, 4]);
        assert_eq!((whole.clip(4..4).hull(), whole.split_at(12).1.hull()), (4..4, 12..12));
        // A range is a tensor of one dimension.
        assert_eq!(Selection::range(5..9).slice(0, 1..3).unwrap().hull(), 6..8);
    }
}
