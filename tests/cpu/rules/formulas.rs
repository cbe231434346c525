//! Formulas of rules, and parts of tensors that they cut.

use super::*;

/// Whatever the count is, and in whatever case a word stands.
#[test]
fn formulas_of_counts_and_words_of_schemes_are_read() {
    let of = |scheme: &str| rules(&format!("[count]\nn = '*'\n[[rule]]\nname = '*'\nscheme = '{scheme}'"));
    let model: [(&str, &[u64]); 3] = [("a", &[4, 8]), ("b", &[4, 8]), ("c", &[4, 8])];
    for (scheme, std) in [
        ("normal:std=1/(n-1)", 0.5),
        ("normal:std=sqrt(n-2)", 1.0),
        ("uniform:low=0,high=n-1", 1.0 / 3f64.sqrt()),
        ("He-Normal:mode=Fan-Out,gain=2", 1.0),
        ("he_normal:nonlinearity=leaky_relu:negative_slope=1", 0.125f64.sqrt()),
    ] {
        assert_eq!(distributions(&of(scheme), &model).unwrap()[0].unwrap().std(), std, "{scheme}");
    }
    let error = distributions(&of("normal:std=1/(n-1)"), &model[..1]).unwrap_err();
    assert!(error.contains("is inf, allowed: a finite number"), "{error}");
}

/// Formulas know the tensor: dimensions, fans by its layout, and the number in its name.
#[test]
fn formulas_know_the_tensor() {
    let of = |scheme: &str, more: &str| rules(&format!("[[rule]]\nname = '*'\nscheme = '{scheme}'\n{more}"));
    let (weight, kernel): (_, &[u64]) = ("h.11.conv2.weight", &[8, 6, 3, 3]);
    for (formula, layout, name, shape, expected) in [
        ("dim_0", "", weight, kernel, 8.0),
        ("dim_2", "", weight, kernel, 3.0),
        ("rank", "", weight, kernel, 4.0),
        ("fan_in", "", weight, kernel, 54.0),
        ("fan_out", "", weight, kernel, 72.0),
        ("layer", "", weight, kernel, 11.0),
        ("2*dim_1+1", "", weight, kernel, 13.0),
        ("fan_in", "layout = 'in_out'", "w", &[3, 5], 3.0),
        ("fan_in", "layout = 'out_in:groups=dim_0'", "w", &[8, 1, 3, 3], 9.0),
        ("fan_out", "layout = 'out_in:groups=dim_0'", "w", &[8, 1, 3, 3], 9.0),
        ("fan_in", "layout = 'fans:fan_in=dim_0/4,fan_out=1'", "w", &[8], 2.0),
        // What no example has at reading: multiples, differences, more dimensions.
        ("fan_in", "layout = 'out_in:groups=dim_0/8'", "w", &[16, 3], 3.0),
        ("1/sqrt(dim_0-dim_1)", "", "w", &[8, 4], 0.5),
        ("1/sqrt(dim_0-200)", "", "w", &[204, 4], 0.5),
        ("dim_17", "", "w", &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5], 5.0),
        ("layer", "", "encoder/layer_3/attention/query/kernel", &[2, 2], 3.0),
        ("layer", "", "layers.0.blocks.7.x_9", &[2, 2], 0.0),
    ] {
        let rules = of(&format!("constant:value={formula}"), layout);
        assert_eq!(drawn(&rules, name, shape).distribution.mean(), expected, "{formula} {layout} of {name}");
    }
    let groups = |text: &str| format!("layout = 'out_in:groups={text}'");
    let part = |text: &str| format!("[[rule.part]]\n{text}");
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
        ("he_normal", &groups("dim_1/2"), "w", &[4, 5], "groups of the layout out_in is \"2.5\""),
        ("he_normal", &groups("dim_1"), "w", &[4, 3], "groups is 3, allowed: at least 1, and a divisor of 4"),
        ("ones", "split = 2", "w", &[4, 3], "the dimension of its split is 2, allowed: below 2 in the shape [4, 3]"),
        (
            "ones",
            &part("blocks = 3"),
            "w",
            &[4, 3],
            "the number of blocks is 3, allowed: a divisor of 4 along dimension 0",
        ),
        ("ones", &part("dim = 2\nblocks = 3"), "w", &[4, 3], "the dimension of a part is 2, allowed: below 2"),
        (
            "ones",
            &part("range = '..5'"),
            "w",
            &[4, 3],
            "an end of the part, \"5\", is 5, allowed: a whole number from 0 to 4",
        ),
        ("ones", &part("range = 'dim_1/2..'"), "w", &[4, 3], "is 1.5, allowed: a whole number from 0 to 4"),
        ("ones", &part("range = '3..1'"), "w", &[4, 3], "the part is 3..1, allowed: a start that is not after the end"),
    ] {
        let error = distributions(&of(scheme, more), &[(name, shape)]).unwrap_err();
        assert!(error.contains(says) && error.matches("allowed:").count() == 1, "{scheme} {more}: {error}");
    }
}

/// Rules of one line that papers ask for.
#[test]
fn recipes_of_papers_are_rules() {
    let std = |rules: &Rules, name: &str, shape: &[u64]| match drawn(rules, name, shape).distribution {
        Distribution::Normal { std, .. } | Distribution::TruncatedNormal { std, .. } => std,
        other => panic!("{other}"),
    };
    let block = |name: &str| format!("encoder.block.0.layer.{name}");
    for (rules, name, shape, expected) in [
        ("depth_scaled", "layers.0.attention.wo.weight", [64, 64], 0.02 / 2f64.sqrt()),
        ("depth_scaled", "layers.17.feed_forward.w2.weight", [64, 256], 0.02 / 36f64.sqrt()),
        ("depth_scaled", "layers.17.feed_forward.w1.weight", [256, 64], 0.02),
        ("depth_scaled", "output.weight", [1000, 64], 0.125),
        ("mup", "h.0.mlp.weight", [64, 256], 0.02),
        ("mup", "h.0.mlp.weight", [64, 4096], 0.005),
        ("mup", "embed_tokens.weight", [64, 4096], 0.02),
        ("unit_mup", "h.0.mlp.weight", [64, 4096], 1.0),
        ("small_init", "gpt_neox.layers.0.mlp.dense_h_to_4h.weight", [160, 40], 0.1),
        ("t5", &block("0.SelfAttention.q.weight"), [384, 256], 1.0 / 128.0),
        ("t5", &block("0.SelfAttention.k.weight"), [384, 256], 1.0 / 16.0),
        ("t5", &block("0.SelfAttention.o.weight"), [256, 400], 1.0 / 20.0),
        ("t5", &block("1.DenseReluDense.wi_0.weight"), [1024, 256], 1.0 / 16.0),
        ("t5", &block("1.DenseReluDense.wo.weight"), [256, 1024], 1.0 / 32.0),
        ("t5", &block("0.SelfAttention.relative_attention_bias.weight"), [32, 6], 1.0 / 512f64.sqrt()),
    ] {
        assert_eq!(std(&example(rules), name, &shape), expected, "{rules} {name}");
    }
    assert_eq!(Some(drawn(&example("mup"), "lm_head.weight", &[8, 8]).distribution), constant(0.0));
    // Of two layers (8 * 2)^(-1/4) = 1/2, times sqrt(2 / (64 + 64)) = 1/8.
    for (rules, name, layers, expected) in [
        ("deepnorm", "layers.{i}.self_attn.out_proj.weight", 2, 0.0625),
        ("small_init", "gpt_neox.layers.{i}.attention.dense.weight", 4, 2.0 / (4.0 * 8.0)),
    ] {
        let layers: Vec<_> = (0..layers).map(|i| Tensor::new(name.replace("{i}", &i.to_string()), [64, 64])).collect();
        let plan = example(rules).plan(&layers).unwrap();
        assert_eq!(plan.tensors().last().unwrap().draw.as_ref().unwrap().distribution.std(), expected, "{rules}");
    }
}

/// Parts of a tensor have schemes, fans and values of their own: those that they would have if theirs were the whole.
#[test]
fn parts_have_schemes_and_fans_of_their_own() {
    let packed = example("packed");
    let glorot = |fans: f64| uniform((6.0 / fans).sqrt()).unwrap();
    // One of three: 512 in and out, not 512 and 1536.
    let draw = drawn(&packed, "attn.in_proj_weight", &[1536, 512]);
    assert_eq!((draw.distribution, draw.parts.len()), (glorot(1024.0), 0));
    let plan = packed.plan(&[Tensor::new("attn.in_proj_weight", [1536, 512])]).unwrap();
    assert_eq!(plan.tensors()[0].fans.map(|f| (f.fan_in(), f.fan_out())), Some((512, 512)));
    let draw = drawn(&packed, "qkv_proj.weight", &[48 * 64, 100]);
    let parts: Vec<_> = draw.parts.iter().map(|p| (p.range.clone(), p.distribution)).collect();
    assert_eq!(parts, [(0..2048, glorot(2148.0)), (2048..2560, glorot(612.0)), (2560..3072, glorot(612.0))]);
    assert_eq!(std_of(&packed, "mlp.experts.gate_up_proj", &[4, 50, 60]), 0.2);
    let bias = values(&drawn(&packed, "lstm.bias_ih_l0", &[8]));
    assert_eq!(bias, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let embedding = values(&drawn(&packed, "model.embed_tokens.weight", &[20, 4]));
    let alone =
        |std| values(&Recipe::new(Distribution::Normal { mean: 0.0, std }, [20, 4], "model.embed_tokens.weight"));
    assert_eq!(embedding[..4], [0.0; 4]);
    assert_eq!((&embedding[4..52], &embedding[52..]), (&alone(0.02)[4..52], &alone(0.002)[52..]));

    // A part without elements draws none, and what ends before it begins is none.
    let empty = rules("[[rule]]\nname='*'\nscheme='ones'\n[[rule.part]]\nrange='1..1'\nscheme='zeros'");
    assert_eq!(values(&drawn(&empty, "w", &[3])), [1.0; 3]);
    let zero = Distribution::Constant { value: 0.0 };
    // A row of -0 is drawn as one of zeros, a longer part as it is.
    let ones = Recipe::new(Distribution::Constant { value: 1.0 }, [3], "w");
    let bits = |range| {
        let recipe = ones.clone().with_part(0, range, Distribution::Constant { value: -0.0 });
        values(&recipe).iter().map(|x| x.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!((bits(1..2)[1], bits(1..3)[1]), (0, (-0.0f32).to_bits()));
    let backward = std::ops::Range { start: 2, end: 1 };
    assert!(Recipe::new(zero, [3], "w").with_part(0, backward, zero).fill(1, Dtype::F32).is_err());

    // A column part, with fans of its own; the last that has an element counts.
    let columns = rules(
        "[[rule]]\nname='*'\nlayout='in_out'\nscheme='he_normal'\nzero_row=1\n[[rule.part]]\ndim=1\nblocks=3\nblock=[0,2]\n\
         [[rule.part]]\ndim=1\nrange='dim_1-1..'\nscheme='ones'",
    );
    let draw = drawn(&columns, "w", &[2, 6]);
    let of_columns = values(&draw);
    assert_eq!((of_columns[5], &of_columns[6..]), (1.0, &[0.0; 6][..]));
    let parts: Vec<_> = draw.parts.iter().map(|p| (p.dim, p.range.clone())).collect();
    assert_eq!(parts, [(1, 0..2), (1, 4..6), (1, 5..6), (0, 1..2)]);
}

/// An LSTM's gates, each orthogonal: blocks along the first dimension lie one after the other, others do not.
#[test]
fn blocks_have_structures_where_they_lie_together() {
    let gates = |more: &str| rules(&format!("[[rule]]\nname='*'\n{more}"));
    let drawn_by = |more: &str, shape: &[u64]| values(&drawn(&gates(more), "w", shape));
    let all = drawn_by("scheme='orthogonal'\n[[rule.part]]\nblocks=4", &[48, 12]);
    assert_eq!(all, drawn_by("scheme='orthogonal'\nlayout='batch_out_in'", &[4, 12, 12]));
    let some = "scheme='zeros'\n[[rule.part]]\nblocks=4\nblock=[1,3]\nscheme='orthogonal'";
    let some = drawn_by(some, &[48, 12]);
    assert_eq!((&some[144..288], &some[432..]), (&all[144..288], &all[432..]));
    assert!(some[..144].iter().chain(&some[288..432]).all(|&x| x == 0.0));

    let beside = gates("scheme='orthogonal'\nlayout='in_out'\n[[rule.part]]\ndim=1\nblocks=4");
    let error = distributions(&beside, &[("w", &[12, 48])]).unwrap_err();
    assert!(error.contains("the distribution of equal blocks along dimension 1 is orthogonal"), "{error}");
    let one = gates("scheme='zeros'\n[[rule.part]]\ndim=1\nblocks=4\nblock=1\nscheme='orthogonal'");
    let error = drawn(&one, "w", &[12, 48]).fill(1, Dtype::F32).unwrap_err().to_string();
    assert!(error.contains("whole multiples of the 144 elements"), "{error}");
    // Sequences along a dimension that a block has all of go on in each.
    let rows = drawn_by("scheme='arange'\n[[rule.part]]\ndim=1\nblocks=2", &[2, 6]);
    assert_eq!(rows, [0.0, 1.0, 2.0, 0.0, 1.0, 2.0].repeat(2));
    distributions(&gates("scheme='arange:axis=0'\n[[rule.part]]\ndim=1\nblocks=2"), &[("w", &[2, 6])]).unwrap_err();

    let of_other = gates("scheme='orthogonal'\nfans_from='w'");
    let error = distributions(&of_other, &[("w", &[8, 8]), ("b", &[64])]).unwrap_err();
    assert!(error.contains("the scheme is orthogonal") && error.contains("fans_from"), "{error}");
}
