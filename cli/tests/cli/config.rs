//! `init` and `rules` of a model's config.json.

use std::fs;
use std::path::Path;

use crate::common::{Folder, fanin, safetensors_of, succeed};
use safetensors::SafeTensors;
use serde_json::{Value, json};

impl Folder {
    fn config(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }
}

fn llama() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 301, "hidden_size": 64,
        "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "tie_word_embeddings": false, "torch_dtype": "bfloat16", "hidden_act": "silu",
    })
}

/// A folder as `from_pretrained` wants it: names, shapes and dtypes of the architecture, and the configuration with what was set.
#[test]
fn a_configuration_makes_a_folder() {
    let folder = Folder::new();
    let config = folder.write("config.json", llama().to_string());
    let out = folder.path("out/");
    let set = ["--set", "num_hidden_layers=1", "--set", "attention_bias=true"];
    let said = succeed(&[&["init", &config, "-o", &out, "--seed", "3", "--device", "cpu"][..], &set].concat());
    assert!(said.contains("16 tensors by architecture llama"), "{said}");
    let file = folder.read("out/model.safetensors");
    let tensors = SafeTensors::deserialize(&file).unwrap();
    assert_eq!(tensors.len(), 16);
    let k = tensors.tensor("model.layers.0.self_attn.k_proj.weight").unwrap();
    assert_eq!((k.dtype(), k.shape()), (safetensors::Dtype::BF16, &[32, 64][..]));
    let written = folder.config("out/config.json");
    let mut expected = llama();
    expected["num_hidden_layers"] = 1.into();
    expected["attention_bias"] = true.into();
    assert_eq!(written, expected);
    let model = folder.path("out/model.safetensors");
    assert!(succeed(&["verify", &model, "--device", "cpu"]).contains("the same"));

    // A folder is a model too; its configuration stays as a person wrote it.
    fs::copy(&config, folder.path("out/config.json")).unwrap();
    let said = succeed(&["init", &out, "-o", &out, "--seed", "3", "--device", "cpu"]);
    assert!(said.contains("21 tensors"), "{said}");
    assert_eq!(folder.read("out/config.json"), folder.read("config.json"));
    // In another dtype, the configuration says so; in shards, the index has the name that is looked for.
    succeed(&["init", &config, "-o", &out, "--dtype", "f16", "--max-shard-size", "50kB", "--device", "cpu"]);
    assert_eq!(folder.config("out/config.json")["torch_dtype"], "float16");
    let index = folder.path("out/model.safetensors.index.json");
    assert!(succeed(&["verify", &index, "--device", "cpu"]).contains("the same"));
    // A file is one alone.
    succeed(&["init", &config, "-o", &folder.path("one.safetensors"), "--seed", "3", "--device", "cpu"]);
    assert!(!Path::new(&folder.path("one")).exists());

    // The names make the streams: what both have is the same.
    let one = folder.read("one.safetensors");
    let one = SafeTensors::deserialize(&one).unwrap();
    assert_eq!(one.tensor("model.layers.0.self_attn.k_proj.weight").unwrap().data(), k.data());
}

/// `rules` shows what would be drawn, and other rules can be said.
#[test]
fn a_configuration_is_a_list_of_tensors_with_rules() {
    let folder = Folder::new();
    let config = folder.write("config.json", llama().to_string());
    let rows: Vec<Value> =
        serde_json::from_str(&succeed(&["rules", &config, "--set", "initializer_range=0.5", "--json"])).unwrap();
    assert_eq!(rows.len(), 21);
    assert_eq!((&rows[0]["tensor"], &rows[0]["std"]), (&json!("model.embed_tokens.weight"), &json!(0.5)));
    assert_eq!(rows[0]["holds"], "BF16");
    let table = succeed(&["rules", &config, "--scheme", "he_normal"]);
    assert!(table.contains("scheme variance_scaling") && !table.contains("architecture"), "{table}");
    let padded: Vec<Value> =
        serde_json::from_str(&succeed(&["rules", &config, "--set", "pad_token_id=-1", "--json"])).unwrap();
    assert_eq!((&padded[0]["parts"][0]["start"], &padded[0]["parts"][0]["std"]), (&json!(300), &json!(0.0)));
    // A model of one's own, and buffers, which are written as they start.
    let architecture = folder.write(
        "own.toml",
        r#"
            model_type = "twin"
            [architectures]
            Twin = { heads = 2 }
            [config]
            width = "required"
            towers = ["a", "b"]
            std = 0.1
            [[tensors]]
            prefix = "tower.{tower}."
            for = [["tower", "len(towers)"]]
            let = [["rows", "heads*width + tower"]]
            list = [["weight", "rows", "width"], ["bias", "rows"]]
            [[tensors]]
            dtype = "I64"
            list = [["steps"]]
            [[rule]]
            name = "*.weight"
            scheme = "normal:std=std/width"
            [[rule]]
            name = "*.bias"
            scheme = "zeros"
        "#,
    );
    let twin = folder.write("twin.json", r#"{"architectures": ["Twin"], "width": 4}"#);
    let out = folder.path("twin.safetensors");
    succeed(&["init", &twin, "--architecture", &architecture, "-o", &out, "--device", "cpu"]);
    let file = folder.read("twin.safetensors");
    let tensors = SafeTensors::deserialize(&file).unwrap();
    assert_eq!((tensors.len(), tensors.tensor("tower.1.weight").unwrap().shape()), (5, &[9, 4][..]));
    assert_eq!(tensors.tensor("steps").unwrap().data(), [0; 8]);
    assert!(succeed(&["verify", &out, "--device", "cpu"]).contains("integers are not drawn"));
}

/// Each case: a configuration, options, and what the message must name. Exit code 2, and nothing left behind.
#[test]
fn wrong_configurations_are_named_and_leave_nothing_behind() {
    let folder = Folder::new();
    let with = |key: &str, value: Value| {
        let mut config = llama();
        config[key] = value;
        config.to_string()
    };
    let without = |key: &str| {
        let mut config = llama();
        config.as_object_mut().unwrap().remove(key);
        config.to_string()
    };
    let cases: [(String, &[&str], &[&str]); 29] = [
        (without("hidden_size"), &[], &["the config has no hidden_size"]),
        (with("hidden_size", Value::Null), &[], &["the config has no hidden_size"]),
        (with("hidden_size", json!("64")), &[], &["hidden_size is \"64\"", "a number"]),
        (with("hidden_size", json!([64])), &[], &["hidden_size is \"[64]\"", "a number"]),
        (with("hidden_size", json!(-64)), &[], &["hidden_size -64", "hidden_size > 0"]),
        (with("hidden_size", json!(64.5)), &[], &["hidden_size"]),
        (with("hidden_size", json!(1e300)), &[], &["hidden_size", "1e300"]),
        (with("num_attention_heads", json!(3)), &[], &["num_attention_heads 3, num_key_value_heads 2", "=="]),
        (with("num_attention_heads", json!(0)), &[], &["num_attention_heads", "inf"]),
        (with("num_attention_heads", json!(6)), &[], &["hidden_size 64", "num_attention_heads 6"]),
        (with("num_hidden_layers", json!(1_000_000_000_000_u64)), &[], &["num_hidden_layers", "1000000000000"]),
        (with("num_hidden_layers", json!(-1)), &[], &["num_hidden_layers", "-1"]),
        (with("num_hidden_layers", json!(1.5)), &[], &["num_hidden_layers", "1.5"]),
        (with("pad_token_id", json!(301)), &[], &["pad_token_id 301", "pad_token_id < vocab_size"]),
        (with("initializer_range", json!(-0.02)), &[], &["initializer_range -0.02", "initializer_range >= 0"]),
        (with("torch_dtype", json!("float8")), &[], &["torch_dtype is \"float8\"", "bfloat16"]),
        (
            with("architectures", json!(["LlamaForCasualLM"])),
            &[],
            &["LlamaForCasualLM", "LlamaForCausalLM", "--architecture"],
        ),
        (with("architectures", json!(["A", "B"])), &[], &["architectures is", "a list of one name"]),
        (with("architectures", json!([])), &[], &["the config has no architectures", "LlamaModel"]),
        (without("architectures"), &["--set", "model_type=lama"], &["model_type is \"lama\"", "LlamaForCausalLM"]),
        (with("model_type", json!("gpt2")), &[], &["model_type is \"gpt2\"", "llama for LlamaForCausalLM"]),
        (with("model_type", json!("mistral")), &[], &["model_type is \"mistral\"", "llama for LlamaForCausalLM"]),
        (
            with("compression_config", json!({"format": "pack"})),
            &[],
            &["compression_config is", "--set compression_config=null"],
        ),
        (
            llama().to_string(),
            &["--set", "num_hiden_layers=2"],
            &["num_hiden_layers", "did you mean num_hidden_layers?"],
        ),
        (llama().to_string(), &["--set", "layers"], &["layers", "KEY=VALUE"]),
        (llama().to_string(), &["--architecture", "/nowhere.toml"], &["/nowhere.toml"]),
        (r#"{"w": {"dtype": "F32", "shape": [2, 2]}}"#.into(), &["--set", "a=1"], &["--set is given", "config.json"]),
        (
            "{\n\"model_type\": \"llama\",\n}".into(),
            &[],
            &[
                "the config cannot be read, allowed: a JSON object: trailing comma at line 3",
                "and the list of tensors cannot be read",
            ],
        ),
        (llama().to_string().replace("301", "Infinity"), &[], &["vocab_size is \"Infinity\"", "a number"]),
    ];
    for (config, options, says) in cases {
        let config = folder.write("config.json", config);
        let out = folder.path("out/");
        let run = fanin(&[&["init", &config, "-o", &out, "--device", "cpu"], options].concat());
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{said}");
        for part in says {
            assert!(said.contains(part), "{said} does not say {part}");
        }
        assert!(said.matches("allowed").count() <= 2 && !Path::new(&out).exists(), "{said}");
    }
    // A folder without one, and one that is named as a folder and is a file.
    let empty = folder.path("");
    fs::remove_file(folder.path("config.json")).unwrap();
    assert_eq!(fanin(&["init", &empty, "-o", &folder.path("x.safetensors")]).status.code(), Some(2));
    let config = folder.write("config.json", llama().to_string());
    let file = folder.write("file", "x");
    let run = fanin(&["init", &config, "-o", &format!("{file}/"), "--device", "cpu"]);
    assert_eq!(run.status.code(), Some(2));
    assert_eq!(folder.read("file"), b"x");
    let header = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let model = folder.write("a.safetensors", safetensors_of(header, &[0; 4]));
    assert_eq!(fanin(&["rules", &model, "--set", "a=1"]).status.code(), Some(2));
}

/// Numbers that JSON has not and a byte order mark, as Python and editors write them: the folder's config.json has the numbers again. A
/// quantised model is drawn as it was before, where that is said.
#[test]
fn configurations_of_python_make_models() {
    let folder = Folder::new();
    let text =
        llama().to_string().replacen('{', "\u{feff}{\"time_step_limit\":[0.0,Infinity],\"quantization_config\":{},", 1);
    let config = folder.write("config.json", &text);
    let out = folder.path("out/");
    succeed(&["init", &config, "-o", &out, "--set", "quantization_config=null", "--device", "cpu"]);
    let written = String::from_utf8(folder.read("out/config.json")).unwrap();
    assert!(written.contains("\"time_step_limit\": [\n    0.0,\n    Infinity\n  ]"), "{written}");
    let file = folder.read("out/model.safetensors");
    assert_eq!(SafeTensors::deserialize(&file).unwrap().len(), 21);
    // So are lists of tensors and indices.
    let list = folder.write("list.json", "\u{feff}{\"w\": {\"dtype\": \"F32\", \"shape\": [8]}}");
    assert!(succeed(&["rules", &list]).contains("constant(0)"));
    succeed(&[
        "init",
        &config,
        "-o",
        &out,
        "--set",
        "quantization_config=null",
        "--max-shard-size",
        "50kB",
        "--device",
        "cpu",
    ]);
    let index = [b"\xef\xbb\xbf".to_vec(), folder.read("out/model.safetensors.index.json")].concat();
    fs::write(folder.path("out/model.safetensors.index.json"), index).unwrap();
    assert!(
        succeed(&["verify", &folder.path("out/model.safetensors.index.json"), "--device", "cpu"]).contains("the same")
    );
}
