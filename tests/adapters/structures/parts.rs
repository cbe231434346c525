//! Any part of a structure is that of the whole, by whatever draws it, in whatever dtype.

use half::{bf16, f16};

use super::*;

#[test]
fn any_part_is_what_it_is_of_the_whole() {
    let mut rng = Stream::numbered(1, 0).rng();
    for (scheme, shape, layout) in CASES {
        for &dtype in Dtype::ALL {
            let fill = fill(scheme, shape, layout, dtype);
            fanin_tests::for_dtype!(dtype, T => {
                let whole = draw::<T>(&fill);
                assert_drawn_on_threads(&fill, &whole);
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
