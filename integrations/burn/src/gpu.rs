//! Parameters on a wgpu device that Burn and fanin share: each is drawn in its own buffer.

use std::any::Any;

#[cfg(feature = "fusion")]
use burn::backend::fusion::{FusionBackend, FusionTensor};
#[cfg(feature = "fusion")]
use burn::backend::wgpu::CubeBackend;
use burn::backend::wgpu::{AutoCompiler, CubeTensor, WgpuResource};
use burn::backend::{Cube, DispatchDevice};
use burn::cubecl::RuntimeId;
use burn::cubecl::wgpu::WgpuServer;
use burn::tensor::wgpu::{WgpuOptions, WgpuSetup};
use burn::tensor::{Device, Tensor};
use fanin::Fill;
use fanin::gpu::{GpuFiller, Target, wgpu};

use crate::Error;

/// How many elements are submitted at once.
const AT_ONCE: u64 = 1 << 26;

/// A wgpu device of Burn's, and what draws on it.
///
/// Burn asks for all features that an adapter has, those that [`fanin::gpu::features`] names among them.
///
/// ```standalone_crate
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use fanin::rules::Rules;
/// use fanin_burn::{Gpu, Initializer};
///
/// let gpu = Gpu::open(Device::wgpu_options())?; // instead of Device::wgpu
/// let rules = Rules::preset("burn")?;
/// let dense = LinearConfig::new(64, 10).init(gpu.device());
/// let dense = Initializer::new(&rules, 42).on(&gpu).init(dense)?;
/// assert!(dense.weight.val().abs().max().into_scalar::<f32>() <= 0.125);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Gpu {
    device: Device,
    filler: GpuFiller,
}

impl Gpu {
    /// Opens a device by Burn's options, once in a program for each of Burn's devices; each kernel is tested before its first use.
    ///
    /// # Errors
    /// What Burn says if it cannot open it, or has it open already.
    ///
    /// See [`Gpu`] for an example.
    #[cfg(not(target_family = "wasm"))]
    pub fn open(options: WgpuOptions) -> Result<Gpu, Error> {
        let (device, setup) = options.init_with_setup().map_err(|e| Error::Device(e.to_string()))?;
        Gpu::with_setup(device, &setup)
    }

    /// Hands a device on to Burn that the program has already, and tests its bits.
    ///
    /// # Errors
    /// Those of [`open`](Gpu::open).
    ///
    /// ```standalone_crate
    /// use burn::tensor::wgpu::{WgpuSetup, wgpu};
    /// use fanin_burn::Gpu;
    ///
    /// # use burn::cubecl::future::block_on;
    /// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    /// # let adapter = block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
    /// # let (device, queue) = block_on(adapter.request_device(&Default::default())).unwrap();
    /// // The program's instance, adapter, device and queue.
    /// let backend = adapter.get_info().backend;
    /// let gpu = Gpu::share(WgpuSetup { instance, adapter, device, queue, backend })?;
    /// # Ok::<(), fanin_burn::Error>(())
    /// ```
    pub fn share(setup: WgpuSetup) -> Result<Gpu, Error> {
        let device = Device::wgpu_options().setup(setup.clone()).init().map_err(|e| Error::Device(e.to_string()))?;
        Gpu::with_setup(device, &setup)
    }

    fn with_setup(device: Device, setup: &WgpuSetup) -> Result<Gpu, Error> {
        let filler = GpuFiller::new(&setup.device, &setup.queue)?.with_submissions_of(AT_ONCE);
        Ok(Gpu { device, filler })
    }

    /// Burn's device, for modules and tensors; `clone().autodiff()` trains.
    ///
    /// See [`Gpu`] for an example.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether it is this one, with autodiff or without.
    pub(crate) fn is_of(&self, device: &Device) -> bool {
        self.device == *device
    }
}

/// That a parameter on this device can be drawn: a wgpu device has to be the one that is shared.
pub(crate) fn check(gpu: Option<&Gpu>, path: &str, device: &Device) -> Result<(), Error> {
    let bare = device.clone().without_autodiff();
    let is_wgpu = matches!(bare.as_dispatch(), DispatchDevice::Cube(cube) if cube.runtime() == RuntimeId::Wgpu);
    if !is_wgpu || gpu.is_some_and(|gpu| gpu.is_of(device)) {
        return Ok(());
    }
    let allowed = match gpu {
        Some(gpu) => format!("{:?}, which Gpu shares with fanin, or no wgpu device", gpu.device),
        None => {
            "a wgpu device that fanin shares (Gpu::open or Gpu::share, and Initializer::on), or no wgpu device".into()
        }
    };
    Err(Error::parameter(path, "the device", format!("{bare:?}"), allowed))
}

/// Where a parameter lies.
pub(crate) struct Place {
    buffer: wgpu::Buffer,
    offset: u64,
    strides: Vec<usize>,
    /// Until it is dropped, Burn moves nothing away from there.
    _held: Box<dyn Any>,
}

impl PartialEq for Place {
    fn eq(&self, other: &Place) -> bool {
        (&self.buffer, self.offset, &self.strides) == (&other.buffer, other.offset, &other.strides)
    }
}

/// Fills and where they go, drawn together.
pub(crate) struct Places<'a> {
    pub gpu: &'a Gpu,
    fills: Vec<(Fill, Place)>,
}

impl<'a> Places<'a> {
    pub fn new(gpu: &'a Gpu) -> Places<'a> {
        Places { gpu, fills: Vec::new() }
    }

    /// Where this tensor lies.
    pub fn find<const D: usize>(&self, path: &str, tensor: &Tensor<D>) -> Result<Place, Error> {
        let failed = |said: String| Error::Device(format!("{said}, of the parameter {path:?}"));
        let primitive = tensor.clone().without_autodiff().try_into_primitive::<Cube>();
        let cube: CubeTensor = primitive.map_err(|e| failed(format!("{e:?}")))?.allocated();
        let resource = cube.client.get_resource::<WgpuServer<AutoCompiler>>(cube.handle.clone());
        let resource = resource.map_err(|e| failed(e.to_string()))?;
        let WgpuResource { buffer, offset, .. } = resource.resource().clone();
        Ok(Place { buffer, offset, strides: cube.meta.strides().to_vec(), _held: Box::new(resource) })
    }

    pub fn push(&mut self, fill: Fill, place: Place) {
        self.fills.push((fill, place));
    }

    /// Draws all, behind whatever Burn has recorded, and ahead of what it records next.
    pub fn draw(self) -> Result<(), Error> {
        // Memory may have been another tensor's, whose work is not submitted yet.
        self.gpu.device.flush().map_err(|e| Error::Device(e.to_string()))?;
        let targets: Vec<Target<'_>> =
            self.fills.iter().map(|(fill, place)| Target::new(fill, &place.buffer, place.offset)).collect();
        self.gpu.filler.submit_all(&targets)?;
        Ok(())
    }
}

/// A tensor of Burn's that has memory.
#[diagnostic::on_unimplemented(
    message = "burn's feature `fusion` is on, and fanin-burn's is not",
    note = "turn the feature `fusion` of fanin-burn on: fusion keeps where tensors lie to itself"
)]
trait Allocated {
    fn allocated(self) -> CubeTensor;
}

#[cfg(not(feature = "fusion"))]
impl Allocated for CubeTensor {
    fn allocated(self) -> CubeTensor {
        self
    }
}

#[cfg(feature = "fusion")]
impl Allocated for FusionTensor<<CubeBackend as FusionBackend>::FusionRuntime> {
    fn allocated(self) -> CubeTensor {
        self.client.clone().resolve_tensor_float::<CubeBackend>(self)
    }
}
