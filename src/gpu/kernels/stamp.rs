//! Stamps of proofs by compiling: digests of all that a proof is of, so that one that has passed is not run again.

use std::path::PathBuf;
use std::{env, fs};

use sha2::{Digest, Sha256};

/// A proof, by which compilers, of what.
pub struct Stamp {
    /// The proof and its compilers, with their versions.
    subject: String,
    digest: String,
}

impl Stamp {
    /// The stamp of a proof by these compilers; `of` is all else that its outcome depends on.
    pub fn new<'a>(proof: &str, compilers: &[String], of: impl IntoIterator<Item = &'a [u8]>) -> Stamp {
        let mut hash = Sha256::new();
        for part in of {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Stamp { subject: format!("{proof}, {}", compilers.join(", ")), digest }
    }

    /// True if this very proof has passed before, and `FANIN_PROOFS=all` does not ask for it.
    pub fn is_kept(&self) -> bool {
        let asked_for = env::var_os("FANIN_PROOFS").is_some_and(|asked| asked == "all");
        let is_kept = !asked_for && kept().contains(&self.line());
        println!("{}: {}", self.subject, if is_kept { "passed before, of the same texts" } else { "in full" });
        is_kept
    }

    /// Keeps the stamp, once the proof has passed.
    pub fn keep(&self) {
        let mut lines = kept();
        lines.retain(|line| line.rsplit_once(": ").is_none_or(|(subject, _)| subject != self.subject));
        lines.push(self.line());
        lines.sort_unstable();
        fs::write(path(), lines.join("\n") + "\n").unwrap();
    }

    fn line(&self) -> String {
        format!("{}: {}", self.subject, self.digest)
    }
}

fn path() -> PathBuf {
    crate::golden::folder_with("tests/golden").join("tests/golden/compiled.txt")
}

fn kept() -> Vec<String> {
    fs::read_to_string(path()).unwrap_or_default().lines().map(Into::into).collect()
}

/// A stamp is of every part, in its place, and of the compilers.
#[test]
fn a_stamp_is_another_ones_where_anything_differs() {
    let line = |compilers: &[&str], of: &[&str]| {
        let compilers: Vec<_> = compilers.iter().map(ToString::to_string).collect();
        Stamp::new("a proof", &compilers, of.iter().map(|part| part.as_bytes())).line()
    };
    let lines = [
        line(&["clang 14"], &["kernel", "harness"]),
        line(&["clang 15"], &["kernel", "harness"]),
        line(&["clang 14"], &["kernelh", "arness"]),
        line(&["clang 14"], &["kernel", "Harness"]),
        line(&["clang 14"], &["kernel"]),
    ];
    let different: std::collections::HashSet<_> = lines.iter().collect();
    assert_eq!(different.len(), lines.len());
    assert_eq!(lines[0], line(&["clang 14"], &["kernel", "harness"]));
}
