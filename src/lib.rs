//! Neural-network weights, initialised **in place in GPU buffers**: one seed, the same bits on every GPU, driver and CPU,
//! for any shard of any tensor.
//!
//! The way of the data:
//!
//! ```text
//! Scheme + shape + Layout ──> Distribution ──> Fill (+ Stream, Dtype, element range)
//!                                                ├──> gpu::GpuFiller: WGSL kernels ──> your wgpu::Buffer
//!                                                └──> cpu::fill: their twins ────────> your &mut [f32 | f16 | bf16]
//! ```
//!
//! - [`Scheme`] is what a person asks for (`he_normal`); with a shape and a [`Layout`] it becomes a [`Distribution`].
//! - `rules` (with the feature of that name) says which scheme each tensor of a whole model takes.
//! - [`Stream`] says which random words a tensor is made of: those of a seed and the tensor's name. Other frameworks' seeds have
//!   streams too, and [`seeds`] makes one for each tensor of a model.
//! - [`Fill`] is a range of a tensor's elements, ready to be drawn.
//! - [`gpu::GpuFiller`] draws it into a buffer on your device, [`cpu::fill`] into a slice, with the same bits.
//!
//! # A program that fills its own buffer and uses it
//! The weights never pass through the host: they are drawn where the next pass reads them.
//!
//! ```
//! use fanin::gpu::GpuFiller;
//! use fanin::{Dtype, Fill, Layout, Scheme, Stream};
//!
//! # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
//! # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
//! # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
//! # let buffer = |size, usage| device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false });
//! # use wgpu::BufferUsages;
//! // The program's own device, buffers and pipeline: here, the sum of each row's squares.
//! let (rows, columns) = (256, 1024);
//! let weight = buffer(rows * columns * 4, BufferUsages::STORAGE);
//! let sums = buffer(rows * 4, BufferUsages::STORAGE | BufferUsages::COPY_SRC);
//! let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
//!     label: None,
//!     source: wgpu::ShaderSource::Wgsl(
//!         "@group(0) @binding(0) var<storage, read> weight: array<f32>;
//!          @group(0) @binding(1) var<storage, read_write> sums: array<f32>;
//!          @compute @workgroup_size(1) fn main(@builtin(workgroup_id) row: vec3<u32>) {
//!              var sum = 0.0;
//!              for (var i = 0u; i < 1024u; i++) { let w = weight[row.x * 1024u + i]; sum += w * w; }
//!              sums[row.x] = sum;
//!          }".into(),
//!     ),
//! });
//! # let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
//! #     label: None, layout: None, module: &module, entry_point: None, compilation_options: Default::default(), cache: None,
//! # });
//! # let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
//! #     label: None,
//! #     layout: &pipeline.get_bind_group_layout(0),
//! #     entries: &[
//! #         wgpu::BindGroupEntry { binding: 0, resource: weight.as_entire_binding() },
//! #         wgpu::BindGroupEntry { binding: 1, resource: sums.as_entire_binding() },
//! #     ],
//! # });
//!
//! // What to draw ...
//! let he = "he_normal".parse::<Scheme>()?.distribution(&[rows, columns], Layout::OUT_IN)?;
//! let fill = Fill::new(&he, Stream::named(42, "weight"), Dtype::F32, 0..rows * columns)?;
//!
//! // ... recorded ahead of the pass that reads it.
//! let mut encoder = device.create_command_encoder(&Default::default());
//! GpuFiller::new(&device, &queue)?.record(&mut encoder, &fill, &weight, 0)?;
//! {
//!     let mut pass = encoder.begin_compute_pass(&Default::default());
//!     pass.set_pipeline(&pipeline);
//!     pass.set_bind_group(0, &bindings, &[]);
//!     pass.dispatch_workgroups(rows as u32, 1, 1);
//! }
//! # let read = buffer(rows * 4, BufferUsages::COPY_DST | BufferUsages::MAP_READ);
//! # encoder.copy_buffer_to_buffer(&sums, 0, &read, 0, rows * 4);
//! queue.submit([encoder.finish()]);
//! # read.map_async(wgpu::MapMode::Read, .., |r| r.unwrap());
//! # device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
//! # let view = read.get_mapped_range(..).unwrap();
//! # let sums: &[f32] = bytemuck::cast_slice(&view);
//! # let mean = sums.iter().sum::<f32>() / rows as f32;
//! # // 1024 weights of variance 2 / 1024: the sums' mean is 2, with a standard error of 2 sqrt(2 / 1024 / 256) = 0.0055.
//! # assert!((mean - 2.0).abs() < 5.0 * 0.0055, "{mean}");
//! # Ok::<(), fanin::Error>(())
//! ```
//!
//! # What is guaranteed
//! - **The same bits everywhere.** Kernels use only those operations that WGSL defines to the last bit, and their twins in
//!   Rust the same in the same order; whatever an addition or multiplication rounded is hidden from the next one, so that no
//!   compiler may fuse or rearrange them, fast-math included. Tests compare by equality, and [`gpu::GpuFiller::new`] refuses a
//!   device that draws other bits.
//! - **Any shard is the slice of the whole.** Element `i` depends on the stream, the distribution and `i` alone: not on
//!   ranges, offsets, dispatches, threads or the order of calls.
//! - **The bounds hold in every dtype.** `low <= x < high` for uniform, `low <= x <= high` for truncated normal, after
//!   rounding to f32, f16 or bf16. Nothing that is drawn is subnormal in f32 or bf16: what would be is zero. (A
//!   constant is what it is.)
//! - **Values are versioned.** [`VALUE_CONTRACT`] changes if any seed's values do, and [`Stream::contract`] of another
//!   framework's streams if theirs do.
//!
//! The caller owns device, queue, encoder and buffer. Nothing here blocks, reads back or keeps global state, but for the
//! self-test, which has to read. No input panics, and what goes wrong on a device is an [`Error`].
#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod cpu;
mod distribution;
mod dtype;
mod error;
mod fan;
mod fill;
mod gain;
#[cfg(test)]
mod golden;
pub mod gpu;
mod moments;
mod philox;
#[cfg(feature = "rules")]
pub mod rules;
mod sampler;
pub mod scheme;
pub mod seeds;
mod special;
mod stream;
mod threefry;

pub use distribution::{Distribution, TRUNCATED_STD};
pub use dtype::{Dtype, Element};
pub use error::Error;
pub use fan::{Fans, Layout, elements};
pub use fill::Fill;
pub use gain::Nonlinearity;
pub use philox::philox4x32_10;
pub use scheme::Scheme;
pub use stream::{JaxKey, PhiloxRng, Stream};
pub use threefry::threefry2x32_20;

/// The version of the value contract of fanin's own streams: it changes if and only if some seed's values do.
///
/// The streams of other frameworks have versions of their own, [`Stream::contract`]. Which distribution a preset gives a tensor is
/// no part of it: a checkpoint keeps each tensor's distribution itself, and what changes a preset is said in CHANGELOG.md.
///
/// ```
/// assert_eq!(fanin::VALUE_CONTRACT, 2);
/// ```
pub const VALUE_CONTRACT: u32 = 2;
