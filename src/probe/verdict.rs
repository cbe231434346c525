//! The verdict on a network's health, by what was measured.

use std::fmt;

use super::activation::Activation;
use super::layer::Layer;

/// The fate of gradients on their way back.
///
/// ```
/// assert_eq!(fanin::probe::Gradients::Hold.to_string(), "hold");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gradients {
    /// Gradients of some layer are below 1/100 of the last layer's.
    Vanish,
    /// Neither.
    Hold,
    /// Gradients of some layer are above 100 times the last layer's.
    Explode,
}

impl fmt::Display for Gradients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Gradients::Vanish => "vanish",
            Gradients::Hold => "hold",
            Gradients::Explode => "explode",
        })
    }
}

/// The verdict on a network's health. Layers are counted from 1.
///
/// ```
/// use fanin::probe::{Activation, Probe};
///
/// let wild = Probe::new("normal".parse()?, Activation::Tanh).with_width(256)?.on_cpu()?;
/// assert_eq!((wild.verdict.saturates, wild.verdict.vanishes), (Some(1), None));
/// assert!(wild.verdict.to_string().starts_with("saturates from layer 1 on"));
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The first layer that saturates: in which more than half of the activations that could pass a gradient back pass next to none.
    /// With `tanh` that is more than half of all, with `relu`, half of which is flat by design, more than three quarters.
    pub saturates: Option<u64>,
    /// The first layer whose activations vanish: their rms is below 1/100 of the input's, which is 1.
    pub vanishes: Option<u64>,
    /// The first layer whose activations explode: their rms is above 100 times the input's, or passes what f32 holds.
    pub explodes: Option<u64>,
    /// The fate of gradients.
    pub gradients: Gradients,
    /// The layer that shows it: on the way back, the one nearest to the last layer.
    pub gradients_break: Option<u64>,
}

/// The factor that counts as vanished or exploded.
const FACTOR: f64 = 100.0;

impl Verdict {
    /// True if nothing breaks.
    ///
    /// See its text for an example: [`Verdict`] says "holds" then.
    pub const fn holds(&self) -> bool {
        matches!((self.saturates, self.vanishes, self.explodes, self.gradients), (None, None, None, Gradients::Hold))
    }

    pub(super) fn judged(activation: Activation, layers: &[Layer]) -> Verdict {
        let first = |is: &dyn Fn(&Layer) -> bool| layers.iter().position(is).map(|at| at as u64 + 1);
        let last = |is: &dyn Fn(&Layer) -> bool| layers.iter().rposition(is).map(|at| at as u64 + 1);
        let vanished = last(&|layer| layer.gradient_std < 1.0 / FACTOR);
        // A deviation that is no number passed the largest f32.
        let exploded = last(&|layer| layer.gradient_std > FACTOR || layer.gradient_std.is_nan());
        let (gradients, gradients_break) = match (vanished, exploded) {
            (None, None) => (Gradients::Hold, None),
            (at, other) if at > other => (Gradients::Vanish, at),
            (_, at) => (Gradients::Explode, at),
        };
        Verdict {
            saturates: first(&|layer| layer.saturated > (1.0 + activation.flat()) / 2.0),
            vanishes: first(&|layer| layer.rms() < 1.0 / FACTOR),
            explodes: first(&|layer| layer.rms() > FACTOR || layer.rms().is_nan()),
            gradients,
            gradients_break,
        }
    }
}

/// "holds", or what breaks and where.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = |what: &str, layer: u64| format!("{what} from layer {layer} on");
        let gradients = self.gradients_break.map(|layer| format!("gradients {} at layer {layer}", self.gradients));
        let broken = [
            self.saturates.map(|layer| from("saturates", layer)),
            self.vanishes.map(|layer| from("activations vanish", layer)),
            self.explodes.map(|layer| from("activations explode", layer)),
            gradients,
        ];
        let broken: Vec<_> = broken.into_iter().flatten().collect();
        f.pad(if broken.is_empty() { "holds".into() } else { broken.join(", ") }.as_str())
    }
}
