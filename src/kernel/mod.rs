//! Kernels, a file each: their numbers, how a distribution becomes them, their twin on the host, and their part of the WGSL.
//!
//! Distribution + dtype -> the kernel that draws it and the f32 numbers that the kernel works with. This is the last place with f64 and with
//! transcendental functions; they are fanin's own, which give the same bits on every host. The WGSL kernels and their twins alike
//! read these numbers.

// Loops over lanes index several arrays at once; iterators over them are not vectorised as surely.
#![allow(clippy::needless_range_loop)]

#[cfg(feature = "gpu")]
use std::ops::Range;

mod constant;
mod identity;
mod jax;
mod lanes;
mod line;
pub(crate) mod normal;
mod norms;
mod numbers;
mod orthogonal;
mod past_cache;
mod placed;
mod sparse;
#[cfg(feature = "gpu")]
pub(crate) mod table;
mod tensorflow;
mod torch;
mod truncated_normal;
mod twin;
mod uniform;
mod values;
mod words;

pub(crate) use constant::Constant;
pub(crate) use identity::Identity;
pub(crate) use jax::Jax;
pub(crate) use lanes::{Generator, Piece, TILE};
#[cfg(test)]
pub(crate) use line::asks;
pub(crate) use normal::Normal;
#[cfg(feature = "gpu")]
pub(crate) use numbers::Kernel;
pub(crate) use numbers::Numbers;
pub(crate) use orthogonal::{BLOCK, Geometry, Orthogonal};
pub(crate) use past_cache::WORTHWHILE;
pub(crate) use sparse::Sparse;
pub(crate) use tensorflow::TensorFlow;
pub(crate) use torch::Torch;
pub(crate) use truncated_normal::TruncatedNormal;
pub(crate) use twin::{RandomWords, Source, Twin};
pub(crate) use uniform::Uniform;
pub(crate) use values::Values;
pub(crate) use words::Words;

use crate::stream::Origin;
#[cfg(feature = "gpu")]
use crate::torch::Cursors;
use crate::{Distribution, Dtype, Element, Error, ErrorKind, Stream, Structure};

macro_rules! samplers {
    ($($kernel:ident,)*) => {
        /// A kernel with what it works with.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[cfg_attr(not(feature = "gpu"), allow(dead_code))] // The words alone are drawn for devices.
        pub(crate) enum Sampler {
            $($kernel($kernel),)*
        }

        impl Twin for Sampler {
            fn kernel(&self) -> numbers::Kernel {
                match self { $(Sampler::$kernel(n) => n.kernel(),)* }
            }

            fn numbers(&self) -> Numbers {
                match self { $(Sampler::$kernel(n) => n.numbers(),)* }
            }

            #[cfg(feature = "gpu")]
            fn table(&self) -> Option<table::Table> {
                match self { $(Sampler::$kernel(n) => n.table(),)* }
            }

            #[cfg(feature = "gpu")]
            fn is_drawn_by_host(&self) -> bool {
                match self { $(Sampler::$kernel(n) => n.is_drawn_by_host(),)* }
            }

            #[cfg(feature = "gpu")]
            fn drawn_by_host(&self, stream: Stream, dtype: Dtype, range: Range<u64>, at: &mut Cursors) -> Vec<f32> {
                match self { $(Sampler::$kernel(n) => n.drawn_by_host(stream, dtype, range, at),)* }
            }

            fn unit(&self) -> u64 {
                match self { $(Sampler::$kernel(n) => n.unit(),)* }
            }

            fn words(&self) -> RandomWords {
                match self { $(Sampler::$kernel(n) => n.words(),)* }
            }

            fn efficient_len(&self) -> u64 {
                match self { $(Sampler::$kernel(n) => n.efficient_len(),)* }
            }

            fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>) {
                match self { $(Sampler::$kernel(n) => n.fill(source, piece),)* }
            }
        }
    };
}

samplers! {
    Constant,
    Uniform,
    Normal,
    TruncatedNormal,
    Words,
    TensorFlow,
    Jax,
    Orthogonal,
    Identity,
    Sparse,
    Values,
    Torch,
}

impl Sampler {
    /// Zeros.
    pub const ZERO: Sampler = Sampler::Constant(Constant::ZERO);

    pub fn new(distribution: &Distribution, dtype: Dtype, stream: &Stream) -> Result<Sampler, Error> {
        distribution.check()?;
        let is_fixed = matches!(
            distribution,
            Distribution::Constant { .. }
                | Distribution::Structured(
                    Structure::Identity { .. } | Structure::Sequence { .. } | Structure::Sinusoids { .. }
                )
        );
        let is_common = matches!(
            distribution,
            Distribution::Uniform { .. } | Distribution::Normal { .. } | Distribution::TruncatedNormal { .. }
        );
        match stream.origin {
            Origin::Native => native(distribution, dtype),
            _ if is_fixed => native(distribution, dtype),
            Origin::TensorFlow if is_common => {
                TensorFlow::new(distribution, dtype, stream.base).map(Sampler::TensorFlow)
            }
            Origin::Jax if is_common => Jax::new(distribution, dtype).map(Sampler::Jax),
            Origin::JaxInitializers if is_common => Jax::initializer(distribution, dtype).map(Sampler::Jax),
            Origin::Torch(_) | Origin::TorchKey(_) | Origin::TorchCuda { .. } if is_common => {
                Torch::new(distribution, dtype, stream).map(Sampler::Torch)
            }
            _ => {
                let allowed = "fanin's own (Stream::named, numbered, from_key): other frameworks draw this by libraries of linear \
                               algebra, in an order of their own, or not at all";
                let value = format!("another framework's, for {distribution}");
                Err(Error::new(ErrorKind::Parameter, "the stream", value, allowed))
            }
        }
    }
}

/// The sampler of a distribution in fanin's own streams, or of a constant in any.
fn native(distribution: &Distribution, dtype: Dtype) -> Result<Sampler, Error> {
    Ok(match *distribution {
        Distribution::Constant { value } => Sampler::Constant(Constant::new(value, dtype)?),
        Distribution::Uniform { low, high } => Sampler::Uniform(Uniform::new(low, high, dtype)?),
        Distribution::Normal { mean, std } => match Normal::new(mean, std, dtype)? {
            Some(normal) => Sampler::Normal(normal),
            // Of -0 the positive.
            None => Sampler::Constant(Constant::new(mean + 0.0, dtype)?),
        },
        Distribution::TruncatedNormal { mean, std, low, high } => {
            Sampler::TruncatedNormal(TruncatedNormal::new(mean, std, low, high, dtype)?)
        }
        Distribution::Structured(Structure::Orthogonal { gain, matrix }) => {
            Sampler::Orthogonal(Orthogonal::new(gain, matrix, dtype)?)
        }
        Distribution::Structured(Structure::Identity { gain, groups, matrix }) => {
            Sampler::Identity(Identity::new(gain, groups, matrix, dtype)?)
        }
        Distribution::Structured(structure @ Structure::Sparse { std, matrix, .. }) => {
            Sparse::new(std, structure.zeros(), matrix, dtype)?.map_or(Sampler::ZERO, Sampler::Sparse)
        }
        Distribution::LogUniform { .. }
        | Distribution::LogOfUniform { .. }
        | Distribution::InverseSoftplus { .. }
        | Distribution::Structured(
            Structure::Sequence { .. } | Structure::Sinusoids { .. } | Structure::ColumnNorms { .. },
        ) => Sampler::Values(Values::new(distribution, dtype)?),
    })
}

/// The texts of `shaders/` that are a kernel's own.
#[cfg(feature = "gpu")]
pub(crate) const fn wgsl(kernel: Kernel) -> &'static [&'static str] {
    match kernel {
        Kernel::Constant => constant::WGSL,
        Kernel::Uniform => uniform::WGSL,
        Kernel::Normal => normal::WGSL,
        Kernel::TruncatedByNormal => truncated_normal::WGSL[0],
        Kernel::TruncatedByExponential => truncated_normal::WGSL[1],
        Kernel::Words => words::WGSL[0],
        Kernel::ThreefryWords => words::WGSL[1],
        Kernel::TensorFlowUniform => tensorflow::WGSL[0],
        Kernel::TensorFlowNormal => tensorflow::WGSL[1],
        Kernel::TensorFlowTruncated => tensorflow::WGSL[2],
        Kernel::JaxUniform => jax::WGSL[0],
        Kernel::JaxNormal => jax::WGSL[1],
        Kernel::Lookup => values::WGSL,
        Kernel::Identity => identity::WGSL,
        Kernel::Sparse => sparse::WGSL,
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

    #[test]
    fn numbers_are_never_subnormal_or_infinite() {
        let extremes = [1e-45, 1e-38, 1e-30, 1e-13, 1.0, 1e13, 1e30, 3e38];
        for std in extremes {
            for mean in extremes {
                for distribution in [
                    Distribution::Normal { mean, std },
                    Distribution::Uniform { low: -std.min(mean), high: mean },
                    Distribution::TruncatedNormal { mean, std, low: 0.0, high: f64::INFINITY },
                    Distribution::TruncatedNormal { mean, std, low: f64::NEG_INFINITY, high: 0.0 },
                    Distribution::TruncatedNormal { mean, std, low: -1e-30, high: 1e-36 },
                ] {
                    let n = Sampler::new(&distribution, Dtype::F32, &Stream::numbered(0, 0)).unwrap().numbers();
                    for x in bytemuck::cast::<Numbers, [f32; 20]>(Numbers { asks: 0, ..n }) {
                        assert!(x == 0.0 || x.is_normal(), "{distribution}: {n:?}");
                    }
                }
            }
        }
    }
}
