//! `fanin stats`: what the tensors of a checkpoint hold.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use fanin::Distribution;
use fanin::rules::{FileDtype, Recipe, Tensor};

use crate::commands::choice::Choice;
use crate::draw::fp8::SCALES;
use crate::failure::Failure;
use crate::files::header::{holds, scaled};
use crate::files::model::Shard;
use crate::files::provenance::Provenance;
use crate::files::summary::{BINS, Summary, size_of};
use crate::files::{model, regular};
use crate::say;

/// Prints each tensor's mean, standard deviation, extremes, zeros, and numbers that are none, with a histogram; and the mean and the
/// standard deviation of what it was drawn from, if the file, or rules that are given, say so. Nothing is expected of a tensor that was
/// copied, if only in part. Numbers of an fp8 weight (F8_E4M3) are multiplied by its scale, where all of its blocks have the same; others
/// are told as they are, without their scales.
#[derive(clap::Args)]
pub struct Stats {
    /// A .safetensors file, or the .safetensors.index.json of a sharded one.
    checkpoint: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// Print a JSON list instead of a table.
    #[arg(long)]
    json: bool,
}

/// True if one distribution is expected of the whole, but for rows of zeros.
fn is_one(recipe: &Recipe) -> bool {
    recipe.parts.iter().all(fanin::rules::Part::is_zero_row)
}

impl Stats {
    pub fn run(self) -> Result<(), Failure> {
        let shards = model::shards(&self.checkpoint, true)?;
        let scales = scales(&shards)?;
        let (mut expected, mut copied) = (BTreeMap::new(), HashSet::new());
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
                    && is_one(&recipe)
                {
                    expected.insert(tensor.name.clone(), recipe.distribution);
                }
            }
        }
        if self.choice.is_given() {
            let all = shards.iter().flat_map(|shard| &shard.header.tensors).map(|(tensor, _)| tensor);
            let named = |tensor: &Tensor| match tensor.clone() {
                named if copied.contains(&tensor.name) => named.optional(),
                named => named,
            };
            let is_scales =
                |tensor: &Tensor| tensor.name.strip_suffix(SCALES).is_some_and(|of| scales.contains_key(of));
            let is_drawn = |tensor: &&Tensor| !tensor.is_integer() && !is_scales(tensor);
            let tensors: Vec<_> = all.filter(is_drawn).map(named).collect();
            let (rules, _) = self.choice.rules(&tensors, None)?;
            let failed = |e: fanin::Error| Failure::input(format!("{}: {e:#}", self.checkpoint.display()));
            expected = rules
                .plan_by_shapes(&tensors)
                .map_err(failed)?
                .into_tensors()
                .into_iter()
                .filter(|planned| !copied.contains(&planned.name))
                .filter_map(|planned| Some((planned.name, planned.draw.filter(is_one)?.distribution)))
                .collect();
        }
        let mut rows = say::JsonList::default();
        if !self.json {
            say!(
                "{:>11} {:>11} {:>11} {:>11} {:>11} {:>9} {:>7}  {:BINS$}  tensor",
                "mean",
                "std",
                "expected",
                "min",
                "max",
                "zeros",
                "nan,inf",
                "histogram"
            );
        }
        for shard in &shards {
            let failed = |e: std::io::Error| Failure::other(format!("{}: {e}", shard.path.display()));
            let file = regular::open(&shard.path).map_err(failed)?;
            for (tensor, bytes) in &shard.header.tensors {
                let scale = scales.get(&tensor.name).copied().flatten();
                // Nothing is expected of numbers without their scales.
                let is_weight = holds(tensor) != FileDtype::F8E4M3 || scale.is_some();
                let expected = expected.get(&tensor.name).filter(|_| is_weight);
                if size_of(holds(tensor)).is_none() {
                    let reason = format!("it holds {}, which is not summarised", holds(tensor));
                    if self.json {
                        let (dtype, shape) = (holds(tensor).name(), &tensor.shape);
                        rows.push(&serde_json::json!({
                            "tensor": tensor.name, "dtype": dtype, "shape": shape, "not_summarised": reason,
                        }));
                    } else {
                        say!("{}: {reason}", tensor.name);
                    }
                    continue;
                }
                let summary = Summary::of_file(&file, bytes.clone(), holds(tensor)).map_err(failed)?;
                let summary = summary.times(scale.unwrap_or(1.0));
                if self.json {
                    rows.push(&to_json(&summary, tensor, scale, expected));
                } else {
                    let times = match (is_weight, scale) {
                        (false, _) => ", without its scales".into(),
                        (true, Some(scale)) => format!(", times {}", number(scale)),
                        (true, None) => String::new(),
                    };
                    say!("{}{times}", to_line(&summary, tensor, expected));
                }
            }
        }
        if self.json {
            rows.end();
        }
        Ok(())
    }
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
            Summary::of_file(&file, bytes.clone(), holds(tensor)).map_err(failed)?;
        scales.insert(of.to_string(), (min == max && finite == count).then_some(min));
    }
    Ok(scales)
}

fn to_json(s: &Summary, tensor: &Tensor, scale: Option<f64>, expected: Option<&Distribution>) -> serde_json::Value {
    let mut row = summary_json(s);
    row["tensor"] = tensor.name.as_str().into();
    row["dtype"] = holds(tensor).name().into();
    row["shape"] = tensor.shape.as_slice().into();
    row["scale"] = scale.into();
    row["distribution"] = expected.map(ToString::to_string).into();
    row["expected_mean"] = expected.map(|d| d.mean()).into();
    row["expected_std"] = expected.map(|d| d.std()).into();
    row
}

pub fn summary_json(s: &Summary) -> serde_json::Value {
    serde_json::json!({
        "count": s.count, "mean": s.mean, "std": s.std(), "min": s.min, "max": s.max, "zeros": s.zeros, "nan": s.nan,
        "infinite": s.infinite, "histogram": s.histogram,
    })
}

/// The histogram, a letter for each bin.
pub fn bars(s: &Summary) -> String {
    bars_of(&s.histogram)
}

/// Counts, a letter for each.
pub fn bars_of(counts: &[u64]) -> String {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    counts.iter().map(|count| BARS[(count * 8).div_ceil(most) as usize]).collect()
}

fn to_line(s: &Summary, tensor: &Tensor, expected: Option<&Distribution>) -> String {
    let histogram = bars(s);
    let expected = expected.map_or("-".into(), |d| number(d.std()));
    format!(
        "{:>11} {:>11} {expected:>11} {:>11} {:>11} {:>9} {:>7}  {histogram}  {} {} {:?}",
        number(s.mean),
        number(s.std()),
        number(s.min),
        number(s.max),
        s.zeros,
        s.nan + s.infinite,
        tensor.name,
        holds(tensor),
        tensor.shape,
    )
}

/// Five digits, in the width of a column.
pub fn number(x: f64) -> String {
    if !x.is_finite() {
        "-".into()
    } else if x == 0.0 || (1e-4..1e5).contains(&x.abs()) {
        format!("{x:.5}")
    } else {
        format!("{x:.3e}")
    }
}
