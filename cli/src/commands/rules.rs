//! `fanin rules`: which tensor meets which rule.

use std::ops::Range;
use std::path::{Path, PathBuf};

use fanin::Dtype;
use fanin::rules::{Planned, Tensor};

use crate::commands::model_options::{LoadedModel, ModelOptions};
use crate::commands::rule_options::RuleOptions;
use crate::draw::fp8;
use crate::failure::Failure;
use crate::files::header::holds;
use crate::say;

/// Prints what each tensor of a model would draw, by which rule, without drawing.
#[derive(clap::Args)]
pub struct ShowRules {
    /// The model, as for init; without one, the presets' texts are printed.
    #[arg(required_unless_present = "print")]
    model: Option<PathBuf>,
    #[command(flatten)]
    model_options: ModelOptions,
    #[command(flatten)]
    rule_options: RuleOptions,
    /// Print the text of a preset, to begin rules of one's own with.
    #[arg(long, value_name = "PRESET", conflicts_with = "model")]
    print: Option<String>,
    /// Print a JSON list instead of a table.
    #[arg(long)]
    json: bool,
}

impl ShowRules {
    pub fn run(self) -> Result<(), Failure> {
        if let Some(name) = &self.print {
            let rules = fanin::rules::Rules::preset(name).map_err(Failure::input)?;
            rules.text().trim_end().lines().for_each(|line| say!("{line}"));
            return Ok(());
        }
        let path = self.model.unwrap_or_default();
        let LoadedModel { tensors, own_rules, .. } = self.model_options.read(&path)?;
        let (integers, tensors): (Vec<_>, Vec<_>) = tensors.into_iter().partition(Tensor::is_integer);
        let has_own = own_rules.is_some();
        let rules = self.rule_options.rules(&tensors, own_rules)?;
        let plan = rules.plan(&tensors, &path)?;
        let planned = plan.tensors();
        // A planned tensor may be impossible to draw, such as one whose zero row is not there.
        let cannot = |(p, tensor): (&Planned, &Tensor)| {
            let draw = p.draw.as_ref()?;
            let drawn = draw.fill(0, draw.dtype.unwrap_or(Dtype::F32)).err().map(|e| e.to_string());
            drawn.or_else(|| tensor.fp8_block.and_then(|_| fp8::scale(draw).err()))
        };
        let cannot: Vec<_> = planned.iter().zip(&tensors).map(cannot).collect();
        let wrong = cannot.iter().flatten().count();
        // Integers are not among them, so that each met a rule.
        let met = |p: &Planned| p.rule.clone().map_or((String::new(), 0), |met| (met.pattern, met.line));
        if self.json {
            let mut rows = say::JsonList::default();
            for ((p, cannot), tensor) in planned.iter().zip(&cannot).zip(&tensors) {
                let (draw, (pattern, line)) = (p.draw.as_ref(), met(p));
                rows.push(&serde_json::json!({
                    "tensor": p.name, "shape": p.shape, "holds": holds(tensor).name(), "pattern": pattern, "line": line, "skip": draw.is_none(),
                    "distribution": draw.map(|d| d.distribution.to_string()), "mean": draw.map(|d| d.distribution.mean()),
                    "std": draw.map(|d| d.distribution.std()), "dtype": draw.and_then(|d| d.dtype).map(|d| d.to_string()),
                    "layout": p.layout.map(|l| l.to_string()), "fan_in": p.fans.map(|f| f.fan_in()),
                    "fan_out": p.fans.map(|f| f.fan_out()), "stream": draw.map(|d| &d.stream),
                    "parts": draw.map(|d| d.parts.iter().map(part).collect::<Vec<_>>()),
                    "split": p.split.as_ref().map(|split| split.to_string()), "fp8_block": tensor.fp8_block, "cannot_be_drawn": cannot,
                }));
            }
            rows.end();
            return drawable(wrong, &path);
        }
        say!("{}, SHA-256 {}", rules.name, rules.rules.digest());
        let names = say::width(planned.iter().map(|p| p.name.as_str()));
        let shapes: Vec<_> = planned.iter().map(|p| format!("{:?}", p.shape)).collect();
        let shape_width = say::width(shapes.iter().map(String::as_str));
        let patterns: Vec<_> = planned.iter().map(met).collect();
        let pattern_width = say::width(patterns.iter().map(|(pattern, _)| pattern.as_str()));
        let rows = planned.iter().zip(&tensors).zip(&cannot).zip(&shapes).zip(&patterns);
        for ((((p, tensor), cannot), shape), (pattern, line)) in rows {
            let draws = match &p.draw {
                None => "skipped".into(),
                Some(draw) => {
                    let mut text = draw.distribution.to_string();
                    if let Some(dtype) = draw.dtype {
                        text += &format!(", {dtype}");
                    }
                    if draw.stream != p.name {
                        text += &format!(", the words of {}", draw.stream);
                    }
                    for part in &draw.parts {
                        let Range { start, end } = part.range;
                        text += &format!(", {} at {start}..{end} along dimension {}", part.distribution, part.dim);
                    }
                    if let (Some(fans), Some(layout)) = (p.fans, p.layout) {
                        text += &format!(", fan_in {}, fan_out {} ({layout})", fans.fan_in(), fans.fan_out());
                    }
                    if let Some(split) = &p.split {
                        text += &format!(", split {split}");
                    }
                    if let Some([rows, columns]) = tensor.fp8_block {
                        text += &format!(", in fp8 by blocks of {rows}x{columns}");
                    }
                    if let Some(reason) = cannot {
                        text += &format!(", which cannot be drawn: {reason}");
                    }
                    text
                }
            };
            let (name, pattern) = (say::column(&p.name, names), say::column(pattern, pattern_width));
            say!("{name}  {shape:shape_width$}  {:>4}: {pattern}  {draws}", line);
        }
        if !integers.is_empty() {
            let names: Vec<_> = integers.iter().map(|tensor| tensor.name.as_str()).collect();
            say!("not drawn, as they hold integers: {}", names.join(", "));
        }
        for note in
            self.rule_options.unmet(plan.unmet()).into_iter().chain(self.rule_options.doubtful(planned, has_own))
        {
            say!("{note}");
        }
        drawable(wrong, &path)
    }
}

fn part(part: &fanin::rules::Part) -> serde_json::Value {
    let Range { start, end } = part.range;
    let distribution = part.distribution;
    serde_json::json!({
        "dim": part.dim, "start": start, "end": end, "distribution": distribution.to_string(), "mean": distribution.mean(),
        "std": distribution.std(),
    })
}

fn drawable(wrong: usize, path: &Path) -> Result<(), Failure> {
    if wrong == 0 {
        return Ok(());
    }
    Err(Failure::input(format!("{}: {wrong} of the tensors cannot be drawn", path.display())))
}
