//! Structures: what no independent draw of each element gives; on the CPU and, where there are adapters, on each of them.

use std::ops::Range;

use fanin::{Distribution, Dtype, Element, Fill, Layout, Scheme, Stream, cpu};
use fanin_tests::{adapters, assert_same_bits, draw};
use rand::{Rng, RngExt};

mod laws;
mod orthogonal;
mod parts;
mod slices;
mod texts;

fn stream() -> Stream {
    Stream::named(42, "structures")
}

/// A scheme, a shape and a layout.
type Piece = (&'static str, &'static [u64], &'static str);

fn distribution((scheme, shape, layout): &Piece) -> Distribution {
    scheme.parse::<Scheme>().unwrap().distribution(shape, layout.parse().unwrap()).unwrap()
}

fn fill(scheme: &str, shape: &[u64], layout: &str, dtype: Dtype) -> Fill {
    let scheme: Scheme = scheme.parse().unwrap();
    let distribution = scheme.distribution(shape, layout.parse().unwrap()).unwrap();
    distribution.fill(shape, stream(), dtype).unwrap()
}

/// Each structure, in shapes on either side of every size that its kernels have.
const CASES: &[Piece] = &[
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
    ("sinusoids", &[70, 16], "out_in"),
    ("sinusoids:interleaved=false", &[2, 50, 33], "in_out"),
    ("sinusoids:interleaved=false,endpoint=true", &[300, 48], "out_in"),
    ("sinusoids:theta=1,endpoint=true", &[1300, 4], "out_in"),
    ("log_uniform:low=0.001,high=0.1", &[3001], "out_in"),
    ("log_of_uniform:low=1,high=16", &[3001], "out_in"),
    ("inverse_softplus", &[50, 61], "out_in"),
    ("column_norms:bound=0.05,rows=300", &[1, 1, 128], "out_in"),
];

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

/// The CPU draws these elements, on any number of threads.
fn assert_drawn_on_threads<T: Element>(fill: &Fill, expected: &[T]) {
    for threads in [2, 3, 5, 7] {
        let mut values = expected.to_vec();
        values.reverse();
        cpu::fill_with_threads(fill, &mut values, threads).unwrap();
        assert_same_bits(&values, expected, &format!("{threads} threads, {fill:?}"));
    }
}

/// sqrt(n) times the largest distance of a sample's distribution function from this one. It passes 2.5 with a probability of 7e-6.
fn kolmogorov(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let n = sample.len() as f64;
    let distance = |(i, &x): (usize, &f64)| (cdf(x) - i as f64 / n).abs().max((cdf(x) - (i as f64 + 1.0) / n).abs());
    n.sqrt() * sample.iter().enumerate().map(distance).fold(0.0, f64::max)
}
