//! Keys of `torch.func._random`, PyTorch's generator on CUDA, and the Philox words of either.

use std::fmt;
use std::str::FromStr;

use crate::error::{quoted, require};
use crate::{Error, ErrorKind, philox4x32_10};

/// A key of `torch.func._random`, which PyTorch 2.15 has: a seed, and an offset in blocks of four words.
///
/// ```
/// use fanin::torch::TorchKey;
///
/// // torch.func._random.split(torch.func._random.key(42), 3)[2]
/// assert_eq!(TorchKey::new(42).split(2), TorchKey::new(42).fold_in(2));
/// assert_eq!(TorchKey::new(42).data(), [42, 0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TorchKey {
    seed: u64,
    offset: u64,
}

impl TorchKey {
    /// `torch.func._random.key(seed)`.
    pub const fn new(seed: u64) -> TorchKey {
        TorchKey { seed, offset: 0 }
    }

    /// The key whose two numbers these are, the seed and the offset.
    pub const fn from_data([seed, offset]: [u64; 2]) -> TorchKey {
        TorchKey { seed, offset }
    }

    /// Its two numbers.
    pub const fn data(self) -> [u64; 2] {
        [self.seed, self.offset]
    }

    /// `torch.func._random.fold_in(key, data)`.
    #[must_use]
    pub fn fold_in(self, data: u64) -> TorchKey {
        let [a, b, c, d] = block(self.seed, self.offset.wrapping_add(data), 0).map(u64::from);
        TorchKey { seed: a | b << 32, offset: c | d << 32 }
    }

    /// `torch.func._random.split(key, n)[part]`, for any `n` above `part`.
    #[must_use]
    pub fn split(self, part: u64) -> TorchKey {
        self.fold_in(part)
    }
}

/// A GPU as far as PyTorch's generator on CUDA depends on it.
///
/// An operation on n elements is shared out to `256 min(multiprocessors * floor(threads / 256), ceil(n / 256))` threads, each of which has
/// four elements a round; so values depend on the GPU for tensors of more elements than it has threads, and not for others.
///
/// ```
/// use fanin::torch::Cuda;
///
/// let h100 = Cuda::new(132, 2048)?;
/// // Of one element, four words of each thread are used up.
/// assert_eq!(h100.after(0, 1), 4);
/// assert_eq!(h100.after(0, 132 * 2048 * 4 + 1), 8);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cuda {
    multiprocessors: u32,
    threads: u32,
}

/// `sms=132,threads=2048`.
impl fmt::Display for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sms={},threads={}", self.multiprocessors, self.threads)
    }
}

impl FromStr for Cuda {
    type Err = Error;

    fn from_str(text: &str) -> Result<Cuda, Error> {
        let number =
            |part: &str, key: &str| part.trim().strip_prefix(key)?.trim().strip_prefix('=')?.trim().parse().ok();
        let read = || {
            let (sms, threads) = text.split_once(',')?;
            Some((number(sms, "sms")?, number(threads, "threads")?))
        };
        let (sms, threads) = read().ok_or_else(|| {
            Error::new(ErrorKind::Text, "the GPU", quoted(text), "sms=N,threads=N, such as sms=132,threads=2048")
        })?;
        Cuda::new(sms, threads)
    }
}

impl Cuda {
    /// A GPU of so many multiprocessors, each of so many threads: `multi_processor_count` and `max_threads_per_multi_processor` of
    /// `torch.cuda.get_device_properties()`.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] for no multiprocessor or more than 65,536, and for fewer than 256 threads or more than 65,536.
    pub fn new(multiprocessors: u32, threads: u32) -> Result<Cuda, Error> {
        require((1..=65_536).contains(&multiprocessors), "multiprocessors", multiprocessors.into(), "1 to 65536")?;
        require((256..=65_536).contains(&threads), "threads", threads.into(), "256 to 65536")?;
        Ok(Cuda { multiprocessors, threads })
    }

    /// The generator's offset after a uniform or normal operation on this many elements of f32, f16 or bf16; `offset` is the one before it.
    #[must_use]
    pub fn after(self, offset: u64, elements: u64) -> u64 {
        let rounds = elements.div_ceil(4 * self.threads(elements).max(1));
        offset.saturating_add(4 * rounds)
    }

    fn threads(self, elements: u64) -> u64 {
        let most = 256 * u64::from(self.multiprocessors) * u64::from(self.threads / 256);
        most.min(elements.next_multiple_of(256))
    }
}

fn block(seed: u64, number: u64, subsequence: u64) -> [u32; 4] {
    let counter = [number as u32, (number >> 32) as u32, subsequence as u32, (subsequence >> 32) as u32];
    philox4x32_10(counter, [seed as u32, (seed >> 32) as u32])
}

/// The words of a tensor by Philox: those of a key, or of the generator on CUDA.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    Key(TorchKey),
    Cuda { seed: u64, offset: u64, threads: u64 },
}

impl Source {
    /// The words of a tensor of so many elements on this GPU.
    pub fn cuda(seed: u64, offset: u64, card: Cuda, elements: u64) -> Source {
        Source::Cuda { seed, offset, threads: card.threads(elements).max(1) }
    }

    /// An element's block, and which of its words is the element's.
    pub fn block(self, element: u64) -> ([u32; 4], usize) {
        match self {
            Source::Key(key) => (block(key.seed, key.offset.wrapping_add(element / 4), 0), (element % 4) as usize),
            Source::Cuda { seed, offset, threads } => {
                let (round, within) = (element / (4 * threads), element % (4 * threads));
                (block(seed, offset / 4 + round, within % threads), (within / threads) as usize)
            }
        }
    }

    /// The words of elements 4 number to 4 number + 3.
    pub fn words(self, number: u64) -> [u32; 4] {
        std::array::from_fn(|i| {
            let (words, at) = self.block(number.wrapping_mul(4).wrapping_add(i as u64));
            words[at]
        })
    }
}
