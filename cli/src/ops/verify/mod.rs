//! The verification of a checkpoint: what is drawn again of it, and what is the same.

pub mod checked_file;
mod copied;
pub mod given_rules;
pub mod report;

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use fanin::rules::{FileDtype, Recipe, RecipeJson, Tensor};
use fanin::{Dtype, Seed};
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};

use crate::draw::engine::Engine;
use crate::draw::seed::{self, StreamKind};
use crate::failure::Failure;
use crate::files::base::Base;
use crate::files::compare::{StoredTensor, compare};
use crate::files::file_range::FileRange;
use crate::files::header::holds;
use crate::files::regular;
use crate::progress;
use crate::sha256::hex;
use checked_file::CheckedFile;
use copied::CopyCheck;
use given_rules::GivenRules;
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

/// A file while it is verified, and the seed that it is drawn again from.
struct OpenFile<'a> {
    checked: &'a CheckedFile,
    file: File,
    seed: Seed,
    kind: StreamKind,
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
        let at = checked.shard.path.display();
        let (seed, kind) = self.seed(checked)?;
        let origin = self.origin(checked, seed)?;
        match &report.origin {
            Some(first) if *first != origin => {
                return Err(Failure::input(format!(
                    "{at} says {origin}, and the files before it {first}, allowed: the same in all, or --seed and --rules"
                )));
            }
            _ => report.origin = Some(origin),
        }
        let path: Arc<Path> = checked.shard.path.as_path().into();
        let file = regular::open(&path).map_err(|e| Failure::other(format!("{at}: {e}")))?;
        let open = OpenFile { checked, file, seed, kind };
        for (tensor, bytes) in &checked.shard.header.tensors {
            progress::show(clock, &format!("compares {}", tensor.name));
            let range = FileRange { path: path.clone(), bytes: bytes.clone() };
            let outcome = match checked.copied(&tensor.name) {
                Some(said) => {
                    let copy = copied::compare(said, tensor, &range, self.base, hash)?;
                    report.copied.push(CopiedTensor { tensor: tensor.name.clone(), rows: said.rows });
                    if said.rows.is_none() {
                        whole_copy(tensor, copy, checked.words(&tensor.name).is_some())
                    } else {
                        self.redraw(&open, tensor, bytes.start, copy.bytes, hash)?.and(copy.wrong)
                    }
                }
                None => self.redraw(&open, tensor, bytes.start, 0, hash)?,
            };
            report.add(&tensor.name, outcome);
        }
        if self.given.is_none() {
            for name in checked.missing() {
                report.add(name, TensorOutcome::Wrong("it is missing".into()));
                report.tensors += 1;
            }
        }
        Ok(())
    }

    /// The seed that a file is drawn again from, and its kind.
    fn seed(&self, checked: &CheckedFile) -> Result<(Seed, StreamKind), Failure> {
        let kind = self.stream.or(checked.stream_kind()).unwrap_or(StreamKind::Native);
        let given = self.seed.map(|text| seed::parse(kind, text)).transpose()?;
        let seed = given.or(checked.provenance.as_ref().map(|p| p.seed)).ok_or_else(|| {
            let at = checked.shard.path.display();
            Failure::input(format!("{at} does not say its seed, allowed: --seed with --rules, --preset or --scheme"))
        })?;
        Ok((seed, kind))
    }

    /// The seed and the rules that a file is drawn again from.
    fn origin(&self, checked: &CheckedFile, seed: Seed) -> Result<Origin, Failure> {
        let (rules, rules_sha256) = match (self.given, &checked.provenance) {
            (Some(given), _) => (Some(given.name.clone()), Some(given.digest.clone())),
            (None, Some(own)) => (own.rules.clone(), own.rules_sha256.clone()),
            (None, None) => {
                return Err(Failure::input(format!(
                    "{} does not say how it was made, allowed: --rules, --preset or --scheme, and --seed",
                    checked.shard.path.display()
                )));
            }
        };
        Ok(Origin { seed, rules, rules_sha256 })
    }

    /// Draws a tensor again, whose bytes start here in its file, and compares it but for the bytes at its begin that were copied.
    fn redraw(
        &self,
        open: &OpenFile,
        tensor: &Tensor,
        start: u64,
        copied: u64,
        hash: &mut Option<Sha256>,
    ) -> Result<TensorOutcome, Failure> {
        let OpenFile { checked, file, seed, kind } = open;
        let words = checked.words(&tensor.name);
        let (recipe, dtype) = match recipe_or_outcome(tensor, words, self.given) {
            Ok(planned) => planned,
            Err(outcome) => return Ok(outcome),
        };
        // Of another kind's streams, the file's contract says nothing.
        let drawn = words.filter(|_| checked.stream_kind() == Some(*kind)).map(RecipeJson::contract);
        let ours = seed.contract();
        if let Some(drawn) = drawn.filter(|drawn| *drawn != ours) {
            let by = checked.provenance.as_ref().map(|p| p.fanin.as_str()).unwrap_or_default();
            let reason = format!(
                "fanin {by} drew it by value contract {drawn} of {} streams, allowed: {ours}, this version's",
                kind.name()
            );
            return Ok(TensorOutcome::NotCompared { reason, harmless: false });
        }
        let fill = match recipe.stream(*seed).and_then(|stream| recipe.fill_of(stream, dtype)) {
            Ok(fill) => fill,
            Err(e) => return Ok(TensorOutcome::Wrong(format!("{e:#}"))),
        };
        let stored = StoredTensor { file, path: &checked.shard.path, start, scale: recipe.scale };
        let first = copied / u64::from(holds(tensor).bits() / 8);
        let runs = self.runs(first..elements(tensor));
        let mut found = compare(&stored, &fill, &runs, self.engine, hash)?;
        found.compared += first;
        Ok(TensorOutcome::Compared(found))
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

/// The outcome of a tensor that was copied as a whole, and that nothing should be drawn of.
fn whole_copy(tensor: &Tensor, copy: CopyCheck, is_drawn: bool) -> TensorOutcome {
    match copy.wrong {
        None if is_drawn => {
            TensorOutcome::Wrong("all of it was both copied and drawn, says the metadata, allowed: one of them".into())
        }
        None => TensorOutcome::Copied(elements(tensor)),
        Some(reason) => TensorOutcome::Wrong(reason),
    }
}

/// The recipe of a tensor, or its outcome where it is not drawn.
fn recipe_or_outcome(
    tensor: &Tensor,
    words: Option<&RecipeJson>,
    given: Option<&GivenRules>,
) -> Result<(Recipe, Dtype), TensorOutcome> {
    let holds = holds(tensor);
    if holds.is_integer() {
        return Err(match words {
            Some(_) => TensorOutcome::Wrong(format!("it holds {holds}, and a float according to the metadata")),
            None => TensorOutcome::NotCompared {
                reason: format!("it holds {holds}: integers are not drawn"),
                harmless: true,
            },
        });
    }
    let recipe = match (given, words) {
        (Some(given), _) => given
            .recipe(&tensor.name)
            .cloned()
            .ok_or_else(|| TensorOutcome::NotCompared { reason: "the rules skip it".into(), harmless: true })?,
        (None, Some(words)) => {
            Recipe::from_json(words, &tensor.name, &tensor.shape).map_err(|e| TensorOutcome::Wrong(e.to_string()))?
        }
        (None, None) => return Err(TensorOutcome::Wrong("it is not among the tensors that were written".into())),
    };
    let dtype = match (recipe.scale, holds) {
        (Some(_), FileDtype::F8E4M3) => Some(Dtype::F32),
        (Some(_), _) => {
            return Err(TensorOutcome::Wrong(format!("it holds {holds}, and fp8 according to the metadata")));
        }
        (None, _) => holds.drawn(),
    };
    let dtype = dtype.ok_or_else(|| TensorOutcome::NotCompared {
        reason: format!("it holds {holds}, allowed: F32, F16, BF16, or F8_E4M3 with scales"),
        harmless: false,
    })?;
    Ok((recipe, dtype))
}

fn elements(tensor: &Tensor) -> u64 {
    tensor.shape.iter().fold(1, |n, &d| n.saturating_mul(d))
}
