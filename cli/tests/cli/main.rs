//! The program, as its users run it.

mod common;
#[path = "../../../src/golden.rs"]
mod golden;

mod base;
mod checkpoints;
mod config;
mod fp8;
mod hostile;
mod plan;
mod presets;
mod probe;
mod program;
mod readers;
mod torch;
