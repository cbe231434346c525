//! What must hold of everything that fanin accepts or refuses.

use std::fmt::Display;
use std::ops::RangeBounds;

use fanin::{Distribution, Dtype, Element, Fill, JaxKey, Stream, cpu};
use half::{bf16, f16};

/// An error says something, and no more than a person reads, beside what it repeats of the input.
pub fn message(error: &dyn Display, input: usize) {
    let text = error.to_string();
    assert!(!text.trim().is_empty(), "an error without words");
    assert!(text.len() < 4096 + 4 * input, "an error of {} bytes", text.len());
}

/// A text that was read is written as a text that reads as the same.
pub fn reads_back<T: std::str::FromStr<Err = fanin::Error> + Display + PartialEq + std::fmt::Debug>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => assert_eq!(value.to_string().parse().ok(), Some(value), "\"{text}\""),
        Err(error) => message(&error, text.len()),
    }
}

/// The mean and the deviation of what can be drawn are numbers, and where they can be.
pub fn moments(distribution: &Distribution) {
    if distribution.fill_range(0..0, Stream::numbered(0, 0), Dtype::F32).is_err() {
        return;
    }
    let (mean, std) = (distribution.mean(), distribution.std());
    assert!(mean.is_finite() && std.is_finite() && std >= 0.0, "{distribution:?}: mean {mean}, std {std}");
    if let Distribution::TruncatedNormal { mean: before, low, high, .. } = *distribution {
        let rounding = 1e-9 * before.abs().max(mean.abs());
        assert!(low <= mean + rounding && mean - rounding <= high, "{distribution:?}: mean {mean}");
    }
}

/// Draws elements from `start` on in every dtype, from every kind of stream.
pub fn draw(distribution: &Distribution, number: u64, start: u64, length: u64) {
    let signed = number as i64;
    for stream in [
        Stream::numbered(number, 0),
        Stream::tensorflow([signed, 0]),
        Stream::jax(JaxKey::new(signed)),
        Stream::jax_initializer(JaxKey::new(signed)),
    ] {
        let native = stream == Stream::numbered(number, 0);
        let values = |dtype| {
            let fill = distribution
                .fill_range(start..start.saturating_add(length), stream, dtype)
                .inspect_err(|error| message(error, 0))
                .ok()?;
            Some(match dtype {
                Dtype::F32 => drawn::<f32>(&fill, distribution, native),
                Dtype::F16 => drawn::<f16>(&fill, distribution, native),
                Dtype::BF16 => drawn::<bf16>(&fill, distribution, native),
                other => panic!("{other} has no element type here"),
            })
        };
        let [whole, half, brain] = [Dtype::F32, Dtype::F16, Dtype::BF16].map(values);
        if native && let Some(whole) = whole {
            rounded(distribution, &whole, half, |x| f16::from_f32(x).into());
            rounded(distribution, &whole, brain, |x| bf16::from_f32(x).into());
        }
    }
}

/// The values of a fill, each within what it promises.
fn drawn<T: Element + Into<f64>>(fill: &Fill, distribution: &Distribution, native: bool) -> Vec<f64> {
    let draw = |fill: &Fill| {
        let mut values = vec![T::zeroed(); fill.len() as usize];
        cpu::fill(fill, &mut values).expect("a slice of the fill's length and dtype");
        values
    };
    let values = draw(fill);

    let (range, third) = (fill.range(), fill.len() / 3);
    let part = fill.elements(range.start + third..range.end - third).expect("a part of the fill");
    let within = third as usize..values.len() - third as usize;
    assert!(
        bytemuck::cast_slice::<T, u8>(&draw(&part)) == bytemuck::cast_slice::<T, u8>(&values[within]),
        "{distribution:?}: a part is not the slice of the whole"
    );

    let values: Vec<f64> = values.into_iter().map(Into::into).collect();
    for &x in &values {
        assert!(x.is_finite(), "{distribution:?}: {x} in {}", fill.dtype());
        if native {
            assert!(holds(distribution, x), "{distribution:?}: {x} in {}", fill.dtype());
            let constant =
                matches!(distribution, Distribution::Constant { .. } | Distribution::Normal { std: 0.0, .. });
            let subnormal = x != 0.0 && x.abs() < f32::MIN_POSITIVE.into() && fill.dtype() != Dtype::F16;
            assert!(constant || !subnormal, "{distribution:?}: {x} in {}", fill.dtype());
        }
    }
    values
}

fn holds(distribution: &Distribution, x: f64) -> bool {
    distribution.bounds().contains(&x)
}

/// A narrower dtype has the rounded values of f32, but for those that rounding would take out of the bounds.
fn rounded(distribution: &Distribution, whole: &[f64], narrow: Option<Vec<f64>>, round: impl Fn(f32) -> f64) {
    for (&x, &y) in whole.iter().zip(narrow.iter().flatten()) {
        let nearest = round(x as f32);
        assert!(
            y == nearest || !nearest.is_finite() || !holds(distribution, nearest),
            "{distribution:?}: {x} in f32 became {y}, not {nearest}"
        );
    }
}
