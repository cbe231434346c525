//! Orthogonal matrices: they are, and uniform among all such (by Haar's measure).

use statrs::distribution::{Beta, ContinuousCDF};

use super::*;

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

/// Of thousands of matrices in one tensor each takes its own time, not the tensor's.
#[test]
fn many_small_matrices_are_drawn_in_the_time_of_each() {
    let whole = fill("orthogonal", &[20_000, 8, 8], "batch_out_in", Dtype::F32);
    let values = draw::<f32>(&whole);
    let last = draw::<f32>(&whole.elements(20_000 * 64 - 64..20_000 * 64).unwrap());
    assert_same_bits(&values[20_000 * 64 - 64..], &last, &"the last");
    assert!(worst(&vectors(&last, 8, 8), 1.0, 1) < 1e-6);
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
