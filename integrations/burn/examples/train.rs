//! A network that learns two spirals, from one seed on wgpu and on ndarray: its weights begin the same to the bit.
//! `cargo run --example train`.

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use fanin::rules::Rules;
use fanin_burn::{Gpu, Initializer};

const POINTS: usize = 200;

#[derive(Module, Debug)]
struct Network {
    input: Linear,
    hidden: Linear,
    output: Linear,
}

impl Network {
    fn new(device: &Device) -> Network {
        Network {
            input: LinearConfig::new(2, 32).init(device),
            hidden: LinearConfig::new(32, 32).init(device),
            output: LinearConfig::new(32, 2).init(device),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let x = activation::tanh(self.input.forward(x));
        self.output.forward(activation::tanh(self.hidden.forward(x)))
    }

    fn bits(&self) -> Vec<TensorData> {
        let layers = [&self.input, &self.hidden, &self.output];
        layers
            .iter()
            .flat_map(|layer| [layer.weight.val().into_data(), layer.bias.as_ref().unwrap().val().into_data()])
            .collect()
    }
}

/// Two arms, a half turn apart.
fn spirals(device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
    let (mut points, mut labels) = (Vec::new(), Vec::new());
    for i in 0..POINTS {
        let (arm, along) = ((i % 2) as f32, i as f32 / POINTS as f32);
        let turn = 6.0 * along + std::f32::consts::PI * arm;
        points.extend([along * turn.cos(), along * turn.sin()]);
        labels.push((i % 2) as i32);
    }
    let points = Tensor::from_data(TensorData::new(points, [POINTS, 2]), device);
    (points, Tensor::from_data(TensorData::new(labels, [POINTS]), device))
}

fn train(mut network: Network, device: &Device) -> [f32; 2] {
    let (points, labels) = spirals(device);
    let loss_of = CrossEntropyLossConfig::new().init(device);
    let mut adam = AdamConfig::new().init();
    let mut losses = Vec::new();
    for _ in 0..60 {
        let loss = loss_of.forward(network.forward(points.clone()), labels.clone());
        losses.push(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = adam.step(0.02, network, gradients);
    }
    [losses[0], losses[losses.len() - 1]]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rules = Rules::preset("burn")?;
    let gpu = Gpu::open(Device::wgpu_options())?;
    #[allow(deprecated)]
    let on_cpu = Device::ndarray().autodiff();
    let on_gpu = gpu.device().clone().autodiff();

    let initializer = Initializer::new(&rules, 42).on(&gpu);
    let (first, second) = (initializer.init(Network::new(&on_gpu))?, initializer.init(Network::new(&on_cpu))?);
    assert_eq!(first.bits(), second.bits());
    println!("{} initial weights, the same bits on both", first.num_params());
    for (name, network, device) in [("wgpu", first, &on_gpu), ("ndarray", second, &on_cpu)] {
        let [before, after] = train(network, device);
        println!("{name}: loss {before:.6}, after 60 steps {after:.6}");
        assert!(after < 0.8 * before);
    }
    Ok(())
}
