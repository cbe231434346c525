//! `fanin bench`: how fast this machine draws, beside a plain fill of the same memory.

mod timing;

use std::time::{Duration, Instant};

use fanin::torch::Place;
use fanin::{Distribution, Dtype, Element, Fill, Seed, cpu};
use half::{bf16, f16};

use crate::draw::engine::Engine;
use crate::draw::gpu::Gpu;
use crate::draw::seed::StreamKind;
use crate::failure::Failure;
use crate::limits::{MAX_BENCH_ELEMENTS, MAX_BENCH_RUNS};
use crate::say;

/// Times every distribution in every dtype on the CPU, and on the chosen device if it is another.
///
/// Each number is the median of several runs. A device's time is what its own clock says, where it has one, and the time
/// from submission to completion is given beside it; `to fill` is the speed relative to a plain fill of the same buffer in
/// the same run, `to CPU` relative to the CPU's row. A GPU works for two seconds before its first row, and each row
/// for 0.2 before it counts. A software adapter says nothing about a GPU.
#[derive(clap::Args)]
pub struct Bench {
    /// The device to time beside the CPU: as for `init`.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,
    /// The number of elements of each fill.
    #[arg(long, value_name = "N", default_value_t = 1 << 24, value_parser = clap::value_parser!(u64).range(1..=MAX_BENCH_ELEMENTS))]
    size: u64,
    /// The number of runs that the median is taken of.
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_BENCH_RUNS)))]
    runs: u32,
    /// The number of threads that the CPU draws with [default: one per core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// The streams to time, by their framework; several may be given, with commas between.
    #[arg(long, value_enum, ignore_case = true, value_delimiter = ',', default_value = "native")]
    stream: Vec<StreamKind>,
    /// Print a JSON list of rows instead of a table.
    #[arg(long)]
    json: bool,
}

/// The distributions to time. The first is the plain fill, which the others are compared with.
const DISTRIBUTIONS: [(&str, Distribution); 4] = [
    ("constant", Distribution::Constant { value: 1.0 }),
    ("uniform", Distribution::Uniform { low: -1.0, high: 1.0 }),
    ("normal", Distribution::Normal { mean: 0.0, std: 1.0 }),
    ("truncated_normal", Distribution::TruncatedNormal { mean: 0.0, std: 1.0, low: -2.0, high: 2.0 }),
];

/// The seed of the stream to time.
fn bench_seed(kind: StreamKind) -> Result<Seed, Failure> {
    Ok(match kind {
        StreamKind::Native => Seed::Native(42),
        StreamKind::Tensorflow => Seed::Tensorflow([42, 0]),
        StreamKind::Keras => Seed::Keras(42),
        StreamKind::Jax => Seed::Jax(42),
        StreamKind::JaxNn => Seed::JaxNn(42),
        StreamKind::Torch => Seed::Torch(Place::new(42)),
        // The host draws them, and no truncated normals.
        StreamKind::TorchKey | StreamKind::TorchCuda => {
            let message =
                format!("the stream is {}, allowed: native, tensorflow, keras, jax, jax-nn, torch", kind.name());
            return Err(Failure::input(message));
        }
    })
}

struct Timing {
    stream: StreamKind,
    device: String,
    backend: String,
    distribution: &'static str,
    dtype: Dtype,
    seconds: f64,
    end_to_end: f64,
}

impl Timing {
    fn title(&self) -> String {
        match self.stream {
            StreamKind::Native => self.distribution.into(),
            other => format!("{} {}", other.name(), self.distribution),
        }
    }
}

impl Bench {
    pub fn run(self) -> Result<(), Failure> {
        let engine = Engine::choose(&self.device)?;
        let mut rows = Vec::new();
        for &dtype in Dtype::ALL {
            rows.extend(match dtype {
                Dtype::F32 => self.on_cpu::<f32>()?,
                Dtype::F16 => self.on_cpu::<f16>()?,
                Dtype::BF16 => self.on_cpu::<bf16>()?,
                other => return Err(Failure::other(format!("{other} has no bench"))),
            });
        }
        if let Engine::Gpu(gpu) = &engine {
            rows.extend(self.on_gpu(gpu)?);
        }
        if self.json {
            let list: Vec<_> = rows.iter().map(|row| self.json_row(row, &rows)).collect();
            say::json(&list);
            return Ok(());
        }
        let mut device = "";
        for row in &rows {
            if row.device != device {
                device = &row.device;
                say!("{device}, {} elements, median of {} runs", self.size, self.runs);
                say!(
                    "  distribution                 dtype   10^9 values/s     GB/s   to fill   to CPU   end to end, ms"
                );
            }
            let speed = self.size as f64 / row.seconds / 1e9;
            say!(
                "  {:<28} {:<5} {speed:>15.3} {:>8.2} {:>9.3} {:>8.2} {:>16.3}",
                row.title(),
                row.dtype.to_string(),
                speed * row.dtype.bytes(1) as f64,
                to_fill(row, &rows),
                to_cpu(row, &rows),
                row.end_to_end * 1e3,
            );
        }
        Ok(())
    }

    fn fill(&self, distribution: &Distribution, dtype: Dtype, stream: StreamKind) -> Result<Fill, Failure> {
        let stream = bench_seed(stream)?.stream_alone("bench").map_err(Failure::input)?;
        distribution.fill(&[self.size], stream, dtype).map_err(Failure::input)
    }

    /// The work that is timed: the plain fill once, then each stream's distributions.
    fn work(&self) -> impl Iterator<Item = (StreamKind, &'static str, Distribution)> + '_ {
        let each = |stream: StreamKind| {
            DISTRIBUTIONS.into_iter().map(move |(name, distribution)| (stream, name, distribution))
        };
        let others = self.stream.iter().flat_map(move |&stream| each(stream).skip(1));
        each(StreamKind::Native).take(1).chain(others)
    }

    fn on_cpu<T: Element>(&self) -> Result<Vec<Timing>, Failure> {
        let mut values = Vec::<T>::new();
        let too_large =
            || Failure::input(format!("the size is {}, which does not fit this machine's memory", self.size));
        values.try_reserve_exact(usize::try_from(self.size).map_err(|_| too_large())?).map_err(|_| too_large())?;
        values.resize(self.size as usize, T::zeroed());
        let mut rows = Vec::new();
        for (stream, name, distribution) in self.work() {
            let fill = self.fill(&distribution, T::DTYPE, stream)?;
            let seconds = median(self.runs, || {
                let started = Instant::now();
                match self.threads {
                    Some(threads) => cpu::fill_with_threads(&fill, &mut values, threads.into()),
                    None => cpu::fill(&fill, &mut values),
                }
                .map_err(Failure::other)?;
                Ok(started.elapsed().as_secs_f64())
            })?;
            rows.push(Timing {
                stream,
                device: "CPU".into(),
                backend: "cpu".into(),
                distribution: name,
                dtype: T::DTYPE,
                seconds,
                end_to_end: seconds,
            });
        }
        Ok(rows)
    }

    /// Lets a GPU work until its clock has risen, on what it gives back before the rows take theirs.
    fn wake(&self, gpu: &Gpu) -> Result<(), Failure> {
        let fill = self.fill(&Distribution::Normal { mean: 0.0, std: 1.0 }, Dtype::F32, StreamKind::Native)?;
        let buffer = gpu.bench_buffer(fill.byte_len())?;
        run_for(WAKE_UP, || gpu.time(&fill, &buffer))
    }

    fn on_gpu(&self, gpu: &Gpu) -> Result<Vec<Timing>, Failure> {
        let mut rows = Vec::new();
        self.wake(gpu)?;
        for &dtype in Dtype::ALL {
            let buffer = gpu.bench_buffer(dtype.bytes(self.size))?;
            for (stream, name, distribution) in self.work() {
                let fill = self.fill(&distribution, dtype, stream)?;
                let mut ends = Vec::new();
                let seconds = median(self.runs, || {
                    let (seconds, end_to_end) = gpu.time(&fill, &buffer)?;
                    ends.push(end_to_end);
                    Ok(seconds)
                })?;
                rows.push(Timing {
                    stream,
                    device: gpu.label.clone(),
                    backend: gpu.backend.clone(),
                    distribution: name,
                    dtype,
                    seconds,
                    end_to_end: middle(ends),
                });
            }
        }
        Ok(rows)
    }

    fn json_row(&self, row: &Timing, rows: &[Timing]) -> serde_json::Value {
        serde_json::json!({
            "device": row.device, "backend": row.backend, "stream": row.stream.name(), "distribution": row.distribution,
            "dtype": row.dtype.to_string(), "elements": self.size, "seconds": row.seconds,
            "end_to_end_seconds": row.end_to_end, "values_per_second": self.size as f64 / row.seconds,
            "ratio_to_fill": to_fill(row, rows), "ratio_to_cpu": to_cpu(row, rows),
        })
    }
}

/// The time for which a row runs before it is timed.
const WARM_UP: Duration = Duration::from_millis(200);
/// The time for which a GPU works before its first row: its clock is slow while there is nothing to do (an H100's by a factor of five),
/// and takes a second to rise.
const WAKE_UP: Duration = Duration::from_secs(2);

/// The median of `runs` timings, after those of the first 0.2 seconds.
fn median(runs: u32, mut time: impl FnMut() -> Result<f64, Failure>) -> Result<f64, Failure> {
    run_for(WARM_UP, &mut time)?;
    (0..runs).map(|_| time()).collect::<Result<Vec<_>, _>>().map(middle)
}

/// Runs something again and again, for so long.
fn run_for<T>(duration: Duration, mut run: impl FnMut() -> Result<T, Failure>) -> Result<(), Failure> {
    let started = Instant::now();
    while started.elapsed() < duration {
        run()?;
    }
    Ok(())
}

fn middle(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn to_fill(row: &Timing, rows: &[Timing]) -> f64 {
    let plain = rows.iter().find(|r| r.device == row.device && r.dtype == row.dtype && r.distribution == "constant");
    plain.map_or(f64::NAN, |plain| plain.seconds / row.seconds)
}

fn to_cpu(row: &Timing, rows: &[Timing]) -> f64 {
    let cpu = rows.iter().find(|r| {
        r.backend == "cpu" && r.dtype == row.dtype && (r.stream, r.distribution) == (row.stream, row.distribution)
    });
    cpu.map_or(f64::NAN, |cpu| cpu.seconds / row.seconds)
}
