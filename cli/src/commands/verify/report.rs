//! What became of a checkpoint that was verified, and how it is said.

use serde::Serialize;

use crate::draw::seed::Seed;
use crate::failure::Failure;
use crate::files::compare::Found;
use crate::say;

/// What became of a checkpoint.
#[derive(Default)]
pub struct Report {
    pub checkpoint: String,
    /// Whether these were given, and are not from the file's metadata.
    pub given_seed: bool,
    pub given_rules: bool,
    pub origin: Option<Origin>,
    /// What drew it again.
    pub device: String,
    /// How many there are or should be, and of how many values were compared.
    pub tensors: usize,
    pub compared: usize,
    pub values: u64,
    pub differences: Vec<Difference>,
    pub not_compared: Vec<NotCompared>,
    /// Of the tensors' bytes, where all were compared.
    pub sha256: Option<String>,
}

/// What became of a tensor.
pub enum Outcome {
    Compared(Found),
    /// It cannot be what it should be, for this reason.
    Wrong(String),
    /// Nothing is said of it, for this reason, and whether the checkpoint is verified all the same.
    NotCompared {
        reason: String,
        harmless: bool,
    },
}

impl Report {
    pub fn add(&mut self, tensor: &str, outcome: Outcome) {
        let tensor = tensor.to_string();
        match outcome {
            Outcome::Compared(found) => {
                self.compared += 1;
                self.values += found.compared;
                if found.different > 0 {
                    self.differences.push(Difference { tensor, what: What::Values(found) });
                }
            }
            Outcome::Wrong(reason) => self.differences.push(Difference { tensor, what: What::Other { reason } }),
            Outcome::NotCompared { reason, harmless } => {
                self.not_compared.push(NotCompared { tensor, reason, harmless });
            }
        }
    }

    /// Whether it is verified, and why not.
    pub fn verdict(&self) -> Result<(), Failure> {
        let (of, tensors) = (&self.checkpoint, self.tensors);
        let (differ, refused) = (self.differences.len(), self.not_compared.iter().filter(|n| !n.harmless).count());
        if differ > 0 {
            Err(Failure::other(format!("{of}: {differ} of {tensors} tensors differ")))
        } else if refused > 0 {
            Err(Failure::input(format!("{of}: {refused} of {tensors} tensors cannot be compared")))
        } else if self.compared == 0 && tensors > 0 {
            Err(Failure::input(format!(
                "{of}: none of {tensors} tensors was compared, allowed: at least one that is drawn"
            )))
        } else {
            Ok(())
        }
    }

    fn is_same(&self) -> bool {
        self.verdict().is_ok()
    }

    pub fn print(&self) {
        for Difference { tensor, what } in &self.differences {
            match what {
                What::Values(Found { first, different, compared }) => {
                    let first = first.unwrap_or_default();
                    say!("{tensor}: {different} of {compared} values differ, the first is element {first}");
                }
                What::Other { reason } => say!("{tensor}: {reason}"),
            }
        }
        for NotCompared { tensor, reason, .. } in &self.not_compared {
            say!("{tensor}: not compared: {reason}");
        }
        if !self.is_same() {
            return;
        }
        let Report { checkpoint, values, compared, device, origin, sha256, .. } = self;
        say!("{checkpoint}: the same: {values} values of {compared} tensors, drawn again by {device}");
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
        say::json(&Json {
            checkpoint: &self.checkpoint,
            same: self.is_same(),
            tensors: self.compared,
            values: self.values,
            device: &self.device,
            seed: origin.map(|o| o.seed),
            rules: origin.and_then(|o| o.rules.as_ref()),
            rules_sha256: origin.and_then(|o| o.rules_sha256.as_ref()),
            by: By { seed: from(self.given_seed), rules: from(self.given_rules) },
            sha256: self.sha256.as_ref(),
            differences: &self.differences,
            not_compared: &self.not_compared,
        });
    }
}

/// What a checkpoint is drawn from.
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
    what: What,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What {
    Values(Found),
    /// It cannot be made.
    Other {
        reason: String,
    },
}

/// A tensor that nothing is said of, and why.
#[derive(Serialize)]
pub struct NotCompared {
    tensor: String,
    reason: String,
    /// Whether the checkpoint is verified all the same.
    #[serde(skip)]
    harmless: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Json<'a> {
    checkpoint: &'a str,
    same: bool,
    tensors: usize,
    values: u64,
    device: &'a str,
    seed: Option<Seed>,
    rules: Option<&'a String>,
    rules_sha256: Option<&'a String>,
    by: By,
    sha256: Option<&'a String>,
    differences: &'a [Difference],
    not_compared: &'a [NotCompared],
}

/// Where seed and rules are from: "given" or "metadata".
#[derive(Serialize)]
struct By {
    seed: &'static str,
    rules: &'static str,
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
