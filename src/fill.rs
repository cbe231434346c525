//! One job for either backend: a distribution, a stream, a dtype and a range of elements.

use std::ops::Range;

use crate::fan::MAX_ELEMENTS;
use crate::sampler::Sampler;
use crate::{Distribution, Dtype, Error, Stream};

/// A range of elements of one tensor, ready to be drawn by [`cpu::fill`](crate::cpu::fill) into a slice or by
/// [`GpuFiller`](crate::gpu::GpuFiller) into a buffer, with the same bits.
///
/// A `Fill` that exists is valid: all that can be wrong with its parameters was said by [`Fill::new`].
///
/// ```
/// use fanin::{Distribution, Dtype, Fill, Stream, cpu};
///
/// let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
/// let fill = Fill::new(&normal, Stream::named(42, "wte"), Dtype::F32, 0..1000)?;
/// let mut whole = vec![0f32; 1000];
/// cpu::fill(&fill, &mut whole)?;
///
/// // A shard, drawn alone, is the slice of the whole.
/// let mut shard = vec![0f32; 100];
/// cpu::fill(&fill.part(300..400)?, &mut shard)?;
/// assert_eq!(shard, whole[300..400]);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Fill {
    pub(crate) sampler: Sampler,
    pub(crate) stream: Stream,
    dtype: Dtype,
    range: Range<u64>,
}

impl Fill {
    /// Elements `range` of the tensor that `distribution` and `stream` make in this dtype.
    ///
    /// # Errors
    /// Those of [`Distribution::check`]; [`Error::OutsideDtype`] and [`Error::NoValueInWindow`] where the dtype cannot
    /// hold what would be drawn; [`Error::Range`].
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Fill, Stream};
    ///
    /// let huge = Distribution::Uniform { low: 0.0, high: 1e6 };
    /// assert!(Fill::new(&huge, Stream::numbered(0, 0), Dtype::F16, 0..8).is_err());
    /// ```
    pub fn new(distribution: &Distribution, stream: Stream, dtype: Dtype, range: Range<u64>) -> Result<Fill, Error> {
        checked(&range, MAX_ELEMENTS)?;
        Ok(Fill { sampler: Sampler::new(distribution, dtype, &stream)?, stream, dtype, range })
    }

    /// A part of this fill, by element numbers of the tensor (not of this fill).
    ///
    /// # Errors
    /// [`Error::Range`] if the part is not inside this fill.
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
        checked(&range, self.range.end)?;
        if range.start < self.range.start {
            return Err(Error::Range { start: range.start, end: range.end, limit: self.range.end });
        }
        Ok(Fill { range, ..self.clone() })
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

    /// The elements of the tensor that are drawn.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream};
    /// # let zeros = Distribution::Constant { value: 0.0 };
    /// let fill = Fill::new(&zeros, Stream::numbered(0, 0), Dtype::F16, 5..8)?;
    /// assert_eq!(fill.range(), 5..8);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
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
    pub const fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Whether nothing is drawn.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream};
    /// # let zeros = Distribution::Constant { value: 0.0 };
    /// assert!(Fill::new(&zeros, Stream::numbered(0, 0), Dtype::F16, 5..5)?.is_empty());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const fn is_empty(&self) -> bool {
        self.range.end == self.range.start
    }
}

fn checked(range: &Range<u64>, limit: u64) -> Result<(), Error> {
    if range.start <= range.end && range.end <= limit {
        Ok(())
    } else {
        Err(Error::Range { start: range.start, end: range.end, limit })
    }
}
