//! Burn's wgpu backend, timed as `fanin bench --json` times fanin: a list of rows.
//!
//! `fanin-bench-burn ELEMENTS RUNS`, on the adapter that wgpu takes by default, or on a software one if there is no other.

use std::time::Instant;

use burn::tensor::{Device, DeviceKind, Distribution, Tensor};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<usize>().expect("a number"));
    let (elements, runs) = (arguments.next().unwrap_or(1 << 24), arguments.next().unwrap_or(9));
    let device = Device::wgpu(DeviceKind::DefaultDevice);
    let rows = [("uniform", Distribution::Uniform(-1.0, 1.0)), ("normal", Distribution::Normal(0.0, 1.0))].map(
        |(name, distribution)| {
            let draw = || {
                let started = Instant::now();
                let tensor = Tensor::<1>::random([elements], distribution, &device);
                device.sync().expect("the device works");
                drop(tensor);
                started.elapsed().as_secs_f64()
            };
            draw();
            let mut seconds: Vec<f64> = (0..runs).map(|_| draw()).collect();
            seconds.sort_by(f64::total_cmp);
            let median = seconds[runs / 2];
            let speed = elements as f64 / median;
            format!(
                r#"{{"device": "wgpu", "backend": "burn", "distribution": "{name}", "dtype": "f32", "elements": {elements}, "seconds": {median}, "values_per_second": {speed}}}"#
            )
        },
    );
    println!("[{}]", rows.join(",\n "));
}
