//! One job for either backend: a distribution, a stream, a dtype and some elements of a tensor.

mod part;

use std::fmt;
use std::ops::Range;

use crate::error::dimensions;
use crate::kernel::{Orthogonal, Sampler, Twin};
use crate::limits::{MAX_ELEMENTS, MAX_PARTS};
use crate::selection::Selection;
use crate::{Distribution, Dtype, Error, ErrorKind, Stream, Structure, elements};
pub use part::FillPart;
use part::{DrawnPart, is_multiple};

/// A whole tensor, a slice of one along its dimensions, or a range of its elements, ready to be drawn.
///
/// [`cpu`](crate::cpu) draws it into memory of the host, and `gpu::GpuFiller` into a buffer, with the same bits. The elements lie close
/// together, in row-major order. A `Fill` that exists is valid: its parameters were checked when
/// it was made.
///
/// ```
/// use fanin::{Distribution, Dtype, Fill, Stream, cpu};
///
/// let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
/// let fill = normal.fill(&[100, 10], Stream::named(42, "wte"), Dtype::F32)?;
/// let whole: Vec<f32> = cpu::vec(&fill)?;
///
/// // A shard, drawn alone, is the slice of the whole.
/// let rows: Vec<f32> = cpu::vec(&fill.slice(0, 30..40)?)?;
/// assert_eq!(rows, whole[300..400]);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Fill {
    distribution: Distribution,
    pub(crate) sampler: Sampler,
    pub(crate) stream: Stream,
    dtype: Dtype,
    selection: Selection,
    /// Elements that other distributions draw; of two that have an element, the last draws it.
    parts: Vec<DrawnPart>,
}

/// Elements that follow one another in the tensor and that one sampler draws.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span<'a> {
    pub range: Range<u64>,
    pub sampler: &'a Sampler,
}

impl Distribution {
    /// A whole tensor of this shape, each of whose elements is drawn from this distribution.
    ///
    /// # Errors
    /// Those of [`fill_range`](Distribution::fill_range); [`ErrorKind::Shape`] for more than 2^60 elements, and for others than a
    /// [`Structure`] has.
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Stream};
    ///
    /// let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
    /// let fill = normal.fill(&[50257, 768], Stream::named(42, "wte"), Dtype::F16)?;
    /// assert_eq!(fill.byte_len(), 50257 * 768 * 2);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn fill(&self, shape: &[u64], stream: Stream, dtype: Dtype) -> Result<Fill, Error> {
        let elements = elements(shape)?;
        if let Distribution::Structured(structure) = self {
            let period = structure.period();
            if !elements.is_multiple_of(period) {
                let allowed = format!("a multiple of the {period} elements of {structure}");
                let value = format!("{}, which has {elements}", dimensions(shape));
                return Err(Error::new(ErrorKind::Shape, "the tensor's shape", value, allowed));
            }
        }
        Fill::selected(*self, stream.of_tensor(elements), dtype, Selection::whole(shape))
    }

    /// The elements with these numbers of a tensor of any size, as a tensor of one dimension.
    ///
    /// # Errors
    /// Those of [`Distribution::check`]; [`ErrorKind::Dtype`] and [`ErrorKind::Window`] where the dtype cannot hold what would be
    /// drawn; [`ErrorKind::Parameter`] where another framework's stream has no such distribution; [`ErrorKind::Range`].
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Stream};
    ///
    /// let huge = Distribution::Uniform { low: 0.0, high: 1e6 };
    /// assert!(huge.fill_range(0..8, Stream::numbered(0, 0), Dtype::F16).is_err());
    /// ```
    pub fn fill_range(&self, range: Range<u64>, stream: Stream, dtype: Dtype) -> Result<Fill, Error> {
        checked(&range, MAX_ELEMENTS)?;
        Fill::selected(*self, stream, dtype, Selection::range(range))
    }
}

impl Fill {
    fn selected(distribution: Distribution, stream: Stream, dtype: Dtype, selection: Selection) -> Result<Fill, Error> {
        if let Distribution::Structured(structure) = &distribution {
            once(structure, selection.hull().end)?;
        }
        let sampler = Sampler::new(&distribution, dtype, &stream)?;
        Ok(Fill { distribution, sampler, stream, dtype, selection, parts: Vec::new() })
    }

    /// This fill with another distribution for a slice along a dimension, such as a gate of a packed bias or a padding token's zero row.
    ///
    /// Each element of the slice is the one that this distribution would give it if it drew the whole tensor. If parts overlap, the last
    /// one counts.
    ///
    /// # Errors
    /// Those of [`Distribution::fill_range`] for this one, and of [`slice`](Fill::slice) for these elements; [`ErrorKind::Shape`] for more
    /// than 64 parts, and where a [`Structure`] does not fit into the contiguous elements of the slice; [`ErrorKind::Parameter`] if the
    /// part would be made of the same random words as the elements around it:
    ///
    /// - Kinds of distribution change at an odd element: normals are drawn in pairs, so a part begins and ends at even elements.
    /// - An orthogonal matrix is cut by something random.
    /// - An orthogonal matrix beside something random takes words beyond its own elements: at a tap of a convolution, and where its longer
    ///   side is no multiple of 4.
    /// - Two [sparse](Structure::Sparse) matrices, or two distributions of PyTorch's generator, take words of the whole tensor.
    ///
    /// (Truncated normals of different windows may share some of the candidates that replace rejected ones, within the 1,024 elements
    /// around a border.)
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Fill, Stream, cpu};
    ///
    /// // An LSTM's bias in PyTorch, [4 * hidden]: that of the forget gate, the second of four, at 1.
    /// let [zeros, ones] = [0.0, 1.0].map(|value| Distribution::Constant { value });
    /// let fill = zeros.fill(&[8], Stream::named(42, "bias"), Dtype::F32)?.with_part(0, 2..4, ones)?;
    /// assert_eq!(cpu::vec::<f32>(&fill)?, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn with_part(mut self, dim: usize, range: Range<u64>, distribution: Distribution) -> Result<Fill, Error> {
        let (period, range) = self.selection.along(dim, range)?;
        if let Distribution::Structured(structure) = &distribution {
            let len = structure.period();
            if !is_multiple(len, period, &range) {
                let each = period.map_or("the tensor".into(), |period| format!("each {period}"));
                let value = format!("elements {range:?} of {each}");
                let allowed = format!(
                    "whole multiples of the {len} elements of {structure}: a slice along the first dimension, as long"
                );
                return Err(Error::new(ErrorKind::Shape, "the part", value, allowed));
            }
            once(structure, if period.is_some() { self.range().end } else { range.end })?;
        }
        let sampler = Sampler::new(&distribution, self.dtype, &self.stream)?;
        if self.parts.len() == MAX_PARTS {
            let allowed = format!("at most {MAX_PARTS}");
            return Err(Error::new(ErrorKind::Shape, "the number of parts", MAX_PARTS + 1, allowed));
        }
        let part = DrawnPart { part: FillPart { distribution, period, range }, sampler };
        let end = self.range().end;
        let whole = FillPart { distribution: self.distribution, period: None, range: 0..u64::MAX };
        let whole = DrawnPart { part: whole, sampler: self.sampler };
        if let Some(clash) = self.parts.iter().chain([&whole]).find_map(|before| part.clash(before, end)) {
            return Err(clash.error(&part.part));
        }
        if !part.part.range.is_empty() {
            self.parts.push(part);
        }
        Ok(self)
    }

    /// A slice of this fill along a dimension, for a range of indices.
    ///
    /// A slice of a slice is a block, such as a part of a model that is split along two dimensions.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if there is no such dimension, or this is a part of a slice; [`ErrorKind::Range`] if the slice is not
    /// inside it.
    ///
    /// ```
    /// use fanin::{Dtype, Layout, Stream, cpu, scheme};
    ///
    /// let whole = scheme::normal(0.0, 0.02).fill(&[4, 6], Layout::OUT_IN, Stream::named(42, "w"), Dtype::F32)?;
    /// let columns = whole.slice(1, 2..5)?;
    /// assert_eq!(columns.shape(), [4, 3]);
    /// assert_eq!(cpu::vec::<f32>(&columns)?[..3], cpu::vec::<f32>(&whole)?[2..5]);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn slice(&self, dim: usize, range: Range<u64>) -> Result<Fill, Error> {
        Ok(Fill { selection: self.selection.slice(dim, range)?, ..self.clone() })
    }

    /// Elements of this fill, by their numbers in the whole tensor.
    ///
    /// # Errors
    /// [`ErrorKind::Range`] if this fill does not have all of them, one after the other.
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Stream};
    ///
    /// let zeros = Distribution::Constant { value: 0.0 };
    /// let fill = zeros.fill_range(100..200, Stream::numbered(0, 0), Dtype::F32)?;
    /// assert_eq!(fill.elements(150..160)?.len(), 10);
    /// assert!(fill.elements(0..10).is_err());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn elements(&self, range: Range<u64>) -> Result<Fill, Error> {
        let all = self.range();
        checked(&range, all.end)?;
        let clipped = Fill { selection: self.selection.clip(range.clone()), ..self.clone() };
        if clipped.len() != range.end - range.start || range.start < all.start {
            let allowed =
                format!("elements that follow one another in this fill, from {} to before {}", all.start, all.end);
            return Err(Error::new(ErrorKind::Range, "the element range", format!("{range:?}"), allowed));
        }
        Ok(clipped)
    }

    /// The first `len` elements of this fill, or all if it has no more, and those after them.
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Fill, Stream};
    ///
    /// let zeros = Distribution::Constant { value: 0.0 };
    /// let fill = zeros.fill_range(100..200, Stream::numbered(0, 0), Dtype::F32)?;
    /// let (first, rest) = fill.split_at(30);
    /// assert_eq!((first.range(), rest.range()), (100..130, 130..200));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn split_at(&self, len: u64) -> (Fill, Fill) {
        let (first, rest) = self.selection.split_at(len.min(self.len()));
        (Fill { selection: first, ..self.clone() }, Fill { selection: rest, ..self.clone() })
    }

    /// The distribution that draws all elements, or `None` if [`parts`](Fill::parts) have other distributions.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream};
    /// # let [zeros, ones] = [0.0, 1.0].map(|value| Distribution::Constant { value });
    /// let fill = zeros.fill(&[8], Stream::numbered(0, 0), Dtype::F16)?;
    /// assert_eq!(fill.distribution(), Some(&zeros));
    /// let fill = fill.with_part(0, 2..4, ones)?;
    /// assert_eq!(fill.distribution(), None);
    /// assert_eq!(fill.slice(0, 2..4)?.distribution(), Some(&ones));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn distribution(&self) -> Option<&Distribution> {
        let all = self.range();
        match self.parts.iter().rev().find(|part| part.meets(&all)) {
            None => Some(&self.distribution),
            // Whatever comes before a part that covers all draws nothing.
            Some(part) => {
                matches!(part.at(all.start), (true, border) if border >= all.end).then_some(&part.part.distribution)
            }
        }
    }

    /// The elements that other distributions draw; of two parts that have an element, the last one draws it.
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Fill, Stream};
    ///
    /// // An LSTM's bias in PyTorch, [4 * hidden]: that of the forget gate, the second of four, at 1.
    /// let [zeros, ones] = [0.0, 1.0].map(|value| Distribution::Constant { value });
    /// let fill = zeros.fill(&[8], Stream::named(42, "bias"), Dtype::F32)?.with_part(0, 2..4, ones)?;
    /// let part = fill.parts().next().unwrap();
    /// assert_eq!((part.distribution, part.period, part.range.clone()), (ones, None, 2..4));
    /// assert_eq!(fill.to_string(), "f32 [8], constant(0), but constant(1) at elements 2..4");
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn parts(&self) -> impl Iterator<Item = &FillPart> {
        let all = self.range();
        self.parts.iter().filter(move |part| part.meets(&all)).map(|part| &part.part)
    }

    /// The random words that it is made of.
    pub const fn stream(&self) -> Stream {
        self.stream
    }

    /// The element type.
    pub const fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The dimensions of what is drawn; of a range, or of what is cut out of a tensor, one alone.
    pub fn shape(&self) -> Vec<u64> {
        self.selection.shape()
    }

    /// The tensor's elements from the first one that is drawn to the last; a slice leaves out some of those between.
    pub fn range(&self) -> Range<u64> {
        self.selection.hull()
    }

    /// The number of elements.
    pub fn len(&self) -> u64 {
        self.selection.len()
    }

    /// True if nothing is drawn.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of bytes.
    pub fn byte_len(&self) -> u64 {
        self.dtype.bytes(self.len())
    }

    /// The smallest number of elements that is efficient to draw at once. It is above 1 only for orthogonal matrices: a shorter part of
    /// one takes several times its share of the whole matrix's time.
    ///
    /// ```
    /// use fanin::{Dtype, Layout, Stream, scheme};
    ///
    /// let fill = |scheme: fanin::Scheme, shape: &[u64]| scheme.fill(shape, Layout::OUT_IN, Stream::named(42, "w"), Dtype::F32);
    /// assert_eq!(fill(scheme::normal(0.0, 1.0), &[50000, 64])?.efficient_len(), 1);
    /// // Rows that are longer than there are columns are drawn together.
    /// assert_eq!(fill(scheme::orthogonal(1.0), &[50000, 64])?.efficient_len(), 50000 * 64);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn efficient_len(&self) -> u64 {
        self.orthogonals().into_iter().map(Twin::efficient_len).max().unwrap_or(1).min(self.len())
    }

    /// The number of runs of elements that follow one another in the tensor.
    pub(crate) fn runs(&self) -> u64 {
        self.selection.runs()
    }

    /// A number of spans that is no less than there are.
    pub(crate) fn most_spans(&self) -> u64 {
        let all = self.range();
        let borders = |part: &DrawnPart| 2 + part.part.period.map_or(0, |period| 2 * ((all.end - all.start) / period));
        self.parts.iter().map(borders).fold(self.runs(), u64::saturating_add)
    }

    /// The samplers that draw its elements.
    pub(crate) fn samplers(&self) -> impl Iterator<Item = &Sampler> {
        let all = self.range();
        let parts = self.parts.iter().filter(move |part| part.meets(&all));
        std::iter::once(&self.sampler).chain(parts.map(|part| &part.sampler))
    }

    /// The samplers of its orthogonal matrices, each once.
    pub(crate) fn orthogonals(&self) -> Vec<&Orthogonal> {
        let mut found = Vec::new();
        for sampler in self.samplers() {
            if let Sampler::Orthogonal(orthogonal) = sampler
                && !found.contains(&orthogonal)
                // A sampler whose elements others cover draws nothing.
                && self.ranges_of(orthogonal).next().is_some()
            {
                found.push(orthogonal);
            }
        }
        found
    }

    /// The elements that these matrices draw, as ranges, each with the number of elements of the fill before it.
    pub(crate) fn ranges_of(&self, orthogonal: &Orthogonal) -> impl Iterator<Item = (u64, Range<u64>)> {
        let sampler = Sampler::Orthogonal(*orthogonal);
        let mut at = 0;
        self.spans().filter_map(move |span| {
            let before = at;
            at += span.range.end - span.range.start;
            (*span.sampler == sampler).then_some((before, span.range))
        })
    }

    /// The elements in order, as ranges of which one sampler draws each.
    pub(crate) fn spans(&self) -> impl Iterator<Item = Span<'_>> {
        self.selection.ranges().flat_map(move |Range { mut start, end }| {
            std::iter::from_fn(move || {
                (start < end).then(|| {
                    let (mut sampler, mut next) = (&self.sampler, end);
                    for part in &self.parts {
                        let (has, border) = part.at(start);
                        next = next.min(border);
                        if has {
                            sampler = &part.sampler;
                        }
                    }
                    let range = start..next;
                    start = next;
                    Span { range, sampler }
                })
            })
        })
    }
}

/// `bf16 [4, 8], normal(0, 0.02^2)`, with its [parts](Fill::parts) and, of a part of a tensor, with the elements that it is within.
impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.dtype, dimensions(&self.shape()))?;
        if self.range() != (0..self.len()) {
            write!(f, " within elements {:?}", self.range())?;
        }
        match self.distribution() {
            Some(distribution) => write!(f, ", {distribution}"),
            None => {
                write!(f, ", {}", self.distribution)?;
                self.parts()
                    .enumerate()
                    .try_for_each(|(at, part)| write!(f, ", {}{part}", if at == 0 { "but " } else { "" }))
            }
        }
    }
}

/// A check that a structure that does not repeat ends after these elements.
fn once(structure: &Structure, end: u64) -> Result<(), Error> {
    let period = structure.period();
    if end <= period || !matches!(structure, Structure::Sparse { .. }) {
        return Ok(());
    }
    let value = format!("up to {end}");
    Err(Error::new(ErrorKind::Range, "elements", value, format!("the {period} of {structure}")))
}

fn checked(range: &Range<u64>, limit: u64) -> Result<(), Error> {
    if range.start <= range.end && range.end <= limit {
        return Ok(());
    }
    let allowed = format!("start <= end <= {limit}");
    Err(Error::new(ErrorKind::Range, "the element range", format!("{range:?}"), allowed))
}
