//! A plan: a JSON file that says how each tensor of a model starts, as the package fanin for Python records it of a PyTorch model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fanin::rules::{Rules, Tensor};
use serde::Deserialize;

use crate::draw::torch_order::{TorchDraw, TorchOperation, TorchOrder};
use crate::files::unique;

/// The version of the format.
const VERSION: u32 = 1;

/// A model's tensors, and how they start.
pub struct RecordedPlan {
    pub tensors: Vec<Tensor>,
    pub rules: Rules,
    /// A safetensors file, beside it, of those that are not drawn.
    pub values: Option<PathBuf>,
    /// The order in which PyTorch draws.
    pub order: TorchOrder,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanJson {
    plan: u32,
    contract: u32,
    /// The program that made it, for people.
    #[serde(rename = "torch")]
    _torch: Option<String>,
    values: Option<String>,
    /// Other names of a tensor, for the program that loads the checkpoint.
    #[serde(default, rename = "aliases")]
    _aliases: BTreeMap<String, String>,
    #[serde(deserialize_with = "unique::map")]
    tensors: BTreeMap<String, TensorJson>,
    /// The draws of PyTorch's generator while the model is built, in order; and the code that seeds it within.
    #[serde(default)]
    draws: Vec<TorchOperation>,
    reseeded: Option<String>,
    /// The version of the library that built the model, for people.
    #[serde(rename = "transformers")]
    _transformers: Option<String>,
}

/// The words on a tensor: a scheme, or why it cannot be drawn; or nothing, where its values are given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TensorJson {
    dtype: String,
    shape: Vec<u64>,
    scheme: Option<String>,
    stream: Option<String>,
    #[serde(default)]
    slices: Vec<SliceJson>,
    refuse: Option<String>,
    /// The number of the draw.
    draw: Option<usize>,
}

/// A slice that has a scheme of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SliceJson {
    dim: usize,
    start: u64,
    end: u64,
    scheme: String,
}

/// True if a JSON text is meant as a plan: no list of tensors has a number by this name, no configuration tensors.
pub fn is_plan(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Mark {
        #[serde(rename = "plan")]
        _plan: serde_json::Number,
        #[serde(rename = "tensors")]
        _tensors: serde::de::IgnoredAny,
    }
    serde_json::from_slice::<Mark>(json).is_ok()
}

/// Reads a plan; `path` says where its values are looked for.
pub fn read(json: &[u8], path: &Path) -> Result<RecordedPlan, String> {
    let PlanJson { plan, contract, values, tensors, draws, reseeded, .. } =
        serde_json::from_slice(json).map_err(|e| format!("the plan cannot be read: {e}"))?;
    if (plan, contract) != (VERSION, fanin::VALUE_CONTRACT) {
        let ours = fanin::VALUE_CONTRACT;
        return Err(format!(
            "the plan is of version {plan}, value contract {contract}, allowed: version {VERSION}, value contract {ours}"
        ));
    }
    let values = values.map(|name| beside(path, &name)).transpose()?;
    let mut text = String::new();
    for (name, said) in &tensors {
        text += &rule(name, said).map_err(|e| format!("tensor \"{name}\": {e}"))?;
        if said.scheme.is_none() && said.refuse.is_none() && values.is_none() {
            return Err(format!("tensor \"{name}\" has no scheme, and the plan no values, allowed: one of them"));
        }
    }
    let of_tensor = |(name, said): (&String, &TensorJson)| {
        let is_constant = said.scheme.as_deref().is_some_and(|scheme| scheme.starts_with("constant:"));
        (name.clone(), if is_constant { TorchDraw::Constant } else { said.draw.map_or(TorchDraw::Not, TorchDraw::By) })
    };
    let order = TorchOrder { draws, reseeded, tensors: tensors.iter().map(of_tensor).collect() };
    let rules = text.parse().map_err(|e: fanin::Error| format!("the plan: {e:#}"))?;
    let listed = tensors.into_iter().map(|(name, said)| Tensor::new(name, said.shape).with_dtype_named(&said.dtype));
    let tensors = listed.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    Ok(RecordedPlan { tensors, rules, values, order })
}

/// A file in the plan's own folder.
fn beside(path: &Path, name: &str) -> Result<PathBuf, String> {
    let is_name = Path::new(name).file_name().is_some_and(|file| file == name) && name.ends_with(".safetensors");
    if is_name {
        return Ok(path.with_file_name(name));
    }
    Err(format!(
        "the file of the plan's values is \"{name}\", allowed: a name that ends in .safetensors, without a folder"
    ))
}

/// The rule of one tensor.
fn rule(name: &str, said: &TensorJson) -> Result<String, String> {
    // A text of JSON is one of TOML, but for this character.
    let quote = |text: &str| serde_json::Value::from(text).to_string().replace('\x7f', "\\u007f");
    let mut rule = format!("[[rule]]\nname = {}\n", quote(&glob::Pattern::escape(name)));
    match (&said.scheme, &said.refuse) {
        (Some(_), Some(_)) => return Err("it has a scheme, and a reason why it has none, allowed: one of them".into()),
        (Some(scheme), None) => rule += &format!("scheme = {}\n", quote(scheme)),
        (None, Some(reason)) => rule += &format!("refuse = {}\n", quote(reason)),
        (None, None) => rule += "skip = true\n",
    }
    if said.scheme.is_none() && (said.stream.is_some() || !said.slices.is_empty()) {
        return Err("it has a stream or slices, and no scheme, allowed: with a scheme".into());
    }
    if let Some(stream) = &said.stream {
        rule += &format!("stream = {}\n", quote(stream));
    }
    for SliceJson { dim, start, end, scheme } in &said.slices {
        rule += &format!("[[rule.part]]\ndim = {dim}\nrange = \"{start}..{end}\"\nscheme = {}\n", quote(scheme));
    }
    Ok(rule)
}
