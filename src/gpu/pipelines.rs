//! Kernels -> pipelines, and their parameters.

use std::ops::Range;
use std::sync::OnceLock;

use wgpu::{BindGroup, BindGroupLayout, Buffer, BufferBinding, BufferUsages, ComputePipeline, Device, PipelineLayout};

use super::windows::{Params, Writes};
use crate::sampler::Kernel;
use crate::{Dtype, Error};

const KERNELS: usize = 12;

/// The pipelines of one device, compiled when first needed.
#[derive(Debug)]
pub(super) struct Pipelines {
    bindings: BindGroupLayout,
    layout: PipelineLayout,
    /// Bytes from one dispatch's parameters to the next's.
    stride: u32,
    pipelines: [[[OnceLock<ComputePipeline>; 2]; Dtype::ALL.len()]; KERNELS],
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
                label: Some(name(kernel)),
                source: wgpu::ShaderSource::Wgsl(source(kernel, dtype, writes, wide).into()),
            });
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(name(kernel)),
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

fn name(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::Constant => "fanin constant",
        Kernel::Uniform => "fanin uniform",
        Kernel::Normal => "fanin normal",
        Kernel::TruncatedByNormal => "fanin truncated normal by normal",
        Kernel::TruncatedByExponential => "fanin truncated normal by exponential",
        Kernel::Words => "fanin words",
        Kernel::ThreefryWords => "fanin threefry words",
        Kernel::TensorFlowUniform => "fanin TensorFlow uniform",
        Kernel::TensorFlowNormal => "fanin TensorFlow normal",
        Kernel::TensorFlowTruncated => "fanin TensorFlow truncated normal",
        Kernel::JaxUniform => "fanin JAX uniform",
        Kernel::JaxNormal => "fanin JAX normal",
    }
}

const BLOCKS: &str = include_str!("../../shaders/blocks.wgsl");
const TENSORFLOW: &str = include_str!("../../shaders/tensorflow.wgsl");
const THREEFRY: &str = include_str!("../../shaders/threefry.wgsl");
const JAX: &str = include_str!("../../shaders/jax.wgsl");

/// A kernel's WGSL: the shared parts and its own, one after the other.
fn source(kernel: Kernel, dtype: Dtype, writes: Writes, wide: bool) -> String {
    let own: &[&str] = match kernel {
        Kernel::Constant => &[include_str!("../../shaders/constant.wgsl"), BLOCKS],
        Kernel::Uniform => &[include_str!("../../shaders/uniform.wgsl"), BLOCKS],
        Kernel::Normal => &[include_str!("../../shaders/normal.wgsl"), BLOCKS],
        Kernel::TruncatedByNormal => {
            &[include_str!("../../shaders/by_normal.wgsl"), include_str!("../../shaders/truncated_normal.wgsl")]
        }
        Kernel::TruncatedByExponential => {
            &[include_str!("../../shaders/by_exponential.wgsl"), include_str!("../../shaders/truncated_normal.wgsl")]
        }
        Kernel::Words => &[include_str!("../../shaders/words.wgsl"), BLOCKS],
        Kernel::ThreefryWords => &[THREEFRY, include_str!("../../shaders/threefry_words.wgsl"), BLOCKS],
        Kernel::TensorFlowUniform => &[TENSORFLOW, include_str!("../../shaders/tensorflow_uniform.wgsl"), BLOCKS],
        Kernel::TensorFlowNormal => &[TENSORFLOW, include_str!("../../shaders/tensorflow_normal.wgsl"), BLOCKS],
        Kernel::TensorFlowTruncated => &[TENSORFLOW, include_str!("../../shaders/tensorflow_truncated.wgsl"), BLOCKS],
        Kernel::JaxUniform => &[THREEFRY, JAX, include_str!("../../shaders/jax_uniform.wgsl"), BLOCKS],
        Kernel::JaxNormal => &[THREEFRY, JAX, include_str!("../../shaders/jax_normal.wgsl"), BLOCKS],
    };
    let multiplication = if wide {
        include_str!("../../shaders/mul_wide_u64.wgsl")
    } else {
        include_str!("../../shaders/mul_wide.wgsl")
    };
    let write = match (writes, dtype.size()) {
        (Writes::Words, _) => include_str!("../../shaders/write_words.wgsl"),
        (Writes::Blocks, 4) => include_str!("../../shaders/write_blocks_32.wgsl"),
        (Writes::Blocks, _) => include_str!("../../shaders/write_blocks_16.wgsl"),
    };
    let shared = [
        include_str!("../../shaders/params.wgsl"),
        multiplication,
        include_str!("../../shaders/philox.wgsl"),
        include_str!("../../shaders/math.wgsl"),
        include_str!("../../shaders/rounding.wgsl"),
        write,
        include_str!("../../shaders/tile.wgsl"),
    ];
    [&shared, own].concat().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What browsers need: WGSL without any optional capability.
    #[test]
    fn kernels_are_core_wgsl() {
        use naga::valid::{Capabilities, ValidationFlags, Validator};
        let kernels = [
            Kernel::Constant,
            Kernel::Uniform,
            Kernel::Normal,
            Kernel::TruncatedByNormal,
            Kernel::TruncatedByExponential,
            Kernel::Words,
            Kernel::ThreefryWords,
            Kernel::TensorFlowUniform,
            Kernel::TensorFlowNormal,
            Kernel::TensorFlowTruncated,
            Kernel::JaxUniform,
            Kernel::JaxNormal,
        ];
        assert_eq!(kernels.len(), KERNELS);
        for kernel in kernels {
            for dtype in Dtype::ALL {
                for writes in [Writes::Words, Writes::Blocks] {
                    let text = source(kernel, dtype, writes, false);
                    let module =
                        naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
                    let valid = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
                    assert!(valid.is_ok(), "{kernel:?} {dtype} {writes:?}: {valid:?}");
                }
            }
        }
    }
}
