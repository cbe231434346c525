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

/// The random words that a sampler makes an element of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RandomWords {
    /// None: it is no random number.
    None,
    /// Its own, of any attempts, or those of the pair that it is one of.
    Element,
    /// Those of the matrix of so many elements that it is in.
    Matrices {
        /// The number of elements.
        len: u64,
    },
    /// Those of a matrix, and of elements beside the matrix.
    Neighbours,
    /// Those of the whole tensor.
    WholeTensor,
}

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

    /// The random words that an element is made of.
    fn words(&self) -> RandomWords {
        RandomWords::Element
    }

    /// The number of elements of a fill that are worth drawing at once.
    fn efficient_len(&self) -> u64 {
        1
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
