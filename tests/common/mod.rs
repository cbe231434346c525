//! What tests share.

use fanin::{Distribution, Element, Fill, cpu};
use rand::{Rng, RngExt};

#[cfg(feature = "adapters")]
mod adapters;
#[path = "../../src/golden.rs"]
pub mod golden;

#[cfg(feature = "adapters")]
pub use adapters::*;

/// The folder of the whole project.
pub fn repository() -> &'static std::path::Path {
    golden::folder_with("shaders")
}

/// What the CPU draws.
pub fn draw<T: Element>(fill: &Fill) -> Vec<T> {
    let mut values = vec![T::zeroed(); fill.len() as usize];
    cpu::fill(fill, &mut values).unwrap();
    values
}

/// The bytes of elements, the lowest first, on every processor.
pub fn little_endian<T: Element>(elements: &[T]) -> Vec<u8> {
    let mut bytes = bytemuck::cast_slice::<T, u8>(elements).to_vec();
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(size_of::<T>()).for_each(<[u8]>::reverse);
    }
    bytes
}

/// Panics at the first of two slices' elements whose bits differ.
#[track_caller]
pub fn assert_same_bits<T: Element>(a: &[T], b: &[T], what: &dyn std::fmt::Display) {
    assert_eq!(a.len(), b.len(), "{what}");
    let (x, y): (&[u8], &[u8]) = (bytemuck::cast_slice(a), bytemuck::cast_slice(b));
    if x != y {
        let size = size_of::<T>();
        let different: Vec<_> = (0..a.len()).filter(|i| x[i * size..][..size] != y[i * size..][..size]).collect();
        let first = different[0];
        panic!(
            "{what}: {} of {} differ, first element {first}: {:x?} and {:x?}",
            different.len(),
            a.len(),
            &x[first * size..][..size],
            &y[first * size..][..size],
        );
    }
}

/// A distribution of every kind: each kernel, both proposals on either side, and the extremes of scale.
pub fn distributions() -> Vec<Distribution> {
    use Distribution::{Constant, Normal, TruncatedNormal, Uniform};
    let infinity = f64::INFINITY;
    vec![
        Constant { value: -0.1 },
        Uniform { low: -0.05, high: 0.05 },
        Uniform { low: 100.0, high: 100.5 },
        Uniform { low: -2e-30, high: 3e-30 },
        Normal { mean: 0.0, std: 0.02 },
        Normal { mean: -3.0, std: 1.5 },
        Normal { mean: 0.0, std: 1e-38 },
        Normal { mean: 100.1, std: 0.001 },
        Uniform { low: -60000.0, high: 65504.0 },
        TruncatedNormal { mean: 0.0, std: 0.02, low: -0.04, high: 0.04 },
        TruncatedNormal { mean: 1.0, std: 2.0, low: -2.0, high: infinity },
        TruncatedNormal { mean: 0.0, std: 1.0, low: 5.0, high: 6.0 },
        TruncatedNormal { mean: 0.0, std: 1.0, low: -infinity, high: -10.0 },
        TruncatedNormal { mean: 0.0, std: 1.0, low: -0.001, high: 0.001 },
        TruncatedNormal { mean: 5.0, std: 0.1, low: 0.0, high: 1.0 },
    ]
}

/// A distribution with parameters of any magnitude, also infinite, NaN, equal and nearly equal ones.
pub fn any_distribution(rng: &mut impl Rng) -> Distribution {
    let mut number = |others: &[f64]| -> f64 {
        let sign = if rng.random() { 1.0 } else { -1.0 };
        sign * match rng.random_range(0..12) {
            0 => 0.0,
            1 => f64::INFINITY,
            2 => f64::NAN,
            3 => f64::from(f32::from_bits(rng.random())),
            4 => f64::from_bits(rng.random()),
            5 | 6 => 10f64.powf(rng.random_range(-60.0..60.0)),
            7 if !others.is_empty() => others[others.len() - 1].next_up(),
            8 if !others.is_empty() => others[others.len() - 1] * (1.0 + 1e-7),
            9 if !others.is_empty() => others[0],
            _ => rng.random_range(-3.0..3.0),
        }
    };
    let a = number(&[]);
    let b = number(&[a]).abs();
    let c = number(&[a, b]);
    let d = number(&[a, b, c]);
    match rng.random_range(0..4) {
        0 => Distribution::Constant { value: a },
        1 => Distribution::Uniform { low: c, high: d },
        2 => Distribution::Normal { mean: a, std: b },
        _ => Distribution::TruncatedNormal { mean: a, std: b, low: c, high: d },
    }
}

/// Runs a generic function for the element type of a dtype.
#[macro_export]
macro_rules! for_dtype {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            fanin::Dtype::F32 => {
                type $T = f32;
                $body
            }
            fanin::Dtype::F16 => {
                type $T = half::f16;
                $body
            }
            fanin::Dtype::BF16 => {
                type $T = half::bf16;
                $body
            }
            other => panic!("{other} has no element type here"),
        }
    };
}
