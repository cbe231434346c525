//! What a checkpoint has: its tensors by rules, its shards and index, its header.

use super::*;

#[test]
fn rules_say_what_each_tensor_draws() {
    let folder = Folder::with_model();
    let (model, rules) = (folder.path("model.json"), folder.path("rules.toml"));
    let table = succeed(&["rules", &model, "--rules", &rules]);
    // Of the integer tensor no rule is asked.
    assert!(table.contains("as they hold integers: position_ids"), "{table}");
    assert!(table.contains("row 1 zero"), "{table}");
    let rows = json_of(&["rules", &model, "--rules", &rules]);
    let rows = rows.as_array().unwrap();
    let of = |name: &str| rows.iter().find(|row| row["tensor"] == name).unwrap();
    assert_eq!(of("encoder.layer.0.query.weight")["distribution"], "normal(0, 0.01^2) in [-0.02, 0.02]");
    // The fans of the weight beside it: 64.
    assert_eq!(of("encoder.layer.0.query.bias")["distribution"], "uniform[-0.125, 0.125)");
    assert_eq!(of("decoder.weight")["stream"], "embeddings.word_embeddings.weight");
    assert!(!rows.iter().any(|row| row["tensor"] == "position_ids"));
    assert_eq!(of("scalar")["pattern"], "scalar");

    folder.init("out.safetensors", &[]);
    let made = folder.tensors("out.safetensors");
    assert_eq!(made.len(), 10);
    let words = numbers(&made["embeddings.word_embeddings.weight"]);
    assert!(words[64..128].iter().all(|x| x.to_bits() == 0) && words[..64].iter().all(|&x| x != 0.0));
    assert!(made["embeddings.word_embeddings.weight"].2 == made["decoder.weight"].2);
}

#[test]
fn auto_knows_the_five_models() {
    for (model, preset) in [
        ("gpt2", "gpt2"),
        ("llama-8b", "llama"),
        ("all-minilm-l6-v2", "bert"),
        ("vit-base", "vit"),
        ("resnet50", "resnet"),
    ] {
        let table = succeed(&["rules", path(&models().join(format!("{model}.json"))), "--preset", "auto"]);
        assert!(table.starts_with(&format!("preset {preset}, ")), "{model}: {}", table.lines().next().unwrap());
    }
    // What it cannot know, it says.
    let run = fanin(&["rules", path(&models().join("llama-8b.json")), "--preset", "auto"]);
    let note = String::from_utf8(run.stderr).unwrap();
    assert!(note.contains("auto took llama: Gemma 1 has the same names"), "{note}");
}

#[test]
fn shards_hold_what_one_file_holds() {
    let folder = Folder::with_model();
    folder.init("one.safetensors", &[]);
    folder.init("many.safetensors", &["--max-shard-size", "200KB"]);
    let index: Value = serde_json::from_slice(&folder.read("many.safetensors.index.json")).unwrap();
    let one = folder.tensors("one.safetensors");
    let places = index["weight_map"].as_object().unwrap();
    assert!(places.len() == one.len());
    for (name, file) in places {
        assert!(folder.tensors(file.as_str().unwrap())[name] == one[name], "{name}");
    }
    assert_eq!(index["metadata"]["total_size"], one.values().map(|(.., data)| data.len()).sum::<usize>());
    // The index is a model and a checkpoint itself.
    let (index, again) = (folder.path("many.safetensors.index.json"), folder.path("again.safetensors"));
    succeed(&["verify", &index, "--device", "cpu"]);
    let rules = folder.path("rules.toml");
    succeed(&["init", &index, "--rules", &rules, "-o", &again, "--seed", "5", "--device", "cpu"]);
    assert!(folder.tensors("again.safetensors") == one);
    // Nothing but shards, index and what was there.
    assert!(entries(folder.0.path()).iter().all(|e| !e.to_string_lossy().contains("partial")));
}

/// What transformers and accelerate ask for stands beside what is our own, in one order.
#[test]
fn files_say_their_format() {
    let folder = Folder::with_model();
    folder.init("out.safetensors", &[]);
    let file = folder.read("out.safetensors");
    let (_, header) = SafeTensors::read_metadata(&file).unwrap();
    let metadata = header.metadata().clone().unwrap();
    assert_eq!(metadata["format"], "pt");
    assert!(metadata.contains_key("fanin") && metadata.len() == 2);
    assert!(file[8..].starts_with(br#"{"__metadata__":{"fanin":"#));
}

/// As transformers counts them: buffers are none.
#[test]
fn an_index_counts_parameters() {
    let folder = Folder::new();
    let list = folder.write(
        "model.json",
        r#"{"a.weight": {"dtype": "F32", "shape": [8, 4]}, "ids": {"dtype": "I64", "shape": [3]}, "norm.weight": {"dtype": "F32", "shape": [8]},
            "norm.running_mean": {"dtype": "F32", "shape": [8]}, "norm.running_var": {"dtype": "F32", "shape": [8]}}"#,
    );
    let out = folder.path("out.safetensors");
    succeed(&["init", &list, "-o", &out, "--scheme", "normal", "--max-shard-size", "64B", "--device", "cpu"]);
    let index: Value = serde_json::from_slice(&folder.read("out.safetensors.index.json")).unwrap();
    assert_eq!(index["metadata"], json!({"total_parameters": 40, "total_size": 4 * 56}));
}

/// A tensor without elements is drawn as nothing, whatever its scheme needs, and stops no model.
#[test]
fn what_is_empty_is_drawn_as_nothing() {
    let folder = Folder::new();
    let list = r#"{"a.weight": {"dtype": "F32", "shape": [0, 64]}, "b.weight": {"dtype": "F32", "shape": [2, 3]}}"#;
    let (list, out) = (folder.write("list.json", list), folder.path("out.safetensors"));
    let init = ["init", &list, "--scheme", "he_normal", "-o", &out, "--device", "cpu"];
    succeed(&init);
    let drawn = folder.tensors("out.safetensors");
    assert_eq!((&drawn["a.weight"].1, &drawn["a.weight"].2, drawn["b.weight"].2.len()), (&vec![0, 64], &vec![], 24));
    succeed(&["verify", &out, "--device", "cpu"]);
    // Also where a rank has nothing of a tensor.
    succeed(&[&init[..], &["--rank", "2", "--world-size", "3", "--split", "0"]].concat());
    let name = "out.rank-2-of-3.safetensors";
    let (_, shape, bytes) = &folder.tensors(name)["b.weight"];
    assert_eq!((shape, bytes), (&vec![0, 3], &vec![]));
    succeed(&["verify", &folder.path(name), "--device", "cpu"]);
}
