//! A model's config.json -> its tensors and what they draw, as JSON.

use fanin::rules::{Architecture, Config, FileDtype, Part, Planned, Recipe};
use fanin::{Distribution, Dtype, Scheme};
use serde_json::{Value, json};

use crate::said;

/// A page of more rows helps nobody.
const MAX_TENSORS: usize = 100_000;

pub fn tensors(text: &[u8]) -> Result<Value, String> {
    let config = Config::from_json(text).map_err(said)?;
    let architecture = Architecture::for_config(&config).map_err(said)?;
    let described = architecture.describe(&config).map_err(said)?;
    let tensors = described.model.tensors();
    let count = tensors.len();
    if count > MAX_TENSORS {
        return Err(format!("the number of tensors is {count}, allowed on the page: at most {MAX_TENSORS}"));
    }
    if tensors.iter().any(|tensor| tensor.fp8_block.is_some()) {
        return Err("quantization_config is fp8, allowed on the page: none; fanin init writes such models".into());
    }
    let plan = described.rules.plan(tensors).map_err(said)?;
    let rows =
        tensors.iter().zip(plan.tensors()).map(|(tensor, planned)| row(tensor.dtype.map(FileDtype::name), planned));
    Ok(json!({ "architecture": architecture.name(), "tensors": rows.collect::<Vec<_>>() }))
}

/// A tensor; `draw` is what the page needs to draw it, `cannot` why it cannot be drawn.
fn row(dtype: Option<&str>, planned: &Planned) -> Value {
    let drawn = |draw: &Recipe| draw.fill(0, draw.dtype.unwrap_or(Dtype::F32)).err().map(|error| format!("{error:#}"));
    let cannot = planned.draw.as_ref().and_then(drawn);
    json!({
        "name": planned.name,
        "shape": planned.shape,
        // Beyond 2^53 no number of JavaScript's.
        "elements": planned.shape.iter().map(|&size| u128::from(size)).product::<u128>().to_string(),
        "dtype": dtype,
        "distribution": planned.draw.as_ref().map(Recipe::to_string),
        "draw": planned.draw.as_ref().map(draw),
        "cannot": cannot,
    })
}

fn draw(draw: &Recipe) -> Value {
    json!({
        "scheme": scheme(draw.distribution),
        "dtype": draw.dtype.map(|dtype| dtype.to_string()),
        "stream": draw.stream,
        "parts": draw.parts.iter().map(part).collect::<Vec<_>>(),
    })
}

fn part(part: &Part) -> Value {
    json!({ "dim": part.dim, "start": part.range.start, "end": part.range.end, "scheme": scheme(part.distribution) })
}

/// The distribution as a scheme's text, which the page reads.
fn scheme(distribution: Distribution) -> String {
    Scheme::from(distribution).to_string()
}
