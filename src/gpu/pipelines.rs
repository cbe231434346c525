//! Kernels -> pipelines, and their parameters.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wgpu::{
    BindGroup, BindGroupLayout, Buffer, BufferBinding, BufferUsages, ComputePipeline, Device, PipelineCache,
    PipelineLayout,
};

use super::compile::{self, Entry};
use super::features::{Rounding, is_wide};
use super::kernels::{Variant, source};
use super::scopes::scoped;
use super::tables::HEAD;
use super::windows::{Params, ROWS};
#[cfg(test)]
use crate::sampler::Kernel;
use crate::{Error, ErrorKind};

/// Bytes of the parameters of a dispatch, whether it has one window or many.
const PARAMETERS: usize = ROWS * size_of::<Params>();

/// The pipelines of one device, compiled when first needed.
#[derive(Debug)]
pub(super) struct Pipelines {
    /// Without and with a table.
    bindings: [BindGroupLayout; 2],
    layouts: [PipelineLayout; 2],
    /// A dispatch's parameters begin at a multiple of so many bytes.
    alignment: usize,
    cache: Option<PipelineCache>,
    pipelines: Mutex<HashMap<(Variant, Rounding), ComputePipeline>>,
}

impl Pipelines {
    pub fn new(device: &Device) -> Result<Pipelines, Error> {
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
        let all = [
            entry(0, wgpu::BufferBindingType::Uniform, true, PARAMETERS),
            // The least size depends on how a pipeline writes.
            entry(1, wgpu::BufferBindingType::Storage { read_only: false }, false, 0),
            entry(2, wgpu::BufferBindingType::Storage { read_only: true }, false, 4 * HEAD),
        ];
        let (bindings, layouts) = scoped(device, "the layout of bindings", || {
            let bindings = [&all[..2], &all].map(|entries| {
                let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some("fanin"), entries };
                device.create_bind_group_layout(&descriptor)
            });
            let layouts = [&bindings[0], &bindings[1]].map(|bindings| {
                device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                    label: Some("fanin"),
                    bind_group_layouts: &[Some(bindings)],
                    immediate_size: 0,
                })
            });
            (bindings, layouts)
        })?;
        let alignment = device.limits().min_uniform_buffer_offset_alignment as usize;
        Ok(Pipelines { bindings, layouts, alignment, cache: None, pipelines: Default::default() })
    }

    pub fn with_cache(self, cache: &PipelineCache) -> Pipelines {
        Pipelines { cache: Some(cache.clone()), ..self }
    }

    /// A pipeline, compiled when it is first asked for; one that does not compile is compiled again when it is asked for again.
    pub fn get(&self, device: &Device, variant: Variant, rounding: Rounding) -> Result<ComputePipeline, Error> {
        let compiled = self.compiled().get(&(variant, rounding)).cloned();
        if let Some(pipeline) = compiled {
            return Ok(pipeline);
        }
        // Others may compile meanwhile.
        let pipeline = self.compile(device, variant, rounding, &source(variant, is_wide(device), rounding))?;
        Ok(self.compiled().entry((variant, rounding)).or_insert(pipeline).clone())
    }

    fn compiled(&self) -> MutexGuard<'_, HashMap<(Variant, Rounding), ComputePipeline>> {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn compile(
        &self,
        device: &Device,
        variant: Variant,
        rounding: Rounding,
        wgsl: &str,
    ) -> Result<ComputePipeline, Error> {
        let (name, dtype) = (variant.kernel.name(), variant.dtype);
        let (label, constants) = (format!("fanin {name}"), variant.constants());
        let entry = Entry { wgsl, name: "main", constants: &constants, bindings: variant.bindings() };
        let layout = &self.layouts[usize::from(variant.kernel.has_table())];
        let setting = compile::Setting { label: &label, layout, cache: self.cache.as_ref() };
        compile::compile(device, rounding, &format!("the kernel {name} in {dtype}"), &entry, &setting)
    }

    /// Lets one kernel draw what another one should, as a compiler might that has its own ideas.
    #[cfg(test)]
    pub fn mistake(&self, device: &Device, variant: Variant, rounding: Rounding, by: Kernel) {
        let by = Variant { kernel: by, ..variant };
        let wrong = self.compile(device, by, rounding, &source(by, is_wide(device), rounding)).unwrap();
        self.compiled().insert((variant, rounding), wrong);
    }

    /// Leaves the marks out with which the language keeps a pipeline's rounding.
    #[cfg(test)]
    pub fn unmark(&self, device: &Device, variant: Variant) {
        let wgsl = source(variant, is_wide(device), Rounding::ByLanguage);
        let constants = variant.constants();
        let entry = Entry { wgsl: &wgsl, name: "main", constants: &constants, bindings: variant.bindings() };
        let layout = &self.layouts[usize::from(variant.kernel.has_table())];
        let setting = compile::Setting { label: "unmarked", layout, cache: None };
        let pipeline = compile::unmarked(device, &entry, &setting).unwrap();
        self.compiled().insert((variant, Rounding::ByLanguage), pipeline);
    }

    /// A dispatch's parameters begin at a multiple of so many bytes.
    pub fn alignment(&self) -> usize {
        self.alignment
    }

    /// A buffer that holds the parameters of many dispatches.
    pub fn parameters(&self, device: &Device, bytes: &[u8]) -> Result<Buffer, Error> {
        // All that the last one's binding reaches.
        self.holding(device, bytes, bytes.len() + PARAMETERS, BufferUsages::UNIFORM)
    }

    /// A buffer of so many bytes, which begins with these.
    pub fn holding(&self, device: &Device, bytes: &[u8], size: usize, usage: BufferUsages) -> Result<Buffer, Error> {
        let made = scoped(device, "a buffer of parameters", || {
            let buffer = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("fanin parameters"),
                size: size as u64,
                usage,
                mapped_at_creation: true,
            });
            // A device that is lost says so here alone.
            let Ok(mut mapped) = buffer.get_mapped_range_mut(..) else { return None };
            mapped.slice(..bytes.len()).copy_from_slice(bytes);
            drop(mapped);
            buffer.unmap();
            Some(buffer)
        })?;
        made.ok_or_else(|| Error::failed(ErrorKind::Device, "the device", "was lost or destroyed"))
    }

    pub fn bindings(
        &self,
        device: &Device,
        parameters: &Buffer,
        target: &Buffer,
        bytes: Range<u64>,
        table: Option<&Buffer>,
    ) -> Result<BindGroup, Error> {
        let bind = |buffer, offset, size| {
            wgpu::BindingResource::Buffer(BufferBinding { buffer, offset, size: wgpu::BufferSize::new(size) })
        };
        let mut entries = vec![
            wgpu::BindGroupEntry { binding: 0, resource: bind(parameters, 0, PARAMETERS as u64) },
            wgpu::BindGroupEntry { binding: 1, resource: bind(target, bytes.start, bytes.end - bytes.start) },
        ];
        entries.extend(table.map(|table| wgpu::BindGroupEntry { binding: 2, resource: table.as_entire_binding() }));
        let layout = &self.bindings[usize::from(table.is_some())];
        scoped(device, "the buffer cannot be bound", || {
            let descriptor = wgpu::BindGroupDescriptor { label: Some("fanin"), layout, entries: &entries };
            device.create_bind_group(&descriptor)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::features::features;
    use super::super::kernels::Writes;
    use super::*;
    use crate::Dtype;

    /// A refusal of a driver is an error that names the kernel, and the next kernel compiles.
    #[test]
    fn a_kernel_that_does_not_compile_is_an_error() {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
        assert!(
            !adapters.is_empty(),
            "these tests need an adapter: apt-get install mesa-vulkan-drivers, or run tests/run"
        );
        for adapter in adapters {
            let descriptor = wgpu::DeviceDescriptor { required_features: features(&adapter), ..Default::default() };
            let (device, _queue) = match pollster::block_on(adapter.request_device(&descriptor)) {
                // A GPU's driver may be one that wgpu cannot open: NVIDIA's OpenGL.
                Err(_) if adapter.get_info().device_type != wgpu::DeviceType::Cpu => continue,
                opened => opened.unwrap(),
            };
            let pipelines = Pipelines::new(&device).unwrap();
            let roundings = [Rounding::ByGuards, Rounding::of(&device)];
            let variant = Variant { kernel: Kernel::Normal, asks: 0, dtype: Dtype::F32, writes: Writes::Words };
            for wrong in ["fn main() { let x = 1 + ; }", "@compute @workgroup_size(1) fn other() {}"] {
                for rounding in roundings {
                    let error = pipelines.compile(&device, variant, rounding, wrong).unwrap_err();
                    assert!(std::error::Error::source(&error).is_some());
                    let error = error.to_string();
                    assert!(error.contains("the kernel normal in f32 does not compile"), "{error}");
                }
            }
            for rounding in roundings {
                pipelines.get(&device, variant, rounding).unwrap();
            }
        }
    }
}
