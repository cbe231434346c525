//! `fanin probe`: its words, its numbers, its figure, and what it refuses.

use std::collections::BTreeSet;

use crate::common::{Folder, fanin, models, path, safetensors_of, succeed};
use serde_json::Value;

fn probe(arguments: &str) -> String {
    let arguments: Vec<_> = ["probe"].into_iter().chain(arguments.split(' ')).chain(["--device", "cpu"]).collect();
    succeed(&arguments)
}

fn json(arguments: &str) -> Value {
    serde_json::from_str(&probe(&format!("{arguments} --json"))).unwrap()
}

#[test]
fn the_verdict_is_said_in_words_with_the_number_behind_it() {
    for (arguments, lines) in [
        (
            "normal",
            &["layers saturate, the first of them layer 1: 89.", "theory: chaotic", "lecun_normal would hold"][..],
        ),
        (
            "normal:std=0.01",
            &["no layer saturates", "activations vanish, first in layer 4", "gradients vanish", "ordered"],
        ),
        (
            "zeros",
            &[
                "activations vanish: all are exactly zero from layer 1 on",
                "gradients vanish",
                "chi 0: no gradient passes",
            ],
        ),
        (
            "glorot_normal --activation relu",
            &["activations vanish, first in layer 14", "he_normal would hold over 20 layers"],
        ),
        (
            "he_normal --activation relu",
            &["no layer saturates", "do not vanish", "neither vanish nor explode", "critical"],
        ),
        (
            "normal:std=100 --activation linear",
            &["activations explode, first in layer 1", "beyond what f32 holds from layer"],
        ),
        ("uniform", &["theory: none, as weights or biases have another mean than 0"]),
        ("standard --activation sigmoid", &["no gain from ", " holds for 20 layers of sigmoid: with "]),
    ] {
        let text = probe(&format!("{arguments} --width 512 --batch 64"));
        for line in lines {
            assert!(text.contains(line), "{arguments}: no {line:?} in\n{text}");
        }
        // A line a layer, that fits a terminal of 80 columns.
        let table: Vec<_> = text.lines().skip(1).take(21).collect();
        assert!(table.iter().all(|line| line.chars().count() <= 80), "{text}");
        assert!(table[20].trim_start().starts_with("20 "), "{text}");
    }
}

#[test]
fn json_has_the_keys_that_are_promised() {
    let small = "--depth 3 --width 64 --batch 32 --seed 18446744073709551615";
    let one = json(&format!("he_normal --activation leaky_relu:0.2 {small}"));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let wanted = |text: &str| text.split(' ').map(String::from).collect::<BTreeSet<_>>();
    assert_eq!(keys(&one), wanted("scheme activation depth width batch seed device layers phase verdict"));
    assert_eq!(keys(&one["verdict"]), wanted("saturates vanishes gradients advice"));
    assert!(one["verdict"]["advice"].is_null(), "{one}");
    let layer =
        "layer pre_mean pre_std mean std saturated zero dead gradient_std expected_pre_std expected_gradient_std";
    assert_eq!(keys(&one["layers"][0]), wanted(layer));
    assert_eq!((one["layers"].as_array().unwrap().len(), &one["layers"][2]["gradient_std"]), (3, &Value::from(1.0)));
    assert_eq!((&one["activation"], &one["device"]), (&"leaky_relu:0.2".into(), &"CPU".into()));
    assert_eq!(one["seed"], "18446744073709551615");
    let two = json(&format!("he_normal --activation relu {small} --compare zeros --compare uniform"));
    let schemes: Vec<_> = two.as_array().unwrap().iter().map(|one| one["scheme"].as_str().unwrap()).collect();
    assert_eq!(schemes, ["he_normal", "zeros", "uniform"]);
    // Of what theory does not speak of, and of what f32 does not hold.
    assert!(two[2]["phase"].is_null() && two[2]["layers"][0]["expected_pre_std"].is_null());
    assert_eq!((&two[1]["phase"], &two[1]["verdict"]["gradients"]), (&"ordered".into(), &"vanish".into()));
    let wild = json("normal:std=1e30 --activation linear --depth 4 --width 64 --batch 8");
    assert!(wild["layers"][3]["pre_std"].is_null() && wild["verdict"]["gradients"] == "explode");
}

/// Theory says 1.559 for 60 layers of SiLU, with which gradients are 197 times too large and more: what is advised is measured.
#[test]
fn what_is_advised_holds_by_the_probes_own_measure() {
    for (of, scheme) in [
        ("--activation silu --depth 60 --width 256", "lecun_normal"),
        ("--activation gelu --depth 100 --width 64 --batch 64", "glorot_normal"),
        ("--activation tanh --depth 50 --width 128 --batch 64", "normal"),
        ("--activation sigmoid --width 128 --batch 64", "standard"),
        // Theory does not speak of such biases.
        ("--activation relu --depth 30 --width 128 --batch 64 --bias uniform", "zeros"),
    ] {
        let one = json(&format!("{scheme} {of}"));
        let advice = one["verdict"]["advice"].as_str().unwrap_or_else(|| panic!("{scheme} {of}: no advice"));
        for seed in 0..2 {
            let verdict = &json(&format!("{advice} {of} --seed {seed}"))["verdict"];
            let holds = serde_json::json!({"saturates": false, "vanishes": false, "gradients": "hold", "advice": null});
            assert_eq!(verdict, &holds, "{advice} {of}, seed {seed}");
        }
        let text = probe(&format!("{scheme} {of} --compare {advice}"));
        let said = text.lines().filter(|line| line.contains("would hold")).collect::<Vec<_>>();
        assert!(said.len() == 1 && said[0].starts_with(&format!("{advice} would hold over ")), "{text}");
    }
    // A product of very narrow random matrices is 0 or infinite, whatever the gain.
    let none = "normal --activation relu --depth 300 --width 2 --batch 16";
    assert!(json(none)["verdict"]["advice"].is_null());
    let text = probe(none);
    assert!(text.contains("no gain from 0.9428 to 2.121 holds for 300 layers of relu: with he_normal:gain="), "{text}");
}

/// Of matrices that are all alike none stands out.
#[test]
fn a_model_whose_gains_are_all_far_from_the_wanted_one_is_told_so() {
    let folder = Folder::new();
    let list = folder.write(
        "wide.json",
        r#"{"a.weight": {"dtype": "F32", "shape": [64, 64]}, "b.weight": {"dtype": "F32", "shape": [64, 64]}}"#,
    );
    for (std, far, said) in [
        ("0.7071068", true, Some("2 of 2 matrices have a gain that is too large, at worst 3")),
        ("0.01", true, Some("2 of 2 matrices have a gain that is too small, at worst 6.")),
        ("0.125", false, None),
    ] {
        let row = &json(&format!("{list} --scheme normal:std={std}"))[0];
        assert_eq!((&row["is_far"], &row["stands_out"]), (&far.into(), &false.into()), "{row}");
        let text = probe(&format!("{list} --scheme normal:std={std}"));
        assert_eq!(text.contains("times the wanted one of a.weight"), far, "{text}");
        assert!(said.is_none_or(|said| text.contains(said)), "{text}");
    }
}

#[test]
fn a_device_measures_what_the_cpu_does() {
    let arguments = ["probe", "standard", "--depth", "3", "--width", "100", "--batch", "50", "--json", "--device"];
    let of = |device| serde_json::from_str::<Value>(&succeed(&[&arguments[..], &[device]].concat())).unwrap();
    let (cpu, gpu) = (of("cpu"), of("gpu"));
    assert!(gpu["device"].is_string() && gpu["device"] != "CPU", "this test needs an adapter: run tests/run");
    for layer in 0..3 {
        for key in ["pre_std", "std", "gradient_std"] {
            let (a, b) = (cpu["layers"][layer][key].as_f64().unwrap(), gpu["layers"][layer][key].as_f64().unwrap());
            assert!((a - b).abs() < 1e-4 * a, "{key}: {a}, {b}");
        }
    }
}

#[test]
fn a_figure_is_written_for_light_and_dark() {
    let folder = Folder::new();
    let svg = folder.path("figure.svg");
    probe(&format!("normal --compare zeros --compare uniform --depth 5 --width 64 --batch 8 --svg {svg}"));
    let text = String::from_utf8(folder.read("figure.svg")).unwrap();
    assert!(text.starts_with("<svg ") && text.trim_end().ends_with("</svg>"), "{text}");
    assert!(text.contains("prefers-color-scheme:dark") && text.contains("currentColor") && !text.contains("#010101"));
    for name in ["normal", "zeros", "uniform", "std of pre-activations", "std of gradients"] {
        assert!(text.contains(name), "{name}");
    }
    let nowhere =
        fanin(&["probe", "zeros", "--depth", "1", "--width", "4", "--device", "cpu", "--svg", "/nowhere/at/all.svg"]);
    assert_eq!(nowhere.status.code(), Some(1));
}

#[test]
fn what_cannot_be_probed_is_refused() {
    let gpt2 = models().join("gpt2.json");
    let gpt2 = path(&gpt2);
    let with_gpt2 = format!("{gpt2} --preset gpt2 --compare zeros");
    // What a model would pass over.
    let of_schemes = ["--depth 5", "--width 64", "--batch 8", "--bias zeros", "--input uniform", "--svg a.svg"];
    let of_schemes = of_schemes.map(|option| (format!("{gpt2} --preset gpt2 {option}"), option));
    for (arguments, option) in &of_schemes {
        let output = fanin(&["probe"].into_iter().chain(arguments.split(' ')).collect::<Vec<_>>());
        let (name, _) = option.split_once(' ').unwrap();
        let said = format!("a model is probed alone, allowed with {name}: a scheme");
        assert!(String::from_utf8_lossy(&output.stderr).contains(&said), "{option}: {output:?}");
        assert_eq!(output.status.code(), Some(2), "{option}");
    }
    for (arguments, said) in [
        ("he_norml", "did you mean he_normal?"),
        ("he_normal --activation gelo", "did you mean gelu?"),
        ("he_normal --activation relu:0.1", "a parameter of the activation relu is \"negative_slope\", allowed: none"),
        ("he_normal --input norml", "did you mean normal?"),
        ("he_normal --depth 0", "the depth is 0, allowed: 1 to "),
        ("he_normal --width 0", "the width is 0, allowed: 1 to "),
        ("he_normal --batch 0", "the batch is 0, allowed: 1 to "),
        ("he_normal --batch 2000000", "the batch is 2000000, allowed: 1 to "),
        ("he_normal --width 1000000", "the probe's memory is 4022528000000 bytes"),
        ("he_normal --depth 4000000000", "bytes, of 4000000000 layers"),
        ("he_normal --depth -1", "'-1'"),
        ("normal:std=1e300", "std is 1e300"),
        ("variance_scaling:scale=1e-300", "all of which f32 rounds to 0"),
        ("he_normal --bias normal:std=1e300", "std is 1e300"),
        ("he_normal --compare he_norml", "did you mean he_normal?"),
        ("he_normal --seed -1", "'-1'"),
        ("he_normal --preset gpt2", "a scheme is probed alone"),
        ("he_normal --set a=1", "a scheme is probed alone"),
        ("nothing.json", "nothing.json: "),
        (&with_gpt2, "a model is probed alone"),
    ] {
        let arguments: Vec<_> = ["probe"].into_iter().chain(arguments.split(' ')).chain(["--device", "cpu"]).collect();
        let output = fanin(&arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said) && output.stdout.is_empty(), "{arguments:?}: {stderr}");
    }
}

/// GPT-2's deviations, and a rule that is wrong, which stands out.
#[test]
fn a_models_matrices_have_their_gains_and_spectra() {
    let gpt2 = models().join("all-minilm-l6-v2.json");
    let rows = json(&format!("{} --preset bert", path(&gpt2)));
    let rows = rows.as_array().unwrap();
    let of = |name: &str| rows.iter().find(|row| row["tensor"].as_str().unwrap().ends_with(name)).unwrap();
    let query = rows.iter().find(|row| row["shape"] == serde_json::json!([384, 384])).unwrap();
    let number = |row: &Value, key: &str| row[key].as_f64().unwrap();
    // 384 values of N(0, 0.02^2) in each row, over 384^2 of them: five standard errors.
    let gain = 384.0 * 0.0004;
    assert!((number(query, "gain") / gain - 1.0).abs() < 5.0 * (2.0f64 / (384.0 * 384.0)).sqrt(), "{query}");
    for row in rows {
        let near = 0.06 * number(row, "expected_largest");
        for (measured, expected) in [("largest", "expected_largest"), ("smallest", "expected_smallest")] {
            assert!((number(row, measured) - number(row, expected)).abs() < near, "{row}");
        }
        assert!(row["stands_out"] == false && row["isometry"] == false, "{row}");
    }
    assert!(of("word_embeddings.weight")["gain"].is_null());

    let folder = Folder::new();
    let list = r#"{"a.weight": {"dtype": "F32", "shape": [64, 64]}, "b.weight": {"dtype": "F32", "shape": [64, 64]},
        "c.weight": {"dtype": "F32", "shape": [64, 64]}, "c.bias": {"dtype": "F32", "shape": [64]}}"#;
    let list = folder.write("model.json", list);
    let rules =
        "[[rule]]\nname = 'c.weight'\nscheme = 'normal:std=1'\n[[rule]]\nname = '*'\nscheme = 'normal:std=0.125'";
    let rules = folder.write("rules.toml", rules);
    let rows = json(&format!("{list} --rules {rules}"));
    let rows: Vec<_> =
        rows.as_array().unwrap().iter().map(|r| (r["tensor"].clone(), r["stands_out"].clone())).collect();
    assert_eq!(rows, [("a.weight".into(), false.into()), ("c.weight".into(), true.into())]);
    let text = probe(&format!("{list} --rules {rules}"));
    assert!(text.contains("a.weight [64, 64] and 1 like it\n") && text.contains("c.weight [64, 64], which stands out"));
}

/// A checkpoint's own values are measured: those of a permutation are an isometry.
#[test]
fn a_checkpoints_isometries_show() {
    let values: Vec<u8> =
        (0..64 * 64).flat_map(|i| f32::from(u8::from(i % 64 == 5 * (i / 64) % 64)).to_le_bytes()).collect();
    let header = r#"{"turn.weight":{"dtype":"F32","shape":[64,64],"data_offsets":[0,16384]}}"#;
    let folder = Folder::new();
    let file = folder.write("turn.safetensors", safetensors_of(header, &values));
    let seeded = fanin(&["probe", &file, "--seed", "3", "--device", "cpu"]);
    let said = String::from_utf8_lossy(&seeded.stderr);
    assert_eq!(seeded.status.code(), Some(2), "{said}");
    assert!(said.contains("--seed is given, and") && said.contains("allowed: no --seed"), "{said}");
    let text = probe(&file);
    assert!(text.contains("turn.weight [64, 64], an isometry"), "{text}");
    let row = &json(&file)[0];
    assert!((row["gain"].as_f64().unwrap() - 1.0).abs() < 1e-6 && row["isometry"] == true, "{row}");
}
