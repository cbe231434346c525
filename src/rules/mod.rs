//! Rules: which scheme each tensor of a model takes. With the feature `rules`.
//!
//! Rules are a TOML text, in order; of those that a tensor meets, the first holds. A tensor that meets none is an error.
//!
//! ```toml
//! layout = "in_out"                   # of all rules that say no other; out_in if left out
//! dtype = "bf16"                      # likewise; each tensor's own if left out
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
//! stream = "word_embeddings.weight"   # the words of that tensor: the same values, if all else is the same
//! [[rule]]
//! name = "*.position_ids"
//! skip = true
//! ```
//!
//! A number of a scheme may be a formula of constants and counts with `+ - * /`, `sqrt` and parentheses: what IEEE 754 rounds
//! correctly, so that every host gets the same number.
//!
//! # A whole model in one submission
//! ```
//! use fanin::Dtype;
//! use fanin::gpu::{GpuFiller, Target};
//! use fanin::rules::{Rules, Tensor};
//!
//! # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
//! # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
//! # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
//! let model = [
//!     Tensor { name: "h.0.attn.c_attn.weight".into(), shape: vec![64, 192] },
//!     Tensor { name: "h.0.attn.c_attn.bias".into(), shape: vec![192] },
//! ];
//! let mut fills = Vec::new();
//! for planned in Rules::preset("gpt2")?.plan(&model)? {
//!     if let Some(draw) = &planned.draw {
//!         fills.push(draw.fills(42, Dtype::F32, &planned.shape)?);
//!     }
//! }
//! let size = |fills: &[fanin::Fill]| fills.iter().map(|f| f.len() * f.dtype().size()).sum();
//! let buffers: Vec<_> = fills
//!     .iter()
//!     .map(|fills| device.create_buffer(&wgpu::BufferDescriptor {
//!         label: None,
//!         size: size(fills),
//!         usage: wgpu::BufferUsages::STORAGE,
//!         mapped_at_creation: false,
//!     }))
//!     .collect();
//! let mut targets = Vec::new();
//! for (fills, buffer) in fills.iter().zip(&buffers) {
//!     let mut offset = 0;
//!     for fill in fills {
//!         targets.push(Target { fill, buffer, offset });
//!         offset += fill.len() * fill.dtype().size();
//!     }
//! }
//! let mut encoder = device.create_command_encoder(&Default::default());
//! GpuFiller::new(&device, &queue)?.record_all(&mut encoder, &targets)?;
//! queue.submit([encoder.finish()]);
//! # Ok::<(), fanin::Error>(())
//! ```

mod formula;
mod text;

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::{Distribution, Dtype, Error, Fill, Layout, Scheme, Stream, elements};

/// The rules that come with fanin, by name: files of `presets/`, each of which says what it follows.
///
/// No value contract covers them: a tensor's distribution, which a program keeps with its checkpoint, says what was drawn. What they
/// give is frozen by a test all the same, and a change of it is said in CHANGELOG.md under **Values**.
///
/// ```
/// assert!(fanin::rules::PRESETS.iter().any(|(name, _)| *name == "gpt2"));
/// ```
pub const PRESETS: [(&str, &str); 8] = [
    ("gpt2", include_str!("../../presets/gpt2.toml")),
    ("llama", include_str!("../../presets/llama.toml")),
    ("bert", include_str!("../../presets/bert.toml")),
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
/// let model = [0, 1].map(|i| Tensor { name: format!("h.{i}.proj.weight"), shape: vec![64, 64] });
/// let planned = rules.plan(&model)?;
/// assert_eq!(planned[1].draw.as_ref().unwrap().distribution.to_string(), "normal(0, 0.01^2)");
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rules {
    text: String,
    recognise: Vec<glob::Pattern>,
    constants: BTreeMap<String, f64>,
    counts: BTreeMap<String, glob::Pattern>,
    rules: Vec<Rule>,
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
    Draw {
        scheme: String,
        dtype: Option<Dtype>,
        layout: Layout,
        fans_from: Option<String>,
        stream: Option<String>,
        zero_row: Option<u64>,
    },
}

/// A tensor of a model.
///
/// ```
/// let tensor = fanin::rules::Tensor { name: "lm_head.weight".into(), shape: vec![50257, 768] };
/// # let _ = tensor;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name, which its values depend on.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<u64>,
}

/// What rules say of a tensor.
///
/// ```
/// use fanin::rules::{Rules, Tensor};
///
/// let norm = Tensor { name: "model.norm.weight".into(), shape: vec![4096] };
/// let planned = Rules::preset("llama")?.plan(&[norm])?;
/// assert_eq!(planned[0].draw.as_ref().unwrap().distribution, fanin::Distribution::Constant { value: 1.0 });
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The tensor's name.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<u64>,
    /// The pattern that it met.
    pub pattern: String,
    /// The line of the rule, from 1 on.
    pub line: usize,
    /// What is drawn; nothing, where the rule says `skip`.
    pub draw: Option<Draw>,
}

/// How a tensor is drawn: all but the seed.
///
/// ```
/// use fanin::rules::Draw;
/// use fanin::{Distribution, Dtype};
///
/// let draw = Draw {
///     distribution: Distribution::Normal { mean: 0.0, std: 0.02 },
///     dtype: None,
///     stream: "word_embeddings.weight".into(),
///     zero_row: Some(0),
/// };
/// let fills = draw.fills(42, Dtype::F32, &[100, 8])?;
/// assert_eq!(fills.iter().map(|f| f.range()).collect::<Vec<_>>(), [0..8, 8..800]);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// What is drawn.
    pub distribution: Distribution,
    /// The dtype that the rule asks for, if it does.
    pub dtype: Option<Dtype>,
    /// The name that the stream is made of: the tensor's own, unless the rule names another.
    pub stream: String,
    /// A row along the first dimension that is zero.
    pub zero_row: Option<u64>,
}

impl Draw {
    /// The fills that make up the whole tensor, in order; one, unless a row is zero.
    ///
    /// # Errors
    /// Those of [`Fill::new`] and [`elements`]; [`Error::Row`] if the zero row is not in the tensor.
    ///
    /// See [`Draw`] for an example.
    pub fn fills(&self, seed: u64, dtype: Dtype, shape: &[u64]) -> Result<Vec<Fill>, Error> {
        self.fills_of(Stream::named(seed, &self.stream), dtype, shape)
    }

    /// The same with another stream than that of a seed and a name.
    ///
    /// # Errors
    /// Those of [`fills`](Draw::fills).
    ///
    /// ```
    /// use fanin::rules::Draw;
    /// use fanin::{Distribution, Dtype, Stream};
    ///
    /// let distribution = Distribution::Normal { mean: 0.0, std: 0.02 };
    /// let draw = Draw { distribution, dtype: None, stream: "w".into(), zero_row: None };
    /// assert_eq!(draw.fills_of(Stream::keras(42), Dtype::F32, &[4, 4])?.len(), 1);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn fills_of(&self, stream: Stream, dtype: Dtype, shape: &[u64]) -> Result<Vec<Fill>, Error> {
        let all = elements(shape)?;
        let fill = |range| Fill::new(&self.distribution, stream, dtype, range);
        let Some(row) = self.zero_row else { return Ok(vec![fill(0..all)?]) };
        let rows = shape.first().copied().unwrap_or(0);
        if row >= rows {
            return Err(Error::Row { row, rows });
        }
        let per_row = all / rows;
        let (start, end) = (row * per_row, (row + 1) * per_row);
        let zeros = Fill::new(&Distribution::Constant { value: 0.0 }, stream, dtype, start..end)?;
        Ok([fill(0..start)?, zeros, fill(end..all)?].into_iter().filter(|f| !f.is_empty()).collect())
    }
}

/// Reads the TOML text.
impl FromStr for Rules {
    type Err = Error;

    fn from_str(text: &str) -> Result<Rules, Error> {
        text::read(text)
    }
}

impl Rules {
    /// The rules of [`PRESETS`] with this name.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    ///
    /// ```
    /// use fanin::rules::Rules;
    ///
    /// assert!(Rules::preset("bert").is_ok());
    /// assert!(Rules::preset("brt").unwrap_err().to_string().contains("bert"));
    /// ```
    pub fn preset(name: &str) -> Result<Rules, Error> {
        match PRESETS.iter().find(|(preset, _)| *preset == name) {
            Some((_, text)) => text.parse(),
            None => Err(Error::UnknownName {
                what: "preset",
                name: name.into(),
                allowed: "gpt2, llama, bert, vit, resnet, pytorch, keras, flax",
            }),
        }
    }

    /// The preset that knows the model by its tensors' names.
    ///
    /// ```
    /// use fanin::rules::{Rules, Tensor};
    ///
    /// let names = ["layers.0.self_attn.q_proj.weight", "layers.0.mlp.gate_proj.weight"];
    /// let model = names.map(|name| Tensor { name: name.into(), shape: vec![8, 8] });
    /// assert_eq!(Rules::recognise(&model), Some("llama"));
    /// assert_eq!(Rules::recognise(&model[..1]), None);
    /// ```
    pub fn recognise(model: &[Tensor]) -> Option<&'static str> {
        let knows = |rules: &Rules| {
            let has = |pattern: &glob::Pattern| model.iter().any(|tensor| pattern.matches(&tensor.name));
            !rules.recognise.is_empty() && rules.recognise.iter().all(has)
        };
        PRESETS.iter().find(|(_, text)| text.parse().is_ok_and(|rules| knows(&rules))).map(|(name, _)| *name)
    }

    /// One scheme for all matrices and convolutions (two or more dimensions). Vectors and scalars start at 1 where they
    /// multiply (the weight, gamma or scale of a norm; a running variance) and at 0 otherwise (biases and all else).
    ///
    /// ```
    /// use fanin::Layout;
    /// use fanin::rules::{Rules, Tensor};
    ///
    /// let rules = Rules::of_scheme(&"he_normal".parse()?, Layout::OUT_IN);
    /// let planned = rules.plan(&[Tensor { name: "bn.running_var".into(), shape: vec![8] }])?;
    /// assert_eq!(planned[0].draw.as_ref().unwrap().distribution.to_string(), "constant(1)");
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn of_scheme(scheme: &Scheme, layout: Layout) -> Rules {
        let text = SCHEME.replace("SCHEME", &scheme.to_string()).replace("LAYOUT", &layout.to_string());
        text.parse().expect("a scheme's and a layout's text can be read")
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
    /// [`Error::Unmatched`] with the tensors that meet no rule; [`Error::OfTensor`] with what else is wrong, and where.
    ///
    /// See [`Rules`] for an example.
    pub fn plan(&self, model: &[Tensor]) -> Result<Vec<Planned>, Error> {
        let mut variables = self.constants.clone();
        for (name, pattern) in &self.counts {
            let count = model.iter().filter(|tensor| pattern.matches(&tensor.name)).count();
            variables.insert(name.clone(), count as f64);
        }
        let shapes: HashMap<_, _> = model.iter().map(|t| (t.name.as_str(), t.shape.as_slice())).collect();
        let (mut planned, mut unmatched) = (Vec::new(), Vec::new());
        for tensor in model {
            let Some((rule, pattern)) = self.rules.iter().find_map(|r| Some((r, r.matched(tensor, &shapes)?))) else {
                unmatched.push(tensor.name.clone());
                continue;
            };
            let draw = rule.draw(tensor, &shapes, &variables).map_err(|reason| Error::OfTensor {
                name: tensor.name.clone(),
                line: rule.line,
                reason,
            })?;
            let (name, shape) = (tensor.name.clone(), tensor.shape.clone());
            planned.push(Planned { name, shape, pattern: pattern.into(), line: rule.line, draw });
        }
        if unmatched.is_empty() { Ok(planned) } else { Err(Error::Unmatched { names: unmatched }) }
    }
}

impl Rule {
    /// The pattern by which the tensor meets this rule, if it does.
    fn matched(&self, tensor: &Tensor, shapes: &HashMap<&str, &[u64]>) -> Option<&str> {
        let shape = &tensor.shape;
        if self.ranks.as_ref().is_some_and(|ranks| !ranks.contains(&(shape.len() as u64))) {
            return None;
        }
        let fits = |wanted: &Vec<Option<u64>>| {
            wanted.len() == shape.len() && wanted.iter().zip(shape).all(|(w, d)| w.is_none_or(|w| w == *d))
        };
        if self.shape.as_ref().is_some_and(|wanted| !fits(wanted)) {
            return None;
        }
        let at = self.patterns.iter().position(|pattern| pattern.matches(&tensor.name))?;
        if let Action::Draw { fans_from: Some(last), .. } = &self.action {
            sibling(&tensor.name, last, shapes).filter(|shape| shape.len() >= 2)?;
        }
        Some(&self.names[at])
    }

    fn draw(
        &self,
        tensor: &Tensor,
        shapes: &HashMap<&str, &[u64]>,
        variables: &BTreeMap<String, f64>,
    ) -> Result<Option<Draw>, String> {
        let Action::Draw { scheme, dtype, layout, fans_from, stream, zero_row } = &self.action else { return Ok(None) };
        let shape = match fans_from {
            Some(last) => sibling(&tensor.name, last, shapes).unwrap_or(&tensor.shape),
            None => &tensor.shape,
        };
        let scheme: Scheme = formula::evaluated(scheme, variables)?.parse().map_err(|e: Error| e.to_string())?;
        let distribution = scheme.distribution(shape, *layout).map_err(|e| e.to_string())?;
        let stream = stream.clone().unwrap_or_else(|| tensor.name.clone());
        Ok(Some(Draw { distribution, dtype: *dtype, stream, zero_row: *zero_row }))
    }
}

/// The shape of the tensor whose name is this one with another last part: after the last dot or slash.
fn sibling<'a>(name: &str, last: &str, shapes: &HashMap<&str, &'a [u64]>) -> Option<&'a [u64]> {
    let start = name.rfind(['.', '/']).map_or(0, |i| i + 1);
    shapes.get(format!("{}{last}", &name[..start]).as_str()).copied()
}
