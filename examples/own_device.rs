//! A program with its own wgpu device draws a dense layer's weights into its own buffer, and its own compute pass uses them
//! there: y = W x for x of ones. Only y comes back to the host.
//!
//! Run it with `cargo run --release --example own_device`.

use fanin::gpu::wgpu::{self, BufferUsages};
use fanin::gpu::{self, GpuFiller};
use fanin::{Dtype, Layout, Scheme, Stream};

const OUT: u64 = 4096;
const IN: u64 = 1024;

const MATVEC: &str = "
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var sum = 0.0;
    for (var i = 0u; i < 1024u; i++) {
        sum += weight[id.x * 1024u + i];
    }
    y[id.x] = sum;
}";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The program's own things.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()))?;
    let descriptor = wgpu::DeviceDescriptor { required_features: gpu::features(&adapter), ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))?;
    let buffer = |size, usage| {
        device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
    };
    let weight = buffer(OUT * IN * 4, BufferUsages::STORAGE);
    let y = buffer(OUT * 4, BufferUsages::STORAGE | BufferUsages::COPY_SRC);
    let read = buffer(OUT * 4, BufferUsages::COPY_DST | BufferUsages::MAP_READ);
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("matvec"),
        source: wgpu::ShaderSource::Wgsl(MATVEC.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("matvec"),
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: Default::default(),
        cache: None,
    });
    let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: weight.as_entire_binding() },
            wgpu::BindGroupEntry { binding: 1, resource: y.as_entire_binding() },
        ],
    });

    // fanin: what to draw, recorded ahead of the pass that reads it.
    let filler = GpuFiller::new(&device, &queue)?;
    let he: Scheme = "he_normal".parse()?;
    let fill = he.fill(&[OUT, IN], Layout::OUT_IN, Stream::named(42, "dense.weight"), Dtype::F32)?;
    let mut encoder = device.create_command_encoder(&Default::default());
    filler.record(&mut encoder, &fill, &weight, 0)?;

    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups(OUT as u32 / 64, 1, 1);
    }
    encoder.copy_buffer_to_buffer(&y, 0, &read, 0, OUT * 4);
    queue.submit([encoder.finish()]);

    read.map_async(wgpu::MapMode::Read, .., |_| ());
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let view = read.get_mapped_range(..)?;
    let y: &[f32] = bytemuck::cast_slice(&view);
    let variance = y.iter().map(|y| f64::from(*y).powi(2)).sum::<f64>() / OUT as f64;
    println!("W is {fill}, drawn on {}", adapter.get_info().name);
    println!("y = W x for x of ones has variance {variance:.3}; He et al. promise 2");
    Ok(())
}
