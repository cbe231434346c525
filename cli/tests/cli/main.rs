//! The program, as its users run it.

mod common;
#[path = "../../../src/golden.rs"]
mod golden;

mod base;
mod checkpoints;
mod config;
mod devices;
mod fills;
mod fp8;
mod hostile;
mod models;
mod plan;
mod presets;
mod probe;
mod readers;
mod torch;
mod wrong_input;
