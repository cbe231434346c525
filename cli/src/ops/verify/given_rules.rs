//! Rules that a checkpoint is verified by in place of its own words.

use std::collections::BTreeMap;
use std::path::Path;

use fanin::rules::{Recipe, Tensor};

use crate::draw::fp8::{self, SCALES};
use crate::failure::Failure;
use crate::files::header::scaled;
use crate::files::provenance::CopiedPart;
use crate::ops::named_rules::NamedRules;
use crate::ops::verify::checked_file::CheckedFile;

/// Rules that were given, and what they plan for each tensor; nothing for those that they skip.
pub struct GivenRules {
    /// The name of the rules, and the SHA-256 of their text.
    pub name: String,
    pub digest: String,
    recipes: BTreeMap<String, Option<Recipe>>,
}

impl GivenRules {
    /// The plan of the given rules for the tensors that `init` plans.
    pub fn plan(
        files: &[CheckedFile],
        checkpoint: &Path,
        choose: impl FnOnce(&[Tensor]) -> Result<NamedRules, Failure>,
    ) -> Result<GivenRules, Failure> {
        let all = files.iter().flat_map(|file| file.shard.header.tensors.iter().map(move |(tensor, _)| (file, tensor)));
        let scaled = scaled(all.clone().map(|(_, tensor)| tensor));
        let is_of = |tensor: &Tensor| tensor.name.strip_suffix(SCALES).is_some_and(|of| scaled.contains(of));
        // Rules are for whole tensors: of a part, what the file says of the whole.
        let mut slices = BTreeMap::new();
        let tensors: Vec<_> = all
            .clone()
            .filter(|(_, tensor)| !tensor.is_integer() && !is_of(tensor))
            .map(|(file, tensor)| {
                let mut whole = tensor.clone();
                let words = file.words(&tensor.name);
                let recipe = words.and_then(|words| Recipe::from_json(words, &tensor.name, &tensor.shape).ok());
                if let Some(recipe) = recipe.filter(|recipe| recipe.slices.iter().any(|slice| slice.dim.is_some())) {
                    whole.shape = recipe.shape;
                    slices.insert(tensor.name.clone(), recipe.slices);
                }
                whole.optional = matches!(file.copied(&tensor.name), Some(CopiedPart { rows: None, .. }));
                whole
            })
            .collect();
        let rules = choose(&tensors)?;
        let mut recipes = BTreeMap::new();
        for planned in rules.plan(&tensors, checkpoint)?.into_tensors() {
            let mut recipe = planned.draw;
            if let Some(recipe) = &mut recipe {
                if scaled.contains(planned.name.as_str()) {
                    let wrong = |e| Failure::input(format!("tensor \"{}\": {e}", planned.name));
                    recipe.scale = Some(fp8::scale(recipe).map_err(wrong)?);
                }
                recipe.slices = slices.remove(&planned.name).unwrap_or_default();
            }
            recipes.insert(planned.name, recipe);
        }
        // What multiplies a weight follows from its rule.
        for (_, tensor) in all.filter(|(_, tensor)| is_of(tensor)) {
            let of = tensor.name.strip_suffix(SCALES).and_then(|of| recipes.get(of)?.as_ref()?.scale);
            let scales = of.map(|scale| fp8::scales(&tensor.name, &tensor.shape, scale));
            recipes.insert(tensor.name.clone(), scales);
        }
        Ok(GivenRules { name: rules.name, digest: rules.rules.digest(), recipes })
    }

    /// The recipe of a tensor, if they do not skip it.
    pub fn recipe(&self, tensor: &str) -> Option<&Recipe> {
        self.recipes.get(tensor)?.as_ref()
    }
}
