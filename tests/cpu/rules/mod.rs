//! Rules: what is said of each tensor, and what is refused.

use fanin::rules::{FileDtype, Model, Plan, Recipe, Rules, Tensor};
use fanin::{Distribution, Dtype, ErrorKind, Layout, Scheme, cpu, scheme};

mod errors;
mod formulas;
mod one_scheme;
mod plans;
mod presets;

fn rules(text: &str) -> Rules {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn preset(name: &str) -> Rules {
    Rules::preset(name).unwrap()
}

/// One scheme for all matrices, in the layout of PyTorch.
fn of_scheme(text: &str) -> Rules {
    Rules::from_scheme(text.parse::<Scheme>().unwrap(), Layout::OUT_IN).unwrap()
}

/// One of `examples/rules`.
fn example(name: &str) -> Rules {
    let path = fanin_tests::repository().join(format!("examples/rules/{name}.toml"));
    rules(&std::fs::read_to_string(path).unwrap())
}

/// What a tensor draws that stands alone.
fn drawn(rules: &Rules, name: &str, shape: &[u64]) -> Recipe {
    let plan = rules.plan(&[Tensor::new(name, shape)]).unwrap_or_else(|e| panic!("{name}: {e}"));
    plan.into_tensors().remove(0).draw.unwrap()
}

fn std_of(rules: &Rules, name: &str, shape: &[u64]) -> f64 {
    drawn(rules, name, shape).distribution.std()
}

/// The numbers of a seed.
fn values(recipe: &Recipe) -> Vec<f32> {
    cpu::vec(&recipe.fill(1, Dtype::F32).unwrap()).unwrap()
}

/// The tensors of a list, in order.
fn listed(list: &[(&str, &[u64])]) -> Vec<Tensor> {
    list.iter().map(|(name, shape)| Tensor::new(*name, *shape)).collect()
}

/// What each draws, or else what is said of the first that is refused.
fn distributions(rules: &Rules, list: &[(&str, &[u64])]) -> Result<Vec<Option<Distribution>>, String> {
    let plan = rules.plan(&listed(list)).map_err(|e| e.to_string())?;
    Ok(plan.tensors().iter().map(|planned| planned.draw.as_ref().map(|draw| draw.distribution)).collect())
}

const fn constant(value: f64) -> Option<Distribution> {
    Some(Distribution::Constant { value })
}

const fn uniform(bound: f64) -> Option<Distribution> {
    Some(Distribution::Uniform { low: -bound, high: bound })
}

/// U(+-1/sqrt(fan_in)).
fn within(fan_in: f64) -> Option<Distribution> {
    uniform((1.0 / fan_in).sqrt())
}
