//! Known answers on a device.

use std::sync::mpsc;

use wgpu::{Buffer, BufferUsages, Device, Queue};

use super::{GpuFiller, windows};
use crate::sampler::{Kernel, Numbers, Sampler};
use crate::{Distribution, Dtype, Element, Error, Fill, JaxKey, Stream, cpu};

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

/// Random123's known answers for threefry2x32-20: counter, key, words.
pub(crate) const THREEFRY_KNOWN_ANSWERS: [([u32; 2], [u32; 2], [u32; 2]); 3] = [
    ([0; 2], [0; 2], [0x6b20_0159, 0x99ba_4efe]),
    ([u32::MAX; 2], [u32::MAX; 2], [0x1cb9_96fc, 0xbb00_2be7]),
    ([0x243f_6a88, 0x85a3_08d3], [0x1319_8a2e, 0x0370_7344], [0xc492_3a9c, 0x483d_f7a0]),
];

/// What a device said in its self-test.
///
/// ```
/// # let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
/// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
/// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
/// let test = fanin::gpu::GpuFiller::new(&device)?.self_test(&queue)?;
/// assert!(test.agrees(), "{:?}", test.checks);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SelfTest {
    /// Each thing that was compared.
    pub checks: Vec<Check>,
}

/// One comparison of a self-test.
///
/// ```
/// let check = fanin::gpu::Check { name: "normal f16".into(), values: 5000, different: 0 };
/// assert_eq!(check.different, 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was drawn.
    pub name: String,
    /// How many values were compared.
    pub values: u64,
    /// How many of them have other bits than the CPU's.
    pub different: u64,
}

impl SelfTest {
    /// Whether every bit is the CPU's.
    ///
    /// ```
    /// assert!(fanin::gpu::SelfTest { checks: vec![] }.agrees());
    /// ```
    pub fn agrees(&self) -> bool {
        self.checks.iter().all(|check| check.different == 0)
    }
}

impl GpuFiller {
    /// Draws known answers on the device and compares them with the CPU, bit for bit: Random123's vectors for the
    /// generator, then every kernel in every dtype, in both ways of writing.
    ///
    /// It waits for the device and reads back, which nothing else here does; it needs a native device.
    ///
    /// # Errors
    /// [`Error::Device`] if the device does not give its results back.
    ///
    /// See [`SelfTest`] for an example.
    pub fn self_test(&self, queue: &Queue) -> Result<SelfTest, Error> {
        let mut checks = Vec::new();
        let mut check = |name: String, drawn: &[u32], words: &[u32]| {
            let different = words.iter().zip(drawn).filter(|(a, b)| a != b).count() as u64;
            checks.push(Check { name, values: words.len() as u64, different });
        };
        for (i, (counter, key, words)) in KNOWN_ANSWERS.into_iter().enumerate() {
            let name = |place| format!("philox4x32-10 known answer {i} on the {place}");
            let [low, high, attempt, nonce] = counter;
            let numbers = Numbers { word: attempt, ..Numbers::default() };
            let stream = Stream::from_key(key, nonce);
            check(name("device"), &self.known_answer(queue, Kernel::Words, numbers, stream, [low, high])?, &words);
            check(name("CPU"), &crate::philox4x32_10(counter, key), &words);
        }
        for (i, (counter, key, words)) in THREEFRY_KNOWN_ANSWERS.into_iter().enumerate() {
            let name = |place| format!("threefry2x32-20 known answer {i} on the {place}");
            let [high, low] = counter;
            let stream = Stream::from_key(key, 0);
            let drawn = self.known_answer(queue, Kernel::ThreefryWords, Numbers::default(), stream, [low, high])?;
            check(name("device"), &drawn, &words);
            check(name("CPU"), &crate::threefry2x32_20(counter, key), &words);
        }
        let native = Stream::named(42, "self-test");
        let (tensorflow, jax) = (Stream::tensorflow([42, -1]), Stream::jax(JaxKey::new(42)));
        for (distribution, stream) in [
            (Distribution::Constant { value: 0.1 }, native),
            (Distribution::Uniform { low: -0.3, high: 0.7 }, native),
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
            // Block 2^32 lies within. From a block's first element on, blocks are written whole; from another, word by word.
            for (dtype, start) in
                Dtype::ALL.into_iter().flat_map(|dtype| [2112, 2111].map(|back| (dtype, (1 << 34) - back)))
            {
                let range = start..(1 << 34) + 2500;
                let fill = Fill::new(&distribution, stream, dtype, range)?;
                let different = match dtype {
                    Dtype::F32 => self.differences::<f32>(queue, &fill)?,
                    Dtype::F16 => self.differences::<half::f16>(queue, &fill)?,
                    Dtype::BF16 => self.differences::<half::bf16>(queue, &fill)?,
                };
                checks.push(Check {
                    name: format!("{:?} {distribution} {dtype} from element {start}", fill.sampler.kernel),
                    values: fill.len(),
                    different,
                });
            }
        }
        Ok(SelfTest { checks })
    }

    fn differences<T: Element>(&self, queue: &Queue, fill: &Fill) -> Result<u64, Error> {
        let buffer = self.scratch(fill.len() * fill.dtype().size());
        self.submit(queue, fill, &buffer, 0)?;
        let bytes = read_back(&self.device, queue, &buffer)?;
        let mut expected = vec![T::zeroed(); fill.len() as usize];
        cpu::fill(fill, &mut expected)?;
        let size = size_of::<T>();
        let expected: &[u8] = bytemuck::cast_slice(&expected);
        Ok(bytes.chunks(size).zip(expected.chunks(size)).filter(|(a, b)| a != b).count() as u64)
    }

    /// The words at any block, which no fill reaches.
    fn known_answer(
        &self,
        queue: &Queue,
        kernel: Kernel,
        numbers: Numbers,
        stream: Stream,
        block: [u32; 2],
    ) -> Result<[u32; 4], Error> {
        let zero = Distribution::Constant { value: 0.0 };
        let mut fill = Fill::new(&zero, stream, Dtype::F32, 0..4)?;
        fill.sampler = Sampler { kernel, numbers };
        let buffer = self.scratch(16);
        let mut dispatches = windows::plan(&fill, &buffer, 0, &self.limits)?;
        for window in &mut dispatches {
            window.params.block = block;
        }
        let dispatches: Vec<_> = dispatches.into_iter().map(|window| (&buffer, window)).collect();
        let mut encoder = self.device.create_command_encoder(&Default::default());
        self.record_windows(&mut encoder, &dispatches)?;
        queue.submit([encoder.finish()]);
        let bytes = read_back(&self.device, queue, &buffer)?;
        Ok(std::array::from_fn(|i| {
            u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]])
        }))
    }

    fn scratch(&self, bytes: u64) -> Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("fanin self-test"),
            size: bytes.next_multiple_of(4),
            usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        })
    }
}

/// The buffer's bytes, once the device has written them.
fn read_back(device: &Device, queue: &Queue, buffer: &Buffer) -> Result<Vec<u8>, Error> {
    let failed = |reason: String| Error::Device { reason };
    let copy = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("fanin self-test copy"),
        size: buffer.size(),
        usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &copy, 0, buffer.size());
    queue.submit([encoder.finish()]);
    let (sender, receiver) = mpsc::channel();
    copy.map_async(wgpu::MapMode::Read, .., move |result| {
        // The receiver is there until the answer is.
        let _ = sender.send(result);
    });
    device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| failed(e.to_string()))?;
    receiver.try_recv().map_err(|_| failed("the device did not answer".into()))?.map_err(|e| failed(e.to_string()))?;
    let bytes = copy.get_mapped_range(..).map_err(|e| failed(e.to_string()))?.to_vec();
    Ok(bytes)
}
