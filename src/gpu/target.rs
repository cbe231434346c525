//! Targets: fills with the places that they are drawn to.

use wgpu::Buffer;

use crate::Fill;

/// One fill and where it goes: the buffer, and the byte offset of the fill's first element in it.
///
/// ```
/// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
/// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
/// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
/// use fanin::gpu::{GpuFiller, Target};
/// use fanin::{Distribution, Dtype, Fill, Stream};
///
/// // A model's tensors in one buffer, in one pass.
/// let filler = GpuFiller::new(&device, &queue)?;
/// let arena = filler.create_buffer("arena", 3000, wgpu::BufferUsages::STORAGE)?;
/// let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
/// let weight = normal.fill_range(0..1000, Stream::named(0, "weight"), Dtype::BF16)?;
/// let bias = Distribution::Constant { value: 0.0 }.fill_range(0..250, Stream::named(0, "bias"), Dtype::F32)?;
/// let targets = [Target::new(&weight, &arena, 0), Target::new(&bias, &arena, 2000)];
/// let mut encoder = device.create_command_encoder(&Default::default());
/// filler.record_all(&mut encoder, &targets)?;
/// queue.submit([encoder.finish()]);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target<'a> {
    /// The fill to draw.
    pub fill: &'a Fill,
    /// The buffer to draw into, with the usage `STORAGE`.
    pub buffer: &'a Buffer,
    /// The byte offset of the first element, a multiple of the element's size.
    pub offset: u64,
}

impl<'a> Target<'a> {
    /// The fill, into this buffer from this byte offset on.
    ///
    /// See [`Target`] for an example.
    pub const fn new(fill: &'a Fill, buffer: &'a Buffer, offset: u64) -> Target<'a> {
        Target { fill, buffer, offset }
    }
}
