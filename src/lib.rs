//! Neural-network weights, drawn in place in GPU buffers: one seed, the same bits on every GPU and on the CPU.
#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod cpu;
mod distribution;
mod dtype;
mod error;
mod fan;
mod fill;
mod gain;
pub mod gpu;
mod moments;
mod philox;
mod sampler;
pub mod scheme;
mod stream;

pub use distribution::{Distribution, TRUNCATED_STD};
pub use dtype::{Dtype, Element};
pub use error::Error;
pub use fan::{Fans, Layout, elements};
pub use fill::Fill;
pub use gain::Nonlinearity;
pub use philox::philox4x32_10;
pub use scheme::Scheme;
pub use stream::{PhiloxRng, Stream};

/// The version of the value contract: it changes if and only if some seed's values do.
///
/// ```
/// assert_eq!(fanin::VALUE_CONTRACT, 1);
/// ```
pub const VALUE_CONTRACT: u32 = 1;
