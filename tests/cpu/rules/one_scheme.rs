//! One scheme for all of a model: it draws its matrices; what is none is known by name, or refused.

use super::*;

/// Groups are not lost on the way, and what no scheme can be is an error.
#[test]
fn one_scheme_for_all_keeps_its_layout_and_its_numbers() {
    let (he, grouped) = (scheme::he_normal(), Layout::OUT_IN.with_groups(32));
    let fan_out = he.with_mode(scheme::FanMode::FanOut).unwrap();
    for rules in [
        Rules::from_scheme(he, grouped).unwrap(),
        Rules::from_scheme(fan_out, grouped).unwrap(),
        rules("[[rule]]\nname = '*'\nlayout = 'out_in:groups=32'\nscheme = 'he_normal:mode=fan_out'"),
    ] {
        assert_eq!(std_of(&rules, "conv.weight", &[32, 1, 3, 3]), (2.0f64 / 9.0).sqrt());
    }
    for wrong in [scheme::normal(0.0, -1.0), scheme::uniform(1.0, 1.0), scheme::constant(f64::NAN)] {
        Rules::from_scheme(wrong, Layout::OUT_IN).unwrap_err();
    }
    assert_eq!(Rules::from_scheme(he, Layout::OUT_IN.with_groups(0)).unwrap_err().kind(), ErrorKind::Shape);
    // Numbers come through to the last digit.
    let tiny = scheme::normal(0.0, 1.234_567_890_123_456_7e-300);
    let rules = Rules::from_scheme(tiny, Layout::IN_OUT).unwrap();
    assert_eq!(Scheme::from(drawn(&rules, "w", &[2, 2]).distribution), tiny);
}

/// What only looks like a weight: scales are 1, and what has values of its own is refused or left out by name.
#[test]
fn one_scheme_draws_no_scales_and_refuses_what_is_no_weight() {
    let rules = of_scheme("he_normal");
    for name in ["l.0.weight_scale_inv", "l.0.weight_scale", "l.0.input_scale", "attn.k_scale"] {
        for shape in [&[][..], &[1], &[16, 32]] {
            assert_eq!(distributions(&rules, &[(name, shape)]).unwrap(), [constant(1.0)], "{name}");
        }
    }
    assert_eq!(distributions(&rules, &[("rotary_emb.inv_freq", &[32])]).unwrap(), [None]);
    for (name, shape, why) in
        [("layers.0.mixer.A_log", &[16][..], "logarithm"), ("conv.weight_g", &[16, 4], "weight norm: weight_v")]
    {
        let error = rules.plan(&[Tensor::new(name, shape)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rules);
        assert!(error.to_string().contains(name) && error.to_string().contains(why), "{error}");
    }
}

/// What has three dimensions and is no convolution by name is refused where fans matter; layouts say what it is.
#[test]
fn one_scheme_takes_no_stack_for_a_convolution() {
    let he = scheme::he_normal();
    let rules = of_scheme("he_normal");
    for name in ["mlp.experts.gate_up_proj", "ensemble.weight", "attention/query/kernel", "0.weight"] {
        let error = distributions(&rules, &[(name, &[8, 128, 64])]).unwrap_err();
        assert!(error.contains(name) && error.contains("batch_out_in"), "{error}");
    }
    for name in ["conv1.weight", "Conv_0/kernel", "mixer.conv1d.weight"] {
        assert_eq!(std_of(&rules, name, &[8, 16, 8]), (2.0f64 / 128.0).sqrt(), "{name}");
    }
    // Without fans there is nothing to mistake; so with a layout that is a batch's.
    drawn(&of_scheme("normal:std=3"), "x", &[2, 3, 4]);
    assert_eq!(std_of(&Rules::from_scheme(he, Layout::BATCH_IN_OUT).unwrap(), "x", &[2, 8, 4]), 0.5);
    let in_layouts = |layouts: &[(&str, Layout)]| Rules::from_scheme_in(he, Layout::OUT_IN, layouts);
    let rules = in_layouts(&[
        ("*experts.down*", Layout::BATCH_OUT_IN),
        ("*dw*", Layout::OUT_IN.with_groups(8)),
        ("*\"\u{7f}\\*", Layout::IN_OUT),
    ]);
    let rules = rules.unwrap();
    for (name, shape) in [
        ("mlp.experts.down_proj", &[4, 64, 8][..]),
        ("dw.weight", &[8, 1, 2, 4]),
        ("\"\u{7f}\\", &[8, 4]),
        ("lin.weight", &[4, 8]),
    ] {
        assert_eq!(std_of(&rules, name, shape), 0.5, "{name}");
    }
    // Whatever a pattern is, it is no word of ours.
    let words = ["SCHEME", "LAYOUT", "# LAYOUTS"];
    let named = in_layouts(&words.map(|word| (word, Layout::IN_OUT))).unwrap();
    for name in words {
        assert_eq!(std_of(&named, name, &[8, 2]), 0.5, "{name}");
    }
    // Vectors are none of a layout's.
    assert_eq!(Some(drawn(&rules, "dw.bias", &[8]).distribution), constant(0.0));
    assert_eq!(in_layouts(&[("[", Layout::OUT_IN)]).unwrap_err().kind(), ErrorKind::Rules);
    assert_eq!(in_layouts(&[("a", Layout::OUT_IN.with_groups(0))]).unwrap_err().kind(), ErrorKind::Shape);
}

/// Under one scheme for all, of however many dimensions.
#[test]
fn what_a_names_last_part_says_holds_in_any_rank() {
    let he = of_scheme("he_normal");
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
    let he = of_scheme("he_normal");
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
    let dora = distributions(&preset("pytorch"), &[("q_proj.lora_magnitude_vector.weight", &[8])]);
    assert!(dora.unwrap_err().contains("it is the norm of other tensors (DoRA)"));
    // The other halves are matrices.
    for name in ["0.weight_orig", "0.parametrizations.weight.original", "conv.weight_v"] {
        assert!(distributions(&he, &[(name, &[20, 10])]).unwrap()[0].unwrap().std() > 0.0, "{name}");
    }
}
