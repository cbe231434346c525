//! The rounding of f32 to 16 bits, to nearest, ties to even: with `src/kernel/line.rs` the twin of `shaders/rounding.wgsl`.

/// The nearest value within bounds, by comparisons, since WGSL's min and max may give either zero for 0 and -0.
#[inline(always)]
pub(crate) fn clamp(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// The bits of the nearest f16, ties to even, for x that is normal or zero and within f16's range.
#[inline(always)]
pub(crate) fn f16_bits(x: f32) -> u16 {
    let bits = x.to_bits();
    let magnitude = bits & 0x7fff_ffff;
    let sign = bits >> 16 & 0x8000;
    let rebiased = magnitude.wrapping_sub(0x3800_0000);
    let normal = rebiased.wrapping_add(0xfff + (rebiased >> 13 & 1)) >> 13;
    // The sum's last place is 2^-24, a subnormal f16's: the addition rounds.
    let subnormal = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0x3f00_0000);
    (sign | if magnitude < 0x3880_0000 { subnormal } else { normal }) as u16
}

/// The bits of the nearest bf16, ties to even, for x that is normal or zero and within bf16's range.
#[inline(always)]
pub(crate) fn bf16_bits(x: f32) -> u16 {
    let bits = x.to_bits();
    (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// The nearest f16, ties to even, as an f32.
#[inline(always)]
pub(crate) fn in_f16(x: f32) -> f32 {
    let bits = x.to_bits();
    let normal = bits.wrapping_add(0xfff + (bits >> 13 & 1)) & !0x1fff;
    // The sum's last place is 2^-24, a subnormal f16's: the addition rounds.
    let subnormal = ((x.abs() + 0.5) - 0.5).to_bits() | bits & 0x8000_0000;
    f32::from_bits(if x.abs() < 6.103_515_6e-5 { subnormal } else { normal })
}

/// The nearest bf16, ties to even, as an f32.
#[inline(always)]
pub(crate) fn in_bf16(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    #[test]
    fn rounding_is_ieee_to_nearest_even() {
        // Every 2^32 / 61-th pattern, and the neighbourhood of every tie of f16 and bf16.
        let spread = (0..u32::MAX / 61).map(|i| i * 61);
        let ties = (0..=u32::from(u16::MAX)).flat_map(|h| {
            let a = f16::from_bits(h as u16).to_f32().to_bits();
            let b = h << 16;
            [a, b].into_iter().flat_map(|x| {
                [0x1000u32, 0x8000, 0x100_0000]
                    .into_iter()
                    .flat_map(move |half| (-1..=1).map(move |d: i32| x.wrapping_add(half).wrapping_add_signed(d)))
            })
        });
        for bits in spread.chain(ties) {
            let x = f32::from_bits(bits);
            if !(x.is_normal() || x == 0.0) {
                continue;
            }
            if x.abs() <= 65504.0 {
                assert_eq!(f16_bits(x), f16::from_f32(x).to_bits(), "{x:e}");
                assert_eq!(in_f16(x).to_bits(), f16::from_f32(x).to_f32().to_bits(), "{x:e}");
            }
            if x.abs() <= bf16::MAX.to_f32() {
                assert_eq!(bf16_bits(x), bf16::from_f32(x).to_bits(), "{x:e}");
                assert_eq!(in_bf16(x).to_bits(), bf16::from_f32(x).to_f32().to_bits(), "{x:e}");
            }
        }
    }
}
