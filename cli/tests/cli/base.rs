//! `init --base`: what a checkpoint has is copied, and the rest is drawn.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::common::{Folder, adapters, entries, in_time, path, safetensors_of, succeed};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde_json::{Value, json};

/// By name: dtype, shape and bytes.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn tensors(file: &[u8]) -> Tensors {
    let file = SafeTensors::deserialize(file).unwrap();
    file.iter().map(|(name, t)| (name.to_string(), (t.dtype(), t.shape().to_vec(), t.data().to_vec()))).collect()
}

fn file(tensors: &Tensors) -> Vec<u8> {
    let view = |(dtype, shape, data)| TensorView::new(dtype, shape, data).unwrap();
    let views = tensors.iter().map(|(name, (dtype, shape, data))| (name, view((*dtype, shape.clone(), data))));
    serialize(views, None).unwrap()
}

fn list(tensors: &Tensors) -> String {
    let entry = |(dtype, shape, _): &(Dtype, Vec<usize>, Vec<u8>)| json!({"dtype": dtype.to_string(), "shape": shape});
    serde_json::to_string(&tensors.iter().map(|(name, t)| (name, entry(t))).collect::<BTreeMap<_, _>>()).unwrap()
}

/// A tensor of bytes that nobody draws.
fn tensor(dtype: Dtype, shape: &[usize], number: u32) -> (Dtype, Vec<usize>, Vec<u8>) {
    let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
    let words =
        (0..).flat_map(|i| fanin::philox4x32_10([i, 0, 0, number], [1, 2]).into_iter().flat_map(u32::to_le_bytes));
    (dtype, shape.to_vec(), words.take(bytes).collect())
}

const RULES: &str = r#"
[count]
n_layers = "layer.*.weight"
[[rule]]
name = "embed.weight"
scheme = "normal:std=0.02"
zero_row = 2
[[rule]]
name = "layer.*.weight"
scheme = "truncated_normal:std=0.02/sqrt(2*n_layers)"
[[rule]]
name = "head.weight"
scheme = "normal:std=0.02"
stream = "embed.weight"
[[rule]]
name = ["*.bias", "*.part"]
scheme = "uniform:low=-1,high=1"
"#;

impl Folder {
    /// A base that lacks a layer and a bias, has seven words less, and tensors that are not drawn.
    fn with_base() -> Folder {
        let folder = Folder::new();
        let base: Tensors = [
            ("embed.weight", tensor(Dtype::F32, &[50, 8], 0)),
            ("layer.0.weight", tensor(Dtype::F32, &[6, 4], 1)),
            ("layer.2.weight", tensor(Dtype::F32, &[6, 4], 2)),
            ("half.part", tensor(Dtype::F16, &[3, 5], 3)),
            ("brain.bias", tensor(Dtype::BF16, &[9], 4)),
            ("scalar.bias", tensor(Dtype::F32, &[], 5)),
            ("no_rule.norm", tensor(Dtype::F32, &[4], 6)),
            ("position_ids", tensor(Dtype::I64, &[1, 16], 7)),
            ("mask", tensor(Dtype::BOOL, &[3], 0)),
            ("wide", tensor(Dtype::F64, &[3], 8)),
            ("eight", tensor(Dtype::F8_E4M3, &[5], 9)),
            ("empty.weight", tensor(Dtype::F32, &[0, 4], 0)),
            ("from_nothing.bias", tensor(Dtype::F32, &[0], 0)),
            ("old.pooler", tensor(Dtype::F32, &[2], 10)),
        ]
        .map(|(name, t)| (name.into(), t))
        .into();
        let mut model = base.clone();
        model.remove("old.pooler");
        model.get_mut("embed.weight").unwrap().1[0] = 57;
        model.get_mut("half.part").unwrap().1[0] = 4;
        model.get_mut("from_nothing.bias").unwrap().1[0] = 3;
        for (name, t) in [
            ("layer.1.weight", tensor(Dtype::F32, &[6, 4], 0)),
            ("layer.1.bias", tensor(Dtype::BF16, &[7], 0)),
            ("head.weight", tensor(Dtype::F32, &[57, 8], 0)),
            ("counter", tensor(Dtype::I32, &[2], 0)),
        ] {
            model.insert(name.into(), t);
        }
        folder.write("base.safetensors", file(&base));
        folder.write("model.json", list(&model));
        folder.write("rules.toml", RULES);
        folder
    }

    fn tensors(&self, name: &str) -> Tensors {
        tensors(&self.read(name))
    }

    fn arguments(&self, output: &str, more: &[&str]) -> Vec<String> {
        let (model, base, output) = (self.path("model.json"), self.path("base.safetensors"), self.path(output));
        let all = ["init", &model, "--base", &base, "--rules", &self.path("rules.toml"), "-o", &output];
        let device = if more.contains(&"--device") { &[][..] } else { &["--device", "cpu"] };
        all.iter().chain(device).chain(more).map(ToString::to_string).collect()
    }

    fn init_on_base(&self, output: &str, more: &[&str]) -> String {
        succeed(&strs(&self.arguments(output, more)))
    }

    fn verify(&self, name: &str, more: &[&str]) -> (Option<i32>, Value, String) {
        let run = |json: &[&str]| {
            in_time(&[&["verify", &self.path(name), "--device", "cpu"], more, json].concat(), Stdio::null())
        };
        let (text, json) = (run(&[]), run(&["--json"]));
        assert_eq!(text.status.code(), json.status.code());
        let report = serde_json::from_slice(&json.stdout).unwrap_or_default();
        (text.status.code(), report, String::from_utf8_lossy(&[text.stdout, text.stderr].concat()).into_owned())
    }

    /// Exit code 2, all of these in the message, and nothing new in the folder.
    fn refused(&self, arguments: &[&str], says: &[&str]) {
        let before: Vec<_> = entries(self.0.path()).into_iter().map(|e| (fs::read(&e).ok(), e)).collect();
        let run = in_time(arguments, Stdio::null());
        let message = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {message}");
        for part in says {
            assert!(message.contains(part), "{arguments:?}: \"{message}\" does not say \"{part}\"");
        }
        let after: Vec<_> = entries(self.0.path()).into_iter().map(|e| (fs::read(&e).ok(), e)).collect();
        assert!(after == before, "{arguments:?} left something behind");
    }
}

fn strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// What is behind the header: from where on.
fn data_start(file: &[u8]) -> usize {
    8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize
}

/// What the file says of itself.
fn said(file: &[u8]) -> Value {
    let header: Value = serde_json::from_slice(&file[8..data_start(file)]).unwrap();
    serde_json::from_str(header["__metadata__"]["fanin"].as_str().unwrap()).unwrap()
}

/// The same file that says something else of itself.
fn saying(file: &[u8], said: &Value) -> Vec<u8> {
    let mut header: Value = serde_json::from_slice(&file[8..data_start(file)]).unwrap();
    header["__metadata__"]["fanin"] = said.to_string().into();
    safetensors_of(&header.to_string(), &file[data_start(file)..])
}

/// The tensors of the base bit by bit, the new rows and the missing tensors as of a model that is drawn as a whole.
fn assert_filled(made: &Tensors, base: &Tensors, whole: &Tensors) {
    for (name, (dtype, shape, data)) in made {
        match (base.get(name), whole.get(name)) {
            (Some(old), _) if old.1 == *shape => assert!((dtype, shape, data) == (&old.0, &old.1, &old.2), "{name}"),
            (Some((_, _, old)), Some((_, _, new))) => {
                assert!(data[..old.len()] == old[..] && data[old.len()..] == new[old.len()..], "{name}");
            }
            (None, Some((_, _, new))) => assert!(data == new, "{name}"),
            (_, None) => panic!("{name} is from nowhere"),
        }
    }
}

/// The whole model of the folder, drawn without a base, without what cannot be.
fn drawn(folder: &Folder, more: &[&str]) -> Tensors {
    let mut model: Value = serde_json::from_slice(&folder.read("model.json")).unwrap();
    for name in ["wide", "eight", "no_rule.norm", "empty.weight"] {
        model.as_object_mut().unwrap().remove(name);
    }
    let (list, out) = (folder.write("drawn.json", model.to_string()), folder.path("drawn.safetensors"));
    let rules = folder.path("rules.toml");
    succeed(&[&["init", &list, "--rules", &rules, "-o", &out, "--device", "cpu"], more].concat());
    let tensors = folder.tensors("drawn.safetensors");
    fs::remove_file(list).and_then(|()| fs::remove_file(out)).unwrap();
    tensors
}

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
    assert!(text.contains(&format!("not copied from {base}, as the model has none such: old.pooler\n")), "{text}");
    assert!(text.contains("copied, whose values they do not have: head.weight (of embed.weight)\n"), "{text}");
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
    let rows: Vec<Value> =
        serde_json::from_str(&succeed(&["stats", &folder.path("out.safetensors"), "--json"])).unwrap();
    let of = |name: &str| rows.iter().find(|row| row["tensor"] == name).unwrap();
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

#[test]
fn verify_finds_a_bit_of_what_was_copied_and_of_what_was_drawn() {
    let folder = Folder::with_base();
    folder.init_on_base("out.safetensors", &[]);
    let good = folder.read("out.safetensors");
    let header: Value = serde_json::from_slice(&good[8..data_start(&good)]).unwrap();
    let start = |name: &str| data_start(&good) + header[name]["data_offsets"][0].as_u64().unwrap() as usize;
    let old = "its first 50 rows had the SHA-256";
    let cases = [
        ("layer.0.weight", 3, "its bytes had the SHA-256"),
        ("position_ids", 127, "its bytes had the SHA-256"),
        ("mask", 1, "its bytes had the SHA-256"),
        ("wide", 20, "its bytes had the SHA-256"),
        ("eight", 4, "its bytes had the SHA-256"),
        ("scalar.bias", 0, "its bytes had the SHA-256"),
        ("embed.weight", 0, old),
        ("embed.weight", 50 * 32 - 1, old),
        ("embed.weight", 50 * 32, "1 of 456 values differ, the first is element 400"),
        ("embed.weight", 57 * 32 - 1, "1 of 456 values differ, the first is element 455"),
        ("half.part", 3 * 10, "1 of 20 values differ, the first is element 15"),
        ("from_nothing.bias", 4, "1 of 3 values differ, the first is element 1"),
        ("layer.1.bias", 13, "1 of 7 values differ, the first is element 6"),
    ];
    for (name, at, says) in cases {
        let mut flipped = good.clone();
        flipped[start(name) + at] ^= 0x10;
        folder.write("out.safetensors", flipped);
        let (code, report, text) = folder.verify("out.safetensors", &[]);
        let [difference] = report["differences"].as_array().unwrap().as_slice() else { panic!("{report}") };
        assert_eq!((code, &difference["tensor"]), (Some(1), &json!(name)), "{report}");
        assert!(text.contains(&format!("{name}: {says}")) && text.contains("1 of 16 tensors differ"), "{text}");
        // A sample draws less; what was copied is read all the same.
        if says.contains("SHA-256") {
            assert_eq!(folder.verify("out.safetensors", &["--sample", "1"]).0, Some(1), "{name}");
        }
        let (rules, base) = (folder.path("rules.toml"), folder.path("base.safetensors"));
        assert_eq!(folder.verify("out.safetensors", &["--rules", &rules, "--seed", "0"]).0, Some(1), "{name}");
        assert_eq!(folder.verify("out.safetensors", &["--base", &base]).0, Some(1), "{name}");
    }
    let mut flipped = good.clone();
    flipped[start("embed.weight") + 5] ^= 1;
    flipped[start("embed.weight") + 50 * 32 + 5] ^= 1;
    folder.write("out.safetensors", flipped);
    let (_, report, text) = folder.verify("out.safetensors", &[]);
    assert_eq!(report["differences"].as_array().unwrap().len(), 1, "{report}");
    assert!(text.contains(old) && text.contains("1 of 456 values differ, the first is element 401"), "{text}");

    // Another seed draws the new values alone anew.
    folder.write("out.safetensors", &good);
    let (code, report, _) = folder.verify("out.safetensors", &["--seed", "1"]);
    let different: Vec<_> =
        report["differences"].as_array().unwrap().iter().map(|d| d["tensor"].as_str().unwrap()).collect();
    let new = ["embed.weight", "from_nothing.bias", "half.part", "head.weight", "layer.1.bias", "layer.1.weight"];
    assert_eq!(code, Some(1));
    assert!(different.len() == 6 && new.iter().all(|name| different.contains(name)), "{different:?}");

    // A base that changed since: what the file says of itself does not show it.
    let mut base = folder.tensors("base.safetensors");
    base.get_mut("layer.2.weight").unwrap().2[7] ^= 1;
    base.get_mut("brain.bias").unwrap().0 = Dtype::F16;
    base.get_mut("half.part").unwrap().1 = vec![2, 5];
    base.get_mut("half.part").unwrap().2.truncate(20);
    base.get_mut("scalar.bias").unwrap().1 = vec![1];
    base.remove("mask");
    let other = folder.write("other.safetensors", file(&base));
    assert_eq!(folder.verify("out.safetensors", &[]).0, Some(0));
    let (code, report, text) = folder.verify("out.safetensors", &["--base", &other]);
    assert_eq!((code, report["differences"].as_array().unwrap().len()), (Some(1), 5), "{text}");
    for says in [
        "layer.2.weight: its bytes have the SHA-256",
        "brain.bias: its dtype is BF16, and F16 in",
        "half.part: 3 of its rows were copied by the metadata, and 2 are in",
        "scalar.bias: its shape is [], and [1] in",
        &format!("mask: it was copied by the metadata, and {other} has none such"),
    ] {
        assert!(text.contains(says), "{text}");
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
    folder.refused(
        &strs(&folder.arguments("out.safetensors", &[])),
        &[&from, "the rules skip it, allowed: a rule that has a scheme"],
    );
    rule("[[rule]]\nname = \"x\"\nskip = true\n");
    folder.refused(&strs(&folder.arguments("out.safetensors", &[])), &["1 tensor met no rule: \"layer.0.weight\""]);
}

#[test]
fn what_cannot_be_copied_is_named_and_leaves_nothing_behind() {
    let folder = Folder::with_base();
    let base = folder.path("base.safetensors");
    let list = |name: &str, dtype: &str, shape: Value| {
        folder.write("model.json", json!({name: {"dtype": dtype, "shape": shape}}).to_string());
    };
    let refused = |more: &[&str], says: &[&str]| {
        folder.refused(&strs(&folder.arguments("new.safetensors", more)), says);
    };
    for (name, dtype, here, there) in [
        ("layer.0.weight", "F32", "[5, 4]", "[6, 4]"),
        ("layer.0.weight", "F32", "[6, 5]", "[6, 4]"),
        ("layer.0.weight", "F32", "[7, 5]", "[6, 4]"),
        ("layer.0.weight", "F32", "[24]", "[6, 4]"),
        ("layer.0.weight", "F32", "[]", "[6, 4]"),
        ("scalar.bias", "F32", "[1]", "[]"),
        ("position_ids", "I64", "[1, 17]", "[1, 16]"),
        ("empty.weight", "F32", "[0, 5]", "[0, 4]"),
    ] {
        list(name, dtype, serde_json::from_str(here).unwrap());
        let shapes = format!("tensor \"{name}\": its shape is {here}, and {there} in {base}");
        refused(&[], &["model.json", &shapes, "allowed: the same, or more along the first dimension alone"]);
    }
    for (name, dtype, shape, more, says) in [
        ("layer.0.weight", "BF16", json!([6, 4]), &[][..], "its dtype is BF16 in the model, and F32 in"),
        ("layer.0.weight", "BF16", json!([9, 4]), &[], "its dtype is BF16 in the model, and F32 in"),
        ("layer.0.weight", "F32", json!([6, 4]), &["--dtype", "f16"], "its dtype is F16 by --dtype, and F32 in"),
        ("layer.0.weight", "F32", json!([9, 4]), &["--dtype", "f16"], "its dtype is F16 by --dtype, and F32 in"),
        ("wide", "F64", json!([3]), &["--dtype", "f32"], "its dtype is F32 by --dtype, and F64 in"),
        ("wide", "F32", json!([3]), &[], "its dtype is F32 in the model, and F64 in"),
        ("position_ids", "I32", json!([1, 16]), &[], "its dtype is I32 in the model, and I64 in"),
        ("mask", "U8", json!([3]), &[], "its dtype is U8 in the model, and BOOL in"),
        ("layer.0.weight", "I32", json!([6, 4]), &[], "its dtype is I32 in the model, and F32 in"),
    ] {
        list(name, dtype, shape);
        refused(
            more,
            &["model.json", &format!("tensor \"{name}\": {says} {base}"), "allowed: the same, as nothing is converted"],
        );
    }
    folder.write("rules.toml", format!("dtype = \"bf16\"\n{RULES}"));
    list("layer.0.weight", "F32", json!([9, 4]));
    refused(&[], &["tensor \"layer.0.weight\": its dtype is BF16 by its rule, and F32 in"]);
    folder.write("rules.toml", format!("{RULES}[[rule]]\nname = \"*\"\nscheme = \"ones\"\n"));
    for (name, dtype, shape, there) in [
        ("mask", "BOOL", json!([4]), "[3]"),
        ("position_ids", "I64", json!([2, 16]), "[1, 16]"),
        ("wide", "F64", json!([4]), "[3]"),
        ("eight", "F8_E4M3", json!([6]), "[5]"),
    ] {
        list(name, dtype, shape);
        let says = format!(
            "tensor \"{name}\": it grew from the shape {there} in {base}, and holds {dtype}, which is not drawn"
        );
        refused(&[], &[&says, "allowed: the same shape"]);
    }
    list("layer.0.weight", "F32", json!([6, 4]));
    for rank in ["0", "1"] {
        let more = ["--rank", rank, "--world-size", "2"];
        refused(
            &more,
            &["--base is given to rank", "--rank and --world-size", "allowed: --base for one process alone"],
        );
    }
    // A zero row beyond the model's, no such file, and what is no checkpoint.
    let (model, out) = (folder.path("model.json"), folder.path("new.safetensors"));
    let cut = folder.read("base.safetensors");
    let cut = folder.write("cut.safetensors", &cut[..cut.len() - 1]);
    let index = folder.write("gone.index.json", json!({"weight_map": {"a": "gone.safetensors"}}).to_string());
    for (base, says) in [
        ("/nowhere/base.safetensors", &["/nowhere/base.safetensors"][..]),
        (&model, &["model.json", "the header's length is"]),
        (&cut, &["cut.safetensors", "its header speaks of"]),
        (&index, &["gone.safetensors"]),
    ] {
        folder.refused(&["init", &model, "--base", base, "-o", &out, "--device", "cpu"], says);
    }
    folder.write("model.json", r#"{"counter": {"dtype": "I32", "shape": [2]}}"#);
    refused(&[], &["there is no tensor to draw or copy"]);
    // Of a file that nothing was copied to, the base says nothing.
    let plain = folder.path("plain.safetensors");
    succeed(&["fill", "he_normal", "4x4", "-o", &plain, "--device", "cpu"]);
    folder
        .refused(&["verify", &plain, "--base", &base], &["plain.safetensors", "says of no tensor that it was copied"]);
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

/// Reading the base and replacing it is refused, by whatever name it is called.
#[test]
fn the_base_is_not_replaced() {
    let folder = Folder::with_base();
    let base = folder.path("base.safetensors");
    fs::hard_link(&base, folder.path("hard.safetensors")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&base, folder.path("soft.safetensors")).unwrap();
    fs::create_dir(folder.0.path().join("sub")).unwrap();
    for name in ["base.safetensors", "hard.safetensors", "soft.safetensors", "sub/../base.safetensors"] {
        if name.contains("soft") && cfg!(not(unix)) {
            continue;
        }
        for more in [&[][..], &["--resume"]] {
            let says = ["would be replaced, and is", &base, "allowed: another name for the output"];
            folder.refused(&strs(&folder.arguments(name, more)), &says);
        }
    }
    // The partial file of the output, a shard, and the index.
    let bytes = folder.read("base.safetensors");
    let name = "x-00001-of-00016.safetensors";
    let index = |file: &str| {
        let names = folder.tensors("base.safetensors").into_keys().map(|name| (name, json!(file)));
        json!({"weight_map": Value::Object(names.collect())}).to_string()
    };
    for (base, output) in [(".x.safetensors.partial", "x.safetensors"), (name, "x.safetensors")] {
        let base = folder.write(base, &bytes);
        let mut arguments =
            folder.arguments(output, &["--max-shard-size", if base.ends_with(name) { "1" } else { "1MB" }]);
        arguments[3] = base.clone();
        folder.refused(&strs(&arguments), &["would be replaced", &base]);
        fs::remove_file(base).unwrap();
    }
    let index = folder.write("x.safetensors.index.json", index("base.safetensors"));
    let mut arguments = folder.arguments("x.safetensors", &["--max-shard-size", "1"]);
    arguments[3] = index.clone();
    folder.refused(&strs(&arguments), &["would be replaced", &index]);
    // A device is none of them.
    succeed(&strs(&folder.arguments("/dev/null", &[])));
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
    folder.refused(&strs(&folder.arguments("out.safetensors", &["--resume"])), &["was begun with another", "base"]);
    // Without --resume it is begun anew.
    folder.init_on_base("out.safetensors", &[]);
    assert!(folder.tensors("out.safetensors")["bytes"] == other["bytes"]);
}

type Change<'a> = &'a dyn Fn(&mut Value);

/// What a file says of copies is read with suspicion.
#[test]
fn what_metadata_says_of_copies_is_checked() {
    let folder = Folder::with_base();
    folder.init_on_base("out.safetensors", &[]);
    let good = folder.read("out.safetensors");
    let own = said(&good);
    let changed = |change: Change, more: &[&str]| {
        let mut said = own.clone();
        change(&mut said);
        folder.write("changed.safetensors", saying(&good, &said));
        let (code, report, text) = folder.verify("changed.safetensors", more);
        let _ = succeed(&["stats", &folder.path("changed.safetensors")]);
        (code, report, text)
    };
    assert_eq!(changed(&|_| (), &[]).0, Some(0));
    for (tensor, rows, code, says) in [
        ("embed.weight", json!(58), 1, "58 of its rows were copied by the metadata, allowed: at most 57"),
        ("embed.weight", json!(u64::MAX), 1, "of its rows were copied by the metadata"),
        ("embed.weight", json!(57), 1, "its first 57 rows had the SHA-256"),
        ("embed.weight", json!(0), 1, "its first 0 rows had the SHA-256"),
        ("embed.weight", json!(null), 1, "its bytes had the SHA-256"),
        ("scalar.bias", json!(1), 1, "1 of its rows were copied by the metadata, allowed: at most 0"),
        ("scalar.bias", json!(0), 1, "0 of its rows were copied by the metadata, allowed: at most 0"),
        ("layer.0.weight", json!(6), 1, "layer.0.weight: it is not among the tensors that were written"),
        ("empty.weight", json!(1), 1, "allowed: at most 0"),
        ("embed.weight", json!(-1), 2, "its metadata cannot be read"),
        ("embed.weight", json!(1.5), 2, "its metadata cannot be read"),
        ("embed.weight", json!("50"), 2, "its metadata cannot be read"),
    ] {
        let (found, report, text) = changed(&|said| said["copied"][tensor]["rows"] = rows.clone(), &[]);
        assert_eq!(found, Some(code), "{tensor} {rows}: {report}");
        assert!(text.contains(says), "{tensor} {rows}: {text}");
    }
    let missing = json!({"sha256": "x"});
    let cases: [(Change, i32, &str); 8] = [
        (&|said| said["copied"]["wide"]["more"] = json!(1), 2, "unknown field `more`"),
        (&|said| said["copied"]["wide"] = json!({"rows": 1}), 2, "missing field `sha256`"),
        (&|said| said["copied"] = json!([]), 2, "its metadata cannot be read"),
        (
            &|said| said["copied"]["wide"]["sha256"] = json!("\u{1b}[31m"),
            1,
            "wide: its bytes had the SHA-256 \\u{1b}[31m",
        ),
        (&|said| said["copied"]["none.such"] = missing.clone(), 1, "none.such: it is missing"),
        (
            &|said| drop(said["copied"].as_object_mut().unwrap().remove("scalar.bias")),
            1,
            "scalar.bias: it is not among",
        ),
        (&|said| said["copied"]["layer.1.weight"] = missing.clone(), 1, "layer.1.weight: its bytes had"),
        (
            &|said| {
                let all = said["copied"]["empty.weight"].clone();
                said["tensors"]["empty.weight"] = said["tensors"]["layer.1.weight"].clone();
                said["copied"]["empty.weight"] = all;
            },
            1,
            "empty.weight: all of it was copied, and drawn, by the metadata, allowed: one of them",
        ),
    ];
    for (change, code, says) in cases {
        let (found, report, text) = changed(change, &[]);
        assert_eq!(found, Some(code), "{says}: {report}");
        assert!(text.contains(says), "{text}");
    }
    // A file that says that all of it was copied agrees with itself, and proves nothing of a seed or of rules.
    let base = folder.path("base.safetensors");
    let list = folder.write("old.json", r#"{"old.pooler": {"dtype": "F32", "shape": [2]}}"#);
    let out = folder.path("old.safetensors");
    succeed(&["init", &list, "--base", &base, "-o", &out, "--device", "cpu"]);
    for (more, code) in [(&[][..], 0), (&["--seed", "0"], 2), (&["--scheme", "normal"], 2), (&["--base", &base], 0)] {
        let (found, _, text) = folder.verify("old.safetensors", more);
        assert_eq!(found, Some(code), "{text}");
        assert!(code == 0 || text.contains("none of 1 tensors was compared"), "{text}");
    }
    let both = folder.verify("old.safetensors", &["--base", &base, "--scheme", "normal", "--seed", "0"]);
    assert_eq!(both.0, Some(0), "{}", both.2);
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
        (|n| format!("x{n}"), &[], Err("allowed: --base-prefix with what stands before the model's names there")),
    ];
    for (wrapped, more, expected) in cases {
        let there: Vec<String> = names.iter().map(|name| wrapped(name)).collect();
        let other = folder.write("other.json", list(&there));
        succeed(&["init", &other, "-o", &base, "--scheme", "normal", "--seed", "7", "--device", "cpu"]);
        let run = init(more);
        let said = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
        match expected {
            Ok(part) => {
                assert!(
                    run.status.success() && said.contains(part) && said.contains("3 tensors copied"),
                    "{there:?}: {said}"
                );
                let (made, copied) =
                    (tensors(&folder.read("out.safetensors")), tensors(&folder.read("base.safetensors")));
                for (name, wrapped) in names.iter().zip(&there) {
                    assert!(made[*name] == copied[wrapped], "{name}");
                }
                succeed(&[&["verify", &out, "--base", &base, "--device", "cpu"], more].concat());
                fs::remove_file(&out).unwrap();
            }
            Err(part) => {
                assert_eq!(run.status.code(), Some(2), "{there:?}: {said}");
                assert!(
                    said.contains("no name of") && said.contains(part) && !Path::new(&out).exists(),
                    "{there:?}: {said}"
                );
            }
        }
    }
    let wrong = init(&["--base-prefix", "teacher."]);
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(said.contains("--base-prefix is \"teacher.\", allowed: one that names of"), "{said}");
}
