//! Architectures: the tensors that transformers 5.24 gives a configuration, and how it starts them. `golden/configs` has what it drew,
//! by the names that its files have.

use std::collections::{BTreeMap, BTreeSet};

use fanin::rules::{Architecture, Config, FileDtype, Planned};
use fanin::{Distribution, ErrorKind};
use serde_json::Value;

fn golden(name: &str) -> Value {
    let path = fanin_tests::repository().join(format!("tests/golden/configs/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn config(golden: &Value) -> Config {
    Config::from_json(golden["config"].to_string().as_bytes()).unwrap()
}

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
    let golden = golden(name);
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

/// What a class has of a configuration in JSON.
fn plan_of(class: &str, json: &str) -> Result<Vec<Planned>, fanin::Error> {
    let mut config = Config::from_json(json.as_bytes())?;
    config.set("architectures", &format!("[\"{class}\"]"))?;
    Ok(Architecture::for_config(&config)?.plan(&config)?.tensors().to_vec())
}

/// Of the tensor, its shape, what it draws, and its zero rows.
fn tensor(class: &str, json: &str, name: &str) -> (Vec<u64>, String, Vec<u64>) {
    let plan = plan_of(class, json).unwrap_or_else(|e| panic!("{class}: {e}"));
    let names: Vec<_> = plan.iter().map(|planned| planned.name.as_str()).collect();
    let planned = plan.iter().find(|planned| planned.name == name).unwrap_or_else(|| panic!("{name} of {names:?}"));
    let draw = planned.draw.as_ref().unwrap();
    let rows = draw.parts.iter().flat_map(|part| part.range.clone()).collect();
    (planned.shape.clone(), draw.distribution.to_string(), rows)
}

/// Whether it has the tensors that have such names: their last parts.
fn has(class: &str, json: &str, end: &str) -> bool {
    plan_of(class, json).unwrap_or_else(|e| panic!("{class}: {e}")).iter().any(|planned| planned.name.ends_with(end))
}

/// The JSON with more keys, or with others for those that it has.
fn with(json: &str, keys: &str) -> String {
    let mut values: serde_json::Map<String, Value> = serde_json::from_str(json).unwrap();
    values.extend(serde_json::from_str::<serde_json::Map<String, Value>>(keys).unwrap());
    Value::from(values).to_string()
}

fn without(json: &str, key: &str) -> String {
    let mut values: serde_json::Map<String, Value> = serde_json::from_str(json).unwrap();
    values.remove(key).unwrap_or_else(|| panic!("{key}"));
    Value::from(values).to_string()
}

/// The configuration with these keys makes no model, and the error names the key.
fn assert_refused(class: &str, json: &str, key: &str) {
    let error = plan_of(class, json).map(|plan| plan.len()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains(key), "{key}: {error}");
}

/// What no architecture takes: numbers that are missing, texts, below 0, no whole numbers, too many.
fn assert_bad_numbers_are_refused(class: &str, json: &str, required: &[&str], counts: &[&str]) {
    for key in required {
        assert_refused(class, &without(json, key), key);
        for value in ["\"many\"", "[1]", "-4", "2.5"] {
            assert_refused(class, &with(json, &format!("{{\"{key}\": {value}}}")), key);
        }
        assert_refused(class, &with(json, &format!("{{\"{key}\": null}}")), key);
    }
    for key in counts {
        assert_refused(class, &with(json, &format!("{{\"{key}\": 1000000000000}}")), key);
    }
}

const BERT: &str = r#"{"vocab_size": 301, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4,
    "intermediate_size": 160, "max_position_embeddings": 80, "pad_token_id": 0}"#;

// transformers 5.24 has the same of each, as data/architectures/compare.py asks it.
#[test]
fn bert_is_as_its_class_and_options_say() {
    const WORDS: &str = "embeddings.word_embeddings.weight";
    let of = |keys: &str| tensor("BertModel", &with(BERT, keys), WORDS);
    let n02 = || "normal(0, 0.02^2)".to_string();
    assert_eq!(of("{}"), (vec![301, 64], n02(), vec![0]));
    assert_eq!(of(r#"{"pad_token_id": 7}"#).2, [7]);
    assert_eq!(of(r#"{"pad_token_id": -1}"#).2, [300]);
    // Null is none, but what is left out is 0.
    assert_eq!(of(r#"{"pad_token_id": null}"#).2, [0; 0]);
    assert_eq!(tensor("BertModel", &without(BERT, "pad_token_id"), WORDS).2, [0]);
    assert_eq!(of(r#"{"initializer_range": 0.5}"#).1, "normal(0, 0.5^2)");
    assert_eq!(of(r#"{"initializer_range": 0.0}"#).1, n02());
    assert_eq!(
        tensor("BertModel", &with(BERT, r#"{"type_vocab_size": 5}"#), "embeddings.token_type_embeddings.weight").0,
        [5, 64]
    );
    let seven = with(BERT, r#"{"num_labels": 7}"#);
    for class in ["BertForSequenceClassification", "BertForTokenClassification"] {
        assert_eq!(tensor(class, &seven, "classifier.weight"), (vec![7, 64], n02(), vec![]));
        assert_eq!(tensor(class, BERT, "classifier.bias").0, [2]);
    }
    assert_eq!(tensor("BertForMultipleChoice", &seven, "classifier.weight").0, [1, 64]);
    assert_eq!(tensor("BertForNextSentencePrediction", &seven, "cls.seq_relationship.weight").0, [2, 64]);
    for (class, pooler, head) in [
        ("BertModel", true, false),
        ("BertForMaskedLM", false, true),
        ("BertLMHeadModel", false, true),
        ("BertForPreTraining", true, true),
        ("BertForSequenceClassification", true, false),
        ("BertForTokenClassification", false, false),
        ("BertForQuestionAnswering", false, false),
    ] {
        assert_eq!(has(class, BERT, "pooler.dense.weight"), pooler, "{class}");
        assert_eq!(has(class, BERT, "cls.predictions.transform.dense.weight"), head, "{class}");
        assert!(!has(class, BERT, "cls.predictions.decoder.weight"));
        let untied = with(BERT, r#"{"tie_word_embeddings": false}"#);
        assert_eq!(has(class, &untied, "cls.predictions.decoder.bias"), head, "{class}");
    }
    let untied = with(BERT, r#"{"tie_word_embeddings": false}"#);
    assert_eq!(tensor("BertForMaskedLM", &untied, "cls.predictions.decoder.weight"), (vec![301, 64], n02(), vec![]));
    let decoder = with(BERT, r#"{"is_decoder": true, "add_cross_attention": true}"#);
    assert!(
        has("BertModel", &decoder, "layer.0.crossattention.output.LayerNorm.weight")
            && !has("BertModel", BERT, "crossattention.self.key.bias")
    );

    let sizes = ["vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size", "max_position_embeddings"];
    for class in ["BertForMaskedLM", "RobertaForMaskedLM", "XLMRobertaModel"] {
        assert_bad_numbers_are_refused(class, BERT, &sizes, &["num_hidden_layers"]);
        assert_refused(class, &without(BERT, "num_attention_heads"), "num_attention_heads");
        assert_refused(class, &with(BERT, r#"{"num_attention_heads": 5}"#), "num_attention_heads");
        assert_refused(class, &with(BERT, r#"{"num_attention_heads": 0}"#), "num_attention_heads");
        assert_refused(class, &with(BERT, r#"{"pad_token_id": 301}"#), "pad_token_id");
        assert_refused(class, &with(BERT, r#"{"add_cross_attention": true}"#), "add_cross_attention");
    }
    assert_refused("BertModel", &with(BERT, r#"{"model_type": "roberta"}"#), "model_type");
}

#[test]
fn roberta_has_its_own_heads_and_padding() {
    for prefix in ["Roberta", "XLMRoberta"] {
        let of = |keys: &str, name: &str| tensor(&format!("{prefix}Model"), &with(BERT, keys), name).2;
        let (words, positions) = ("embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight");
        assert_eq!((of(r#"{"pad_token_id": 5}"#, words), of(r#"{"pad_token_id": 5}"#, positions)), (vec![5], vec![5]));
        assert_eq!(
            (of(r#"{"pad_token_id": -3}"#, words), of(r#"{"pad_token_id": -3}"#, positions)),
            (vec![298], vec![77])
        );
        assert_eq!(
            (of(r#"{"pad_token_id": null}"#, words), of(r#"{"pad_token_id": null}"#, positions)),
            (vec![], vec![])
        );
        assert_eq!(tensor(&format!("{prefix}Model"), &without(BERT, "pad_token_id"), words).2, [1]);
        let classifier = format!("{prefix}ForSequenceClassification");
        assert_eq!(tensor(&classifier, BERT, "classifier.out_proj.weight").0, [2, 64]);
        assert_eq!(tensor(&classifier, BERT, "classifier.dense.weight").0, [64, 64]);
        assert!(
            !has(&classifier, BERT, "pooler.dense.weight")
                && has(&format!("{prefix}Model"), BERT, "pooler.dense.weight")
        );
        assert!(has(&format!("{prefix}ForMaskedLM"), BERT, "roberta.embeddings.LayerNorm.bias"));
        assert_refused(&classifier, &with(BERT, r#"{"pad_token_id": 80}"#), "pad_token_id");
    }
}

const DISTILBERT: &str = r#"{"vocab_size": 301, "dim": 64, "n_layers": 1, "n_heads": 4, "hidden_dim": 160,
    "max_position_embeddings": 70}"#;

#[test]
fn distilbert_is_as_its_class_and_options_say() {
    let (words, head) = ("embeddings.word_embeddings.weight", "vocab_projector.weight");
    assert_eq!(tensor("DistilBertModel", DISTILBERT, words).2, [0]);
    assert_eq!(tensor("DistilBertModel", &with(DISTILBERT, r#"{"pad_token_id": -2}"#), words).2, [299]);
    assert!(
        !has("DistilBertForMaskedLM", DISTILBERT, head)
            && has("DistilBertForMaskedLM", DISTILBERT, "vocab_projector.bias")
    );
    assert!(has("DistilBertForMaskedLM", &with(DISTILBERT, r#"{"tie_word_embeddings": false}"#), head));
    assert_eq!(tensor("DistilBertForSequenceClassification", DISTILBERT, "pre_classifier.weight").0, [64, 64]);
    assert_eq!(tensor("DistilBertForSequenceClassification", DISTILBERT, "classifier.weight").0, [2, 64]);
    assert!(!has("DistilBertForTokenClassification", DISTILBERT, "pre_classifier.weight"));
    let other = with(&without(DISTILBERT, "dim"), r#"{"hidden_size": 32}"#);
    assert_eq!(tensor("DistilBertModel", &other, words).0, [301, 32]);

    let sizes = ["vocab_size", "dim", "n_layers", "hidden_dim", "max_position_embeddings"];
    assert_bad_numbers_are_refused("DistilBertForMaskedLM", DISTILBERT, &sizes, &["n_layers"]);
    assert_refused("DistilBertModel", &with(DISTILBERT, r#"{"n_heads": 5}"#), "n_heads");
}

/// Tables of positions, in transformers' orders and frequencies; a model that learns its positions draws them.
#[test]
fn positions_are_sinusoids_where_a_model_has_such() {
    let of = |class: &str, json: &str, name: &str| {
        let plan = plan_of(class, json).unwrap_or_else(|e| panic!("{class}: {e}"));
        let planned = plan.iter().find(|planned| planned.name == name)?;
        let draw = planned.draw.as_ref().unwrap();
        let part = draw.parts.iter().find(|part| part.dim == 0 && part.range == (0..planned.shape[0]));
        Some(part.map_or(&draw.distribution, |part| &part.distribution).to_string())
    };
    let table = |sizes: &str, endpoint, interleaved| {
        Some(format!("sinusoids:{sizes},theta=10000,endpoint={endpoint},interleaved={interleaved}"))
    };
    let normal = Some("normal(0, 0.02^2)".to_string());
    let sines = with(DISTILBERT, r#"{"sinusoidal_pos_embds": true, "max_position_embeddings": 70}"#);
    let name = "embeddings.position_embeddings.weight";
    assert_eq!(of("DistilBertModel", &sines, name), table("positions=70,channels=64", false, true));
    assert_eq!(of("DistilBertModel", DISTILBERT, name), normal);

    let both = r#"{"vocab_size": 301, "d_model": 64, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 112, "decoder_ffn_dim": 104,
        "encoder_attention_heads": 4, "decoder_attention_heads": 4, "max_position_embeddings": 40, "pad_token_id": 1,
        "max_source_positions": 30}"#;
    let halves = table("positions=40,channels=64", false, false);
    for name in ["encoder.embed_positions.weight", "decoder.embed_positions.weight"] {
        assert_eq!(of("PegasusModel", both, name), halves);
        assert_eq!(of("MarianModel", both, name), halves);
        assert_eq!(of("MBartModel", both, name), normal);
        assert_eq!(of("MarianMTModel", both, &format!("model.{name}")), None);
    }
    assert_eq!(of("MarianForCausalLM", both, "model.decoder.embed_positions.weight"), halves);
    assert_eq!(
        of("WhisperModel", both, "encoder.embed_positions.weight"),
        table("positions=30,channels=64", true, false)
    );
    assert_eq!(of("WhisperModel", both, "decoder.embed_positions.weight"), normal);
}

const T5: &str = r#"{"vocab_size": 301, "d_model": 64, "d_kv": 16, "d_ff": 100, "num_layers": 2, "num_heads": 4}"#;

#[test]
fn t5_is_as_its_class_and_options_say() {
    let of = |keys: &str, name: &str| tensor("T5ForConditionalGeneration", &with(T5, keys), name);
    let query = "decoder.block.1.layer.1.EncDecAttention.q.weight";
    assert_eq!(of("{}", "shared.weight").1, "normal(0, 1^2)");
    assert_eq!(of("{}", query), (vec![64, 64], "normal(0, 0.03125^2)".into(), vec![]));
    assert_eq!(of(r#"{"d_kv": 25}"#, query), (vec![100, 64], "normal(0, 0.025^2)".into(), vec![]));
    assert_eq!(of(r#"{"d_kv": 25}"#, "encoder.block.0.layer.0.SelfAttention.o.weight").1, "normal(0, 0.1^2)");
    assert_eq!(of("{}", "encoder.block.0.layer.1.DenseReluDense.wo.weight").1, "normal(0, 0.1^2)");
    assert_eq!(of("{}", "decoder.block.1.layer.2.DenseReluDense.wi.weight").1, "normal(0, 0.125^2)");
    assert_eq!(of(r#"{"initializer_factor": 0.5}"#, "decoder.final_layer_norm.weight").1, "constant(0.5)");
    assert_eq!(
        of(
            r#"{"relative_attention_num_buckets": 8}"#,
            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        )
        .0,
        [8, 4]
    );
    let has_of = |keys: &str, end: &str| has("T5ForConditionalGeneration", &with(T5, keys), end);
    for (forward, gated) in [("relu", false), ("gelu", false), ("gated-gelu", true), ("gated-silu", true)] {
        let keys = format!("{{\"feed_forward_proj\": \"{forward}\"}}");
        assert_eq!((has_of(&keys, ".wi_1.weight"), has_of(&keys, ".wi.weight")), (gated, !gated));
    }
    assert!(has_of(r#"{"num_decoder_layers": 3}"#, "decoder.block.2.layer.2.layer_norm.weight"));
    for keys in ["{}", r#"{"num_decoder_layers": null}"#, r#"{"num_layers": 2}"#] {
        assert!(
            has_of(keys, "decoder.block.1.layer.2.layer_norm.weight")
                && !has_of(keys, "block.2.layer.0.layer_norm.weight")
        );
    }
    assert!(!has_of("{}", "block.1.layer.0.SelfAttention.relative_attention_bias.weight"));
    // transformers 5 ties whatever the configuration says.
    assert!(!has_of(r#"{"tie_word_embeddings": false}"#, "lm_head.weight"));
    assert!(
        has("T5Model", T5, "decoder.final_layer_norm.weight")
            && !has("T5EncoderModel", T5, "decoder.final_layer_norm.weight")
    );
    // An encoder alone may be a decoder in its parts: it looks at another model's states.
    let crosses = with(T5, r#"{"is_decoder": true}"#);
    let cross = "encoder.block.1.layer.1.EncDecAttention.q.weight";
    assert_eq!(tensor("T5EncoderModel", &crosses, cross), tensor("T5Model", T5, &cross.replace("encoder", "decoder")));
    assert!(has("T5EncoderModel", &crosses, "encoder.block.1.layer.2.DenseReluDense.wi.weight"));
    assert!(!has("T5EncoderModel", &crosses, "encoder.block.1.layer.1.DenseReluDense.wi.weight"));
    assert!(!has("T5EncoderModel", T5, cross) && !has("T5Model", &crosses, cross));
    assert_eq!(tensor("T5ForTokenClassification", T5, "classifier.weight").1, "normal(0, 1^2)");
    assert_eq!(tensor("T5ForSequenceClassification", T5, "classification_head.out_proj.weight").0, [2, 64]);

    let sizes = ["vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads"];
    assert_bad_numbers_are_refused("T5ForConditionalGeneration", T5, &sizes, &["num_layers"]);
    assert_refused("T5Model", &with(T5, r#"{"num_decoder_layers": 1000000000000}"#), "num_decoder_layers");
    for forward in ["more-gelu", "gated-gelu-new"] {
        assert_refused("T5Model", &with(T5, &format!("{{\"feed_forward_proj\": \"{forward}\"}}")), "feed_forward_proj");
    }
    assert_refused("T5Model", &with(T5, r#"{"feed_forward_proj": 1}"#), "feed_forward_proj");
}

const VIT: &str = r#"{"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 160, "image_size": 32,
    "patch_size": 8}"#;

#[test]
fn vit_is_as_its_class_and_options_say() {
    let of = |keys: &str, name: &str| tensor("ViTModel", &with(VIT, keys), name);
    assert_eq!(of("{}", "embeddings.position_embeddings").0, [1, 17, 64]);
    assert_eq!(of(r#"{"image_size": 37}"#, "embeddings.position_embeddings").0, [1, 17, 64]);
    assert_eq!(of(r#"{"image_size": 35, "patch_size": 6}"#, "embeddings.position_embeddings").0, [1, 26, 64]);
    assert_eq!(of(r#"{"num_channels": 1}"#, "embeddings.patch_embeddings.projection.weight").0, [64, 1, 8, 8]);
    assert_eq!(of(r#"{"hidden_size": 65}"#, "encoder.layer.0.attention.attention.query.weight").0, [64, 65]);
    assert_eq!(of(r#"{"head_dim": 24}"#, "encoder.layer.0.attention.output.dense.weight").0, [64, 96]);
    assert_eq!(of(r#"{"pooler_output_size": 40}"#, "pooler.dense.weight").0, [40, 64]);
    // Height and width; transformers passes over what is behind them.
    for (sizes, positions, patch) in [
        (r#"{"image_size": [32, 64]}"#, 4 * 8 + 1, [8, 8]),
        (r#"{"image_size": [48, 20], "patch_size": [8, 4]}"#, 6 * 5 + 1, [8, 4]),
        (r#"{"image_size": [0, 32]}"#, 1, [8, 8]),
        (r#"{"image_size": [32, 48, 64]}"#, 4 * 6 + 1, [8, 8]),
    ] {
        assert_eq!(of(sizes, "embeddings.position_embeddings").0, [1, positions, 64], "{sizes}");
        assert_eq!(of(sizes, "embeddings.patch_embeddings.projection.weight").0, [64, 3, patch[0], patch[1]]);
    }
    // Weights are cut by no window, and what is no layer's by PyTorch's.
    assert_eq!(of("{}", "encoder.layer.0.intermediate.dense.weight").1, "normal(0, 0.02^2)");
    assert_eq!(of("{}", "embeddings.cls_token").1, "normal(0, 0.02^2) in [-2, 2]");
    let unbiased = with(VIT, r#"{"qkv_bias": false}"#);
    assert!(has("ViTModel", VIT, "query.bias") && !has("ViTModel", &unbiased, "query.bias"));
    assert!(has("ViTModel", &unbiased, "attention.output.dense.bias"));
    assert!(!has("ViTForImageClassification", VIT, "pooler.dense.weight"));
    assert_eq!(tensor("ViTForImageClassification", VIT, "classifier.weight").0, [2, 64]);
    assert!(!has("ViTForImageClassification", &with(VIT, r#"{"num_labels": 0}"#), "classifier.weight"));
    assert_eq!(tensor("ViTForMaskedImageModeling", VIT, "decoder.0.weight").0, [768, 64, 1, 1]);
    assert_eq!(tensor("ViTForMaskedImageModeling", VIT, "vit.embeddings.mask_token").1, "constant(0)");

    let sizes = ["hidden_size", "num_hidden_layers", "intermediate_size", "patch_size"];
    assert_bad_numbers_are_refused("ViTForImageClassification", VIT, &sizes, &["num_hidden_layers"]);
    assert_refused("ViTModel", &without(VIT, "image_size"), "image_size");
    for (key, value) in [
        ("image_size", "\"32\""),
        ("image_size", "-32"),
        ("image_size", "32.5"),
        ("image_size", "true"),
        ("image_size", "[]"),
        ("image_size", "[32]"),
        ("image_size", "[32, -32]"),
        ("image_size", "[32.5, 32]"),
        ("image_size", "[32, \"32\"]"),
        ("image_size", "[32, [32]]"),
        ("patch_size", "[8]"),
        ("patch_size", "[8, 0]"),
        ("patch_size", "[8, 8, 8]"),
        ("head_dim", "2.5"),
        ("head_dim", "-8"),
        ("encoder_stride", "-16"),
        ("encoder_stride", "0.5"),
    ] {
        assert_refused("ViTForMaskedImageModeling", &with(VIT, &format!("{{\"{key}\": {value}}}")), key);
    }
    assert_refused("ViTModel", &with(VIT, r#"{"patch_size": 0}"#), "patch_size");
    assert_refused("ViTModel", &with(VIT, r#"{"num_attention_heads": 0}"#), "num_attention_heads");
}

#[test]
fn deit_is_as_its_class_and_options_say() {
    let of = |keys: &str, name: &str| tensor("DeiTModel", &with(VIT, keys), name);
    // Beside the patches' there are the positions of two tokens; what is no layer's starts as 0.
    let zeros = |shape: &[u64]| (shape.to_vec(), "constant(0)".to_string(), vec![]);
    assert_eq!(
        of(r#"{"image_size": [48, 20], "patch_size": [8, 4]}"#, "embeddings.position_embeddings"),
        zeros(&[1, 32, 64])
    );
    assert_eq!(of("{}", "embeddings.distillation_token"), zeros(&[1, 1, 64]));
    assert_eq!(of("{}", "encoder.layer.0.output.dense.weight").1, "normal(0, 0.02^2)");
    assert_eq!(of(r#"{"pooler_output_size": 40}"#, "pooler.dense.weight").0, [40, 64]);
    assert!(!has("DeiTModel", &with(VIT, r#"{"qkv_bias": false}"#), "query.bias"));
    let teacher = "DeiTForImageClassificationWithTeacher";
    for head in ["cls_classifier.weight", "distillation_classifier.weight"] {
        assert_eq!(tensor(teacher, &with(VIT, r#"{"num_labels": 7}"#), head).0, [7, 64]);
        assert!(!has("DeiTForImageClassification", VIT, head));
    }
    assert_eq!(tensor("DeiTForImageClassification", VIT, "classifier.weight").0, [2, 64]);
    assert!(
        !has(teacher, VIT, "pooler.dense.weight")
            && !has(teacher, &with(VIT, r#"{"num_labels": 0}"#), "classifier.weight")
    );
    assert_eq!(tensor("DeiTForMaskedImageModeling", VIT, "decoder.0.weight").0, [768, 64, 1, 1]);
    assert_eq!(tensor("DeiTForMaskedImageModeling", VIT, "deit.embeddings.mask_token"), zeros(&[1, 1, 64]));

    let sizes = ["hidden_size", "num_hidden_layers", "intermediate_size", "patch_size"];
    assert_bad_numbers_are_refused("DeiTForMaskedImageModeling", VIT, &sizes, &["num_hidden_layers"]);
    for (key, value) in
        [("image_size", "[32]"), ("encoder_stride", "0.5"), ("num_channels", "null"), ("initializer_range", "0")]
    {
        assert_refused("DeiTForMaskedImageModeling", &with(VIT, &format!("{{\"{key}\": {value}}}")), key);
    }
}

#[test]
fn dinov2_is_as_its_class_and_options_say() {
    let of = |keys: &str, name: &str| tensor("Dinov2Model", &with(VIT, keys), name);
    assert_eq!(of("{}", "embeddings.mask_token").0, [1, 64]);
    assert_eq!(
        of("{}", "embeddings.position_embeddings"),
        (vec![1, 17, 64], "normal(0, 0.02^2) in [-2, 2]".into(), vec![])
    );
    assert_eq!(
        of("{}", "encoder.layer.0.mlp.fc1.weight"),
        (vec![256, 64], "normal(0, 0.02^2) in [-2, 2]".into(), vec![])
    );
    assert_eq!(of("{}", "encoder.layer.0.layer_scale2.lambda1").1, "constant(1)");
    assert_eq!(of(r#"{"layerscale_value": 0.3}"#, "encoder.layer.0.layer_scale1.lambda1").1, "constant(0.3)");
    // The gate and what it weighs, each of two thirds of 4 widths, up to the next eight.
    for (width, gated) in [(64, 176), (60, 160), (48, 128)] {
        let keys = format!(r#"{{"use_swiglu_ffn": true, "hidden_size": {width}}}"#);
        assert_eq!(of(&keys, "encoder.layer.0.mlp.weights_in.weight").0, [2 * gated, width]);
        assert_eq!(of(&keys, "encoder.layer.0.mlp.weights_out.weight").0, [width, gated]);
        assert!(!has("Dinov2Model", &with(VIT, &keys), "mlp.fc1.weight"));
    }
    assert!(!has("Dinov2Model", &with(VIT, r#"{"use_mask_token": false}"#), "mask_token"));
    assert!(!has("Dinov2Model", VIT, "register_tokens"));
    assert_eq!(tensor("Dinov2ForImageClassification", VIT, "classifier.weight").0, [2, 128]);
    let registers = with(VIT, r#"{"use_mask_token": false, "num_register_tokens": 3}"#);
    let name = "dinov2_with_registers.embeddings.register_tokens";
    let of_registers = tensor("Dinov2WithRegistersForImageClassification", &registers, name);
    assert_eq!(of_registers, (vec![1, 3, 64], "constant(0)".into(), vec![]));
    // There is no such choice with registers.
    assert!(has("Dinov2WithRegistersModel", &registers, "mask_token"));

    assert_bad_numbers_are_refused(
        "Dinov2Model",
        VIT,
        &["hidden_size", "num_hidden_layers", "patch_size"],
        &["num_hidden_layers"],
    );
    for (key, value) in
        [("image_size", "[32]"), ("mlp_ratio", "2.5"), ("num_register_tokens", "-1"), ("initializer_range", "0")]
    {
        assert_refused("Dinov2WithRegistersModel", &with(VIT, &format!("{{\"{key}\": {value}}}")), key);
    }
}

#[test]
fn beit_is_as_its_class_and_options_say() {
    let of = |keys: &str, name: &str| tensor("BeitModel", &with(VIT, keys), name);
    let zeros = |shape: &[u64]| (shape.to_vec(), "constant(0)".to_string(), vec![]);
    // Of 4 x 4 patches there are 7 x 7 distances, and three of the first token.
    let (own, shared) = (
        "encoder.layer.0.attention.attention.relative_position_bias.relative_position_bias_table",
        "encoder.relative_position_bias.relative_position_bias_table",
    );
    assert_eq!(of(r#"{"use_relative_position_bias": true}"#, own), zeros(&[52, 4]));
    assert_eq!(
        of(r#"{"use_shared_relative_position_bias": true, "image_size": [32, 48]}"#, shared),
        zeros(&[7 * 11 + 3, 4])
    );
    assert!(!has("BeitModel", VIT, "relative_position_bias_table"));
    assert_eq!(
        of(r#"{"use_absolute_position_embeddings": true}"#, "embeddings.position_embeddings"),
        zeros(&[1, 17, 64])
    );
    assert_eq!(of(r#"{"use_mask_token": true}"#, "embeddings.mask_token"), zeros(&[1, 1, 64]));
    for absent in ["embeddings.position_embeddings", "embeddings.mask_token", "key.bias"] {
        assert!(!has("BeitModel", VIT, absent), "{absent}");
    }
    assert_eq!(of(r#"{"layer_scale_init_value": 0.3}"#, "encoder.layer.0.lambda_1").1, "constant(0.3)");
    assert!(!has("BeitModel", &with(VIT, r#"{"layer_scale_init_value": 0}"#), "lambda_2"));
    // The one that is last is the pooler's, or that of all patches.
    let by_token = with(VIT, r#"{"use_mean_pooling": false}"#);
    assert!(
        has("BeitModel", VIT, "pooler.layernorm.weight") && !has("BeitModel", &by_token, "pooler.layernorm.weight")
    );
    assert!(has("BeitForMaskedImageModeling", &by_token, "beit.layernorm.weight"));
    assert!(
        !has("BeitForMaskedImageModeling", VIT, "beit.layernorm.weight")
            && !has("BeitForMaskedImageModeling", VIT, "pooler.layernorm.weight")
    );
    assert_eq!(tensor("BeitForMaskedImageModeling", &with(VIT, r#"{"vocab_size": 17}"#), "lm_head.weight").0, [17, 64]);
    assert_eq!(tensor("BeitForImageClassification", VIT, "classifier.weight").0, [2, 64]);

    let sizes = ["hidden_size", "num_hidden_layers", "intermediate_size", "patch_size"];
    assert_bad_numbers_are_refused("BeitForImageClassification", VIT, &sizes, &["num_hidden_layers"]);
    for (key, value) in
        [("image_size", "[32]"), ("layer_scale_init_value", "\"0.1\""), ("vocab_size", "-1"), ("vocab_size", "null")]
    {
        assert_refused("BeitForMaskedImageModeling", &with(VIT, &format!("{{\"{key}\": {value}}}")), key);
    }
    assert_refused(
        "BeitModel",
        &with(VIT, r#"{"use_relative_position_bias": true, "patch_size": [8, 4]}"#),
        "patch_size",
    );
}

#[test]
fn beit_for_segments_has_its_pyramid_of_features() {
    let class = "BeitForSemanticSegmentation";
    let json = with(VIT, r#"{"num_hidden_layers": 4, "out_indices": [0, 1, 3, 4]}"#);
    let of = |keys: &str, name: &str| tensor(class, &with(&json, keys), name);
    assert_eq!(of("{}", "fpn1.3.weight"), (vec![64, 64, 2, 2], "normal(0, 0.02^2)".into(), vec![]));
    assert_eq!(of("{}", "decode_head.bottleneck.conv.weight").0, [64, 5 * 64, 3, 3]);
    assert_eq!(of(r#"{"pool_scales": [1, 2]}"#, "decode_head.bottleneck.conv.weight").0, [64, 3 * 64, 3, 3]);
    assert!(!has(class, &with(&json, r#"{"pool_scales": [1, 2]}"#), "psp_modules.2.1.bn.weight"));
    assert_eq!(of("{}", "decode_head.fpn_bottleneck.conv.weight").0, [64, 4 * 64, 3, 3]);
    for (end, value) in [("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)] {
        for norm in ["fpn1.1", "decode_head.lateral_convs.2.bn", "decode_head.psp_modules.3.1.bn"] {
            assert_eq!(of("{}", &format!("{norm}.{end}")), (vec![64], format!("constant({value})"), vec![]), "{norm}");
        }
    }
    assert!(has(class, &json, "decode_head.fpn_convs.0.bn.num_batches_tracked"));
    let deep = r#"{"auxiliary_num_convs": 2, "auxiliary_concat_input": true, "auxiliary_channels": 20}"#;
    assert_eq!(of(deep, "auxiliary_head.convs.0.conv.weight").0, [20, 64, 3, 3]);
    assert_eq!(of(deep, "auxiliary_head.convs.1.conv.weight").0, [20, 20, 3, 3]);
    assert_eq!(of(deep, "auxiliary_head.conv_cat.conv.weight").0, [20, 84, 3, 3]);
    assert_eq!(of(deep, "auxiliary_head.classifier.weight").0, [2, 20, 1, 1]);
    assert!(!has(class, &json, "conv_cat.bn.num_batches_tracked"));
    assert!(!has(class, &with(&json, r#"{"use_auxiliary_head": false}"#), "auxiliary_head.classifier.bias"));
    assert!(!has(class, &json, "beit.pooler.layernorm.weight") && !has("BeitModel", &json, "classifier.weight"));

    assert_refused(class, &without(&json, "out_indices"), "out_indices");
    for value in
        ["null", "3", "[0, 1, 3]", "[0, 1, 3, 5]", "[0, 1, 1, 4]", "[0, 3, 1, 4]", "[-1, 1, 3, 4]", "[0, 1, 2, \"3\"]"]
    {
        assert_refused(class, &with(&json, &format!("{{\"out_indices\": {value}}}")), "out_indices");
    }
    for (key, value) in [("auxiliary_num_convs", "-1"), ("auxiliary_channels", "null"), ("pool_scales", "3")] {
        assert_refused(class, &with(&json, &format!("{{\"{key}\": {value}}}")), key);
    }
}

const SWIN: &str = r#"{"embed_dim": 16, "depths": [1, 1, 2], "num_heads": [2, 4, 8], "window_size": 4, "image_size": 64,
    "patch_size": 4}"#;

#[test]
fn swin_is_as_its_class_and_options_say() {
    let of = |class: &str, keys: &str, name: &str| tensor(class, &with(SWIN, keys), name);
    // Widths double from stage to stage.
    let block = "encoder.layers.2.blocks.1.";
    let (query, table) =
        (format!("{block}attention.self.query.weight"), format!("{block}attention.self.relative_position_bias_table"));
    assert_eq!(of("SwinModel", "{}", &query), (vec![64, 64], "normal(0, 0.02^2)".into(), vec![]));
    assert_eq!(of("SwinModel", "{}", &table), (vec![49, 8], "constant(0)".into(), vec![]));
    assert_eq!(of("SwinModel", r#"{"mlp_ratio": 1.3}"#, &format!("{block}intermediate.dense.weight")).0, [83, 64]);
    assert_eq!(of("SwinModel", "{}", "encoder.layers.1.downsample.reduction.weight").0, [64, 128]);
    assert_eq!(
        of("SwinModel", "{}", "encoder.layers.1.downsample.norm.weight"),
        (vec![128], "constant(1)".into(), vec![])
    );
    assert_eq!(of("Swinv2Model", "{}", "encoder.layers.1.downsample.norm.weight").0, [64]);
    for absent in ["layers.2.downsample.norm.weight", "embeddings.position_embeddings", "embeddings.mask_token"] {
        assert!(!has("SwinModel", SWIN, absent), "{absent}");
    }
    let hollow = with(SWIN, r#"{"depths": [1, 0, 2]}"#);
    assert!(
        has("SwinModel", &hollow, "layers.1.downsample.norm.weight")
            && !has("SwinModel", &hollow, "layers.1.blocks.0.output.dense.bias")
    );
    let absolute = r#"{"use_absolute_embeddings": true, "image_size": [64, 34]}"#;
    assert_eq!(of("SwinModel", absolute, "embeddings.position_embeddings").0, [1, 16 * 8, 16]);
    assert_eq!(of("Swinv2Model", absolute, "embeddings.position_embeddings").0, [1, 16 * 8 + 1, 16]);
    assert_eq!(of("SwinForImageClassification", "{}", "classifier.weight").0, [2, 64]);
    assert_eq!(of("SwinForMaskedImageModeling", "{}", "decoder.0.weight").0, [32 * 32 * 3, 64, 1, 1]);
    assert_eq!(of("SwinForMaskedImageModeling", "{}", "swin.embeddings.mask_token").0, [1, 1, 16]);
    // The second's bias by distance is a network's, and its keys have none.
    assert!(has("SwinModel", SWIN, "attention.self.key.bias") && !has("Swinv2Model", SWIN, "attention.self.key.bias"));
    assert!(!has("SwinModel", &with(SWIN, r#"{"qkv_bias": false}"#), "attention.self.query.bias"));
    assert!(!has("Swinv2Model", SWIN, "relative_position_bias_table") && !has("SwinModel", SWIN, "logit_scale"));
    let second = "encoder.layers.0.blocks.0.attention.self.";
    let scale = of("Swinv2ForImageClassification", "{}", &format!("swinv2.{second}logit_scale"));
    assert_eq!(scale, (vec![2, 1, 1], format!("constant({})", 10f64.ln()), vec![]));
    assert_eq!(of("Swinv2Model", "{}", &format!("{second}continuous_position_bias_mlp.2.weight")).0, [2, 512]);

    for class in ["SwinForMaskedImageModeling", "Swinv2ForMaskedImageModeling"] {
        assert_bad_numbers_are_refused(class, SWIN, &["embed_dim", "window_size"], &[]);
        for key in ["depths", "num_heads"] {
            assert_refused(class, &without(SWIN, key), key);
            for value in
                ["8", "\"8\"", "[]", "[2, 4]", "[2, \"a\", 8]", "[2, -1, 8]", "[2, 1.5, 8]", "[2, 1000000000000, 1e30]"]
            {
                // There may be fewer stages than heads are said of.
                if (key, value) != ("depths", "[2, 4]") {
                    assert_refused(class, &with(SWIN, &format!("{{\"{key}\": {value}}}")), key);
                }
            }
        }
        for (key, value) in [
            ("num_heads", "[2, 4, 7]"),
            ("num_heads", "[0, 4, 8]"),
            ("num_layers", "2"),
            ("image_size", "[32]"),
            ("patch_size", "0"),
            ("window_size", "0"),
            ("mlp_ratio", "null"),
            ("encoder_stride", "0.5"),
        ] {
            assert_refused(class, &with(SWIN, &format!("{{\"{key}\": {value}}}")), key);
        }
    }
    assert_refused("SwinModel", &with(SWIN, r#"{"num_hidden_layers": 2}"#), "num_layers");
    // Of an image that vanishes on its way there are no windows.
    assert_refused("Swinv2Model", &with(SWIN, r#"{"image_size": 12}"#), "image_size");
    assert_refused("Swinv2Model", &with(SWIN, r#"{"pretrained_window_sizes": [8]}"#), "pretrained_window_sizes");
}

const CONVNEXT: &str = r#"{"hidden_sizes": [8, 12, 24], "depths": [1, 0, 2], "num_stages": 3}"#;

#[test]
fn convnext_is_as_its_class_and_options_say() {
    let scale = "encoder.stages.2.layers.1.layer_scale_parameter";
    assert_eq!(tensor("ConvNextModel", CONVNEXT, scale), (vec![24], "constant(1e-6)".into(), vec![]));
    assert_eq!(
        tensor("ConvNextModel", &with(CONVNEXT, r#"{"layer_scale_init_value": 0.5}"#), scale).1,
        "constant(0.5)"
    );
    for off in ["0.0", "-1.0"] {
        let keys = format!("{{\"layer_scale_init_value\": {off}}}");
        assert!(!has("ConvNextModel", &with(CONVNEXT, &keys), "layer_scale_parameter"));
    }
    assert_eq!(tensor("ConvNextModel", CONVNEXT, "encoder.stages.1.downsampling_layer.0.weight").0, [8]);
    assert_eq!(tensor("ConvNextModel", CONVNEXT, "encoder.stages.2.downsampling_layer.1.weight").0, [24, 12, 2, 2]);
    assert!(
        !has("ConvNextModel", CONVNEXT, "stages.0.downsampling_layer.0.weight")
            && !has("ConvNextModel", CONVNEXT, "stages.1.layers.0.dwconv.weight")
    );
    assert_eq!(
        tensor(
            "ConvNextModel",
            &with(CONVNEXT, r#"{"patch_size": 2, "num_channels": 1}"#),
            "embeddings.patch_embeddings.weight"
        )
        .0,
        [8, 1, 2, 2]
    );
    let patch = |size: &str| {
        let json = with(CONVNEXT, &format!("{{\"patch_size\": {size}, \"image_size\": [32, 64]}}"));
        tensor("ConvNextModel", &json, "embeddings.patch_embeddings.weight").0
    };
    assert_eq!((patch("[4, 2]"), patch("3")), (vec![8, 3, 4, 2], vec![8, 3, 3, 3]));
    assert_eq!(tensor("ConvNextModel", CONVNEXT, "embeddings.patch_embeddings.weight").0, [8, 3, 4, 4]);
    for size in ["[4]", "[4, 4, 4]", "null", "\"4\""] {
        assert_refused("ConvNextModel", &with(CONVNEXT, &format!("{{\"patch_size\": {size}}}")), "patch_size");
    }
    assert_eq!(tensor("ConvNextForImageClassification", CONVNEXT, "classifier.weight").0, [2, 24]);

    for key in ["hidden_sizes", "depths"] {
        assert_refused("ConvNextModel", &without(CONVNEXT, key), key);
        for value in
            ["8", "\"8\"", "[8, 12]", "[8, \"a\", 24]", "[8, -1, 24]", "[8, 1.5, 24]", "[8, 1000000000000, 1e30]"]
        {
            assert_refused("ConvNextModel", &with(CONVNEXT, &format!("{{\"{key}\": {value}}}")), key);
        }
    }
    assert_refused("ConvNextModel", &with(CONVNEXT, r#"{"num_stages": 4}"#), "num_stages");
}

const RESNET: &str = r#"{"embedding_size": 16, "hidden_sizes": [32, 40], "depths": [1, 2]}"#;

#[test]
fn resnet_is_as_its_class_and_options_say() {
    let of = |keys: &str, name: &str| tensor("ResNetModel", &with(RESNET, keys), name).0;
    let first = "encoder.stages.0.layers.0.layer.0.convolution.weight";
    assert_eq!(of("{}", first), [8, 16, 1, 1]);
    assert_eq!(of(r#"{"hidden_sizes": [34, 40]}"#, first), [8, 16, 1, 1]);
    assert_eq!(of(r#"{"layer_type": "basic"}"#, first), [32, 16, 3, 3]);
    assert_eq!(of("{}", "encoder.stages.1.layers.1.layer.2.convolution.weight"), [40, 10, 1, 1]);
    assert_eq!(of("{}", "encoder.stages.1.layers.0.shortcut.convolution.weight"), [40, 32, 1, 1]);
    // A shortcut where the widths differ, or the first layer of a stage halves the image.
    let has_of = |keys: &str, end: &str| has("ResNetModel", &with(RESNET, keys), end);
    for (keys, shortcut) in [
        ("{}", true),
        (r#"{"embedding_size": 32}"#, false),
        (r#"{"embedding_size": 32, "layer_type": "basic"}"#, false),
        (r#"{"embedding_size": 32, "downsample_in_first_stage": true}"#, true),
    ] {
        assert_eq!(has_of(keys, "stages.0.layers.0.shortcut.normalization.running_var"), shortcut, "{keys}");
        assert!(!has_of(keys, "layers.1.shortcut.convolution.weight"));
    }
    assert!(has_of(r#"{"hidden_sizes": [32, 32]}"#, "stages.1.layers.0.shortcut.convolution.weight"));
    // A stage has a layer at least.
    assert!(has_of(r#"{"depths": [0, 1]}"#, "stages.0.layers.0.layer.2.normalization.num_batches_tracked"));
    assert!(!has_of(r#"{"layer_type": "basic"}"#, "layer.2.normalization.num_batches_tracked"));
    let stem = "embedder.embedder.convolution.weight";
    assert_eq!(
        tensor("ResNetModel", RESNET, stem),
        (vec![16, 3, 7, 7], format!("normal(0, {}^2)", (2.0 / 784f64).sqrt()), vec![])
    );
    assert_eq!(tensor("ResNetForImageClassification", RESNET, "classifier.1.weight").0, [2, 40]);

    for key in ["hidden_sizes", "depths"] {
        assert_refused("ResNetModel", &without(RESNET, key), key);
        for value in ["8", "[8]", "[8, \"a\"]", "[8, -1]", "[8, 1.5]", "[1000000000000, 1e30]"] {
            assert_refused("ResNetModel", &with(RESNET, &format!("{{\"{key}\": {value}}}")), key);
        }
    }
    assert_refused("ResNetModel", &with(RESNET, r#"{"layer_type": "other"}"#), "layer_type");
    assert_refused("ResNetModel", &with(RESNET, r#"{"embedding_size": "16"}"#), "embedding_size");
}

const DECODER: &str = r#"{"vocab_size": 301, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 1,
    "num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0}"#;

/// The heads that decoders have beside that of the next token, with the names that transformers' files have.
#[test]
fn decoders_have_the_heads_of_their_classes() {
    let seven = with(DECODER, r#"{"num_labels": 7}"#);
    let n02 = || "normal(0, 0.02^2)".to_string();
    for (prefix, tokens, questions) in [
        ("Llama", true, Some("transformer.")),
        ("Mistral", true, Some("model.")),
        ("Mixtral", true, Some("model.")),
        ("Phi3", true, None),
        ("Qwen2", true, Some("transformer.")),
        ("Qwen3", true, Some("transformer.")),
        ("Qwen3Moe", true, Some("transformer.")),
        ("Gemma", true, None),
        ("Gemma2", true, None),
        ("Gemma3Text", false, None),
    ] {
        let class = |of: &str| format!("{prefix}{of}");
        let sequence = class("ForSequenceClassification");
        assert_eq!(tensor(&sequence, &seven, "score.weight"), (vec![7, 64], n02(), vec![]));
        assert!(!has(&sequence, &seven, "score.bias") && has(&sequence, &seven, "model.norm.weight"));
        if tokens {
            let of_tokens = class("ForTokenClassification");
            assert_eq!(tensor(&of_tokens, &seven, "score.weight"), (vec![7, 64], n02(), vec![]));
            assert_eq!(tensor(&of_tokens, &seven, "score.bias"), (vec![7], "constant(0)".into(), vec![]));
            for off in ["false", "null"] {
                let keys = format!("{{\"token_classification_bias\": {off}}}");
                assert!(!has(&of_tokens, &with(DECODER, &keys), "score.bias"), "{prefix} {off}");
            }
        }
        if let Some(model) = questions {
            let of_questions = class("ForQuestionAnswering");
            // Where an answer begins and ends, whatever the labels.
            assert_eq!(tensor(&of_questions, &seven, "qa_outputs.weight"), (vec![2, 64], n02(), vec![]));
            assert_eq!(tensor(&of_questions, &seven, "qa_outputs.bias"), (vec![2], "constant(0)".into(), vec![]));
            assert_eq!(tensor(&of_questions, &seven, &format!("{model}embed_tokens.weight")).2, [0]);
            assert!(!has(&of_questions, &seven, "score.weight"));
        }
    }
    let neox = &without(&without(&seven, "num_key_value_heads"), "pad_token_id");
    assert_eq!(tensor("GPTNeoXForTokenClassification", neox, "classifier.weight"), (vec![7, 64], n02(), vec![]));
    assert_eq!(tensor("GPTNeoXForTokenClassification", neox, "classifier.bias").0, [7]);
    assert_eq!(tensor("GPTNeoXForQuestionAnswering", neox, "qa_outputs.weight"), (vec![2, 64], n02(), vec![]));
    assert!(has("GPTNeoXForQuestionAnswering", neox, "gpt_neox.embed_in.weight"));
    let opt = r#"{"vocab_size": 301, "hidden_size": 64, "ffn_dim": 160, "num_hidden_layers": 1, "num_attention_heads": 4,
        "max_position_embeddings": 64, "word_embed_proj_dim": 32}"#;
    assert_eq!(tensor("OPTForQuestionAnswering", opt, "qa_outputs.weight"), (vec![2, 32], n02(), vec![]));
    assert!(!has("OPTForQuestionAnswering", opt, "score.weight"));
}

#[test]
fn gpt2_has_the_heads_of_its_classes() {
    let json = r#"{"vocab_size": 301, "n_positions": 64, "n_embd": 64, "n_layer": 1, "n_head": 4, "num_labels": 7}"#;
    let n02 = || "normal(0, 0.02^2)".to_string();
    assert_eq!(tensor("GPT2ForTokenClassification", json, "classifier.weight"), (vec![7, 64], n02(), vec![]));
    assert_eq!(tensor("GPT2ForTokenClassification", json, "classifier.bias").1, "constant(0)");
    assert_eq!(tensor("GPT2ForQuestionAnswering", json, "qa_outputs.weight"), (vec![2, 64], n02(), vec![]));
    assert_eq!(tensor("GPTJForQuestionAnswering", json, "qa_outputs.weight").0, [2, 64]);
    let pooled = with(BERT, r#"{"pooler_hidden_size": 32}"#);
    assert_eq!(tensor("DebertaV2ForSequenceClassification", &pooled, "pooler.dense.weight").0, [32, 32]);
    let double = |keys: &str, name: &str| tensor("GPT2DoubleHeadsModel", &with(json, keys), name);
    let (weight, bias) = ("multiple_choice_head.summary.weight", "multiple_choice_head.summary.bias");
    assert_eq!(double("{}", weight), (vec![1, 64], n02(), vec![]));
    assert_eq!(double("{}", bias), (vec![1], "constant(0)".into(), vec![]));
    assert_eq!(double(r#"{"summary_proj_to_labels": false}"#, weight).0, [64, 64]);
    assert_eq!(double(r#"{"tie_word_embeddings": false}"#, "lm_head.weight").0, [301, 64]);
    assert!(!has("GPT2DoubleHeadsModel", &with(json, r#"{"summary_use_proj": false}"#), "summary.weight"));
    assert!(!has("GPT2DoubleHeadsModel", json, "lm_head.weight") && !has("GPT2LMHeadModel", json, "summary.weight"));
    assert_refused("GPT2DoubleHeadsModel", &with(json, r#"{"summary_type": "attn"}"#), "summary_type");
    assert!(plan_of("GPT2Model", &with(json, r#"{"summary_type": "attn"}"#)).is_ok());
}

/// transformers 5.24 checks it of Llama, and of none of the others.
#[test]
fn llama_alone_has_an_initializer_range_up_to_1() {
    for (class, model) in
        [("LlamaForCausalLM", "model."), ("LlamaForQuestionAnswering", "transformer."), ("LlamaModel", "")]
    {
        let one = with(DECODER, r#"{"initializer_range": 1.0}"#);
        assert_eq!(tensor(class, &one, &format!("{model}layers.0.mlp.up_proj.weight")).1, "normal(0, 1^2)");
        assert_refused(class, &with(DECODER, r#"{"initializer_range": 1.5}"#), "initializer_range");
        assert_refused(class, &with(DECODER, r#"{"initializer_range": -0.5}"#), "initializer_range");
    }
    for class in ["MistralModel", "Qwen2Model", "GemmaModel", "MixtralModel"] {
        assert!(plan_of(class, &with(DECODER, r#"{"initializer_range": 1.5}"#)).is_ok(), "{class}");
    }
}

/// `given` is whether the configuration says it, under any of the key's names; a default does not.
#[test]
fn given_is_what_the_configuration_says() {
    let text = r#"
        [architectures]
        Twin = {}
        [config]
        plain = 3
        list = [1, 2]
        word = "'a'"
        formula = "plain + 1"
        either = { missing = 1, null = 2 }
        size = { missing = 5, null = "required number or list" }
        [alias]
        other = "plain"
        [[tensors]]
        list = [["given", "given(plain)", "given(list)", "given(word)", "given(formula)", "given(either)", "given(size)"]]
        [[tensors]]
        list = [["values", "plain", "len(list)", "list[1]", "word == 'a'", "formula", "either", "size[0]"]]
        [[rule]]
        name = "*"
        scheme = "ones"
    "#;
    let architecture: Architecture = text.parse().unwrap();
    let shapes = |json: &str| {
        let mut config = Config::from_json(json.as_bytes()).unwrap();
        config.set("architectures", "[\"Twin\"]").unwrap();
        let model = architecture.model(&config).unwrap_or_else(|e| panic!("{json}: {e}"));
        (model.tensors()[0].shape.clone(), model.tensors()[1].shape.clone())
    };
    assert_eq!(shapes("{}"), (vec![0; 6], vec![3, 2, 2, 1, 4, 1, 5]));
    let all = r#"{"plain": 3, "list": [7, 8, 9], "word": "b", "formula": 2, "either": 6, "size": [4, 1]}"#;
    assert_eq!(shapes(all), (vec![1; 6], vec![3, 3, 8, 0, 2, 6, 4]));
    assert_eq!(shapes(r#"{"other": 9}"#), (vec![1, 0, 0, 0, 0, 0], vec![9, 2, 2, 1, 10, 1, 5]));
    let nulls = r#"{"plain": null, "list": null, "word": null, "formula": null, "either": null}"#;
    assert_eq!(shapes(nulls), (vec![0; 6], vec![3, 2, 2, 1, 4, 2, 5]));
}

/// A model within another: of the class that its configuration's type says, with its own rules, the whole's dtype, keys by their paths,
/// and a name beside it that it would not have.
#[test]
fn a_submodel_is_its_configurations_with_its_own_rules() {
    let text = r#"
        [model_type]
        pair = { tall = 2 }
        eye = {}
        lens = { glass = 1 }
        [architectures]
        Pair = { model_type = "pair", both = 1, model = "m." }
        Eye = { model_type = "eye", part = 1 }
        Lens = { model_type = "lens", part = 1 }
        [config]
        width = "3*both"
        kinds = "text or list"
        [let]
        std = "width*(1 + glass)"
        [[submodel]]
        config = "eyes"
        class = ["Eye", "Lens"]
        prefix = "{model}eye."
        when = "both"
        default = { width = 7 }
        [[submodel]]
        config = "inner"
        class = "Eye"
        prefix = "inner."
        when = "both"
        flat = true
        [[tensors]]
        when = "part"
        list = [["w", "width", "1 + glass"]]
        [[tensors]]
        when = "both"
        list = [["{model}own", "eyes.width", "eyes.std", "tall", "kinds == 'a*'", "eyes.kind == 'x'"]]
        [[rule]]
        name = "*w"
        scheme = "normal:std=std"
        [[rule]]
        name = "m.own"
        scheme = "ones"
    "#;
    let architecture: Architecture = text.parse().unwrap();
    let config = |json: &str| {
        let mut config = Config::from_json(json.as_bytes()).unwrap();
        config.set("architectures", "[\"Pair\"]").unwrap();
        config
    };
    let shown = |json: &str| {
        let config = config(json);
        let plan = architecture.plan(&config).map_err(|e| e.to_string())?;
        let row = |planned: &Planned| {
            let draw = planned.draw.as_ref().unwrap();
            assert_eq!(draw.stream, planned.name);
            format!("{} {:?} {} {:?}", planned.name, planned.shape, draw.distribution, draw.dtype.unwrap())
        };
        Ok::<_, String>(plan.tensors().iter().map(row).collect::<Vec<_>>())
    };
    assert_eq!(
        shown(r#"{"width": 4, "kinds": ["b", "ab"], "eyes": {"kind": "x"}, "torch_dtype": "bfloat16"}"#).unwrap(),
        [
            "m.eye.w [7, 1] normal(0, 7^2) BF16",
            "inner.w [4, 1] normal(0, 4^2) BF16",
            "m.own [7, 7, 2, 1, 1] constant(1) BF16",
        ]
    );
    let lens =
        r#"{"width": 4, "kinds": "b", "eyes": {"model_type": "lens", "width": 5, "kind": "y"}, "inner": {"width": 9}}"#;
    assert_eq!(
        shown(lens).unwrap(),
        [
            "m.eye.w [5, 2] normal(0, 10^2) F32",
            "inner.w [9, 1] normal(0, 9^2) F32",
            "m.own [5, 10, 2, 0, 0] constant(1) F32",
        ]
    );
    for (json, says) in [
        (r#"{"eyes": {"width": "many", "kind": "x"}}"#, "eyes.width is \"many\", allowed: a number"),
        (r#"{"eyes": {"width": -1, "kind": "x"}}"#, "the submodel m.eye."),
        (r#"{"eyes": {"kind": 3}}"#, "eyes.kind is \"3\", allowed: a text"),
        (r#"{"eyes": {}}"#, "the config has no eyes.kind"),
        (r#"{"eyes": 3}"#, "eyes is \"3\", allowed: a configuration of its own"),
        (r#"{"eyes": {"model_type": "ear"}}"#, "eyes.model_type is \"ear\", allowed: eye, lens"),
    ] {
        let error = shown(json).unwrap_err();
        assert!(error.contains(says), "{json}: {error}");
    }
    let mut set = config(r#"{"eyes": null}"#);
    set.set("eyes.width", "2").unwrap();
    set.set("eyes.kind", "x").unwrap();
    assert!(set.has("eyes.width") && !set.has("eyes.height") && architecture.keys().any(|key| key == "eyes.width"));
    assert_eq!(architecture.model(&set).unwrap().tensors()[0].shape, [2, 1]);
    assert!(set.set("eyes.width.more", "2").unwrap_err().to_string().contains("eyes.width is \"2\""));
    // Its rules would have the model's own tensor.
    let clash: Architecture = text.replace("{model}own", "inner.own").parse().unwrap();
    let error = clash.model(&config(r#"{"eyes": {"kind": "x"}}"#)).unwrap_err().to_string();
    assert!(error.contains("\"inner.own\"") && error.contains("inner."), "{error}");
    // One within itself without end.
    let endless = text.replace("class = \"Eye\"", "class = \"Pair\"").parse::<Architecture>().unwrap();
    assert!(
        endless.model(&config(r#"{"eyes": {"kind": "x"}}"#)).unwrap_err().to_string().contains("within one another")
    );
}

/// A check of tensors knows their counters and names, and is asked only where there are any.
#[test]
fn tensors_have_checks_of_their_own() {
    let text = r#"
        [architectures]
        Twin = {}
        [config]
        heads = "required list"
        even = true
        [[tensors]]
        prefix = "{stage}."
        for = [["stage", "len(heads)"]]
        let = [["width", "4*exp2(stage)"]]
        when = "heads[stage] > 0"
        check = ["width % heads[stage] == 0", "!even || heads[stage] % 2 == 0"]
        list = [["w", "width"]]
        [[rule]]
        name = "*"
        scheme = "ones"
    "#;
    let architecture: Architecture = text.parse().unwrap();
    let of = |json: &str| {
        let mut config = Config::from_json(json.as_bytes()).unwrap();
        config.set("architectures", "[\"Twin\"]").unwrap();
        let model = architecture.model(&config)?;
        Ok::<_, fanin::Error>(model.tensors().iter().map(|tensor| tensor.shape[0]).collect::<Vec<_>>())
    };
    assert_eq!(of(r#"{"heads": [2, 8, 0, 2]}"#).unwrap(), [4, 8, 32]);
    assert_eq!(of(r#"{"heads": [1, -1], "even": false}"#).unwrap(), [4]);
    for (json, says) in [
        (
            r#"{"heads": [2, 6]}"#,
            "the config is one with heads \"[2,6]\", stage 1, width 8, allowed: width % heads[stage] == 0",
        ),
        (
            r#"{"heads": [1]}"#,
            "the config is one with even 1, heads \"[1]\", stage 0, allowed: !even || heads[stage] % 2 == 0",
        ),
    ] {
        let error = of(json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(says), "{json}: {error}");
    }
}

/// Numbers of a configuration are those that are written, to the last place, and are written so again.
#[test]
fn numbers_are_read_to_the_last_place() {
    for text in ["16660666666666666666666666666666666", "0.018263148371569713", "1.7976931348623157e308", "5e-324"] {
        let config = Config::from_json(format!("{{\"initializer_range\": {text}}}").as_bytes()).unwrap();
        assert_eq!(Config::from_json(config.to_json().as_bytes()).unwrap(), config, "{text}");
        let written: Value = serde_json::from_str(&config.to_json()).unwrap();
        let written = written["initializer_range"].to_string().parse::<f64>().unwrap();
        assert_eq!(written, text.parse::<f64>().unwrap(), "{text}");
    }
}

/// What a stranger's architecture could take time or memory with.
#[test]
fn an_architecture_has_an_end() {
    let plan = |more: &str| {
        let text = format!(
            "{more}\n[[rule]]\nname = '*'\nscheme = 'ones'\n[architectures]\nTwin = {{ text = '{}' }}",
            "t".repeat(200)
        );
        let config = Config::from_json(br#"{"architectures": ["Twin"], "n": 3}"#)?;
        text.parse::<Architecture>()?.plan(&config)
    };
    let named = |name: &str| plan(&format!("[[tensors]]\nlist = [['{name}']]"));
    assert_eq!(named(&"{text}".repeat(5)).unwrap().tensors()[0].name.len(), 1000);
    for name in ["{text}".repeat(5) + "a", "{text}".repeat(10_000), "a".repeat(1001)] {
        let error = named(&name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("the length of the name \"") && error.to_string().len() < 600, "{error}");
    }
    // One needs the next.
    let chain = |count: usize| {
        let words: String = (0..count).map(|i| format!("w{i:04} = 'w{:04} + 1'\n", i + 1)).collect();
        plan(&format!("[[tensors]]\nlist = [['a', 'w0000']]\n[let]\n{words}w{count:04} = '1'"))
    };
    assert_eq!(chain(200).unwrap().tensors()[0].shape, [201]);
    assert!(chain(256).unwrap_err().to_string().contains("at most 256"));
    let long = plan(&format!("[[tensors]]\nlist = [['a', '{}1']]", "1 + ".repeat(300))).unwrap_err();
    assert!(long.to_string().contains("longer than 1000 characters"), "{long}");
}

const QWEN3_NEXT: &str = r#"{"vocab_size": 301, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 4,
    "num_attention_heads": 4, "head_dim": 16, "num_experts": 3, "moe_intermediate_size": 24, "linear_num_key_heads": 2,
    "linear_num_value_heads": 4, "linear_key_head_dim": 12, "linear_value_head_dim": 10}"#;

#[test]
fn qwen3_next_has_attention_in_the_layers_that_its_configuration_says() {
    let of = |keys: &str, name: &str| tensor("Qwen3NextForCausalLM", &with(QWEN3_NEXT, keys), name);
    let linear = "model.layers.2.linear_attn.";
    assert_eq!(of("{}", &format!("{linear}conv1d.weight")), (vec![88, 1, 4], "normal(0, 0.02^2)".into(), vec![]));
    assert_eq!(of("{}", &format!("{linear}in_proj_qkvz.weight")).0, [128, 64]);
    assert_eq!(of("{}", &format!("{linear}in_proj_ba.weight")).0, [8, 64]);
    assert_eq!(of("{}", &format!("{linear}A_log")), (vec![4], "log(uniform[0.01, 16))".into(), vec![]));
    assert_eq!(of("{}", &format!("{linear}dt_bias")).1, "constant(1)");
    assert_eq!(of("{}", &format!("{linear}norm.weight")), (vec![10], "constant(1)".into(), vec![]));
    // 1 is added to the others; queries have a gate beside them.
    assert_eq!(of("{}", "model.layers.3.self_attn.k_norm.weight"), (vec![16], "constant(0)".into(), vec![]));
    assert_eq!(of("{}", "model.norm.weight").1, "constant(0)");
    assert_eq!(of("{}", "model.layers.3.self_attn.q_proj.weight").0, [128, 64]);
    let full = |keys: &str| -> Vec<bool> {
        let names = |end: &str| has("Qwen3NextModel", &with(QWEN3_NEXT, keys), end);
        let layers = 0..4;
        layers
            .map(|i| {
                let (full, linear) = (
                    names(&format!("layers.{i}.self_attn.k_norm.weight")),
                    names(&format!("layers.{i}.linear_attn.A_log")),
                );
                assert_ne!(full, linear, "{keys}");
                full
            })
            .collect()
    };
    assert_eq!(full("{}"), [false, false, false, true]);
    assert_eq!(full(r#"{"full_attention_interval": 2}"#), [false, true, false, true]);
    let types = r#"{"layer_types": ["full_attention", "linear_attention", "attention", "mamba"], "full_attention_interval": 0}"#;
    assert_eq!(full(types), [true, false, true, false]);
    assert_eq!(full(r#"{"layer_types": null}"#), [false, false, false, true]);
    assert!(has("Qwen3NextModel", &with(QWEN3_NEXT, r#"{"mlp_only_layers": [1]}"#), "layers.1.mlp.gate_proj.weight"));
    assert!(has("Qwen3NextModel", QWEN3_NEXT, "layers.1.mlp.experts.2.gate_proj.weight"));
    assert!(has("Qwen3NextForQuestionAnswering", QWEN3_NEXT, "transformer.norm.weight"));

    let sizes = ["vocab_size", "hidden_size", "num_hidden_layers"];
    assert_bad_numbers_are_refused("Qwen3NextForCausalLM", QWEN3_NEXT, &sizes, &["num_hidden_layers"]);
    for (key, value) in [
        ("num_attention_heads", "0"),
        ("head_dim", "null"),
        ("num_key_value_heads", "null"),
        ("linear_num_value_heads", "3"),
        ("linear_conv_kernel_dim", "0"),
        ("full_attention_interval", "0"),
        ("decoder_sparse_step", "0"),
        ("layer_types", r#"["full_attention"]"#),
        ("layer_types", r#"["full_attention", "full_attention", "full_attention", "sliding_attention"]"#),
        ("layer_types", "4"),
        ("pad_token_id", "301"),
        ("hidden_act", "\"prelu\""),
    ] {
        assert_refused("Qwen3NextModel", &with(QWEN3_NEXT, &format!("{{\"{key}\": {value}}}")), key);
    }
}

const MAMBA2: &str = r#"{"vocab_size": 301, "hidden_size": 64, "num_hidden_layers": 3, "num_heads": 8, "head_dim": 16, "state_size": 12,
    "n_groups": 2}"#;

#[test]
fn mamba2_is_as_its_options_say() {
    let of = |keys: &str, name: &str| tensor("Mamba2ForCausalLM", &with(MAMBA2, keys), name);
    let mixer = "backbone.layers.2.mixer.";
    assert_eq!(of("{}", &format!("{mixer}in_proj.weight")), (vec![312, 64], "normal(0, 0.1^2)".into(), vec![]));
    assert_eq!(of("{}", &format!("{mixer}conv1d.weight")), (vec![176, 1, 4], "uniform[-0.5, 0.5)".into(), vec![]));
    assert_eq!(of("{}", &format!("{mixer}conv1d.bias")), (vec![176], "constant(0)".into(), vec![]));
    assert_eq!(of("{}", &format!("{mixer}A_log")).1, "arange:start=1,step=1,function=log,count=8,inner=1");
    assert_eq!(of("{}", &format!("{mixer}norm.weight")), (vec![128], "constant(1)".into(), vec![]));
    let steps = r#"{"time_step_min": 0.01, "time_step_max": 0.5, "time_step_floor": 0.02}"#;
    let law = "inverse_softplus(log_uniform[0.01, 0.5), at least 0.02)";
    assert_eq!(of(steps, &format!("{mixer}dt_bias")), (vec![8], law.into(), vec![]));
    let bound = 1.0 / 128f64.sqrt();
    assert_eq!(of("{}", &format!("{mixer}out_proj.weight")).1, format!("uniform[-{bound}, {bound})"));
    let shrunk = bound / 3f64.sqrt();
    assert_eq!(
        of(r#"{"rescale_prenorm_residual": true}"#, &format!("{mixer}out_proj.weight")).1,
        format!("uniform[-{shrunk}, {shrunk})")
    );
    assert!(has("Mamba2ForCausalLM", MAMBA2, "lm_head.weight"));
    assert!(!has("Mamba2ForCausalLM", &with(MAMBA2, r#"{"tie_word_embeddings": true}"#), "lm_head.weight"));

    let sizes = ["vocab_size", "hidden_size", "num_hidden_layers"];
    assert_bad_numbers_are_refused("Mamba2ForCausalLM", MAMBA2, &sizes, &["num_hidden_layers"]);
    for (key, value) in [
        ("num_heads", "4"),
        ("head_dim", "8"),
        ("expand", "3"),
        ("n_groups", "0"),
        ("conv_kernel", "0"),
        ("time_step_rank", "\"other\""),
        ("time_step_rank", "null"),
        ("hidden_act", "\"prelu\""),
    ] {
        assert_refused("Mamba2Model", &with(MAMBA2, &format!("{{\"{key}\": {value}}}")), key);
    }
    // Those of the distribution are its own.
    assert!(plan_of("Mamba2Model", &with(MAMBA2, r#"{"time_step_min": 0.2}"#)).is_err());
}

const WAV2VEC2: &str = r#"{"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 112, "conv_dim": [16, 24],
    "conv_kernel": [5, 4], "conv_stride": [3, 2], "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}"#;

#[test]
fn wav2vec2_is_as_its_class_and_options_say() {
    let of = |keys: &str, name: &str| tensor("Wav2Vec2Model", &with(WAV2VEC2, keys), name);
    let law = |std: f64| format!("normal(0, {std}^2)");
    assert_eq!(of("{}", "feature_extractor.conv_layers.0.conv.weight"), (vec![16, 1, 5], law(0.4f64.sqrt()), vec![]));
    assert_eq!(of("{}", "feature_extractor.conv_layers.1.conv.weight").0, [24, 16, 4]);
    let bias = of(r#"{"conv_bias": true}"#, "feature_extractor.conv_layers.1.conv.bias");
    assert_eq!(bias, (vec![24], "uniform[-0.125, 0.125)".into(), vec![]));
    let norm =
        |keys: &str| has("Wav2Vec2Model", &with(WAV2VEC2, keys), "feature_extractor.conv_layers.1.layer_norm.weight");
    assert!(!norm("{}") && norm(r#"{"feat_extract_norm": "layer"}"#));
    // A weight that is apart into itself and the norms of its taps, of the same numbers.
    let taps = "encoder.pos_conv_embed.conv.parametrizations.weight.";
    assert_eq!(of("{}", &format!("{taps}original1")), (vec![64, 16, 16], "uniform[-0.0625, 0.0625)".into(), vec![]));
    let norms = "column_norms:bound=0.0625,rows=1024,columns=16";
    assert_eq!(of("{}", &format!("{taps}original0")), (vec![1, 1, 16], norms.into(), vec![]));
    for class in ["Wav2Vec2Model", "Wav2Vec2ForCTC"] {
        let plan = plan_of(class, WAV2VEC2).unwrap();
        let norms = plan.iter().find(|planned| planned.name.ends_with("original0")).unwrap();
        let weight = norms.name.replace("original0", "original1");
        assert_eq!(norms.draw.as_ref().unwrap().stream, weight);
    }
    let masked = |keys: &str| has("Wav2Vec2Model", &with(WAV2VEC2, keys), "masked_spec_embed");
    assert!(masked("{}") && !masked(r#"{"mask_time_prob": 0.0}"#));
    assert!(masked(r#"{"mask_time_prob": 0, "mask_feature_prob": 0.1}"#));
    let adapted = |keys: &str| has("Wav2Vec2Model", &with(WAV2VEC2, keys), "layers.1.adapter_layer.linear_1.bias");
    assert!(!adapted(r#"{"adapter_attn_dim": 8}"#));
    assert!(adapted(r#"{"adapter_attn_dim": 8, "do_stable_layer_norm": true}"#));
    let adapter = r#"{"add_adapter": true, "output_hidden_size": 40}"#;
    assert_eq!(of(adapter, "adapter.layers.2.conv.weight"), (vec![80, 40, 3], law((2.0f64 / 120.0).sqrt()), vec![]));
    assert_eq!(tensor("Wav2Vec2ForCTC", &with(WAV2VEC2, adapter), "lm_head.weight").0, [32, 40]);
    let codes = |name: &str| tensor("Wav2Vec2ForPreTraining", WAV2VEC2, name);
    assert_eq!(codes("quantizer.codevectors"), (vec![1, 640, 128], "uniform[0, 1)".into(), vec![]));
    assert_eq!(codes("quantizer.weight_proj.weight"), (vec![640, 24], "normal(0, 1^2)".into(), vec![]));
    assert_eq!(codes("project_hid.bias"), (vec![256], "uniform[-0.125, 0.125)".into(), vec![]));
    let weighted = with(WAV2VEC2, r#"{"use_weighted_layer_sum": true}"#);
    let sum = tensor("Wav2Vec2ForSequenceClassification", &weighted, "layer_weights");
    assert_eq!(sum, (vec![3], format!("constant({})", 1.0 / 3.0), vec![]));
    assert_eq!(tensor("Wav2Vec2ForXVector", WAV2VEC2, "tdnn.1.kernel.weight").0, [512, 1536]);
    assert_eq!(tensor("Wav2Vec2ForXVector", WAV2VEC2, "objective.weight").1, "normal(0, 1^2)");

    let sizes = ["hidden_size", "num_hidden_layers", "intermediate_size"];
    assert_bad_numbers_are_refused("Wav2Vec2ForCTC", WAV2VEC2, &sizes, &["num_hidden_layers"]);
    for (class, key, value) in [
        ("Wav2Vec2Model", "num_attention_heads", "5"),
        ("Wav2Vec2Model", "conv_dim", "[16]"),
        ("Wav2Vec2Model", "conv_kernel", "[5, 3, 2]"),
        ("Wav2Vec2Model", "conv_stride", "[]"),
        ("Wav2Vec2Model", "conv_dim", "16"),
        ("Wav2Vec2Model", "conv_dim", r#"[16, "24"]"#),
        ("Wav2Vec2Model", "feat_extract_norm", "\"other\""),
        ("Wav2Vec2Model", "num_conv_pos_embedding_groups", "5"),
        ("Wav2Vec2Model", "feat_extract_activation", "\"prelu\""),
        ("Wav2Vec2ForCTC", "vocab_size", "null"),
        ("Wav2Vec2ForPreTraining", "codevector_dim", "255"),
        ("Wav2Vec2ForSequenceClassification", "add_adapter", "true"),
        ("Wav2Vec2ForXVector", "tdnn_kernel", "[5]"),
    ] {
        assert_refused(class, &with(WAV2VEC2, &format!("{{\"{key}\": {value}}}")), key);
    }
}

const XLNET: &str = r#"{"vocab_size": 301, "d_model": 64, "n_layer": 2, "n_head": 4, "d_inner": 112}"#;

#[test]
fn xlnet_is_as_its_class_and_options_say() {
    let of = |keys: &str, name: &str| tensor("XLNetModel", &with(XLNET, keys), name);
    let n02 = || "normal(0, 0.02^2)".to_string();
    assert_eq!(of("{}", "layer.1.rel_attn.q"), (vec![64, 4, 16], n02(), vec![]));
    assert_eq!(of("{}", "layer.1.rel_attn.r_w_bias"), (vec![4, 16], n02(), vec![]));
    assert_eq!(of("{}", "layer.1.ff.layer_1.weight").0, [112, 64]);
    // Of attention and what stands for hidden words 0 is 0.
    let zero = r#"{"initializer_range": 0.0}"#;
    assert_eq!(of(zero, "mask_emb"), (vec![1, 1, 64], "normal(0, 0^2)".into(), vec![]));
    assert_eq!(of(zero, "word_embedding.weight").1, n02());
    assert!(!has("XLNetLMHeadModel", XLNET, "lm_loss.weight") && has("XLNetLMHeadModel", XLNET, "lm_loss.bias"));
    assert!(has("XLNetLMHeadModel", &with(XLNET, r#"{"tie_word_embeddings": false}"#), "lm_loss.weight"));
    let seven = with(XLNET, r#"{"num_labels": 7}"#);
    assert_eq!(tensor("XLNetForSequenceClassification", &seven, "logits_proj.weight").0, [7, 64]);
    assert_eq!(tensor("XLNetForMultipleChoice", &seven, "logits_proj.weight").0, [1, 64]);
    assert_eq!(tensor("XLNetForTokenClassification", &seven, "classifier.bias").0, [7]);
    assert_eq!(tensor("XLNetForQuestionAnsweringSimple", &seven, "qa_outputs.weight").0, [7, 64]);
    assert_eq!(tensor("XLNetForQuestionAnswering", &seven, "end_logits.dense_0.weight").0, [64, 128]);
    assert!(!has("XLNetForQuestionAnswering", XLNET, "answer_class.dense_1.bias"));
    let summary =
        |keys: &str| tensor("XLNetForSequenceClassification", &with(XLNET, keys), "sequence_summary.summary.weight").0;
    assert_eq!(summary("{}"), [64, 64]);
    assert_eq!(summary(r#"{"summary_proj_to_labels": true, "num_labels": 3}"#), [3, 64]);
    let other = with(&without(XLNET, "d_model"), r#"{"hidden_size": 32}"#);
    assert_eq!(tensor("XLNetModel", &other, "word_embedding.weight").0, [301, 32]);

    let sizes = ["vocab_size", "d_model", "n_layer", "d_inner"];
    assert_bad_numbers_are_refused("XLNetLMHeadModel", XLNET, &sizes, &["n_layer"]);
    for (key, value) in [
        ("n_head", "5"),
        ("n_head", "0"),
        ("d_head", "24"),
        ("summary_type", "\"attn\""),
        ("summary_activation", "null"),
        ("ff_activation", "\"prelu\""),
    ] {
        assert_refused("XLNetForMultipleChoice", &with(XLNET, &format!("{{\"{key}\": {value}}}")), key);
    }
}

/// Activations that have weights, and older keys that make other tensors, are refused, as is what makes no model.
#[test]
fn what_would_change_tensors_is_refused() {
    let decoder = |more: &str| {
        let all = r#"{"vocab_size": 301, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 1,
            "num_attention_heads": 4, "num_key_value_heads": 2}"#;
        with(all, more)
    };
    for class in
        ["LlamaModel", "MistralModel", "MixtralModel", "Phi3Model", "Qwen2Model", "Qwen3MoeModel", "GemmaModel"]
    {
        let json = decoder(r#"{"pad_token_id": 0}"#);
        assert!(plan_of(class, &json).is_ok(), "{class}: {:?}", plan_of(class, &json));
        assert_refused(class, &with(&json, r#"{"hidden_act": "prelu"}"#), "hidden_act");
        assert_refused(class, &with(&json, r#"{"head_dim": 0}"#), "head_dim");
        for key in ["quantization_config", "compression_config"] {
            let quantised = with(&json, &format!(r#"{{"{key}": {{"bits": 4}}}}"#));
            assert_refused(class, &quantised, key);
            let said = plan_of(class, &quantised).unwrap_err().to_string();
            let remedy =
                format!("allowed: null, for the model before it is quantised: with the program, --set {key}=null");
            assert!(said.ends_with(&remedy), "{said}");
            let drawn = plan_of(class, &with(&quantised, &format!("{{\"{key}\": null}}"))).unwrap();
            assert_eq!(drawn, plan_of(class, &json).unwrap());
        }
        assert_refused(class, &with(&json, r#"{"num_key_value_heads": 3}"#), "num_key_value_heads");
    }
    assert_refused("Gemma3TextModel", &decoder(r#"{"hidden_activation": "xielu"}"#), "hidden_activation");
    assert_refused("MixtralModel", &decoder(r#"{"num_local_experts": 0}"#), "num_local_experts");
    for (key, value) in [
        ("hidden_act", "\"prelu\""),
        ("pruned_heads", r#"{"0": [1]}"#),
        ("position_embedding_type", "\"relative_key\""),
    ] {
        for class in ["BertModel", "RobertaModel"] {
            assert_refused(class, &with(BERT, &format!("{{\"{key}\": {value}}}")), key);
        }
    }
    assert_refused("DistilBertModel", &with(DISTILBERT, r#"{"activation": "prelu"}"#), "activation");
    // Two labels: where an answer begins, and where it ends.
    assert_refused("DistilBertForQuestionAnswering", &with(DISTILBERT, r#"{"num_labels": 3}"#), "num_labels");
    assert_refused(
        "DistilBertModel",
        &with(DISTILBERT, r#"{"layer_types": ["full_attention", "full_attention"]}"#),
        "layer_types",
    );
    assert_refused("T5Model", &with(T5, r#"{"feed_forward_proj": "gated-prelu"}"#), "feed_forward_proj");
    assert_refused("ViTModel", &with(VIT, r#"{"pooler_act": "prelu"}"#), "pooler_act");
    // transformers has the word, and no layer for it.
    let summary = with(BERT, r#"{"summary_type": "attn"}"#);
    assert_refused("ElectraForMultipleChoice", &summary, "summary_type");
    assert!(has("ElectraForSequenceClassification", &summary, "classifier.dense.weight"));
}

/// The weights that are quantised, each with its block.
fn fp8_blocks(architecture: &Architecture, config: &Config) -> Result<BTreeMap<String, [u64; 2]>, fanin::Error> {
    let tensors = architecture.describe(config)?.model.into_tensors();
    Ok(tensors.into_iter().filter_map(|tensor| Some((tensor.name, tensor.fp8_block?))).collect())
}

/// Llama 3 8B has the tensors of its published file, Mixtral 8x7B its published number of parameters.
/// Of a quantised configuration the weights of linear layers are in blocks, but for the output's; what plans it unquantised refuses it.
#[test]
fn quantised_configurations_have_blocks_of_linear_layers() {
    let fp8 = r#"{"quantization_config": {"quant_method": "fp8"}}"#;
    let blocks = |class: &str, json: &str| {
        let mut config = Config::from_json(json.as_bytes()).unwrap();
        config.set("architectures", &format!("[\"{class}\"]")).unwrap();
        fp8_blocks(&Architecture::for_config(&config).unwrap(), &config)
    };
    let names = |class: &str, keys: &str| {
        blocks(class, &with(&with(DECODER, fp8), keys)).unwrap().into_keys().collect::<Vec<_>>()
    };
    let layers = names("LlamaForCausalLM", "{}");
    assert_eq!(layers.len(), 7);
    assert!(
        layers.iter().all(|name| name.starts_with("model.layers.") && name.ends_with("_proj.weight")),
        "{layers:?}"
    );
    assert_eq!(names("LlamaForCausalLM", r#"{"tie_word_embeddings": true}"#), layers);
    assert_eq!(names("LlamaForSequenceClassification", "{}"), layers);
    // As transformers has it, a layer that ends in a bias is no output.
    let tokens = names("LlamaForTokenClassification", "{}");
    assert_eq!((tokens.len(), tokens.last().unwrap().as_str()), (8, "score.weight"));
    let without_bias = names("LlamaForTokenClassification", r#"{"token_classification_bias": false}"#);
    assert_eq!(without_bias, layers);
    assert!(names("LlamaModel", "{}").iter().all(|name| name.starts_with("layers.")));
    let sizes = r#"{"quantization_config": {"quant_method": "fp8", "weight_block_size": [1, 300]}}"#;
    assert!(blocks("Qwen3MoeForCausalLM", &with(DECODER, sizes)).unwrap().values().all(|block| *block == [1, 300]));
    assert!(blocks("LlamaForCausalLM", DECODER).unwrap().is_empty());

    let error = blocks("GemmaForCausalLM", &with(DECODER, fp8)).unwrap_err();
    assert!(error.to_string().starts_with("quantization_config is not written of an architecture"), "{error}");
    let own = Config::from_json(with(DECODER, fp8).as_bytes()).unwrap();
    assert_eq!(own.unquantised(), Config::from_json(DECODER.as_bytes()).unwrap());
    let other = r#"{"quantization_config": {"quant_method": "awq", "bits": 4}}"#;
    let error = blocks("LlamaForCausalLM", &with(DECODER, other)).unwrap_err().to_string();
    assert!(error.starts_with("quantization_config.quant_method is \"awq\", allowed: fp8 by blocks"), "{error}");
    let twice = r#"{"compression_config": {"bits": 4}}"#;
    assert!(
        blocks("LlamaForCausalLM", &with(&with(DECODER, fp8), twice))
            .unwrap_err()
            .to_string()
            .contains("compression_config")
    );

    let all = r#"{"quantization_config": {"quant_method": "fp8", "modules_to_not_convert": ["score"]}}"#;
    let all = with(DECODER, all);
    assert!(blocks("LlamaForCausalLM", &all).unwrap().contains_key("lm_head.weight"));
    let tied = with(&all, r#"{"tie_word_embeddings": true}"#);
    let error = blocks("LlamaForCausalLM", &tied).unwrap_err().to_string();
    assert!(error.starts_with("quantization_config.modules_to_not_convert does not name lm_head"), "{error}");
    assert_eq!(blocks("LlamaForSequenceClassification", &tied).unwrap().len(), 7);

    let rules = "[[rule]]\nname = '*'\nscheme = 'zeros'";
    let text = |linear: &str, dims: &str| {
        format!("{linear}\n[architectures]\nA = {{}}\n[[tensors]]\nlist = [['w.weight', {dims}], ['b']]\n{rules}")
    };
    let of = |text: String| {
        let mut config = Config::from_json(fp8.as_bytes()).unwrap();
        config.set("architectures", "[\"A\"]").unwrap();
        text.parse::<Architecture>().and_then(|architecture| fp8_blocks(&architecture, &config))
    };
    assert_eq!(
        of(text("linear = '*.weight'", "'8', '4'")).unwrap().into_iter().collect::<Vec<_>>(),
        [("w.weight".into(), [128, 128])]
    );
    let error = of(text("linear = '*.weight'", "'2', '8', '4'")).unwrap_err().to_string();
    assert!(
        error.contains("the shape of w.weight") && error.contains("[2, 8, 4], allowed: rows and columns"),
        "{error}"
    );
    for (linear, says) in [("linear = []", "empty"), ("linear = '['", "cannot be read"), ("linear = 1", "line 1")] {
        let error = of(text(linear, "'8', '4'")).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    for alone in ["linear = 'w'", "tied = { w = '1' }"] {
        let error = format!("{alone}\n{rules}").parse::<fanin::rules::Rules>().unwrap_err().to_string();
        assert!(error.contains("and no [architectures]"), "{error}");
    }
    let error = of(text("linear = '*.weight'\ntied = { w = 'nowhere' }", "'8', '4'")).unwrap_err().to_string();
    assert!(error.contains("nowhere"), "{error}");
}

#[test]
fn published_models_have_their_tensors() {
    let model = |json: &str| {
        let config = Config::from_json(json.as_bytes()).unwrap();
        Architecture::for_config(&config).unwrap().model(&config).unwrap()
    };
    let parameters =
        |model: &fanin::rules::Model| model.tensors().iter().map(|t| t.shape.iter().product::<u64>()).sum::<u64>();
    let llama = model(
        r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 128256, "hidden_size": 4096,
            "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "torch_dtype": "bfloat16"}"#,
    );
    assert_eq!(parameters(&llama), 8_030_261_248);
    let path = fanin_tests::repository().join("data/models/llama-8b.json");
    let published = fanin::rules::Model::from_json(&std::fs::read(path).unwrap()).unwrap();
    let all = |model: &fanin::rules::Model| -> BTreeMap<_, _> {
        model.tensors().iter().map(|t| (t.name.clone(), (t.shape.clone(), t.dtype))).collect()
    };
    assert_eq!(all(&llama), all(&published));
    let mixtral = model(
        r#"{"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "vocab_size": 32000, "hidden_size": 4096,
            "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8}"#,
    );
    assert_eq!(parameters(&mixtral), 46_702_792_704);
}

/// A key has one value, whichever of its names it goes by.
#[test]
fn another_name_of_a_key_is_the_key() {
    let shape = |more: &str| {
        let config = format!(
            r#"{{"architectures": ["GPT2Model"], "vocab_size": 9, "n_positions": 8, "n_layer": 1, "n_head": 2{more}}}"#
        );
        let config = Config::from_json(config.as_bytes()).unwrap();
        let model = Architecture::for_config(&config).unwrap().model(&config)?;
        Ok::<_, fanin::Error>(model.tensors()[0].shape.clone())
    };
    for more in [r#", "n_embd": 4"#, r#", "hidden_size": 4"#, r#", "hidden_size": 4, "n_embd": 4"#] {
        assert_eq!(shape(more).unwrap(), [9, 4], "{more}");
    }
    let error = shape(r#", "hidden_size": 4, "n_embd": 6"#).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.to_string(), r#"hidden_size is "4", and n_embd "6", allowed: the same of both, or one of them"#);
}

/// What an architecture of one's own has wrong is said, and nothing of it passed over.
#[test]
fn what_is_no_architecture_is_said() {
    let rule = "[[rule]]\nname = '*'\nscheme = 'zeros'\n";
    let class = "[architectures]\nA = { n = 1 }\n";
    for (text, says) in [
        (rule.to_string(), "the text has no [architectures]"),
        (format!("[let]\nx = '1'\n{rule}"), "the text has [let] and no [architectures]"),
        (format!("{class}[config]\nn = 2\n{rule}"), "the word \"n\" stands twice"),
        (format!("{class}[constants]\nx = 2\n[let]\nx = '3'\n{rule}"), "the word \"x\" stands twice"),
        (format!("{class}[let]\nfan_in = '3'\n{rule}"), "the name of a constant or count is \"fan_in\""),
        (format!("{class}[config]\nrank = 3\n{rule}"), "line 4: the name of a constant or count is \"rank\""),
        (format!("{class}[config]\nx = {{ missing = 3 }}\n{rule}"), "line 4: a key is another table"),
        (
            format!(
                "[architectures]\nA = {{ haed = 1 }}\nB = {{ head = 1 }}\n[[tensors]]\nwhen = 'head'\nlist = [['w']]\n{rule}"
            ),
            "the word \"haed\" of a class is asked for nowhere",
        ),
        (
            format!(
                "[architectures]\n{}{rule}",
                (0..257).map(|i| format!("C{i} = {{ w{i} = 1 }}\n")).collect::<String>()
            ),
            "the number of an architecture's keys, other names, names, checks and words of classes is 257",
        ),
    ] {
        let error = text.parse::<Architecture>().unwrap_err();
        assert!(error.kind() == ErrorKind::Rules && error.to_string().starts_with(says), "{error}");
    }
    for key in
        ["model_type = 'a'", "check = ['1']", "[config]\nx = 1", "[alias]\nx = 'y'", "[[tensors]]\nlist = [['a']]"]
    {
        let error = format!("{key}\n{rule}").parse::<fanin::rules::Rules>().unwrap_err().to_string();
        assert!(error.contains("and no [architectures]"), "{key}: {error}");
    }
    // Counting ends, also where nothing comes of it.
    let counts = "for = [['a', '1000000'], ['b', '1000000'], ['c', '0']]\nlist = [['w']]\n";
    let architecture: Architecture = format!("{class}[[tensors]]\n{counts}{rule}").parse().unwrap();
    let config = Config::from_json(br#"{"architectures": ["A"]}"#).unwrap();
    let error = architecture.model(&config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}

/// Of a family's types each class has its own: by another, another class would be made of the configuration.
#[test]
fn each_class_has_the_model_type_of_its_own() {
    /// All types of a family and one more, and of each class, by what it begins with, its own.
    type Family = (&'static [&'static str], &'static [(&'static str, &'static str)]);
    let families: [Family; 5] = [
        (
            &["qwen2", "qwen3", "qwen3_moe", "llama"],
            &[
                ("Qwen2Moe", "qwen2_moe"),
                ("Qwen2VLText", "qwen2_vl_text"),
                ("Qwen2VL", "qwen2_vl"),
                ("Qwen2Vision", "qwen2_vl_vision"),
                ("Qwen2_5_VLText", "qwen2_5_vl_text"),
                ("Qwen2_5_VL", "qwen2_5_vl"),
                ("Qwen2_5_Vision", "qwen2_5_vl_vision"),
                ("Qwen2", "qwen2"),
                ("Qwen3Moe", "qwen3_moe"),
                ("Qwen3Next", "qwen3_next"),
                ("Qwen3", "qwen3"),
            ],
        ),
        (
            &["gemma", "gemma2", "gemma3_text", "gemma3"],
            &[
                ("Gemma2", "gemma2"),
                ("Gemma3ForConditionalGeneration", "gemma3"),
                ("Gemma3ForSequenceClassification", "gemma3"),
                ("Gemma3Model", "gemma3"),
                ("Gemma3", "gemma3_text"),
                ("Gemma", "gemma"),
            ],
        ),
        (
            &["llama", "mistral", "mixtral"],
            &[
                ("Llama4ForConditionalGeneration", "llama4"),
                ("Llama4Vision", "llama4_vision_model"),
                ("Llama4", "llama4_text"),
                ("Llama", "llama"),
                ("Mistral", "mistral"),
            ],
        ),
        (&["roberta", "xlm-roberta", "bert"], &[("XLMRoberta", "xlm-roberta"), ("Roberta", "roberta")]),
        (&["bert", "distilbert", "roberta"], &[("Bert", "bert"), ("DistilBert", "distilbert")]),
    ];
    let mut tried = 0;
    for class in Architecture::classes() {
        let of_class = |(begin, own): &(&str, &'static str)| class.starts_with(begin).then_some(*own);
        for (kinds, own) in
            families.iter().filter_map(|(kinds, begins)| Some((kinds, begins.iter().find_map(of_class)?)))
        {
            for kind in *kinds {
                let config = format!(r#"{{"architectures": ["{class}"], "model_type": "{kind}"}}"#);
                let said =
                    Architecture::for_config(&Config::from_json(config.as_bytes()).unwrap()).map_err(|e| e.to_string());
                let refused = format!("model_type is \"{kind}\", allowed: {own} for {class}");
                assert_eq!(
                    said.map(|_| own).unwrap_or_else(|said| if said == refused { kind } else { "" }),
                    *kind,
                    "{class}"
                );
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 4 * 33 + 4 * 14 + 3 * (14 + 14 + 15));
    // Without a class, those of the type alone are named.
    let of_type = Config::from_json(br#"{"model_type": "qwen3"}"#).unwrap();
    let said = Architecture::for_config(&of_type).unwrap_err().to_string();
    assert!(said.contains("Qwen3ForCausalLM") && !said.contains("Qwen2") && !said.contains("Moe"), "{said}");
    // An architecture of one's own is asked the same.
    let text = r#"
        model_type = ["a", "b"]
        [architectures]
        A = { model_type = "a" }
        B = { model_type = "b" }
        [[tensors]]
        list = [["w", "1"]]
        [[rule]]
        name = "*"
        scheme = "zeros"
    "#;
    let own: Architecture = text.parse().unwrap();
    let of = |class: &str, kind: &str| {
        let config = format!(r#"{{"architectures": ["{class}"], "model_type": "{kind}"}}"#);
        own.model(&Config::from_json(config.as_bytes()).unwrap()).map_err(|e| e.to_string())
    };
    assert!(of("A", "a").is_ok() && of("B", "b").is_ok());
    assert_eq!(of("A", "b").unwrap_err(), "model_type is \"b\", allowed: a for A");
    let error =
        text.replace("model_type = \"b\"", "model_type = \"c\"").parse::<Architecture>().unwrap_err().to_string();
    assert!(
        error.contains("the model_type is none of the architecture's for \"B\", allowed: one of its list"),
        "{error}"
    );
}

/// What Python's json module writes and reads, and an editor's mark at the begin, are the configuration's; what is written is the same.
#[test]
fn configurations_are_read_as_python_writes_them() {
    let text =
        "\u{feff}{\"a\": [0.0, Infinity, -Infinity,NaN], \"b\": \"NaN, \\\"Infinity\\\"\", \"hidden_size\": NaN}";
    let mut config = Config::from_json(text.as_bytes()).unwrap();
    let written = "{\n  \"a\": [\n    0.0,\n    Infinity,\n    -Infinity,\n    NaN\n  ],\n  \"b\": \"NaN, \\\"Infinity\\\"\",\n  \
        \"hidden_size\": NaN\n}\n";
    assert_eq!(config.to_json(), written);
    assert_eq!(Config::from_json(written.as_bytes()).unwrap(), config);
    config.set("c", "-Infinity").unwrap();
    assert!(config.to_json().contains("\"c\": -Infinity"));
    // A number that is asked for is none of them.
    let json = with(BERT, "{}").replace("\"hidden_size\":64", "\"hidden_size\":Infinity");
    assert!(json.contains("Infinity"), "{json}");
    let said = plan_of("BertModel", &json).unwrap_err().to_string();
    assert!(said.contains("hidden_size is \"Infinity\", allowed: a number"), "{said}");
    for (text, line) in [
        ("{\n\"a\": 1,\n}", "line 3"),
        ("{\n\"a\": nan}", "line 2"),
        ("{\n\n\"a\": +Infinity}", "line 3"),
        ("{\"a\": InfinityNaN}", "line 1"),
        ("{\n\"a\": \"Infinity", "line 2"),
    ] {
        let error = Config::from_json(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(format!("{error:#}").contains(line), "{error:#}");
    }
}

/// Of each class a small model: as many tensors and parameters as transformers 5.24 gives it, all of them with rules, names once.
#[test]
fn each_class_has_as_many_tensors_and_parameters_as_in_transformers() {
    let path = fanin_tests::repository().join("tests/golden/families.json");
    let families: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut tried = BTreeSet::new();
    let mut wrong = Vec::new();
    for family in &families {
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

/// Published models have as many parameters as `data/architectures/RESULTS.md` has from where, Falcon's with the output layer that its files have.
#[test]
fn published_models_have_their_numbers_of_parameters() {
    let path = fanin_tests::repository().join("tests/golden/published.json");
    let published: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(published.len(), 81);
    for model in &published {
        let config = config(model);
        let tensors = Architecture::for_config(&config)
            .and_then(|of| of.model(&config))
            .unwrap_or_else(|e| panic!("{model}: {e}"));
        // Counters of batches are none.
        let floats = tensors.tensors().iter().filter(|tensor| !tensor.is_integer());
        let parameters: u64 = floats.map(|tensor| tensor.shape.iter().product::<u64>()).sum();
        assert_eq!(Some(parameters), model["parameters"].as_u64(), "{}", model["name"]);
    }
}

/// The published files of DeepSeek-V3 have 688,586,727,753 bytes: those of its tensors in fp8 by blocks, of one layer more, for a token further
/// on, which is none of transformers', and of headers, which take some 130 bytes a tensor.
#[test]
fn deepseek_v3_in_fp8_has_the_bytes_that_are_published() {
    let path = fanin_tests::repository().join("tests/golden/published.json");
    let published: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let model = published.iter().find(|model| model["name"] == "DeepSeek-V3").unwrap();
    let mut config = config(model);
    let fp8 =
        r#"{"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [128, 128]}"#;
    config.set("quantization_config", fp8).unwrap();
    let architecture = Architecture::for_config(&config).unwrap();
    let blocks = fp8_blocks(&architecture, &config).unwrap();
    // In each layer attention's five and three; of 58, which have experts, of each of 256 more.
    assert_eq!(blocks.len(), 61 * 8 + 58 * 256 * 3);
    let (mut count, mut bytes) = (0, 0);
    let mut add = |shape: &[u64], block: Option<&[u64; 2]>| {
        let elements = shape.iter().product::<u64>();
        count += 1 + u64::from(block.is_some());
        bytes += block
            .map_or(2 * elements, |block| elements + 4 * shape[0].div_ceil(block[0]) * shape[1].div_ceil(block[1]));
    };
    for tensor in architecture.model(&config.unquantised()).unwrap().tensors() {
        let times = if tensor.name.starts_with("model.layers.60.") { 2 } else { 1 };
        (0..times).for_each(|_| add(&tensor.shape, blocks.get(&tensor.name)));
    }
    for shape in [&[129280, 7168][..], &[129280, 7168], &[7168, 2 * 7168], &[7168], &[7168], &[7168]] {
        add(shape, None);
    }
    assert_eq!(count, 91_991);
    let of_headers = (688_586_727_753 - bytes) / count;
    assert!((100..160).contains(&of_headers), "{bytes} bytes, {of_headers} a tensor are left");
}
