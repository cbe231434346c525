//! `fanin fill`: one tensor, or a range of one.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

use fanin::rules::{Recipe, Slice};
use fanin::torch::Place;
use fanin::{Dtype, Layout, Scheme, Seed};
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};

use crate::commands::digits::{bars, five_digits};
use crate::commands::options::SeedAndDevice;
use crate::commands::rule_options::passed_over;
use crate::draw::coarse_notes;
use crate::draw::engine::Engine;
use crate::failure::Failure;
use crate::files::checkpoint;
use crate::files::content::Content;
use crate::files::provenance::Provenance;
use crate::files::sha256::hex;
use crate::files::summary::{Summary, Take, for_each};
use crate::files::writer::WriteOptions;
use crate::{progress, say};

/// Draws one tensor, or a range of its elements, and writes it, or says what came out.
///
/// Examples: fanin fill he_normal 4096x16384
///           fanin fill he_normal 4096x16384 -o w.safetensors
///           fanin fill truncated_normal:mean=0,std=0.02,low=-0.04,high=0.04 1000 -o w.safetensors
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Fill {
    /// The scheme: NAME[:key=value,...]
    #[arg(value_parser = crate::commands::options::parse::<Scheme>)]
    scheme: Scheme,
    /// The tensor's dimensions, such as 4096x16384 or 1000
    #[arg(value_parser = shape)]
    shape: Shape,
    /// The tensor's name, which is part of its stream
    #[arg(long, default_value = "weight")]
    name: String,
    /// f32, f16, bf16
    #[arg(long, default_value = "f32", value_parser = crate::commands::options::parse::<Dtype>)]
    dtype: Dtype,
    /// The meaning of a weight's dimensions: out_in (PyTorch), in_out (Keras, JAX, GPT-2's Conv1D), out_kernel_in (MLX), depthwise
    /// (Keras), batch_out_in and batch_in_out (stacked experts), any with _transposed for transposed convolutions and :groups=N;
    /// axes:in_axes=A+B,out_axes=C,batch_axes=D; or fans:fan_in=N,fan_out=M.
    /// [default: out_in]
    #[arg(long, value_name = "LAYOUT", value_parser = crate::commands::options::parse::<Layout>)]
    layout: Option<Layout>,
    /// Draw only these elements, counted in row-major order; the file's tensor is then flat
    #[arg(long, value_name = "START..END", value_parser = range)]
    range: Option<Range<u64>>,
    /// The file to write. Without one, and without --digest, moments, extremes, zeros, a histogram and the first values are
    /// printed.
    #[arg(short, long, value_name = "OUT.safetensors")]
    output: Option<PathBuf>,
    /// Print the SHA-256 of the elements' little-endian bytes, which the page in web/ shows too.
    #[arg(long)]
    digest: bool,
    /// With --stream torch: after so many words of PyTorch's sequence
    #[arg(long, value_name = "WORDS")]
    at: Option<u64>,
    #[command(flatten)]
    common: SeedAndDevice,
}

#[derive(Clone)]
struct Shape(Vec<u64>);

fn shape(text: &str) -> Result<Shape, String> {
    text.split(['x', 'X'])
        .map(|d| {
            d.trim()
                .parse()
                .map_err(|_| format!("\"{d}\" is no dimension, allowed: whole numbers joined by x, such as 4096x16384"))
        })
        .collect::<Result<_, _>>()
        .map(Shape)
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let bounds = text.split_once("..").and_then(|(a, b)| Some(a.trim().parse().ok()?..b.trim().parse().ok()?));
    bounds.ok_or_else(|| "allowed: START..END, two whole numbers".into())
}

impl Fill {
    pub fn run(self) -> Result<(), Failure> {
        let SeedAndDevice { device, json, .. } = &self.common;
        let seed = match (self.common.seed()?, self.at) {
            (seed, None) => seed,
            (Seed::Torch(place), Some(words)) if place == Place::new(place.seed()) && words <= 1 << 63 => {
                Seed::Torch(place.on(words))
            }
            (Seed::Torch(place), Some(words)) => {
                let message = format!("--at is {words}, and the seed {place}, allowed: one place, up to 2^63 words on");
                return Err(Failure::input(message));
            }
            (seed, Some(words)) => {
                let kind = seed.kind();
                return Err(Failure::input(format!("--at is {words}, and the stream {kind}, allowed: --stream torch")));
            }
        };
        if self.name == "__metadata__" {
            return Err(Failure::input(
                "the name is __metadata__, allowed: any other; safetensors keeps this one for itself",
            ));
        }
        let Shape(whole) = self.shape;
        let elements = fanin::elements(&whole).map_err(Failure::input)?;
        let range = self.range.clone().unwrap_or(0..elements);
        if range.start > range.end {
            let message =
                format!("the range is {}..{}, allowed: a start that is not after the end", range.start, range.end);
            return Err(Failure::input(message));
        }
        if range.end > elements {
            let message =
                format!("the range ends at {}, allowed: at most {elements}, the tensor's elements", range.end);
            return Err(Failure::input(message));
        }
        let distribution =
            self.scheme.distribution(&whole, self.layout.unwrap_or(Layout::OUT_IN)).map_err(Failure::input)?;
        let passed_over = self.layout.and_then(|_| passed_over(&self.scheme));
        let note = [coarse_notes::note(&distribution, self.dtype), passed_over]
            .into_iter()
            .flatten()
            .reduce(|a, b| format!("{a}; {b}"));
        let mut recipe = Recipe::new(distribution, whole, self.name.as_str());
        recipe.alone = true;
        recipe.slices.extend(self.range.as_ref().map(|range| Slice { dim: None, start: range.start, end: range.end }));
        // A fill that cannot be drawn is refused before a device is opened.
        let fill = recipe.fill(seed, self.dtype).map_err(Failure::input)?;
        let shape = fill.shape();
        let engine = Engine::choose(device)?;
        let options = WriteOptions { resume: false, shard: None, chunk: engine.chunk(u64::MAX), read: Vec::new() };
        let started = Instant::now();
        let is_looked_at = self.output.is_none() && !self.digest;
        let look =
            if is_looked_at { Some(DrawnSummary::draw(&fill, &self.name, &engine, options.chunk)?) } else { None };
        let digest = if self.digest { Some(digest(fill.clone(), &self.name, &engine, options.chunk)?) } else { None };
        if let Some(output) = &self.output {
            let content = Content::drawn(self.name.as_str(), recipe, fill);
            checkpoint::write(output, &Provenance::new(seed), vec![content], &engine, &options)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        let output = self.output.as_ref().map(|o| o.display().to_string());
        if *json {
            let mut report = serde_json::json!({
                "output": output, "device": engine.name(), "seed": seed, "name": self.name, "dtype": self.dtype.to_string(),
                "shape": shape, "distribution": distribution.to_string(),
                "resolved": Scheme::from(distribution).to_string(), "mean": distribution.mean(), "std": distribution.std(),
                "bytes": self.dtype.bytes(range.end - range.start), "sha256": digest, "seconds": seconds, "note": note,
            });
            if let Some(look) = look {
                report["drawn"] = look.summary.to_json();
                report["first"] = look.first.into();
            }
            say::json(&report);
            return Ok(());
        }
        let tensor = format!("{} {} {shape:?}, {distribution}", self.name, self.dtype);
        let by = format!("seed {seed}, drawn by {} in {seconds:.2} s", engine.name());
        let (mean, std) = (distribution.mean(), distribution.std());
        if let Some(output) = output {
            say!("{output}: {tensor}, mean {mean:.6}, std {std:.6}, {by}");
        }
        if let Some(DrawnSummary { summary: s, first }) = look {
            say!("{tensor}, {by}");
            say!("{:>9} {:>11}, expected {}", "mean", five_digits(s.mean), five_digits(mean));
            say!("{:>9} {:>11}, expected {}", "std", five_digits(s.std()), five_digits(std));
            say!("{:>9} {:>11}", "min", five_digits(s.min));
            say!("{:>9} {:>11}", "max", five_digits(s.max));
            say!("{:>9} {:>11}", "zeros", s.zeros);
            say!("{:>9} {}", "histogram", bars(&s.histogram));
            let first: Vec<_> = first.iter().map(ToString::to_string).collect();
            say!("{:>9} {}", "first", first.join(", "));
        }
        if let Some(digest) = digest {
            say!("{digest}");
        }
        if let Some(note) = note {
            say::aside(&format!("fanin: {note}"));
        }
        Ok(())
    }
}

/// The elements in a few numbers.
struct DrawnSummary {
    summary: Summary,
    first: Vec<f32>,
}

impl DrawnSummary {
    /// The number of first values that are shown.
    const FIRST: u64 = 8;

    /// The numbers of elements that are drawn twice and not kept: memory does not grow with the shape.
    fn draw(fill: &fanin::Fill, name: &str, engine: &Engine, chunk: u64) -> Result<DrawnSummary, Failure> {
        let dtype = fill.dtype().into();
        let first_ones = fill.split_at(Self::FIRST).0;
        let bar = progress_bar(engine, fill, name, chunk, 2 * fill.byte_len() + first_ones.byte_len());
        let draw = |fill: fanin::Fill, take: Take| {
            engine.draw(std::iter::once(fill), chunk, |bytes| {
                take(bytes);
                bar.inc(bytes.len() as u64);
                Ok(())
            })
        };
        let summary = Summary::collect(dtype, |take| draw(fill.clone(), take))?;
        let mut first = Vec::new();
        draw(first_ones, &mut |bytes| for_each(dtype, bytes, |x| first.push(x as f32)))?;
        bar.finish_and_clear();
        Ok(DrawnSummary { summary, first })
    }
}

/// The progress of the drawing.
fn progress_bar(engine: &Engine, fill: &fanin::Fill, name: &str, chunk: u64, bytes: u64) -> ProgressBar {
    let bar = progress::bar(bytes);
    progress::show(&bar, &progress::draws(engine.name(), fill, name, chunk));
    bar
}

fn digest(fill: fanin::Fill, name: &str, engine: &Engine, chunk: u64) -> Result<String, Failure> {
    let mut hash = Sha256::new();
    let bar = progress_bar(engine, &fill, name, chunk, fill.byte_len());
    engine.draw(std::iter::once(fill), chunk, |bytes| {
        hash.update(bytes);
        bar.inc(bytes.len() as u64);
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(hex(hash))
}
