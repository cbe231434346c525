//! `fanin stats`: what the tensors of a checkpoint hold.

use std::path::PathBuf;

use fanin::Distribution;
use fanin::rules::Tensor;

use crate::commands::digits::{bars, five_digits};
use crate::commands::rule_options::RuleOptions;
use crate::failure::Failure;
use crate::files::header::holds;
use crate::files::summary::{BINS, Summary, size_of};
use crate::files::{model, regular};
use crate::ops::expected::Expected;
use crate::say;

/// Prints each tensor's mean, standard deviation, extremes, zeros and NaNs, with a histogram.
///
/// Beside them stand the mean and the standard deviation of the distribution that it was drawn from, if the file or the given rules say
/// so. Nothing is expected of a tensor that was copied, even in part. Numbers of an fp8 weight (F8_E4M3) are multiplied by its scale, if
/// all of its blocks have the same one; otherwise they are shown without scales.
#[derive(clap::Args)]
pub struct Stats {
    /// A .safetensors file, or the .safetensors.index.json of a sharded one.
    checkpoint: PathBuf,
    #[command(flatten)]
    rule_options: RuleOptions,
    /// Print a JSON list instead of a table.
    #[arg(long)]
    json: bool,
}

impl Stats {
    pub fn run(self) -> Result<(), Failure> {
        let shards = model::shards(&self.checkpoint, true)?;
        let mut expected = Expected::by_words(&shards)?;
        if self.rule_options.is_given() {
            let tensors = expected.tensors_to_plan(&shards);
            let rules = self.rule_options.rules(&tensors, None)?;
            expected = expected.by_plan(rules.plan(&tensors, &self.checkpoint)?);
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
                let (scale, distribution) = (expected.scale(tensor), expected.distribution(tensor));
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
                let summary = Summary::read(&file, bytes.clone(), holds(tensor)).map_err(failed)?;
                let summary = summary.scaled(scale.unwrap_or(1.0));
                if self.json {
                    rows.push(&to_json(&summary, tensor, scale, distribution));
                } else {
                    let times = match (expected.is_scaled(tensor), scale) {
                        (false, _) => ", without its scales".into(),
                        (true, Some(scale)) => format!(", times {}", five_digits(scale)),
                        (true, None) => String::new(),
                    };
                    say!("{}{times}", to_line(&summary, tensor, distribution));
                }
            }
        }
        if self.json {
            rows.end();
        }
        Ok(())
    }
}

fn to_json(s: &Summary, tensor: &Tensor, scale: Option<f64>, expected: Option<&Distribution>) -> serde_json::Value {
    let mut row = s.to_json();
    row["tensor"] = tensor.name.as_str().into();
    row["dtype"] = holds(tensor).name().into();
    row["shape"] = tensor.shape.as_slice().into();
    row["scale"] = scale.into();
    row["distribution"] = expected.map(ToString::to_string).into();
    row["expected_mean"] = expected.map(|d| d.mean()).into();
    row["expected_std"] = expected.map(|d| d.std()).into();
    row
}

fn to_line(s: &Summary, tensor: &Tensor, expected: Option<&Distribution>) -> String {
    let histogram = bars(&s.histogram);
    let expected = expected.map_or("-".into(), |d| five_digits(d.std()));
    format!(
        "{:>11} {:>11} {expected:>11} {:>11} {:>11} {:>9} {:>7}  {histogram}  {} {} {:?}",
        five_digits(s.mean),
        five_digits(s.std()),
        five_digits(s.min),
        five_digits(s.max),
        s.zeros,
        s.nan + s.infinite,
        tensor.name,
        holds(tensor),
        tensor.shape,
    )
}
