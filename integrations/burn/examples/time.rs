//! How long 100 million parameters take on wgpu, beside Burn's own initialisation: `cargo run --example time [ROUNDS]`.

use std::time::{Duration, Instant};

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Device;
use fanin::rules::Rules;
use fanin_burn::{Gpu, Initializer};

/// 24 layers of 2,048 by 2,048.
#[derive(Module, Debug)]
struct Model {
    layers: Vec<Linear>,
}

impl Model {
    fn new(device: &Device) -> Model {
        Model { layers: (0..24).map(|_| LinearConfig::new(2048, 2048).init(device)).collect() }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(5), |rounds| rounds.parse())?;
    let gpu = Gpu::open(Device::wgpu_options())?;
    let device = gpu.device();
    let initializer = |text: &str| text.parse::<Rules>();
    let uniform = Rules::preset("burn")?;
    let normal = initializer("[[rule]]\nname = '*'\nscheme = 'normal:std=0.02'")?;
    println!("{} parameters, of {rounds} rounds the median", Model::new(device).num_params());
    for (name, rules) in
        [("fanin, uniform", Some(&uniform)), ("fanin, normal", Some(&normal)), ("Burn's own, uniform", None)]
    {
        let mut times: Vec<Duration> = Vec::new();
        // The first compiles kernels and takes memory.
        for round in 0..=rounds {
            let started = Instant::now();
            let model = Model::new(device);
            let model = match rules {
                Some(rules) => Initializer::new(rules, 42).on(&gpu).init(model)?,
                None => {
                    for layer in &model.layers {
                        let _ = (layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()));
                    }
                    model
                }
            };
            device.sync()?;
            if round > 0 {
                times.push(started.elapsed());
            }
            drop(model);
        }
        times.sort();
        println!("{name}: {:.3} s", times[times.len() / 2].as_secs_f64());
    }
    Ok(())
}
