//! The device that draws: the CPU twin, or an adapter of this machine.

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use fanin::gpu::{GpuFiller, Target};
use fanin::{ErrorKind, Fill, cpu};
use wgpu::{Adapter, Backends, BufferUsages, DeviceType, Instance, InstanceDescriptor};

use crate::failure::{Failure, near};
use crate::say;

/// Draws fills into host memory, a chunk at a time.
pub enum Engine {
    Cpu,
    Gpu(Box<Gpu>),
}

impl Engine {
    /// The device that the user asked for: `auto`, `gpu`, `cpu`, or a part of an adapter's label.
    pub fn choose(wanted: &str) -> Result<Engine, Failure> {
        match wanted.to_lowercase().as_str() {
            "cpu" => Ok(Engine::Cpu),
            "auto" => {
                let hardware = adapters(Backends::PRIMARY).into_iter().find(is_hardware);
                let Some(adapter) = hardware else { return Ok(Engine::Cpu) };
                // A GPU that does not work or does not agree is no reason not to draw.
                match Gpu::open(&adapter) {
                    Ok(gpu) => Ok(Engine::Gpu(Box::new(Gpu { is_first_choice: true, ..gpu }))),
                    Err(e) => {
                        say::aside(&format!("fanin: {} is passed over: {}", label(&adapter), e.message));
                        Ok(Engine::Cpu)
                    }
                }
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
                let adapter = all.iter().find(|a| label(a).to_lowercase().contains(part)).ok_or_else(|| {
                    let names: Vec<_> = all.iter().map(label).collect();
                    Failure::input(format!(
                        "there is no device \"{wanted}\"{} allowed: auto, gpu, cpu, or a part of: {}",
                        near(part, ["auto", "gpu", "cpu"].into_iter().chain(parts(&names, part))),
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

    /// The name of the device, for people.
    pub fn name(&self) -> &str {
        match self {
            Engine::Cpu => "CPU",
            Engine::Gpu(gpu) => &gpu.label,
        }
    }

    /// The number of bytes to draw at once with so much memory, of which three or four chunks are taken. On the CPU few enough that
    /// they are still in its caches when they are handed over; on a GPU enough that a submission is worth it.
    pub fn chunk(&self, memory: u64) -> u64 {
        let most = match self {
            Engine::Cpu => 4 << 20,
            Engine::Gpu(_) => 16 << 20,
        };
        (memory / 4).min(most) / 4 * 4
    }

    /// Draws fills one after the other and hands their bytes, little-endian, over in order, while the next ones are drawn. It
    /// takes three chunks of this many bytes of memory; on the CPU more where an orthogonal matrix is not worth cutting into such.
    pub fn draw(
        &self,
        fills: impl Iterator<Item = Fill>,
        chunk: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure> + Send,
    ) -> Result<(), Failure> {
        match self {
            Engine::Cpu => draw_on_cpu(Chunks { grow: true, ..Chunks::new(fills, chunk) }, &mut take),
            Engine::Gpu(gpu) => gpu.draw(fills, chunk, &mut take),
        }
    }
}

/// Fills that are drawn at once, one after the other, and their bytes.
struct Chunk {
    fills: Vec<Fill>,
    bytes: u64,
}

/// Fills, cut and gathered into chunks.
struct Chunks<I> {
    fills: I,
    rest: Option<Fill>,
    most: u64,
    /// True if a fill that is not worth cutting makes a chunk of its own, however long.
    grow: bool,
}

impl<I: Iterator<Item = Fill>> Chunks<I> {
    /// A submission has no more fills, however small they are.
    const MOST_FILLS: usize = 1 << 14;

    fn new(fills: I, most: u64) -> Chunks<I> {
        Chunks { fills, rest: None, most, grow: false }
    }
}

impl<I: Iterator<Item = Fill>> Iterator for Chunks<I> {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        let mut chunk = Chunk { fills: Vec::new(), bytes: 0 };
        while chunk.fills.len() < Self::MOST_FILLS {
            let Some(fill) = self.rest.take().or_else(|| self.fills.next()) else { break };
            let size = fill.dtype().bytes(1);
            let mut room = if chunk.bytes.is_multiple_of(size) { (self.most - chunk.bytes) / size } else { 0 };
            if self.grow && fill.efficient_len() > room {
                room = if chunk.bytes == 0 { fill.efficient_len() } else { 0 };
            }
            let (now, later) = fill.split_at(room);
            if !now.is_empty() {
                chunk.bytes += now.byte_len();
                chunk.fills.push(now);
            }
            if !later.is_empty() || chunk.bytes >= self.most {
                self.rest = (!later.is_empty()).then_some(later);
                break;
            }
        }
        (chunk.bytes > 0).then_some(chunk)
    }
}

/// A second thread hands chunks over while this one draws, where there is more than one.
fn draw_on_cpu(
    chunks: impl Iterator<Item = Chunk>,
    take: &mut (dyn FnMut(&[u8]) -> Result<(), Failure> + Send),
) -> Result<(), Failure> {
    let mut chunks = chunks.peekable();
    let Some(first) = chunks.next() else { return Ok(()) };
    if chunks.peek().is_none() {
        let mut buffer = Vec::new();
        return take(drawn(&first, &mut buffer)?);
    }
    let (drawn_to, handed) = mpsc::sync_channel::<(Vec<u32>, u64)>(1);
    let (empty_to, empty) = mpsc::channel();
    for _ in 0..3 {
        let _ = empty_to.send(Vec::<u32>::new());
    }
    thread::scope(|scope| {
        let taker = thread::Builder::new()
            .spawn_scoped(scope, move || {
                for (buffer, bytes) in handed {
                    take(&bytemuck::cast_slice(&buffer)[..bytes as usize])?;
                    let _ = empty_to.send(buffer);
                }
                Ok(())
            })
            .map_err(|e| Failure::other(format!("a second thread cannot be started: {e}")))?;
        for chunk in std::iter::once(first).chain(chunks) {
            // Nothing is left to do once the taker has failed.
            let Ok(mut buffer) = empty.recv() else { break };
            drawn(&chunk, &mut buffer)?;
            if drawn_to.send((buffer, chunk.bytes)).is_err() {
                break;
            }
        }
        drop(drawn_to);
        taker.join().unwrap_or_else(|_| Err(Failure::other("the second thread panicked")))
    })
}

/// Draws a chunk into a buffer of words, so that elements of all sizes are aligned.
fn drawn<'a>(chunk: &Chunk, buffer: &'a mut Vec<u32>) -> Result<&'a [u8], Failure> {
    buffer.resize(chunk.bytes.div_ceil(4) as usize, 0);
    let mut rest = bytemuck::cast_slice_mut::<u32, u8>(buffer);
    for fill in &chunk.fills {
        let (bytes, after) = rest.split_at_mut(fill.byte_len() as usize);
        cpu::fill_bytes(fill, bytes).map_err(Failure::other)?;
        rest = after;
    }
    Ok(&bytemuck::cast_slice(buffer)[..chunk.bytes as usize])
}

/// An open adapter.
pub struct Gpu {
    pub label: String,
    pub backend: String,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub filler: GpuFiller,
    /// The first of the errors that the device has reported and nobody was told yet.
    fault: Arc<Mutex<Option<String>>>,
    /// Made when first drawn with.
    buffers: OnceCell<Buffers>,
    /// True if nobody asked for it by name, so that the CPU draws what it cannot.
    is_first_choice: bool,
    /// Set once that was said.
    said: OnceCell<()>,
}

/// A buffer to draw into, and two to read back from in turn.
struct Buffers {
    size: u64,
    drawn: wgpu::Buffer,
    read: [wgpu::Buffer; 2],
}

/// A chunk on its way: the bytes, and the buffer that they are copied into and that is being mapped.
pub struct Pending<'a> {
    buffer: &'a wgpu::Buffer,
    bytes: u64,
    submission: wgpu::SubmissionIndex,
    mapped: mpsc::Receiver<Result<(), wgpu::BufferAsyncError>>,
}

impl<'a> Pending<'a> {
    pub fn new(buffer: &'a wgpu::Buffer, bytes: u64, submission: wgpu::SubmissionIndex) -> Pending<'a> {
        let (sender, mapped) = mpsc::channel();
        buffer.map_async(wgpu::MapMode::Read, ..bytes.next_multiple_of(4), move |result| {
            let _ = sender.send(result);
        });
        Pending { buffer, bytes, submission, mapped }
    }
}

impl Gpu {
    /// Opens the adapter, whose kernels are tested when they are first needed.
    pub fn open(adapter: &Adapter) -> Result<Gpu, Failure> {
        let label = label(adapter);
        let failed = |e: &dyn std::fmt::Display| Failure::other(format!("{label}: {e:#}"));
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("fanin"),
            required_features: fanin::gpu::features(adapter),
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).map_err(|e| failed(&e))?;
        let filler = GpuFiller::new(&device, &queue).map_err(|e| failed(&e))?.with_submissions_of(u64::MAX);
        let backend = adapter.get_info().backend.to_string();
        let fault = Arc::new(Mutex::new(None));
        let report = {
            let fault = fault.clone();
            move |reason: String| {
                // A report that comes while another one panics is as good.
                fault.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(reason);
            }
        };
        device.on_uncaptured_error(Arc::new({
            let report = report.clone();
            move |e: wgpu::Error| report(e.to_string())
        }));
        device.set_device_lost_callback(move |reason, message| report(format!("lost ({reason:?}): {message}")));
        Ok(Gpu {
            label,
            backend,
            device,
            queue,
            filler,
            fault,
            buffers: OnceCell::new(),
            is_first_choice: false,
            said: OnceCell::new(),
        })
    }

    /// The errors that the device has reported since this was last asked.
    pub fn reported(&self) -> Result<(), Failure> {
        let reported = self.fault.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        reported.map_or(Ok(()), |reason| Err(self.failed(reason.trim_end())))
    }

    pub fn poll(&self, until: wgpu::PollType) -> Result<(), Failure> {
        // wgpu panics where a device is lost in the middle.
        match catch_unwind(AssertUnwindSafe(|| self.device.poll(until))) {
            Ok(Ok(_)) => self.reported(),
            Ok(Err(e)) => Err(self.failed(e)),
            Err(_) => self.reported().and_then(|()| Err(self.failed("lost"))),
        }
    }

    pub fn self_test(&self) -> Result<fanin::gpu::SelfTest, Failure> {
        self.filler.self_test().map_err(|e| self.failed(e))
    }

    /// The device's bytes, or the CPU's if the device draws other bits and nobody asked for it by name.
    pub fn or_cpu<T>(
        &self,
        drawn: Result<T, fanin::Error>,
        on_cpu: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match drawn {
            Err(e) if e.kind() == ErrorKind::SelfTest && self.is_first_choice => {
                self.said
                    .get_or_init(|| say::aside(&format!("fanin: {}; the CPU draws instead", self.failed(&e).message)));
                on_cpu()
            }
            Err(e) if e.kind() == ErrorKind::SelfTest => Err(self.failed(format!("{e:#}; see fanin devices"))),
            drawn => drawn.map_err(|e| self.failed(e)),
        }
    }

    /// The device draws a chunk while the one before it is handed over.
    fn draw(
        &self,
        fills: impl Iterator<Item = Fill>,
        chunk: u64,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let buffers = match self.buffers.get() {
            Some(made) => made,
            None => {
                let made = self.buffers_of(chunk)?;
                self.buffers.get_or_init(|| made)
            }
        };
        let mut pending: Option<Pending<'_>> = None;
        for (chunk, read) in Chunks::new(fills, chunk.min(buffers.size)).zip(buffers.read.iter().cycle()) {
            let next = self.or_cpu(self.draw_chunk(&chunk, &buffers.drawn).map(Some), || Ok(None))?;
            if next.is_some() {
                let next = self.fetch(&chunk, &buffers.drawn, read)?;
                if let Some(ready) = pending.replace(next) {
                    self.hand_over(&ready, take)?;
                }
                continue;
            }
            if let Some(ready) = pending.take() {
                self.hand_over(&ready, take)?;
            }
            take(drawn(&chunk, &mut Vec::new())?)?;
        }
        pending.map_or(Ok(()), |last| self.hand_over(&last, take))
    }

    fn buffers_of(&self, chunk: u64) -> Result<Buffers, Failure> {
        let size = chunk.min(self.device.limits().max_buffer_size) / 4 * 4;
        let buffer = |usage| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("fanin"),
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        let drawn = buffer(BufferUsages::STORAGE | BufferUsages::COPY_SRC);
        let read = [0; 2].map(|_| buffer(BufferUsages::COPY_DST | BufferUsages::MAP_READ));
        self.reported()?;
        Ok(Buffers { size, drawn, read })
    }

    fn draw_chunk(&self, chunk: &Chunk, drawn: &wgpu::Buffer) -> Result<(), fanin::Error> {
        let mut targets = Vec::with_capacity(chunk.fills.len());
        let mut offset = 0;
        for fill in &chunk.fills {
            targets.push(Target::new(fill, drawn, offset));
            offset += fill.byte_len();
        }
        self.filler.submit_all(&targets)
    }

    fn fetch<'a>(&self, chunk: &Chunk, drawn: &wgpu::Buffer, read: &'a wgpu::Buffer) -> Result<Pending<'a>, Failure> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let bytes = chunk.bytes.next_multiple_of(4);
        encoder.copy_buffer_to_buffer(drawn, 0, read, 0, bytes);
        let submission = self.queue.submit([encoder.finish()]);
        self.reported()?;
        Ok(Pending::new(read, chunk.bytes, submission))
    }

    pub fn hand_over(
        &self,
        pending: &Pending<'_>,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let wait = wgpu::PollType::Wait { submission_index: Some(pending.submission.clone()), timeout: None };
        self.poll(wait)?;
        // The answer may come a moment after the submission is done, while the device is polled again.
        let answer = loop {
            match pending.mapped.try_recv() {
                Ok(answer) => break answer,
                Err(mpsc::TryRecvError::Empty) => self.poll(wgpu::PollType::Poll)?,
                Err(e) => return Err(self.failed(e)),
            };
        };
        answer.map_err(|e| self.failed(e))?;
        let bytes = pending.buffer.get_mapped_range(..pending.bytes.next_multiple_of(4)).map_err(|e| self.failed(e))?;
        take(&bytes[..pending.bytes as usize])?;
        drop(bytes);
        pending.buffer.unmap();
        Ok(())
    }

    pub fn failed(&self, e: impl std::fmt::Display) -> Failure {
        // wgpu tells causes on lines of their own.
        let lines: Vec<_> =
            format!("{e:#}").lines().map(|line| line.trim().to_string()).filter(|l| !l.is_empty()).collect();
        Failure::other(format!("{}: {}", self.label, lines.join(", ")))
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

/// The parts of labels that have as many words as this text.
fn parts<'a>(labels: &'a [String], text: &str) -> impl Iterator<Item = &'a str> {
    let words = text.split(' ').count();
    labels.iter().flat_map(move |label| {
        let starts = std::iter::once(0).chain(label.match_indices(' ').map(|(space, _)| space + 1));
        let ends = label.match_indices(' ').map(|(space, _)| space).chain([label.len()]).skip(words - 1);
        starts.zip(ends).map(|(start, end)| &label[start..end])
    })
}

/// True if it is more than a program on this CPU.
pub fn is_hardware(adapter: &Adapter) -> bool {
    adapter.get_info().device_type != DeviceType::Cpu
}

/// Backend and name, for people and for `--device`.
pub fn label(adapter: &Adapter) -> String {
    let info = adapter.get_info();
    format!("{} {}", info.backend, info.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanin::{Distribution, Dtype, Stream};

    fn draw(gpu: &Gpu) -> Result<u64, Failure> {
        let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
        let fill = normal.fill_range(0..1 << 20, Stream::named(0, "weight"), Dtype::F32).unwrap();
        let mut bytes = 0;
        gpu.draw([fill].into_iter(), 1 << 20, &mut |chunk| {
            bytes += chunk.len() as u64;
            Ok(())
        })?;
        Ok(bytes)
    }

    #[test]
    fn a_labels_parts_are_its_words_in_a_row() {
        let labels = ["vulkan A B C".to_string(), "gl A".to_string()];
        let of = |text| parts(&labels, text).collect::<Vec<_>>();
        assert_eq!(of("x"), ["vulkan", "A", "B", "C", "gl", "A"]);
        assert_eq!(of("x y z"), ["vulkan A B", "A B C"]);
        assert!(of("v w x y z").is_empty());
    }

    /// An error that the device reports while the program draws is a failure with the adapter's name, and no panic; so is a device that
    /// is gone, before the first draw or between two.
    #[test]
    fn what_a_device_reports_is_a_failure() {
        let adapters = adapters(Backends::all());
        assert!(
            !adapters.is_empty(),
            "this test needs an adapter: apt-get install mesa-vulkan-drivers, or run tests/run"
        );
        for adapter in adapters {
            let gpu = match Gpu::open(&adapter) {
                // A GPU's driver may be one that wgpu cannot open: NVIDIA's OpenGL.
                Err(_) if is_hardware(&adapter) => continue,
                opened => opened.unwrap(),
            };
            assert_eq!(draw(&gpu).unwrap(), 1 << 22);
            // A device that draws other bits is an error where it was asked for, and else the CPU's task.
            let refused = || fanin::gpu::SelfTest::default().into_result().map(|()| "the device");
            let failure = gpu.or_cpu(refused(), || Ok("the CPU")).unwrap_err();
            assert!(failure.message.contains(&gpu.label) && failure.message.contains("fanin devices"), "{failure:?}");
            let gpu = Gpu { is_first_choice: true, ..gpu };
            assert_eq!(gpu.or_cpu(refused(), || Ok("the CPU")).unwrap(), "the CPU");
            let huge = wgpu::BufferDescriptor {
                label: None,
                size: 1 << 60,
                usage: BufferUsages::STORAGE,
                mapped_at_creation: false,
            };
            let _ = gpu.device.create_buffer(&huge);
            let failure = draw(&gpu).unwrap_err();
            assert!(failure.message.contains(&gpu.label) && failure.message.contains("greater than"), "{failure:?}");
            assert_eq!(draw(&gpu).unwrap(), 1 << 22, "a report is made once");

            gpu.device.destroy();
            let failure = draw(&gpu).unwrap_err();
            assert!(failure.message.contains(&gpu.label), "{failure:?}");

            let gpu = Gpu::open(&adapter).unwrap();
            gpu.device.destroy();
            assert!(draw(&gpu).is_err() && gpu.self_test().is_err());
        }
    }
}
