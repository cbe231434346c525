//! The values of TensorFlow's stateless random operations, and the twin of `shaders/tensorflow.wgsl` and the three kernels on it.

use multiversion::multiversion;

use super::lanes::{BATCH, Generator, LANES, Piece, blocks_from, fill_units, words_of};
use super::numbers::{Kernel, Numbers};
use super::placed::{self, Placed, WIDTH, in_dtype, ordinary};
use super::twin::{Source, Twin};
use crate::arithmetic::math::{cos_sin_from, inverse_sqrt, neg_ln};
use crate::error::require;
use crate::{Distribution, Dtype, Element, Error, Stream};

/// The texts of `shaders/` that are the kernels' own, by `Value`.
#[cfg(feature = "gpu")]
pub(crate) const WGSL: [&[&str]; 3] = [
    &[
        include_str!("../../shaders/tensorflow.wgsl"),
        include_str!("../../shaders/tensorflow_uniform.wgsl"),
        include_str!("../../shaders/blocks.wgsl"),
    ],
    &[
        include_str!("../../shaders/tensorflow.wgsl"),
        include_str!("../../shaders/tensorflow_normal.wgsl"),
        include_str!("../../shaders/blocks.wgsl"),
    ],
    &[
        include_str!("../../shaders/tensorflow.wgsl"),
        include_str!("../../shaders/tensorflow_truncated.wgsl"),
        include_str!("../../shaders/blocks.wgsl"),
    ],
];

/// A value of one of the operations, and where it is placed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TensorFlow {
    value: Value,
    placed: Placed,
    /// The third word of its counters.
    base: u32,
}

/// The operation whose values are placed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Uniform,
    Normal,
    Truncated,
}

impl TensorFlow {
    /// TensorFlow's stateless operations: `value * scale + location`.
    pub fn new(distribution: &Distribution, dtype: Dtype, base: u32) -> Result<TensorFlow, Error> {
        let (value, location, scale) = match *distribution {
            Distribution::Uniform { low, high } => {
                ordinary(dtype, "low", low)?;
                ordinary(dtype, "high", high)?;
                let from = in_dtype(dtype, low as f32);
                let range = in_dtype(dtype, in_dtype(dtype, high as f32) - from);
                require(range.is_finite(), "high", high, WIDTH)?;
                (Value::Uniform, from, range)
            }
            Distribution::Normal { mean, std } => {
                ordinary(dtype, "mean", mean)?;
                ordinary(dtype, "std", std)?;
                (Value::Normal, mean as f32, std as f32)
            }
            Distribution::TruncatedNormal { mean, std, low, high } => {
                ordinary(dtype, "mean", mean)?;
                ordinary(dtype, "std", std)?;
                for (sigmas, name) in [((mean - low) / std, "low"), ((high - mean) / std, "high")] {
                    if (sigmas - 2.0).abs() > 1e-6 {
                        let value = if name == "low" { low } else { high };
                        require(false, name, value, "two sigmas from the mean in TensorFlow's streams")?;
                    }
                }
                (Value::Truncated, mean as f32, std as f32)
            }
            _ => unreachable!("what has no stream there"),
        };
        let placed = placed::at(dtype, in_dtype(dtype, location), in_dtype(dtype, scale));
        Ok(TensorFlow { value, placed, base })
    }
}

impl Twin for TensorFlow {
    fn kernel(&self) -> Kernel {
        match self.value {
            Value::Uniform => Kernel::TensorFlowUniform,
            Value::Normal => Kernel::TensorFlowNormal,
            Value::Truncated => Kernel::TensorFlowTruncated,
        }
    }

    fn numbers(&self) -> Numbers {
        Numbers { word: self.base, ..self.placed.into() }
    }

    fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>) {
        match self.value {
            Value::Uniform => fill_uniform(self, &source.generator, piece),
            Value::Normal => fill_normal(self, &source.generator, piece),
            Value::Truncated => fill_truncated(self, source.stream, piece),
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn fill_uniform<T: Element>(n: &TensorFlow, generator: &Generator, piece: Piece<'_, T>) {
    fill_units::<T, BATCH>(piece, |number, elements| {
        let (low, high) = blocks_from(number * LANES as u64);
        let words = words_of(generator.pairs(&low, high, n.base));
        for i in 0..BATCH {
            elements[i] = T::round(placed::placed::<T>(unit(words[i], T::DTYPE), &n.placed));
        }
    });
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn fill_normal<T: Element>(n: &TensorFlow, generator: &Generator, piece: Piece<'_, T>) {
    fill_units::<T, BATCH>(piece, |number, elements| {
        let (low, high) = blocks_from(number * LANES as u64);
        let pairs = generator.pairs(&low, high, n.base);
        let (mut z0, mut z1) = ([0.0; 2 * LANES], [0.0; 2 * LANES]);
        for i in 0..2 * LANES {
            (z0[i], z1[i]) = normal_pair(pairs[i] as u32, (pairs[i] >> 32) as u32);
        }
        for i in 0..2 * LANES {
            elements[2 * i] = T::round(placed::placed::<T>(z0[i], &n.placed));
            elements[2 * i + 1] = T::round(placed::placed::<T>(z1[i], &n.placed));
        }
    });
}

/// Four elements take their words from 256 blocks of their own, pair by pair, and keep what is within two sigmas.
fn fill_truncated<T: Element>(n: &TensorFlow, stream: Stream, piece: Piece<'_, T>) {
    fill_units::<T, 4>(piece, |number, elements| {
        let mut kept = 0;
        for j in 0..BLOCKS {
            let [a, b, c, d] = stream.block((number << 8) | j, 0);
            let ((z0, z1), (z2, z3)) = (normal_pair(a, b), normal_pair(c, d));
            for z in [z0, z1, z2, z3] {
                if kept < 4 && z.abs() < 2.0 {
                    elements[kept] = T::round(placed::placed::<T>(z, &n.placed));
                    kept += 1;
                }
            }
            if kept == 4 {
                return;
            }
        }
        for element in &mut elements[kept..] {
            *element = T::round(placed::placed::<T>(0.0, &n.placed));
        }
    });
}

/// Blocks that four truncated elements may use.
const BLOCKS: u64 = 256;

/// A value of [0, 1): as many of the word's low bits as the dtype's fraction has.
#[inline(always)]
fn unit(word: u32, dtype: Dtype) -> f32 {
    match dtype {
        Dtype::F32 => (word & 0x7f_ffff) as f32 * 1.192_092_9e-7, // 2^-23
        Dtype::F16 => (word & 0x3ff) as f32 * 9.765_625e-4,       // 2^-10
        Dtype::BF16 => (word & 0x7f) as f32 * 0.007_812_5,        // 2^-7
    }
}

/// Box-Muller, sine first: `sqrt(-2 ln u)` times sine and cosine of v, where v is 2 pi times a value of [0, 1) **rounded to f32**,
/// which moves it by up to 2.4e-7.
#[inline(always)]
fn normal_pair(w0: u32, w1: u32) -> (f32, f32) {
    let u = unit(w0, Dtype::F32);
    let u = if u < 1e-7 { 1e-7 } else { u };
    let q = 2.0 * neg_ln(u, u - 1.0);
    let radius = q * inverse_sqrt(q);
    let k = w1 & 0x7f_ffff;
    let turn = k << 9;
    let (c, s) = cos_sin_from(turn.wrapping_add(0x2000_0000) >> 30, (turn << 2) as i32);
    let d = rounding_of_angle(k);
    (radius * (s + d * c), radius * (c - d * s))
}

/// The change of 2 pi k / 2^23 when it is rounded to f32.
#[inline(always)]
fn rounding_of_angle(k: u32) -> f32 {
    // k times 2 pi in units of 2^-52, high and low word.
    let high = u64::from(k) * 0xc90f_daa2;
    let low = u64::from(k) * 0x2168_c235;
    let n = high + (low >> 32);
    let (h, l) = ((n >> 32) as u32, n as u32);
    // Its first 32 bits, of which f32 keeps 24.
    let zeros = h.leading_zeros();
    let sure = zeros.min(31);
    let a = if zeros == 32 { l } else { (h << sure) | ((l >> 1) >> (31 - sure)) };
    let more = if zeros == 32 { 0 } else { l << sure };
    let rest = a & 0xff;
    let up = rest > 0x80 || rest == 0x80 && (more != 0 || a & 0x100 != 0);
    let change = if up { 256 - rest as i32 } else { -(rest as i32) };
    change as f32 * f32::from_bits((127 - 20 - zeros) << 23)
}

#[cfg(test)]
mod tests {
    use super::rounding_of_angle;

    #[test]
    fn the_angle_is_rounded_as_f32_rounds_it() {
        for k in (0..1 << 23).step_by(7).chain(0..1000) {
            // f64 has 29 bits more than f32.
            let exact = std::f64::consts::TAU * f64::from(k) / 8_388_608.0;
            let change = f64::from(exact as f32) - exact;
            // Of which 8 bits are used.
            let ulp = f64::from((exact as f32).next_up()) - f64::from(exact as f32);
            assert!((f64::from(rounding_of_angle(k)) - change).abs() <= ulp / 200.0, "{k}");
        }
    }
}
