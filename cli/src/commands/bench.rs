//! `fanin bench`: how fast this machine draws, beside a plain fill of the same memory.

use crate::draw::engine::Engine;
use crate::draw::seed::StreamKind;
use crate::failure::Failure;
use crate::limits::{MAX_BENCH_ELEMENTS, MAX_BENCH_RUNS};
use crate::ops::bench::{Timer, Timing};
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

impl Bench {
    pub fn run(self) -> Result<(), Failure> {
        let engine = Engine::choose(&self.device)?;
        let timer = Timer { size: self.size, runs: self.runs, threads: self.threads, streams: self.stream };
        let mut rows = timer.on_cpu()?;
        if let Engine::Gpu(gpu) = &engine {
            rows.extend(timer.on_gpu(gpu)?);
        }
        if self.json {
            say::json(&rows.iter().map(|row| json_row(row, &rows, self.size)).collect::<Vec<_>>());
        } else {
            say_table(&rows, self.size, self.runs);
        }
        Ok(())
    }
}

/// Prints a line for each fill, below its device.
fn say_table(rows: &[Timing], size: u64, runs: u32) {
    let mut device = "";
    for row in rows {
        if row.device != device {
            device = &row.device;
            say!("{device}, {size} elements, median of {runs} runs");
            say!("  distribution                 dtype   10^9 values/s     GB/s   to fill   to CPU   end to end, ms");
        }
        let speed = size as f64 / row.seconds / 1e9;
        say!(
            "  {:<28} {:<5} {speed:>15.3} {:>8.2} {:>9.3} {:>8.2} {:>16.3}",
            title(row),
            row.dtype.to_string(),
            speed * row.dtype.bytes(1) as f64,
            row.relative_to_fill(rows),
            row.relative_to_cpu(rows),
            row.end_to_end * 1e3,
        );
    }
}

fn title(row: &Timing) -> String {
    match row.stream {
        StreamKind::Native => row.distribution.into(),
        other => format!("{} {}", other.name(), row.distribution),
    }
}

fn json_row(row: &Timing, rows: &[Timing], size: u64) -> serde_json::Value {
    serde_json::json!({
        "device": row.device, "backend": row.backend, "stream": row.stream.name(), "distribution": row.distribution,
        "dtype": row.dtype.to_string(), "elements": size, "seconds": row.seconds,
        "end_to_end_seconds": row.end_to_end, "values_per_second": size as f64 / row.seconds,
        "ratio_to_fill": row.relative_to_fill(rows), "ratio_to_cpu": row.relative_to_cpu(rows),
    })
}
