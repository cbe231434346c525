//! The verdict in words: each condition with the number behind it, and what would hold.

use fanin::probe::{Activation, Advice, Gradients, Layer, Phase, Probe, Report};

use crate::commands::digits::{four_digits, percent};

/// The verdict's lines, with the advice that was looked for where something breaks.
pub fn verdict(probe: &Probe, report: &Report, advice: Option<&Advice>) -> Vec<String> {
    let lines = [saturation(probe.activation(), report), activations(report), gradients(report), theory(report)];
    lines.into_iter().chain(advice.map(|advice| remedy(probe, advice))).collect()
}

/// The layer of which a number is the largest, counted from 1.
fn largest(report: &Report, of: impl Fn(&Layer) -> f64) -> (usize, f64) {
    let numbers = report.layers.iter().map(of).enumerate().filter(|(_, x)| x.is_finite());
    numbers.max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or((1, f64::NAN), |(at, x)| (at + 1, x))
}

fn saturation(activation: Activation, report: &Report) -> String {
    let (at, most) = largest(report, |layer| layer.saturated);
    let by_design = if activation.flat() > 0.0 && most > 0.25 { ", where half is flat by design" } else { "" };
    match report.verdict.saturates {
        None if most == 0.0 => "no layer saturates: no activation does".into(),
        None => format!("no layer saturates: at most {} of activations do, in layer {at}{by_design}", percent(most)),
        Some(first) => format!(
            "layers saturate, the first of them layer {first}: {} of its activations have a slope below 1% of {activation}'s \
             largest{by_design}",
            percent(report.layers[first as usize - 1].saturated)
        ),
    }
}

fn activations(report: &Report) -> String {
    let rms = |layer: u64| four_digits(report.layers[layer as usize - 1].rms());
    let last = report.layers.len() as u64;
    let dead = report.layers.iter().map(|layer| layer.dead).max().unwrap_or(0);
    let dead =
        if dead > 0 { format!("; up to {dead} units of a layer are zero for the whole batch") } else { String::new() };
    let verdict = &report.verdict;
    let lost = report.layers.iter().position(|layer| !layer.rms().is_finite());
    if let Some(zero) = report.layers.iter().position(|layer| layer.zero == 1.0) {
        return format!("activations vanish: all are exactly zero from layer {} on", zero + 1);
    }
    match (verdict.vanishes, verdict.explodes) {
        (Some(first), _) => format!(
            "activations vanish, first in layer {first}: an rms of {}, below 1/100 of the input's; in the last layer {}{dead}",
            rms(first),
            rms(last)
        ),
        (_, Some(first)) => {
            let end = lost.map_or(format!("in the last layer {}", rms(last)), |lost| {
                format!("beyond what f32 holds from layer {} on", lost + 1)
            });
            let size =
                if lost == Some(first as usize - 1) { String::new() } else { format!(" an rms of {},", rms(first)) };
            format!("activations explode, first in layer {first}:{size} above 100 times the input's; {end}{dead}")
        }
        _ => format!("activations do not vanish: an rms of {} in the last layer, of the input's 1{dead}", rms(last)),
    }
}

fn gradients(report: &Report) -> String {
    let std = |layer: u64| four_digits(report.layers[layer as usize - 1].gradient_std);
    let first = std(1);
    let at = report.verdict.gradients_break.unwrap_or(1);
    match report.verdict.gradients {
        Gradients::Vanish => format!(
            "gradients vanish on their way back, below 1/100 of the last layer's from layer {at} down: {first} of them in layer 1"
        ),
        Gradients::Explode => format!(
            "gradients explode on their way back, above 100 times the last layer's from layer {at} down: {first} of them in layer 1"
        ),
        _ => format!("gradients neither vanish nor explode: in layer 1 they are {first} of the last layer's"),
    }
}

fn theory(report: &Report) -> String {
    let Some(theory) = &report.theory else {
        return "theory: none, as weights or biases have another mean than 0".into();
    };
    let scale = match theory.phase {
        _ if theory.chi == 0.0 => "no gradient passes back".into(),
        Phase::Ordered => format!("squared gradients shrink e-fold in {} layers", four_digits(theory.depth_scale)),
        Phase::Chaotic => format!("squared gradients grow e-fold in {} layers", four_digits(theory.depth_scale)),
        _ => "squared gradients keep their size".into(),
    };
    let ends = match theory.fixed_point {
        0.0 => "0".into(),
        q if q.is_finite() => four_digits(q),
        _ => "infinity".into(),
    };
    let (phase, chi) = (theory.phase, four_digits(theory.chi));
    format!("theory: {phase}, chi {chi}: {scale}; pre-activations' variance tends to {ends}")
}

/// The remedy that was found to hold.
fn remedy(probe: &Probe, advice: &Advice) -> String {
    let (activation, depth) = (probe.activation(), probe.depth());
    match advice {
        Advice::Holds { text: scheme, .. } => {
            format!(
                "{scheme} would hold over {depth} layers of {activation}: it did with each of {} seeds",
                Advice::SEEDS
            )
        }
        Advice::Nothing { from, to, nearest, report, .. } => {
            let (from, to) = (four_digits(*from), four_digits(*to));
            format!(
                "no gain from {from} to {to} holds for {depth} layers of {activation}: with {nearest} {}",
                broken(activation, report)
            )
        }
    }
}

/// The failure with the scheme that came nearest.
fn broken(activation: Activation, report: &Report) -> String {
    let verdict = &report.verdict;
    let saturated = report.layers.iter().map(|layer| layer.saturated).fold(0.0, f64::max);
    let what = [
        verdict.saturates.map(|_| format!("{} of {activation}'s activations saturate", percent(saturated))),
        verdict.vanishes.map(|_| "activations vanish".to_string()),
        verdict.explodes.map(|_| "activations explode".to_string()),
        (verdict.gradients != Gradients::Hold).then(|| format!("gradients {}", verdict.gradients)),
    ];
    let what: Vec<_> = what.into_iter().flatten().collect();
    // With the first seed it holds, and not with all.
    if what.is_empty() { format!("not all of {} seeds hold", Advice::SEEDS) } else { what.join(", ") }
}
