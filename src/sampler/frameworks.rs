//! The numbers of kernels that draw what other frameworks draw: in the dtype's own arithmetic, as they do.

use super::parameters::{JaxNormal, JaxUniform, Placed, Sampler, TensorFlow, fits};
use crate::arithmetic::special;
use crate::error::require;
use crate::{Distribution, Dtype, Error, ErrorKind};

/// The frameworks' own steps are followed, in no unit but theirs: a magnitude at which one of them could be subnormal or
/// infinite, which WGSL leaves to the driver, is refused.
fn ordinary(dtype: Dtype, name: &'static str, value: f64) -> Result<(), Error> {
    fits(dtype, name, value)?;
    let magnitude = value.abs();
    let allowed = "0, or a magnitude from 2^-60 to 2^60 in other frameworks' streams";
    require(magnitude == 0.0 || (2f64.powi(-60)..=2f64.powi(60)).contains(&magnitude), name, value, allowed)
}

/// TensorFlow's stateless operations: `value * scale + location`.
pub(super) fn tensorflow(distribution: &Distribution, dtype: Dtype, base: u32) -> Result<Sampler, Error> {
    let (sampler, location, scale): (fn(TensorFlow) -> Sampler, _, _) = match *distribution {
        Distribution::Uniform { low, high } => {
            ordinary(dtype, "low", low)?;
            ordinary(dtype, "high", high)?;
            let from = in_dtype(dtype, low as f32);
            let range = in_dtype(dtype, in_dtype(dtype, high as f32) - from);
            require(range.is_finite(), "high", high, WIDTH)?;
            (Sampler::TensorFlowUniform, from, range)
        }
        Distribution::Normal { mean, std } => {
            ordinary(dtype, "mean", mean)?;
            ordinary(dtype, "std", std)?;
            (Sampler::TensorFlowNormal, mean as f32, std as f32)
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
            (Sampler::TensorFlowTruncated, mean as f32, std as f32)
        }
        _ => unreachable!("what has no stream there"),
    };
    let placed = placed(dtype, in_dtype(dtype, location), in_dtype(dtype, scale));
    Ok(sampler(TensorFlow { placed, base }))
}

/// `jax.random`: a uniform value; for normals the inverse error function of it; then `value * scale + location`.
pub(super) fn jax(distribution: &Distribution, dtype: Dtype) -> Result<Sampler, Error> {
    let max = dtype.max() as f32;
    let of = |x: f64| in_dtype(dtype, x as f32);
    match *distribution {
        Distribution::Uniform { low, high } => {
            ordinary(dtype, "low", low)?;
            ordinary(dtype, "high", high)?;
            Ok(Sampler::JaxUniform(from_to(dtype, of(low), of(high), placed(dtype, 0.0, 1.0))?))
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
            let uniform = from_to(dtype, from, 1.0, placed(dtype, of(mean), of(std)))?;
            Ok(Sampler::JaxNormal(JaxNormal { uniform, low: -max, high: max }))
        }
        Distribution::TruncatedNormal { mean, std, low, high } => {
            ordinary(dtype, "mean", mean)?;
            ordinary(dtype, "std", std)?;
            let (lower, upper) = (of((low - mean) / std), of((high - mean) / std));
            let erf =
                |x: f32| of(special::erf(f64::from(in_dtype(dtype, x / in_dtype(dtype, std::f32::consts::SQRT_2)))));
            let (from, to) = (erf(lower), erf(upper));
            // Beyond, the dtype's own arithmetic has no window left.
            require(lower < f32::INFINITY, "low", low, "a number of sigmas from the mean that the dtype holds")?;
            require(upper > f32::NEG_INFINITY, "high", high, "a number of sigmas from the mean that the dtype holds")?;
            // The demand of `ordinary` on the bounds is also one on their error functions.
            for (value, name, bound) in [(from, "low", low), (to, "high", high)] {
                let allowed = "the mean, or 2^-60 sigmas from it or more, in JAX's streams";
                require(value == 0.0 || value.abs() >= 2f32.powi(-60), name, bound, allowed)?;
            }
            let window = JaxWindow { dtype, low: lower, high: upper, from, to };
            window.check().map_err(|allowed| Error::new(ErrorKind::Window, "the window", distribution, allowed))?;
            Ok(Sampler::JaxNormal(JaxNormal {
                uniform: from_to(dtype, from, to, placed(dtype, of(mean), of(std)))?,
                low: next(dtype, lower, true).max(-max),
                high: next(dtype, upper, false).min(max),
            }))
        }
        _ => unreachable!("what has no stream there"),
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

/// `jax.nn.initializers`: what `jax.random` draws around 0, times a scale. `variance_scaling` scales a uniform value of \[-1, 1),
/// `uniform` one of \[0, 1); the normals are `jax.random`'s.
pub(super) fn jax_initializers(distribution: &Distribution, dtype: Dtype) -> Result<Sampler, Error> {
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
            Ok(Sampler::JaxUniform(from_to(dtype, from, 1.0, placed(dtype, 0.0, scale))?))
        }
        Distribution::Normal { mean, .. } | Distribution::TruncatedNormal { mean, .. } => {
            require(mean == 0.0, "mean", mean, "0 in the streams of jax.nn.initializers")?;
            jax(distribution, dtype)
        }
        _ => unreachable!("what has no stream there"),
    }
}

fn placed(dtype: Dtype, location: f32, scale: f32) -> Placed {
    Placed { location, scale, last: dtype.max() as f32 }
}

/// Uniform numbers from `from` to `to`, which nothing but a uniform's own bounds can have too far apart.
fn from_to(dtype: Dtype, from: f32, to: f32, placed: Placed) -> Result<JaxUniform, Error> {
    let range = in_dtype(dtype, to - from);
    require(range.is_finite(), "high", to.into(), WIDTH)?;
    let coarse = f32::from_bits(range.to_bits() & 0xffff_f000);
    Ok(JaxUniform { placed, from, coarse, fine: range - coarse })
}

/// Their steps go through `high - low`, in the dtype.
const WIDTH: &str = "a bound whose distance from the other the dtype holds, in other frameworks' streams";

fn in_dtype(dtype: Dtype, x: f32) -> f32 {
    match dtype {
        Dtype::F16 if x.abs() >= 65520.0 => f32::INFINITY.copysign(x),
        _ if x.is_finite() => dtype.rounded(x),
        _ => x,
    }
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
