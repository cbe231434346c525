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
//! The vectors are worked out in scratch memory of the device, which serves all matrices of a call and is given back when its commands
//! are done: at most 64 MiB of vectors, as much of partial sums, and twice 32 vectors. A matrix whose vectors do not fit is drawn in
//! parts, which use the same memory again. Of 1,024 a side it is 9 MB; of 4,096, 86 MB. It takes more dispatches than other fills, ten
//! for each 32 vectors, and about the time of a product of two such matrices: [`submit_all`](GpuFiller::submit_all) makes many
//! submissions of a large one, and one recording takes 16,384 blocks of 32 vectors. Values of
//! [`log_uniform`](crate::scheme::log_uniform), [`log_of_uniform`](crate::scheme::log_of_uniform),
//! [`column_norms`](crate::scheme::column_norms) and
//! [`inverse_softplus`](crate::scheme::inverse_softplus) are worked out on the host and handed over, at most 4 million in one
//! recording.
#![doc = include_str!("foreign.md")]

mod arena;
mod batches;
mod compile;
mod engine;
mod features;
mod filler;
pub(crate) mod given;
mod kernels;
mod orthogonal;
mod pieces;
mod plan;
pub(crate) mod program;
mod proofs;
mod proved;
pub(crate) mod recording;
mod reflections;
mod run;
mod scopes;
mod self_test;
mod slot;
#[cfg(not(target_family = "wasm"))]
mod spirv;
mod tables;
mod target;
mod windows;

pub use arena::Arena;
pub use features::{Rounding, features};
pub use filler::GpuFiller;
pub use self_test::{Check, SelfTest};
pub use target::Target;
pub use wgpu;
