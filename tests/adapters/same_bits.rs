//! The promise: the same bits on every adapter and on the CPU, for any shard of any tensor. All by equality.

use std::ops::RangeBounds;

use fanin::gpu::Target;
use fanin::torch::{Cuda, Place, TorchKey};
use fanin::{Distribution, Dtype, Element, Error, ErrorKind, Fill, JaxKey, Stream, cpu};
use fanin_tests::{Gpu, adapters, adapters_with, assert_same_bits, distributions, draw};
use half::{bf16, f16};

const SIZES: [u64; 13] = [0, 1, 2, 3, 4, 5, 63, 64, 65, 1023, 1024, 1025, 1_000_003];
/// Element ranges start here: at 0, inside a block, inside a tile, and beyond 32 bits.
const STARTS: [u64; 6] = [0, 1, 1023, 123_457, (1 << 32) + 3, (1 << 33) + 1022];

fn stream() -> Stream {
    Stream::named(42, "tests.same_bits")
}

fn fill(distribution: &Distribution, dtype: Dtype, range: std::ops::Range<u64>) -> Fill {
    distribution.fill_range(range, stream(), dtype).unwrap()
}

#[test]
fn every_adapter_draws_what_the_cpu_draws_in_every_size() {
    for gpu in adapters().iter() {
        for distribution in distributions() {
            for &dtype in Dtype::ALL {
                for size in SIZES {
                    fanin_tests::for_dtype!(dtype, T => equal::<T>(gpu, &fill(&distribution, dtype, 0..size)));
                }
            }
        }
    }
}

#[test]
fn every_adapter_draws_what_the_cpu_draws_from_any_element_on() {
    for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
        for distribution in distributions() {
            for &dtype in gpu.dtypes_of_windows() {
                for start in STARTS {
                    for size in [1, 2, 5, 1025, 4099] {
                        fanin_tests::for_dtype!(dtype, T => equal::<T>(gpu, &fill(&distribution, dtype, start..start + size)));
                    }
                }
            }
        }
    }
}

fn equal<T: Element>(gpu: &Gpu, fill: &Fill) {
    assert_same_bits::<T>(&gpu.draw(fill), &draw(fill), &format!("{} {:?}", gpu.name, fill));
}

/// Streams of other frameworks: their kernels against their twins, wherever they begin, and ranges against the whole.
#[test]
fn other_frameworks_streams_are_the_same_everywhere() {
    let uniform = |low, high| Distribution::Uniform { low, high };
    let normal = |mean, std| Distribution::Normal { mean, std };
    let cut = |mean, std, low, high| Distribution::TruncatedNormal { mean, std, low, high };
    let tensorflow = [uniform(-0.3, 0.7), normal(0.5, 0.02), Distribution::truncated_at(0.0, 3.0, 2.0)];
    let jax = [
        uniform(-0.3, 0.7),
        uniform(-0.1, 0.1),
        normal(0.5, 0.02),
        cut(0.0, 0.02, -0.04, 0.04),
        cut(1.0, 2.0, 0.5, f64::INFINITY),
    ];
    let streams = tensorflow.map(|d| (d, Stream::tensorflow([-5, 1 << 40]))).into_iter();
    let key = JaxKey::from_data([1 << 8, 7]);
    let streams = streams.chain(jax.map(|d| (d, Stream::jax(key))));
    let initializers = [uniform(-0.1, 0.1), uniform(0.0, 0.1), normal(0.0, 0.02)];
    let streams: Vec<_> = streams.chain(initializers.map(|d| (d, Stream::jax_initializer(key)))).collect();
    let gpus = adapters();
    for (distribution, stream) in streams {
        for &dtype in Dtype::ALL {
            let fill = |range| distribution.fill_range(range, stream, dtype).unwrap();
            for (start, size) in
                [(0, 1), (0, 70_003), (1, 5), (1023, 4099), ((1 << 32) + 3, 2050), ((1 << 34) - 2112, 5000)]
            {
                let whole = fill(start..start + size);
                for gpu in gpus.iter().filter(|gpu| dtype == Dtype::F32 || !gpu.compiles_slowly()) {
                    fanin_tests::for_dtype!(dtype, T => equal::<T>(gpu, &whole));
                }
                let (from, to) = (size / 3, size - size / 4);
                fanin_tests::for_dtype!(dtype, T => assert_same_bits(
                    &draw::<T>(&fill(start + from..start + to)),
                    &draw::<T>(&whole)[from as usize..to as usize],
                    &format!("{distribution} {stream:?} {dtype} {start}"),
                ));
            }
        }
    }
}

#[test]
fn a_shard_is_the_slice_of_the_whole() {
    for distribution in distributions() {
        for &dtype in Dtype::ALL {
            fanin_tests::for_dtype!(dtype, T => {
                let base = (1 << 33) - 2000;
                let whole = draw::<T>(&fill(&distribution, dtype, base..base + 5000));
                for (from, to) in [(0, 1), (1, 4), (3, 1024), (500, 3333), (1023, 1025), (2047, 5000), (4999, 5000)] {
                    let shard = draw::<T>(&fill(&distribution, dtype, base + from..base + to));
                    let what = format!("{distribution} {dtype} {from}..{to}");
                    assert_same_bits(&shard, &whole[from as usize..to as usize], &what);
                }
            });
        }
    }
}

#[test]
fn threads_do_not_change_the_values() {
    for distribution in distributions() {
        let fill = fill(&distribution, Dtype::F32, 777..3_000_001);
        let mut one = vec![0f32; fill.len() as usize];
        cpu::fill_with_threads(&fill, &mut one, 1).unwrap();
        for threads in [0, 2, 3, 7] {
            let mut many = vec![0f32; fill.len() as usize];
            cpu::fill_with_threads(&fill, &mut many, threads).unwrap();
            assert_same_bits(&many, &one, &format!("{distribution} on {threads} threads"));
        }
    }
}

/// Large fills are written past the caches, from wherever their slice begins.
#[test]
fn a_large_fill_is_made_of_its_parts() {
    fn check<T: Element>(distribution: &Distribution) {
        let len = (17 << 20) / size_of::<T>() as u64;
        for (start, skip) in [(0, 0), (1, 1), (1021, 6)] {
            let whole = fill(distribution, T::DTYPE, start..start + len + start);
            let mut values = vec![T::zeroed(); skip + whole.len() as usize];
            cpu::fill(&whole, &mut values[skip..]).unwrap();
            let mut from = start;
            for part in values[skip..].chunks(1_000_003) {
                let to = from + part.len() as u64;
                assert_same_bits(
                    part,
                    &draw::<T>(&whole.elements(from..to).unwrap()),
                    &format!("{distribution} {from}"),
                );
                from = to;
            }
            assert!(values[..skip].iter().all(|x| bytemuck::bytes_of(x).iter().all(|&b| b == 0)));
        }
    }
    for distribution in distributions() {
        check::<f32>(&distribution);
        check::<f16>(&distribution);
        check::<bf16>(&distribution);
    }
}

#[test]
fn a_16_bit_tensor_is_the_f32_one_rounded() {
    for distribution in distributions() {
        let n = 100_000;
        let full = draw::<f32>(&fill(&distribution, Dtype::F32, 0..n));
        let half = draw::<f16>(&fill(&distribution, Dtype::F16, 0..n));
        let brain = draw::<bf16>(&fill(&distribution, Dtype::BF16, 0..n));
        let inside = |x: f64| distribution.bounds().contains(&x);
        for i in 0..n as usize {
            let rounded = f16::from_f32(full[i]);
            // Rounding may leave the bounds; then the nearest value inside takes its place.
            assert!(half[i] == rounded || !inside(rounded.into()), "{distribution}: f16 {} of {}", half[i], full[i]);
            let rounded = bf16::from_f32(full[i]);
            assert!(brain[i] == rounded || !inside(rounded.into()), "{distribution}: bf16 {} of {}", brain[i], full[i]);
            for x in [f64::from(full[i]), half[i].into(), brain[i].into()] {
                assert!(inside(x) || matches!(distribution, Distribution::Constant { .. }), "{distribution}: {x}");
            }
        }
    }
}

/// Bindings of 64 KiB and rows of 256 workgroups: large fills become many windows, and dispatches of several rows.
#[test]
fn a_fill_may_be_larger_than_a_binding_and_a_dispatch() {
    let small = |limits: wgpu::Limits| wgpu::Limits {
        max_storage_buffer_binding_size: 1 << 16,
        max_compute_workgroups_per_dimension: 256,
        ..limits
    };
    let narrow = |limits: wgpu::Limits| wgpu::Limits { max_compute_workgroups_per_dimension: 256, ..limits };
    let gpus = adapters_with(small).into_iter().chain(adapters_with(narrow));
    // Windows and rows are the host's work.
    for gpu in gpus.filter(|gpu| !gpu.compiles_slowly()) {
        for distribution in [Distribution::Normal { mean: 0.0, std: 1.0 }, Distribution::truncated_at(0.0, 1.0, 2.0)] {
            for &dtype in Dtype::ALL {
                fanin_tests::for_dtype!(dtype, T => equal::<T>(&gpu, &fill(&distribution, dtype, 5..1_000_008)));
            }
        }
    }
}

/// Any byte offset, any first element: what lies before and after the fill keeps its bits, also the other half of a word.
#[test]
fn a_fill_leaves_its_neighbours_intact() {
    let before: Vec<u8> = (0..10_000u32).map(|i| (i * 7 % 251) as u8).collect();
    for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
        for distribution in [
            Distribution::Constant { value: 2.0 },
            Distribution::Uniform { low: -1.0, high: 1.0 },
            Distribution::Normal { mean: 0.0, std: 1.0 },
            Distribution::truncated_at(0.0, 1.0, 1.0),
            Distribution::TruncatedNormal { mean: 0.0, std: 1.0, low: 3.0, high: 4.0 },
        ] {
            for &dtype in gpu.dtypes_of_windows() {
                for offset in [0, 2, 4, 6, 254, 256, 258, 1000] {
                    for (start, size) in [(0, 1), (0, 2), (1, 1), (1, 2), (2, 7), (3, 1030), (1021, 2100), (1022, 3)] {
                        if offset % dtype.bytes(1) != 0 || offset + size * dtype.bytes(1) > 10_000 {
                            continue;
                        }
                        fanin_tests::for_dtype!(dtype, T => {
                            let fill = fill(&distribution, dtype, start..start + size);
                            let buffer = gpu.buffer(&before);
                            gpu.filler.submit(&fill, &buffer, offset).unwrap();
                            let mut expected = before.clone();
                            let bytes = offset as usize..(offset + size * dtype.bytes(1)) as usize;
                            expected[bytes].copy_from_slice(bytemuck::cast_slice(&draw::<T>(&fill)));
                            let what = format!("{} {distribution} {dtype} {start}+{size} at {offset}", gpu.name);
                            assert!(gpu.read(&buffer) == expected, "{what}");
                        });
                    }
                }
            }
        }
    }
}

#[test]
fn many_tensors_are_recorded_in_one_pass() {
    for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
        let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
        let fills: Vec<_> =
            (0..300u64).map(|i| normal.fill_range(0..i, Stream::numbered(7, i), Dtype::BF16).unwrap()).collect();
        let mut offsets = vec![0];
        for fill in &fills {
            offsets.push(offsets[offsets.len() - 1] + 2 * fill.len());
        }
        let buffer = gpu.buffer(&vec![0; offsets[300] as usize]);
        let targets: Vec<_> =
            fills.iter().zip(&offsets).map(|(fill, &offset)| Target::new(fill, &buffer, offset)).collect();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        gpu.filler.record_all(&mut encoder, &targets).unwrap();
        gpu.queue.submit([encoder.finish()]);
        let expected: Vec<bf16> = fills.iter().flat_map(draw::<bf16>).collect();
        assert!(
            gpu.read(&buffer)[..offsets[300] as usize] == *bytemuck::cast_slice::<_, u8>(&expected),
            "{}",
            gpu.name
        );
    }
}

/// Parameters of any magnitude: subnormal and overflowing intermediate results must not depend on the device.
#[test]
fn every_adapter_draws_what_the_cpu_draws_for_any_parameters() {
    let mut rng = Stream::named(2, "parameters").rng();
    let mut fills = Vec::new();
    while fills.len() < 3000 {
        let distribution = fanin_tests::any_distribution(&mut rng);
        fills.extend(distribution.fill_range(0..70, stream(), Dtype::ALL[fills.len() % 3]).map(|f| (distribution, f)));
    }
    for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
        let buffer = gpu.buffer(&vec![0; 280 * fills.len()]);
        let fills = fills.iter().filter(|(_, fill)| fill.dtype() == Dtype::F32 || !gpu.compiles_slowly());
        let targets: Vec<_> =
            fills.clone().zip(0..).map(|((_, fill), i)| Target::new(fill, &buffer, 280 * i)).collect();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        gpu.filler.record_all(&mut encoder, &targets).unwrap();
        gpu.queue.submit([encoder.finish()]);
        for ((distribution, fill), bytes) in fills.zip(gpu.read(&buffer).chunks(280)) {
            fanin_tests::for_dtype!(fill.dtype(), T => {
                let drawn: Vec<T> = bytemuck::pod_collect_to_vec(&bytes[..70 * size_of::<T>()]);
                assert_same_bits::<T>(&drawn, &draw(fill), &format!("{} {distribution:?} {fill:?}", gpu.name));
            });
        }
    }
}

#[test]
fn a_wrong_target_is_an_error_and_nothing_is_recorded() {
    for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
        let ones = Distribution::Constant { value: 1.0 };
        let fill = |dtype| ones.fill_range(0..8, stream(), dtype).unwrap();
        let (wide, narrow) = (fill(Dtype::F32), fill(Dtype::F16));
        let create = |size, usage| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
        };
        let good = gpu.buffer(&[0; 32]);
        let usages = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let unusable = create(32, usages);
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        for (fill, buffer, offset, error) in [
            (
                &wide,
                &unusable,
                0,
                "the buffer's usage is BufferUsages(COPY_SRC | COPY_DST), allowed: any that includes STORAGE",
            ),
            (&wide, &good, 2, "the byte offset is 2, allowed: a multiple of 4, the size of an f32"),
            (&narrow, &good, 1, "the byte offset is 1, allowed: a multiple of 2, the size of an f16"),
            (&wide, &good, 4, "the buffer's size is 32, allowed: at least 36, where the fill's last word ends"),
            (&narrow, &good, 18, "the buffer's size is 32, allowed: at least 36, where the fill's last word ends"),
            (
                &wide,
                &good,
                u64::MAX - 3,
                "the buffer's size is 32, allowed: at least 18446744073709551615, where the fill's last word ends",
            ),
        ] {
            // The wrong one stands behind a right one: neither is recorded.
            let targets = [Target::new(&wide, &good, 0), Target::new(fill, buffer, offset)];
            let refused = gpu.filler.record_all(&mut encoder, &targets).unwrap_err();
            assert_eq!((refused.kind(), refused.to_string().as_str()), (ErrorKind::Buffer, error));
        }
        gpu.queue.submit([encoder.finish()]);
        assert_eq!(gpu.read(&good), [0; 32]);
    }
}

#[test]
fn a_wrong_slice_is_an_error_and_stays_as_it_was() {
    let fill = fill(&Distribution::Constant { value: 1.0 }, Dtype::F32, 0..4);
    let mut short = [7f32; 3];
    let said = |refused: Result<(), Error>| refused.unwrap_err().to_string();
    assert_eq!(said(cpu::fill(&fill, &mut short)), "the slice's length is 3, allowed: 4, the fill's");
    assert_eq!(short, [7.0; 3]);
    let mut other = [f16::ZERO; 4];
    assert_eq!(said(cpu::fill(&fill, &mut other)), "the slice's dtype is f16, allowed: f32, the fill's");
    assert!(cpu::vec::<f16>(&fill).is_err() && cpu::fill_bytes(&fill, &mut [0; 15]).is_err());
    let endless = Distribution::Constant { value: 1.0 }.fill_range(0..1 << 60, stream(), Dtype::F32).unwrap();
    assert_eq!(cpu::bytes(&endless).unwrap_err().kind(), ErrorKind::Memory);
}

#[test]
fn the_filler_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<fanin::gpu::GpuFiller>();
}

/// Small fills share dispatches; where they overlap, or share a word, the later one is written over the earlier one.
#[test]
fn overlapping_targets_are_written_in_their_order() {
    use rand::RngExt;
    let mut rng = Stream::numbered(11, 0).rng();
    let distributions = distributions();
    let fills: Vec<(Fill, u64)> = (0..600)
        .map(|i| {
            let distribution = &distributions[rng.random_range(0..distributions.len())];
            let dtype = Dtype::ALL[i as usize % 3];
            let len = rng.random_range(1..if i % 20 == 0 { 9000 } else { 40 });
            let start = rng.random_range(0..2000);
            let fill = distribution.fill_range(start..start + len, Stream::numbered(3, i), dtype).unwrap();
            let offset = rng.random_range(0..(1u64 << 16) / dtype.bytes(1) - len) * dtype.bytes(1);
            (fill, offset)
        })
        .collect();
    let mut expected = vec![0u8; 1 << 16];
    for (fill, offset) in &fills {
        let bytes = fanin_tests::for_dtype!(fill.dtype(), T => bytemuck::cast_slice(&draw::<T>(fill)).to_vec());
        expected[*offset as usize..][..bytes.len()].copy_from_slice(&bytes);
    }
    for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
        let buffer = gpu.buffer(&vec![0; 1 << 16]);
        let targets: Vec<_> = fills.iter().map(|(fill, offset)| Target::new(fill, &buffer, *offset)).collect();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        gpu.filler.record_all(&mut encoder, &targets).unwrap();
        gpu.queue.submit([encoder.finish()]);
        assert!(gpu.read(&buffer) == expected, "{}", gpu.name);
    }
}

/// What the host draws for a device, whole and in slices.
#[test]
fn pytorchs_streams_are_the_same_everywhere() {
    let place = Place::new(42).on(1000);
    let cuda = Stream::torch_cuda(42, 4, Cuda::new(28, 1536).unwrap()).unwrap();
    let distributions = [
        Distribution::Uniform { low: -0.3, high: 0.7 },
        Distribution::Normal { mean: 0.5, std: 0.02 },
        Distribution::truncated_at(0.0, 1.0, 2.0),
    ];
    for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
        for stream in [Stream::torch(place), Stream::torch_strided(place), Stream::torch_key(TorchKey::new(7)), cuda] {
            for (distribution, &dtype) in
                distributions.iter().flat_map(|d| Dtype::ALL.iter().map(move |dtype| (d, dtype)))
            {
                let Ok(fill) = distribution.fill(&[37, 53], stream, dtype) else {
                    assert!(matches!(distribution, Distribution::TruncatedNormal { .. }), "{distribution}");
                    continue;
                };
                for fill in [fill.slice(0, 3..20).unwrap(), fill.slice(1, 7..50).unwrap(), fill] {
                    fanin_tests::for_dtype!(dtype, T => equal::<T>(gpu, &fill));
                }
            }
        }
    }
}
