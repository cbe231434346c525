//! The program `fanin`: writes checkpoints of freshly initialised weights, verifies them, and says what the machine's adapters
//! are worth.
//!
//! This is no public API: it is a library so that tests and fuzz targets reach what reads a stranger's bytes, which touches no
//! file itself: [`header`](files::header), [`index`](files::index)
//! and [`provenance`](files::provenance).

#![deny(unsafe_code)]

#[macro_use]
mod say;

mod commands;
mod draw;
mod failure;
pub mod files;
mod limits;
mod ops;
mod progress;
mod sha256;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::{bench, devices, fill, init, probe, rules, stats, verify};
use failure::Failure;

/// Initialises neural-network weights: one seed, the same bits on every GPU and on the CPU.
///
/// Exit codes: 0 done, 2 wrong use or input (no output file is left), 3 its output cannot be written, 1 anything else. For verify, as
/// for diff: 0 the same, 1 different, 2 and more trouble.
#[derive(Parser)]
#[command(name = "fanin", version, max_term_width = 100)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Init),
    Fill(fill::Fill),
    Rules(rules::ShowRules),
    Verify(verify::Verify),
    Stats(stats::Stats),
    Probe(probe::Probe),
    Devices(devices::Devices),
    Bench(bench::Bench),
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let command = match Program::try_parse() {
        Ok(program) => program.command,
        Err(e) if e.use_stderr() => {
            // It quotes what was given, which may be a stranger's.
            e.render().to_string().trim_end().lines().for_each(say::aside);
            return ExitCode::from(2);
        }
        Err(help) => help.exit(),
    };
    let done = match command {
        Command::Init(init) => init.run(),
        Command::Fill(fill) => fill.run(),
        Command::Rules(rules) => rules.run(),
        Command::Verify(verify) => verify.run(),
        Command::Stats(stats) => stats.run(),
        Command::Probe(probe) => probe.run(),
        Command::Devices(devices) => devices.run(),
        Command::Bench(bench) => bench.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            say::aside(&format!("fanin: {message}"));
            ExitCode::from(code)
        }
    }
}
