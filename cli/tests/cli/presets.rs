//! Presets, frozen: what each gives the tensors of its models. A checkpoint keeps the distributions themselves, so that no file
//! depends on a preset; but a change here changes what a seed's model draws, which is a word in CHANGELOG.md under **Values**.
//! `FANIN_WRITE=1` writes `golden/presets.txt` anew.

use std::collections::BTreeSet;
use std::fs;

use crate::common::models;
use fanin::rules::{Model, Rules, Tensor};
use fanin::{Layout, Scheme};

/// The tensors of a model of `data/models/` that are no integers.
fn model(name: &str) -> Vec<Tensor> {
    let text = fs::read(models().join(format!("{name}.json"))).unwrap();
    let mut tensors = Model::from_json(&text).unwrap().tensors().to_vec();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    tensors.retain(|tensor| !tensor.is_integer());
    // What rules say of dtypes is of interest, not what the list does.
    tensors.into_iter().map(|tensor| Tensor::new(tensor.name, tensor.shape)).collect()
}

fn tensors(list: &[(&str, &[u64])]) -> Vec<Tensor> {
    list.iter().map(|(name, shape)| Tensor::new(*name, *shape)).collect()
}

/// Models that look like others.
fn gemma() -> Vec<Tensor> {
    tensors(&[
        ("model.embed_tokens.weight", &[301, 64]),
        ("model.layers.0.self_attn.q_proj.weight", &[64, 64]),
        ("model.layers.0.self_attn.q_norm.weight", &[32]),
        ("model.layers.0.input_layernorm.weight", &[64]),
        ("model.layers.0.pre_feedforward_layernorm.weight", &[64]),
        ("model.norm.weight", &[64]),
        ("lm_head.weight", &[301, 64]),
    ])
}

fn roberta() -> Vec<Tensor> {
    tensors(&[
        ("roberta.embeddings.word_embeddings.weight", &[301, 64]),
        ("roberta.embeddings.position_embeddings.weight", &[82, 64]),
        ("roberta.embeddings.token_type_embeddings.weight", &[1, 64]),
        ("roberta.embeddings.LayerNorm.weight", &[64]),
        ("roberta.encoder.layer.0.attention.self.query.weight", &[64, 64]),
        ("roberta.encoder.layer.0.attention.self.query.bias", &[64]),
        ("lm_head.layer_norm.weight", &[64]),
        ("lm_head.decoder.weight", &[301, 64]),
        ("lm_head.decoder.bias", &[301]),
    ])
}

/// The layers that the presets of frameworks know.
fn pytorch() -> Vec<Tensor> {
    tensors(&[
        ("linear.weight", &[48, 64]),
        ("linear.bias", &[48]),
        ("conv.weight", &[16, 8, 3, 3]),
        ("conv.bias", &[16]),
        ("embedding.weight", &[100, 32]),
        ("norm.weight", &[64]),
        ("norm.bias", &[64]),
        ("bn.running_mean", &[64]),
        ("bn.running_var", &[64]),
        ("bn.num_batches_tracked", &[]),
        ("lstm.weight_ih_l0", &[128, 20]),
        ("lstm.weight_hh_l0", &[128, 32]),
        ("lstm.bias_ih_l0", &[128]),
        ("cell.weight_ih", &[128, 20]),
        ("cell.weight_hh", &[128, 32]),
        ("cell.bias_hh", &[128]),
        ("attn.in_proj_weight", &[96, 32]),
        ("attn.in_proj_bias", &[96]),
        ("attn.out_proj.weight", &[32, 32]),
        ("attn.out_proj.bias", &[32]),
        ("bilinear.weight", &[6, 25, 9]),
        ("bilinear.bias", &[6]),
    ])
}

fn keras() -> Vec<Tensor> {
    tensors(&[
        ("dense/kernel", &[64, 48]),
        ("dense/bias", &[48]),
        ("conv1d/kernel", &[3, 8, 16]),
        ("conv2d/kernel", &[3, 3, 8, 16]),
        ("separable/depthwise_kernel", &[3, 3, 8, 1]),
        ("separable/pointwise_kernel", &[1, 1, 8, 16]),
        ("embedding/embeddings", &[100, 32]),
        ("bn/gamma", &[64]),
        ("bn/beta", &[64]),
        ("bn/moving_mean", &[64]),
        ("bn/moving_variance", &[64]),
    ])
}

fn flax() -> Vec<Tensor> {
    tensors(&[
        ("Dense_0/kernel", &[64, 48]),
        ("Dense_0/bias", &[48]),
        ("Conv_0/kernel", &[3, 3, 8, 16]),
        ("Conv_1/kernel", &[3, 8, 16]),
        ("attention/out/kernel", &[4, 16, 64]),
        ("attention/query/kernel", &[48, 4, 16]),
        ("Embed_0/embedding", &[100, 32]),
        ("BatchNorm_0/scale", &[64]),
        ("BatchNorm_0/mean", &[64]),
        ("BatchNorm_0/var", &[64]),
    ])
}

fn burn() -> Vec<Tensor> {
    tensors(&[
        ("linear.weight", &[64, 48]),
        ("linear.bias", &[48]),
        ("conv.weight", &[16, 4, 3, 3]),
        ("conv.bias", &[16]),
        ("up.weight", &[16, 8, 2, 2]),
        ("up.bias", &[8]),
        ("embedding.weight", &[100, 32]),
        ("norm.gamma", &[64]),
        ("norm.beta", &[64]),
        ("bn.running_mean", &[64]),
        ("bn.running_var", &[64]),
        ("prelu.alpha", &[1]),
        ("lstm.input_gate.input_transform.weight", &[20, 32]),
        ("lstm.input_gate.input_transform.bias", &[32]),
        ("lstm.input_gate.hidden_transform.weight", &[32, 32]),
        ("lstm.input_gate.hidden_transform.bias", &[32]),
        ("encoder.layers.0.mha.query.weight", &[32, 32]),
        ("encoder.layers.0.pwff.linear_inner.weight", &[32, 128]),
        ("encoder.layers.0.pwff.linear_inner.bias", &[128]),
    ])
}

/// What the tensors draw, each line once: those of layers have a star for the layer's number.
fn table(of: &str, rules: &Rules, model: &[Tensor]) -> String {
    let starred = |name: &str| {
        let is_number = |part: &str| part.chars().all(|c| c.is_ascii_digit());
        name.split('.').map(|part| if is_number(part) { "*" } else { part }).collect::<Vec<_>>().join(".")
    };
    let lines: BTreeSet<_> = rules
        .plan(model)
        .unwrap()
        .into_tensors()
        .into_iter()
        .map(|planned| {
            let draw = planned.draw.map_or("skipped".into(), |draw| {
                let stream = if draw.stream == planned.name {
                    String::new()
                } else {
                    format!(", the stream of {}", draw.stream)
                };
                let part = |part: &fanin::rules::Part| match part.is_zero_row() {
                    true => format!(", row {} zero", part.range.start),
                    false => {
                        format!(", {:?} of dimension {} {}", part.range, part.dim, Scheme::from(part.distribution))
                    }
                };
                let row: String = draw.parts.iter().map(part).collect();
                let dtype = draw.dtype.map_or(String::new(), |dtype| format!(", {dtype}"));
                format!("{}{dtype}{stream}{row}", Scheme::from(draw.distribution))
            });
            format!("{of} {} {:?}: {draw}\n", starred(&planned.name), planned.shape)
        })
        .collect();
    lines.into_iter().collect()
}

#[test]
fn presets_give_what_they_always_gave() {
    let preset = |name: &str| Rules::preset(name).unwrap();
    let mut text = String::new();
    for (name, model) in [
        ("gpt2", model("gpt2")),
        ("llama", model("llama-8b")),
        ("bert", model("all-minilm-l6-v2")),
        ("vit", model("vit-base")),
        ("resnet", model("resnet50")),
        ("gemma", gemma()),
        ("roberta", roberta()),
        ("pytorch", pytorch()),
        ("keras", keras()),
        ("flax", flax()),
        ("burn", burn()),
    ] {
        text += &table(name, &preset(name), &model);
    }
    let he = Rules::from_scheme("he_normal".parse().unwrap(), Layout::OUT_IN).unwrap();
    text += &table("he_normal", &he, &model("resnet50"));
    crate::golden::agrees("presets.txt", &text);
}
