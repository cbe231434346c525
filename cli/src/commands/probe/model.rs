//! The matrices of a whole model: their variance gains, and the edges of their spectra.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fanin::probe::{Activation, Spectrum};
use fanin::rules::{FileDtype, Planned, Recipe};
use fanin::{Distribution, Dtype, ErrorKind, Fans, Stream, elements};
use serde::Serialize;

use super::table::short;
use crate::commands::choice::Choice;
use crate::commands::source::{Model, Source};
use crate::draw::engine::Engine;
use crate::failure::Failure;
use crate::files::header::holds;
use crate::files::model;
use crate::files::run::Run;
use crate::files::summary::{for_each, size_of};
use crate::{progress, say};

/// The largest matrix that is multiplied: 1 GiB of floats.
const MOST_ELEMENTS: u64 = 1 << 28;
/// The factor from the middle of all matrices beyond which a gain stands out.
const STANDS_OUT: f64 = 8.0;
/// The distance from one value within which a matrix is an isometry.
const ISOMETRY: f64 = 0.01;

/// A matrix, and how many others are drawn as it is.
#[derive(Serialize)]
struct Row {
    tensor: String,
    like_it: usize,
    shape: Vec<u64>,
    fan_in: u64,
    std: f64,
    /// Nothing of an embedding, whose rows are looked up, not summed.
    gain: Option<f64>,
    wanted: f64,
    largest: Option<f64>,
    smallest: Option<f64>,
    expected_largest: f64,
    expected_smallest: f64,
    isometry: bool,
    stands_out: bool,
    /// True if its gain is more than [`STANDS_OUT`] times the wanted one, or less than that part of it.
    is_far: bool,
}

/// A matrix to measure: as a rule draws it, or as it lies in a file.
struct Matrix {
    name: String,
    like_it: usize,
    shape: Vec<u64>,
    fans: Fans,
    values: Values,
}

enum Values {
    Drawn(Box<Recipe>),
    Stored(Run, FileDtype),
}

pub struct Options<'a> {
    pub path: PathBuf,
    pub source: &'a Source,
    pub choice: &'a Choice,
    pub activation: Activation,
    pub seed: Option<u64>,
    pub device: &'a str,
    pub json: bool,
}

impl Options<'_> {
    pub fn run(&self) -> Result<(), Failure> {
        let matrices = self.matrices()?;
        if self.seed.is_some() && matrices.iter().all(|matrix| matches!(matrix.values, Values::Stored(..))) {
            let at = self.path.display();
            return Err(Failure::input(format!(
                "--seed is given, and {at} has all matrices' values, allowed: no --seed"
            )));
        }
        let engine = Engine::choose(self.device)?;
        // As many layers as it takes to tell, of a model whose layers are of many kinds.
        let probe = fanin::probe::Probe::new(fanin::scheme::zeros(), self.activation);
        let wanted = probe.gain().map_err(Failure::input)?.map_or(f64::NAN, |gain| gain * gain);
        let clock = progress::clock();
        let row = |matrix: &Matrix| {
            progress::show(&clock, &format!("measures {}", matrix.name));
            self.row(matrix, &engine, wanted)
        };
        let mut rows = matrices.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        clock.finish_and_clear();
        let mut gains: Vec<_> = rows
            .iter()
            .flat_map(|row| std::iter::repeat_n(row.gain, row.like_it + 1))
            .flatten()
            .filter(|x| *x > 0.0)
            .collect();
        gains.sort_by(f64::total_cmp);
        if let Some(middle) = gains.get(gains.len() / 2) {
            rows.iter_mut().for_each(|row| {
                row.stands_out = row.gain.is_some_and(|gain| (gain / middle).ln().abs() > STANDS_OUT.ln())
            });
        }
        if self.json {
            say::json(&rows);
        } else {
            self.say(&rows, &engine);
        }
        Ok(())
    }

    /// The matrices, those that are drawn alike once.
    fn matrices(&self) -> Result<Vec<Matrix>, Failure> {
        let at = self.path.display();
        let Model { mut tensors, own_rules, .. } = self.source.read(&self.path)?;
        tensors.retain(|tensor| !tensor.is_integer());
        if let Some(quantised) = tensors.iter().find(|tensor| tensor.fp8_block.is_some()) {
            return Err(Failure::input(format!(
                "{at}: the configuration has {} in fp8, which is not measured, allowed: the model before it is quantised, by --set \
                 quantization_config=null",
                quantised.name
            )));
        }
        let (rules, _) = self.choice.rules(&tensors, own_rules)?;
        let plan = rules.plan_by_shapes(&tensors).map_err(|e| Failure::input(format!("{at}: {e:#}")))?;
        let mut stored = stored(&self.path)?;
        let mut matrices: Vec<Matrix> = Vec::new();
        for Planned { name, shape, draw, fans, .. } in plan.into_tensors() {
            let is_matrix = shape.iter().filter(|d| **d > 1).count() > 1 && !shape.contains(&0);
            let (Some(fans), true) = (fans, is_matrix) else { continue };
            let values = match (stored.remove(&name), draw) {
                // Of fp8 the numbers alone are no weights.
                (Some((run, dtype)), _) if size_of(dtype).is_some() && dtype != FileDtype::F8E4M3 => {
                    Values::Stored(run, dtype)
                }
                (None, Some(draw)) if !matches!(draw.distribution, Distribution::Constant { .. }) => {
                    Values::Drawn(Box::new(draw))
                }
                _ => continue,
            };
            let is_alike = |other: &&mut Matrix| match (&other.values, &values) {
                (Values::Drawn(a), Values::Drawn(b)) => {
                    (&other.shape, other.fans, is_embedding(&other.name)) == (&shape, fans, is_embedding(&name))
                        && (a.distribution, &a.parts) == (b.distribution, &b.parts)
                }
                _ => false,
            };
            match matrices.iter_mut().find(is_alike) {
                Some(other) => other.like_it += 1,
                None => matrices.push(Matrix { name, like_it: 0, shape, fans, values }),
            }
        }
        if matrices.is_empty() {
            return Err(Failure::input(format!("{at} has no matrix that is drawn, allowed: a model that has one")));
        }
        Ok(matrices)
    }

    fn row(&self, matrix: &Matrix, engine: &Engine, wanted: f64) -> Result<Row, Failure> {
        let failed = |e: &dyn std::fmt::Display| Failure::input(format!("tensor \"{}\": {e:#}", matrix.name));
        let count = elements(&matrix.shape).map_err(|e| failed(&e))?;
        let fan_in = matrix.fans.fan_in();
        let (rows, columns) = (matrix.shape[0], count / matrix.shape[0].max(1));
        let (std, spectrum) = if count <= MOST_ELEMENTS {
            let spectrum = self.spectrum(matrix, engine, rows as usize, columns as usize)?;
            (spectrum.rms, Some(spectrum))
        } else {
            match &matrix.values {
                Values::Drawn(draw) => (draw.distribution.mean().hypot(draw.distribution.std()), None),
                Values::Stored(..) => (f64::NAN, None),
            }
        };
        let expected = Spectrum::expected(std, rows as usize, columns as usize);
        let gain = (!is_embedding(&matrix.name)).then_some(std * std * fan_in as f64);
        Ok(Row {
            tensor: matrix.name.clone(),
            like_it: matrix.like_it,
            shape: matrix.shape.clone(),
            fan_in,
            std,
            gain,
            wanted,
            largest: spectrum.map(|s| s.largest),
            smallest: spectrum.map(|s| s.smallest),
            expected_largest: expected.largest,
            expected_smallest: expected.smallest,
            isometry: spectrum.is_some_and(|s| s.largest > 0.0 && s.smallest > (1.0 - ISOMETRY) * s.largest),
            stands_out: false,
            is_far: gain.is_some_and(|gain| (gain / wanted).ln().abs() > STANDS_OUT.ln()),
        })
    }

    /// The spectrum of a matrix. On a GPU, a drawn matrix stays there, if it fits a buffer.
    fn spectrum(&self, matrix: &Matrix, engine: &Engine, rows: usize, columns: usize) -> Result<Spectrum, Failure> {
        if let (Values::Drawn(draw), Engine::Gpu(gpu)) = (&matrix.values, engine) {
            let fill = self.fill(draw)?;
            match Spectrum::on_gpu(&gpu.filler, &fill, rows, columns) {
                // A matrix too large for one buffer is drawn in pieces, and multiplied here.
                Err(e) if e.kind() == ErrorKind::DeviceLimit => {}
                measured => {
                    if let Some(spectrum) = gpu.or_cpu(measured.map(Some), || Ok(None))? {
                        return Ok(spectrum);
                    }
                }
            }
        }
        let values = self.values(matrix, rows * columns, engine)?;
        let failed = |e| Failure::input(format!("tensor \"{}\": {e:#}", matrix.name));
        Spectrum::measure(&values, rows, columns).map_err(failed)
    }

    fn fill(&self, draw: &Recipe) -> Result<fanin::Fill, Failure> {
        let stream = Stream::named(self.seed.unwrap_or(0), &draw.stream);
        draw.fill_of(stream, Dtype::F32).map_err(Failure::input)
    }

    /// The elements of a matrix: drawn, or read.
    fn values(&self, matrix: &Matrix, count: usize, engine: &Engine) -> Result<Vec<f32>, Failure> {
        let mut values = Vec::new();
        let no_memory = |_| Failure::other(format!("tensor \"{}\" does not fit this machine's memory", matrix.name));
        values.try_reserve_exact(count).map_err(no_memory)?;
        match &matrix.values {
            Values::Drawn(draw) => {
                let fill = self.fill(draw)?;
                engine.draw(std::iter::once(fill), engine.chunk(u64::MAX), |bytes| {
                    for_each(FileDtype::F32, bytes, |x| values.push(x as f32));
                    Ok(())
                })?;
            }
            Values::Stored(run, dtype) => {
                run.read(|bytes| {
                    for_each(*dtype, bytes, |x| values.push(x as f32));
                    Ok(())
                })?;
            }
        }
        Ok(values)
    }

    fn say(&self, rows: &[Row], engine: &Engine) {
        let activation = self.activation;
        say!(
            "{}, matrices before {activation}, seed {}, {}",
            self.path.display(),
            self.seed.unwrap_or(0),
            engine.name()
        );
        say!("     gain   wanted   largest  expected  smallest  expected  matrix");
        let number = |x: Option<f64>| x.map_or("-".into(), short);
        for row in rows {
            let like_it = if row.like_it > 0 { format!(" and {} like it", row.like_it) } else { String::new() };
            let marks = [(row.isometry, ", an isometry"), (row.stands_out, ", which stands out")];
            let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
            say!(
                "{:>9} {:>8} {:>9} {:>9} {:>9} {:>9}  {} {:?}{like_it}{marks}",
                number(row.gain),
                short(row.wanted),
                number(row.largest),
                short(row.expected_largest),
                number(row.smallest),
                short(row.expected_smallest),
                row.tensor,
                row.shape,
            );
        }
        say!("gain: variance times fan_in; largest, smallest: singular values, beside Marchenko and Pastur's edges");
        far(rows).into_iter().for_each(|line| say!("{line}"));
    }
}

/// The notes on gains that are far from the wanted one, too large and too small.
fn far(rows: &[Row]) -> Vec<String> {
    let all: usize = rows.iter().filter(|row| row.gain.is_some()).map(|row| row.like_it + 1).sum();
    let line = |what: &str, does: &str, is: fn(f64) -> bool| {
        let far = rows.iter().filter(|row| row.is_far);
        let far: Vec<_> =
            far.filter_map(|row| Some((row.gain? / row.wanted, row))).filter(|(ratio, _)| is(*ratio)).collect();
        let count: usize = far.iter().map(|(_, row)| row.like_it + 1).sum();
        let (farthest, row) = far.into_iter().max_by(|(a, _), (b, _)| a.ln().abs().total_cmp(&b.ln().abs()))?;
        let (ratio, name) = (short(farthest), &row.tensor);
        Some(format!(
            "gains too {what} of {count} of {all} matrices, {ratio} times the wanted one of {name}: without norms or branches beside \
             them, each would let gradients {does}"
        ))
    };
    let lines = [line("large", "grow", |ratio| ratio > 1.0), line("small", "shrink", |ratio| ratio < 1.0)];
    lines.into_iter().flatten().collect()
}

/// True for an embedding by its name, as models call them.
fn is_embedding(name: &str) -> bool {
    let name = name.to_lowercase();
    ["embed", "embd", "wte", "wpe"].iter().any(|part| name.contains(part))
}

/// The places of a checkpoint's tensors; none of a file that is no checkpoint.
fn stored(path: &Path) -> Result<BTreeMap<String, (Run, FileDtype)>, Failure> {
    if !model::is_checkpoint(path) {
        return Ok(BTreeMap::new());
    }
    let shards = model::shards(path, true)?;
    let tensors = shards.iter().flat_map(|shard| shard.header.tensors.iter().map(move |tensor| (shard, tensor)));
    let placed = tensors.map(|(shard, (tensor, bytes))| {
        let run = Run { path: shard.path.as_path().into(), bytes: bytes.clone() };
        (tensor.name.clone(), (run, holds(tensor)))
    });
    Ok(placed.collect())
}
