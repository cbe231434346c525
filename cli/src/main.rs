//! `fanin`: writes checkpoints of freshly initialised weights, verifies them, and says what the machine's adapters are worth.

#[macro_use]
mod say;

mod bench;
mod checkpoint;
mod choice;
mod devices;
mod engine;
mod failure;
mod fill;
mod init;
mod model;
mod ranks;
mod recipe;
mod rules;
mod seed;
mod stats;
mod verify;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use failure::Failure;

/// Initialises neural-network weights: one seed, the same bits on every GPU and on the CPU.
///
/// Exit codes: 0 done, 2 wrong use or input (no output file is left), 1 anything else; for verify 1 is different.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Init),
    Fill(fill::Fill),
    Rules(rules::RulesOf),
    Verify(verify::Verify),
    Stats(stats::Stats),
    Devices(devices::Devices),
    Bench(bench::Bench),
}

/// What `init` and `fill` share.
#[derive(Args)]
struct Common {
    /// The seed: 0 to 2^64 - 1; for keras, jax and jax-nn -2^63 to 2^63 - 1, for tensorflow two such, --seed=S0,S1.
    /// (JAX takes a seed's low 32 bits.)
    #[arg(long, value_name = "N", default_value = "0", allow_hyphen_values = true)]
    seed: String,
    /// Whose random values are drawn: fanin's own, or what another framework gives for this seed. In a model, each tensor has a
    /// seed of its own, made of this one and its name.
    #[arg(long, value_enum, default_value_t = seed::Kind::Native)]
    stream: seed::Kind,
    /// What draws: `auto` (a GPU if there is one, else the CPU), `gpu`, `cpu`, or a part of an adapter's backend and name
    /// as `fanin devices` prints them. Whichever it is, the bits are the same.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,
    /// Print a JSON object instead of text.
    #[arg(long)]
    json: bool,
}

impl Common {
    fn seed(&self) -> Result<seed::Seed, Failure> {
        seed::Seed::parse(self.stream, &self.seed)
    }
}

fn parse<T: std::str::FromStr<Err = fanin::Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|e: fanin::Error| e.to_string())
}

fn main() -> ExitCode {
    let done = match Program::parse().command {
        Command::Init(init) => init.run(),
        Command::Fill(fill) => fill.run(),
        Command::Rules(rules) => rules.run(),
        Command::Verify(verify) => verify.run(),
        Command::Stats(stats) => stats.run(),
        Command::Devices(devices) => devices.run(),
        Command::Bench(bench) => bench.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            eprintln!("fanin: {message}");
            ExitCode::from(code)
        }
    }
}
