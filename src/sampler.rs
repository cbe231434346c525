//! Distribution + dtype -> the kernel that draws it and the f32 numbers that the kernel works with.
//!
//! This is the last place with f64 and with transcendental functions; they are fanin's own, which give the same bits on every host. The
//! WGSL kernels and their CPU twins alike read its numbers.

use native::native;
#[cfg(feature = "gpu")]
pub(crate) use numbers::Kernel;
#[cfg(any(feature = "gpu", test))]
pub(crate) use numbers::Numbers;
pub(crate) use parameters::*;

use crate::stream::Origin;
use crate::{Distribution, Dtype, Error, ErrorKind, Stream, Structure, torch};

mod frameworks;
#[cfg(test)]
mod frozen;
mod native;
#[cfg(any(feature = "gpu", test))]
mod numbers;
mod parameters;

impl Sampler {
    pub fn new(distribution: &Distribution, dtype: Dtype, stream: &Stream) -> Result<Sampler, Error> {
        distribution.check()?;
        let is_fixed = matches!(
            distribution,
            Distribution::Constant { .. }
                | Distribution::Structured(Structure::Identity { .. } | Structure::Sequence { .. })
        );
        match (stream.origin, distribution) {
            (Origin::Native, _) => native(distribution, dtype),
            _ if is_fixed => native(distribution, dtype),
            (
                _,
                Distribution::LogUniform { .. }
                | Distribution::LogOfUniform { .. }
                | Distribution::InverseSoftplus { .. }
                | Distribution::Structured(_),
            ) => {
                let allowed = "fanin's own (Stream::named, numbered, from_key): other frameworks draw this by libraries of linear \
                               algebra, in an order of their own, or not at all";
                let value = format!("another framework's, for {distribution}");
                Err(Error::new(ErrorKind::Parameter, "the stream", value, allowed))
            }
            (Origin::TensorFlow, _) => frameworks::tensorflow(distribution, dtype, stream.base),
            (Origin::Jax, _) => frameworks::jax(distribution, dtype),
            (Origin::JaxInitializers, _) => frameworks::jax_initializers(distribution, dtype),
            (Origin::Torch(_) | Origin::TorchKey(_) | Origin::TorchCuda { .. }, _) => {
                torch::check(distribution, dtype, stream)?;
                Ok(Sampler::Torch(*distribution))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JaxKey;

    /// Also of other frameworks' streams, whose windows may begin at the mean, or a hair beside it.
    #[test]
    fn numbers_of_other_streams_are_never_subnormal_or_infinite() {
        let (mut drawn, mut refused) = (0, 0);
        let numbers =
            [0.0, 1e-45, 1e-38, 1e-30, 1e-18, 1e-7, 0.02, 1.0, 300.0, 4e4, 65504.0, 7e4, 1e18, 1e30, f64::INFINITY];
        let key = JaxKey::new(1);
        for stream in [Stream::jax(key), Stream::jax_initializer(key), Stream::tensorflow([1, 2])] {
            for &dtype in Dtype::ALL {
                for mean in [0.0, 1e-18, 0.5, 1e10] {
                    for std in numbers {
                        for (low, high) in numbers.into_iter().flat_map(|a| numbers.map(|b| (mean - a, mean + b))) {
                            for distribution in [
                                Distribution::TruncatedNormal { mean, std, low, high },
                                Distribution::TruncatedNormal { mean, std, low: mean + std, high: mean + 3.0 * std },
                                Distribution::Uniform { low, high },
                                Distribution::Normal { mean, std },
                            ] {
                                let Ok(sampler) = Sampler::new(&distribution, dtype, &stream) else {
                                    refused += 1;
                                    continue;
                                };
                                drawn += 1;
                                let n = Numbers { word: 0, ..sampler.numbers() };
                                for x in bytemuck::cast::<Numbers, [f32; 20]>(Numbers { asks: 0, ..n }) {
                                    assert!(x == 0.0 || x.is_normal(), "{stream:?} {dtype} {distribution:?}: {n:?}");
                                }
                            }
                        }
                    }
                }
            }
        }
        assert!(drawn > 1000 && refused > 1000, "{drawn} drawn, {refused} refused");
    }
}
