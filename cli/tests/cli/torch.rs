//! PyTorch's seeds: one tensor, and a model in the order of its plan.

use fanin::torch::{Draw, Place, ScalarType};
use fanin::{Distribution, Dtype, Stream, cpu};
use safetensors::tensor::SafeTensors;
use serde_json::{Value, json};

use super::common::{Folder, fanin, succeed};

const NORMAL: Distribution = Distribution::Normal { mean: 0.0, std: 1.0 };

fn refused(arguments: &[&str], parts: &[&str]) {
    let run = fanin(arguments);
    let message = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(parts.iter().all(|part| message.contains(part)), "{arguments:?}: {message}");
}

/// `torch.manual_seed(42); torch.empty(1000).normal_()`, as `tests/golden/torch_draws.txt` has it.
#[test]
fn a_tensor_is_pytorchs_and_so_is_the_next_one() {
    let fill = ["fill", "normal", "1000", "--stream", "torch", "--device", "cpu"];
    let digest = "13b35fb427f5f8d71b856b1b58bdb07f268a5b64691a92e3c6b62414637fabfd";
    assert_eq!(succeed(&[&fill[..], &["--seed", "42", "--digest"]].concat()).trim(), digest);
    // A ragged tensor takes 16 words more.
    let folder = Folder::new();
    let path = folder.path("w.safetensors");
    for place in [&["--seed", "42", "--at", "1016"][..], &["--seed", "42@1016"]] {
        succeed(&[&fill[..], place, &["--range", "3..800", "-o", &path]].concat());
        let next = NORMAL.fill(&[1000], Stream::torch(Place::new(42).on(1016)), Dtype::F32).unwrap();
        let bytes = folder.read("w.safetensors");
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("weight").unwrap().data(), cpu::bytes(&next.elements(3..800).unwrap()).unwrap());
        succeed(&["verify", &path, "--device", "cpu"]);
    }
    for stream in [&["torch-key", "--seed", "42,7"][..], &["torch-cuda", "--seed", "42,sms=132,threads=2048,offset=4"]]
    {
        succeed(&[&["fill", "uniform", "50x3", "--device", "cpu", "-o", &path, "--stream"], stream].concat());
        succeed(&["verify", &path, "--device", "cpu"]);
    }
}

fn plan() -> Value {
    json!({
        "plan": 1, "contract": 2, "torch": "2.15.0", "transformers": "5.24.0",
        "draws": [
            {"name": "normal_", "elements": 3, "dtype": "f32", "scheme": "normal:mean=0,std=1"},
            {"name": "normal_", "elements": 40, "dtype": "f32", "scheme": "normal:mean=0,std=1", "strided": true},
            {"name": "sparse_", "elements": 17, "dtype": "f32", "scheme": "normal:mean=0,std=1", "then": 5},
            {"name": "normal_", "elements": 24, "dtype": "bf16", "scheme": "normal:mean=0,std=1"},
            {"name": "normal_", "elements": 9, "dtype": "f32", "scheme": "normal:mean=0,std=1"},
            {"name": "exponential_", "elements": 9, "dtype": "f32", "cause": "fanin does not replay it"},
            {"name": "normal_", "elements": 24, "dtype": "f32", "scheme": "normal:mean=0,std=1"},
        ],
        "tensors": {
            "b.weight": {
                "dtype": "BF16", "shape": [4, 6], "scheme": "normal:mean=0,std=1", "draw": 3,
                "slices": [{"dim": 0, "start": 2, "end": 3, "scheme": "constant:value=0"}],
            },
            "a.weight": {"dtype": "F32", "shape": [9], "scheme": "normal:mean=0,std=1", "draw": 4},
            "norm": {"dtype": "F32", "shape": [9], "scheme": "constant:value=1"},
        },
    })
}

#[test]
fn a_plan_is_drawn_in_pytorchs_order() {
    let folder = Folder::new();
    let path = folder.write("plan.json", plan().to_string());
    let whole = folder.path("OUT/model.safetensors");
    let out = format!("{}/", folder.path("OUT"));
    succeed(&["init", &path, "-o", &out, "--generator", "torch", "--seed", "7", "--device", "cpu"]);
    let draw = |elements, scalar| Draw::new(&NORMAL, scalar, elements).unwrap();
    let place = draw(40, ScalarType::F32).strided().after(draw(3, ScalarType::F32).after(Place::new(7)));
    let b = draw(17, ScalarType::F32).after(place).on(5);
    let a = draw(24, ScalarType::BF16).after(b);
    // 3 and 40 values are drawn in pairs, one of which is left to the nine.
    assert_eq!(b.words(), 4 * 22 + 33 + 5);
    let bytes = folder.read("OUT/model.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let of_b = NORMAL
        .fill(&[4, 6], Stream::torch(b), Dtype::BF16)
        .unwrap()
        .with_part(0, 2..3, Distribution::Constant { value: 0.0 })
        .unwrap();
    assert_eq!(file.tensor("b.weight").unwrap().data(), cpu::bytes(&of_b).unwrap());
    let of_a = NORMAL.fill(&[9], Stream::torch(a), Dtype::F32).unwrap();
    assert_eq!(file.tensor("a.weight").unwrap().data(), cpu::bytes(&of_a).unwrap());
    assert_eq!(file.tensor("norm").unwrap().data()[..4], 1f32.to_le_bytes());
    succeed(&["verify", &whole, "--device", "cpu"]);
    // Ranks write parts of the same.
    let shard = folder.path("part.safetensors");
    let rank = ["--split", "0", "--rank", "1", "--world-size", "2"];
    succeed(
        &[&["init", &path, "-o", &shard, "--stream", "torch", "--seed", "7", "--device", "cpu"][..], &rank].concat(),
    );
    let bytes = folder.read("part.rank-1-of-2.safetensors");
    let part = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(part.tensor("b.weight").unwrap().data(), cpu::bytes(&of_b.slice(0, 2..4).unwrap()).unwrap());
}

#[test]
fn what_is_not_in_pytorchs_order_is_refused() {
    let folder = Folder::new();
    let out = folder.path("w.safetensors");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut plan = plan();
        change(&mut plan);
        folder.write("plan.json", plan.to_string())
    };
    let init = |path: &str, more: &[&str], parts: &[&str]| {
        refused(&[&["init", path, "-o", &out, "--generator", "torch", "--device", "cpu"], more].concat(), parts);
    };
    let list = folder.write("list.json", r#"{"w": {"dtype": "F32", "shape": [4, 4]}}"#);
    init(&list, &["--scheme", "normal"], &["the stream is torch", "order of its code"]);
    init(&with(&|_| ()), &["--dtype", "f16"], &["\"a.weight\"", "f16", "in which PyTorch draws it"]);
    init(&with(&|_| ()), &["--scheme", "normal"], &["the plan's own"]);
    let without = |plan: &mut Value| drop(plan["tensors"]["a.weight"].as_object_mut().unwrap().remove("draw"));
    init(&with(&without), &[], &["\"a.weight\"", "no draw of PyTorch's generator by itself"]);
    init(&with(&|plan| plan["tensors"]["a.weight"]["draw"] = 7.into()), &[], &["draw 7", "below 7"]);
    let late = |plan: &mut Value| {
        plan["tensors"]["late"] = json!({"dtype": "F32", "shape": [24], "scheme": "normal:mean=0,std=1", "draw": 6});
    };
    init(&with(&late), &[], &["exponential_", "not known"]);
    init(&with(&|plan| plan["reseeded"] = "torch.manual_seed".into()), &[], &["calls torch.manual_seed"]);
    let other = |plan: &mut Value| plan["tensors"]["a.weight"]["shape"] = json!([8]);
    init(&with(&other), &[], &["\"a.weight\"", "elements is 8", "9"]);
    for (arguments, parts) in [
        (&["torch-cuda", "--seed", "42"][..], &["SEED,sms=N,threads=N"][..]),
        (&["torch-cuda", "--seed", "42,sms=1,threads=1"], &["SEED,sms=N,threads=N"]),
        (&["torch-key", "--seed", "-1"], &["SEED or SEED,OFFSET"]),
        (&["torch", "--seed", "-1"], &["SEED@WORDS"]),
        (&["torch", "--seed", "1@2", "--at", "3"], &["--at is 3", "one place"]),
        (&["jax", "--seed", "1", "--at", "3"], &["--at is 3", "--stream torch"]),
    ] {
        refused(&[&["fill", "normal", "4", "--device", "cpu", "--stream"], arguments].concat(), parts);
    }
    refused(
        &["init", &list, "-o", &out, "--scheme", "normal", "--stream", "torch-key"],
        &["torch-key", "draws single tensors"],
    );
}
