//! The element types that weights are drawn in.

use half::{bf16, f16};

use crate::arithmetic::rounding;
use crate::names::{Named, as_text};

/// An element type of a tensor.
///
/// In fanin's own streams the dtype never changes what is drawn: an [`F16`](Dtype::F16) or [`BF16`](Dtype::BF16) tensor is the
/// [`F32`](Dtype::F32) one rounded to nearest, ties to even, then kept inside its bounds. (Other frameworks draw other values in
/// each dtype, and so do their streams here.)
///
/// ```
/// use fanin::Dtype;
///
/// assert_eq!("bf16".parse::<Dtype>()?, Dtype::BF16);
/// assert_eq!(Dtype::BF16.bits(), 16);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a binary32 (bfloat16).
    BF16,
}

impl Dtype {
    /// Every dtype.
    pub const ALL: &'static [Dtype] = &[Dtype::F32, Dtype::F16, Dtype::BF16];

    /// Bits per element.
    pub const fn bits(self) -> u32 {
        8 * self.size() as u32
    }

    /// The number of bytes of so many elements; [u64::MAX] for more, which no tensor has.
    pub const fn bytes(self, elements: u64) -> u64 {
        elements.saturating_mul(self.size())
    }

    /// Bytes per element.
    pub(crate) const fn size(self) -> u64 {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::BF16 => 2,
        }
    }

    /// The largest finite value.
    pub fn max(self) -> f64 {
        match self {
            Dtype::F32 => f32::MAX.into(),
            Dtype::F16 => f16::MAX.into(),
            Dtype::BF16 => bf16::MAX.into(),
        }
    }

    /// The smallest and the largest value, as f32, that this dtype holds within `low..=high`, or within `low..high`
    /// where `open`. Subnormal f32 and bf16 values do not count: what a kernel would draw there is zero on every device.
    /// `None` where there is none.
    pub(crate) fn within(self, low: f64, high: f64, open: bool) -> Option<(f32, f32)> {
        let inside_high = |x: f64| if open { x < high } else { x <= high };
        let first = self.candidates_near(low).into_iter().filter(|&x| f64::from(x) >= low && inside_high(x.into()));
        let last = self.candidates_near(high).into_iter().filter(|&x| f64::from(x) >= low && inside_high(x.into()));
        Some((first.reduce(f32::min)?, last.reduce(f32::max)?))
    }

    /// The value that this dtype has for a number that is drawn: the nearest one, of numbers beyond the largest that one, and of what
    /// would be subnormal in f32 and bf16 zero.
    pub(crate) fn nearest(self, x: f64) -> f64 {
        let x = x.clamp(-self.max(), self.max());
        let normal = f64::from(f32::MIN_POSITIVE);
        match self {
            Dtype::F16 => f16::from_f64(x).to_f64(),
            _ if x.abs() < normal => 0.0,
            Dtype::BF16 => bf16::from_f64(x).to_f64(),
            Dtype::F32 => f64::from(x as f32),
        }
    }

    /// The value of this dtype nearest to `x`, ties to even, for x that is finite and within its range.
    #[inline(always)]
    pub(crate) fn rounded(self, x: f32) -> f32 {
        match self {
            Dtype::F32 => x,
            Dtype::F16 => rounding::in_f16(x),
            Dtype::BF16 => rounding::in_bf16(x),
        }
    }

    /// Representable values around `x`, two on either side, with zero and the smallest normals
    /// where subnormals are left out.
    fn candidates_near(self, x: f64) -> Vec<f32> {
        let max = self.max();
        let near = x.clamp(-max, max) as f32;
        let steps: Vec<f32> = match self {
            Dtype::F32 => {
                vec![near.next_down().next_down(), near.next_down(), near, near.next_up(), near.next_up().next_up()]
            }
            Dtype::F16 => neighbours(rounding::f16_bits(normal_or_zero(near)), f16::NEG_INFINITY.to_bits(), |b| {
                f16::from_bits(b).to_f32()
            }),
            Dtype::BF16 => neighbours(rounding::bf16_bits(normal_or_zero(near)), bf16::NEG_INFINITY.to_bits(), |b| {
                bf16::from_bits(b).to_f32()
            }),
        };
        let tiny = f32::MIN_POSITIVE;
        let flushed = self != Dtype::F16 && near.abs() <= tiny;
        let around_zero = if flushed { vec![-tiny, 0.0, tiny] } else { vec![] };
        steps
            .into_iter()
            .chain(around_zero)
            .filter(|v| v.is_finite() && (*v == 0.0 || v.abs() >= tiny))
            .map(|v| v + 0.0) // -0 becomes +0
            .collect()
    }
}

fn normal_or_zero(x: f32) -> f32 {
    if x.is_normal() { x } else { 0.0 }
}

/// The values at `bits` and up to two steps of a 16-bit sign-magnitude format away from it.
fn neighbours(bits: u16, negative_infinity: u16, value: impl Fn(u16) -> f32) -> Vec<f32> {
    let magnitude = i32::from(bits & 0x7fff);
    let ordinal = if bits & 0x8000 != 0 { -magnitude } else { magnitude };
    let largest = i32::from(negative_infinity & 0x7fff) - 1;
    (ordinal - 2..=ordinal + 2)
        .filter(|o| o.abs() <= largest)
        .map(|o| value(if o < 0 { 0x8000 | (-o) as u16 } else { o as u16 }))
        .collect()
}

impl Named for Dtype {
    const WHAT: &'static str = "dtype";
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])] = &[
        (Dtype::F32, "f32", &["float32"]),
        (Dtype::F16, "f16", &["float16", "half"]),
        (Dtype::BF16, "bf16", &["bfloat16"]),
    ];
}
as_text!(Dtype);

/// An element of a slice that the CPU twin fills: `f32`, `half::f16` or `half::bf16`.
///
/// ```
/// use fanin::{Dtype, Element};
///
/// assert_eq!(<half::f16 as Element>::DTYPE, Dtype::F16);
/// ```
pub trait Element: sealed::Sealed {
    /// The dtype of this type.
    const DTYPE: Dtype;
}

mod sealed {
    /// An element, as the kernels' twins use it.
    pub trait Sealed: bytemuck::Pod + Send + Sync {
        /// The element from the kernels' bit pattern (its low bits).
        fn from_word(word: u32) -> Self;

        /// The element nearest to `x`, ties to even.
        fn round(x: f32) -> Self;

        /// The same as an f32.
        fn in_dtype(x: f32) -> f32;
    }
}

impl Element for f32 {
    const DTYPE: Dtype = Dtype::F32;
}

impl sealed::Sealed for f32 {
    #[inline(always)]
    fn from_word(word: u32) -> Self {
        f32::from_bits(word)
    }

    #[inline(always)]
    fn round(x: f32) -> Self {
        x
    }

    #[inline(always)]
    fn in_dtype(x: f32) -> f32 {
        x
    }
}

impl Element for f16 {
    const DTYPE: Dtype = Dtype::F16;
}

impl sealed::Sealed for f16 {
    #[inline(always)]
    fn from_word(word: u32) -> Self {
        f16::from_bits(word as u16)
    }

    #[inline(always)]
    fn round(x: f32) -> Self {
        f16::from_bits(rounding::f16_bits(x))
    }

    #[inline(always)]
    fn in_dtype(x: f32) -> f32 {
        rounding::in_f16(x)
    }
}

impl Element for bf16 {
    const DTYPE: Dtype = Dtype::BF16;
}

impl sealed::Sealed for bf16 {
    #[inline(always)]
    fn from_word(word: u32) -> Self {
        bf16::from_bits(word as u16)
    }

    #[inline(always)]
    fn round(x: f32) -> Self {
        bf16::from_bits(rounding::bf16_bits(x))
    }

    #[inline(always)]
    fn in_dtype(x: f32) -> f32 {
        rounding::in_bf16(x)
    }
}
