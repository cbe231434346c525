//! Mean-field theory: the expectation of a network that is infinitely wide.

use super::activation::Activation;
use crate::arithmetic::special;

/// The fate of small differences of inputs on their way through the layers, and with them of gradients on their way back.
///
/// ```
/// use fanin::probe::{Activation, Phase, Probe};
///
/// let he = Probe::new("he_normal".parse()?, Activation::Relu);
/// assert_eq!(he.theory()?.unwrap().phase, Phase::Critical);
/// assert_eq!(Phase::Critical.to_string(), "critical");
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Differences die out: chi is below 1.
    Ordered,
    /// Differences stay: chi is 1, to a hundredth.
    Critical,
    /// Differences grow: chi is above 1.
    Chaotic,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Phase::Ordered => "ordered",
            Phase::Critical => "critical",
            Phase::Chaotic => "chaotic",
        })
    }
}

/// The expectation of mean-field theory where weights and biases have mean 0 and layers are infinitely wide. B. Poole et al.,
/// "Exponential expressivity in deep neural networks through transient chaos", 2016, <https://arxiv.org/abs/1606.05340>; S. Schoenholz
/// et al., "Deep information propagation", 2017, <https://arxiv.org/abs/1611.01232>.
///
/// With q the variance of a layer's pre-activations, the next layer's is `q' = var_w E phi(sqrt(q) z)^2 + var_b`, where z is standard
/// normal, var_w the weights' variance times fan_in, and var_b the biases' variance. On the way back a squared gradient grows by
/// `chi = var_w E phi'(sqrt(q) z)^2` from layer to layer.
///
/// ```
/// use fanin::probe::{Activation, Probe};
///
/// let theory = Probe::new("glorot_normal".parse()?, Activation::Relu).theory()?.unwrap();
/// assert!((theory.chi - 0.5).abs() < 1e-6 && theory.fixed_point == 0.0);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Theory {
    /// The expectation of each layer.
    pub layers: Vec<Expected>,
    /// The variance of pre-activations that more layers would tend to; 0 or infinite where they vanish or explode.
    pub fixed_point: f64,
    /// The factor of a squared gradient, from layer to layer, at the fixed point.
    pub chi: f64,
    /// The number of layers that change a squared gradient by a factor of e, at the fixed point: 1 / |ln chi|.
    pub depth_scale: f64,
    /// The phase that this means.
    pub phase: Phase,
}

/// The expectation of one layer.
///
/// See [`Theory`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Expected {
    /// The standard deviation of pre-activations.
    pub pre_std: f64,
    /// The root of the activations' mean square.
    pub rms: f64,
    /// The share of saturated activations.
    pub saturated: f64,
    /// The standard deviation of the gradient with respect to the pre-activation, relative to that of the last layer.
    pub gradient_std: f64,
}

/// The width of what counts as critical, about chi of 1.
const CRITICAL: f64 = 0.01;

/// A variance is no fixed point yet while a step changes it by more than this part of it.
const SETTLED: f64 = 1e-9;

impl Theory {
    /// The theory of a network of so many layers, on inputs of variance 1.
    pub(super) fn new(activation: Activation, var_w: f64, var_b: f64, depth: usize) -> Theory {
        let means = Means::new(activation);
        let mut layers = Vec::with_capacity(depth.min(1 << 20));
        let mut q = var_w + var_b;
        for _ in 0..depth {
            let (square, slope) = (means.square(q), means.slope(q));
            layers.push((q, square, means.saturated(q), var_w * slope));
            q = var_w * square + var_b;
        }
        // Each layer's gradient relative to that of the last: of those above it, the product.
        let mut gradient = 1.0;
        let mut expected: Vec<_> = layers
            .iter()
            .rev()
            .enumerate()
            .map(|(above, &(q, square, saturated, chi))| {
                if above > 0 {
                    gradient *= chi.sqrt();
                }
                Expected { pre_std: q.sqrt(), rms: square.sqrt(), saturated, gradient_std: gradient }
            })
            .collect();
        expected.reverse();
        let fixed_point = fixed_point(&means, var_w, var_b, q);
        let chi = var_w * means.slope(fixed_point.clamp(1e-30, 1e30));
        let phase = match chi {
            chi if chi < 1.0 - CRITICAL => Phase::Ordered,
            chi if chi > 1.0 + CRITICAL => Phase::Chaotic,
            _ => Phase::Critical,
        };
        Theory { layers: expected, fixed_point, chi, depth_scale: 1.0 / chi.ln().abs(), phase }
    }

    /// The standard deviation of weights, times the root of fan_in, with which gradients are as large in the first layer as in the
    /// last, if there is one.
    pub(super) fn gain(activation: Activation, var_b: f64, depth: usize) -> Option<f64> {
        // One layer has no way back; of very many, the first thousand say it.
        let depth = depth.clamp(2, 1000);
        let means = Means::new(activation);
        let growth = |ln_var: f64| {
            let var_w = ln_var.exp();
            let mut q = var_w + var_b;
            let mut growth = 0.0;
            for _ in 1..depth {
                growth += (var_w * means.slope(q)).ln();
                q = var_w * means.square(q) + var_b;
            }
            growth
        };
        let (mut low, mut high) = (-12.0, 12.0);
        if growth(low) > 0.0 || growth(high).is_nan() || growth(high) < 0.0 {
            return None;
        }
        for _ in 0..40 {
            let middle = (low + high) / 2.0;
            if growth(middle) < 0.0 { low = middle } else { high = middle }
        }
        Some((low / 2.0).exp())
    }
}

/// The variance that layers tend to from here.
fn fixed_point(means: &Means, var_w: f64, var_b: f64, from: f64) -> f64 {
    let next = |q: f64| var_w * means.square(q) + var_b;
    let mut q = from;
    for _ in 0..1000 {
        if !(1e-30..1e30).contains(&q) {
            break;
        }
        let before = q;
        q = next(q);
        if (q - before).abs() <= SETTLED * before {
            return q;
        }
    }
    let falls = next(q) < q;
    // A variance that still falls after a thousand layers ends at 0 if one near 0 does not rise.
    let small = 1e-12;
    if q < 1e-30 || (falls && next(small) <= small * (1.0 + 1e-6)) {
        0.0
    } else if q > 1e30 || next(q) > q * (1.0 + CRITICAL) {
        f64::INFINITY
    } else {
        q
    }
}

/// The bounds of q between which f32 holds whatever a root of q makes.
const SMALL: f64 = 1e-50;
const LARGE: f64 = 1e50;

/// Means of functions of sqrt(q) z, with z standard normal.
pub(super) struct Means {
    activation: Activation,
    /// Points, and their parts of the normal distribution.
    points: Vec<(f64, f64)>,
    /// The ranges in which the function is saturated.
    saturated: Vec<(f64, f64)>,
}

/// Gauss and Legendre's rule of ten points: M. Abramowitz, I. A. Stegun, "Handbook of mathematical functions", 1964, 25.4.30.
const RULE: [(f64, f64); 5] = [
    (0.148_874_338_981_631_2, 0.295_524_224_714_752_9),
    (0.433_395_394_129_247_2, 0.269_266_719_309_996_4),
    (0.679_409_568_299_024_4, 0.219_086_362_515_982),
    (0.865_063_366_688_984_5, 0.149_451_349_150_580_6),
    (0.973_906_528_517_171_7, 0.066_671_344_308_688_1),
];

impl Means {
    pub(super) fn new(activation: Activation) -> Means {
        // On either side panels that halve towards 0, where functions have a kink, and of a large q all their curves.
        let mut points = Vec::new();
        let mut end = 10.0;
        for _ in 0..50 {
            let (middle, half) = (0.75 * end, 0.25 * end);
            for (at, weight) in RULE {
                for z in [middle - half * at, middle + half * at] {
                    let mass = weight * half * (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
                    points.extend([(z, mass), (-z, mass)]);
                }
            }
            end /= 2.0;
        }
        Means { activation, points, saturated: saturated(activation) }
    }

    fn mean(&self, q: f64, f: impl Fn(f32) -> f64) -> f64 {
        let root = q.clamp(SMALL, LARGE).sqrt();
        self.points.iter().map(|(z, mass)| mass * f((root * z) as f32)).sum()
    }

    /// E phi(sqrt(q) z)^2.
    pub(super) fn square(&self, q: f64) -> f64 {
        let square = self.mean(q, |z| f64::from(self.activation.value(z)).powi(2));
        // Beyond what f32 holds, functions are lines or constants.
        let is_line = if q < SMALL { self.activation.value(0.0) == 0.0 } else { self.activation.bounds().is_none() };
        if is_line { square * (q / q.clamp(SMALL, LARGE)) } else { square }
    }

    /// E phi'(sqrt(q) z)^2.
    pub(super) fn slope(&self, q: f64) -> f64 {
        self.mean(q, |z| f64::from(self.activation.slope(z)).powi(2))
    }

    fn saturated(&self, q: f64) -> f64 {
        let below = |z: f64| 0.5 * special::erfc(-z / (2.0 * q).sqrt());
        // Of 0 / 0: all are where the edge is.
        let below = |z: f64| if q == 0.0 { f64::from(z > 0.0) } else { below(z) };
        self.saturated.iter().map(|&(from, to)| below(to) - below(from)).sum()
    }
}

/// The ranges in which a function is saturated.
fn saturated(activation: Activation) -> Vec<(f64, f64)> {
    let is = |z: f64| activation.is_saturated(z as f32);
    let mut ranges = Vec::new();
    let mut from = is(-1e6).then_some(f64::NEG_INFINITY);
    // No function changes beyond, or twice within a step.
    let at = |i: i32| f64::from(i) * 0.01 + 0.005;
    for i in -2000..2000 {
        let (mut left, mut right) = (at(i), at(i + 1));
        if is(left) == is(right) {
            continue;
        }
        for _ in 0..40 {
            let middle = (left + right) / 2.0;
            if is(middle) == is(left) { left = middle } else { right = middle }
        }
        match from.take() {
            Some(from) => ranges.push((from, right)),
            None => from = Some(right),
        }
    }
    ranges.extend(from.map(|from| (from, f64::INFINITY)));
    ranges
}

#[cfg(test)]
mod tests {
    use super::super::activation::tests::all;
    use super::*;

    fn close(x: f64, y: f64) {
        assert!((x - y).abs() <= 1e-6 * y.abs(), "{x} is not {y}");
    }

    #[test]
    fn means_are_those_that_are_known() {
        for q in [1e-20, 1e-3, 0.7, 1.0, 30.0, 1e6, 1e20] {
            let linear = Means::new(Activation::Linear);
            close(linear.mean(q, |_| 1.0), 1.0);
            close(linear.square(q), q);
            close(linear.mean(q, |z| f64::from(z).powi(4)), 3.0 * q * q);
            close(Means::new(Activation::Relu).square(q), q / 2.0);
            close(Means::new(Activation::LeakyRelu { negative_slope: 0.5 }).slope(q), 0.625);
        }
        // Of wide inputs tanh is a sign but for a share of E[1 - tanh^2] = 2 / sqrt(2 pi q), and its squared slope's mean 4/3 of a
        // density.
        let tanh = Means::new(Activation::Tanh);
        let q: f64 = 1e8;
        let density = 1.0 / (std::f64::consts::TAU * q).sqrt();
        close(tanh.square(q), 1.0 - 2.0 * density);
        close(tanh.slope(q), 4.0 / 3.0 * density);
        // SELU's fixed point, which is what its numbers are for.
        close(Means::new(Activation::Selu).square(1.0), 1.0);
    }

    #[test]
    fn saturated_shares_are_those_that_are_known() {
        let share = |activation, q| Means::new(activation).saturated(q);
        // Half a normal, none, softsign's beyond 9, and both sides of arcosh(10).
        assert!((share(Activation::Relu, 3.0) - 0.5).abs() < 1e-9);
        assert_eq!(
            (share(Activation::Linear, 1e9), share(Activation::LeakyRelu { negative_slope: 0.2 }, 1.0)),
            (0.0, 0.0)
        );
        close(share(Activation::Softsign, 81.0), special::erfc(0.5f64.sqrt()));
        close(share(Activation::Tanh, 512.0), special::erfc(10f64.acosh() / 1024f64.sqrt()));
        // ReLU is flat at 0 itself, tanh is not.
        assert_eq!((share(Activation::Tanh, 0.0), share(Activation::Gelu, 0.0)), (0.0, 0.0));
        for activation in all() {
            let points = 100_000;
            let z = |i: i32| (f64::from(i) + 0.5) / f64::from(points) * 12.0 - 6.0;
            let mass = |z: f64| (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt() * 12.0 / f64::from(points);
            let is = |z: f64| activation.is_saturated((z * 5.0) as f32);
            let counted: f64 = (0..points).map(z).filter(|&z| is(z)).map(mass).sum();
            assert!((counted - share(activation, 25.0)).abs() < 1e-4, "{activation}");
        }
    }

    #[test]
    fn phases_are_those_that_are_known() {
        let phase = |activation, var_w: f64| Theory::new(activation, var_w, 0.0, 20).phase;
        for activation in [Activation::Tanh, Activation::Linear, Activation::Softsign] {
            assert_eq!(phase(activation, 0.8), Phase::Ordered);
            assert_eq!(phase(activation, 1.0), Phase::Critical);
            assert_eq!(phase(activation, 1.5), Phase::Chaotic);
        }
        assert_eq!(phase(Activation::Relu, 1.0), Phase::Ordered);
        assert_eq!(phase(Activation::Relu, 2.0), Phase::Critical);
        assert_eq!(phase(Activation::Relu, 2.5), Phase::Chaotic);
        let still = Theory::new(Activation::Relu, 2.0, 0.0, 20);
        assert!((still.fixed_point - 2.0).abs() < 1e-5, "{still:?}");
        assert_eq!(Theory::new(Activation::Linear, 1.5, 0.0, 20).fixed_point, f64::INFINITY);
        let none = Theory::new(Activation::Tanh, 0.0, 0.0, 3);
        assert_eq!((none.chi, none.fixed_point, none.layers[0].gradient_std), (0.0, 0.0, 0.0));
        // A fixed point is one: sigma_w = 4, sigma_b = 0.3 is among those that Poole et al. show.
        let wide = Theory::new(Activation::Tanh, 16.0, 0.09, 20);
        let again = 16.0 * Means::new(Activation::Tanh).square(wide.fixed_point) + 0.09;
        close(again, wide.fixed_point);
        assert_eq!(wide.phase, Phase::Chaotic);
        assert_eq!(Theory::new(Activation::Tanh, 1.0, 0.0, 20).fixed_point, 0.0);
        // Far beyond f32 there are numbers still.
        let far = Theory::new(Activation::Selu, 1e4, 0.0, 60).layers[59];
        assert!(far.pre_std > 1e60 && far.pre_std.is_finite(), "{far:?}");
    }

    /// Theory's own gradients hold with the gain that is said to hold.
    #[test]
    fn gains_that_hold_are_found() {
        for activation in all() {
            let gain = Theory::gain(activation, 0.0, 20).unwrap();
            let first = Theory::new(activation, gain * gain, 0.0, 20).layers[0];
            assert!((first.gradient_std - 1.0).abs() < 1e-3, "{activation}: {gain}, {first:?}");
        }
        close(Theory::gain(Activation::Relu, 0.0, 50).unwrap(), 2f64.sqrt());
        close(Theory::gain(Activation::Linear, 0.0, 50).unwrap(), 1.0);
    }
}
