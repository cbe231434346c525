//! Constants: the value itself.

use super::lanes::{BATCH, Piece, fill_units};
use super::line::fits;
use super::numbers::{Kernel, Numbers};
use super::twin::{RandomWords, Source, Twin};
use crate::{Dtype, Element, Error};

/// The texts of `shaders/` that are the kernel's own.
#[cfg(feature = "gpu")]
pub(crate) const WGSL: &[&str] =
    &[include_str!("../../shaders/constant.wgsl"), include_str!("../../shaders/blocks.wgsl")];

/// The bits of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Constant {
    pub word: u32,
}

impl Constant {
    pub const ZERO: Constant = Constant { word: 0 };

    pub fn new(value: f64, dtype: Dtype) -> Result<Constant, Error> {
        fits(dtype, "value", value)?;
        Ok(Constant { word: word(value as f32, dtype) })
    }
}

/// The bit pattern of a constant; unlike what is drawn, it may be subnormal.
pub(super) fn word(value: f32, dtype: Dtype) -> u32 {
    match dtype {
        Dtype::F32 => value.to_bits(),
        Dtype::F16 => half::f16::from_f32(value).to_bits().into(),
        Dtype::BF16 => half::bf16::from_f32(value).to_bits().into(),
    }
}

impl Twin for Constant {
    fn kernel(&self) -> Kernel {
        Kernel::Constant
    }

    fn numbers(&self) -> Numbers {
        Numbers { word: self.word, ..Numbers::default() }
    }

    fn unit(&self) -> u64 {
        1
    }

    fn words(&self) -> RandomWords {
        RandomWords::None
    }

    fn fill<T: Element>(&self, _: &mut Source, piece: Piece<'_, T>) {
        let value = T::from_word(self.word);
        fill_units::<T, BATCH>(piece, |_, elements| elements.fill(value));
    }
}
