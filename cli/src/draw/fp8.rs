//! Weights in fp8 by blocks: E4M3 numbers, and the scale that those of each block are multiplied by.
//!
//! All blocks of a weight have one scale, which takes the largest number that may be drawn to E4M3's largest: so it depends on neither
//! the values nor the part of them that is drawn. Numbers are those nearest to what is drawn in f32 divided by the scale, ties to even.

use fanin::rules::Recipe;
use fanin::{Distribution, Dtype};
use float8::F8E4M3;

use crate::failure::Failure;

/// The end of the name of a weight's scales.
pub const SCALES: &str = "_scale_inv";

/// The largest number of E4M3.
const LARGEST: f64 = 448.0;

/// The recipe of the scales of a weight, by the name of their tensor and its shape.
pub fn scales(name: &str, shape: &[u64], scale: f32) -> Recipe {
    Recipe::new(Distribution::Constant { value: scale.into() }, shape, name)
}

/// The scale of a weight.
pub fn scale(weight: &Recipe) -> Result<f32, String> {
    weight.check_in(Dtype::F32).map_err(|e| format!("{e:#}"))?;
    let largest = weight.distributions().map(Distribution::reach).fold(0.0, f64::max).min(f32::MAX.into());
    // Zeros have any scale.
    let scale = if largest == 0.0 { 1.0 } else { (largest / LARGEST) as f32 };
    if !scale.is_normal() {
        return Err(format!(
            "the scale of its fp8 numbers is {scale:e}, allowed: a number that f32 holds to all its digits"
        ));
    }
    for distribution in weight.distributions().filter(|distribution| distribution.std() > 0.0) {
        let of_sigmas = |sigmas: f64| number(distribution.mean() + sigmas * distribution.std(), scale);
        let [below, above] = [-1.0, 1.0].map(of_sigmas);
        if below.to_bits() == above.to_bits() {
            let value = f64::from(below.to_f32()) * f64::from(scale);
            return Err(format!(
                "the distribution is {distribution}, of which fp8 has all within a standard deviation as {value:.4e}, allowed: one that \
                 is wider than its numbers are apart, or a constant"
            ));
        }
    }
    Ok(scale)
}

fn number(x: f64, scale: f32) -> F8E4M3 {
    // The quotient has so many digits that it is rounded once.
    F8E4M3::from_f64(x / f64::from(scale))
}

/// A taker of what is drawn, which hands it on as a file has it: as it is, or, of f32 with a scale, as E4M3 numbers.
pub fn as_in_file(
    scale: Option<f32>,
    mut take: impl FnMut(&[u8]) -> Result<(), Failure> + Send,
) -> impl FnMut(&[u8]) -> Result<(), Failure> + Send {
    let mut numbers = Vec::new();
    move |drawn| {
        let Some(scale) = scale else { return take(drawn) };
        let (words, _) = drawn.as_chunks::<4>();
        numbers.clear();
        numbers.extend(words.iter().map(|word| number(f32::from_le_bytes(*word).into(), scale).to_bits()));
        take(&numbers)
    }
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::sha256::hex;

    /// All numbers of 16 bits up to the middle of 448 and the next one, all ties among them, in PyTorch 2.15:
    /// `x = torch.arange(65536, dtype=torch.int32).to(torch.uint16).view(t).float(); x = x[x.abs() <= 464]`, and the SHA-256 of the bytes of
    /// `x.to(torch.float8_e4m3fn)`.
    #[test]
    fn numbers_are_rounded_as_pytorch_does() {
        let digest = |value: fn(u16) -> f32| {
            let values = (0..=u16::MAX).map(value).filter(|x| x.abs() <= 464.0);
            let mut hash = Sha256::new();
            let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
            as_in_file(Some(1.0), |numbers| {
                hash.update(numbers);
                Ok(())
            })(&bytes)
            .unwrap();
            hex(hash)
        };
        assert_eq!(
            digest(|bits| f16::from_bits(bits).to_f32()),
            "09b5e09c9833b6d7a501283fecbed555cf447733b3ad6a7a1ec93e81ec4aee2b"
        );
        assert_eq!(
            digest(|bits| bf16::from_bits(bits).to_f32()),
            "9518455863490e78acef765635d4c839c3c9fd9bc836b9f4ea51250bce782430"
        );
        // Beyond, the largest; a quotient a hair beside a tie is on its side.
        let of = |x: f32, scale: f32| number(x.into(), scale).to_bits();
        assert_eq!((of(f32::MAX, 1.0), of(-1e6, 1.0)), (0x7e, 0xfe));
        let tie = 17.0 / 16.0;
        for scale in [0.1f32, 0.7, 3e-5] {
            let near = (tie * f64::from(scale)) as f32;
            for x in [near.next_down(), near, near.next_up()] {
                let is_above = f64::from(x) > tie * f64::from(scale);
                assert_eq!(of(x, scale), if is_above { 0x39 } else { 0x38 }, "{x} {scale}");
            }
        }
    }

    #[test]
    fn the_largest_draw_becomes_the_largest_number() {
        let of = |distribution| scale(&Recipe::new(distribution, [4, 4], "w"));
        assert_eq!(of(Distribution::Uniform { low: -2.0, high: 1.0 }).unwrap(), (2.0 / 448.0) as f32);
        assert_eq!(of(Distribution::Constant { value: 0.0 }).unwrap(), 1.0);
        let constant = of(Distribution::Constant { value: -3.0 }).unwrap();
        assert_eq!(number(-3.0, constant).to_bits(), 0xfe);
        // The largest that words make, sqrt(66 ln 2) standard deviations.
        let normal = of(Distribution::Normal { mean: 0.0, std: 0.02 }).unwrap();
        assert_eq!(number(0.02 * (66.0 * 2f64.ln()).sqrt(), normal).to_bits(), 0x7e);
        // A part may reach further than the whole.
        let part = Recipe::new(Distribution::Normal { mean: 0.0, std: 0.02 }, [4, 4], "w");
        let part = part.with_part(0, 1..2, Distribution::Constant { value: 448.0 });
        assert_eq!(scale(&part).unwrap(), 1.0);
        for (distribution, says) in [
            (Distribution::Normal { mean: 1.0, std: 1e-3 }, "as 1.0068"),
            (Distribution::Constant { value: 1e-40 }, "the scale"),
        ] {
            let error = of(distribution).unwrap_err();
            assert!(error.contains(says) && error.contains("allowed: "), "{error}");
        }
    }
}
