//! The filler: fills of buffers of one device, each by pipelines that were tested there.

use wgpu::{Buffer, BufferUsages, CommandEncoder, Device, PipelineCache, Queue};

use super::engine::Engine;
use super::features::Rounding;
use super::given::{Given, Planning};
use super::kernels::Writes;
use super::program::Program;
use super::proved::Proofs;
use super::recording::Step;
use super::run::Run;
use super::target::Target;
use super::windows::{self, Limits};
use super::{orthogonal, scopes};
#[cfg(doc)]
use crate::ErrorKind;
use crate::kernel::{Sampler, TILE, Twin};
use crate::{Error, Fill};

/// Draws fills into buffers of one device.
///
/// It borrows the caller's device and records compute work. Pipelines are compiled and tested when they are first needed, or by
/// [`prepare`](GpuFiller::prepare), and kept. Only a test reads back or waits. It polls the device, which may run callbacks of the
/// program's own. A `GpuFiller` is `Send` and `Sync`; one serves a whole program.
///
/// A failure that the device reports while it works for a `GpuFiller` is an [`Error`], and does not reach the device's own handler of
/// errors: memory that runs out, a kernel that does not compile, a buffer that is destroyed or another device's, a device that is lost.
/// Some errors wgpu can tell only later, and they are reported where they are found: an encoder of another device by `finish`, a mapped
/// buffer by the `submit` of the recorded work. Buffers of another `wgpu::Instance` cannot be told from the device's own: do not mix
/// them.
///
/// Kernels are faster on a device that was created with [`features`](super::features()): they multiply in 64 bits, and on Vulkan their
/// rounding is kept by the language ([`Rounding`]). The values are the same without.
///
/// ```
/// use fanin::gpu::{GpuFiller, wgpu};
/// use fanin::{Dtype, Layout, Stream, scheme};
///
/// # fn device() -> Option<(wgpu::Device, wgpu::Queue)> {
/// #     let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
/// #     let adapter = pollster::block_on(instance.request_adapter(&Default::default())).ok()?;
/// #     pollster::block_on(adapter.request_device(&Default::default())).ok()
/// # }
/// # let (device, queue) = device().expect("no adapter: apt-get install mesa-vulkan-drivers");
/// let filler = GpuFiller::new(&device, &queue)?; // once per device
/// let he = scheme::he_normal().fill(&[1024, 4096], Layout::OUT_IN, Stream::named(42, "weight"), Dtype::F32)?;
/// let weight = filler.create_buffer("weight", he.byte_len(), wgpu::BufferUsages::STORAGE)?;
/// # let mut encoder = device.create_command_encoder(&Default::default());
/// filler.record(&mut encoder, &he, &weight, 0)?; // ahead of whatever the program records next
/// # queue.submit([encoder.finish()]);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Debug)]
pub struct GpuFiller {
    pub(super) engine: Engine,
    pub(super) limits: Limits,
    pub(super) proofs: Proofs,
    /// Elements of one submission of `submit_all`, at most.
    submission: u64,
}

impl GpuFiller {
    /// A filler of this device's buffers, which tests each pipeline before it draws with it.
    ///
    /// A pipeline is one kernel in one dtype and one way of writing. When a fill first needs it, it is compiled, draws known answers,
    /// is waited for, and is compared with the CPU bit for bit. A pipeline that draws other bits is refused before anything is
    /// recorded. That takes some milliseconds on a GPU. [`prepare`](GpuFiller::prepare) does it ahead for the fills of a program,
    /// [`self_test`](GpuFiller::self_test) for all kernels. This function itself tests only that the queue is the device's.
    ///
    /// If [rounding by the language](Rounding::ByLanguage) fails a test, all that is recorded from then on takes guards, and is tested
    /// anew; [`refused_language`](GpuFiller::refused_language) says why.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLimit`] if the device cannot run the kernels, for which WebGPU's default limits are enough;
    /// [`ErrorKind::Device`] if it fails, or if the queue is another device's.
    pub fn new(device: &Device, queue: &Queue) -> Result<GpuFiller, Error> {
        GpuFiller::with_proofs(device, queue, Proofs::wanted(Rounding::best(device)))
    }

    /// A filler of this device's buffers, whatever the device draws: no pipeline is tested.
    ///
    /// It is for programs that have tested this device and driver elsewhere, and for browsers, where nothing can wait for a device. Its
    /// kernels take guards, which need no driver's word.
    ///
    /// # Errors
    /// Those of [`new`](GpuFiller::new).
    pub fn untested(device: &Device, queue: &Queue) -> Result<GpuFiller, Error> {
        GpuFiller::with_proofs(device, queue, Proofs::not_wanted(Rounding::ByGuards))
    }

    fn with_proofs(device: &Device, queue: &Queue, proofs: Proofs) -> Result<GpuFiller, Error> {
        let limits = Limits::new(&device.limits())?;
        scopes::belongs(device, queue)?;
        Ok(GpuFiller { engine: Engine::new(device, queue), limits, proofs, submission: 1 << 28 })
    }

    /// This filler, with a cache that the program keeps: pipelines compiled from now on are looked up and kept in it.
    ///
    /// ```
    /// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    /// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
    /// let descriptor = wgpu::DeviceDescriptor { required_features: fanin::gpu::features(&adapter), ..Default::default() };
    /// # let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    /// let mut filler = fanin::gpu::GpuFiller::new(&device, &queue)?;
    /// if device.features().contains(wgpu::Features::PIPELINE_CACHE) {
    ///     let descriptor = wgpu::PipelineCacheDescriptor { label: None, data: None, fallback: true };
    ///     // Without data there is nothing that could be wrong.
    ///     filler = filler.with_pipeline_cache(&unsafe { device.create_pipeline_cache(&descriptor) });
    /// }
    /// # Ok::<(), fanin::Error>(())
    /// ```
    #[must_use]
    pub fn with_pipeline_cache(self, cache: &PipelineCache) -> GpuFiller {
        GpuFiller { engine: self.engine.with_cache(cache), ..self }
    }

    /// This filler with a limit on the elements of one submission of [`submit_all`](GpuFiller::submit_all). The limit is 2^28 by default,
    /// and at least 1,024.
    ///
    /// A submission that takes seconds is ended by the watchdogs of some systems, and other programs wait for it: 2^28
    /// elements are a tenth of a second or two on a small GPU.
    #[must_use]
    pub fn with_submissions_of(self, elements: u64) -> GpuFiller {
        GpuFiller { submission: elements.max(TILE), ..self }
    }

    /// Compiles and tests the pipelines that these fills need, so that recording them waits for nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Device`] if a kernel does not compile or the device fails; [`ErrorKind::SelfTest`] if a pipeline draws other
    /// bits than the CPU.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream, gpu::GpuFiller};
    /// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    /// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
    /// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    /// # let filler = GpuFiller::new(&device, &queue)?;
    /// let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
    /// let fill = normal.fill_range(0..1 << 20, Stream::numbered(0, 0), Dtype::BF16)?;
    /// filler.prepare([&fill])?;
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn prepare<'a>(&self, fills: impl IntoIterator<Item = &'a Fill>) -> Result<(), Error> {
        for fill in fills {
            if !fill.orthogonals().is_empty() {
                for program in orthogonal::programs(self.prove_orthogonal(fill.dtype())?)? {
                    self.engine.compiled(&program)?;
                }
            }
            for sampler in fill.samplers() {
                // Elements beside matrices are zero.
                let sampler = if matches!(sampler, Sampler::Orthogonal(_)) { &Sampler::ZERO } else { sampler };
                for &writes in Writes::needed(sampler.kernel(), fill.dtype()) {
                    let variant = windows::variant(sampler, fill.dtype(), writes);
                    let rounding = self.prove_all([variant], [fill])?;
                    self.engine.compiled(&Program::Draw(variant, rounding))?;
                }
            }
        }
        Ok(())
    }

    /// The rounding of kernels from now on: by the language where the device can, until a test of it has failed; by guards elsewhere,
    /// and where nothing is tested.
    ///
    /// ```
    /// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    /// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
    /// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    /// use fanin::gpu::{GpuFiller, Rounding};
    ///
    /// let filler = GpuFiller::untested(&device, &queue)?;
    /// assert_eq!(filler.rounding(), Rounding::ByGuards);
    /// assert!(filler.refused_language().is_none());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn rounding(&self) -> Rounding {
        self.proofs.rounding()
    }

    /// The failed test after which guards keep the rounding of a device that could do it by the language.
    ///
    /// See [`rounding`](GpuFiller::rounding) for an example.
    pub fn refused_language(&self) -> Option<&Error> {
        self.proofs.refused()
    }

    /// The device that it draws on.
    #[cfg(feature = "probe")]
    pub(crate) fn device(&self) -> &Device {
        &self.engine.device
    }

    /// The buffer's bytes, once the device has written them.
    pub(crate) fn read_back(&self, buffer: &Buffer) -> Result<Vec<u8>, Error> {
        self.engine.read_back(buffer)
    }

    /// A buffer of this device that holds so many bytes, rounded up to whole words, with the usage `STORAGE` beside these.
    ///
    /// Any other buffer will do; this function returns an [`Error`] where wgpu would panic, for example if memory runs out.
    ///
    /// # Errors
    /// [`ErrorKind::Device`] if the device has none so large.
    ///
    /// ```
    /// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    /// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
    /// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    /// # let filler = fanin::gpu::GpuFiller::new(&device, &queue)?;
    /// let buffer = filler.create_buffer("weight", 1001, wgpu::BufferUsages::COPY_SRC)?;
    /// assert_eq!(buffer.size(), 1004);
    /// assert!(filler.create_buffer("weight", 1 << 60, wgpu::BufferUsages::COPY_SRC).is_err());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn create_buffer(&self, label: &str, bytes: u64, usages: BufferUsages) -> Result<Buffer, Error> {
        self.engine.buffer(label, bytes, usages | BufferUsages::STORAGE)
    }

    /// Records one fill: its first element goes to `offset` bytes into the buffer.
    ///
    /// # Errors
    /// [`ErrorKind::Buffer`]; [`ErrorKind::Shape`] for a slice of more than 2^20 runs of elements, and for what else is too large for one
    /// recording, which [`submit_all`](GpuFiller::submit_all) draws; [`ErrorKind::Device`] if the buffer is destroyed or
    /// another device's, or the device fails; nothing is recorded then. A 16-bit fill
    /// writes whole 32-bit words, with what was in the other half: its last word must lie inside the buffer.
    ///
    /// ```
    /// # use fanin::{Distribution, Dtype, Fill, Stream, gpu::GpuFiller};
    /// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    /// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
    /// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    /// # let buffer = |usage| device.create_buffer(&wgpu::BufferDescriptor { label: None, size: 64, usage, mapped_at_creation: false });
    /// # let filler = GpuFiller::new(&device, &queue)?;
    /// # let fill = Distribution::Constant { value: 1.0 }.fill_range(0..16, Stream::numbered(0, 0), Dtype::F32)?;
    /// let mut encoder = device.create_command_encoder(&Default::default());
    /// filler.record(&mut encoder, &fill, &buffer(wgpu::BufferUsages::STORAGE), 0)?;
    ///
    /// let wrong = buffer(wgpu::BufferUsages::VERTEX);
    /// assert!(filler.record(&mut encoder, &fill, &wrong, 0).is_err());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn record(&self, encoder: &mut CommandEncoder, fill: &Fill, buffer: &Buffer, offset: u64) -> Result<(), Error> {
        self.record_all(encoder, &[Target::new(fill, buffer, offset)])
    }

    /// Records many fills in one compute pass, with their parameters in few buffers.
    ///
    /// Targets that share bytes are written in their order. Small ones of one distribution's kind, dtype and buffer share
    /// dispatches, up to 28 in each. The encoder keeps about a kilobyte for each dispatch, and 144 bytes for each target:
    /// [`submit_all`](GpuFiller::submit_all) bounds both.
    ///
    /// # Errors
    /// Those of [`record`](GpuFiller::record), for any of the targets; nothing is recorded then.
    ///
    /// See [`Target`] for an example.
    pub fn record_all(&self, encoder: &mut CommandEncoder, targets: &[Target<'_>]) -> Result<(), Error> {
        let given = Given::new(targets.iter().map(|target| target.buffer));
        let steps = self.at_once(targets, &given, None)?;
        Run::new(&self.engine, given.buffers()).record(encoder, &steps)
    }

    /// The steps of all targets, as one recording.
    pub(super) fn at_once(
        &self,
        targets: &[Target<'_>],
        given: &Given,
        unproved: Option<Rounding>,
    ) -> Result<Vec<Step>, Error> {
        self.check(targets)?;
        let mut steps = Vec::new();
        self.plan(targets, given, Planning { most: None, unproved }, |group| {
            steps.extend(group);
            Ok(())
        })?;
        Ok(steps)
    }

    /// A check of what can be said of targets before anything is planned.
    fn check(&self, targets: &[Target<'_>]) -> Result<(), Error> {
        for target in targets {
            windows::check(target.fill, target.buffer, target.offset)?;
            for orthogonal in target.fill.orthogonals() {
                orthogonal::check(orthogonal, &self.limits)?;
            }
        }
        Ok(())
    }

    /// Draws targets, and then does these steps, with the buffers that are given.
    pub(crate) fn submit_with(&self, targets: &[Target<'_>], given: &Given, then: Vec<Step>) -> Result<(), Error> {
        let mut steps = self.at_once(targets, given, None)?;
        steps.extend(then);
        Run::new(&self.engine, given.buffers()).submit(steps, u64::MAX)
    }

    /// Records one fill and submits it to the device's queue.
    ///
    /// # Errors
    /// Those of [`record`](GpuFiller::record), and [`ErrorKind::Device`] where the buffer is mapped or destroyed; nothing is drawn then.
    pub fn submit(&self, fill: &Fill, buffer: &Buffer, offset: u64) -> Result<(), Error> {
        let targets = [Target::new(fill, buffer, offset)];
        self.submit_with(&targets, &Given::new([buffer]), Vec::new())
    }

    /// Draws many fills in as many submissions to the device's queue as it takes: none has more elements than
    /// [`with_submissions_of`](GpuFiller::with_submissions_of) says, or more than 16,384 fills (of slices: runs of elements that follow
    /// one another in the tensor). Memory stays bounded, whatever the number of targets.
    ///
    /// # Errors
    /// Those of [`submit`](GpuFiller::submit); all targets are looked at before the first one is drawn. If the device fails underway,
    /// all that was submitted before is drawn.
    ///
    /// ```
    /// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    /// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
    /// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    /// # use fanin::gpu::{GpuFiller, Target};
    /// # use fanin::{Distribution, Dtype, Fill, Stream};
    /// # let usage = wgpu::BufferUsages::STORAGE;
    /// # let arena = device.create_buffer(&wgpu::BufferDescriptor { label: None, size: 1 << 20, usage, mapped_at_creation: false });
    /// let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
    /// let fill = normal.fill_range(0..1 << 18, Stream::named(0, "weight"), Dtype::F32)?;
    /// GpuFiller::new(&device, &queue)?.submit_all(&[Target::new(&fill, &arena, 0)])?;
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn submit_all(&self, targets: &[Target<'_>]) -> Result<(), Error> {
        self.check(targets)?;
        let given = Given::new(targets.iter().map(|target| target.buffer));
        let mut run = Run::new(&self.engine, given.buffers());
        let most = self.submission;
        self.plan(targets, &given, Planning { most: Some(most), unproved: None }, |steps| run.submit(steps, most))
    }
}
