//! What is known of initialisations shows: the claims of the literature, and mean-field theory's numbers, on the CPU; and that GPUs
//! measure the same. Every bound is a number of standard errors of what it holds, worked out where it stands.

use fanin::probe::{Activation, Gradients, Input, Layer, Phase, Probe, Report};

fn probe(scheme: &str, activation: &str) -> Probe {
    Probe::new(scheme.parse().unwrap(), activation.parse().unwrap()).with_seed(1)
}

fn report(scheme: &str, activation: &str, depth: u64, width: u64, batch: u64) -> Report {
    let probe = probe(scheme, activation).with_depth(depth).unwrap().with_width(width).unwrap();
    probe.with_batch(batch).unwrap().on_cpu().unwrap()
}

#[track_caller]
fn near(x: f64, y: f64, most: f64) {
    assert!((x / y).ln().abs() <= most, "{x} is not {y} within {most}");
}

/// N(0, 1) at width n makes pre-activations of deviation sqrt(n). Of 512, more than 0.9 of what tanh gives is beyond 11/12; its slope is
/// below 1 % beyond 2.99, which is 0.894 of them.
#[test]
fn a_standard_normal_saturates_tanh() {
    let report = report("normal", "tanh", 20, 512, 256);
    assert_eq!((report.verdict.saturates, report.verdict.vanishes), (Some(1), None));
    let theory = report.theory.unwrap();
    assert_eq!(theory.phase, Phase::Chaotic);
    // Each share is a mean over 512 units and 256 inputs; of one input alone its standard error is sqrt(p (1 - p) / 512).
    let error = (0.9 * 0.1 / 512f64).sqrt();
    for (layer, expected) in report.layers.iter().zip(theory.layers) {
        let counts = layer.histogram.counts;
        assert!((counts[0] + counts[23]) as f64 > 0.9 * 512.0 * 256.0, "{layer:?}");
        assert!(
            (layer.saturated - expected.saturated).abs() < 5.0 * error && (expected.saturated - 0.894).abs() < 3e-3
        );
    }
}

#[test]
fn a_small_normal_fades_under_tanh() {
    let report = report("normal:std=0.01", "tanh", 20, 512, 256);
    // 0.226 of itself from layer to layer.
    assert!(report.layers[9].rms() < 1e-6 && report.layers[8].rms() > 1e-7, "{report:?}");
    assert_eq!((report.verdict.saturates, report.verdict.vanishes), (None, Some(4)));
    assert_eq!((report.verdict.gradients, report.theory.unwrap().phase), (Gradients::Vanish, Phase::Ordered));
}

/// Given an input x, a layer's pre-activations are normal with variance |x|^2 / (3 n): over n units and b inputs the variance has a
/// relative standard error of sqrt(2 / n + 2 / (n b)) at most, of units that share their inputs and inputs that share their units.
#[test]
fn the_standard_scheme_has_a_pre_activation_variance_of_a_third() {
    for (width, batch, input) in [(512, 256, Input::Normal), (4096, 64, Input::Normal), (777, 100, Input::Uniform)] {
        let probe = probe("standard", "tanh").with_depth(1).unwrap().with_width(width).unwrap();
        let report = probe.with_batch(batch).unwrap().with_input(input).on_cpu().unwrap();
        let (n, b) = (width as f64, batch as f64);
        let error = (2.0 / n + 2.0 / (n * b)).sqrt() / 3.0;
        let variance = report.layers[0].pre_std.powi(2);
        assert!((variance - 1.0 / 3.0).abs() < 5.0 * error, "{variance}");
        near(report.theory.unwrap().layers[0].pre_std.powi(2), 1.0 / 3.0, 1e-6);
    }
}

/// X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, figures 6 and 7: with five
/// layers of 1,000 and tanh, activations and gradients by the normalised initialisation are alike in all layers, by the standard one,
/// U(+-1 / sqrt(n)), they shrink.
#[test]
fn glorots_figures() {
    let normalised = report("glorot_normal", "tanh", 5, 1000, 300);
    let standard = report("standard", "tanh", 5, 1000, 300);
    let all = |report: &Report, of: fn(&Layer) -> f64| report.layers.iter().map(of).collect::<Vec<_>>();
    let stds = all(&normalised, |layer| layer.std);
    assert!(stds.iter().all(|std| (0.3..0.7).contains(std)), "{stds:?}");
    let gradients = all(&normalised, |layer| layer.gradient_std);
    assert!(gradients.iter().all(|std| (0.35..1.2).contains(std)), "{gradients:?}");
    let stds = all(&standard, |layer| layer.std);
    assert!(stds.windows(2).all(|pair| pair[1] < 0.62 * pair[0]) && stds[4] < 0.11 * stds[0], "{stds:?}");
    let gradients = all(&standard, |layer| layer.gradient_std);
    assert!(gradients.windows(2).all(|pair| pair[0] < 0.62 * pair[1]) && gradients[0] < 0.12, "{gradients:?}");
    for (layer, expected) in normalised.layers.iter().zip(&normalised.theory.as_ref().unwrap().layers) {
        // A dozen standard errors, of which 1 / sqrt(2 n) is one and a layer adds another.
        near(layer.pre_std, expected.pre_std, 12.0 / 2000f64.sqrt());
    }
    assert_eq!((normalised.verdict.saturates, normalised.verdict.gradients), (None, Gradients::Hold));
}

/// K. He et al., "Delving deep into rectifiers", 2015. A layer's second moment has a relative variance of 5 / n beside that of the
/// layer below, since E relu^4 / (E relu^2)^2 is 6: over 50 layers of 1,024 it is off by sqrt(250 / 1024) at one standard error.
#[test]
fn relu_halves_under_glorot_and_holds_under_he() {
    let glorot = report("glorot_normal", "relu", 20, 1024, 256);
    let he = report("he_normal", "relu", 50, 1024, 256);
    for (at, layer) in glorot.layers.iter().enumerate() {
        let layers = at as f64 + 1.0;
        near(layer.rms().powi(2), 0.5f64.powi(at as i32 + 1), 5.0 * (5.0 * layers / 1024.0).sqrt());
    }
    for pair in glorot.layers.windows(2) {
        near(pair[1].rms().powi(2) / pair[0].rms().powi(2), 0.5, 5.0 * (5f64 / 1024.0).sqrt());
    }
    for (at, layer) in he.layers.iter().enumerate() {
        near(layer.rms().powi(2), 1.0, 5.0 * (5.0 * (at as f64 + 1.0) / 1024.0).sqrt());
    }
    assert_eq!(glorot.verdict.vanishes, Some(14), "2^-7 is below 1/100 for the first time");
    assert_eq!((he.verdict.vanishes, he.verdict.explodes, he.verdict.gradients), (None, None, Gradients::Hold));
    assert_eq!((he.verdict.saturates, he.theory.unwrap().phase), (None, Phase::Critical));
}

#[test]
fn zeros_are_all_zero() {
    for activation in ["tanh", "relu", "gelu"] {
        let report = report("zeros", activation, 4, 64, 32);
        for layer in &report.layers {
            assert_eq!((layer.zero, layer.dead, layer.pre_std, layer.std), (1.0, 64, 0.0, 0.0), "{activation}");
        }
        assert_eq!((report.verdict.vanishes, report.verdict.gradients), (Some(1), Gradients::Vanish));
        assert_eq!(report.theory.unwrap().phase, Phase::Ordered);
    }
    // A sigmoid of zero is a half: nothing vanishes but the gradient.
    let sigmoid = report("zeros", "sigmoid", 4, 64, 32);
    assert_eq!((sigmoid.verdict.vanishes, sigmoid.verdict.gradients), (None, Gradients::Vanish));
}

/// What passes f32 is no number, and what has another mean than 0 no theory; gradients are numbers far beyond f32.
#[test]
fn what_cannot_be_said_is_not_said() {
    let wild = report("normal:std=100", "linear", 20, 512, 16);
    assert!(wild.layers[0].pre_std > 1e3 && wild.layers[19].pre_std.is_nan() && wild.layers[19].saturated.is_nan());
    assert!(wild.verdict.explodes == Some(1) && wild.verdict.gradients == Gradients::Explode, "{:?}", wild.verdict);
    let first = wild.layers[0].gradient_std;
    near(first, (100.0 * 512f64.sqrt()).powi(19), 5.0 * (20.0 / 512f64).sqrt());
    let faint = report("normal:std=1e-30", "linear", 8, 64, 16);
    assert!(faint.layers[0].gradient_std > 0.0 && faint.layers[0].gradient_std < 1e-200, "{faint:?}");
    let ones = report("ones", "tanh", 3, 64, 16);
    assert!(ones.theory.is_none() && ones.verdict.saturates.is_some(), "{ones:?}");
    let huge = probe("he_normal", "relu").with_width(1 << 32).unwrap();
    let error = huge.on_cpu().unwrap_err();
    assert_eq!(error.kind(), fanin::ErrorKind::Memory);
    assert!(error.to_string().contains("73787073051861450752"), "{error}");
    for wrong in [huge.clone().with_depth(0), huge.clone().with_width(0), huge.clone().with_batch(1 << 21)] {
        assert_eq!(wrong.unwrap_err().kind(), fanin::ErrorKind::Parameter);
    }
    let tiny = probe("variance_scaling:scale=1e-300", "relu").on_cpu();
    assert!(tiny.is_err(), "{tiny:?}");
}

#[test]
fn the_smallest_network_is_measured() {
    let one = report("he_normal", "tanh", 1, 1, 2);
    assert_eq!((one.layers.len(), one.layers[0].gradient_std), (1, 1.0));
    let none = probe("he_normal", "tanh").with_width(1).unwrap().with_batch(1).unwrap();
    assert_eq!(none.on_cpu().unwrap_err().kind(), fanin::ErrorKind::Parameter, "one value has no deviation");
    let wide = report("lecun_normal", "selu", 2, 100, 3);
    assert_eq!(wide.layers[1].gradient_std, 1.0);
}

/// Means of functions of sqrt(q) z, by the midpoint rule: not the library's.
fn mean(q: f64, f: impl Fn(f32) -> f64) -> f64 {
    let (n, reach) = (20_000, 9.0);
    let step = 2.0 * reach / f64::from(n);
    let of = |i: i32| {
        let z = -reach + (f64::from(i) + 0.5) * step;
        (-0.5 * z * z).exp() * f((q.sqrt() * z) as f32)
    };
    (0..n).map(of).sum::<f64>() * step / std::f64::consts::TAU.sqrt()
}

/// Theory is of infinite width. At width n, given the layer below, a layer's second moment E phi^2 is a mean over n units, all of one
/// input, or of a batch whose inputs have become alike: its relative variance is (E phi^4 / (E phi^2)^2 - 1) / n. The next layer passes
/// it on by the power d ln q' / d ln q, and adds its own. The way back is a product of means of phi'^2 g^2 with g normal: each has a
/// relative variance of (3 E phi'^4 / (E phi'^2)^2 - 1) / n, and changes with the layer's q by the power d ln chi / d ln q. Deviations of
/// logarithms are held against five such standard errors, in which the q of different layers are taken to err alike.
#[test]
fn measured_is_expected_within_what_the_width_makes_of_it() {
    let (depth, width, batch) = (20, 1024, 32);
    let n = width as f64;
    let activations =
        ["linear", "sigmoid", "tanh", "relu", "leaky_relu:0.2", "elu", "selu", "gelu", "silu", "softsign"];
    let mut worst = [0f64; 2];
    for name in activations {
        let phi: Activation = name.parse().unwrap();
        let power = |f: fn(Activation, f32) -> f32, n: i32| move |z: f32| f64::from(f(phi, z)).powi(n);
        let (value, slope) = (|phi: Activation, z| phi.value(z), |phi: Activation, z| phi.slope(z));
        for sigma in [0.5f64, 1.0, 1.5, 2.5] {
            let report = report(&format!("he_normal:gain={sigma}"), name, depth, width, batch);
            let theory = report.theory.unwrap();
            let mut q = sigma * sigma;
            let (mut of_q, mut back) = (2.0 / n, Vec::new());
            for (layer, expected) in report.layers.iter().zip(&theory.layers) {
                near(expected.pre_std, q.sqrt(), 1e-4);
                // Measured over n units, whose squares have a relative variance of 2 / n.
                let error = 0.5 * f64::sqrt(of_q + 2.0 / n);
                let off = (layer.pre_std / expected.pre_std).ln().abs() / error;
                assert!(off < 5.0, "{name}, {sigma}: {layer:?}, {expected:?}, {off}");
                worst[0] = worst[0].max(off);
                let up = q * 1.001;
                let (square, chi) = (mean(q, power(value, 2)), mean(q, power(slope, 2)));
                let passed = (mean(up, power(value, 2)) / square).ln() / 1.001f64.ln();
                let changed = (mean(up, power(slope, 2)) / chi).ln() / 1.001f64.ln();
                back.push((3.0 * mean(q, power(slope, 4)) / (chi * chi) - 1.0, changed.abs() * of_q.sqrt()));
                of_q = passed * passed * of_q + (mean(q, power(value, 4)) / (square * square) - 1.0) / n;
                q = sigma * sigma * square;
            }
            let (mut own, mut of_q) = (0.0, 0.0);
            for (at, (kurtosis, by_q)) in back.into_iter().enumerate().rev() {
                own += kurtosis / n;
                of_q += by_q;
                let (measured, expected) = (report.layers[at].gradient_std, theory.layers[at].gradient_std);
                let off = (measured / expected).ln().abs() / (0.5 * (own.sqrt() + of_q));
                assert!(off < 5.0, "{name}, {sigma}, layer {at}: {measured}, {expected}, {off}");
                worst[1] = worst[1].max(off);
            }
        }
    }
    println!("the worst: {:.2} standard errors on the way there, {:.2} on the way back", worst[0], worst[1]);
}

/// GPUs measure what the CPU does, to what f32 rounds: every activation, biases, sizes that fill no tile, numbers beyond f32, and
/// gradients that are far beyond it. (What f32 holds as subnormal numbers alone, devices may take for zero.)
mod on_gpus {
    use super::*;
    use fanin::probe::Spectrum;

    /// Of sums of at most a few hundred products, through layers that pass errors on.
    const NEAR: f64 = 2e-4;

    fn agree(probe: &Probe, what: &str, gpu: &Report, cpu: &Report) {
        assert_eq!(gpu.theory, cpu.theory, "{what}");
        assert_eq!(gpu.verdict, cpu.verdict, "{what}");
        let values = (probe.width() * probe.batch()) as f64;
        for (at, (g, c)) in gpu.layers.iter().zip(&cpu.layers).enumerate() {
            let scale =
                |x: f64, y: f64, scale: f64| x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= NEAR * scale;
            let is_near = scale(g.pre_std, c.pre_std, c.pre_std)
                && scale(g.pre_mean, c.pre_mean, c.pre_std)
                && scale(g.std, c.std, c.std)
                && scale(g.mean, c.mean, c.rms())
                && scale(g.gradient_std, c.gradient_std, c.gradient_std);
            assert!(is_near, "{what}, layer {at}: {g:?}\n{c:?}");
            // Few values are so near an edge that rounding decides.
            let few = 2.0 + values * 1e-3;
            let differ = |x: f64, y: f64| (x - y).abs() * values <= few || (x.is_nan() && y.is_nan());
            assert!(differ(g.saturated, c.saturated) && differ(g.zero, c.zero), "{what}, layer {at}: {g:?}\n{c:?}");
            assert!(g.dead.abs_diff(c.dead) as f64 <= few, "{what}, layer {at}: {g:?}\n{c:?}");
            let counts = g.histogram.counts.iter().zip(&c.histogram.counts).map(|(g, c)| g.abs_diff(*c)).sum::<u64>();
            assert!(counts as f64 <= 2.0 * few, "{what}, layer {at}: {g:?}\n{c:?}");
        }
    }

    #[test]
    fn gpus_measure_what_the_cpu_does() {
        let named = ["linear", "sigmoid", "tanh", "relu", "leaky_relu:0.2", "elu", "selu", "gelu", "silu", "softsign"];
        let mut probes: Vec<_> =
            named.map(|name| probe("he_normal", name).with_bias("standard".parse().unwrap())).into();
        probes.push(probe("normal", "tanh"));
        probes.push(probe("normal:std=1e-5", "tanh"));
        probes.push(probe("normal:std=1e-9", "elu"));
        probes.push(probe("zeros", "relu"));
        probes.push(probe("uniform", "relu").with_input(Input::Uniform));
        probes.push(probe("normal:std=1e9", "linear"));
        probes.push(probe("normal:std=0.3", "softsign"));
        let sizes = [(4, 130, 70), (3, 64, 64), (2, 17, 200), (2, 200, 1)];
        let probes = probes.iter().enumerate().map(|(at, probe)| {
            let (depth, width, batch) = sizes[at % sizes.len()];
            probe.clone().with_depth(depth).unwrap().with_width(width).unwrap().with_batch(batch).unwrap()
        });
        let probes: Vec<_> = probes.map(|probe| (probe.on_cpu().unwrap(), probe)).collect();
        // 64-bit integers make no difference here.
        for gpu in fanin_tests::adapters().iter().filter(|gpu| !gpu.is_wide()) {
            for (cpu, probe) in &probes {
                let report = probe.on_gpu(&gpu.filler).unwrap();
                agree(probe, &format!("{probe} on {}", gpu.name), &report, cpu);
            }
        }
    }

    #[test]
    fn gpus_find_the_singular_values_that_the_cpu_finds() {
        for gpu in fanin_tests::adapters().iter().filter(|gpu| !gpu.is_wide()) {
            for (scheme, rows, columns) in
                [("he_normal", 300, 100), ("standard", 70, 200), ("normal", 64, 64), ("zeros", 8, 5), ("ones", 1, 9)]
            {
                let shape = [rows as u64, columns as u64];
                let scheme: fanin::Scheme = scheme.parse().unwrap();
                let stream = fanin::Stream::named(3, "weight");
                let fill = scheme.fill(&shape, fanin::Layout::OUT_IN, stream, fanin::Dtype::F32).unwrap();
                let cpu = Spectrum::measure(&fanin_tests::draw::<f32>(&fill), rows, columns).unwrap();
                let found = Spectrum::on_gpu(&gpu.filler, &fill, rows, columns).unwrap();
                let near = |a: f64, b: f64| (a - b).abs() <= 1e-3 * cpu.largest;
                let is_near = near(found.largest, cpu.largest) && near(found.smallest, cpu.smallest);
                assert!(is_near && near(found.rms, cpu.rms), "{}: {found:?}, {cpu:?}", gpu.name);
                assert!(Spectrum::on_gpu(&gpu.filler, &fill, rows, columns + 1).is_err());
            }
        }
    }

    #[test]
    fn what_a_device_cannot_hold_is_refused() {
        for gpu in fanin_tests::adapters_with(|_| wgpu::Limits::downlevel_defaults()) {
            let wide = probe("he_normal", "relu").with_width(8192).unwrap().with_batch(1).unwrap();
            let error = wide.with_depth(1).unwrap().on_gpu(&gpu.filler).unwrap_err();
            assert_eq!(error.kind(), fanin::ErrorKind::DeviceLimit, "{error}");
            assert!(error.to_string().contains("268435456"), "{error}");
            gpu.device.destroy();
            let error = probe("he_normal", "relu").on_gpu(&gpu.filler).unwrap_err();
            assert_eq!(error.kind(), fanin::ErrorKind::Device, "{error}");
        }
    }
}
