//! Whole models: the same file on every device, with the moments of their presets.

use std::fs;
use std::path::Path;

use crate::common::*;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

/// Draws a model on the CPU and on every adapter, compares the files byte for byte, and gives the CPU's.
fn same_file_everywhere(model: &Path, more: &[&str]) -> Vec<u8> {
    same_file_on(adapters(), model, more)
}

/// The same on one adapter, another one for each large model, where MiniLM is drawn on all.
fn same_file_on_one(turn: usize, model: &Path, more: &[&str]) -> Vec<u8> {
    let all = adapters();
    same_file_on(&all[turn % all.len()..][..1], model, more)
}

fn same_file_on(labels: &[String], model: &Path, more: &[&str]) -> Vec<u8> {
    let folder = Folder::new();
    let output = folder.path("out.safetensors");
    let draw = |device: &str| {
        succeed(&[&["init", path(model), "-o", &output, "--seed", "7", "--device", device], more].concat());
        folder.read("out.safetensors")
    };
    let on_cpu = draw("cpu");
    for label in labels {
        assert!(draw(label) == on_cpu, "{} differs on {label}", model.display());
    }
    on_cpu
}

/// Holds a file against the list that it was made from: names, dtypes, shapes.
fn assert_is_of(file: &[u8], model: &Path, kept_out: &[&str]) {
    let list: Map<String, Value> = serde_json::from_slice(&fs::read(model).unwrap()).unwrap();
    let tensors = SafeTensors::deserialize(file).unwrap();
    assert_eq!(tensors.len(), list.len() - 1 - kept_out.len());
    for (name, entry) in list.iter().filter(|(name, _)| *name != "__metadata__" && !kept_out.contains(&name.as_str())) {
        let tensor = tensors.tensor(name).unwrap();
        let is = json!({"dtype": tensor.dtype().to_string(), "shape": tensor.shape()});
        assert_eq!(is, json!({"dtype": entry["dtype"], "shape": entry["shape"]}), "{name}");
    }
}

/// Each tensor's mean and standard deviation, within 5 standard errors: std / sqrt(n) and std / sqrt(2 n), plus what rounding to
/// the dtype may do (2^-9 of a value in bf16).
fn assert_deviations(file: &[u8], expected: impl Fn(&str, &[usize]) -> (f64, f64)) {
    for (name, tensor) in tensors(file) {
        let mut values: Vec<f64> = numbers(&tensor).into_iter().map(f64::from).collect();
        if name.ends_with("word_embeddings.weight") {
            values.drain(..tensor.1[1]);
        }
        let (mean, std) = expected(&name, &tensor.1);
        let n = values.len() as f64;
        let drawn_mean = values.iter().sum::<f64>() / n;
        let drawn_std = (values.iter().map(|x| (x - drawn_mean).powi(2)).sum::<f64>() / n).sqrt();
        let rounding = if tensor.0 == Dtype::BF16 { std * 1e-5 } else { 0.0 };
        assert!((drawn_mean - mean).abs() <= 5.0 * std / n.sqrt() + rounding, "{name}: mean {drawn_mean}, not {mean}");
        let bound = 5.0 * std / (2.0 * n).sqrt() + rounding;
        assert!((drawn_std - std).abs() <= bound, "{name}: std {drawn_std}, not {std}");
    }
}

#[test]
fn gpt2_is_the_same_file_on_a_device() {
    let model = models().join("gpt2.json");
    let file = same_file_on_one(0, &model, &["--preset", "gpt2"]);
    assert_is_of(&file, &model, &[]);
    // 12 layers, each with two matrices that add to the residual stream.
    assert_deviations(&file, |name, _| match name {
        _ if name.ends_with("c_proj.weight") => (0.0, 0.02 / 24f64.sqrt()),
        _ if name.ends_with(".bias") => (0.0, 0.0),
        _ if name.contains("ln_") => (1.0, 0.0),
        _ => (0.0, 0.02),
    });
    let tensors = tensors(&file);
    let values = |name: &str| numbers(&tensors[name]);
    assert!(values("transformer.h.0.ln_1.weight").iter().all(|&x| x == 1.0));
    assert!(values("transformer.h.0.ln_1.bias").iter().all(|&x| x == 0.0));
    assert!(values("lm_head.weight") == values("transformer.wte.weight"));
}

#[test]
fn vit_is_the_same_file_on_a_device() {
    let model = models().join("vit-base.json");
    let file = same_file_on_one(1, &model, &["--preset", "vit"]);
    assert_is_of(&file, &model, &[]);
    assert_deviations(&file, |name, _| match name {
        _ if name.ends_with(".bias") => (0.0, 0.0),
        _ if name.contains("layernorm") => (1.0, 0.0),
        _ => (0.0, 0.02),
    });
}

#[test]
fn resnet_is_the_same_file_on_a_device() {
    let model = models().join("resnet50.json");
    let file = same_file_on_one(2, &model, &["--preset", "resnet"]);
    assert_is_of(&file, &model, &[]);
    assert_deviations(&file, |name, shape| match (name, shape) {
        // U(+-1/sqrt(2048)), whose deviation is its half width by sqrt(3).
        ("fc.weight" | "fc.bias", _) => (0.0, 1.0 / (3.0 * 2048f64).sqrt()),
        (_, [out, _, height, width]) => (0.0, (2.0 / (out * height * width) as f64).sqrt()),
        _ if name.ends_with(".weight") || name.ends_with("running_var") => (1.0, 0.0),
        _ => (0.0, 0.0),
    });
}

#[test]
fn minilm_is_the_same_file_on_every_device_and_from_a_safetensors_header() {
    let model = models().join("all-minilm-l6-v2.json");
    let file = same_file_everywhere(&model, &["--preset", "auto"]);
    assert_is_of(&file, &model, &["embeddings.position_ids"]);
    assert_deviations(&file, |name, _| match name {
        _ if name.ends_with(".bias") => (0.0, 0.0),
        _ if name.contains("LayerNorm") => (1.0, 0.0),
        _ => (0.0, 0.02),
    });
    // The padding token's row.
    let words = numbers(&tensors(&file)["embeddings.word_embeddings.weight"]);
    assert!(words[..384].iter().all(|x| x.to_bits() == 0) && words[384..768].iter().any(|&x| x != 0.0));
    // The file that was written is itself a model: its header alone gives the same file again.
    let folder = Folder::new();
    let (first, second) = (folder.write("first.safetensors", &file), folder.path("second.safetensors"));
    succeed(&["init", &first, "-o", &second, "--seed", "7", "--device", "cpu", "--preset", "bert"]);
    assert!(folder.read("second.safetensors") == file);
}

/// The whole model is 16 GB: here one layer of each kind of tensor and the final norm, 436 MB of bf16.
#[test]
fn a_layer_of_llama_is_the_same_file_on_a_device() {
    let mut list: Map<String, Value> =
        serde_json::from_slice(&fs::read(models().join("llama-8b.json")).unwrap()).unwrap();
    list.retain(|name, _| name == "__metadata__" || name.contains("layers.0.") || name == "model.norm.weight");
    assert_eq!(list.len(), 11);
    let folder = Folder::new();
    let model = folder.write("llama.json", Value::from(list).to_string());
    let file = same_file_on_one(0, Path::new(&model), &["--preset", "llama"]);
    assert_is_of(&file, Path::new(&model), &[]);
    assert_deviations(&file, |name, _| if name.ends_with("norm.weight") { (1.0, 0.0) } else { (0.0, 0.02) });
}
