//! `init --base`: what a checkpoint has is copied, and the rest is drawn.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::common::*;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};

mod copied;
mod refused;
mod verified;

fn file(tensors: &Tensors) -> Vec<u8> {
    let view = |(dtype, shape, data)| TensorView::new(dtype, shape, data).unwrap();
    let views = tensors.iter().map(|(name, (dtype, shape, data))| (name, view((*dtype, shape.clone(), data))));
    serialize(views, None).unwrap()
}

fn list(tensors: &Tensors) -> String {
    let entry = |(dtype, shape, _): &Tensor| json!({"dtype": dtype.to_string(), "shape": shape});
    serde_json::to_string(&tensors.iter().map(|(name, t)| (name, entry(t))).collect::<BTreeMap<_, _>>()).unwrap()
}

/// A tensor of bytes that nobody draws.
fn tensor(dtype: Dtype, shape: &[usize], number: u32) -> Tensor {
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
