//! Structures: what no independent draw of each element gives; on the CPU and, where there are adapters, on each of them.

use std::ops::Range;

use fanin::{Dtype, Element, Fill, Layout, Scheme, Stream, cpu};
use fanin_tests::adapters;
use fanin_tests::{assert_same_bits, draw};
use half::{bf16, f16};
use rand::{Rng, RngExt};
use safetensors::SafeTensors;
use statrs::distribution::{Beta, ContinuousCDF};

fn stream() -> Stream {
    Stream::named(42, "structures")
}

fn fill(scheme: &str, shape: &[u64], layout: &str, dtype: Dtype) -> Fill {
    let scheme: Scheme = scheme.parse().unwrap();
    let distribution = scheme.distribution(shape, layout.parse().unwrap()).unwrap();
    distribution.fill(shape, stream(), dtype).unwrap()
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

#[test]
fn any_part_is_what_it_is_of_the_whole() {
    let mut rng = Stream::numbered(1, 0).rng();
    for (scheme, shape, layout) in CASES {
        for &dtype in Dtype::ALL {
            let fill = fill(scheme, shape, layout, dtype);
            fanin_tests::for_dtype!(dtype, T => {
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

/// As of an embedding's padding token.
#[test]
fn a_zero_row_of_an_orthogonal_matrix_is_zero() {
    for shape in [[50, 70], [70, 50]] {
        let whole = fill("orthogonal", &shape, "out_in", Dtype::F32);
        let mut expected = draw::<f32>(&whole);
        expected[3 * shape[1] as usize..][..shape[1] as usize].fill(0.0);
        let with_row = whole.clone().with_part(0, 3..4, fanin::Distribution::Constant { value: 0.0 }).unwrap();
        assert_same_bits(&draw::<f32>(&with_row), &expected, &"a zero row");
        for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
            assert_same_bits(&gpu.draw::<f32>(&with_row), &expected, &gpu.name);
        }
    }
}

/// Of a tensor the distribution, as a scheme makes it of a block, and those of slices along a dimension.
type Mixed = (&'static [u64], Piece, &'static [(usize, Range<u64>, Piece)]);
type Piece = (&'static str, &'static [u64], &'static str);

const MIXED: &[Mixed] = &[
    // Gates of a recurrent cell, one orthogonal, each, some of another gain.
    (&[128, 32], ("normal", &[128, 32], "out_in"), &[(0, 64..96, ("orthogonal", &[32, 32], "out_in"))]),
    (&[120, 30], ("orthogonal", &[30, 30], "out_in"), &[(0, 30..60, ("ones", &[30, 30], "out_in"))]),
    (
        &[144, 36],
        ("orthogonal", &[36, 36], "out_in"),
        &[
            (0, 36..72, ("orthogonal:gain=2", &[36, 36], "out_in")),
            (0, 72..108, ("truncated_normal", &[36, 36], "out_in")),
            (0, 50..51, ("zeros", &[1, 36], "out_in")),
        ],
    ),
    // Queries, keys and values, the latter smaller; wider and taller than long.
    (
        &[128, 64],
        ("orthogonal", &[64, 64], "out_in"),
        &[
            (0, 64..128, ("orthogonal:gain=0.5", &[32, 64], "out_in")),
            (1, 7..9, ("constant:value=3", &[1, 1], "out_in")),
        ],
    ),
    (&[96, 8], ("uniform", &[96, 8], "out_in"), &[(0, 48..96, ("orthogonal", &[48, 8], "out_in"))]),
    // In each of three.
    (&[3, 64, 16], ("normal", &[64, 16], "out_in"), &[(1, 32..48, ("orthogonal", &[16, 16], "in_out"))]),
    (&[40, 20], ("normal", &[40, 20], "out_in"), &[(0, 20..40, ("identity:gain=2", &[20, 20], "out_in"))]),
    (&[12, 9, 3], ("normal", &[12, 9, 3], "out_in"), &[(0, 0..6, ("dirac", &[3, 9, 3], "out_in"))]),
    (&[30, 16], ("normal", &[30, 16], "out_in"), &[(0, 12..24, ("sinusoids", &[12, 16], "out_in"))]),
    (&[60, 20], ("normal", &[60, 20], "out_in"), &[(0, 0..30, ("sparse:sparsity=0.5", &[30, 20], "out_in"))]),
    (
        &[30, 48],
        ("log_uniform:low=1,high=2", &[30, 48], "out_in"),
        &[
            (0, 4..10, ("arange:start=1,function=log", &[30, 48], "out_in")),
            (1, 16..32, ("linspace:start=-1,end=1", &[30, 16], "out_in")),
        ],
    ),
];

fn distribution((scheme, shape, layout): &Piece) -> fanin::Distribution {
    scheme.parse::<Scheme>().unwrap().distribution(shape, layout.parse().unwrap()).unwrap()
}

fn mixed((shape, base, slices): &Mixed, dtype: Dtype) -> Fill {
    let fill = distribution(base).fill(shape, stream(), dtype).unwrap();
    slices
        .iter()
        .fold(fill, |fill, (dim, range, piece)| fill.with_part(*dim, range.clone(), distribution(piece)).unwrap())
}

/// An element is what its slice's distribution gives it of the whole tensor.
#[test]
fn slices_have_structures() {
    let mut rng = Stream::numbered(3, 0).rng();
    for case @ (shape, base, slices) in MIXED {
        for &dtype in Dtype::ALL {
            let fill = mixed(case, dtype);
            fanin_tests::for_dtype!(dtype, T => {
                let whole = |piece: &Piece, to: u64| {
                    let piece = distribution(piece);
                    draw::<T>(&piece.fill_range(0..to, stream(), dtype).unwrap())
                };
                let elements: u64 = shape.iter().product();
                let mut expected = whole(base, elements);
                for (dim, range, piece) in *slices {
                    let inner: u64 = shape[dim + 1..].iter().product();
                    // Nothing of a sparse matrix is behind its end.
                    let to = if *dim == 0 { range.end * inner } else { elements };
                    for (i, value) in whole(piece, to).into_iter().enumerate() {
                        if range.contains(&(i as u64 / inner % shape[*dim])) {
                            expected[i] = value;
                        }
                    }
                }
                assert_same_bits(&draw::<T>(&fill), &expected, &format!("{fill:?}"));
                for threads in [2, 5] {
                    let mut values = expected.clone();
                    values.reverse();
                    cpu::fill_with_threads(&fill, &mut values, threads).unwrap();
                    assert_same_bits(&values, &expected, &format!("{threads} threads, {fill:?}"));
                }
                let parts: Vec<_> = (0..4).map(|_| any_part(&mut rng, &fill, &expected)).collect();
                for (part, expected) in &parts {
                    assert_same_bits(&draw::<T>(part), expected, &format!("{part:?}"));
                }
                for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
                    assert_same_bits(&gpu.draw::<T>(&fill), &expected, &format!("{} {fill:?}", gpu.name));
                    let (part, expected) = &parts[0];
                    assert_same_bits(&gpu.draw::<T>(part), expected, &format!("{} {part:?}", gpu.name));
                }
            });
        }
    }
}

#[test]
fn slices_that_do_not_go_with_a_structure_are_named() {
    for (shape, base, dim, range, piece, why) in [
        (&[8, 32][..], "normal", 1, 8..16, ("orthogonal", &[8, 8][..], "in_out"), "whole multiples of the 64 elements"),
        (&[32, 8], "normal", 0, 4..12, ("orthogonal", &[8, 8], "out_in"), "whole multiples of the 64 elements"),
        (&[32, 8], "normal", 0, 8..20, ("identity", &[8, 8], "out_in"), "elements 64..160 of the tensor"),
        (&[32, 8], "normal", 0, 8..16, ("sparse:sparsity=0.5", &[8, 8], "out_in"), "the 64 of sparse"),
        (&[30, 10], "normal", 0, 10..20, ("orthogonal", &[10, 10], "out_in"), "a multiple of 4"),
        (&[12, 8, 3], "normal", 0, 0..8, ("delta_orthogonal", &[8, 8, 3], "out_in"), "at no tap"),
        (&[30, 10], "orthogonal", 0, 10..20, ("normal", &[10, 10], "out_in"), "a multiple of 4"),
        (&[4, 16, 8], "normal", 1, 0..8, ("sparse:sparsity=0.5", &[8, 8], "out_in"), "the 64 of sparse"),
        // A pair of normals is made of two words, one of which a uniform number would have.
        (&[4096, 2], "normal", 1, 1..2, ("uniform", &[4096, 1], "out_in"), "begin and end at even elements"),
        (&[9], "uniform", 0, 3..8, ("normal", &[5], "out_in"), "begin and end at even elements"),
        (
            &[9],
            "truncated_normal",
            0,
            2..7,
            ("log_uniform:low=1,high=2", &[5], "out_in"),
            "begin and end at even elements",
        ),
        (&[6, 3], "normal", 1, 0..2, ("uniform", &[6, 2], "out_in"), "begin and end at even elements"),
        // Other rows are made of what those would be.
        (&[32, 32], "orthogonal", 0, 3..5, ("normal", &[2, 32], "out_in"), "whole orthogonal matrices, or constants"),
        (
            &[32, 32],
            "orthogonal",
            0,
            16..32,
            ("orthogonal:gain=2", &[16, 32], "out_in"),
            "whole orthogonal matrices, or constants",
        ),
        (&[32, 32], "orthogonal", 1, 0..1, ("uniform", &[32, 1], "out_in"), "whole orthogonal matrices, or constants"),
        (
            &[60, 20],
            "sparse:sparsity=0.5",
            0,
            0..30,
            ("sparse:sparsity=0.5", &[30, 20], "out_in"),
            "one such distribution in a tensor",
        ),
    ] {
        let base = distribution(&(base, shape, "out_in"));
        let fill = base.fill(shape, stream(), Dtype::F32).unwrap();
        let error = fill.with_part(dim, range, distribution(&piece)).unwrap_err();
        assert!(error.to_string().contains(why), "{piece:?}: {error}");
    }
    // Where there is no border, or what is random is of one kind.
    for (shape, dim, range, piece) in [
        (&[9][..], 0, 4..9, "uniform"),
        (&[3, 3], 0, 2..3, "uniform"),
        (&[9], 0, 3..8, "normal:std=2"),
        (&[9], 0, 3..8, "ones"),
        (&[6, 4], 1, 2..4, "uniform"),
    ] {
        let fill = distribution(&("normal", shape, "out_in")).fill(shape, stream(), Dtype::F32).unwrap();
        assert!(
            fill.with_part(dim, range.clone(), distribution(&(piece, shape, "out_in"))).is_ok(),
            "{shape:?} {range:?}"
        );
    }
}

/// Of thousands of matrices in one tensor each takes its own time, not the tensor's.
#[test]
fn many_small_matrices_are_drawn_in_the_time_of_each() {
    let whole = fill("orthogonal", &[20_000, 8, 8], "batch_out_in", Dtype::F32);
    let values = draw::<f32>(&whole);
    let last = draw::<f32>(&whole.elements(20_000 * 64 - 64..20_000 * 64).unwrap());
    assert_same_bits(&values[20_000 * 64 - 64..], &last, &"the last");
    assert!(worst(&vectors(&last, 8, 8), 1.0, 1) < 1e-6);
}

/// Also as one of many targets that share a buffer, in the order in which they are given.
#[test]
fn structures_among_other_targets_are_written_in_their_order() {
    use fanin::gpu::Target;
    let ones = (fanin::Distribution::Constant { value: 1.0 }).fill_range(0..9000, stream(), Dtype::F32).unwrap();
    let matrices = distribution(&("orthogonal", &[30, 40], "out_in"));
    let normal = fanin::Distribution::Normal { mean: 0.0, std: 1.0 };
    let orthogonal = matrices.fill(&[60, 40], stream(), Dtype::F32).unwrap();
    let orthogonal = orthogonal.with_part(0, 30..60, normal).unwrap();
    let few = (fanin::Distribution::Constant { value: 2.0 }).fill_range(0..100, stream(), Dtype::F32).unwrap();
    let mut expected = vec![1f32; 9000];
    expected[1001..3401].copy_from_slice(&draw::<f32>(&orthogonal));
    expected[3000..3100].fill(2.0);
    for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
        let buffer = gpu.buffer(&vec![0; 36_000]);
        let targets = [
            Target::new(&ones, &buffer, 0),
            Target::new(&orthogonal, &buffer, 4004),
            Target::new(&few, &buffer, 12_000),
        ];
        for most in [1, 1 << 28] {
            gpu.in_submissions_of(most).submit_all(&targets).unwrap();
            assert_same_bits::<f32>(bytemuck::cast_slice(&gpu.read(&buffer)), &expected, &gpu.name);
        }
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        gpu.filler.record_all(&mut encoder, &targets).unwrap();
        gpu.queue.submit([encoder.finish()]);
        assert_same_bits::<f32>(bytemuck::cast_slice(&gpu.read(&buffer)), &expected, &gpu.name);
    }
}

#[test]
fn a_16_bit_structure_is_the_f32_one_rounded() {
    // The bounds of a log-uniform are the dtype's, and so are the elements of which there are norms.
    let is_own = |scheme: &str| scheme.starts_with("log_") || scheme.starts_with("column_norms");
    for (scheme, shape, layout) in CASES.iter().filter(|(scheme, ..)| !is_own(scheme)) {
        let whole = draw::<f32>(&fill(scheme, shape, layout, Dtype::F32));
        let f16s: Vec<f16> = whole.iter().map(|&x| f16::from_f32(x)).collect();
        let bf16s: Vec<bf16> = whole.iter().map(|&x| bf16::from_f32(x)).collect();
        assert_same_bits(&draw::<f16>(&fill(scheme, shape, layout, Dtype::F16)), &f16s, scheme);
        assert_same_bits(&draw::<bf16>(&fill(scheme, shape, layout, Dtype::BF16)), &bf16s, scheme);
    }
}

#[test]
fn every_adapter_draws_what_the_cpu_draws() {
    for gpu in adapters().iter().filter(|gpu| !gpu.is_wide()) {
        println!("{}", gpu.name);
        let mut rng = Stream::numbered(2, 0).rng();
        for (scheme, shape, layout) in CASES {
            for &dtype in Dtype::ALL {
                let fill = fill(scheme, shape, layout, dtype);
                fanin_tests::for_dtype!(dtype, T => {
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

/// Orthonormal vectors times the gain: rows, or columns, whichever are fewer, of a matrix that lies so in memory.
fn vectors(w: &[f32], rows: usize, columns: usize) -> Vec<Vec<f64>> {
    if rows <= columns {
        return w.chunks(columns).map(|row| row.iter().map(|&x| x.into()).collect()).collect();
    }
    (0..columns).map(|c| (0..rows).map(|r| w[r * columns + c].into()).collect()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The largest element of |Q Q' - gain^2 I|, of some rows of it.
fn worst(vectors: &[Vec<f64>], gain: f64, step: usize) -> f64 {
    let products = |i: usize| vectors.iter().enumerate().map(move |(j, v)| (i, j, v));
    let rows = (0..vectors.len()).step_by(step).flat_map(products);
    rows.map(|(i, j, v)| (dot(&vectors[i], v) - if i == j { gain * gain } else { 0.0 }).abs()).fold(0.0, f64::max)
}

#[test]
fn orthogonal_vectors_are_orthonormal() {
    for (shape, gain, step) in [
        (&[512, 512][..], 1.0, 1),
        (&[1024, 1024], 1.0, 8),
        (&[64, 3, 7, 7], 1.0, 1),
        (&[700, 333], 3.0, 1),
        (&[2048, 512], 1.0, 16),
        (&[512, 2048], 1.0, 16),
        (&[31, 31], 1e-3, 1),
    ] {
        let fill = fill(&format!("orthogonal:gain={gain}"), shape, "out_in", Dtype::F32);
        let (rows, columns) = (shape[0] as usize, shape[1..].iter().product::<u64>() as usize);
        let worst = worst(&vectors(&draw(&fill), rows, columns), gain, step);
        println!("{shape:?}: {worst:.2e}");
        assert!(worst <= 4e-6 * gain * gain, "{shape:?}: {worst:e}");
    }
}

/// A few rows and columns of the largest that is asked for are drawn alone.
#[test]
fn orthogonal_vectors_of_4096_are_orthonormal() {
    for shape in [[4096, 4096], [4096, 1024], [1024, 4096]] {
        let fill = fill("orthogonal", &shape, "out_in", Dtype::F32);
        let dim = usize::from(shape[0] > shape[1]);
        let last = shape[dim];
        let parts = [0..33, last / 2 - 20..last / 2 + 20, last - 33..last];
        let drawn = parts.map(|range| {
            let part = fill.slice(dim, range).unwrap();
            let shape = part.shape();
            vectors(&draw(&part), shape[0] as usize, shape[1] as usize)
        });
        let worst = worst(&drawn.concat(), 1.0, 1);
        println!("{shape:?}: {worst:.2e}");
        assert!(worst <= 4e-6, "{shape:?}: {worst:e}");
    }
}

/// So many n by n matrices of streams of their own, by columns.
fn matrices(n: u64, count: u64) -> impl Iterator<Item = Vec<Vec<f64>>> {
    let distribution = "orthogonal".parse::<Scheme>().unwrap().distribution(&[n, n], Layout::OUT_IN).unwrap();
    (0..count).map(move |i| {
        let fill = distribution.fill(&[n, n], Stream::numbered(7, i), Dtype::F32).unwrap();
        vectors(&draw(&fill), n as usize, n as usize)
    })
}

fn multiplied(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let column = |j: usize| b.iter().map(|row| row[j]).collect::<Vec<_>>();
    let columns: Vec<_> = (0..b[0].len()).map(column).collect();
    a.iter().map(|row| columns.iter().map(|column| dot(row, column)).collect()).collect()
}

fn trace(a: &[Vec<f64>]) -> f64 {
    (0..a.len()).map(|i| a[i][i]).sum()
}

/// sqrt(n) times the largest distance of a sample's distribution function from this one. It passes 2.5 with a probability of 7e-6.
fn kolmogorov(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let n = sample.len() as f64;
    let distance = |(i, &x): (usize, &f64)| (cdf(x) - i as f64 / n).abs().max((cdf(x) - (i as f64 + 1.0) / n).abs());
    n.sqrt() * sample.iter().enumerate().map(distance).fold(0.0, f64::max)
}

/// The law of a coordinate of a point on the sphere in n dimensions.
fn coordinate(n: u64, x: f64) -> f64 {
    let beta = Beta::new(0.5, (n as f64 - 1.0) / 2.0).unwrap();
    0.5 + 0.5 * x.signum() * beta.cdf((x * x).min(1.0))
}

/// Of Haar's measure on O(n), tr Q^k has mean 1 for even k, else 0, and variance k, as long as 2 k <= n. P. Diaconis, S. N. Evans,
/// "Linear functionals of eigenvalues of random matrices", Transactions of the AMS 353, 2001.
#[test]
fn traces_of_powers_have_haars_moments() {
    for (n, count) in [(24, 10_000), (45, 2_000)] {
        let mut traces = [const { Vec::new() }; 3];
        for q in matrices(n, count) {
            let square = multiplied(&q, &q);
            traces[0].push(trace(&q));
            traces[1].push(trace(&square));
            traces[2]
                .push((0..n as usize).map(|i| dot(&square[i], &q.iter().map(|row| row[i]).collect::<Vec<_>>())).sum());
        }
        for (traces, k) in traces.iter().zip(1..) {
            let (count, k) = (count as f64, f64::from(k));
            let mean = traces.iter().sum::<f64>() / count;
            let expected = if k == 2.0 { 1.0 } else { 0.0 };
            let variance = traces.iter().map(|t| (t - expected) * (t - expected)).sum::<f64>() / count;
            // The standard errors of a normal of this variance, which it nearly is.
            let sigmas = [(mean - expected) / (k / count).sqrt(), (variance - k) / (k * (2.0 / count).sqrt())];
            println!("n {n}, tr Q^{k}: {sigmas:.2?} sigma");
            assert!(sigmas.iter().all(|s| s.abs() < 5.0), "n {n}, tr Q^{k}: mean {mean}, variance {variance}");
        }
    }
}

/// Elements, also of a fixed rotation times the matrix and of the matrix times it.
#[test]
fn elements_are_a_coordinate_on_the_sphere_whatever_rotation_comes_before_or_after() {
    let n = 5;
    let mut elements = [const { Vec::new() }; 6];
    let fixed = matrices(n, 1).next().unwrap();
    for q in matrices(n, 10_001).skip(1) {
        let (before, after) = (multiplied(&q, &fixed), multiplied(&fixed, &q));
        let each = [q[0][0], q[4][4], q[1][3], before[2][1], after[0][4], after[3][3]];
        elements.iter_mut().zip(each).for_each(|(all, x)| all.push(x));
    }
    for (i, sample) in elements.into_iter().enumerate() {
        let d = kolmogorov(sample, |x| coordinate(n, x));
        println!("element {i}: {d:.2}");
        assert!(d < 2.5, "element {i}: {d}");
    }
    // Of a long vector, and a matrix of several blocks.
    let many: Vec<f64> = matrices(70, 40).flat_map(|q| [0, 31, 32, 50, 69].map(|c| q[c][(7 * c + 3) % 70])).collect();
    let d = kolmogorov(many, |x| coordinate(70, x));
    assert!(d < 2.5, "{d}");
}

/// By Weyl's integration formula the angle of a rotation in three dimensions has the density (1 - cos a) / pi, and the two of one in
/// four a density in proportion to (cos a - cos b)^2.
#[test]
fn phases_of_eigenvalues_and_their_spacings_have_weyls_law() {
    let pi = std::f64::consts::PI;
    let angles: Vec<f64> = matrices(3, 10_000)
        .map(|q| {
            let det = dot(
                &q[0],
                &[
                    q[1][1] * q[2][2] - q[1][2] * q[2][1],
                    q[1][2] * q[2][0] - q[1][0] * q[2][2],
                    q[1][0] * q[2][1] - q[1][1] * q[2][0],
                ],
            );
            ((det.signum() * trace(&q) - 1.0) / 2.0).clamp(-1.0, 1.0).acos()
        })
        .collect();
    let d = kolmogorov(angles, |a| (a - a.sin()) / pi);
    println!("phases in three dimensions: {d:.2}");
    assert!(d < 2.5, "{d}");

    let (mut phases, mut spacings) = (Vec::new(), Vec::new());
    for q in matrices(4, 20_000) {
        let (s, t) = (trace(&q), trace(&multiplied(&q, &q)));
        // cos a + cos b, cos a cos b; of a reflection eigenvalues are 1, -1 and one pair, so that tr Q^2 is (tr Q)^2.
        let (sum, product) = (s / 2.0, (s * s - t) / 8.0 - 0.5);
        if (s * s - t).abs() < 1e-5 {
            continue;
        }
        let root = (sum * sum / 4.0 - product).max(0.0).sqrt();
        let [a, b] = [sum / 2.0 + root, sum / 2.0 - root].map(|c| c.clamp(-1.0, 1.0).acos());
        phases.extend([a, b]);
        spacings.push(b - a);
    }
    // Half of all are rotations: 5 sigma of 20,000.
    assert!((spacings.len() as f64 - 10_000.0).abs() < 5.0 * 5000f64.sqrt(), "{}", spacings.len());
    // One of the two: (1 + cos(2 a)/... ) integrated over the other angle is (cos^2 a + 1/2) / pi.
    let first: Vec<f64> = phases
        .iter()
        .step_by(2)
        .zip(phases.iter().skip(1).step_by(2))
        .enumerate()
        .map(|(i, (a, b))| if i % 2 == 0 { *a } else { *b })
        .collect();
    let d = kolmogorov(first, |a| (a + a.sin() * a.cos() / 2.0) / pi);
    println!("phases in four dimensions: {d:.2}");
    assert!(d < 2.5, "{d}");
    // The density of b - a = x, of 0 <= a <= b <= pi: the integral of (cos a - cos (a + x))^2 over a, by its antiderivative.
    let density = |x: f64| {
        let f = |a: f64| {
            let (half, s) = (x / 2.0, a + x / 2.0);
            4.0 * half.sin().powi(2) * (s / 2.0 - (2.0 * s).sin() / 4.0)
        };
        f(pi - x) - f(0.0)
    };
    let steps = 4000;
    let mut masses = vec![0.0];
    for i in 0..steps {
        let mass = density((f64::from(i) + 0.5) * pi / f64::from(steps));
        masses.push(masses[i as usize] + mass);
    }
    let all = masses[steps as usize];
    let cdf = |x: f64| {
        let at = (x / pi * f64::from(steps)).clamp(0.0, f64::from(steps) - 1e-9);
        let (i, part) = (at as usize, at.fract());
        (masses[i] + part * (masses[i + 1] - masses[i])) / all
    };
    let d = kolmogorov(spacings, cdf);
    println!("spacings in four dimensions: {d:.2}");
    assert!(d < 2.5, "{d}");
}

#[test]
fn sparse_columns_have_exactly_so_many_zeros_anywhere() {
    for (outputs, inputs, sparsity) in
        [(10, 20_000, 0.3), (100, 2000, 0.9), (33, 5000, 0.5), (64, 3000, 0.01), (3, 9000, 0.34)]
    {
        let values =
            draw::<f32>(&fill(&format!("sparse:sparsity={sparsity}"), &[outputs, inputs], "out_in", Dtype::F32));
        let zeros = (sparsity * outputs as f64).ceil();
        let is_zero = |output: u64, input: u64| values[(output * inputs + input) as usize] == 0.0;
        let mut of_output = vec![0f64; outputs as usize];
        let mut of_pair = vec![0f64; (outputs * outputs) as usize];
        for input in 0..inputs {
            let these: Vec<_> = (0..outputs).filter(|&output| is_zero(output, input)).collect();
            assert_eq!(these.len() as f64, zeros, "input {input}");
            for &i in &these {
                of_output[i as usize] += 1.0;
                these.iter().filter(|&&j| j > i).for_each(|&j| of_pair[(i * outputs + j) as usize] += 1.0);
            }
        }
        // Counts of a fixed sum: their chi-square has outputs - 1 degrees of freedom times the part that is not fixed.
        let (n, o) = (inputs as f64, outputs as f64);
        let p = zeros / o;
        let chi: f64 = of_output.iter().map(|c| (c - n * p).powi(2) / (n * p * (1.0 - p))).sum::<f64>() * (o - 1.0) / o;
        let sigmas = (chi - (o - 1.0)) / (2.0 * (o - 1.0)).sqrt();
        println!("{outputs} outputs: {sigmas:.2} sigma");
        assert!(sigmas.abs() < 5.0, "{outputs} outputs, sparsity {sparsity}: {sigmas}");
        let pair = p * (zeros - 1.0) / (o - 1.0);
        if pair > 0.0 && pair < 1.0 {
            let worst = (0..outputs).flat_map(|i| (i + 1..outputs).map(move |j| (i, j))).map(|(i, j)| {
                let count = of_pair[(i * outputs + j) as usize];
                ((count - n * pair) / (n * pair * (1.0 - pair)).sqrt()).abs()
            });
            // Of at most 5,000 pairs none is beyond 5.5 sigma with a probability of 0.9998.
            let worst = worst.fold(0.0, f64::max);
            assert!(worst < 5.5, "{outputs} outputs, sparsity {sparsity}: a pair at {worst} sigma");
        }
    }
}

#[test]
fn what_is_bent_out_of_a_log_uniform_has_its_law() {
    let (low, high) = (0.001f64, 0.1f64);
    let cdf = |x: f64| ((x / low).ln() / (high / low).ln()).clamp(0.0, 1.0);
    let plain: Vec<f64> = draw::<f32>(&fill("log_uniform:low=0.001,high=0.1", &[1 << 16], "out_in", Dtype::F32))
        .iter()
        .map(|&x| x.into())
        .collect();
    assert!(plain.iter().all(|x| (low..high).contains(x)));
    let d = kolmogorov(plain, cdf);
    assert!(d < 2.5, "{d}");
    let logs = draw::<f32>(&fill("log_of_uniform:low=1,high=16", &[1 << 16], "out_in", Dtype::F32));
    assert!(logs.iter().all(|x| (0.0..16f32.ln()).contains(x)));
    let d = kolmogorov(logs.iter().map(|&x| x.into()).collect(), |y: f64| ((y.exp() - 1.0) / 15.0).clamp(0.0, 1.0));
    assert!(d < 2.5, "{d}");
    let softplus = |y: f64| y.exp().ln_1p();
    let bent = draw::<f32>(&fill("inverse_softplus:floor=0.002", &[1 << 16], "out_in", Dtype::F32));
    let bent: Vec<f64> = bent.iter().map(|&y| softplus(y.into())).collect();
    // ln 2 / ln 100 of them are at the floor.
    let (floor, n) = (bent.iter().filter(|x| (**x - 0.002).abs() < 1e-9).count() as f64, bent.len() as f64);
    let p = 2f64.ln() / 100f64.ln();
    assert!((floor - n * p).abs() < 5.0 * (n * p * (1.0 - p)).sqrt(), "{floor}");
    let above: Vec<f64> = bent.into_iter().filter(|x| *x > 0.002 + 1e-9).collect();
    let d = kolmogorov(above, |x| ((x / 0.002).ln() / 50f64.ln()).clamp(0.0, 1.0));
    assert!(d < 2.5, "{d}");
}

#[test]
fn norms_of_columns_are_those_of_the_tensor_that_their_stream_draws() {
    fn assert_same<T: fanin::Element + Into<f64>>(rows: u64, columns: u64) {
        let of = |scheme: &str, shape: &[u64]| draw::<T>(&fill(scheme, shape, "out_in", T::DTYPE));
        let elements = of("uniform:low=-0.3,high=0.3", &[rows, columns]);
        let norms = of(&format!("column_norms:bound=0.3,rows={rows}"), &[columns]);
        for (column, norm) in norms.into_iter().enumerate() {
            let column = elements[column..].iter().step_by(columns as usize);
            let exact = column.map(|&x| x.into() * x.into()).fold(0.0, |sum: f64, square: f64| sum + square).sqrt();
            // Rounded once to an f32, and once to the dtype.
            let norm: f64 = norm.into();
            let ulp = norm * [2f64.powi(-23), 2f64.powi(-10), 2f64.powi(-7)][T::DTYPE as usize];
            assert!((norm - exact).abs() <= 0.5001 * ulp, "{rows}x{columns} {}: {norm}, not {exact}", T::DTYPE);
        }
    }
    for (rows, columns) in [(1, 1), (1, 300), (7, 5), (1000, 3), (64, 128), (1025, 127), (3, 140_001)] {
        assert_same::<f32>(rows, columns);
        assert_same::<half::f16>(rows, columns);
        assert_same::<half::bf16>(rows, columns);
    }
    // More columns than are worked out at once: any part is that part of all, also where columns begin anew.
    let whole = fill("column_norms:bound=0.3,rows=3", &[140_001], "out_in", Dtype::BF16);
    let all = draw::<half::bf16>(&whole);
    for range in [65_535..65_537, 139_999..140_001, 1..131_073] {
        let part = draw::<half::bf16>(&whole.elements(range.clone()).unwrap());
        assert!(part == all[range.start as usize..range.end as usize], "{range:?}");
    }
    // One number's is its magnitude; of more, mean and deviation within 5 standard errors.
    for rows in [1, 2, 5, 40, 1000] {
        let scheme: fanin::Scheme = format!("column_norms:bound=2,rows={rows}").parse().unwrap();
        let (n, distribution) = (20_000, scheme.distribution(&[20_000], fanin::Layout::OUT_IN).unwrap());
        if rows == 1 {
            assert!(
                (distribution.mean() - 1.0).abs() < 1e-12 && (distribution.std() - 1.0 / 3f64.sqrt()).abs() < 1e-12
            );
        }
        let norms = draw::<f32>(&fill(&scheme.to_string(), &[n], "out_in", Dtype::F32));
        let mean = norms.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
        let std = (norms.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
        let error = distribution.std() / (n as f64).sqrt();
        assert!((mean - distribution.mean()).abs() < 5.0 * error, "{rows}: {mean}, not {}", distribution.mean());
        assert!((std - distribution.std()).abs() < 5.0 * error, "{rows}: {std}, not {}", distribution.std());
    }
}

#[test]
fn what_is_no_structure_is_named() {
    for (scheme, shape, layout, why) in [
        ("orthogonal", &[768][..], "out_in", "fewer than two dimensions"),
        ("orthogonal", &[65_537, 4], "out_in", "large=true"),
        ("orthogonal:large=true", &[1_048_577, 4], "out_in", "at most 1048576"),
        ("delta_orthogonal", &[3, 4, 3, 3], "out_in", "no more inputs than outputs"),
        ("delta_orthogonal", &[4, 3, 3, 3], "out_kernel_in", "neither the first nor the last"),
        ("identity", &[3, 4, 5], "out_in", "2 dimensions"),
        ("dirac", &[3, 4], "out_in", "3 to 5 dimensions"),
        ("dirac:groups=4", &[6, 4, 3], "out_in", "a divisor of the 6 outputs"),
        ("sparse:sparsity=0.5", &[3, 4, 5], "out_in", "2 dimensions"),
        ("sinusoids", &[768], "out_in", "2 dimensions or more"),
        ("sinusoids:endpoint=true", &[10, 9], "out_in", "an even number from 4 on"),
        ("sinusoids", &[1 << 13, (1 << 11) + 1], "out_in", "1 to 16777216 values"),
        ("arange:axis=2", &[3, 4], "out_in", "one of the dimensions"),
        ("arange:start=-1,function=log", &[3], "out_in", "a finite number"),
        ("column_norms:bound=1,rows=1073741824", &[3], "out_in", "at most 1073741824 elements"),
    ] {
        let error = scheme.parse::<Scheme>().unwrap().distribution(shape, layout.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains(why), "{scheme}: {error}");
    }
    for (scheme, why) in [
        ("orthogonal:gain=inf", "gain"),
        ("orthogonal:gain=1e-30", "2^-60"),
        ("sparse", "sparsity"),
        ("sparse:sparsity=1.5", "0 to 1"),
        ("dirac:groups=0", "groups"),
        ("linspace:start=1", "end"),
        ("inverse_frequencies:theta=-1", "theta"),
        ("sinusoids:theta=0.5", "theta is 0.5, allowed: finite and at least 1"),
        ("sinusoids:positions=3", "channels"),
        ("sinusoids:positions=3,channels=2,endpoint=true", "an even number from 4 on"),
        ("sinusoids:interleaved=maybe", "true, false"),
        ("log_uniform:low=0,high=1", "above 0"),
        ("log_of_uniform:low=-1,high=1", "above 0"),
        ("orthogonal:rows=3", "columns"),
        ("orthogonal:rows=0,columns=3", "rows"),
        ("arange:axis=x", "whole number"),
        ("column_norms:bound=1", "rows"),
        ("column_norms:bound=1,rows=0", "a whole number from 1 on"),
        ("column_norms:rows=3", "bound"),
        ("column_norms:bound=0,rows=3", "above 0"),
    ] {
        let error = scheme.parse::<Scheme>().unwrap_err();
        assert!(error.to_string().contains(why), "{scheme}: {error}");
    }
}

/// Groups are said by the layout, or by PyTorch's parameter of the scheme: what is drawn is the same.
#[test]
fn a_layouts_groups_hold_for_dirac() {
    let drawn = |scheme: &str, layout: &str| {
        let scheme: Scheme = scheme.parse().unwrap();
        scheme.distribution(&[12, 5, 3, 3], layout.parse().unwrap())
    };
    let expected = drawn("dirac:groups=3", "out_in").unwrap();
    assert_eq!(drawn("dirac", "out_in:groups=3").unwrap(), expected);
    assert_eq!(drawn("dirac:groups=3", "out_in:groups=3").unwrap(), expected);
    assert_ne!(drawn("dirac", "out_in").unwrap(), expected);
    let fill = fanin::scheme::dirac(1)
        .fill(&[12, 5, 3, 3], Layout::OUT_IN.with_groups(3), Stream::named(42, "w"), Dtype::F32)
        .unwrap();
    // Output o has a 1 at the middle tap of input o mod 4, as torch.nn.init.dirac_(w, 3) has it.
    let values: Vec<f32> = cpu::vec(&fill).unwrap();
    let ones: Vec<usize> = (0..values.len()).filter(|&i| values[i] != 0.0).collect();
    assert_eq!(ones, (0..12).map(|o| o * 45 + o % 4 * 9 + 4).collect::<Vec<_>>());
    for (scheme, layout, why) in [
        (
            "dirac:groups=2",
            "out_in:groups=3",
            "groups is 2 in the scheme dirac:groups=2 and 3 in the layout out_in:groups=3",
        ),
        ("dirac", "out_in:groups=5", "groups is 5, allowed: at least 1, and a divisor of the 12 outputs"),
        (
            "orthogonal",
            "out_in:groups=3",
            "groups is 3 in the layout out_in:groups=3, for the scheme orthogonal:gain=1, allowed: 1",
        ),
        ("delta_orthogonal", "out_in:groups=3", "for the scheme delta_orthogonal:gain=1, allowed: 1"),
    ] {
        let error = drawn(scheme, layout).unwrap_err().to_string();
        assert!(error.contains(why), "{scheme} in {layout}: {error}");
    }
}

/// As it stands in a checkpoint: resolved, and read back as the same.
#[test]
fn resolved_structures_read_back() {
    for (scheme, shape, layout) in CASES {
        let parsed: Scheme = scheme.parse().unwrap();
        assert_eq!(parsed.to_string().parse::<Scheme>().unwrap(), parsed, "{scheme}");
        let distribution = parsed.distribution(shape, layout.parse().unwrap()).unwrap();
        let text = Scheme::from(distribution).to_string();
        assert_eq!(text.parse::<Scheme>().unwrap(), Scheme::Fixed(distribution), "{text}");
    }
}

/// What PyTorch, Keras, JAX and transformers make of a shape, stored by `tests/golden/structured.py`.
#[test]
fn patterns_counts_and_sequences_are_the_frameworks() {
    let bytes =
        std::fs::read(format!("{}/tests/golden/structured.safetensors", fanin_tests::repository().display())).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let about = header.metadata().as_ref().unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let mut of_kind = std::collections::BTreeMap::<String, usize>::new();
    for (name, tensor) in golden.tensors() {
        let about: serde_json::Value = serde_json::from_str(&about[&name]).unwrap();
        let text = |key: &str| about[key].as_str().unwrap();
        let shape: Vec<u64> = about["shape"].as_array().unwrap().iter().map(|d| d.as_u64().unwrap()).collect();
        let theirs: Vec<f32> = bytemuck::pod_collect_to_vec(tensor.data());
        let fill = |dtype| fill(text("scheme"), &shape, text("layout"), dtype);
        let ours: Vec<f32> = match name.rsplit('.').next() {
            Some("bfloat16") => draw::<bf16>(&fill(Dtype::BF16)).iter().map(|x| x.to_f32()).collect(),
            Some("float16") => draw::<f16>(&fill(Dtype::F16)).iter().map(|x| x.to_f32()).collect(),
            _ => draw(&fill(Dtype::F32)),
        };
        match text("holds") {
            "values" => {
                assert_eq!(ours.len(), theirs.len(), "{name}");
                // What they work out in f32 is off where the exact value's angle is not an f32: as far as was seen, and explained by
                // four roundings of it.
                if let Some(off) = about["off"].as_f64() {
                    let most = ours.iter().zip(&theirs).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
                    let explained = 2f64.powi(-22) * shape[0] as f64;
                    assert!(
                        most <= off && off <= explained,
                        "{name}: {most} apart, {off} stored, {explained} explained"
                    );
                } else {
                    // Their logarithm and power are not rounded correctly: within as many units in the last place as were seen.
                    let ulps = about["ulps"].as_i64().unwrap_or(0);
                    let ordinal = |x: f32| i64::from(x.abs().to_bits()) * if x < 0.0 { -1 } else { 1 };
                    // Keras's zeros are -0 beside a negative gain.
                    let apart = |(a, b): (&f32, &f32)| (ordinal(*a) - ordinal(*b)).abs();
                    let most = ours.iter().zip(&theirs).map(apart).max().unwrap();
                    assert!(most <= ulps, "{name}: {most} units apart");
                }
            }
            "pattern" => {
                let pattern: Vec<f32> = ours.iter().map(|&x| f32::from(u8::from(x != 0.0))).collect();
                assert_same_bits(&pattern, &theirs, &name);
            }
            "zeros in each column" => {
                let columns = shape[1] as usize;
                let zeros = |c: usize| ours.iter().skip(c).step_by(columns).filter(|x| **x == 0.0).count() as f32;
                let counts: Vec<f32> = (0..columns).map(zeros).collect();
                assert_same_bits(&counts, &theirs, &name);
            }
            "sample" => {
                // Two samples, by Kolmogorov and Smirnov: beyond 2.5 with a probability of 7e-6.
                let (mut a, mut b) = (ours.clone(), theirs.clone());
                a.sort_by(f32::total_cmp);
                b.sort_by(f32::total_cmp);
                let below = |sorted: &[f32], x: f32| sorted.partition_point(|&y| y <= x) as f64 / sorted.len() as f64;
                let distance = a.iter().chain(&b).map(|&x| (below(&a, x) - below(&b, x)).abs()).fold(0.0, f64::max);
                let n = a.len() as f64 * b.len() as f64 / (a.len() + b.len()) as f64;
                assert!(distance * n.sqrt() < 2.5, "{name}: {}", distance * n.sqrt());
            }
            other => panic!("{name}: {other}"),
        }
        *of_kind
            .entry(format!("{} {}", name.split('.').next().unwrap(), text("scheme").split(':').next().unwrap()))
            .or_default() += 1;
    }
    println!("{of_kind:?}");
    assert!(of_kind.len() >= 7, "{of_kind:?}");
}
