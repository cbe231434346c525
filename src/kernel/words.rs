//! The streams' words themselves, for known answers: no distribution has them.

use super::lanes::Piece;
use super::numbers::{Kernel, Numbers};
use super::twin::{Source, Twin};
use crate::Element;
use crate::threefry::threefry2x32_20;

/// The texts of `shaders/` that are the kernels' own: of Philox, and of Threefry.
#[cfg(feature = "gpu")]
pub(crate) const WGSL: [&[&str]; 2] = [
    &[include_str!("../../shaders/words.wgsl"), include_str!("../../shaders/blocks.wgsl")],
    &[
        include_str!("../../shaders/threefry.wgsl"),
        include_str!("../../shaders/threefry_words.wgsl"),
        include_str!("../../shaders/blocks.wgsl"),
    ],
];

/// A generator's words.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(not(feature = "gpu"), allow(dead_code))] // They are drawn for devices alone.
pub(crate) enum Words {
    /// Philox's of an attempt.
    Philox(u32),
    /// Threefry's of each block's counter: its two words and two zeros.
    Threefry,
}

impl Twin for Words {
    fn kernel(&self) -> Kernel {
        match self {
            Words::Philox(_) => Kernel::Words,
            Words::Threefry => Kernel::ThreefryWords,
        }
    }

    fn numbers(&self) -> Numbers {
        match *self {
            Words::Philox(word) => Numbers { word, ..Numbers::default() },
            Words::Threefry => Numbers::default(),
        }
    }

    fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>) {
        let stream = source.stream;
        for (i, element) in piece.range.zip(piece.elements) {
            let words = match *self {
                Words::Philox(attempt) => stream.block(i / 4, attempt),
                Words::Threefry => {
                    let [x, y] = threefry2x32_20([((i / 4) >> 32) as u32, (i / 4) as u32], stream.key);
                    [x, y, 0, 0]
                }
            };
            *element = T::from_word(words[(i % 4) as usize]);
        }
    }
}
