//! PyTorch's draws from Philox: by the keys of `torch.func._random`, and by its generator on CUDA.

use std::ops::Range;

use super::double::cos_sin;
use super::fused::fused;
use crate::arithmetic::special;
use crate::stream::Origin;
use crate::torch_words::keys::Source;
use crate::{Distribution, Dtype, Error, ErrorKind, Stream};

/// A number of (0, 1], as cuRAND makes it of a word.
fn rand(word: u32) -> f32 {
    // A word as f32, times 2^-32, and 2^-33: exact in f64.
    (f64::from(word as f32) * 2f64.powi(-32) + 2f64.powi(-33)) as f32
}

/// Values of a range, rounded to the dtype.
pub(super) fn values(distribution: &Distribution, stream: Stream, dtype: Dtype, range: Range<u64>, out: &mut [f32]) {
    let Some(source) = stream.torch_source() else { unreachable!("the sampler is made for such streams") };
    let rounded = |x: f32| dtype.rounded(x);
    let elements = range.zip(out);
    match *distribution {
        Distribution::Uniform { low, high } => {
            let (low, high) = (rounded(low as f32), rounded(high as f32));
            let width = high - low;
            for (element, x) in elements {
                let (words, at) = source.block(element);
                let value = match source {
                    // As many low bits as the dtype's fraction has, and the leading one.
                    Source::Key(_) => {
                        let bits = match dtype {
                            Dtype::F32 => 24,
                            Dtype::F16 => 11,
                            Dtype::BF16 => 8,
                        };
                        let unit = (words[at] & ((1 << bits) - 1)) as f32 * 2f32.powi(-bits);
                        unit * width + low
                    }
                    Source::Cuda { .. } => fused::<false>(rand(words[at]), width, low),
                };
                let value = rounded(value);
                *x = if matches!(source, Source::Cuda { .. }) && value == high { low } else { value };
            }
        }
        Distribution::Normal { mean, std } => {
            let (mean, std) = (mean as f32, std as f32);
            for (element, x) in elements {
                let (words, at) = source.block(element);
                let pair = [words[at / 2 * 2], words[at / 2 * 2 + 1]];
                let z = normal(source, pair, at % 2);
                *x = rounded(match source {
                    Source::Key(_) => z * std + mean,
                    Source::Cuda { .. } => fused::<false>(z, std, mean),
                });
            }
        }
        _ => unreachable!("other distributions have no such stream"),
    }
}

/// One of the two values of Box and Muller: by a key the cosine is first, on CUDA the sine.
fn normal(source: Source, [a, b]: [u32; 2], second: usize) -> f32 {
    let ln = special::ln(rand(a).into()) as f32;
    let radius = (-2.0 * ln).sqrt();
    let turn = std::f32::consts::TAU;
    let (angle, is_sine) = match source {
        Source::Key(_) => (rand(b) * turn, second == 1),
        Source::Cuda { .. } => {
            let step = f64::from(2f32.powi(-32) * turn);
            ((f64::from(b as f32) * step + step / 2.0) as f32, second == 0)
        }
    };
    let (cosine, sine) = cos_sin(angle.into());
    radius * (if is_sine { sine } else { cosine }) as f32
}

/// An error unless PyTorch draws this of such a stream.
pub(super) fn check(distribution: &Distribution, dtype: Dtype, stream: &Stream) -> Result<(), Error> {
    super::draw::check_kind(distribution, Some(dtype))?;
    if matches!(distribution, Distribution::TruncatedNormal { .. }) {
        let allowed = "uniform, normal in the streams of PyTorch's keys and of its generator on CUDA";
        return Err(Error::new(ErrorKind::Parameter, "the distribution", distribution, allowed));
    }
    let Origin::TorchCuda { elements, .. } = stream.origin else { return Ok(()) };
    let Some(elements) = elements else { return Err(super::draw::of_a_range()) };
    if dtype.bytes(elements) > i32::MAX as u64 {
        let allowed =
            format!("at most {} bytes in the stream of PyTorch's generator on CUDA, which cuts larger ones", i32::MAX);
        return Err(Error::new(ErrorKind::Shape, "the tensor's size", dtype.bytes(elements), allowed));
    }
    Ok(())
}
