//! Slots: the names that a recording has for buffers.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A buffer, as a recording names it.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    /// One of those that are given with the recording, by its number.
    Given(usize),
    /// Memory of the recording's own, by its number.
    Scratch(usize),
    /// Words of the host, which kernels only read.
    Words(Arc<[u32]>),
}

impl Slot {
    /// The key that tells it from others; words are told apart by where they lie.
    fn key(&self) -> (u8, usize) {
        match self {
            Slot::Given(number) => (0, *number),
            Slot::Scratch(number) => (1, *number),
            Slot::Words(words) => (2, words.as_ptr() as usize),
        }
    }
}

impl PartialEq for Slot {
    fn eq(&self, other: &Slot) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Slot {}

impl PartialOrd for Slot {
    fn partial_cmp(&self, other: &Slot) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Slot {
    fn cmp(&self, other: &Slot) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for Slot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}
