//! Presets: the rules of a framework or of a kind of model, and how `auto` knows a model.

use super::*;

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
        let plan = preset("gpt2").plan(&model(prefix, head)).unwrap();
        let fills = plan.fills(42, Dtype::F32).unwrap();
        let [wte, lm_head] = [0, 1].map(|i| cpu::vec::<f32>(&fills[i].1).unwrap());
        assert!(wte == lm_head && wte[0] != wte[1], "{prefix} {head}");
        let distribution = fills[0].1.distribution().unwrap();
        let own = distribution.fill(&[64, 8], fanin::Stream::named(42, fills[0].0), Dtype::F32);
        assert_eq!(wte, cpu::vec::<f32>(&own.unwrap()).unwrap(), "the embedding has its own name's");
    }
    let said = |model: &[Tensor]| preset("gpt2").plan(model).unwrap_err().to_string();
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
    let plan = preset("gemma").plan(&gemma).unwrap();
    for planned in plan.tensors().iter().filter(|planned| planned.name.contains("norm")) {
        assert_eq!(Some(planned.draw.as_ref().unwrap().distribution), constant(0.0), "{}", planned.name);
    }
    let fills = plan.fills(1, Dtype::F32).unwrap();
    let [embedding, head] = [5, 6].map(|i| cpu::vec::<f32>(&fills[i].1).unwrap());
    assert!(embedding == head && embedding[..8] == [0.0; 8] && embedding[8] != 0.0);
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

/// Adapters begin as nothing, whatever the model; a PReLU is no norm.
#[test]
fn adapters_and_slopes_start_as_their_makers_start_them() {
    let name = |last: &str| format!("base_model.model.layers.0.self_attn.q_proj.{last}");
    let [a, b, c] = ["lora_A.default.weight", "lora_B.default.weight", "lora_B.weight"].map(name);
    let model: [(&str, &[u64]); 3] = [(&a, &[8, 64]), (&b, &[64, 8]), (&c, &[64, 8])];
    let scheme = Rules::from_scheme(scheme::normal(0.0, 3.0), Layout::IN_OUT).unwrap();
    let presets = ["bert", "gemma", "gpt2", "llama", "pytorch", "roberta", "vit"].map(|name| (name, preset(name)));
    for (name, rules) in presets.iter().map(|(name, rules)| (*name, rules)).chain([("scheme", &scheme)]) {
        assert_eq!(distributions(rules, &model).unwrap(), [uniform(0.125), constant(0.0), constant(0.0)], "{name}");
    }
    for rules in [&preset("pytorch"), &scheme] {
        for name in ["prelu.weight", "layer1.prelu2.weight", "act_prelu.weight"] {
            assert_eq!(distributions(rules, &[(name, &[1])]).unwrap(), [constant(0.25)], "{name}");
        }
    }
}

/// torch.nn.Bilinear(25, 9, 6) has the bound of its first input, and a head's width is no kernel.
#[test]
fn dimensions_that_are_no_kernel_are_known_by_name() {
    let pytorch = preset("pytorch");
    let drawn_of = |list: &[(&str, &[u64])]| distributions(&pytorch, list).unwrap();
    assert_eq!(drawn_of(&[("bilinear.weight", &[6, 25, 9]), ("bilinear.bias", &[6])]), [uniform(0.2), uniform(0.2)]);
    // What only has the name is what it is.
    for drawn in drawn_of(&[
        ("bilinear_up.conv.weight", &[64, 3, 3, 3]),
        ("bilinear_up.conv.bias", &[64]),
        ("bilinear_pool.proj.weight", &[10, 27]),
        ("bilinear_pool.proj.bias", &[10]),
    ]) {
        let Some(Distribution::Uniform { low, high }) = drawn else { panic!("{drawn:?}") };
        let bound = 1.0 / 27f64.sqrt();
        assert!((low + bound).abs() < 1e-12 && (high - bound).abs() < 1e-12, "{drawn:?}");
    }
    let flax = preset("flax");
    for name in ["OptimizedLSTMCell_0/hi/kernel", "SimpleCell_0/h/kernel", "dense_h.kernel"] {
        let draw = drawn(&flax, name, &[8, 8]);
        assert!(matches!(draw.distribution, Distribution::Structured(_)), "{name}: {draw:?}");
    }
    for (name, shape) in [("attention/query/kernel", [100, 4, 16]), ("attention/out/kernel", [4, 25, 16])] {
        let std = std_of(&flax, name, &shape);
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
    // Without one, as before.
    let plain = listed(&[("weight_hh_l0", &[256, 64]), ("bias_ih_l0", &[256]), ("weight_ih_l0", &[256, 10])]);
    for model in [model, plain] {
        for planned in preset("pytorch").plan(&model).unwrap().tensors() {
            assert_eq!(Some(planned.draw.as_ref().unwrap().distribution), uniform(0.125), "{}", planned.name);
        }
    }
}

const TABLE: Option<Distribution> = Some(Distribution::Normal { mean: 0.0, std: 1.0 });

/// Linears of diffusion models speak of embeddings: their biases or modules tell them from tables; what nothing tells is refused.
#[test]
fn an_embedding_is_told_from_a_linear_that_speaks_of_embeddings() {
    let pytorch = preset("pytorch");
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
    for (rules, fan_in) in [(&pytorch, 64.0), (&preset("burn"), 16.0)] {
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
    let pytorch = preset("pytorch");
    let he = of_scheme("he_normal");
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
    let burn = preset("burn");
    assert_eq!(distributions(&burn, &[("norm.gamma", &[4, 8])]).unwrap(), [constant(1.0)]);
    let said = distributions(&burn, &[("q_norm.weight", &[4, 8])]).unwrap_err();
    assert!(said.contains("its module is a norm, of which Burn has gamma and beta"), "{said}");
}
