//! Decoders of texts, by their classes and options.

use super::*;

/// The heads that decoders have beside that of the next token, with the names that transformers' files have.
#[test]
fn decoders_have_the_heads_of_their_classes() {
    let seven = with(DECODER, "num_labels=7");
    let (sequences, tokens, questions) =
        ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering");
    for (family, has_tokens, model) in [
        ("Llama", true, Some("transformer.")),
        ("Mistral", true, Some("model.")),
        ("Mixtral", true, Some("model.")),
        ("Phi3", true, None),
        ("Qwen2", true, Some("transformer.")),
        ("Qwen3", true, Some("transformer.")),
        ("Qwen3Moe", true, Some("transformer.")),
        ("Gemma", true, None),
        ("Gemma2", true, None),
        ("Gemma3Text", false, None),
    ] {
        let mut claims = vec![
            (sequences, "", "score.weight", "[7, 64] normal(0, 0.02^2)"),
            (sequences, "", "score.bias", "absent"),
            (sequences, "", "model.norm.weight", "there"),
        ];
        if has_tokens {
            claims.extend([
                (tokens, "", "score.weight", "[7, 64] normal(0, 0.02^2)"),
                (tokens, "", "score.bias", "[7] constant(0)"),
                (tokens, "token_classification_bias=false", "score.bias", "absent"),
                (tokens, "token_classification_bias=null", "score.bias", "absent"),
            ]);
        }
        assert_tensors(family, &seven, &claims);
        if let Some(model) = model {
            // Where an answer begins and ends, whatever the labels.
            assert_tensors(
                family,
                &seven,
                &[
                    (questions, "", "qa_outputs.weight", "[2, 64] normal(0, 0.02^2)"),
                    (questions, "", "qa_outputs.bias", "[2] constant(0)"),
                    (questions, "", &format!("{model}embed_tokens.weight"), "rows [0]"),
                    (questions, "", "score.weight", "absent"),
                ],
            );
        }
    }
    assert_tensors(
        "GPTNeoX",
        &without(&without(&seven, "num_key_value_heads"), "pad_token_id"),
        &[
            (tokens, "", "classifier.weight", "[7, 64] normal(0, 0.02^2)"),
            (tokens, "", "classifier.bias", "[7]"),
            (questions, "", "qa_outputs.weight", "[2, 64] normal(0, 0.02^2)"),
            (questions, "", "gpt_neox.embed_in.weight", "there"),
        ],
    );
    let opt = "vocab_size=301 hidden_size=64 ffn_dim=160 num_hidden_layers=1 num_attention_heads=4 max_position_embeddings=64";
    assert_tensors(
        "OPT",
        &with(opt, "word_embed_proj_dim=32"),
        &[(questions, "", "qa_outputs.weight", "[2, 32] normal(0, 0.02^2)"), (questions, "", "score.weight", "absent")],
    );
}

#[test]
fn gpt2_has_the_heads_of_its_classes() {
    let gpt2 = "vocab_size=301 n_positions=64 n_embd=64 n_layer=1 n_head=4 num_labels=7";
    let (weight, bias) = ("multiple_choice_head.summary.weight", "multiple_choice_head.summary.bias");
    assert_tensors(
        "GPT",
        gpt2,
        &[
            ("2ForTokenClassification", "", "classifier.weight", "[7, 64] normal(0, 0.02^2)"),
            ("2ForTokenClassification", "", "classifier.bias", "constant(0)"),
            ("2ForQuestionAnswering", "", "qa_outputs.weight", "[2, 64] normal(0, 0.02^2)"),
            ("JForQuestionAnswering", "", "qa_outputs.weight", "[2, 64]"),
            ("2DoubleHeadsModel", "", weight, "[1, 64] normal(0, 0.02^2)"),
            ("2DoubleHeadsModel", "", bias, "[1] constant(0)"),
            ("2DoubleHeadsModel", "summary_proj_to_labels=false", weight, "[64, 64]"),
            ("2DoubleHeadsModel", "tie_word_embeddings=false", "lm_head.weight", "[301, 64]"),
            ("2DoubleHeadsModel", "summary_use_proj=false", "summary.weight", "absent"),
            ("2DoubleHeadsModel", "", "lm_head.weight", "absent"),
            ("2LMHeadModel", "", "summary.weight", "absent"),
        ],
    );
    assert_each_refused("GPT2DoubleHeadsModel", gpt2, "summary_type=attn");
    planned("GPT2Model", &with(gpt2, "summary_type=attn"));
    let pooler = ("ForSequenceClassification", "pooler_hidden_size=32", "pooler.dense.weight", "[32, 32]");
    assert_tensors("DebertaV2", BERT, &[pooler]);
}

/// transformers 5.24 checks it of Llama, and of none of the others.
#[test]
fn llama_alone_has_an_initializer_range_up_to_1() {
    for (class, model) in [("ForCausalLM", "model."), ("ForQuestionAnswering", "transformer."), ("Model", "")] {
        let up = format!("{model}layers.0.mlp.up_proj.weight");
        assert_tensors("Llama", DECODER, &[(class, "initializer_range=1.0", &up, "normal(0, 1^2)")]);
        assert_each_refused(&format!("Llama{class}"), DECODER, "initializer_range=1.5 initializer_range=-0.5");
    }
    for class in ["MistralModel", "Qwen2Model", "GemmaModel", "MixtralModel"] {
        planned(class, &with(DECODER, "initializer_range=1.5"));
    }
}

const QWEN3_NEXT: &str = "vocab_size=301 hidden_size=64 intermediate_size=160 num_hidden_layers=4 num_attention_heads=4 \
    head_dim=16 num_experts=3 moe_intermediate_size=24 linear_num_key_heads=2 linear_num_value_heads=4 \
    linear_key_head_dim=12 linear_value_head_dim=10";

#[test]
fn qwen3_next_has_attention_in_the_layers_that_its_configuration_says() {
    let linear = |name: &str| format!("model.layers.2.linear_attn.{name}");
    let model = "ForCausalLM";
    assert_tensors(
        "Qwen3Next",
        QWEN3_NEXT,
        &[
            (model, "", &linear("conv1d.weight"), "[88, 1, 4] normal(0, 0.02^2)"),
            (model, "", &linear("in_proj_qkvz.weight"), "[128, 64]"),
            (model, "", &linear("in_proj_ba.weight"), "[8, 64]"),
            (model, "", &linear("A_log"), "[4] log(uniform[0.01, 16))"),
            (model, "", &linear("dt_bias"), "constant(1)"),
            (model, "", &linear("norm.weight"), "[10] constant(1)"),
            // 1 is added to the others; queries have a gate beside them.
            (model, "", "model.layers.3.self_attn.k_norm.weight", "[16] constant(0)"),
            (model, "", "model.norm.weight", "constant(0)"),
            (model, "", "model.layers.3.self_attn.q_proj.weight", "[128, 64]"),
            ("Model", "mlp_only_layers=[1]", "layers.1.mlp.gate_proj.weight", "there"),
            ("Model", "", "layers.1.mlp.experts.2.gate_proj.weight", "there"),
            ("ForQuestionAnswering", "", "transformer.norm.weight", "there"),
        ],
    );
    let types = r#"layer_types=["full_attention","linear_attention","attention","mamba"] full_attention_interval=0"#;
    for (keys, full) in [
        ("", [false, false, false, true]),
        ("full_attention_interval=2", [false, true, false, true]),
        (types, [true, false, true, false]),
        ("layer_types=null", [false, false, false, true]),
    ] {
        let there = |end: &str| {
            [0, 1, 2, 3].map(|i| has("Qwen3NextModel", &with(QWEN3_NEXT, keys), &format!("layers.{i}.{end}")))
        };
        assert_eq!(there("self_attn.k_norm.weight"), full, "{keys}");
        assert_eq!(there("linear_attn.A_log"), full.map(|full| !full), "{keys}");
    }

    let sizes = "vocab_size hidden_size num_hidden_layers";
    assert_bad_numbers_are_refused("Qwen3NextForCausalLM", QWEN3_NEXT, sizes, "num_hidden_layers");
    assert_each_refused(
        "Qwen3NextModel",
        QWEN3_NEXT,
        r#"num_attention_heads=0 head_dim=null num_key_value_heads=null linear_num_value_heads=3 linear_conv_kernel_dim=0
        full_attention_interval=0 decoder_sparse_step=0 layer_types=["full_attention"] layer_types=4
        layer_types=["full_attention","full_attention","full_attention","sliding_attention"]
        pad_token_id=301 hidden_act=prelu"#,
    );
}

const MAMBA2: &str =
    "vocab_size=301 hidden_size=64 num_hidden_layers=3 num_heads=8 head_dim=16 state_size=12 n_groups=2";

#[test]
fn mamba2_is_as_its_options_say() {
    let mixer = |name: &str| format!("backbone.layers.2.mixer.{name}");
    let bound = 1.0 / 128f64.sqrt();
    let within = |bound: f64| format!("uniform[-{bound}, {bound})");
    let steps = "time_step_min=0.01 time_step_max=0.5 time_step_floor=0.02";
    let law = "[8] inverse_softplus(log_uniform[0.01, 0.5), at least 0.02)";
    let model = "ForCausalLM";
    assert_tensors(
        "Mamba2",
        MAMBA2,
        &[
            (model, "", &mixer("in_proj.weight"), "[312, 64] normal(0, 0.1^2)"),
            (model, "", &mixer("conv1d.weight"), "[176, 1, 4] uniform[-0.5, 0.5)"),
            (model, "", &mixer("conv1d.bias"), "[176] constant(0)"),
            (model, "", &mixer("A_log"), "arange:start=1,step=1,function=log,count=8,inner=1"),
            (model, "", &mixer("norm.weight"), "[128] constant(1)"),
            (model, steps, &mixer("dt_bias"), law),
            (model, "", &mixer("out_proj.weight"), &within(bound)),
            (model, "rescale_prenorm_residual=true", &mixer("out_proj.weight"), &within(bound / 3f64.sqrt())),
            (model, "", "lm_head.weight", "there"),
            (model, "tie_word_embeddings=true", "lm_head.weight", "absent"),
        ],
    );

    let sizes = "vocab_size hidden_size num_hidden_layers";
    assert_bad_numbers_are_refused("Mamba2ForCausalLM", MAMBA2, sizes, "num_hidden_layers");
    let wrong = "num_heads=4 head_dim=8 expand=3 n_groups=0 conv_kernel=0 time_step_rank=other time_step_rank=null hidden_act=prelu";
    assert_each_refused("Mamba2Model", MAMBA2, wrong);
    // Those of the distribution are its own.
    plan_of("Mamba2Model", &with(MAMBA2, "time_step_min=0.2")).unwrap_err();
}
