//! A small Llama of candle-transformers from its configuration, every weight drawn from a seed, run forward once:
//! `cargo run --example llama`.

use candle_core::{DType, Device, Result, Tensor};
use candle_transformers::models::llama::{Cache, Llama, LlamaConfig};
use fanin::rules::Config;
use fanin_candle::Weights;

const CONFIG: &[u8] = br#"{
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 320, "hidden_size": 64, "intermediate_size": 160,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "max_position_embeddings": 128
}"#;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let weights = Weights::from_config(&Config::from_json(CONFIG)?, 42)?;
    let config = serde_json::from_slice::<LlamaConfig>(CONFIG)?.into_config(false);
    for dtype in [DType::F32, DType::BF16] {
        let logits = forward(weights.clone(), dtype, &config)?;
        let first = logits.narrow(1, 0, 4)?.to_vec2::<f32>()?;
        println!("{}: logits of {:?}, the first {:?}", dtype.as_str(), logits.dims(), first[0]);
    }
    Ok(())
}

fn forward(weights: Weights, dtype: DType, config: &candle_transformers::models::llama::Config) -> Result<Tensor> {
    let device = Device::Cpu;
    let llama = Llama::load(weights.var_builder(dtype, &device), config)?;
    let tokens = Tensor::new(&[[1u32, 17, 300]], &device)?;
    llama.forward(&tokens, 0, &mut Cache::new(false, dtype, config, &device)?)
}
