//! Plans: how each tensor of a model starts, as fanin for Python saves it.

use std::process::Stdio;

use fanin::{Distribution, Dtype, Stream, cpu};
use safetensors::tensor::{Dtype as FileDtype, SafeTensors, TensorView, serialize};
use serde_json::{Value, json};

use super::common::{Folder, entries, in_time, succeed};

fn plan() -> Value {
    json!({
        "plan": 1, "contract": 2, "torch": "2.15.0", "values": "plan.values.safetensors", "aliases": {"head": "[*]odd.weight"},
        "tensors": {
            "[*]odd.weight": {
                "dtype": "F32", "shape": [6, 4], "scheme": "truncated_normal:mean=0.0,std=0.02,low=-inf,high=0.040000000000000001",
                "slices": [{"dim": 0, "start": 2, "end": 3, "scheme": "constant:value=0.0"}],
            },
            "copy.weight": {"dtype": "BF16", "shape": [6, 4], "scheme": "normal:mean=0.0,std=1e-05", "stream": "[*]odd.weight"},
            "mix.weight": {"dtype": "F32", "shape": [4, 3], "scheme": "orthogonal:gain=1.4,rows=4,columns=3"},
            "table": {"dtype": "F32", "shape": [3]},
            "counts": {"dtype": "I64", "shape": [2]},
        },
    })
}

impl Folder {
    fn with_plan(plan: &Value) -> (Folder, String) {
        let folder = Folder::new();
        let table: Vec<u8> = [1.5f32, -2.0, 0.25].into_iter().flat_map(f32::to_le_bytes).collect();
        let counts: Vec<u8> = [7i64, 9].into_iter().flat_map(i64::to_le_bytes).collect();
        let views = [
            ("table", TensorView::new(FileDtype::F32, vec![3], &table).unwrap()),
            ("counts", TensorView::new(FileDtype::I64, vec![2], &counts).unwrap()),
        ];
        folder.write("plan.values.safetensors", serialize(views, None).unwrap());
        let path = folder.write("plan.json", plan.to_string());
        (folder, path)
    }
}

#[test]
fn a_plan_is_drawn_and_its_values_are_copied() {
    let (folder, plan) = Folder::with_plan(&plan());
    succeed(&["init", &plan, "-o", &format!("{}/", folder.path("OUT")), "--seed", "42", "--device", "cpu"]);
    let bytes = folder.read("OUT/model.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let odd = Distribution::TruncatedNormal { mean: 0.0, std: 0.02, low: f64::NEG_INFINITY, high: 0.04 };
    let stream = Stream::named(42, "[*]odd.weight");
    let expected = odd
        .fill(&[6, 4], stream, Dtype::F32)
        .unwrap()
        .with_part(0, 2..3, Distribution::Constant { value: 0.0 })
        .unwrap();
    assert_eq!(file.tensor("[*]odd.weight").unwrap().data(), cpu::bytes(&expected).unwrap());
    let copy = Distribution::Normal { mean: 0.0, std: 1e-5 };
    let expected = copy.fill(&[6, 4], stream, Dtype::BF16).unwrap();
    assert_eq!(file.tensor("copy.weight").unwrap().data(), cpu::bytes(&expected).unwrap());
    assert_eq!(file.tensor("table").unwrap().data()[..4], 1.5f32.to_le_bytes());
    assert_eq!(file.tensor("counts").unwrap().data()[8..], 9i64.to_le_bytes());
    assert_eq!(entries(&folder.0.path().join("OUT")).len(), 1, "a plan is no configuration");

    let whole = folder.path("OUT/model.safetensors");
    succeed(&["verify", &whole, "--device", "cpu"]);
    succeed(&["verify", &whole, "--rules", &plan, "--seed", "42", "--device", "cpu"]);
    assert!(succeed(&["rules", &plan]).contains("the words of [*]odd.weight"));
    succeed(&["probe", &plan, "--device", "cpu"]);
}

#[test]
fn ranks_share_a_plan_and_one_of_them_has_its_values() {
    let (folder, plan) = Folder::with_plan(&plan());
    let mut names = Vec::new();
    for rank in ["0", "1"] {
        let out = folder.path("out.safetensors");
        let ranks = ["--rank", rank, "--world-size", "2"];
        succeed(&[&["init", &plan, "-o", &out, "--seed", "42", "--device", "cpu"][..], &ranks].concat());
        let bytes = folder.read(&format!("out.rank-{rank}-of-2.safetensors"));
        names.extend(SafeTensors::deserialize(&bytes).unwrap().names().into_iter().map(String::from));
    }
    names.sort();
    assert_eq!(names, ["[*]odd.weight", "copy.weight", "counts", "mix.weight", "table"]);
}

#[test]
fn a_wrong_plan_is_named() {
    let tensor = |said: Value| {
        let mut plan = plan();
        plan["tensors"]["mix.weight"] = said;
        plan
    };
    let with = |key: &str, value: Value| {
        let mut plan = plan();
        plan[key] = value;
        plan
    };
    for (plan, says) in [
        (with("plan", 2.into()), "the plan is of version 2, value contract 2, allowed: version 1, value contract 2"),
        (with("contract", 1.into()), "value contract 1"),
        (with("more", 1.into()), "unknown field `more`"),
        (with("values", "../x.safetensors".into()), "without a folder"),
        (with("values", "none.safetensors".into()), "none.safetensors"),
        (with("values", Value::Null), "has no scheme, and the plan no values"),
        (
            tensor(json!({"dtype": "F32", "shape": [4, 3]})),
            "tensor \"mix.weight\" has no scheme, allowed: values of it in",
        ),
        (tensor(json!({"dtype": "F64", "shape": [4, 3], "scheme": "zeros"})), "its dtype is F64"),
        (tensor(json!({"dtype": "F31", "shape": [4, 3], "scheme": "zeros"})), "has the dtype \"F31\""),
        (tensor(json!({"dtype": "F32", "shape": [4, 3], "scheme": "nrmal"})), "did you mean normal"),
        (
            tensor(json!({"dtype": "F32", "shape": [4, 3], "refuse": "norm, computed by torch"})),
            "norm, computed by torch",
        ),
        (tensor(json!({"dtype": "F32", "shape": [4, 3], "scheme": "zeros", "refuse": "x"})), "allowed: one of them"),
        (tensor(json!({"dtype": "F32", "shape": [4, 3], "stream": "table"})), "allowed: with a scheme"),
        (tensor(json!({"dtype": "F32", "shape": [4, 3], "scheme": "zeros", "stream": "gone"})), "which is not there"),
        (
            tensor(
                json!({"dtype": "F32", "shape": [4, 3], "scheme": "zeros", "slices": [{"dim": 0, "start": 3, "end": 9, "scheme": "ones"}]}),
            ),
            "a whole number from 0 to 4",
        ),
    ] {
        let (folder, path) = Folder::with_plan(&plan);
        let before = entries(folder.0.path());
        let run = in_time(&["init", &path, "-o", &folder.path("x.safetensors"), "--device", "cpu"], Stdio::null());
        let message = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.code() == Some(2) && message.contains(says), "{says}: {message}");
        assert_eq!(entries(folder.0.path()), before);
    }
    let (folder, path) = Folder::with_plan(&plan());
    let base = folder.path("plan.values.safetensors");
    let out = folder.path("x.safetensors");
    for (more, says) in
        [(["--base", base.as_str()], "and the plan has"), (["--set", "a=1"], "is a plan, allowed with --set")]
    {
        let run = in_time(&[&["init", &path, "-o", &out][..], &more].concat(), Stdio::null());
        let message = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.code() == Some(2) && message.contains(says), "{message}");
    }
}
