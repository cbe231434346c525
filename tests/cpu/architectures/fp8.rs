//! Configurations that are quantised to fp8: which weights are, and in which blocks.

use std::collections::BTreeMap;

use super::*;

/// The weights that are quantised, each with its block.
fn fp8_blocks(architecture: &Architecture, config: &Config) -> Result<BTreeMap<String, [u64; 2]>, fanin::Error> {
    let tensors = architecture.describe(config)?.model.into_tensors();
    Ok(tensors.into_iter().filter_map(|tensor| Some((tensor.name, tensor.fp8_block?))).collect())
}

const FP8: &str = r#"quantization_config={"quant_method":"fp8"}"#;

/// The weights of linear layers are in blocks, but for the output's; what plans it unquantised refuses it.
#[test]
fn quantised_configurations_have_blocks_of_linear_layers() {
    let blocks = |class: &str, keys: &str| {
        let config = config_of(class, &with(DECODER, keys));
        fp8_blocks(&Architecture::for_config(&config).unwrap(), &config)
    };
    let names = |class: &str, keys: &str| blocks(class, &with(FP8, keys)).unwrap().into_keys().collect::<Vec<_>>();
    let refused = |class: &str, keys: &str| blocks(class, keys).unwrap_err().to_string();
    let layers = names("LlamaForCausalLM", "");
    assert_eq!(layers.len(), 7);
    let is_layer = |name: &String| name.starts_with("model.layers.") && name.ends_with("_proj.weight");
    assert!(layers.iter().all(is_layer), "{layers:?}");
    assert_eq!(names("LlamaForCausalLM", "tie_word_embeddings=true"), layers);
    assert_eq!(names("LlamaForSequenceClassification", ""), layers);
    // As transformers has it, a layer that ends in a bias is no output.
    let tokens = names("LlamaForTokenClassification", "");
    assert_eq!((tokens.len(), tokens.last().unwrap().as_str()), (8, "score.weight"));
    assert_eq!(names("LlamaForTokenClassification", "token_classification_bias=false"), layers);
    assert!(names("LlamaModel", "").iter().all(|name| name.starts_with("layers.")));
    let sizes = r#"quantization_config={"quant_method":"fp8","weight_block_size":[1,300]}"#;
    assert!(blocks("Qwen3MoeForCausalLM", sizes).unwrap().values().all(|block| *block == [1, 300]));
    assert!(blocks("LlamaForCausalLM", "").unwrap().is_empty());

    let error = refused("GemmaForCausalLM", FP8);
    assert!(error.starts_with("quantization_config is not written of an architecture"), "{error}");
    let own = config_of("LlamaForCausalLM", &with(DECODER, FP8));
    assert_eq!(own.unquantised(), config_of("LlamaForCausalLM", DECODER));
    let error = refused("LlamaForCausalLM", r#"quantization_config={"quant_method":"awq","bits":4}"#);
    assert!(error.starts_with("quantization_config.quant_method is \"awq\", allowed: fp8 by blocks"), "{error}");
    let error = refused("LlamaForCausalLM", &with(FP8, r#"compression_config={"bits":4}"#));
    assert!(error.contains("compression_config"), "{error}");

    let all = r#"quantization_config={"quant_method":"fp8","modules_to_not_convert":["score"]}"#;
    assert!(blocks("LlamaForCausalLM", all).unwrap().contains_key("lm_head.weight"));
    let tied = with(all, "tie_word_embeddings=true");
    let error = refused("LlamaForCausalLM", &tied);
    assert!(error.starts_with("quantization_config.modules_to_not_convert does not name lm_head"), "{error}");
    assert_eq!(blocks("LlamaForSequenceClassification", &tied).unwrap().len(), 7);
}

#[test]
fn an_architecture_says_which_of_its_weights_are_linear() {
    let rules = "[[rule]]\nname = '*'\nscheme = 'zeros'";
    let blocks = |linear: &str, dims: &str| {
        let tensors = format!("[architectures]\nA = {{}}\n[[tensors]]\nlist = [['w.weight', {dims}], ['b']]");
        let architecture = format!("{linear}\n{tensors}\n{rules}").parse::<Architecture>()?;
        fp8_blocks(&architecture, &config_of("A", FP8))
    };
    let of = blocks("linear = '*.weight'", "'8', '4'").unwrap();
    assert_eq!(of, BTreeMap::from([("w.weight".into(), [128, 128])]));
    let error = blocks("linear = '*.weight'", "'2', '8', '4'").unwrap_err().to_string();
    let allowed = error.contains("[2, 8, 4], allowed: rows and columns");
    assert!(error.contains("the shape of w.weight") && allowed, "{error}");
    for (linear, says) in [
        ("linear = []", "empty"),
        ("linear = '['", "cannot be read"),
        ("linear = 1", "line 1"),
        ("linear = '*.weight'\ntied = { w = 'nowhere' }", "nowhere"),
    ] {
        let error = blocks(linear, "'8', '4'").unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    for alone in ["linear = 'w'", "tied = { w = '1' }"] {
        let error = format!("{alone}\n{rules}").parse::<fanin::rules::Rules>().unwrap_err().to_string();
        assert!(error.contains("and no [architectures]"), "{error}");
    }
}

/// The published files of DeepSeek-V3 have 688,586,727,753 bytes: those of its tensors in fp8 by blocks, of one layer more, for a token further
/// on, which is none of transformers', and of headers, which take some 130 bytes a tensor.
#[test]
fn deepseek_v3_in_fp8_has_the_bytes_that_are_published() {
    let published = golden("published");
    let is_it = |model: &&Value| model["name"] == "DeepSeek-V3";
    let mut config = config(published.as_array().unwrap().iter().find(is_it).unwrap());
    let fp8 =
        r#"{"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [128, 128]}"#;
    config.set("quantization_config", fp8).unwrap();
    let architecture = Architecture::for_config(&config).unwrap();
    let blocks = fp8_blocks(&architecture, &config).unwrap();
    // In each layer attention's five and three; of 58, which have experts, of each of 256 more.
    assert_eq!(blocks.len(), 61 * 8 + 58 * 256 * 3);
    let (mut count, mut bytes) = (0, 0);
    let mut add = |shape: &[u64], block: Option<&[u64; 2]>| {
        let elements = shape.iter().product::<u64>();
        count += 1 + u64::from(block.is_some());
        bytes += block
            .map_or(2 * elements, |block| elements + 4 * shape[0].div_ceil(block[0]) * shape[1].div_ceil(block[1]));
    };
    for tensor in architecture.model(&config.unquantised()).unwrap().tensors() {
        let times = if tensor.name.starts_with("model.layers.60.") { 2 } else { 1 };
        (0..times).for_each(|_| add(&tensor.shape, blocks.get(&tensor.name)));
    }
    for shape in [&[129280, 7168][..], &[129280, 7168], &[7168, 2 * 7168], &[7168], &[7168], &[7168]] {
        add(shape, None);
    }
    assert_eq!(count, 91_991);
    let of_headers = (688_586_727_753 - bytes) / count;
    assert!((100..160).contains(&of_headers), "{bytes} bytes, {of_headers} a tensor are left");
}
