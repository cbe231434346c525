//! The program as people run it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{adapters, entries, fanin, is_opened, models, path, succeed};

use safetensors::SafeTensors;
use serde_json::Value;
use tempfile::TempDir;

/// Where the machine is set up for them, no adapter may be missing: tests/run says which it installs.
#[test]
fn the_adapters_that_were_promised_are_here_and_agree() {
    let labels = adapters().join("\n");
    let promised = std::env::var("FANIN_TEST_ADAPTERS").unwrap_or_default();
    for part in promised.split(',').filter(|part| !part.is_empty()) {
        assert!(labels.contains(part), "no adapter \"{part}\" among:\n{labels}");
    }
    // Of Mesa's adapters: the self-test takes SwiftShader two minutes, and draws there what other tests draw. Of all with
    // FANIN_TEST_ALL=1.
    let is_slow = |label: &str| label.contains("SwiftShader") && std::env::var_os("FANIN_TEST_ALL").is_none();
    let devices = |command: &mut Command| {
        if labels.lines().any(is_slow) {
            command.env_remove("VK_ADD_DRIVER_FILES");
        }
        let output = command.output().unwrap();
        // A run that succeeds speaks of no error, nor do drivers, whatever the environment lacks.
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("error:"), "{said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let command = || Command::new(env!("CARGO_BIN_EXE_fanin"));
    let shown = devices(command().arg("devices").env_remove("XDG_RUNTIME_DIR"));
    assert!(shown.contains("agrees with the CPU bit for bit") && !shown.contains("DISAGREES"), "{shown}");

    // A line to report for each, with the same digests.
    let reports: Vec<_> = shown.lines().filter(|line| line.starts_with("fanin check: contract ")).collect();
    let reports: Vec<_> = reports.into_iter().filter(|line| !line.contains("; cannot be opened: ")).collect();
    assert_eq!(reports.len(), labels.lines().filter(|label| !is_slow(label)).count(), "{shown}");
    for report in &reports {
        assert_eq!(report.split("; ").count(), 6, "{report}");
        assert_eq!(report.rsplit("; ").next(), reports[0].rsplit("; ").next(), "{shown}");
    }
    // By Vulkan alone, which is the faster.
    let by_vulkan =
        devices(command().args(["devices", "--json"]).env("__EGL_VENDOR_LIBRARY_FILENAMES", "/nowhere.json"));
    let rows: Value = serde_json::from_str(&by_vulkan).unwrap();
    assert!(rows.as_array().is_some_and(|rows| rows.iter().any(is_opened)), "{rows}");
    for row in rows.as_array().unwrap().iter().filter(|row| is_opened(row)) {
        assert!(row["agrees"] == true && reports.contains(&row["report"].as_str().unwrap()), "{row}");
        assert_eq!(row["digests"]["normal f16"].as_str().map(str::len), Some(64), "{row}");
    }
}

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
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out.safetensors");
    let draw = |device: &str| {
        let mut arguments = vec!["init", path(model), "-o", path(&output), "--seed", "7", "--device", device];
        arguments.extend(more);
        succeed(&arguments);
        fs::read(&output).unwrap()
    };
    let on_cpu = draw("cpu");
    for label in labels {
        assert!(draw(label) == on_cpu, "{} differs on {label}", model.display());
    }
    on_cpu
}

/// Holds a file against the list that it was made from: names, dtypes, shapes.
fn assert_is_of(file: &[u8], model: &Path, kept_out: &[&str]) {
    let list: BTreeMap<String, Value> = serde_json::from_slice(&fs::read(model).unwrap()).unwrap();
    let tensors = SafeTensors::deserialize(file).unwrap();
    assert_eq!(tensors.len(), list.len() - 1 - kept_out.len());
    for (name, entry) in list.iter().filter(|(name, _)| *name != "__metadata__" && !kept_out.contains(&name.as_str())) {
        let tensor = tensors.tensor(name).unwrap();
        assert_eq!(tensor.dtype().to_string(), entry["dtype"].as_str().unwrap(), "{name}");
        let shape: Vec<_> = entry["shape"].as_array().unwrap().iter().map(|d| d.as_u64().unwrap() as usize).collect();
        assert_eq!(tensor.shape(), shape, "{name}");
    }
}

/// Each tensor's mean and standard deviation, within 5 standard errors: std / sqrt(n) and std / sqrt(2 n), plus what rounding to
/// the dtype may do (2^-9 of a value in bf16).
fn assert_deviations(file: &[u8], expected: impl Fn(&str, &[usize]) -> (f64, f64)) {
    let tensors = SafeTensors::deserialize(file).unwrap();
    for (name, tensor) in tensors.iter() {
        let mut values: Vec<f64> = match tensor.dtype() {
            safetensors::Dtype::F32 => {
                tensor.data().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()).into()).collect()
            }
            safetensors::Dtype::BF16 => {
                tensor.data().chunks(2).map(|b| half::bf16::from_le_bytes(b.try_into().unwrap()).into()).collect()
            }
            other => panic!("{other}"),
        };
        if name.ends_with("word_embeddings.weight") {
            values.drain(..tensor.shape()[1]);
        }
        let (mean, std) = expected(name, tensor.shape());
        let n = values.len() as f64;
        let drawn_mean = values.iter().sum::<f64>() / n;
        let drawn_std = (values.iter().map(|x| (x - drawn_mean).powi(2)).sum::<f64>() / n).sqrt();
        let rounding = if tensor.dtype() == safetensors::Dtype::BF16 { std * 1e-5 } else { 0.0 };
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
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let values = |name: &str| bytemuck::pod_collect_to_vec::<u8, f32>(tensors.tensor(name).unwrap().data());
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
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let words = tensors.tensor("embeddings.word_embeddings.weight").unwrap().data();
    assert!(words[..384 * 4].iter().all(|&b| b == 0) && words[384 * 4..768 * 4].iter().any(|&b| b != 0));
    // The file that was written is itself a model: its header alone gives the same file again.
    let folder = TempDir::new().unwrap();
    let (first, second) = (folder.path().join("first.safetensors"), folder.path().join("second.safetensors"));
    fs::write(&first, &file).unwrap();
    let again = ["init", path(&first), "-o", path(&second), "--seed", "7", "--device", "cpu", "--preset", "bert"];
    succeed(&again);
    assert!(fs::read(&second).unwrap() == file);
}

/// The whole model is 16 GB: here one layer of each kind of tensor and the final norm, 436 MB of bf16.
#[test]
fn a_layer_of_llama_is_the_same_file_on_a_device() {
    let list: BTreeMap<String, Value> =
        serde_json::from_slice(&fs::read(models().join("llama-8b.json")).unwrap()).unwrap();
    let kept = |name: &str| name == "__metadata__" || name.contains("layers.0.") || name == "model.norm.weight";
    let prefix: BTreeMap<_, _> = list.into_iter().filter(|(name, _)| kept(name)).collect();
    assert_eq!(prefix.len(), 11);
    let folder = TempDir::new().unwrap();
    let model = folder.path().join("llama.json");
    fs::write(&model, serde_json::to_vec(&prefix).unwrap()).unwrap();
    let file = same_file_on_one(0, &model, &["--preset", "llama"]);
    assert_is_of(&file, &model, &[]);
    assert_deviations(&file, |name, _| if name.ends_with("norm.weight") { (1.0, 0.0) } else { (0.0, 0.02) });
}

#[test]
fn a_range_is_the_slice_of_the_tensor() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, more: &[&str]| {
        let output = folder.path().join(name);
        succeed(&[&["fill", "he_normal", "300x1000", "-o", path(&output), "--dtype", "bf16"], more].concat());
        fs::read(output).unwrap()
    };
    let (whole, part) = (file("whole", &[]), file("part", &["--range", "1003..250001"]));
    let (whole, part) = (SafeTensors::deserialize(&whole).unwrap(), SafeTensors::deserialize(&part).unwrap());
    assert_eq!(part.tensor("weight").unwrap().shape(), [248_998]);
    assert!(part.tensor("weight").unwrap().data() == &whole.tensor("weight").unwrap().data()[2 * 1003..2 * 250_001]);
}

#[test]
fn name_seed_and_scheme_make_the_values_and_nothing_else_does() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("w.safetensors");
    let values = |scheme: &str, more: &[&str]| {
        succeed(&[&["fill", scheme, "64x64", "-o", path(&output)], more].concat());
        let file = fs::read(&output).unwrap();
        SafeTensors::deserialize(&file).unwrap().iter().next().unwrap().1.data().to_vec()
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
    let golden = SafeTensors::deserialize(&golden).unwrap();
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out.safetensors");
    for (case, arguments) in [
        ("tf.stateless_uniform.1_2.1.float32.0", ["uniform", "1", "--stream", "tensorflow", "--seed=1,2"]),
        ("keras.GlorotUniform.42.30x40", ["glorot_uniform", "30x40", "--stream", "keras", "--seed=42"]),
        ("jax.nn.lecun_uniform.0.30x40", ["lecun_uniform", "30x40", "--stream", "jax-nn", "--seed=0"]),
        ("jax.uniform.-1.7.float32.239", ["uniform", "7", "--stream", "jax", "--seed=-1"]),
    ] {
        let common = ["-o", path(&output), "--layout", "in_out", "--device", "cpu"];
        succeed(&[&["fill"], &arguments[..], &common].concat());
        let file = fs::read(&output).unwrap();
        let drawn = SafeTensors::deserialize(&file).unwrap();
        assert!(drawn.tensor("weight").unwrap().data() == golden.tensor(case).unwrap().data(), "{case}");
        succeed(&["verify", path(&output), "--device", "cpu"]);
    }
    // A model: a stream of its own for each tensor, and the same on a device. Each stream is drawn on another: what is asked of a
    // device does not depend on which it is, and tests/same_bits.rs has each draw all.
    let model = folder.path().join("model.json");
    fs::write(&model, r#"{"b": {"dtype": "F32", "shape": [64, 64]}, "a": {"dtype": "BF16", "shape": [64, 64]}}"#)
        .unwrap();
    for (i, stream) in [
        ["--stream", "tensorflow", "--seed=-3,4"],
        ["--stream", "jax", "--seed=-5"],
        ["--stream", "jax-nn", "--seed=5"],
        ["--stream", "keras", "--seed=-6"],
    ]
    .into_iter()
    .enumerate()
    {
        let init = |device: &str| {
            let arguments = ["init", path(&model), "-o", path(&output), "--scheme", "normal", "--device", device];
            succeed(&[&arguments[..], &stream].concat());
            fs::read(&output).unwrap()
        };
        let file = init("cpu");
        let label = &adapters()[i % adapters().len()];
        assert!(init(label) == file, "{stream:?} on {label}");
        succeed(&["verify", path(&output), "--device", "cpu"]);
        let seed = stream[2].trim_start_matches("--seed=");
        let given = ["verify", path(&output), "--device", "cpu", "--scheme", "normal", "--seed"];
        succeed(&[&given[..], &[seed]].concat());
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let first = |name: &str| f32::from_le_bytes(tensors.tensor(name).unwrap().data()[..4].try_into().unwrap());
        assert!(first("b") != f32::from_bits(u32::from(first("a").to_bits() as u16) << 16));
    }
}

/// One tensor of a model, drawn alone from the seed that `fanin::seeds` says; and neither neighbours in the list nor seeds beside
/// this one make the same.
#[test]
fn a_models_tensor_is_that_of_its_own_seed() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out.safetensors");
    let values = |arguments: &[&str], name: &str| {
        succeed(&[arguments, &["-o", path(&output), "--device", "cpu"]].concat());
        let file = fs::read(&output).unwrap();
        SafeTensors::deserialize(&file).unwrap().tensor(name).unwrap().data().to_vec()
    };
    let model = |names: &[&str]| {
        let list: BTreeMap<_, _> =
            names.iter().map(|name| (name, serde_json::json!({"dtype": "F32", "shape": [8, 8]}))).collect();
        let model = folder.path().join("model.json");
        fs::write(&model, serde_json::to_vec(&list).unwrap()).unwrap();
        path(&model).to_string()
    };
    let init = |names: &[&str], stream: &str, seed: &str, name: &str| {
        values(&["init", &model(names), "--scheme", "normal", "--stream", stream, &format!("--seed={seed}")], name)
    };
    let fill = |stream: &str, seed: &str| {
        values(&["fill", "normal", "8x8", "--stream", stream, &format!("--seed={seed}")], "weight")
    };
    let names = ["a.weight", "b.weight"];
    for (stream, seed, next, own) in [
        ("keras", "42", "43", fanin::seeds::keras(42, "b.weight").to_string()),
        ("tensorflow", "1,42", "1,43", {
            let [a, b] = fanin::seeds::tensorflow([1, 42], "b.weight");
            format!("{a},{b}")
        }),
    ] {
        let b = init(&names, stream, seed, "b.weight");
        assert!(b == fill(stream, &own), "{stream}");
        assert!(b != init(&names, stream, next, "a.weight"), "{stream}");
        assert!(b == init(&["a.bias", "a.weight", "b.weight"], stream, seed, "b.weight"), "{stream}");
    }
    let b = init(&names, "jax", "42", "b.weight");
    assert!(b != init(&names, "jax", "43", "a.weight") && b == init(&["b.weight"], "jax", "42", "b.weight"));
}

#[test]
fn json_reports_are_json() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("w.safetensors");
    let scheme = "truncated_normal:mean=0,std=0.02,low=-0.04,high=0.04";
    let report: Value =
        serde_json::from_str(&succeed(&["fill", scheme, "1000", "-o", path(&output), "--json"])).unwrap();
    assert_eq!(report["shape"], serde_json::json!([1000]));
    assert!((report["std"].as_f64().unwrap() - 0.0175925).abs() < 1e-6);
    let model = models().join("all-minilm-l6-v2.json");
    let report: Value = serde_json::from_str(&succeed(&["init", path(&model), "-o", path(&output), "--json"])).unwrap();
    assert_eq!(report["kept_out"], serde_json::json!(["embeddings.position_ids"]));
}

#[test]
fn bench_rows_are_complete() {
    // By one adapter, the first: compiling all 24 pipelines takes others half a minute.
    for label in [&adapters()[0], "cpu"] {
        let text = succeed(&["bench", "--size", "5000", "--runs", "1", "--device", label, "--json"]);
        let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(rows.len(), if label == "cpu" { 12 } else { 24 }, "{label}");
        for row in rows {
            assert!(row["seconds"].as_f64().unwrap() > 0.0 && row["ratio_to_fill"].as_f64().unwrap() > 0.0, "{row}");
            assert!(row["values_per_second"].as_f64().unwrap() > 0.0 && row["elements"] == 5000, "{row}");
            assert_eq!(row["backend"] == "cpu", row["device"] == "CPU");
        }
    }
    let shown = succeed(&["bench", "--size", "5000", "--runs", "1", "--device", "cpu"]);
    assert!(shown.contains("truncated_normal ") && shown.contains(" bf16 "), "{shown}");
    let streams = ["bench", "--size", "5000", "--runs", "1", "--device", "cpu", "--json", "--stream"];
    let rows: Vec<Value> =
        serde_json::from_str(&succeed(&[&streams[..], &["native,tensorflow,jax"]].concat())).unwrap();
    assert_eq!(rows.iter().filter(|row| row["stream"] == "jax").count(), 9);
    assert_eq!(rows.len(), 3 + 27);
    for arguments in [["--size", "0"], ["--size", "1099511627776"], ["--runs", "0"]] {
        let run = fanin(&[&["bench", "--device", "cpu"][..], &arguments].concat());
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
    }
}

/// Without a driver, `auto` falls back to the CPU and `gpu` says that there is none.
#[test]
fn a_machine_without_an_adapter_draws_on_its_cpu() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("w.safetensors");
    let run = |device: &str| {
        Command::new(env!("CARGO_BIN_EXE_fanin"))
            .args(["fill", "he_normal", "16x16", "-o", path(&output), "--device", device])
            .env_remove("VK_ADD_DRIVER_FILES")
            .env("VK_DRIVER_FILES", "/nowhere.json")
            .env("VK_ICD_FILENAMES", "/nowhere.json")
            .env("__EGL_VENDOR_LIBRARY_FILENAMES", "/nowhere.json")
            .output()
            .unwrap()
    };
    let fallen_back = run("auto");
    assert!(fallen_back.status.success());
    assert!(String::from_utf8_lossy(&fallen_back.stdout).contains("drawn by CPU"));
    let none = run("gpu");
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("there is no adapter"));
}

/// On a machine without a session, Mesa's Vulkan layer has "error: XDG_RUNTIME_DIR is invalid or not set in the environment."
/// printed, also where all is well.
#[test]
fn what_succeeds_speaks_of_no_error() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("w.safetensors");
    let model = folder.path().join("model.json");
    fs::write(&model, r#"{"w": {"dtype": "F32", "shape": [4, 4]}}"#).unwrap();
    for (arguments, dir) in [
        (&["fill", "he_normal", "4x4", "-o", path(&output)][..], None),
        (&["fill", "he_normal", "4x4", "-o", path(&output)], Some("relative")),
        (&["init", path(&model), "-o", path(&output)], None),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fanin"));
        command.args(arguments).env_remove("XDG_RUNTIME_DIR").env_remove("VK_ADD_DRIVER_FILES");
        let run = command.envs(dir.map(|dir| ("XDG_RUNTIME_DIR", dir))).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && !said.contains("error:"), "{arguments:?} in {dir:?}: {said}");
    }
}

/// Without an output, what came out is told: the same numbers as `stats` has of the file, for any dtype, range and device.
#[test]
fn a_fill_without_an_output_is_looked_at() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("w.safetensors");
    let json =
        |arguments: &[&str]| serde_json::from_str::<Value>(&succeed(&[arguments, &["--json"]].concat())).unwrap();
    let cases: [&[&str]; 5] = [
        &["he_normal", "1500x1000"],
        &["normal:mean=3", "1200x1000", "--dtype", "bf16"],
        &["uniform", "300x1000", "--dtype", "f16", "--range", "1003..250001"],
        &["ones", "5"],
        &["zeros", "0x4"],
    ];
    for case in cases {
        succeed(&[&["fill"], case, &["-o", path(&output)]].concat());
        let stats = json(&["stats", path(&output)])[0].clone();
        let file = fs::read(&output).unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let tensor = tensors.tensor("weight").unwrap();
        let values = tensor.data();
        let first: Vec<f32> = match tensor.dtype() {
            safetensors::Dtype::F32 => {
                values.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).take(8).collect()
            }
            safetensors::Dtype::BF16 => {
                values.chunks(2).map(|b| half::bf16::from_le_bytes(b.try_into().unwrap()).into()).take(8).collect()
            }
            _ => values.chunks(2).map(|b| half::f16::from_le_bytes(b.try_into().unwrap()).into()).take(8).collect(),
        };
        let of_all = case == cases[0];
        for device in adapters().iter().map(String::as_str).filter(|_| of_all).chain(["cpu"]) {
            let report = json(&[&["fill"], case, &["--device", device]].concat());
            assert_eq!(report["drawn"]["count"], tensor.shape().iter().product::<usize>(), "{case:?}");
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

#[test]
fn a_misspelt_name_is_answered_with_the_nearest() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        path(&file).to_string()
    };
    let model = write("model.json", r#"{"w": {"dtype": "F32", "shape": [4, 4]}}"#);
    let of_wrong_dtype = write("dtype.json", r#"{"w": {"dtype": "BF61", "shape": [4, 4]}}"#);
    let init = |model: &'_ str, more: [&str; 2]| {
        let output = folder.path().join("out.safetensors");
        fanin(&[&["init", model, "-o", path(&output)][..], &more].concat())
    };
    for (run, says) in [
        (
            init(&model, ["--scheme", "he_nornal"]),
            "the scheme is \"he_nornal\", did you mean he_normal? allowed: zeros,",
        ),
        (init(&model, ["--scheme", "kaiming-unifrom"]), ", did you mean kaiming_uniform? allowed: "),
        (init(&model, ["--scheme", "he_normal:mod=fan_in"]), "is \"mod\", did you mean mode? allowed: mode,"),
        (init(&model, ["--scheme", "he_normal:mode=fan_inn"]), "is \"fan_inn\", did you mean fan_in? allowed: "),
        (init(&model, ["--scheme", "he_normal:nonlinearity=rleu"]), "\"rleu\", did you mean relu? allowed: linear,"),
        (init(&model, ["--preset", "gtp2"]), "the preset is \"gtp2\", did you mean gpt2? allowed: auto, "),
        (init(&model, ["--preset", "atuo"]), "the preset is \"atuo\", did you mean auto? allowed: auto, "),
        (init(&model, ["--preset", "abacus"]), "the preset is \"abacus\", allowed: auto, "),
        (init(&model, ["--layout", "in-uot"]), "the layout is \"in-uot\", did you mean in_out? allowed: out_in, "),
        (init(&model, ["--dtype", "fp16"]), "the dtype is \"fp16\", did you mean f16? allowed: f32, f16, bf16"),
        (init(&of_wrong_dtype, ["--seed", "1"]), "the dtype \"BF61\", did you mean BF16? allowed: "),
        (init(&model, ["--device", "gup"]), "\"gup\", did you mean gpu? allowed: auto, gpu, cpu,"),
        (init(&model, ["--device", "llvmpiep"]), "did you mean llvmpipe? allowed: auto, gpu, cpu,"),
        (init(&model, ["--stream", "kears"]), "'keras'"),
        (fanin(&["fil", "normal", "3"]), "'fill'"),
        (fanin(&["rules", "--print", "robreta"]), "the preset is \"robreta\", did you mean roberta? allowed: "),
    ] {
        let message = String::from_utf8(run.stderr).unwrap();
        assert!(run.status.code() == Some(2) && message.contains(says), "\"{message}\" does not say \"{says}\"");
    }
}

#[test]
fn wrong_input_is_named_and_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, content: &[u8]| {
        let file = folder.path().join(name);
        fs::write(&file, content).unwrap();
        path(&file).to_string()
    };
    let header = |json: &str| [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat();
    let output = folder.path().join("out.safetensors");
    let output = path(&output);
    let init = |model: &str, more: &[&str]| {
        [&["init", model, "-o", output], more].concat().iter().map(ToString::to_string).collect()
    };
    let fill = |scheme: &str, shape: &str, more: &[&str]| {
        [&["fill", scheme, shape, "-o", output], more].concat().iter().map(ToString::to_string).collect()
    };
    let list = |name: &str, json: &str| write(name, json.as_bytes());
    let good = list("good.json", r#"{"w": {"dtype": "F32", "shape": [4, 4]}}"#);
    let cases: Vec<(Vec<String>, &[&str])> = vec![
        (init("/nowhere/model.json", &[]), &["/nowhere/model.json"]),
        (init(path(folder.path()), &[]), &["directory"]),
        (init(&list("empty.json", ""), &[]), &["empty.json", "EOF"]),
        (init(&list("array.json", "[]"), &[]), &["array.json", "tensor names"]),
        (init(&list("none.json", "{}"), &[]), &["none.json", "no tensor"]),
        (
            init(
                &list("twice.json", r#"{"a": {"dtype": "F32", "shape": []}, "a": {"dtype": "F32", "shape": []}}"#),
                &[],
            ),
            &["\"a\" stands twice"],
        ),
        (init(&list("dtype.json", r#"{"a": {"dtype": "F33", "shape": [1]}}"#), &[]), &["\"a\"", "F33"]),
        (init(&list("f64.json", r#"{"a": {"dtype": "F64", "shape": [1]}}"#), &[]), &["\"a\"", "F64", "--dtype"]),
        (init(&list("c64.json", r#"{"a": {"dtype": "C64", "shape": [1]}}"#), &["--dtype", "f32"]), &["\"a\"", "C64"]),
        (init(&list("negative.json", r#"{"a": {"dtype": "F32", "shape": [-1]}}"#), &[]), &["\"a\"", "-1"]),
        (init(&list("shapeless.json", r#"{"a": {"dtype": "F32"}}"#), &[]), &["\"a\"", "shape"]),
        (
            init(&list("huge.json", r#"{"a": {"dtype": "F32", "shape": [4294967296, 4294967296]}}"#), &[]),
            &["\"a\"", "2^60"],
        ),
        (
            init(&list("large.json", r#"{"a": {"dtype": "F32", "shape": [9223372036854775808]}}"#), &[]),
            &["\"a\"", "2^60"],
        ),
        (init(&write("short.safetensors", b"abc"), &[]), &["3 bytes"]),
        (init(&write("cut.safetensors", &[0, 1, 0, 0, 0, 0, 0, 0, b'{']), &[]), &["256 bytes", "at most 1"]),
        (init(&write("long.safetensors", &[255; 64]), &[]), &["18446744073709551615", "at most 56"]),
        (
            init(&write("gap.safetensors", &header(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#)), &[]),
            &["gap.safetensors", "offset"],
        ),
        (init(&good, &["--scheme", "he_norml"]), &["he_norml", "he_normal"]),
        (init(&good, &["--scheme", "normal:std=-1"]), &["std is -1"]),
        (init(&good, &["--dtype", "f8"]), &["f8", "bf16"]),
        (init(&good, &["--layout", "oi"]), &["oi", "out_in"]),
        (init(&good, &["--seed", "-1"]), &["-1"]),
        (init(&good, &["--device", "abacus"]), &["abacus", "auto, gpu, cpu"]),
        (vec!["init".into(), good.clone()], &["--output"]),
        (vec!["init".into(), good.clone(), "-o".into(), "/nowhere/out".into()], &["/nowhere/out"]),
        (vec!["init".into(), good.clone(), "-o".into(), path(folder.path()).into()], &["is a directory"]),
        (fill("he_normal", "1000", &[]), &["[1000]", "fewer than two"]),
        (fill("he_normal", "4x-1", &[]), &["-1", "4096x16384"]),
        (fill("he_normal", "", &[]), &["4096x16384"]),
        (fill("normal", "10", &["--range", "3..11"]), &["11", "at most 10"]),
        (fill("normal", "10", &["--range", "5..3"]), &["5..3"]),
        (fill("normal", "10", &["--range", "5"]), &["START..END"]),
        (fill("normal", "10", &["--name", "__metadata__"]), &["__metadata__"]),
        (fill("constant:value=1e9", "10", &["--dtype", "f16"]), &["1000000000", "65504"]),
        (fill("uniform:low=1.0001,high=1.0002", "10", &["--dtype", "f16"]), &["which holds no f16"]),
        (fill("normal", "18446744073709551615x2", &[]), &["2^60"]),
        (fill("he_normal", "4x4", &["--layout", "out_in:groups=3"]), &["groups is 3"]),
        (
            fill("dirac:groups=2", "12x2x3", &["--layout", "out_in:groups=3"]),
            &["groups is 2 in the scheme dirac:groups=2 and 3 in the layout out_in:groups=3", "the same in both"],
        ),
        (
            fill("orthogonal", "6x2x3", &["--layout", "out_in:groups=3"]),
            &["groups is 3 in the layout out_in:groups=3, for the scheme orthogonal:gain=1, allowed: 1"],
        ),
        (fill("normal", "4", &["--stream", "tensorflow", "--seed", "3"]), &["the seed is \"3\"", "S0,S1"]),
        (fill("normal", "4", &["--stream", "tensorflow", "--seed=1,9223372036854775808"]), &["S0,S1"]),
        (fill("normal", "4", &["--stream", "keras", "--seed=1.5"]), &["the seed is \"1.5\""]),
        (fill("normal", "4", &["--stream", "jax", "--seed=9223372036854775808"]), &["9223372036854775808", "2^63 - 1"]),
        (
            fill("uniform:low=-1,high=2", "4", &["--stream", "jax-nn"]),
            &["low is -1", "0 or -high", "jax.nn.initializers"],
        ),
        (fill("normal", "4", &["--stream", "pytorch"]), &["pytorch", "tensorflow"]),
        (
            fill("truncated_normal:low=0,high=1", "4", &["--stream", "tensorflow", "--seed=1,2"]),
            &["low is 0", "two sigmas"],
        ),
    ];
    for (arguments, parts) in cases {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let before = entries(folder.path());
        let run = fanin(&arguments);
        let message = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {message}");
        for part in parts {
            assert!(message.contains(part), "{arguments:?}: \"{message}\" does not say \"{part}\"");
        }
        assert_eq!(entries(folder.path()), before, "{arguments:?} left something behind");
    }
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
    let folder = TempDir::new().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    succeed(&["fill", "normal", "1000", "-o", path(&link)]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(SafeTensors::deserialize(&fs::read(&target).unwrap()).is_ok());
}

/// What an option says that cannot matter is told, or refused.
#[test]
fn what_is_passed_over_is_said() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out.safetensors");
    let all = |output: &std::process::Output| {
        String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
    };
    for (arguments, said) in [
        (
            &["fill", "zeros", "10", "--layout", "in_out"][..],
            Some("--layout is passed over, as constant:value=0 draws the same"),
        ),
        (
            &["fill", "normal", "8x4", "--layout", "out_in:groups=3"],
            Some("--layout is passed over, as normal:mean=0,std=1"),
        ),
        (&["fill", "he_normal", "8x4", "--layout", "in_out"], None),
        (&["fill", "zeros", "10"], None),
        (
            &["fill", "sparse:sparsity=0.5", "1x8"],
            Some("is all zeros: of each input's outputs, the part 0.5, rounded up, is all of them"),
        ),
        (&["fill", "sparse:sparsity=0.5", "2x8"], None),
        (&["fill", "sparse:sparsity=1", "1x8"], None),
    ] {
        let output = fanin(&[arguments, &["--device", "cpu"]].concat());
        let text = all(&output);
        assert!(output.status.success(), "{arguments:?}: {text}");
        match said {
            Some(said) => assert!(text.contains(said), "{arguments:?}: {text}"),
            None => assert!(!text.contains("passed over") && !text.contains("all zeros"), "{arguments:?}: {text}"),
        }
    }
    let list = folder.path().join("model.json");
    fs::write(&list, r#"{"a.weight": {"dtype": "F32", "shape": [1, 8]}}"#).unwrap();
    for (scheme, layout, said) in [
        ("normal", &["--layout", "in_out"][..], "--layout is passed over, as normal:mean=0,std=1 draws the same"),
        ("sparse:sparsity=0.5", &[], "is all zeros: of each input's outputs"),
    ] {
        let arguments = ["init", path(&list), "-o", path(&out), "--device", "cpu", "--scheme", scheme];
        let text = all(&fanin(&[&arguments, layout].concat()));
        assert!(text.contains(said), "{scheme}: {text}");
    }
    // A configuration's own rules are not replaced by a scheme that nobody named.
    let config = folder.path().join("config.json");
    let text = r#"{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 1, "vocab_size": 16,
        "n_positions": 4}"#;
    fs::write(&config, text).unwrap();
    let refused = fanin(&["init", path(&config), "-o", path(&out), "--device", "cpu", "--layout", "in_out"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(all(&refused).contains("--layout is given without --scheme"), "{refused:?}");
}
