//! The verification of a checkpoint: what is drawn again of it, and what is the same.

mod copied;
pub mod report;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use fanin::Dtype;
use fanin::rules::{FileDtype, Recipe, RecipeJson, Tensor};
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};

use crate::draw::engine::Engine;
use crate::draw::fp8::{self, SCALES};
use crate::draw::seed::{self, StreamKind};
use crate::failure::Failure;
use crate::files::base::Base;
use crate::files::compare::{StoredTensor, compare};
use crate::files::file_range::FileRange;
use crate::files::header::{holds, scaled};
use crate::files::model::Shard;
use crate::files::provenance::{CopiedPart, Provenance};
use crate::files::regular;
use crate::files::sha256::hex;
use crate::ops::named_rules::NamedRules;
use crate::progress;
use report::{CopiedTensor, Origin, Report, TensorOutcome};

/// The comparison of a checkpoint: with what, and how.
pub struct Verification<'a> {
    /// The seed's numbers and its kind, where they are not the file's.
    pub seed: Option<&'a str>,
    pub stream: Option<StreamKind>,
    /// The number of values of each tensor to compare, if not all.
    pub sample: Option<u64>,
    pub given: Option<&'a GivenRules>,
    /// The checkpoint that copied tensors were copied from.
    pub base: Option<&'a Base>,
    pub engine: &'a Engine,
}

/// Rules that were given, and what they plan for each tensor; nothing for those that they skip.
pub struct GivenRules {
    rules: String,
    digest: String,
    recipes: BTreeMap<String, Option<Recipe>>,
}

/// A file of the checkpoint, and how it says that it was made.
pub struct CheckedFile {
    shard: Shard,
    provenance: Option<Provenance>,
}

impl CheckedFile {
    pub fn read(mut shard: Shard) -> Result<CheckedFile, Failure> {
        // In the order of their bytes, which the hash is made of.
        shard.header.tensors.sort_by_key(|(_, bytes)| (bytes.start, bytes.end));
        let failed = |e| Failure::input(format!("{}: {e}", shard.path.display()));
        let provenance = shard.header.provenance.as_deref().map(Provenance::read).transpose().map_err(failed)?;
        Ok(CheckedFile { shard, provenance })
    }

    /// The file's words on how a tensor was drawn.
    fn words(&self, tensor: &str) -> Option<&RecipeJson> {
        self.provenance.as_ref()?.tensors.get(tensor)
    }

    /// The names of the tensors that it says were copied.
    pub fn copied_names(&self) -> impl Iterator<Item = &str> {
        self.provenance.iter().flat_map(|provenance| provenance.copied.keys()).map(String::as_str)
    }

    /// The file's words on what was copied of a tensor.
    fn copied(&self, tensor: &str) -> Option<&CopiedPart> {
        self.provenance.as_ref()?.copied.get(tensor)
    }
}

/// The recipe of a tensor, or its outcome where it is not drawn.
fn plan(
    tensor: &Tensor,
    words: Option<&RecipeJson>,
    given: Option<&GivenRules>,
) -> Result<(Recipe, Dtype), TensorOutcome> {
    let holds = holds(tensor);
    if holds.is_integer() {
        return Err(match words {
            Some(_) => TensorOutcome::Wrong(format!("it holds {holds}, and was drawn as a float by the metadata")),
            None => TensorOutcome::NotCompared {
                reason: format!("it holds {holds}: integers are not drawn"),
                harmless: true,
            },
        });
    }
    let recipe = match (given, words) {
        (Some(given), _) => match given.recipes.get(&tensor.name) {
            Some(Some(recipe)) => recipe.clone(),
            _ => return Err(TensorOutcome::NotCompared { reason: "the rules skip it".into(), harmless: true }),
        },
        (None, Some(words)) => {
            Recipe::from_json(words, &tensor.name, &tensor.shape).map_err(|e| TensorOutcome::Wrong(e.to_string()))?
        }
        (None, None) => return Err(TensorOutcome::Wrong("it is not among the tensors that were written".into())),
    };
    let dtype = match (recipe.scale, holds) {
        (Some(_), FileDtype::F8E4M3) => Some(Dtype::F32),
        (Some(_), _) => {
            return Err(TensorOutcome::Wrong(format!("it holds {holds}, and was written in fp8 by the metadata")));
        }
        (None, _) => holds.drawn(),
    };
    let dtype = dtype.ok_or_else(|| TensorOutcome::NotCompared {
        reason: format!("it holds {holds}, allowed: F32, F16, BF16, or F8_E4M3 with scales"),
        harmless: false,
    })?;
    Ok((recipe, dtype))
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
        Ok(GivenRules { rules: rules.name, digest: rules.rules.digest(), recipes })
    }
}

impl Verification<'_> {
    pub fn report(&self, checkpoint: &Path, files: &[CheckedFile]) -> Result<Report, Failure> {
        let mut report = Report {
            checkpoint: checkpoint.display().to_string(),
            given_seed: self.seed.is_some(),
            given_rules: self.given.is_some(),
            base: self.base.map(|base| base.path.display().to_string()),
            device: self.engine.name().into(),
            tensors: files.iter().map(|file| file.shard.header.tensors.len()).sum(),
            ..Report::default()
        };
        let mut hash = self.sample.is_none().then(Sha256::new);
        let clock = progress::clock();
        for file in files {
            self.verify(file, &mut report, &mut hash, &clock)?;
        }
        clock.finish_and_clear();
        if report.differences.is_empty() && report.not_compared.is_empty() {
            report.sha256 = hash.map(hex);
        }
        Ok(report)
    }

    /// Adds a file to the report.
    fn verify(
        &self,
        checked: &CheckedFile,
        report: &mut Report,
        hash: &mut Option<Sha256>,
        clock: &ProgressBar,
    ) -> Result<(), Failure> {
        let Verification { given, base, engine, .. } = *self;
        let CheckedFile { shard, provenance } = checked;
        let at = shard.path.display();
        let own_kind = provenance.as_ref().map(|p| seed::stream_kind(p.seed));
        let kind = self.stream.or(own_kind).unwrap_or(StreamKind::Native);
        let given_seed = self.seed.map(|text| seed::parse(kind, text)).transpose()?;
        let seed = given_seed.or(provenance.as_ref().map(|p| p.seed)).ok_or_else(|| {
            Failure::input(format!("{at} does not say its seed, allowed: --seed with --rules, --preset or --scheme"))
        })?;
        if given.is_none() && provenance.is_none() {
            return Err(Failure::input(format!(
                "{at} does not say how it was made, allowed: --rules, --preset or --scheme, and --seed"
            )));
        }
        let (rules, rules_sha256) = match (given, provenance) {
            (Some(given), _) => (Some(given.rules.clone()), Some(given.digest.clone())),
            (None, Some(own)) => (own.rules.clone(), own.rules_sha256.clone()),
            (None, None) => (None, None),
        };
        let origin = Origin { seed, rules, rules_sha256 };
        match &report.origin {
            Some(first) if *first != origin => {
                return Err(Failure::input(format!(
                    "{at} says {origin}, and the files before it {first}, allowed: the same in all, or --seed and --rules"
                )));
            }
            _ => report.origin = Some(origin),
        }
        let by = provenance.as_ref().map(|p| p.fanin.as_str()).unwrap_or_default();
        let none = BTreeMap::new();
        let said = provenance.as_ref().map_or(&none, |p| &p.tensors);
        let path: Arc<Path> = shard.path.as_path().into();
        let file = regular::open(&shard.path).map_err(|e| Failure::other(format!("{at}: {e}")))?;
        for (tensor, bytes) in &shard.header.tensors {
            progress::show(clock, &format!("compares {}", tensor.name));
            let words = said.get(&tensor.name);
            let of_tensor = FileRange { path: path.clone(), bytes: bytes.clone() };
            let old = match checked.copied(&tensor.name) {
                Some(said) => {
                    let found = copied::compare(said, tensor, &of_tensor, base, hash)?;
                    report.copied.push(CopiedTensor { tensor: tensor.name.clone(), rows: said.rows });
                    if said.rows.is_none() {
                        let outcome = match found.wrong {
                            None if words.is_some() => TensorOutcome::Wrong(
                                "all of it was copied, and drawn, by the metadata, allowed: one of them".into(),
                            ),
                            None => TensorOutcome::Copied(elements(tensor)),
                            Some(reason) => TensorOutcome::Wrong(reason),
                        };
                        report.add(&tensor.name, outcome);
                        continue;
                    }
                    found
                }
                None => copied::CopyCheck::default(),
            };
            let outcome = match plan(tensor, words, given) {
                Err(outcome) => outcome,
                Ok((recipe, dtype)) => {
                    // Of another kind's streams, the file's contract says nothing.
                    let drawn = words.filter(|_| own_kind == Some(kind)).map(RecipeJson::contract);
                    let ours = seed.contract();
                    let fill = recipe.stream(seed).and_then(|stream| recipe.fill_of(stream, dtype));
                    match (drawn, fill) {
                        (Some(drawn), _) if drawn != ours => TensorOutcome::NotCompared {
                            reason: format!(
                                "fanin {by} drew it by value contract {drawn} of {} streams, allowed: {ours}, this version's",
                                kind.name()
                            ),
                            harmless: false,
                        },
                        (_, Err(e)) => TensorOutcome::Wrong(format!("{e:#}")),
                        (_, Ok(fill)) => {
                            let start = bytes.start;
                            let stored = StoredTensor { file: &file, path: &shard.path, start, scale: recipe.scale };
                            let first = old.bytes / u64::from(holds(tensor).bits() / 8);
                            let runs = self.runs(first..elements(tensor));
                            let mut found = compare(&stored, &fill, &runs, engine, hash)?;
                            found.compared += first;
                            TensorOutcome::Compared(found)
                        }
                    }
                }
            };
            report.add(&tensor.name, outcome.and(old.wrong));
        }
        if given.is_none() {
            let here: HashSet<_> = shard.header.tensors.iter().map(|(t, _)| &t.name).collect();
            let copied = provenance.iter().flat_map(|p| p.copied.keys()).filter(|name| !said.contains_key(*name));
            for name in said.keys().chain(copied).filter(|name| !here.contains(name)) {
                report.add(name, TensorOutcome::Wrong("it is missing".into()));
                report.tensors += 1;
            }
        }
        Ok(())
    }

    /// The elements to compare of so many.
    fn runs(&self, all: Range<u64>) -> Vec<Range<u64>> {
        let len = all.end - all.start;
        match self.sample {
            Some(sample) if sample < len => {
                // Runs of equal length at equal distances, the first and the last element among them.
                let runs = sample.min(16);
                let length = sample.div_ceil(runs);
                let at =
                    |run| if runs == 1 { 0 } else { (u128::from(len - length) * run / u128::from(runs - 1)) as u64 };
                (0..u128::from(runs)).map(at).map(|at| all.start + at).map(|start| start..start + length).collect()
            }
            _ => std::iter::once(all).collect(),
        }
    }
}

fn elements(tensor: &Tensor) -> u64 {
    tensor.shape.iter().fold(1, |n, &d| n.saturating_mul(d))
}
