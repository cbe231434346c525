//! Architectures: the tensors that a configuration stands for, and how they start.

use fanin::ErrorKind;
use fanin::rules::{Architecture, Config, Planned};
use serde_json::Value;

mod configs;
mod decoders;
mod encoders;
mod fp8;
mod known_models;
mod own;
mod vision_and_audio;

/// What `tests/golden` has by this name.
fn golden(name: &str) -> Value {
    let path = fanin_tests::repository().join(format!("tests/golden/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The configuration of a golden model.
fn config(golden: &Value) -> Config {
    Config::from_json(golden["config"].to_string().as_bytes()).unwrap()
}

/// A configuration of the class with these keys: `KEY=VALUE`, as `--set` takes them, of which the last counts.
fn config_of(class: &str, keys: &str) -> Config {
    let mut config = Config::from_json(b"{}").unwrap();
    for (key, value) in keys.split_whitespace().map(|key| key.split_once('=').unwrap()) {
        config.set(key, value).unwrap();
    }
    config.set("architectures", &format!("[\"{class}\"]")).unwrap();
    config
}

/// Keys and more of them, or others for those that there are.
fn with(keys: &str, more: &str) -> String {
    format!("{keys} {more}")
}

fn without(keys: &str, key: &str) -> String {
    let is_other = |one: &&str| one.split_once('=').unwrap().0 != key;
    let others: Vec<_> = keys.split_whitespace().filter(is_other).collect();
    assert!(others.len() < keys.split_whitespace().count(), "{key}");
    others.join(" ")
}

/// What the class has of these keys.
fn plan_of(class: &str, keys: &str) -> Result<Vec<Planned>, fanin::Error> {
    let config = config_of(class, keys);
    Ok(Architecture::for_config(&config)?.plan(&config)?.into_tensors())
}

fn planned(class: &str, keys: &str) -> Vec<Planned> {
    plan_of(class, keys).unwrap_or_else(|e| panic!("{class}, {keys}: {e}"))
}

/// Whether it has the tensors that have such names: their last parts.
fn has(class: &str, keys: &str, end: &str) -> bool {
    planned(class, keys).iter().any(|planned| planned.name.ends_with(end))
}

/// Of each class of a family, by what stands behind the family's name, with more keys: what is true of a tensor. `[2, 64]` is its shape,
/// `constant(0)` its law, `[2, 64] constant(0)` both, without a row of zeros, and with such `[2, 64] constant(1) but rows [0]`, or
/// `rows [0]` alone; `there` and `absent` are of all names that end so.
fn assert_tensors(family: &str, keys: &str, claims: &[(&str, &str, &str, &str)]) {
    for (class, more, name, claim) in claims {
        let plan = planned(&format!("{family}{class}"), &with(keys, more));
        let what = format!("{family}{class} {more}: {name} is not {claim}");
        if let "there" | "absent" = *claim {
            assert_eq!(plan.iter().any(|planned| planned.name.ends_with(name)), *claim == "there", "{what}");
            continue;
        }
        let Some(planned) = plan.iter().find(|planned| planned.name == *name) else {
            panic!("{what}, but none of {:?}", plan.iter().map(|planned| &planned.name).collect::<Vec<_>>());
        };
        let (shape, draw) = (format!("{:?}", planned.shape), planned.draw.as_ref().unwrap());
        let (law, rows) = (draw.distribution.to_string(), draw.parts.iter().flat_map(|part| part.range.clone()));
        let rows = format!("rows {:?}", rows.collect::<Vec<_>>());
        let whole = if rows == "rows []" { format!("{shape} {law}") } else { format!("{shape} {law} but {rows}") };
        assert!([&shape, &law, &rows, &whole].contains(&&claim.to_string()), "{what}, but {whole}");
    }
}

/// The class makes no model of these keys, and the error names it.
fn assert_refused(class: &str, keys: &str, name: &str) {
    let error = plan_of(class, keys).map(|plan| plan.len()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains(name), "{class}, {keys}: {error} does not name {name}");
}

/// Each of these values of a key, with the others as they are, is refused, and the key named.
fn assert_each_refused(class: &str, keys: &str, wrong: &str) {
    for wrong in wrong.split_whitespace() {
        assert_refused(class, &with(keys, wrong), wrong.split_once('=').unwrap().0);
    }
}

/// What no architecture takes: numbers that are missing, texts, below 0, no whole numbers, too many.
fn assert_bad_numbers_are_refused(class: &str, keys: &str, required: &str, counts: &str) {
    for key in required.split(' ') {
        assert_refused(class, &without(keys, key), key);
        for value in ["many", "[1]", "-4", "2.5", "null"] {
            assert_each_refused(class, keys, &format!("{key}={value}"));
        }
    }
    for key in counts.split_whitespace() {
        assert_each_refused(class, keys, &format!("{key}=1000000000000"));
    }
}

const BERT: &str = "vocab_size=301 hidden_size=64 num_hidden_layers=1 num_attention_heads=4 intermediate_size=160 \
    max_position_embeddings=80 pad_token_id=0";

const DISTILBERT: &str = "vocab_size=301 dim=64 n_layers=1 n_heads=4 hidden_dim=160 max_position_embeddings=70";

const T5: &str = "vocab_size=301 d_model=64 d_kv=16 d_ff=100 num_layers=2 num_heads=4";

const VIT: &str =
    "hidden_size=64 num_hidden_layers=1 num_attention_heads=4 intermediate_size=160 image_size=32 patch_size=8";

const DECODER: &str = "vocab_size=301 hidden_size=64 intermediate_size=160 num_hidden_layers=1 num_attention_heads=4 \
    num_key_value_heads=2 pad_token_id=0";
