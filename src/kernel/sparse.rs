//! Normals of which so many are zero for each input: the twin of `shaders/sparse.wgsl`.

use super::lanes::Piece;
use super::line::Line;
use super::normal::{self, Normal};
use super::numbers::{Kernel, Numbers};
#[cfg(feature = "gpu")]
use super::table::Table;
use super::twin::{RandomWords, Source, Twin};
use crate::philox::{MULTIPLIER, philox4x32_10};
use crate::structure::outputs_and_inputs;
use crate::{Dtype, Element, Error, Matrix, Stream};

/// The texts of `shaders/` that are the kernel's own.
#[cfg(feature = "gpu")]
pub(crate) const WGSL: &[&str] = &[
    include_str!("../../shaders/table.wgsl"),
    include_str!("../../shaders/sparse.wgsl"),
    include_str!("../../shaders/blocks.wgsl"),
];

/// The third word of the counters that permutations are keyed by.
const OF_PERMUTATION: u32 = 0x8000_0002;
const ROUNDS: u32 = 8;

/// Normals, of which so many of each input's outputs are zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sparse {
    pub line: Line,
    pub zeros: u64,
    pub matrix: Matrix,
}

impl Sparse {
    /// The matrices, if their values vary.
    pub fn new(std: f64, zeros: u64, matrix: Matrix, dtype: Dtype) -> Result<Option<Sparse>, Error> {
        Ok(Normal::new(0.0, std, dtype)?.map(|Normal { line }| Sparse { line, zeros, matrix }))
    }
}

impl Twin for Sparse {
    fn kernel(&self) -> Kernel {
        Kernel::Sparse
    }

    fn numbers(&self) -> Numbers {
        self.line.into()
    }

    #[cfg(feature = "gpu")]
    fn table(&self) -> Option<Table> {
        let (matrix, outputs) = (&self.matrix, outputs_and_inputs(&self.matrix).0 as u32);
        let own = [outputs, self.zeros as u32, matrix.is_transposed.into(), half_bits(outputs), 0];
        Some(Table::of_matrix(matrix, 0, own))
    }

    /// The choice of an input's outputs that are zero depends on the input alone.
    fn words(&self) -> RandomWords {
        RandomWords::WholeTensor
    }

    fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>) {
        let Piece { range, elements, past_cache } = piece;
        normal::fill(
            &self.line,
            &source.generator,
            Piece { range: range.clone(), elements: &mut *elements, past_cache },
        );
        let (outputs, inputs) = outputs_and_inputs(&self.matrix);
        let mut permutation = Permutation::new(source.stream, u64::MAX, outputs as u32);
        for (number, element) in range.zip(elements) {
            let place = self.matrix.place(number);
            let (output, input) =
                if self.matrix.is_transposed { (place.column, place.row) } else { (place.row, place.column) };
            let input = place.number * inputs + input;
            if permutation.input != input {
                permutation = Permutation::new(source.stream, input, outputs as u32);
            }
            if u64::from(permutation.place(output as u32)) < self.zeros {
                *element = T::from_word(0);
            }
        }
    }
}

/// An input's permutation of its outputs: a Feistel network on as many bits as they need, walked on until it comes back among
/// them. M. Luby, C. Rackoff, "How to construct pseudorandom permutations from pseudorandom functions", SIAM Journal on Computing 17,
/// 1988; J. Black, P. Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002.
struct Permutation {
    input: u64,
    keys: [u32; 4],
    outputs: u32,
    /// Bits of a half.
    bits: u32,
}

impl Permutation {
    fn new(stream: Stream, input: u64, outputs: u32) -> Permutation {
        let keys = philox4x32_10([input as u32, (input >> 32) as u32, OF_PERMUTATION, stream.nonce], stream.key);
        Permutation { input, keys, outputs, bits: half_bits(outputs) }
    }

    fn place(&self, output: u32) -> u32 {
        let mut x = output;
        loop {
            let (mut left, mut right) = (x >> self.bits, x & ((1 << self.bits) - 1));
            for round in 0..ROUNDS {
                let key = self.keys[(round & 3) as usize].wrapping_add(round);
                (left, right) = (right, left ^ mixed(right ^ key) >> (32 - self.bits));
            }
            x = left << self.bits | right;
            if x < self.outputs {
                return x;
            }
        }
    }
}

/// Half of the bits that so many numbers need, at least 1.
const fn half_bits(outputs: u32) -> u32 {
    let bits = 32 - outputs.saturating_sub(1).leading_zeros();
    if bits < 2 { 1 } else { bits.div_ceil(2) }
}

/// A word of which each bit depends on all of the key's.
const fn mixed(x: u32) -> u32 {
    let x = (x ^ x >> 16).wrapping_mul(MULTIPLIER[0]);
    let x = (x ^ x >> 15).wrapping_mul(MULTIPLIER[1]);
    x ^ x >> 16
}
