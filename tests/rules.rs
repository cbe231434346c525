//! Rules: what is said of each tensor, and what is refused.

use fanin::rules::{Model, Rules, Tensor};
use fanin::{Distribution, Dtype, ErrorKind, Layout, Scheme, cpu, scheme};

fn rules(text: &str) -> Rules {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn std_of(rules: &Rules, tensor: Tensor) -> f64 {
    let plan = rules.plan(&[tensor]).unwrap();
    plan.tensors()[0].draw.as_ref().unwrap().distribution.std()
}

/// Groups are not lost on the way, and what no scheme can be is an error.
#[test]
fn one_scheme_for_all_keeps_its_layout_and_its_numbers() {
    let he: Scheme = "he_normal".parse().unwrap();
    let depthwise = Rules::of_scheme(&he, Layout::OUT_IN.with_groups(32)).unwrap();
    let fan_out = scheme::he_normal().with_mode(scheme::FanMode::FanOut).into();
    let tensor = || Tensor::new("conv.weight", [32, 1, 3, 3]);
    let expected = (2.0f64 / 9.0).sqrt();
    assert_eq!(std_of(&depthwise, tensor()), expected);
    assert_eq!(std_of(&Rules::of_scheme(&fan_out, Layout::OUT_IN.with_groups(32)).unwrap(), tensor()), expected);
    assert_eq!(
        std_of(
            &rules("[[rule]]\nname=\"*\"\nlayout=\"out_in:groups=32\"\nscheme=\"he_normal:mode=fan_out\""),
            tensor()
        ),
        expected
    );
    for wrong in [scheme::normal(0.0, -1.0), scheme::uniform(1.0, 1.0), scheme::constant(f64::NAN)] {
        Rules::of_scheme(&wrong, Layout::OUT_IN).unwrap_err();
    }
    assert_eq!(Rules::of_scheme(&he, Layout::OUT_IN.with_groups(0)).unwrap_err().kind(), ErrorKind::Shape);
    // Numbers come through to the last digit.
    let tiny = scheme::normal(0.0, 1.234_567_890_123_456_7e-300);
    let planned = Rules::of_scheme(&tiny, Layout::IN_OUT).unwrap().plan(&[Tensor::new("w", [2, 2])]).unwrap();
    assert_eq!(Scheme::from(planned.tensors()[0].draw.as_ref().unwrap().distribution), tiny);
}

/// Whatever the count is, and in whatever case a word stands.
#[test]
fn formulas_of_counts_and_words_of_schemes_are_read() {
    let of = |scheme: &str| rules(&format!("[count]\nn = \"*\"\n[[rule]]\nname = \"*\"\nscheme = \"{scheme}\""));
    let model = [Tensor::new("a", [4, 8]), Tensor::new("b", [4, 8]), Tensor::new("c", [4, 8])];
    let std = |scheme: &str| of(scheme).plan(&model).unwrap().tensors()[0].draw.as_ref().unwrap().distribution.std();
    assert_eq!(std("normal:std=1/(n-1)"), 0.5);
    assert_eq!(std("normal:std=sqrt(n-2)"), 1.0);
    assert_eq!(std("uniform:low=0,high=n-1"), 1.0 / 3f64.sqrt());
    assert_eq!(std("He-Normal:mode=Fan-Out,gain=2"), 1.0);
    assert_eq!(std("he_normal:nonlinearity=leaky_relu:negative_slope=1"), 0.125f64.sqrt());
    let error = of("normal:std=1/(n-1)").plan(&model[..1]).unwrap_err();
    assert!(error.to_string().contains("is inf, allowed: a finite number"), "{error}");
}

/// Under whatever prefix, a tied head has the values of its embedding; a stream of no tensor, or of several, is an error.
#[test]
fn a_tied_tensor_is_found_by_the_end_of_its_name() {
    let model = |prefix: &str, head: &str| {
        let shape = [64, 8];
        [Tensor::new(format!("{prefix}wte.weight"), shape), Tensor::new(head, shape), Tensor::new("h.0.ln_1.bias", [8])]
    };
    for (prefix, head) in [
        ("transformer.", "lm_head.weight"),
        ("_orig_mod.transformer.", "_orig_mod.lm_head.weight"),
        ("model.", "lm_head.weight"),
        ("module._orig_mod.transformer.", "module._orig_mod.lm_head.weight"),
        ("", "lm_head.weight"),
    ] {
        let plan = Rules::preset("gpt2").unwrap().plan(&model(prefix, head)).unwrap();
        let fills = plan.fills(42, Dtype::F32).unwrap();
        let [wte, lm_head] = [0, 1].map(|i| cpu::vec::<f32>(&fills[i].1).unwrap());
        assert!(wte == lm_head && wte[0] != wte[1], "{prefix} {head}");
        let own =
            fanin::Fill::tensor(fills[0].1.distribution(), fanin::Stream::named(42, fills[0].0), Dtype::F32, &[64, 8]);
        assert_eq!(wte, cpu::vec::<f32>(&own.unwrap()).unwrap(), "the embedding has its own name's");
    }
    let said = |model: &[Tensor]| Rules::preset("gpt2").unwrap().plan(model).unwrap_err().to_string();
    let untied = said(&model("", "lm_head.weight")[1..]);
    assert!(
        untied.contains("\"transformer.wte.weight\", which is not there, allowed: one tensor of the model"),
        "{untied}"
    );
    let two = said(&[&model("a.", "lm_head.weight")[..], &model("b.", "x.lm_head.weight")[..1]].concat());
    assert!(two.contains("\"wte.weight\", as 2 are called"), "{two}");
}

/// RoBERTa is no BERT and Gemma no Llama: `auto` tells them by names and shapes, and their paddings and norms are theirs.
#[test]
fn models_that_look_alike_are_told_apart() {
    let bert = |prefix: &str, types: u64| {
        let tensor = |name: &str, shape: &[u64]| Tensor::new(format!("{prefix}{name}"), shape);
        vec![
            tensor("embeddings.word_embeddings.weight", &[30, 8]),
            tensor("embeddings.position_embeddings.weight", &[82, 8]),
            tensor("embeddings.token_type_embeddings.weight", &[types, 8]),
            tensor("embeddings.LayerNorm.weight", &[8]),
            tensor("encoder.layer.0.attention.self.query.weight", &[8, 8]),
        ]
    };
    let rows = |model: &[Tensor], i: usize| {
        let preset = Rules::recognise(model).unwrap();
        let plan = Rules::preset(preset).unwrap().plan(model).unwrap();
        let values = cpu::vec::<f32>(&plan.fills(1, Dtype::F32).unwrap()[i].1).unwrap();
        let zeros: Vec<_> = values.chunks(8).enumerate().filter(|(_, row)| *row == [0.0; 8]).map(|(i, _)| i).collect();
        (preset, zeros)
    };
    for prefix in ["bert.", "", "model."] {
        assert_eq!(rows(&bert(prefix, 2), 0), ("bert", vec![0]));
        assert_eq!(rows(&bert(prefix, 2), 1), ("bert", vec![]));
    }
    for prefix in ["roberta.", ""] {
        assert_eq!(rows(&bert(prefix, 1), 0), ("roberta", vec![1]));
        assert_eq!(rows(&bert(prefix, 1), 1), ("roberta", vec![1]));
    }
    assert_eq!(Rules::recognise(&bert("", 3)), None);
    let head = [bert("roberta.", 1), vec![Tensor::new("lm_head.decoder.weight", [30, 8])]].concat();
    assert_eq!(rows(&head, 5), ("roberta", vec![1]));

    let llama = ["input_layernorm.weight", "self_attn.q_proj.weight", "mlp.gate_proj.weight"];
    let model = |more: &[&str]| -> Vec<Tensor> {
        let shape = |name: &str| if name.contains("norm") { vec![8] } else { vec![8, 8] };
        let layer = llama.iter().chain(more).map(|name| Tensor::new(format!("model.layers.0.{name}"), shape(name)));
        layer.chain(["model.embed_tokens.weight", "lm_head.weight"].map(|name| Tensor::new(name, [30, 8]))).collect()
    };
    assert_eq!(Rules::recognise(&model(&[])), Some("llama"));
    let gemma = model(&["pre_feedforward_layernorm.weight", "self_attn.q_norm.weight"]);
    assert_eq!(Rules::recognise(&gemma), Some("gemma"));
    let plan = Rules::preset("gemma").unwrap().plan(&gemma).unwrap();
    for planned in plan.tensors().iter().filter(|planned| planned.name.contains("norm")) {
        assert_eq!(
            planned.draw.as_ref().unwrap().distribution,
            Distribution::Constant { value: 0.0 },
            "{}",
            planned.name
        );
    }
    let fills = plan.fills(1, Dtype::F32).unwrap();
    let [embedding, head] = [5, 6].map(|i| cpu::vec::<f32>(&fills[i].1).unwrap());
    assert!(embedding == head && embedding[..8] == [0.0; 8] && embedding[8] != 0.0);
}

/// Adapters begin as nothing, whatever the model; a PReLU is no norm.
#[test]
fn adapters_and_slopes_start_as_their_makers_start_them() {
    let base = "base_model.model.layers.0.self_attn.q_proj";
    let names = [
        format!("{base}.lora_A.default.weight"),
        format!("{base}.lora_B.default.weight"),
        format!("{base}.lora_B.weight"),
    ];
    let [a, b, c] = names;
    let model = [Tensor::new(a, [8, 64]), Tensor::new(b, [64, 8]), Tensor::new(c, [64, 8])];
    let scheme = Rules::of_scheme(&"normal:std=3".parse().unwrap(), Layout::IN_OUT).unwrap();
    let presets = ["bert", "gemma", "gpt2", "llama", "pytorch", "roberta", "vit"]
        .map(|name| (name, Rules::preset(name).unwrap()));
    for (name, rules) in presets.into_iter().chain([("scheme", scheme.clone())]) {
        let plan = rules.plan(&model).unwrap_or_else(|e| panic!("{name}: {e}"));
        let drawn: Vec<_> = plan.tensors().iter().map(|p| p.draw.as_ref().unwrap().distribution).collect();
        let (zero, bound) = (Distribution::Constant { value: 0.0 }, 1.0 / 8.0);
        assert_eq!(drawn, [Distribution::Uniform { low: -bound, high: bound }, zero, zero], "{name}");
    }
    for rules in [Rules::preset("pytorch").unwrap(), scheme] {
        for name in ["prelu.weight", "layer1.prelu2.weight", "act_prelu.weight"] {
            let plan = rules.plan(&[Tensor::new(name, [1])]).unwrap();
            assert_eq!(plan.tensors()[0].draw.as_ref().unwrap().distribution, Distribution::Constant { value: 0.25 });
        }
    }
}

/// What only looks like a weight: scales are 1, and what has values of its own is refused or left out by name.
#[test]
fn one_scheme_draws_no_scales_and_refuses_what_is_no_weight() {
    let rules = Rules::of_scheme(&"he_normal".parse().unwrap(), Layout::OUT_IN).unwrap();
    for name in ["l.0.weight_scale_inv", "l.0.weight_scale", "l.0.input_scale", "attn.k_scale"] {
        for shape in [vec![], vec![1], vec![16, 32]] {
            let plan = rules.plan(&[Tensor::new(name, shape)]).unwrap();
            assert_eq!(
                plan.tensors()[0].draw.as_ref().unwrap().distribution,
                Distribution::Constant { value: 1.0 },
                "{name}"
            );
        }
    }
    assert!(rules.plan(&[Tensor::new("rotary_emb.inv_freq", [32])]).unwrap().tensors()[0].draw.is_none());
    for (name, why) in [("layers.0.mixer.A_log", "logarithm"), ("conv.weight_g", "norm of weight_v")] {
        let error = rules.plan(&[Tensor::new(name, [16, 4])]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rules);
        assert!(error.to_string().contains(name) && error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_name_stands_once() {
    let rules = Rules::preset("pytorch").unwrap();
    let twice = [Tensor::new("w.weight", [2, 2]), Tensor::new("w.weight", [2, 2])];
    let error = rules.plan(&twice).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model);
    assert_eq!(error.to_string(), "the name \"w.weight\" stands twice, allowed: each name once");
}

#[test]
fn dtypes_are_the_rules_or_the_models_or_the_callers() {
    let text = "[[rule]]\nname=\"a\"\nscheme=\"ones\"\ndtype=\"f16\"\n[[rule]]\nname=\"*\"\nscheme=\"normal:std=0.02\"";
    let tensor = |name: &str, dtype: &str| Tensor::new(name, [2, 2]).with_dtype(dtype);
    let model = [tensor("a", "F64"), tensor("b", "BF16"), Tensor::new("c", [3]), tensor("ids", "I64")];
    let plan = rules(text).plan(&model).unwrap();
    let fills = plan.fills(42, Dtype::F32).unwrap();
    let dtypes: Vec<_> = fills.iter().map(|(name, fill)| (*name, fill.dtype())).collect();
    assert_eq!(dtypes, [("a", Dtype::F16), ("b", Dtype::BF16), ("c", Dtype::F32)]);
    assert!(plan.tensors()[3].rule.is_none() && plan.tensors()[3].draw.is_none());
    // A float that nobody says how to draw is not drawn as another one.
    let error = rules(text).plan(&[tensor("b", "F64")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dtype);
    assert!(error.to_string().starts_with("tensor \"b\": the dtype is \"F64\", allowed: F32, F16, BF16"), "{error}");
}

/// Sixteen thousand rules are read in their time, not in its square.
#[test]
fn many_rules_are_read() {
    let rule = "[[rule]]\nname = \"x\"\nscheme = \"ones\"\n";
    let started = std::time::Instant::now();
    rules(&rule.repeat(16_000));
    let all = started.elapsed();
    assert!(all.as_secs() < 60, "{all:?}");
}

#[test]
fn a_list_and_a_preset_make_values() {
    let model = Model::from_json(br#"{"model.norm.weight": {"dtype": "BF16", "shape": [4]}}"#).unwrap();
    let plan = Rules::preset("LLAMA").unwrap().plan(model.tensors()).unwrap();
    let fills = plan.fills(1, Dtype::F32).unwrap();
    assert_eq!(cpu::vec::<half::bf16>(&fills[0].1).unwrap(), [half::bf16::ONE; 4]);
    assert_eq!(fills[0].1.distribution(), &Distribution::Constant { value: 1.0 });
    assert!(Rules::presets().all(|name| Rules::preset(name).is_ok()));
}

/// What is wrong is said once, with its line: the key's, not the rule's.
#[test]
fn errors_name_the_line_and_say_allowed_once() {
    let rule = "[[rule]]\nname = \"*\"\n";
    for (text, says) in [
        (format!("{rule}\nscheme = \"he_norml\""), "line 4: the scheme is \"he_norml\", allowed: zeros, ones,"),
        (format!("{rule}scheme = \"normal:std=-1\""), "line 3: std is -1, allowed: finite and at least 0"),
        (
            format!("{rule}scheme = \"normal:std=2*n\""),
            "line 3: the formula \"2*n\" has \"n\", which is not defined, allowed: none",
        ),
        (
            format!("{rule}scheme = \"ones\"\n\ndtype = \"f33\""),
            "line 5: the dtype is \"f33\", allowed: f32, f16, bf16",
        ),
        (format!("{rule}scheme = \"ones\"\nlayout = \"oi\""), "line 4: the layout is \"oi\", allowed: out_in, in_out,"),
        (
            format!("{rule}scheme = \"ones\"\nshape = [\n1, \"x\"]"),
            "line 4: a dimension is \"x\", allowed: a number or \"*\"",
        ),
        (
            format!("{rule}scheme = \"ones\"\nskip = true"),
            "line 3: a rule is one with skip and scheme, allowed: one of them, with name",
        ),
        (rule.into(), "line 1: a rule is one without a scheme, allowed: scheme, skip = true, or refuse"),
        ("[[rule]]\nscheme = \"ones\"\nname = [\"a\", \"[\"]".into(), "line 3: the pattern \"[\" cannot be read"),
        (
            "[constants]\nfan_in = 3".into(),
            "line 2: the name of a constant or count is \"fan_in\", allowed: another one",
        ),
        ("[count]\nuniform = \"*\"".into(), "line 2: the name of a constant or count is \"uniform\""),
        ("[constants]\n\"a b\" = 3".into(), "line 2: the name of a constant or count is \"a b\", allowed: letters"),
        ("[constants]\na = inf".into(), "line 2: a is inf, allowed: a finite number"),
        (
            "[constants]\na = 1\n[count]\na = \"*\"".into(),
            "line 4: a is both a constant and a count, allowed: one of them",
        ),
        (String::new(), "the text has no [[rule]], allowed: at least one"),
        (
            format!("[[rule]]\nscheme = \"ones\"\nname = \"{}\"", "*a".repeat(501)),
            "line 3: the length of a pattern is 1002 bytes, allowed: at most 1000",
        ),
        (
            format!("{rule}skip = true\nzero_row = 3"),
            "line 4: a rule is one with skip and zero_row, allowed: one of them",
        ),
        (
            format!("{rule}scheme = \"ones\"\nrank = []"),
            "line 4: the list of a rule's ranks is empty, allowed: at least one",
        ),
        (format!("{rule}scheme = \"ones\"\nrank = -1"), "line 4: the text cannot be read: rank is neither"),
        ("rule = 1".into(), "line 1: the text cannot be read"),
    ] {
        let error = text.parse::<Rules>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rules, "{error}");
        let said = error.to_string();
        assert!(said.starts_with(says), "{said}");
        assert!(said.matches("allowed:").count() <= 1, "{said}");
    }
    let text = format!("{rule}\n\nscheme = \"he_normal\"");
    let error = rules(&text).plan(&[Tensor::new("bias", [7])]).unwrap_err();
    assert_eq!(error.place(), Some("tensor \"bias\", by the scheme of line 5"));
    assert_eq!((error.kind(), error.to_string().matches("allowed:").count()), (ErrorKind::Shape, 1), "{error}");
    let many: Vec<_> = (0..30).map(|i| Tensor::new(format!("t{i}"), [2])).collect();
    let error = rules("[[rule]]\nname=\"x\"\nscheme=\"ones\"").plan(&many).unwrap_err();
    assert!(
        error.to_string().starts_with("30 tensors met no rule: \"t0\", \"t1\"")
            && error.to_string().contains("and 10 more"),
        "{error}"
    );
}
