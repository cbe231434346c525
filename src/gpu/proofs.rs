//! Proofs of pipelines: each draws known answers, which are the CPU's bit for bit, before it draws anything else.

use super::batches::Batches;
use super::features::Rounding;
use super::filler::GpuFiller;
use super::given::Given;
use super::kernels::{Variant, Writes};
use super::pieces::pieces;
use super::proved::Proof;
use super::run::Run;
use super::self_test::{Check, Known, SelfTest, known_answers};
use super::target::Target;
use super::windows;
use crate::kernel::{Sampler, Sparse, TILE, Twin};
use crate::{Dtype, Error, Fill, cpu};

impl GpuFiller {
    /// Proves those of these pipelines that are not proved yet, which draw some of the fills; gives how the proved ones keep their
    /// rounding.
    pub(super) fn prove_all<'a>(
        &self,
        variants: impl IntoIterator<Item = Variant> + Clone,
        fills: impl IntoIterator<Item = &'a Fill> + Clone,
    ) -> Result<Rounding, Error> {
        self.proofs.by_language_or_guards(|rounding| {
            for variant in variants.clone() {
                let proof = Proof::Pipeline(variant, rounding);
                if !self.proofs.lacks(proof) {
                    continue;
                }
                let drawn_by = |fill: &'a Fill| {
                    let has = |sampler: &&Sampler| windows::variant(sampler, fill.dtype(), variant.writes) == variant;
                    fill.samplers().find(has)
                };
                // A constant's pipeline also draws the zeros in whose place matrices come.
                let sampler = fills.clone().into_iter().find_map(drawn_by).copied().unwrap_or(Sampler::ZERO);
                self.prove(variant, rounding, &sampler)?.into_result()?;
                self.proofs.proved().insert(proof);
            }
            Ok(())
        })
    }

    /// Lets a pipeline draw the known answers of its kernel and dtype: those that ask what it asks, or, where there are none, the first
    /// one's elements by this sampler.
    pub(super) fn prove(&self, variant: Variant, rounding: Rounding, sampler: &Sampler) -> Result<SelfTest, Error> {
        let mut known: Vec<Known> = known_answers()?.filter(|known| known.is_of(variant)).collect();
        let asks = |known: &Known| known.fill.sampler.numbers().asks == variant.asks;
        if known.iter().any(asks) {
            known.retain(asks);
        } else {
            known.truncate(1);
            for known in &mut known {
                known.fill.sampler = match (known.fill.sampler, *sampler) {
                    // Elements are where its matrix has them.
                    (Sampler::Sparse(known), Sampler::Sparse(Sparse { line, .. })) => {
                        Sampler::Sparse(Sparse { line, ..known })
                    }
                    (_, sampler) => sampler,
                };
            }
        }
        let mut test = SelfTest::default();
        for known in known {
            test.checks.push(self.drawn_by(variant, rounding, &known)?);
        }
        Ok(test)
    }

    /// The values that a pipeline draws of a known answer, which is placed so that it is written in the pipeline's way.
    fn drawn_by(&self, variant: Variant, rounding: Rounding, known: &Known) -> Result<Check, Error> {
        let range = known.fill.range();
        // From a tile's first element on, whole workgroups are written as such.
        let fill = known.fill.elements(range.start.next_multiple_of(TILE)..range.end)?;
        let size = fill.dtype().size();
        let (place, most) = match variant.writes {
            Writes::Words => (0, TILE),
            Writes::Blocks => (0, u64::MAX),
            Writes::Odd => (1, u64::MAX),
            Writes::Whole => (4 / size, u64::MAX),
        };
        let offset = place * size;
        let buffer = self.scratch(fill.byte_len() + offset)?;
        let given = Given::new([&buffer]);
        let (mut batches, mut written) = (Batches::default(), Vec::new());
        for part in pieces(&Target::new(&fill, &buffer, offset), Some(most)) {
            let windows = windows::plan(&part.fill, buffer.size(), part.offset, &self.limits)?;
            for window in windows.iter().filter(|window| window.variant == variant) {
                batches.add(&given.slot(&buffer), window);
                // Of two phases, which touch every other group each, the first.
                written.extend((window.params.phase == 0).then(|| window.bytes()));
            }
        }
        Run::new(&self.engine, given.buffers()).submit(batches.dispatches(rounding), u64::MAX)?;
        let (drawn, expected) = (self.read_back(&buffer)?, cpu::bytes(&fill)?);
        let name = format!("{}, written in {}", known.name(), variant.writes.name());
        let mut check = Check::compared(name, &[], &[], fill.dtype());
        for bytes in written {
            let [from, to] = [bytes.start, bytes.end].map(|byte| byte as usize);
            let expected = &expected[from - offset as usize..to - offset as usize];
            check = check.with(&Check::compared(String::new(), &drawn[from..to], expected, fill.dtype()));
        }
        Ok(check)
    }

    /// Proves what draws orthogonal matrices in this dtype, if it is not proved yet; gives how it keeps its rounding.
    pub(super) fn prove_orthogonal(&self, dtype: Dtype) -> Result<Rounding, Error> {
        self.proofs.by_language_or_guards(|rounding| {
            let proof = Proof::Orthogonal(dtype, rounding);
            if self.proofs.lacks(proof) {
                self.orthogonal_test(dtype, rounding)?.into_result()?;
                self.proofs.proved().insert(proof);
            }
            Ok(())
        })
    }

    /// Lets the device draw the known answers that are orthogonal matrices in this dtype, written in each way.
    pub(super) fn orthogonal_test(&self, dtype: Dtype, rounding: Rounding) -> Result<SelfTest, Error> {
        let is_orthogonal = |known: &Known| {
            matches!(known.fill.sampler, Sampler::Orthogonal(_)) && known.fill.dtype() == dtype && known.is_whole()
        };
        let mut test = SelfTest::default();
        for known in known_answers()?.filter(is_orthogonal) {
            for place in 0..3 {
                let offset = place * dtype.size();
                let buffer = self.scratch(known.fill.byte_len() + offset)?;
                self.submit_unproved(&Target::new(&known.fill, &buffer, offset), u64::MAX, rounding)?;
                let (drawn, expected) = (self.read_back(&buffer)?, cpu::bytes(&known.fill)?);
                let name = format!("{}, written from element {place} of a buffer on", known.name());
                test.checks.push(Check::compared(name, &drawn[offset as usize..], &expected, dtype));
            }
        }
        Ok(test)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::features::features;
    use super::super::program::Program;
    use super::super::reflections;
    use super::Rounding::{ByGuards, ByLanguage};
    use super::*;
    use crate::kernel::Kernel;
    use crate::{Distribution, ErrorKind, Layout, Scheme, Stream};
    use wgpu::DeviceType;

    fn filler() -> GpuFiller {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = pollster::block_on(instance.request_adapter(&Default::default()))
            .expect("this test needs an adapter: apt-get install mesa-vulkan-drivers, or run tests/run");
        let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
        GpuFiller::new(&device, &queue).unwrap()
    }

    fn buffer(filler: &GpuFiller, fill: &Fill, offset: u64) -> wgpu::Buffer {
        filler.create_buffer("test", fill.byte_len() + offset, wgpu::BufferUsages::COPY_SRC).unwrap()
    }

    /// Of every kernel with a known answer, in every dtype and, in f32 and where neighbours share words, every way of writing, the
    /// pipeline agrees, and one that draws something else is noticed.
    #[test]
    fn each_exchanged_pipeline_is_refused() {
        let filler = filler();
        let mut variants = HashSet::new();
        for known in known_answers().unwrap() {
            if matches!(known.fill.sampler, Sampler::Orthogonal(_)) {
                continue;
            }
            let (kernel, dtype) = (known.fill.sampler.kernel(), known.fill.dtype());
            for &writes in Writes::needed(kernel, dtype) {
                if dtype == Dtype::F32 || writes == Writes::Odd || kernel == Kernel::Constant {
                    variants.insert(windows::variant(&known.fill.sampler, dtype, writes));
                }
            }
        }
        assert!(variants.len() > 80, "{}", variants.len());
        for variant in variants {
            let prove = || filler.prove(variant, ByGuards, &Sampler::ZERO).unwrap();
            let proof = prove();
            assert!(proof.agrees() && proof.checks.iter().all(|check| check.values > 1000), "{variant:?}: {proof:?}");
            let by = match variant.kernel {
                kernel if kernel.has_table() && kernel != Kernel::Identity => Kernel::Identity,
                Kernel::Identity => Kernel::Lookup,
                Kernel::Constant => Kernel::Uniform,
                _ => Kernel::Constant,
            };
            filler.engine.exchange(variant, ByGuards, by);
            let refused = prove().into_result().unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::SelfTest);
            assert!(refused.value().contains(variant.kernel.name()), "{variant:?}: {refused}");
        }
    }

    /// A fill proves what draws it and nothing else, once; by its own numbers, where known answers ask for other things.
    #[test]
    fn a_fill_proves_the_pipelines_that_draw_it() {
        let filler = filler();
        let proved = || filler.proofs.proved().len();
        let tensor = |text: &str, shape: &[u64], dtype| {
            let distribution = text.parse::<Scheme>().unwrap().distribution(shape, Layout::OUT_IN).unwrap();
            distribution.fill(shape, Stream::numbered(1, 2), dtype).unwrap()
        };
        let submit = |fill: &Fill, offset| filler.submit(fill, &buffer(&filler, fill, offset), offset);
        let he = tensor("he_normal", &[64, 64], Dtype::F32);
        submit(&he, 0).unwrap();
        assert_eq!(proved(), 1);
        submit(&he, 0).unwrap();
        assert_eq!(proved(), 1);
        // A mean that f32 does not hold, of a deviation so small that there is a unit: no known answer asks for both.
        let odd = Distribution::Normal { mean: 1e-20 / 3.0, std: 1e-21 };
        let odd = odd.fill_range(0..4096, Stream::numbered(1, 2), Dtype::F32).unwrap();
        let asks = odd.sampler.numbers().asks;
        assert!(known_answers().unwrap().all(|known| known.fill.sampler.numbers().asks != asks));
        submit(&odd, 4).unwrap();
        assert_eq!(proved(), 2, "one way of writing from a tile's first element on");
        filler.prepare([&he]).unwrap();
        assert_eq!(proved(), 4);
        submit(&tensor("orthogonal", &[40, 40], Dtype::BF16), 2).unwrap();
        assert!(filler.proofs.proved().contains(&Proof::Orthogonal(Dtype::BF16, ByGuards)));
    }

    /// Every adapter that rounds by the language, as `features` has it opened.
    fn by_the_language() -> Vec<(String, GpuFiller)> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
        let mut fillers = Vec::new();
        for adapter in adapters {
            let descriptor = wgpu::DeviceDescriptor { required_features: features(&adapter), ..Default::default() };
            let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
            let filler = GpuFiller::new(&device, &queue).unwrap();
            assert_eq!(filler.rounding(), ByLanguage, "{:?}", adapter.get_info());
            fillers.push((adapter.get_info().name, filler));
        }
        assert!(!fillers.is_empty(), "this test needs Vulkan: apt-get install mesa-vulkan-drivers, or run tests/run");
        fillers
    }

    /// The pipelines that draw the known answers of f32, in each way of writing.
    fn variants() -> HashSet<Variant> {
        let mut variants = HashSet::new();
        for Known { fill, .. } in known_answers().unwrap() {
            if !matches!(fill.sampler, Sampler::Orthogonal(_)) && fill.dtype() == Dtype::F32 {
                let ways = Writes::needed(fill.sampler.kernel(), Dtype::F32).iter();
                variants.extend(ways.map(|&writes| windows::variant(&fill.sampler, Dtype::F32, writes)));
            }
        }
        variants
    }

    /// A marked pipeline draws the CPU's bits on every adapter on Vulkan, as guards do, with a cache of pipelines and without.
    #[test]
    fn by_the_language_each_pipeline_draws_the_same_bits() {
        let agrees = |name: &str, test: SelfTest| assert!(test.agrees(), "{name}: {:?}", test.into_result());
        for (name, filler) in by_the_language() {
            // Of those that take long, normals alone: `fanin devices` has them draw all.
            let is_fast =
                name.starts_with("llvmpipe") || filler.engine.device.adapter_info().device_type != DeviceType::Cpu;
            let variants = variants().into_iter().filter(|variant| is_fast || variant.kernel == Kernel::Normal);
            for (at, variant) in variants.enumerate() {
                // A cache for every other one.
                let filler = match at % 2 {
                    0 if filler.engine.device.features().contains(wgpu::Features::PIPELINE_CACHE) => &cached(&filler),
                    _ => &filler,
                };
                agrees(&name, filler.prove(variant, ByLanguage, &Sampler::ZERO).unwrap());
            }
            if is_fast {
                agrees(&name, filler.orthogonal_test(Dtype::F32, ByLanguage).unwrap());
            }
            assert!(filler.refused_language().is_none());
        }
    }

    /// The same device, with a cache of its own.
    #[allow(unsafe_code)]
    fn cached(filler: &GpuFiller) -> GpuFiller {
        let descriptor = wgpu::PipelineCacheDescriptor { label: None, data: None, fallback: true };
        // SAFETY: there is no data.
        let cache = unsafe { filler.engine.device.create_pipeline_cache(&descriptor) };
        GpuFiller::new(&filler.engine.device, &filler.engine.queue).unwrap().with_pipeline_cache(&cache)
    }

    /// It is the marks that do it: without them lavapipe's compiler draws other bits with some pipelines, which are refused then. From the
    /// first one on, all is drawn and tested by guards.
    #[test]
    fn what_is_not_marked_is_refused_and_guards_draw() {
        let (_, filler) =
            by_the_language().into_iter().find(|(name, _)| name.starts_with("llvmpipe")).expect("lavapipe");
        let refused: HashSet<_> = variants()
            .into_iter()
            .filter(|&variant| {
                filler.engine.unmark(&Program::Draw(variant, ByLanguage));
                !filler.prove(variant, ByLanguage, &Sampler::ZERO).unwrap().agrees()
            })
            .map(|variant| variant.kernel)
            .collect();
        for kernel in [Kernel::Uniform, Kernel::Normal, Kernel::TruncatedByExponential, Kernel::JaxNormal] {
            assert!(refused.contains(&kernel), "{kernel:?}, of {refused:?}");
        }
        let uniform = Distribution::Uniform { low: -0.3, high: 0.7 };
        let fill = uniform.fill_range(0..4096, Stream::numbered(1, 2), Dtype::F32).unwrap();
        let buffer = buffer(&filler, &fill, 0);
        filler.submit(&fill, &buffer, 0).unwrap();
        assert_eq!(filler.read_back(&buffer).unwrap(), cpu::bytes(&fill).unwrap());
        assert_eq!(filler.rounding(), ByGuards);
        assert_eq!(filler.refused_language().unwrap().kind(), ErrorKind::SelfTest);
        let variant = windows::variant(&fill.sampler, Dtype::F32, Writes::Blocks);
        assert!(filler.proofs.proved().contains(&Proof::Pipeline(variant, ByGuards)));
    }

    /// Lets a kernel of orthogonal matrices do nothing.
    fn mistake(filler: &GpuFiller, kernel: reflections::Kernel, rounding: Rounding) {
        let program = Program::Reflect(kernel, rounding);
        filler.engine.mistake(program, program, &reflections::mistaken(kernel, rounding));
    }

    /// So it is of orthogonal matrices, and of what the self-test finds.
    #[test]
    fn a_kernel_of_orthogonal_matrices_that_is_refused_is_drawn_by_guards() {
        let (_, filler) = by_the_language().swap_remove(0);
        mistake(&filler, reflections::SUMS, ByLanguage);
        let orthogonal = "orthogonal".parse::<Scheme>().unwrap();
        let fill = orthogonal.fill(&[40, 40], Layout::OUT_IN, Stream::numbered(1, 2), Dtype::F32).unwrap();
        let buffer = buffer(&filler, &fill, 0);
        filler.submit_all(&[Target::new(&fill, &buffer, 0)]).unwrap();
        assert_eq!(filler.read_back(&buffer).unwrap(), cpu::bytes(&fill).unwrap());
        assert_eq!(filler.rounding(), ByGuards);
    }

    /// A pipeline that is refused draws nothing, and is refused again.
    #[test]
    fn nothing_is_drawn_by_a_pipeline_that_is_refused() {
        let filler = filler();
        let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
        let fill = normal.fill_range(0..4096, Stream::numbered(1, 2), Dtype::F16).unwrap();
        let variant = windows::variant(&fill.sampler, Dtype::F16, Writes::Blocks);
        filler.engine.exchange(variant, ByGuards, Kernel::Uniform);
        let buffer = buffer(&filler, &fill, 0);
        for _ in 0..2 {
            let refused = filler.submit(&fill, &buffer, 0).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::SelfTest);
            assert!(refused.value().contains("normal f16"), "{refused}");
            assert!(filler.submit_all(&[Target::new(&fill, &buffer, 0)]).is_err());
            assert!(filler.prepare([&fill]).is_err());
        }
        assert!(filler.read_back(&buffer).unwrap().iter().all(|&byte| byte == 0));
    }

    /// Products of reflections that are not the CPU's are refused.
    #[test]
    fn an_exchanged_kernel_of_orthogonal_matrices_is_refused() {
        for kernel in reflections::KERNELS {
            let filler = filler();
            mistake(&filler, kernel, ByGuards);
            let refused = filler.prove_orthogonal(Dtype::F32).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::SelfTest, "{kernel:?}: {refused}");
        }
    }
}
