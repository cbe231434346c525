//! The self-tests of adapters.

use fanin::gpu::{Check, Rounding, SelfTest};
use wgpu::{Adapter, AdapterInfo, Features};

use crate::draw::adapters::{is_hardware, label};
use crate::draw::gpu::Gpu;
use crate::failure::Failure;

/// The features that a kernel or a measurement can use.
const FEATURES: [(&str, Features); 3] =
    [("int64", Features::SHADER_INT64), ("f16", Features::SHADER_F16), ("timestamps", Features::TIMESTAMP_QUERY)];

/// An adapter and what became of its self-test.
pub struct Device {
    pub label: String,
    pub info: AdapterInfo,
    pub hardware: bool,
    pub features: Vec<&'static str>,
    pub outcome: SelfTestOutcome,
}

/// The outcome of an adapter's self-test.
pub enum SelfTestOutcome {
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

    /// The self-test, if it came to its end.
    pub fn test(&self) -> Option<&SelfTest> {
        if let SelfTestOutcome::Tested(test, ..) = self { Some(test) } else { None }
    }

    /// The reason why there is no test, in words that stand after the device's name.
    pub fn trouble(&self) -> Option<String> {
        match self {
            SelfTestOutcome::Closed(e) => Some(format!("cannot be opened: {}", e.message)),
            SelfTestOutcome::Broken(e) => Some(format!("did not run: {}", e.message)),
            SelfTestOutcome::Tested(..) => None,
        }
    }

    /// The rounding of the kernels, and why it is not by the language, where it could be.
    pub fn rounding(&self) -> Option<(String, Option<&str>)> {
        match self {
            SelfTestOutcome::Tested(_, rounding, refused) => Some((rounding.to_string(), refused.as_deref())),
            _ => None,
        }
    }
}

impl Device {
    /// Tests an adapter.
    pub fn new(adapter: &Adapter) -> Device {
        Device {
            label: label(adapter),
            info: adapter.get_info(),
            hardware: is_hardware(adapter),
            features: FEATURES.iter().filter(|(_, f)| adapter.features().contains(*f)).map(|(name, _)| *name).collect(),
            outcome: SelfTestOutcome::tested(adapter),
        }
    }

    /// True if it drew the CPU's bits.
    pub fn agrees(&self) -> bool {
        self.outcome.test().is_some_and(SelfTest::agrees)
    }

    pub fn checks(&self) -> &[Check] {
        self.outcome.test().map_or(&[], |test| &test.checks)
    }

    pub fn differing(&self) -> impl Iterator<Item = &Check> {
        self.checks().iter().filter(|check| check.different > 0)
    }

    /// The number of values that it drew.
    pub fn values(&self) -> u64 {
        self.checks().iter().map(|check| check.values).sum()
    }

    pub fn driver(&self) -> String {
        [&self.info.driver, &self.info.driver_info].map(|text| text.trim()).join(" ").trim().into()
    }
}
