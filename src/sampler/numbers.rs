//! A sampler as the WGSL kernels take it: one list of numbers for all of them.

use bytemuck::{Pod, Zeroable};

use super::parameters::{
    ByExponential, ByNormal, JaxNormal, JaxUniform, Line, Placed, Sampler, TensorFlow, Uniform, asks,
};

macro_rules! kernels {
    ($($kernel:ident = $name:literal,)*) => {
        /// The kernels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Kernel {
            $($kernel,)*
        }

        #[cfg(feature = "gpu")]
        impl Kernel {
            #[cfg(test)]
            pub const ALL: &[Kernel] = &[$(Kernel::$kernel,)*];

            /// True if it takes a table beside its parameters.
            pub const fn has_table(self) -> bool {
                matches!(self, Kernel::Lookup | Kernel::Identity | Kernel::Sparse)
            }

            /// Its name, as its file's.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Kernel::$kernel => $name,)*
                }
            }
        }
    };
}

kernels! {
    Constant = "constant",
    Uniform = "uniform",
    Normal = "normal",
    TruncatedByNormal = "by_normal",
    TruncatedByExponential = "by_exponential",
    Words = "words",
    ThreefryWords = "threefry_words",
    TensorFlowUniform = "tensorflow_uniform",
    TensorFlowNormal = "tensorflow_normal",
    TensorFlowTruncated = "tensorflow_truncated",
    JaxUniform = "jax_uniform",
    JaxNormal = "jax_normal",
    Lookup = "lookup",
    Identity = "identity",
    Sparse = "sparse",
}

/// The numbers of all kernels, in the order of `Numbers` in `shaders/params.wgsl`. Each kernel's own type says what they are.
#[derive(Clone, Copy, Debug, PartialEq, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Numbers {
    pub location: f32,
    /// JAX: `from`.
    pub offset: f32,
    pub scale: f32,
    pub coarse: f32,
    pub fine: f32,
    pub first: f32,
    pub last: f32,
    pub unit: f32,
    pub limit: f32,
    pub tiny: f32,
    /// A constant's bits, an attempt, TensorFlow's `base`.
    pub word: u32,
    pub low: f32,
    pub high: f32,
    pub mass_per_step: f32,
    pub beyond: f32,
    pub slope: f32,
    pub curve: f32,
    pub peak: f32,
    pub width: f32,
    pub asks: u32,
}

impl Sampler {
    pub fn kernel(&self) -> Kernel {
        match self {
            Sampler::Constant(_) => Kernel::Constant,
            Sampler::Uniform(_) => Kernel::Uniform,
            Sampler::Normal(_) => Kernel::Normal,
            Sampler::TruncatedByNormal(_) => Kernel::TruncatedByNormal,
            Sampler::TruncatedByExponential(_) => Kernel::TruncatedByExponential,
            Sampler::Words(_) => Kernel::Words,
            Sampler::ThreefryWords => Kernel::ThreefryWords,
            Sampler::TensorFlowUniform(_) => Kernel::TensorFlowUniform,
            Sampler::TensorFlowNormal(_) => Kernel::TensorFlowNormal,
            Sampler::TensorFlowTruncated(_) => Kernel::TensorFlowTruncated,
            Sampler::JaxUniform(_) => Kernel::JaxUniform,
            Sampler::JaxNormal(_) => Kernel::JaxNormal,
            Sampler::Orthogonal(_) | Sampler::Values(_) | Sampler::Torch(_) => Kernel::Lookup,
            Sampler::Identity(_) => Kernel::Identity,
            Sampler::Sparse(_) => Kernel::Sparse,
        }
    }

    pub fn numbers(&self) -> Numbers {
        match *self {
            Sampler::Constant(word) | Sampler::Words(word) => Numbers { word, ..Numbers::default() },
            Sampler::ThreefryWords => Numbers::default(),
            Sampler::Uniform(Uniform { line, coarse, fine }) => Numbers { coarse, fine, ..line.into() },
            Sampler::Normal(line) => line.into(),
            Sampler::TruncatedByNormal(ByNormal { line, low, high }) => Numbers { low, high, ..line.into() },
            Sampler::TruncatedByExponential(ByExponential {
                line,
                mass_per_step,
                beyond,
                slope,
                curve,
                peak,
                width,
            }) => Numbers { mass_per_step, beyond, slope, curve, peak, width, ..line.into() },
            Sampler::TensorFlowUniform(TensorFlow { placed, base })
            | Sampler::TensorFlowNormal(TensorFlow { placed, base })
            | Sampler::TensorFlowTruncated(TensorFlow { placed, base }) => Numbers { word: base, ..placed.into() },
            // Without bounds in sigmas, they are the dtype's.
            Sampler::JaxUniform(uniform) => {
                Numbers { low: -uniform.placed.last, high: uniform.placed.last, ..uniform.into() }
            }
            Sampler::JaxNormal(JaxNormal { uniform, low, high }) => Numbers { low, high, ..uniform.into() },
            Sampler::Orthogonal(orthogonal) => {
                let (scale, last) = (orthogonal.gain, orthogonal.last);
                Numbers { scale, first: -last, last, asks: asks::BOUNDS, ..Numbers::default() }
            }
            // They are what they are.
            Sampler::Values(_) | Sampler::Torch(_) => Numbers { scale: 1.0, ..Numbers::default() },
            Sampler::Identity(identity) => Numbers { word: identity.word, ..Numbers::default() },
            Sampler::Sparse(sparse) => sparse.line.into(),
        }
    }
}

impl From<Line> for Numbers {
    fn from(line: Line) -> Numbers {
        let Line { location, offset, scale, first, last, unit, limit, tiny, asks } = line;
        Numbers { location, offset, scale, first, last, unit, limit, tiny, asks, ..Numbers::default() }
    }
}

impl From<Placed> for Numbers {
    fn from(placed: Placed) -> Numbers {
        let Placed { location, scale, last } = placed;
        Numbers { location, scale, first: -last, last, ..Numbers::default() }
    }
}

impl From<JaxUniform> for Numbers {
    fn from(uniform: JaxUniform) -> Numbers {
        let JaxUniform { placed, from, coarse, fine } = uniform;
        Numbers { offset: from, coarse, fine, ..placed.into() }
    }
}
