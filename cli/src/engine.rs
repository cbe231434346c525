//! What draws: the CPU twin, or an adapter of this machine.

use std::sync::mpsc;
use std::time::Instant;

use fanin::gpu::GpuFiller;
use fanin::{Dtype, Fill, cpu};
use half::{bf16, f16};
use wgpu::{Adapter, Backends, BufferUsages, DeviceType, Instance, InstanceDescriptor};

use crate::failure::Failure;

/// Bytes drawn at once: the memory that `init` needs, whatever the model's size.
pub const CHUNK: u64 = 64 << 20;

/// Draws fills of up to [`CHUNK`] bytes into host memory.
pub enum Engine {
    Cpu,
    Gpu(Box<Gpu>),
}

impl Engine {
    /// The device that the user asked for: `auto`, `gpu`, `cpu`, or a part of an adapter's label.
    pub fn choose(wanted: &str) -> Result<Engine, Failure> {
        match wanted {
            "cpu" => Ok(Engine::Cpu),
            "auto" => {
                let hardware = adapters(Backends::PRIMARY).into_iter().find(is_hardware);
                let Some(adapter) = hardware else { return Ok(Engine::Cpu) };
                // A GPU that does not work or does not agree is no reason not to draw.
                Engine::open(&adapter).or_else(|e| {
                    eprintln!("fanin: {} is passed over: {}", label(&adapter), e.message);
                    Ok(Engine::Cpu)
                })
            }
            "gpu" => {
                let all = adapters(Backends::all());
                let adapter = all.iter().find(|a| is_hardware(a)).or(all.first());
                let adapter = adapter
                    .ok_or_else(|| Failure::input("device gpu: there is no adapter; --device cpu needs none"))?;
                Engine::open(adapter)
            }
            part => {
                let all = adapters(Backends::all());
                let part_lower = part.to_lowercase();
                let adapter = all.iter().find(|a| label(a).to_lowercase().contains(&part_lower)).ok_or_else(|| {
                    let names: Vec<_> = all.iter().map(label).collect();
                    Failure::input(format!(
                        "there is no device \"{part}\", allowed: auto, gpu, cpu, or a part of: {}",
                        if names.is_empty() { "(no adapters)".into() } else { names.join("; ") }
                    ))
                })?;
                Engine::open(adapter)
            }
        }
    }

    fn open(adapter: &Adapter) -> Result<Engine, Failure> {
        Gpu::open(adapter).map(|gpu| Engine::Gpu(Box::new(gpu)))
    }

    /// What draws, for people.
    pub fn name(&self) -> &str {
        match self {
            Engine::Cpu => "CPU",
            Engine::Gpu(gpu) => &gpu.label,
        }
    }

    /// Draws `fill`, at most [`CHUNK`] bytes of it, as the little-endian bytes of a file.
    pub fn draw(&self, fill: &Fill) -> Result<Vec<u8>, Failure> {
        match self {
            Engine::Cpu => match fill.dtype() {
                Dtype::F32 => draw_on_cpu::<f32>(fill),
                Dtype::F16 => draw_on_cpu::<f16>(fill),
                Dtype::BF16 => draw_on_cpu::<bf16>(fill),
            },
            Engine::Gpu(gpu) => gpu.draw(fill),
        }
    }
}

fn draw_on_cpu<T: fanin::Element>(fill: &Fill) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; fill.len() as usize * size_of::<T>()];
    match bytemuck::try_cast_slice_mut::<u8, T>(&mut bytes) {
        Ok(elements) => cpu::fill(fill, elements).map_err(Failure::other)?,
        // An allocator may align bytes to less than an element.
        Err(_) => {
            let mut elements = vec![T::zeroed(); fill.len() as usize];
            cpu::fill(fill, &mut elements).map_err(Failure::other)?;
            bytes.copy_from_slice(bytemuck::cast_slice(&elements));
        }
    }
    Ok(bytes)
}

/// An open adapter with a buffer to draw into and one to read back from.
pub struct Gpu {
    pub label: String,
    pub backend: String,
    device: wgpu::Device,
    queue: wgpu::Queue,
    filler: GpuFiller,
    drawn: wgpu::Buffer,
    read: wgpu::Buffer,
}

impl Gpu {
    /// Opens the adapter and lets it pass the self-test.
    pub fn open(adapter: &Adapter) -> Result<Gpu, Failure> {
        let gpu = Gpu::open_untested(adapter)?;
        let test = gpu.self_test()?;
        if !test.agrees() {
            return Err(Failure::other(format!(
                "{} does not draw the bits that the CPU draws; see fanin devices",
                gpu.label
            )));
        }
        Ok(gpu)
    }

    pub fn open_untested(adapter: &Adapter) -> Result<Gpu, Failure> {
        let label = label(adapter);
        let failed = |e: &dyn std::fmt::Display| Failure::other(format!("{label}: {e}"));
        // 64-bit products are two instructions on a GPU, and slower than 16-bit pieces on lavapipe.
        let mut useful = wgpu::Features::TIMESTAMP_QUERY;
        useful.set(wgpu::Features::SHADER_INT64, is_hardware(adapter));
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("fanin"),
            required_features: adapter.features() & useful,
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).map_err(|e| failed(&e))?;
        let filler = GpuFiller::new(&device).map_err(|e| failed(&e))?;
        let buffer = |usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("fanin"),
                size: CHUNK,
                usage,
                mapped_at_creation: false,
            })
        };
        let drawn = buffer(BufferUsages::STORAGE | BufferUsages::COPY_SRC);
        let read = buffer(BufferUsages::COPY_DST | BufferUsages::MAP_READ);
        let backend = adapter.get_info().backend.to_string();
        Ok(Gpu { label, backend, device, queue, filler, drawn, read })
    }

    pub fn self_test(&self) -> Result<fanin::gpu::SelfTest, Failure> {
        self.filler.self_test(&self.queue).map_err(|e| Failure::other(format!("{}: {e}", self.label)))
    }

    fn draw(&self, fill: &Fill) -> Result<Vec<u8>, Failure> {
        let failed = |e: &dyn std::fmt::Display| Failure::other(format!("{}: {e}", self.label));
        let bytes = fill.len() * fill.dtype().size();
        let copied = bytes.next_multiple_of(4);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        self.filler.record(&mut encoder, fill, &self.drawn, 0).map_err(|e| failed(&e))?;
        encoder.copy_buffer_to_buffer(&self.drawn, 0, &self.read, 0, copied);
        self.queue.submit([encoder.finish()]);
        let mut drawn = self.read_back(&self.read, copied)?;
        drawn.truncate(bytes as usize);
        Ok(drawn)
    }

    /// The first bytes of a buffer that can be mapped, once the device is done.
    fn read_back(&self, buffer: &wgpu::Buffer, bytes: u64) -> Result<Vec<u8>, Failure> {
        let failed = |e: &dyn std::fmt::Display| Failure::other(format!("{}: {e}", self.label));
        let (sender, receiver) = mpsc::channel();
        buffer.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
            let _ = sender.send(result);
        });
        self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| failed(&e))?;
        receiver.recv().map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let read = buffer.get_mapped_range(..bytes).map_err(|e| failed(&e))?.to_vec();
        buffer.unmap();
        Ok(read)
    }

    /// A buffer to time fills of, if the device can have one so large.
    pub fn bench_buffer(&self, bytes: u64) -> Result<wgpu::Buffer, Failure> {
        let most = self.device.limits().max_buffer_size;
        if bytes > most {
            let message = format!("{}: a buffer of {bytes} bytes is wanted, allowed: at most {most}", self.label);
            return Err(Failure::input(message));
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("fanin bench"),
            size: bytes.next_multiple_of(16),
            usage: BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        match pollster::block_on(scope.pop()) {
            None => Ok(buffer),
            Some(e) => Err(Failure::input(format!("{}: a buffer of {bytes} bytes: {e}", self.label))),
        }
    }

    /// Seconds that a fill takes by the device's clock, where it has one, and from submission to completion.
    pub fn time(&self, fill: &Fill, buffer: &wgpu::Buffer) -> Result<(f64, f64), Failure> {
        let failed = |e: &dyn std::fmt::Display| Failure::other(format!("{}: {e}", self.label));
        let clock = self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY).then(|| {
            self.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            })
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        // Empty passes before and after read the clock.
        let mark = |encoder: &mut wgpu::CommandEncoder, beginning, end| {
            if let Some(query_set) = &clock {
                let timestamp_writes = Some(wgpu::ComputePassTimestampWrites {
                    query_set,
                    beginning_of_pass_write_index: beginning,
                    end_of_pass_write_index: end,
                });
                encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
            }
        };
        mark(&mut encoder, None, Some(0));
        self.filler.record(&mut encoder, fill, buffer, 0).map_err(|e| failed(&e))?;
        mark(&mut encoder, Some(1), None);
        let commands = encoder.finish();
        let started = Instant::now();
        self.queue.submit([commands]);
        self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| failed(&e))?;
        let end_to_end = started.elapsed().as_secs_f64();
        let Some(clock) = clock else { return Ok((end_to_end, end_to_end)) };

        let stamps = |usage| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 16,
                usage,
                mapped_at_creation: false,
            })
        };
        let resolved = stamps(BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC);
        let read = stamps(BufferUsages::COPY_DST | BufferUsages::MAP_READ);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.resolve_query_set(&clock, 0..2, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &read, 0, 16);
        self.queue.submit([encoder.finish()]);
        let stamps: Vec<u64> = bytemuck::pod_collect_to_vec(&self.read_back(&read, 16)?);
        let seconds = stamps[1].saturating_sub(stamps[0]) as f64 * f64::from(self.queue.get_timestamp_period()) / 1e9;
        // A clock that stands still measures nothing.
        Ok(if seconds > 0.0 { (seconds, end_to_end) } else { (end_to_end, end_to_end) })
    }
}

/// The adapters of these backends, hardware first.
pub fn adapters(backends: Backends) -> Vec<Adapter> {
    let instance = Instance::new(InstanceDescriptor { backends, ..InstanceDescriptor::new_without_display_handle() });
    let mut adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters.sort_by_key(|a| match a.get_info().device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    });
    adapters
}

/// Whether it is more than a program on this CPU.
pub fn is_hardware(adapter: &Adapter) -> bool {
    adapter.get_info().device_type != DeviceType::Cpu
}

/// Backend and name, for people and for `--device`.
pub fn label(adapter: &Adapter) -> String {
    let info = adapter.get_info();
    format!("{} {}", info.backend, info.name)
}
