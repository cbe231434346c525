//! The features that a device is asked for, and how its kernels keep their rounding.

use std::fmt;

use wgpu::{Adapter, Backend, Device, DeviceType, Features};

/// The wgpu features of this adapter that make drawing faster: request them for your device.
///
/// They are 64-bit integers (not for adapters in software, which multiply pieces faster), shaders that pass through wgpu as
/// they are (on Vulkan: see [`Rounding`]), caches of pipelines, and timestamps. None of them changes a value, and fanin
/// works without any of them.
///
/// ```
/// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
/// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
/// use fanin::gpu::{self, GpuFiller, wgpu};
///
/// let descriptor = wgpu::DeviceDescriptor { required_features: gpu::features(&adapter), ..Default::default() };
/// let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
/// let filler = GpuFiller::new(&device, &queue)?;
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn features(adapter: &Adapter) -> Features {
    let info = adapter.get_info();
    let mut useful = Features::PIPELINE_CACHE | Features::TIMESTAMP_QUERY;
    useful.set(Features::SHADER_INT64, info.device_type != DeviceType::Cpu);
    useful.set(Features::PASSTHROUGH_SHADERS, info.backend == Backend::Vulkan);
    adapter.features() & useful
}

/// True if a device has 64-bit integers.
pub(super) fn is_wide(device: &Device) -> bool {
    device.features().contains(Features::SHADER_INT64)
}

/// The protection of each operation's rounding in a kernel from a device's compiler. The bits are the same by either.
///
/// ```
/// use fanin::gpu::Rounding;
///
/// assert_eq!(Rounding::ByLanguage.to_string(), "by the language");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rounding {
    /// Guards: integer operations between those of f32, which no compiler can look through. Every device takes them.
    ByGuards,
    /// Marks in SPIR-V, `NoContraction`, which forbid the compiler to combine operations. They cost nothing; a quarter of the guarded
    /// kernels' instructions is guards. Devices on Vulkan that were created with [`Features::PASSTHROUGH_SHADERS`] take them.
    ByLanguage,
}

impl Rounding {
    /// The protection that a device can have.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn best(device: &Device) -> Rounding {
        let is_vulkan = device.adapter_info().backend == Backend::Vulkan;
        if is_vulkan && device.features().contains(Features::PASSTHROUGH_SHADERS) {
            Rounding::ByLanguage
        } else {
            Rounding::ByGuards
        }
    }

    /// A browser takes no SPIR-V.
    #[cfg(target_family = "wasm")]
    pub(super) fn best(_: &Device) -> Rounding {
        Rounding::ByGuards
    }
}

impl fmt::Display for Rounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rounding::ByGuards => "by guards",
            Rounding::ByLanguage => "by the language",
        })
    }
}
