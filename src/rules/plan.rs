//! Plans: the draw of each tensor of a model, by rules.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use crate::error::quoted;
use crate::{Distribution, Dtype, Error, ErrorKind, Fans, Fill, Layout, Stream};

/// The plan of a model: the draw of each tensor by rules, in the model's order.
///
/// ```
/// use fanin::rules::{Rules, Tensor};
///
/// let norm = Tensor::new("model.norm.weight", [4096]);
/// let plan = Rules::preset("llama")?.plan(&[norm])?;
/// assert_eq!(plan.tensors()[0].draw.as_ref().unwrap().distribution, fanin::Distribution::Constant { value: 1.0 });
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub(super) tensors: Vec<Planned>,
    pub(super) unmet: Vec<RuleLine>,
}

impl Plan {
    /// The tensors.
    ///
    /// See [`Plan`] for an example.
    pub fn tensors(&self) -> &[Planned] {
        &self.tensors
    }

    /// The rules that no tensor met, with the first pattern of each: of rules that are written for this model, mistakes.
    ///
    /// ```
    /// # use fanin::rules::{Rules, Tensor};
    /// let rules: Rules = "[[rule]]\nname = 'wieght'\nscheme = 'ones'\n[[rule]]\nname = '*'\nscheme = 'zeros'".parse()?;
    /// let plan = rules.plan(&[Tensor::new("weight", [8])])?;
    /// assert_eq!((plan.unmet().len(), plan.unmet()[0].line), (1, 1));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn unmet(&self) -> &[RuleLine] {
        &self.unmet
    }

    /// The same, to be taken apart.
    ///
    /// ```
    /// # use fanin::rules::{Rules, Tensor};
    /// let plan = Rules::preset("llama")?.plan(&[Tensor::new("model.norm.weight", [4096])])?;
    /// let names: Vec<String> = plan.into_tensors().into_iter().map(|planned| planned.name).collect();
    /// # let _ = names;
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn into_tensors(self) -> Vec<Planned> {
        self.tensors
    }

    /// The fills of all tensors that are drawn, with their names, for this seed: all in this dtype, as by `fanin init --dtype`; with `None`
    /// each tensor in [its own](Draw::dtype), which its rule or the model says.
    ///
    /// # Errors
    /// Those of [`Draw::fill`], with the tensor's name.
    ///
    /// ```
    /// use fanin::rules::{Rules, Tensor};
    /// use fanin::{Dtype, cpu};
    ///
    /// let plan = Rules::preset("llama")?.plan(&[Tensor::new("lm_head.weight", [320, 64])])?;
    /// for (name, fill) in plan.fills(42, Dtype::BF16)? {
    ///     let bytes = cpu::bytes(&fill)?;
    ///     assert_eq!((name, bytes.len()), ("lm_head.weight", 320 * 64 * 2));
    /// }
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn fills(&self, seed: u64, dtype: impl Into<Option<Dtype>>) -> Result<Vec<(&str, Fill)>, Error> {
        let dtype = dtype.into();
        let drawn = self.tensors.iter().filter_map(|planned| Some((planned, planned.draw.as_ref()?)));
        drawn
            .map(|(planned, draw)| {
                let fill = draw.fill(seed, dtype).map_err(|e| e.at(of_tensor(&planned.name)))?;
                Ok((planned.name.as_str(), fill))
            })
            .collect()
    }
}

/// The plan of a tensor.
///
/// See [`Plan`] for an example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Planned {
    /// The tensor's name.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<u64>,
    /// The rule that it met; none, where it holds integers, of which no rule is asked, or is optional and met none.
    pub rule: Option<RuleLine>,
    /// The draw; nothing, where the rule says `skip`, or there is none, or it cannot be drawn and is optional.
    pub draw: Option<Draw>,
    /// The meaning of its dimensions, where it is drawn.
    pub layout: Option<Layout>,
    /// Its fans, or those of the tensor whose fans it takes; of a tensor in equal blocks those of a block; where there are any.
    pub fans: Option<Fans>,
    /// How ranks share it, if the rule says so.
    pub split: Option<Split>,
}

/// How the processes that draw a model together, its ranks, share a tensor.
///
/// ```
/// use fanin::rules::{Rules, Split, Tensor};
///
/// let rules: Rules = "[[rule]]\nname = '*.down_proj.weight'\nscheme = 'normal:std=0.02'\nsplit = 1".parse()?;
/// let plan = rules.plan(&[Tensor::new("mlp.down_proj.weight", [64, 256])])?;
/// assert_eq!(plan.tensors()[0].split, Some(Split::Along(1)));
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Split {
    /// Each has all of it.
    Whole,
    /// One of them has it.
    Tensor,
    /// Each has a slice along this dimension.
    Along(usize),
    /// Along each axis of a mesh of ranks that is named here, a slice along this dimension.
    Mesh(BTreeMap<String, usize>),
}

/// `whole`, `tensor`, `0`, or `ep=0,tp=1`.
impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Split::Whole => f.pad("whole"),
            Split::Tensor => f.pad("tensor"),
            Split::Along(dim) => f.pad(&dim.to_string()),
            Split::Mesh(axes) => {
                f.pad(&axes.iter().map(|(axis, dim)| format!("{axis}={dim}")).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// A slice of a tensor that has a distribution of its own.
///
/// See [`Draw::with_part`] for an example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Part {
    /// Along which dimension.
    pub dim: usize,
    /// The indices along it.
    pub range: Range<u64>,
    /// The distribution of its elements.
    pub distribution: Distribution,
}

impl Part {
    /// Whether it is a row along the first dimension that is zero, such as that of a padding token.
    ///
    /// ```
    /// use fanin::Distribution;
    /// use fanin::rules::Draw;
    ///
    /// let draw = Draw::new(Distribution::Normal { mean: 0.0, std: 0.02 }, [100, 8], "wte").with_zero_row(3);
    /// assert!(draw.parts[0].is_zero_row());
    /// ```
    pub fn is_zero_row(&self) -> bool {
        self.dim == 0 && self.range.end.checked_sub(self.range.start) == Some(1) && self.distribution == ZERO
    }
}

/// The rule that a tensor met.
///
/// ```
/// use fanin::rules::{Rules, Tensor};
///
/// let plan = Rules::preset("llama")?.plan(&[Tensor::new("model.norm.weight", [4096])])?;
/// assert_eq!(plan.tensors()[0].rule.as_ref().unwrap().pattern, "*norm.weight");
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleLine {
    /// The pattern that the tensor's name has.
    pub pattern: String,
    /// The rule's line in the text, from 1 on.
    pub line: usize,
}

/// How a tensor is drawn: all but the seed.
///
/// ```
/// use fanin::rules::Draw;
/// use fanin::{Distribution, Dtype, cpu};
///
/// let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
/// let draw = Draw::new(normal, [100, 8], "word_embeddings.weight").with_zero_row(0);
/// assert_eq!(cpu::vec::<f32>(&draw.fill(42, Dtype::F32)?)?[..8], [0.0; 8]);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Draw {
    /// The distribution of all elements that no part has.
    pub distribution: Distribution,
    /// The tensor's dimensions.
    pub shape: Vec<u64>,
    /// Its own dtype: the one that the rule asks for, or else the model has it in, if either is known.
    pub dtype: Option<Dtype>,
    /// The name that the stream is made of: the tensor's own, unless the rule names another.
    pub stream: String,
    /// Slices of it that have a distribution of their own; of those that overlap, the last one counts.
    pub parts: Vec<Part>,
}

const ZERO: Distribution = Distribution::Constant { value: 0.0 };

impl Draw {
    /// This distribution in a tensor of this shape, with the stream of this name.
    ///
    /// See [`Draw`] for an example.
    pub fn new(distribution: Distribution, shape: impl Into<Vec<u64>>, stream: impl Into<String>) -> Draw {
        Draw { distribution, shape: shape.into(), dtype: None, stream: stream.into(), parts: Vec::new() }
    }

    /// The same, but for a row along the first dimension that is zero.
    ///
    /// See [`Draw`] for an example.
    #[must_use]
    pub fn with_zero_row(self, row: u64) -> Draw {
        self.with_part(0, row..row.saturating_add(1), ZERO)
    }

    /// The same, but for a slice along a dimension that has another distribution.
    ///
    /// ```
    /// use fanin::rules::Draw;
    /// use fanin::{Distribution, Dtype, cpu};
    ///
    /// // The bias of a forget gate, the second of four.
    /// let [zeros, ones] = [0.0, 1.0].map(|value| Distribution::Constant { value });
    /// let draw = Draw::new(zeros, [8], "lstm.bias_ih_l0").with_part(0, 2..4, ones);
    /// assert_eq!(cpu::vec::<f32>(&draw.fill(42, Dtype::F32)?)?, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    #[must_use]
    pub fn with_part(mut self, dim: usize, range: Range<u64>, distribution: Distribution) -> Draw {
        self.parts.push(Part { dim, range, distribution });
        self
    }

    /// The whole tensor, for this seed, in this dtype; with `None` in [its own](Draw::dtype).
    ///
    /// # Errors
    /// Those of [`Distribution::fill`](crate::Distribution::fill), [`Fill::with_slice`] and [`check_in`](Draw::check_in); [`ErrorKind::Dtype`]
    /// for `None` where it has no dtype of its own.
    ///
    /// See [`Draw`] for an example.
    pub fn fill(&self, seed: u64, dtype: impl Into<Option<Dtype>>) -> Result<Fill, Error> {
        let dtype = dtype.into().or(self.dtype).ok_or_else(|| {
            let allowed = "one that is asked for, or that its rule or the model's list says";
            Error::new(ErrorKind::Dtype, "the dtype", "not said", allowed)
        })?;
        self.check_in(dtype)?;
        self.fill_of(Stream::named(seed, &self.stream), dtype)
    }

    /// Whether this dtype holds more than one value of what varies in it: see [`Distribution::check_in`].
    ///
    /// # Errors
    /// Those of [`Distribution::check_in`].
    ///
    /// ```
    /// use fanin::rules::Draw;
    /// use fanin::{Distribution, Dtype};
    ///
    /// let draw = Draw::new(Distribution::Normal { mean: 1.0, std: 1e-4 }, [768], "norm.weight");
    /// assert!(draw.check_in(Dtype::F32).is_ok() && draw.check_in(Dtype::BF16).is_err());
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

    /// The same with another stream than that of a seed and a name; of what the dtype holds one value of, that one.
    ///
    /// # Errors
    /// Those of [`Distribution::fill`](crate::Distribution::fill) and [`Fill::with_slice`].
    ///
    /// ```
    /// use fanin::rules::Draw;
    /// use fanin::{Distribution, Dtype, Stream};
    ///
    /// let draw = Draw::new(Distribution::Normal { mean: 0.0, std: 0.02 }, [4, 4], "w");
    /// assert_eq!(draw.fill_of(Stream::keras(42), Dtype::F32)?.len(), 16);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn fill_of(&self, stream: Stream, dtype: Dtype) -> Result<Fill, Error> {
        let fill = self.distribution.fill(&self.shape, stream, dtype)?;
        let with = |fill: Fill, part: &Part| match part.is_zero_row() {
            true => fill.with_zero_row(part.range.start),
            false => fill.with_slice(part.dim, part.range.clone(), &part.distribution),
        };
        self.parts.iter().try_fold(fill, with)
    }
}

pub(super) fn of_tensor(name: &str) -> String {
    format!("tensor {}", quoted(name))
}
