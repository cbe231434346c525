//! The report on a checkpoint that was made, and its text.

use std::path::PathBuf;

use fanin::Seed;

use crate::draw::ranks::Rank;
use crate::files::checkpoint::Written;
use crate::say;

/// The report on a checkpoint that was made.
pub struct InitReport {
    pub output: PathBuf,
    pub device: String,
    pub seed: Seed,
    /// The name of the rules.
    pub rules: String,
    pub rank: Rank,
    /// The number of tensors in the files.
    pub tensors: usize,
    pub written: Written,
    pub seconds: f64,
    /// The checkpoint that tensors were copied from.
    pub base: Option<PathBuf>,
    /// The numbers of tensors that were copied as a whole, in part, and not at all.
    pub copied: usize,
    pub grown: usize,
    pub drawn: usize,
    /// The integer tensors that are in no file.
    pub kept_out: Vec<String>,
    pub skipped: Vec<String>,
    pub notes: Vec<String>,
}

impl InitReport {
    pub fn print(&self) {
        let InitReport { tensors, written, rules, seed, device, seconds, copied, grown, drawn, .. } = self;
        let files = if written.files > 1 { format!(" in {} files", written.files) } else { String::new() };
        say!(
            "{}: {tensors} tensors by {rules}, {} values, {:.1} MB{files}, seed {seed}, drawn by {device} in {seconds:.2} s",
            self.output.display(),
            written.values,
            written.bytes as f64 / 1e6,
        );
        if let Some(base) = &self.base {
            let base = base.display();
            say!("of {base}: {copied} tensors copied, {grown} grown, of which the new rows are drawn, {drawn} drawn");
        }
        if !self.kept_out.is_empty() {
            say!("kept out, as they hold integers: {}", self.kept_out.join(", "));
        }
        if !self.skipped.is_empty() {
            say!("skipped by the rules: {}", self.skipped.join(", "));
        }
        for note in &self.notes {
            say!("{note}");
        }
    }

    pub fn print_json(&self) {
        say::json(&serde_json::json!({
            "output": self.output.display().to_string(), "device": self.device, "seed": self.seed, "rules": self.rules,
            "rank": self.rank.rank, "world_size": self.rank.world_size, "tensors": self.tensors,
            "values": self.written.values, "bytes": self.written.bytes, "files": self.written.files,
            "seconds": self.seconds, "kept_out": self.kept_out, "skipped": self.skipped, "notes": self.notes,
            "base": self.base.as_ref().map(|base| base.display().to_string()), "copied": self.copied,
            "grown": self.grown, "drawn": self.drawn,
        }));
    }
}
