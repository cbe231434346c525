//! The probe on the CPU. Matrix products are ndarray's, which are matrixmultiply's.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use ndarray::{ArrayView2, ArrayViewMut2, linalg::general_mat_mul, s};

use super::activation::Activation;
use super::layer::BINS;
use super::measure::{Backend, Slope, Unit, bin, no_memory};
use super::network::Probe;
use crate::cpu;
use crate::threads::share;
use crate::{Error, Fill};

/// All layers' pre-activations, `[width, batch]` each, so that the batch of a unit lies together; the rest is overwritten.
pub(super) struct Cpu {
    activation: Activation,
    width: usize,
    batch: usize,
    threads: usize,
    pre: Vec<f32>,
    weight: Vec<f32>,
    /// The activations that came last; on the way back the gradient.
    last: Vec<f32>,
    next: Vec<f32>,
}

/// The least number of products for a thread.
const MIN_PRODUCTS: u64 = 1 << 20;

impl Cpu {
    pub fn new(probe: &Probe, threads: usize) -> Result<Cpu, Error> {
        let len = |parts: &[u64]| parts.iter().try_fold(1usize, |n, &p| n.checked_mul(usize::try_from(p).ok()?));
        let zeroed = |parts: &[u64]| {
            let made = len(parts).and_then(|len| bytemuck::allocation::try_zeroed_vec(len).ok());
            made.ok_or_else(|| no_memory(probe))
        };
        let (width, batch) = (probe.width, probe.batch);
        let products = width.saturating_mul(width).saturating_mul(batch);
        Ok(Cpu {
            activation: probe.activation,
            threads: (products / MIN_PRODUCTS).min(width).clamp(1, threads.max(1) as u64) as usize,
            pre: zeroed(&[probe.depth, width, batch])?,
            weight: zeroed(&[width, width])?,
            last: zeroed(&[width, batch])?,
            next: zeroed(&[width, batch])?,
            // They fit, as their product does.
            width: width as usize,
            batch: batch as usize,
        })
    }

    /// The weights times what came last, or transposed; then `of` for each unit, which is given its number, what was made for it
    /// (which it may change), and the place of its pre-activations.
    fn product<T: Send>(
        &mut self,
        layer: usize,
        transposed: bool,
        of: impl Fn(usize, &mut [f32], &mut [f32]) -> T + Sync,
    ) -> Vec<T> {
        let (width, batch) = (self.width, self.batch);
        let weight = view(&self.weight, width, width);
        let last = view(&self.last, width, batch);
        let pre = &mut self.pre[layer * width * batch..(layer + 1) * width * batch];
        in_parts(self.threads, width, batch, &mut self.next, pre, |units, next, pre| {
            let part = match transposed {
                false => weight.slice(s![units.clone(), ..]),
                true => weight.slice_move(s![.., units.clone()]).reversed_axes(),
            };
            let mut made = view_mut(next, units.len(), batch);
            general_mat_mul(1.0, &part, &last, 0.0, &mut made);
            let rows = next.chunks_mut(batch).zip(pre.chunks_mut(batch));
            units.zip(rows).map(|(unit, (made, pre))| of(unit, made, pre)).collect()
        })
    }
}

/// Cuts units among threads.
fn in_parts<T: Send>(
    threads: usize,
    width: usize,
    batch: usize,
    mut next: &mut [f32],
    mut pre: &mut [f32],
    work: impl Fn(Range<usize>, &mut [f32], &mut [f32]) -> Vec<T> + Sync,
) -> Vec<T> {
    let each = width.div_ceil(threads);
    let mut parts = Vec::new();
    let mut start = 0;
    while start < width {
        let units = start..width.min(start + each);
        let (a, b);
        (a, next) = std::mem::take(&mut next).split_at_mut(units.len() * batch);
        (b, pre) = std::mem::take(&mut pre).split_at_mut(units.len() * batch);
        start = units.end;
        parts.push((units, a, b));
    }
    let done = Mutex::new(Vec::new());
    share(threads, parts, |(units, a, b)| {
        let start = units.start;
        let made = work(units, a, b);
        done.lock().unwrap_or_else(PoisonError::into_inner).push((start, made));
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(start, _)| *start);
    done.into_iter().flat_map(|(_, made)| made).collect()
}

fn view(values: &[f32], rows: usize, columns: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((rows, columns), values).expect("a matrix has as many values")
}

fn view_mut(values: &mut [f32], rows: usize, columns: usize) -> ArrayViewMut2<'_, f32> {
    ArrayViewMut2::from_shape((rows, columns), values).expect("a matrix has as many values")
}

impl Backend for Cpu {
    fn input(&mut self, input: &Fill) -> Result<(), Error> {
        cpu::fill_with_threads(input, &mut self.last, self.threads)
    }

    fn forward(&mut self, layer: usize, weight: &Fill, bias: Option<&Fill>) -> Result<Vec<Unit>, Error> {
        cpu::fill_with_threads(weight, &mut self.weight, self.threads)?;
        let bias: Option<Vec<f32>> = bias.map(cpu::vec).transpose()?;
        let activation = self.activation;
        let units = self.product(layer, false, |unit, made, pre| {
            let shift = bias.as_ref().map_or(0.0, |bias| bias[unit]);
            let mut of = Unit { low: f32::INFINITY, high: f32::NEG_INFINITY, ..Unit::default() };
            for (made, pre) in made.iter_mut().zip(pre.iter_mut()) {
                let z = *made + shift;
                let h = activation.value(z);
                (*pre, *made) = (z, h);
                of.saturated += f32::from(activation.is_saturated(z));
                of.zeros += f32::from(h == 0.0);
                of.lost += f32::from(!(z.is_finite() && h.is_finite()));
                (of.low, of.high) = (of.low.min(h), of.high.max(h));
            }
            (of.pre_mean, of.pre_std) = moments(pre);
            (of.mean, of.std) = moments(made);
            of
        });
        std::mem::swap(&mut self.last, &mut self.next);
        Ok(units)
    }

    fn histogram(&mut self, low: f32, high: f32) -> Result<[u64; BINS], Error> {
        let mut counts = [0; BINS];
        for &value in &self.last {
            counts[bin(value, low, high)] += 1;
        }
        Ok(counts)
    }

    fn top(&mut self, layer: usize, gradient: &Fill) -> Result<Vec<Slope>, Error> {
        let activation = self.activation;
        cpu::fill_with_threads(gradient, &mut self.last, self.threads)?;
        let pre = &self.pre[layer * self.last.len()..(layer + 1) * self.last.len()];
        let units = self.last.chunks_mut(self.batch).zip(pre.chunks(self.batch));
        Ok(units.map(|(gradient, pre)| sloped(activation, gradient, pre)).collect())
    }

    fn backward(&mut self, layer: usize, above: &Fill, scale: f32) -> Result<Vec<Slope>, Error> {
        cpu::fill_with_threads(above, &mut self.weight, self.threads)?;
        self.last.iter_mut().for_each(|gradient| *gradient *= scale);
        let activation = self.activation;
        let slopes = self.product(layer, true, |_, made, pre| sloped(activation, made, pre));
        std::mem::swap(&mut self.last, &mut self.next);
        Ok(slopes)
    }
}

/// Takes a unit's gradient back through the activation.
fn sloped(activation: Activation, gradient: &mut [f32], pre: &[f32]) -> Slope {
    for (gradient, &z) in gradient.iter_mut().zip(pre) {
        *gradient *= activation.slope(z);
    }
    let lost = gradient.iter().filter(|gradient| !gradient.is_finite()).count();
    let (mean, std) = moments(gradient);
    Slope { mean, std, lost: lost as f32 }
}

/// Mean and standard deviation.
fn moments(values: &[f32]) -> (f32, f32) {
    let count = values.len() as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    (mean as f32, variance.sqrt() as f32)
}
