//! An architecture of one's own: what its language means, what is wrong of it, and that reading one ends.

use fanin::rules::Rules;

use super::*;

/// `given` is whether the configuration says it, under any of the key's names; a default does not.
#[test]
fn given_is_what_the_configuration_says() {
    let text = r#"
        [architectures]
        Twin = {}
        [config]
        plain = 3
        list = [1, 2]
        word = "'a'"
        formula = "plain + 1"
        either = { missing = 1, null = 2 }
        size = { missing = 5, null = "required number or list" }
        [alias]
        other = "plain"
        [[tensors]]
        list = [["given", "given(plain)", "given(list)", "given(word)", "given(formula)", "given(either)", "given(size)"]]
        [[tensors]]
        list = [["values", "plain", "len(list)", "list[1]", "word == 'a'", "formula", "either", "size[0]"]]
        [[rule]]
        name = "*"
        scheme = "ones"
    "#;
    let architecture: Architecture = text.parse().unwrap();
    let shapes = |keys: &str| {
        let model = architecture.model(&config_of("Twin", keys)).unwrap_or_else(|e| panic!("{keys}: {e}"));
        (model.tensors()[0].shape.clone(), model.tensors()[1].shape.clone())
    };
    assert_eq!(shapes(""), (vec![0; 6], vec![3, 2, 2, 1, 4, 1, 5]));
    let all = "plain=3 list=[7,8,9] word=b formula=2 either=6 size=[4,1]";
    assert_eq!(shapes(all), (vec![1; 6], vec![3, 3, 8, 0, 2, 6, 4]));
    assert_eq!(shapes("other=9"), (vec![1, 0, 0, 0, 0, 0], vec![9, 2, 2, 1, 10, 1, 5]));
    let nulls = "plain=null list=null word=null formula=null either=null";
    assert_eq!(shapes(nulls), (vec![0; 6], vec![3, 2, 2, 1, 4, 2, 5]));
}

/// A model within another: of the class that its configuration's type says, with its own rules, the whole's dtype, keys by their paths,
/// and a name beside it that it would not have.
#[test]
fn a_submodel_is_its_configurations_with_its_own_rules() {
    let text = r#"
        [model_type]
        pair = { tall = 2 }
        eye = {}
        lens = { glass = 1 }
        [architectures]
        Pair = { model_type = "pair", both = 1, model = "m." }
        Eye = { model_type = "eye", part = 1 }
        Lens = { model_type = "lens", part = 1 }
        [config]
        width = "3*both"
        kinds = "text or list"
        [let]
        std = "width*(1 + glass)"
        [[submodel]]
        config = "eyes"
        class = ["Eye", "Lens"]
        prefix = "{model}eye."
        when = "both"
        default = { width = 7 }
        [[submodel]]
        config = "inner"
        class = "Eye"
        prefix = "inner."
        when = "both"
        flat = true
        [[tensors]]
        when = "part"
        list = [["w", "width", "1 + glass"]]
        [[tensors]]
        when = "both"
        list = [["{model}own", "eyes.width", "eyes.std", "tall", "kinds == 'a*'", "eyes.kind == 'x'"]]
        [[rule]]
        name = "*w"
        scheme = "normal:std=std"
        [[rule]]
        name = "m.own"
        scheme = "ones"
    "#;
    let architecture: Architecture = text.parse().unwrap();
    let shown = |keys: &str| {
        let plan = architecture.plan(&config_of("Pair", keys)).map_err(|e| e.to_string())?;
        let row = |planned: &Planned| {
            let draw = planned.draw.as_ref().unwrap();
            assert_eq!(draw.stream, planned.name);
            format!("{} {:?} {} {:?}", planned.name, planned.shape, draw.distribution, draw.dtype.unwrap())
        };
        Ok::<_, String>(plan.tensors().iter().map(row).collect::<Vec<_>>())
    };
    assert_eq!(
        shown(r#"width=4 kinds=["b","ab"] eyes={"kind":"x"} torch_dtype=bfloat16"#).unwrap(),
        [
            "m.eye.w [7, 1] normal(0, 7^2) BF16",
            "inner.w [4, 1] normal(0, 4^2) BF16",
            "m.own [7, 7, 2, 1, 1] constant(1) BF16",
        ]
    );
    let lens = r#"width=4 kinds=b eyes={"model_type":"lens","width":5,"kind":"y"} inner={"width":9}"#;
    assert_eq!(
        shown(lens).unwrap(),
        [
            "m.eye.w [5, 2] normal(0, 10^2) F32",
            "inner.w [9, 1] normal(0, 9^2) F32",
            "m.own [5, 10, 2, 0, 0] constant(1) F32",
        ]
    );
    for (keys, says) in [
        (r#"eyes={"width":"many","kind":"x"}"#, "eyes.width is \"many\", allowed: a number"),
        (r#"eyes={"width":-1,"kind":"x"}"#, "the submodel m.eye."),
        (r#"eyes={"kind":3}"#, "eyes.kind is \"3\", allowed: a text"),
        (r#"eyes={}"#, "the config has no eyes.kind"),
        (r#"eyes=3"#, "eyes is \"3\", allowed: a configuration of its own"),
        (r#"eyes={"model_type":"ear"}"#, "eyes.model_type is \"ear\", allowed: eye, lens"),
    ] {
        let error = shown(keys).unwrap_err();
        assert!(error.contains(says), "{keys}: {error}");
    }
    let mut set = config_of("Pair", "eyes=null eyes.width=2 eyes.kind=x");
    assert!(set.has("eyes.width") && !set.has("eyes.height") && architecture.keys().any(|key| key == "eyes.width"));
    assert_eq!(architecture.model(&set).unwrap().tensors()[0].shape, [2, 1]);
    assert!(set.set("eyes.width.more", "2").unwrap_err().to_string().contains("eyes.width is \"2\""));
    // Its rules would have the model's own tensor.
    let clash: Architecture = text.replace("{model}own", "inner.own").parse().unwrap();
    let of_eye = config_of("Pair", "eyes.kind=x");
    let error = clash.model(&of_eye).unwrap_err().to_string();
    assert!(error.contains("\"inner.own\"") && error.contains("inner."), "{error}");
    // One within itself without end.
    let endless = text.replace("class = \"Eye\"", "class = \"Pair\"").parse::<Architecture>().unwrap();
    assert!(endless.model(&of_eye).unwrap_err().to_string().contains("within one another"));
}

/// A check of tensors knows their counters and names, and is asked only where there are any.
#[test]
fn tensors_have_checks_of_their_own() {
    let text = r#"
        [architectures]
        Twin = {}
        [config]
        heads = "required list"
        even = true
        [[tensors]]
        prefix = "{stage}."
        for = [["stage", "len(heads)"]]
        let = [["width", "4*exp2(stage)"]]
        when = "heads[stage] > 0"
        check = ["width % heads[stage] == 0", "!even || heads[stage] % 2 == 0"]
        list = [["w", "width"]]
        [[rule]]
        name = "*"
        scheme = "ones"
    "#;
    let architecture: Architecture = text.parse().unwrap();
    let of = |keys: &str| {
        let model = architecture.model(&config_of("Twin", keys))?;
        Ok::<_, fanin::Error>(model.tensors().iter().map(|tensor| tensor.shape[0]).collect::<Vec<_>>())
    };
    assert_eq!(of("heads=[2,8,0,2]").unwrap(), [4, 8, 32]);
    assert_eq!(of("heads=[1,-1] even=false").unwrap(), [4]);
    for (keys, says) in [
        ("heads=[2,6]", "heads \"[2,6]\", stage 1, width 8, allowed: width % heads[stage] == 0"),
        ("heads=[1]", "even 1, heads \"[1]\", stage 0, allowed: !even || heads[stage] % 2 == 0"),
    ] {
        let error = of(keys).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(&format!("the config is one with {says}")), "{keys}: {error}");
    }
}

/// What a stranger's architecture could take time or memory with.
#[test]
fn an_architecture_has_an_end() {
    let plan = |more: &str| {
        let text = format!(
            "{more}\n[[rule]]\nname = '*'\nscheme = 'ones'\n[architectures]\nTwin = {{ text = '{}' }}",
            "t".repeat(200)
        );
        text.parse::<Architecture>()?.plan(&config_of("Twin", "n=3"))
    };
    let named = |name: &str| plan(&format!("[[tensors]]\nlist = [['{name}']]"));
    assert_eq!(named(&"{text}".repeat(5)).unwrap().tensors()[0].name.len(), 1000);
    for name in ["{text}".repeat(5) + "a", "{text}".repeat(10_000), "a".repeat(1001)] {
        let error = named(&name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("the length of the name \"") && error.to_string().len() < 600, "{error}");
    }
    // One needs the next.
    let chain = |count: usize| {
        let words: String = (0..count).map(|i| format!("w{i:04} = 'w{:04} + 1'\n", i + 1)).collect();
        plan(&format!("[[tensors]]\nlist = [['a', 'w0000']]\n[let]\n{words}w{count:04} = '1'"))
    };
    assert_eq!(chain(200).unwrap().tensors()[0].shape, [201]);
    assert!(chain(256).unwrap_err().to_string().contains("at most 256"));
    let long = plan(&format!("[[tensors]]\nlist = [['a', '{}1']]", "1 + ".repeat(300))).unwrap_err();
    assert!(long.to_string().contains("longer than 1000 characters"), "{long}");
}

/// What an architecture of one's own has wrong is said, and nothing of it passed over.
#[test]
fn what_is_no_architecture_is_said() {
    let rule = "[[rule]]\nname = '*'\nscheme = 'zeros'\n";
    let class = "[architectures]\nA = { n = 1 }\n";
    for (text, says) in [
        (rule.to_string(), "the text has no [architectures]"),
        (format!("[let]\nx = '1'\n{rule}"), "the text has [let] and no [architectures]"),
        (format!("{class}[config]\nn = 2\n{rule}"), "the word \"n\" stands twice"),
        (format!("{class}[constants]\nx = 2\n[let]\nx = '3'\n{rule}"), "the word \"x\" stands twice"),
        (format!("{class}[let]\nfan_in = '3'\n{rule}"), "the name of a constant or count is \"fan_in\""),
        (format!("{class}[config]\nrank = 3\n{rule}"), "line 4: the name of a constant or count is \"rank\""),
        (format!("{class}[config]\nx = {{ missing = 3 }}\n{rule}"), "line 4: a key is another table"),
        (
            format!(
                "[architectures]\nA = {{ haed = 1 }}\nB = {{ head = 1 }}\n[[tensors]]\nwhen = 'head'\nlist = [['w']]\n{rule}"
            ),
            "the word \"haed\" of a class is asked for nowhere",
        ),
        (
            format!(
                "[architectures]\n{}{rule}",
                (0..257).map(|i| format!("C{i} = {{ w{i} = 1 }}\n")).collect::<String>()
            ),
            "the number of an architecture's keys, other names, names, checks and words of classes is 257",
        ),
    ] {
        let error = text.parse::<Architecture>().unwrap_err();
        assert!(error.kind() == ErrorKind::Rules && error.to_string().starts_with(says), "{error}");
    }
    for key in
        ["model_type = 'a'", "check = ['1']", "[config]\nx = 1", "[alias]\nx = 'y'", "[[tensors]]\nlist = [['a']]"]
    {
        let error = format!("{key}\n{rule}").parse::<Rules>().unwrap_err().to_string();
        assert!(error.contains("and no [architectures]"), "{key}: {error}");
    }
    // Counting ends, also where nothing comes of it.
    let counts = "for = [['a', '1000000'], ['b', '1000000'], ['c', '0']]\nlist = [['w']]\n";
    let architecture: Architecture = format!("{class}[[tensors]]\n{counts}{rule}").parse().unwrap();
    let error = architecture.model(&config_of("A", "")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}

/// As of the architectures that are known, each class has a model type of the list.
#[test]
fn each_class_of_ones_own_has_its_model_type() {
    let text = r#"
        model_type = ["a", "b"]
        [architectures]
        A = { model_type = "a" }
        B = { model_type = "b" }
        [[tensors]]
        list = [["w", "1"]]
        [[rule]]
        name = "*"
        scheme = "zeros"
    "#;
    let own: Architecture = text.parse().unwrap();
    let of = |class: &str, kind: &str| {
        own.model(&config_of(class, &format!("model_type={kind}"))).map_err(|e| e.to_string())
    };
    assert!(of("A", "a").is_ok() && of("B", "b").is_ok());
    assert_eq!(of("A", "b").unwrap_err(), "model_type is \"b\", allowed: a for A");
    let error = text.replace("model_type = \"b\"", "model_type = \"c\"").parse::<Architecture>().unwrap_err();
    let says = "the model_type is none of the architecture's for \"B\", allowed: one of its list";
    assert!(error.to_string().contains(says), "{error}");
}
