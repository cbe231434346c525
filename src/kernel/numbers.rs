//! Kernels of devices: their names, and the one list of numbers that all of them take.

use bytemuck::{Pod, Zeroable};

macro_rules! has {
    ($property:ident in) => {
        false
    };
    (table in table) => {
        true
    };
    (asks in asks) => {
        true
    };
    ($property:ident in $other:ident) => {
        false
    };
}

macro_rules! kernels {
    ($($kernel:ident = $name:literal $(with $property:ident)?,)*) => {
        /// The kernels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Kernel {
            $($kernel,)*
        }

        impl Kernel {
            #[cfg(all(feature = "gpu", test))]
            pub const ALL: &[Kernel] = &[$(Kernel::$kernel,)*];

            /// True if it takes a table beside its parameters.
            pub const fn has_table(self) -> bool {
                match self {
                    $(Kernel::$kernel => has!(table in $($property)?),)*
                }
            }

            /// True if parameters decide which steps it takes: see [`asks`](super::asks).
            #[cfg(all(feature = "gpu", test))]
            pub const fn has_asks(self) -> bool {
                match self {
                    $(Kernel::$kernel => has!(asks in $($property)?),)*
                }
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
    Uniform = "uniform" with asks,
    Normal = "normal" with asks,
    TruncatedByNormal = "by_normal" with asks,
    TruncatedByExponential = "by_exponential" with asks,
    Words = "words",
    ThreefryWords = "threefry_words",
    TensorFlowUniform = "tensorflow_uniform",
    TensorFlowNormal = "tensorflow_normal",
    TensorFlowTruncated = "tensorflow_truncated",
    JaxUniform = "jax_uniform",
    JaxNormal = "jax_normal",
    Lookup = "lookup" with table,
    Identity = "identity" with table,
    Sparse = "sparse" with table,
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
