//! The report on a tensor that was drawn, and its text.

use std::path::PathBuf;

use fanin::{Distribution, Dtype, Scheme, Seed};

use crate::commands::digits::{bars, five_digits};
use crate::ops::fill::DrawnSummary;
use crate::say;

/// The report on a tensor that was drawn.
pub struct FillReport {
    /// The file that it is in, if it was written.
    pub output: Option<PathBuf>,
    pub device: String,
    pub seed: Seed,
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<u64>,
    pub distribution: Distribution,
    pub bytes: u64,
    /// The SHA-256 of its bytes, if it was asked for.
    pub digest: Option<String>,
    /// The numbers that say what it holds, if nothing else was asked for.
    pub summary: Option<DrawnSummary>,
    pub seconds: f64,
    pub note: Option<String>,
}

impl FillReport {
    pub fn print(&self) {
        let FillReport { name, dtype, shape, distribution, seed, device, seconds, .. } = self;
        let tensor = format!("{name} {dtype} {shape:?}, {distribution}");
        let by = format!("seed {seed}, drawn by {device} in {seconds:.2} s");
        let (mean, std) = (distribution.mean(), distribution.std());
        if let Some(output) = &self.output {
            say!("{}: {tensor}, mean {mean:.6}, std {std:.6}, {by}", output.display());
        }
        if let Some(DrawnSummary { summary: s, first }) = &self.summary {
            say!("{tensor}, {by}");
            say!("{:>9} {:>11}, expected {}", "mean", five_digits(s.mean), five_digits(mean));
            say!("{:>9} {:>11}, expected {}", "std", five_digits(s.std()), five_digits(std));
            say!("{:>9} {:>11}", "min", five_digits(s.min));
            say!("{:>9} {:>11}", "max", five_digits(s.max));
            say!("{:>9} {:>11}", "zeros", s.zeros);
            say!("{:>9} {}", "histogram", bars(&s.histogram));
            let first: Vec<_> = first.iter().map(ToString::to_string).collect();
            say!("{:>9} {}", "first", first.join(", "));
        }
        if let Some(digest) = &self.digest {
            say!("{digest}");
        }
        if let Some(note) = &self.note {
            say::aside(&format!("fanin: {note}"));
        }
    }

    pub fn print_json(&self) {
        let distribution = self.distribution;
        let mut report = serde_json::json!({
            "output": self.output.as_ref().map(|output| output.display().to_string()), "device": self.device,
            "seed": self.seed, "name": self.name, "dtype": self.dtype.to_string(), "shape": self.shape,
            "distribution": distribution.to_string(), "resolved": Scheme::from(distribution).to_string(),
            "mean": distribution.mean(), "std": distribution.std(), "bytes": self.bytes, "sha256": self.digest,
            "seconds": self.seconds, "note": self.note,
        });
        if let Some(drawn) = &self.summary {
            report["drawn"] = drawn.summary.to_json();
            report["first"] = drawn.first.as_slice().into();
        }
        say::json(&report);
    }
}
