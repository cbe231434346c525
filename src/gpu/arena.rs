//! Many fills in one buffer.

use wgpu::Buffer;

use super::target::Target;
use crate::{Error, ErrorKind, Fill};

/// The alignment of a storage buffer's bindings, by WebGPU's default limits.
const ALIGNMENT: u64 = 256;

/// A plan of one buffer that holds many fills, each from an aligned offset on.
///
/// ```
/// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
/// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
/// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
/// use fanin::gpu::{Arena, GpuFiller};
/// use fanin::{Dtype, Layout, Stream, scheme};
///
/// let filler = GpuFiller::new(&device, &queue)?;
/// let fill = |name, shape: &[u64]| scheme::he_normal().fill(shape, Layout::OUT_IN, Stream::named(42, name), Dtype::BF16);
/// let fills = [fill("0.weight", &[300, 30])?, fill("1.weight", &[10, 300])?];
/// let arena = Arena::new(&fills)?;
/// assert_eq!((arena.offsets(), arena.byte_len()), (&[0, 18_176][..], 18_176 + 6_000));
/// let buffer = filler.create_buffer("weights", arena.byte_len(), wgpu::BufferUsages::STORAGE)?;
/// filler.submit_all(&arena.targets(&buffer))?;
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Arena<'a> {
    fills: Vec<&'a Fill>,
    offsets: Vec<u64>,
    byte_len: u64,
}

impl<'a> Arena<'a> {
    /// An arena of these fills one after the other, each at a multiple of 256 bytes, so that it can be bound by itself.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`] if they are more than 2^64 bytes.
    pub fn new(fills: impl IntoIterator<Item = &'a Fill>) -> Result<Arena<'a>, Error> {
        let mut arena = Arena { fills: Vec::new(), offsets: Vec::new(), byte_len: 0 };
        for fill in fills {
            let offset = arena.byte_len.checked_next_multiple_of(ALIGNMENT);
            let end = offset.and_then(|offset| offset.checked_add(fill.byte_len()));
            let (Some(offset), Some(end)) = (offset, end) else {
                return Err(Error::new(ErrorKind::Memory, "the bytes of all fills", "2^64 or more", "fewer"));
            };
            arena.fills.push(fill);
            arena.offsets.push(offset);
            arena.byte_len = end;
        }
        Ok(arena)
    }

    /// The byte offset of each fill.
    pub fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// The least number of bytes of the buffer.
    pub fn byte_len(&self) -> u64 {
        self.byte_len
    }

    /// Each fill with its place in this buffer, for [`submit_all`](super::GpuFiller::submit_all) or
    /// [`record_all`](super::GpuFiller::record_all), which say what is wrong with the buffer.
    pub fn targets<'t>(&self, buffer: &'t Buffer) -> Vec<Target<'t>>
    where
        'a: 't,
    {
        self.fills.iter().zip(&self.offsets).map(|(fill, &offset)| Target::new(fill, buffer, offset)).collect()
    }
}
