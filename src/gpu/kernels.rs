//! Kernels as WGSL: the parts of `shaders/`, one after the other.

use crate::Dtype;
use crate::sampler::Kernel;

#[cfg(test)]
mod amd;
#[cfg(test)]
mod compilers;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod stamp;

/// How a dispatch writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Writes {
    /// Word by word, at any place.
    Words,
    /// A block as one vector, which must lie on a multiple of its size; whole workgroups of them, so that nothing needs to
    /// be asked.
    Blocks,
    /// Whole workgroups at any place, but for those of the next.
    Whole,
    /// Whole workgroups of 16-bit elements from the middle of a word on: two dispatches, every other workgroup each.
    Odd,
}

/// A pipeline's kernel: what it draws, what it has to ask (`sampler::asks`), in which dtype, and how it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Variant {
    pub kernel: Kernel,
    pub asks: u32,
    pub dtype: Dtype,
    pub writes: Writes,
}

impl Variant {
    /// The values of the WGSL's `override` constants.
    pub fn constants(self) -> [(&'static str, f64); 2] {
        [("dtype", f64::from(self.dtype as u32)), ("asks", f64::from(self.asks))]
    }
}

impl Writes {
    /// What it writes at once, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Writes::Words => "words",
            Writes::Blocks => "blocks",
            Writes::Whole => "whole workgroups",
            Writes::Odd => "every other workgroup",
        }
    }

    /// What a kernel can need in a dtype.
    pub const fn of(kernel: Kernel, dtype: Dtype) -> &'static [Writes] {
        match (kernel, dtype.size()) {
            // Its elements are numbered from the buffer's beginning on, where blocks begin.
            (Kernel::Constant, _) => &[Writes::Words, Writes::Blocks],
            (_, 4) => &[Writes::Words, Writes::Blocks, Writes::Whole],
            _ => &[Writes::Words, Writes::Blocks, Writes::Whole, Writes::Odd],
        }
    }
}

macro_rules! part {
    ($name:literal) => {
        include_str!(concat!("../../shaders/", $name, ".wgsl"))
    };
}

const BLOCKS: &str = part!("blocks");
const TENSORFLOW: &str = part!("tensorflow");
const THREEFRY: &str = part!("threefry");
const JAX: &str = part!("jax");
const REDRAW: &str = part!("truncated_normal");
const PLACES: &str = part!("table");

/// What is a kernel's own in `shaders/`.
fn parts(kernel: Kernel) -> &'static [&'static str] {
    match kernel {
        Kernel::Constant => &[part!("constant"), BLOCKS],
        Kernel::Uniform => &[part!("uniform"), BLOCKS],
        Kernel::Normal => &[part!("normal"), BLOCKS],
        Kernel::TruncatedByNormal => &[part!("by_normal"), REDRAW],
        Kernel::TruncatedByExponential => &[part!("by_exponential"), REDRAW],
        Kernel::Words => &[part!("words"), BLOCKS],
        Kernel::ThreefryWords => &[THREEFRY, part!("threefry_words"), BLOCKS],
        Kernel::TensorFlowUniform => &[TENSORFLOW, part!("tensorflow_uniform"), BLOCKS],
        Kernel::TensorFlowNormal => &[TENSORFLOW, part!("tensorflow_normal"), BLOCKS],
        Kernel::TensorFlowTruncated => &[TENSORFLOW, part!("tensorflow_truncated"), BLOCKS],
        Kernel::JaxUniform => &[THREEFRY, JAX, part!("jax_uniform"), BLOCKS],
        Kernel::JaxNormal => &[THREEFRY, JAX, part!("jax_normal"), BLOCKS],
        Kernel::Lookup => &[PLACES, part!("lookup"), BLOCKS],
        Kernel::Identity => &[PLACES, part!("identity"), BLOCKS],
        Kernel::Sparse => &[PLACES, part!("sparse"), BLOCKS],
    }
}

/// The WGSL of products of reflections, which has several entry points.
pub(super) fn orthogonal() -> String {
    [part!("orthogonal"), part!("math")].join("\n")
}

/// A kernel's WGSL; `wide` where the device has 64-bit integers.
pub(super) fn source(variant: Variant, wide: bool) -> String {
    let write = match (variant.writes, variant.dtype.size()) {
        (Writes::Words, _) => part!("write_words"),
        (Writes::Blocks, 4) => part!("write_blocks_32"),
        (Writes::Blocks, _) => part!("write_blocks_16"),
        (Writes::Whole, _) => part!("write_whole"),
        (Writes::Odd, _) => part!("write_odd"),
    };
    let multiplication = if wide { part!("mul_wide_u64") } else { part!("mul_wide") };
    let shared =
        [part!("params"), multiplication, part!("philox"), part!("math"), part!("rounding"), write, part!("tile")];
    [&shared, parts(variant.kernel)].concat().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What browsers need: WGSL without any optional capability.
    #[test]
    fn kernels_are_core_wgsl() {
        use naga::valid::{Capabilities, ValidationFlags, Validator};
        for &kernel in Kernel::ALL {
            for &dtype in Dtype::ALL {
                for &writes in Writes::of(kernel, dtype) {
                    let text = source(Variant { kernel, asks: 0, dtype, writes }, false);
                    let module =
                        naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
                    let valid = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
                    assert!(valid.is_ok(), "{kernel:?} {dtype} {writes:?}: {valid:?}");
                }
            }
        }
    }
}
