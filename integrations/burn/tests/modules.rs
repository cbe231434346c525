//! Modules of Burn have the bits that the library draws for their names and that `fanin init` writes, on every backend.
#![allow(deprecated)] // Burn's ndarray.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::OnceLock;

use burn::cubecl::future::block_on;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::conv::{Conv1dConfig, Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{
    BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, Gru, GruConfig, LayerNorm,
    LayerNormConfig, Linear, LinearConfig, LinearLayout, Lstm, LstmConfig, PRelu, PReluConfig,
};
use burn::tensor::wgpu::{WgpuSetup, wgpu};
use burn::tensor::{DType, Device, DeviceKind, Int, Tensor, TensorData};
use fanin::rules::Rules;
use fanin::{Dtype, cpu, rules};
use fanin_burn::{Error, Gpu, Initializer};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const SEED: u64 = 42;

/// Burn opens a device once in a process.
fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::open(Device::wgpu_options()).expect("no adapter: apt-get install mesa-vulkan-drivers"))
}

fn devices() -> [Device; 5] {
    let wgpu = gpu().device().clone();
    [wgpu.clone(), wgpu.autodiff(), Device::ndarray(), Device::ndarray().autodiff(), Device::flex()]
}

fn preset() -> Rules {
    Rules::preset("burn").unwrap()
}

#[derive(Module, Debug)]
struct Mlp {
    layers: Vec<Linear>,
    slope: PRelu,
    norm: LayerNorm,
    output: Linear,
}

impl Mlp {
    fn new(device: &Device) -> Mlp {
        Mlp {
            layers: [(20, 33), (33, 64)].map(|(i, o)| LinearConfig::new(i, o).init(device)).into(),
            slope: PReluConfig::new().init(device),
            norm: LayerNormConfig::new(64).init(device),
            output: LinearConfig::new(64, 10).with_bias(false).init(device),
        }
    }
}

#[derive(Module, Debug)]
struct Cnn {
    down: Conv2d,
    batch_norm: BatchNorm,
    grouped: Conv2d,
    group_norm: GroupNorm,
    up: ConvTranspose2d,
    line: burn::nn::conv::Conv1d,
}

impl Cnn {
    fn new(device: &Device) -> Cnn {
        Cnn {
            down: Conv2dConfig::new([3, 16], [3, 3]).init(device),
            batch_norm: BatchNormConfig::new(16).init(device),
            grouped: Conv2dConfig::new([16, 32], [3, 3]).with_groups(4).init(device),
            group_norm: GroupNormConfig::new(4, 32).init(device),
            up: ConvTranspose2dConfig::new([32, 12], [2, 2]).with_groups(2).init(device),
            line: Conv1dConfig::new(12, 5, 7).init(device),
        }
    }
}

#[derive(Module, Debug)]
struct Recurrent {
    lstm: Lstm,
    gru: Gru,
}

impl Recurrent {
    fn new(device: &Device) -> Recurrent {
        Recurrent { lstm: LstmConfig::new(12, 24, true).init(device), gru: GruConfig::new(24, 16, true).init(device) }
    }
}

#[derive(Module, Debug)]
struct Transformer {
    embed_tokens: Embedding,
    encoder: TransformerEncoder,
    head: Linear,
}

impl Transformer {
    fn new(device: &Device) -> Transformer {
        Transformer {
            embed_tokens: EmbeddingConfig::new(101, 32).init(device),
            encoder: TransformerEncoderConfig::new(32, 64, 4, 2).init(device),
            head: LinearConfig::new(32, 101).init(device),
        }
    }

    fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        self.head.forward(self.encoder.forward(TransformerEncoderInput::new(self.embed_tokens.forward(tokens))))
    }
}

/// Shapes and values by path.
#[derive(Default)]
struct Read {
    path: Vec<String>,
    values: BTreeMap<String, (Vec<u64>, TensorData)>,
}

impl Read {
    fn of(module: &impl Module) -> BTreeMap<String, (Vec<u64>, TensorData)> {
        let mut read = Read::default();
        module.visit(&mut read);
        read.values
    }
}

impl ModuleVisitor for Read {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().into_data();
        let shape = data.shape().as_slice().iter().map(|&size| size as u64).collect();
        assert!(self.values.insert(self.path.join("."), (shape, data)).is_none());
    }
}

/// What the library draws for these names and shapes.
fn drawn(values: &BTreeMap<String, (Vec<u64>, TensorData)>, rules: &Rules, dtype: Dtype) -> BTreeMap<String, Vec<u8>> {
    let tensors: Vec<_> = values.iter().map(|(name, (shape, _))| rules::Tensor::new(name, shape.clone())).collect();
    let plan = rules.plan(&tensors).unwrap();
    plan.fills(SEED, dtype).unwrap().into_iter().map(|(name, fill)| (name.into(), cpu::bytes(&fill).unwrap())).collect()
}

/// What the program writes for these names and shapes.
fn written(name: &str, values: &BTreeMap<String, (Vec<u64>, TensorData)>) -> BTreeMap<String, Vec<u8>> {
    let program = std::env::var_os("FANIN")
        .expect("FANIN is not set: the path of the program fanin, as integrations/test sets it");
    let list: serde_json::Map<_, _> = values
        .iter()
        .map(|(name, (shape, _))| (name.clone(), serde_json::json!({"dtype": "F32", "shape": shape})))
        .collect();
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (model, file) = (folder.join(format!("{name}.json")), folder.join(format!("{name}.safetensors")));
    std::fs::write(&model, serde_json::to_vec(&list).unwrap()).unwrap();
    let _ = std::fs::remove_file(&file);
    let run = Command::new(program)
        .arg("init")
        .arg(&model)
        .arg("-o")
        .arg(&file)
        .args(["--preset", "burn", "--seed", &SEED.to_string(), "--device", "cpu"])
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let bytes = std::fs::read(&file).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    tensors.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect()
}

/// The module's every parameter has the bits of its name, on every backend, and nothing else has changed.
fn same_bits<M: Module>(name: &str, make: impl Fn(&Device) -> M, paths: &[&str]) {
    let rules = preset();
    let mut seen = None;
    for device in devices() {
        let module = Initializer::new(&rules, SEED).on(gpu()).init(make(&device)).unwrap();
        assert!(module.devices().iter().all(|of| *of == device && of.is_autodiff() == device.is_autodiff()));
        let values = Read::of(&module);
        for path in paths {
            assert!(values.contains_key(*path), "{path} of {:?}", values.keys());
        }
        let expected = drawn(&values, &rules, Dtype::F32);
        assert_eq!(values.len(), expected.len());
        for (path, (_, data)) in &values {
            assert_eq!(data.as_bytes(), expected[path], "{path} on {device:?}");
        }
        seen = Some((values, expected));
    }
    let (values, expected) = seen.unwrap();
    assert!(written(name, &values) == expected);
    // Burn's own have the deviations that the preset says, within 6 standard errors of a uniform's or a normal's.
    let tensors: Vec<_> = values.iter().map(|(name, (shape, _))| rules::Tensor::new(name, shape.clone())).collect();
    let plan = rules.plan(&tensors).unwrap();
    let burns = Read::of(&make(&Device::flex()));
    for planned in plan.tensors() {
        let own: Vec<f64> = burns[&planned.name].1.as_slice::<f32>().unwrap().iter().map(|&x| f64::from(x)).collect();
        let (std, n) = (planned.draw.as_ref().unwrap().distribution.std(), own.len() as f64);
        let root_mean_square = (own.iter().map(|x| x * x).sum::<f64>() / n).sqrt();
        let mean = planned.draw.as_ref().unwrap().distribution.mean();
        if std == 0.0 {
            assert!(own.iter().all(|&x| x == mean), "{}", planned.name);
        } else {
            assert!(
                (root_mean_square / std - 1.0).abs() < 6.0 / (2.0 * n).sqrt(),
                "{}: {root_mean_square}, {std}",
                planned.name
            );
        }
    }
}

#[test]
fn an_mlp() {
    same_bits(
        "mlp",
        Mlp::new,
        &["layers.1.weight", "layers.0.bias", "slope.alpha", "norm.gamma", "norm.beta", "output.weight"],
    );
}

#[test]
fn a_cnn_with_transposed_convolutions_and_norms() {
    same_bits(
        "cnn",
        Cnn::new,
        &["down.weight", "batch_norm.running_var", "grouped.bias", "group_norm.gamma", "up.weight", "line.bias"],
    );
}

#[test]
fn an_lstm_and_a_gru() {
    same_bits(
        "recurrent",
        Recurrent::new,
        &[
            "lstm.input_gate.input_transform.weight",
            "lstm.cell_gate.hidden_transform.bias",
            "gru.new_gate.hidden_transform.weight",
        ],
    );
}

#[test]
fn a_transformer() {
    same_bits(
        "transformer",
        Transformer::new,
        &[
            "embed_tokens.weight",
            "encoder.layers.1.mha.query.weight",
            "encoder.layers.0.pwff.linear_inner.bias",
            "head.weight",
        ],
    );
}

#[test]
fn a_device_of_the_program_is_handed_on() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let opened = block_on(async {
        let adapter = instance.request_adapter(&Default::default()).await.unwrap();
        let (device, queue) = adapter.request_device(&Default::default()).await.unwrap();
        (adapter, device, queue)
    });
    let (adapter, device, queue) = opened;
    let backend = adapter.get_info().backend;
    let shared = Gpu::share(WgpuSetup { instance, adapter, device, queue, backend }).unwrap();
    let rules = preset();
    let layer = |device: &Device| LinearConfig::new(300, 70).init(device);
    let drawn_there = Initializer::new(&rules, SEED).on(&shared).init(layer(shared.device())).unwrap();
    let values = Read::of(&drawn_there);
    let expected = drawn(&values, &rules, Dtype::F32);
    assert!(values.iter().all(|(path, (_, data))| data.as_bytes() == expected[path]));
    let error = Initializer::new(&rules, SEED).on(gpu()).init(layer(shared.device())).unwrap_err().to_string();
    assert!(error.starts_with("parameter \"weight\": the device is "), "{error}");
}

#[test]
fn what_was_drawn_is_what_burn_computes_with() {
    let rules = preset();
    let outputs = [gpu().device().clone(), Device::flex()].map(|device| {
        let model = Initializer::new(&rules, SEED).on(gpu()).init(Transformer::new(&device)).unwrap();
        let tokens = Tensor::from_data(TensorData::new(vec![1, 17, 100, 3, 5, 0], [2, 3]), &device);
        model.valid().forward(tokens).into_data()
    });
    let [on_gpu, on_cpu] = outputs.each_ref().map(|data| data.as_slice::<f32>().unwrap());
    assert!(on_gpu.iter().any(|x| x.abs() > 0.1));
    assert!(on_gpu.iter().zip(on_cpu).all(|(a, b)| (a - b).abs() < 1e-3));
}

#[test]
fn modules_that_are_in_use_are_drawn_anew_and_their_clones_are_not() {
    let rules = preset();
    for device in devices() {
        let used = Initializer::new(&rules, 1).on(gpu()).init(Mlp::new(&device)).unwrap();
        let before = Read::of(&used);
        let again = Initializer::new(&rules, SEED).on(gpu()).init(used.clone()).unwrap();
        let values = Read::of(&again);
        let expected = drawn(&values, &rules, Dtype::F32);
        assert!(values.iter().all(|(path, (_, data))| data.as_bytes() == expected[path]));
        assert!(Read::of(&used) == before);
        assert!(again.layers[0].weight.is_require_grad() == device.is_autodiff());
    }
}

#[test]
fn halves_are_drawn_as_halves() {
    let rules = preset();
    let mut kinds = 0;
    for device in [gpu().device().clone(), Device::flex()] {
        for (burns, dtype) in [(DType::F16, Dtype::F16), (DType::BF16, Dtype::BF16)] {
            if !device.supports_dtype(burns) {
                continue;
            }
            kinds += 1;
            // An odd number of elements ends within a word.
            let half = |shape: [usize; 2]| Param::from_tensor(Tensor::<2>::zeros(shape, (&device, burns)));
            let layer = Linear { weight: half([33, 17]), bias: None };
            let layer = Initializer::new(&rules, SEED).on(gpu()).init(layer).unwrap();
            let values = Read::of(&layer);
            assert_eq!(values["weight"].1.dtype(), burns);
            assert_eq!(values["weight"].1.as_bytes(), drawn(&values, &rules, dtype)["weight"]);
        }
    }
    assert!(kinds >= 2);
}

/// A layer that holds 128 MiB.
fn large(device: &Device) -> Linear {
    LinearConfig::new(4096, 8192).with_bias(false).init(device)
}

#[test]
fn no_value_passes_through_the_host() {
    const BYTES: usize = 4096 * 8192 * 4;
    let rules = preset();
    let heap = |device: Device| {
        // Other tests hold memory meanwhile, none so much.
        HEAP.reset_peak_usage();
        let before = HEAP.current_usage();
        let layer = Initializer::new(&rules, SEED).on(gpu()).init(large(&device)).unwrap();
        device.sync().unwrap();
        let grown = HEAP.peak_usage().saturating_sub(before);
        (grown, layer)
    };
    let (grown, layer) = heap(gpu().device().clone());
    assert!(grown < BYTES / 4, "{grown} bytes");
    let values = Read::of(&layer);
    assert!(values["weight"].1.as_bytes() == drawn(&values, &rules, Dtype::F32)["weight"]);
    // The measure sees what does.
    assert!(heap(Device::flex()).0 >= BYTES);
}

/// Two modules whose parameters have the same paths.
#[derive(Clone, Debug)]
struct Twice(Linear, Linear);

impl Module for Twice {
    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.1.collect_devices(self.0.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        Twice(self.0.fork(device), self.1.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        Twice(self.0.to_device(device), self.1.to_device(device))
    }

    fn train(self) -> Self {
        Twice(self.0.train(), self.1.train())
    }

    fn valid(&self) -> Self {
        Twice(self.0.valid(), self.1.valid())
    }

    fn materialize(self) -> Self {
        Twice(self.0.materialize(), self.1.materialize())
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.0.visit(visitor);
        self.1.visit(visitor);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        Twice(self.0.map(mapper), self.1.map(mapper))
    }
}

#[test]
fn errors_name_the_parameter_the_value_and_what_is_allowed() {
    let rules = preset();
    let linear = |device: &Device| LinearConfig::new(4, 2).init(device);
    let cpu = Device::ndarray();
    let wgpu = gpu().device();
    let on_gpu = Initializer::new(&rules, SEED).on(gpu());
    let said = |result: Result<Linear, Error>| result.unwrap_err().to_string();
    let column = |device: &Device, size| LinearConfig::new(size, 4).with_layout(LinearLayout::Col).init(device);
    let weights_alone: Rules = "[[rule]]\nname = '*.weight'\nscheme = 'zeros'".parse().unwrap();
    let narrow: Rules = "[[rule]]\nname = '*'\nscheme = 'normal:mean=1,std=1e-9'".parse().unwrap();
    let double = Linear { weight: Param::from_tensor(Tensor::<2>::zeros([4, 2], (&cpu, DType::F64))), bias: None };
    // Another device of the same kind, that nobody shares.
    let other = Device::wgpu(DeviceKind::Cpu);
    for (error, says) in [
        (said(fanin_burn::init(linear(wgpu), &rules, SEED)), "parameter \"weight\": the device is "),
        (
            said(fanin_burn::init(linear(wgpu), &rules, SEED)),
            "allowed: a wgpu device that fanin shares (Gpu::open or Gpu::share",
        ),
        (said(on_gpu.init(linear(&other))), "which Gpu shares with fanin, or no wgpu device"),
        (said(on_gpu.init(linear(&other.autodiff()))), "parameter \"weight\": the device is "),
        (
            said(Initializer::new(&weights_alone, SEED).at("a").init(linear(&cpu))),
            "1 tensor met no rule: \"a.bias\", allowed: a rule for each",
        ),
        (said(Initializer::new(&narrow, SEED).init(linear(&cpu))), "parameter \"weight\": "),
        (said(on_gpu.init(double)), "parameter \"weight\": the dtype is f64, allowed: f32, f16, bf16"),
        (
            said(on_gpu.init(column(wgpu, 3))),
            "parameter \"weight\": the parameter is changed as it is loaded, to the shape",
        ),
        (said(on_gpu.init(column(wgpu, 4))), "changed as it is loaded, to another place or order, allowed: "),
        (
            said(on_gpu.init(column(&cpu, 3))),
            "parameter \"weight\": the parameter is changed as it is loaded, to the shape",
        ),
        (
            said(on_gpu.init(column(&cpu, 4))),
            "changed as it is loaded, to other values, allowed: one that stays as it is",
        ),
        (on_gpu.init(Twice(linear(&cpu), linear(&cpu))).unwrap_err().to_string(), "the name \"weight\" stands twice"),
    ] {
        assert!(error.contains(says), "{error}\n{says}");
    }
}
