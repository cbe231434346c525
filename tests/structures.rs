//! Structures: what no independent draw of each element gives; on the CPU and, where there are adapters, on each of them.

mod common;

use std::ops::Range;

#[cfg(feature = "gpu")]
use common::adapters;
use common::{assert_same_bits, draw};
use fanin::{Dtype, Element, Fill, Scheme, Stream, cpu};
use half::{bf16, f16};
use rand::{Rng, RngExt};

fn stream() -> Stream {
    Stream::named(42, "structures")
}

fn fill(scheme: &str, shape: &[u64], layout: &str, dtype: Dtype) -> Fill {
    let scheme: Scheme = scheme.parse().unwrap();
    let distribution = scheme.distribution(shape, layout.parse().unwrap()).unwrap();
    Fill::tensor(&distribution, stream(), dtype, shape).unwrap()
}

/// Each structure, in shapes on either side of every size that its kernels have.
const CASES: &[(&str, &[u64], &str)] = &[
    ("orthogonal", &[1, 1], "out_in"),
    ("orthogonal:gain=0.5", &[5, 33], "out_in"),
    ("orthogonal:gain=-2", &[33, 5], "out_in"),
    ("orthogonal", &[32, 32], "in_out"),
    ("orthogonal", &[64, 3, 7, 7], "out_in"),
    ("orthogonal", &[7, 7, 3, 40], "in_out"),
    ("orthogonal", &[3, 40, 70], "batch_out_in"),
    ("orthogonal:gain=1.5", &[2, 130, 65], "batch_in_out"),
    ("orthogonal", &[130, 129], "out_in"),
    ("delta_orthogonal", &[40, 9, 3, 3], "out_in"),
    ("delta_orthogonal", &[2, 3, 9, 40], "in_out"),
    ("delta_orthogonal:gain=3", &[2, 36, 36, 5], "batch_out_in"),
    ("delta_orthogonal", &[2, 5, 33, 34], "batch_in_out"),
    ("identity:gain=1.25", &[100, 100], "out_in"),
    ("identity", &[3, 70], "in_out"),
    ("identity", &[70, 3], "out_in"),
    ("dirac", &[6, 4, 3], "out_in"),
    ("dirac:groups=3", &[12, 5, 3, 3], "out_in"),
    ("dirac:groups=4", &[12, 2, 2, 3, 2], "out_in"),
    ("dirac:groups=2", &[3, 3, 4, 12], "in_out"),
    ("sparse:sparsity=0.9", &[100, 37], "out_in"),
    ("sparse:sparsity=0.1,std=2", &[37, 64], "in_out"),
    ("sparse:sparsity=0", &[3, 64], "out_in"),
    ("sparse:sparsity=1", &[3, 64], "out_in"),
    ("arange:start=1,function=log", &[70, 16], "out_in"),
    ("arange:start=3,step=-0.5,axis=0", &[70, 16], "out_in"),
    ("linspace:start=-1,end=1,axis=1", &[3, 50, 4], "out_in"),
    ("inverse_frequencies", &[64], "out_in"),
    ("log_uniform:low=0.001,high=0.1", &[3001], "out_in"),
    ("inverse_softplus", &[50, 61], "out_in"),
];

macro_rules! for_dtype {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            Dtype::F32 => {
                type $t = f32;
                $body
            }
            Dtype::F16 => {
                type $t = f16;
                $body
            }
            _ => {
                type $t = bf16;
                $body
            }
        }
    };
}

fn any_range(rng: &mut impl Rng, len: u64) -> Range<u64> {
    let start = rng.random_range(0..=len);
    start..rng.random_range(start..=len)
}

/// A part of a fill, and what it has of the whole's elements.
fn any_part<T: Element>(rng: &mut impl Rng, fill: &Fill, whole: &[T]) -> (Fill, Vec<T>) {
    let (mut part, mut values) = (fill.clone(), whole.to_vec());
    for _ in 0..rng.random_range(0..3) {
        let shape = part.shape();
        let dim = rng.random_range(0..shape.len());
        let range = any_range(rng, shape[dim]);
        let inner: u64 = shape[dim + 1..].iter().product();
        let is_in = |i: usize| range.contains(&(i as u64 / inner.max(1) % shape[dim].max(1)));
        values = (0..values.len()).filter(|&i| is_in(i)).map(|i| values[i]).collect();
        part = part.slice(dim, range).unwrap();
    }
    if rng.random() {
        let range = any_range(rng, part.len());
        part = part.split_at(range.end).0.split_at(range.start).1;
        values = values[range.start as usize..range.end as usize].to_vec();
    }
    (part, values)
}

#[test]
fn any_part_is_what_it_is_of_the_whole() {
    let mut rng = Stream::numbered(1, 0).rng();
    for (scheme, shape, layout) in CASES {
        for &dtype in Dtype::ALL {
            let fill = fill(scheme, shape, layout, dtype);
            for_dtype!(dtype, T => {
                let whole = draw::<T>(&fill);
                for threads in [2, 3, 7] {
                    let mut values = whole.clone();
                    values.reverse();
                    cpu::fill_with_threads(&fill, &mut values, threads).unwrap();
                    assert_same_bits(&values, &whole, &format!("{threads} threads, {fill:?}"));
                }
                for _ in 0..8 {
                    let (part, expected) = any_part(&mut rng, &fill, &whole);
                    assert_same_bits(&draw::<T>(&part), &expected, &format!("{part:?}"));
                }
            });
        }
    }
}

#[test]
fn a_16_bit_structure_is_the_f32_one_rounded() {
    for (scheme, shape, layout) in CASES {
        let whole = draw::<f32>(&fill(scheme, shape, layout, Dtype::F32));
        let f16s: Vec<f16> = whole.iter().map(|&x| f16::from_f32(x)).collect();
        let bf16s: Vec<bf16> = whole.iter().map(|&x| bf16::from_f32(x)).collect();
        assert_same_bits(&draw::<f16>(&fill(scheme, shape, layout, Dtype::F16)), &f16s, scheme);
        assert_same_bits(&draw::<bf16>(&fill(scheme, shape, layout, Dtype::BF16)), &bf16s, scheme);
    }
}

#[test]
#[cfg(feature = "gpu")]
fn every_adapter_draws_what_the_cpu_draws() {
    for gpu in adapters() {
        let mut rng = Stream::numbered(2, 0).rng();
        for (scheme, shape, layout) in CASES {
            for &dtype in Dtype::ALL {
                let fill = fill(scheme, shape, layout, dtype);
                for_dtype!(dtype, T => {
                    let whole = draw::<T>(&fill);
                    assert_same_bits(&gpu.draw::<T>(&fill), &whole, &format!("{} {scheme} {fill:?}", gpu.name));
                    for _ in 0..2 {
                        let (part, expected) = any_part(&mut rng, &fill, &whole);
                        assert_same_bits(&gpu.draw::<T>(&part), &expected, &format!("{} {scheme} {part:?}", gpu.name));
                    }
                });
            }
        }
    }
}
