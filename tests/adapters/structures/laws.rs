//! The laws of the other structures: counts of zeros, distributions, norms, and the patterns of the frameworks.

use half::{bf16, f16};
use safetensors::SafeTensors;

use super::*;

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
    let drawn = |scheme: &str| -> Vec<f64> {
        draw::<f32>(&fill(scheme, &[1 << 16], "out_in", Dtype::F32)).into_iter().map(f64::from).collect()
    };
    let plain = drawn("log_uniform:low=0.001,high=0.1");
    assert!(plain.iter().all(|x| (low..high).contains(x)));
    let d = kolmogorov(plain, cdf);
    assert!(d < 2.5, "{d}");
    let logs = drawn("log_of_uniform:low=1,high=16");
    assert!(logs.iter().all(|x| (0.0..16f32.ln().into()).contains(x)));
    let d = kolmogorov(logs, |y| ((y.exp() - 1.0) / 15.0).clamp(0.0, 1.0));
    assert!(d < 2.5, "{d}");
    let bent: Vec<f64> = drawn("inverse_softplus:floor=0.002").into_iter().map(|y| y.exp().ln_1p()).collect();
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
    fn assert_same<T: Element + Into<f64>>(rows: u64, columns: u64) {
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
        assert_same::<f16>(rows, columns);
        assert_same::<bf16>(rows, columns);
    }
    // More columns than are worked out at once: any part is that part of all, also where columns begin anew.
    let whole = fill("column_norms:bound=0.3,rows=3", &[140_001], "out_in", Dtype::BF16);
    let all = draw::<bf16>(&whole);
    for range in [65_535..65_537, 139_999..140_001, 1..131_073] {
        let part = draw::<bf16>(&whole.elements(range.clone()).unwrap());
        assert!(part == all[range.start as usize..range.end as usize], "{range:?}");
    }
    // One number's is its magnitude; of more, mean and deviation within 5 standard errors.
    for rows in [1, 2, 5, 40, 1000] {
        let scheme: Scheme = format!("column_norms:bound=2,rows={rows}").parse().unwrap();
        let (n, distribution) = (20_000, scheme.distribution(&[20_000], Layout::OUT_IN).unwrap());
        if rows == 1 {
            let apart = [distribution.mean() - 1.0, distribution.std() - 1.0 / 3f64.sqrt()];
            assert!(apart.iter().all(|x| x.abs() < 1e-12), "{apart:?}");
        }
        let norms = draw::<f32>(&fill(&scheme.to_string(), &[n], "out_in", Dtype::F32));
        let mean = norms.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
        let std = (norms.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
        let error = distribution.std() / (n as f64).sqrt();
        assert!((mean - distribution.mean()).abs() < 5.0 * error, "{rows}: {mean}, not {}", distribution.mean());
        assert!((std - distribution.std()).abs() < 5.0 * error, "{rows}: {std}, not {}", distribution.std());
    }
}

/// What PyTorch, Keras, JAX and transformers make of a shape, stored by `tests/golden/structured.py`.
#[test]
fn patterns_counts_and_sequences_are_the_frameworks() {
    let path = fanin_tests::repository().join("tests/golden/structured.safetensors");
    let bytes = std::fs::read(path).unwrap();
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
