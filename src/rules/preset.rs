//! Presets: the rules that come with fanin, and how they know their models.

use super::model::Tensor;
use super::rule::{Mark, fits};
use super::{Rules, listed};
use crate::names::{plain, unknown};
use crate::{Error, ErrorKind};

/// The rules that come with fanin: files of `data/presets/`, each of which says what it follows.
const PRESETS: &[(&str, &str)] = &[
    ("gpt2", include_str!("../../data/presets/gpt2.toml")),
    ("gemma", include_str!("../../data/presets/gemma.toml")),
    ("llama", include_str!("../../data/presets/llama.toml")),
    ("bert", include_str!("../../data/presets/bert.toml")),
    ("roberta", include_str!("../../data/presets/roberta.toml")),
    ("vit", include_str!("../../data/presets/vit.toml")),
    ("resnet", include_str!("../../data/presets/resnet.toml")),
    ("pytorch", include_str!("../../data/presets/pytorch.toml")),
    ("keras", include_str!("../../data/presets/keras.toml")),
    ("flax", include_str!("../../data/presets/flax.toml")),
    ("burn", include_str!("../../data/presets/burn.toml")),
];

impl Rules {
    /// The names of the rules that come with fanin.
    ///
    /// No value contract covers them: a program keeps each tensor's distribution with its checkpoint, which says what was drawn. A test
    /// freezes the presets' distributions all the same, and CHANGELOG.md lists each change under **Values**.
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

    /// The preset that recognises a model by its tensors' names and shapes. Some of the tensors must be ones that only the preset's models
    /// have, and all others must be ones that the preset's models may have. (Names cannot tell every model: Gemma 1 has Llama's names.)
    ///
    /// # Errors
    /// [`ErrorKind::Unmatched`] if none does, with the tensors that keep the nearest from it.
    ///
    /// ```
    /// use fanin::rules::{Rules, Tensor};
    ///
    /// let names = ["layers.0.self_attn.q_proj.weight", "layers.0.mlp.gate_proj.weight", "layers.0.self_attn.gate_proj.weight"];
    /// let model = names.map(|name| Tensor::new(name, [8, 8]));
    /// assert_eq!(Rules::recognise(&model[..2])?, "llama");
    /// assert!(Rules::recognise(&model).unwrap_err().to_string().contains("self_attn.gate_proj.weight"));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn recognise(model: &[Tensor]) -> Result<&'static str, Error> {
        let mut nearest: Option<(&str, Vec<String>)> = None;
        for (name, text) in PRESETS {
            let rules: Rules = text.parse()?;
            let has = |mark: &Mark| {
                let is = |tensor: &Tensor| {
                    mark.pattern.matches(&tensor.name)
                        && mark.shape.as_ref().is_none_or(|wanted| fits(wanted, &tensor.shape))
                };
                model.iter().any(is)
            };
            if rules.recognise.is_empty() || !rules.recognise.iter().all(has) {
                continue;
            }
            let strangers = rules.strangers(model);
            if strangers.is_empty() {
                return Ok(name);
            }
            if nearest.as_ref().is_none_or(|(_, fewest)| strangers.len() < fewest.len()) {
                nearest = Some((name, strangers));
            }
        }
        Err(match nearest {
            None => Error::failed(ErrorKind::Unmatched, "the model", "is known to no preset by its tensors' names")
                .allowing("a preset's name, or rules of your own"),
            Some((name, strangers)) => {
                let which = if strangers.len() == 1 { "a tensor" } else { "tensors" };
                let said =
                    format!("looks like {name}'s, and has {which} that none of those has: {}", listed(&strangers));
                Error::failed(ErrorKind::Unmatched, "the model", said)
                    .allowing(format!("{name} by its name, whose rules may serve it, or rules of your own"))
            }
        })
    }

    /// Tensors that the models of this preset do not have. What comes before their names is the same for all layers, and for what is
    /// beside them, such as heads, that or a begin of it.
    fn strangers(&self, model: &[Tensor]) -> Vec<String> {
        // What comes before the part of the name that the preset knows, and whether that is a layer's: of a number, and two parts more.
        let known = |name: &str| {
            let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
            let parts: Vec<_> = name.split('.').map(|part| if is_number(part) { "0" } else { part }).collect();
            let from = |pattern: &glob::Pattern| {
                let at = parts.len().checked_sub(pattern.as_str().split('.').count())?;
                pattern.matches(&parts[at..].join(".")).then_some(at)
            };
            let at = self.family.iter().filter_map(from).min()?;
            let before: String = name.split_inclusive('.').take(at).collect();
            Some((before, parts[at..].iter().rev().skip(2).any(|part| *part == "0")))
        };
        let floats = || model.iter().filter(|tensor| !tensor.is_integer());
        let befores = || floats().filter_map(|tensor| known(&tensor.name));
        let layers =
            befores().find(|(_, is_layer)| *is_layer).or_else(|| befores().max_by_key(|(before, _)| before.len()));
        let (of_all, _) = layers.unwrap_or_default();
        let is_stranger = |tensor: &&Tensor| match known(&tensor.name) {
            Some((before, true)) => before != of_all,
            Some((before, false)) => !of_all.starts_with(&before),
            None => true,
        };
        floats().filter(is_stranger).map(|tensor| tensor.name.clone()).collect()
    }
}
