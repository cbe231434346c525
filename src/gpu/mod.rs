//! The kernels: fills of the caller's buffers on the caller's device.
//!
//! A fill becomes dispatches (`windows.rs`) of a pipeline (`pipelines.rs`); `self_test.rs` says whether a device draws what
//! the CPU twin draws.

mod kernels;
mod pipelines;
mod self_test;
mod windows;

use wgpu::{Buffer, CommandEncoder, Device, Queue};

use crate::{Error, Fill};
use pipelines::Pipelines;
#[cfg(test)]
pub(crate) use self_test::THREEFRY_KNOWN_ANSWERS;
pub use self_test::{Check, SelfTest};
use windows::{Limits, Window};

/// How many dispatches share one parameter buffer.
const DISPATCHES_PER_BUFFER: usize = 1 << 14;

/// Draws fills into buffers of one device.
///
/// It borrows what the caller owns: it records compute work, and neither reads back, nor blocks, nor waits. Pipelines are
/// compiled when they are first needed and kept. A `GpuFiller` is `Send` and `Sync`; one serves a whole program.
///
/// Where the device was created with [`wgpu::Features::SHADER_INT64`], kernels multiply in 64 bits; the values are the
/// same without.
///
/// ```
/// use fanin::gpu::GpuFiller;
/// use fanin::{Dtype, Fill, Layout, Scheme, Stream};
///
/// # fn device() -> Option<(wgpu::Device, wgpu::Queue)> {
/// #     let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
/// #     let adapter = pollster::block_on(instance.request_adapter(&Default::default())).ok()?;
/// #     pollster::block_on(adapter.request_device(&Default::default())).ok()
/// # }
/// # let (device, queue) = device().expect("no adapter: apt-get install mesa-vulkan-drivers");
/// // The program's own device and buffer ...
/// let weight = device.create_buffer(&wgpu::BufferDescriptor {
///     label: Some("weight"),
///     size: 4096 * 1024 * 4,
///     usage: wgpu::BufferUsages::STORAGE,
///     mapped_at_creation: false,
/// });
///
/// // ... filled in place, ahead of whatever the program records next.
/// let filler = GpuFiller::new(&device)?;
/// let he = "he_normal".parse::<Scheme>()?.distribution(&[1024, 4096], Layout::OUT_IN)?;
/// let fill = Fill::new(&he, Stream::named(42, "weight"), Dtype::F32, 0..4096 * 1024)?;
/// let mut encoder = device.create_command_encoder(&Default::default());
/// filler.record(&mut encoder, &fill, &weight, 0)?;
/// queue.submit([encoder.finish()]);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Debug)]
pub struct GpuFiller {
    device: Device,
    limits: Limits,
    pipelines: Pipelines,
}

/// One fill and where it goes: the buffer, and the byte offset of the fill's first element in it.
///
/// ```
/// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
/// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
/// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
/// use fanin::gpu::{GpuFiller, Target};
/// use fanin::{Distribution, Dtype, Fill, Stream};
///
/// // A model's tensors in one buffer, in one pass.
/// let arena = device.create_buffer(&wgpu::BufferDescriptor {
///     label: None,
///     size: 3000,
///     usage: wgpu::BufferUsages::STORAGE,
///     mapped_at_creation: false,
/// });
/// let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
/// let weight = Fill::new(&normal, Stream::named(0, "weight"), Dtype::BF16, 0..1000)?;
/// let bias = Fill::new(&Distribution::Constant { value: 0.0 }, Stream::named(0, "bias"), Dtype::F32, 0..250)?;
/// let targets = [
///     Target { fill: &weight, buffer: &arena, offset: 0 },
///     Target { fill: &bias, buffer: &arena, offset: 2000 },
/// ];
/// let mut encoder = device.create_command_encoder(&Default::default());
/// GpuFiller::new(&device)?.record_all(&mut encoder, &targets)?;
/// queue.submit([encoder.finish()]);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// What to draw.
    pub fill: &'a Fill,
    /// Where: a buffer with the usage `STORAGE`.
    pub buffer: &'a Buffer,
    /// The byte offset of the first element, a multiple of the element's size.
    pub offset: u64,
}

impl GpuFiller {
    /// For buffers of this device.
    ///
    /// # Errors
    /// [`Error::DeviceLimit`] if the device cannot run the kernels; WebGPU's default limits are enough.
    ///
    /// ```
    /// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    /// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
    /// # let (device, _) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    /// let filler = fanin::gpu::GpuFiller::new(&device)?;
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn new(device: &Device) -> Result<GpuFiller, Error> {
        let limits = Limits::new(&device.limits())?;
        Ok(GpuFiller { device: device.clone(), limits, pipelines: Pipelines::new(device) })
    }

    /// Records one fill: its first element goes to `offset` bytes into the buffer.
    ///
    /// # Errors
    /// [`Error::BufferUsage`], [`Error::Offset`], [`Error::BufferTooSmall`]; nothing is recorded then. A 16-bit fill
    /// writes whole 32-bit words, with what was in the other half: its last word must lie inside the buffer.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream, gpu::GpuFiller};
    /// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    /// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
    /// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    /// # let buffer = |usage| device.create_buffer(&wgpu::BufferDescriptor { label: None, size: 64, usage, mapped_at_creation: false });
    /// # let filler = GpuFiller::new(&device)?;
    /// # let fill = Fill::new(&Distribution::Constant { value: 1.0 }, Stream::numbered(0, 0), Dtype::F32, 0..16)?;
    /// let mut encoder = device.create_command_encoder(&Default::default());
    /// filler.record(&mut encoder, &fill, &buffer(wgpu::BufferUsages::STORAGE), 0)?;
    ///
    /// let wrong = buffer(wgpu::BufferUsages::VERTEX);
    /// assert!(filler.record(&mut encoder, &fill, &wrong, 0).is_err());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn record(&self, encoder: &mut CommandEncoder, fill: &Fill, buffer: &Buffer, offset: u64) -> Result<(), Error> {
        self.record_all(encoder, &[Target { fill, buffer, offset }])
    }

    /// Records many fills in one compute pass, with their parameters in one buffer.
    ///
    /// # Errors
    /// Those of [`record`](GpuFiller::record), for any of the targets; nothing is recorded then.
    ///
    /// See [`Target`] for an example.
    pub fn record_all(&self, encoder: &mut CommandEncoder, targets: &[Target<'_>]) -> Result<(), Error> {
        let mut dispatches = Vec::new();
        for target in targets {
            let windows = windows::plan(target.fill, target.buffer, target.offset, &self.limits)?;
            dispatches.extend(windows.into_iter().map(|window| (target.buffer, window)));
        }
        self.record_windows(encoder, &dispatches)
    }

    /// Records one fill and submits it.
    ///
    /// # Errors
    /// Those of [`record`](GpuFiller::record); nothing is submitted then.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream, gpu::GpuFiller};
    /// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    /// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
    /// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    /// # let usage = wgpu::BufferUsages::STORAGE;
    /// # let buffer = device.create_buffer(&wgpu::BufferDescriptor { label: None, size: 64, usage, mapped_at_creation: false });
    /// # let fill = Fill::new(&Distribution::Constant { value: 1.0 }, Stream::numbered(0, 0), Dtype::F32, 0..16)?;
    /// GpuFiller::new(&device)?.submit(&queue, &fill, &buffer, 0)?;
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn submit(&self, queue: &Queue, fill: &Fill, buffer: &Buffer, offset: u64) -> Result<(), Error> {
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("fanin") });
        self.record(&mut encoder, fill, buffer, offset)?;
        queue.submit([encoder.finish()]);
        Ok(())
    }

    fn record_windows(&self, encoder: &mut CommandEncoder, dispatches: &[(&Buffer, Window)]) -> Result<(), Error> {
        // All that can fail comes before the pass is begun.
        let parameters = dispatches
            .chunks(DISPATCHES_PER_BUFFER)
            .map(|chunk| self.pipelines.parameters(&self.device, chunk.iter().map(|(_, window)| &window.params)))
            .collect::<Result<Vec<_>, _>>()?;
        if dispatches.is_empty() {
            return Ok(());
        }
        let mut pass =
            encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("fanin"), timestamp_writes: None });
        for (chunk, parameters) in dispatches.chunks(DISPATCHES_PER_BUFFER).zip(&parameters) {
            let mut offsets = (0..).map(|i| self.pipelines.parameter_offset(i));
            // Neighbours in one buffer share their bindings.
            for run in chunk.chunk_by(|(a, of_a), (b, of_b)| a == b && of_a.binding == of_b.binding) {
                let (buffer, first) = &run[0];
                let bindings = self.pipelines.bindings(&self.device, parameters, buffer, first.binding.clone());
                for ((_, window), offset) in run.iter().zip(&mut offsets) {
                    pass.set_pipeline(self.pipelines.get(&self.device, window.kernel, window.dtype, window.writes));
                    pass.set_bind_group(0, &bindings, &[offset]);
                    pass.dispatch_workgroups(window.workgroups, 1, 1);
                }
            }
        }
        Ok(())
    }
}
