//! Streams as generators of the rand crates. With the feature `rand`.

use std::convert::Infallible;

use rand_core::block::{BlockRng, Generator};
use rand_core::{SeedableRng, TryRng};

use crate::Stream;

impl Stream {
    /// A random number generator over the same words in the same order, for the crates that draw through [rand]'s
    /// traits.
    ///
    /// [rand]: https://docs.rs/rand
    ///
    /// ```
    /// use fanin::Stream;
    /// use rand::{Rng, RngExt};
    ///
    /// let stream = Stream::named(42, "weight");
    /// let mut rng = stream.rng();
    /// assert_eq!(rng.next_u32(), stream.block(0, 0)[0]);
    /// let die: u8 = rng.random_range(1..=6);
    /// # let _ = die;
    /// ```
    pub fn rng(self) -> StreamRng {
        StreamRng(BlockRng::new(Blocks { stream: self, next: 0 }))
    }
}

/// A [`Stream`] as a sequential generator of [rand]'s traits: the words of block 0, of block 1, and so on, after the last of 2^64
/// from the first one on.
///
/// (JAX's streams have 2^62 blocks, after which they begin anew.) It is not a cryptographic generator. Seeding makes one of fanin's own streams, of a key (two words) and a nonce; to draw the words
/// of a tensor, use [`Stream::rng`].
///
/// [rand]: https://docs.rs/rand
///
/// ```
/// use rand::{Rng, SeedableRng};
///
/// let mut rng = fanin::StreamRng::from_seed([0; 12]);
/// assert_eq!(rng.next_u32(), 0x6627_e8d5);
/// ```
#[derive(Clone, Debug)]
pub struct StreamRng(BlockRng<Blocks>);

#[derive(Clone, Debug)]
struct Blocks {
    stream: Stream,
    next: u64,
}

impl Generator for Blocks {
    type Output = [u32; 4];

    fn generate(&mut self, words: &mut [u32; 4]) {
        *words = self.stream.block(self.next, 0);
        self.next = self.next.wrapping_add(1);
    }
}

impl StreamRng {
    /// The stream whose words these are.
    pub fn stream(&self) -> Stream {
        self.0.core.stream
    }

    /// The number of the word that comes next, below 2^66.
    ///
    /// ```
    /// use rand::Rng;
    ///
    /// let mut rng = fanin::Stream::named(42, "weight").rng();
    /// rng.next_u64();
    /// assert_eq!(rng.position(), 2);
    /// ```
    pub fn position(&self) -> u128 {
        let words = u128::from(self.0.core.next) * 4;
        (words + (1 << 66) - self.0.remaining_results().len() as u128) % (1 << 66)
    }

    /// Goes on with the word of this number, modulo 2^66.
    ///
    /// ```
    /// use rand::Rng;
    ///
    /// let stream = fanin::Stream::named(42, "weight");
    /// let mut rng = stream.rng();
    /// rng.seek(4001);
    /// assert_eq!(rng.next_u32(), stream.block(1000, 0)[1]);
    /// ```
    pub fn seek(&mut self, position: u128) {
        *self = StreamRng(BlockRng::new(Blocks { stream: self.stream(), next: (position / 4) as u64 }));
        for _ in 0..position % 4 {
            self.0.next_word();
        }
    }
}

impl SeedableRng for StreamRng {
    /// Key (two words) and nonce (one), little-endian.
    type Seed = [u8; 12];

    fn from_seed(seed: [u8; 12]) -> Self {
        let [k0, k1, nonce] = rand_core::utils::read_words(&seed);
        Stream::from_key([k0, k1], nonce).rng()
    }
}

impl TryRng for StreamRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64_from_u32())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::Rng;

    const SEEDED_BY_1: u64 = 1_876_455_305_009_425_042;

    #[test]
    fn any_position_is_found_again() {
        let stream = Stream::named(1, "w");
        let mut rng = stream.rng();
        assert_eq!(rng.position(), 0);
        for position in [0, 1, 3, 4, 5, 1 << 33, (1 << 66) - 2] {
            rng.seek(position);
            for next in position..position + 9 {
                assert_eq!(rng.position(), next % (1 << 66));
                let word = next % (1 << 66);
                assert_eq!(rng.next_u32(), stream.block((word / 4) as u64, 0)[(word % 4) as usize]);
            }
        }
        // The first word by rand's own way of seeding.
        assert_eq!(StreamRng::seed_from_u64(1).next_u64(), SEEDED_BY_1);
        // JAX's words, too.
        let stream = Stream::jax(crate::JaxKey::new(3));
        assert_eq!(stream.rng().next_u64(), u64::from(stream.block(0, 0)[0]) | u64::from(stream.block(0, 0)[1]) << 32);
    }
}
