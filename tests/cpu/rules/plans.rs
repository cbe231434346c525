//! Plans: what rules make of a model's list, in which dtype.

use fanin::rules::{Architecture, Config};

use super::*;

#[test]
fn a_name_stands_once() {
    let twice = [Tensor::new("w.weight", [2, 2]), Tensor::new("w.weight", [2, 2])];
    let error = preset("pytorch").plan(&twice).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model);
    assert_eq!(error.to_string(), "the name \"w.weight\" stands twice, allowed: each name once");
}

fn dtypes(plan: &Plan, dtype: Option<Dtype>) -> Vec<(String, Dtype)> {
    plan.fills(42, dtype).unwrap().iter().map(|(name, fill)| (name.to_string(), fill.dtype())).collect()
}

#[test]
fn dtypes_are_the_rules_or_the_models_unless_the_caller_asks_for_one() {
    let rules =
        rules("[[rule]]\nname = 'a'\nscheme = 'ones'\ndtype = 'f16'\n[[rule]]\nname = '*'\nscheme = 'normal:std=0.02'");
    let tensor = |name: &str, dtype| Tensor::new(name, [2, 2]).with_dtype(dtype);
    let (ids, a, b) = (tensor("ids", FileDtype::I64), tensor("a", FileDtype::F64), tensor("b", FileDtype::BF16));
    let model = [a, b, Tensor::new("c", [3]), ids];
    let plan = rules.plan(&model).unwrap();
    let expected = |dtypes: &[(&str, Dtype)]| dtypes.iter().map(|(name, d)| (name.to_string(), *d)).collect::<Vec<_>>();
    let asked = [("a", Dtype::F32), ("b", Dtype::F32), ("c", Dtype::F32)];
    assert_eq!(dtypes(&plan, Some(Dtype::F32)), expected(&asked));
    assert_eq!(plan.fills(42, None).unwrap_err().place(), Some("tensor \"c\""));
    let said = rules.plan(&model[..2]).unwrap();
    assert_eq!(dtypes(&said, None), expected(&[("a", Dtype::F16), ("b", Dtype::BF16)]));
    assert!(plan.tensors()[3].rule.is_none() && plan.tensors()[3].draw.is_none());
    // A float that nobody says how to draw is not drawn as another one.
    let error = rules.plan(&[tensor("b", FileDtype::F64)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dtype);
    assert!(error.to_string().starts_with("tensor \"b\": the dtype is \"F64\", allowed: F32, F16, BF16"), "{error}");
    // Complex numbers are none, whatever the rule says.
    let error = rules.plan(&[tensor("a", FileDtype::C64)]).unwrap_err();
    assert_eq!((error.kind(), error.place()), (ErrorKind::Dtype, Some("tensor \"a\"")));
}

/// A list, a configuration and a rule each say a dtype, or none: what is asked for counts, as with `fanin init --dtype`.
#[test]
fn the_dtype_that_is_asked_for_is_drawn_whatever_the_model_and_its_rules_say() {
    let list =
        br#"{"wte.weight": {"dtype": "F32", "shape": [8, 4]}, "h.0.ln_1.weight": {"dtype": "F16", "shape": [4]}}"#;
    let of_list = preset("gpt2").plan(Model::from_json(list).unwrap().tensors()).unwrap();
    let rules = rules("[[rule]]\nname = '*'\nscheme = 'normal:std=0.02'\ndtype = 'f16'");
    let of_rule = rules.plan(&[Tensor::new("w", [8, 4])]).unwrap();
    let config =
        br#"{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 1,
        "vocab_size": 16, "n_positions": 4, "torch_dtype": "float32"}"#;
    let config = Config::from_json(config).unwrap();
    let of_config = Architecture::for_config(&config).unwrap().plan(&config).unwrap();
    for plan in [&of_list, &of_rule, &of_config] {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            let fills = plan.fills(42, dtype).unwrap();
            assert!(!fills.is_empty());
            for (name, fill) in fills {
                assert_eq!((fill.dtype(), fill.byte_len()), (dtype, dtype.bytes(fill.len())), "{name}");
            }
        }
    }
    let own = |plan| dtypes(plan, None).into_iter().map(|(_, dtype)| dtype).collect::<Vec<_>>();
    assert_eq!((own(&of_list), own(&of_rule)), (vec![Dtype::F32, Dtype::F16], vec![Dtype::F16]));
    assert!(own(&of_config).iter().all(|&dtype| dtype == Dtype::F32));
    // Where nobody says one, none is made up.
    let silent = preset("gpt2").plan(&[Tensor::new("wte.weight", [8, 4])]).unwrap();
    let error = silent.fills(42, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dtype);
    let said = "tensor \"wte.weight\": the dtype is not said, allowed: one that is asked for, or that its rule or the model's list says";
    assert_eq!(error.to_string(), said);
}

#[test]
fn a_list_and_a_preset_make_values() {
    let model = Model::from_json(br#"{"model.norm.weight": {"dtype": "BF16", "shape": [4]}}"#).unwrap();
    let fills = preset("LLAMA").plan(model.tensors()).unwrap();
    let fills = fills.fills(1, None).unwrap();
    assert_eq!(cpu::vec::<half::bf16>(&fills[0].1).unwrap(), [half::bf16::ONE; 4]);
    assert_eq!(fills[0].1.distribution().copied(), constant(1.0));
    assert!(Rules::presets().all(|name| Rules::preset(name).is_ok()));
}

#[test]
fn a_configuration_that_is_read_as_a_list_of_tensors_is_recognised() {
    let error = Model::from_json(br#"{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the list of tensors is a model's config.json, allowed: an object from tensor names to {dtype, shape}; \
         Plan::from_config reads this one"
    );
    let missing = Plan::from_config(br#"{"architectures": ["GPT2LMHeadModel"], "n_layer": 1}"#).unwrap_err();
    assert_eq!(missing.to_string(), "the config has no n_embd, allowed: a value of it");
}
