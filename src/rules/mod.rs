//! Rules: which scheme each tensor of a model takes. With the feature `rules`.
//!
//! Rules are a list in a TOML text. The first rule that matches a tensor applies to it; a tensor that matches none is an error.
//!
//! ```toml
//! layout = "in_out"                   # of all rules that say no other, as Layout reads it; out_in if left out
//! dtype = "bf16"                      # likewise; each tensor's own if left out, or the program's where it has none
//!
//! [constants]                         # numbers for formulas
//! std = 0.02
//! [count]                             # how many of the model's tensors have such a name
//! n_layers = "transformer.h.*.ln_1.weight"
//!
//! [[rule]]
//! name = "*.c_proj.weight"            # a pattern, or a list of them: * any text, ? a character, [ab] one of these
//! scheme = "normal:std=std/sqrt(2*n_layers)"
//! [[rule]]
//! name = "*.bias"
//! rank = 1                            # only tensors of so many dimensions, or of one of a list
//! fans_from = "weight"                # takes the fans of the tensor whose name ends in this instead, also for parts. That one must have
//! scheme = "standard"                 # two dimensions or more; { name = "weight", rank = 3 } asks for three
//! [[rule]]
//! name = "*.weight"
//! module = ["*norm", "*Norm"]         # only where the part of the name before its last one has such a pattern
//! beside = { name = "bias", shape = "alike" }   # and only beside a tensor whose name ends in this: of the same shape ("alike"), of
//! scheme = "ones"                     # a given shape (["dim_0", "*", 3]), of any shape (leave it out), or none ("absent"). "../bias" is
//!                                     # beside the module
//! [[rule]]
//! name = "*word_embeddings.weight"
//! shape = ["*", 768]                  # only tensors of this shape
//! scheme = "normal:std=std"
//! zero_row = 0                        # this row along the first dimension is zero
//! dtype = "f32"
//! [[rule]]
//! name = "lm_head.weight"
//! scheme = "normal:std=std"
//! stream = "word_embeddings.weight"   # the random words of that tensor: the same values, if all else is the same. The tensor's name may
//!                                     # also end in this, or in this without its first parts (at least two parts must stay)
//! [[rule]]
//! name = "*.c_attn.weight"            # queries, keys and values in one
//! scheme = "glorot_normal"
//! split = 1                           # ranks share it by this dimension; or "whole" on each, "tensor" on one, or of a mesh { tp = 1 };
//!                                     # a split cuts straight through what is packed
//! [[rule.part]]                       # parts, of which the last counts that has an element
//! dim = 1                             # along this dimension, 0 if left out
//! blocks = 3                          # in so many equal blocks, each with the fans of its own shape
//! [[rule]]
//! name = "*.lstm.bias"
//! scheme = "zeros"
//! [[rule.part]]
//! blocks = 4
//! block = 1                           # of the blocks this one, or those of a list
//! scheme = "ones"                     # the rule's if left out; so a layout
//! [[rule]]
//! name = "*.embed.weight"
//! scheme = "normal:std=1/sqrt(fan_in)"
//! [[rule.part]]
//! range = "50257.."                   # from one index to another, formulas both, or the ends
//! scheme = "zeros"
//! [[rule]]
//! name = "*.position_ids"
//! skip = true                         # drawn by no one, and left out
//! [[rule]]
//! name = "*.A_log"
//! refuse = "it is no weight"          # an error that says so
//! ```
//!
//! Presets have four more keys:
//!
//! - `source` names the code that the preset follows.
//! - `recognise` lists marks of its models: patterns of names, or `{ name = "*token_type_embeddings.weight", shape = [2, "*"] }`. Such
//!   a model has a tensor for each mark.
//! - `family` lists patterns for all tensors that such a model may have, after a prefix that all of them share. A 0 stands for any whole
//!   number between dots.
//! - `note` says what names cannot tell.
//!
//! A number of a scheme or a layout may be a formula with `+ - * /`, `sqrt` and parentheses: what IEEE 754 rounds
//! correctly, so that every host gets the same number. Products and quotients come before sums and differences, and both go from
//! left to right. Its words are constants, counts, and what the tensor is:
//!
//! | word | value |
//! | --- | --- |
//! | `dim_0`, `dim_1`, .. | its dimensions |
//! | `rank` | how many there are |
//! | `fan_in`, `fan_out` | its fans by its layout (of a part, the part's), but in the layout itself |
//! | `layer` | the first whole number among the parts of its name between dots and slashes; if there is none, the first number after a `_`: 3 in `h.3.mlp.0.weight` and `layer_3/kernel` |
//!
//! Patterns are those of the glob crate, and regard case: `*` is any text, also of dots and slashes, `?` one character, `[abc]` and
//! `[a-z]` one of these, `[!abc]` none of these; `[*]`, `[?]` and `[[]` are the characters themselves. `**` stands between slashes
//! alone.
//!
//! A part may have a structure, such as an orthogonal matrix, if whole blocks are contiguous in memory: blocks along the first dimension,
//! such as the gates of a recurrent cell in PyTorch.
//!
//! `examples/rules` has rules that papers ask for: depth-scaled outputs, muP, DeepNorm, GPT-NeoX's, T5's; packed weights and their parts;
//! tensor and expert parallel plans.
//!
#![cfg_attr(feature = "gpu", doc = include_str!("buffers.md"))]

mod architecture;
mod blueprint;
mod config;
mod expression;
mod file_dtype;
mod formula;
mod fp8;
mod model;
mod one_scheme;
mod plan;
mod preset;
mod recipe;
mod recipe_json;
mod rule;
mod text;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;

use sha2::{Digest, Sha256};

pub use architecture::{Architecture, Described};
pub use config::Config;
pub use file_dtype::FileDtype;
pub use model::{Model, Tensor};
use plan::of_tensor;
pub use plan::{Plan, Planned, RuleLine, Split};
pub use recipe::{Part, Recipe, Slice};
pub use recipe_json::RecipeJson;
use rule::{Mark, OfModel, Rule};

use crate::error::quoted;
use crate::{Error, ErrorKind};

/// Rules for the tensors of models; see the [module](self) for how they are written.
///
/// ```
/// use fanin::rules::{Rules, Tensor};
///
/// let rules: Rules = r#"
///     [count]
///     n_layers = "h.*.proj.weight"
///     [[rule]]
///     name = "*.proj.weight"
///     scheme = "normal:std=0.02/sqrt(2*n_layers)"
/// "#.parse()?;
/// let model = [0, 1].map(|i| Tensor::new(format!("h.{i}.proj.weight"), [64, 64]));
/// let plan = rules.plan(&model)?;
/// assert_eq!(plan.tensors()[1].draw.as_ref().unwrap().distribution.to_string(), "normal(0, 0.01^2)");
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rules {
    text: String,
    note: Option<String>,
    recognise: Vec<Mark>,
    family: Vec<glob::Pattern>,
    constants: BTreeMap<String, f64>,
    counts: BTreeMap<String, glob::Pattern>,
    rules: Vec<Rule>,
    /// The rules of models within the model, each with the beginning of its tensors' names.
    within: Vec<(String, Rules)>,
}

/// Reads the TOML text.
impl FromStr for Rules {
    type Err = Error;

    fn from_str(text: &str) -> Result<Rules, Error> {
        match text::read(text)? {
            (rules, None) => Ok(rules),
            (_, Some(_)) => {
                let error = Error::failed(ErrorKind::Rules, "the text", "has [architectures]");
                Err(error.allowing("rules alone: an architecture's need a configuration"))
            }
        }
    }
}

impl Rules {
    /// The questions that names cannot answer, where these rules were [recognised](Rules::recognise): the text's `note`.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The TOML text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The SHA-256 of the text, in hexadecimal.
    pub fn digest(&self) -> String {
        Sha256::digest(self.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The same with more numbers for formulas, and with rules for the models within the model, whose texts stand behind its own.
    fn with(&self, variables: BTreeMap<String, f64>, within: Vec<(String, Rules)>) -> Rules {
        let mut rules = self.clone();
        rules.constants.extend(variables);
        for (prefix, of) in &within {
            rules.text += &format!("\n# {prefix}*\n\n{}", of.text);
        }
        rules.within = within;
        rules
    }

    /// The plan of a model that has others within it: of each by its own rules.
    fn plan_with_submodels(&self, model: &[Tensor]) -> Result<Plan, Error> {
        let rules_of = |name: &str| self.within.iter().position(|(prefix, _)| name.starts_with(prefix.as_str()));
        let own = Rules { within: Vec::new(), ..self.clone() };
        let parts = self.within.iter().map(|(prefix, rules)| (prefix.as_str(), rules)).chain([("", &own)]);
        let mut tensors: Vec<Option<Planned>> = vec![None; model.len()];
        let mut unmet = Vec::new();
        for (part, (prefix, rules)) in parts.enumerate() {
            let places: Vec<_> =
                (0..model.len()).filter(|&i| rules_of(&model[i].name).unwrap_or(self.within.len()) == part).collect();
            let strip = |i: &usize| Tensor { name: model[*i].name[prefix.len()..].into(), ..model[*i].clone() };
            let plan = rules.plan_by_shapes(&places.iter().map(strip).collect::<Vec<_>>());
            let plan =
                plan.map_err(|e| if prefix.is_empty() { e } else { e.at(format_args!("the submodel {prefix}")) })?;
            for (i, mut planned) in places.into_iter().zip(plan.tensors) {
                planned.name.insert_str(0, prefix);
                if let Some(draw) = &mut planned.draw {
                    draw.stream.insert_str(0, prefix);
                }
                tensors[i] = Some(planned);
            }
            unmet.extend(plan.unmet);
        }
        Ok(Plan { tensors: tensors.into_iter().flatten().collect(), unmet })
    }

    /// The plan of a model: the recipe of each tensor, in the model's order.
    ///
    /// # Errors
    /// [`ErrorKind::Unmatched`] with the tensors that meet no rule; [`ErrorKind::Model`] if a name stands twice;
    /// [`ErrorKind::Dtype`] if a tensor holds floats that are not drawn, such as F64, and its rule says no dtype, or complex numbers; what else is wrong,
    /// with the tensor's name and the line.
    ///
    /// See [`Rules`] for an example.
    pub fn plan(&self, model: &[Tensor]) -> Result<Plan, Error> {
        let mut plan = self.plan_by_shapes(model)?;
        for (planned, tensor) in plan.tensors.iter_mut().zip(model) {
            // Of complex numbers a rule's dtype would draw one part.
            let is_complex = tensor.dtype == Some(FileDtype::C64);
            let Some(recipe) = planned.draw.as_mut().filter(|recipe| is_complex || recipe.dtype.is_none()) else {
                continue;
            };
            match tensor.drawn_in() {
                Ok(dtype) => recipe.dtype = dtype,
                Err(_) if tensor.optional => planned.draw = None,
                Err(e) => return Err(e.at(of_tensor(&tensor.name))),
            }
        }
        Ok(plan)
    }

    /// The same by names and shapes alone: recipes have the dtypes that rules say, and none of the model's.
    ///
    /// # Errors
    /// Those of [`plan`](Rules::plan) but for dtypes.
    ///
    /// ```
    /// use fanin::rules::{FileDtype, Rules, Tensor};
    ///
    /// let plan = Rules::preset("llama")?.plan_by_shapes(&[Tensor::new("model.norm.weight", [8]).with_dtype(FileDtype::F64)])?;
    /// assert_eq!(plan.tensors()[0].draw.as_ref().unwrap().dtype, None);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn plan_by_shapes(&self, model: &[Tensor]) -> Result<Plan, Error> {
        if !self.within.is_empty() {
            return self.plan_with_submodels(model);
        }
        let floats = || model.iter().filter(|tensor| !tensor.is_integer());
        let mut variables = self.constants.clone();
        for (name, pattern) in &self.counts {
            let count = floats().filter(|tensor| pattern.matches(&tensor.name)).count();
            variables.insert(name.clone(), count as f64);
        }
        let mut shapes = HashMap::new();
        for tensor in model {
            if shapes.insert(tensor.name.as_str(), tensor.shape.as_slice()).is_some() {
                // They would have one stream.
                return Err(model::twice(&tensor.name));
            }
        }
        let (mut tensors, mut unmatched, mut met) = (Vec::new(), Vec::new(), HashSet::new());
        let mut of_model = OfModel { shapes, variables, streams: HashMap::new() };
        for tensor in model {
            let (name, shape) = (tensor.name.clone(), tensor.shape.clone());
            let mut planned = Planned { name, shape, rule: None, draw: None, layout: None, fans: None, split: None };
            if !tensor.is_integer() {
                let found = self.rules.iter().find_map(|r| Some((r, r.matched(tensor, &of_model.shapes)?)));
                match found.map(|(rule, pattern)| {
                    met.insert(rule.line);
                    planned.rule = Some(RuleLine { pattern: pattern.into(), line: rule.line });
                    rule.plan(tensor, &mut of_model, &mut planned)
                }) {
                    None if !tensor.optional => {
                        let lacks = |rule: &Rule| Some((rule.line, rule.lacks(tensor, &of_model.shapes)?));
                        unmatched.push((planned.name, self.rules.iter().find_map(lacks)));
                        continue;
                    }
                    Some(Err(e)) if !tensor.optional => return Err(e.at(of_tensor(&tensor.name))),
                    _ => {}
                }
            }
            tensors.push(planned);
        }
        if !unmatched.is_empty() {
            return Err(met_no_rule(&unmatched));
        }
        let unmet = self.rules.iter().filter(|rule| !met.contains(&rule.line));
        let unmet = unmet.map(|rule| RuleLine { pattern: rule.names[0].clone(), line: rule.line }).collect();
        Ok(Plan { tensors, unmet })
    }
}

/// The name of a tensor, and where one is missing whose fans a rule would take for it, the rule's line, and what is missing.
type Unmatched = (String, Option<(usize, String)>);

fn met_no_rule(tensors: &[Unmatched]) -> Error {
    let names: Vec<_> = tensors.iter().map(|(name, _)| name.clone()).collect();
    let which = if names.len() == 1 { "1 tensor".into() } else { format!("{} tensors", names.len()) };
    let mut said = format!("met no rule: {}", listed(&names));
    if let Some((name, Some((line, missing)))) = tensors.iter().find(|(_, lacks)| lacks.is_some()) {
        said += &format!("; the rule of line {line} takes the fans of {missing}, which is not beside {}", quoted(name));
    }
    let error = Error::failed(ErrorKind::Unmatched, which, said);
    error.allowing("a rule for each, or one for \"*\" at the end")
}

/// The first of these names, and how many more there are.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = names[..names.len().min(SHOWN)].iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}
