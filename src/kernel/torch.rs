//! What PyTorch's own generators draw. The host draws it, for a device as well, which looks it up.

use super::lanes::Piece;
#[cfg(any(feature = "gpu", test))]
use super::numbers::{Kernel, Numbers};
use super::twin::{Source, Twin};
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
    #[cfg(any(feature = "gpu", test))]
    fn kernel(&self) -> Kernel {
        Kernel::Lookup
    }

    #[cfg(any(feature = "gpu", test))]
    fn numbers(&self) -> Numbers {
        // They are what they are.
        Numbers { scale: 1.0, ..Numbers::default() }
    }

    fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>) {
        let Piece { range, elements, .. } = piece;
        torch::fill(&self.distribution, source.stream, range, &mut source.cursors, elements);
    }
}
