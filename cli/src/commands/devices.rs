//! `fanin devices`: the machine's adapters, and whether their bits are the CPU's.

use fanin::VALUE_CONTRACT;
use fanin::gpu::{Check, Rounding, SelfTest};
use wgpu::{Adapter, AdapterInfo, Backends, Features};

use crate::draw::adapters::{adapters, is_hardware, label};
use crate::draw::gpu::Gpu;
use crate::failure::Failure;
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

/// The features that a kernel or a measurement can use.
const FEATURES: [(&str, Features); 3] =
    [("int64", Features::SHADER_INT64), ("f16", Features::SHADER_F16), ("timestamps", Features::TIMESTAMP_QUERY)];

impl Devices {
    pub fn run(self) -> Result<(), Failure> {
        let devices: Vec<_> = adapters(Backends::all()).iter().map(Device::new).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        if self.json {
            say::json(&devices.iter().map(Device::json).collect::<Vec<_>>());
        } else if devices.is_empty() {
            say!("no adapters; the CPU draws, on {threads} threads");
        } else {
            devices.iter().for_each(Device::say);
            say!("CPU");
            say!("  {threads} threads");
            say!("");
            say!("To report what was seen, paste:");
            devices.iter().for_each(|device| say!("{}", device.report()));
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

/// An adapter and what became of its self-test.
struct Device {
    label: String,
    info: AdapterInfo,
    hardware: bool,
    features: Vec<&'static str>,
    outcome: SelfTestOutcome,
}

/// The outcome of an adapter's self-test.
enum SelfTestOutcome {
    /// The reason why the adapter cannot be opened, and so draws nothing.
    Closed(Failure),
    /// The reason why the test did not come to its end.
    Broken(Failure),
    /// The outcome, the rounding of the kernels, and why it is not by the language, where it could have been.
    Tested(SelfTest, Rounding, Option<String>),
}

impl SelfTestOutcome {
    /// The outcome of the self-test on an adapter.
    fn tested(adapter: &Adapter) -> SelfTestOutcome {
        match Gpu::open(adapter) {
            Err(e) => SelfTestOutcome::Closed(e),
            Ok(gpu) => gpu.self_test().map_or_else(SelfTestOutcome::Broken, |test| {
                let refused = gpu.filler.refused_language().map(|e| format!("{e:#}"));
                SelfTestOutcome::Tested(test, gpu.filler.rounding(), refused)
            }),
        }
    }

    fn test(&self) -> Option<&SelfTest> {
        if let SelfTestOutcome::Tested(test, ..) = self { Some(test) } else { None }
    }

    /// The reason why there is no test, in words that stand after the device's name.
    fn trouble(&self) -> Option<String> {
        match self {
            SelfTestOutcome::Closed(e) => Some(format!("cannot be opened: {}", e.message)),
            SelfTestOutcome::Broken(e) => Some(format!("did not run: {}", e.message)),
            SelfTestOutcome::Tested(..) => None,
        }
    }

    /// The rounding of the kernels, and why it is not by the language, where it could be.
    fn rounding(&self) -> Option<(String, Option<&str>)> {
        match self {
            SelfTestOutcome::Tested(_, rounding, refused) => Some((rounding.to_string(), refused.as_deref())),
            _ => None,
        }
    }
}

impl Device {
    fn new(adapter: &Adapter) -> Device {
        Device {
            label: label(adapter),
            info: adapter.get_info(),
            hardware: is_hardware(adapter),
            features: FEATURES.iter().filter(|(_, f)| adapter.features().contains(*f)).map(|(name, _)| *name).collect(),
            outcome: SelfTestOutcome::tested(adapter),
        }
    }

    fn agrees(&self) -> bool {
        self.outcome.test().is_some_and(SelfTest::agrees)
    }

    fn checks(&self) -> &[Check] {
        self.outcome.test().map_or(&[], |test| &test.checks)
    }

    fn differing(&self) -> impl Iterator<Item = &Check> {
        self.checks().iter().filter(|check| check.different > 0)
    }

    fn values(&self) -> u64 {
        self.checks().iter().map(|check| check.values).sum()
    }

    fn driver(&self) -> String {
        [&self.info.driver, &self.info.driver_info].map(|text| text.trim()).join(" ").trim().into()
    }

    fn say(&self) {
        let kind = if self.hardware { "hardware" } else { "software" };
        let features = if self.features.is_empty() { "none".into() } else { self.features.join(", ") };
        say!("{}", self.label);
        say!("  {kind}, driver {}, features: {features}", self.driver());
        match &self.outcome {
            SelfTestOutcome::Closed(e) => say!("  cannot be opened: {}", e.message),
            SelfTestOutcome::Broken(e) => say!("  self-test: did not run: {}", e.message),
            SelfTestOutcome::Tested(test, ..) if test.agrees() => {
                let (checks, values) = (test.checks.len(), self.values());
                say!("  self-test: agrees with the CPU bit for bit ({checks} checks, {values} values)")
            }
            SelfTestOutcome::Tested(..) => say!("  self-test: DISAGREES with the CPU"),
        }
        match self.outcome.rounding() {
            Some((rounding, Some(refused))) => say!("  rounded {rounding}: by the language {refused}"),
            Some((rounding, None)) => say!("  rounded {rounding}"),
            None => {}
        }
        for check in self.differing() {
            say!("    {}: {} of {} values differ", check.name, check.different, check.values);
        }
    }

    /// A line for a table of devices; semicolons part its fields.
    fn report(&self) -> String {
        let verdict = match self.outcome.test() {
            None => self.outcome.trouble().unwrap_or_default(),
            Some(test) => {
                let digests: Vec<_> =
                    test.digests.iter().map(|(of, digest)| format!("{of} {}", &digest[..8])).collect();
                let rounding = self.outcome.rounding().map(|(rounding, _)| format!(", rounded {rounding}"));
                let verdict = if test.agrees() { "agrees" } else { "DIFFERS" };
                format!("{verdict}{}; {}", rounding.unwrap_or_default(), digests.join(", "))
            }
        };
        let field = |text: &str| text.replace(';', ",");
        let system = format!("{}, {} {}", self.driver(), std::env::consts::OS, std::env::consts::ARCH);
        let (backend, name) = (self.info.backend, field(&self.info.name));
        format!("fanin check: contract {VALUE_CONTRACT}; {backend}; {name}; {}; {verdict}", field(&system))
    }

    fn json(&self) -> serde_json::Value {
        let wrong: Vec<_> = self
            .differing()
            .map(|c| serde_json::json!({"check": c.name, "values": c.values, "different": c.different}))
            .collect();
        let digests: serde_json::Map<_, _> = self
            .outcome
            .test()
            .iter()
            .flat_map(|test| &test.digests)
            .map(|(of, digest)| (of.clone(), digest.as_str().into()))
            .collect();
        serde_json::json!({
            "device": self.label, "backend": self.info.backend.to_string(), "name": self.info.name,
            "driver": self.info.driver, "driver_info": self.info.driver_info, "hardware": self.hardware,
            "features": self.features, "agrees": self.agrees(), "checks": self.checks().len(), "values": self.values(),
            "disagreements": wrong, "digests": digests, "report": self.report(),
            "rounding": self.outcome.rounding().map(|(rounding, _)| rounding),
            "refused_language": self.outcome.rounding().and_then(|(_, refused)| refused),
            "error": self.outcome.trouble(),
        })
    }
}
