//! CPU against GPU: every distribution, several sizes, beside a plain fill of the same buffer.
//!
//! `cargo bench --bench fill`, with `-- normal` and the like to choose. Each row's throughput is in elements per second; a
//! GPU row is a submission and a wait for it, so that small sizes show what a fill costs at least. The plain fill on a GPU
//! is the kernel that writes one word everywhere. Software adapters are benched too: they say nothing about a real GPU.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fanin::gpu::GpuFiller;
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

fn fill(distribution: &Distribution, dtype: Dtype, size: u64) -> Fill {
    Fill::new(distribution, Stream::named(42, "bench"), dtype, 0..size).unwrap()
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
        let hardware = info.device_type != wgpu::DeviceType::Cpu;
        let wide = adapter.features() & wgpu::Features::SHADER_INT64;
        let descriptor = wgpu::DeviceDescriptor {
            required_features: if hardware { wide } else { wgpu::Features::empty() },
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
        let filler = GpuFiller::new(&device).unwrap();
        for (name, distribution) in distributions() {
            let mut group = c.benchmark_group(format!("{} {} {name}", info.backend, info.name));
            for size in SIZES {
                group.throughput(Throughput::Elements(size));
                for dtype in [Dtype::F32, Dtype::BF16] {
                    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
                        label: None,
                        size: size * dtype.size(),
                        usage: wgpu::BufferUsages::STORAGE,
                        mapped_at_creation: false,
                    });
                    let whole = fill(&distribution, dtype, size);
                    group.bench_function(BenchmarkId::new(dtype.to_string(), size), |b| {
                        b.iter(|| {
                            filler.submit(&queue, &whole, &buffer, 0).unwrap();
                            device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
                        });
                    });
                }
            }
            group.finish();
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = on_cpu, on_gpus
}
criterion_main!(benches);
