//! Kernels -> pipelines, and their parameters.

use std::ops::Range;
use std::sync::OnceLock;

use wgpu::{BindGroup, BindGroupLayout, Buffer, BufferBinding, BufferUsages, ComputePipeline, Device, PipelineLayout};

use super::kernels::{Writes, label, source};
use super::windows::Params;
use crate::sampler::Kernel;
use crate::{Dtype, Error};

/// The pipelines of one device, compiled when first needed.
#[derive(Debug)]
pub(super) struct Pipelines {
    bindings: BindGroupLayout,
    layout: PipelineLayout,
    /// Bytes from one dispatch's parameters to the next's.
    stride: u32,
    pipelines: [[[OnceLock<ComputePipeline>; Writes::ALL.len()]; Dtype::ALL.len()]; Kernel::ALL.len()],
}

impl Pipelines {
    pub fn new(device: &Device) -> Pipelines {
        let entry = |binding, ty, has_dynamic_offset, size: usize| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset,
                min_binding_size: wgpu::BufferSize::new(size as u64),
            },
            count: None,
        };
        let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("fanin"),
            entries: &[
                entry(0, wgpu::BufferBindingType::Uniform, true, size_of::<Params>()),
                // The least size depends on how a pipeline writes.
                entry(1, wgpu::BufferBindingType::Storage { read_only: false }, false, 0),
            ],
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("fanin"),
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        let alignment = device.limits().min_uniform_buffer_offset_alignment;
        let stride = (size_of::<Params>() as u32).next_multiple_of(alignment);
        Pipelines { bindings, layout, stride, pipelines: Default::default() }
    }

    pub fn get(&self, device: &Device, kernel: Kernel, dtype: Dtype, writes: Writes) -> &ComputePipeline {
        self.pipelines[kernel as usize][dtype as usize][writes as usize].get_or_init(|| {
            let wide = device.features().contains(wgpu::Features::SHADER_INT64);
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(label(kernel)),
                source: wgpu::ShaderSource::Wgsl(source(kernel, dtype, writes, wide).into()),
            });
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(label(kernel)),
                layout: Some(&self.layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &[("dtype", f64::from(dtype as u32))],
                    ..Default::default()
                },
                cache: None,
            })
        })
    }

    /// A buffer that holds the parameters of many dispatches.
    pub fn parameters<'a>(&self, device: &Device, all: impl Iterator<Item = &'a Params>) -> Result<Buffer, Error> {
        let mut bytes = Vec::new();
        for params in all {
            bytes.extend_from_slice(bytemuck::bytes_of(params));
            bytes.resize(bytes.len().next_multiple_of(self.stride as usize), 0);
        }
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("fanin parameters"),
            size: bytes.len() as u64,
            usage: BufferUsages::UNIFORM,
            mapped_at_creation: true,
        });
        buffer.get_mapped_range_mut(..).map_err(|e| Error::Device { reason: e.to_string() })?.copy_from_slice(&bytes);
        buffer.unmap();
        Ok(buffer)
    }

    /// Where the parameters of dispatch `i` are in their buffer.
    pub fn parameter_offset(&self, i: usize) -> u32 {
        i as u32 * self.stride
    }

    pub fn bindings(&self, device: &Device, parameters: &Buffer, target: &Buffer, bytes: Range<u64>) -> BindGroup {
        let bind = |buffer, offset, size| {
            wgpu::BindingResource::Buffer(BufferBinding { buffer, offset, size: wgpu::BufferSize::new(size) })
        };
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("fanin"),
            layout: &self.bindings,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: bind(parameters, 0, size_of::<Params>() as u64) },
                wgpu::BindGroupEntry { binding: 1, resource: bind(target, bytes.start, bytes.end - bytes.start) },
            ],
        })
    }
}
