//! Streams: which random words a tensor is made of.

use sha2::{Digest, Sha256};

use crate::torch_words::keys::Source;
use crate::torch_words::{Cuda, Place, TorchKey};
use crate::{Error, ErrorKind, philox4x32_10, threefry2x32_20};

/// The random words of one tensor: a pure function from a block number to four words.
///
/// A stream is a value. It holds no position, so that any element of any tensor can be drawn alone, anywhere, in any
/// order. The value contract of fanin's own streams:
///
/// - The seed's low and high halves are a Philox key. The block at a counter of its own under that key is `(k0, k1, n, -)`:
///   `(k0, k1)` is the tensor's key, `n` its nonce. With 96 bits, the chance that any two of 10^6 tensors share a stream is
///   below 2^-56.
/// - Elements `4 b` to `4 b + 3` are made of the four words of block `b`, whose counter is `(b low, b high, attempt, nonce)`:
///   uniforms of one word each, normals two of a pair. Truncated normals have more attempts than 0. `VALUES.md`, beside the
///   sources, says how, to the last bit.
///
/// A counter's third word says what the block is for, so that no derivation shares a block with another or with a draw:
///
/// | of | third word | counter | key |
/// | --- | --- | --- | --- |
/// | [draws](Stream::block) | below 2^31 | `(block low, block high, attempt, nonce)` | the stream's |
/// | [a number](Stream::numbered) | 2^31 | `(low, high, 0x80000000, 0)` | the seed |
/// | [what is folded in](Stream::fold_in) | 2^31 + 1 | `(low, high, 0x80000001, nonce)` | the stream's |
/// | which outputs of an input are zero in a [sparse](crate::Structure::Sparse) weight | 2^31 + 2 | `(input low, input high, 0x80000002, nonce)` | the stream's |
/// | [a name](Stream::named) | from 3 * 2^30 on | `(w0, w1, w2 \| 0xc0000000, w3)`, the first 16 bytes of the SHA-256 of the name's UTF-8 bytes as little-endian words | the seed |
///
/// # The streams of other frameworks
/// A program that leaves a framework can keep the weights that its seed gave:
///
/// | there | here |
/// | --- | --- |
/// | `tf.random.stateless_uniform(shape, [a, b], low, high, alg="philox")` | [`Stream::tensorflow([a, b])`](Stream::tensorflow), uniform |
/// | `tf.random.stateless_normal(shape, [a, b], mean, std, alg="philox")` | the same, normal |
/// | `tf.random.stateless_truncated_normal(..)` | the same, truncated normal at two sigmas |
/// | `keras.initializers.GlorotUniform(seed=s)(shape)` and its like, TensorFlow backend | [`Stream::keras(s)`](Stream::keras), the scheme with [`Layout::IN_OUT`](crate::Layout::IN_OUT) (`glorot_normal:truncated=true` for GlorotNormal, and so on) |
/// | `jax.random.uniform(jax.random.key(s), shape, minval=low, maxval=high)` | [`Stream::jax(JaxKey::new(s))`](Stream::jax), uniform |
/// | `jax.random.normal(key, shape) * std` | the same, normal |
/// | `jax.random.truncated_normal(key, a, b, shape) * std` | the same, truncated normal from `a * std` to `b * std` |
/// | `jax.nn.initializers.he_normal()(key, shape)` and its like | [`Stream::jax_initializer(key)`](Stream::jax_initializer), the scheme with [`Layout::IN_OUT`](crate::Layout::IN_OUT) and `truncated=true` for normals |
/// | `jax.nn.initializers.uniform(scale)(key, shape)` | the same, uniform from 0 to `scale` |
/// | `jax.nn.initializers.normal(std)`, `truncated_normal(std, lower=a, upper=b)` | the same, normal of mean 0, truncated normal from `a * std` to `b * std` |
/// | `jax.random.fold_in(key, d)`, `jax.random.split(key, n)[j]` | [`JaxKey::fold_in`], [`JaxKey::split`] |
/// | `torch.manual_seed(s)`, and the first tensor after it on the CPU | [`Stream::torch(Place::new(s))`](Stream::torch); of later ones [`torch`](crate::torch) says the places |
///
/// A truncated normal of JAX is refused in a window where JAX's own values are not one. `jax.random.truncated_normal` picks an
/// f32 number between the error functions of the two bounds. From 3.5 sigmas on there are few such numbers. From 6 sigmas on the error
/// function is 1, and JAX gives the bound itself (for f16 and bf16 the limits are 1 and 3.4 sigmas).
///
/// Exact: the random words; uniform values, bit for bit, in every dtype; which candidates a truncated normal keeps. Close: normal
/// values, whose logarithm, sine and cosine each framework takes from its own library, and that differ from device to device; here
/// they are the same everywhere, within 4 units in the last place or 4e-7 of what the frameworks drew on a CPU, and within one unit
/// in f16 and bf16. TensorFlow's and JAX's uniform values may be `high` itself, by rounding, as they are there. Their parameters
/// must be 0 or of a magnitude from 2^-60 to 2^60: the frameworks' own steps are followed, and beyond that one could be subnormal
/// or infinite. Verified with TensorFlow 2.21, Keras 3.15 and JAX 0.10 (threefry2x32, partitionable). In f16, JAX's own values depend
/// on its CPU wherever a window's width times a fraction of 10 bits is no f16: with half-precision arithmetic (AVX512-FP16) it
/// rounds `fraction * width + low` once, as here, and without it the product, too.
///
/// These frameworks have one seed for one tensor; [`seeds`](crate::seeds) makes one for each tensor of a model.
///
/// ```
/// use fanin::Stream;
///
/// let weight = Stream::named(42, "layer.0.weight");
/// assert_eq!(weight, Stream::named(42, "layer.0.weight"));
/// assert_ne!(weight, Stream::named(43, "layer.0.weight"));
/// assert_ne!(weight, Stream::numbered(42, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stream {
    pub(crate) key: [u32; 2],
    pub(crate) nonce: u32,
    /// The third word of a counter: to which an attempt's number is added.
    pub(crate) base: u32,
    pub(crate) origin: Origin,
}

/// The framework whose layout of words and values a stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// fanin's own.
    Native,
    /// `tf.random.stateless_*`, and Keras on it.
    TensorFlow,
    /// `jax.random`.
    Jax,
    /// `jax.nn.initializers`.
    JaxInitializers,
    /// PyTorch's generator on the CPU.
    Torch(TorchTensor),
    /// The keys of `torch.func._random`.
    TorchKey(TorchKey),
    /// PyTorch's generator on CUDA; how many elements the tensor has as above.
    TorchCuda { seed: u64, offset: u64, card: Cuda, elements: Option<u64> },
}

/// The place of a tensor's words in PyTorch's sequence, and whether its memory is in row-major order without gaps. With it goes the
/// number of its elements, on which its words depend, once that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TorchTensor {
    pub place: Place,
    pub is_dense: bool,
    pub elements: Option<u64>,
}

/// The third words of the counters that streams are derived from; a name's own third word has these two bits set.
const OF_NUMBER: u32 = 0x8000_0000;
const OF_FOLD: u32 = 0x8000_0001;
const OF_NAME: u32 = 0xc000_0000;

impl Stream {
    /// The stream of the tensor called `name` under `seed`.
    ///
    /// A name is its UTF-8 bytes as they are given. They are not normalised: "é" as one character and as two are two names.
    ///
    /// ```
    /// let stream = fanin::Stream::named(0, "lm_head.weight");
    /// # let _ = stream;
    /// ```
    pub fn named(seed: u64, name: &str) -> Stream {
        let digest = Sha256::digest(name.as_bytes());
        let word =
            |i: usize| u32::from_le_bytes([digest[4 * i], digest[4 * i + 1], digest[4 * i + 2], digest[4 * i + 3]]);
        Self::derived(seed, [word(0), word(1), word(2) | OF_NAME, word(3)])
    }

    /// The stream of tensor `number` under `seed`, for programs whose tensors have no names.
    pub fn numbered(seed: u64, number: u64) -> Stream {
        Self::derived(seed, [number as u32, (number >> 32) as u32, OF_NUMBER, 0])
    }

    /// The stream with this Philox key and nonce, for programs that derive their own.
    pub const fn from_key(key: [u32; 2], nonce: u32) -> Stream {
        Stream { key, nonce, base: 0, origin: Origin::Native }
    }

    /// Another stream for each `data` (a replica, a restart, a step of dropout), independent of this one and of the others.
    ///
    /// # Errors
    /// [`ErrorKind::Stream`] for a stream of another framework: what is folded in there is theirs to say, as
    /// [`JaxKey::fold_in`] does.
    ///
    /// ```
    /// use fanin::Stream;
    ///
    /// let weight = Stream::named(42, "layer.0.weight");
    /// let replicas = [weight.fold_in(0)?, weight.fold_in(1)?];
    /// assert!(replicas[0] != replicas[1] && replicas[0] != weight);
    /// assert!(Stream::keras(42).fold_in(0).is_err());
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn fold_in(self, data: u64) -> Result<Stream, Error> {
        let framework = match self.origin {
            Origin::Native => {
                let counter = [data as u32, (data >> 32) as u32, OF_FOLD, self.nonce];
                return Ok(Self::at(counter, self.key));
            }
            Origin::TensorFlow => "TensorFlow",
            Origin::Jax | Origin::JaxInitializers => "JAX",
            Origin::Torch(_) | Origin::TorchKey(_) | Origin::TorchCuda { .. } => "PyTorch",
        };
        let allowed = "fanin's own (Stream::named, numbered, from_key); keys of JAX have JaxKey::fold_in";
        Err(Error::new(ErrorKind::Stream, "the stream that is folded into", format!("{framework}'s"), allowed))
    }

    /// The version of the value contract of streams of this kind: it changes if and only if what some of them draw does.
    ///
    /// | streams | contract |
    /// | --- | --- |
    /// | fanin's own | [`VALUE_CONTRACT`](crate::VALUE_CONTRACT) |
    /// | TensorFlow's and Keras's | 1 |
    /// | `jax.random`'s | 1 |
    /// | those of `jax.nn.initializers` | 1 |
    /// | those of PyTorch's generator on the CPU | 1 |
    /// | those of PyTorch's keys | 1 |
    /// | those of PyTorch's generator on CUDA | 1 |
    pub const fn contract(self) -> u32 {
        match self.origin {
            Origin::Native => crate::VALUE_CONTRACT,
            Origin::TensorFlow => 1,
            Origin::Jax => 1,
            Origin::JaxInitializers => 1,
            Origin::Torch(_) => 1,
            Origin::TorchKey(_) => 1,
            Origin::TorchCuda { .. } => 1,
        }
    }

    fn derived(seed: u64, counter: [u32; 4]) -> Stream {
        Self::at(counter, [seed as u32, (seed >> 32) as u32])
    }

    /// The stream whose key and nonce are the block there.
    fn at(counter: [u32; 4], key: [u32; 2]) -> Stream {
        let [k0, k1, nonce, _] = philox4x32_10(counter, key);
        Self::from_key([k0, k1], nonce)
    }

    /// The stream of TensorFlow's `tf.random.stateless_*` with this seed and `alg="philox"`. It has their values: uniform ones bit for
    /// bit, normal ones but for the last places of the logarithm and of sine and cosine.
    ///
    /// ```
    /// use fanin::{Distribution, Dtype, Fill, Stream, cpu};
    ///
    /// // tf.random.stateless_uniform([2], [1, 2], alg="philox")
    /// let unit = Distribution::Uniform { low: 0.0, high: 1.0 };
    /// let mut values = [0f32; 2];
    /// cpu::fill(&unit.fill_range(0..2, Stream::tensorflow([1, 2]), Dtype::F32)?, &mut values)?;
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn tensorflow(seed: [i64; 2]) -> Stream {
        const SCRAMBLE: [u32; 2] = [0x3ec8_f720, 0x0246_1e29];
        let [a, b] = seed;
        let counter = [a as u32, (a >> 32) as u32, b as u32, (b >> 32) as u32];
        let [k0, k1, base, nonce] = philox4x32_10(counter, SCRAMBLE);
        Stream { key: [k0, k1], nonce, base, origin: Origin::TensorFlow }
    }

    /// The stream of a Keras 3 initializer with this seed, on its TensorFlow backend.
    ///
    /// ```
    /// // keras.initializers.GlorotUniform(seed=42)
    /// assert_eq!(fanin::Stream::keras(42), fanin::Stream::tensorflow([42, 0]));
    /// ```
    pub fn keras(seed: i64) -> Stream {
        Stream::tensorflow([seed.rem_euclid((1 << 31) - 2), 0])
    }

    /// The stream of `jax.random` with this key: threefry2x32, partitionable, as is JAX's default.
    ///
    /// Normal values are those of the inverse error function, but for the last places of the logarithm.
    ///
    /// ```
    /// use fanin::{JaxKey, Stream};
    ///
    /// // jax.random.fold_in(jax.random.key(0), 7)
    /// let stream = Stream::jax(JaxKey::new(0).fold_in(7));
    /// # let _ = stream;
    /// ```
    pub const fn jax(key: JaxKey) -> Stream {
        Stream { key: key.0, nonce: 0, base: 0, origin: Origin::Jax }
    }

    /// The stream of an initializer of `jax.nn.initializers` with this key: the words of [`Stream::jax`], and of its
    /// distributions those that the initializers have, scaled as they do.
    ///
    /// Those are uniform from `-high` to `high` (`variance_scaling`) and from 0 to `high` (`uniform`), normal and truncated
    /// normal of mean 0; [`Distribution::fill`](crate::Distribution::fill) refuses others with [`ErrorKind::Parameter`].
    ///
    /// ```
    /// use fanin::{Dtype, Fill, JaxKey, Layout, Scheme, Stream};
    ///
    /// // jax.nn.initializers.glorot_uniform()(jax.random.key(42), (30, 40))
    /// let glorot = "glorot_uniform".parse::<Scheme>()?.distribution(&[30, 40], Layout::IN_OUT)?;
    /// let fill = glorot.fill_range(0..1200, Stream::jax_initializer(JaxKey::new(42)), Dtype::F32)?;
    /// # let _ = fill;
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const fn jax_initializer(key: JaxKey) -> Stream {
        Stream { origin: Origin::JaxInitializers, ..Stream::jax(key) }
    }

    /// The stream of a tensor that PyTorch's generator on the CPU fills, from this place of its sequence on: see [`torch`](crate::torch).
    ///
    /// PyTorch's values depend on how many elements there are, so that only whole tensors and slices of them are drawn, no range alone:
    /// [`Distribution::fill`](crate::Distribution::fill). On a device they are drawn by the host.
    ///
    /// ```
    /// use fanin::torch::Place;
    /// use fanin::{Distribution, Dtype, Fill, Stream, cpu};
    ///
    /// // torch.manual_seed(42); torch.randn(16)
    /// let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
    /// let values: Vec<f32> = cpu::vec(&normal.fill(&[16], Stream::torch(Place::new(42)), Dtype::F32)?)?;
    /// assert_eq!(values[..3], [1.9269153, 1.4872841, 0.9007172]);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const fn torch(place: Place) -> Stream {
        let tensor = TorchTensor { place, is_dense: true, elements: None };
        Stream { key: [0; 2], nonce: 0, base: 0, origin: Origin::Torch(tensor) }
    }

    /// The same for a tensor whose memory has gaps, or is not in row-major order. PyTorch draws its normals one by one, in memory order.
    pub const fn torch_strided(place: Place) -> Stream {
        let tensor = TorchTensor { place, is_dense: false, elements: None };
        Stream { origin: Origin::Torch(tensor), ..Stream::torch(place) }
    }

    /// The same of a whole tensor of so many elements, where words depend on it.
    pub(crate) fn of_tensor(self, elements: u64) -> Stream {
        match self.origin {
            Origin::Torch(tensor) => {
                let tensor = TorchTensor { elements: Some(elements), ..tensor };
                Stream { origin: Origin::Torch(tensor), ..self }
            }
            Origin::TorchCuda { seed, offset, card, .. } => {
                let elements = Some(elements);
                Stream { origin: Origin::TorchCuda { seed, offset, card, elements }, ..self }
            }
            _ => self,
        }
    }

    /// The stream of `torch.func._random` with this key, as PyTorch draws it on a CPU.
    ///
    /// Uniform values are the same bits, normal ones within 5e-7 standard deviations, nearly all of them the same too. On a device it is drawn
    /// by the host.
    ///
    /// ```
    /// use fanin::torch::TorchKey;
    /// use fanin::{Distribution, Dtype, Fill, Stream, cpu};
    ///
    /// // torch.func._random.uniform(torch.func._random.key(42), (4,))
    /// let unit = Distribution::Uniform { low: 0.0, high: 1.0 };
    /// let values: Vec<f32> = cpu::vec(&unit.fill_range(0..4, Stream::torch_key(TorchKey::new(42)), Dtype::F32)?)?;
    /// # let _ = values;
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const fn torch_key(key: TorchKey) -> Stream {
        Stream { key: [0; 2], nonce: 0, base: 0, origin: Origin::TorchKey(key) }
    }

    /// The stream of a tensor that PyTorch's generator on CUDA fills on this GPU, with a seed and an offset, a multiple of 4:
    /// `torch.cuda.manual_seed(seed)` begins at 0, and [`Cuda::after`] says the next one.
    ///
    /// Uniform values are the same bits; normal ones within 2e-6 standard deviations, as they are made by a GPU's own sine and logarithm. As of
    /// [`Stream::torch`] only whole tensors and slices of them are drawn, by the host.
    ///
    /// # Errors
    /// [`ErrorKind::Stream`] for an offset that is no multiple of 4.
    ///
    /// ```
    /// use fanin::torch::Cuda;
    /// use fanin::{Distribution, Dtype, Fill, Stream, cpu};
    ///
    /// // torch.cuda.manual_seed(0); torch.rand(5, device="cuda")
    /// let unit = Distribution::Uniform { low: 0.0, high: 1.0 };
    /// let stream = Stream::torch_cuda(0, 0, Cuda::new(132, 2048)?)?;
    /// let values: Vec<f32> = cpu::vec(&unit.fill(&[5], stream, Dtype::F32)?)?;
    /// assert!((values[0] - 0.3990).abs() < 5e-5);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn torch_cuda(seed: u64, offset: u64, card: Cuda) -> Result<Stream, Error> {
        if !offset.is_multiple_of(4) {
            return Err(Error::new(
                ErrorKind::Stream,
                "the offset of PyTorch's generator on CUDA",
                offset,
                "a multiple of 4",
            ));
        }
        let origin = Origin::TorchCuda { seed, offset, card, elements: None };
        Ok(Stream { key: [0; 2], nonce: 0, base: 0, origin })
    }

    /// The Philox words of PyTorch's, if it is a stream of its keys or of its generator on CUDA.
    #[inline(always)]
    pub(crate) fn torch_source(self) -> Option<Source> {
        match self.origin {
            Origin::TorchKey(key) => Some(Source::Key(key)),
            Origin::TorchCuda { seed, offset, card, elements } => {
                Some(Source::cuda(seed, offset, card, elements.unwrap_or(0)))
            }
            _ => None,
        }
    }

    /// The four words of one block: those of elements `4 block` to `4 block + 3`.
    ///
    /// Draws make attempts below 2^31; those from 2^31 on are kept for what streams are derived from. JAX's streams have no
    /// attempts, and 2^62 blocks, after which they begin anew; no tensor has as many. PyTorch's streams have no attempts; one of their
    /// blocks takes up to some milliseconds, and is zero beyond 2^63 words.
    #[inline(always)]
    pub fn block(self, block: u64, attempt: u32) -> [u32; 4] {
        if matches!(self.origin, Origin::Jax | Origin::JaxInitializers) {
            return std::array::from_fn(|k| {
                let element = (block << 2) | k as u64;
                let [a, b] = threefry2x32_20([(element >> 32) as u32, element as u32], self.key);
                a ^ b
            });
        }
        if let Origin::Torch(tensor) = self.origin {
            return tensor.place.block(block);
        }
        if let Some(source) = self.torch_source() {
            return source.words(block);
        }
        philox4x32_10([block as u32, (block >> 32) as u32, self.base.wrapping_add(attempt), self.nonce], self.key)
    }
}

/// A key of `jax.random`.
///
/// ```
/// use fanin::JaxKey;
///
/// // jax.random.split(jax.random.key(0), 3)[2]
/// let third = JaxKey::new(0).split(2);
/// assert_ne!(third, JaxKey::new(0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JaxKey([u32; 2]);

impl JaxKey {
    /// `jax.random.key(seed)`. As in JAX without `jax_enable_x64`, only the low 32 bits of the seed count.
    ///
    /// ```
    /// use fanin::JaxKey;
    ///
    /// assert_eq!(JaxKey::new(42), JaxKey::from_data([0, 42]));
    /// assert_eq!(JaxKey::new(-1), JaxKey::from_data([0, 0xffff_ffff]));
    /// assert_eq!(JaxKey::new((1 << 32) + 5), JaxKey::new(5));
    /// ```
    pub const fn new(seed: i64) -> JaxKey {
        JaxKey([0, seed as u32])
    }

    /// `jax.random.wrap_key_data(data)`: the key whose `jax.random.key_data` this is.
    pub const fn from_data(data: [u32; 2]) -> JaxKey {
        JaxKey(data)
    }

    /// `jax.random.key_data(key)`.
    pub const fn data(self) -> [u32; 2] {
        self.0
    }

    /// `jax.random.fold_in(key, data)`.
    pub fn fold_in(self, data: u32) -> JaxKey {
        JaxKey(threefry2x32_20([0, data], self.0))
    }

    /// `jax.random.split(key, n)[j]`, whatever n.
    pub fn split(self, j: u64) -> JaxKey {
        JaxKey(threefry2x32_20([(j >> 32) as u32, j as u32], self.0))
    }
}
