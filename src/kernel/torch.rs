//! The values of PyTorch's own generators. The host draws them, for a device as well, which looks them up.

#[cfg(feature = "gpu")]
use std::ops::Range;

use super::lanes::Piece;
use super::numbers::{Kernel, Numbers};
use super::twin::{RandomWords, Source, Twin};
#[cfg(feature = "gpu")]
use crate::torch::Cursors;
use crate::{Distribution, Dtype, Element, Error, Stream, torch};

/// A distribution of one of PyTorch's generators.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Torch {
    pub distribution: Distribution,
}

impl Torch {
    pub fn new(distribution: &Distribution, dtype: Dtype, stream: &Stream) -> Result<Torch, Error> {
        torch::check(distribution, dtype, stream)?;
        Ok(Torch { distribution: *distribution })
    }
}

impl Twin for Torch {
    fn kernel(&self) -> Kernel {
        Kernel::Lookup
    }

    fn numbers(&self) -> Numbers {
        // They are what they are.
        Numbers { scale: 1.0, ..Numbers::default() }
    }

    #[cfg(feature = "gpu")]
    fn is_drawn_by_host(&self) -> bool {
        true
    }

    #[cfg(feature = "gpu")]
    fn drawn_by_host(&self, stream: Stream, dtype: Dtype, range: Range<u64>, cursors: &mut Cursors) -> Vec<f32> {
        let mut values = vec![0.0; (range.end - range.start) as usize];
        torch::values(&self.distribution, stream, dtype, range, cursors, &mut values);
        values
    }

    /// PyTorch draws one distribution of them.
    fn words(&self) -> RandomWords {
        RandomWords::WholeTensor
    }

    fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>) {
        let Piece { range, elements, .. } = piece;
        torch::fill(&self.distribution, source.stream, range, &mut source.cursors, elements);
    }
}
