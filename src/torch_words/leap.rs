//! Leaps: the state of the Mersenne Twister after any number of words, without those between.
//!
//! The state is a vector of 19,937 bits, and the next one a matrix times it. By the theorem of Cayley and Hamilton a power of the
//! matrix is a polynomial in it of a lower degree: the power of x, divided by the characteristic polynomial (H. Haramoto and others,
//! "Efficient jump ahead for F2-linear random number generators", INFORMS Journal on Computing 20 (2008),
//! <https://doi.org/10.1287/ijoc.1070.0251>). Applied to a state it is a sum of the states that follow.

use std::sync::{LazyLock, OnceLock};

use multiversion::multiversion;

use super::twist::{MATRIX, N, twist};

/// Bits of a state, which is the degree of the characteristic polynomial.
const DEGREE: usize = 19_937;
const WORDS: usize = DEGREE.div_ceil(64);
/// Distances below two to the power of this are not leapt over: each word takes a fraction of a nanosecond.
const MIN_LEAP: u32 = 21;

/// Coefficients of a polynomial over the field of two elements, that of x^i in bit i.
type Polynomial = [u64; WORDS];

/// Takes the state as far as leaps go, and says how many words of the distance are left.
pub(super) fn over(state: &mut [u32; N], distance: u64) -> u64 {
    for k in MIN_LEAP..u64::BITS {
        if distance >> k & 1 == 1 {
            apply(power(k), state);
        }
    }
    distance & ((1 << MIN_LEAP) - 1)
}

/// x to the power of 2^k, divided by the characteristic polynomial; from [`MIN_LEAP`] on.
fn power(k: u32) -> &'static Polynomial {
    static POWERS: [OnceLock<Polynomial>; (u64::BITS - MIN_LEAP) as usize] =
        [const { OnceLock::new() }; (u64::BITS - MIN_LEAP) as usize];
    POWERS[(k - MIN_LEAP) as usize].get_or_init(|| {
        if k > MIN_LEAP {
            return squared(power(k - 1));
        }
        // The last power of which nothing is left to divide is 2^14.
        let mut x = [0; WORDS];
        x[(1 << 14) / 64] = 1;
        (14..MIN_LEAP).fold(x, |x, _| squared(&x))
    })
}

fn squared(x: &Polynomial) -> Polynomial {
    let mut square = [0u64; 2 * WORDS];
    for (pair, &word) in square.chunks_exact_mut(2).zip(x) {
        (pair[0], pair[1]) = (every_other_bit(word as u32), every_other_bit((word >> 32) as u32));
    }
    // From the highest word on, what is beyond the degree becomes what the characteristic polynomial has below it. Its second highest
    // term is 227 lower, so that no word comes back to itself.
    for at in (DEGREE / 64..2 * WORDS).rev() {
        let beyond = if at == DEGREE / 64 { square[at] >> (DEGREE % 64) << (DEGREE % 64) } else { square[at] };
        if beyond == 0 {
            continue;
        }
        square[at] ^= beyond;
        for &term in LOWER_TERMS.iter() {
            // Where the word's first bit goes, 64 bits higher: that bit itself may lie below x^0, where it is zero.
            let to = 64 * (at + 1) + term - DEGREE;
            let (word, shift) = (to / 64, to % 64);
            square[word] ^= beyond.checked_shr(64 - shift as u32).unwrap_or(0);
            if word > 0 {
                square[word - 1] ^= beyond << shift;
            }
        }
    }
    let mut rest = [0; WORDS];
    rest.copy_from_slice(&square[..WORDS]);
    rest
}

/// The bits of a word, each followed by a zero.
fn every_other_bit(word: u32) -> u64 {
    let mut x = u64::from(word);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        x = (x | x << shift) & mask;
    }
    x
}

/// The exponents of the characteristic polynomial below its degree, by the theorem in the paper of the Mersenne Twister: with
/// P = x^623 + x^396 and Q = x P, it is Q P^31, and for each bit i of the matrix's row Q P^(30 - i), the last one 1.
static LOWER_TERMS: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let mut is_term = vec![false; DEGREE + 1];
    let mut add = |exponent: usize, power: usize| {
        // (x^623 + x^396)^power, of which those binomial coefficients are odd whose bits are among the power's.
        for j in (0..=power).filter(|j| power & j == *j) {
            is_term[exponent + 396 * power + 227 * j] ^= true;
        }
    };
    add(1, 32);
    for i in (0..31).filter(|i| MATRIX >> i & 1 == 1) {
        add(1, 31 - i as usize);
    }
    add(0, 0);
    (0..DEGREE).filter(|&exponent| is_term[exponent]).collect()
});

/// The state so many words on as the polynomial says.
fn apply(polynomial: &Polynomial, state: &mut [u32; N]) {
    // The sequence from the state on: each of its windows is a state.
    let mut sequence = Vec::with_capacity((DEGREE / N + 2) * N);
    let mut block = *state;
    while sequence.len() < DEGREE + N {
        sequence.extend_from_slice(&block);
        twist(&mut block);
    }
    *state = [0; N];
    add_windows(polynomial, &sequence, state);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn add_windows(polynomial: &Polynomial, sequence: &[u32], sum: &mut [u32; N]) {
    for (at, &word) in polynomial.iter().enumerate() {
        let mut left = word;
        while left != 0 {
            let first = 64 * at + left.trailing_zeros() as usize;
            left &= left - 1;
            for (sum, word) in sum.iter_mut().zip(&sequence[first..first + N]) {
                *sum ^= word;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torch_words::twister::Twister;

    #[test]
    fn a_leap_is_as_many_steps() {
        for distance in [1 << MIN_LEAP, (1 << MIN_LEAP) + 5, 3 << MIN_LEAP, (1 << 26) + (1 << 23) + 12345] {
            for before in [0, 1, 1000] {
                let mut leapt = Twister::new(42);
                leapt.skip(before);
                leapt.skip(distance);
                let mut stepped = Twister::new(42);
                for _ in 0..(before + distance) / 1_000_000 {
                    stepped.skip(1_000_000);
                }
                stepped.skip((before + distance) % 1_000_000);
                let [mut a, mut b] = [[0; 2 * N]; 2];
                leapt.fill(&mut a);
                stepped.fill(&mut b);
                assert_eq!(a, b, "{distance} from {before}");
            }
        }
    }

    #[test]
    fn the_characteristic_polynomial_has_135_terms() {
        assert_eq!(LOWER_TERMS.len(), 134);
    }

    #[test]
    fn leaps_to_the_end_of_the_numbers_add_up() {
        let [mut one, mut two] = [Twister::new(7), Twister::new(7)];
        one.skip(1 << 62);
        one.skip((1 << 62) - 3);
        two.skip((1 << 63) - 3);
        let [mut a, mut b] = [[0; 100]; 2];
        one.fill(&mut a);
        two.fill(&mut b);
        assert_eq!(a, b);
    }
}
