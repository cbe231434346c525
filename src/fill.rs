//! One job for either backend: a distribution, a stream, a dtype and some elements of a tensor.

use std::ops::Range;

use crate::error::dimensions;
use crate::fan::MAX_ELEMENTS;
use crate::sampler::Sampler;
use crate::selection::Selection;
use crate::{Distribution, Dtype, Error, ErrorKind, Stream, elements};

/// Elements of one tensor, ready to be drawn by [`cpu`](crate::cpu) into memory of the host or by `gpu::GpuFiller` into a buffer,
/// with the same bits: a whole tensor, a slice of one along its dimensions, or a range of its elements.
///
/// What is drawn lies close together, in row-major order. A `Fill` that exists is valid: all that can be wrong with its parameters
/// was said when it was made.
///
/// ```
/// use fanin::{Distribution, Dtype, Fill, Stream, cpu};
///
/// let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
/// let fill = Fill::tensor(&normal, Stream::named(42, "wte"), Dtype::F32, &[100, 10])?;
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
    /// Elements that are zero, whatever is drawn.
    zeros: Range<u64>,
}

/// Elements that follow one another in the tensor, and whether they are zero.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub range: Range<u64>,
    pub zero: bool,
}

impl Fill {
    /// Elements `range` of the tensor that `distribution` and `stream` make in this dtype, as a tensor of one dimension.
    ///
    /// # Errors
    /// Those of [`Distribution::check`]; [`ErrorKind::Dtype`] and [`ErrorKind::Window`] where the dtype cannot hold what would be
    /// drawn; [`ErrorKind::Parameter`] where another framework's stream has no such distribution; [`ErrorKind::Range`].
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Fill, Stream};
    ///
    /// let huge = Distribution::Uniform { low: 0.0, high: 1e6 };
    /// assert!(Fill::new(&huge, Stream::numbered(0, 0), Dtype::F16, 0..8).is_err());
    /// ```
    pub fn new(distribution: &Distribution, stream: Stream, dtype: Dtype, range: Range<u64>) -> Result<Fill, Error> {
        checked(&range, MAX_ELEMENTS)?;
        Fill::of(distribution, stream, dtype, Selection::range(range))
    }

    /// A whole tensor of this shape.
    ///
    /// # Errors
    /// Those of [`Fill::new`]; [`ErrorKind::Shape`] for more than 2^60 elements.
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Fill, Stream};
    ///
    /// let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
    /// let fill = Fill::tensor(&normal, Stream::named(42, "wte"), Dtype::F16, &[50257, 768])?;
    /// assert_eq!(fill.byte_len(), 50257 * 768 * 2);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn tensor(distribution: &Distribution, stream: Stream, dtype: Dtype, shape: &[u64]) -> Result<Fill, Error> {
        elements(shape)?;
        Fill::of(distribution, stream, dtype, Selection::whole(shape))
    }

    fn of(distribution: &Distribution, stream: Stream, dtype: Dtype, selection: Selection) -> Result<Fill, Error> {
        let sampler = Sampler::new(distribution, dtype, &stream)?;
        Ok(Fill { distribution: *distribution, sampler, stream, dtype, selection, zeros: 0..0 })
    }

    /// The same, but for a row along the first dimension that is zero, such as that of a padding token.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if there is no such row, if this is no whole tensor or slice of its rows, or if another row is zero.
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Fill, Stream, cpu};
    ///
    /// let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
    /// let fill = Fill::tensor(&normal, Stream::named(42, "wte"), Dtype::F32, &[3, 2])?.with_zero_row(1)?;
    /// assert_eq!(cpu::vec::<f32>(&fill)?[2..4], [0.0, 0.0]);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn with_zero_row(self, row: u64) -> Result<Fill, Error> {
        let shape = self.shape();
        let rows = shape.first().copied().unwrap_or(0);
        if row >= rows {
            let allowed = format!("below {rows} in the shape {}", dimensions(&shape));
            return Err(Error::new(ErrorKind::Shape, "the zero row", row, allowed));
        }
        let wrong =
            |value| Error::new(ErrorKind::Shape, "what has a zero row", value, "a whole tensor, or rows of one");
        if !self.selection.has_rows() {
            return Err(wrong("a slice along another dimension, or some elements of a tensor"));
        }
        if !self.zeros.is_empty() {
            return Err(wrong("one that has another"));
        }
        let (per_row, start) = (self.len() / rows, self.range().start);
        Ok(Fill { zeros: start + row * per_row..start + (row + 1) * per_row, ..self })
    }

    /// A slice along a dimension, from an index on to before another.
    ///
    /// Slices of slices are blocks: those of a model that is split along two dimensions.
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

    /// A part of this fill, by element numbers of the whole tensor.
    ///
    /// # Errors
    /// [`ErrorKind::Range`] if the part is not inside this fill.
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Fill, Stream};
    ///
    /// let zeros = Distribution::Constant { value: 0.0 };
    /// let fill = Fill::new(&zeros, Stream::numbered(0, 0), Dtype::F32, 100..200)?;
    /// assert_eq!(fill.part(150..160)?.len(), 10);
    /// assert!(fill.part(0..10).is_err());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn part(&self, range: Range<u64>) -> Result<Fill, Error> {
        let all = self.range();
        checked(&range, all.end)?;
        let part = self.clip(range.clone());
        if part.len() != range.end - range.start || range.start < all.start {
            let allowed =
                format!("elements that follow one another in this fill, from {} to before {}", all.start, all.end);
            return Err(Error::new(ErrorKind::Range, "the element range", format!("{range:?}"), allowed));
        }
        Ok(part)
    }

    /// What this fill has of a range of the whole tensor's elements, which may be nothing: a process's share, say.
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Fill, Stream};
    ///
    /// let zeros = Distribution::Constant { value: 0.0 };
    /// let fill = Fill::new(&zeros, Stream::numbered(0, 0), Dtype::F32, 100..200)?;
    /// assert_eq!(fill.clip(0..150).range(), 100..150);
    /// assert!(fill.clip(0..50).is_empty());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn clip(&self, range: Range<u64>) -> Fill {
        Fill { selection: self.selection.clip(range), ..self.clone() }
    }

    /// Its first `len` elements, or all if it has no more, and those after them.
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Fill, Stream};
    ///
    /// let zeros = Distribution::Constant { value: 0.0 };
    /// let fill = Fill::new(&zeros, Stream::numbered(0, 0), Dtype::F32, 100..200)?;
    /// let (first, rest) = fill.split_at(30);
    /// assert_eq!((first.range(), rest.range()), (100..130, 130..200));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn split_at(&self, len: u64) -> (Fill, Fill) {
        let (first, rest) = self.selection.split_at(len.min(self.len()));
        (Fill { selection: first, ..self.clone() }, Fill { selection: rest, ..self.clone() })
    }

    /// What is drawn.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream};
    /// # let zeros = Distribution::Constant { value: 0.0 };
    /// let fill = Fill::new(&zeros, Stream::numbered(0, 0), Dtype::F16, 0..3)?;
    /// assert_eq!(fill.distribution(), &zeros);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const fn distribution(&self) -> &Distribution {
        &self.distribution
    }

    /// The random words that it is made of.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream};
    /// # let zeros = Distribution::Constant { value: 0.0 };
    /// let fill = Fill::new(&zeros, Stream::numbered(0, 7), Dtype::F16, 0..3)?;
    /// assert_eq!(fill.stream(), Stream::numbered(0, 7));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const fn stream(&self) -> Stream {
        self.stream
    }

    /// The element type.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream};
    /// # let zeros = Distribution::Constant { value: 0.0 };
    /// let fill = Fill::new(&zeros, Stream::numbered(0, 0), Dtype::F16, 0..3)?;
    /// assert_eq!(fill.dtype(), Dtype::F16);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The dimensions of what is drawn; of a range, or of what is cut out of a tensor, one alone.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream};
    /// # let zeros = Distribution::Constant { value: 0.0 };
    /// let fill = Fill::tensor(&zeros, Stream::numbered(0, 0), Dtype::F16, &[5, 8])?;
    /// assert_eq!(fill.slice(1, 2..4)?.shape(), [5, 2]);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn shape(&self) -> Vec<u64> {
        self.selection.shape()
    }

    /// The tensor's elements from the first one that is drawn to the last; a slice leaves out some of those between.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream};
    /// # let zeros = Distribution::Constant { value: 0.0 };
    /// let fill = Fill::new(&zeros, Stream::numbered(0, 0), Dtype::F16, 5..8)?;
    /// assert_eq!(fill.range(), 5..8);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn range(&self) -> Range<u64> {
        self.selection.hull()
    }

    /// How many elements are drawn.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream};
    /// # let zeros = Distribution::Constant { value: 0.0 };
    /// let fill = Fill::new(&zeros, Stream::numbered(0, 0), Dtype::F16, 5..8)?;
    /// assert_eq!((fill.len(), fill.is_empty()), (3, false));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn len(&self) -> u64 {
        self.selection.len()
    }

    /// Whether nothing is drawn.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream};
    /// # let zeros = Distribution::Constant { value: 0.0 };
    /// assert!(Fill::new(&zeros, Stream::numbered(0, 0), Dtype::F16, 5..5)?.is_empty());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes are drawn.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream};
    /// # let zeros = Distribution::Constant { value: 0.0 };
    /// assert_eq!(Fill::new(&zeros, Stream::numbered(0, 0), Dtype::F16, 5..8)?.byte_len(), 6);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn byte_len(&self) -> u64 {
        self.dtype.bytes(self.len())
    }

    /// How many runs of elements follow one another in the tensor.
    pub(crate) fn runs(&self) -> u64 {
        self.selection.runs()
    }

    /// Whether some of the elements are zeros.
    #[cfg(feature = "gpu")]
    pub(crate) fn has_zeros(&self) -> bool {
        let all = self.range();
        self.zeros.start.max(all.start) < self.zeros.end.min(all.end)
    }

    /// What is drawn, in order, as elements that follow one another.
    pub(crate) fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        let Range { start, end } = self.zeros;
        self.selection.ranges().flat_map(move |range| {
            // Before the zeros, they, and after them.
            let (from, to) = (start.clamp(range.start, range.end), end.clamp(range.start, range.end));
            [(range.start..from, false), (from..to, true), (to..range.end, false)]
                .map(|(range, zero)| Span { range, zero })
                .into_iter()
                .filter(|span| !span.range.is_empty())
        })
    }

    /// What draws a span.
    pub(crate) fn sampler_of(&self, span: &Span) -> Sampler {
        if span.zero { Sampler::ZERO } else { self.sampler }
    }
}

fn checked(range: &Range<u64>, limit: u64) -> Result<(), Error> {
    if range.start <= range.end && range.end <= limit {
        return Ok(());
    }
    let allowed = format!("start <= end <= {limit}");
    Err(Error::new(ErrorKind::Range, "the element range", format!("{range:?}"), allowed))
}
