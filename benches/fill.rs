//! CPU against GPU: every distribution, several sizes, beside a plain fill of the same buffer.
//!
//! `cargo bench -p fanin-benches`, with `-- normal` and the like to choose. Each row's throughput is in elements per second; a
//! GPU row is a submission and a wait for it, so that small sizes show what a fill costs at least. The plain fill on a GPU
//! is the kernel that writes one word everywhere. Software adapters are benched too: they say nothing about a real GPU.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fanin::gpu::{self, GpuFiller, Target};
use fanin::{Distribution, Dtype, Fill, Stream, cpu};
use rand::SeedableRng;
use rand::distr::Distribution as _;

const SIZES: [u64; 3] = [1 << 12, 1 << 18, 1 << 24];

fn distributions() -> [(&'static str, Distribution); 5] {
    [
        ("plain fill", Distribution::Constant { value: 1.0 }),
        ("uniform", Distribution::Uniform { low: -1.0, high: 1.0 }),
        ("normal", Distribution::Normal { mean: 0.0, std: 1.0 }),
        ("truncated normal", Distribution::truncated_at(0.0, 1.0, 2.0)),
        ("tail", Distribution::TruncatedNormal { mean: 0.0, std: 1.0, low: 5.0, high: 6.0 }),
    ]
}

/// Truncated normals at one size, for the cost of a window against the normal's.
const WINDOW_SIZE: u64 = 1 << 24;

fn windows() -> [(&'static str, Distribution); 9] {
    let cut = |low, high| Distribution::TruncatedNormal { mean: 0.0, std: 1.0, low, high };
    [
        ("none (normal)", Distribution::Normal { mean: 0.0, std: 1.0 }),
        ("[-2, 2]", cut(-2.0, 2.0)),
        ("[-1, 1]", cut(-1.0, 1.0)),
        ("[-0.85, 0.85]", cut(-0.85, 0.85)),
        ("[-0.25, inf]", cut(-0.25, f64::INFINITY)),
        ("[0, inf]", cut(0.0, f64::INFINITY)),
        ("[5, 6]", cut(5.0, 6.0)),
        ("[-inf, -10]", cut(f64::NEG_INFINITY, -10.0)),
        ("[-0.001, 0.001]", cut(-1e-3, 1e-3)),
    ]
}

fn fill(distribution: &Distribution, dtype: Dtype, size: u64) -> Fill {
    distribution.fill_range(0..size, Stream::named(42, "bench"), dtype).unwrap()
}

fn on_cpu(c: &mut Criterion) {
    for (name, distribution) in distributions() {
        let mut group = c.benchmark_group(format!("CPU {name}"));
        for size in SIZES {
            group.throughput(Throughput::Elements(size));
            let mut values = vec![0f32; size as usize];
            let whole = fill(&distribution, Dtype::F32, size);
            group.bench_function(BenchmarkId::new("f32", size), |b| b.iter(|| cpu::fill(&whole, &mut values).unwrap()));
            group.bench_function(BenchmarkId::new("f32 one thread", size), |b| {
                b.iter(|| cpu::fill_with_threads(&whole, &mut values, 1).unwrap());
            });
            let mut halves = vec![half::bf16::ZERO; size as usize];
            let whole = fill(&distribution, Dtype::BF16, size);
            group
                .bench_function(BenchmarkId::new("bf16", size), |b| b.iter(|| cpu::fill(&whole, &mut halves).unwrap()));
        }
        group.finish();
    }
    let mut group = c.benchmark_group("CPU one thread, window");
    group.throughput(Throughput::Elements(WINDOW_SIZE));
    let mut values = vec![0f32; WINDOW_SIZE as usize];
    for (name, distribution) in windows() {
        let whole = fill(&distribution, Dtype::F32, WINDOW_SIZE);
        group.bench_function(name, |b| b.iter(|| cpu::fill_with_threads(&whole, &mut values, 1).unwrap()));
    }
    group.finish();
    // The CPU ecosystem's way, for comparison: rand's default generator and rand_distr, one thread.
    let mut group = c.benchmark_group("CPU rand_distr");
    let size = SIZES[1];
    group.throughput(Throughput::Elements(size));
    let mut values = vec![0f32; size as usize];
    let mut rng = rand::rngs::StdRng::seed_from_u64(42);
    let uniform = rand::distr::Uniform::new(-1f32, 1.0).unwrap();
    group.bench_function("uniform f32", |b| b.iter(|| values.iter_mut().for_each(|x| *x = uniform.sample(&mut rng))));
    let normal = rand_distr::Normal::new(0f32, 1.0).unwrap();
    group.bench_function("normal f32", |b| b.iter(|| values.iter_mut().for_each(|x| *x = normal.sample(&mut rng))));
    group.finish();
}

fn on_gpus(c: &mut Criterion) {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    if adapters.is_empty() {
        println!("no adapter: no GPU rows");
    }
    for adapter in adapters {
        let info = adapter.get_info();
        let descriptor = wgpu::DeviceDescriptor {
            required_features: gpu::features(&adapter),
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let Ok((device, queue)) = pollster::block_on(adapter.request_device(&descriptor)) else {
            println!("{} {} cannot be opened", info.backend, info.name);
            continue;
        };
        let filler = GpuFiller::new(&device, &queue).unwrap();
        let buffer = |size: u64, dtype: Dtype| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: size * dtype.bytes(1),
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            })
        };
        let draw_at = |whole: &Fill, buffer: &wgpu::Buffer, offset: u64| {
            filler.submit(whole, buffer, offset).unwrap();
            device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        };
        let draw = |whole: &Fill, buffer: &wgpu::Buffer| draw_at(whole, buffer, 0);
        for (name, distribution) in distributions() {
            let mut group = c.benchmark_group(format!("{} {} {name}", info.backend, info.name));
            for size in SIZES {
                group.throughput(Throughput::Elements(size));
                for dtype in [Dtype::F32, Dtype::BF16] {
                    let (whole, buffer) = (fill(&distribution, dtype, size), buffer(size, dtype));
                    group.bench_function(BenchmarkId::new(dtype.to_string(), size), |b| {
                        b.iter(|| draw(&whole, &buffer))
                    });
                }
            }
            group.finish();
        }
        // 64 MiB of 16-bit elements, from a multiple of a vector, of a word, and from the middle of one.
        let mut group = c.benchmark_group(format!("{} {} unaligned bf16", info.backend, info.name));
        let size = 1 << 25;
        group.throughput(Throughput::Elements(size));
        let place = buffer(size + 4, Dtype::BF16);
        for (name, distribution) in distributions() {
            let whole = fill(&distribution, Dtype::BF16, size);
            for offset in [0, 4, 2] {
                group.bench_function(BenchmarkId::new(name, offset), |b| b.iter(|| draw_at(&whole, &place, offset)));
            }
        }
        group.finish();
        let mut group = c.benchmark_group(format!("{} {} window", info.backend, info.name));
        group.throughput(Throughput::Elements(WINDOW_SIZE));
        let buffer = buffer(WINDOW_SIZE, Dtype::F32);
        for (name, distribution) in windows() {
            let whole = fill(&distribution, Dtype::F32, WINDOW_SIZE);
            group.bench_function(name, |b| b.iter(|| draw(&whole, &buffer)));
        }
        group.finish();
    }
}

/// What recording a model of many small tensors costs the host, up to the finished commands: all in one buffer, and each in
/// its own.
fn recording(c: &mut Criterion) {
    const TENSORS: u64 = 10_000;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
    let fills: Vec<_> = (0..TENSORS)
        .map(|i| normal.fill_range(0..64 * (i % 32 + 1), Stream::numbered(42, i), Dtype::F32).unwrap())
        .collect();
    let buffer_of = |device: &wgpu::Device, size| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        })
    };
    for adapter in adapters {
        let info = adapter.get_info();
        let descriptor = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
        let Ok((device, queue)) = pollster::block_on(adapter.request_device(&descriptor)) else { continue };
        let filler = GpuFiller::untested(&device, &queue).unwrap();
        let mut group = c.benchmark_group(format!("{} {} recording 10,000 tensors", info.backend, info.name));
        group.throughput(Throughput::Elements(TENSORS));
        let one = buffer_of(&device, TENSORS * 64 * 32 * 4);
        let many: Vec<_> = fills.iter().map(|fill| buffer_of(&device, fill.len() * 4)).collect();
        let in_one = |i: usize| Target::new(&fills[i], &one, i as u64 * 64 * 32 * 4);
        let in_many = |i: usize| Target::new(&fills[i], &many[i], 0);
        let targets: [(_, Vec<_>); 2] = [
            ("in one buffer", (0..fills.len()).map(in_one).collect()),
            ("each in its own", (0..fills.len()).map(in_many).collect()),
        ];
        for (name, targets) in &targets {
            group.bench_function(*name, |b| {
                b.iter_custom(|times| {
                    let mut recording = std::time::Duration::ZERO;
                    for _ in 0..times {
                        let started = std::time::Instant::now();
                        let mut encoder = device.create_command_encoder(&Default::default());
                        filler.record_all(&mut encoder, targets).unwrap();
                        let commands = encoder.finish();
                        recording += started.elapsed();
                        queue.submit([commands]);
                        device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
                    }
                    recording
                })
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = on_cpu, on_gpus, recording
}
criterion_main!(benches);
