//! The report on a verified checkpoint, and its text.

use fanin::Seed;
use serde::Serialize;

use crate::failure::Failure;
use crate::files::compare::Comparison;
use crate::say;

/// The report on a checkpoint.
#[derive(Default)]
pub struct Report {
    pub checkpoint: String,
    /// True if these were given, and are not from the file's metadata.
    pub given_seed: bool,
    pub given_rules: bool,
    /// The checkpoint that copied tensors were compared with, if not with the file's own digests.
    pub base: Option<String>,
    pub origin: Option<Origin>,
    /// The device that drew it again.
    pub device: String,
    /// The number of tensors that there are or should be, and of values that were compared.
    pub tensors: usize,
    pub compared: usize,
    pub values: u64,
    /// The tensors that were not drawn again, but compared as a whole.
    pub copied: Vec<CopiedTensor>,
    pub differences: Vec<Difference>,
    pub not_compared: Vec<NotCompared>,
    /// The digest of the tensors' bytes, where all were compared.
    pub sha256: Option<String>,
}

/// The outcome of a tensor's verification.
pub enum TensorOutcome {
    Compared(Comparison),
    /// The number of values that are those that were copied.
    Copied(u64),
    /// The reason why it cannot be what it should be.
    Wrong(String),
    /// The reason why nothing is said of it, and whether the checkpoint is verified all the same.
    NotCompared {
        reason: String,
        harmless: bool,
    },
}

impl TensorOutcome {
    /// The outcome, where some of it is wrong besides.
    pub fn and(self, wrong: Option<String>) -> TensorOutcome {
        match (wrong, self) {
            (None, outcome) => outcome,
            (Some(reason), TensorOutcome::Compared(found)) if found.different > 0 => {
                TensorOutcome::Wrong(format!("{reason}; {}", found.to_text()))
            }
            (Some(reason), TensorOutcome::Wrong(other)) => TensorOutcome::Wrong(format!("{reason}; {other}")),
            (Some(reason), _) => TensorOutcome::Wrong(reason),
        }
    }
}

impl Report {
    pub fn add(&mut self, tensor: &str, outcome: TensorOutcome) {
        let tensor = tensor.to_string();
        match outcome {
            TensorOutcome::Compared(found) => {
                self.compared += 1;
                self.values += found.compared;
                if found.different > 0 {
                    self.differences.push(Difference { tensor, what: DifferenceKind::Values(found) });
                }
            }
            TensorOutcome::Copied(values) => {
                self.compared += 1;
                self.values += values;
            }
            TensorOutcome::Wrong(reason) => {
                self.differences.push(Difference { tensor, what: DifferenceKind::Other { reason } })
            }
            TensorOutcome::NotCompared { reason, harmless } => {
                self.not_compared.push(NotCompared { tensor, reason, harmless });
            }
        }
    }

    /// The verdict: verified, or why not.
    pub fn verdict(&self) -> Result<(), Failure> {
        let (of, tensors) = (&self.checkpoint, self.tensors);
        let (differ, refused) = (self.differences.len(), self.not_compared.iter().filter(|n| !n.harmless).count());
        if differ > 0 {
            Err(Failure::other(format!("{of}: {differ} of {tensors} tensors differ")))
        } else if refused > 0 {
            Err(Failure::input(format!("{of}: {refused} of {tensors} tensors cannot be compared")))
        } else if !self.is_proved() && tensors > 0 {
            Err(Failure::input(format!(
                "{of}: none of {tensors} tensors was compared, allowed: at least one that is drawn"
            )))
        } else {
            Ok(())
        }
    }

    /// True if anything was compared. The file's words on copies prove nothing of a seed or rules that are given.
    fn is_proved(&self) -> bool {
        let own_word = self.base.is_none() && (self.given_seed || self.given_rules);
        let copied = self.copied.iter().filter(|copied| copied.rows.is_none()).count();
        self.compared > if own_word { copied } else { 0 }
    }

    fn is_same(&self) -> bool {
        self.verdict().is_ok()
    }

    pub fn print(&self) {
        for Difference { tensor, what } in &self.differences {
            match what {
                DifferenceKind::Values(found) => say!("{tensor}: {}", found.to_text()),
                DifferenceKind::Other { reason } => say!("{tensor}: {reason}"),
            }
        }
        for NotCompared { tensor, reason, .. } in &self.not_compared {
            say!("{tensor}: not compared: {reason}");
        }
        if !self.is_same() {
            return;
        }
        let Report { checkpoint, values, compared, copied, device, origin, sha256, .. } = self;
        let but = if copied.is_empty() { "" } else { " but for what was copied" };
        say!("{checkpoint}: the same: {values} values of {compared} tensors, drawn again by {device}{but}");
        if !copied.is_empty() {
            let with =
                self.base.as_ref().map_or("the SHA-256 that the checkpoint says".into(), |base| base.to_string());
            let names: Vec<_> = copied.iter().map(ToString::to_string).collect();
            say!("copied, not drawn, and compared with {with}: {}", names.join(", "));
        }
        if let Some(origin) = origin {
            say!("{origin}");
        }
        say!(
            "{}",
            match (self.given_rules, self.given_seed) {
                (true, true) => "by the rules and the seed that were given",
                (true, false) => "by the rules that were given and the checkpoint's own seed",
                (false, true) => "by the seed that was given and the checkpoint's own words on its tensors",
                (false, false) => "by the checkpoint's own words alone: it agrees with itself",
            }
        );
        if let Some(sha256) = sha256 {
            say!("SHA-256 of the tensors' bytes: {sha256}");
        }
    }

    pub fn print_json(&self) {
        let origin = self.origin.as_ref();
        let from = |given: bool| if given { "given" } else { "metadata" };
        say::json(&ReportJson {
            checkpoint: &self.checkpoint,
            same: self.is_same(),
            tensors: self.compared,
            values: self.values,
            device: &self.device,
            seed: origin.map(|o| o.seed),
            rules: origin.and_then(|o| o.rules.as_ref()),
            rules_sha256: origin.and_then(|o| o.rules_sha256.as_ref()),
            by: OriginJson {
                seed: from(self.given_seed),
                rules: from(self.given_rules),
                copied: (!self.copied.is_empty()).then_some(from(self.base.is_some())),
            },
            copied: &self.copied,
            sha256: self.sha256.as_ref(),
            differences: &self.differences,
            not_compared: &self.not_compared,
        });
    }
}

/// The seed and the rules that a checkpoint is drawn from.
#[derive(PartialEq)]
pub struct Origin {
    pub seed: Seed,
    pub rules: Option<String>,
    pub rules_sha256: Option<String>,
}

/// A tensor that is not what it should be.
#[derive(Serialize)]
pub struct Difference {
    tensor: String,
    #[serde(flatten)]
    what: DifferenceKind,
}

#[derive(Serialize)]
#[serde(untagged)]
enum DifferenceKind {
    Values(Comparison),
    /// The reason why it cannot be made.
    Other {
        reason: String,
    },
}

/// A tensor that was copied, or its first rows alone.
#[derive(Serialize)]
pub struct CopiedTensor {
    pub tensor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// A tensor that nothing is said of, and why.
#[derive(Serialize)]
pub struct NotCompared {
    tensor: String,
    reason: String,
    /// True if the checkpoint is verified all the same.
    #[serde(skip)]
    harmless: bool,
}

/// The object that `--json` prints.
#[derive(Serialize)]
struct ReportJson<'a> {
    checkpoint: &'a str,
    same: bool,
    tensors: usize,
    values: u64,
    device: &'a str,
    seed: Option<Seed>,
    rules: Option<&'a String>,
    rules_sha256: Option<&'a String>,
    by: OriginJson,
    sha256: Option<&'a String>,
    copied: &'a [CopiedTensor],
    differences: &'a [Difference],
    not_compared: &'a [NotCompared],
}

/// The origins of seed and rules, and what copied tensors were compared with: "given" or "metadata".
#[derive(Serialize)]
struct OriginJson {
    seed: &'static str,
    rules: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    copied: Option<&'static str>,
}

impl std::fmt::Display for CopiedTensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.rows {
            Some(rows) => write!(f, "{} (the first {rows} of its rows)", self.tensor),
            None => f.write_str(&self.tensor),
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {}", self.seed)?;
        if let Some(rules) = &self.rules {
            write!(f, ", {rules}")?;
        }
        if let Some(digest) = &self.rules_sha256 {
            write!(f, ", their SHA-256 {digest}")?;
        }
        Ok(())
    }
}
