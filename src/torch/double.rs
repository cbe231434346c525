//! PyTorch's normal values in f64, of words: those of its C library, or, where they are rounded to f32 afterwards, of `+ - * /` alone.

use crate::arithmetic::special;

/// A value of [0, 1) of 53 bits of two words, the first of which is the high one.
#[inline(always)]
pub(super) fn unit([high, low]: [u32; 2]) -> f64 {
    let bits = (u64::from(high) << 32 | u64::from(low)) & ((1 << 53) - 1);
    bits as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// The logarithm, sine and cosine to draw with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Functions {
    /// fanin's own, the same everywhere: for what is rounded to f32.
    Own,
    /// The C library's, which are PyTorch's.
    Library,
}

impl Functions {
    /// Two normal values of four words, as PyTorch draws them where it does not draw 16 at once.
    pub fn pair(self, [a, b, c, d]: [u32; 4]) -> [f64; 2] {
        let (angle, u) = (unit([a, b]), unit([c, d]));
        let ln = match self {
            Functions::Own => special::ln(1.0 - u),
            Functions::Library => (-u).ln_1p(),
        };
        self.placed(ln, std::f64::consts::TAU * angle)
    }

    /// Of 32 words, of which words 2 j and 2 j + 1 make a number, and numbers j and j + 8 the values j and j + 8.
    pub fn block(self, words: &[u32; 32]) -> [f64; 16] {
        let unit = |i: usize| unit([words[2 * i], words[2 * i + 1]]);
        let mut values = [0.0; 16];
        for j in 0..8 {
            let u = 1.0 - unit(j);
            let ln = if self == Functions::Own { special::ln(u) } else { u.ln() };
            [values[j], values[j + 8]] = self.placed(ln, std::f64::consts::TAU * unit(j + 8));
        }
        values
    }

    fn placed(self, ln: f64, angle: f64) -> [f64; 2] {
        let radius = (-2.0 * ln).sqrt();
        let (cosine, sine) = match self {
            Functions::Own => cos_sin(angle),
            Functions::Library => (angle.cos(), angle.sin()),
        };
        [radius * cosine, radius * sine]
    }
}

/// pi / 2, the first 33 bits, the next 33, and the rest: a product of the first two with a small whole number is exact.
const HALF_PI: [f64; 3] = [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];

/// Cosine and sine of an angle of [0, 2 pi]: their series about the nearest multiple of pi / 2.
pub(super) fn cos_sin(x: f64) -> (f64, f64) {
    let quarter = (x / std::f64::consts::FRAC_PI_2 + 0.5).floor();
    let x = ((x - quarter * HALF_PI[0]) - quarter * HALF_PI[1]) - quarter * HALF_PI[2];
    let square = x * x;
    let (mut c, mut s, mut n) = (0.0, 0.0, 20.0);
    while n > 1.0 {
        c = -square * (1.0 + c) / (n * (n - 1.0));
        s = -square * (1.0 + s) / (n * (n + 1.0));
        n -= 2.0;
    }
    let (c, s) = (1.0 + c, x + x * s);
    match quarter as u32 % 4 {
        0 => (c, s),
        1 => (-s, c),
        2 => (-c, -s),
        _ => (s, -c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_functions_are_within_a_few_units_of_the_librarys() {
        let mut most = 0f64;
        for n in 0..100_000 {
            let words = crate::philox4x32_10([n, 0, 0, 0], [3, 4]);
            let [own, library] = [Functions::Own, Functions::Library].map(|functions| functions.pair(words));
            for (own, library) in own.into_iter().zip(library) {
                most = most.max(((own - library) / library).abs());
            }
        }
        // Two units in the last place each, of a logarithm's half and of a sine.
        assert!(most < 8e-16, "{most}");
        // Near their zeros as well.
        for k in 0..5 {
            for away in [0.0, 1e-9, -1e-9, 1e-15, 0.5] {
                let x = (f64::from(k) * std::f64::consts::FRAC_PI_2 + away).clamp(0.0, std::f64::consts::TAU);
                let (c, s) = cos_sin(x);
                assert!(
                    (c - x.cos()).abs() <= 3e-16 * x.cos().abs() && (s - x.sin()).abs() <= 3e-16 * x.sin().abs(),
                    "{x}"
                );
            }
        }
    }
}
