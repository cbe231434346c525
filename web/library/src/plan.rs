//! A model's config.json -> its tensors and what they draw, as JSON.

use fanin::rules::{Architecture, Config, FileDtype, Part, Planned, Recipe};
use fanin::{Distribution, Dtype, Error, Scheme};
use serde_json::{Value, json};

/// A page of more rows helps nobody.
const MOST_TENSORS: usize = 100_000;

pub fn tensors(text: &[u8]) -> Result<Value, String> {
    let said = |error: Error| format!("{error:#}");
    let config = Config::from_json(text).map_err(said)?;
    let architecture = Architecture::of(&config).map_err(said)?;
    let model = architecture.model(&config).map_err(said)?;
    let count = model.tensors().len();
    if count > MOST_TENSORS {
        return Err(format!("the number of tensors is {count}, allowed on the page: at most {MOST_TENSORS}"));
    }
    let plan = architecture.plan(&config).map_err(said)?;
    let rows = model
        .tensors()
        .iter()
        .zip(plan.tensors())
        .map(|(tensor, planned)| row(tensor.dtype.map(FileDtype::name), planned));
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
        "distribution": planned.draw.as_ref().map(said),
        "draw": planned.draw.as_ref().map(draw),
        "cannot": cannot,
    })
}

fn said(draw: &Recipe) -> String {
    let zero_rows =
        draw.parts.iter().filter(|part| part.is_zero_row()).map(|part| format!(", row {} zero", part.range.start));
    let parts = draw.parts.iter().filter(|part| !part.is_zero_row()).map(|part| {
        let range = &part.range;
        format!(", {} at {}..{} along dimension {}", part.distribution, range.start, range.end, part.dim)
    });
    zero_rows.chain(parts).fold(draw.distribution.to_string(), |text, part| text + &part)
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
