//! Whole checkpoints: rules, shards, ranks, interruption, verification.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use crate::common::{Folder, entries, fanin, models, path, succeed};
use safetensors::SafeTensors;
use serde_json::Value;

/// A model with all that makes a difference: dtypes, ranks, uneven dimensions, a padding row, a tied tensor.
const MODEL: &str = r#"{
    "__metadata__": {"format": "pt"},
    "embeddings.word_embeddings.weight": {"dtype": "F32", "shape": [1001, 64]},
    "encoder.layer.0.query.weight": {"dtype": "BF16", "shape": [96, 64]},
    "encoder.layer.0.query.bias": {"dtype": "BF16", "shape": [96]},
    "encoder.layer.1.query.weight": {"dtype": "F16", "shape": [96, 64]},
    "encoder.layer.1.conv.weight": {"dtype": "F32", "shape": [7, 5, 3, 3]},
    "encoder.layer.1.hidden.weight": {"dtype": "F32", "shape": [40, 96]},
    "encoder.layer.1.recurrent.weight": {"dtype": "BF16", "shape": [96, 40]},
    "encoder.layer.1.norm.weight": {"dtype": "F32", "shape": [64]},
    "scalar": {"dtype": "F32", "shape": []},
    "decoder.weight": {"dtype": "F32", "shape": [1001, 64]},
    "position_ids": {"dtype": "I64", "shape": [1, 64]}
}"#;

const RULES: &str = r#"
[constants]
std = 0.02
[count]
n_layers = "encoder.layer.*.query.weight"
[[rule]]
name = "*word_embeddings.weight"
scheme = "normal:std=std"
zero_row = 1
[[rule]]
name = "decoder.weight"
scheme = "normal:std=std"
stream = "embeddings.word_embeddings.weight"
zero_row = 1
[[rule]]
name = "*.query.weight"
scheme = "truncated_normal:std=std/sqrt(2*n_layers)"
[[rule]]
name = "*.bias"
fans_from = "weight"
scheme = "standard"
[[rule]]
name = "*"
rank = 4
scheme = "he_uniform"
[[rule]]
name = "*.hidden.weight"
scheme = "sparse:sparsity=1/2,std=std"
[[rule]]
name = "*.recurrent.weight"
scheme = "orthogonal:gain=sqrt(2)"
[[rule]]
name = ["*.norm.weight", "scalar"]
scheme = "ones"
"#;

impl Folder {
    fn with_model() -> Folder {
        let folder = Folder::new();
        folder.write("model.json", MODEL);
        folder.write("rules.toml", RULES);
        folder
    }

    /// `init` of the model by the rules.
    fn init(&self, output: &str, more: &[&str]) -> String {
        let (model, rules, output) = (self.path("model.json"), self.path("rules.toml"), self.path(output));
        succeed(&[&["init", &model, "--rules", &rules, "-o", &output, "--seed", "5", "--device", "cpu"], more].concat())
    }
}

/// Tensors by name: shape and bytes.
fn tensors(file: &[u8]) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let file = SafeTensors::deserialize(file).unwrap();
    file.iter().map(|(name, t)| (name.to_string(), (t.shape().to_vec(), t.data().to_vec()))).collect()
}

#[test]
fn rules_say_what_each_tensor_draws() {
    let folder = Folder::with_model();
    let list = || succeed(&["rules", &folder.path("model.json"), "--rules", &folder.path("rules.toml"), "--json"]);
    // Of the integer tensor no rule is asked.
    let (model, rules) = (folder.path("model.json"), folder.path("rules.toml"));
    assert!(succeed(&["rules", &model, "--rules", &rules]).contains("as they hold integers: position_ids"));
    let rows: Vec<Value> = serde_json::from_str(&list()).unwrap();
    let of = |name: &str| rows.iter().find(|row| row["tensor"] == name).unwrap();
    assert_eq!(of("encoder.layer.0.query.weight")["distribution"], "normal(0, 0.01^2) in [-0.02, 0.02]");
    // The fans of the weight beside it: 64.
    assert_eq!(of("encoder.layer.0.query.bias")["distribution"], "uniform[-0.125, 0.125)");
    assert_eq!(of("decoder.weight")["stream"], "embeddings.word_embeddings.weight");
    assert!(!rows.iter().any(|row| row["tensor"] == "position_ids"));
    assert_eq!(of("scalar")["pattern"], "scalar");
    let table = succeed(&["rules", &model, "--rules", &rules]);
    assert!(table.contains("constant(0) at 1..2 along dimension 0"), "{table}");

    folder.init("out.safetensors", &[]);
    let made = tensors(&folder.read("out.safetensors"));
    assert_eq!(made.len(), 10);
    let words = &made["embeddings.word_embeddings.weight"].1;
    assert!(words[64 * 4..128 * 4].iter().all(|&b| b == 0) && words[..256].chunks(4).all(|x| x != [0; 4]));
    assert!(*words == made["decoder.weight"].1);
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
    let one = tensors(&folder.read("one.safetensors"));
    let mut found = BTreeMap::new();
    for (name, file) in index["weight_map"].as_object().unwrap() {
        let shard = tensors(&folder.read(file.as_str().unwrap()));
        found.insert(name.clone(), shard[name].clone());
    }
    assert!(found == one);
    let total: usize = one.values().map(|(_, data)| data.len()).sum();
    assert_eq!(index["metadata"]["total_size"], total);
    // The index is a model and a checkpoint itself.
    let (index, again) = (folder.path("many.safetensors.index.json"), folder.path("again.safetensors"));
    succeed(&["verify", &index, "--device", "cpu"]);
    let rules = folder.path("rules.toml");
    succeed(&["init", &index, "--rules", &rules, "-o", &again, "--seed", "5", "--device", "cpu"]);
    assert!(tensors(&folder.read("again.safetensors")) == one);
    // Nothing but shards, index and what was there.
    assert!(entries(folder.0.path()).iter().all(|e| !e.to_string_lossy().contains("partial")));
}

/// Puts slices along a dimension together again.
fn joined(parts: &[(Vec<usize>, Vec<u8>)], dim: usize, whole: &(Vec<usize>, Vec<u8>)) -> Vec<u8> {
    let (shape, data) = whole;
    if shape.len() <= dim {
        assert!(parts.iter().all(|part| part == whole));
        return data.clone();
    }
    let runs: usize = shape[..dim].iter().product();
    let mut bytes = Vec::new();
    for run in 0..runs {
        for (_, part) in parts {
            let length = part.len() / runs;
            bytes.extend_from_slice(&part[run * length..(run + 1) * length]);
        }
    }
    bytes
}

#[test]
fn ranks_under_mpirun_make_the_single_run() {
    let folder = Folder::with_model();
    folder.init("single.safetensors", &[]);
    let single = tensors(&folder.read("single.safetensors"));
    for ranks in [1, 2, 3, 8] {
        for split in ["tensor", "0", "1"] {
            let output = format!("{split}-{ranks}.safetensors");
            let run = Command::new("mpirun")
                .args(["--allow-run-as-root", "--oversubscribe", "-n", &ranks.to_string()])
                .args([env!("CARGO_BIN_EXE_fanin"), "init", &folder.path("model.json")])
                .args(["--rules", &folder.path("rules.toml"), "-o", &folder.path(&output)])
                .args(["--seed", "5", "--device", "cpu", "--split", split])
                .output()
                .expect("mpirun is missing: apt-get install openmpi-bin, or run tests/run");
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            let name = |rank: usize| match ranks {
                1 => output.clone(),
                _ => format!("{split}-{ranks}.rank-{rank}-of-{ranks}.safetensors"),
            };
            let files: Vec<_> = (0..ranks).map(|rank| tensors(&folder.read(&name(rank)))).collect();
            for (tensor, whole) in &single {
                let parts: Vec<_> = files.iter().filter_map(|file| file.get(tensor).cloned()).collect();
                match split.parse() {
                    Err(_) => assert!(parts == [whole.clone()], "{tensor} on {ranks} ranks"),
                    Ok(dim) => {
                        assert_eq!(parts.len(), ranks);
                        assert!(joined(&parts, dim, whole) == whole.1, "{tensor} along {dim} on {ranks} ranks");
                    }
                }
            }
            for rank in 0..ranks {
                succeed(&["verify", &folder.path(&name(rank)), "--device", "cpu"]);
            }
        }
    }
}

/// Of a tensor of f32, the elements with these indices along each dimension.
fn boxed(whole: &(Vec<usize>, Vec<u8>), ranges: &[Range<usize>]) -> (Vec<usize>, Vec<u8>) {
    let (shape, data) = whole;
    let is_in = |element: &usize| {
        let mut rest = *element;
        shape.iter().zip(ranges).rev().all(|(size, range)| {
            let index = rest % size;
            rest /= size;
            range.contains(&index)
        })
    };
    let bytes = (0..data.len() / 4).filter(is_in).flat_map(|i| data[4 * i..4 * i + 4].to_vec()).collect();
    (ranges.iter().map(|range| range.end - range.start).collect(), bytes)
}

/// Each tensor as its rule says, on a line of ranks and on a mesh: what a rank has is its box of the single run, and no other.
#[test]
fn rules_say_how_ranks_share_a_model() {
    let folder = Folder::with_model();
    let shapes = [
        ("l.q.weight", vec![10, 8]),
        ("l.o.weight", vec![8, 10]),
        ("l.experts.up", vec![5, 8, 12]),
        ("norm.weight", vec![8]),
        ("head.weight", vec![31, 4]),
        ("small.weight", vec![3, 4]),
        ("twice.weight", vec![7, 3]),
    ];
    let list: Vec<_> = shapes
        .iter()
        .map(|(name, shape)| format!("\"{name}\": {{\"dtype\": \"F32\", \"shape\": {shape:?}}}"))
        .collect();
    let model = folder.write("moe.json", format!("{{{}}}", list.join(",")));
    let rule = |name: &str, split: &str| format!("[[rule]]\nname = \"{name}\"\nscheme = \"normal\"\n{split}\n");
    let mesh = [
        rule("l.q.weight", "split = { tp = 0 }"),
        rule("l.o.weight", "split = { tp = 1 }"),
        rule("l.experts.up", "split = { ep = 0, tp = 2 }"),
        rule("twice.weight", "split = { tp = 0, ep = 0 }"),
        rule("norm.weight", ""),
        rule("*", "split = \"tensor\""),
    ];
    let line = [
        rule("l.q.weight", "split = 0"),
        rule("l.o.weight", "split = 1"),
        rule("l.experts.up", "split = 2"),
        rule("norm.weight", "split = \"whole\""),
        rule("*", "split = \"tensor\""),
    ];
    // As torch.chunk has it, of a range.
    let chunk = |range: Range<usize>, rank: usize, ranks: usize| {
        let each = range.len().div_ceil(ranks);
        let at = |r: usize| range.start + (each * r).min(range.len());
        at(rank)..at(rank + 1)
    };
    for (name, rules, options, ranks, axes) in [
        ("mesh", mesh.concat(), ["--mesh", "tp=3,ep=2"], 6, [3, 2]),
        ("line", line.concat(), ["--split", "rules"], 4, [4, 1]),
    ] {
        let toml = folder.write(&format!("{name}.toml"), rules);
        let init = ["init", &model, "--rules", &toml, "--seed", "5", "--device", "cpu", "-o"];
        succeed(&[&init[..], &[&folder.path("one.safetensors")]].concat());
        let single = tensors(&folder.read("one.safetensors"));
        let run = Command::new("mpirun")
            .args(["--allow-run-as-root", "--oversubscribe", "-n", &ranks.to_string(), env!("CARGO_BIN_EXE_fanin")])
            .args(init)
            .arg(folder.path(&format!("{name}.safetensors")))
            .args(options)
            .output()
            .expect("mpirun is missing: apt-get install openmpi-bin, or run tests/run");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let mut of_one = Vec::new();
        for rank in 0..ranks {
            let file = format!("{name}.rank-{rank}-of-{ranks}.safetensors");
            let mut has = tensors(&folder.read(&file));
            let (tp, ep) = (rank / axes[1], rank % axes[1]);
            for (tensor, dims) in [
                ("l.q.weight", &[(0, tp, axes[0])][..]),
                ("l.o.weight", &[(1, tp, axes[0])]),
                ("l.experts.up", &[(2, tp, axes[0]), (0, ep, axes[1])]),
                ("twice.weight", &[(0, tp, axes[0]), (0, ep, axes[1])]),
                ("norm.weight", &[]),
            ] {
                if (name, tensor) == ("line", "twice.weight") {
                    continue;
                }
                let whole = &single[tensor];
                let mut ranges: Vec<_> = whole.0.iter().map(|&size| 0..size).collect();
                for &(dim, place, places) in dims {
                    ranges[dim] = chunk(ranges[dim].clone(), place, places);
                }
                assert_eq!(has.remove(tensor).unwrap(), boxed(whole, &ranges), "{file}: {tensor}");
            }
            for (tensor, part) in has {
                assert_eq!(part, single[&tensor]);
                of_one.push(tensor);
            }
            succeed(&["verify", &folder.path(&file), "--device", "cpu"]);
            // By rules that are given, of which the parts are the file's.
            succeed(&["verify", &folder.path(&file), "--device", "cpu", "--rules", &toml, "--seed", "5"]);
        }
        of_one.sort();
        let expected: &[_] = if name == "mesh" {
            &["head.weight", "small.weight"]
        } else {
            &["head.weight", "small.weight", "twice.weight"]
        };
        assert_eq!(of_one, expected);
    }
    let table = succeed(&["rules", &model, "--rules", &folder.path("mesh.toml")]);
    assert!(table.contains("split ep=0,tp=2") && table.contains("split tensor"), "{table}");
    let init = |rules: &str, more: &[&str]| {
        let rules = folder.path(rules);
        let out = folder.path("none.safetensors");
        let run = fanin(&[&["init", &model, "--rules", &rules, "-o", &out, "--device", "cpu"], more].concat());
        assert_eq!(run.status.code(), Some(2));
        String::from_utf8_lossy(&run.stderr).into_owned()
    };
    folder.write("unsplit.toml", rule("*", "split = \"whole\""));
    // What the rules say and nobody asks for is said.
    let whole = [
        "--rank",
        "0",
        "--world-size",
        "4",
        "--rules",
        &folder.path("line.toml"),
        "-o",
        &folder.path("whole.safetensors"),
    ];
    let said = succeed(&[&["init", &model, "--device", "cpu"][..], &whole].concat());
    assert!(said.contains("--split rules or --mesh"), "{said}");
    let ranks = ["--rank", "0", "--world-size", "4"];
    for (rules, more, says) in [
        ("mesh.toml", &["--split", "rules"][..], "along the mesh's axis tp, allowed: none; --mesh says them"),
        ("mesh.toml", &["--mesh", "tp=2,dp=2"], "along the mesh's axis ep, allowed: tp, dp"),
        ("mesh.toml", &["--mesh", "tp=3,ep=2"], "--mesh has 6 ranks, allowed: 4, the world size"),
        (
            "line.toml",
            &["--mesh", "tp=2,ep=2"],
            "tensor \"l.q.weight\": its split is 0, allowed with a mesh: dimensions for",
        ),
        ("line.toml", &["--mesh", "tp=4", "--split", "0"], "allowed: rules"),
        ("unsplit.toml", &["--split", "rules"], "no rule that a tensor met says a split"),
    ] {
        let said = init(rules, &[&ranks, more].concat());
        assert!(said.contains(says), "{said}");
    }
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

/// Rules that no tensor meets are said, and `rules` refuses what `init` does.
#[test]
fn rules_that_do_nothing_and_rows_that_are_not_there_are_said() {
    let folder = Folder::with_model();
    let rules = "[[rule]]\nname = \"*.wieght\"\nscheme = \"ones\"\n[[rule]]\nname = \"*\"\nscheme = \"zeros\"\n";
    let (rules, model, out) =
        (folder.write("typo.toml", rules), folder.path("model.json"), folder.path("out.safetensors"));
    let said = "no tensor met the rules of line 1 (*.wieght)";
    assert!(succeed(&["rules", &model, "--rules", &rules]).contains(said));
    assert!(succeed(&["init", &model, "--rules", &rules, "-o", &out, "--device", "cpu"]).contains(said));
    assert!(!succeed(&["rules", &model, "--scheme", "normal"]).contains("no tensor met"));
    let layouts = ["--layout", "*.wieght=in_out", "--layout", "*.weight=in_out"];
    let said = succeed(&[&["rules", &model, "--scheme", "normal"][..], &layouts].concat());
    assert!(said.contains("no tensor of two dimensions or more has --layout's *.wieght\n"), "{said}");
    let row = folder.write("row.toml", "[[rule]]\nname = \"*\"\nscheme = \"normal\"\nzero_row = 5000\n");
    for json in [&[][..], &["--json"]] {
        let run = fanin(&[&["rules", &model, "--rules", &row], json].concat());
        let (table, wrong) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert_eq!(run.status.code(), Some(2), "{wrong}");
        assert!(table.contains("the zero row is 5000") && wrong.contains("cannot be drawn"), "{table}{wrong}");
    }
}

/// One scheme draws all matrices: those that are not called weights are said.
#[test]
fn what_a_scheme_draws_that_is_called_no_weight_is_said() {
    let folder = Folder::with_model();
    let tensor = r#"{"dtype": "F32", "shape": [4, 4]}"#;
    let names = ["a.weight", "b/kernel", "tok_EMBEDDINGS", "cls_token", "x.state"];
    let list: Vec<_> = names.iter().map(|name| format!("\"{name}\": {tensor}")).collect();
    let (list, out) = (folder.write("list.json", format!("{{{}}}", list.join(", "))), folder.path("out.safetensors"));
    let said = "neither weight nor kernel nor embedding: cls_token, x.state\n";
    let init = ["init", &list, "--scheme", "he_normal", "-o", &out, "--device", "cpu"];
    assert!(succeed(&init).contains(said));
    assert!(succeed(&["rules", &list, "--scheme", "he_normal"]).contains(said));
    assert!(!succeed(&["rules", &list, "--scheme", "zeros"]).contains("neither weight"));
    let report: Value = serde_json::from_str(&succeed(&[&init[..], &["--json"]].concat())).unwrap();
    assert!(report["notes"][0].as_str().unwrap().contains("cls_token, x.state"), "{report}");
}

/// A dtype that rounds or cuts off what is drawn says the deviation that comes out; one that leaves nothing of it draws nothing.
#[test]
fn what_a_dtype_cannot_hold_is_said() {
    let folder = Folder::with_model();
    let list = r#"{"a.weight": {"dtype": "F16", "shape": [64, 64]}, "b.weight": {"dtype": "F16", "shape": [64, 64]}}"#;
    let (list, out) = (folder.write("list.json", list), folder.path("out.safetensors"));
    let init = |scheme| fanin(&["init", &list, "--scheme", scheme, "-o", &out, "--device", "cpu"]);
    let said = String::from_utf8(init("normal:std=6e4").stdout).unwrap();
    assert!(said.contains("has a std of 6.0000e4, and in f16 4.54"), "{said}");
    assert!(said.contains("comes out: a.weight and 1 more"), "{said}");
    assert!(!String::from_utf8(init("normal:std=0.02").stdout).unwrap().contains("comes out"));
    fs::remove_file(&out).unwrap();
    let run = init("normal:std=1e-9");
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(
        run.status.code() == Some(2) && said.contains("tensor \"a.weight\"") && said.contains("f16 rounds to 0"),
        "{said}"
    );
    assert!(!Path::new(&out).exists());
    let fill = ["fill", "uniform:low=1,high=1.001", "100", "--dtype", "bf16", "-o", &out];
    let run = fanin(&fill);
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8(run.stderr).unwrap().contains("all of which bf16 rounds to 1"));
    let run = fanin(&["fill", "normal:mean=1,std=0.001", "100", "--dtype", "bf16", "-o", &out, "--device", "cpu"]);
    assert!(run.status.success() && String::from_utf8(run.stderr).unwrap().contains("in bf16"));
}

/// Parts are told by a file's own words, and a bit of one is found.
#[test]
fn parts_are_verified() {
    let folder = Folder::with_model();
    let list = folder
        .write("list.json", r#"{"qkv": {"dtype": "F32", "shape": [12, 8]}, "bias": {"dtype": "F32", "shape": [8]}}"#);
    let rules = folder.write(
        "parts.toml",
        "[[rule]]\nname = 'qkv'\nscheme = 'he_normal'\nzero_row = 2\n[[rule.part]]\ndim = 1\nblocks = 4\nblock = [1, 3]\nscheme = 'ones'\n\
         [[rule]]\nname = 'bias'\nscheme = 'zeros'\n[[rule.part]]\nblocks = 4\nblock = 1\nscheme = 'uniform:low=1,high=2'\n",
    );
    let out = folder.path("out.safetensors");
    succeed(&["init", &list, "--rules", &rules, "-o", &out, "--device", "cpu"]);
    let made = tensors(&folder.read("out.safetensors"));
    let value = |name: &str, i: usize| f32::from_le_bytes(made[name].1[4 * i..][..4].try_into().unwrap());
    assert_eq!([value("qkv", 2), value("qkv", 7), value("qkv", 16), value("bias", 0)], [1.0, 1.0, 0.0, 0.0]);
    assert!(value("qkv", 4) != 1.0 && (1.0..2.0).contains(&value("bias", 2)));
    succeed(&["verify", &out, "--device", "cpu"]);
    succeed(&["verify", &out, "--device", "cpu", "--rules", &rules, "--seed", "0"]);
    let mut bytes = folder.read("out.safetensors");
    let place = bytes.len() - 12 * 8 * 4 + 2 * 4;
    bytes[place] ^= 1;
    let run = fanin(&["verify", &folder.write("bit.safetensors", bytes), "--device", "cpu"]);
    assert_eq!(run.status.code(), Some(1));
    for adapter in crate::common::adapters() {
        let other = folder.path("other.safetensors");
        succeed(&["init", &list, "--rules", &rules, "-o", &other, "--device", adapter]);
        assert_eq!(folder.read("out.safetensors"), folder.read("other.safetensors"), "{adapter}");
    }
}

/// A tensor without elements is drawn as nothing, whatever its scheme needs, and stops no model.
#[test]
fn what_is_empty_is_drawn_as_nothing() {
    let folder = Folder::with_model();
    let list = r#"{"a.weight": {"dtype": "F32", "shape": [0, 64]}, "b.weight": {"dtype": "F32", "shape": [2, 3]}}"#;
    let (list, out) = (folder.write("list.json", list), folder.path("out.safetensors"));
    succeed(&["init", &list, "--scheme", "he_normal", "-o", &out, "--device", "cpu"]);
    let drawn = tensors(&folder.read("out.safetensors"));
    assert_eq!((&drawn["a.weight"], drawn["b.weight"].1.len()), (&(vec![0, 64], vec![]), 24));
    succeed(&["verify", &out, "--device", "cpu"]);
    // Also where a rank has nothing of a tensor.
    let rank = ["--rank", "2", "--world-size", "3", "--split", "0"];
    succeed(&[&["init", &list, "--scheme", "he_normal", "-o", &out, "--device", "cpu"], &rank[..]].concat());
    let (name, file) = ("out.rank-2-of-3.safetensors", folder.read("out.rank-2-of-3.safetensors"));
    assert_eq!(tensors(&file)["b.weight"], (vec![0, 3], vec![]));
    succeed(&["verify", &folder.path(name), "--device", "cpu"]);
}

#[cfg(unix)]
#[test]
fn ranks_write_to_a_device_as_it_is() {
    let folder = Folder::with_model();
    let (model, rules) = (folder.path("model.json"), folder.path("rules.toml"));
    succeed(&[
        "init",
        &model,
        "--rules",
        &rules,
        "-o",
        "/dev/null",
        "--device",
        "cpu",
        "--rank",
        "1",
        "--world-size",
        "2",
    ]);
    assert!(!Path::new("/dev/null.rank-1-of-2").exists());
}

/// A model that takes a moment to write.
fn large_model(folder: &Folder) -> String {
    folder.write(
        "large.json",
        r#"{"a": {"dtype": "F32", "shape": [6000, 6000]}, "b": {"dtype": "BF16", "shape": [6001, 6001]}}"#,
    )
}

fn init_large(folder: &Folder, output: &str) -> Vec<String> {
    let arguments = ["init", &large_model(folder), "-o", &folder.path(output), "--seed", "5", "--device", "cpu"];
    let more = ["--memory", "4MiB", "--scheme", "truncated_normal"];
    arguments.iter().chain(&more).map(ToString::to_string).collect()
}

#[test]
fn what_is_killed_leaves_no_file_and_is_resumed_to_the_same_bytes() {
    let folder = Folder::with_model();
    let started = Instant::now();
    succeed(&init_large(&folder, "whole.safetensors").iter().map(String::as_str).collect::<Vec<_>>());
    let (whole, took) = (folder.read("whole.safetensors"), started.elapsed());
    let target = PathBuf::from(folder.path("killed.safetensors"));
    let arguments = init_large(&folder, "killed.safetensors");
    let mut resumed = 0;
    for moment in 0..10u32 {
        let mut child =
            Command::new(env!("CARGO_BIN_EXE_fanin")).args(&arguments).stdout(Stdio::null()).spawn().unwrap();
        sleep(took * (2 * moment + 1) / 20);
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        if target.exists() {
            // It was done before.
            assert!(fs::read(&target).unwrap() == whole);
        } else {
            resumed += u32::from(entries(folder.0.path()).iter().any(|e| e.ends_with(".killed.safetensors.partial")));
            let resume: Vec<_> = arguments.iter().map(String::as_str).chain(["--resume"]).collect();
            succeed(&resume);
            assert!(fs::read(&target).unwrap() == whole, "moment {moment}");
        }
        fs::remove_file(&target).unwrap();
        assert!(entries(folder.0.path()).iter().all(|e| !e.to_string_lossy().contains("partial")));
    }
    assert!(resumed >= 3, "only {resumed} of 10 kills left something to resume");
    // What another command began is not gone on with.
    let partial = folder.write(".killed.safetensors.partial", &whole[..5000]);
    let other: Vec<_> = arguments.iter().map(String::as_str).chain(["--resume", "--dtype", "f16"]).collect();
    let run = fanin(&other);
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&run.stderr).contains("was begun with another"), "{run:?}");
    assert!(!target.exists() && Path::new(&partial).exists());
}

/// A tmpfs of 64 MiB in a namespace of its own, which needs no root.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_no_file_and_is_resumed() {
    let folder = Folder::with_model();
    succeed(&init_large(&folder, "whole.safetensors").iter().map(String::as_str).collect::<Vec<_>>());
    fs::create_dir(folder.0.path().join("small")).unwrap();
    let command = init_large(&folder, "small/out.safetensors").join(" ");
    let program = env!("CARGO_BIN_EXE_fanin");
    let small = folder.path("small");
    let script = format!(
        "mount -t tmpfs -o size=64m tmpfs {small} || exit 90
         {program} {command} && exit 91
         [ $? = 1 ] || exit 92
         [ ! -e {small}/out.safetensors ] || exit 93
         mount -o remount,size=400m {small} || exit 94
         {program} {command} --resume || exit 95
         cmp {small}/out.safetensors {whole} || exit 96",
        whole = folder.path("whole.safetensors"),
    );
    let run =
        Command::new("unshare").args(["--map-root-user", "--user", "--mount", "sh", "-c", &script]).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    assert!(String::from_utf8_lossy(&run.stderr).contains("--resume"), "{run:?}");
}

#[test]
fn verify_finds_a_bit_a_seed_and_a_name() {
    let folder = Folder::with_model();
    folder.init("out.safetensors", &[]);
    let file = folder.read("out.safetensors");
    let out = folder.path("out.safetensors");
    let verify = |more: &[&str]| fanin(&[&["verify", &out, "--device", "cpu"], more].concat());
    let report = |more: &[&str]| -> (Option<i32>, Value) {
        let run = verify(&[&["--json"], more].concat());
        (run.status.code(), serde_json::from_slice(&run.stdout).unwrap())
    };
    assert_eq!(report(&[]).0, Some(0));
    let rules = folder.path("rules.toml");
    assert_eq!(report(&["--rules", &rules]).0, Some(0));
    assert_eq!(report(&["--sample", "50"]), report(&["--sample", "50"]));
    assert_eq!(report(&["--sample", "50"]).0, Some(0));

    let (code, wrong_seed) = report(&["--seed", "6"]);
    assert_eq!(code, Some(1));
    let differences = wrong_seed["differences"].as_array().unwrap();
    assert!(differences.iter().any(|d| d["tensor"] == "decoder.weight" && d["first"] == 0), "{wrong_seed}");

    // One bit, in a tensor in the middle and at the end.
    let start = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    for at in [start, start + 300_001, file.len() - 1] {
        let mut flipped = file.clone();
        flipped[at] ^= 0x10;
        folder.write("out.safetensors", &flipped);
        let (code, found) = report(&[]);
        assert_eq!(code, Some(1));
        let [difference] = found["differences"].as_array().unwrap().as_slice() else { panic!("{found}") };
        assert_eq!(difference["different"], 1);
        let tensors = SafeTensors::deserialize(&flipped).unwrap();
        let tensor = tensors.tensor(difference["tensor"].as_str().unwrap()).unwrap();
        let from = tensor.data().as_ptr() as usize - flipped.as_ptr() as usize;
        let size = tensor.dtype().bitsize() / 8;
        assert_eq!(difference["first"], (at - from) / size);
        let text = String::from_utf8(verify(&[]).stdout).unwrap();
        assert!(text.contains("1 of") && text.contains("differ, the first is element"), "{text}");
    }

    // A tensor under another name of the same length.
    let renamed =
        String::from_utf8_lossy(&file[8..start]).replace("\"decoder.weight\":{\"dtype", "\"encoder.weight\":{\"dtype");
    folder.write("out.safetensors", [&file[..8], renamed.as_bytes(), &file[start..]].concat());
    let (code, found) = report(&[]);
    assert_eq!(code, Some(1));
    let text = found.to_string();
    assert!(text.contains("encoder.weight") && text.contains("it is missing"), "{text}");
}

/// A tensor that a version of another contract drew is refused and named; the others are compared as ever.
#[test]
fn verify_refuses_the_tensors_of_another_contract_alone() {
    let folder = Folder::with_model();
    folder.init("out.safetensors", &[]);
    let file = folder.read("out.safetensors");
    let start = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8_lossy(&file[8..start]).into_owned();
    // Seeds are strings, which JavaScript reads without losing a bit.
    assert!(header.contains(r#"\"seed\":\"5\""#), "{header}");
    let ours = format!(r#"\"contract\":{}"#, fanin::VALUE_CONTRACT);
    assert_eq!(header.matches(&ours).count(), 10, "{header}");
    let other = header.replacen(&ours, r#"\"contract\":9"#, 1);
    assert_eq!(other.len(), header.len());
    let verify = |data: &[u8], more: &[&str]| {
        let path = folder.write("other.safetensors", [&file[..8], other.as_bytes(), data].concat());
        let run = fanin(&[&["verify", &path, "--device", "cpu", "--json"], more].concat());
        let report: Value = serde_json::from_slice(&run.stdout).unwrap();
        (run.status.code(), report, String::from_utf8(run.stderr).unwrap())
    };
    let rules = folder.path("rules.toml");
    for more in [&[][..], &["--rules", &rules]] {
        let (code, report, message) = verify(&file[start..], more);
        assert_eq!(code, Some(2), "{report}");
        assert_eq!(report["differences"], serde_json::json!([]));
        let [refused] = report["not_compared"].as_array().unwrap().as_slice() else { panic!("{report}") };
        assert_eq!(refused["tensor"], "decoder.weight");
        let reason = refused["reason"].as_str().unwrap();
        assert!(reason.contains("fanin 0.1.0 drew it by value contract 9 of native streams"), "{reason}");
        assert!(message.contains("1 of 10 tensors"), "{message}");
    }
    // And what differs is said beside it.
    let mut data = file[start..].to_vec();
    *data.last_mut().unwrap() ^= 1;
    let (code, report, message) = verify(&data, &[]);
    let count = |list: &str| report[list].as_array().unwrap().len();
    assert_eq!((code, count("differences"), count("not_compared")), (Some(1), 1, 1), "{report}");
    assert!(message.contains("1 of 10 tensors differ"), "{message}");
}

#[test]
fn stats_are_those_of_the_values() {
    let folder = Folder::with_model();
    folder.init("out.safetensors", &[]);
    let out = folder.path("out.safetensors");
    let rows: Vec<Value> = serde_json::from_str(&succeed(&["stats", &out, "--json"])).unwrap();
    let of = |name: &str| rows.iter().find(|row| row["tensor"] == name).unwrap().clone();
    let words = of("embeddings.word_embeddings.weight");
    assert_eq!((words["count"].as_u64(), words["zeros"].as_u64()), (Some(64 * 1001), Some(64)));
    assert_eq!(words["expected_std"], 0.02);
    let values: Vec<f64> = tensors(&folder.read("out.safetensors"))["embeddings.word_embeddings.weight"]
        .1
        .chunks(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()).into())
        .collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let std = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    assert!((words["mean"].as_f64().unwrap() - mean).abs() < 1e-15);
    assert!((words["std"].as_f64().unwrap() / std - 1.0).abs() < 1e-12);
    let histogram: u64 = words["histogram"].as_array().unwrap().iter().map(|c| c.as_u64().unwrap()).sum();
    assert_eq!(histogram, 64 * 1001);
    let scalar = of("scalar");
    assert_eq!(
        (scalar["min"].as_f64(), scalar["max"].as_f64(), scalar["std"].as_f64()),
        (Some(1.0), Some(1.0), Some(0.0))
    );

    // Numbers that are none are counted apart.
    let odd = [f32::NAN, f32::INFINITY, 0.0, 2.0, -f32::INFINITY];
    let header = br#"{"w":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}}  "#;
    let data: Vec<u8> = odd.iter().flat_map(|x| x.to_le_bytes()).collect();
    let odd = folder.write("odd.safetensors", [&(header.len() as u64).to_le_bytes()[..], header, &data].concat());
    let rows: Value = serde_json::from_str(&succeed(&["stats", &odd, "--json"])).unwrap();
    let row = &rows[0];
    assert_eq!((row["nan"].as_u64(), row["infinite"].as_u64(), row["zeros"].as_u64()), (Some(1), Some(2), Some(1)));
    assert_eq!((row["mean"].as_f64(), row["max"].as_f64()), (Some(1.0), Some(2.0)));
    assert!(succeed(&["stats", &odd]).contains("w F32 [5]"));
    let table = succeed(&["stats", &out]);
    assert!(table.contains("█") && table.contains("0.02000"), "{table}");
}

/// Each case: arguments, and what the message must name. Exit code 2, and nothing left behind.
#[test]
fn wrong_checkpoints_and_rules_are_named_and_leave_nothing_behind() {
    let folder = Folder::with_model();
    folder.init("good.safetensors", &[]);
    folder.init("many.safetensors", &["--max-shard-size", "200KB"]);
    let good = folder.read("good.safetensors");
    let start = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let file = |name: &str, json: &str, data: usize| {
        folder.write(name, [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &vec![0; data]].concat())
    };
    let rules = |name: &str, text: &str| folder.write(name, text);
    let (model, out, toml) = (folder.path("model.json"), folder.path("new.safetensors"), folder.path("rules.toml"));
    let good_path = folder.path("good.safetensors");
    let words = |json: &str| String::from_utf8_lossy(&good[8..start]).replace("\\\"seed\\\":\\\"5\\\"", json);
    let stated = |name: &str, header: &str| {
        folder.write(name, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &good[start..]].concat())
    };
    let index = |name: &str, text: &str| folder.write(name, text);
    let init = |rules: &str| -> Vec<String> {
        ["init", &model, "-o", &out, "--device", "cpu", "--rules", rules].map(String::from).into()
    };
    let scheme = |more: &[&str]| -> Vec<String> {
        let init = ["init", &model, "-o", &out, "--device", "cpu", "--scheme", "he_normal"];
        [&init, more].concat().iter().map(ToString::to_string).collect()
    };
    let init_with = |more: &[&str]| -> Vec<String> {
        [&["init", &model, "-o", &out, "--device", "cpu", "--rules", &toml], more]
            .concat()
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    let verify = |file: &str, more: &[&str]| -> Vec<String> {
        [&["verify", file, "--device", "cpu"], more].concat().iter().map(ToString::to_string).collect()
    };
    let one = |scheme: &str| format!("[[rule]]\nname = \"*\"\n{scheme}\n");
    let cases: Vec<(Vec<String>, &[&str])> = vec![
        // Rules.
        (init("/nowhere/rules.toml"), &["/nowhere/rules.toml"]),
        (init("/dev/zero"), &["/dev/zero", "longer than"]),
        (init(&rules("empty.toml", "")), &["empty.toml", "no [[rule]]"]),
        (init(&rules("toml.toml", "[[rule]\n")), &["toml.toml", "line 1"]),
        (init(&rules("key.toml", &one("shceme = \"normal\""))), &["key.toml", "line 3", "shceme", "scheme"]),
        (init(&rules("table.toml", "[rules]\nname = \"*\"\n")), &["table.toml", "rules", "rule"]),
        (init(&rules("scheme.toml", &one("scheme = \"he_norml\""))), &["scheme.toml", "he_norml", "he_normal"]),
        (init(&rules("parameter.toml", &one("scheme = \"normal:sdt=1\""))), &["parameter.toml", "sdt"]),
        (init(&rules("none.toml", "[[rule]]\nname = \"*\"\n")), &["none.toml", "line 1", "without a scheme"]),
        (init(&rules("both.toml", &one("scheme = \"ones\"\nskip = true"))), &["skip and scheme"]),
        (init(&rules("name.toml", "[[rule]]\nscheme = \"ones\"\n")), &["name.toml", "name"]),
        (init(&rules("names.toml", "[[rule]]\nname = []\nscheme = \"ones\"\n")), &["names.toml", "line 2", "is empty"]),
        (init(&rules("glob.toml", "[[rule]]\nname = \"[a\"\nscheme = \"ones\"\n")), &["glob.toml", "[a"]),
        (init(&rules("dtype.toml", &one("scheme = \"ones\"\ndtype = \"f8\""))), &["dtype.toml", "f8", "bf16"]),
        (init(&rules("layout.toml", &one("scheme = \"ones\"\nlayout = \"oi\""))), &["layout.toml", "oi", "out_in"]),
        (init(&rules("rank.toml", &one("scheme = \"ones\"\nrank = -1"))), &["rank.toml", "line 4"]),
        (init(&rules("shape.toml", &one("scheme = \"ones\"\nshape = [\"?\"]"))), &["shape.toml", "\"?\""]),
        (
            init(&rules("variable.toml", &one("scheme = \"normal:std=sigma/2\""))),
            &["variable.toml", "sigma", "not defined"],
        ),
        (init(&rules("operator.toml", &one("scheme = \"normal:std=2^3\""))), &["operator.toml", "^", "sqrt"]),
        (init(&rules("constant.toml", &format!("[constants]\nx = inf\n{}", one("scheme = \"ones\"")))), &["x is inf"]),
        (init(&rules("word.toml", &format!("[constants]\n\"a-b\" = 1.0\n{}", one("scheme = \"ones\"")))), &["a-b"]),
        (
            init(&rules("zero.toml", &format!("[count]\nn = \"nothing\"\n{}", one("scheme = \"normal:std=1/n\"")))),
            &["model.json", "tensor \"embeddings.word", "line 5", "is inf"],
        ),
        (init(&rules("fans.toml", &one("scheme = \"he_normal\""))), &["model.json", "line 3", "fewer than two"]),
        (init(&rules("row.toml", &one("scheme = \"ones\"\nzero_row = 5000"))), &["the zero row is 5000", "below 1001"]),
        (
            init(&rules("unmatched.toml", "[[rule]]\nname = \"*.weight\"\nscheme = \"ones\"\n")),
            &["2 tensors met no rule", "encoder.layer.0.query.bias", "scalar"],
        ),
        (init(&rules("all.toml", "[[rule]]\nname = \"*\"\nskip = true\n")), &["no tensor to draw"]),
        (init_with(&["--preset", "gpt2"]), &["--preset", "--rules"]),
        (init_with(&["--scheme", "ones"]), &["--scheme", "--rules"]),
        (["init", &model, "-o", &out, "--preset", "brt"].map(String::from).into(), &["brt", "bert"]),
        (["init", &model, "-o", &out, "--preset", "auto"].map(String::from).into(), &["auto", "--rules"]),
        // Ranks, sizes, layouts.
        (init_with(&["--rank", "1"]), &["--world-size"]),
        (init_with(&["--rank", "3", "--world-size", "3"]), &["3 of 3"]),
        (init_with(&["--rank", "0", "--world-size", "0"]), &["0 of 0"]),
        (init_with(&["--split", "rows"]), &["rows", "tensor"]),
        (init_with(&["--mesh", "tp"]), &["tp=4,ep=2"]),
        (init_with(&["--mesh", "tp=2"]), &["--mesh has 2 ranks", "1, the world size"]),
        (scheme(&["--layout", "in_uot"]), &["in_uot", "out_in"]),
        (scheme(&["--layout", "*=in_uot"]), &["in_uot", "out_in"]),
        (scheme(&["--layout", "=in_out"]), &["the pattern is empty"]),
        (
            scheme(&["--layout", "out_in:groups=0"]),
            &["groups of the layout out_in is \"0\"", "a whole number from 1 on"],
        ),
        (scheme(&["--layout", "axes:in_axes=0"]), &["out_axes of the layout axes is not given"]),
        (scheme(&["--layout", "[=in_out"]), &["the pattern", "\"[\""]),
        (scheme(&["--layout", "in_out", "--layout", "out_in"]), &["twice", "once"]),
        (init_with(&["--max-shard-size", "lots"]), &["lots", "5GB"]),
        (init_with(&["--max-shard-size", "0"]), &["at least 1"]),
        (init_with(&["--memory", "1KB"]), &["memory", "at least 1MiB"]),
        (
            ["init", &model, "-o", "/dev/null", "--resume", "--device", "cpu", "--rules", &toml]
                .map(String::from)
                .into(),
            &["/dev/null", "--resume"],
        ),
        // Checkpoints.
        (verify("/nowhere/x.safetensors", &[]), &["/nowhere/x.safetensors"]),
        (verify(&folder.write("three.safetensors", b"abc"), &[]), &["three.safetensors", "3 bytes"]),
        (
            verify(&folder.write("cut.safetensors", &good[..good.len() - 1]), &[]),
            &["cut.safetensors", "its header speaks of"],
        ),
        (
            verify(&folder.write("more.safetensors", [&good[..], &[0]].concat()), &[]),
            &["more.safetensors", "its header speaks of"],
        ),
        (verify(&folder.write("head.safetensors", &good[..100]), &[]), &["head.safetensors", "header's length"]),
        (verify(&folder.write("max.safetensors", [0xff; 100]), &[]), &["18446744073709551615"]),
        (
            verify(
                &file(
                    "overlap.safetensors",
                    r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
                    12,
                ),
                &[],
            ),
            &["overlap.safetensors", "offset"],
        ),
        (
            verify(
                &file(
                    "huge.safetensors",
                    r#"{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]}}"#,
                    8,
                ),
                &[],
            ),
            &["huge.safetensors"],
        ),
        (
            verify(&file("back.safetensors", r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8), &[]),
            &["back.safetensors"],
        ),
        (
            verify(
                &file(
                    "twice.safetensors",
                    r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
                    4,
                ),
                &[],
            ),
            &["twice.safetensors", "\"a\" stands twice"],
        ),
        (
            verify(&file("silent.safetensors", r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4), &[]),
            &["silent.safetensors", "seed", "--rules"],
        ),
        (
            verify(
                &file("seedless.safetensors", r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4),
                &["--seed", "1"],
            ),
            &["seedless.safetensors", "how it was made"],
        ),
        (
            verify(&stated("seed.safetensors", &words(r#"\"seed\":\"-5\""#)), &[]),
            &["seed.safetensors", "metadata", "the seed is \"-5\""],
        ),
        (
            verify(&stated("old.safetensors", &words(r#"\"contract\":1,\"seed\":5"#)), &[]),
            &["old.safetensors", "fanin 0.1.0 drew it", "contract 1"],
        ),
        (verify(&good_path, &["--sample", "0"]), &["--sample"]),
        (verify(&good_path, &["--preset", "resnet"]), &["good.safetensors", "met no rule"]),
        // Indices.
        (verify(&index("none.index.json", "{}"), &[]), &["none.index.json", "weight_map"]),
        (verify(&index("gone.index.json", r#"{"weight_map": {"a": "gone.safetensors"}}"#), &[]), &["gone.safetensors"]),
        (
            verify(&index("up.index.json", r#"{"weight_map": {"a": "../good.safetensors"}}"#), &[]),
            &["up.index.json", "../good.safetensors", "beside the index"],
        ),
        (
            verify(&index("other.index.json", r#"{"weight_map": {"a": "good.safetensors"}}"#), &[]),
            &["other.index.json", "\"a\" is not in good.safetensors"],
        ),
        (
            ["stats", &folder.path("cut.safetensors")].map(String::from).into(),
            &["cut.safetensors", "its header speaks of"],
        ),
        (["stats", &model].map(String::from).into(), &["model.json"]),
        (["rules", "--print", "brt"].map(String::from).into(), &["brt", "bert"]),
    ];
    assert!(cases.len() >= 40);
    for (arguments, parts) in cases {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let before = entries(folder.0.path());
        let run = fanin(&arguments);
        let message = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {message}");
        for part in parts {
            assert!(message.contains(part), "{arguments:?}: \"{message}\" does not say \"{part}\"");
        }
        assert_eq!(entries(folder.0.path()), before, "{arguments:?} left something behind");
    }
}

/// FUSE and object stores lack calls: a file is whole without a length that is set beforehand and without a sync, and where it cannot
/// get its name it is whole under another one.
#[cfg(target_os = "linux")]
#[test]
fn file_systems_that_lack_calls_get_whole_files() {
    let folder = Folder::new();
    let shim = folder.path("lacking.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lacking.c");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o", &shim, source]).output().unwrap();
    assert!(compiled.status.success(), "{compiled:?}");
    let list: BTreeMap<_, _> =
        (0..3).map(|i| (format!("{i}.weight"), serde_json::json!({"dtype": "F32", "shape": [1024, 1024]}))).collect();
    let model = folder.write("model.json", serde_json::to_string(&list).unwrap());
    let run = |lacks: &str, output: &str, more: &[&str]| {
        let arguments = ["init", &model, "-o", output, "--scheme", "normal", "--device", "cpu"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_fanin"));
        let output = command.args(arguments).args(more).env("LD_PRELOAD", &shim).env("LACKS", lacks).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let expected = folder.path("expected.safetensors");
    assert_eq!(run("", &expected, &[]).0, Some(0));
    let expected = folder.read("expected.safetensors");
    let out = folder.path("out.safetensors");
    // What a run before left is longer, or the beginning of the same.
    let left = [Vec::new(), vec![7; expected.len() + 100], expected[..10 << 20].to_vec()];
    for lacks in ["ftruncate", "fsync", "ftruncate fsync"] {
        for (at, left) in left.iter().enumerate() {
            folder.write(".out.safetensors.partial", left);
            let (code, said) = run(lacks, &out, if at == 2 { &["--resume"] } else { &[] });
            assert_eq!(code, Some(0), "{lacks}: {said}");
            assert!(folder.read("out.safetensors") == expected, "{lacks}, {at}");
            assert_eq!(said.contains("out.safetensors: fsync: Invalid argument"), lacks.contains("fsync"), "{said}");
            fs::remove_file(&out).unwrap();
        }
    }
    let (code, said) = run("rename", &out, &[]);
    let partial = folder.path(".out.safetensors.partial");
    let says = format!(
        "{out}: rename: Function not implemented (os error 38); the file is whole, and has the name {partial}: copy it to {out}, and \
         of several files go on with --resume"
    );
    assert!(code == Some(1) && said.contains(&says), "{said}");
    assert!(!Path::new(&out).exists() && folder.read(".out.safetensors.partial") == expected);
    // As it says, shard by shard, to the index.
    let names: Vec<_> = (1..=3).map(|i| format!("out-0000{i}-of-00003.safetensors")).collect();
    for name in names.iter().map(String::as_str).chain(["out.safetensors.index.json"]) {
        let (code, said) = run("rename", &out, &["--max-shard-size", "4MiB", "--resume"]);
        assert!(code == Some(1) && said.contains(&format!("copy it to {}", folder.path(name))), "{name}: {said}");
        fs::copy(folder.path(&format!(".{name}.partial")), folder.path(name)).unwrap();
    }
    let index: Value = serde_json::from_slice(&folder.read("out.safetensors.index.json")).unwrap();
    assert_eq!(index["metadata"], serde_json::json!({"total_parameters": 3 << 20, "total_size": 12 << 20}));
    succeed(&["verify", &folder.path("out.safetensors.index.json"), "--device", "cpu"]);
    // What is no missing call is about the data.
    let (code, said) = run("disk", &out, &[]);
    assert!(code == Some(1) && said.contains("out.safetensors: fsync: Input/output error"), "{said}");
    assert!(!Path::new(&out).exists());
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
    assert_eq!(index["metadata"], serde_json::json!({"total_parameters": 40, "total_size": 4 * 56}));
}

/// Nothing of an orthogonal matrix is there before all is: what is drawn, and for how long, shows on a terminal.
#[cfg(target_os = "linux")]
#[test]
fn a_tensor_that_is_drawn_in_one_piece_shows_on_a_terminal() {
    let folder = Folder::new();
    let out = folder.path("w.safetensors");
    for more in ["--digest".to_string(), format!("-o {out}"), String::new()] {
        let fanin = env!("CARGO_BIN_EXE_fanin");
        let line = format!("{fanin} fill orthogonal 1536x1024 --device cpu {more}");
        let output = Command::new("script").args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && shown.contains("CPU draws weight, in pieces of 6.0 MiB"), "{more}: {shown}");
    }
}
