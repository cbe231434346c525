//! The truncated normal by rejection: the twin of `shaders/truncated_normal.wgsl`.
//!
//! A tile of 1,024 elements has 32 groups: group l owns blocks l, l + 32, ..., l + 224 of the tile, so that groups side
//! by side write side by side. Each block draws a candidate for each of its four elements; those that the window rejects
//! are replaced, in order, by the accepted ones among the group's spare candidates, four per attempt.

use std::hint::select_unpredictable;

use multiversion::multiversion;

use super::lanes::{BATCH, Batch, Generator, LANES, Lanes, Piece, blocks_from, fill_units};
use super::line::{self, Line, asking, asks, fits, joined, normal_f32, scaled, store};
use super::normal::normals;
use super::numbers::{Kernel, Numbers};
use super::twin::{Source, Twin};
use crate::arithmetic::math::{RADIUS_UNIT, middle_of, middle_of_unsigned, neg_ln, spread, twice_neg_ln};
use crate::arithmetic::special;
use crate::{Dtype, Element, Error};

/// The texts of `shaders/` that are the kernels' own: with proposals from the normal, and from an exponential.
#[cfg(feature = "gpu")]
pub(crate) const WGSL: [&[&str]; 2] = [
    &[include_str!("../../shaders/by_normal.wgsl"), include_str!("../../shaders/truncated_normal.wgsl")],
    &[include_str!("../../shaders/by_exponential.wgsl"), include_str!("../../shaders/truncated_normal.wgsl")],
];

/// Below this acceptance, proposals come from the exponential. Over all windows, either accepts at least so many; a unit
/// test searches for the worst one. Half a normal is drawn by the normal: a GPU has half as much to do for such a candidate.
const NORMAL_ACCEPTANCE: f64 = 0.48;

/// A truncated normal, by its proposals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TruncatedNormal {
    /// From the normal itself.
    ByNormal(ByNormal),
    /// From an exponential cut to the window.
    ByExponential(ByExponential),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ByNormal {
    pub line: Line,
    /// The window, from the location.
    pub low: f32,
    pub high: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ByExponential {
    pub line: Line,
    /// The mass of the unit exponential between the bounds, per doubled step of a word (2^-33), negative for [`asks::NARROW`]; and
    /// the mass beyond the far bound.
    pub mass_per_step: f32,
    pub beyond: f32,
    /// The terms of the log-probability of acceptance at distance e: (e (slope - curve e) - peak) / 2.
    pub slope: f32,
    pub curve: f32,
    pub peak: f32,
    /// The far bound's distance.
    pub width: f32,
}

impl TruncatedNormal {
    pub fn new(mean: f64, std: f64, low: f64, high: f64, dtype: Dtype) -> Result<TruncatedNormal, Error> {
        // Before the cut, the normal may lie anywhere that f32 reaches, also where the dtype does not.
        fits(Dtype::F32, "mean", mean)?;
        fits(Dtype::F32, "std", std)?;
        let bounds = line::within(dtype, low, high, false)?;
        // The value is the f32 inside f32's bounds, rounded, in every dtype.
        let window = line::within(Dtype::F32, low, high, false)?;
        Ok(TruncatedNormal::within(mean, std, low, high, bounds, window))
    }

    fn within(mean: f64, std: f64, low: f64, high: f64, bounds: (f32, f32), window: (f32, f32)) -> TruncatedNormal {
        // Far below the smallest f32: a smaller one draws the same, and sigmas could overflow.
        let std = std.max(1e-60);
        let (a, b) = ((low - mean) / std, (high - mean) / std);
        let sigmas =
            if a + b < 0.0 { Window { a: -b, b: -a, mirrored: true } } else { Window { a, b, mirrored: false } };
        if normal_acceptance(&sigmas) >= NORMAL_ACCEPTANCE {
            let line = asking(scaled(mean, std * RADIUS_UNIT, mean.abs().max(std), bounds), 0);
            // Without anything to ask, a distance is what is drawn.
            let ((low, high), asks) = if line.asks == 0 {
                (window, if bounds == window { 0 } else { asks::BOUNDS })
            } else {
                let from_mean = |bound: f64| normal_f32((bound - mean) / f64::from(line.unit));
                ((from_mean(low), from_mean(high)), asks::BOUNDS)
            };
            return TruncatedNormal::ByNormal(ByNormal { line: asking(line, asks), low, high });
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
        TruncatedNormal::ByExponential(ByExponential {
            line: asking(scaled(near, scale, near.abs().max(scale.abs()), bounds), asks),
            mass_per_step: normal_f32(if narrow { -mass } else { mass } / 2f64.powi(33)),
            beyond: normal_f32(special::exp(-tilt.rate * width)),
            slope: normal_f32(2.0 * tilt.slope),
            curve: normal_f32(2.0 * tilt.curve),
            peak: normal_f32(2.0 * tilt.peak),
            width: normal_f32(tilt.rate * width),
        })
    }
}

impl Twin for TruncatedNormal {
    fn kernel(&self) -> Kernel {
        match self {
            TruncatedNormal::ByNormal(_) => Kernel::TruncatedByNormal,
            TruncatedNormal::ByExponential(_) => Kernel::TruncatedByExponential,
        }
    }

    fn numbers(&self) -> Numbers {
        match *self {
            TruncatedNormal::ByNormal(ByNormal { line, low, high }) => Numbers { low, high, ..line.into() },
            TruncatedNormal::ByExponential(n) => {
                let ByExponential { line, mass_per_step, beyond, slope, curve, peak, width } = n;
                Numbers { mass_per_step, beyond, slope, curve, peak, width, ..line.into() }
            }
        }
    }

    fn unit(&self) -> u64 {
        TILE as u64
    }

    fn fill<T: Element>(&self, source: &mut Source, piece: Piece<'_, T>) {
        match self {
            TruncatedNormal::ByNormal(n) => fill_by_normal(n, &source.generator, piece),
            TruncatedNormal::ByExponential(n) => fill_by_exponential(n, &source.generator, piece),
        }
    }
}

/// A mirror image of the window in sigmas whose middle is not negative: a <= b and a + b >= 0.
struct Window {
    a: f64,
    b: f64,
    mirrored: bool,
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

const TILE: usize = super::lanes::TILE as usize;
/// Groups per tile, each with a bit per element in a word.
const GROUPS: usize = 32;
/// After so many spare attempts what is left becomes `location`; with an acceptance of 0.48 or more that happens to fewer
/// than one group in 2^100.
const ATTEMPTS: u32 = 64;

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn fill_by_normal<T: Element>(n: &ByNormal, generator: &Generator, piece: Piece<'_, T>) {
    fill_units::<T, TILE>(piece, |number, tile| {
        draw_tile(&n.line, number, tile, |low, high, attempt, elements| {
            by_normal(n, generator, low, high, attempt, elements)
        });
    });
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn fill_by_exponential<T: Element>(n: &ByExponential, generator: &Generator, piece: Piece<'_, T>) {
    fill_units::<T, TILE>(piece, |number, tile| {
        draw_tile(&n.line, number, tile, |low, high, attempt, elements| {
            by_exponential(n, generator, low, high, attempt, elements)
        });
    });
}

/// Four normals for each of `LANES` blocks or groups; gives a bit for each that is outside the window.
#[inline(always)]
fn by_normal<T: Element>(
    n: &ByNormal,
    generator: &Generator,
    low: &Lanes<u32>,
    high: u32,
    attempt: u32,
    elements: &mut Batch<T>,
) -> Lanes<u32> {
    let pairs = generator.pairs(low, high, attempt);
    let distances = normals(&pairs, n.line.scale);
    let mut outside = [0; BATCH];
    for i in 0..BATCH {
        outside[i] = u8::from(distances[i] < n.low) | u8::from(distances[i] > n.high);
    }
    if n.line.asks & asks::LOCATION == 0 {
        store(&n.line, distances, elements);
    } else {
        let mut rests = [0.0; BATCH];
        for i in 0..BATCH {
            // Spread by nothing at a bound, so that none is passed.
            let d = distances[i];
            let (above, below) = (d - n.low, n.high - d);
            let room = if below < above { below } else { above };
            rests[i] = if d.abs() < room { d.abs() } else { room } * spread((pairs[i / 2] >> 32) as u32);
        }
        store(&n.line, joined(&n.line, distances, rests), elements);
    }
    bits_of(&outside)
}

/// Four exponentials, two of each of two blocks: a word for the distance, a word to accept or reject it.
#[inline(always)]
fn by_exponential<T: Element>(
    n: &ByExponential,
    generator: &Generator,
    low: &Lanes<u32>,
    high: u32,
    attempt: u32,
    elements: &mut Batch<T>,
) -> Lanes<u32> {
    let a = generator.pairs(low, high, 2 * attempt);
    let b = generator.pairs(low, high, 2 * attempt + 1);
    let (mut w0, mut w1) = ([0; BATCH], [0; BATCH]);
    for lane in 0..LANES {
        for (k, pair) in [a[2 * lane], a[2 * lane + 1], b[2 * lane], b[2 * lane + 1]].into_iter().enumerate() {
            (w0[4 * lane + k], w1[4 * lane + k]) = (pair as u32, (pair >> 32) as u32);
        }
    }
    let mut t = [0.0; BATCH];
    let narrow = n.line.asks & asks::NARROW != 0;
    if narrow {
        for i in 0..BATCH {
            t[i] = middle_of_unsigned(w0[i]);
        }
    } else {
        for i in 0..BATCH {
            t[i] = middle_of(w0[i] as i32);
        }
    }
    let (mut distances, mut rests, mut outside) = ([0.0; BATCH], [0.0; BATCH], [0; BATCH]);
    for i in 0..BATCH {
        let e = distance(t[i], narrow | (t[i] < 0.0), n);
        let threshold = n.peak - e * (n.slope - n.curve * e);
        outside[i] = u8::from(twice_neg_ln(middle_of(w1[i] as i32)) < threshold);
        // Spread by nothing at a bound, so that none is passed.
        let beyond = n.width - e;
        distances[i] = n.line.scale * e;
        rests[i] = n.line.scale * (if beyond < e { beyond } else { e } * spread(w1[i]));
    }
    store(&n.line, joined(&n.line, distances, rests), elements);
    bits_of(&outside)
}

/// A bit for each of a block's four, from a byte for each.
#[inline(always)]
fn bits_of(outside: &Batch<u8>) -> Lanes<u32> {
    let mut bits: Lanes<u32> = bytemuck::cast(*outside);
    for lane in 0..LANES {
        let bytes = u32::from_le(bits[lane]);
        bits[lane] = (bytes | bytes >> 7 | bytes >> 14 | bytes >> 21) & 0xf;
    }
    bits
}

/// A distance from the near bound, in units of the proposal's mean, from the exponential's mass that lies nearer (`near`, where it
/// is the lesser part), or farther.
#[inline(always)]
fn distance(t: f32, near: bool, n: &ByExponential) -> f32 {
    let p = t * n.mass_per_step;
    let v = if near { 1.0 } else { n.beyond } + p;
    neg_ln(v, if near { p } else { v - 1.0 })
}

/// Draws a tile; `candidates` takes the numbers of blocks or groups, low and high halves, the attempt, and where four elements of each
/// go, and gives a bit for each that the window rejects.
#[inline(always)]
fn draw_tile<T: Element>(
    line: &Line,
    tile_number: u64,
    tile: &mut [T; TILE],
    candidates: impl Fn(&Lanes<u32>, u32, u32, &mut Batch<T>) -> Lanes<u32>,
) {
    // A batch has one block of each group.
    const { assert!(LANES == GROUPS) };
    let mut rejected = [0u32; GROUPS];
    for (j, elements) in tile.chunks_exact_mut(BATCH).enumerate() {
        let (low, high) = blocks_from(tile_number * (TILE / 4) as u64 + (j * LANES) as u64);
        let outside = candidates(&low, high, 0, elements.try_into().expect("a whole batch"));
        for group in 0..GROUPS {
            rejected[group] |= outside[group] << (4 * j);
        }
    }
    redraw(line, tile_number, tile, rejected, candidates);
}

/// Replaces what was rejected. Only groups that wait are drawn.
#[inline(always)]
fn redraw<T: Element>(
    line: &Line,
    tile_number: u64,
    tile: &mut [T; TILE],
    mut rejected: [u32; GROUPS],
    candidates: impl Fn(&Lanes<u32>, u32, u32, &mut Batch<T>) -> Lanes<u32>,
) {
    let group = tile_number * GROUPS as u64;
    let (low, high) = (group as u32, (group >> 32) as u32);
    for attempt in 1..=ATTEMPTS {
        let mut waiting = [0; GROUPS];
        let mut count = 0;
        for group in 0..GROUPS {
            waiting[count] = group;
            count += usize::from(rejected[group] != 0);
        }
        if count == 0 {
            return;
        }
        // Numbers drawn beyond the groups that wait are dropped.
        let mut numbers = [low; LANES];
        for lane in 0..LANES {
            numbers[lane] |= waiting[lane] as u32;
        }
        let mut spare = [T::zeroed(); BATCH];
        let outside = candidates(&numbers, high, attempt, &mut spare);
        for (lane, &group) in waiting[..count].iter().enumerate() {
            let mut left = rejected[group];
            for k in 0..4 {
                // Written also where the candidate is rejected, for the next one to overwrite, and where nothing waits any more,
                // with what is there: no branch to guess, but for the one that few need.
                let element = &mut tile[place(group, left.trailing_zeros())];
                *element = select_unpredictable(left == 0, *element, spare[4 * lane + k]);
                // One less, or all, of what waits.
                left &= left.wrapping_sub(1) | (outside[lane] >> k & 1).wrapping_neg();
                if k >= 1 && left == 0 {
                    break;
                }
            }
            rejected[group] = left;
        }
    }
    let mut location = [T::zeroed(); BATCH];
    store(line, joined(line, [0.0; BATCH], [0.0; BATCH]), &mut location);
    for group in 0..GROUPS {
        while rejected[group] != 0 {
            tile[place(group, rejected[group].trailing_zeros())] = location[0];
            rejected[group] &= rejected[group] - 1;
        }
    }
}

/// The place of a group's element in the tile.
#[inline(always)]
fn place(group: usize, bit: u32) -> usize {
    ((bit as usize / 4) * 4 * GROUPS + group * 4 + bit as usize % 4) % TILE
}

#[cfg(test)]
mod tests {
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
}
