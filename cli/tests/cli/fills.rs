//! `fill`, and which values a seed, a name and a scheme make, in a file or as they are told.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::*;
use safetensors::SafeTensors;
use serde_json::{Map, Value, json};

impl Folder {
    /// What a run writes.
    fn written(&self, arguments: &[&str]) -> Tensors {
        succeed(&[arguments, &["-o", &self.path("out.safetensors")]].concat());
        self.tensors("out.safetensors")
    }
}

#[test]
fn a_range_is_the_slice_of_the_tensor() {
    let folder = Folder::new();
    let fill = ["fill", "he_normal", "300x1000", "--dtype", "bf16"];
    let whole = &folder.written(&fill)["weight"];
    let (_, shape, part) = &folder.written(&[&fill[..], &["--range", "1003..250001"]].concat())["weight"];
    assert_eq!(*shape, [248_998]);
    assert!(part == &whole.2[2 * 1003..2 * 250_001]);
}

#[test]
fn name_seed_and_scheme_make_the_values_and_nothing_else_does() {
    let folder = Folder::new();
    let values = |scheme: &str, more: &[&str]| {
        folder.written(&[&["fill", scheme, "64x64"], more].concat()).into_values().next().unwrap().2
    };
    let plain = values("normal", &[]);
    assert_eq!(plain, values("normal", &["--seed", "0", "--name", "weight", "--device", "cpu"]));
    assert_ne!(plain, values("normal", &["--seed", "1"]));
    assert_ne!(plain, values("normal", &["--name", "bias"]));
    assert_ne!(plain, values("normal:std=2", &[]));
}

/// The first values of `tests/golden`: what the frameworks drew.
#[test]
fn other_frameworks_seeds_draw_what_they_draw() {
    let golden = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/peers.safetensors")).unwrap();
    let golden = tensors(&golden);
    let folder = Folder::new();
    let verify = ["verify", &folder.path("out.safetensors"), "--device", "cpu"];
    for (case, arguments) in [
        ("tf.stateless_uniform.1_2.1.float32.0", ["uniform", "1", "--stream", "tensorflow", "--seed=1,2"]),
        ("keras.GlorotUniform.42.30x40", ["glorot_uniform", "30x40", "--stream", "keras", "--seed=42"]),
        ("jax.nn.lecun_uniform.0.30x40", ["lecun_uniform", "30x40", "--stream", "jax-nn", "--seed=0"]),
        ("jax.uniform.-1.7.float32.239", ["uniform", "7", "--stream", "jax", "--seed=-1"]),
    ] {
        let fill = [&["fill"], &arguments[..], &["--layout", "in_out", "--device", "cpu"]].concat();
        assert!(folder.written(&fill)["weight"].2 == golden[case].2, "{case}");
        succeed(&verify);
    }
    // A model: a stream of its own for each tensor, and the same on a device. Each stream is drawn on another: what is asked of a
    // device does not depend on which it is, and tests/adapters/same_bits.rs has each draw all.
    let list = r#"{"b": {"dtype": "F32", "shape": [64, 64]}, "a": {"dtype": "BF16", "shape": [64, 64]}}"#;
    let model = folder.write("model.json", list);
    let streams = [("tensorflow", "-3,4"), ("jax", "-5"), ("jax-nn", "5"), ("keras", "-6")];
    for (i, (stream, seed)) in streams.into_iter().enumerate() {
        let init = |device: &str| {
            let seed = format!("--seed={seed}");
            folder.written(&["init", &model, "--scheme", "normal", "--stream", stream, &seed, "--device", device]);
            folder.read("out.safetensors")
        };
        let file = init("cpu");
        let label = &adapters()[i % adapters().len()];
        assert!(init(label) == file, "{stream} on {label}");
        succeed(&verify);
        succeed(&[&verify[..], &["--scheme", "normal", "--seed", seed]].concat());
        let tensors = tensors(&file);
        assert!(numbers(&tensors["a"])[0] != numbers(&tensors["b"])[0]);
    }
}

/// One tensor of a model, drawn alone from the seed that `fanin::seeds` says; and neither neighbours in the list nor seeds beside
/// this one make the same.
#[test]
fn a_models_tensor_is_that_of_its_own_seed() {
    let folder = Folder::new();
    let values = |arguments: &[&str], stream: &str, seed: &str, name: &str| {
        let of_stream = ["--stream", stream, &format!("--seed={seed}"), "--device", "cpu"];
        folder.written(&[arguments, &of_stream].concat()).remove(name).unwrap().2
    };
    let init = |names: &[&str], stream: &str, seed: &str, name: &str| {
        let entry = |name: &&str| (name.to_string(), json!({"dtype": "F32", "shape": [8, 8]}));
        let model = folder.write("model.json", Value::from(names.iter().map(entry).collect::<Map<_, _>>()).to_string());
        values(&["init", &model, "--scheme", "normal"], stream, seed, name)
    };
    let names = ["a.weight", "b.weight"];
    let [a, b] = fanin::seeds::tensorflow([1, 42], "b.weight");
    for (stream, seed, next, own) in [
        ("keras", "42", "43", fanin::seeds::keras(42, "b.weight").to_string()),
        ("tensorflow", "1,42", "1,43", format!("{a},{b}")),
    ] {
        let b = init(&names, stream, seed, "b.weight");
        assert!(b == values(&["fill", "normal", "8x8"], stream, &own, "weight"), "{stream}");
        assert!(b != init(&names, stream, next, "a.weight"), "{stream}");
        assert!(b == init(&["a.bias", "a.weight", "b.weight"], stream, seed, "b.weight"), "{stream}");
    }
    let b = init(&names, "jax", "42", "b.weight");
    assert!(b != init(&names, "jax", "43", "a.weight") && b == init(&["b.weight"], "jax", "42", "b.weight"));
}

#[test]
fn json_reports_are_json() {
    let folder = Folder::new();
    let output = folder.path("w.safetensors");
    let scheme = "truncated_normal:mean=0,std=0.02,low=-0.04,high=0.04";
    let report = json_of(&["fill", scheme, "1000", "-o", &output]);
    assert_eq!(report["shape"], json!([1000]));
    assert!((report["std"].as_f64().unwrap() - 0.0175925).abs() < 1e-6);
    let model = models().join("all-minilm-l6-v2.json");
    assert_eq!(json_of(&["init", path(&model), "-o", &output])["kept_out"], json!(["embeddings.position_ids"]));
}

/// Without an output, what came out is told: the same numbers as `stats` has of the file, for any dtype, range and device.
#[test]
fn a_fill_without_an_output_is_looked_at() {
    let folder = Folder::new();
    let cases: [&[&str]; 5] = [
        &["he_normal", "1500x1000"],
        &["normal:mean=3", "1200x1000", "--dtype", "bf16"],
        &["uniform", "300x1000", "--dtype", "f16", "--range", "1003..250001"],
        &["ones", "5"],
        &["zeros", "0x4"],
    ];
    for case in cases {
        let tensor = &folder.written(&[&["fill"], case].concat())["weight"];
        let stats = &json_of(&["stats", &folder.path("out.safetensors")])[0];
        let numbers = numbers(tensor);
        let first = &numbers[..numbers.len().min(8)];
        let of_all = case == cases[0];
        for device in adapters().iter().map(String::as_str).filter(|_| of_all).chain(["cpu"]) {
            let report = json_of(&[&["fill"], case, &["--device", device]].concat());
            assert_eq!(report["drawn"]["count"], numbers.len(), "{case:?}");
            assert_eq!(report["mean"], stats["expected_mean"], "{case:?}");
            assert_eq!(report["std"], stats["expected_std"], "{case:?}");
            for (key, value) in report["drawn"].as_object().unwrap() {
                assert_eq!(*value, stats[key], "{case:?} on {device}: {key}");
            }
            let said = report["first"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32);
            assert_eq!(said.collect::<Vec<_>>(), first, "{case:?} on {device}");
        }
    }
    let shown = succeed(&["fill", "constant:value=0.5", "3", "--device", "cpu"]);
    let rows: Vec<_> =
        shown.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(shown.starts_with("weight f32 [3], constant(0.5), seed 0, drawn by CPU in "), "{shown}");
    assert_eq!(
        rows,
        [
            "mean 0.50000, expected 0.50000",
            "std 0.00000, expected 0.00000",
            "min 0.50000",
            "max 0.50000",
            "zeros 0",
            "histogram █",
            "first 0.5, 0.5, 0.5"
        ]
    );
}

/// What was drawn is not kept: 400 MB of it in less address space.
#[cfg(target_os = "linux")]
#[test]
fn a_large_fill_is_looked_at_in_little_memory() {
    let script = "ulimit -v 390000 && exec \"$0\" fill normal 10000x10000 --device cpu";
    let run = Command::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_fanin")]).output().unwrap();
    let shown = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && shown.contains("histogram"), "{shown}{}", String::from_utf8_lossy(&run.stderr));
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_written_to_and_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    succeed(&["fill", "normal", "1000", "-o", "/dev/null"]);
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    // /dev/full has no room: that is no wrong input.
    assert_eq!(fanin(&["fill", "normal", "1000", "-o", "/dev/full"]).status.code(), Some(1));
    // A link stays one; its target is what is written.
    let folder = Folder::new();
    let (target, link) = (folder.write("target", "old"), folder.path("link"));
    std::os::unix::fs::symlink(&target, &link).unwrap();
    succeed(&["fill", "normal", "1000", "-o", &link]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(SafeTensors::deserialize(&folder.read("target")).is_ok());
}
