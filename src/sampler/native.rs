//! Distributions of fanin's own streams.

use super::parameters::{
    ByExponential, ByNormal, Identity, Line, Orthogonal, Sampler, Sparse, Uniform, Values, asks, fits,
};
use crate::arithmetic::math::RADIUS_UNIT;
use crate::arithmetic::special;
use crate::number::Number;
use crate::{Distribution, Dtype, Error, ErrorKind, Structure};

/// Below this acceptance, proposals come from the exponential. Over all windows, either accepts at least so many; a unit
/// test searches for the worst one. Half a normal is drawn by the normal: a GPU has half as much to do for such a candidate.
const NORMAL_ACCEPTANCE: f64 = 0.48;

/// The sampler of a distribution in fanin's own streams, or of a constant in any.
pub(super) fn native(distribution: &Distribution, dtype: Dtype) -> Result<Sampler, Error> {
    match *distribution {
        Distribution::Constant { value } => {
            fits(dtype, "value", value)?;
            Ok(Sampler::Constant(word(value as f32, dtype)))
        }
        Distribution::Uniform { low, high } => {
            fits(dtype, "low", low)?;
            fits(dtype, "high", high)?;
            let bounds = within(dtype, low, high, true)?;
            let (middle, half) = (low / 2.0 + high / 2.0, high / 2.0 - low / 2.0);
            let line = asking(scaled(middle, half / 2f64.powi(31), low.abs().max(high.abs()), bounds), asks::BOUNDS);
            let per_high_half = half / f64::from(line.unit) / 2f64.powi(15);
            let coarse = f32::from_bits(normal_f32(per_high_half).to_bits() & 0xffff_0000);
            let fine = normal_f32(per_high_half - f64::from(coarse));
            Ok(Sampler::Uniform(Uniform { line, coarse, fine }))
        }
        Distribution::Normal { mean, std } => {
            fits(dtype, "mean", mean)?;
            fits(dtype, "std", std)?;
            if std == 0.0 {
                // Of -0 the positive.
                return native(&Distribution::Constant { value: mean + 0.0 }, dtype);
            }
            let bounds = within(dtype, f64::NEG_INFINITY, f64::INFINITY, false)?;
            let line = scaled(mean, std * RADIUS_UNIT, mean.abs().max(std), bounds);
            // No standard normal reaches 7.
            let overflows = mean.abs() + 7.0 * std > dtype.max();
            Ok(Sampler::Normal(asking(line, if overflows { asks::BOUNDS } else { 0 })))
        }
        Distribution::TruncatedNormal { mean, std, low, high } => {
            // Before the cut, the normal may lie anywhere that f32 reaches, also where the dtype does not.
            fits(Dtype::F32, "mean", mean)?;
            fits(Dtype::F32, "std", std)?;
            let bounds = within(dtype, low, high, false)?;
            // The value is the f32 inside f32's bounds, rounded, in every dtype.
            let window = within(Dtype::F32, low, high, false)?;
            Ok(truncated_normal(mean, std, low, high, bounds, window))
        }
        Distribution::LogUniform { low, high } => {
            fits(dtype, "low", low)?;
            fits(dtype, "high", high)?;
            let (first, last) = within(dtype, low, high, true)?;
            Ok(Sampler::Values(Values { distribution: *distribution, first, last }))
        }
        Distribution::LogOfUniform { low, high } => {
            fits(dtype, "low", low)?;
            fits(dtype, "high", high)?;
            let (first, last) = within(dtype, special::ln(low), special::ln(high), true)?;
            Ok(Sampler::Values(Values { distribution: *distribution, first, last }))
        }
        Distribution::InverseSoftplus { low, high, .. } => {
            fits(dtype, "low", low)?;
            fits(dtype, "high", high)?;
            Ok(all_values(distribution, dtype))
        }
        Distribution::Structured(structure) => structured(distribution, &structure, dtype),
    }
}

fn structured(distribution: &Distribution, structure: &Structure, dtype: Dtype) -> Result<Sampler, Error> {
    match *structure {
        Structure::Orthogonal { gain, matrix } => {
            fits(dtype, "gain", gain)?;
            Ok(Sampler::Orthogonal(Orthogonal { gain: gain as f32, last: dtype.max() as f32, matrix }))
        }
        Structure::Identity { gain, groups, matrix } => {
            fits(dtype, "gain", gain)?;
            let per_group = crate::structure::outputs_and_inputs(&matrix).0 / groups;
            Ok(Sampler::Identity(Identity { word: word(gain as f32, dtype), per_group, matrix }))
        }
        Structure::Sparse { std, matrix, .. } => match native(&Distribution::Normal { mean: 0.0, std }, dtype)? {
            Sampler::Normal(line) => Ok(Sampler::Sparse(Sparse { line, zeros: structure.zeros(), matrix })),
            zeros => Ok(zeros),
        },
        Structure::Sequence { .. } => {
            structure.check_in(dtype)?;
            Ok(all_values(distribution, dtype))
        }
    }
}

/// Values that are within the dtype's, or at its ends.
fn all_values(distribution: &Distribution, dtype: Dtype) -> Sampler {
    let last = dtype.max() as f32;
    Sampler::Values(Values { distribution: *distribution, first: -last, last })
}

impl Values {
    /// The f32 nearest to a value, with zero for what would be subnormal.
    pub fn held(&self, value: f64) -> f32 {
        let held = normal_f32(value);
        if held < self.first {
            self.first
        } else if held > self.last {
            self.last
        } else {
            held
        }
    }

    /// A sequence's values, if it is one, and how many elements have each.
    pub fn sequence(&self) -> Option<(impl Iterator<Item = f32>, u64)> {
        match self.distribution {
            Distribution::Structured(structure @ Structure::Sequence { inner, .. }) => {
                let values = *self;
                Some((structure.values().map(move |value| values.held(value)), inner))
            }
            _ => None,
        }
    }

    /// The value of a word of the stream.
    pub fn of_word(&self, word: u32) -> f32 {
        self.held(self.distribution.of_uniform((f64::from(word) + 0.5) / 2f64.powi(32)))
    }
}

/// The bit pattern of a constant; unlike what is drawn, it may be subnormal.
fn word(value: f32, dtype: Dtype) -> u32 {
    match dtype {
        Dtype::F32 => value.to_bits(),
        Dtype::F16 => half::f16::from_f32(value).to_bits().into(),
        Dtype::BF16 => half::bf16::from_f32(value).to_bits().into(),
    }
}

fn within(dtype: Dtype, low: f64, high: f64, open: bool) -> Result<(f32, f32), Error> {
    dtype.within(low, high, open).ok_or_else(|| {
        let window = format!("[{}, {}], which holds no {dtype}", Number(low), Number(high));
        let allowed = "one that holds at least one value (subnormal f32 and bf16 values are not drawn)";
        Error::new(ErrorKind::Window, "the window", window, allowed)
    })
}

/// location + scale * z. Where their magnitude is beyond 2^+-40 the kernel works in units of a power of
/// two, so that no intermediate result is subnormal or infinite: WGSL leaves both to the driver.
fn scaled(location: f64, scale: f64, magnitude: f64, (first, last): (f32, f32)) -> Line {
    let ordinary = magnitude == 0.0 || (2f64.powi(-40)..=2f64.powi(40)).contains(&magnitude);
    let exponent = if ordinary { 0 } else { special::exponent(magnitude).clamp(-126, 127) };
    let unit = 2f64.powi(exponent);
    let rounded = normal_f32(location / unit);
    Line {
        location: rounded,
        offset: normal_f32(location / unit - f64::from(rounded)),
        scale: normal_f32(scale / unit),
        first,
        last,
        unit: unit as f32,
        limit: (f64::from(f32::MAX) / unit).min(f32::MAX.into()) as f32,
        tiny: normal_f32(f64::from(f32::MIN_POSITIVE) / unit),
        asks: 0,
    }
}

/// A line whose kernel asks for what it needs, and for this.
fn asking(line: Line, asks: u32) -> Line {
    let needed =
        [(line.location != 0.0, asks::LOCATION), (line.offset != 0.0, asks::OFFSET), (line.unit != 1.0, asks::UNIT)];
    Line { asks: needed.iter().filter(|(needs, _)| *needs).fold(asks, |asks, (_, ask)| asks | ask), ..line }
}

/// The nearest f32, with zero for what would be subnormal or negative zero.
fn normal_f32(x: f64) -> f32 {
    let nearest = x.clamp(-f64::from(f32::MAX), f32::MAX.into()) as f32;
    if nearest.is_normal() { nearest } else { 0.0 }
}

/// A mirror image of the window in sigmas whose middle is not negative: a <= b and a + b >= 0.
struct Window {
    a: f64,
    b: f64,
    mirrored: bool,
}

fn truncated_normal(mean: f64, std: f64, low: f64, high: f64, bounds: (f32, f32), window: (f32, f32)) -> Sampler {
    // Far below the smallest f32: a smaller one draws the same, and sigmas could overflow.
    let std = std.max(1e-60);
    let (a, b) = ((low - mean) / std, (high - mean) / std);
    let sigmas = if a + b < 0.0 { Window { a: -b, b: -a, mirrored: true } } else { Window { a, b, mirrored: false } };
    if normal_acceptance(&sigmas) >= NORMAL_ACCEPTANCE {
        let line = asking(scaled(mean, std * RADIUS_UNIT, mean.abs().max(std), bounds), 0);
        // Without anything to ask, a distance is what is drawn.
        let ((low, high), asks) = if line.asks == 0 {
            (window, if bounds == window { 0 } else { asks::BOUNDS })
        } else {
            let from_mean = |bound: f64| normal_f32((bound - mean) / f64::from(line.unit));
            ((from_mean(low), from_mean(high)), asks::BOUNDS)
        };
        return Sampler::TruncatedByNormal(ByNormal { line: asking(line, asks), low, high });
    }
    // Not zero, also where the quotient is.
    let width = ((high - low) / std).max(1e-280);
    let rate = rounded_rate(std, best_rate(sigmas.a, width));
    let tilt = Tilt::new(sigmas.a, width, rate);
    let (near, direction) = if sigmas.mirrored { (high, -1.0) } else { (low, 1.0) };
    let scale = direction * std / tilt.rate;
    let mass = -special::expm1(-tilt.rate * width);
    let narrow = mass <= 0.5;
    let asks = asks::BOUNDS | if narrow { asks::NARROW } else { 0 };
    Sampler::TruncatedByExponential(ByExponential {
        line: asking(scaled(near, scale, near.abs().max(scale.abs()), bounds), asks),
        mass_per_step: normal_f32(if narrow { -mass } else { mass } / 2f64.powi(33)),
        beyond: normal_f32(special::exp(-tilt.rate * width)),
        slope: normal_f32(2.0 * tilt.slope),
        curve: normal_f32(2.0 * tilt.curve),
        peak: normal_f32(2.0 * tilt.peak),
        width: normal_f32(tilt.rate * width),
    })
}

/// Phi(b) - Phi(a).
fn normal_acceptance(window: &Window) -> f64 {
    let upper_tail = |x: f64| special::erfc(x / std::f64::consts::SQRT_2) / 2.0;
    upper_tail(window.a) - upper_tail(window.b)
}

/// An exponential proposal for the standard normal on [a, a + width], after C. P. Robert, "Simulation of truncated normal
/// variables", Statistics and Computing 5, 1995, <https://doi.org/10.1007/BF00143942>,
/// with the exponential itself cut to the window, so that one proposal
/// serves tails and narrow windows alike.
///
/// At distance s from a, with e = rate * s, the ratio of target to proposal is exp(e (slope - curve e)) up to a
/// constant, and peak is the largest exponent inside the window.
struct Tilt {
    rate: f64,
    slope: f64,
    curve: f64,
    peak: f64,
}

impl Tilt {
    fn new(a: f64, width: f64, rate: f64) -> Tilt {
        let (slope, curve) = (1.0 - a / rate, 0.5 / rate / rate);
        let best = (slope / (2.0 * curve)).clamp(0.0, rate * width);
        let peak = if best.is_finite() { best * (slope - curve * best) } else { 0.0 };
        Tilt { rate, slope, curve, peak: peak.max(0.0) }
    }
}

/// Robert's rate is best for an infinite window, the slope of the log-density at the middle for a narrow one. The last bound
/// keeps rate * width away from zero, where the cut exponential is uniform anyway, and f32's steps of the logarithm show.
fn best_rate(a: f64, width: f64) -> f64 {
    let robert = if a > 1e8 { a } else { (a + (a * a + 4.0).sqrt()) / 2.0 };
    robert.min(a + width / 2.0).max(2f64.powi(-3) / width)
}

/// A rate whose distance is an f32, which loses nothing when it is rounded to one. Not a larger rate, which far out in a tail
/// would be one that accepts next to nothing.
fn rounded_rate(std: f64, rate: f64) -> f64 {
    let distance = (std / rate) as f32;
    let distance = if f64::from(distance) < std / rate { distance.next_up() } else { distance };
    if distance.is_normal() { std / f64::from(distance) } else { rate }
}

#[cfg(test)]
mod tests {
    use super::super::numbers::Numbers;
    use super::*;

    /// Mean acceptance of the tilted proposal, by Simpson's rule in the proposal's quantile.
    fn tilted_acceptance(a: f64, width: f64, std: f64) -> f64 {
        let t = Tilt::new(a, width, rounded_rate(std, best_rate(a, width)));
        let mass = -special::expm1(-t.rate * width);
        let n = 4000;
        let ratio = |i: i32| {
            let u = (f64::from(i) / f64::from(n)).min(1.0 - 1e-12);
            let e = -(-mass * u).ln_1p();
            (e * (t.slope - t.curve * e) - t.peak).exp()
        };
        (0..=n).map(|i| ratio(i) * if i == 0 || i == n { 0.5 } else { 1.0 }).sum::<f64>() / f64::from(n)
    }

    #[test]
    fn every_window_accepts_most_of_its_proposals() {
        let widths = (-40..=12).map(|k| 10f64.powf(f64::from(k) / 4.0)).chain([f64::INFINITY]);
        let mut worst = (1.0, 0.0, 0.0);
        for width in widths {
            let starts = (0..=600)
                .map(|k| -width.min(8.0) / 2.0 + f64::from(k) / 50.0)
                .chain([20.0, 1e3, 1e6, 4e7, 2e8, 1e9, 1e12, 1e30]);
            for (i, a) in starts.enumerate() {
                // Four deviations, whose distances are rounded in different ways.
                let std = [1.0, 3.6589, 0.02, 1e-7 / 3.0][i % 4];
                let window = Window { a, b: a + width, mirrored: false };
                let normal = normal_acceptance(&window);
                let acceptance = if normal >= NORMAL_ACCEPTANCE { normal } else { tilted_acceptance(a, width, std) };
                assert!(acceptance <= 1.0 + 1e-9, "the envelope is below the target at a = {a}, width = {width}");
                if acceptance < worst.0 {
                    worst = (acceptance, a, width);
                }
            }
        }
        assert!(worst.0 >= NORMAL_ACCEPTANCE, "acceptance {} at a = {}, width = {}", worst.0, worst.1, worst.2);
    }

    #[test]
    fn numbers_are_never_subnormal_or_infinite() {
        let extremes = [1e-45, 1e-38, 1e-30, 1e-13, 1.0, 1e13, 1e30, 3e38];
        for std in extremes {
            for mean in extremes {
                for distribution in [
                    Distribution::Normal { mean, std },
                    Distribution::Uniform { low: -std.min(mean), high: mean },
                    Distribution::TruncatedNormal { mean, std, low: 0.0, high: f64::INFINITY },
                    Distribution::TruncatedNormal { mean, std, low: f64::NEG_INFINITY, high: 0.0 },
                    Distribution::TruncatedNormal { mean, std, low: -1e-30, high: 1e-36 },
                ] {
                    let n = native(&distribution, Dtype::F32).unwrap().numbers();
                    for x in bytemuck::cast::<Numbers, [f32; 20]>(Numbers { asks: 0, ..n }) {
                        assert!(x == 0.0 || x.is_normal(), "{distribution}: {n:?}");
                    }
                }
            }
        }
    }
}
