//! Rules: which scheme each tensor of a model takes. With the feature `rules`.
//!
//! Rules are a TOML text, in order; of those that a tensor meets, the first holds. A tensor that meets none is an error.
//!
//! ```toml
//! layout = "in_out"                   # of all rules that say no other; out_in if left out
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
//! fans_from = "weight"                # with the fans of the tensor whose name ends so instead; only where there is one
//! scheme = "standard"                 # and it has fans
//! [[rule]]
//! name = "*word_embeddings.weight"
//! shape = ["*", 768]                  # only tensors of this shape
//! scheme = "normal:std=std"
//! zero_row = 0                        # this row along the first dimension is zero
//! dtype = "f32"
//! [[rule]]
//! name = "lm_head.weight"
//! scheme = "normal:std=std"
//! stream = "word_embeddings.weight"   # the words of that tensor: the same values, if all else is the same. One whose name ends so
//!                                     # will do, or ends in what is behind the first dots, two parts at least
//! [[rule]]
//! name = "*.position_ids"
//! skip = true                         # drawn by no one, and left out
//! [[rule]]
//! name = "*.A_log"
//! refuse = "it is no weight"          # an error that says so
//! ```
//!
//! Presets have three keys more: `source` says what they follow, `recognise` lists what their model is known by (patterns of names, or
//! `{ name = "*token_type_embeddings.weight", shape = [2, "*"] }`, of each of which it has a tensor), and `note` what names cannot tell.
//!
//! A number of a scheme may be a formula of constants and counts with `+ - * /`, `sqrt` and parentheses: what IEEE 754 rounds
//! correctly, so that every host gets the same number. Products and quotients come before sums and differences, and both go from
//! left to right.
//!
//! Patterns are those of the glob crate, and regard case: `*` is any text, also of dots and slashes, `?` one character, `[abc]` and
//! `[a-z]` one of these, `[!abc]` none of these; `[*]`, `[?]` and `[[]` are the characters themselves. `**` stands between slashes
//! alone.
//!
#![cfg_attr(feature = "gpu", doc = include_str!("buffers.md"))]

mod formula;
mod model;
mod text;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;

use sha2::{Digest, Sha256};

pub use model::{Model, Tensor};

use crate::error::quoted;
use crate::names::{plain, unknown};
use crate::{Distribution, Dtype, Error, ErrorKind, Fans, Fill, Layout, Scheme, Stream};

/// The rules that come with fanin: files of `presets/`, each of which says what it follows.
const PRESETS: &[(&str, &str)] = &[
    ("gpt2", include_str!("../../presets/gpt2.toml")),
    ("gemma", include_str!("../../presets/gemma.toml")),
    ("llama", include_str!("../../presets/llama.toml")),
    ("bert", include_str!("../../presets/bert.toml")),
    ("roberta", include_str!("../../presets/roberta.toml")),
    ("vit", include_str!("../../presets/vit.toml")),
    ("resnet", include_str!("../../presets/resnet.toml")),
    ("pytorch", include_str!("../../presets/pytorch.toml")),
    ("keras", include_str!("../../presets/keras.toml")),
    ("flax", include_str!("../../presets/flax.toml")),
];

const SCHEME: &str = include_str!("../../presets/scheme.toml");

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
    constants: BTreeMap<String, f64>,
    counts: BTreeMap<String, glob::Pattern>,
    rules: Vec<Rule>,
}

/// What a preset knows its model by: a tensor of such a name, and of such a shape, if that is said.
#[derive(Clone, Debug)]
struct Mark {
    pattern: glob::Pattern,
    shape: Option<Vec<Option<u64>>>,
}

#[derive(Clone, Debug)]
struct Rule {
    line: usize,
    names: Vec<String>,
    patterns: Vec<glob::Pattern>,
    ranks: Option<Vec<u64>>,
    shape: Option<Vec<Option<u64>>>,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    Skip,
    Refuse {
        line: usize,
        reason: String,
    },
    Draw {
        /// Of the scheme.
        line: usize,
        scheme: String,
        dtype: Option<Dtype>,
        layout: Layout,
        fans_from: Option<String>,
        stream: Option<String>,
        zero_row: Option<u64>,
    },
}

/// What rules say of a model, in the model's order.
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
    tensors: Vec<Planned>,
    unmet: Vec<Met>,
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
    pub fn unmet(&self) -> &[Met] {
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

    /// Whatever is drawn, with its name, for this seed; in this dtype, where neither a rule nor the model says another.
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
    pub fn fills(&self, seed: u64, dtype: Dtype) -> Result<Vec<(&str, Fill)>, Error> {
        let drawn = self.tensors.iter().filter_map(|planned| Some((planned, planned.draw.as_ref()?)));
        drawn
            .map(|(planned, draw)| {
                let fill = draw.fill(seed, dtype).map_err(|e| e.at(of_tensor(&planned.name)))?;
                Ok((planned.name.as_str(), fill))
            })
            .collect()
    }
}

/// What rules say of a tensor.
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
    pub rule: Option<Met>,
    /// What is drawn; nothing, where the rule says `skip`, or there is none, or it cannot be drawn and is optional.
    pub draw: Option<Draw>,
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
pub struct Met {
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
    /// What is drawn.
    pub distribution: Distribution,
    /// The tensor's dimensions.
    pub shape: Vec<u64>,
    /// The dtype that the rule asks for, or else the tensor's own, if it is known.
    pub dtype: Option<Dtype>,
    /// The name that the stream is made of: the tensor's own, unless the rule names another.
    pub stream: String,
    /// A row along the first dimension that is zero.
    pub zero_row: Option<u64>,
}

impl Draw {
    /// This distribution in a tensor of this shape, with the stream of this name.
    ///
    /// See [`Draw`] for an example.
    pub fn new(distribution: Distribution, shape: impl Into<Vec<u64>>, stream: impl Into<String>) -> Draw {
        Draw { distribution, shape: shape.into(), dtype: None, stream: stream.into(), zero_row: None }
    }

    /// The same, but for a row along the first dimension that is zero.
    ///
    /// See [`Draw`] for an example.
    #[must_use]
    pub fn with_zero_row(self, row: u64) -> Draw {
        Draw { zero_row: Some(row), ..self }
    }

    /// The whole tensor, for this seed; in this dtype, if [`dtype`](Draw::dtype) says no other.
    ///
    /// # Errors
    /// Those of [`Fill::tensor`] and [`Fill::with_zero_row`].
    ///
    /// See [`Draw`] for an example.
    pub fn fill(&self, seed: u64, dtype: Dtype) -> Result<Fill, Error> {
        self.fill_of(Stream::named(seed, &self.stream), self.dtype.unwrap_or(dtype))
    }

    /// The same in this dtype whatever the rule says, and with another stream than that of a seed and a name.
    ///
    /// # Errors
    /// Those of [`fill`](Draw::fill).
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
        let fill = Fill::tensor(&self.distribution, stream, dtype, &self.shape)?;
        match self.zero_row {
            Some(row) => fill.with_zero_row(row),
            None => Ok(fill),
        }
    }
}

fn of_tensor(name: &str) -> String {
    format!("tensor {}", quoted(name))
}

/// Reads the TOML text.
impl FromStr for Rules {
    type Err = Error;

    fn from_str(text: &str) -> Result<Rules, Error> {
        text::read(text)
    }
}

impl Rules {
    /// The names of the rules that come with fanin.
    ///
    /// No value contract covers them: a tensor's distribution, which a program keeps with its checkpoint, says what was drawn. What
    /// they give is frozen by a test all the same, and a change of it is said in CHANGELOG.md under **Values**.
    ///
    /// ```
    /// use fanin::rules::Rules;
    ///
    /// assert!(Rules::presets().any(|name| name == "gpt2"));
    /// ```
    pub fn presets() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// Those of the [presets](Rules::presets) with this name. Neither case nor `-` for `_` matters.
    ///
    /// # Errors
    /// [`ErrorKind::Text`] if there are none.
    ///
    /// ```
    /// use fanin::rules::Rules;
    ///
    /// assert!(Rules::preset("bert").is_ok());
    /// assert!(Rules::preset("brt").unwrap_err().to_string().contains("bert"));
    /// ```
    pub fn preset(name: &str) -> Result<Rules, Error> {
        match PRESETS.iter().find(|(preset, _)| *preset == plain(name)) {
            Some((_, text)) => text.parse(),
            None => Err(unknown("preset", name, Rules::presets())),
        }
    }

    /// The preset that knows the model by its tensors' names and shapes. (Not every model can be told by them: Gemma 1 has Llama's.)
    ///
    /// ```
    /// use fanin::rules::{Rules, Tensor};
    ///
    /// let names = ["layers.0.self_attn.q_proj.weight", "layers.0.mlp.gate_proj.weight"];
    /// let model = names.map(|name| Tensor::new(name, [8, 8]));
    /// assert_eq!(Rules::recognise(&model), Some("llama"));
    /// assert_eq!(Rules::recognise(&model[..1]), None);
    /// ```
    pub fn recognise(model: &[Tensor]) -> Option<&'static str> {
        let knows = |rules: &Rules| {
            let has = |mark: &Mark| {
                let is = |tensor: &Tensor| {
                    mark.pattern.matches(&tensor.name)
                        && mark.shape.as_ref().is_none_or(|wanted| fits(wanted, &tensor.shape))
                };
                model.iter().any(is)
            };
            !rules.recognise.is_empty() && rules.recognise.iter().all(has)
        };
        PRESETS.iter().find(|(_, text)| text.parse().is_ok_and(|rules| knows(&rules))).map(|(name, _)| *name)
    }

    /// One scheme for all matrices and convolutions (two or more dimensions). Vectors and scalars start at 1 where they
    /// multiply (the weight, gamma or scale of a norm; a running variance) and at 0 otherwise (biases and all else).
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] or [`ErrorKind::Window`] if the scheme's numbers are outside their domains, [`ErrorKind::Shape`] if the
    /// layout has no groups at all.
    ///
    /// ```
    /// use fanin::Layout;
    /// use fanin::rules::{Rules, Tensor};
    ///
    /// let rules = Rules::of_scheme(&"he_normal".parse()?, Layout::OUT_IN)?;
    /// let plan = rules.plan(&[Tensor::new("bn.running_var", [8])])?;
    /// assert_eq!(plan.tensors()[0].draw.as_ref().unwrap().distribution.to_string(), "constant(1)");
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn of_scheme(scheme: &Scheme, layout: Layout) -> Result<Rules, Error> {
        if layout.groups() == 0 {
            return Err(Error::new(ErrorKind::Shape, "groups", 0, "at least 1"));
        }
        // Of fans of 1, all that can be wrong with it is said.
        scheme.distribution_of_fans(Fans::new(1, 1)?)?;
        SCHEME.replace("SCHEME", &scheme.to_string()).replace("LAYOUT", &layout.to_string()).parse()
    }

    /// What cannot be told by names, where these rules were [recognised](Rules::recognise): the text's `note`.
    ///
    /// ```
    /// assert!(fanin::rules::Rules::preset("llama")?.note().unwrap().contains("Gemma 1"));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The TOML text.
    ///
    /// ```
    /// assert!(fanin::rules::Rules::preset("gpt2")?.text().contains("[[rule]]"));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The SHA-256 of the text, in hexadecimal.
    ///
    /// ```
    /// assert_eq!(fanin::rules::Rules::preset("gpt2")?.digest().len(), 64);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn digest(&self) -> String {
        Sha256::digest(self.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What each tensor of the model draws, in the model's order.
    ///
    /// # Errors
    /// [`ErrorKind::Unmatched`] with the tensors that meet no rule; [`ErrorKind::Model`] if a name stands twice;
    /// [`ErrorKind::Dtype`] if a tensor holds floats that are not drawn, such as F64, and its rule says no dtype; what else is wrong,
    /// with the tensor's name and the line.
    ///
    /// See [`Rules`] for an example.
    pub fn plan(&self, model: &[Tensor]) -> Result<Plan, Error> {
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
        let (mut planned, mut unmatched, mut met) = (Vec::new(), Vec::new(), HashSet::new());
        // Each is looked for once, when a tensor has it.
        let mut streams = HashMap::new();
        for tensor in model {
            let (name, shape) = (tensor.name.clone(), tensor.shape.clone());
            if tensor.is_integer() {
                planned.push(Planned { name, shape, rule: None, draw: None });
                continue;
            }
            let Some((rule, pattern)) = self.rules.iter().find_map(|r| Some((r, r.matched(tensor, &shapes)?))) else {
                if tensor.optional {
                    planned.push(Planned { name, shape, rule: None, draw: None });
                } else {
                    unmatched.push(name);
                }
                continue;
            };
            let draw = match rule.draw(tensor, &shapes, &variables, &mut streams) {
                Err(_) if tensor.optional => None,
                draw => draw.map_err(|e| e.at(of_tensor(&name)))?,
            };
            met.insert(rule.line);
            planned.push(Planned { name, shape, rule: Some(Met { pattern: pattern.into(), line: rule.line }), draw });
        }
        if !unmatched.is_empty() {
            return Err(met_no_rule(&unmatched));
        }
        let unmet = self.rules.iter().filter(|rule| !met.contains(&rule.line));
        let unmet = unmet.map(|rule| Met { pattern: rule.names[0].clone(), line: rule.line }).collect();
        Ok(Plan { tensors: planned, unmet })
    }
}

fn met_no_rule(names: &[String]) -> Error {
    const SHOWN: usize = 20;
    let mut shown = names[..names.len().min(SHOWN)].iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        shown += &format!(" and {} more", names.len() - SHOWN);
    }
    let which = if names.len() == 1 { "1 tensor".into() } else { format!("{} tensors", names.len()) };
    let error = Error::failed(ErrorKind::Unmatched, which, format!("met no rule: {shown}"));
    error.allowing("a rule for each, or one for \"*\" at the end")
}

/// Whether a shape is as wanted, where anything is said of a dimension.
fn fits(wanted: &[Option<u64>], shape: &[u64]) -> bool {
    wanted.len() == shape.len() && wanted.iter().zip(shape).all(|(w, d)| w.is_none_or(|w| w == *d))
}

impl Rule {
    /// The pattern by which the tensor meets this rule, if it does.
    fn matched(&self, tensor: &Tensor, shapes: &HashMap<&str, &[u64]>) -> Option<&str> {
        let shape = &tensor.shape;
        if self.ranks.as_ref().is_some_and(|ranks| !ranks.contains(&(shape.len() as u64))) {
            return None;
        }
        if self.shape.as_ref().is_some_and(|wanted| !fits(wanted, shape)) {
            return None;
        }
        let at = self.patterns.iter().position(|pattern| pattern.matches(&tensor.name))?;
        if let Action::Draw { fans_from: Some(last), .. } = &self.action {
            sibling(&tensor.name, last, shapes).filter(|shape| shape.len() >= 2)?;
        }
        Some(&self.names[at])
    }

    fn draw<'a, 'm>(
        &'a self,
        tensor: &Tensor,
        shapes: &HashMap<&'m str, &[u64]>,
        variables: &BTreeMap<String, f64>,
        streams: &mut HashMap<&'a str, Result<&'m str, Error>>,
    ) -> Result<Option<Draw>, Error> {
        let (line, scheme, dtype, layout, fans_from, stream, zero_row) = match &self.action {
            Action::Skip => return Ok(None),
            Action::Refuse { line, reason } => {
                let error = Error::failed(ErrorKind::Rules, "it", format!("is refused: {reason}"));
                let error = error.allowing("rules that have a scheme for it, or skip it");
                return Err(error.at(format_args!("by the rule of line {line}")));
            }
            Action::Draw { line, scheme, dtype, layout, fans_from, stream, zero_row } => {
                (line, scheme, dtype, layout, fans_from, stream, zero_row)
            }
        };
        let fans_shape = match fans_from {
            Some(last) => sibling(&tensor.name, last, shapes).unwrap_or(&tensor.shape),
            None => &tensor.shape,
        };
        let distribution = formula::evaluated(scheme, variables)
            .and_then(|text| text.parse::<Scheme>())
            .and_then(|scheme| match scheme {
                // What has no elements needs no fans, and is drawn as nothing.
                _ if scheme.needs_fans() && tensor.shape.contains(&0) => Ok(Distribution::Constant { value: 0.0 }),
                scheme => scheme.distribution(fans_shape, *layout),
            })
            .map_err(|e| e.at(format_args!("by the scheme of line {line}")))?;
        let dtype = match dtype {
            Some(dtype) => Some(*dtype),
            None => tensor.drawn_in()?,
        };
        let stream = match stream {
            Some(other) => streams.entry(other).or_insert_with(|| named(other, shapes)).clone()?.into(),
            None => tensor.name.clone(),
        };
        Ok(Some(Draw { distribution, shape: tensor.shape.clone(), dtype, stream, zero_row: *zero_row }))
    }
}

/// The tensor of this name; or the one whose name ends so, or as the name does without its first parts, of which a wrapper, or a
/// model within another one, has others.
fn named<'a>(name: &str, shapes: &HashMap<&'a str, &[u64]>) -> Result<&'a str, Error> {
    if let Some((known, _)) = shapes.get_key_value(name) {
        return Ok(known);
    }
    let wrong =
        |value: String| Error::new(ErrorKind::Rules, "the tensor of the stream", value, "one tensor of the model");
    let mut end = Some(name);
    // The last part alone is many tensors'.
    while let Some(tail) = end.filter(|tail| tail.contains('.')) {
        let ends = |known: &&str| {
            known.strip_suffix(tail).is_some_and(|before| before.is_empty() || before.ends_with(['.', '/']))
        };
        let found: Vec<_> = shapes.keys().copied().filter(ends).collect();
        match found[..] {
            [] => end = tail.split_once('.').map(|(_, tail)| tail),
            [one] => return Ok(one),
            _ => return Err(wrong(format!("{}, as {} are called", quoted(tail), found.len()))),
        }
    }
    Err(wrong(format!("{}, which is not there", quoted(name))))
}

/// The shape of the tensor whose name is this one with another last part: after the last dot or slash.
fn sibling<'a>(name: &str, last: &str, shapes: &HashMap<&str, &'a [u64]>) -> Option<&'a [u64]> {
    let start = name.rfind(['.', '/']).map_or(0, |i| i + 1);
    shapes.get(format!("{}{last}", &name[..start]).as_str()).copied()
}
