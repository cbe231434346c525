//! Recordings: the work of a device, in order, as plain data. `run.rs` does it.

use std::ops::Range;
use std::sync::Arc;

use super::program::Program;
use super::slot::Slot;
use crate::kernel::TILE;

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
