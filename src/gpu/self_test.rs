//! Known answers on a device.

use sha2::{Digest, Sha256};
use wgpu::{Buffer, BufferUsages};

use super::batches::Batches;
use super::features::Rounding;
use super::filler::GpuFiller;
use super::given::Given;
use super::kernels::Variant;
use super::pieces::{Piece, pieces};
use super::run::Run;
use super::target::Target;
use super::windows;
use crate::kernel::{Sampler, Twin, Words};
use crate::{Distribution, Dtype, Error, ErrorKind, Fill, JaxKey, Layout, Scheme, Stream, cpu};

/// Random123's known answers for philox4x32-10: counter, key, words.
const KNOWN_ANSWERS: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
    ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
    ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
    (
        [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
        [0xa409_3822, 0x299f_31d0],
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
    ),
];

/// The outcome of a device's self-test.
///
/// ```
/// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
/// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
/// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
/// let test = fanin::gpu::GpuFiller::untested(&device, &queue)?.self_test()?;
/// assert!(test.agrees(), "{:?}", test.checks);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
#[must_use]
pub struct SelfTest {
    /// Each thing that was compared.
    pub checks: Vec<Check>,
    /// The SHA-256 of all that the device drew, in hexadecimal, for each kernel and dtype, such as "normal f16". Devices can be
    /// compared by them.
    pub digests: Vec<(String, String)>,
}

/// One comparison of a self-test.
///
/// ```
/// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
/// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
/// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
/// let test = fanin::gpu::GpuFiller::untested(&device, &queue)?.self_test()?;
/// for check in &test.checks {
///     assert_eq!(check.different, 0, "{}: of {} values", check.name, check.values);
/// }
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// The name of what was drawn.
    pub name: String,
    /// The number of values that were compared.
    pub values: u64,
    /// The number of them that have other bits than the CPU's.
    pub different: u64,
}

impl Check {
    /// The comparison of drawn bytes of elements with the expected ones.
    pub(super) fn compared(name: String, drawn: &[u8], expected: &[u8], dtype: Dtype) -> Check {
        let pairs = expected.chunks(dtype.size() as usize).zip(drawn.chunks(dtype.size() as usize));
        Check { name, values: pairs.len() as u64, different: pairs.filter(|(a, b)| a != b).count() as u64 }
    }

    /// This check, together with another one of the same thing.
    pub(super) fn with(self, other: &Check) -> Check {
        Check { values: self.values + other.values, different: self.different + other.different, ..self }
    }
}

impl SelfTest {
    /// True if every bit is the CPU's. A test of which a check compared nothing does not agree.
    pub fn agrees(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.values > 0 && check.different == 0)
    }

    /// Nothing, if every bit is the CPU's.
    ///
    /// # Errors
    /// [`ErrorKind::SelfTest`] with the first check that failed.
    pub fn into_result(self) -> Result<(), Error> {
        if self.agrees() {
            return Ok(());
        }
        let (failed, checks) = (self.checks.iter().filter(|check| check.different > 0), self.checks.len());
        let said = match failed.clone().next() {
            None => "compared nothing".into(),
            Some(Check { name, values, different }) => format!(
                "draws other bits than the CPU: {} of {checks} checks failed, the first of them {name}, in {different} of {values} values",
                failed.count()
            ),
        };
        let error = Error::failed(ErrorKind::SelfTest, "the device", said);
        Err(error.allowing("a device that passes the self-test, or GpuFiller::untested"))
    }
}

/// Elements of each check. With fast-math 11 of a million f16 normals differ, and one or two of a million in bf16: two ways of
/// writing draw 2^20 of each distribution.
const fn elements(dtype: Dtype) -> u64 {
    match dtype {
        Dtype::F32 => 1 << 16,
        Dtype::F16 | Dtype::BF16 => 1 << 19,
    }
}

/// A fill whose bits a device is asked for.
#[derive(Clone)]
pub(super) struct Known {
    distribution: Distribution,
    pub fill: Fill,
    /// The most elements that are drawn at once: parts share dispatches where they share no word.
    most: u64,
}

impl Known {
    /// True if a pipeline's kernel draws it, in the pipeline's dtype.
    pub fn is_of(&self, variant: Variant) -> bool {
        self.fill.sampler.kernel() == variant.kernel && self.fill.dtype() == variant.dtype
    }

    /// True if it is a whole tensor.
    pub fn is_whole(&self) -> bool {
        self.fill.range().start == 0
    }

    /// The kernel and the dtype.
    fn kind(&self) -> String {
        format!("{} {}", self.fill.sampler.kernel().name(), self.fill.dtype())
    }

    /// The name of what was drawn, for people.
    pub fn name(&self) -> String {
        format!("{}, {}, from element {}", self.kind(), self.distribution, self.fill.range().start)
    }
}

/// All fills with known answers.
pub(super) fn known_answers() -> Result<impl Iterator<Item = Known>, Error> {
    Ok(known_fills()?.into_iter().chain(known_structures()?))
}

/// Every kernel without a table in every dtype, written in blocks and word by word.
fn known_fills() -> Result<Vec<Known>, Error> {
    let native = Stream::named(42, "self-test");
    let (tensorflow, jax) = (Stream::tensorflow([42, -1]), Stream::jax(JaxKey::new(42)));
    let mut fills = Vec::new();
    for (distribution, stream) in [
        (Distribution::Constant { value: 0.1 }, native),
        (Distribution::Uniform { low: -0.05, high: 0.05 }, native),
        (Distribution::Uniform { low: -0.3, high: 0.7 }, native),
        (Distribution::Normal { mean: 0.0, std: 0.02 }, native),
        (Distribution::Normal { mean: 0.1, std: 0.02 }, native),
        (Distribution::Normal { mean: 0.0, std: 1e-37 }, native),
        (Distribution::TruncatedNormal { mean: 0.0, std: 0.02, low: -0.04, high: 0.04 }, native),
        (Distribution::TruncatedNormal { mean: 0.0, std: 1.0, low: 5.0, high: f64::INFINITY }, native),
        (Distribution::TruncatedNormal { mean: 1.0, std: 3.0, low: 0.0, high: 0.5 }, native),
        (Distribution::Uniform { low: -0.3, high: 0.7 }, tensorflow),
        (Distribution::Normal { mean: 0.1, std: 0.02 }, tensorflow),
        (Distribution::truncated_at(0.0, 0.02, 2.0), tensorflow),
        (Distribution::Uniform { low: -0.3, high: 0.7 }, jax),
        (Distribution::truncated_at(0.1, 0.02, 2.0), jax),
    ] {
        // Block 2^32 lies within. From a block's first element on, blocks are written whole; from another, word by word, or, of
        // some kernels, in each other way, too.
        let both = matches!(
            distribution,
            Distribution::Uniform { low: -0.05, .. } | Distribution::TruncatedNormal { low: -0.04, .. }
        );
        let most = if both { 1 << 13 } else { 1 << 10 };
        for &dtype in Dtype::ALL {
            for (start, most) in [((1 << 34) - 2112, u64::MAX), ((1 << 34) - 2111, most), ((1 << 34) - 2110, most)] {
                if start % 4 == 2 && !both {
                    continue;
                }
                let fill = distribution.fill_range(start..start + elements(dtype), stream, dtype)?;
                fills.push(Known { distribution, fill, most });
            }
        }
    }
    Ok(fills)
}

/// The same of kernels that have a table, and of products of reflections.
fn known_structures() -> Result<Vec<Known>, Error> {
    let mut fills = Vec::new();
    for (scheme, shape, layout) in [
        ("orthogonal:gain=0.5", &[70, 333][..], Layout::OUT_IN),
        ("orthogonal", &[100, 65], Layout::OUT_IN),
        ("dirac:groups=3", &[48, 10, 3, 5], Layout::OUT_IN),
        ("sparse:sparsity=0.7", &[100, 300], Layout::OUT_IN),
        ("arange:start=1,function=log", &[300, 65], Layout::OUT_IN),
        ("log_uniform:low=0.001,high=0.1", &[5000], Layout::OUT_IN),
    ] {
        let distribution = scheme.parse::<Scheme>()?.distribution(shape, layout)?;
        for &dtype in Dtype::ALL {
            let fill = distribution.fill(shape, Stream::named(42, "self-test"), dtype)?;
            // Also word by word.
            fills.push(Known { distribution, fill: fill.split_at(3).1, most: u64::MAX });
            fills.push(Known { distribution, fill, most: u64::MAX });
        }
    }
    Ok(fills)
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl GpuFiller {
    /// Draws known answers on the device and compares them with the CPU, bit for bit: Random123's vectors for the
    /// generators, then every kernel in every dtype, in blocks and word by word, some 35 million values.
    ///
    /// It compiles all of that, waits for the device and reads back, a second or less on a GPU; it needs a native device.
    ///
    /// Kernels are tested with the rounding that they draw with. If that is by the language and a check fails, the test is repeated with
    /// guards, which the filler keeps from then on: [`rounding`](GpuFiller::rounding) says which of the two the returned test used.
    ///
    /// # Errors
    /// [`ErrorKind::Device`] if the device does not give its results back.
    ///
    /// See [`SelfTest`] for an example.
    pub fn self_test(&self) -> Result<SelfTest, Error> {
        if self.rounding() == Rounding::ByLanguage {
            match self.tested(Rounding::ByLanguage).and_then(|test| test.clone().into_result().map(|()| test)) {
                Err(e) => self.proofs.refuse_language(e),
                agrees => return agrees,
            }
        }
        self.tested(Rounding::ByGuards)
    }

    /// The self-test of kernels that keep their rounding so.
    pub(super) fn tested(&self, rounding: Rounding) -> Result<SelfTest, Error> {
        let mut checks = Vec::new();
        let mut check = |name: String, drawn: &[u32], words: &[u32]| {
            let different = words.iter().zip(drawn).filter(|(a, b)| a != b).count() as u64;
            checks.push(Check { name, values: words.len() as u64, different });
        };
        for (i, (counter, key, words)) in KNOWN_ANSWERS.into_iter().enumerate() {
            let name = |place| format!("philox4x32-10 known answer {i} on the {place}");
            let [low, high, attempt, nonce] = counter;
            let stream = Stream::from_key(key, nonce);
            let drawn = self.known_answer(Sampler::Words(Words::Philox(attempt)), stream, [low, high], rounding)?;
            check(name("device"), &drawn, &words);
            check(name("CPU"), &crate::philox4x32_10(counter, key), &words);
        }
        for (i, (counter, key, words)) in crate::threefry::KNOWN_ANSWERS.into_iter().enumerate() {
            let name = |place| format!("threefry2x32-20 known answer {i} on the {place}");
            let [high, low] = counter;
            let stream = Stream::from_key(key, 0);
            let drawn = self.known_answer(Sampler::Words(Words::Threefry), stream, [low, high], rounding)?;
            check(name("device"), &drawn, &words);
            check(name("CPU"), &crate::threefry2x32_20(counter, key), &words);
        }
        let mut digests = Vec::<(String, Sha256)>::new();
        for known in known_answers()? {
            let Known { fill, most, .. } = &known;
            let buffer = self.scratch(fill.len() * fill.dtype().size())?;
            self.submit_unproved(&Target::new(fill, &buffer, 0), *most, rounding)?;
            let drawn = self.read_back(&buffer)?;
            checks.push(Check::compared(known.name(), &drawn, &cpu::bytes(fill)?, fill.dtype()));
            let at = digests.iter().position(|(kind, _)| *kind == known.kind()).unwrap_or_else(|| {
                digests.push((known.kind(), Sha256::new()));
                digests.len() - 1
            });
            digests[at].1.update(&drawn);
        }
        let digests = digests.into_iter().map(|(of, hash)| (of, hexadecimal(hash))).collect();
        Ok(SelfTest { checks, digests })
    }

    /// Draws a target in parts of at most so many elements by pipelines that nobody has proved.
    pub(super) fn submit_unproved(&self, target: &Target<'_>, most: u64, rounding: Rounding) -> Result<(), Error> {
        let parts: Vec<_> = pieces(target, Some(most)).collect();
        let targets: Vec<_> = parts.iter().map(Piece::target).collect();
        let given = Given::new([target.buffer]);
        let steps = self.at_once(&targets, &given, Some(rounding))?;
        Run::new(&self.engine, given.buffers()).submit(steps, u64::MAX)
    }

    /// The words at any block, which no fill reaches.
    fn known_answer(
        &self,
        sampler: Sampler,
        stream: Stream,
        block: [u32; 2],
        rounding: Rounding,
    ) -> Result<[u32; 4], Error> {
        let zero = Distribution::Constant { value: 0.0 };
        let mut fill = zero.fill_range(0..4, stream, Dtype::F32)?;
        fill.sampler = sampler;
        let buffer = self.scratch(16)?;
        let (given, mut batches) = (Given::new([&buffer]), Batches::default());
        for mut window in windows::plan(&fill, buffer.size(), 0, &self.limits)? {
            window.params.block = block;
            batches.add(&given.slot(&buffer), &window);
        }
        Run::new(&self.engine, given.buffers()).submit(batches.dispatches(rounding), u64::MAX)?;
        let bytes = self.read_back(&buffer)?;
        Ok(std::array::from_fn(|i| {
            u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]])
        }))
    }

    pub(super) fn scratch(&self, bytes: u64) -> Result<Buffer, Error> {
        self.create_buffer("fanin self-test", bytes, BufferUsages::COPY_SRC)
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::Writes;
    use super::*;
    use crate::kernel::Kernel;

    /// A device that draws something else with one kernel, in one dtype and one way of writing, is refused, and the error says
    /// with which.
    #[test]
    fn a_device_that_draws_other_bits_is_refused() {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = pollster::block_on(instance.request_adapter(&Default::default()))
            .expect("this test needs an adapter: apt-get install mesa-vulkan-drivers, or run tests/run");
        let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
        let filler = GpuFiller::untested(&device, &queue).unwrap();
        let known = known_fills().unwrap();
        let normal = known.iter().find(|known| known.kind() == "normal f16").unwrap();
        filler.engine.exchange(
            windows::variant(&normal.fill.sampler, Dtype::F16, Writes::Blocks),
            Rounding::ByGuards,
            Kernel::Uniform,
        );
        let refused = filler.self_test().unwrap().into_result().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::SelfTest);
        // Of three distributions of this kernel, the one that asks nothing, written in blocks; beside them, words on device and CPU.
        let checks =
            known_answers().unwrap().count() + 2 * (KNOWN_ANSWERS.len() + crate::threefry::KNOWN_ANSWERS.len());
        let says = format!("1 of {checks} checks failed, the first of them normal f16, ");
        assert!(refused.value().contains(&says), "{refused}");
        let values = elements(Dtype::F16);
        let (_, counts) = refused.value().rsplit_once(" in ").unwrap();
        let different: u64 = counts.strip_suffix(&format!(" of {values} values")).unwrap().parse().unwrap();
        assert!(different > values / 2, "{refused}");
    }

    /// A pipeline that no window was drawn by is not proved.
    #[test]
    fn a_check_that_compared_nothing_is_no_proof() {
        let check = |values| Check { name: "normal f32".into(), values, different: 0 };
        assert!(SelfTest { checks: vec![check(4)], ..SelfTest::default() }.agrees());
        let refused = SelfTest { checks: vec![check(4), check(0)], ..SelfTest::default() }.into_result().unwrap_err();
        assert!(refused.value().contains("compared nothing"), "{refused}");
    }

    /// The page draws what the self-test draws, and has the digests with it. `FANIN_WRITE=1` writes them anew.
    #[test]
    fn the_page_has_the_known_answers() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web/known_answers.json");
        let checks: Vec<_> = known_fills()
            .unwrap()
            .into_iter()
            .map(|known| {
                let (name, Known { fill, .. }) = (known.name(), known);
                let words: [u32; 20] = bytemuck::cast(fill.sampler.numbers());
                let check = serde_json::json!({
                    "name": name, "kernel": fill.sampler.kernel().name(),
                    "dtype": fill.dtype().to_string(), "start": fill.range().start, "end": fill.range().end,
                    "key": fill.stream.key, "nonce": fill.stream.nonce, "numbers": words,
                    "sha256": hexadecimal(Sha256::new_with_prefix(cpu::bytes(&fill).unwrap())),
                });
                format!("  {check}")
            })
            .collect();
        let text = format!("{{\"contract\": {}, \"checks\": [\n{}\n]}}\n", crate::VALUE_CONTRACT, checks.join(",\n"));
        if std::env::var_os("FANIN_WRITE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(kept == text, "web/known_answers.json is not what the kernels' twins draw");
    }
}
