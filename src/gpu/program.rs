//! Programs: kernels as a device compiles them, each a text, an entry point in it and its bindings.

use std::borrow::Cow;

use super::features::Rounding;
use super::kernels::{self, Variant};
use super::reflections;
use super::windows::{self, ROWS};
use crate::kernel::table::HEAD;

/// A kernel that a device can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// Draws elements.
    Draw(Variant, Rounding),
    /// Sends vectors through reflections.
    Reflect(reflections::Kernel, Rounding),
    /// Draws nothing, and rounds as the device does.
    #[cfg_attr(not(feature = "probe"), expect(dead_code))]
    Other(Other),
}

/// A kernel that promises no bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Other {
    /// The entry point.
    pub name: &'static str,
    pub wgsl: &'static str,
    /// The value of an `override` constant.
    pub constant: Option<(&'static str, u32)>,
    /// The bytes of its parameters.
    pub parameters: usize,
    pub bindings: &'static [(u32, Access)],
}

/// The use that a kernel makes of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The bindings of a kernel: parameters, at number 0, then buffers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bindings {
    /// The bytes of the parameters.
    pub parameters: usize,
    /// The number of each, the kernel's use of it, and the fewest bytes that it has.
    pub buffers: Vec<(u32, Access, u64)>,
}

impl Bindings {
    /// The numbers of all, the parameters' first.
    pub fn numbers(&self) -> Vec<u32> {
        std::iter::once(0).chain(self.buffers.iter().map(|(number, ..)| *number)).collect()
    }
}

impl Program {
    /// Its name, for people.
    pub fn name(&self) -> String {
        match self {
            Program::Draw(Variant { kernel, dtype, .. }, _) => format!("{} in {dtype}", kernel.name()),
            Program::Reflect(reflections::Kernel(name, _), _) => format!("{name} of orthogonal matrices"),
            Program::Other(other) => format!("{} of the probe", other.name),
        }
    }

    /// The entry point.
    pub fn entry(&self) -> &'static str {
        match self {
            Program::Draw(..) => "main",
            Program::Reflect(reflections::Kernel(name, _), _) => name,
            Program::Other(other) => other.name,
        }
    }

    /// The text; `wide` where the device has 64-bit integers.
    pub fn wgsl(&self, wide: bool) -> Cow<'static, str> {
        match self {
            Program::Draw(variant, rounding) => kernels::source(*variant, wide, *rounding).into(),
            Program::Reflect(_, rounding) => kernels::orthogonal(*rounding).into(),
            Program::Other(other) => other.wgsl.into(),
        }
    }

    /// The values of the text's `override` constants.
    pub fn constants(&self) -> Vec<(&'static str, f64)> {
        match self {
            Program::Draw(variant, _) => variant.constants().into(),
            Program::Reflect(..) => Vec::new(),
            Program::Other(other) => other.constant.iter().map(|&(name, value)| (name, value.into())).collect(),
        }
    }

    pub fn rounding(&self) -> Rounding {
        match self {
            Program::Draw(_, rounding) | Program::Reflect(_, rounding) => *rounding,
            Program::Other(_) => Rounding::ByGuards,
        }
    }

    /// The bytes of its parameters: as many whether a dispatch that draws has one window or many.
    pub fn parameters(&self) -> usize {
        match self {
            Program::Draw(..) => ROWS * size_of::<windows::Params>(),
            Program::Reflect(..) => size_of::<reflections::Params>(),
            Program::Other(other) => other.parameters,
        }
    }

    pub fn bindings(&self) -> Bindings {
        let parameters = self.parameters();
        match self {
            Program::Draw(variant, _) => {
                // The fewest bytes of the elements depend on how they are written.
                let elements = (1, Access::Write, 0);
                let table = variant.kernel.has_table().then_some((2, Access::Read, 4 * HEAD as u64));
                let buffers = std::iter::once(elements).chain(table).collect();
                Bindings { parameters, buffers }
            }
            Program::Reflect(reflections::Kernel(_, numbers), _) => {
                let access =
                    |number| if reflections::READ_ONLY.contains(&number) { Access::Read } else { Access::Write };
                let buffers = numbers.iter().map(|&number| (number, access(number), 0)).collect();
                Bindings { parameters, buffers }
            }
            Program::Other(other) => {
                let buffers = other.bindings.iter().map(|&(number, access)| (number, access, 0)).collect();
                Bindings { parameters, buffers }
            }
        }
    }
}
