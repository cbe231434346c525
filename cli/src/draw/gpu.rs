//! An open adapter, and the reading back of what it draws.

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};

use fanin::gpu::{GpuFiller, Target};
use fanin::{ErrorKind, Fill};
use wgpu::{Adapter, BufferUsages};

use crate::draw::adapters::label;
use crate::draw::chunks::{Chunk, Chunks};
use crate::failure::Failure;
use crate::say;

/// An open adapter.
pub struct Gpu {
    pub label: String,
    pub backend: String,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub filler: GpuFiller,
    /// The first of the errors that the device has reported and nobody was told yet.
    fault: Arc<Mutex<Option<String>>>,
    /// The buffers, which are made when they are first drawn into.
    buffers: OnceCell<Buffers>,
    /// True if nobody asked for it by name, so that the CPU draws what it cannot.
    is_first_choice: bool,
    /// A mark, which is set once it was said that the CPU draws.
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

    /// The same where nobody asked for it by name, so that the CPU draws what it cannot.
    pub fn into_first_choice(self) -> Gpu {
        Gpu { is_first_choice: true, ..self }
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

    /// Draws a chunk while the one before it is handed over.
    pub fn draw(
        &self,
        fills: impl Iterator<Item = Fill>,
        chunk: u64,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let buffers = match self.buffers.get() {
            Some(made) => made,
            None => {
                let made = self.new_buffers(chunk)?;
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
            take(chunk.draw_on_cpu(&mut Vec::new())?)?;
        }
        pending.map_or(Ok(()), |last| self.hand_over(&last, take))
    }

    fn new_buffers(&self, chunk: u64) -> Result<Buffers, Failure> {
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

#[cfg(test)]
mod tests {
    use fanin::{Distribution, Dtype, Stream};
    use wgpu::Backends;

    use super::*;
    use crate::draw::adapters::{adapters, is_hardware};

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
            let gpu = gpu.into_first_choice();
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
