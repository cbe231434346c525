//! What would hold: theory says where to look, and measurement decides.

use std::f64::consts::{LN_2, LN_10};

use fanin::probe::{Activation, Expected, Gradients, Probe, Report, Verdict};

use super::table::{share, short};
use crate::failure::Failure;

/// What came of the search.
#[derive(Clone)]
pub enum Advice {
    /// A scheme that was drawn with [`SEEDS`] seeds, and held with each.
    Holds(String),
    /// The gains that were tried, and what broke with the one that came nearest.
    Nothing { from: f64, to: f64, why: String },
}

/// How many seeds have to hold.
pub const SEEDS: u64 = 3;

/// Gains are looked for within this factor of theory's; without theory, within the other one of 1.
const NEAR: f64 = 1.5;
const WIDE: f64 = 16.0;

/// Nothing breaks.
pub fn holds(verdict: &Verdict) -> bool {
    verdict.saturates.or(verdict.vanishes).or(verdict.explodes).or(verdict.gradients_break).is_none()
}

/// At most so many probes are run, each as large as this one.
pub fn most_probes(probe: &Probe) -> u64 {
    // Two schemes that have a name, theory's gain, the search, and what it found.
    (2 + 1 + 1) * SEEDS + steps(probe.depth(), WIDE)
}

/// How often a range of gains is halved until over all layers they differ by less than e.
fn steps(depth: u64, factor: f64) -> u64 {
    let range = 2.0 * factor.ln() * depth.clamp(2, 10_000) as f64;
    (range.ln() / LN_2).ceil() as u64
}

/// A scheme with which such a network holds by the probe's own measure, if one is found.
pub fn look(probe: &Probe, run: &dyn Fn(&Probe) -> Result<Report, Failure>) -> Result<Advice, Failure> {
    let search = Search { probe, run };
    for name in ["lecun_normal", "he_normal"] {
        if search.may_hold(name)? && search.strain_of(name)?.is_some() {
            return Ok(Advice::Holds(name.into()));
        }
    }
    let theory = probe.gain().map_err(Failure::input)?;
    let (middle, factor) = theory.map_or((1.0, WIDE), |gain| (gain, NEAR));
    let first = scaled(middle);
    let of_first = search.strain_of(&first)?;
    if of_first.is_some_and(|strain| strain < LN_10) {
        return Ok(Advice::Holds(first));
    }
    let (from, to) = (middle / factor, middle * factor);
    let (best, report) = search.nearest(from, to, steps(probe.depth(), factor))?;
    if search.strain_of(&best)?.is_some() {
        return Ok(Advice::Holds(best));
    }
    if of_first.is_some() {
        return Ok(Advice::Holds(first));
    }
    Ok(Advice::Nothing { from, to, why: format!("with {best} {}", broken(probe.activation(), &report)) })
}

fn scaled(gain: f64) -> String {
    format!("he_normal:gain={}", short(gain))
}

struct Search<'a> {
    probe: &'a Probe,
    run: &'a dyn Fn(&Probe) -> Result<Report, Failure>,
}

impl Search<'_> {
    fn of(&self, scheme: &str) -> Result<Probe, Failure> {
        Ok(self.probe.clone().with_scheme(scheme.parse().map_err(Failure::input)?))
    }

    /// Whether theory, where it speaks of such layers, has gradients change by less than ten times, and nothing else break.
    fn may_hold(&self, scheme: &str) -> Result<bool, Failure> {
        let activation = self.probe.activation();
        let is_right = |layer: &Expected| {
            (0.1..=10.0).contains(&layer.gradient_std)
                && (0.01..=100.0).contains(&layer.rms)
                && layer.saturated <= limit(activation)
        };
        let theory = self.of(scheme)?.theory().map_err(Failure::input)?;
        Ok(theory.is_none_or(|theory| theory.layers.iter().all(is_right)))
    }

    /// The largest strain over all seeds, if each holds.
    fn strain_of(&self, scheme: &str) -> Result<Option<f64>, Failure> {
        let probe = self.of(scheme)?;
        let mut worst: f64 = 0.0;
        for seed in 0..SEEDS {
            let report = (self.run)(&probe.clone().with_seed(self.probe.seed().wrapping_add(seed)))?;
            if !holds(&report.verdict) {
                return Ok(None);
            }
            let (large, small) = strain(probe.activation(), &report);
            worst = worst.max(large).max(small);
        }
        Ok(Some(worst))
    }

    /// The scheme that is equally far from too large and too small a gain, by halving a range, and what was measured of it.
    fn nearest(&self, from: f64, to: f64, steps: u64) -> Result<(String, Report), Failure> {
        let (mut low, mut high) = (from.ln(), to.ln());
        let mut best: Option<(f64, String, Report)> = None;
        for _ in 0..steps.max(1) {
            let middle = (low + high) / 2.0;
            let scheme = scaled(middle.exp());
            let report = (self.run)(&self.of(&scheme)?)?;
            let (large, small) = strain(self.probe.activation(), &report);
            if large > small {
                high = middle
            } else {
                low = middle
            }
            let worst = large.max(small);
            if best.as_ref().is_none_or(|(least, ..)| worst < *least) {
                best = Some((worst, scheme, report));
            }
            if worst < LN_2 {
                break;
            }
        }
        best.map(|(_, scheme, report)| (scheme, report)).ok_or_else(|| Failure::other("no gain was tried"))
    }
}

/// Which share of activations may be saturated.
fn limit(activation: Activation) -> f64 {
    (1.0 + activation.flat()) / 2.0
}

/// How far activations and gradients grow, and how far they shrink, as logarithms of factors: something breaks at 100. A gain that is too
/// large saturates, too.
fn strain(activation: Activation, report: &Report) -> (f64, f64) {
    let sizes = report.layers.iter().flat_map(|layer| [layer.rms(), layer.gradient_std]);
    // What is no number passed what f32 holds.
    let sizes = sizes.map(|size| if size.is_nan() { f64::INFINITY } else { size.ln() });
    let (mut large, mut small): (f64, f64) = (0.0, 0.0);
    for size in sizes {
        (large, small) = (large.max(size), small.max(-size));
    }
    let saturated = report.layers.iter().map(|layer| layer.saturated).fold(0.0, f64::max) / limit(activation);
    if saturated > 1.0 {
        large = large.max(2.0 * LN_10 * saturated);
    }
    (large, small)
}

/// What breaks.
fn broken(activation: Activation, report: &Report) -> String {
    let verdict = &report.verdict;
    let saturated = report.layers.iter().map(|layer| layer.saturated).fold(0.0, f64::max);
    let what = [
        verdict.saturates.map(|_| format!("{} of {activation}'s activations saturate", share(saturated))),
        verdict.vanishes.map(|_| "activations vanish".to_string()),
        verdict.explodes.map(|_| "activations explode".to_string()),
        match verdict.gradients {
            Gradients::Vanish => Some("gradients vanish".to_string()),
            Gradients::Explode => Some("gradients explode".to_string()),
            _ => None,
        },
    ];
    let what: Vec<_> = what.into_iter().flatten().collect();
    // With the first seed it holds, and not with all.
    if what.is_empty() { format!("not all of {SEEDS} seeds hold") } else { what.join(", ") }
}
