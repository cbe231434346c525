//! The kernels: fills of the caller's buffers on the caller's device. With the feature `gpu`, a default.
//!
//! - [`GpuFiller`] records fills into your encoder, or submits them itself.
//! - [`wgpu`] is the one that fanin was built with: a program that takes its device from there cannot have another version of it.
//!
//! # Few calls for many fills
//! A model's tensors are many, most of them small. [`record_all`](GpuFiller::record_all) and [`submit_all`](GpuFiller::submit_all)
//! draw all of them in one compute pass, or few, with up to 28 small fills in one dispatch; [`record`](GpuFiller::record) in a loop
//! makes a pass, a buffer and bindings for each. Of 100,000 tensors of 64 elements in one
//! buffer, `record_all` took 0.3 s and 60 MB on Mesa's lavapipe (two cores of an AMD EPYC), the loop 21 s and 2.6 GB; the CPU 0.03 s.
//!
//! # Where fills lie
//! A 32-bit fill may begin at any multiple of 4 bytes, a 16-bit fill at any multiple of 2; a buffer must reach to the end of the
//! last 32-bit word that a fill touches. Fastest is a fill whose first element is a multiple of four (as that of a whole tensor is)
//! at an offset that is a multiple of 16 bytes (8 for 16-bit dtypes): blocks are then written as vectors. From another offset it takes
//! about the same, and 1.6 times as long for 16-bit elements that begin in the middle of a word, whose neighbours share words.
//! Targets that share a word or overlap are written in the order in which they are given, each after the one before.
//!
//! # Orthogonal matrices
//! The vectors are worked out in scratch memory of the device, made for each kind of matrix in a fill and given back when the commands
//! are done: at most 64 MiB of vectors, as much of partial sums, and twice 32 vectors. A matrix whose vectors do not fit is drawn in
//! parts, which use the same memory again. Of 1,024 a side it is 9 MB; of 4,096, 86 MB. It takes more dispatches than other fills, ten
//! for each 32 vectors, and about the time of a product of two such matrices: [`submit_all`](GpuFiller::submit_all) makes many
//! submissions of a large one, and one recording takes 16,384 blocks of 32 vectors. Values of
//! [`log_uniform`](crate::scheme::log_uniform), [`log_of_uniform`](crate::scheme::log_of_uniform) and
//! [`inverse_softplus`](crate::scheme::inverse_softplus) are worked out on the host and handed over, at most 4 million in one
//! recording.
#![doc = include_str!("foreign.md")]

mod arena;
mod batches;
mod compile;
mod features;
mod kernels;
mod orthogonal;
mod pipelines;
mod proofs;
mod scopes;
mod self_test;
#[cfg(not(target_family = "wasm"))]
mod spirv;
mod tables;
mod windows;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub use arena::Arena;
pub use wgpu;
use wgpu::{BindGroup, Buffer, BufferUsages, CommandEncoder, ComputePipeline, Device, PipelineCache, Queue};

use crate::cpu::TILE;
use crate::sampler::Sampler;
use crate::{Error, ErrorKind, Fill};
use batches::{Batch, Batches, Common};
pub use features::{Rounding, features};
use kernels::Writes;
use pipelines::Pipelines;
use proofs::Proofs;
pub(crate) use scopes::scoped;
pub use self_test::{Check, SelfTest};
use tables::Table;
use windows::Limits;

/// Bytes of a buffer of parameters, which many dispatches share.
const PARAMETERS: usize = 4 << 20;
/// The number of runs of elements that `submit_all` submits at once.
const RUNS_PER_SUBMISSION: u64 = 1 << 14;

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
/// Kernels are faster on a device that was created with [`features`]: they multiply in 64 bits, and on Vulkan their rounding is kept by
/// the language ([`Rounding`]). The values are the same without.
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
    device: Device,
    queue: Queue,
    limits: Limits,
    pipelines: Pipelines,
    /// Pipelines of other kernels than those that draw, by their labels.
    others: Mutex<HashMap<String, ComputePipeline>>,
    proofs: Proofs,
    /// Elements of one submission of `submit_all`, at most.
    submission: u64,
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
/// let filler = GpuFiller::new(&device, &queue)?;
/// let arena = filler.create_buffer("arena", 3000, wgpu::BufferUsages::STORAGE)?;
/// let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
/// let weight = Fill::new(&normal, Stream::named(0, "weight"), Dtype::BF16, 0..1000)?;
/// let bias = Fill::new(&Distribution::Constant { value: 0.0 }, Stream::named(0, "bias"), Dtype::F32, 0..250)?;
/// let targets = [Target::new(&weight, &arena, 0), Target::new(&bias, &arena, 2000)];
/// let mut encoder = device.create_command_encoder(&Default::default());
/// filler.record_all(&mut encoder, &targets)?;
/// queue.submit([encoder.finish()]);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target<'a> {
    /// The fill to draw.
    pub fill: &'a Fill,
    /// The buffer to draw into, with the usage `STORAGE`.
    pub buffer: &'a Buffer,
    /// The byte offset of the first element, a multiple of the element's size.
    pub offset: u64,
}

impl<'a> Target<'a> {
    /// The fill, into this buffer from this byte offset on.
    ///
    /// See [`Target`] for an example.
    pub const fn new(fill: &'a Fill, buffer: &'a Buffer, offset: u64) -> Target<'a> {
        Target { fill, buffer, offset }
    }
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
        GpuFiller::with_proofs(device, queue, Proofs::wanted(Rounding::of(device)))
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
        let (pipelines, others) = (Pipelines::new(device)?, Mutex::default());
        let (device, queue) = (device.clone(), queue.clone());
        Ok(GpuFiller { device, queue, limits, pipelines, others, proofs, submission: 1 << 28 })
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
        GpuFiller { pipelines: self.pipelines.with_cache(cache), ..self }
    }

    /// This filler, whose [`submit_all`](GpuFiller::submit_all) draws at most so many elements in one submission: 2^28 unless told,
    /// at least 1,024.
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
    /// let fill = Fill::new(&normal, Stream::numbered(0, 0), Dtype::BF16, 0..1 << 20)?;
    /// filler.prepare([&fill])?;
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn prepare<'a>(&self, fills: impl IntoIterator<Item = &'a Fill>) -> Result<(), Error> {
        for fill in fills {
            if !fill.orthogonals().is_empty() {
                let rounding = self.prove_orthogonal(fill.dtype())?;
                orthogonal::prepare(self, rounding)?;
            }
            for sampler in fill.samplers() {
                // Elements beside matrices are zero.
                let sampler = if matches!(sampler, Sampler::Orthogonal(_)) { &Sampler::Constant(0) } else { sampler };
                for &writes in Writes::of(sampler.kernel(), fill.dtype()) {
                    let variant = windows::variant(sampler, fill.dtype(), writes);
                    let rounding = self.prove_all([variant], [fill])?;
                    self.pipelines.get(&self.device, variant, rounding)?;
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
        &self.device
    }

    /// The device's queue.
    #[cfg(feature = "probe")]
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// A pipeline of another kernel than those that draw, compiled when it is first asked for.
    pub(crate) fn compiled(
        &self,
        label: &str,
        compile: impl FnOnce() -> Result<ComputePipeline, Error>,
    ) -> Result<ComputePipeline, Error> {
        let others = || self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = others().get(label).cloned();
        if let Some(pipeline) = compiled {
            return Ok(pipeline);
        }
        // Others may compile meanwhile.
        let pipeline = compile()?;
        Ok(others().entry(label.into()).or_insert(pipeline).clone())
    }

    /// A buffer of this device that holds so many bytes, rounded up to whole words, with the usage `STORAGE` beside these.
    ///
    /// Any other will do; this one says as an [`Error`] what wgpu would panic about, such as memory that runs out.
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
        let size = bytes.checked_next_multiple_of(4).unwrap_or(bytes);
        let (label, usage) = (Some(label), usages | BufferUsages::STORAGE);
        scoped(&self.device, &format!("a buffer of {size} bytes"), || {
            self.device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false })
        })
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
    /// # let fill = Fill::new(&Distribution::Constant { value: 1.0 }, Stream::numbered(0, 0), Dtype::F32, 0..16)?;
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
        let steps = self.steps(targets, None)?;
        self.record_steps(encoder, steps)
    }

    /// All that targets take, in order: nothing is recorded before all that can fail is done. Pipelines are proved first, but for
    /// those of a proof itself, which says how they keep their rounding.
    fn steps(&self, targets: &[Target<'_>], unproved: Option<Rounding>) -> Result<Vec<Step>, Error> {
        let (mut steps, mut batches) = (Vec::new(), Batches::default());
        let dispatches = |batches: Batches| {
            let prove = || self.prove_all(batches.variants(), targets.iter().map(|target| target.fill));
            let rounding = unproved.map_or_else(prove, Ok)?;
            self.dispatches(batches, rounding)
        };
        for target in targets {
            self.add(&mut batches, target)?;
            for orthogonal in target.fill.orthogonals() {
                let rounding = unproved.map_or_else(|| self.prove_orthogonal(target.fill.dtype()), Ok)?;
                steps.extend(dispatches(std::mem::take(&mut batches))?.map(Step::Pass));
                steps.extend(orthogonal::Job::new(self, rounding, orthogonal, target)?.all()?);
            }
        }
        steps.extend(dispatches(batches)?.map(Step::Pass));
        Ok(steps)
    }

    /// Adds all of a target but orthogonal matrices, in whose place are zeros.
    fn add(&self, batches: &mut Batches, Target { fill, buffer, offset }: &Target<'_>) -> Result<(), Error> {
        for window in windows::plan(fill, buffer, *offset, &self.limits)? {
            batches.add(buffer, &window);
        }
        Ok(())
    }

    /// Records one fill and submits it to the device's queue.
    ///
    /// # Errors
    /// Those of [`record`](GpuFiller::record), and [`ErrorKind::Device`] where the buffer is mapped or destroyed; nothing is drawn then.
    pub fn submit(&self, fill: &Fill, buffer: &Buffer, offset: u64) -> Result<(), Error> {
        self.submit_recorded(|encoder| self.record(encoder, fill, buffer, offset))
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
    /// let fill = Fill::new(&normal, Stream::named(0, "weight"), Dtype::F32, 0..1 << 18)?;
    /// GpuFiller::new(&device, &queue)?.submit_all(&[Target::new(&fill, &arena, 0)])?;
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn submit_all(&self, targets: &[Target<'_>]) -> Result<(), Error> {
        for target in targets {
            windows::check(target.fill, target.buffer, target.offset)?;
            for orthogonal in target.fill.orthogonals() {
                orthogonal::check(self, orthogonal)?;
            }
        }
        let mut rest = targets;
        while !rest.is_empty() {
            // Those up to the next that has orthogonal matrices, which are cut in a way of their own.
            let last = rest.iter().position(|target| !target.fill.orthogonals().is_empty());
            let (first, after) = rest.split_at(last.map_or(rest.len(), |last| last + 1));
            let orthogonal = last.map(|last| &rest[last]);
            let rounding = orthogonal.map(|target| self.prove_orthogonal(target.fill.dtype())).transpose()?;
            self.submit_parts(first)?;
            for (target, rounding) in orthogonal.into_iter().zip(rounding) {
                for orthogonal in target.fill.orthogonals() {
                    self.submit_orthogonal(&orthogonal::Job::new(self, rounding, orthogonal, target)?)?;
                }
            }
            rest = after;
        }
        Ok(())
    }

    /// All but orthogonal matrices, in whose place are zeros.
    fn submit_parts(&self, targets: &[Target<'_>]) -> Result<(), Error> {
        let most = self.submission;
        let mut parts = targets.iter().flat_map(|target| parts(target, most)).peekable();
        while parts.peek().is_some() {
            let (mut elements, mut runs, mut batch) = (0, 0, Vec::new());
            while let Some(Part { fill, .. }) = parts.peek() {
                let full = fill.len() > most - elements || fill.most_spans() > RUNS_PER_SUBMISSION.saturating_sub(runs);
                if full && !batch.is_empty() {
                    break;
                }
                elements += fill.len();
                runs += fill.most_spans();
                batch.extend(parts.next());
            }
            let mut batches = Batches::default();
            for part in &batch {
                self.add(&mut batches, &part.target())?;
            }
            let rounding = self.prove_all(batches.variants(), batch.iter().map(|part| &part.fill))?;
            self.submit_recorded(|encoder| self.record_batches(encoder, batches, rounding))?;
        }
        Ok(())
    }

    fn submit_orthogonal(&self, job: &orthogonal::Job<'_>) -> Result<(), Error> {
        for panel in job.panels() {
            let mut steps = job.panel(panel)?.into_iter().peekable();
            while steps.peek().is_some() {
                let (mut work, mut batch) = (0u64, Vec::new());
                while let Some(step) = steps.peek()
                    && (batch.is_empty() || work.saturating_add(step.work()) <= self.submission)
                {
                    work += step.work();
                    batch.extend(steps.next());
                }
                self.submit_recorded(|encoder| self.record_steps(encoder, batch))?;
            }
        }
        Ok(())
    }

    fn submit_recorded(&self, record: impl FnOnce(&mut CommandEncoder) -> Result<(), Error>) -> Result<(), Error> {
        scoped(&self.device, "the submission", || {
            let mut encoder =
                self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("fanin") });
            record(&mut encoder)?;
            self.queue.submit([encoder.finish()]);
            Ok(())
        })?
    }

    /// Dispatches, with their parameters in few buffers, if there are any.
    fn dispatches(&self, batches: Batches, rounding: Rounding) -> Result<Option<Vec<Dispatch>>, Error> {
        let mut tables = HashMap::new();
        let mut dispatches = Vec::new();
        let mut bindings = Vec::new();
        let mut bytes = Vec::new();
        let mut waiting = Vec::new();
        let mut batches = batches.in_order().into_iter().peekable();
        while let Some(Batch { common, rows }) = batches.next() {
            let pipeline = self.pipelines.get(&self.device, common.variant, rounding)?;
            let offset = bytes.len() as u32;
            dispatches.push((pipeline, [common.workgroups, rows.len() as u32], offset, bindings.len() + waiting.len()));
            bytes.extend_from_slice(bytemuck::cast_slice(&rows));
            bytes.resize(bytes.len().next_multiple_of(self.pipelines.alignment()), 0);
            let full = bytes.len() >= PARAMETERS;
            // Neighbours in one buffer share their bindings.
            let bound = |common: &Common| (common.buffer.clone(), common.binding.clone(), common.table.clone());
            let shares = |next: &Batch| bound(&next.common) == bound(&common);
            if full || !batches.peek().is_some_and(shares) {
                waiting.push(bound(&common));
            }
            if full || batches.peek().is_none() {
                let parameters = self.pipelines.parameters(&self.device, &bytes)?;
                bytes.clear();
                for (buffer, binding, table) in waiting.drain(..) {
                    let table = table.map(|table| self.table(table, &mut tables)).transpose()?;
                    bindings.push(self.pipelines.bindings(
                        &self.device,
                        &parameters,
                        &buffer,
                        binding,
                        table.as_ref(),
                    )?);
                }
            }
        }
        let with_bindings = |(pipeline, groups, offset, at): (_, _, _, usize)| {
            let bindings: &BindGroup = &bindings[at];
            Dispatch { pipeline, bindings: bindings.clone(), offset: Some(offset), groups }
        };
        Ok((!dispatches.is_empty()).then(|| dispatches.into_iter().map(with_bindings).collect()))
    }

    /// A table on the device; one of the host goes there once.
    fn table(&self, table: Table, known: &mut HashMap<*const u32, (Arc<[u32]>, Buffer)>) -> Result<Buffer, Error> {
        let words = match table {
            Table::Device(buffer) => return Ok(buffer),
            Table::Host(words) => words,
        };
        if let Some((_, buffer)) = known.get(&words.as_ptr()) {
            return Ok(buffer.clone());
        }
        let bytes: &[u8] = bytemuck::cast_slice(&words);
        if bytes.len() as u64 > self.limits.binding() {
            let allowed = format!("at most {} on this device", self.limits.binding());
            return Err(Error::new(ErrorKind::DeviceLimit, "the bytes of a table of values", bytes.len(), allowed));
        }
        let buffer = self.pipelines.holding(&self.device, bytes, bytes.len(), BufferUsages::STORAGE)?;
        known.insert(words.as_ptr(), (words, buffer.clone()));
        Ok(buffer)
    }

    /// Records what has been made ready.
    fn record_steps(&self, encoder: &mut CommandEncoder, steps: Vec<Step>) -> Result<(), Error> {
        if steps.is_empty() {
            return Ok(());
        }
        scoped(&self.device, "recording", || {
            for step in &steps {
                match step {
                    Step::Pass(dispatches) => {
                        let descriptor = wgpu::ComputePassDescriptor { label: Some("fanin"), timestamp_writes: None };
                        let mut pass = encoder.begin_compute_pass(&descriptor);
                        for Dispatch { pipeline, bindings, offset, groups: [x, y] } in dispatches {
                            pass.set_pipeline(pipeline);
                            pass.set_bind_group(0, bindings, offset.as_slice());
                            pass.dispatch_workgroups(*x, *y, 1);
                        }
                    }
                    Step::Copy { from, to, bytes } => encoder.copy_buffer_to_buffer(from, 0, to, 0, *bytes),
                    Step::Clear { buffer, from, bytes } => encoder.clear_buffer(buffer, *from, Some(*bytes)),
                }
            }
        })
    }

    fn record_batches(&self, encoder: &mut CommandEncoder, batches: Batches, rounding: Rounding) -> Result<(), Error> {
        let steps = self.dispatches(batches, rounding)?.map(Step::Pass);
        self.record_steps(encoder, steps.into_iter().collect())
    }
}

/// The steps that are recorded, one after the other.
enum Step {
    /// Dispatches in one pass.
    Pass(Vec<Dispatch>),
    /// A buffer's beginning from another one's.
    Copy { from: Buffer, to: Buffer, bytes: u64 },
    /// Zeros.
    Clear { buffer: Buffer, from: u64, bytes: u64 },
}

impl Step {
    /// About how many elements would take as long to draw.
    fn work(&self) -> u64 {
        let of = |dispatch: &Dispatch| dispatch.groups.iter().map(|&groups| u64::from(groups)).product::<u64>();
        match self {
            Step::Pass(dispatches) => dispatches.iter().map(of).sum::<u64>().saturating_mul(2 * TILE),
            Step::Copy { .. } | Step::Clear { .. } => 0,
        }
    }
}

struct Dispatch {
    pipeline: ComputePipeline,
    bindings: BindGroup,
    /// The place of its parameters in their buffer, where bindings are shared.
    offset: Option<u32>,
    groups: [u32; 2],
}

/// Some of a target's elements.
struct Part<'a> {
    fill: Fill,
    buffer: &'a Buffer,
    offset: u64,
}

impl Part<'_> {
    fn target(&self) -> Target<'_> {
        Target { fill: &self.fill, buffer: self.buffer, offset: self.offset }
    }
}

/// A target in parts of at most so many elements, a tile or more, and of few runs; where elements follow one another, they are cut
/// where tiles begin.
fn parts<'a>(target: &Target<'a>, most: u64) -> impl Iterator<Item = Part<'a>> + use<'a> {
    let Target { fill, buffer, offset } = *target;
    let (mut rest, mut offset) = (fill.clone(), offset);
    let most = if fill.samplers().any(tables::is_drawn) { most.min(tables::MOST_DRAWN) } else { most };
    std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| {
            let spans = rest.most_spans();
            let len = if rest.len() <= most && spans <= RUNS_PER_SUBMISSION {
                rest.len()
            } else if rest.runs() == 1 && spans <= RUNS_PER_SUBMISSION {
                let start = rest.range().start;
                (start + most) / TILE * TILE - start
            } else {
                (rest.len() / spans).saturating_mul(RUNS_PER_SUBMISSION).clamp(1, most)
            };
            let (fill, after) = rest.split_at(len);
            let part = Part { offset, buffer, fill };
            offset += part.fill.byte_len();
            rest = after;
            part
        })
    })
}
