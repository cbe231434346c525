//! The time that an adapter takes for a fill, for `fanin bench`.

use std::time::Instant;

use fanin::Fill;
use wgpu::BufferUsages;

use crate::draw::gpu::{Gpu, Pending};
use crate::failure::Failure;

impl Gpu {
    /// A buffer to time fills of, if the device can have one so large.
    pub fn bench_buffer(&self, bytes: u64) -> Result<wgpu::Buffer, Failure> {
        let most = self.device.limits().max_buffer_size;
        if bytes > most {
            let message = format!("{}: a buffer of {bytes} bytes is wanted, allowed: at most {most}", self.label);
            return Err(Failure::input(message));
        }
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("fanin bench"),
            size: bytes.next_multiple_of(16),
            usage: BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        match self.reported() {
            Ok(()) => Ok(buffer),
            Err(e) => Err(Failure::input(format!("a buffer of {bytes} bytes: {}", e.message))),
        }
    }

    /// Seconds that a fill takes by the device's clock, where it has one, and from submission to completion.
    pub fn time(&self, fill: &Fill, buffer: &wgpu::Buffer) -> Result<(f64, f64), Failure> {
        let clock = self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY).then(|| {
            self.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            })
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        // Empty passes before and after read the clock.
        let mark = |encoder: &mut wgpu::CommandEncoder, beginning, end| {
            if let Some(query_set) = &clock {
                let timestamp_writes = Some(wgpu::ComputePassTimestampWrites {
                    query_set,
                    beginning_of_pass_write_index: beginning,
                    end_of_pass_write_index: end,
                });
                encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
            }
        };
        mark(&mut encoder, None, Some(0));
        self.filler.record(&mut encoder, fill, buffer, 0).map_err(|e| self.failed(e))?;
        mark(&mut encoder, Some(1), None);
        let commands = encoder.finish();
        let started = Instant::now();
        self.queue.submit([commands]);
        self.poll(wgpu::PollType::wait_indefinitely())?;
        let end_to_end = started.elapsed().as_secs_f64();
        let Some(clock) = clock else { return Ok((end_to_end, end_to_end)) };

        let stamps = |usage| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 16,
                usage,
                mapped_at_creation: false,
            })
        };
        let resolved = stamps(BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC);
        let read = stamps(BufferUsages::COPY_DST | BufferUsages::MAP_READ);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.resolve_query_set(&clock, 0..2, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &read, 0, 16);
        let submission = self.queue.submit([encoder.finish()]);
        self.reported()?;
        let mut stamps = [0u64; 2];
        self.hand_over(&Pending::new(&read, 16, submission), &mut |bytes| {
            bytemuck::cast_slice_mut(&mut stamps).copy_from_slice(bytes);
            Ok(())
        })?;
        let seconds = stamps[1].saturating_sub(stamps[0]) as f64 * f64::from(self.queue.get_timestamp_period()) / 1e9;
        // A clock that stands still measures nothing.
        Ok(if seconds > 0.0 { (seconds, end_to_end) } else { (end_to_end, end_to_end) })
    }
}
