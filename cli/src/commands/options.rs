//! Options that commands share.

use clap::Args;

use crate::draw::seed;
use crate::failure::Failure;

/// The options that `init` and `fill` share.
#[derive(Args)]
pub struct SeedAndDevice {
    /// The seed: 0 to 2^64 - 1; for keras, jax and jax-nn -2^63 to 2^63 - 1, for tensorflow two such, --seed=S0,S1.
    /// (JAX takes a seed's low 32 bits, and PyTorch's CPU too.) For torch-cuda SEED,sms=N,threads=N, the GPU's multiprocessors and the
    /// threads of each.
    #[arg(long, value_name = "N", default_value = "0", allow_hyphen_values = true)]
    seed: String,
    /// The framework whose random values are drawn for this seed, or fanin's own. In a model, each tensor has a seed of its own, made
    /// of this one and its name. With PyTorch's the model has one seed, and its tensors are drawn in the order of its plan.
    #[arg(long, alias = "generator", value_enum, ignore_case = true, default_value_t = seed::StreamKind::Native)]
    stream: seed::StreamKind,
    /// The device that draws: `auto` (a GPU if there is one, else the CPU), `gpu`, `cpu`, or a part of an adapter's backend and name as
    /// `fanin devices` prints them. Every device draws the same bits.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    /// Print a JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

impl SeedAndDevice {
    pub fn seed(&self) -> Result<fanin::Seed, Failure> {
        seed::parse(self.stream, &self.seed)
    }
}

/// A value of the library's, for clap.
pub fn parse<T: std::str::FromStr<Err = fanin::Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|e: fanin::Error| e.to_string())
}
