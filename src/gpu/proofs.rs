//! Proofs of pipelines: each draws known answers, which are the CPU's bit for bit, before it draws anything else.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::batches::Batches;
use super::kernels::{Variant, Writes};
use super::self_test::{Check, Known, SelfTest, known_answers};
use super::windows;
use super::{GpuFiller, Target, parts};
use crate::cpu::{self, TILE};
use crate::sampler::{Sampler, Sparse};
use crate::{Dtype, Error, Fill};

/// What was proved on a device.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    /// Whether anybody asks for proofs.
    are_wanted: bool,
    proved: Mutex<HashSet<Proof>>,
}

/// What is proved at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Proof {
    Pipeline(Variant),
    /// The kernels of products of reflections, and those that look them up in this dtype.
    Orthogonal(Dtype),
}

impl Proofs {
    pub fn wanted() -> Proofs {
        Proofs { are_wanted: true, ..Proofs::not_wanted() }
    }

    pub fn not_wanted() -> Proofs {
        Proofs::default()
    }

    fn proved(&self) -> MutexGuard<'_, HashSet<Proof>> {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lacks(&self, proof: Proof) -> bool {
        self.are_wanted && !self.proved().contains(&proof)
    }
}

impl GpuFiller {
    /// Proves those of these pipelines that are not proved yet, which draw some of the fills.
    pub(super) fn prove_all<'a>(
        &self,
        variants: impl IntoIterator<Item = Variant>,
        fills: impl IntoIterator<Item = &'a Fill> + Clone,
    ) -> Result<(), Error> {
        for variant in variants {
            if !self.proofs.lacks(Proof::Pipeline(variant)) {
                continue;
            }
            let drawn_by = |fill: &'a Fill| {
                let has = |sampler: &&Sampler| windows::variant(sampler, fill.dtype(), variant.writes) == variant;
                fill.samplers().find(has)
            };
            // A constant's pipeline also draws the zeros in whose place matrices come.
            let sampler = fills.clone().into_iter().find_map(drawn_by).copied().unwrap_or(Sampler::Constant(0));
            self.prove(variant, &sampler)?.into_result()?;
            self.proofs.proved().insert(Proof::Pipeline(variant));
        }
        Ok(())
    }

    /// Lets a pipeline draw the known answers of its kernel and dtype: those that ask what it asks, or, where there are none, the first
    /// one's elements by this sampler.
    pub(super) fn prove(&self, variant: Variant, sampler: &Sampler) -> Result<SelfTest, Error> {
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
            test.checks.push(self.drawn_by(variant, &known)?);
        }
        Ok(test)
    }

    /// What a pipeline draws of a known answer, which is placed so that it is written in the pipeline's way.
    fn drawn_by(&self, variant: Variant, known: &Known) -> Result<Check, Error> {
        let range = known.fill.range();
        // From a tile's first element on, whole workgroups are written as such.
        let fill = known.fill.part(range.start.next_multiple_of(TILE)..range.end)?;
        let size = fill.dtype().size();
        let (place, most) = match variant.writes {
            Writes::Words => (0, TILE),
            Writes::Blocks => (0, u64::MAX),
            Writes::Odd => (1, u64::MAX),
            Writes::Whole => (4 / size, u64::MAX),
        };
        let offset = place * size;
        let buffer = self.scratch(fill.byte_len() + offset)?;
        let (mut batches, mut written) = (Batches::default(), Vec::new());
        for part in parts(&Target::new(&fill, &buffer, offset), most) {
            let windows = windows::plan(&part.fill, &buffer, part.offset, &self.limits)?;
            for window in windows.iter().filter(|window| window.variant == variant) {
                batches.add(&buffer, window);
                // Of two phases, which touch every other group each, the first.
                written.extend((window.params.phase == 0).then(|| window.bytes()));
            }
        }
        self.submit_recorded(|encoder| self.record_batches(encoder, batches))?;
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

    /// Proves what draws orthogonal matrices in this dtype, if it is not proved yet.
    pub(super) fn prove_orthogonal(&self, dtype: Dtype) -> Result<(), Error> {
        if !self.proofs.lacks(Proof::Orthogonal(dtype)) {
            return Ok(());
        }
        self.orthogonal_test(dtype)?.into_result()?;
        self.proofs.proved().insert(Proof::Orthogonal(dtype));
        Ok(())
    }

    /// Lets the device draw the known answers that are orthogonal matrices in this dtype, written in each way.
    pub(super) fn orthogonal_test(&self, dtype: Dtype) -> Result<SelfTest, Error> {
        let is_orthogonal = |known: &Known| {
            matches!(known.fill.sampler, Sampler::Orthogonal(_)) && known.fill.dtype() == dtype && known.is_whole()
        };
        let mut test = SelfTest::default();
        for known in known_answers()?.filter(is_orthogonal) {
            for place in 0..3 {
                let offset = place * dtype.size();
                let buffer = self.scratch(known.fill.byte_len() + offset)?;
                self.submit_unproved(&Target::new(&known.fill, &buffer, offset), u64::MAX)?;
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
    use super::*;
    use crate::sampler::Kernel;
    use crate::{Distribution, ErrorKind, Layout, Scheme, Stream};

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
            for &writes in Writes::of(kernel, dtype) {
                if dtype == Dtype::F32 || writes == Writes::Odd || kernel == Kernel::Constant {
                    variants.insert(windows::variant(&known.fill.sampler, dtype, writes));
                }
            }
        }
        assert!(variants.len() > 80, "{}", variants.len());
        for variant in variants {
            let proof = filler.prove(variant, &Sampler::Constant(0)).unwrap();
            assert!(proof.agrees() && proof.checks.iter().all(|check| check.values > 1000), "{variant:?}: {proof:?}");
            let by = match variant.kernel {
                kernel if kernel.has_table() && kernel != Kernel::Identity => Kernel::Identity,
                Kernel::Identity => Kernel::Lookup,
                Kernel::Constant => Kernel::Uniform,
                _ => Kernel::Constant,
            };
            filler.pipelines.mistake(&filler.device, variant, by);
            let refused = filler.prove(variant, &Sampler::Constant(0)).unwrap().into_result().unwrap_err();
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
            Fill::tensor(&distribution, Stream::numbered(1, 2), dtype, shape).unwrap()
        };
        let submit = |fill: &Fill, offset| filler.submit(fill, &buffer(&filler, fill, offset), offset);
        let he = tensor("he_normal", &[64, 64], Dtype::F32);
        submit(&he, 0).unwrap();
        assert_eq!(proved(), 1);
        submit(&he, 0).unwrap();
        assert_eq!(proved(), 1);
        // A mean that f32 does not hold, of a deviation so small that there is a unit: no known answer asks for both.
        let odd = Distribution::Normal { mean: 1e-20 / 3.0, std: 1e-21 };
        let odd = Fill::new(&odd, Stream::numbered(1, 2), Dtype::F32, 0..4096).unwrap();
        let asks = odd.sampler.numbers().asks;
        assert!(known_answers().unwrap().all(|known| known.fill.sampler.numbers().asks != asks));
        submit(&odd, 4).unwrap();
        assert_eq!(proved(), 2, "one way of writing from a tile's first element on");
        filler.prepare([&he]).unwrap();
        assert_eq!(proved(), 4);
        submit(&tensor("orthogonal", &[40, 40], Dtype::BF16), 2).unwrap();
        assert!(filler.proofs.proved().contains(&Proof::Orthogonal(Dtype::BF16)));
    }

    /// What is refused draws nothing, and is refused again.
    #[test]
    fn nothing_is_drawn_by_a_pipeline_that_is_refused() {
        let filler = filler();
        let normal = Distribution::Normal { mean: 0.0, std: 0.02 };
        let fill = Fill::new(&normal, Stream::numbered(1, 2), Dtype::F16, 0..4096).unwrap();
        let variant = windows::variant(&fill.sampler, Dtype::F16, Writes::Blocks);
        filler.pipelines.mistake(&filler.device, variant, Kernel::Uniform);
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
        for kernel in super::super::orthogonal::KERNELS {
            let filler = filler();
            super::super::orthogonal::mistake(&filler, kernel);
            let refused = filler.prove_orthogonal(Dtype::F32).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::SelfTest, "{kernel:?}: {refused}");
        }
    }
}
