//! The engine: a device, and the programs that it has compiled.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use wgpu::{
    BindGroup, BindGroupLayout, Buffer, BufferBinding, BufferUsages, ComputePipeline, Device, PipelineCache,
    PipelineLayout, Queue,
};

use super::compile::{self, Entry, Setting};
#[cfg(test)]
use super::features::Rounding;
use super::features::is_wide;
#[cfg(test)]
use super::kernels::Variant;
use super::program::{Access, Bindings, Program};
use super::scopes::scoped;
#[cfg(test)]
use crate::kernel::Kernel;
use crate::{Error, ErrorKind};

/// A device, its queue and its compiled programs.
#[derive(Debug)]
pub(super) struct Engine {
    pub device: Device,
    pub queue: Queue,
    /// A dispatch's parameters begin at a multiple of so many bytes.
    pub alignment: usize,
    cache: Option<PipelineCache>,
    layouts: Mutex<HashMap<Bindings, Layouts>>,
    pipelines: Mutex<HashMap<Program, Compiled>>,
}

/// A program that can be run.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub pipeline: ComputePipeline,
    /// The layout of its bindings, which all programs of the same bindings share.
    pub layout: BindGroupLayout,
}

/// The layouts that all programs of the same bindings share.
#[derive(Clone, Debug)]
struct Layouts {
    group: BindGroupLayout,
    pipeline: PipelineLayout,
}

impl Engine {
    pub fn new(device: &Device, queue: &Queue) -> Engine {
        let alignment = device.limits().min_uniform_buffer_offset_alignment as usize;
        let (device, queue) = (device.clone(), queue.clone());
        Engine { device, queue, alignment, cache: None, layouts: Mutex::default(), pipelines: Mutex::default() }
    }

    pub fn with_cache(self, cache: &PipelineCache) -> Engine {
        Engine { cache: Some(cache.clone()), ..self }
    }

    /// A program, compiled when it is first asked for; one that does not compile is compiled again when it is asked for again.
    pub fn compiled(&self, program: &Program) -> Result<Compiled, Error> {
        let compiled = self.pipelines().get(program).cloned();
        if let Some(compiled) = compiled {
            return Ok(compiled);
        }
        // Others may compile meanwhile.
        let compiled = self.compile(program, &program.wgsl(is_wide(&self.device)))?;
        Ok(self.pipelines().entry(*program).or_insert(compiled).clone())
    }

    fn pipelines(&self) -> MutexGuard<'_, HashMap<Program, Compiled>> {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn compile(&self, program: &Program, wgsl: &str) -> Result<Compiled, Error> {
        self.compile_by(program, wgsl, |entry, setting| {
            let what = format!("the kernel {}", program.name());
            compile::compile(&self.device, program.rounding(), &what, entry, setting)
        })
    }

    fn compile_by(
        &self,
        program: &Program,
        wgsl: &str,
        compile: impl FnOnce(&Entry<'_>, &Setting<'_>) -> Result<ComputePipeline, Error>,
    ) -> Result<Compiled, Error> {
        let bindings = program.bindings();
        let Layouts { group, pipeline: layout } = self.layouts(&bindings)?;
        let label = format!("fanin {}", program.name());
        let entry =
            Entry { wgsl, name: program.entry(), constants: &program.constants(), bindings: &bindings.numbers() };
        let pipeline = compile(&entry, &Setting { label: &label, layout: &layout, cache: self.cache.as_ref() })?;
        Ok(Compiled { pipeline, layout: group })
    }

    /// The layouts of these bindings.
    fn layouts(&self, bindings: &Bindings) -> Result<Layouts, Error> {
        let layouts = || self.layouts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = layouts().get(bindings).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let entry = |binding, ty, has_dynamic_offset, least| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: wgpu::BufferSize::new(least) },
            count: None,
        };
        let storage = |&(number, access, least): &(u32, Access, u64)| {
            entry(number, wgpu::BufferBindingType::Storage { read_only: access == Access::Read }, false, least)
        };
        let uniform = entry(0, wgpu::BufferBindingType::Uniform, true, bindings.parameters as u64);
        let entries: Vec<_> = std::iter::once(uniform).chain(bindings.buffers.iter().map(storage)).collect();
        let made = scoped(&self.device, "the layout of bindings", || {
            let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some("fanin"), entries: &entries };
            let group = self.device.create_bind_group_layout(&descriptor);
            let pipeline = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some("fanin"),
                bind_group_layouts: &[Some(&group)],
                immediate_size: 0,
            });
            Layouts { group, pipeline }
        })?;
        Ok(layouts().entry(bindings.clone()).or_insert(made).clone())
    }

    /// A buffer of so many bytes, rounded up to whole words.
    pub fn buffer(&self, label: &str, bytes: u64, usage: BufferUsages) -> Result<Buffer, Error> {
        let (label, size) = (Some(label), bytes.checked_next_multiple_of(4).unwrap_or(bytes));
        scoped(&self.device, &format!("a buffer of {size} bytes"), || {
            self.device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false })
        })
    }

    /// A buffer of so many bytes, which begins with these.
    pub fn holding(&self, bytes: &[u8], size: usize, usage: BufferUsages) -> Result<Buffer, Error> {
        let made = scoped(&self.device, "a buffer of parameters", || {
            let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
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

    /// The buffer's bytes, once the device has written them.
    pub fn read_back(&self, buffer: &Buffer) -> Result<Vec<u8>, Error> {
        let failed = || Error::failed(ErrorKind::Device, "the device", "did not give its results back");
        let copy = self.buffer("fanin read-back", buffer.size(), BufferUsages::COPY_DST | BufferUsages::MAP_READ)?;
        scoped(&self.device, "reading back", || {
            let mut encoder = self.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(buffer, 0, &copy, 0, buffer.size());
            self.queue.submit([encoder.finish()]);
            let (sender, receiver) = mpsc::channel();
            copy.map_async(wgpu::MapMode::Read, .., move |result| {
                // The receiver is there until the answer is.
                let _ = sender.send(result);
            });
            self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| failed().because(e))?;
            let answer = receiver.try_recv().map_err(|_| failed())?;
            answer.map_err(|e| failed().because(e))?;
            Ok(copy.get_mapped_range(..).map_err(|e| failed().because(e))?.to_vec())
        })?
    }

    /// A program's buffers: parameters, and then one for each of its bindings.
    pub fn group(
        &self,
        program: &Program,
        layout: &BindGroupLayout,
        parameters: &Buffer,
        buffers: &[(Buffer, Option<Range<u64>>)],
    ) -> Result<BindGroup, Error> {
        let bindings = program.bindings();
        let bind = |buffer, bytes: &Option<Range<u64>>| {
            let Range { start, end } = bytes.clone().unwrap_or_default();
            let size = wgpu::BufferSize::new(end - start);
            wgpu::BindingResource::Buffer(BufferBinding { buffer, offset: start, size })
        };
        let resource = bind(parameters, &Some(0..bindings.parameters as u64));
        let first = wgpu::BindGroupEntry { binding: 0, resource };
        let others = bindings
            .buffers
            .iter()
            .zip(buffers)
            .map(|(&(binding, ..), (buffer, bytes))| wgpu::BindGroupEntry { binding, resource: bind(buffer, bytes) });
        let entries: Vec<_> = std::iter::once(first).chain(others).collect();
        scoped(&self.device, "the buffer cannot be bound", || {
            let descriptor = wgpu::BindGroupDescriptor { label: Some("fanin"), layout, entries: &entries };
            self.device.create_bind_group(&descriptor)
        })
    }

    /// Lets a program be another one, of this text, as a compiler might that has its own ideas.
    #[cfg(test)]
    pub fn mistake(&self, program: Program, other: Program, wgsl: &str) {
        let wrong = self.compile(&other, wgsl).unwrap();
        self.pipelines().insert(program, wrong);
    }

    /// Lets a kernel draw what another one should.
    #[cfg(test)]
    pub fn exchange(&self, variant: Variant, rounding: Rounding, by: Kernel) {
        let other = Program::Draw(Variant { kernel: by, ..variant }, rounding);
        self.mistake(Program::Draw(variant, rounding), other, &other.wgsl(is_wide(&self.device)));
    }

    /// Leaves the marks out with which the language keeps a program's rounding.
    #[cfg(test)]
    pub fn unmark(&self, program: &Program) {
        let text = program.wgsl(is_wide(&self.device));
        let compile = |entry: &Entry<'_>, setting: &Setting<'_>| compile::unmarked(&self.device, entry, setting);
        let pipeline = self.compile_by(program, &text, compile).unwrap();
        self.pipelines().insert(*program, pipeline);
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
            let (device, queue) = match pollster::block_on(adapter.request_device(&descriptor)) {
                // A GPU's driver may be one that wgpu cannot open: NVIDIA's OpenGL.
                Err(_) if adapter.get_info().device_type != wgpu::DeviceType::Cpu => continue,
                opened => opened.unwrap(),
            };
            let engine = Engine::new(&device, &queue);
            let variant = Variant { kernel: Kernel::Normal, asks: 0, dtype: Dtype::F32, writes: Writes::Words };
            let programs =
                [Rounding::ByGuards, Rounding::best(&device)].map(|rounding| Program::Draw(variant, rounding));
            for wrong in ["fn main() { let x = 1 + ; }", "@compute @workgroup_size(1) fn other() {}"] {
                for program in programs {
                    let error = engine.compile(&program, wrong).unwrap_err();
                    assert!(std::error::Error::source(&error).is_some());
                    let error = error.to_string();
                    assert!(error.contains("the kernel normal in f32 does not compile"), "{error}");
                }
            }
            for program in programs {
                engine.compiled(&program).unwrap();
            }
        }
    }
}
