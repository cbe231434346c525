//! PyTorch's own generators: the values of `torch.manual_seed(42)`, any part of them alone.
//!
//! PyTorch draws on the CPU by one generator, the Mersenne Twister, in the order of the program's operations. The place of an operation's
//! first word is known before the operation is drawn, so any element of it can be drawn alone. A [`Place`] is a place in the sequence; a
//! [`Draw`] is an operation, and knows the place after it. [`Stream::torch`](crate::Stream::torch) then draws it, or any slice of it, as any
//! other [`Fill`](crate::Fill); [`Draw::doubles`] draws f64.
//!
//! # What an operation takes
//! | operation | words of 32 bits | values |
//! | --- | --- | --- |
//! | `uniform_`, f32, f16, bf16 | n | low 24 bits u: `u 2^-24 * (high - low) + low`, fused, rounded to the dtype; `high` becomes `low` |
//! | `uniform_`, f64 | 2 n | of 53 bits, likewise |
//! | `normal_` of 16 values or more, f32 | n, and 16 more unless n is a multiple of 16 | blocks of 16, by Box and Muller: words j and j + 8 make values j and j + 8; the last 16 of a ragged tensor are of the 16 words more |
//! | the same, f16, bf16 | 16 ceil(n / 16) | the same in f32, rounded |
//! | the same, f64 | 2 n, and 32 more unless n is a multiple of 16 | the same in f64 |
//! | `normal_` of fewer, or of memory with gaps or in another order | 4 for two values | in f64, rounded; of a pair whose second value is not taken, the next such operation takes it, whatever lies between |
//! | `trunc_normal_` | those of `normal_`, once a round | what is outside is drawn again, with the whole tensor, until nothing is |
//!
//! Memory that is not in row-major order is filled in its own order: by strides, the longest first.
//!
//! # What is promised
//! The bits of PyTorch's wheels for x86-64 on a processor with AVX2, in f32, f16 and bf16, on every machine: the kernels' own steps are
//! followed, with fused multiply-adds, and no library of mathematics is asked. Other builds of PyTorch draw other f32 normals from the same
//! words: the wheel for aarch64, and `ATEN_CPU_CAPABILITY=default`, differ in 36 to 38 % of them, by 2.5e-6 standard deviations at most; their
//! uniform values, but for a fused rounding, and their words are the same. f64 normals are PyTorch's own C library's, and drawn where that is
//! glibc.
//!
//! A truncated normal of which the window holds 0.3 of the normal or less is drawn by PyTorch in another way, whose acceptance depends on a
//! logarithm of its library, and refused here.
//!
//! ```
//! use fanin::torch::{Draw, Place, ScalarType};
//! use fanin::{Distribution, Dtype, Fill, Stream, cpu};
//!
//! // torch.manual_seed(42); a = torch.empty(20).normal_(); b = torch.empty(4, 4).uniform_()
//! let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
//! let start = Place::new(42);
//! let after = Draw::new(&normal, ScalarType::F32, 20)?.after(start);
//! assert_eq!(after.words(), 36);
//! let uniform = Distribution::Uniform { low: 0.0, high: 1.0 };
//! let b = uniform.fill(&[4, 4], Stream::torch(after), Dtype::F32)?;
//! let second_row: Vec<f32> = cpu::vec(&b.slice(0, 1..2)?)?;
//! # let _ = second_row;
//! # Ok::<(), fanin::Error>(())
//! ```

pub use draw::{Draw, ScalarType};
#[cfg(feature = "gpu")]
pub(crate) use fill::values;
pub(crate) use fill::{check, fill};
pub(crate) use sequence::Cursors;

pub use crate::torch_words::{Cuda, Place, TorchKey};

mod double;
mod draw;
mod fill;
mod fused;
mod philox;
mod sequence;
mod single;
