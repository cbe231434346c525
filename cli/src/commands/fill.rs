//! `fanin fill`: one tensor, or a range of one.

mod report;

use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

use fanin::rules::{Recipe, Slice};
use fanin::torch::Place;
use fanin::{Dtype, Layout, Scheme, Seed};

use crate::commands::options::SeedAndDevice;
use crate::commands::rule_options::passed_over;
use crate::draw::coarse_notes;
use crate::draw::engine::Engine;
use crate::failure::Failure;
use crate::files::checkpoint;
use crate::files::content::Content;
use crate::files::provenance::Provenance;
use crate::files::writer::WriteOptions;
use crate::ops::fill::{DrawnSummary, digest};
use report::FillReport;

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
    /// With --stream torch: the number of words of PyTorch's sequence before this tensor
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
        let seed = self.seed()?;
        let recipe = self.recipe()?;
        let distribution = recipe.distribution;
        let passed_over = self.layout.and_then(|_| passed_over(&self.scheme));
        let notes = [coarse_notes::note(&distribution, self.dtype), passed_over];
        // A fill that cannot be drawn is refused before a device is opened.
        let fill = recipe.fill(seed, self.dtype).map_err(Failure::input)?;
        let (shape, bytes) = (fill.shape(), fill.byte_len());
        let engine = Engine::choose(&self.common.device)?;
        let options = WriteOptions { resume: false, shard: None, chunk: engine.chunk(u64::MAX), read: Vec::new() };
        let started = Instant::now();
        let is_looked_at = self.output.is_none() && !self.digest;
        let summary =
            if is_looked_at { Some(DrawnSummary::draw(&fill, &self.name, &engine, options.chunk)?) } else { None };
        let digest = if self.digest { Some(digest(fill.clone(), &self.name, &engine, options.chunk)?) } else { None };
        if let Some(output) = &self.output {
            let content = Content::drawn(self.name.as_str(), recipe, fill);
            checkpoint::write(output, &Provenance::new(seed), vec![content], &engine, &options)?;
        }
        let report = FillReport {
            output: self.output,
            device: engine.name().into(),
            seed,
            name: self.name,
            dtype: self.dtype,
            shape,
            distribution,
            bytes,
            digest,
            summary,
            seconds: started.elapsed().as_secs_f64(),
            note: notes.into_iter().flatten().reduce(|a, b| format!("{a}; {b}")),
        };
        if self.common.json {
            report.print_json();
        } else {
            report.print();
        }
        Ok(())
    }

    /// The seed, so many words on in PyTorch's sequence as `--at` says.
    fn seed(&self) -> Result<Seed, Failure> {
        let seed = self.common.seed()?;
        let Some(words) = self.at else { return Ok(seed) };
        match seed {
            Seed::Torch(place) if place == Place::new(place.seed()) && words <= 1 << 63 => {
                Ok(Seed::Torch(place.on(words)))
            }
            Seed::Torch(place) => {
                let message = format!("--at is {words}, and the seed {place}, allowed: one place, up to 2^63 words on");
                Err(Failure::input(message))
            }
            seed => {
                let kind = seed.kind();
                Err(Failure::input(format!("--at is {words}, and the stream {kind}, allowed: --stream torch")))
            }
        }
    }

    /// The recipe of the tensor, or of the range of it.
    fn recipe(&self) -> Result<Recipe, Failure> {
        if self.name == "__metadata__" {
            return Err(Failure::input(
                "the name is __metadata__, allowed: any other; safetensors keeps this one for itself",
            ));
        }
        let Shape(whole) = &self.shape;
        let elements = fanin::elements(whole).map_err(Failure::input)?;
        if let Some(Range { start, end }) = self.range
            && start > end
        {
            let message = format!("the range is {start}..{end}, allowed: a start that is not after the end");
            return Err(Failure::input(message));
        }
        if let Some(Range { end, .. }) = self.range
            && end > elements
        {
            let message = format!("the range ends at {end}, allowed: at most {elements}, the tensor's elements");
            return Err(Failure::input(message));
        }
        let layout = self.layout.unwrap_or(Layout::OUT_IN);
        let distribution = self.scheme.distribution(whole, layout).map_err(Failure::input)?;
        let mut recipe = Recipe::new(distribution, whole.as_slice(), self.name.as_str());
        recipe.alone = true;
        recipe.slices.extend(self.range.as_ref().map(|range| Slice { dim: None, start: range.start, end: range.end }));
        Ok(recipe)
    }
}
