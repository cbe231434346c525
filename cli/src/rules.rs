//! `fanin rules`: which tensor meets which rule.

use std::path::PathBuf;

use fanin::rules::PRESETS;

use crate::choice::Choice;
use crate::failure::Failure;
use crate::model;

/// Prints what each tensor of a model would draw, by which rule, without drawing.
#[derive(clap::Args)]
pub struct RulesOf {
    /// The model, as for init; without one, the presets' texts are printed.
    #[arg(required_unless_present = "print")]
    model: Option<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    /// Print the text of a preset, to begin rules of one's own with.
    #[arg(long, value_name = "PRESET", conflicts_with = "model")]
    print: Option<String>,
    /// Print a JSON list instead of a table.
    #[arg(long)]
    json: bool,
}

impl RulesOf {
    pub fn run(self) -> Result<(), Failure> {
        if let Some(name) = &self.print {
            fanin::rules::Rules::preset(name).map_err(Failure::input)?;
            let text = PRESETS.iter().find(|(preset, _)| preset == name).map_or("", |(_, text)| text);
            say!("{}", text.trim_end());
            return Ok(());
        }
        let path = self.model.unwrap_or_default();
        let tensors: Vec<_> = model::read(&path)?.iter().map(model::Tensor::named_shape).collect();
        let (rules, name) = self.choice.rules(&tensors)?;
        let planned = rules.plan(&tensors).map_err(|e| Failure::input(format!("{}: {e}", path.display())))?;
        if self.json {
            let rows: Vec<_> = planned
                .iter()
                .map(|p| {
                    let draw = p.draw.as_ref();
                    serde_json::json!({
                        "tensor": p.name, "shape": p.shape, "pattern": p.pattern, "line": p.line, "skip": draw.is_none(),
                        "distribution": draw.map(|d| d.distribution.to_string()), "mean": draw.map(|d| d.distribution.mean()),
                        "std": draw.map(|d| d.distribution.std()), "dtype": draw.and_then(|d| d.dtype).map(|d| d.to_string()),
                        "stream": draw.map(|d| &d.stream), "zero_row": draw.and_then(|d| d.zero_row),
                    })
                })
                .collect();
            say!("{}", serde_json::Value::Array(rows));
            return Ok(());
        }
        say!("{name}, SHA-256 {}", rules.digest());
        let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let names = width(&mut planned.iter().map(|p| p.name.len()));
        let shapes: Vec<_> = planned.iter().map(|p| format!("{:?}", p.shape)).collect();
        let shape_width = width(&mut shapes.iter().map(String::len));
        let patterns = width(&mut planned.iter().map(|p| p.pattern.len()));
        for (p, shape) in planned.iter().zip(&shapes) {
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
                    if let Some(row) = draw.zero_row {
                        text += &format!(", row {row} zero");
                    }
                    text
                }
            };
            let name = p.name.escape_debug().to_string();
            say!("{name:names$}  {shape:shape_width$}  {:>4}: {:patterns$}  {draws}", p.line, p.pattern);
        }
        Ok(())
    }
}
