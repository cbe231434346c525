//! Plans: the recipe of each tensor of a model, by rules.

use std::collections::BTreeMap;
use std::fmt;

use super::recipe::Recipe;
use crate::error::quoted;
use crate::{Dtype, Error, Fans, Fill, Layout, Seed};

/// The plan of a model: the recipe of each tensor by rules, in the model's order.
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

    /// The rules that no tensor met, with the first pattern of each. In rules that were written for this model, they are mistakes.
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
    pub fn into_tensors(self) -> Vec<Planned> {
        self.tensors
    }

    /// The fills of all tensors that are drawn, with their names, for this seed: all in this dtype, as by `fanin init --dtype`; with `None`
    /// each tensor in [its own](Recipe::dtype), which its rule or the model says.
    ///
    /// # Errors
    /// Those of [`Recipe::fill`], with the tensor's name.
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
    pub fn fills(&self, seed: impl Into<Seed>, dtype: impl Into<Option<Dtype>>) -> Result<Vec<(&str, Fill)>, Error> {
        let (seed, dtype) = (seed.into(), dtype.into());
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
    /// The rule that it met. It is `None` for integers, which need no rule, and for an optional tensor that met none.
    pub rule: Option<RuleLine>,
    /// The recipe by which it is drawn. It is `None` if its rule says `skip`, if it met no rule, or if it is optional and cannot be drawn.
    pub draw: Option<Recipe>,
    /// The meaning of its dimensions, where it is drawn.
    pub layout: Option<Layout>,
    /// Its fans, if it has any: its own, or those of the tensor that its rule names, or those of one block if it has equal blocks.
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

pub(super) fn of_tensor(name: &str) -> String {
    format!("tensor {}", quoted(name))
}
