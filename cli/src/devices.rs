//! `fanin devices`: the machine's adapters, and whether their bits are the CPU's.

use fanin::gpu::Check;
use wgpu::{Adapter, Backends, Features};

use crate::engine::{Gpu, adapters, is_hardware, label};
use crate::failure::Failure;

/// Lists the adapters of this machine, and lets each draw known answers and compare them with the CPU, bit for bit.
///
/// The exit code is 1 if one of them disagrees or does not run.
#[derive(clap::Args)]
pub struct Devices {
    /// Print a JSON array instead of text.
    #[arg(long)]
    json: bool,
}

/// The features that a kernel or a measurement can use.
const FEATURES: [(&str, Features); 3] =
    [("int64", Features::SHADER_INT64), ("f16", Features::SHADER_F16), ("timestamps", Features::TIMESTAMP_QUERY)];

impl Devices {
    pub fn run(self) -> Result<(), Failure> {
        let adapters = adapters(Backends::all());
        let mut disagreeing = Vec::new();
        let mut rows = Vec::new();
        for adapter in &adapters {
            let verdict = self_test(adapter);
            let agrees = verdict.as_ref().is_ok_and(|checks| checks.iter().all(|c| c.different == 0));
            if !agrees {
                disagreeing.push(label(adapter));
            }
            let info = adapter.get_info();
            let features: Vec<_> =
                FEATURES.iter().filter(|(_, f)| adapter.features().contains(*f)).map(|(name, _)| *name).collect();
            let (checks, error) = match verdict {
                Ok(checks) => (checks, None),
                Err(e) => (Vec::new(), Some(e.message)),
            };
            let values: u64 = checks.iter().map(|c| c.values).sum();
            if self.json {
                let wrong: Vec<_> = checks
                    .iter()
                    .filter(|c| c.different > 0)
                    .map(|c| serde_json::json!({"check": c.name, "values": c.values, "different": c.different}))
                    .collect();
                rows.push(serde_json::json!({
                    "device": label(adapter), "backend": info.backend.to_string(), "name": info.name,
                    "driver": info.driver, "driver_info": info.driver_info, "hardware": is_hardware(adapter),
                    "features": features, "agrees": agrees, "checks": checks.len(), "values": values,
                    "disagreements": wrong, "error": error,
                }));
                continue;
            }
            let kind = if is_hardware(adapter) { "hardware" } else { "software" };
            say!("{}", label(adapter));
            say!("  {kind}, driver {} {}, features: {}", info.driver, info.driver_info, list(&features));
            match error {
                Some(error) => say!("  self-test: did not run: {error}"),
                None if agrees => {
                    say!("  self-test: agrees with the CPU bit for bit ({} checks, {values} values)", checks.len())
                }
                None => say!("  self-test: DISAGREES with the CPU"),
            }
            for check in checks.iter().filter(|c| c.different > 0) {
                say!("    {}: {} of {} values differ", check.name, check.different, check.values);
            }
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        if self.json {
            say!("{}", serde_json::Value::Array(rows));
        } else if adapters.is_empty() {
            say!("no adapters; the CPU draws, on {threads} threads");
        } else {
            say!("CPU\n  {threads} threads");
        }
        if disagreeing.is_empty() {
            Ok(())
        } else {
            Err(Failure::other(format!("the self-test failed on {}", disagreeing.join("; "))))
        }
    }
}

fn self_test(adapter: &Adapter) -> Result<Vec<Check>, Failure> {
    Ok(Gpu::open_untested(adapter)?.self_test()?.checks)
}

fn list(features: &[&str]) -> String {
    if features.is_empty() { "none".into() } else { features.join(", ") }
}
