//! Models of candle-transformers and layers of candle-nn have the bits that the library plans and that `fanin init` writes.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use candle_core::{DType, Device, Module, Tensor, Var};
use candle_nn::{Optimizer, SGD, VarBuilder, VarMap};
use candle_transformers::models::bert::{BertForMaskedLM, BertModel, Config as BertConfig};
use candle_transformers::models::llama::{Cache, Llama, LlamaConfig};
use fanin::rules::{Architecture, Config, Rules};
use fanin::{Dtype, cpu};
use fanin_candle::Weights;

const LLAMA: &str = r#"{
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 320, "hidden_size": 64, "intermediate_size": 160,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
    "max_position_embeddings": 128, "pad_token_id": 3
}"#;
const BERT: &str = r#"{
    "architectures": ["BertForMaskedLM"], "model_type": "bert", "vocab_size": 320, "hidden_size": 64, "intermediate_size": 160,
    "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 32, "type_vocab_size": 2, "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1, "initializer_range": 0.05, "layer_norm_eps": 1e-12, "pad_token_id": 0
}"#;
const SEED: u64 = 42;
const DTYPES: [(DType, Dtype); 3] = [(DType::F32, Dtype::F32), (DType::F16, Dtype::F16), (DType::BF16, Dtype::BF16)];

fn config(text: &str) -> Config {
    Config::from_json(text.as_bytes()).unwrap()
}

fn weights(text: &str, dtype: DType) -> VarBuilder<'static> {
    Weights::from_config(&config(text), SEED).unwrap().var_builder(dtype, &Device::Cpu)
}

fn bytes(tensor: &Tensor) -> Vec<u8> {
    let flat = tensor.flatten_all().unwrap();
    match tensor.dtype() {
        DType::F32 => flat.to_vec1::<f32>().unwrap().iter().flat_map(|x| x.to_le_bytes()).collect(),
        DType::F16 => flat.to_vec1::<half::f16>().unwrap().iter().flat_map(|x| x.to_le_bytes()).collect(),
        DType::BF16 => flat.to_vec1::<half::bf16>().unwrap().iter().flat_map(|x| x.to_le_bytes()).collect(),
        other => panic!("{other:?}"),
    }
}

/// What the program writes for a configuration.
fn checkpoint(name: &str, text: &str, dtype: Dtype) -> HashMap<String, Tensor> {
    let program = std::env::var_os("FANIN")
        .expect("FANIN is not set: the path of the program fanin, as integrations/test sets it");
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{dtype}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let (list, file) = (folder.join("config.json"), folder.join("made.safetensors"));
    std::fs::write(&list, text).unwrap();
    let run = Command::new(program)
        .arg("init")
        .arg(&list)
        .arg("-o")
        .arg(&file)
        .args(["--seed", &SEED.to_string(), "--dtype", &dtype.to_string(), "--device", "cpu"])
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    load(&file)
}

fn load(file: &Path) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(file, &Device::Cpu).unwrap()
}

/// Each parameter of the configuration is what the library plans and what the program writes, to the bit.
fn same_as_the_program(name: &str, text: &str) {
    let plan = Architecture::for_config(&config(text)).unwrap().plan(&config(text)).unwrap();
    for (candle, dtype) in DTYPES {
        let vb = weights(text, candle);
        let written = checkpoint(name, text, dtype);
        let fills: HashMap<_, _> = plan.fills(SEED, dtype).unwrap().into_iter().collect();
        // A configuration without a dtype is f32, which a run with another one passes over; so is here.
        assert_eq!(fills.len(), written.len());
        for planned in plan.tensors() {
            let name = planned.name.as_str();
            let shape: Vec<usize> = planned.shape.iter().map(|&size| size as usize).collect();
            let drawn = vb.get(shape.as_slice(), name).unwrap();
            let fill = planned.draw.as_ref().unwrap().fill_of(fanin::Stream::named(SEED, name), dtype).unwrap();
            assert_eq!((drawn.dtype(), drawn.dims()), (candle, &shape[..]), "{name}");
            assert_eq!(bytes(&drawn), cpu::bytes(&fill).unwrap(), "{name} in {dtype}");
            assert_eq!(written[name].dtype(), candle, "{name}");
            assert_eq!(bytes(&drawn), bytes(&written[name]), "{name} in {dtype}");
            assert_eq!(bytes(&vb.get_unchecked(name).unwrap()), bytes(&drawn), "{name}");
        }
    }
}

#[test]
fn a_llama_of_a_configuration_is_the_checkpoint_of_the_program() {
    same_as_the_program("llama", LLAMA);
}

#[test]
fn a_bert_of_a_configuration_is_the_checkpoint_of_the_program() {
    same_as_the_program("bert", BERT);
}

#[test]
fn a_llama_runs_forward_as_the_checkpoint_does() {
    let config = serde_json::from_str::<LlamaConfig>(LLAMA).unwrap().into_config(false);
    let tokens = Tensor::new(&[[1u32, 17, 300, 3]], &Device::Cpu).unwrap();
    for (candle, dtype) in [DTYPES[0], DTYPES[2]] {
        let logits = |vb| {
            let llama = Llama::load(vb, &config).unwrap();
            let mut cache = Cache::new(false, candle, &config, &Device::Cpu).unwrap();
            llama.forward(&tokens, 0, &mut cache).unwrap()
        };
        let drawn = logits(weights(LLAMA, candle));
        let written = VarBuilder::from_tensors(checkpoint("llama-forward", LLAMA, dtype), candle, &Device::Cpu);
        assert_eq!(drawn.dims(), [1, 320]);
        assert_eq!(bytes(&drawn), bytes(&logits(written)));
        // A norm before a head of N(0, 0.02^2): the logits have a deviation of 0.02 sqrt(64), of 320 values to 1/sqrt(640).
        let values = drawn.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let std = (values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / 320.0).sqrt();
        assert!((std / 0.16 - 1.0).abs() < 5.0 / 640f64.sqrt(), "{std}");
    }
}

#[test]
fn a_bert_runs_forward_as_the_checkpoint_does() {
    let config: BertConfig = serde_json::from_str(BERT).unwrap();
    let tokens = Tensor::new(&[[1u32, 17, 300, 0]], &Device::Cpu).unwrap();
    let types = tokens.zeros_like().unwrap();
    let hidden = |vb| BertModel::load(vb, &config).unwrap().forward(&tokens, &types, None).unwrap();
    let drawn = hidden(weights(BERT, DType::F32));
    let written = VarBuilder::from_tensors(checkpoint("bert-forward", BERT, Dtype::F32), DType::F32, &Device::Cpu);
    assert_eq!(drawn.dims(), [1, 4, 64]);
    assert_eq!(bytes(&drawn), bytes(&hidden(written)));
    // What fanin has no configuration for is planned by rules, from what the code asks for.
    let bert = Rules::preset("bert").unwrap();
    let load = |vb| BertForMaskedLM::load(vb, &config);
    let listed = fanin_candle::list(DType::F32, &Device::Cpu, load).unwrap();
    assert!(listed.iter().any(|tensor| tensor.name == "cls.predictions.decoder.weight" && tensor.shape == [320, 64]));
    let masked = fanin_candle::init(&bert, SEED, DType::F32, &Device::Cpu, load).unwrap();
    assert_eq!(masked.forward(&tokens, &types, None).unwrap().dims(), [1, 4, 320]);
}

/// A network of layers that fans matter for, and one that is asked for twice.
fn network(vb: VarBuilder) -> candle_core::Result<impl Module> {
    let embed = candle_nn::embedding(16, 8, vb.pp("embed"))?;
    let dense = candle_nn::linear(8, 12, vb.pp("dense"))?;
    let norm = candle_nn::layer_norm(12, 1e-5, vb.pp("norm"))?;
    let head = candle_nn::linear_no_bias(12, 16, vb.pp("head"))?;
    assert_eq!(vb.get((16, 8), "embed.weight")?.dims(), [16, 8]);
    Ok(candle_nn::seq().add(embed).add(dense).add(norm).add(head))
}

#[test]
fn rules_draw_what_a_models_code_asks_for() {
    let rules = Rules::preset("pytorch").unwrap();
    let listed = fanin_candle::list(DType::F32, &Device::Cpu, network).unwrap();
    let names: Vec<_> = listed.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["dense.bias", "dense.weight", "embed.weight", "head.weight", "norm.bias", "norm.weight"]);
    let plan = rules.plan(&listed).unwrap();
    for (candle, dtype) in DTYPES {
        let map = VarMap::new();
        network(VarBuilder::from_varmap(&map, candle, &Device::Cpu)).unwrap();
        fanin_candle::fill(&map, &rules, SEED).unwrap();
        let vars = map.data().lock().unwrap();
        assert_eq!(vars.len(), 6);
        for (name, fill) in plan.fills(SEED, dtype).unwrap() {
            assert_eq!(bytes(&vars[name]), cpu::bytes(&fill).unwrap(), "{name}");
        }
        drop(vars);
        // A framework's seed draws that framework's numbers.
        let jax: fanin::Seed = "jax:7".parse().unwrap();
        fanin_candle::fill(&map, &rules, jax).unwrap();
        for (name, fill) in plan.fills(jax, dtype).unwrap() {
            assert_eq!(bytes(&map.data().lock().unwrap()[name]), cpu::bytes(&fill).unwrap(), "{name}");
        }
    }
    let tokens = Tensor::new(&[1u32, 15], &Device::Cpu).unwrap();
    let of = |seed| {
        let network = fanin_candle::init(&rules, seed, DType::F32, &Device::Cpu, network).unwrap();
        bytes(&network.forward(&tokens).unwrap())
    };
    assert!(of(SEED) == of(SEED) && of(SEED) != of(SEED + 1));
}

#[test]
fn variables_that_were_filled_are_the_models_and_are_trained() {
    let map = VarMap::new();
    let network = network(VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu)).unwrap();
    fanin_candle::fill(&map, &Rules::preset("pytorch").unwrap(), SEED).unwrap();
    let tokens = Tensor::new(&[1u32, 15], &Device::Cpu).unwrap();
    let alone =
        fanin_candle::init(&Rules::preset("pytorch").unwrap(), SEED, DType::F32, &Device::Cpu, self::network).unwrap();
    let before = network.forward(&tokens).unwrap();
    assert_eq!(bytes(&before), bytes(&alone.forward(&tokens).unwrap()));
    let loss = |of: &Tensor| candle_nn::loss::cross_entropy(of, &tokens).unwrap();
    SGD::new(map.all_vars(), 0.1).unwrap().backward_step(&loss(&before)).unwrap();
    let scalar = |loss: Tensor| loss.to_scalar::<f32>().unwrap();
    assert!(scalar(loss(&network.forward(&tokens).unwrap())) < scalar(loss(&before)));
}

#[test]
fn errors_name_the_parameter_the_value_and_what_is_allowed() {
    let vb = weights(LLAMA, DType::F32);
    let cpu = Device::Cpu;
    let rules = |text: &str| text.parse::<Rules>().unwrap();
    let linear = |vb: VarBuilder| candle_nn::linear(8, 4, vb.pp("dense"));
    let said = |result: candle_core::Result<Tensor>| result.unwrap_err().to_string();
    let refused = |rules: &Rules, dtype| fanin_candle::init(rules, 1, dtype, &cpu, linear).err().unwrap().to_string();
    for (error, says) in [
        (
            said(vb.get((64, 320), "lm_head.weight")),
            r#"parameter "lm_head.weight": the shape is [64, 320], allowed: [320, 64], as the plan has it"#,
        ),
        (
            said(vb.pp("model.layers.7.mlp").get((160, 64), "up_proj.weight")),
            r#"parameter "model.layers.7.mlp.up_proj.weight": the name is not in the plan, allowed: one of the 21 names of the plan, such as ["model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight"]"#,
        ),
        (
            said(vb.get_with_hints_dtype(64, "model.norm.weight", Default::default(), DType::F64)),
            r#"parameter "model.norm.weight": the dtype is f64, allowed: f32, f16, bf16"#,
        ),
        (
            refused(&rules("[[rule]]\nname = '*.weight'\nscheme = 'zeros'"), DType::F32),
            r#"1 tensor met no rule: "dense.bias""#,
        ),
        (
            refused(&rules("[[rule]]\nname = '*'\nscheme = 'he_normal'"), DType::F32),
            r#"tensor "dense.bias", by the scheme of line 3: the shape is [4], of which there are fewer than two dimensions"#,
        ),
        (
            refused(
                &rules("[[rule]]\nname = '*.weight'\nscheme = 'zeros'\n[[rule]]\nname = '*.bias'\nskip = true"),
                DType::F32,
            ),
            r#"parameter "dense.bias": it is not drawn, by the rule of line 4, allowed: a parameter that the rules draw"#,
        ),
        (
            refused(&rules("[[rule]]\nname = '*'\nscheme = 'normal:mean=1,std=1e-4'"), DType::BF16),
            r#"parameter "dense.weight": "#,
        ),
        (
            refused(&rules("[[rule]]\nname = '*'\nscheme = 'zeros'"), DType::U32),
            r#"parameter "dense.weight": the dtype is u32, allowed: f32, f16, bf16"#,
        ),
        (
            said(fanin_candle::init(&rules("[[rule]]\nname = '*'\nscheme = 'zeros'"), 1, DType::F32, &cpu, |vb| {
                vb.get(3, "a").and_then(|_| vb.get(4, "a"))
            })),
            r#"parameter "a": the shape is [4], allowed: [3], as it was asked for before"#,
        ),
        (
            said(fanin_candle::init(&rules("[[rule]]\nname = '*'\nscheme = 'zeros'"), 1, DType::F32, &cpu, |vb| {
                vb.get_unchecked("a")
            })),
            r#"parameter "a": the shape is not said (get_unchecked), allowed: "#,
        ),
    ] {
        assert!(error.contains(says), "{error}\n{says}");
    }
    assert!(vb.contains_tensor("lm_head.weight") && !vb.contains_tensor("lm_head.bias"));
}

#[test]
fn a_map_that_is_refused_is_not_changed() {
    let map = VarMap::new();
    network(VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu)).unwrap();
    let all = || -> HashMap<_, _> {
        map.data().lock().unwrap().iter().map(|(name, var)| (name.clone(), bytes(var))).collect()
    };
    let before = all();
    let other = Rules::preset("pytorch").unwrap().plan(&[fanin::rules::Tensor::new("dense.weight", [12, 8])]).unwrap();
    let error = Weights::new(&other, SEED).fill(&map).unwrap_err().to_string();
    assert!(error.contains("the name is not in the plan"), "{error}");
    let norms_alone: Rules = "[[rule]]\nname = 'norm.*'\nscheme = 'ones'".parse().unwrap();
    let error = fanin_candle::fill(&map, &norms_alone, SEED).unwrap_err().to_string();
    assert!(error.contains("4 tensors met no rule"), "{error}");
    assert!(before == all());
    let double = Var::zeros(3, DType::F64, &Device::Cpu).unwrap();
    map.data().lock().unwrap().insert("double".into(), double);
    let error = fanin_candle::fill(&map, &Rules::preset("pytorch").unwrap(), SEED).unwrap_err().to_string();
    assert!(error.contains(r#"parameter "double": the dtype is f64, allowed: f32, f16, bf16"#), "{error}");
}
