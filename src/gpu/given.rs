//! The buffers of a recording, and how it is planned.

use std::collections::HashMap;

use wgpu::Buffer;

use super::features::Rounding;
use super::slot::Slot;

/// The buffers that are given with a recording, each once.
#[derive(Debug)]
pub(crate) struct Given {
    buffers: Vec<Buffer>,
    known: HashMap<Buffer, usize>,
}

impl Given {
    pub fn new<'b>(all: impl IntoIterator<Item = &'b Buffer>) -> Given {
        let (mut buffers, mut known) = (Vec::new(), HashMap::new());
        for buffer in all {
            if buffers.last() != Some(buffer) && !known.contains_key(buffer) {
                known.insert(buffer.clone(), buffers.len());
                buffers.push(buffer.clone());
            }
        }
        Given { buffers, known }
    }

    /// The slot of one of the buffers.
    pub fn slot(&self, buffer: &Buffer) -> Slot {
        Slot::Given(self.known[buffer])
    }

    /// The buffers, by their slots' numbers.
    pub fn buffers(&self) -> Vec<Buffer> {
        self.buffers.clone()
    }
}

/// The way from targets to steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planning {
    /// The most elements of a group; without, all is one recording.
    pub most: Option<u64>,
    /// The rounding of pipelines that nobody has proved. Without, all are proved before their steps are handed over.
    pub unproved: Option<Rounding>,
}
