//! Tensors of several structures: slices of them, and what lies beside them in a buffer.

use super::*;

/// Of a tensor the shape, the distribution, as a scheme makes it of a block, and those of slices along a dimension.
type Mixed = (&'static [u64], Piece, &'static [(usize, Range<u64>, Piece)]);

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
                assert_drawn_on_threads(&fill, &expected);
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
    let (half, multiples) = ("sparse:sparsity=0.5", "whole multiples of the 64 elements");
    let (whole, even) = ("whole orthogonal matrices, or constants", "begin and end at even elements");
    for (shape, base, dim, range, piece, why) in [
        (&[8, 32][..], "normal", 1, 8..16, ("orthogonal", &[8, 8][..], "in_out"), multiples),
        (&[32, 8], "normal", 0, 4..12, ("orthogonal", &[8, 8], "out_in"), multiples),
        (&[32, 8], "normal", 0, 8..20, ("identity", &[8, 8], "out_in"), "elements 64..160 of the tensor"),
        (&[32, 8], "normal", 0, 8..16, (half, &[8, 8], "out_in"), "the 64 of sparse"),
        (&[30, 10], "normal", 0, 10..20, ("orthogonal", &[10, 10], "out_in"), "a multiple of 4"),
        (&[12, 8, 3], "normal", 0, 0..8, ("delta_orthogonal", &[8, 8, 3], "out_in"), "at no tap"),
        (&[30, 10], "orthogonal", 0, 10..20, ("normal", &[10, 10], "out_in"), "a multiple of 4"),
        (&[4, 16, 8], "normal", 1, 0..8, (half, &[8, 8], "out_in"), "the 64 of sparse"),
        // A pair of normals is made of two words, one of which a uniform number would have.
        (&[4096, 2], "normal", 1, 1..2, ("uniform", &[4096, 1], "out_in"), even),
        (&[9], "uniform", 0, 3..8, ("normal", &[5], "out_in"), even),
        (&[9], "truncated_normal", 0, 2..7, ("log_uniform:low=1,high=2", &[5], "out_in"), even),
        (&[6, 3], "normal", 1, 0..2, ("uniform", &[6, 2], "out_in"), even),
        // Other rows are made of what those would be.
        (&[32, 32], "orthogonal", 0, 3..5, ("normal", &[2, 32], "out_in"), whole),
        (&[32, 32], "orthogonal", 0, 16..32, ("orthogonal:gain=2", &[16, 32], "out_in"), whole),
        (&[32, 32], "orthogonal", 1, 0..1, ("uniform", &[32, 1], "out_in"), whole),
        (&[60, 20], half, 0, 0..30, (half, &[30, 20], "out_in"), "one such distribution in a tensor"),
    ] {
        let fill = fill(base, shape, "out_in", Dtype::F32);
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
        let fill = fill("normal", shape, "out_in", Dtype::F32);
        assert!(
            fill.with_part(dim, range.clone(), distribution(&(piece, shape, "out_in"))).is_ok(),
            "{shape:?} {range:?}"
        );
    }
}

/// Also as one of many targets that share a buffer, in the order in which they are given.
#[test]
fn structures_among_other_targets_are_written_in_their_order() {
    use fanin::gpu::Target;
    let ones = fanin::Distribution::Constant { value: 1.0 }.fill_range(0..9000, stream(), Dtype::F32).unwrap();
    let matrices = distribution(&("orthogonal", &[30, 40], "out_in"));
    let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
    let orthogonal = matrices.fill(&[60, 40], stream(), Dtype::F32).unwrap();
    let orthogonal = orthogonal.with_part(0, 30..60, normal).unwrap();
    let few = fanin::Distribution::Constant { value: 2.0 }.fill_range(0..100, stream(), Dtype::F32).unwrap();
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
