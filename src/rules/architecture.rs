//! Architectures: which tensors a configuration's model has, and how they start.

use std::str::FromStr;

use super::blueprint::{Blueprint, class_of};
use super::config::{Config, missing, shown};
use super::model::Model;
use super::plan::Plan;
use super::{Rules, text};
use crate::{Error, ErrorKind};

macro_rules! architectures {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../architectures/", $name, ".toml")))),*]
    };
}

/// The architectures that come with fanin, by the names of their files.
const ARCHITECTURES: &[(&str, &str)] = architectures![
    "bert",
    "convnext",
    "distilbert",
    "gemma",
    "gpt2",
    "gpt_neox",
    "llama",
    "mamba",
    "mixtral",
    "opt",
    "phi3",
    "qwen",
    "resnet",
    "roberta",
    "t5",
    "vit",
];

/// Which tensors a configuration's model has, and how they start: a TOML text, as `architectures/` has them, whose README says how
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
/// let plan = Architecture::of(&config)?.plan(&config)?;
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
    ///
    /// ```
    /// assert!(fanin::rules::Architecture::classes().any(|class| class == "LlamaForCausalLM"));
    /// ```
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
    pub fn of(config: &Config) -> Result<Architecture, Error> {
        let mut known = Vec::new();
        let class = class_of(config)?;
        let kind = config.text("model_type");
        for (name, text) in ARCHITECTURES {
            let architecture = Architecture { name, ..text.parse()? };
            let blueprint = &architecture.blueprint;
            match class {
                Some(class) if blueprint.classes.contains_key(class) => {
                    blueprint.class(config)?;
                    return Ok(architecture);
                }
                Some(_) => known.extend(architecture.blueprint.classes.into_keys()),
                None => {
                    let of_kind = |class: &&String| kind.is_none_or(|kind| blueprint.types_of(class).contains(&kind));
                    known.extend(blueprint.classes.keys().filter(of_kind).cloned());
                }
            }
        }
        let more = "; an architecture of your own is a file";
        match (class, config.get("architectures")) {
            (Some(_), Some(value)) => {
                Err(Error::new(ErrorKind::Config, "architectures", shown(value), known.join(", ") + more))
            }
            _ if known.is_empty() => match config.get("model_type") {
                Some(value) => {
                    let known = Architecture::classes().collect::<Vec<_>>().join(", ");
                    let allowed = format!("that of one of these: {known}{more}");
                    Err(Error::new(ErrorKind::Config, "model_type", shown(value), allowed))
                }
                None => Err(missing("architectures")),
            },
            _ => {
                let error = Error::failed(ErrorKind::Config, "the config", "has no architectures");
                Err(error.allowing(known.join(", ") + more))
            }
        }
    }

    /// The name of the file, of one of fanin's own.
    ///
    /// ```
    /// # use fanin::rules::{Architecture, Config};
    /// let config = Config::from_json(br#"{"architectures": ["MistralForCausalLM"]}"#)?;
    /// assert_eq!(Architecture::of(&config)?.name(), "llama");
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        self.name
    }

    /// The TOML text.
    ///
    /// ```
    /// # use fanin::rules::{Architecture, Config};
    /// let config = Config::from_json(br#"{"architectures": ["LlamaForCausalLM"]}"#)?;
    /// assert!(Architecture::of(&config)?.text().contains("[architectures]"));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn text(&self) -> &str {
        self.rules.text()
    }

    /// Keys of configurations that it asks for, or knows what they are if they are left out.
    ///
    /// ```
    /// # use fanin::rules::{Architecture, Config};
    /// let config = Config::from_json(br#"{"architectures": ["LlamaForCausalLM"]}"#)?;
    /// assert!(Architecture::of(&config)?.keys().any(|key| key == "hidden_size"));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let own = ["architectures", "model_type", "dtype", "torch_dtype"];
        let blueprint = &self.blueprint;
        blueprint.keys.keys().chain(blueprint.aliases.keys()).map(String::as_str).chain(own)
    }

    /// The tensors of this configuration's model, with their dtypes.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a key that is missing or of another kind, and for values that make no model.
    ///
    /// See [`Architecture`] for an example.
    pub fn model(&self, config: &Config) -> Result<Model, Error> {
        Model::new(self.blueprint.tensors(&self.blueprint.resolve(config)?)?)
    }

    /// The rules, with this configuration's numbers.
    ///
    /// # Errors
    /// Those of [`model`](Architecture::model).
    ///
    /// See [`Architecture`] for an example.
    pub fn rules(&self, config: &Config) -> Result<Rules, Error> {
        Ok(self.rules.with(self.blueprint.resolve(config)?.variables))
    }

    /// What each tensor draws.
    ///
    /// # Errors
    /// Those of [`model`](Architecture::model) and [`Rules::plan`].
    ///
    /// See [`Architecture`] for an example.
    pub fn plan(&self, config: &Config) -> Result<Plan, Error> {
        self.rules(config)?.plan(self.model(config)?.tensors())
    }
}

impl Plan {
    /// A model of a `config.json` as transformers writes it, by fanin's own architectures.
    ///
    /// # Errors
    /// Those of [`Config::from_json`], [`Architecture::of`] and [`Architecture::plan`].
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
        Architecture::of(&config)?.plan(&config)
    }
}
