//! The values of `jax.random`, and the twin of `shaders/jax.wgsl` and the two kernels on it.

use multiversion::multiversion;

use super::lanes::{BATCH, Piece, fill_units};
use super::numbers::{Kernel, Numbers};
use super::placed::{self, Placed, WIDTH, in_dtype, ordinary};
use super::twin::{Source, Twin};
use crate::arithmetic::math::{inverse_sqrt, neg_ln, two_sum};
use crate::arithmetic::special;
use crate::error::require;
use crate::threefry::threefry2x32_20;
use crate::{Distribution, Dtype, Element, Error, ErrorKind};

/// The texts of `shaders/` that are the kernels' own: of uniform values, and of normal ones.
#[cfg(feature = "gpu")]
pub(crate) const WGSL: [&[&str]; 2] = [
    &[
        include_str!("../../shaders/threefry.wgsl"),
        include_str!("../../shaders/jax.wgsl"),
        include_str!("../../shaders/jax_uniform.wgsl"),
        include_str!("../../shaders/blocks.wgsl"),
    ],
    &[
        include_str!("../../shaders/threefry.wgsl"),
        include_str!("../../shaders/jax.wgsl"),
        include_str!("../../shaders/jax_normal.wgsl"),
        include_str!("../../shaders/blocks.wgsl"),
    ],
];

/// Values of `jax.random`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Jax {
    Uniform(JaxUniform),
    /// Normal and truncated normal, by the inverse error function.
    Normal(JaxNormal),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct JaxUniform {
    pub placed: Placed,
    /// The beginning of uniform values, and their width in two parts, the first of which has 12 bits.
    pub from: f32,
    pub coarse: f32,
    pub fine: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct JaxNormal {
    pub uniform: JaxUniform,
    /// The bounds, in sigmas.
    pub low: f32,
    pub high: f32,
}

impl Jax {
    /// `jax.random`: a uniform value; for normals the inverse error function of it; then `value * scale + location`.
    pub fn new(distribution: &Distribution, dtype: Dtype) -> Result<Jax, Error> {
        let max = dtype.max() as f32;
        let of = |x: f64| in_dtype(dtype, x as f32);
        match *distribution {
            Distribution::Uniform { low, high } => {
                ordinary(dtype, "low", low)?;
                ordinary(dtype, "high", high)?;
                Ok(Jax::Uniform(from_to(dtype, of(low), of(high), placed::at(dtype, 0.0, 1.0))?))
            }
            Distribution::Normal { mean, std } => {
                ordinary(dtype, "mean", mean)?;
                ordinary(dtype, "std", std)?;
                // The number after -1.
                let from = match dtype {
                    Dtype::F32 => -1.0 + f32::EPSILON / 2.0,
                    Dtype::F16 => -1.0 + 2f32.powi(-11),
                    Dtype::BF16 => -1.0 + 2f32.powi(-8),
                };
                let uniform = from_to(dtype, from, 1.0, placed::at(dtype, of(mean), of(std)))?;
                Ok(Jax::Normal(JaxNormal { uniform, low: -max, high: max }))
            }
            Distribution::TruncatedNormal { mean, std, low, high } => {
                ordinary(dtype, "mean", mean)?;
                ordinary(dtype, "std", std)?;
                let (lower, upper) = (of((low - mean) / std), of((high - mean) / std));
                let erf = |x: f32| {
                    of(special::erf(f64::from(in_dtype(dtype, x / in_dtype(dtype, std::f32::consts::SQRT_2)))))
                };
                let (from, to) = (erf(lower), erf(upper));
                // Beyond, the dtype's own arithmetic has no window left.
                require(lower < f32::INFINITY, "low", low, "a number of sigmas from the mean that the dtype holds")?;
                require(
                    upper > f32::NEG_INFINITY,
                    "high",
                    high,
                    "a number of sigmas from the mean that the dtype holds",
                )?;
                // The demand of `ordinary` on the bounds is also one on their error functions.
                for (value, name, bound) in [(from, "low", low), (to, "high", high)] {
                    let allowed = "the mean, or 2^-60 sigmas from it or more, in JAX's streams";
                    require(value == 0.0 || value.abs() >= 2f32.powi(-60), name, bound, allowed)?;
                }
                let window = JaxWindow { dtype, low: lower, high: upper, from, to };
                window.check().map_err(|allowed| Error::new(ErrorKind::Window, "the window", distribution, allowed))?;
                Ok(Jax::Normal(JaxNormal {
                    uniform: from_to(dtype, from, to, placed::at(dtype, of(mean), of(std)))?,
                    low: next(dtype, lower, true).max(-max),
                    high: next(dtype, upper, false).min(max),
                }))
            }
            _ => unreachable!("what has no stream there"),
        }
    }

    /// `jax.nn.initializers`: what `jax.random` draws around 0, times a scale. `variance_scaling` scales a uniform value of \[-1, 1),
    /// `uniform` one of \[0, 1); the normals are `jax.random`'s.
    pub fn initializer(distribution: &Distribution, dtype: Dtype) -> Result<Jax, Error> {
        match *distribution {
            Distribution::Uniform { low, high } => {
                ordinary(dtype, "low", low)?;
                ordinary(dtype, "high", high)?;
                let of = |x: f64| in_dtype(dtype, x as f32);
                let allowed = "0 or -high in the streams of jax.nn.initializers";
                require(low == 0.0 || low == -high, "low", low, allowed)?;
                let (from, scale) = if low == 0.0 {
                    (0.0, of(high))
                } else {
                    // The bound is worked out in the dtype, from the variance.
                    (-1.0, in_dtype(dtype, in_dtype(dtype, 3.0 * of(high * high / 3.0)).sqrt()))
                };
                require(
                    scale.is_finite(),
                    "high",
                    high,
                    "a bound whose square the dtype holds in the streams of jax.nn.initializers",
                )?;
                Ok(Jax::Uniform(from_to(dtype, from, 1.0, placed::at(dtype, 0.0, scale))?))
            }
            Distribution::Normal { mean, .. } | Distribution::TruncatedNormal { mean, .. } => {
                require(mean == 0.0, "mean", mean, "0 in the streams of jax.nn.initializers")?;
                Jax::new(distribution, dtype)
            }
            _ => unreachable!("what has no stream there"),
        }
    }
}

impl Twin for Jax {
    fn kernel(&self) -> Kernel {
        match self {
            Jax::Uniform(_) => Kernel::JaxUniform,
            Jax::Normal(_) => Kernel::JaxNormal,
        }
    }

    fn numbers(&self) -> Numbers {
        match *self {
            // Without bounds in sigmas, they are the dtype's.
            Jax::Uniform(n) => Numbers { low: -n.placed.last, high: n.placed.last, ..n.into() },
            Jax::Normal(JaxNormal { uniform, low, high }) => Numbers { low, high, ..uniform.into() },
        }
    }

    fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>) {
        match self {
            Jax::Uniform(n) => fill_uniform(n, source.stream.key, piece),
            Jax::Normal(n) => fill_normal(n, source.stream.key, piece),
        }
    }
}

impl From<JaxUniform> for Numbers {
    fn from(uniform: JaxUniform) -> Numbers {
        let JaxUniform { placed, from, coarse, fine } = uniform;
        Numbers { offset: from, coarse, fine, ..placed.into() }
    }
}

/// A window of JAX's truncated normal, which is the inverse error function of a uniform number between the bounds' error functions.
/// Near 1 there are few such numbers: a far window has none to draw from, and 1 itself becomes the bound, however far that is.
/// <https://github.com/jax-ml/jax/issues/10951>
struct JaxWindow {
    dtype: Dtype,
    /// The bounds, in sigmas.
    low: f32,
    high: f32,
    /// Their error functions.
    from: f32,
    to: f32,
}

impl JaxWindow {
    /// A check that JAX's own values are a truncated normal; the error is what is allowed.
    fn check(&self) -> Result<(), String> {
        let JaxWindow { dtype, low, high, from, to } = *self;
        let (bits, reach) = match dtype {
            Dtype::F32 => (23, "3.5 sigmas"),
            Dtype::F16 => (10, "one sigma"),
            Dtype::BF16 => (7, "one sigma"),
        };
        // From one number of the dtype to the next one, below x.
        let step = |x: f32| 2f64.powi((x.abs().next_down().max(f32::MIN_POSITIVE).log2().floor() as i32) - bits);
        let width = f64::from(to) - f64::from(from);
        let numbers = width / step(from.abs().max(to.abs()));
        let values = f64::from(high - low) / step(low.abs().max(high.abs()));
        // As many as there are from 3.5 sigmas on in f32, from one sigma on in the others; or half of what the window has values.
        let enough = if dtype == Dtype::F32 { 7500.0 } else { 2f64.powi(bits - 1) };
        if numbers < enough.min(values / 2.0) {
            return Err(format!(
                "a window in JAX's streams that begins within {reach} of the mean, or is wider: JAX draws it from the {dtype} numbers \
                 between the bounds' error functions, which are {numbers:.0} here"
            ));
        }
        let apart = (width * 2f64.powi(-bits)).max(step(1.0));
        // The number next to 1 lies less than a sigma from the bound that 1 becomes.
        let is_far = |bound: f32| special::erf((f64::from(bound.abs()) - 1.0) / std::f64::consts::SQRT_2) > 1.0 - apart;
        let last = in_dtype(dtype, (width * (1.0 - 2f64.powi(-bits)) + f64::from(from)) as f32);
        if (from == -1.0 && is_far(low)) || (last == 1.0 && is_far(high)) {
            let most = if dtype == Dtype::F32 { "6" } else { "3.4" };
            return Err(format!(
                "bounds within {most} sigmas of the mean in JAX's streams: beyond, {dtype} does not tell their error functions from 1, \
                 and some of JAX's own values are the bound itself"
            ));
        }
        Ok(())
    }
}

/// Uniform numbers from `from` to `to`, which nothing but a uniform's own bounds can have too far apart.
fn from_to(dtype: Dtype, from: f32, to: f32, placed: Placed) -> Result<JaxUniform, Error> {
    let range = in_dtype(dtype, to - from);
    require(range.is_finite(), "high", to.into(), WIDTH)?;
    let coarse = f32::from_bits(range.to_bits() & 0xffff_f000);
    Ok(JaxUniform { placed, from, coarse, fine: range - coarse })
}

/// The dtype's next value, up or down; but zero is its own where the next one is subnormal, which many GPUs flush.
fn next(dtype: Dtype, x: f32, up: bool) -> f32 {
    // f16 and bf16 are a run of f32's upper bits, but for the subnormals of f16.
    match (dtype, up) {
        (_, _) if x.is_infinite() => x,
        (Dtype::F32 | Dtype::BF16, _) if x == 0.0 => 0.0,
        (Dtype::F32, true) => x.next_up(),
        (Dtype::F32, false) => x.next_down(),
        (Dtype::F16, _) => {
            let bits = half::f16::from_f32(x).to_bits();
            let step = |away: bool| half::f16::from_bits(if away { bits + 1 } else { bits.wrapping_sub(1) }).to_f32();
            if bits & 0x7fff == 0 { if up { 5.960_464_5e-8 } else { -5.960_464_5e-8 } } else { step((x > 0.0) == up) }
        }
        (Dtype::BF16, _) => {
            let bits = half::bf16::from_f32(x).to_bits();
            let away = (x > 0.0) == up;
            half::bf16::from_bits(if away { bits + 1 } else { bits.wrapping_sub(1) }).to_f32()
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn fill_uniform<T: Element>(n: &JaxUniform, key: [u32; 2], piece: Piece<'_, T>) {
    fill_units::<T, BATCH>(piece, |number, elements| {
        let words = words_from(number * BATCH as u64, key);
        for i in 0..BATCH {
            elements[i] = T::round(placed::placed::<T>(uniform::<T>(words[i], n), &n.placed));
        }
    });
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn fill_normal<T: Element>(n: &JaxNormal, key: [u32; 2], piece: Piece<'_, T>) {
    fill_units::<T, BATCH>(piece, |number, elements| {
        let words = words_from(number * BATCH as u64, key);
        for i in 0..BATCH {
            let z = normal::<T>(uniform::<T>(words[i], &n.uniform), n);
            elements[i] = T::round(placed::placed::<T>(z, &n.uniform.placed));
        }
    });
}

/// The words of elements, from the first on, a multiple of a batch.
#[inline(always)]
fn words_from(first: u64, key: [u32; 2]) -> [u32; BATCH] {
    let mut words = [0; BATCH];
    for i in 0..BATCH {
        let [a, b] = threefry2x32_20([(first >> 32) as u32, first as u32 | i as u32], key);
        words[i] = a ^ b;
    }
    words
}

/// A uniform value from `from` on, as wide as `coarse` and `fine` together.
#[inline(always)]
fn uniform<T: Element>(word: u32, n: &JaxUniform) -> f32 {
    // As many of the word's bits as the dtype's fraction has: the highest of 32, of the low 16, or of the low 8. XLA
    // rounds f16's sum alone, whose product is exact in f32, and bf16's product too.
    let range = n.coarse + n.fine;
    let u = match T::DTYPE {
        Dtype::F32 => fused(word >> 9, n),
        Dtype::F16 => T::in_dtype(((word & 0xffff) >> 6) as f32 * 9.765_625e-4 * range + n.from), // 2^-10
        Dtype::BF16 => T::in_dtype(T::in_dtype(((word & 0xff) >> 1) as f32 * 0.007_812_5 * range) + n.from), // 2^-7
    };
    if u < n.from { n.from } else { u }
}

/// m / 2^23 times the range plus `from`, rounded once: XLA compiles it to a fused multiply-add. Products of 12-bit parts are
/// exact, and of each sum the rounding error is kept.
#[inline(always)]
fn fused(m: u32, n: &JaxUniform) -> f32 {
    let high = (m & 0x7f_f800) as f32 * 1.192_092_9e-7; // 2^-23
    let low = (m & 0x7ff) as f32 * 1.192_092_9e-7;
    let (s, e0) = two_sum(n.from, high * n.coarse);
    let (middle, e1) = two_sum(high * n.fine, low * n.coarse);
    let (t, e2) = two_sum(s, middle);
    t + (e2 + (e0 + (e1 + low * n.fine)))
}

/// sqrt(2) times the inverse error function, kept inside the bounds.
#[inline(always)]
fn normal<T: Element>(u: f32, n: &JaxNormal) -> f32 {
    let z = T::in_dtype(T::in_dtype(inverse_erf(u)) * T::in_dtype(std::f32::consts::SQRT_2));
    let z = if z < n.low { n.low } else { z };
    if z > n.high { n.high } else { z }
}

/// M. Giles, "Approximating the erfinv function", GPU Computing Gems, Jade Edition, 2011,
/// <https://doi.org/10.1016/B978-0-12-385963-1.00010-1>: the single-precision polynomials.
#[inline(always)]
fn inverse_erf(x: f32) -> f32 {
    let y = x * x;
    let w = neg_ln(1.0 - y, -y);
    let near = w < 5.0;
    let v = if near { w - 2.5 } else { w * inverse_sqrt(w) - 3.0 };
    let c = |a: f32, b: f32| if near { a } else { b };
    let p = c(2.810_226_4e-8, -0.000_200_214_26);
    let p = p * v + c(3.432_739_4e-7, 0.000_100_950_56);
    let p = p * v + c(-3.523_387_7e-6, 0.001_349_343_2);
    let p = p * v + c(-4.391_506_5e-6, -0.003_673_428_4);
    let p = p * v + c(0.000_218_580_87, 0.005_739_507_7);
    let p = p * v + c(-0.001_253_725, -0.007_622_461_3);
    let p = p * v + c(-0.004_177_681_6, 0.009_438_870_5);
    let p = p * v + c(0.246_640_73, 1.001_674);
    let p = p * v + c(1.501_409_4, 2.832_976_8);
    p * x
}
