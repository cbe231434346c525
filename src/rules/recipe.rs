//! Recipes: how a tensor is drawn, from its rule to a file's metadata and back to a fill.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::dimensions;
use crate::{Distribution, Dtype, Error, ErrorKind, Fill, Seed, Stream};

pub(super) const ZERO: Distribution = Distribution::Constant { value: 0.0 };

/// The recipe of a tensor: how it is drawn, but for the seed.
///
/// ```
/// use fanin::rules::Recipe;
/// use fanin::{Distribution, Dtype, cpu};
///
/// let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
/// let zeros = Distribution::Constant { value: 0.0 };
/// let recipe = Recipe::new(normal, [100, 8], "word_embeddings.weight").with_part(0, 0..1, zeros);
/// assert_eq!(cpu::vec::<f32>(&recipe.fill(42, Dtype::F32)?)?[..8], [0.0; 8]);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recipe {
    /// The distribution of all elements that no part has.
    pub distribution: Distribution,
    /// The dimensions of the whole tensor.
    pub shape: Vec<u64>,
    /// Its own dtype: the one that the rule asks for, or else the model has it in, if either is known.
    pub dtype: Option<Dtype>,
    /// The name that the stream is made of: the tensor's own, unless the rule names another.
    pub stream: String,
    /// True if the tensor has the seed alone, and is none of a model: see [`Seed::stream_alone`].
    pub alone: bool,
    /// Slices of it that have a distribution of their own; of those that overlap, the last one counts.
    pub parts: Vec<Part>,
    /// The slices that lead to the part that is drawn; each is a slice of the one before. If there are none, all is drawn.
    pub slices: Vec<Slice>,
    /// The number that a file's E4M3 numbers of this tensor are multiplied by, if the file holds such numbers.
    pub scale: Option<f32>,
}

/// A part of a tensor: a slice along a dimension that has a distribution of its own.
///
/// See [`Recipe::with_part`] for an example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Part {
    /// The dimension.
    pub dim: usize,
    /// The indices along it.
    pub range: Range<u64>,
    /// The distribution of its elements.
    pub distribution: Distribution,
}

/// A slice of a tensor along a dimension; without one, elements in row-major order.
///
/// ```
/// use fanin::rules::{Recipe, Slice};
/// use fanin::{Distribution, Dtype};
///
/// let mut recipe = Recipe::new(Distribution::Normal { mean: 0.0, std: 0.02 }, [100, 8], "wte");
/// recipe.slices.push(Slice { dim: Some(1), start: 0, end: 4 });
/// assert_eq!(recipe.fill(42, Dtype::F32)?.shape(), [100, 4]);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// The dimension, or `None` for elements in row-major order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dim: Option<usize>,
    /// The first index, or element.
    pub start: u64,
    /// The one after the last.
    pub end: u64,
}

/// `row 3 zero`, or `constant(1) at 2..4 along dimension 0`.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Part { dim, range, distribution } = self;
        if self.is_zero_row() {
            return write!(f, "row {} zero", range.start);
        }
        write!(f, "{distribution} at {}..{} along dimension {dim}", range.start, range.end)
    }
}

impl Part {
    /// Whether it is a row along the first dimension that is zero, such as that of a padding token.
    ///
    /// ```
    /// use fanin::Distribution;
    /// use fanin::rules::Recipe;
    ///
    /// let [ones, zeros] = [1.0, 0.0].map(|value| Distribution::Constant { value });
    /// let recipe = Recipe::new(ones, [100, 8], "wte").with_part(0, 3..4, zeros);
    /// assert!(recipe.parts[0].is_zero_row());
    /// ```
    pub fn is_zero_row(&self) -> bool {
        self.dim == 0 && self.range.end.checked_sub(self.range.start) == Some(1) && self.distribution == ZERO
    }
}

/// `normal(0, 0.02^2), row 3 zero`: the distribution, and the parts.
impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.distribution)?;
        self.parts.iter().try_for_each(|part| write!(f, ", {part}"))
    }
}

impl Recipe {
    /// This distribution in a tensor of this shape, with the stream of this name.
    ///
    /// See [`Recipe`] for an example.
    pub fn new(distribution: Distribution, shape: impl Into<Vec<u64>>, stream: impl Into<String>) -> Recipe {
        let (shape, stream) = (shape.into(), stream.into());
        Recipe { distribution, shape, dtype: None, stream, alone: false, parts: vec![], slices: vec![], scale: None }
    }

    /// The same, but for a slice along a dimension that has another distribution.
    ///
    /// ```
    /// use fanin::rules::Recipe;
    /// use fanin::{Distribution, Dtype, cpu};
    ///
    /// // The bias of a forget gate, the second of four.
    /// let [zeros, ones] = [0.0, 1.0].map(|value| Distribution::Constant { value });
    /// let recipe = Recipe::new(zeros, [8], "lstm.bias_ih_l0").with_part(0, 2..4, ones);
    /// assert_eq!(cpu::vec::<f32>(&recipe.fill(42, Dtype::F32)?)?, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    #[must_use]
    pub fn with_part(mut self, dim: usize, range: Range<u64>, distribution: Distribution) -> Recipe {
        self.parts.push(Part { dim, range, distribution });
        self
    }

    /// The distribution, and those of the parts.
    pub fn distributions(&self) -> impl Iterator<Item = &Distribution> {
        std::iter::once(&self.distribution).chain(self.parts.iter().map(|part| &part.distribution))
    }

    /// The fill of the tensor for this seed, in this dtype; `None` stands for [the tensor's own dtype](Recipe::dtype).
    ///
    /// # Errors
    /// Those of [`stream`](Recipe::stream), [`check_in`](Recipe::check_in) and [`fill_of`](Recipe::fill_of); [`ErrorKind::Dtype`] for
    /// `None` where it has no dtype of its own.
    ///
    /// See [`Recipe`] for an example.
    pub fn fill(&self, seed: impl Into<Seed>, dtype: impl Into<Option<Dtype>>) -> Result<Fill, Error> {
        let dtype = dtype.into().or(self.dtype).ok_or_else(|| {
            let allowed = "one that is asked for, or that its rule or the model's list says";
            Error::new(ErrorKind::Dtype, "the dtype", "not said", allowed)
        })?;
        self.check_in(dtype)?;
        self.fill_of(self.stream(seed)?, dtype)
    }

    /// A check that values that are meant to vary do not all become one in this dtype: see [`Distribution::check_in`].
    ///
    /// # Errors
    /// Those of [`Distribution::check_in`].
    ///
    /// ```
    /// use fanin::rules::Recipe;
    /// use fanin::{Distribution, Dtype};
    ///
    /// let recipe = Recipe::new(Distribution::Normal { mean: 1.0, std: 1e-4 }, [768], "norm.weight");
    /// assert!(recipe.check_in(Dtype::F32).is_ok() && recipe.check_in(Dtype::BF16).is_err());
    /// ```
    pub fn check_in(&self, dtype: Dtype) -> Result<(), Error> {
        if self.shape.contains(&0) {
            return Ok(());
        }
        // What draws no element varies in none.
        let is_all = |part: &Part| self.shape.get(part.dim).is_some_and(|&size| part.range == (0..size));
        if !self.parts.iter().any(is_all) {
            self.distribution.check_in(dtype)?;
        }
        let drawn = self.parts.iter().filter(|part| !part.range.is_empty());
        drawn.into_iter().try_for_each(|part| part.distribution.check_in(dtype))
    }

    /// Its stream for this seed.
    ///
    /// # Errors
    /// Those of [`Seed::stream`], or of [`Seed::stream_alone`].
    ///
    /// ```
    /// use fanin::rules::Recipe;
    /// use fanin::{Distribution, Stream};
    ///
    /// let recipe = Recipe::new(Distribution::Normal { mean: 0.0, std: 0.02 }, [100, 8], "wte");
    /// assert_eq!(recipe.stream(42)?, Stream::named(42, "wte"));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn stream(&self, seed: impl Into<Seed>) -> Result<Stream, Error> {
        let seed = seed.into();
        if self.alone { seed.stream_alone(&self.stream) } else { seed.stream(&self.stream) }
    }

    /// The fill of the tensor with a given stream, in this dtype. If the dtype holds only one value of a distribution, that value is drawn.
    ///
    /// # Errors
    /// Those of [`Distribution::fill`](crate::Distribution::fill), [`Fill::with_part`], [`Fill::slice`] and [`Fill::elements`].
    ///
    /// ```
    /// use fanin::rules::Recipe;
    /// use fanin::{Distribution, Dtype, Stream};
    ///
    /// let recipe = Recipe::new(Distribution::Normal { mean: 0.0, std: 0.02 }, [4, 4], "w");
    /// assert_eq!(recipe.fill_of(Stream::keras(42), Dtype::F32)?.len(), 16);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn fill_of(&self, stream: Stream, dtype: Dtype) -> Result<Fill, Error> {
        let fill = self.distribution.fill(&self.shape, stream, dtype)?;
        let rows = self.shape.first().copied().unwrap_or(0);
        let with = |fill: Fill, part: &Part| {
            let (row, range) = (part.range.start, part.range.clone());
            if !part.is_zero_row() {
                return fill.with_part(part.dim, range, part.distribution);
            }
            if row >= rows {
                let allowed = format!("below {rows} in the shape {}", dimensions(&self.shape));
                return Err(Error::new(ErrorKind::Shape, "the zero row", row, allowed));
            }
            // A row of -0 is one of zeros, too.
            fill.with_part(0, range, ZERO)
        };
        let whole = self.parts.iter().try_fold(fill, with)?;
        self.slices.iter().try_fold(whole, |fill, slice| slice.cut(&fill))
    }
}

impl Slice {
    fn cut(self, fill: &Fill) -> Result<Fill, Error> {
        match self.dim {
            None => fill.elements(self.start..self.end),
            Some(dim) => fill.slice(dim, self.start..self.end),
        }
    }
}
