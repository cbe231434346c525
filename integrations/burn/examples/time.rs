//! How long 100 million parameters take on wgpu, beside Burn's own initialisation: `cargo run --example time [ROUNDS]`.

use std::time::{Duration, Instant};

use burn::module::Module;
use burn::nn::{Initializer as BurnsOwn, Linear, LinearConfig};
use burn::tensor::Device;
use fanin::rules::Rules;
use fanin_burn::{Gpu, Initializer};

/// 24 layers of 2,048 by 2,048.
#[derive(Module, Debug)]
struct Model {
    layers: Vec<Linear>,
}

impl Model {
    fn new(of: &LinearConfig, device: &Device) -> Model {
        Model { layers: (0..24).map(|_| of.init(device)).collect() }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(5), |rounds| rounds.parse())?;
    let gpu = Gpu::open(Device::wgpu_options())?;
    let device = gpu.device();
    let uniform = LinearConfig::new(2048, 2048);
    let normal = uniform.clone().with_initializer(BurnsOwn::Normal { mean: 0.0, std: 0.02 });
    let of_uniform = Rules::preset("burn")?;
    let of_normal: Rules = "[[rule]]\nname = '*'\nscheme = 'normal:std=0.02'".parse()?;
    let count = Model::new(&uniform, device).num_params();
    let name = device.identity().map_or(String::new(), |identity| identity.name);
    println!("{count} parameters on {name}, the median of {rounds} rounds");
    for (said, layer, rules) in [
        ("fanin, uniform", &uniform, Some(&of_uniform)),
        ("Burn's own, uniform", &uniform, None),
        ("fanin, normal", &normal, Some(&of_normal)),
        ("Burn's own, normal", &normal, None),
    ] {
        let mut times: Vec<Duration> = Vec::new();
        // The first compiles kernels and takes memory.
        for round in 0..=rounds {
            let started = Instant::now();
            let model = Model::new(layer, device);
            let model = match rules {
                Some(rules) => Initializer::new(rules, 42).on(&gpu).init(model)?,
                None => initialised(model),
            };
            device.sync()?;
            if round > 0 {
                times.push(started.elapsed());
            }
            drop(model);
        }
        times.sort();
        println!("{said}: {:.3} s", times[times.len() / 2].as_secs_f64());
    }
    Ok(())
}

/// With what Burn draws when a parameter is first asked for.
fn initialised(model: Model) -> Model {
    for layer in &model.layers {
        let _ = (layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()));
    }
    model
}
