//! The adapters that tests run on, and reading back what they drew.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use fanin::gpu::GpuFiller;
use fanin::{Dtype, Element, Fill};
use wgpu::{BufferUsages, Device, Limits, Queue};

/// An open adapter.
pub struct Gpu {
    pub name: String,
    pub device: Device,
    pub queue: Queue,
    pub filler: GpuFiller,
}

/// Every adapter of this machine, with all of its limits, opened once: pipelines are compiled once for all tests of a program.
///
/// One test at a time has them: wgpu lets a thread wait six seconds for another one's work by OpenGL, and panics then; and an adapter in
/// software keeps all processors busy anyway.
pub fn adapters() -> MutexGuard<'static, Vec<Gpu>> {
    static ADAPTERS: LazyLock<Mutex<Vec<Gpu>>> = LazyLock::new(|| Mutex::new(adapters_with(|adapter| adapter)));
    // A test that failed has left them as they were.
    ADAPTERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every adapter of this machine, with the limits that `change` makes of its own. None is a failure, never a pass.
pub fn adapters_with(change: impl Fn(Limits) -> Limits) -> Vec<Gpu> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    assert!(!found.is_empty(), "these tests need an adapter: apt-get install mesa-vulkan-drivers, or run tests/run");
    let mut gpus = Vec::new();
    for adapter in found {
        let info = adapter.get_info();
        // Where there are 64-bit integers also with all that is of use, by which kernels are drawn in other ways: the bits must be the
        // same. Not on SwiftShader, whose pipelines take long to prove: `fanin devices` does so.
        let wide = adapter.features() & wgpu::Features::SHADER_INT64;
        let useful = fanin::gpu::features(&adapter) | wide;
        for features in if wide.is_empty() { vec![wide] } else { vec![useful, wgpu::Features::empty()] } {
            let descriptor = wgpu::DeviceDescriptor {
                required_features: features,
                required_limits: change(adapter.limits()),
                ..Default::default()
            };
            let Some((device, queue)) = opened(&adapter, &descriptor) else { continue };
            let name = format!("{} {} {features:?}", info.backend, info.name);
            // What is not tested takes guards.
            let make = if features.is_empty() { GpuFiller::untested } else { GpuFiller::new };
            let filler = make(&device, &queue).unwrap();
            gpus.push(Gpu { name, device, queue, filler });
        }
    }
    assert!(!gpus.is_empty(), "none of the adapters can be opened");
    gpus
}

/// A device. A GPU's driver may be one that wgpu cannot open, which draws nothing (NVIDIA's OpenGL); a program is opened, or it is a
/// failure.
pub fn opened(adapter: &wgpu::Adapter, descriptor: &wgpu::DeviceDescriptor) -> Option<(Device, Queue)> {
    match pollster::block_on(adapter.request_device(descriptor)) {
        Err(e) if adapter.get_info().device_type == wgpu::DeviceType::Cpu => panic!("{:?}: {e}", adapter.get_info()),
        opened => opened.ok(),
    }
}

impl Gpu {
    /// Whether its kernels multiply in 64 bits, which changes one function of theirs: tests of all kernels try both.
    pub fn is_wide(&self) -> bool {
        self.device.features().contains(wgpu::Features::SHADER_INT64)
    }

    /// Whether a pipeline takes it a third of a second to compile: tests with many pipelines ask it for f32 alone. Each of fanin's own
    /// kernels in each dtype is drawn in every size.
    pub fn compiles_slowly(&self) -> bool {
        self.name.contains("SwiftShader")
    }

    /// The dtypes that show all ways of writing elements: of the two of 16 bits one is enough where pipelines are compiled slowly, unless
    /// `FANIN_TEST_ALL` asks for all.
    pub fn dtypes_of_windows(&self) -> &'static [Dtype] {
        if self.compiles_slowly() && std::env::var_os("FANIN_TEST_ALL").is_none() {
            &[Dtype::F32, Dtype::BF16]
        } else {
            Dtype::ALL
        }
    }

    /// A buffer that holds `bytes`, rounded up to words.
    pub fn buffer(&self, bytes: &[u8]) -> wgpu::Buffer {
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: (bytes.len() as u64).next_multiple_of(4).max(4),
            usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
            mapped_at_creation: true,
        });
        buffer.get_mapped_range_mut(..).unwrap().slice(..bytes.len()).copy_from_slice(bytes);
        buffer.unmap();
        buffer
    }

    pub fn read(&self, buffer: &wgpu::Buffer) -> Vec<u8> {
        let copy = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: buffer.size(),
            usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &copy, 0, buffer.size());
        self.queue.submit([encoder.finish()]);
        copy.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
        self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        copy.get_mapped_range(..).unwrap().to_vec()
    }

    /// Another filler of this device, whose submissions have at most so many elements.
    pub fn in_submissions_of(&self, elements: u64) -> GpuFiller {
        GpuFiller::untested(&self.device, &self.queue).unwrap().with_submissions_of(elements)
    }

    /// What the device draws into a buffer of its own.
    pub fn draw<T: Element>(&self, fill: &Fill) -> Vec<T> {
        let bytes = vec![0; fill.len() as usize * size_of::<T>()];
        let buffer = self.buffer(&bytes);
        self.filler.submit(fill, &buffer, 0).unwrap();
        bytemuck::pod_collect_to_vec(&self.read(&buffer)[..bytes.len()])
    }
}
