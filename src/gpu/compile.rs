//! Texts -> pipelines, in the way in which a device keeps their rounding.

use wgpu::{ComputePipeline, Device, PipelineCache, PipelineLayout, ShaderModule};

use super::features::Rounding;
#[cfg(not(target_family = "wasm"))]
use super::features::is_wide;
use super::scopes::scoped;
use crate::Error;
#[cfg(not(target_family = "wasm"))]
use crate::ErrorKind;

/// An entry point of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub wgsl: &'a str,
    pub name: &'a str,
    /// The values of the WGSL's `override` constants.
    pub constants: &'a [(&'static str, f64)],
    /// The numbers of its bindings, in the layout's order, which SPIR-V is written for.
    #[cfg_attr(target_family = "wasm", expect(dead_code))]
    pub bindings: &'a [u32],
}

/// The label, layout and cache of a pipeline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<'a> {
    pub label: &'a str,
    pub layout: &'a PipelineLayout,
    pub cache: Option<&'a PipelineCache>,
}

/// Compiles an entry point of a text that was composed for this way of rounding; `what` names the kernel.
pub(super) fn compile(
    device: &Device,
    rounding: Rounding,
    what: &str,
    entry: &Entry<'_>,
    setting: &Setting<'_>,
) -> Result<ComputePipeline, Error> {
    let what = format!("{what} does not compile");
    match rounding {
        Rounding::ByGuards => scoped(device, &what, || {
            let source = wgpu::ShaderSource::Wgsl(entry.wgsl.into());
            let descriptor = wgpu::ShaderModuleDescriptor { label: Some(setting.label), source };
            pipeline(device, &device.create_shader_module(descriptor), entry.name, entry.constants, setting)
        }),
        #[cfg(not(target_family = "wasm"))]
        Rounding::ByLanguage => {
            let failed = || Error::failed(ErrorKind::Device, "the device", format!("failed: {what}"));
            let words = super::spirv::marked(entry, is_wide(device)).map_err(|e| failed().because(e))?;
            scoped(device, &what, || passed_through(device, &words, entry, setting))
        }
        #[cfg(target_family = "wasm")]
        Rounding::ByLanguage => unreachable!("no browser's device rounds by the language"),
    }
}

fn pipeline(
    device: &Device,
    module: &ShaderModule,
    entry: &str,
    constants: &[(&'static str, f64)],
    Setting { label, layout, cache }: &Setting<'_>,
) -> ComputePipeline {
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(label),
        layout: Some(layout),
        module,
        entry_point: Some(entry),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants,
            // Workgroup memory that is read was written before.
            zero_initialize_workgroup_memory: false,
        },
        cache: *cache,
    })
}

/// A pipeline of a module that wgpu hands on as it is, which has its constants' values.
#[cfg(not(target_family = "wasm"))]
#[allow(unsafe_code)]
fn passed_through(device: &Device, words: &[u32], entry: &Entry<'_>, setting: &Setting<'_>) -> ComputePipeline {
    // Of the workgroup's size SPIR-V speaks itself.
    let point = wgpu::PassthroughShaderEntryPoint { name: entry.name.into(), workgroup_size: (0, 0, 0) };
    let descriptor = wgpu::ShaderModuleDescriptorPassthrough {
        label: Some(setting.label),
        entry_points: vec![point].into(),
        spirv: Some(words.into()),
        ..Default::default()
    };
    // SAFETY: naga wrote the words, of one of the library's own texts, which it validated for what this device can do, for the layout
    // that its pipeline has, with every index kept within its buffer; marks forbid the driver liberties, and allow none. The device is on
    // Vulkan, or no one asks for this way (`Rounding::best`).
    let module = unsafe { device.create_shader_module_passthrough(descriptor) };
    pipeline(device, &module, entry.name, &[], setting)
}

/// A pipeline by the language whose operations have no marks.
#[cfg(test)]
pub(super) fn unmarked(device: &Device, entry: &Entry<'_>, setting: &Setting<'_>) -> Result<ComputePipeline, Error> {
    let words = super::spirv::written(entry, is_wide(device)).unwrap();
    scoped(device, "unmarked", || passed_through(device, &words, entry, setting))
}
