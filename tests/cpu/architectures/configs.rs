//! Configurations: how they are read, which class has them, and what none of the models can be made of.

use super::*;

/// Numbers of a configuration are those that are written, to the last place, and are written so again.
#[test]
fn numbers_are_read_to_the_last_place() {
    for text in ["16660666666666666666666666666666666", "0.018263148371569713", "1.7976931348623157e308", "5e-324"] {
        let config = Config::from_json(format!("{{\"initializer_range\": {text}}}").as_bytes()).unwrap();
        assert_eq!(Config::from_json(config.to_json().as_bytes()).unwrap(), config, "{text}");
        let written: Value = serde_json::from_str(&config.to_json()).unwrap();
        let written = written["initializer_range"].to_string().parse::<f64>().unwrap();
        assert_eq!(written, text.parse::<f64>().unwrap(), "{text}");
    }
}

/// What Python's json module writes and reads, and an editor's mark at the begin, are the configuration's; what is written is the same.
#[test]
fn configurations_are_read_as_python_writes_them() {
    let text =
        "\u{feff}{\"a\": [0.0, Infinity, -Infinity,NaN], \"b\": \"NaN, \\\"Infinity\\\"\", \"hidden_size\": NaN}";
    let mut config = Config::from_json(text.as_bytes()).unwrap();
    let written = "{\n  \"a\": [\n    0.0,\n    Infinity,\n    -Infinity,\n    NaN\n  ],\n  \"b\": \"NaN, \\\"Infinity\\\"\",\n  \
        \"hidden_size\": NaN\n}\n";
    assert_eq!(config.to_json(), written);
    assert_eq!(Config::from_json(written.as_bytes()).unwrap(), config);
    config.set("c", "-Infinity").unwrap();
    assert!(config.to_json().contains("\"c\": -Infinity"));
    // A number that is asked for is none of them.
    let said = plan_of("BertModel", &with(BERT, "hidden_size=Infinity")).unwrap_err().to_string();
    assert!(said.contains("hidden_size is \"Infinity\", allowed: a number"), "{said}");
    for (text, line) in [
        ("{\n\"a\": 1,\n}", "line 3"),
        ("{\n\"a\": nan}", "line 2"),
        ("{\n\n\"a\": +Infinity}", "line 3"),
        ("{\"a\": InfinityNaN}", "line 1"),
        ("{\n\"a\": \"Infinity", "line 2"),
    ] {
        let error = Config::from_json(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(format!("{error:#}").contains(line), "{error:#}");
    }
}

/// A key has one value, whichever of its names it goes by.
#[test]
fn another_name_of_a_key_is_the_key() {
    let plan = |keys| plan_of("GPT2Model", &with("vocab_size=9 n_positions=8 n_layer=1 n_head=2", keys));
    for keys in ["n_embd=4", "hidden_size=4", "hidden_size=4 n_embd=4"] {
        assert_eq!(plan(keys).unwrap()[0].shape, [9, 4], "{keys}");
    }
    let error = plan("hidden_size=4 n_embd=6").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.to_string(), r#"hidden_size is "4", and n_embd "6", allowed: the same of both, or one of them"#);
}

/// Of a family's types each class has its own: by another, another class would be made of the configuration.
#[test]
fn each_class_has_the_model_type_of_its_own() {
    /// All types of a family and one more, and of each class, by what it begins with, its own.
    type Family = (&'static str, &'static str);
    let families: [Family; 5] = [
        (
            "qwen2 qwen3 qwen3_moe llama",
            "Qwen2Moe=qwen2_moe Qwen2VLText=qwen2_vl_text Qwen2VL=qwen2_vl Qwen2Vision=qwen2_vl_vision \
                Qwen2_5_VLText=qwen2_5_vl_text Qwen2_5_VL=qwen2_5_vl Qwen2_5_Vision=qwen2_5_vl_vision Qwen2=qwen2 \
                Qwen3Moe=qwen3_moe Qwen3Next=qwen3_next Qwen3=qwen3",
        ),
        (
            "gemma gemma2 gemma3_text gemma3",
            "Gemma2=gemma2 Gemma3ForConditionalGeneration=gemma3 Gemma3ForSequenceClassification=gemma3 Gemma3Model=gemma3 \
                Gemma3=gemma3_text Gemma=gemma",
        ),
        (
            "llama mistral mixtral",
            "Llama4ForConditionalGeneration=llama4 Llama4Vision=llama4_vision_model Llama4=llama4_text Llama=llama \
                Mistral=mistral",
        ),
        ("roberta xlm-roberta bert", "XLMRoberta=xlm-roberta Roberta=roberta"),
        ("bert distilbert roberta", "Bert=bert DistilBert=distilbert"),
    ];
    let said = |class: &str, kind: &str| {
        let config = config_of(class, &format!("model_type={kind}"));
        Architecture::for_config(&config).map_err(|e| e.to_string())
    };
    let mut tried = 0;
    for class in Architecture::classes() {
        for (kinds, begins) in families {
            let owns = |one: &&str| class.starts_with(one.split_once('=').unwrap().0);
            let Some((_, own)) = begins.split_whitespace().find(owns).map(|one| one.split_once('=').unwrap()) else {
                continue;
            };
            for kind in kinds.split(' ') {
                let refused = format!("model_type is \"{kind}\", allowed: {own} for {class}");
                assert_eq!(said(&class, kind).err(), (kind != own).then_some(refused), "{class}");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 4 * 33 + 4 * 14 + 3 * (14 + 14 + 15));
    // Without a class, those of the type alone are named.
    let of_type = Config::from_json(br#"{"model_type": "qwen3"}"#).unwrap();
    let said = Architecture::for_config(&of_type).unwrap_err().to_string();
    assert!(said.contains("Qwen3ForCausalLM") && !said.contains("Qwen2") && !said.contains("Moe"), "{said}");
}

/// Activations that have weights, and older keys that make other tensors, are refused, as is what makes no model.
#[test]
fn what_would_change_tensors_is_refused() {
    for class in
        ["LlamaModel", "MistralModel", "MixtralModel", "Phi3Model", "Qwen2Model", "Qwen3MoeModel", "GemmaModel"]
    {
        let plan = planned(class, DECODER);
        assert_each_refused(class, DECODER, "hidden_act=prelu head_dim=0 num_key_value_heads=3");
        for key in ["quantization_config", "compression_config"] {
            let quantised = with(DECODER, &format!("{key}={{\"bits\":4}}"));
            assert_refused(class, &quantised, key);
            let said = plan_of(class, &quantised).unwrap_err().to_string();
            let remedy =
                format!("allowed: null, for the model before it is quantised: with the program, --set {key}=null");
            assert!(said.ends_with(&remedy), "{said}");
            assert_eq!(planned(class, &with(&quantised, &format!("{key}=null"))), plan);
        }
    }
    let unpadded = without(DECODER, "pad_token_id");
    assert_each_refused("Gemma3TextModel", &unpadded, "hidden_activation=xielu");
    assert_each_refused("MixtralModel", &unpadded, "num_local_experts=0");
    for class in ["BertModel", "RobertaModel"] {
        let wrong = r#"hidden_act=prelu pruned_heads={"0":[1]} position_embedding_type=relative_key"#;
        assert_each_refused(class, BERT, wrong);
    }
    let wrong = r#"activation=prelu layer_types=["full_attention","full_attention"]"#;
    assert_each_refused("DistilBertModel", DISTILBERT, wrong);
    // Two labels: where an answer begins, and where it ends.
    assert_each_refused("DistilBertForQuestionAnswering", DISTILBERT, "num_labels=3");
    assert_each_refused("T5Model", T5, "feed_forward_proj=gated-prelu");
    assert_each_refused("ViTModel", VIT, "pooler_act=prelu");
    // transformers has the word, and no layer for it.
    assert_each_refused("ElectraForMultipleChoice", BERT, "summary_type=attn");
    assert!(has("ElectraForSequenceClassification", &with(BERT, "summary_type=attn"), "classifier.dense.weight"));
}
