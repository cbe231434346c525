//! The expectations of a checkpoint's tensors: what each was drawn from, and the scales of fp8 weights.

use std::collections::{BTreeMap, HashSet};

use fanin::Distribution;
use fanin::rules::{FileDtype, Part, Plan, Recipe, Tensor};

use crate::draw::fp8::SCALES;
use crate::failure::Failure;
use crate::files::header::{holds, scaled};
use crate::files::model::Shard;
use crate::files::provenance::Provenance;
use crate::files::regular;
use crate::files::summary::Summary;

/// The expectations of a checkpoint's tensors, by their names.
pub struct Expected {
    distributions: BTreeMap<String, Distribution>,
    /// The scale of each fp8 weight that has scales beside it; none, where they are several.
    scales: BTreeMap<String, Option<f64>>,
    /// The tensors that were copied, if only in part, of which nothing is expected.
    copied: HashSet<String>,
}

impl Expected {
    /// The expectations by the files' own words.
    pub fn by_words(shards: &[Shard]) -> Result<Expected, Failure> {
        let scales = scales(shards)?;
        let (mut distributions, mut copied) = (BTreeMap::new(), HashSet::new());
        for header in shards.iter().map(|shard| &shard.header) {
            // A file that cannot be read says nothing; `verify` says what is wrong with it.
            let said = header.provenance.as_deref().and_then(|text| Provenance::read(text).ok());
            for (tensor, _) in &header.tensors {
                if said.as_ref().is_some_and(|p| p.copied.contains_key(&tensor.name)) {
                    copied.insert(tensor.name.clone());
                    continue;
                }
                let words = said.as_ref().and_then(|p| p.tensors.get(&tensor.name));
                if let Some(Ok(recipe)) = words.map(|words| Recipe::from_json(words, &tensor.name, &tensor.shape))
                    && has_one_distribution(&recipe)
                {
                    distributions.insert(tensor.name.clone(), recipe.distribution);
                }
            }
        }
        Ok(Expected { distributions, scales, copied })
    }

    /// The tensors of these files of which rules are asked.
    pub fn tensors_to_plan(&self, shards: &[Shard]) -> Vec<Tensor> {
        let all = shards.iter().flat_map(|shard| &shard.header.tensors).map(|(tensor, _)| tensor);
        let is_scales =
            |tensor: &Tensor| tensor.name.strip_suffix(SCALES).is_some_and(|of| self.scales.contains_key(of));
        let is_drawn = |tensor: &&Tensor| !tensor.is_integer() && !is_scales(tensor);
        let wanted = |tensor: &Tensor| match tensor.clone() {
            wanted if self.copied.contains(&tensor.name) => wanted.optional(),
            wanted => wanted,
        };
        all.filter(is_drawn).map(wanted).collect()
    }

    /// The expectations by a plan of those tensors, in place of the files' own words.
    pub fn by_plan(self, plan: Plan) -> Expected {
        let planned = plan.into_tensors().into_iter().filter(|planned| !self.copied.contains(&planned.name));
        let distributions = planned
            .filter_map(|planned| Some((planned.name, planned.draw.filter(has_one_distribution)?.distribution)))
            .collect();
        Expected { distributions, ..self }
    }

    /// The scale of a weight in fp8, if it has one.
    pub fn scale(&self, tensor: &Tensor) -> Option<f64> {
        self.scales.get(&tensor.name).copied().flatten()
    }

    /// True if a tensor's numbers are its values: those of fp8 are none without their scale.
    pub fn is_scaled(&self, tensor: &Tensor) -> bool {
        holds(tensor) != FileDtype::F8E4M3 || self.scale(tensor).is_some()
    }

    /// The distribution of a tensor's values, if one is expected.
    pub fn distribution(&self, tensor: &Tensor) -> Option<&Distribution> {
        self.distributions.get(&tensor.name).filter(|_| self.is_scaled(tensor))
    }
}

/// True if one distribution is expected of the whole, but for rows of zeros.
fn has_one_distribution(recipe: &Recipe) -> bool {
    recipe.parts.iter().all(Part::is_zero_row)
}

/// The scale of each fp8 weight that has scales beside it; none, where they are several.
fn scales(shards: &[Shard]) -> Result<BTreeMap<String, Option<f64>>, Failure> {
    let all = || shards.iter().flat_map(|shard| shard.header.tensors.iter().map(move |tensor| (shard, tensor)));
    let scaled = scaled(all().map(|(_, (tensor, _))| tensor));
    let mut scales = BTreeMap::new();
    for (shard, (tensor, bytes)) in all() {
        let Some(of) = tensor.name.strip_suffix(SCALES).filter(|of| scaled.contains(of)) else { continue };
        let failed = |e: std::io::Error| Failure::other(format!("{}: {e}", shard.path.display()));
        let file = regular::open(&shard.path).map_err(failed)?;
        let Summary { min, max, finite, count, .. } =
            Summary::read(&file, bytes.clone(), holds(tensor)).map_err(failed)?;
        scales.insert(of.to_string(), (min == max && finite == count).then_some(min));
    }
    Ok(scales)
}
