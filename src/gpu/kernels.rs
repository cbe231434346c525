//! Kernels as WGSL: the parts of `shaders/`, one after the other.

use super::features::Rounding;
use crate::Dtype;
use crate::kernel::{Kernel, wgsl};

#[cfg(test)]
mod amd;
#[cfg(test)]
mod compilers;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod stamp;

/// The way in which a dispatch writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Writes {
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

/// A pipeline's kernel: what it draws, what it has to ask (`asks`), in which dtype, and how it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
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
    /// The name of the words that it writes at once.
    pub const fn name(self) -> &'static str {
        match self {
            Writes::Words => "words",
            Writes::Blocks => "blocks",
            Writes::Whole => "whole workgroups",
            Writes::Odd => "every other workgroup",
        }
    }

    /// The ways of writing that a kernel can need in a dtype.
    pub const fn needed(kernel: Kernel, dtype: Dtype) -> &'static [Writes] {
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

/// The text that keeps the rounding of an f32 operation from the next one.
fn hidden(rounding: Rounding) -> &'static str {
    match rounding {
        Rounding::ByGuards => part!("hidden"),
        Rounding::ByLanguage => part!("hidden_by_language"),
    }
}

/// The WGSL of products of reflections, which has several entry points.
pub(super) fn orthogonal(rounding: Rounding) -> String {
    [part!("orthogonal"), hidden(rounding), part!("math")].join("\n")
}

/// A kernel's WGSL; `wide` where the device has 64-bit integers.
pub(super) fn source(variant: Variant, wide: bool, rounding: Rounding) -> String {
    let write = match (variant.writes, variant.dtype.size()) {
        (Writes::Words, _) => part!("write_words"),
        (Writes::Blocks, 4) => part!("write_blocks_32"),
        (Writes::Blocks, _) => part!("write_blocks_16"),
        (Writes::Whole, _) => part!("write_whole"),
        (Writes::Odd, _) => part!("write_odd"),
    };
    let multiplication = if wide { part!("mul_wide_u64") } else { part!("mul_wide") };
    let hidden = hidden(rounding);
    let shared = [
        part!("params"),
        multiplication,
        part!("philox"),
        hidden,
        part!("math"),
        part!("rounding"),
        write,
        part!("tile"),
    ];
    [&shared, wgsl(variant.kernel)].concat().join("\n")
}

/// Every kernel that asks nothing, and those that may ask, asking all; without 64-bit integers, and with them, where `both` says so.
#[cfg(test)]
pub(super) fn all(both: bool) -> impl Iterator<Item = (Variant, bool)> {
    use crate::kernel::asks;
    let everything = asks::LOCATION | asks::OFFSET | asks::UNIT | asks::BOUNDS | asks::NARROW;
    let asking = Kernel::ALL.iter().filter(|kernel| kernel.has_asks());
    let kernels = Kernel::ALL.iter().map(|&kernel| (kernel, 0)).chain(asking.map(move |kernel| (*kernel, everything)));
    kernels.flat_map(move |(kernel, asks)| {
        Dtype::ALL.iter().flat_map(move |&dtype| {
            Writes::needed(kernel, dtype)
                .iter()
                .flat_map(move |&writes| [false, true].map(|wide| (Variant { kernel, asks, dtype, writes }, wide)))
                .filter(move |(_, wide)| both || !wide)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Twin;

    /// A kernel that asks is proved asking, too.
    #[test]
    fn kernels_that_ask_are_known() {
        for known in super::super::self_test::known_answers().unwrap() {
            let (kernel, asks) = (known.fill.sampler.kernel(), known.fill.sampler.numbers().asks);
            assert!(asks == 0 || kernel.has_table() || kernel.has_asks(), "{kernel:?} asks {asks}");
        }
    }

    /// The WGSL of kernels has no optional capability: browsers need it so.
    #[test]
    fn kernels_are_core_wgsl() {
        use naga::valid::{Capabilities, ValidationFlags, Validator};
        for &kernel in Kernel::ALL {
            for &dtype in Dtype::ALL {
                for &writes in Writes::needed(kernel, dtype) {
                    let text = source(Variant { kernel, asks: 0, dtype, writes }, false, Rounding::ByGuards);
                    let module =
                        naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
                    let valid = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
                    assert!(valid.is_ok(), "{kernel:?} {dtype} {writes:?}: {valid:?}");
                }
            }
        }
    }
}
