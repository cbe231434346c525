//! Kernels' calls: what an engine other than fanin's own needs to draw a fill by a kernel of `shaders/`.

use crate::Fill;
use crate::kernel::{Numbers, Twin};

/// A kernel of `shaders/` and what it works with, for an engine of one's own: fanin's page draws so in a browser.
///
/// ```
/// use fanin::{Dtype, Layout, Stream, scheme};
///
/// let fill = scheme::normal(0.0, 0.02).fill(&[8, 8], Layout::OUT_IN, Stream::from_key([1, 2], 3), Dtype::F32)?;
/// let call = fill.kernel_call().expect("one kernel, without a table");
/// assert_eq!((call.kernel, call.key, call.nonce), ("normal", [1, 2], 3));
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KernelCall {
    /// The kernel's name: of its own part, `shaders/{kernel}.wgsl`.
    pub kernel: &'static str,
    /// The words of its numbers, in the order of `Numbers` in `shaders/params.wgsl`.
    pub numbers: [u32; 20],
    /// The stream's key.
    pub key: [u32; 2],
    /// The stream's nonce.
    pub nonce: u32,
}

impl Fill {
    /// The call of the one kernel that draws all elements. It is `None` if the fill takes several kernels, or a table from the host.
    pub fn kernel_call(&self) -> Option<KernelCall> {
        let mut samplers = self.samplers();
        let (sampler, None) = (samplers.next()?, samplers.next()) else { return None };
        let kernel = sampler.kernel();
        let numbers = bytemuck::cast::<Numbers, [u32; 20]>(sampler.numbers());
        let stream = self.stream();
        let call = KernelCall { kernel: kernel.name(), numbers, key: stream.key, nonce: stream.nonce };
        (!kernel.has_table()).then_some(call)
    }
}
