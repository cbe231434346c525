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
        let rows: Vec<_> = planned.iter().zip(&tensors).map(|(planned, tensor)| Row::new(planned, tensor)).collect();
        let wrong = rows.iter().filter(|row| row.cannot.is_some()).count();
        if self.json {
            let mut list = say::JsonList::default();
            rows.iter().for_each(|row| list.push(&row.to_json()));
            list.end();
            return drawable(wrong, &path);
        }
        say!("{}, SHA-256 {}", rules.name, rules.rules.digest());
        say_table(&rows);
        if !integers.is_empty() {
            let names: Vec<_> = integers.iter().map(|tensor| tensor.name.as_str()).collect();
            say!("not drawn, as they hold integers: {}", names.join(", "));
        }
        let (unmet, doubtful) = (self.rule_options.unmet(plan.unmet()), self.rule_options.doubtful(planned, has_own));
        for note in unmet.into_iter().chain(doubtful) {
            say!("{note}");
        }
        drawable(wrong, &path)
    }
}

/// A tensor, and what it would draw.
struct Row<'a> {
    planned: &'a Planned,
    tensor: &'a Tensor,
    /// The reason why it cannot be drawn, such as a zero row that is not there.
    cannot: Option<String>,
}

impl Row<'_> {
    fn new<'a>(planned: &'a Planned, tensor: &'a Tensor) -> Row<'a> {
        let cannot = planned.draw.as_ref().and_then(|draw| {
            let drawn = draw.fill(0, draw.dtype.unwrap_or(Dtype::F32)).err().map(|e| e.to_string());
            drawn.or_else(|| tensor.fp8_block.and_then(|_| fp8::scale(draw).err()))
        });
        Row { planned, tensor, cannot }
    }

    /// The pattern of the rule that it met, and its line. Integers are not among the rows, so that each met a rule.
    fn pattern_and_line(&self) -> (&str, usize) {
        self.planned.rule.as_ref().map_or(("", 0), |rule| (rule.pattern.as_str(), rule.line))
    }

    fn to_json(&self) -> serde_json::Value {
        let Row { planned: p, tensor, cannot } = self;
        let (draw, (pattern, line)) = (p.draw.as_ref(), self.pattern_and_line());
        serde_json::json!({
            "tensor": p.name, "shape": p.shape, "holds": holds(tensor).name(), "pattern": pattern, "line": line,
            "skip": draw.is_none(), "distribution": draw.map(|d| d.distribution.to_string()),
            "mean": draw.map(|d| d.distribution.mean()), "std": draw.map(|d| d.distribution.std()),
            "dtype": draw.and_then(|d| d.dtype).map(|d| d.to_string()), "layout": p.layout.map(|l| l.to_string()),
            "fan_in": p.fans.map(|f| f.fan_in()), "fan_out": p.fans.map(|f| f.fan_out()),
            "stream": draw.map(|d| &d.stream), "parts": draw.map(|d| d.parts.iter().map(part).collect::<Vec<_>>()),
            "split": p.split.as_ref().map(|split| split.to_string()), "fp8_block": tensor.fp8_block,
            "cannot_be_drawn": cannot,
        })
    }

    /// The words on what is drawn.
    fn words(&self) -> String {
        let Row { planned: p, tensor, cannot } = self;
        let Some(draw) = &p.draw else { return "skipped".into() };
        let mut text = draw.distribution.to_string();
        if let Some(dtype) = draw.dtype {
            text += &format!(", {dtype}");
        }
        if draw.stream != p.name {
            text += &format!(", the words of {}", draw.stream);
        }
        for part in &draw.parts {
            text += &format!(", {part}");
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
}

/// Prints a line for each row, in columns.
fn say_table(rows: &[Row]) {
    let names = say::width(rows.iter().map(|row| row.planned.name.as_str()));
    let shapes: Vec<_> = rows.iter().map(|row| format!("{:?}", row.planned.shape)).collect();
    let shape_width = say::width(shapes.iter().map(String::as_str));
    let patterns = say::width(rows.iter().map(|row| row.pattern_and_line().0));
    for (row, shape) in rows.iter().zip(&shapes) {
        let (pattern, line) = row.pattern_and_line();
        let (name, pattern) = (say::column(&row.planned.name, names), say::column(pattern, patterns));
        say!("{name}  {shape:shape_width$}  {line:>4}: {pattern}  {}", row.words());
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

/// The failure of a model of which so many tensors cannot be drawn.
fn drawable(wrong: usize, path: &Path) -> Result<(), Failure> {
    if wrong == 0 {
        return Ok(());
    }
    Err(Failure::input(format!("{}: {wrong} of the tensors cannot be drawn", path.display())))
}
