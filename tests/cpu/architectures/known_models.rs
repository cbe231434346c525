//! Models that are known: what transformers 5.24 made of configurations, and what was published. `golden/configs` has what it drew, by the
//! names that its files have.

use std::collections::{BTreeMap, BTreeSet};

use fanin::Distribution;
use fanin::rules::{FileDtype, Model};

use super::*;

/// Of a tensor that holds several distributions, how many elements each has, none of which overlap.
fn pieces(planned: &Planned) -> Vec<(f64, Distribution)> {
    let draw = planned.draw.as_ref().unwrap();
    let elements: f64 = planned.shape.iter().map(|&d| d as f64).product();
    let mut rest = elements;
    let mut pieces = Vec::new();
    for part in &draw.parts {
        let count = elements / planned.shape[part.dim] as f64 * (part.range.end - part.range.start) as f64;
        rest -= count;
        pieces.push((count, part.distribution));
    }
    pieces.push((rest, draw.distribution));
    pieces
}

/// Holds a tensor's plan against what transformers drew: mean and deviation within 5 standard errors, bounds, and zero rows.
fn assert_drawn(name: &str, planned: &Planned, drawn: &Value) {
    let number = |i: usize| drawn[i].as_f64().unwrap();
    let (mean, std, min, max) = (number(0), number(1), number(2), number(3));
    let pieces = pieces(planned);
    let elements: f64 = pieces.iter().map(|(count, _)| count).sum();
    let expected = pieces.iter().map(|(count, d)| count * d.mean()).sum::<f64>() / elements;
    let second = pieces.iter().map(|(count, d)| count * (d.std().powi(2) + (d.mean() - expected).powi(2))).sum::<f64>();
    let deviation = (second / elements).sqrt();
    let what = || format!("{name}, {}: {mean} {std} in [{min}, {max}], not {:?}", planned.name, planned.draw);
    // f32 rounds means of thousands of elements.
    assert!((mean - expected).abs() <= 5.0 * deviation / elements.sqrt() + 1e-6, "{}", what());
    assert!((std - deviation).abs() <= 5.0 * deviation / (2.0 * elements).sqrt() + 1e-6, "{}", what());
    for (_, distribution) in &pieces {
        let (low, high) = match *distribution {
            Distribution::Uniform { low, high } | Distribution::TruncatedNormal { low, high, .. } => (low, high),
            Distribution::Constant { value } => (value, value),
            _ => continue,
        };
        if pieces.len() == 1 {
            assert!(low - 1e-6 <= min && max <= high + 1e-6, "{}", what());
        }
    }
    let zero = Distribution::Constant { value: 0.0 };
    let parts = planned.draw.iter().flat_map(|draw| &draw.parts).filter(|part| part.distribution == zero);
    let zero_rows: Vec<u64> = parts.flat_map(|part| part.range.clone()).collect();
    let rows: Vec<u64> = drawn[4].as_array().unwrap().iter().map(|row| row.as_u64().unwrap()).collect();
    if planned.draw.as_ref().unwrap().distribution != zero {
        assert_eq!(zero_rows, rows, "{}", what());
    }
}

/// Names, shapes, dtypes and values of each, tied duplicates apart.
#[test]
fn models_of_configurations_are_those_of_transformers() {
    let folder = fanin_tests::repository().join("tests/golden/configs");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 24);
    let name = |path: &std::path::PathBuf| path.file_stem().unwrap().to_str().unwrap().to_string();
    let fails = |path: &std::path::PathBuf| std::panic::catch_unwind(|| assert_model(&name(path))).is_err();
    let wrong: Vec<_> = files.iter().filter(|path| fails(path)).map(name).collect();
    assert!(wrong.is_empty(), "{} of {} are wrong: {wrong:?}", wrong.len(), files.len());
}

fn assert_model(name: &str) {
    let golden = golden(&format!("configs/{name}"));
    let config = config(&golden);
    let architecture = Architecture::for_config(&config).unwrap_or_else(|e| panic!("{name}: {e}"));
    let model = architecture.model(&config).unwrap_or_else(|e| panic!("{name}: {e}"));
    // Of those that share their storage, the first name or another is written.
    let mut expected: BTreeMap<_, _> = golden["tensors"].as_object().unwrap().iter().collect();
    let made: BTreeSet<_> = model.tensors().iter().map(|tensor| tensor.name.as_str()).collect();
    for tied in golden["tied"].as_array().unwrap() {
        let names: Vec<_> = tied.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(names.iter().filter(|name| made.contains(*name)).count(), 1, "{name}: {names:?}");
        expected.retain(|name, _| !names.contains(&name.as_str()) || made.contains(name.as_str()));
    }
    let missing: Vec<_> = expected.keys().filter(|name| !made.contains(name.as_str())).collect();
    let more: Vec<_> = made.iter().filter(|name| !expected.contains_key(&name.to_string())).collect();
    assert!(missing.is_empty() && more.is_empty(), "{name}: missing {missing:?}, more {more:?}");
    for tensor in model.tensors() {
        let of = &expected[&tensor.name];
        assert_eq!(of[0].as_str(), tensor.dtype.map(FileDtype::name), "{name}: {}", tensor.name);
        let shape: Vec<_> = of[1].as_array().unwrap().iter().map(|d| d.as_u64().unwrap()).collect();
        assert_eq!(shape, tensor.shape, "{name}: {}", tensor.name);
    }
    let plan = architecture.plan(&config).unwrap_or_else(|e| panic!("{name}: {e}"));
    for planned in plan.tensors() {
        let of = &expected[&planned.name];
        match of.get(2) {
            Some(drawn) => assert_drawn(name, planned, drawn),
            None => assert!(planned.draw.is_none(), "{name}: {}", planned.name),
        }
    }
}

/// Of each class a small model: as many tensors and parameters as transformers 5.24 gives it, all of them with rules, names once.
#[test]
fn each_class_has_as_many_tensors_and_parameters_as_in_transformers() {
    let mut tried = BTreeSet::new();
    let mut wrong = Vec::new();
    for family in golden("families").as_array().unwrap() {
        let config = config(family);
        let class = family["config"]["architectures"][0].as_str().unwrap();
        let plan = Architecture::for_config(&config).and_then(|architecture| architecture.plan(&config));
        let drawn: Vec<_> = match &plan {
            Ok(plan) => plan.tensors().iter().filter(|planned| planned.draw.is_some()).collect(),
            Err(error) => {
                wrong.push(format!("{class}: {error}"));
                continue;
            }
        };
        let parameters: u64 = drawn.iter().map(|planned| planned.shape.iter().product::<u64>()).sum();
        let expected = (family["tensors"].as_u64().unwrap(), family["parameters"].as_u64().unwrap());
        if (drawn.len() as u64, parameters) != expected {
            wrong.push(format!("{class}: {} tensors, {parameters} parameters, not {expected:?}", drawn.len()));
        }
        tried.insert(class.to_string());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Parts of the models above, which are not tried alone.
    let parts = [
        "CLIPTextTransformer",
        "CLIPVisionTransformer",
        "Qwen2VLTextModel",
        "Qwen2VisionTransformerPretrainedModel",
        "Qwen2_5_VLTextModel",
        "Qwen2_5_VisionTransformerPretrainedModel",
        "SiglipTextTransformer",
        "SiglipVisionTransformer",
    ];
    let untried: Vec<_> =
        Architecture::classes().filter(|class| !tried.contains(class) && !parts.contains(&class.as_str())).collect();
    assert!(untried.is_empty(), "{untried:?}");
}

/// How many elements a model's tensors have; counters of batches have none.
fn parameters(config: &Config) -> u64 {
    let model =
        Architecture::for_config(config).and_then(|of| of.model(config)).unwrap_or_else(|e| panic!("{config:?}: {e}"));
    let floats = model.tensors().iter().filter(|tensor| !tensor.is_integer());
    floats.map(|tensor| tensor.shape.iter().product::<u64>()).sum()
}

/// Published models have as many parameters as `data/architectures/RESULTS.md` has from where, Falcon's with the output layer that its
/// files have; also where a configuration leaves out what is usual.
#[test]
fn published_models_have_their_numbers_of_parameters() {
    let published = golden("published");
    let published = published.as_array().unwrap();
    assert_eq!(published.len(), 81);
    for model in published {
        assert_eq!(Some(parameters(&config(model))), model["parameters"].as_u64(), "{}", model["name"]);
    }
    let mixtral = "model_type=mixtral vocab_size=32000 hidden_size=4096 intermediate_size=14336 num_hidden_layers=32 \
        num_attention_heads=32 num_key_value_heads=8";
    assert_eq!(parameters(&config_of("MixtralForCausalLM", mixtral)), 46_702_792_704);
}

/// Those of its published file.
#[test]
fn llama_3_8b_has_its_published_tensors() {
    let config = config_of(
        "LlamaForCausalLM",
        "model_type=llama vocab_size=128256 hidden_size=4096 intermediate_size=14336 num_hidden_layers=32 \
            num_attention_heads=32 num_key_value_heads=8 torch_dtype=bfloat16",
    );
    let path = fanin_tests::repository().join("data/models/llama-8b.json");
    let published = Model::from_json(&std::fs::read(path).unwrap()).unwrap();
    let all = |model: &Model| -> BTreeMap<_, _> {
        model.tensors().iter().map(|t| (t.name.clone(), (t.shape.clone(), t.dtype))).collect()
    };
    assert_eq!(all(&Architecture::for_config(&config).unwrap().model(&config).unwrap()), all(&published));
    assert_eq!(parameters(&config), 8_030_261_248);
}
