//! A library that initialises neural-network weights **in place in GPU buffers**. One seed gives the same bits on any GPU, driver or CPU,
//! for any shard of any tensor.
//!
//! # On the CPU
//! ```
//! use fanin::{Dtype, Layout, Scheme, Stream, cpu};
//!
//! let he: Scheme = "he_normal".parse()?;
//! let fill = he.fill(&[256, 128], Layout::OUT_IN, Stream::named(42, "layer.0.weight"), Dtype::F32)?;
//! let weight: Vec<f32> = cpu::vec(&fill)?; // the whole tensor
//! let rows: Vec<f32> = cpu::vec(&fill.slice(0, 64..128)?)?; // or a slice of it alone
//! assert_eq!(rows, weight[64 * 128..128 * 128]);
//! # Ok::<(), fanin::Error>(())
//! ```
#![cfg_attr(feature = "gpu", doc = include_str!("gpu/front.md"))]
//! # From a scheme to values
//! ```text
//! Scheme + shape + Layout ──> Distribution ──> Fill (+ Stream, Dtype, which elements)
//!                                                ├──> gpu::GpuFiller: WGSL kernels ──> your wgpu::Buffer
//!                                                └──> cpu::fill: their twins ────────> your &mut [f32 | f16 | bf16]
//! ```
//!
//! - [`Scheme`] is a method of initialisation (`he_normal`); with a shape and a [`Layout`] it becomes a [`Distribution`].
//! - [`Stream`] is the sequence of random words of one tensor, made from a seed and the tensor's name. Other frameworks' seeds have
//!   streams too, and [`seeds`] makes one for each tensor of a model.
//! - [`Fill`] is a tensor, a slice or a range of one, ready to be drawn.
//! - [`cpu`] draws it into memory of the host, `gpu::GpuFiller` into a buffer on your device, with the same bits.
//! - `rules` says which scheme each tensor of a whole model takes.
//!
//! # Features
//! | feature | has | needs |
//! | --- | --- | --- |
//! | `gpu` (default) | `gpu`: drawing into buffers of [wgpu](https://docs.rs/wgpu/30), which it hands on as `gpu::wgpu` | wgpu 30 |
//! | `probe` | `probe`: whether layers drawn by a scheme saturate, vanish or explode | ndarray 0.17, within |
//! | `rules` | `rules`: rules and presets for whole models, and their lists of tensors | |
//! | `rand` | `StreamRng`: streams as generators of the [rand](https://docs.rs/rand/0.10) crates | rand 0.10 |
//!
//! wgpu's backends (Vulkan, Metal, DirectX, OpenGL) are features of wgpu, which the program's own dependency on it turns on.
//! `half` 2 has the 16-bit element types. Rust 1.89 or later builds it; a later minimum is a minor version. Another major version of
//! wgpu or rand is another one of fanin's (before 1.0, a minor one).
//!
//! # What is guaranteed
//! - **The same bits everywhere.** Kernels use only those operations that WGSL defines to the last bit, and their twins in
//!   Rust use the same ones in the same order. The result of each addition or multiplication is hidden from the next one, or marked in
//!   SPIR-V, so that no compiler may fuse or rearrange them, fast-math included. Tests compare by equality, and `gpu::GpuFiller::new` refuses a
//!   device that draws other bits.
//! - **Any shard is the slice of the whole.** Element `i` depends on the stream, the distribution and `i` alone: not on
//!   ranges, offsets, dispatches, threads or the order of calls.
//! - **The bounds hold in every dtype.** `low <= x < high` for uniform, `low <= x <= high` for truncated normal, after
//!   rounding to f32, f16 or bf16, in fanin's own streams; other frameworks' keep the bounds that they have there, which may
//!   include `high` itself. No value is subnormal in f32 or bf16: one that would be is zero. (A constant is kept as it is.)
//! - **Values are versioned.** [`VALUE_CONTRACT`] changes if any seed's values do, and [`Stream::contract`] of another
//!   framework's streams if theirs do: never in a patch or a minor version. A preset's rules may change in a minor version, and
//!   CHANGELOG.md says so; a checkpoint keeps each tensor's distribution itself.
//!
//! The caller owns device, encoder and buffer. The library keeps no global state. It blocks and reads back only to test a kernel before the
//! kernel's first use. No input panics, and a failure of a device is an [`Error`].
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod arithmetic;
pub mod cpu;
mod distribution;
mod dtype;
mod error;
mod fan;
mod fill;
#[cfg(test)]
mod frozen;
mod gain;
#[cfg(test)]
mod golden;
#[cfg(feature = "gpu")]
pub mod gpu;
mod kernel;
mod kernel_call;
mod keys;
mod layout;
mod limits;
mod matrix;
mod moments;
mod names;
mod number;
mod philox;
#[cfg(feature = "probe")]
pub mod probe;
#[cfg(any(feature = "rand", test))]
mod rng;
#[cfg(feature = "rules")]
pub mod rules;
pub mod scheme;
mod seed;
pub mod seeds;
mod selection;
mod shape;
mod stream;
mod structure;
mod threads;
mod threefry;
pub mod torch;
mod torch_words;

pub use distribution::{Distribution, TRUNCATED_STD};
pub use dtype::{Dtype, Element};
pub use error::{Error, ErrorKind};
pub use fan::Fans;
pub use fill::{Fill, FillPart};
pub use gain::Nonlinearity;
pub use kernel_call::KernelCall;
pub use layout::Layout;
pub use matrix::Matrix;
pub use names::nearest;
pub use philox::philox4x32_10;
#[cfg(feature = "rand")]
pub use rng::StreamRng;
pub use scheme::Scheme;
pub use seed::Seed;
pub use shape::{elements, shape};
pub use stream::{JaxKey, Stream};
pub use structure::{Function, Structure};
pub use threefry::threefry2x32_20;

/// The version of the value contract of fanin's own streams: it changes if and only if some seed's values do.
///
/// The streams of other frameworks have versions of their own, [`Stream::contract`]. The choice of a tensor's distribution by a preset
/// is no part of it: a checkpoint keeps each tensor's distribution itself, and CHANGELOG.md says when a preset changes.
///
/// ```
/// assert_eq!(fanin::VALUE_CONTRACT, 2);
/// ```
pub const VALUE_CONTRACT: u32 = 2;
