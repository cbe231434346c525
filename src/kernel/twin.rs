//! Twins: what each kernel is on the host.

use super::lanes::{BATCH, Generator, Piece};
use super::numbers::{Kernel, Numbers};
#[cfg(feature = "gpu")]
use super::table::Table;
#[cfg(feature = "gpu")]
use crate::Dtype;
use crate::torch::Cursors;
use crate::{Element, Stream};
#[cfg(feature = "gpu")]
use std::ops::Range;

/// A kernel's numbers, with the twin that draws by them the bits that the kernel draws.
pub(crate) trait Twin {
    /// The kernel that draws this on a device.
    fn kernel(&self) -> Kernel;

    /// The numbers as the kernel takes them.
    fn numbers(&self) -> Numbers;

    /// The table that the kernel takes, if there is one for all elements.
    #[cfg(feature = "gpu")]
    fn table(&self) -> Option<Table> {
        None
    }

    /// True if the host draws the values and the device looks them up, those of each run of elements in a table of their own.
    #[cfg(feature = "gpu")]
    fn is_drawn_by_host(&self) -> bool {
        false
    }

    /// The values of a run of elements, where the host draws them.
    #[cfg(feature = "gpu")]
    fn drawn_by_host(&self, _: Stream, _: Dtype, _: Range<u64>, _: &mut Cursors) -> Vec<f32> {
        Vec::new()
    }

    /// The number of elements that are drawn together.
    fn unit(&self) -> u64 {
        BATCH as u64
    }

    /// True if anything of it depends on the stream.
    fn is_random(&self) -> bool {
        true
    }

    /// Draws elements that follow one another.
    fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>);
}

/// A stream, ready to be drawn from by one thread.
pub(crate) struct Source {
    pub stream: Stream,
    pub generator: Generator,
    pub cursors: Cursors,
}

impl Source {
    pub fn new(stream: Stream) -> Source {
        Source { stream, generator: Generator::new(stream), cursors: Cursors::default() }
    }
}
