//! The gain that would hold: theory says where to look, and measurement decides.

use std::f64::consts::{LN_2, LN_10};
use std::fmt;

use super::activation::Activation;
use super::network::Probe;
use super::report::Report;
use super::theory::Expected;
use crate::number::Number;
use crate::{Error, Fans, Scheme};

/// A scheme with which a network holds, or that none was found.
///
/// ```
/// use fanin::probe::{Activation, Advice, Probe};
///
/// let wild = Probe::new("normal".parse()?, Activation::Relu).with_depth(10)?.with_width(128)?.with_batch(32)?;
/// let advice = wild.advice(|probe| probe.on_cpu())?;
/// assert_eq!(advice.to_string(), "he_normal holds with 3 seeds");
/// assert!(matches!(advice, Advice::Holds { scheme, gain, .. } if scheme == fanin::scheme::he_normal() && gain == 2f64.sqrt()));
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum Advice {
    /// A scheme that was drawn with [`SEEDS`](Advice::SEEDS) seeds, and held with each.
    #[non_exhaustive]
    Holds {
        /// The scheme.
        scheme: Scheme,
        /// The scheme as text, by its name.
        text: String,
        /// The standard deviation of its weights, times the root of fan_in.
        gain: f64,
    },
    /// The gains of `he_normal` that were tried, and what was measured of the one that came nearest.
    #[non_exhaustive]
    Nothing {
        /// The least gain.
        from: f64,
        /// The largest gain.
        to: f64,
        /// The scheme that came nearest, as text.
        nearest: String,
        /// Its measurements.
        report: Box<Report>,
    },
}

impl Advice {
    /// The number of seeds that have to hold.
    pub const SEEDS: u64 = 3;

    fn holds<E: From<Error>>(text: impl Into<String>) -> Result<Advice, E> {
        let text = text.into();
        let scheme: Scheme = text.parse()?;
        let gain = scheme.distribution_of_fans(Fans::new(1, 1)?)?.std();
        Ok(Advice::Holds { scheme, text, gain })
    }
}

/// `he_normal holds with 3 seeds`, or `no gain from 0.5 to 2 holds, he_normal:gain=1.1 is nearest`.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Advice::Holds { text, .. } => write!(f, "{text} holds with {} seeds", Advice::SEEDS),
            Advice::Nothing { from, to, nearest, .. } => {
                write!(f, "no gain from {from:.3} to {to:.3} holds, {nearest} is nearest")
            }
        }
    }
}

/// Gains are looked for within this factor of theory's; without theory, within the other one of 1.
const NEAR: f64 = 1.5;
const WIDE: f64 = 16.0;

impl Probe {
    /// A scheme with which such a network holds by the probe's own measure, if one is found: LeCun's, He's, or He's with another gain.
    ///
    /// `run` measures one probe, on the CPU or a GPU. It is called at most [`most_probes`](Probe::most_probes) times.
    ///
    /// # Errors
    /// Those of `run`; those of [`theory`](Probe::theory).
    ///
    /// See [`Advice`] for an example.
    pub fn advice<E: From<Error>>(&self, run: impl Fn(&Probe) -> Result<Report, E>) -> Result<Advice, E> {
        let search = Search { probe: self, run };
        for name in ["lecun_normal", "he_normal"] {
            if search.may_hold(name)? && search.strain_of(name)?.is_some() {
                return Advice::holds(name);
            }
        }
        let (middle, factor) = self.gain()?.map_or((1.0, WIDE), |gain| (gain, NEAR));
        let first = scaled(middle);
        let of_first = search.strain_of(&first)?;
        if of_first.is_some_and(|strain| strain < LN_10) {
            return Advice::holds(first);
        }
        let (from, to) = (middle / factor, middle * factor);
        let Some((nearest, report)) = search.nearest(from, to, steps(self.depth, factor))? else {
            return Advice::holds(first);
        };
        if search.strain_of(&nearest)?.is_some() {
            return Advice::holds(nearest);
        }
        if of_first.is_some() {
            return Advice::holds(first);
        }
        Ok(Advice::Nothing { from, to, nearest, report: Box::new(report) })
    }

    /// The number of probes, each as large as this one, that [`advice`](Probe::advice) runs at most.
    pub fn most_probes(&self) -> u64 {
        // Two schemes that have a name, theory's gain, the search, and what it found.
        (2 + 1 + 1) * Advice::SEEDS + steps(self.depth, WIDE)
    }
}

/// The number of times that a range of gains is halved until over all layers they differ by less than e; at least once.
fn steps(depth: u64, factor: f64) -> u64 {
    let range = 2.0 * factor.ln() * depth.clamp(2, 10_000) as f64;
    ((range.ln() / LN_2).ceil() as u64).max(1)
}

/// The scheme of a gain, in four digits.
fn scaled(gain: f64) -> String {
    format!("he_normal:gain={}", Number(format!("{gain:.3e}").parse().unwrap_or(gain)))
}

struct Search<'a, R> {
    probe: &'a Probe,
    run: R,
}

impl<E: From<Error>, R: Fn(&Probe) -> Result<Report, E>> Search<'_, R> {
    fn with(&self, scheme: &str) -> Result<Probe, E> {
        Ok(self.probe.clone().with_scheme(scheme.parse()?))
    }

    /// True if theory has gradients change by less than ten times and nothing else break, or does not speak of such layers.
    fn may_hold(&self, scheme: &str) -> Result<bool, E> {
        let activation = self.probe.activation();
        let is_right = |layer: &Expected| {
            (0.1..=10.0).contains(&layer.gradient_std)
                && (0.01..=100.0).contains(&layer.rms)
                && layer.saturated <= limit(activation)
        };
        let theory = self.with(scheme)?.theory()?;
        Ok(theory.is_none_or(|theory| theory.layers.iter().all(is_right)))
    }

    /// The largest strain over all seeds, if each holds.
    fn strain_of(&self, scheme: &str) -> Result<Option<f64>, E> {
        let probe = self.with(scheme)?;
        let mut worst: f64 = 0.0;
        for seed in 0..Advice::SEEDS {
            let report = (self.run)(&probe.clone().with_seed(self.probe.seed().wrapping_add(seed)))?;
            if !report.verdict.holds() {
                return Ok(None);
            }
            let (large, small) = strain(probe.activation(), &report);
            worst = worst.max(large).max(small);
        }
        Ok(Some(worst))
    }

    /// The scheme that is equally far from too large and too small a gain, by halving a range, and what was measured of it.
    fn nearest(&self, from: f64, to: f64, steps: u64) -> Result<Option<(String, Report)>, E> {
        let (mut low, mut high) = (from.ln(), to.ln());
        let mut best: Option<(f64, String, Report)> = None;
        for _ in 0..steps {
            let middle = (low + high) / 2.0;
            let scheme = scaled(middle.exp());
            let report = (self.run)(&self.with(&scheme)?)?;
            let (large, small) = strain(self.probe.activation(), &report);
            if large > small {
                high = middle;
            } else {
                low = middle;
            }
            let worst = large.max(small);
            if best.as_ref().is_none_or(|(least, ..)| worst < *least) {
                best = Some((worst, scheme, report));
            }
            if worst < LN_2 {
                break;
            }
        }
        Ok(best.map(|(_, scheme, report)| (scheme, report)))
    }
}

/// The share of activations that may be saturated.
fn limit(activation: Activation) -> f64 {
    (1.0 + activation.flat()) / 2.0
}

/// The growth of activations and gradients, and their shrinking, as logarithms of factors: something breaks at 100. A gain that is too
/// large saturates, too.
fn strain(activation: Activation, report: &Report) -> (f64, f64) {
    let sizes = report.layers.iter().flat_map(|layer| [layer.rms(), layer.gradient_std]);
    // A size that is no number passed the largest f32.
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
