//! What is copied, and what is drawn beside it.

use super::*;

#[test]
fn what_the_base_has_is_copied_and_the_rest_is_drawn() {
    let folder = Folder::with_base();
    let text = folder.init_on_base("out.safetensors", &[]);
    let base = folder.path("base.safetensors");
    assert!(
        text.contains(&format!("of {base}: 10 tensors copied, 3 grown, of which the new rows are drawn, 3 drawn\n")),
        "{text}"
    );
    assert!(text.contains("kept out, as they hold integers: counter\n"), "{text}");
    assert!(text.contains(&format!("not copied from {base}, as the model does not have them: old.pooler\n")), "{text}");
    assert!(
        text.contains("although the rules tie them to tensors that are copied: head.weight (of embed.weight)\n"),
        "{text}"
    );
    let report: Value = serde_json::from_str(&folder.init_on_base("json.safetensors", &["--json"])).unwrap();
    assert_eq!(json!([report["copied"], report["grown"], report["drawn"], report["tensors"]]), json!([10, 3, 3, 16]));
    assert_eq!((&report["base"], &report["kept_out"]), (&json!(base), &json!(["counter"])));
    assert!(report["notes"][0].as_str().unwrap().contains("old.pooler"), "{report}");
    let out = folder.read("out.safetensors");
    assert!(out == folder.read("json.safetensors"));

    let (made, old) = (tensors(&out), folder.tensors("base.safetensors"));
    assert_eq!(made.len(), 16);
    assert_filled(&made, &old, &drawn(&folder, &[]));
    // The zero row is the base's, as it is among the old ones.
    assert!(made["embed.weight"].2[2 * 32..3 * 32].iter().any(|&b| b != 0));
    let said = said(&out);
    assert_eq!((&said["base"], &said["copied"]["embed.weight"]["rows"]), (&json!("base.safetensors"), &json!(50)));
    assert_eq!(said["copied"].as_object().unwrap().len(), 13);
    // Of the whole model: three layers, of which one is drawn.
    let scheme = said["tensors"]["layer.1.weight"]["scheme"].as_str().unwrap();
    assert!(scheme.contains(&format!("std={}", 0.02 / 6f64.sqrt())), "{scheme}");
    assert_eq!(said["tensors"].as_object().unwrap().len(), 6);

    // It is verified, and stats tell what each tensor holds.
    let (rules, base) = (folder.path("rules.toml"), folder.path("base.safetensors"));
    for (more, by) in [
        (&[][..], "metadata"),
        (&["--rules", &rules, "--seed", "0"], "metadata"),
        (&["--base", &base], "given"),
        (&["--sample", "3"], "metadata"),
    ] {
        let (code, report, text) = folder.verify("out.safetensors", more);
        assert_eq!((code, &report["tensors"], &report["by"]["copied"]), (Some(0), &json!(16), &json!(by)), "{text}");
        let copied = report["copied"].as_array().unwrap();
        assert!(copied.len() == 13 && copied.contains(&json!({"tensor": "embed.weight", "rows": 50})), "{report}");
        assert!(copied.contains(&json!({"tensor": "position_ids"})), "{report}");
        assert_eq!(report["sha256"].is_null(), more.contains(&"--sample"), "{report}");
        assert!(text.contains("copied, not drawn, and compared with"), "{text}");
        assert!(text.contains("embed.weight (the first 50 of its rows)"), "{text}");
    }
    let rows = json_of(&["stats", &folder.path("out.safetensors")]);
    let of = |name: &str| rows.as_array().unwrap().iter().find(|row| row["tensor"] == name).unwrap();
    assert!(of("layer.1.weight")["expected_std"].is_f64() && of("layer.0.weight")["expected_std"].is_null());
    succeed(&["stats", &folder.path("out.safetensors"), "--rules", &rules]);
}

/// Whatever draws, and whosever values they are.
#[test]
fn the_file_is_the_same_on_every_device_and_new_rows_are_those_of_the_whole() {
    let folder = Folder::with_base();
    folder.init_on_base("cpu.safetensors", &[]);
    for device in adapters() {
        folder.init_on_base("gpu.safetensors", &["--device", device]);
        assert!(folder.read("gpu.safetensors") == folder.read("cpu.safetensors"), "{device}");
    }
    let base = folder.tensors("base.safetensors");
    for (stream, seed) in [("native", "7"), ("tensorflow", "5,6"), ("keras", "5"), ("jax", "5")] {
        let more = ["--stream", stream, "--seed", seed];
        folder.init_on_base("out.safetensors", &more);
        assert_filled(&folder.tensors("out.safetensors"), &base, &drawn(&folder, &more));
        assert_eq!(folder.verify("out.safetensors", &[]).0, Some(0), "{stream}");
    }
}

/// What is copied is asked for no rule; what is drawn, if only in part, is asked as ever.
#[test]
fn rules_are_for_what_is_drawn() {
    let folder = Folder::with_base();
    let model = |tensors: &[(&str, &[u64])]| {
        let entry = |(name, shape): &(&str, &[u64])| (name.to_string(), json!({"dtype": "F32", "shape": shape}));
        folder.write("model.json", Value::Object(tensors.iter().map(entry).collect()).to_string())
    };
    let rule = |text: &str| folder.write("rules.toml", text);
    // Met by nothing, refused, skipped, and without the fans that its scheme needs: copied all the same.
    model(&[("layer.0.weight", &[6, 4]), ("scalar.bias", &[]), ("no_rule.norm", &[4]), ("layer.1.weight", &[6, 4])]);
    for text in ["scheme = \"he_normal\"", "skip = true", "refuse = \"no weight\""] {
        rule(&format!(
            "[[rule]]\nname = [\"*.norm\", \"*.bias\", \"layer.0.*\"]\n{text}\n[[rule]]\nname = \"layer.1.*\"\nscheme = \"ones\"\n"
        ));
        let text = folder.init_on_base("out.safetensors", &[]);
        assert!(text.contains("3 tensors copied, 0 grown, of which the new rows are drawn, 1 drawn\n"), "{text}");
        assert!(!text.contains("no tensor met"), "{text}");
        let (made, base) = (folder.tensors("out.safetensors"), folder.tensors("base.safetensors"));
        assert!(["layer.0.weight", "scalar.bias", "no_rule.norm"].iter().all(|&name| made[name] == base[name]));
        assert_eq!(made["layer.1.weight"].2, 1f32.to_le_bytes().repeat(24));
        for more in [&[][..], &["--rules", &folder.path("rules.toml"), "--seed", "0"]] {
            assert_eq!(folder.verify("out.safetensors", more).0, Some(0));
        }
        succeed(&["stats", &folder.path("out.safetensors"), "--rules", &folder.path("rules.toml")]);
    }
    // A scheme for all says nothing of the names of what is copied.
    let (list, base, out) =
        (model(&[("old.pooler", &[2])]), folder.path("base.safetensors"), folder.path("o.safetensors"));
    let text = succeed(&["init", &list, "--base", &base, "--scheme", "normal", "-o", &out, "--device", "cpu"]);
    assert!(text.contains("1 tensors copied") && !text.contains("though the names"), "{text}");

    model(&[("layer.0.weight", &[7, 4])]);
    rule("[[rule]]\nname = \"*\"\nskip = true\n");
    let from = format!("tensor \"layer.0.weight\": it grew from the shape [6, 4] in {base}");
    folder.refuses(
        &strs(&folder.arguments("out.safetensors", &[])),
        &[&from, "the rules skip it, allowed: a rule that has a scheme"],
    );
    rule("[[rule]]\nname = \"x\"\nskip = true\n");
    folder.refuses(&strs(&folder.arguments("out.safetensors", &[])), &["1 tensor met no rule: \"layer.0.weight\""]);
}

/// Everything at once: a base in shards, of which an index tells, is read, and shards are written.
#[test]
fn shards_are_copied_from_and_to() {
    let folder = Folder::with_base();
    folder.init_on_base("one.safetensors", &[]);
    let base = folder.tensors("base.safetensors");
    let (mut first, mut second) = (Tensors::new(), Tensors::new());
    for (i, (name, t)) in base.iter().enumerate() {
        if i % 2 == 0 { &mut first } else { &mut second }.insert(name.clone(), t.clone());
    }
    folder.write("part-1.safetensors", file(&first));
    folder.write("part-2.safetensors", file(&second));
    let map = |(tensors, name): (&Tensors, &str)| tensors.keys().map(|t| (t.clone(), json!(name))).collect::<Vec<_>>();
    let weight_map = [map((&first, "part-1.safetensors")), map((&second, "part-2.safetensors"))].concat();
    let index = json!({"weight_map": Value::Object(weight_map.into_iter().collect())});
    let index = folder.write("parts.safetensors.index.json", index.to_string());
    let (model, rules) = (folder.path("model.json"), folder.path("rules.toml"));
    let init = |output: &str, more: &[&str]| {
        let output = folder.path(output);
        let run = ["init", &model, "--base", &index, "--rules", &rules, "-o", &output, "--device", "cpu"];
        succeed(&[&run[..], more].concat())
    };
    init("two.safetensors", &[]);
    let one = folder.tensors("one.safetensors");
    assert!(folder.tensors("two.safetensors") == one);
    for size in ["1", "100", "700", "1MB"] {
        init("many.safetensors", &["--max-shard-size", size]);
        let name = if size == "1MB" { "many.safetensors" } else { "many.safetensors.index.json" };
        let base = folder.path("base.safetensors");
        for more in [&[][..], &["--base", &index], &["--base", &base], &["--rules", &rules, "--seed", "0"]] {
            let (code, report, text) = folder.verify(name, more);
            assert_eq!((code, &report["tensors"]), (Some(0), &json!(16)), "{text}");
            assert!(report["sha256"].is_string(), "{report}");
        }
        if let Ok(index) = serde_json::from_slice::<Value>(&folder.read(name)) {
            for (tensor, file) in index["weight_map"].as_object().unwrap() {
                assert!(folder.tensors(file.as_str().unwrap())[tensor] == one[tensor], "{tensor}");
            }
        }
        // What was filled is a base again, of which all is copied.
        let (out, filled) = (folder.path("again.safetensors"), folder.path(name));
        let text = succeed(&["init", &model, "--base", &filled, "-o", &out, "--device", "cpu"]);
        assert!(text.contains("16 tensors copied, 0 grown, of which the new rows are drawn, 0 drawn"), "{text}");
        assert!(folder.tensors("again.safetensors") == one);
        assert_eq!(folder.verify("again.safetensors", &[]).0, Some(0));
        entries(folder.0.path()).iter().filter(|e| path(e).contains("many")).for_each(|e| fs::remove_file(e).unwrap());
    }
}

/// What wrappers put before names and into them, one around another; and what is a name of its own.
#[test]
fn a_base_whose_names_have_a_wrappers_prefix_is_copied_and_said() {
    let folder = Folder::new();
    let names = ["model.layers.0.weight", "model.layers.1.weight", "model.norm.weight"];
    let list = |names: &[String]| {
        let all: BTreeMap<_, _> = names.iter().map(|n| (n, json!({"dtype": "F32", "shape": [4, 4]}))).collect();
        json!(all).to_string()
    };
    let own: Vec<String> = names.iter().map(ToString::to_string).chain(["head.weight".into()]).collect();
    let (model, out, base) =
        (folder.write("model.json", list(&own)), folder.path("out.safetensors"), folder.path("base.safetensors"));
    let init = |more: &[&str]| {
        let arguments = ["init", &model, "--base", &base, "-o", &out, "--scheme", "normal", "--device", "cpu"];
        in_time(&[&arguments, more].concat(), Stdio::null())
    };
    type Wrapped = fn(&str) -> String;
    let cases: [(Wrapped, &[&str], Result<&str, &str>); 9] = [
        (|n| n.into(), &[], Ok("3 tensors copied")),
        (|n| format!("_orig_mod.{n}"), &[], Ok("are the model's but for \"_orig_mod.\", without which")),
        (|n| format!("module._orig_mod.{n}"), &[], Ok("but for \"_orig_mod.\" and \"module.\" before them")),
        (|n| format!("model.{n}"), &[], Ok("but for \"model.\" before them")),
        (|n| format!("base_model.model.{n}"), &[], Ok("but for \"base_model.model.\" before them")),
        (
            |n| format!("_fsdp_wrapped_module.{}", n.replace("layers.0.", "layers.0._fsdp_wrapped_module.")),
            &[],
            Ok("but for \"_fsdp_wrapped_module.\", without"),
        ),
        (|n| format!("student.{n}"), &["--base-prefix", "student."], Ok("3 tensors copied")),
        (|n| format!("student.{n}"), &[], Err("allowed: --base-prefix student., without which 3 are")),
        (|n| format!("x{n}"), &[], Err("allowed: --base-prefix with the prefix of the model's names there")),
    ];
    for (wrapped, more, expected) in cases {
        let there: Vec<String> = names.iter().map(|name| wrapped(name)).collect();
        let other = folder.write("other.json", list(&there));
        succeed(&["init", &other, "-o", &base, "--scheme", "normal", "--seed", "7", "--device", "cpu"]);
        let run = init(more);
        let said = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
        match expected {
            Ok(part) => {
                let all = said.contains(part) && said.contains("3 tensors copied");
                assert!(run.status.success() && all, "{there:?}: {said}");
                let (made, copied) = (folder.tensors("out.safetensors"), folder.tensors("base.safetensors"));
                for (name, wrapped) in names.iter().zip(&there) {
                    assert!(made[*name] == copied[wrapped], "{name}");
                }
                succeed(&[&["verify", &out, "--base", &base, "--device", "cpu"], more].concat());
                fs::remove_file(&out).unwrap();
            }
            Err(part) => {
                let named = said.contains("no name in") && said.contains(part);
                assert!(run.status.code() == Some(2) && named && !Path::new(&out).exists(), "{there:?}: {said}");
            }
        }
    }
    let wrong = init(&["--base-prefix", "teacher."]);
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(said.contains("--base-prefix is \"teacher.\", allowed: a prefix of names in"), "{said}");
}

/// 30 MB, copied and drawn in turn.
#[test]
fn what_was_interrupted_is_resumed_to_the_same_bytes() {
    let folder = Folder::with_base();
    let base: Tensors = [
        ("a.part", tensor(Dtype::F32, &[1500, 1001], 0)),
        ("b.part", tensor(Dtype::F32, &[1000, 1001], 1)),
        ("d.part", tensor(Dtype::BF16, &[1001, 2001], 2)),
        ("wide", tensor(Dtype::F64, &[200_001], 3)),
        ("bytes", tensor(Dtype::U8, &[700_001], 4)),
    ]
    .map(|(name, t)| (name.into(), t))
    .into();
    let mut model = base.clone();
    model.get_mut("b.part").unwrap().1[0] = 2000;
    model.get_mut("d.part").unwrap().1[0] = 1500;
    model.insert("c.part".into(), tensor(Dtype::F32, &[1500, 1001], 0));
    folder.write("base.safetensors", file(&base));
    folder.write("model.json", list(&model));
    folder.init_on_base("whole.safetensors", &[]);
    let whole = folder.read("whole.safetensors");
    assert_eq!(folder.verify("whole.safetensors", &[]).0, Some(0));
    let (start, trusted) = (data_start(&whole), 8 << 20);
    let len = whole.len();
    for left in
        [0, 100, start, start + 1, start + trusted + 1_600_003, len / 2 + 1, len - 9_000_001, len - 77, len - 1, len]
    {
        // What is not trusted may be anything.
        let mut partial = whole[..left].to_vec();
        let doubted = partial.len().saturating_sub(trusted).max(start.min(left));
        partial[doubted..].fill(0xaa);
        folder.write(".out.safetensors.partial", partial);
        folder.init_on_base("out.safetensors", &["--resume"]);
        assert!(folder.read("out.safetensors") == whole, "{left} bytes were left");
        assert!(!folder.0.path().join(".out.safetensors.partial").exists());
        fs::remove_file(folder.path("out.safetensors")).unwrap();
    }
    // What is complete stays as it is.
    let before = fs::metadata(folder.path("whole.safetensors")).unwrap().modified().unwrap();
    folder.init_on_base("whole.safetensors", &["--resume"]);
    assert_eq!(fs::metadata(folder.path("whole.safetensors")).unwrap().modified().unwrap(), before);
    // What was begun with another base is not gone on with: the header says its digests.
    let mut other = base.clone();
    other.get_mut("bytes").unwrap().2[0] ^= 1;
    folder.write("base.safetensors", file(&other));
    folder.write(".out.safetensors.partial", &whole[..len / 2]);
    folder.refuses(&strs(&folder.arguments("out.safetensors", &["--resume"])), &["was begun with another", "base"]);
    // Without --resume it is begun anew.
    folder.init_on_base("out.safetensors", &[]);
    assert!(folder.tensors("out.safetensors")["bytes"] == other["bytes"]);
}
