//! The times that fills take, on the CPU and on a GPU.

mod gpu;

use std::time::{Duration, Instant};

use fanin::torch::Place;
use fanin::{Distribution, Dtype, Element, Fill, Seed, cpu};
use half::{bf16, f16};

use crate::draw::gpu::Gpu;
use crate::draw::seed::StreamKind;
use crate::failure::Failure;

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

/// The time of a fill on a device.
pub struct Timing {
    pub stream: StreamKind,
    pub device: String,
    pub backend: String,
    pub distribution: &'static str,
    pub dtype: Dtype,
    pub seconds: f64,
    pub end_to_end: f64,
}

impl Timing {
    /// The speed relative to a plain fill of the same memory, which is one of these.
    pub fn relative_to_fill(&self, all: &[Timing]) -> f64 {
        let is_plain = |other: &&Timing| {
            (&other.device, other.dtype, other.distribution) == (&self.device, self.dtype, "constant")
        };
        all.iter().find(is_plain).map_or(f64::NAN, |plain| plain.seconds / self.seconds)
    }

    /// The speed relative to the CPU's, which is one of these.
    pub fn relative_to_cpu(&self, all: &[Timing]) -> f64 {
        let key = |timing: &Timing| (timing.dtype, timing.stream, timing.distribution);
        let cpu = all.iter().find(|other| other.backend == "cpu" && key(other) == key(self));
        cpu.map_or(f64::NAN, |cpu| cpu.seconds / self.seconds)
    }
}

/// The fills to time, and how often.
pub struct Timer {
    /// The elements of each fill.
    pub size: u64,
    /// The runs that the median is taken of.
    pub runs: u32,
    /// The threads of the CPU, if not one per core.
    pub threads: Option<u16>,
    pub streams: Vec<StreamKind>,
}

impl Timer {
    /// The times on the CPU, in every dtype.
    pub fn on_cpu(&self) -> Result<Vec<Timing>, Failure> {
        let mut rows = Vec::new();
        for &dtype in Dtype::ALL {
            rows.extend(match dtype {
                Dtype::F32 => self.on_cpu_in::<f32>()?,
                Dtype::F16 => self.on_cpu_in::<f16>()?,
                Dtype::BF16 => self.on_cpu_in::<bf16>()?,
                other => return Err(Failure::other(format!("{other} has no bench"))),
            });
        }
        Ok(rows)
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
        let others = self.streams.iter().flat_map(move |&stream| each(stream).skip(1));
        each(StreamKind::Native).take(1).chain(others)
    }

    fn on_cpu_in<T: Element>(&self) -> Result<Vec<Timing>, Failure> {
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

    /// The times on a GPU, in every dtype.
    pub fn on_gpu(&self, gpu: &Gpu) -> Result<Vec<Timing>, Failure> {
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
