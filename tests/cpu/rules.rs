//! Rules: what is said of each tensor, and what is refused.

use fanin::rules::{FileDtype, Model, Plan, Rules, Tensor};
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
    let depthwise = Rules::from_scheme(he, Layout::OUT_IN.with_groups(32)).unwrap();
    let fan_out = scheme::he_normal().with_mode(scheme::FanMode::FanOut).unwrap();
    let tensor = || Tensor::new("conv.weight", [32, 1, 3, 3]);
    let expected = (2.0f64 / 9.0).sqrt();
    assert_eq!(std_of(&depthwise, tensor()), expected);
    assert_eq!(std_of(&Rules::from_scheme(fan_out, Layout::OUT_IN.with_groups(32)).unwrap(), tensor()), expected);
    assert_eq!(
        std_of(
            &rules("[[rule]]\nname=\"*\"\nlayout=\"out_in:groups=32\"\nscheme=\"he_normal:mode=fan_out\""),
            tensor()
        ),
        expected
    );
    for wrong in [scheme::normal(0.0, -1.0), scheme::uniform(1.0, 1.0), scheme::constant(f64::NAN)] {
        Rules::from_scheme(wrong, Layout::OUT_IN).unwrap_err();
    }
    assert_eq!(Rules::from_scheme(he, Layout::OUT_IN.with_groups(0)).unwrap_err().kind(), ErrorKind::Shape);
    // Numbers come through to the last digit.
    let tiny = scheme::normal(0.0, 1.234_567_890_123_456_7e-300);
    let planned = Rules::from_scheme(tiny, Layout::IN_OUT).unwrap().plan(&[Tensor::new("w", [2, 2])]).unwrap();
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
        let distribution = fills[0].1.distribution().unwrap();
        let own = distribution.fill(&[64, 8], fanin::Stream::named(42, fills[0].0), Dtype::F32);
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
    assert_eq!(Rules::recognise(&bert("", 3)).unwrap_err().kind(), ErrorKind::Unmatched);
    let head = [bert("roberta.", 1), vec![Tensor::new("lm_head.decoder.weight", [30, 8])]].concat();
    assert_eq!(rows(&head, 5), ("roberta", vec![1]));

    let llama = ["input_layernorm.weight", "self_attn.q_proj.weight", "mlp.gate_proj.weight"];
    let model = |more: &[&str]| -> Vec<Tensor> {
        let shape = |name: &str| if name.contains("norm") { vec![8] } else { vec![8, 8] };
        let layer = llama.iter().chain(more).map(|name| Tensor::new(format!("model.layers.0.{name}"), shape(name)));
        layer.chain(["model.embed_tokens.weight", "lm_head.weight"].map(|name| Tensor::new(name, [30, 8]))).collect()
    };
    assert_eq!(Rules::recognise(&model(&[])).unwrap(), "llama");
    let gemma = model(&["pre_feedforward_layernorm.weight", "self_attn.q_norm.weight"]);
    assert_eq!(Rules::recognise(&gemma).unwrap(), "gemma");
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
    let scheme = Rules::from_scheme("normal:std=3".parse().unwrap(), Layout::IN_OUT).unwrap();
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
    let rules = Rules::from_scheme("he_normal".parse().unwrap(), Layout::OUT_IN).unwrap();
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
    for (name, shape, why) in
        [("layers.0.mixer.A_log", vec![16], "logarithm"), ("conv.weight_g", vec![16, 4], "weight norm: weight_v")]
    {
        let error = rules.plan(&[Tensor::new(name, shape)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rules);
        assert!(error.to_string().contains(name) && error.to_string().contains(why), "{error}");
    }
}

fn drawn(rules: &Rules, name: &str, shape: &[u64]) -> fanin::rules::Recipe {
    let plan = rules.plan(&[Tensor::new(name, shape)]).unwrap_or_else(|e| panic!("{name}: {e}"));
    plan.into_tensors().remove(0).draw.unwrap()
}

/// Formulas know the tensor: dimensions, fans by its layout, and the number in its name.
#[test]
fn formulas_know_the_tensor() {
    let of = |scheme: &str, more: &str| rules(&format!("[[rule]]\nname = \"*\"\nscheme = \"{scheme}\"\n{more}"));
    let value =
        |scheme: &str, more: &str, name: &str, shape: &[u64]| drawn(&of(scheme, more), name, shape).distribution.mean();
    for (formula, expected) in [
        ("dim_0", 8.0),
        ("dim_2", 3.0),
        ("rank", 4.0),
        ("fan_in", 54.0),
        ("fan_out", 72.0),
        ("layer", 11.0),
        ("2*dim_1+1", 13.0),
    ] {
        let scheme = format!("constant:value={formula}");
        assert_eq!(value(&scheme, "", "h.11.conv2.weight", &[8, 6, 3, 3]), expected, "{formula}");
    }
    let fan_in = "constant:value=fan_in";
    assert_eq!(value(fan_in, "layout = \"in_out\"", "w", &[3, 5]), 3.0);
    assert_eq!(value(fan_in, "layout = \"out_in:groups=dim_0\"", "w", &[8, 1, 3, 3]), 9.0);
    assert_eq!(value("constant:value=fan_out", "layout = \"out_in:groups=dim_0\"", "w", &[8, 1, 3, 3]), 9.0);
    assert_eq!(value(fan_in, "layout = \"fans:fan_in=dim_0/4,fan_out=1\"", "w", &[8]), 2.0);
    // What no example has at reading: multiples, differences, more dimensions.
    assert_eq!(value("constant:value=fan_in", "layout = \"out_in:groups=dim_0/8\"", "w", &[16, 3]), 3.0);
    assert_eq!(value("constant:value=1/sqrt(dim_0-dim_1)", "", "w", &[8, 4]), 0.5);
    assert_eq!(value("constant:value=1/sqrt(dim_0-200)", "", "w", &[204, 4]), 0.5);
    assert_eq!(value("constant:value=dim_17", "", "w", &[vec![1; 17], vec![5]].concat()), 5.0);
    assert_eq!(value("constant:value=layer", "", "encoder/layer_3/attention/query/kernel", &[2, 2]), 3.0);
    assert_eq!(value("constant:value=layer", "", "layers.0.blocks.7.x_9", &[2, 2]), 0.0);
    for (scheme, more, name, shape, says) in [
        (
            "constant:value=layer",
            "",
            "h.x.w",
            &[2, 2][..],
            "which is not defined, allowed: fan_in, fan_out, rank, dim_0 and on",
        ),
        ("constant:value=dim_2", "", "w", &[2, 2], "has \"dim_2\", which is not defined"),
        ("constant:value=fan_in", "", "w", &[2], "the shape is [2], of which there are fewer than two dimensions"),
        ("he_normal", "layout = \"out_in:groups=dim_1/2\"", "w", &[4, 5], "groups of the layout out_in is \"2.5\""),
        (
            "he_normal",
            "layout = \"out_in:groups=dim_1\"",
            "w",
            &[4, 3],
            "groups is 3, allowed: at least 1, and a divisor of 4",
        ),
        ("ones", "split = 2", "w", &[4, 3], "the dimension of its split is 2, allowed: below 2 in the shape [4, 3]"),
        (
            "ones",
            "[[rule.part]]\nblocks = 3",
            "w",
            &[4, 3],
            "the number of blocks is 3, allowed: a divisor of 4 along dimension 0",
        ),
        ("ones", "[[rule.part]]\ndim = 2\nblocks = 3", "w", &[4, 3], "the dimension of a part is 2, allowed: below 2"),
        (
            "ones",
            "[[rule.part]]\nrange = \"..5\"",
            "w",
            &[4, 3],
            "an end of the part, \"5\", is 5, allowed: a whole number from 0 to 4",
        ),
        ("ones", "[[rule.part]]\nrange = \"dim_1/2..\"", "w", &[4, 3], "is 1.5, allowed: a whole number from 0 to 4"),
        (
            "ones",
            "[[rule.part]]\nrange = \"3..1\"",
            "w",
            &[4, 3],
            "the part is 3..1, allowed: a start that is not after the end",
        ),
    ] {
        let error = of(scheme, more).plan(&[Tensor::new(name, shape)]).unwrap_err().to_string();
        assert!(error.contains(says) && error.matches("allowed:").count() == 1, "{scheme} {more}: {error}");
    }
}

/// Rules of one line that papers ask for.
#[test]
fn recipes_of_papers_are_rules() {
    let example = |name: &str| {
        let text =
            std::fs::read_to_string(format!("{}/examples/rules/{name}.toml", fanin_tests::repository().display()))
                .unwrap();
        rules(&text)
    };
    let std = |rules: &Rules, name: &str, shape: &[u64]| match drawn(rules, name, shape).distribution {
        Distribution::Normal { std, .. } | Distribution::TruncatedNormal { std, .. } => std,
        other => panic!("{other}"),
    };
    let depth = example("depth_scaled");
    assert_eq!(std(&depth, "layers.0.attention.wo.weight", &[64, 64]), 0.02 / 2f64.sqrt());
    assert_eq!(std(&depth, "layers.17.feed_forward.w2.weight", &[64, 256]), 0.02 / 36f64.sqrt());
    assert_eq!(std(&depth, "layers.17.feed_forward.w1.weight", &[256, 64]), 0.02);
    assert_eq!(std(&depth, "output.weight", &[1000, 64]), 0.125);
    let mup = example("mup");
    assert_eq!(std(&mup, "h.0.mlp.weight", &[64, 256]), 0.02);
    assert_eq!(std(&mup, "h.0.mlp.weight", &[64, 4096]), 0.005);
    assert_eq!(std(&mup, "embed_tokens.weight", &[64, 4096]), 0.02);
    assert_eq!(drawn(&mup, "lm_head.weight", &[8, 8]).distribution, Distribution::Constant { value: 0.0 });
    assert_eq!(std(&example("unit_mup"), "h.0.mlp.weight", &[64, 4096]), 1.0);
    let layers = |format: &str, n: usize, shape: &[u64]| -> Vec<Tensor> {
        (0..n).map(|i| Tensor::new(format.replace("{i}", &i.to_string()), shape)).collect()
    };
    // Of two layers (8 * 2)^(-1/4) = 1/2, times sqrt(2 / (64 + 64)) = 1/8.
    let plan = example("deepnorm").plan(&layers("layers.{i}.self_attn.out_proj.weight", 2, &[64, 64])).unwrap();
    assert_eq!(plan.tensors()[1].draw.as_ref().unwrap().distribution.std(), 0.0625);
    let neox = example("small_init");
    let plan = neox.plan(&layers("gpt_neox.layers.{i}.attention.dense.weight", 4, &[64, 64])).unwrap();
    assert_eq!(plan.tensors()[3].draw.as_ref().unwrap().distribution.std(), 2.0 / (4.0 * 8.0));
    assert_eq!(std(&neox, "gpt_neox.layers.0.mlp.dense_h_to_4h.weight", &[160, 40]), 0.1);
    let t5 = example("t5");
    let block = "encoder.block.0.layer";
    for (name, shape, expected) in [
        ("0.SelfAttention.q.weight", [384, 256], 1.0 / 128.0),
        ("0.SelfAttention.k.weight", [384, 256], 1.0 / 16.0),
        ("0.SelfAttention.o.weight", [256, 400], 1.0 / 20.0),
        ("1.DenseReluDense.wi_0.weight", [1024, 256], 1.0 / 16.0),
        ("1.DenseReluDense.wo.weight", [256, 1024], 1.0 / 32.0),
        ("0.SelfAttention.relative_attention_bias.weight", [32, 6], 1.0 / 512f64.sqrt()),
    ] {
        assert_eq!(std(&t5, &format!("{block}.{name}"), &shape), expected, "{name}");
    }
}

/// Parts of a tensor have schemes, fans and values of their own: those that they would have if theirs were the whole.
#[test]
fn parts_have_schemes_and_fans_of_their_own() {
    let path = format!("{}/examples/rules/packed.toml", fanin_tests::repository().display());
    let packed = rules(&std::fs::read_to_string(path).unwrap());
    let uniform = |bound: f64| Distribution::Uniform { low: -bound, high: bound };
    let glorot = |fans: f64| uniform((6.0 / fans).sqrt());
    // One of three: 512 in and out, not 512 and 1536.
    let draw = drawn(&packed, "attn.in_proj_weight", &[1536, 512]);
    assert_eq!((draw.distribution, draw.parts.len()), (glorot(1024.0), 0));
    let plan = packed.plan(&[Tensor::new("attn.in_proj_weight", [1536, 512])]).unwrap();
    assert_eq!(plan.tensors()[0].fans.map(|f| (f.fan_in(), f.fan_out())), Some((512, 512)));
    let draw = drawn(&packed, "qkv_proj.weight", &[48 * 64, 100]);
    let parts: Vec<_> = draw.parts.iter().map(|p| (p.range.clone(), p.distribution)).collect();
    assert_eq!(parts, [(0..2048, glorot(2148.0)), (2048..2560, glorot(612.0)), (2560..3072, glorot(612.0))]);
    let draw = drawn(&packed, "mlp.experts.gate_up_proj", &[4, 50, 60]);
    assert_eq!(draw.distribution.std(), 0.2);
    let draw = drawn(&packed, "lstm.bias_ih_l0", &[8]);
    let bias: Vec<f32> = cpu::vec(&draw.fill(1, Dtype::F32).unwrap()).unwrap();
    assert_eq!(bias, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let draw = drawn(&packed, "model.embed_tokens.weight", &[20, 4]);
    let values: Vec<f32> = cpu::vec(&draw.fill(1, Dtype::F32).unwrap()).unwrap();
    let alone = |std| {
        let normal = Distribution::Normal { mean: 0.0, std };
        let draw = fanin::rules::Recipe::new(normal, [20, 4], "model.embed_tokens.weight");
        cpu::vec::<f32>(&draw.fill(1, Dtype::F32).unwrap()).unwrap()
    };
    assert_eq!(values[..4], [0.0; 4]);
    assert_eq!((&values[4..52], &values[52..]), (&alone(0.02)[4..52], &alone(0.002)[52..]));

    // A part without elements draws none, and what ends before it begins is none.
    let empty = rules("[[rule]]\nname='*'\nscheme='ones'\n[[rule.part]]\nrange='1..1'\nscheme='zeros'");
    assert_eq!(cpu::vec::<f32>(&drawn(&empty, "w", &[3]).fill(1, Dtype::F32).unwrap()).unwrap(), [1.0; 3]);
    let zero = Distribution::Constant { value: 0.0 };
    let backward = std::ops::Range { start: 2, end: 1 };
    assert!(fanin::rules::Recipe::new(zero, [3], "w").with_part(0, backward, zero).fill(1, Dtype::F32).is_err());

    // A column part, with fans of its own; the last that has an element counts.
    let columns = rules(
        "[[rule]]\nname='*'\nlayout='in_out'\nscheme='he_normal'\nzero_row=1\n[[rule.part]]\ndim=1\nblocks=3\nblock=[0,2]\n\
         [[rule.part]]\ndim=1\nrange='dim_1-1..'\nscheme='ones'",
    );
    let draw = drawn(&columns, "w", &[2, 6]);
    let values: Vec<f32> = cpu::vec(&draw.fill(1, Dtype::F32).unwrap()).unwrap();
    assert_eq!((values[5], &values[6..]), (1.0, &[0.0; 6][..]));
    assert_eq!(
        draw.parts.iter().map(|p| (p.dim, p.range.clone())).collect::<Vec<_>>(),
        [(1, 0..2), (1, 4..6), (1, 5..6), (0, 1..2)]
    );
}

/// An LSTM's gates, each orthogonal: blocks along the first dimension lie one after the other, others do not.
#[test]
fn blocks_have_structures_where_they_lie_together() {
    let gates = |more: &str| rules(&format!("[[rule]]\nname='*'\n{more}"));
    let drawn_by = |rules: &Rules, shape: &[u64]| {
        let fill = drawn(rules, "w", shape).fill(1, Dtype::F32).unwrap();
        cpu::vec::<f32>(&fill).unwrap()
    };
    let all = drawn_by(&gates("scheme='orthogonal'\n[[rule.part]]\nblocks=4"), &[48, 12]);
    let batch = drawn_by(&gates("scheme='orthogonal'\nlayout='batch_out_in'"), &[4, 12, 12]);
    assert_eq!(all, batch);
    let some = gates("scheme='zeros'\n[[rule.part]]\nblocks=4\nblock=[1,3]\nscheme='orthogonal'");
    let some = drawn_by(&some, &[48, 12]);
    assert_eq!((&some[144..288], &some[432..]), (&all[144..288], &all[432..]));
    assert!(some[..144].iter().chain(&some[288..432]).all(|&x| x == 0.0));

    let beside = gates("scheme='orthogonal'\nlayout='in_out'\n[[rule.part]]\ndim=1\nblocks=4");
    let error = beside.plan(&[Tensor::new("w", [12, 48])]).unwrap_err().to_string();
    assert!(error.contains("the distribution of equal blocks along dimension 1 is orthogonal"), "{error}");
    let one = gates("scheme='zeros'\n[[rule.part]]\ndim=1\nblocks=4\nblock=1\nscheme='orthogonal'");
    let error = drawn(&one, "w", &[12, 48]).fill(1, Dtype::F32).unwrap_err().to_string();
    assert!(error.contains("whole multiples of the 144 elements"), "{error}");
    // Sequences along a dimension that a block has all of go on in each.
    let rows = drawn_by(&gates("scheme='arange'\n[[rule.part]]\ndim=1\nblocks=2"), &[2, 6]);
    assert_eq!(rows, [0.0, 1.0, 2.0, 0.0, 1.0, 2.0].repeat(2));
    let across = gates("scheme='arange:axis=0'\n[[rule.part]]\ndim=1\nblocks=2");
    assert!(across.plan(&[Tensor::new("w", [2, 6])]).is_err());

    let of_other = gates("scheme='orthogonal'\nfans_from='w'");
    let model = [Tensor::new("w", [8, 8]), Tensor::new("b", [64])];
    let error = of_other.plan(&model).unwrap_err().to_string();
    assert!(error.contains("the scheme is orthogonal") && error.contains("fans_from"), "{error}");
}

/// torch.nn.Bilinear(25, 9, 6) has the bound of its first input, and a head's width is no kernel.
#[test]
fn dimensions_that_are_no_kernel_are_known_by_name() {
    let pytorch = Rules::preset("pytorch").unwrap();
    let model = [Tensor::new("bilinear.weight", [6, 25, 9]), Tensor::new("bilinear.bias", [6])];
    for planned in pytorch.plan(&model).unwrap().tensors() {
        assert_eq!(planned.draw.as_ref().unwrap().distribution, Distribution::Uniform { low: -0.2, high: 0.2 });
    }
    // What only has the name is what it is.
    let model = [
        ("bilinear_up.conv.weight", vec![64, 3, 3, 3]),
        ("bilinear_up.conv.bias", vec![64]),
        ("bilinear_pool.proj.weight", vec![10, 27]),
        ("bilinear_pool.proj.bias", vec![10]),
    ];
    let model = model.map(|(name, shape)| Tensor::new(name, shape));
    for planned in pytorch.plan(&model).unwrap().tensors() {
        let bound = 1.0 / 27f64.sqrt();
        let Distribution::Uniform { low, high } = planned.draw.as_ref().unwrap().distribution else { panic!() };
        assert!((low + bound).abs() < 1e-12 && (high - bound).abs() < 1e-12, "{}", planned.name);
    }
    let flax = Rules::preset("flax").unwrap();
    for name in ["OptimizedLSTMCell_0/hi/kernel", "SimpleCell_0/h/kernel", "dense_h.kernel"] {
        let draw = drawn(&flax, name, &[8, 8]);
        assert!(matches!(draw.distribution, Distribution::Structured(_)), "{name}: {draw:?}");
    }
    for (name, shape) in [("attention/query/kernel", [100, 4, 16]), ("attention/out/kernel", [4, 25, 16])] {
        let std = std_of(&flax, Tensor::new(name, shape));
        assert!((std - 0.1).abs() < 1e-9, "{name}: {std}");
    }
}

/// PyTorch's LSTM with proj_size has bounds of the hidden size for all, which no single matrix's fan_in is.
#[test]
fn an_lstm_with_projection_has_one_bound() {
    // torch.nn.LSTM(10, 64, num_layers=2, proj_size=16, bidirectional=True).
    let mut model = Vec::new();
    for (layer, inputs) in [("l0", 10), ("l0_reverse", 10), ("l1", 32), ("l1_reverse", 32)] {
        model.extend([
            Tensor::new(format!("lstm.weight_ih_{layer}"), [256, inputs]),
            Tensor::new(format!("lstm.weight_hh_{layer}"), [256, 16]),
            Tensor::new(format!("lstm.bias_ih_{layer}"), [256]),
            Tensor::new(format!("lstm.bias_hh_{layer}"), [256]),
            Tensor::new(format!("lstm.weight_hr_{layer}"), [16, 64]),
        ]);
    }
    let plan = Rules::preset("pytorch").unwrap().plan(&model).unwrap();
    for planned in plan.tensors() {
        let bound = Distribution::Uniform { low: -0.125, high: 0.125 };
        assert_eq!(planned.draw.as_ref().unwrap().distribution, bound, "{}", planned.name);
    }
    // Without one, as before.
    let model = [("weight_hh_l0", vec![256, 64]), ("bias_ih_l0", vec![256]), ("weight_ih_l0", vec![256, 10])];
    let model = model.map(|(name, shape)| Tensor::new(name, shape));
    for planned in Rules::preset("pytorch").unwrap().plan(&model).unwrap().tensors() {
        assert_eq!(planned.draw.as_ref().unwrap().distribution, Distribution::Uniform { low: -0.125, high: 0.125 });
    }
}

/// What has three dimensions and is no convolution by name is refused where fans matter; layouts say what it is.
#[test]
fn one_scheme_takes_no_stack_for_a_convolution() {
    let he = "he_normal".parse().unwrap();
    let rules = Rules::from_scheme(he, Layout::OUT_IN).unwrap();
    for name in ["mlp.experts.gate_up_proj", "ensemble.weight", "attention/query/kernel", "0.weight"] {
        let error = rules.plan(&[Tensor::new(name, [8, 128, 64])]).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("batch_out_in"), "{error}");
    }
    for name in ["conv1.weight", "Conv_0/kernel", "mixer.conv1d.weight"] {
        assert_eq!(std_of(&rules, Tensor::new(name, [8, 16, 8])), (2.0f64 / 128.0).sqrt(), "{name}");
    }
    // Without fans there is nothing to mistake; so with a layout that is a batch's.
    std_of(&Rules::from_scheme("normal:std=3".parse().unwrap(), Layout::OUT_IN).unwrap(), Tensor::new("x", [2, 3, 4]));
    assert_eq!(std_of(&Rules::from_scheme(he, Layout::BATCH_IN_OUT).unwrap(), Tensor::new("x", [2, 8, 4])), 0.5);
    let others = [
        ("*experts.down*", Layout::BATCH_OUT_IN),
        ("*dw*", Layout::OUT_IN.with_groups(8)),
        ("*\"\u{7f}\\*", Layout::IN_OUT),
    ];
    let rules = Rules::from_scheme_in(he, Layout::OUT_IN, &others).unwrap();
    assert_eq!(std_of(&rules, Tensor::new("mlp.experts.down_proj", [4, 64, 8])), 0.5);
    assert_eq!(std_of(&rules, Tensor::new("dw.weight", [8, 1, 2, 4])), 0.5);
    assert_eq!(std_of(&rules, Tensor::new("\"\u{7f}\\", [8, 4])), 0.5);
    assert_eq!(std_of(&rules, Tensor::new("lin.weight", [4, 8])), 0.5);
    // Whatever a pattern is, it is no word of ours.
    let words = [("SCHEME", Layout::IN_OUT), ("LAYOUT", Layout::IN_OUT), ("# LAYOUTS", Layout::IN_OUT)];
    let named = Rules::from_scheme_in(he, Layout::OUT_IN, &words).unwrap();
    for (name, _) in words {
        assert_eq!(std_of(&named, Tensor::new(name, [8, 2])), 0.5, "{name}");
    }
    // Vectors are none of a layout's.
    assert_eq!(drawn(&rules, "dw.bias", &[8]).distribution, Distribution::Constant { value: 0.0 });
    assert_eq!(
        Rules::from_scheme_in(he, Layout::OUT_IN, &[("[", Layout::OUT_IN)]).unwrap_err().kind(),
        ErrorKind::Rules
    );
    let none = Layout::OUT_IN.with_groups(0);
    assert_eq!(Rules::from_scheme_in(he, Layout::OUT_IN, &[("a", none)]).unwrap_err().kind(), ErrorKind::Shape);
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
fn dtypes_are_the_rules_or_the_models_unless_the_caller_asks_for_one() {
    let text = "[[rule]]\nname=\"a\"\nscheme=\"ones\"\ndtype=\"f16\"\n[[rule]]\nname=\"*\"\nscheme=\"normal:std=0.02\"";
    let tensor = |name: &str, dtype| Tensor::new(name, [2, 2]).with_dtype(dtype);
    let (ids, a, b) = (tensor("ids", FileDtype::I64), tensor("a", FileDtype::F64), tensor("b", FileDtype::BF16));
    let model = [a, b, Tensor::new("c", [3]), ids];
    let plan = rules(text).plan(&model).unwrap();
    let drawn = |plan: &fanin::rules::Plan, dtype: Option<Dtype>| {
        plan.fills(42, dtype).unwrap().iter().map(|(name, fill)| (name.to_string(), fill.dtype())).collect::<Vec<_>>()
    };
    let expected = |of: [(&str, Dtype); 3]| of.map(|(name, dtype)| (name.to_string(), dtype));
    let all = [("a", Dtype::F32), ("b", Dtype::F32), ("c", Dtype::F32)];
    assert_eq!(drawn(&plan, Some(Dtype::F32)), expected(all));
    assert_eq!(plan.fills(42, None).unwrap_err().place(), Some("tensor \"c\""));
    let said = rules(text).plan(&model[..2]).unwrap();
    assert_eq!(drawn(&said, None), expected([("a", Dtype::F16), ("b", Dtype::BF16), all[2]])[..2]);
    assert!(plan.tensors()[3].rule.is_none() && plan.tensors()[3].draw.is_none());
    // A float that nobody says how to draw is not drawn as another one.
    let error = rules(text).plan(&[tensor("b", FileDtype::F64)]).unwrap_err();
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

/// A list, a configuration and a rule each say a dtype, or none: what is asked for counts, as with `fanin init --dtype`.
#[test]
fn the_dtype_that_is_asked_for_is_drawn_whatever_the_model_and_its_rules_say() {
    let list =
        br#"{"wte.weight": {"dtype": "F32", "shape": [8, 4]}, "h.0.ln_1.weight": {"dtype": "F16", "shape": [4]}}"#;
    let list = Model::from_json(list).unwrap();
    let of_list = Rules::preset("gpt2").unwrap().plan(list.tensors()).unwrap();
    let rules: Rules = "[[rule]]\nname = '*'\nscheme = 'normal:std=0.02'\ndtype = 'f16'".parse().unwrap();
    let of_rule = rules.plan(&[Tensor::new("w", [8, 4])]).unwrap();
    let config =
        br#"{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 1,
        "vocab_size": 16, "n_positions": 4, "torch_dtype": "float32"}"#;
    let config = fanin::rules::Config::from_json(config).unwrap();
    let of_config = fanin::rules::Architecture::for_config(&config).unwrap().plan(&config).unwrap();
    for plan in [&of_list, &of_rule, &of_config] {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            let fills = plan.fills(42, dtype).unwrap();
            assert!(!fills.is_empty());
            for (name, fill) in fills {
                assert_eq!((fill.dtype(), fill.byte_len()), (dtype, dtype.bytes(fill.len())), "{name}");
            }
        }
    }
    let own =
        |plan: &fanin::rules::Plan| plan.fills(42, None).unwrap().iter().map(|(_, f)| f.dtype()).collect::<Vec<_>>();
    assert_eq!((own(&of_list), own(&of_rule)), (vec![Dtype::F32, Dtype::F16], vec![Dtype::F16]));
    assert!(own(&of_config).iter().all(|&dtype| dtype == Dtype::F32));
    // Where nobody says one, none is made up.
    let silent = Rules::preset("gpt2").unwrap().plan(&[Tensor::new("wte.weight", [8, 4])]).unwrap();
    let error = silent.fills(42, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dtype);
    let said = "tensor \"wte.weight\": the dtype is not said, allowed: one that is asked for, or that its rule or the model's list says";
    assert_eq!(error.to_string(), said);
}

#[test]
fn a_list_and_a_preset_make_values() {
    let model = Model::from_json(br#"{"model.norm.weight": {"dtype": "BF16", "shape": [4]}}"#).unwrap();
    let plan = Rules::preset("LLAMA").unwrap().plan(model.tensors()).unwrap();
    let fills = plan.fills(1, None).unwrap();
    assert_eq!(cpu::vec::<half::bf16>(&fills[0].1).unwrap(), [half::bf16::ONE; 4]);
    assert_eq!(fills[0].1.distribution(), Some(&Distribution::Constant { value: 1.0 }));
    assert!(Rules::presets().all(|name| Rules::preset(name).is_ok()));
}

/// What is wrong is said once, with its line: the key's, not the rule's.
#[test]
fn errors_name_the_line_and_say_allowed_once() {
    let rule = "[[rule]]\nname = \"*\"\n";
    for (text, says) in [
        (
            format!("{rule}\nscheme = \"he_norml\""),
            "line 4: the scheme is \"he_norml\", did you mean he_normal? allowed: zeros, ones,",
        ),
        (format!("{rule}scheme = \"normal:std=-1\""), "line 3: std is -1, allowed: finite and at least 0"),
        (
            format!("{rule}scheme = \"normal:std=2*n\""),
            "line 3: the formula \"2*n\" has \"n\", which is not defined, allowed: fan_in, fan_out, layer, rank, dim_0 and on",
        ),
        (
            format!("{rule}scheme = \"ones\"\n\ndtype = \"f33\""),
            "line 5: the dtype is \"f33\", did you mean f32? allowed: f32, f16, bf16",
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
        (
            format!("{rule}scheme = \"ones\"\nrank = -1"),
            "line 4: rank is -1, allowed: a whole number from 0 on, or a list of such",
        ),
        ("rule = 1".into(), "line 1: rule is 1, allowed: a list"),
        (
            format!("{rule}schme = \"ones\""),
            "line 3: a key of a rule is \"schme\", did you mean scheme? allowed: name, module",
        ),
        (format!("{rule}scheme = 2024-01-01"), "line 3: scheme is 2024-01-01, allowed: a text"),
        (format!("{rule}scheme = \"ones\"\nrank = \"two\""), "line 4: rank is \"two\", allowed: a whole number"),
        ("rules = []".into(), "line 1: a key of the text is \"rules\", did you mean rule?"),
        (
            "[[rule]]\nscheme = \"ones\"".into(),
            "line 1: name of a rule is not given, allowed: a text, or a list of such",
        ),
        (
            format!("{rule}scheme = \"ones\"\n[[rule.part]]\ndim = 0"),
            "line 4: a part is one with neither or both, allowed: blocks",
        ),
        (
            format!("{rule}scheme = \"ones\"\n[[rule.part]]\nblocks = 4\nblock = 4"),
            "line 6: the number of a block is 4, allowed: below 4",
        ),
        (
            format!("{rule}scheme = \"ones\"\n[[rule.part]]\nblocks = 0"),
            "line 5: the number of blocks is 0, allowed: at",
        ),
        (
            format!("{rule}scheme = \"ones\"\n[[rule.part]]\nblocks = 4\nblock = []"),
            "line 6: the list of a part's blocks is empty",
        ),
        (
            format!("{rule}scheme = \"ones\"\n[[rule.part]]\nrange = \"3\""),
            "line 5: the range is \"3\", allowed: FROM..TO",
        ),
        (format!("{rule}scheme = \"ones\"\n[[rule.part]]\nrange = \"x..\""), "line 5: the formula \"x\" has \"x\""),
        (
            format!("{rule}scheme = \"ones\"\n[[rule.part]]\nblocks = 2\nscheme = \"onse\""),
            "line 6: the scheme is \"onse\"",
        ),
        (
            format!("{rule}scheme = \"ones\"\nsplit = \"wohle\""),
            "line 4: the split is \"wohle\", allowed: a dimension, whole",
        ),
        (format!("{rule}scheme = \"ones\"\nsplit = {{}}"), "line 4: the split is of no axis"),
        (
            format!("{rule}scheme = \"ones\"\n[[rule.part]]\nblocks = 4\nblock = [1, 1]"),
            "line 6: a block is 1, twice, allowed: each once",
        ),
        (
            format!("{rule}scheme = \"ones\"\n[[rule.part]]\nrange = \"..fan_in\""),
            "line 5: the formula \"fan_in\" has \"fan_in\", which is not defined",
        ),
        (
            format!("{rule}scheme = \"normal:std=2*dmi_0\""),
            "line 3: the formula \"2*dmi_0\" has \"dmi_0\", which is not defined, did you mean dim_0?",
        ),
        (
            format!("{rule}scheme = \"ones\"\nsplit = -1"),
            "line 4: split is -1, allowed: a whole number from 0 on, or a text, or a table",
        ),
        (format!("{rule}skip = true\nsplit = 0"), "line 4: a rule is one with skip and split"),
        (format!("{rule}scheme = \"ones\"\nlayout = \"out_in:groups=dim\""), "line 4: the formula \"dim\" has \"dim\""),
        ("[constants]\ndim_3 = 3".into(), "line 2: the name of a constant or count is \"dim_3\", allowed: another"),
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

/// The tensors of a list, in order.
fn listed(list: &[(&str, &[u64])]) -> Vec<Tensor> {
    list.iter().map(|(name, shape)| Tensor::new(*name, *shape)).collect()
}

/// What each draws, or else what is said of the first that is refused.
fn distributions(rules: &Rules, list: &[(&str, &[u64])]) -> Result<Vec<Option<Distribution>>, String> {
    let plan = rules.plan(&listed(list)).map_err(|e| e.to_string())?;
    Ok(plan.tensors().iter().map(|planned| planned.draw.as_ref().map(|draw| draw.distribution)).collect())
}

const fn constant(value: f64) -> Option<Distribution> {
    Some(Distribution::Constant { value })
}

/// U(+-1/sqrt(fan_in)).
fn within(fan_in: f64) -> Option<Distribution> {
    let bound = (1.0 / fan_in).sqrt();
    Some(Distribution::Uniform { low: -bound, high: bound })
}

const TABLE: Option<Distribution> = Some(Distribution::Normal { mean: 0.0, std: 1.0 });

/// Linears of diffusion models speak of embeddings: their biases or modules tell them from tables; what nothing tells is refused.
#[test]
fn an_embedding_is_told_from_a_linear_that_speaks_of_embeddings() {
    let pytorch = Rules::preset("pytorch").unwrap();
    let bias = |of: &str, name: &str, shape: &[u64], len: u64| {
        let [weight, bias] = ["weight", "bias"].map(|last| format!("{name}.{last}"));
        let rules = Rules::preset(of).unwrap();
        distributions(&rules, &[(&weight, shape), (&bias, &[len])]).unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    for name in [
        "time_embedding.linear_1",
        "add_embedding.linear_2",
        "context_embedder",
        "x_embedder",
        "time_text_embed.timestep_embedder.linear_1",
        "t_embedder.mlp.0",
        "time_embed.2",
        "embedding",
        "embed_state",
        "class_embed",
        "embeddings.norm",
    ] {
        assert_eq!(bias("pytorch", name, &[16, 64], 16), [within(64.0), within(64.0)], "{name}");
        assert_eq!(bias("burn", name, &[64, 16], 16), [within(64.0), within(64.0)], "{name}");
    }
    // A bias of another length is no Linear's.
    assert_eq!(bias("pytorch", "embed_tokens", &[16, 64], 64)[0], TABLE);
    let alone = |rules: &Rules, name: &str| Ok::<_, String>(distributions(rules, &[(name, &[16, 64])])?[0]);
    for (rules, fan_in) in [(&pytorch, 64.0), (&Rules::preset("burn").unwrap(), 16.0)] {
        for name in [
            "embed_out.weight",
            "unembed.weight",
            "embedding_proj.weight",
            "patch_embed.proj.weight",
            "time_embed.0.weight",
            "embeddings.fc1.weight",
            "embeddings.dense.weight",
            "text_embed.mlp_in.weight",
            "vision.patch_embedding.linear.weight",
        ] {
            assert_eq!(alone(rules, name), Ok(within(fan_in)), "{name}");
        }
        for name in [
            "embed_tokens.weight",
            "model.decoder.embed_tokens.0.weight",
            "transformer.wte.weight",
            "wpe.weight",
            "embeddings.word_embeddings.weight",
            "token_type_embeddings.weight",
            "visual_token_type_embeddings.weight",
            "y_embedder.embedding_table.weight",
            "label_emb.weight",
            "time_embedding.weight",
            "tok_embeddings.weight",
            "Embed_0.weight",
            "query_embed.weight",
        ] {
            assert_eq!(alone(rules, name), Ok(TABLE), "{name}");
        }
        for name in [
            "context_embedder.weight",
            "x_embedder.weight",
            "patch_embed.weight",
            "patch_embedder.patch_embedding.weight",
            "embeddings.token_type.weight",
            "embeddings.position.weight",
            "emb.0.weight",
            "embeddings.3.weight",
        ] {
            let said = alone(rules, name).unwrap_err();
            assert!(said.contains(&format!("tensor \"{name}\"")), "{said}");
            assert!(
                said.contains("nothing tells whether it is an Embedding, N(0, 1), or a Linear without a bias")
                    && said.contains("allowed: rules that have a scheme for it, or skip it"),
                "{said}"
            );
        }
    }
    for name in ["shared.weight", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"] {
        assert_eq!(alone(&pytorch, name), Ok(TABLE), "{name}");
    }
    // A projection is MultiheadAttention's where its other half is beside it.
    let attention: &[(&str, &[u64])] =
        &[("a.in_proj_bias", &[24]), ("a.out_proj.weight", &[8, 8]), ("a.out_proj.bias", &[8])];
    assert_eq!(distributions(&pytorch, attention).unwrap()[2], constant(0.0));
    assert_eq!(distributions(&pytorch, &attention[1..]).unwrap()[1], within(8.0));
}

/// Norms over several dimensions are no matrices, under layers' defaults or one scheme: 1 and 0.
#[test]
fn norms_of_several_dimensions_start_at_one_and_zero() {
    let pytorch = Rules::preset("pytorch").unwrap();
    let he = Rules::from_scheme("he_normal".parse().unwrap(), Layout::OUT_IN).unwrap();
    for rules in [&pytorch, &he] {
        for shape in [&[8, 16][..], &[3, 32, 32], &[1, 8, 1, 1]] {
            let drawn = distributions(rules, &[("0.weight", shape), ("0.bias", shape)]).unwrap();
            assert_eq!(drawn, [constant(1.0), constant(0.0)], "{shape:?}");
        }
        for name in [
            "q_norm.weight",
            "layers.0.self_attn.k_norm.weight",
            "attn.norm_q.weight",
            "norm1.weight",
            "ln_1.weight",
            "ln.weight",
            "post_attention_layernorm.weight",
            "LayerNorm_0.weight",
            "input_layer_norm.weight",
            "mlp_norm.weight",
            "bn2.weight",
        ] {
            for shape in [&[4, 8][..], &[2, 4, 8]] {
                assert_eq!(distributions(rules, &[(name, shape)]).unwrap(), [constant(1.0)], "{name}");
            }
        }
        // What modulates a norm is a matrix, as its bias says; of what else speaks of norms, nothing says what it is.
        let modulated = distributions(rules, &[("ada_norm.weight", &[16, 8]), ("ada_norm.bias", &[16])]).unwrap();
        assert!(modulated[0].unwrap().std() > 0.0, "{modulated:?}");
        let said = distributions(rules, &[("norm_mix.weight", &[16, 8])]).unwrap_err();
        assert!(said.contains("its module's name speaks of a norm and of something else"), "{said}");
        let linear = distributions(rules, &[("norm.linear.weight", &[16, 8])]).unwrap();
        assert!(linear[0].unwrap().std() > 0.0, "{linear:?}");
    }
    let said = distributions(&pytorch, &[("experts.weight", &[4, 32, 24]), ("experts.bias", &[4, 32])]).unwrap_err();
    assert!(
        said.contains("it is refused: it has not one dimension") && said.contains("tensor \"experts.bias\""),
        "{said}"
    );
    let burn = Rules::preset("burn").unwrap();
    assert_eq!(distributions(&burn, &[("norm.gamma", &[4, 8])]).unwrap(), [constant(1.0)]);
    let said = distributions(&burn, &[("q_norm.weight", &[4, 8])]).unwrap_err();
    assert!(said.contains("its module is a norm, of which Burn has gamma and beta"), "{said}");
}

/// Under one scheme for all, of however many dimensions.
#[test]
fn what_a_names_last_part_says_holds_in_any_rank() {
    let he = Rules::from_scheme("he_normal".parse().unwrap(), Layout::OUT_IN).unwrap();
    for (value, names) in [
        (
            0.0,
            &[
                "experts.bias",
                "attn.in_proj_bias",
                "moe.w1_bias",
                "moe.b1",
                "query.bias",
                "mlp.experts.gate_up_proj_bias",
                "embeddings.position_bias",
                "attn.pos_bias_u",
                "r_w_bias",
                "blocks.0.attn.b_Q",
                "norm.beta",
                "bn.running_mean",
                "BatchNorm_0/mean",
                "attention_biases",
            ][..],
        ),
        (
            1.0,
            &[
                "norm.weight",
                "norm.scale",
                "ls.gamma",
                "gamma_1",
                "layer_scale1.lambda1",
                "bn.running_var",
                "bn.moving_variance",
                "BatchNorm_0/var",
                "attn.res_scale",
                "linear_qkv.layer_norm_weight",
                "norm.g",
                "model.layers.0.mlp.scales",
            ],
        ),
    ] {
        for name in names {
            for shape in [&[8][..], &[1, 8], &[4, 16], &[1, 8, 1, 1]] {
                assert_eq!(distributions(&he, &[(name, shape)]).unwrap(), [constant(value)], "{name} {shape:?}");
            }
        }
    }
    // What a bias is beside, and what only ends alike, are matrices.
    for name in ["experts.weight", "dense.kernel", "relative_attention_bias.weight", "norm1.linear.weight"] {
        let drawn = distributions(&he, &[(name, &[4, 16]), ("experts.bias", &[4])]).unwrap();
        assert_eq!(drawn[0], Some(Distribution::Normal { mean: 0.0, std: (2.0f64 / 16.0).sqrt() }), "{name}");
    }
    // What the model works out itself, and masks.
    for (name, shape) in [
        ("rotary_emb.cos_cached", &[1, 1, 64, 8][..]),
        ("h.0.attn.bias", &[1, 1, 64, 64]),
        ("h.0.attn.masked_bias", &[]),
        ("layers.0.rotary_emb.inv_freq", &[8]),
    ] {
        assert_eq!(distributions(&he, &[(name, shape)]).unwrap(), [None], "{name}");
    }
}

/// Unit vectors, norms of other tensors and temperatures are none that a scheme could draw.
#[test]
fn one_scheme_refuses_what_other_tensors_or_models_decide() {
    let he = Rules::from_scheme("he_normal".parse().unwrap(), Layout::OUT_IN).unwrap();
    let spectral = "it is a vector of length 1 (spectral norm), which no scheme draws";
    let norm = "it is the norm of another tensor (weight norm: weight_v, original1), which no scheme draws";
    let temperature = "it is a temperature or its logarithm, of which each model has another, such as ln(1/0.07) and 0";
    for (name, shape, why) in [
        ("0.weight_u", &[20][..], spectral),
        ("0.weight_v", &[10], spectral),
        ("lstm.weight_hh_l0_u", &[20], spectral),
        ("0.parametrizations.weight.0._u", &[20], spectral),
        ("0.parametrizations.weight.0._v", &[10], spectral),
        ("dense/sn_u", &[1, 20], spectral),
        ("conv.weight_g", &[16, 1, 1], norm),
        ("conv.parametrizations.weight.original0", &[1, 1, 16], norm),
        ("lin.parametrizations.weight.original0", &[20, 1], norm),
        (
            "q_proj.lora_magnitude_vector.default.weight",
            &[8],
            "it is the norm of other tensors (DoRA), which no scheme draws",
        ),
        (
            "0.parametrizations.weight.0.base",
            &[8, 8],
            "it is the orthogonal matrix that another tensor is relative to, which no scheme draws",
        ),
        ("logit_scale", &[], temperature),
        ("attn.logit_scale", &[4, 1, 1], temperature),
        ("temperature", &[], temperature),
        ("res.g", &[8], "it may be the scale of a norm, 1, or the norm of another tensor (weight norm)"),
    ] {
        let said = distributions(&he, &[(name, shape)]).unwrap_err();
        assert!(said.starts_with(&format!("tensor \"{name}\"")), "{said}");
        let ends = format!("it is refused: {why}, allowed: rules that have a scheme for it, or skip it");
        assert!(said.ends_with(&ends), "{said}");
    }
    let flax = he.plan(&listed(&[("Dense_0/kernel/u", &[1, 8]), ("Dense_0/kernel/sigma", &[])])).unwrap_err();
    assert!(flax.to_string().contains(spectral), "{flax}");
    let dora = distributions(&Rules::preset("pytorch").unwrap(), &[("q_proj.lora_magnitude_vector.weight", &[8])]);
    assert!(dora.unwrap_err().contains("it is the norm of other tensors (DoRA)"));
    // The other halves are matrices.
    for name in ["0.weight_orig", "0.parametrizations.weight.original", "conv.weight_v"] {
        assert!(distributions(&he, &[(name, &[20, 10])]).unwrap()[0].unwrap().std() > 0.0, "{name}");
    }
}

/// A model that has a tensor more than those of a preset is none of them.
#[test]
fn a_model_is_recognised_by_all_its_tensors() {
    let bert: &[(&str, &[u64])] = &[
        ("embeddings.word_embeddings.weight", &[30, 8]),
        ("embeddings.token_type_embeddings.weight", &[2, 8]),
        ("embeddings.LayerNorm.weight", &[8]),
        ("encoder.layer.0.attention.self.query.weight", &[8, 8]),
        ("encoder.layer.11.output.dense.bias", &[8]),
    ];
    let vit: &[(&str, &[u64])] = &[
        ("embeddings.cls_token", &[1, 1, 8]),
        ("embeddings.patch_embeddings.projection.weight", &[8, 3, 4, 4]),
        ("encoder.layer.0.layernorm_before.weight", &[8]),
    ];
    let gemma: &[(&str, &[u64])] = &[
        ("layers.0.self_attn.q_proj.weight", &[8, 8]),
        ("layers.0.pre_feedforward_layernorm.weight", &[8]),
        ("norm.weight", &[8]),
    ];
    let gpt2: &[(&str, &[u64])] = &[("wte.weight", &[30, 8]), ("h.0.attn.c_attn.weight", &[8, 24])];
    let resnet: &[(&str, &[u64])] = &[
        ("conv1.weight", &[8, 3, 7, 7]),
        ("layer1.0.conv1.weight", &[8, 8, 3, 3]),
        ("layer1.0.bn1.running_mean", &[8]),
    ];
    for (model, preset, head, others) in [
        (
            bert,
            "bert",
            "cls.predictions.decoder.weight",
            &[
                // RoFormer's sinusoids, another tower's layers, a custom head.
                "encoder.embed_positions.weight",
                "vision.encoder.layer.0.attention.self.query.weight",
                "head.weight",
            ][..],
        ),
        (
            vit,
            "vit",
            "classifier.weight",
            &["embeddings.text_embeddings.LayerNorm.weight", "encoder.layer.0.norm1.weight"],
        ),
        (
            gemma,
            "gemma",
            "lm_head.weight",
            &["layers.0.self_attn.gate_proj.weight", "layers.0.mlp.experts.gate_up_proj"],
        ),
        (gpt2, "gpt2", "score.weight", &["h.0.attn.q_attn.weight", "adapters.0.weight"]),
        (resnet, "resnet", "fc.weight", &["layer1.0.se.fc1.weight", "layer5.0.conv1.weight"]),
    ] {
        assert_eq!(Rules::recognise(&listed(model)).unwrap(), preset);
        // Within a wrapper, with a head beside the model.
        let wrapped = model.iter().map(|(name, shape)| Tensor::new(format!("module.model.{name}"), *shape));
        let head = Tensor::new(format!("module.{head}"), [8, 8]);
        let wrapped: Vec<_> = wrapped.chain([head, Tensor::new("position", [1]).with_dtype(FileDtype::I64)]).collect();
        assert_eq!(Rules::recognise(&wrapped).unwrap(), preset);
        for other in others {
            let model = [listed(model), listed(&[(other, &[8, 8])])].concat();
            let error = Rules::recognise(&model).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unmatched);
            let said = format!(
                "the model looks like {preset}'s, and has a tensor that none of those has: \"{other}\", allowed: {preset} by its \
                 name, whose rules may serve it, or rules of your own"
            );
            assert_eq!(error.to_string(), said);
        }
    }
    for (list, preset) in [
        ("gpt2", "gpt2"),
        ("all-minilm-l6-v2", "bert"),
        ("llama-8b", "llama"),
        ("resnet50", "resnet"),
        ("vit-base", "vit"),
    ] {
        let text = std::fs::read(format!("{}/data/models/{list}.json", fanin_tests::repository().display())).unwrap();
        assert_eq!(Rules::recognise(Model::from_json(&text).unwrap().tensors()).unwrap(), preset, "{list}");
    }
    let none = Rules::recognise(&listed(&[("weight", &[8, 8])])).unwrap_err().to_string();
    assert_eq!(
        none,
        "the model is known to no preset by its tensors' names, allowed: a preset's name, or rules of your own"
    );
}

/// A rule that asks for another tensor, and says of a tensor without it what is missing.
#[test]
fn what_stands_beside_a_tensor_decides() {
    let of = |condition: &str| {
        rules(&format!(
            "[[rule]]\nname = '*.weight'\n{condition}\nscheme = 'ones'\n[[rule]]\nname = '*'\nscheme = 'zeros'"
        ))
    };
    let list: &[(&str, &[u64])] = &[("a.b.weight", &[8, 4]), ("a.b.bias", &[8]), ("a.scale", &[8, 4])];
    for (condition, holds) in [
        ("beside = { name = 'bias' }", true),
        ("beside = { name = 'bias', shape = ['dim_0'] }", true),
        ("beside = { name = 'bias', shape = ['dim_1'] }", false),
        ("beside = { name = 'bias', shape = [8] }", true),
        ("beside = { name = 'bias', shape = ['*'] }", true),
        ("beside = { name = 'bias', shape = ['*', 1] }", false),
        ("beside = { name = 'bias', shape = ['dim_7'] }", false),
        ("beside = { name = 'bias', shape = 'alike' }", false),
        ("beside = { name = 'bias', shape = 'absent' }", false),
        ("beside = { name = 'gain', shape = 'absent' }", true),
        ("beside = { name = 'gain' }", false),
        ("beside = { name = '../scale', shape = 'alike' }", true),
        ("beside = { name = '../bias' }", false),
        ("module = 'b'", true),
        ("module = ['x', '?']", true),
        ("module = 'a*'", false),
    ] {
        let drawn = distributions(&of(condition), list).unwrap();
        assert_eq!(drawn[0], constant(f64::from(u8::from(holds))), "{condition}");
    }
    for (condition, says) in [
        ("module = []", "line 3: the list of a rule's modules is empty, allowed: at least one pattern"),
        (
            "beside = { name = 'bias', shape = 'same' }",
            "is \"same\", allowed: \"alike\", \"absent\", or a list of dimensions",
        ),
        (
            "beside = { name = 'bias', shape = ['dim_x'] }",
            "a dimension is \"dim_x\", allowed: a number, \"*\", or dim_0",
        ),
        ("beside = { nme = 'bias' }", "nme"),
    ] {
        let text = format!("[[rule]]\nname = '*'\n{condition}\nscheme = 'ones'");
        let said = text.parse::<Rules>().unwrap_err().to_string();
        assert!(said.contains(says), "{said}");
    }
    let fans = rules("[[rule]]\nname = '*.bias'\nfans_from = 'weight'\nscheme = 'standard'");
    assert_eq!(
        distributions(&fans, &[("a.bias", &[8])]).unwrap_err(),
        "1 tensor met no rule: \"a.bias\"; the rule of line 1 takes the fans of \"weight\" of two dimensions or more, which is not \
         beside \"a.bias\", allowed: a rule for each, or one for \"*\" at the end"
    );
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
