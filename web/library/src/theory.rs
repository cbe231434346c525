//! A scheme in square layers -> the expectation of mean-field theory, as JSON.

use fanin::probe::{Expected, Probe};
use serde_json::{Value, json};

use crate::{read, said};

/// The standard deviations of each layer's pre-activations, and of gradients relative to the last layer's; null where theory is silent.
pub fn expected(scheme: &str, activation: &str, depth: &str, width: &str) -> Result<Value, String> {
    let probe = Probe::new(read(scheme)?, read(activation)?);
    let probe = probe.with_depth(read(depth)?).map_err(said)?.with_width(read(width)?).map_err(said)?;
    let layer = |layer: &Expected| json!({ "preStd": layer.pre_std, "gradientStd": layer.gradient_std });
    Ok(match probe.theory().map_err(said)? {
        Some(theory) => theory.layers.iter().map(layer).collect(),
        None => Value::Null,
    })
}
