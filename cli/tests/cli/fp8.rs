//! Configurations with a `quantization_config` of fp8 by blocks.

use std::fs;

use crate::common::{Folder, Tensors, fanin, succeed, tensors};
use half::bf16;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

/// DeepSeek-V3's configuration at a small size, whose blocks cut rows and columns that they do not divide; its `quantization_config` has
/// DeepSeek-V3's own keys.
fn deepseek() -> Value {
    json!({
        "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "vocab_size": 301, "hidden_size": 96,
        "intermediate_size": 160, "moe_intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 4, "n_routed_experts": 3, "n_shared_experts": 1, "first_k_dense_replace": 1, "q_lora_rank": 48,
        "kv_lora_rank": 32, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16, "v_head_dim": 16, "torch_dtype": "bfloat16",
        "quantization_config": {
            "quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [64, 32],
        },
    })
}

fn with(pairs: Value) -> Value {
    let mut config = deepseek();
    for (key, value) in pairs.as_object().unwrap() {
        config["quantization_config"][key] = value.clone();
    }
    config
}

/// The number of an E4M3 byte: sign, four bits of an exponent with the bias 7, three of the fraction.
fn e4m3(byte: u8) -> f64 {
    let (exponent, fraction) = (i32::from(byte >> 3 & 15), f64::from(byte & 7));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-9),
        _ => (8.0 + fraction) * 2f64.powi(exponent - 10),
    };
    if byte & 0x80 != 0 { -magnitude } else { magnitude }
}

fn f32s(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks(4).map(|word| f32::from_le_bytes(word.try_into().unwrap()).into()).collect()
}

/// Each linear layer's and expert's weight is in E4M3 beside its scales, but for the output's; the others are as without quantisation. What
/// the scales make of the numbers is within half a step of what is drawn without quantisation: 2^-4 of the value, or of the smallest step
/// 2^-9 half, times the scale.
#[test]
fn fp8_weights_are_the_unquantised_ones_to_the_formats_error() {
    let folder = Folder::new();
    let config = folder.write("config.json", deepseek().to_string());
    let out = folder.path("out/");
    let said = succeed(&["init", &config, "-o", &out, "--seed", "3", "--device", "cpu"]);
    assert!(said.contains("by architecture deepseek"), "{said}");
    assert_eq!(serde_json::from_slice::<Value>(&folder.read("out/config.json")).unwrap(), deepseek());
    let model = folder.path("out/model.safetensors");
    assert!(succeed(&["verify", &model, "--device", "cpu"]).contains("the same"));
    let quantised = folder.tensors("out/model.safetensors");
    let plain = |dtype: &str| {
        let name = format!("{dtype}.safetensors");
        let options = ["--set", "quantization_config=null", "--dtype", dtype, "--seed", "3", "--device", "cpu"];
        succeed(&[&["init", &config, "-o", &folder.path(&name)][..], &options].concat());
        folder.tensors(&name)
    };
    let (exact, kept) = (plain("f32"), plain("bf16"));
    let (mut weights, mut extremes) = (Vec::new(), 0);
    for (name, (dtype, shape, bytes)) in &exact {
        assert_eq!(*dtype, Dtype::F32);
        let (fp8, fp8_shape, numbers) = &quantised[name];
        assert_eq!(fp8_shape, shape);
        if *fp8 != Dtype::F8_E4M3 {
            assert!(!quantised.contains_key(&format!("{name}_scale_inv")), "{name}");
            let expected = if *fp8 == Dtype::F32 { &exact } else { &kept };
            assert_eq!(numbers, &expected[name].2, "{name}");
            continue;
        }
        weights.push(name.as_str());
        let (dtype, blocks, scales) = &quantised[&format!("{name}_scale_inv")];
        assert_eq!((*dtype, &blocks[..]), (Dtype::F32, &[shape[0].div_ceil(64), shape[1].div_ceil(32)][..]), "{name}");
        let scales = f32s(scales);
        // A normal reaches 6.78 standard deviations, which 448 stands for.
        assert!(scales.iter().all(|scale| *scale == f64::from((6.78 * 0.02 / 448.0) as f32)), "{name}: {scales:?}");
        for (i, (exact, number)) in f32s(bytes).into_iter().zip(numbers).enumerate() {
            let scale = scales[i / shape[1] / 64 * blocks[1] + i % shape[1] / 32];
            let error = (e4m3(*number) * scale - exact).abs();
            assert!(error <= f64::max(exact.abs() / 16.0, scale / 1024.0), "{name} {i}: {exact} is {number:#x}");
            extremes += usize::from(exact.abs() > 0.06);
        }
    }
    // 0.27 % of a normal are beyond three standard deviations.
    assert!(extremes > 0, "nothing large was drawn");
    let expected = |layer: usize| {
        let attention =
            ["kv_a_proj_with_mqa", "kv_b_proj", "o_proj", "q_a_proj", "q_b_proj"].map(|of| format!("self_attn.{of}"));
        let within: Vec<_> = match layer {
            0 => vec!["mlp".to_string()],
            _ => ["experts.0", "experts.1", "experts.2", "shared_experts"].map(|of| format!("mlp.{of}")).to_vec(),
        };
        let projections = within.iter().flat_map(|of| ["down", "gate", "up"].map(|which| format!("{of}.{which}_proj")));
        let names = projections.chain(attention).map(|of| format!("model.layers.{layer}.{of}.weight"));
        names.collect::<Vec<_>>()
    };
    assert_eq!(weights, (0..2).flat_map(expected).collect::<Vec<_>>());
    assert_eq!(quantised.len(), exact.len() + weights.len());
    assert_eq!(quantised["model.layers.1.mlp.gate.weight"].0, Dtype::F32);
    assert_eq!(quantised["lm_head.weight"].0, Dtype::BF16);
    let first = bf16::from_le_bytes(quantised["model.norm.weight"].2[..2].try_into().unwrap());
    assert_eq!(first, bf16::ONE);
}

/// One byte of a weight, of its scales, or another recipe.
#[test]
fn verify_finds_one_byte_of_numbers_and_scales() {
    let folder = Folder::new();
    let config = folder.write("config.json", deepseek().to_string());
    let model = folder.path("model.safetensors");
    succeed(&["init", &config, "-o", &model, "--device", "cpu"]);
    let whole = folder.read("model.safetensors");
    let weight = "model.layers.1.mlp.experts.2.up_proj.weight";
    let scales = "model.layers.0.self_attn.kv_b_proj.weight_scale_inv";
    let views = SafeTensors::deserialize(&whole).unwrap();
    let place = |name: &str| views.tensor(name).unwrap().data().as_ptr() as usize - whole.as_ptr() as usize;
    for name in [weight, scales] {
        let mut changed = whole.clone();
        changed[place(name) + 5] ^= 1;
        let changed = folder.write("changed.safetensors", changed);
        let run = fanin(&["verify", &changed, "--device", "cpu"]);
        let said = String::from_utf8_lossy(&run.stdout);
        assert_eq!(run.status.code(), Some(1), "{said}");
        let element = if name == weight { 5 } else { 1 };
        assert!(said.contains(name) && said.contains(&format!("the first is element {element}")), "{said}");
    }
    // Of other rules, other scales; with the rules of the model, the same.
    let rules = |std: f64| {
        let text = format!(
            "[[rule]]\nname = '*norm.weight'\nscheme = 'ones'\n[[rule]]\nname = '*bias'\nscheme = 'zeros'\n[[rule]]\nname = '*'\n\
             scheme = 'normal:std={std}'\n"
        );
        folder.write("rules.toml", text)
    };
    let of_rules = |std| fanin(&["verify", &model, "--rules", &rules(std), "--seed", "0", "--device", "cpu"]);
    let same = of_rules(0.02);
    assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
    let other = of_rules(0.03);
    let said = String::from_utf8_lossy(&other.stdout).into_owned();
    assert!(other.status.code() == Some(1) && said.contains(scales), "{said}");
    // The file's own words on a scale, out of bounds.
    let text = String::from_utf8_lossy(&whole[..20_000]).into_owned();
    let scale = text.split("\\\"scale\\\":").nth(1).unwrap();
    let scale = &scale[..scale.find(['}', ',']).unwrap()];
    let zero = format!("{:0<width$}", "0.", width = scale.len());
    let from = text.find(&format!("\\\"scale\\\":{scale}")).unwrap() + "\\\"scale\\\":".len();
    let mut changed = whole.clone();
    changed[from..from + scale.len()].copy_from_slice(zero.as_bytes());
    let run = fanin(&["verify", &folder.write("changed.safetensors", changed), "--device", "cpu"]);
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.code() == Some(1) && said.contains("the scale is 0e0, allowed: above 0"), "{said}");
}

/// Shards, a run that goes on, and ranks have the bytes of the whole.
#[test]
fn fp8_shards_and_ranks_are_the_whole() {
    let folder = Folder::new();
    let config = folder.write("config.json", deepseek().to_string());
    let init = |out: &str, more: &[&str]| {
        succeed(&[&["init", &config, "-o", &folder.path(out), "--device", "cpu"][..], more].concat())
    };
    init("whole.safetensors", &[]);
    let whole = folder.tensors("whole.safetensors");
    init("shards/", &["--max-shard-size", "40kB"]);
    let index = folder.path("shards/model.safetensors.index.json");
    assert!(succeed(&["verify", &index, "--device", "cpu"]).contains("the same"));
    let map: Value = serde_json::from_slice(&folder.read("shards/model.safetensors.index.json")).unwrap();
    let total: usize = whole.values().map(|(_, _, bytes)| bytes.len()).sum();
    assert_eq!(map["metadata"]["total_size"], total);
    let mut together = Tensors::new();
    for entry in fs::read_dir(folder.path("shards")).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|extension| extension == "safetensors") {
            together.extend(tensors(&fs::read(entry).unwrap()));
        }
    }
    assert_eq!(together, whole);
    for (name, file) in map["weight_map"].as_object().unwrap() {
        assert!(folder.0.path().join("shards").join(file.as_str().unwrap()).exists() && whole.contains_key(name));
    }
    // An interrupted run ends in the middle of an fp8 tensor.
    let bytes = folder.read("whole.safetensors");
    for cut in [1, 4_001, 30_002] {
        folder.write(".again.safetensors.partial", &bytes[..bytes.len() - cut]);
        init("again.safetensors", &["--resume"]);
        assert_eq!(folder.read("again.safetensors"), bytes);
    }
    for split in ["tensor", "0", "1"] {
        let mut slices: Vec<Tensors> = Vec::new();
        for rank in ["0", "1", "2"] {
            init("part.safetensors", &["--rank", rank, "--world-size", "3", "--split", split]);
            let name = format!("part.rank-{rank}-of-3.safetensors");
            assert!(succeed(&["verify", &folder.path(&name), "--device", "cpu"]).contains("the same"));
            slices.push(folder.tensors(&name));
        }
        for (name, (dtype, shape, bytes)) in &whole {
            let parts: Vec<_> = slices.iter().filter_map(|slice| slice.get(name)).collect();
            let along = split.parse::<usize>().ok().filter(|dim| *dim < shape.len());
            let joined: Vec<u8> = match along {
                None => parts[0].2.clone(),
                Some(0) => parts.iter().flat_map(|(_, _, bytes)| bytes).copied().collect(),
                Some(_) => {
                    let row = |(_, of, bytes): &(Dtype, Vec<usize>, Vec<u8>), row: usize| {
                        let width = of[1] * dtype.bitsize() / 8;
                        bytes[row * width..(row + 1) * width].to_vec()
                    };
                    (0..shape[0]).flat_map(|of| parts.iter().flat_map(move |part| row(part, of))).collect()
                }
            };
            assert!(joined == *bytes, "{name} by {split}");
            assert_eq!(parts.len(), if split == "tensor" { 1 } else { 3 }, "{name}");
        }
    }
}

/// What the numbers are with their scale, beside what was expected; where scales are not all the same, the numbers alone.
#[test]
fn stats_and_rules_tell_of_fp8() {
    let folder = Folder::new();
    let config = folder.write("config.json", deepseek().to_string());
    let model = folder.path("model.safetensors");
    succeed(&["init", &config, "-o", &model, "--device", "cpu"]);
    let weight = "model.layers.0.mlp.up_proj.weight";
    let row = |file: &str, more: &[&str]| -> Value {
        let rows: Vec<Value> =
            serde_json::from_str(&succeed(&[&["stats", file, "--json"][..], more].concat())).unwrap();
        rows.into_iter().find(|row| row["tensor"] == weight).unwrap()
    };
    let of = row(&model, &[]);
    // 160 x 96 values: five standard errors, and what rounding adds, a fifth of a percent.
    let std = of["std"].as_f64().unwrap();
    assert!((std / 0.02 - 1.0).abs() < 5.0 / (2f64 * 160.0 * 96.0).sqrt() + 0.002, "{of}");
    assert_eq!((&of["dtype"], &of["expected_std"]), (&json!("F8_E4M3"), &json!(0.02)));
    assert_eq!(of["scale"].as_f64(), Some(f64::from((6.78 * 0.02 / 448.0) as f32)));
    let table = succeed(&["stats", &model]);
    assert!(table.contains(&format!("{weight} F8_E4M3 [160, 96], times 0.00030")), "{table}");
    // Rules know weights, and no scales.
    assert_eq!(row(&model, &["--scheme", "normal:std=0.03"])["expected_std"], 0.03);

    let mut changed = folder.read("model.safetensors");
    let place = {
        let views = SafeTensors::deserialize(&changed).unwrap();
        views.tensor(&format!("{weight}_scale_inv")).unwrap().data().as_ptr() as usize - changed.as_ptr() as usize
    };
    changed[place] ^= 1;
    let several = row(&folder.write("several.safetensors", changed), &[]);
    assert_eq!((&several["scale"], &several["expected_std"]), (&Value::Null, &Value::Null));
    let numbers = several["std"].as_f64().unwrap();
    assert!((numbers * of["scale"].as_f64().unwrap() / std - 1.0).abs() < 1e-12, "{several}");

    let rows: Vec<Value> = serde_json::from_str(&succeed(&["rules", &config, "--json"])).unwrap();
    let of = rows.iter().find(|row| row["tensor"] == weight).unwrap();
    assert_eq!((&of["holds"], &of["fp8_block"]), (&json!("F8_E4M3"), &json!([64, 32])));
    assert!(succeed(&["rules", &config]).contains("in fp8 by blocks of 64x32"));
}

/// Each error names the key with its path, the value, and what is allowed; nothing is left behind.
#[test]
fn wrong_quantisations_are_refused() {
    let folder = Folder::new();
    let out = folder.path("out.safetensors");
    let refused = |config: &Value, more: &[&str], says: &[&str]| {
        let config = folder.write("config.json", config.to_string());
        let run = fanin(&[&["init", &config, "-o", &out, "--device", "cpu"][..], more].concat());
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{said}");
        assert!(
            said.matches("allowed:").count() == 1 && says.iter().all(|says| said.contains(says)),
            "{says:?}: {said}"
        );
        assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 1, "{said}");
    };
    let remedy = "--set quantization_config=null";
    for (pairs, says) in [
        (
            json!({"weight_block_size": [0, 128]}),
            &["quantization_config.weight_block_size", "[0,128]", "two whole numbers"][..],
        ),
        (json!({"weight_block_size": [128]}), &["quantization_config.weight_block_size", "[128]", "two whole numbers"]),
        (json!({"weight_block_size": [128, 1.5]}), &["quantization_config.weight_block_size", "1.5"]),
        (json!({"weight_block_size": null}), &["quantization_config.weight_block_size", "null", "two whole numbers"]),
        (json!({"weight_block_size": 128}), &["quantization_config.weight_block_size", "128"]),
        (json!({"fmt": "e5m2"}), &["quantization_config.fmt", "e5m2", "\"e4m3\""]),
        (json!({"activation_scheme": "static"}), &["quantization_config.activation_scheme", "static", "\"dynamic\""]),
        (json!({"scale_fmt": "ue8m0"}), &["quantization_config.scale_fmt", "ue8m0", "\"float\""]),
        (json!({"expert_dtype": "fp4"}), &["quantization_config.expert_dtype", "fp4", "\"fp8\""]),
        (
            json!({"modules_to_convert": ["model.embed_tokens"]}),
            &["quantization_config.modules_to_convert", "embed_tokens"],
        ),
        (json!({"bits": 8}), &["quantization_config.bits", "8", "weight_block_size"]),
        (
            json!({"modules_to_not_convert": "lm_head"}),
            &["quantization_config.modules_to_not_convert", "lm_head", "a list"],
        ),
        (
            json!({"modules_to_not_convert": ["lm_head", "model.layers.*"]}),
            &["quantization_config.modules_to_not_convert[1]", "model.layers.*", "no pattern"],
        ),
        (json!({"modules_to_not_convert": [""]}), &["quantization_config.modules_to_not_convert[0]", "no pattern"]),
        (
            json!({"modules_to_not_convert": ["a"], "ignored_layers": ["b"]}),
            &["quantization_config.modules_to_not_convert", "ignored_layers"],
        ),
        (
            json!({"modules_to_not_convert": ["model.layers.1.mlp.experts.0"]}),
            &["quantization_config.modules_to_not_convert", "experts.0", "all of model.layers.1.mlp.experts"],
        ),
        (json!({"quant_method": "mxfp4"}), &["quantization_config.quant_method", "mxfp4", remedy]),
        (json!({"quant_method": "gptq"}), &["quantization_config.quant_method", "gptq", remedy]),
        (json!({"quant_method": "compressed-tensors"}), &["quantization_config.quant_method", remedy]),
        (json!({"quant_method": null}), &["quantization_config.quant_method", "null", remedy]),
    ] {
        refused(&with(pairs), &[], says);
    }
    let mut nothing = deepseek();
    nothing["quantization_config"] = json!({});
    refused(&nothing, &[], &["quantization_config", "{}", remedy]);
    let gpt2 = json!({
        "architectures": ["GPT2LMHeadModel"], "vocab_size": 30, "n_positions": 16, "n_embd": 8, "n_layer": 1, "n_head": 2,
        "quantization_config": {"quant_method": "fp8"},
    });
    refused(&gpt2, &[], &["quantization_config", "linear layers", remedy]);
    refused(&deepseek(), &["--base", &out], &["--base", remedy]);
    // A rule's dtype, and what fp8 cannot tell apart.
    let rules = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    for (rule, says) in [
        ("scheme = 'normal:std=0.02'\ndtype = 'bf16'", &["its dtype is bf16 by its rule", "fp8"][..]),
        ("scheme = 'normal:mean=1,std=0.001'", &["normal(1, 0.001^2)", "wider than its numbers are apart"]),
        ("scheme = 'normal:std=1e-40'", &["normal(0, 1e-40^2)", "rounds to 0"]),
    ] {
        fs::write(rules.path(), format!("[[rule]]\nname = '*'\n{rule}\n")).unwrap();
        let run = fanin(&[
            "rules",
            &folder.write("config.json", deepseek().to_string()),
            "--rules",
            rules.path().to_str().unwrap(),
        ]);
        assert!(run.status.success() || run.status.code() == Some(2));
        refused(&deepseek(), &["--rules", rules.path().to_str().unwrap()], says);
    }
    let config = folder.write("config.json", deepseek().to_string());
    let run = fanin(&["probe", &config]);
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.code() == Some(2) && said.contains(remedy) && said.contains("in fp8"), "{said}");
}

/// Modules that are left as they are: by transformers' key and by another name of it, and with neither the output.
#[test]
fn modules_may_be_left_as_they_are() {
    let folder = Folder::new();
    let count = |config: Value| {
        let config = folder.write("config.json", config.to_string());
        let rows: Vec<Value> = serde_json::from_str(&succeed(&["rules", &config, "--json"])).unwrap();
        let quantised = rows.iter().filter(|row| row["holds"] == "F8_E4M3");
        quantised.map(|row| row["tensor"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    let all = count(deepseek());
    assert_eq!(all.len(), 3 + 12 + 2 * 5);
    assert_eq!(count(with(json!({"modules_to_not_convert": null, "fmt": null}))), all);
    // A list that does not name the output has it quantised, as transformers does.
    for key in ["modules_to_not_convert", "ignored_layers"] {
        let left = count(with(json!({key: ["model.layers.0", "gate"]})));
        assert_eq!(left.len(), 12 + 5 + 1);
        assert!(left.contains(&"lm_head.weight".to_string()));
        let left = count(with(json!({key: ["lm_head", "mlp.experts", "model.layers.0.self_attn.", "o_proj"]})));
        assert_eq!(left.len(), 3 + 3 + 4, "{left:?}");
    }
}
