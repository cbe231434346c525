//! Texts of rules, which then say what a model draws.
#![no_main]

use std::sync::LazyLock;

use fanin::Dtype;
use fanin::rules::{Model, Rules, Tensor};
use fanin_fuzz::message;
use libfuzzer_sys::{Corpus, fuzz_target};

/// The first two layers of real models, which name their tensors in different ways, and tensors without fans.
static MODEL: LazyLock<Vec<Tensor>> = LazyLock::new(|| {
    let lists = [
        include_str!("../../data/models/gpt2.json"),
        include_str!("../../data/models/llama-8b.json"),
        include_str!("../../data/models/all-minilm-l6-v2.json"),
        include_str!("../../data/models/vit-base.json"),
        include_str!("../../data/models/resnet50.json"),
    ];
    let odd = [("", vec![]), ("a", vec![0, 3]), ("é/kernel", vec![3, 3, 1 << 31, 1 << 30])];
    lists
        .iter()
        .flat_map(|text| Model::from_json(text.as_bytes()).expect("a list").tensors().to_vec())
        .filter(|tensor| !tensor.name.split('.').any(|part| part.parse::<u32>().is_ok_and(|layer| layer > 1)))
        .chain(odd.map(|(name, shape)| Tensor::new(name, shape)))
        .collect()
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = str::from_utf8(bytes) else { return Corpus::Reject };
    let rules = match text.parse::<Rules>() {
        Ok(rules) => rules,
        Err(error) => {
            message(&error, text.len());
            return Corpus::Keep;
        }
    };
    assert_eq!(rules.text(), text);
    match rules.plan(&MODEL) {
        Ok(plan) => {
            assert_eq!(plan.tensors().len(), MODEL.len());
            for (planned, tensor) in plan.tensors().iter().zip(&*MODEL) {
                assert_eq!((&planned.name, &planned.shape), (&tensor.name, &tensor.shape));
                assert!(planned.rule.as_ref().is_none_or(|met| met.line <= text.lines().count()));
                let Some(draw) = &planned.draw else { continue };
                draw.distribution.check().expect("a distribution");
                if let Err(error) = draw.fill(0, Dtype::F32) {
                    message(&error, text.len());
                }
            }
        }
        Err(error) => message(&error, text.len()),
    }
    Corpus::Keep
});
