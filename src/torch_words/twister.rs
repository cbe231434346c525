//! The Mersenne Twister mt19937, PyTorch's generator on the CPU, at any place of its sequence.
//!
//! M. Matsumoto, T. Nishimura, "Mersenne Twister: A 623-dimensionally equidistributed uniform pseudo-random number generator", ACM
//! TOMACS 8 (1998), <https://doi.org/10.1145/272991.272995>.

use multiversion::multiversion;

use super::leap;
use super::twist::{N, twist};

/// The sequence of one seed, at a place.
#[derive(Clone, Debug)]
pub(crate) struct Twister {
    /// Words of the sequence that follow one another, before they are tempered.
    state: [u32; N],
    /// Of the state, the next one to hand out; N, where the next state comes first.
    next: usize,
    seed: u32,
    position: u64,
}

impl Twister {
    pub fn new(seed: u32) -> Twister {
        let mut state = [seed; N];
        for j in 1..N {
            let before = state[j - 1];
            state[j] = 1_812_433_253u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(j as u32);
        }
        Twister { state, next: N, seed, position: 0 }
    }

    /// How many words come before the next one.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The state, and how many of its words are handed out.
    pub fn state(&self) -> (&[u32; N], usize) {
        (&self.state, self.next)
    }

    /// Goes to a place: on from here, or from the beginning on.
    pub fn seek(&mut self, position: u64) {
        if position < self.position {
            *self = Twister::new(self.seed);
        }
        self.skip(position - self.position);
    }

    /// Hands out so many words to nobody. What is far is leapt over.
    pub fn skip(&mut self, words: u64) {
        self.position += words;
        let mut left = leap::over(&mut self.state, words);
        while left > 0 {
            self.refill();
            let count = left.min((N - self.next) as u64);
            self.next += count as usize;
            left -= count;
        }
    }

    /// The next words.
    pub fn fill(&mut self, words: &mut [u32]) {
        self.position += words.len() as u64;
        let mut rest = words;
        while !rest.is_empty() {
            self.refill();
            let count = rest.len().min(N - self.next);
            let (part, after) = rest.split_at_mut(count);
            temper(&self.state[self.next..self.next + count], part);
            self.next += count;
            rest = after;
        }
    }

    fn refill(&mut self) {
        if self.next == N {
            twist(&mut self.state);
            self.next = 0;
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn temper(state: &[u32], words: &mut [u32]) {
    for (word, &y) in words.iter_mut().zip(state) {
        let y = y ^ (y >> 11);
        let y = y ^ ((y << 7) & 0x9d2c_5680);
        let y = y ^ ((y << 15) & 0xefc6_0000);
        *word = y ^ (y >> 18);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The word that the C++ standard gives: 26.6.5 \[rand.predef\].
    #[test]
    fn the_ten_thousandth_word_is_the_standards() {
        let mut twister = Twister::new(5489);
        twister.skip(9999);
        let mut word = [0];
        twister.fill(&mut word);
        assert_eq!(word, [4_123_659_995]);
    }

    #[test]
    fn words_do_not_depend_on_how_they_are_asked_for() {
        let mut whole = vec![0; 3000];
        Twister::new(42).fill(&mut whole);
        let mut twister = Twister::new(42);
        for (at, count) in [(0, 1), (1, 622), (623, 1), (624, 700), (2000, 1000), (10, 5), (1248, 0), (1248, 624)] {
            twister.seek(at);
            let mut words = vec![0; count];
            twister.fill(&mut words);
            assert_eq!(words, whole[at as usize..at as usize + count]);
            assert_eq!(twister.position(), at + count as u64);
        }
    }
}
