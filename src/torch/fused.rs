//! A product and a sum, rounded once: what PyTorch's kernels do on x86-64 with FMA.

/// `a * b + c`, rounded once to f32, on every processor. `FAST` is for those that have an instruction for it.
#[inline(always)]
pub(super) fn fused<const FAST: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FAST {
        return a.mul_add(b, c);
    }
    // The product of two f32 is an f64. What their sum lost decides its last bit, so that to f32 it is rounded as the exact sum is:
    // S. Boldo, G. Melquiond, "Emulation of a FMA and correctly rounded sums", IEEE Transactions on Computers 57 (2008),
    // <https://doi.org/10.1109/TC.2007.70819>.
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let sum = product + c;
    let part = sum - product;
    let lost = (product - (sum - part)) + (c - part);
    let bits = sum.to_bits();
    let is_even = lost != 0.0 && bits & 1 == 0;
    let odd = if (lost > 0.0) == (sum > 0.0) { bits.wrapping_add(1) } else { bits.wrapping_sub(1) };
    f64::from_bits(if is_even { odd } else { bits }) as f32
}

#[cfg(test)]
mod tests {
    use super::fused;
    use crate::philox4x32_10;

    fn check(a: i128, b: i128, c: i128) {
        let exact = a * b + c;
        let f = |x: i128| x as f32;
        assert!(f(a) as i128 == a && f(b) as i128 == b && f(c) as i128 == c);
        assert_eq!(fused::<false>(f(a), f(b), f(c)), exact as f32, "{a} * {b} + {c}");
    }

    /// Against integers, for numbers whose products and sums are integers of 128 bits.
    #[test]
    fn it_is_rounded_once() {
        for n in 0..1_000_000 {
            let [a, b, c, d] = philox4x32_10([n, 0, 0, 0], [1, 2]);
            let of = |word: u32, shift: u32| {
                let magnitude = i128::from(word >> 8) << (shift % 40);
                if word & 1 == 0 { magnitude } else { -magnitude }
            };
            check(of(a, d), of(b, d >> 8), of(c, d >> 16));
        }
    }

    /// A sum that f64 rounds to the middle between two f32.
    #[test]
    fn it_is_rounded_once_next_to_the_middle() {
        let mut differ = 0;
        for n in 0..1000 {
            let c = i128::from((1 << 23) + n) << 47;
            for (a, b) in [((1 << 23) + 1, (1 << 23) - 1), (1 << 23, 1 << 23), ((1 << 23) + 1, (1 << 23) + 1)] {
                for (a, c) in [(a, c), (-a, c), (a, -c), (-a, -c)] {
                    check(a, b, c);
                    differ += i32::from((a as f64 * b as f64 + c as f64) as f32 != (a * b + c) as f32);
                }
            }
        }
        assert_eq!(differ, 2000, "as many as f64 rounds wrongly");
    }
}
