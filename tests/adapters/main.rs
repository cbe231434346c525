//! What the library promises on every adapter of this machine.

mod device_errors;
mod moments;
mod probe;
mod same_bits;
mod slices;
mod structures;
