//! Reports: a probe that is run, on the CPU or on a GPU.

use super::cpu::Cpu;
#[cfg(feature = "gpu")]
use super::gpu::Gpu;
use super::layer::Layer;
use super::measure::{Backend, Draws, measure};
use super::network::{Probe, too_large};
use super::theory::Theory;
use super::verdict::Verdict;
#[cfg(feature = "gpu")]
use crate::gpu::GpuFiller;
use crate::limits::probe::MAX_BYTES;
use crate::{Error, ErrorKind};

/// The measurements of a probe, the expectations, and the verdict.
///
/// See [the module](crate::probe) for an example.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The layers, from the input on.
    pub layers: Vec<Layer>,
    /// The expectation of mean-field theory; nothing where it does not speak of such weights.
    pub theory: Option<Theory>,
    /// The verdict: healthy, or what breaks.
    pub verdict: Verdict,
}

impl Probe {
    /// A check that it can be run, but for the memory that there is.
    ///
    /// # Errors
    /// Those of [`Scheme::distribution_of_fans`](crate::Scheme::distribution_of_fans) and
    /// [`Distribution::fill`](crate::Distribution::fill); [`ErrorKind::Memory`] where it would take more than 16 GiB;
    /// [`ErrorKind::Parameter`] for a batch of 1 in layers of 1 unit, which has no deviation.
    pub fn check(&self) -> Result<(), Error> {
        self.draws().map(|_| ())
    }

    /// The expectation of mean-field theory. It is `None` if weights or biases have another mean than 0, which theory does not cover.
    ///
    /// # Errors
    /// Those of [`check`](Probe::check).
    ///
    /// ```
    /// # use fanin::probe::{Activation, Probe};
    /// let theory = Probe::new("standard".parse()?, Activation::Tanh).theory()?.unwrap();
    /// assert!((theory.layers[0].pre_std.powi(2) - 1.0 / 3.0).abs() < 1e-6);
    /// assert!(Probe::new("uniform".parse()?, Activation::Tanh).theory()?.is_none());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn theory(&self) -> Result<Option<Theory>, Error> {
        self.theory_of(&self.draws()?)
    }

    fn theory_of(&self, draws: &Draws) -> Result<Option<Theory>, Error> {
        let depth = usize::try_from(self.depth).map_err(|_| too_large(self))?;
        Ok(draws.variances().map(|(var_w, var_b)| Theory::new(self.activation, var_w, var_b, depth)))
    }

    /// The gain with which gradients are as large in the first layer as in the last, by theory: `he_normal:gain=` takes it.
    ///
    /// It is the standard deviation of weights, times the root of fan_in; `None` if there is no such gain, or if biases have another mean
    /// than 0.
    ///
    /// # Errors
    /// Those of [`check`](Probe::check).
    ///
    /// ```
    /// # use fanin::probe::{Activation, Probe};
    /// let gain = Probe::new(fanin::scheme::zeros(), Activation::Relu).gain()?.unwrap();
    /// assert!((gain - 2f64.sqrt()).abs() < 1e-3);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn gain(&self) -> Result<Option<f64>, Error> {
        let biased = Probe { scheme: crate::scheme::zeros(), ..self.clone() }.draws()?.variances();
        Ok(biased.and_then(|(_, var_b)| Theory::gain(self.activation, var_b, self.depth.min(1000) as usize)))
    }

    /// Sends a batch through on the CPU, on all its cores.
    ///
    /// # Errors
    /// Those of [`check`](Probe::check); [`ErrorKind::Memory`] where there is not enough.
    ///
    /// See [the module](crate::probe) for an example.
    pub fn on_cpu(&self) -> Result<Report, Error> {
        let draws = self.draws()?;
        let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
        let mut backend = Cpu::new(self, threads)?;
        self.report(&draws, &mut backend)
    }

    /// Sends a batch through on a GPU: weights are drawn into its buffers, multiplied there and drawn over, and never pass the host,
    /// which gets nine numbers for each unit. Numbers are the CPU's to what f32 rounds.
    ///
    /// It waits for the device.
    ///
    /// # Errors
    /// Those of [`check`](Probe::check); [`ErrorKind::DeviceLimit`] where a buffer would be larger than the device's may be;
    /// [`ErrorKind::Device`] where it fails.
    ///
    /// ```
    /// # let instance = fanin::gpu::wgpu::Instance::new(fanin::gpu::wgpu::InstanceDescriptor::new_without_display_handle());
    /// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
    /// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    /// use fanin::gpu::GpuFiller;
    /// use fanin::probe::{Activation, Gradients, Probe};
    ///
    /// let filler = GpuFiller::new(&device, &queue)?;
    /// let he = Probe::new("he_normal".parse()?, Activation::Relu).with_width(256)?.with_batch(32)?;
    /// assert_eq!(he.on_gpu(&filler)?.verdict.gradients, Gradients::Hold);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    #[cfg(feature = "gpu")]
    pub fn on_gpu(&self, filler: &GpuFiller) -> Result<Report, Error> {
        let draws = self.draws()?;
        let mut backend = Gpu::new(self, filler)?;
        self.report(&draws, &mut backend)
    }

    /// The fills of the probe, after a check that it can be run.
    fn draws(&self) -> Result<Draws, Error> {
        if self.bytes() > MAX_BYTES {
            return Err(too_large(self));
        }
        if self.width == 1 && self.batch == 1 {
            let allowed = "at least 2 of a width of 1, as one value has no deviation";
            return Err(Error::new(ErrorKind::Parameter, "the batch", 1, allowed));
        }
        Draws::new(self)
    }

    fn report(&self, draws: &Draws, backend: &mut dyn Backend) -> Result<Report, Error> {
        let layers = measure(self, draws, backend)?;
        let theory = self.theory_of(draws)?;
        let verdict = Verdict::judged(self.activation, &layers);
        Ok(Report { layers, theory, verdict })
    }
}
