//! Moments of what GPUs draw, for every scheme, against theory and against the CPU.
//!
//! With z = (x - mean) / std from theory, the k-th standardised moment m_k of n values has the standard error
//! sqrt((m_2k - m_k^2) / n). Each of the first four lies within 5 of them: the seed is fixed, so the test repeats exactly;
//! for a random seed it would fail by chance once in 10^6 comparisons.

use fanin::{Distribution, Dtype, Layout, Scheme, Stream};
use fanin_tests::{adapters, assert_same_bits, draw};

const N: u64 = 1 << 24;
const ON_ADAPTERS: u64 = 1 << 16;
const SHAPE: [u64; 4] = [256, 128, 3, 5];
const FAN_IN: f64 = 128.0 * 15.0;
const FAN_OUT: f64 = 256.0 * 15.0;

/// What a scheme should draw, as mean, std and shape.
enum Shape {
    Uniform,
    Normal,
    /// Standard normal cut to [a, b], then shifted and scaled.
    Truncated(f64, f64),
}

/// E z^k of the shape about its own mean and in its own standard deviations, for k up to 8.
fn standardised(shape: &Shape) -> [f64; 9] {
    let raw: Vec<f64> = match shape {
        Shape::Uniform => (0..9).map(|k| if k % 2 == 0 { 3f64.powi(k / 2) / f64::from(k + 1) } else { 0.0 }).collect(),
        Shape::Normal => vec![1.0, 0.0, 1.0, 0.0, 3.0, 0.0, 15.0, 0.0, 105.0],
        Shape::Truncated(a, b) => {
            // Trapezoids; the density is smooth and the steps are small.
            let n = 200_000;
            let (a, b) = (a.max(-12.0), b.min(a.max(0.0) + 12.0));
            let points: Vec<_> = (0..=n).map(|i| a + (b - a) * f64::from(i) / f64::from(n)).collect();
            let integral = |f: &dyn Fn(f64) -> f64| {
                points
                    .iter()
                    .enumerate()
                    .map(|(i, &z)| {
                        f(z) * (a * a / 2.0 - z * z / 2.0).exp() * if i == 0 || i == n as usize { 0.5 } else { 1.0 }
                    })
                    .sum::<f64>()
            };
            let mass = integral(&|_| 1.0);
            let mean = integral(&|z| z) / mass;
            let std = (integral(&|z| (z - mean).powi(2)) / mass).sqrt();
            (0..9).map(|k| integral(&|z| ((z - mean) / std).powi(k)) / mass).collect()
        }
    };
    raw.try_into().unwrap()
}

/// Every scheme: its text, and mean, std and shape of what it draws for `SHAPE` in PyTorch's layout, from the papers.
fn schemes() -> Vec<(&'static str, f64, f64, Shape)> {
    let uniform = |limit: f64| limit / 3f64.sqrt();
    let cut = || Shape::Truncated(-2.0, 2.0);
    let half_normal_mean = (2.0 / std::f64::consts::PI).sqrt();
    vec![
        ("uniform:low=-0.25,high=0.75", 0.25, uniform(0.5), Shape::Uniform),
        ("normal:mean=0.1,std=0.02", 0.1, 0.02, Shape::Normal),
        ("truncated_normal:std=0.02", 0.0, 0.02 * 0.879_625_661_034_24, cut()),
        (
            "truncated_normal:mean=1,std=2,low=1,high=inf",
            1.0 + 2.0 * half_normal_mean,
            2.0 * (1.0 - half_normal_mean.powi(2)).sqrt(),
            Shape::Truncated(0.0, 40.0),
        ),
        ("standard", 0.0, uniform(1.0 / FAN_IN.sqrt()), Shape::Uniform),
        ("uniform_unit_scaling:factor=1.15", 0.0, uniform(1.15 * (3.0 / FAN_IN).sqrt()), Shape::Uniform),
        ("glorot_uniform", 0.0, uniform((6.0 / (FAN_IN + FAN_OUT)).sqrt()), Shape::Uniform),
        ("xavier_normal:gain=2", 0.0, 2.0 * (2.0 / (FAN_IN + FAN_OUT)).sqrt(), Shape::Normal),
        ("glorot_normal:truncated=true", 0.0, (2.0 / (FAN_IN + FAN_OUT)).sqrt(), cut()),
        ("kaiming_uniform", 0.0, uniform((6.0 / FAN_IN).sqrt()), Shape::Uniform),
        ("he_uniform:mode=fan_out,nonlinearity=tanh", 0.0, uniform(5.0 / 3.0 * (3.0 / FAN_OUT).sqrt()), Shape::Uniform),
        ("kaiming_normal", 0.0, (2.0 / FAN_IN).sqrt(), Shape::Normal),
        (
            "he_normal:nonlinearity=leaky_relu,negative_slope=0.2,truncated=true",
            0.0,
            (2.0 / 1.04 / FAN_IN).sqrt(),
            cut(),
        ),
        ("lecun_uniform", 0.0, uniform((3.0 / FAN_IN).sqrt()), Shape::Uniform),
        ("lecun_normal", 0.0, (1.0 / FAN_IN).sqrt(), Shape::Normal),
        ("lecun_normal:truncated=true", 0.0, (1.0 / FAN_IN).sqrt(), cut()),
        ("variance_scaling:scale=3,mode=fan_avg", 0.0, (6.0 / (FAN_IN + FAN_OUT)).sqrt(), cut()),
        ("variance_scaling:scale=3,mode=fan_out,distribution=uniform", 0.0, (3.0 / FAN_OUT).sqrt(), Shape::Uniform),
        ("variance_scaling_initializer:factor=2", 0.0, 0.879_625_661_034_24 * (2.6 / FAN_IN).sqrt(), cut()),
        ("variance_scaling_initializer:uniform=true,factor=2", 0.0, uniform((6.0 / FAN_IN).sqrt()), Shape::Uniform),
    ]
}

#[test]
fn moments_of_every_scheme_are_those_of_theory_and_of_the_cpu() {
    for (text, mean, std, shape) in schemes() {
        let distribution = text.parse::<Scheme>().unwrap().distribution(&SHAPE, Layout::OUT_IN).unwrap();
        let close = |x: f64, y: f64| (x - y).abs() <= 1e-6 * std;
        assert!(close(distribution.mean(), mean) && close(distribution.std(), std), "{text}: {distribution}");
        let fill = distribution.fill_range(0..N, Stream::named(1, text), Dtype::F32).unwrap();
        let on_cpu = draw::<f32>(&fill);
        // Equality of a part is enough: tests/adapters/same_bits.rs proves that of all sizes.
        let part = fill.elements(0..ON_ADAPTERS).unwrap();
        for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
            let drawn = gpu.draw::<f32>(&part);
            assert_same_bits(&drawn, &on_cpu[..ON_ADAPTERS as usize], &format!("{text} on {}", gpu.name));
        }
        let expected = standardised(&shape);
        let mut sums = [0f64; 5];
        for &x in &on_cpu {
            let z = (f64::from(x) - mean) / std;
            let mut power = 1.0;
            for sum in &mut sums {
                *sum += power;
                power *= z;
            }
        }
        for k in 1..=4 {
            let moment = sums[k] / N as f64;
            let error = ((expected[2 * k] - expected[k] * expected[k]) / N as f64).sqrt();
            let sigmas = (moment - expected[k]) / error;
            assert!(
                sigmas.abs() < 5.0,
                "{text}: moment {k} is {moment}, {sigmas:.2} standard errors from {}",
                expected[k]
            );
        }
    }
}

#[test]
fn a_constant_is_the_value() {
    for (text, value) in [("zeros", 0.0), ("ones", 1.0), ("constant:value=-2.5", -2.5)] {
        let distribution = text.parse::<Scheme>().unwrap().distribution(&[768], Layout::OUT_IN).unwrap();
        assert_eq!(distribution, Distribution::Constant { value });
        for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
            let fill = distribution.fill_range(0..1000, Stream::numbered(0, 0), Dtype::F32).unwrap();
            assert!(gpu.draw::<f32>(&fill).iter().all(|&x| f64::from(x) == value), "{text} on {}", gpu.name);
        }
    }
}
