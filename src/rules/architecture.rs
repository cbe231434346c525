//! Architectures: which tensors a configuration's model has, and how they start.

use std::str::FromStr;

use super::blueprint::{Blueprint, Resolved, class_of};
use super::config::{Config, QUANTISATION, shown};
use super::fp8::{self, Fp8};
use super::model::Model;
use super::plan::Plan;
use super::{Rules, text};
use crate::names::nearest;
use crate::{Error, ErrorKind};

macro_rules! architectures {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../data/architectures/", $name, ".toml")))),*]
    };
}

/// The architectures that come with fanin, by the names of their files.
const ARCHITECTURES: &[(&str, &str)] = architectures![
    "albert",
    "bart",
    "beit",
    "bert",
    "bloom",
    "clip",
    "clip_towers",
    "convnext",
    "deberta",
    "decoders",
    "deepseek",
    "deit",
    "dinov2",
    "distilbert",
    "electra",
    "falcon",
    "gemma",
    "gemma3",
    "glm4_moe",
    "gpt2",
    "gpt_neo",
    "gpt_neox",
    "gpt_oss",
    "gptj",
    "llama",
    "llama4",
    "llama4_text",
    "llama4_vision",
    "llava",
    "mamba",
    "mamba2",
    "mixtral",
    "mpnet",
    "olmoe",
    "opt",
    "phi",
    "phi3",
    "qwen",
    "qwen3_next",
    "qwen_vl",
    "qwen_vl_vision",
    "resnet",
    "roberta",
    "siglip",
    "siglip_towers",
    "swin",
    "t5",
    "vit",
    "wav2vec2",
    "whisper",
    "xlnet",
];

/// The tensors of a configuration's model, and how they start: a TOML text, as `data/architectures/` has them, whose README says how
/// they are written.
///
/// ```
/// use fanin::rules::{Architecture, Config};
/// use fanin::{Dtype, cpu};
///
/// let config = Config::from_json(br#"{
///     "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 320, "hidden_size": 64,
///     "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4, "tie_word_embeddings": true
/// }"#)?;
/// let plan = Architecture::for_config(&config)?.plan(&config)?;
/// assert_eq!(plan.tensors().len(), 2 * 9 + 2);
/// for (name, fill) in plan.fills(42, Dtype::F32)? {
///     let values: Vec<f32> = cpu::vec(&fill)?;
///     assert_eq!(name == "model.norm.weight", values.len() == 64 && !name.contains("layers"));
/// }
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Architecture {
    name: &'static str,
    rules: Rules,
    blueprint: Blueprint,
}

/// Reads the TOML text.
impl FromStr for Architecture {
    type Err = Error;

    fn from_str(text: &str) -> Result<Architecture, Error> {
        match text::read(text)? {
            (rules, Some(blueprint)) => Ok(Architecture { name: "", rules, blueprint }),
            (_, None) => {
                let error = Error::failed(ErrorKind::Rules, "the text", "has no [architectures]");
                Err(error.allowing("an architecture's: rules alone are no model"))
            }
        }
    }
}

impl Architecture {
    /// The classes of models that the architectures of fanin know, as a configuration's `architectures` has them.
    pub fn classes() -> impl Iterator<Item = String> {
        let all = ARCHITECTURES.iter().filter_map(|(_, text)| text.parse::<Architecture>().ok());
        all.flat_map(|architecture| architecture.blueprint.classes.into_keys())
    }

    /// The one of fanin's own for this configuration, by its `architectures`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if there is none, or it is another `model_type`'s.
    ///
    /// See [`Architecture`] for an example.
    pub fn for_config(config: &Config) -> Result<Architecture, Error> {
        let class = class_of(config)?;
        if let Some(architecture) = class.map(Architecture::for_class).transpose()?.flatten() {
            architecture.blueprint.class(config)?;
            return Ok(architecture);
        }
        let more = "; an architecture of your own is a file";
        let kind = config.text("model_type");
        let mut of_kind = Vec::new();
        for (_, text) in ARCHITECTURES {
            let blueprint = text.parse::<Architecture>()?.blueprint;
            let is = |class: &&String| kind.is_none_or(|kind| blueprint.types_of(class).contains(&kind));
            of_kind.extend(blueprint.classes.keys().filter(is).cloned());
        }
        let all: Vec<_> = Architecture::classes().collect();
        // Of all classes, none but those of its type would be looked for.
        let known = if of_kind.is_empty() { &all } else { &of_kind };
        match (class, config.get("architectures")) {
            (Some(class), Some(value)) => {
                let near = nearest(class, all.iter().map(String::as_str));
                Err(Error::new(ErrorKind::Config, "architectures", shown(value), known.join(", ") + more).near(near))
            }
            _ if of_kind.is_empty() => match config.get("model_type") {
                Some(value) => {
                    let allowed = format!("that of one of these: {}{more}", known.join(", "));
                    Err(Error::new(ErrorKind::Config, "model_type", shown(value), allowed))
                }
                None => Err(config.missing("architectures")),
            },
            _ => {
                let error = Error::failed(ErrorKind::Config, "the config", "has no architectures");
                Err(error.allowing(known.join(", ") + more))
            }
        }
    }

    /// The one of fanin's own that has this class.
    fn for_class(class: &str) -> Result<Option<Architecture>, Error> {
        for (name, text) in ARCHITECTURES.iter().filter(|(_, text)| text.contains(class)) {
            let architecture = Architecture { name, ..text.parse()? };
            if architecture.blueprint.classes.contains_key(class) {
                return Ok(Some(architecture));
            }
        }
        Ok(None)
    }

    /// The name of the file, of one of fanin's own.
    pub fn name(&self) -> &str {
        self.name
    }

    /// The TOML text.
    pub fn text(&self) -> &str {
        self.rules.text()
    }

    /// Keys of configurations that it asks for, or knows what they are if they are left out: `text_config.hidden_size` within another.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        let of = |architecture: &Architecture| {
            let blueprint = &architecture.blueprint;
            blueprint.keys.keys().chain(blueprint.aliases.keys()).cloned().collect::<Vec<_>>()
        };
        let own = ["architectures", "model_type", "dtype", "torch_dtype"].map(String::from);
        let mut keys = of(self);
        for submodel in &self.blueprint.submodels {
            for class in &submodel.classes {
                let is_own = self.blueprint.classes.contains_key(class);
                let other = if is_own { None } else { Architecture::for_class(class).ok().flatten() };
                keys.extend(of(other.as_ref().unwrap_or(self)).iter().map(|key| format!("{}.{key}", submodel.config)));
            }
        }
        keys.into_iter().chain(own)
    }

    /// The tensors of this configuration's model, with their dtypes.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a key that is missing or of another kind, and for values that make no model.
    ///
    /// See [`Architecture`] for an example.
    pub fn model(&self, config: &Config) -> Result<Model, Error> {
        Model::new(self.blueprint.tensors(&self.resolved(config)?)?)
    }

    /// A configuration's model as files have it, and the rules by which it starts: also of a quantised configuration, whose weights in
    /// fp8 (E4M3) have a [block](super::Tensor::fp8_block) each. [`model`](Architecture::model) and [`plan`](Architecture::plan) are those of
    /// the [unquantised](Config::unquantised) configuration.
    ///
    /// As transformers has it, a weight `w` of `rows` and `columns` has beside it an f32 tensor `w_scale_inv` of `ceil(rows / block rows)` and
    /// `ceil(columns / block columns)`, which the numbers of each block are multiplied by. All weights of linear layers and experts are
    /// quantised, but for those of `modules_to_not_convert` or, without it, the layer that makes the output.
    ///
    /// # Errors
    /// Those of [`model`](Architecture::model); [`ErrorKind::Config`] for another quantisation than fp8 by blocks with dynamic activations,
    /// and for an architecture that does not say which its linear layers are.
    ///
    /// ```
    /// use fanin::rules::{Architecture, Config, FileDtype};
    ///
    /// let config = Config::from_json(br#"{
    ///     "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 320, "hidden_size": 64,
    ///     "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4,
    ///     "quantization_config": {"quant_method": "fp8", "weight_block_size": [32, 32]}
    /// }"#)?;
    /// let described = Architecture::for_config(&config)?.describe(&config)?;
    /// let quantised = |tensor: &&fanin::rules::Tensor| tensor.fp8_block == Some([32, 32]) && tensor.dtype == Some(FileDtype::F8E4M3);
    /// assert_eq!(described.model.tensors().iter().filter(quantised).count(), 2 * 7);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn describe(&self, config: &Config) -> Result<Described, Error> {
        let fp8 = Fp8::from_config(config)?;
        if fp8.is_some() && self.blueprint.linear.is_empty() {
            let said = "is not written of an architecture that does not say which weights are those of linear layers";
            return Err(
                Error::failed(ErrorKind::Config, config.named(QUANTISATION), said).allowing(fp8::remedy(QUANTISATION))
            );
        }
        let resolved = self.resolved(&config.unquantised())?;
        let mut tensors = self.blueprint.tensors(&resolved)?;
        if let Some(fp8) = fp8 {
            fp8.quantise(&mut tensors, &self.blueprint.linear, &self.blueprint.tied(&resolved)?)?;
        }
        Ok(Described { model: Model::new(tensors)?, rules: with_numbers(&self.rules, resolved) })
    }

    fn resolved(&self, config: &Config) -> Result<Resolved, Error> {
        let find = |class: &str| Ok(Architecture::for_class(class)?.map(|of| (of.rules, of.blueprint)));
        self.blueprint.resolve(&self.rules, config, find)
    }

    /// The plan of a configuration's model: the recipe of each tensor.
    ///
    /// # Errors
    /// Those of [`model`](Architecture::model) and [`Rules::plan`].
    ///
    /// See [`Architecture`] for an example.
    pub fn plan(&self, config: &Config) -> Result<Plan, Error> {
        let resolved = self.resolved(config)?;
        let model = Model::new(self.blueprint.tensors(&resolved)?)?;
        with_numbers(&self.rules, resolved).plan(model.tensors())
    }
}

/// The model that a configuration describes.
///
/// See [`Architecture::describe`] for an example.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Described {
    /// Its tensors, as files have them.
    pub model: Model,
    /// The architecture's rules, with the configuration's numbers.
    pub rules: Rules,
}

/// Rules with the numbers of a configuration, and those of its submodels with theirs.
fn with_numbers(rules: &Rules, resolved: Resolved) -> Rules {
    let within = resolved.within.into_iter().map(|of| (of.prefix, with_numbers(&of.rules, of.resolved)));
    rules.with(resolved.variables, within.collect())
}

impl Plan {
    /// A model of a `config.json` as transformers writes it, by fanin's own architectures.
    ///
    /// # Errors
    /// Those of [`Config::from_json`], [`Architecture::for_config`] and [`Architecture::plan`].
    ///
    /// ```
    /// use fanin::rules::Plan;
    ///
    /// let config = br#"{"architectures": ["GPT2LMHeadModel"], "vocab_size": 100, "n_positions": 16, "n_embd": 8,
    ///     "n_layer": 2, "n_head": 2}"#;
    /// for (name, fill) in Plan::from_config(config)?.fills(42, fanin::Dtype::F32)? {
    ///     println!("{name}: {:?}, {fill}", fill.shape());
    /// }
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn from_config(json: &[u8]) -> Result<Plan, Error> {
        let config = Config::from_json(json)?;
        Architecture::for_config(&config)?.plan(&config)
    }
}
