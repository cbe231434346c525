//! The random words of PyTorch's generators: places in the sequence of the one on the CPU, and the keys of the others.

pub use keys::{Cuda, TorchKey};
pub use place::Place;

pub(crate) mod keys;
mod leap;
pub(crate) mod place;
mod twist;
pub(crate) mod twister;
