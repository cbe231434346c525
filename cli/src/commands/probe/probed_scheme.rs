//! A scheme that was probed, and what is printed of it.

use fanin::probe::{Advice, Probe, Report};
use serde::Serialize;

use crate::commands::probe::{table, words};

/// A scheme that was probed.
pub struct ProbedScheme {
    pub text: String,
    pub probe: Probe,
    pub device: String,
    pub report: Report,
    /// The advice, where something breaks.
    pub advice: Option<Advice>,
}

impl ProbedScheme {
    pub fn say(&self) {
        let ProbedScheme { text, probe, device, report, advice } = self;
        let (depth, width, batch) = (probe.depth(), probe.width(), probe.batch());
        let activation = probe.activation();
        say!("{text}, {activation}: {depth} layers of {width}, a batch of {batch}, seed {}, {device}", probe.seed());
        table::say(report, console::Term::stdout().size().1.into());
        words::verdict(probe, report, advice.as_ref()).iter().for_each(|line| say!("{line}"));
    }

    pub fn to_json(&self) -> ProbeJson {
        let ProbedScheme { text, probe, device, report, advice } = self;
        let expected = |at: usize| report.theory.as_ref().map(|theory| theory.layers[at]);
        let layers = report.layers.iter().enumerate().map(|(at, layer)| LayerJson {
            layer: at + 1,
            pre_mean: layer.pre_mean,
            pre_std: layer.pre_std,
            mean: layer.mean,
            std: layer.std,
            saturated: layer.saturated,
            zero: layer.zero,
            dead: layer.dead,
            gradient_std: layer.gradient_std,
            expected_pre_std: expected(at).map(|expected| expected.pre_std),
            expected_gradient_std: expected(at).map(|expected| expected.gradient_std),
        });
        ProbeJson {
            scheme: text.clone(),
            activation: probe.activation().to_string(),
            depth: probe.depth(),
            width: probe.width(),
            batch: probe.batch(),
            seed: probe.seed().to_string(),
            device: device.clone(),
            layers: layers.collect(),
            phase: report.theory.as_ref().map(|theory| theory.phase.to_string()),
            verdict: VerdictJson {
                saturates: report.verdict.saturates.is_some(),
                vanishes: report.verdict.vanishes.is_some(),
                gradients: report.verdict.gradients.to_string(),
                advice: match advice {
                    Some(Advice::Holds { text: scheme, .. }) => Some(scheme.clone()),
                    _ => None,
                },
            },
        }
    }
}

/// The object that --json prints. Numbers beyond f32, and those of which theory does not speak, are null; a seed is text, as in all
/// JSON of fanin's.
#[derive(Serialize)]
pub struct ProbeJson {
    scheme: String,
    activation: String,
    depth: u64,
    width: u64,
    batch: u64,
    seed: String,
    device: String,
    layers: Vec<LayerJson>,
    phase: Option<String>,
    verdict: VerdictJson,
}

#[derive(Serialize)]
struct LayerJson {
    layer: usize,
    pre_mean: f64,
    pre_std: f64,
    mean: f64,
    std: f64,
    saturated: f64,
    zero: f64,
    dead: u64,
    gradient_std: f64,
    expected_pre_std: Option<f64>,
    expected_gradient_std: Option<f64>,
}

#[derive(Serialize)]
struct VerdictJson {
    saturates: bool,
    vanishes: bool,
    gradients: String,
    /// A scheme that holds, where this one does not, and one was found.
    advice: Option<String>,
}
