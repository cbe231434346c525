//! `fanin stats`: what the tensors of a checkpoint hold.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use fanin::Distribution;
use half::{bf16, f16};
use safetensors::Dtype;

use crate::checkpoint::Provenance;
use crate::choice::Choice;
use crate::failure::Failure;
use crate::model::{self, Tensor};
use crate::recipe::Recipe;

/// Prints each tensor's mean, standard deviation, extremes, zeros, and numbers that are none, with a histogram; and the mean
/// and the standard deviation of what it was drawn from, if the file, or rules that are given, say so.
#[derive(clap::Args)]
pub struct Stats {
    /// A .safetensors file, or the .safetensors.index.json of a sharded one.
    checkpoint: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// Print a JSON list instead of a table.
    #[arg(long)]
    json: bool,
}

const BINS: usize = 24;

#[derive(Default)]
struct Summary {
    count: u64,
    finite: u64,
    mean: f64,
    /// The sum of squares of what is left of the mean.
    squares: f64,
    min: f64,
    max: f64,
    zeros: u64,
    nan: u64,
    infinite: u64,
    histogram: [u64; BINS],
}

impl Stats {
    pub fn run(self) -> Result<(), Failure> {
        let headers = model::headers(&self.checkpoint, true)?;
        let mut expected = BTreeMap::new();
        for header in &headers {
            // What cannot be read says nothing; `verify` says what is wrong with it.
            let said = header.provenance.as_deref().and_then(|text| Provenance::read(text).ok());
            for (tensor, _) in &header.tensors {
                let words = said.as_ref().and_then(|p| p.tensors.get(&tensor.name));
                if let Some(Ok(recipe)) = words.map(|words| Recipe::from_words(words, &tensor.name, &tensor.shape)) {
                    expected.insert(tensor.name.clone(), recipe.draw.distribution);
                }
            }
        }
        if self.choice.is_given() {
            let all = headers.iter().flat_map(|h| &h.tensors).map(|(tensor, _)| tensor);
            let tensors: Vec<_> = all.filter(|t| size_of(t.dtype).is_some()).map(Tensor::named_shape).collect();
            let (rules, _) = self.choice.rules(&tensors)?;
            let failed = |e: fanin::Error| Failure::input(format!("{}: {e}", self.checkpoint.display()));
            expected = rules
                .plan(&tensors)
                .map_err(failed)?
                .into_iter()
                .filter_map(|planned| Some((planned.name, planned.draw?.distribution)))
                .collect();
        }
        let mut rows = Vec::new();
        if !self.json {
            say!(
                "{:>11} {:>11} {:>11} {:>11} {:>11} {:>9} {:>7}  {:BINS$}  tensor",
                "mean",
                "std",
                "expected",
                "min",
                "max",
                "zeros",
                "nan,inf",
                "histogram"
            );
        }
        for header in &headers {
            for (tensor, bytes) in &header.tensors {
                let expected = expected.get(&tensor.name);
                let Some(size) = size_of(tensor.dtype) else {
                    if !self.json {
                        say!("{} holds {}, which is not summarised", tensor.name.escape_debug(), tensor.dtype);
                    }
                    continue;
                };
                let summary = summarise(&header.path, bytes.clone(), tensor.dtype, size)?;
                if self.json {
                    rows.push(summary.to_json(tensor, expected));
                } else {
                    say!("{}", summary.to_line(tensor, expected));
                }
            }
        }
        if self.json {
            say!("{}", serde_json::Value::Array(rows));
        }
        Ok(())
    }
}

/// Bytes of an element, of the floats that are summarised.
fn size_of(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::F64 => Some(8),
        Dtype::F32 => Some(4),
        Dtype::F16 | Dtype::BF16 => Some(2),
        _ => None,
    }
}

/// Calls `f` for each value.
fn for_each(path: &Path, bytes: Range<u64>, dtype: Dtype, size: usize, mut f: impl FnMut(f64)) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::other(format!("{}: {e}", path.display()));
    let mut file = File::open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(bytes.start)).map_err(failed)?;
    let mut left = bytes.end - bytes.start;
    let mut buffer = vec![0; 1 << 20];
    while left > 0 {
        let count = left.min(buffer.len() as u64) as usize;
        file.read_exact(&mut buffer[..count]).map_err(failed)?;
        for element in buffer[..count].chunks_exact(size) {
            let half = || [element[0], element[1]];
            f(match dtype {
                Dtype::F16 => f16::from_le_bytes(half()).to_f64(),
                Dtype::BF16 => bf16::from_le_bytes(half()).to_f64(),
                Dtype::F32 => f32::from_le_bytes([element[0], element[1], element[2], element[3]]).into(),
                _ => f64::from_le_bytes(element.try_into().unwrap_or_default()),
            });
        }
        left -= count as u64;
    }
    Ok(())
}

fn summarise(path: &Path, bytes: Range<u64>, dtype: Dtype, size: usize) -> Result<Summary, Failure> {
    let mut s = Summary { min: f64::INFINITY, max: f64::NEG_INFINITY, ..Summary::default() };
    // The mean first, and then what is left of it: two passes lose no digits.
    let mut sum = 0.0;
    for_each(path, bytes.clone(), dtype, size, |x| {
        s.count += 1;
        if x.is_finite() {
            s.finite += 1;
            sum += x;
            s.min = s.min.min(x);
            s.max = s.max.max(x);
            s.zeros += u64::from(x == 0.0);
        } else if x.is_nan() {
            s.nan += 1;
        } else {
            s.infinite += 1;
        }
    })?;
    s.mean = sum / s.finite as f64;
    let width = s.max - s.min;
    for_each(path, bytes, dtype, size, |x| {
        if x.is_finite() {
            s.squares += (x - s.mean) * (x - s.mean);
            let bin = if width > 0.0 { ((x - s.min) / width * BINS as f64) as usize } else { BINS / 2 };
            s.histogram[bin.min(BINS - 1)] += 1;
        }
    })?;
    Ok(s)
}

impl Summary {
    fn std(&self) -> f64 {
        (self.squares / self.finite as f64).sqrt()
    }

    fn to_json(&self, tensor: &Tensor, expected: Option<&Distribution>) -> serde_json::Value {
        serde_json::json!({
            "tensor": tensor.name, "dtype": tensor.dtype.to_string(), "shape": tensor.shape, "count": self.count,
            "mean": self.mean, "std": self.std(), "min": self.min, "max": self.max, "zeros": self.zeros, "nan": self.nan,
            "infinite": self.infinite, "histogram": self.histogram,
            "distribution": expected.map(ToString::to_string), "expected_mean": expected.map(|d| d.mean()),
            "expected_std": expected.map(|d| d.std()),
        })
    }

    fn to_line(&self, tensor: &Tensor, expected: Option<&Distribution>) -> String {
        const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let most = self.histogram.iter().copied().max().unwrap_or(0).max(1);
        let bar = |count: &u64| BARS[(count * 8).div_ceil(most) as usize];
        let histogram: String = self.histogram.iter().map(bar).collect();
        let expected = expected.map_or("-".into(), |d| number(d.std()));
        format!(
            "{:>11} {:>11} {expected:>11} {:>11} {:>11} {:>9} {:>7}  {histogram}  {} {} {:?}",
            number(self.mean),
            number(self.std()),
            number(self.min),
            number(self.max),
            self.zeros,
            self.nan + self.infinite,
            tensor.name.escape_debug(),
            tensor.dtype,
            tensor.shape,
        )
    }
}

/// Five digits, in the width of a column.
fn number(x: f64) -> String {
    if !x.is_finite() {
        "-".into()
    } else if x == 0.0 || (1e-4..1e5).contains(&x.abs()) {
        format!("{x:.5}")
    } else {
        format!("{x:.3e}")
    }
}
