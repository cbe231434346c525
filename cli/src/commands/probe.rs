//! `fanin probe`: whether an initialisation is healthy.

mod figure;
mod model;
mod probed_scheme;
mod table;
mod words;

use std::path::{Path, PathBuf};
use std::time::Instant;

use fanin::Scheme;
use fanin::probe::{Activation, Advice, Input};

use crate::commands::model_options::ModelOptions;
use crate::commands::options::parse;
use crate::commands::rule_options::RuleOptions;
use crate::draw::engine::Engine;
use crate::failure::Failure;
use crate::files::partial;
use crate::say;
use probed_scheme::ProbedScheme;

/// Says whether an initialisation is healthy: whether layers saturate, activations vanish, gradients vanish or explode.
///
/// A batch of inputs of variance 1 is sent through equal square layers that the scheme draws, and a gradient of deviation 1 back from
/// the top; on a GPU weights are drawn where they are multiplied. The measurements stand beside the expectations of mean-field theory
/// for layers that are infinitely wide. An activation is saturated where its slope is below 1 % of its largest; for relu and its kin
/// that is one side by design.
///
/// For a whole model, given as a config.json, a list of tensors or a checkpoint, it measures each matrix. It prints the gain, variance
/// times fan_in, beside the one that keeps gradients before such an activation, and the largest and smallest singular values beside
/// those expected of a random matrix. A matrix whose gain is eight times that of the middle one, or less than an eighth, stands out.
///
/// Examples: fanin probe glorot_normal --activation relu
///           fanin probe normal:std=0.01 --compare standard --compare lecun_normal --svg probe.svg
///           fanin probe config.json --set num_hidden_layers=2
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Probe {
    /// The scheme of the weights, NAME[:key=value,...], or a model, as for init
    #[arg(value_name = "SCHEME|MODEL", value_parser = subject)]
    subject: ProbeSubject,
    /// The activation: linear, sigmoid, tanh, relu, leaky_relu[:SLOPE], elu, selu, gelu, silu, softsign [default: tanh; of a model
    /// linear]
    #[arg(long, value_name = "NAME", value_parser = parse::<Activation>)]
    activation: Option<Activation>,
    /// The number of layers [default: 20]
    #[arg(long, value_name = "N")]
    depth: Option<u64>,
    /// The number of units of each layer, and of the input [default: 512]
    #[arg(long, value_name = "N")]
    width: Option<u64>,
    /// The number of inputs [default: 256]
    #[arg(long, value_name = "N")]
    batch: Option<u64>,
    /// The scheme of the biases, which have their weight's fans, as in PyTorch [default: zeros]
    #[arg(long, value_name = "SCHEME", value_parser = parse::<Scheme>)]
    bias: Option<Scheme>,
    /// The distribution of the inputs, with mean 0 and variance 1: normal, uniform [default: normal]
    #[arg(long, value_name = "NAME", value_parser = parse::<Input>)]
    input: Option<Input>,
    /// The seed: 0 to 2^64 - 1 [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The device that draws and multiplies: as for init. Numbers agree to what f32 rounds.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,
    /// Another scheme, to stand beside the first; several may be given.
    #[arg(long, value_name = "SCHEME", value_parser = given)]
    compare: Vec<GivenScheme>,
    /// Print a JSON object instead of text; with --compare a list of them.
    #[arg(long)]
    json: bool,
    /// Write a figure: activations and gradients by layer, measured and expected.
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    model_options: ModelOptions,
    #[command(flatten)]
    rule_options: RuleOptions,
}

/// The subject of a probe.
#[derive(Clone, Debug)]
enum ProbeSubject {
    Scheme(GivenScheme),
    Model(PathBuf),
}

/// The subject that a text names: a model if it names a file, or is one, as no scheme's name is a path.
fn subject(text: &str) -> Result<ProbeSubject, String> {
    let path = PathBuf::from(text);
    let is_path = text.contains(['/', '\\']) || path.extension().is_some_and(|e| e == "json" || e == "safetensors");
    // A scheme's keys may have a point, and nothing that is there is called like a scheme by chance.
    match given(text) {
        Ok(scheme) => Ok(ProbeSubject::Scheme(scheme)),
        Err(_) if is_path || path.exists() => Ok(ProbeSubject::Model(path)),
        Err(e) => Err(e),
    }
}

/// A scheme, as it was given.
#[derive(Clone, Debug)]
struct GivenScheme {
    text: String,
    scheme: Scheme,
}

fn given(text: &str) -> Result<GivenScheme, String> {
    Ok(GivenScheme { text: text.trim().into(), scheme: parse(text)? })
}

impl Probe {
    pub fn run(self) -> Result<(), Failure> {
        let given = match &self.subject {
            ProbeSubject::Scheme(given) => given,
            ProbeSubject::Model(path) => return self.model(path),
        };
        if self.rule_options.is_given() || self.model_options.is_given() {
            let message = format!(
                "{}: a scheme is probed alone, allowed with rules or a configuration's keys: a model",
                given.text
            );
            return Err(Failure::input(message));
        }
        let probes = std::iter::once(given).chain(&self.compare).map(|given| self.probe(given));
        let probes = probes.collect::<Result<Vec<_>, _>>()?;
        let engine = Engine::choose(&self.device)?;
        let run = |probe: &fanin::probe::Probe| match &engine {
            Engine::Cpu => probe.on_cpu().map_err(Failure::other),
            Engine::Gpu(gpu) => gpu.or_cpu(probe.on_gpu(&gpu.filler), || probe.on_cpu().map_err(Failure::other)),
        };
        let mut probed = Vec::new();
        // Advice depends on everything but the scheme: one search serves all schemes.
        let mut found = None;
        for (text, probe) in probes {
            let started = Instant::now();
            let report = run(&probe)?;
            let advice = match (report.verdict.holds(), &found) {
                (true, _) => None,
                (false, Some(found)) => Some(Advice::clone(found)),
                (false, None) => {
                    say_how_long(&probe, started.elapsed().as_secs_f64());
                    Some(found.insert(probe.advice(run)?).clone())
                }
            };
            probed.push(ProbedScheme { text, probe, device: engine.name().into(), report, advice });
        }
        if let Some(path) = &self.svg {
            let written = partial::write_text(path, figure::svg(&probed).as_bytes());
            written.map_err(|e| Failure::other(e.message))?;
        }
        if self.json {
            match &probed[..] {
                [one] => say::json(&one.to_json()),
                all => say::json(&all.iter().map(ProbedScheme::to_json).collect::<Vec<_>>()),
            }
            return Ok(());
        }
        for (at, probed) in probed.iter().enumerate() {
            if at > 0 {
                say!("");
            }
            probed.say();
        }
        Ok(())
    }

    fn model(&self, path: &Path) -> Result<(), Failure> {
        let of_schemes = [
            ("--compare", !self.compare.is_empty()),
            ("--svg", self.svg.is_some()),
            ("--depth", self.depth.is_some()),
            ("--width", self.width.is_some()),
            ("--batch", self.batch.is_some()),
            ("--bias", self.bias.is_some()),
            ("--input", self.input.is_some()),
        ];
        if let Some((option, _)) = of_schemes.iter().find(|(_, is_given)| *is_given) {
            let message = format!("{}: a model is probed alone, allowed with {option}: a scheme", path.display());
            return Err(Failure::input(message));
        }
        let probe = model::ModelProbe {
            path,
            model_options: &self.model_options,
            rule_options: &self.rule_options,
            activation: self.activation.unwrap_or(Activation::Linear),
            seed: self.seed,
            device: &self.device,
            json: self.json,
        };
        probe.run()
    }

    /// The probe of a scheme, and its text. All that can be wrong with it is said before a device is opened.
    fn probe(&self, given: &GivenScheme) -> Result<(String, fanin::probe::Probe), Failure> {
        let activation = self.activation.unwrap_or(Activation::Tanh);
        let made = || {
            let probe = fanin::probe::Probe::new(given.scheme, activation);
            let probe = probe.with_bias(self.bias.unwrap_or(fanin::scheme::zeros()));
            let probe = probe.with_input(self.input.unwrap_or(Input::Normal)).with_seed(self.seed.unwrap_or(0));
            let (depth, width) = (self.depth.unwrap_or(probe.depth()), self.width.unwrap_or(probe.width()));
            let batch = self.batch.unwrap_or(probe.batch());
            let probe = probe.with_depth(depth)?.with_width(width)?.with_batch(batch)?;
            probe.check()?;
            Ok(probe)
        };
        let probe = made().map_err(|e: fanin::Error| Failure::input(format!("{}: {e:#}", given.text)))?;
        Ok((given.text.clone(), probe))
    }
}

/// A note of how long a search takes, if it takes a while.
fn say_how_long(probe: &fanin::probe::Probe, seconds_of_one: f64) {
    let probes = probe.most_probes();
    let seconds = probes as f64 * seconds_of_one;
    if seconds >= 5.0 {
        say::aside(&format!(
            "fanin: something breaks; the search for a scheme that holds takes at most {probes} such probes, {seconds:.0} s"
        ));
    }
}
