//! Places in the sequence of PyTorch's generator.

use std::fmt;
use std::str::FromStr;

use super::twist::N;
use super::twister::Twister;
use crate::{Error, ErrorKind};

/// A place in the sequence of words that PyTorch's generator on the CPU hands out after `torch.manual_seed(seed)`.
///
/// As a text it is `SEED@WORDS`, or `SEED` at the beginning. Only the low 32 bits of PyTorch's seeds count. PyTorch draws small tensors of
/// normals in pairs, and keeps an unused second value for the next such tensor. With one, the text ends in `,pair=WORDS` (the place
/// of the pair's words) or in `,spare=BITS` (the value's bits in hexadecimal).
///
/// ```
/// use fanin::torch::Place;
///
/// let place = Place::new(42).on(1000);
/// assert_eq!(place.to_string(), "42@1000");
/// assert_eq!("42@1000".parse::<Place>()?, place);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub(crate) seed: u32,
    pub(crate) words: u64,
    pub(crate) spare: Spare,
}

/// The end of the sequence, as far as it is counted.
pub(crate) const END: u64 = 1 << 63;

/// A normal value that is left of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Spare {
    None,
    /// The second one of the pair whose four words are there.
    Pair(u64),
    /// An f64's bits.
    Value(u64),
}

impl Place {
    /// The beginning, `torch.manual_seed(seed)`.
    pub const fn new(seed: u64) -> Place {
        Place { seed: seed as u32, words: 0, spare: Spare::None }
    }

    /// The place this many words further on. A uniform or normal f32 value takes one word, except in small or odd sizes of normals:
    /// see [`Draw::after`].
    ///
    /// [`Draw::after`]: crate::torch::Draw::after
    #[must_use]
    pub const fn on(self, words: u64) -> Place {
        Place { words: self.words.saturating_add(words), ..self }
    }

    /// The four words of a block of the sequence from here on; zeros beyond its end.
    pub(crate) fn block(self, block: u64) -> [u32; 4] {
        let mut words = [0; 4];
        let at = block.checked_mul(4).and_then(|at| at.checked_add(self.words));
        if let Some(at) = at.filter(|&at| at <= END) {
            let mut twister = Twister::new(self.seed);
            twister.seek(at);
            twister.fill(&mut words);
        }
        words
    }

    /// The seed, of which PyTorch takes the low 32 bits.
    pub const fn seed(self) -> u64 {
        self.seed as u64
    }

    /// How many words come before.
    pub const fn words(self) -> u64 {
        self.words
    }

    /// The place of a generator with this `get_state()`, or `torch.get_rng_state()`: 5,056 bytes.
    ///
    /// A state says its seed; the sequence is walked from there on, a second for some 5 billion words.
    ///
    /// # Errors
    /// [`ErrorKind::Stream`] for what is no such state, and for one that lies 2^36 words from its seed or more.
    pub fn from_state(state: &[u8]) -> Result<Place, Error> {
        let bad = |value: String, allowed: &str| {
            Err(Error::new(ErrorKind::Stream, "the generator's state", value, allowed.to_string()))
        };
        let allowed = "the 5056 bytes of torch.get_rng_state(), or of the get_state() of a generator on the CPU";
        if state.len() != STATE {
            return bad(format!("{} bytes", state.len()), allowed);
        }
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| state[at + i]));
        let half = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| state[at + i]));
        let (seed, left, is_seeded, next) = (word(0), half(8), half(12), word(16));
        let words: Vec<u64> = (0..N).map(|i| word(24 + 8 * i)).collect();
        let is_whole = words.iter().all(|&word| word <= u64::from(u32::MAX));
        let next = if left == 1 { N as u64 } else { next };
        if is_seeded != 1 || left == 0 || left > N as u32 || next > N as u64 || !is_whole {
            return bad("none that a generator has".into(), allowed);
        }
        let mut twister = Twister::new(seed as u32);
        let is_there = |twister: &Twister| {
            let there = twister.state().0;
            (1..N).all(|i| u64::from(there[i]) == words[i])
        };
        while !is_there(&twister) {
            if twister.position() > REACH {
                let allowed = "within 2^36 words of what torch.manual_seed gives for it";
                return bad(format!("one of the seed {seed}, which was not found on its way"), allowed);
            }
            twister.skip(if twister.position() == 0 { 1 } else { N as u64 });
        }
        // A state is met at its first word, or before any.
        let before = match twister.position() {
            0 => next - N as u64,
            position => position - 1 + next,
        };
        let (is_valid, value) = (half(SPARE + 24), word(SPARE + 8));
        let spare = if is_valid == 1 { Spare::Value(value) } else { Spare::None };
        Ok(Place { seed: seed as u32, words: before, spare })
    }
}

/// Bytes of a state: the seed, how many words are left of the state, whether it is seeded, the next one, the words in 64 bits each; then
/// x, y and rho of a normal pair in f64, of which y is the spare value, and whether it is one.
const STATE: usize = 5056;
const SPARE: usize = 24 + 8 * N;
/// As far as a state is looked for.
const REACH: u64 = 1 << 36;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { seed, words, spare } = self;
        write!(f, "{seed}")?;
        if *words != 0 || *spare != Spare::None {
            write!(f, "@{words}")?;
        }
        match spare {
            Spare::None => Ok(()),
            Spare::Pair(at) => write!(f, ",pair={at}"),
            Spare::Value(bits) => write!(f, ",spare={bits:016x}"),
        }
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Place, Error> {
        let allowed =
            "SEED or SEED@WORDS, whole numbers from 0 to 2^64 - 1, WORDS to 2^63; then ,pair=WORDS or ,spare=BITS";
        let read = || {
            let (seed, rest) = text.split_once('@').unwrap_or((text, "0"));
            let (words, spare) = rest.split_once(',').map_or((rest, None), |(words, spare)| (words, Some(spare)));
            let words = words.trim().parse().ok().filter(|&words: &u64| words <= END)?;
            let spare = match spare.map(|spare| spare.split_once('=')) {
                None => Spare::None,
                Some(Some(("pair", at))) => {
                    Spare::Pair(at.parse().ok().filter(|&at: &u64| at.checked_add(4).is_some_and(|end| end <= words))?)
                }
                Some(Some(("spare", bits))) => {
                    Spare::Value(u64::from_str_radix(bits, 16).ok().filter(|&bits| f64::from_bits(bits).abs() < 9.0)?)
                }
                Some(_) => return None,
            };
            Some(Place { words, spare, ..Place::new(seed.trim().parse().ok()?) })
        };
        read().ok_or_else(|| {
            Error::new(ErrorKind::Text, "the place in PyTorch's sequence", crate::error::quoted(text), allowed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_texts_that_read_back() {
        for text in ["42", "0@1", "7@18446744073709", "42@32,pair=28", "42@0,spare=3fe0000000000000"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        // PyTorch takes a seed's low 32 bits.
        assert_eq!("4294967338".parse::<Place>().unwrap(), Place::new(42));
        for text in [
            "",
            "x",
            "-1",
            "42@",
            "42@x",
            "42@5,",
            "42@5,pair=2",
            "42@5,spare=zz",
            "42@5,spare=7ff0000000000000",
            "1@9223372036854775809",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_state_is_refused() {
        for bytes in [0, 5048, 5056] {
            assert!(Place::from_state(&vec![0; bytes]).is_err());
        }
    }
}
