//! `fanin devices`: the machine's adapters, and whether their bits are the CPU's.

use fanin::VALUE_CONTRACT;
use wgpu::Backends;

use crate::draw::adapters::adapters;
use crate::failure::Failure;
use crate::ops::devices::{Device, SelfTestOutcome};
use crate::say;

/// Lists the adapters of this machine, and lets each draw known answers and compare them with the CPU, bit for bit.
///
/// The last lines are for reports: one for each adapter, with a digest of what each kernel drew. The exit code is 1 if one
/// of them disagrees or breaks off, or if none can be opened. One that cannot be opened draws nothing, and is passed over
/// (NVIDIA's OpenGL, whose context wgpu asks for too old a version).
#[derive(clap::Args)]
pub struct Devices {
    /// Print a JSON array instead of text.
    #[arg(long)]
    json: bool,
}

impl Devices {
    pub fn run(self) -> Result<(), Failure> {
        let devices: Vec<_> = adapters(Backends::all()).iter().map(Device::new).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        if self.json {
            say::json(&devices.iter().map(to_json).collect::<Vec<_>>());
        } else if devices.is_empty() {
            say!("no adapters; the CPU draws, on {threads} threads");
        } else {
            devices.iter().for_each(say_device);
            say!("CPU");
            say!("  {threads} threads");
            say!("");
            say!("To report what was seen, paste:");
            devices.iter().for_each(|device| say!("{}", report(device)));
        }
        let none_opened = devices.iter().all(|d| matches!(d.outcome, SelfTestOutcome::Closed(_)));
        let failed = |d: &&Device| !d.agrees() && (none_opened || !matches!(d.outcome, SelfTestOutcome::Closed(_)));
        let failed: Vec<_> = devices.iter().filter(failed).map(|d| d.label.as_str()).collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(Failure::other(format!("the self-test failed on {}", failed.join("; "))))
        }
    }
}

/// Prints what is known of a device.
fn say_device(device: &Device) {
    let kind = if device.hardware { "hardware" } else { "software" };
    let features = if device.features.is_empty() { "none".into() } else { device.features.join(", ") };
    say!("{}", device.label);
    say!("  {kind}, driver {}, features: {features}", device.driver());
    match &device.outcome {
        SelfTestOutcome::Closed(e) => say!("  cannot be opened: {}", e.message),
        SelfTestOutcome::Broken(e) => say!("  self-test: did not run: {}", e.message),
        SelfTestOutcome::Tested(test, ..) if test.agrees() => {
            let (checks, values) = (test.checks.len(), device.values());
            say!("  self-test: agrees with the CPU bit for bit ({checks} checks, {values} values)")
        }
        SelfTestOutcome::Tested(..) => say!("  self-test: DISAGREES with the CPU"),
    }
    match device.outcome.rounding() {
        Some((rounding, Some(refused))) => say!("  rounded {rounding}: by the language {refused}"),
        Some((rounding, None)) => say!("  rounded {rounding}"),
        None => {}
    }
    for check in device.differing() {
        say!("    {}: {} of {} values differ", check.name, check.different, check.values);
    }
}

/// A line for a table of devices; semicolons part its fields.
fn report(device: &Device) -> String {
    let verdict = match device.outcome.test() {
        None => device.outcome.trouble().unwrap_or_default(),
        Some(test) => {
            let digests: Vec<_> = test.digests.iter().map(|(of, digest)| format!("{of} {}", &digest[..8])).collect();
            let rounding = device.outcome.rounding().map(|(rounding, _)| format!(", rounded {rounding}"));
            let verdict = if test.agrees() { "agrees" } else { "DIFFERS" };
            format!("{verdict}{}; {}", rounding.unwrap_or_default(), digests.join(", "))
        }
    };
    let field = |text: &str| text.replace(';', ",");
    let system = format!("{}, {} {}", device.driver(), std::env::consts::OS, std::env::consts::ARCH);
    let (backend, name) = (device.info.backend, field(&device.info.name));
    format!("fanin check: contract {VALUE_CONTRACT}; {backend}; {name}; {}; {verdict}", field(&system))
}

/// The object of a device that `--json` prints.
fn to_json(device: &Device) -> serde_json::Value {
    let wrong: Vec<_> = device
        .differing()
        .map(|c| serde_json::json!({"check": c.name, "values": c.values, "different": c.different}))
        .collect();
    let digests: serde_json::Map<_, _> = device
        .outcome
        .test()
        .iter()
        .flat_map(|test| &test.digests)
        .map(|(of, digest)| (of.clone(), digest.as_str().into()))
        .collect();
    serde_json::json!({
        "device": device.label, "backend": device.info.backend.to_string(), "name": device.info.name,
        "driver": device.info.driver, "driver_info": device.info.driver_info, "hardware": device.hardware,
        "features": device.features, "agrees": device.agrees(), "checks": device.checks().len(), "values": device.values(),
        "disagreements": wrong, "digests": digests, "report": report(device),
        "rounding": device.outcome.rounding().map(|(rounding, _)| rounding),
        "refused_language": device.outcome.rounding().and_then(|(_, refused)| refused),
        "error": device.outcome.trouble(),
    })
}
