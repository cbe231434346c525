//! `fanin verify`: whether a checkpoint is what a seed says.

mod copied;
mod report;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fanin::Dtype;
use indicatif::ProgressBar;
use safetensors::Dtype as FileDtype;
use sha2::{Digest, Sha256};

use crate::commands::choice::Choice;
use crate::draw::engine::Engine;
use crate::draw::fp8::{self, SCALES};
use crate::draw::recipe::{Recipe, Words};
use crate::draw::seed::{self, Kind};
use crate::failure::Failure;
use crate::files::base::Base;
use crate::files::compare::{Stored, compare};
use crate::files::header::{Tensor, is_integer, own_dtype, scaled};
use crate::files::model::{self, Shard};
use crate::files::provenance::{Copied, Provenance};
use crate::files::regular;
use crate::files::run::{Run, hex};
use crate::progress;
use report::{NotDrawn, Origin, Outcome, Report};

/// Draws a checkpoint again and compares it, bit by bit.
///
/// Seed and rules are those that the file says it was made with, unless others are given. A file's own words prove only that it agrees
/// with itself; a seed and rules that are given prove more, or a SHA-256 from elsewhere.
///
/// Each tensor that is not compared is named: integers, which are not drawn; tensors that given rules skip; and floats other than F32,
/// F16, BF16 and, beside their scales, F8_E4M3, and tensors of another value contract, for which the checkpoint is not verified.
///
/// Tensors that `init --base` copied are compared by their SHA-256, also with --sample, and named. That digest is the file's own word,
/// whatever rules are given; with --base it is compared with what the base has.
///
/// If all tensors were compared as a whole and are the same, the SHA-256 of their bytes is printed: of all that is behind the header in
/// the file, or in the files of an index one after the other in the order of their names.
///
/// Exit codes, as of diff: 0 the same, 1 different, 2 and more trouble: wrong input, a tensor that cannot be compared, a file that
/// cannot be read, a device that fails.
#[derive(clap::Args)]
pub struct Verify {
    /// A .safetensors file, or the .safetensors.index.json of a sharded one.
    checkpoint: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// The checkpoint that the file's copied tensors were copied from.
    #[arg(long, value_name = "CHECKPOINT")]
    base: Option<PathBuf>,
    /// The prefix of their names there, as for init.
    #[arg(long, value_name = "PREFIX", requires = "base")]
    base_prefix: Option<String>,
    /// The seed [default: what the file says]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<String>,
    /// The framework whose random values they are, as for init, where a seed is given [default: what the file says, else native]
    #[arg(long, value_enum, ignore_case = true, requires = "seed")]
    stream: Option<Kind>,
    /// Compare only about so many values of each tensor, in runs that are spread over it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
    /// The device that draws: as for init.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,
    /// Print a JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Rules that were given, and what they plan for each tensor; nothing for those that they skip.
struct Given {
    rules: String,
    digest: String,
    recipes: BTreeMap<String, Option<Recipe>>,
}

/// A file of the checkpoint, and how it says that it was made.
struct Made {
    shard: Shard,
    provenance: Option<Provenance>,
}

impl Made {
    fn read(mut shard: Shard) -> Result<Made, Failure> {
        // In the order of their bytes, which the hash is made of.
        shard.header.tensors.sort_by_key(|(_, bytes)| (bytes.start, bytes.end));
        let failed = |e| Failure::input(format!("{}: {e}", shard.path.display()));
        let provenance = shard.header.provenance.as_deref().map(Provenance::read).transpose().map_err(failed)?;
        Ok(Made { shard, provenance })
    }

    /// The file's words on how a tensor was drawn.
    fn words(&self, tensor: &str) -> Option<&Words> {
        self.provenance.as_ref()?.tensors.get(tensor)
    }

    /// The file's words on what was copied of a tensor.
    fn copied(&self, tensor: &str) -> Option<&Copied> {
        self.provenance.as_ref()?.copied.get(tensor)
    }
}

/// The recipe of a tensor, or its outcome where it is not drawn.
fn plan(tensor: &Tensor, words: Option<&Words>, given: Option<&Given>) -> Result<(Recipe, Dtype), Outcome> {
    let holds = tensor.dtype;
    if is_integer(holds) {
        return Err(match words {
            Some(_) => Outcome::Wrong(format!("it holds {holds}, and was drawn as a float by the metadata")),
            None => {
                Outcome::NotCompared { reason: format!("it holds {holds}: integers are not drawn"), harmless: true }
            }
        });
    }
    let recipe = match (given, words) {
        (Some(given), _) => match given.recipes.get(&tensor.name) {
            Some(Some(recipe)) => recipe.clone(),
            _ => return Err(Outcome::NotCompared { reason: "the rules skip it".into(), harmless: true }),
        },
        (None, Some(words)) => Recipe::from_words(words, &tensor.name, &tensor.shape).map_err(Outcome::Wrong)?,
        (None, None) => return Err(Outcome::Wrong("it is not among the tensors that were written".into())),
    };
    let dtype = match (recipe.scale, holds) {
        (Some(_), FileDtype::F8_E4M3) => Ok(Dtype::F32),
        (Some(_), _) => {
            return Err(Outcome::Wrong(format!("it holds {holds}, and was written in fp8 by the metadata")));
        }
        (None, _) => own_dtype(holds),
    };
    let dtype = dtype.map_err(|_| Outcome::NotCompared {
        reason: format!("it holds {holds}, allowed: F32, F16, BF16, or F8_E4M3 with scales"),
        harmless: false,
    })?;
    Ok((recipe, dtype))
}

impl Verify {
    pub fn run(self) -> Result<(), Failure> {
        // Whatever fails underway does not make it different.
        let report = self.report().map_err(|e| Failure { code: 2, ..e })?;
        if self.json {
            report.print_json()
        } else {
            report.print()
        }
        report.verdict()
    }

    fn report(&self) -> Result<Report, Failure> {
        let shards = model::shards(&self.checkpoint, true)?;
        let made = shards.into_iter().map(Made::read).collect::<Result<Vec<_>, _>>()?;
        let given = if self.choice.is_given() { Some(self.given(&made)?) } else { None };
        let mut base = self.base.as_deref().map(Base::open).transpose()?;
        let copied: Vec<_> = made.iter().flat_map(|made| &made.provenance).flat_map(|p| p.copied.keys()).collect();
        if let (Some(base), true) = (&base, copied.is_empty()) {
            let (at, base) = (self.checkpoint.display(), base.path.display());
            return Err(Failure::input(format!(
                "{at} says of no tensor that it was copied, allowed with --base {base}: what init --base wrote"
            )));
        }
        if let Some(by_its_own) = base.take() {
            let names = copied.iter().map(|name| name.as_str());
            base = Some(by_its_own.by_names_of(names, self.base_prefix.as_deref())?.0);
        }
        let engine = Engine::choose(&self.device)?;
        let mut report = Report {
            checkpoint: self.checkpoint.display().to_string(),
            given_seed: self.seed.is_some(),
            given_rules: given.is_some(),
            base: base.as_ref().map(|base| base.path.display().to_string()),
            device: engine.name().into(),
            tensors: made.iter().map(|made| made.shard.header.tensors.len()).sum(),
            ..Report::default()
        };
        let mut hash = self.sample.is_none().then(Sha256::new);
        let clock = progress::clock();
        for made in &made {
            self.verify(made, given.as_ref(), base.as_ref(), &engine, &mut report, &mut hash, &clock)?;
        }
        clock.finish_and_clear();
        if report.differences.is_empty() && report.not_compared.is_empty() {
            report.sha256 = hash.map(hex);
        }
        Ok(report)
    }

    /// Adds a file to the report.
    #[allow(clippy::too_many_arguments)]
    fn verify(
        &self,
        made: &Made,
        given: Option<&Given>,
        base: Option<&Base>,
        engine: &Engine,
        report: &mut Report,
        hash: &mut Option<Sha256>,
        clock: &ProgressBar,
    ) -> Result<(), Failure> {
        let Made { shard, provenance } = made;
        let at = shard.path.display();
        let own_kind = provenance.as_ref().map(|p| seed::kind(p.seed));
        let kind = self.stream.or(own_kind).unwrap_or(Kind::Native);
        let given_seed = self.seed.as_deref().map(|text| seed::parse(kind, text)).transpose()?;
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
            let of_tensor = Run { path: path.clone(), bytes: bytes.clone() };
            let old = match made.copied(&tensor.name) {
                Some(said) => {
                    let found = copied::compare(said, tensor, &of_tensor, base, hash)?;
                    report.copied.push(NotDrawn { tensor: tensor.name.clone(), rows: said.rows });
                    if said.rows.is_none() {
                        let outcome = match found.wrong {
                            None if words.is_some() => Outcome::Wrong(
                                "all of it was copied, and drawn, by the metadata, allowed: one of them".into(),
                            ),
                            None => Outcome::Copied(elements(tensor)),
                            Some(reason) => Outcome::Wrong(reason),
                        };
                        report.add(&tensor.name, outcome);
                        continue;
                    }
                    found
                }
                None => copied::Found::default(),
            };
            let outcome = match plan(tensor, words, given) {
                Err(outcome) => outcome,
                Ok((recipe, dtype)) => {
                    // Of another kind's streams, the file's contract says nothing.
                    let drawn = words.filter(|_| own_kind == Some(kind)).map(|words| words.contract);
                    let ours = seed::contract(seed);
                    match (drawn, recipe.fill(seed, dtype)) {
                        (Some(drawn), _) if drawn != ours => Outcome::NotCompared {
                            reason: format!(
                                "fanin {by} drew it by value contract {drawn} of {} streams, allowed: {ours}, this version's",
                                kind.name()
                            ),
                            harmless: false,
                        },
                        (_, Err(reason)) => Outcome::Wrong(reason.to_string()),
                        (_, Ok(fill)) => {
                            let start = bytes.start;
                            let stored = Stored { file: &file, path: &shard.path, start, scale: recipe.scale };
                            let first = old.bytes / recipe.size(dtype);
                            let runs = self.runs(first..elements(tensor));
                            let mut found = compare(&stored, &fill, &runs, engine, hash)?;
                            found.compared += first;
                            Outcome::Compared(found)
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
                report.add(name, Outcome::Wrong("it is missing".into()));
                report.tensors += 1;
            }
        }
        Ok(())
    }

    /// The plan of the given rules for the tensors that `init` plans.
    fn given(&self, made: &[Made]) -> Result<Given, Failure> {
        let all = made.iter().flat_map(|made| made.shard.header.tensors.iter().map(move |(tensor, _)| (made, tensor)));
        let scaled = scaled(all.clone().map(|(_, tensor)| tensor));
        let is_of = |tensor: &Tensor| tensor.name.strip_suffix(SCALES).is_some_and(|of| scaled.contains(of));
        // Rules are for whole tensors: of a part, what the file says of the whole.
        let mut parts = BTreeMap::new();
        let tensors: Vec<_> = all
            .clone()
            .filter(|(_, tensor)| !is_integer(tensor.dtype) && !is_of(tensor))
            .map(|(made, tensor)| {
                let mut named = tensor.named_shape();
                let words = made.words(&tensor.name);
                let recipe = words.and_then(|words| Recipe::from_words(words, &tensor.name, &tensor.shape).ok());
                if let Some(recipe) = recipe.filter(|recipe| recipe.part.iter().any(|part| part.dim.is_some())) {
                    named.shape = recipe.draw.shape;
                    parts.insert(tensor.name.clone(), recipe.part);
                }
                match made.copied(&tensor.name) {
                    Some(Copied { rows: None, .. }) => named.optional(),
                    _ => named,
                }
            })
            .collect();
        let (rules, name) = self.choice.rules(&tensors, None)?;
        let failed = |e: fanin::Error| Failure::input(format!("{}: {e:#}", self.checkpoint.display()));
        let planned = rules.plan(&tensors).map_err(failed)?;
        let recipe = |p: fanin::rules::Planned| {
            let part = parts.remove(&p.name).unwrap_or_default();
            let of_draw =
                |draw| if scaled.contains(p.name.as_str()) { fp8::weight(draw) } else { Ok(Recipe::planned(draw)) };
            let recipe = p.draw.map(of_draw).transpose();
            let recipe = recipe.map_err(|e| Failure::input(format!("tensor \"{}\": {e}", p.name)))?;
            Ok((p.name, recipe.map(|recipe| Recipe { part, ..recipe })))
        };
        let recipes = planned.into_tensors().into_iter().map(recipe);
        let mut recipes: BTreeMap<_, _> = recipes.collect::<Result<_, Failure>>()?;
        // What multiplies a weight follows from its rule.
        for (_, tensor) in all.filter(|(_, tensor)| is_of(tensor)) {
            let of = tensor.name.strip_suffix(SCALES).and_then(|of| Some((of, recipes.get(of)?.as_ref()?.scale?)));
            let scales = of.map(|(of, scale)| fp8::scales(of, tensor.shape.clone(), scale).1);
            recipes.insert(tensor.name.clone(), scales);
        }
        Ok(Given { rules: name, digest: rules.digest(), recipes })
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
