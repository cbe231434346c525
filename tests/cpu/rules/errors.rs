//! The text of rules: what is wrong of it is said, and what a rule asks of a tensor is met or not.

use super::*;

/// What is wrong is said once, with its line: the key's, not the rule's.
#[test]
fn errors_name_the_line_and_say_allowed_once() {
    let of_rule = [
        ("\nscheme = 'he_norml'", "line 4: the scheme is \"he_norml\", did you mean he_normal? allowed: zeros, ones,"),
        ("scheme = 'normal:std=-1'", "line 3: std is -1, allowed: finite and at least 0"),
        (
            "scheme = 'normal:std=2*n'",
            "line 3: the formula \"2*n\" has \"n\", which is not defined, allowed: fan_in, fan_out, layer, rank, dim_0 and on",
        ),
        (
            "scheme = 'normal:std=2*dmi_0'",
            "line 3: the formula \"2*dmi_0\" has \"dmi_0\", which is not defined, did you mean dim_0?",
        ),
        ("", "line 1: a rule is one without a scheme, allowed: scheme, skip = true, or refuse"),
        ("skip = true\nzero_row = 3", "line 4: a rule is one with skip and zero_row, allowed: one of them"),
        ("skip = true\nsplit = 0", "line 4: a rule is one with skip and split"),
        ("schme = 'ones'", "line 3: a key of a rule is \"schme\", did you mean scheme? allowed: name, module"),
        ("scheme = 2024-01-01", "line 3: scheme is 2024-01-01, allowed: a text"),
    ];
    // Of a rule that has a scheme, the lines behind it, from the fourth on.
    let of_more = [
        ("\ndtype = 'f33'", "line 5: the dtype is \"f33\", did you mean f32? allowed: f32, f16, bf16"),
        ("layout = 'oi'", "line 4: the layout is \"oi\", allowed: out_in, in_out,"),
        ("layout = 'out_in:groups=dim'", "line 4: the formula \"dim\" has \"dim\""),
        ("shape = [\n1, 'x']", "line 4: a dimension is \"x\", allowed: a number or \"*\""),
        ("skip = true", "line 3: a rule is one with skip and scheme, allowed: one of them, with name"),
        ("rank = []", "line 4: the list of a rule's ranks is empty, allowed: at least one"),
        ("rank = -1", "line 4: rank is -1, allowed: a whole number from 0 on, or a list of such"),
        ("rank = 'two'", "line 4: rank is \"two\", allowed: a whole number"),
        ("split = 'wohle'", "line 4: the split is \"wohle\", allowed: a dimension, whole"),
        ("split = {}", "line 4: the split is of no axis"),
        ("split = -1", "line 4: split is -1, allowed: a whole number from 0 on, or a text, or a table"),
        ("[[rule.part]]\ndim = 0", "line 4: a part is one with neither or both, allowed: blocks"),
        ("[[rule.part]]\nblocks = 4\nblock = 4", "line 6: the number of a block is 4, allowed: below 4"),
        ("[[rule.part]]\nblocks = 0", "line 5: the number of blocks is 0, allowed: at"),
        ("[[rule.part]]\nblocks = 4\nblock = []", "line 6: the list of a part's blocks is empty"),
        ("[[rule.part]]\nblocks = 4\nblock = [1, 1]", "line 6: a block is 1, twice, allowed: each once"),
        ("[[rule.part]]\nblocks = 2\nscheme = 'onse'", "line 6: the scheme is \"onse\""),
        ("[[rule.part]]\nrange = '3'", "line 5: the range is \"3\", allowed: FROM..TO"),
        ("[[rule.part]]\nrange = 'x..'", "line 5: the formula \"x\" has \"x\""),
        ("[[rule.part]]\nrange = '..fan_in'", "line 5: the formula \"fan_in\" has \"fan_in\", which is not defined"),
    ];
    let long = format!("[[rule]]\nscheme = 'ones'\nname = '{}'", "*a".repeat(501));
    let of_text = [
        ("", "the text has no [[rule]], allowed: at least one"),
        ("[[rule]]\nscheme = 'ones'\nname = ['a', '[']", "line 3: the pattern \"[\" cannot be read"),
        ("[[rule]]\nscheme = 'ones'", "line 1: name of a rule is not given, allowed: a text, or a list of such"),
        (&long, "line 3: the length of a pattern is 1002 bytes, allowed: at most 1000"),
        ("rule = 1", "line 1: rule is 1, allowed: a list"),
        ("rules = []", "line 1: a key of the text is \"rules\", did you mean rule?"),
        ("[constants]\nfan_in = 3", "line 2: the name of a constant or count is \"fan_in\", allowed: another one"),
        ("[constants]\ndim_3 = 3", "line 2: the name of a constant or count is \"dim_3\", allowed: another"),
        ("[constants]\n\"a b\" = 3", "line 2: the name of a constant or count is \"a b\", allowed: letters"),
        ("[constants]\na = inf", "line 2: a is inf, allowed: a finite number"),
        ("[constants]\na = 1\n[count]\na = '*'", "line 4: a is both a constant and a count, allowed: one of them"),
        ("[count]\nuniform = '*'", "line 2: the name of a constant or count is \"uniform\""),
    ];
    let rule = "[[rule]]\nname = '*'\n";
    let of_rule = of_rule.map(|(more, says)| (format!("{rule}{more}"), says));
    let of_more = of_more.map(|(more, says)| (format!("{rule}scheme = 'ones'\n{more}"), says));
    let of_text = of_text.map(|(text, says)| (text.to_string(), says));
    for (text, says) in of_rule.into_iter().chain(of_more).chain(of_text) {
        let error = text.parse::<Rules>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rules, "{error}");
        let said = error.to_string();
        assert!(said.starts_with(says), "{text}: {said}");
        assert!(said.matches("allowed:").count() <= 1, "{said}");
    }
}

#[test]
fn tensors_that_rules_cannot_draw_or_do_not_meet_are_named() {
    let error = rules("[[rule]]\nname = '*'\n\n\nscheme = 'he_normal'").plan(&[Tensor::new("bias", [7])]).unwrap_err();
    assert_eq!(error.place(), Some("tensor \"bias\", by the scheme of line 5"));
    assert_eq!((error.kind(), error.to_string().matches("allowed:").count()), (ErrorKind::Shape, 1), "{error}");
    let many: Vec<_> = (0..30).map(|i| Tensor::new(format!("t{i}"), [2])).collect();
    let said = rules("[[rule]]\nname='x'\nscheme='ones'").plan(&many).unwrap_err().to_string();
    let begins = said.starts_with("30 tensors met no rule: \"t0\", \"t1\"");
    assert!(begins && said.contains("and 10 more"), "{said}");
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
