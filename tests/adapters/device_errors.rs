//! What goes wrong on a device is an error: no panic, nothing drawn by halves, and the device as good as before where it is still
//! there.

use fanin::gpu::{GpuFiller, Target};
use fanin::{Distribution, Dtype, Error, ErrorKind, Fill, Stream};
use fanin_tests::{Gpu, adapters, adapters_with, assert_same_bits, draw, opened};
use std::process::Command;
use wgpu::{Buffer, BufferDescriptor, BufferUsages, Device, Queue};

const NORMAL: Distribution = Distribution::Normal { mean: 0.0, std: 1.0 };

fn fill(elements: u64) -> Fill {
    NORMAL.fill_range(0..elements, Stream::named(7, "weight"), Dtype::F32).unwrap()
}

fn buffer_with(device: &Device, size: u64, usage: BufferUsages) -> Buffer {
    device.create_buffer(&BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
}

/// A device error whose text says what is wrong.
#[track_caller]
fn assert_device_error(result: Result<(), Error>, says: &str, on: &str) {
    match result {
        Err(error) if error.kind() == ErrorKind::Device => {
            assert!(error.to_string().contains(says), "{on}: {error:#}")
        }
        other => panic!("{on}: an error of the device is wanted that says \"{says}\", got {other:?}"),
    }
}

#[track_caller]
fn assert_still_works(gpu: &Gpu) {
    let fill = fill(5000);
    assert_same_bits(&gpu.draw::<f32>(&fill), &draw::<f32>(&fill), &gpu.name);
}

/// Two devices of each adapter, of one instance.
fn pairs() -> Vec<(Gpu, Device, Queue)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    assert!(!found.is_empty(), "these tests need an adapter: apt-get install mesa-vulkan-drivers, or run tests/run");
    let pairs: Vec<_> = found
        .iter()
        .filter_map(|adapter| {
            let ((device, queue), (other, its_queue)) =
                (opened(adapter, &Default::default())?, opened(adapter, &Default::default())?);
            let filler = GpuFiller::untested(&device, &queue).unwrap();
            Some((Gpu { name: adapter.get_info().name, device, queue, filler }, other, its_queue))
        })
        .collect();
    assert!(!pairs.is_empty(), "none of the adapters can be opened");
    pairs
}

#[test]
fn a_destroyed_buffer_is_an_error_and_nothing_is_recorded() {
    for gpu in adapters().iter() {
        let (gone, kept) = (gpu.buffer(&[0; 64]), gpu.buffer(&[0; 64]));
        gone.destroy();
        let fill = fill(16);
        assert_device_error(
            gpu.filler.submit(&fill, &gone, 0),
            "was destroyed, allowed: buffers that are kept",
            &gpu.name,
        );

        // The encoder is as it was: what is recorded next is drawn.
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let targets = [&kept, &gone].map(|buffer| Target::new(&fill, buffer, 0));
        assert_device_error(
            gpu.filler.record_all(&mut encoder, &targets),
            "was destroyed, allowed: buffers that are kept",
            &gpu.name,
        );
        let half = NORMAL.fill_range(0..8, Stream::named(7, "weight"), Dtype::F32).unwrap();
        gpu.filler.record(&mut encoder, &half, &kept, 0).unwrap();
        gpu.queue.submit([encoder.finish()]);
        let expected = [draw::<f32>(&half), vec![0.0; 8]].concat();
        assert_same_bits(&bytemuck::pod_collect_to_vec::<u8, f32>(&gpu.read(&kept)), &expected, &gpu.name);
    }
}

#[test]
fn what_belongs_to_another_device_is_an_error() {
    for (gpu, other, _) in pairs() {
        let fill = fill(16);
        let foreign = buffer_with(&other, 64, BufferUsages::STORAGE);
        assert_device_error(
            gpu.filler.submit(&fill, &foreign, 0),
            "something that belongs to another device, allowed: buffers and encoders of the device",
            &gpu.name,
        );
        assert_still_works(&gpu);
    }
}

/// wgpu would report to the other device what is submitted to its queue: to its handler, or by a panic. No filler has such a queue.
#[test]
fn another_devices_queue_is_an_error_that_names_it() {
    let refused = |gpu: &Gpu, its_queue: &Queue| {
        for filler in [GpuFiller::new(&gpu.device, its_queue), GpuFiller::untested(&gpu.device, its_queue)] {
            let error = filler.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Device);
            assert_eq!(
                error.to_string(),
                "the queue is another device's, allowed: the queue that request_device returned together with this device"
            );
        }
        // Also where the device or the other one has work to do.
        gpu.filler.submit(&fill(100_000), &gpu.buffer(&[0; 400_000]), 0).unwrap();
        assert!(GpuFiller::new(&gpu.device, its_queue).is_err());
        assert!(GpuFiller::new(&gpu.device, &gpu.queue).is_ok());
        assert_still_works(gpu);
    };
    in_a_process_of_its_own("another_devices_queue_is_an_error_that_names_it", || {
        // As under `panic = "abort"`.
        std::panic::set_hook(Box::new(|panic| {
            eprintln!("{panic}");
            std::process::exit(134);
        }));
        for (gpu, other, its_queue) in pairs() {
            refused(&gpu, &its_queue);
            let reported = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
            for device in [&gpu.device, &other] {
                let reported = reported.clone();
                device.on_uncaptured_error(std::sync::Arc::new(move |error: wgpu::Error| {
                    reported.lock().unwrap().push(error.to_string())
                }));
            }
            refused(&gpu, &its_queue);
            assert!(reported.lock().unwrap().is_empty());
        }
    });
}

#[test]
fn a_mapped_buffer_is_an_error_until_it_is_unmapped() {
    for gpu in adapters().iter() {
        let fill = fill(16);
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC;
        let mapped =
            gpu.device.create_buffer(&BufferDescriptor { label: None, size: 64, usage, mapped_at_creation: true });
        assert_device_error(
            gpu.filler.submit(&fill, &mapped, 0),
            "a buffer that is mapped, allowed: an unmapped one: unmap it first",
            &gpu.name,
        );
        mapped.unmap();
        gpu.filler.submit(&fill, &mapped, 0).unwrap();
        let drawn: Vec<f32> = bytemuck::pod_collect_to_vec(&gpu.read(&mapped));
        assert_same_bits(&drawn, &draw::<f32>(&fill), &gpu.name);
    }
}

#[test]
fn a_device_that_is_destroyed_in_the_middle_is_an_error() {
    for gpu in adapters_with(|limits| limits) {
        let (fill, buffer) = (fill(16), gpu.buffer(&[0; 64]));
        gpu.filler.submit(&fill, &buffer, 0).unwrap();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        gpu.device.destroy();
        assert_device_error(gpu.filler.record(&mut encoder, &fill, &buffer, 0), "", &gpu.name);
        assert_device_error(gpu.filler.submit(&fill, &buffer, 0), "", &gpu.name);
        let targets = [Target::new(&fill, &buffer, 0)];
        assert_device_error(gpu.filler.submit_all(&targets), "", &gpu.name);
        assert!(gpu.filler.self_test().is_err(), "{}", gpu.name);
        let prepared = GpuFiller::new(&gpu.device, &gpu.queue).and_then(|filler| filler.prepare([&fill]));
        assert_device_error(prepared, "", &gpu.name);
    }
}

#[test]
fn many_fills_in_several_submissions_are_those_of_one() {
    for gpu in adapters().iter() {
        // Packed one after the other, so that 16-bit fills share words.
        let fills: Vec<_> = (0..300)
            .map(|i| {
                let start = 1000 * (i % 3);
                NORMAL.fill_range(start..start + 1 + 37 * i % 5000, Stream::numbered(7, i), Dtype::BF16).unwrap()
            })
            .collect();
        let expected: Vec<_> = fills.iter().flat_map(draw::<half::bf16>).collect();
        for most in [0, 3000, u64::MAX] {
            let buffer = gpu.buffer(&vec![0; 2 * expected.len()]);
            let mut offset = 0;
            let mut targets = Vec::new();
            for fill in &fills {
                targets.push(Target::new(fill, &buffer, offset));
                offset += 2 * fill.len();
            }
            gpu.in_submissions_of(most).submit_all(&targets).unwrap();
            let drawn: Vec<half::bf16> = bytemuck::pod_collect_to_vec(&gpu.read(&buffer)[..2 * expected.len()]);
            assert_same_bits(&drawn, &expected, &format!("{}, at most {most}", gpu.name));
        }
    }
}

/// Software adapters keep nothing in a cache, so that it cannot be seen to grow; that it is used shows where it is wrong.
#[test]
fn the_programs_pipeline_cache_is_used() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let features = wgpu::Features::PIPELINE_CACHE;
    let mut tried = 0;
    for adapter in pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all())) {
        if !adapter.features().contains(features) {
            continue;
        }
        tried += 1;
        let name = adapter.get_info().name;
        let descriptor = wgpu::DeviceDescriptor { required_features: features, ..Default::default() };
        let [(device, queue), (other, _)] =
            [0; 2].map(|_| pollster::block_on(adapter.request_device(&descriptor)).unwrap());
        let descriptor = wgpu::PipelineCacheDescriptor { label: None, data: None, fallback: true };
        // SAFETY: there is no data.
        let [own, foreign] = [&device, &other].map(|device| unsafe { device.create_pipeline_cache(&descriptor) });
        let with = |cache| GpuFiller::untested(&device, &queue).unwrap().with_pipeline_cache(cache);
        with(&own).prepare([&fill(16)]).unwrap();
        assert_device_error(with(&foreign).prepare([&fill(16)]), "does not compile", &name);
    }
    assert!(tried > 0, "no adapter with a pipeline cache: apt-get install mesa-vulkan-drivers, or run tests/run");
}

/// What a test asks of a process of its own, since memory is a process's.
const CHILD: &str = "FANIN_TEST_CHILD";

#[cfg(target_os = "linux")]
fn lavapipe() -> Gpu {
    let found = adapters_with(|limits| limits).into_iter().find(|gpu| gpu.name.starts_with("vulkan llvmpipe"));
    found.expect("this test needs lavapipe: apt-get install mesa-vulkan-drivers, or run tests/run")
}

/// Does a test's work in a process of its own, which runs that one test again; shows what it says where it fails.
fn in_a_process_of_its_own(test: &str, work: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some() {
        return work();
    }
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", &format!("device_errors::{test}"), "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{}\n{said}\n{wrong}", output.status);
    println!("{said}");
}

#[cfg(target_os = "linux")]
fn megabytes(of: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(of)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

/// A process whose address space ends soon: lavapipe's memory is the process's.
#[test]
#[cfg(target_os = "linux")]
fn memory_that_runs_out_is_an_error() {
    in_a_process_of_its_own("memory_that_runs_out_is_an_error", || {
        let gpu = lavapipe();
        gpu.filler.prepare([&fill(16)]).unwrap();
        let limit = format!("--as={}", (megabytes("VmSize") + 300) << 20);
        let pid = std::process::id().to_string();
        assert!(Command::new("prlimit").args([&limit, "--pid", &pid]).status().unwrap().success());

        // The program's own buffer, which it makes within a scope of its own, is no buffer; to fill it is an error.
        let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let huge = buffer_with(&gpu.device, 1 << 30, BufferUsages::STORAGE | BufferUsages::COPY_SRC);
        assert!(matches!(pollster::block_on(scope.pop()), Some(wgpu::Error::OutOfMemory { .. })));
        assert_device_error(gpu.filler.submit(&fill(1 << 28), &huge, 0), "invalid", &gpu.name);
        assert_still_works(&gpu);
    });
}

/// Memory does not grow with the number of fills, beyond what their list takes.
#[test]
#[cfg(target_os = "linux")]
fn a_million_tiny_fills_take_bounded_memory() {
    in_a_process_of_its_own("a_million_tiny_fills_take_bounded_memory", || {
        let gpu = lavapipe();
        let count = 1_000_000;
        let buffer = gpu.buffer(&vec![0; 4 * count]);
        let one = Distribution::Constant { value: 1.0 };
        let fills: Vec<_> =
            (0..count as u64).map(|i| one.fill_range(i..i + 1, Stream::numbered(0, i), Dtype::F32).unwrap()).collect();
        let targets: Vec<_> =
            fills.iter().enumerate().map(|(i, fill)| Target::new(fill, &buffer, 4 * i as u64)).collect();
        let (before, started) = (megabytes("VmHWM"), std::time::Instant::now());
        gpu.filler.submit_all(&targets).unwrap();
        let submitted = started.elapsed().as_secs_f64();
        assert!(gpu.read(&buffer).chunks(4).all(|bytes| bytes == 1f32.to_ne_bytes()));
        let grown = megabytes("VmHWM") - before;
        println!("submitted in {submitted:.1} s, drawn in {:.1} s, {grown} MB", started.elapsed().as_secs_f64());
        assert!(grown < 300, "{grown} MB");
    });
}
