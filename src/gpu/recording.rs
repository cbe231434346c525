//! Recordings: the work of a device, in order, as plain data. `engine.rs` does it.

use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use super::program::Program;
use crate::cpu::TILE;

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

/// One thing that a device does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Makes scratch memory of so many bytes, where there is less.
    Allocate { scratch: usize, bytes: u64 },
    /// Writes words to a buffer's beginning.
    Upload { to: Slot, words: Arc<[u32]> },
    /// Writes zeros.
    Clear { buffer: Slot, bytes: Range<u64> },
    /// Runs a kernel.
    Dispatch(Dispatch),
}

/// A run of a kernel, which sees what all steps before it wrote.
#[derive(Clone, Debug)]
pub(crate) struct Dispatch {
    pub program: Program,
    pub parameters: Vec<u8>,
    /// A buffer for each of the program's bindings, in their order, and its bytes that are bound if not all.
    pub buffers: Vec<(Slot, Option<Range<u64>>)>,
    pub groups: [u32; 2],
}

impl Slot {
    /// What tells it from others; words are told apart by where they lie.
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
    fn partial_cmp(&self, other: &Slot) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Slot {
    fn cmp(&self, other: &Slot) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for Slot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl Step {
    pub fn dispatch(&self) -> Option<&Dispatch> {
        match self {
            Step::Dispatch(dispatch) => Some(dispatch),
            Step::Allocate { .. } | Step::Upload { .. } | Step::Clear { .. } => None,
        }
    }

    /// About how many elements would take as long to draw.
    pub fn work(&self) -> u64 {
        self.dispatch().map_or(0, |dispatch| {
            let [x, y] = dispatch.groups.map(u64::from);
            x.saturating_mul(y).saturating_mul(2 * TILE)
        })
    }
}
