//! Seeds of models, fanin's own and other frameworks', and the streams that they give tensors.

use std::fmt;
use std::str::FromStr;

use crate::error::quoted;
use crate::torch::{Cuda, Place, TorchKey};
use crate::{Error, ErrorKind, JaxKey, Stream, seeds};

/// A model's seed: fanin's own, or another framework's.
///
/// As a text it is a number, or `KIND:NUMBERS`; in serde it is that text, which keeps all 64 bits wherever it is read.
///
/// | text | whose | a tensor alone |
/// | --- | --- | --- |
/// | `42`, `native:42` | fanin's own | by its name, [`Stream::named`] |
/// | `tensorflow:1,2` | `tf.random.stateless_*` | [`Stream::tensorflow`] |
/// | `keras:42` | an initializer of Keras 3 on TensorFlow | [`Stream::keras`] |
/// | `jax:42`, `jax-nn:42` | `jax.random`, `jax.nn.initializers` | [`Stream::jax`], [`Stream::jax_initializer`] |
/// | `torch:42@1000` | PyTorch's generator on the CPU, at a [`Place`] | [`Stream::torch`] |
/// | `torch-key:42,0` | a [`TorchKey`] | [`Stream::torch_key`] |
/// | `torch-cuda:42,sms=132,threads=2048,offset=0` | PyTorch's generator on a GPU | [`Stream::torch_cuda`] |
///
/// ```
/// use fanin::{Seed, Stream};
///
/// let seed: Seed = "42".parse()?;
/// assert_eq!(seed.stream("layer.0.weight")?, Stream::named(42, "layer.0.weight"));
/// assert_eq!("keras:7".parse::<Seed>()?, Seed::Keras(7));
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "rules",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
#[non_exhaustive]
pub enum Seed {
    /// fanin's own.
    Native(u64),
    /// `tf.random.stateless_*`, with `alg="philox"`.
    Tensorflow([i64; 2]),
    /// An initializer of Keras 3 on TensorFlow.
    Keras(i64),
    /// `jax.random.key(seed)`.
    Jax(i64),
    /// An initializer of `jax.nn.initializers`, with such a key.
    JaxNn(i64),
    /// PyTorch's generator on the CPU.
    Torch(Place),
    /// A key of `torch.func._random`.
    TorchKey(TorchKey),
    /// PyTorch's generator on CUDA.
    #[non_exhaustive]
    TorchCuda {
        /// `torch.cuda.manual_seed(seed)`.
        seed: u64,
        /// The generator's offset, a multiple of 4.
        offset: u64,
        /// The GPU.
        card: Cuda,
    },
}

impl Seed {
    /// The kind, as its text begins: `native`, `tensorflow`, `keras`, `jax`, `jax-nn`, `torch`, `torch-key` or `torch-cuda`.
    pub const fn kind(self) -> &'static str {
        match self {
            Seed::Native(_) => "native",
            Seed::Tensorflow(_) => "tensorflow",
            Seed::Keras(_) => "keras",
            Seed::Jax(_) => "jax",
            Seed::JaxNn(_) => "jax-nn",
            Seed::Torch(_) => "torch",
            Seed::TorchKey(_) => "torch-key",
            Seed::TorchCuda { .. } => "torch-cuda",
        }
    }

    /// The value contract of its streams: see [`Stream::contract`].
    pub fn contract(self) -> u32 {
        // A seed that was read has a stream alone.
        self.stream_alone("").map_or(0, Stream::contract)
    }

    /// The stream of the tensor of this name in a model. fanin's own streams depend on the name; for another framework, [`seeds`] makes the
    /// tensor's seed from this seed and the name.
    ///
    /// PyTorch's CPU generator draws tensors in order, not by name: for it, the name is a [`Place`], as text.
    ///
    /// # Errors
    /// [`ErrorKind::Stream`] for PyTorch's seeds, but for such a place.
    ///
    /// See [`Seed`] for an example.
    pub fn stream(self, name: &str) -> Result<Stream, Error> {
        Ok(match self {
            Seed::Native(seed) => Stream::named(seed, name),
            Seed::Tensorflow(seed) => Stream::tensorflow(seeds::tensorflow(seed, name)),
            Seed::Keras(seed) => Stream::keras(seeds::keras(seed, name)),
            Seed::Jax(seed) => Stream::jax(seeds::jax(JaxKey::new(seed), name)),
            Seed::JaxNn(seed) => Stream::jax_initializer(seeds::jax(JaxKey::new(seed), name)),
            Seed::Torch(_) => Stream::torch(name.parse().map_err(|_| self.knows_no_names())?),
            Seed::TorchKey(_) | Seed::TorchCuda { .. } => return Err(self.knows_no_names()),
        })
    }

    fn knows_no_names(self) -> Error {
        let allowed =
            "a seed of fanin's own, TensorFlow, Keras or JAX: PyTorch's generators draw in order, not by name";
        Error::new(ErrorKind::Stream, "the seed of a model's tensor", self, allowed)
    }

    /// The stream of a single tensor, outside any model: fanin's own stream of this name, or another framework's stream of the seed itself.
    ///
    /// # Errors
    /// Those of [`Stream::torch_cuda`].
    pub fn stream_alone(self, name: &str) -> Result<Stream, Error> {
        Ok(match self {
            Seed::Native(seed) => Stream::named(seed, name),
            Seed::Tensorflow(seed) => Stream::tensorflow(seed),
            Seed::Keras(seed) => Stream::keras(seed),
            Seed::Jax(seed) => Stream::jax(JaxKey::new(seed)),
            Seed::JaxNn(seed) => Stream::jax_initializer(JaxKey::new(seed)),
            Seed::Torch(place) => Stream::torch(place),
            Seed::TorchKey(key) => Stream::torch_key(key),
            Seed::TorchCuda { seed, offset, card } => Stream::torch_cuda(seed, offset, card)?,
        })
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Seed::Native(seed) => write!(f, "{seed}"),
            Seed::Tensorflow([a, b]) => write!(f, "{kind}:{a},{b}"),
            Seed::Keras(seed) | Seed::Jax(seed) | Seed::JaxNn(seed) => write!(f, "{kind}:{seed}"),
            Seed::Torch(place) => write!(f, "{kind}:{place}"),
            Seed::TorchKey(key) => {
                let [seed, offset] = key.data();
                write!(f, "{kind}:{seed},{offset}")
            }
            Seed::TorchCuda { seed, offset, card } => write!(f, "{kind}:{seed},{card},offset={offset}"),
        }
    }
}

/// Reads a number, or `KIND:NUMBERS`. The kind's case does not matter.
impl FromStr for Seed {
    type Err = Error;

    fn from_str(text: &str) -> Result<Seed, Error> {
        let wrong =
            |value: &str, allowed: &'static str| Error::new(ErrorKind::Text, "the seed", quoted(value), allowed);
        let whole = "a whole number from 0 to 2^64 - 1, or KIND:NUMBERS, KIND one of tensorflow, keras, jax, jax-nn, torch, torch-key, \
                     torch-cuda";
        let Some((kind, numbers)) = text.split_once(':') else {
            return text.trim().parse().map(Seed::Native).map_err(|_| wrong(text, whole));
        };
        let signed = || {
            let allowed = "a whole number from -2^63 to 2^63 - 1";
            numbers.trim().parse().map_err(|_| wrong(numbers, allowed))
        };
        match kind.to_ascii_lowercase().as_str() {
            "native" => {
                let allowed = "a whole number from 0 to 2^64 - 1";
                numbers.trim().parse().map(Seed::Native).map_err(|_| wrong(numbers, allowed))
            }
            "keras" => signed().map(Seed::Keras),
            "jax" => signed().map(Seed::Jax),
            "jax-nn" => signed().map(Seed::JaxNn),
            "tensorflow" => {
                let two = || wrong(numbers, "S0,S1, two whole numbers from -2^63 to 2^63 - 1");
                let (a, b) = numbers.split_once(',').ok_or_else(two)?;
                let number = |text: &str| text.trim().parse().map_err(|_| two());
                Ok(Seed::Tensorflow([number(a)?, number(b)?]))
            }
            "torch" => numbers.trim().parse().map(Seed::Torch),
            "torch-key" => {
                let allowed = "SEED or SEED,OFFSET, whole numbers from 0 to 2^64 - 1, as torch.func._random.key and its like have them";
                let (seed, offset) = numbers.split_once(',').unwrap_or((numbers, "0"));
                let number = |text: &str| text.trim().parse().map_err(|_| wrong(numbers, allowed));
                Ok(Seed::TorchKey(TorchKey::from_data([number(seed)?, number(offset)?])))
            }
            "torch-cuda" => {
                let allowed = || wrong(numbers, "SEED,sms=N,threads=N of the GPU, and ,offset=N unless it is 0");
                let (seed, rest) = numbers.split_once(',').ok_or_else(allowed)?;
                let (card, offset) = rest.split_once(",offset=").unwrap_or((rest, "0"));
                let number = |text: &str| text.trim().parse().map_err(|_| allowed());
                let (seed, offset, card) = (number(seed)?, number(offset)?, card.parse().map_err(|_| allowed())?);
                Stream::torch_cuda(seed, offset, card)?;
                Ok(Seed::TorchCuda { seed, offset, card })
            }
            _ => Err(wrong(text, whole)),
        }
    }
}

/// fanin's own.
impl From<u64> for Seed {
    fn from(seed: u64) -> Seed {
        Seed::Native(seed)
    }
}

impl From<Seed> for String {
    fn from(seed: Seed) -> String {
        seed.to_string()
    }
}

impl TryFrom<String> for Seed {
    type Error = Error;

    fn try_from(text: String) -> Result<Seed, Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_texts_that_read_back() {
        for text in [
            "18446744073709551615",
            "tensorflow:-1,9223372036854775807",
            "keras:-5",
            "jax:7",
            "jax-nn:7",
            "torch:42@32,pair=28",
            "torch-key:1,2",
            "torch-cuda:3,sms=132,threads=2048,offset=4",
        ] {
            let seed: Seed = text.parse().unwrap();
            assert_eq!(seed.to_string(), text);
            assert!(text.starts_with(seed.kind()) || seed.kind() == "native");
            assert_eq!(seed.stream_alone("x").unwrap(), text.parse::<Seed>().unwrap().stream_alone("x").unwrap());
        }
        assert_eq!("Keras: 3".parse::<Seed>().unwrap(), Seed::Keras(3));
        for text in [
            "",
            "-1",
            "1.5",
            "numpy:3",
            "tensorflow:3",
            "keras:x",
            "torch-cuda:1",
            "torch-cuda:1,sms=1,threads=256,offset=3",
        ] {
            assert!(text.parse::<Seed>().is_err(), "{text}");
        }
    }

    /// PyTorch's seeds know no names; of the generator on the CPU a place is one.
    #[test]
    fn a_models_tensor_of_pytorchs_has_a_place_or_none() {
        let torch = Seed::Torch(Place::new(42));
        assert_eq!(torch.stream("42@5").unwrap(), Stream::torch(Place::new(42).on(5)));
        for seed in [torch, Seed::TorchKey(TorchKey::new(1))] {
            assert_eq!(seed.stream("weight").unwrap_err().kind(), ErrorKind::Stream);
        }
    }
}
