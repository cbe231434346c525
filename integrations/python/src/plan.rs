//! Rules for whole models, as the program reads them.

use fanin::Scheme;
use fanin::rules::{Rules, Tensor};
use pyo3::prelude::*;

use crate::draw::Slice;
use crate::error;

/// What a tensor of a plan is: its name, the resolved scheme (None where the rules skip it), the name of its stream, the dtype that its rule
/// asks for, and slices of other schemes.
type Planned = (String, Option<String>, String, Option<String>, Vec<Slice>);

/// What rules, a TOML text, say of a model's tensors, which are names and shapes.
#[pyfunction]
pub fn plan(rules: &str, tensors: Vec<(String, Vec<u64>)>) -> PyResult<Vec<Planned>> {
    let rules: Rules = rules.parse().map_err(error)?;
    let tensors: Vec<_> = tensors.into_iter().map(|(name, shape)| Tensor::new(name, shape)).collect();
    let plan = rules.plan(&tensors).map_err(error)?;
    let text = |distribution| Scheme::from(distribution).to_string();
    let planned = plan.into_tensors().into_iter().map(|planned| {
        let Some(draw) = planned.draw else { return (planned.name, None, String::new(), None, Vec::new()) };
        let slice = |part: &fanin::rules::Part| (part.dim, part.range.start, part.range.end, text(part.distribution));
        let slices = draw.parts.iter().map(slice).collect();
        (planned.name, Some(text(draw.distribution)), draw.stream, draw.dtype.map(|dtype| dtype.to_string()), slices)
    });
    Ok(planned.collect())
}

/// The text of the rules that come with fanin under this name.
#[pyfunction]
pub fn preset(name: &str) -> PyResult<String> {
    Rules::preset(name).map(|rules| rules.text().to_string()).map_err(error)
}
