//! A batch on its way through the layers and back: what is drawn for it, and what is made of what a backend measures.

use super::layer::{BINS, Histogram, Layer};
use super::network::{Input, Probe, too_large};
use crate::{Distribution, Dtype, Error, ErrorKind, Fans, Fill, Layout, Stream};

/// The measurements of one unit's pre-activations and activations over the batch. The kernel writes the same numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Unit {
    pub pre_mean: f32,
    pub pre_std: f32,
    pub mean: f32,
    pub std: f32,
    pub low: f32,
    pub high: f32,
    /// The number of saturated values; then of those that are exactly zero, and of those that f32 does not hold.
    pub saturated: f32,
    pub zeros: f32,
    pub lost: f32,
}

/// The measurements of one unit's gradients with respect to its pre-activations.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Slope {
    pub mean: f32,
    pub std: f32,
    pub lost: f32,
}

/// The device that computes. All of it stays there: only some numbers a unit come back. Layers are counted from 0.
pub(super) trait Backend {
    /// Takes the inputs, `[width, batch]`.
    fn input(&mut self, input: &Fill) -> Result<(), Error>;
    /// Takes the activations below through a layer.
    fn forward(&mut self, layer: usize, weight: &Fill, bias: Option<&Fill>) -> Result<Vec<Unit>, Error>;
    /// Counts that layer's activations, which came last, in equal bins from low to high.
    fn histogram(&mut self, low: f32, high: f32) -> Result<[u64; BINS], Error>;
    /// Takes this gradient, `[width, batch]`, back through the last layer's activation.
    fn top(&mut self, layer: usize, gradient: &Fill) -> Result<Vec<Slope>, Error>;
    /// Takes the gradient above, times a scale, back through that layer's weights and this layer's activation.
    fn backward(&mut self, layer: usize, above: &Fill, scale: f32) -> Result<Vec<Slope>, Error>;
}

/// The distributions and sizes of a probe's fills.
pub(super) struct Draws {
    weight: Distribution,
    bias: Distribution,
    seed: u64,
    width: u64,
    batch: u64,
}

impl Draws {
    pub fn new(probe: &Probe) -> Result<Draws, Error> {
        let fans = Fans::new(probe.width, probe.width)?;
        let weight = probe.scheme.distribution(&[probe.width, probe.width], Layout::OUT_IN)?;
        // A bias has the fans of its weight, as in PyTorch.
        let bias = probe.bias.distribution_of_fans(fans)?;
        weight.check_in(Dtype::F32)?;
        bias.check_in(Dtype::F32)?;
        let draws = Draws { weight, bias, seed: probe.seed, width: probe.width, batch: probe.batch };
        // Whatever can be wrong with one layer's fills is wrong with the first's.
        let _ = (draws.weight(0)?, draws.bias(0)?);
        Ok(draws)
    }

    /// The weights' variance times fan_in, and the biases', where all of their means are 0.
    pub fn variances(&self) -> Option<(f64, f64)> {
        let is_centred = |d: &Distribution| d.mean().abs() <= 1e-9 * d.std();
        let both = is_centred(&self.weight) && is_centred(&self.bias);
        both.then(|| (self.weight.std().powi(2) * self.width as f64, self.bias.std().powi(2)))
    }

    fn fill(&self, distribution: &Distribution, name: String, shape: &[u64]) -> Result<Fill, Error> {
        distribution.fill(shape, Stream::named(self.seed, &name), Dtype::F32)
    }

    /// The weight of a layer, by PyTorch's numbers of layers.
    fn weight(&self, layer: usize) -> Result<Fill, Error> {
        self.fill(&self.weight, format!("layer.{layer}.weight"), &[self.width, self.width])
    }

    fn bias(&self, layer: usize) -> Result<Option<Fill>, Error> {
        if matches!(self.bias, Distribution::Constant { value: 0.0 }) {
            return Ok(None);
        }
        self.fill(&self.bias, format!("layer.{layer}.bias"), &[self.width]).map(Some)
    }

    fn input(&self, input: Input) -> Result<Fill, Error> {
        let limit = 3f64.sqrt();
        let distribution = match input {
            Input::Normal => Distribution::Normal { mean: 0.0, std: 1.0 },
            Input::Uniform => Distribution::Uniform { low: -limit, high: limit },
        };
        self.fill(&distribution, "input".into(), &[self.width, self.batch])
    }

    fn gradient(&self) -> Result<Fill, Error> {
        let unit = Distribution::Normal { mean: 0.0, std: 1.0 };
        self.fill(&unit, "gradient".into(), &[self.width, self.batch])
    }
}

/// Sends the batch through all layers and back.
pub(super) fn measure(probe: &Probe, draws: &Draws, backend: &mut dyn Backend) -> Result<Vec<Layer>, Error> {
    let depth = usize::try_from(probe.depth).map_err(|_| too_large(probe))?;
    backend.input(&draws.input(probe.input)?)?;
    let mut layers = Vec::new();
    for layer in 0..depth {
        let units = backend.forward(layer, &draws.weight(layer)?, draws.bias(layer)?.as_ref())?;
        let mut of_layer = pooled(&units, probe.batch);
        let Histogram { low, high, .. } = of_layer.histogram;
        let (low, high) = probe.activation.bounds().unwrap_or((low, high));
        if low.is_finite() && high.is_finite() {
            of_layer.histogram = Histogram { low, high, counts: backend.histogram(low, high)? };
        }
        layers.push(of_layer);
    }
    // The scale of the last gradient, over all layers, and its deviation: as they are, gradients may pass beyond f32.
    let (mut scaled, mut last) = (0, std_of(&backend.top(depth - 1, &draws.gradient()?)?));
    let top = last;
    let relative = |std: f64, scaled: i32| if std == 0.0 { 0.0 } else { std / top * 2f64.powi(-scaled) };
    layers[depth - 1].gradient_std = relative(top, 0);
    for layer in (0..depth - 1).rev() {
        if last.is_finite() && last > 0.0 {
            // A power that is a normal number.
            let shift = -(last.log2().round() as i32).clamp(-126, 126);
            let slopes = backend.backward(layer, &draws.weight(layer + 1)?, 2f32.powi(shift))?;
            (scaled, last) = (scaled + shift, std_of(&slopes));
        }
        layers[layer].gradient_std = relative(last, scaled);
    }
    Ok(layers)
}

/// A layer's numbers from its units'.
fn pooled(units: &[Unit], batch: u64) -> Layer {
    let count = units.len() as f64 * batch as f64;
    let sum = |of: fn(&Unit) -> f32| units.iter().map(|unit| f64::from(of(unit))).sum::<f64>();
    let (pre_mean, pre_std) = moments(units.iter().map(|unit| (unit.pre_mean, unit.pre_std)));
    let (mean, std) = moments(units.iter().map(|unit| (unit.mean, unit.std)));
    let lost = sum(|unit| unit.lost);
    let number = |x: f64| if lost > 0.0 { f64::NAN } else { x };
    let low = units.iter().map(|unit| unit.low).fold(f32::INFINITY, f32::min);
    let high = units.iter().map(|unit| unit.high).fold(f32::NEG_INFINITY, f32::max);
    Layer {
        pre_mean: number(pre_mean),
        pre_std: number(pre_std),
        mean: number(mean),
        std: number(std),
        saturated: number(sum(|unit| unit.saturated) / count),
        zero: number(sum(|unit| unit.zeros) / count),
        dead: units.iter().filter(|unit| unit.zeros as u64 == batch).count() as u64,
        gradient_std: f64::NAN,
        histogram: Histogram { low: number(low.into()) as f32, high: number(high.into()) as f32, counts: [0; BINS] },
    }
}

fn std_of(slopes: &[Slope]) -> f64 {
    if slopes.iter().any(|slope| slope.lost > 0.0) {
        return f64::NAN;
    }
    moments(slopes.iter().map(|slope| (slope.mean, slope.std))).1
}

/// Mean and standard deviation of parts of one size.
fn moments(parts: impl Iterator<Item = (f32, f32)> + Clone) -> (f64, f64) {
    let parts = parts.map(|(mean, std)| (f64::from(mean), f64::from(std)));
    let count = parts.clone().count() as f64;
    let mean = parts.clone().map(|(mean, _)| mean).sum::<f64>() / count;
    let variance = parts.map(|(of, std)| std * std + (of - mean) * (of - mean)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

/// The bin of a value.
pub(super) fn bin(value: f32, low: f32, high: f32) -> usize {
    // Values that are all the same are in the middle.
    let at = if high > low { (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) } else { 0.5 };
    ((at * BINS as f32) as usize).min(BINS - 1)
}

/// The error of a probe that has no memory.
pub(super) fn no_memory(probe: &Probe) -> Error {
    let bytes = format!("{} bytes", probe.bytes());
    Error::new(ErrorKind::Memory, "the probe's memory", bytes, "what this machine can allocate")
}
