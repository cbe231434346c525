//! Seeds: whose stream, and its numbers.

use clap::ValueEnum;
use fanin::torch::{Cuda, Place, TorchKey};
use fanin::{JaxKey, Stream, seeds};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The framework whose random words and values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// fanin's own: each tensor by its name.
    Native,
    /// tf.random.stateless_* with alg="philox": --seed=S0,S1.
    Tensorflow,
    /// A Keras 3 initializer on TensorFlow, by its seed.
    Keras,
    /// jax.random with jax.random.key(seed), threefry2x32.
    Jax,
    /// An initializer of jax.nn.initializers, with such a key.
    JaxNn,
    /// PyTorch's generator on the CPU after torch.manual_seed(seed), so many words on: --seed=SEED@WORDS. Of a model that a plan describes.
    Torch,
    /// torch.func._random, with a key: --seed=SEED or SEED,OFFSET.
    TorchKey,
    /// PyTorch's generator on a GPU: --seed=SEED,sms=132,threads=2048, and ,offset=N.
    TorchCuda,
}

impl Kind {
    /// The name as it is written.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default()
    }
}

/// A stream's seed. In a file's metadata it is its text, which keeps all 64 bits wherever it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Seed {
    Native(u64),
    Tensorflow([i64; 2]),
    Keras(i64),
    Jax(i64),
    JaxNn(i64),
    Torch(Place),
    TorchKey(TorchKey),
    TorchCuda { seed: u64, offset: u64, card: Cuda },
}

impl From<Seed> for String {
    fn from(seed: Seed) -> String {
        seed.to_string()
    }
}

/// A number, or KIND:NUMBERS.
impl TryFrom<String> for Seed {
    type Error = String;

    fn try_from(text: String) -> Result<Seed, String> {
        let wrong = |_| format!("the seed is \"{text}\", allowed: a number, or KIND:NUMBERS");
        let (kind, numbers) = match text.split_once(':') {
            Some((kind, numbers)) => (Kind::from_str(kind, true).map_err(wrong)?, numbers),
            None => (Kind::Native, text.as_str()),
        };
        Seed::parse(kind, numbers).map_err(|e| e.message)
    }
}

impl std::fmt::Display for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Seed::Native(seed) => write!(f, "{seed}"),
            Seed::Tensorflow([a, b]) => write!(f, "{}:{a},{b}", self.kind().name()),
            Seed::Keras(seed) | Seed::Jax(seed) | Seed::JaxNn(seed) => write!(f, "{}:{seed}", self.kind().name()),
            Seed::Torch(place) => write!(f, "{}:{place}", self.kind().name()),
            Seed::TorchKey(key) => {
                let [seed, offset] = key.data();
                write!(f, "{}:{seed},{offset}", self.kind().name())
            }
            Seed::TorchCuda { seed, offset, card } => write!(f, "{}:{seed},{card},offset={offset}", self.kind().name()),
        }
    }
}

impl Seed {
    pub fn parse(kind: Kind, text: &str) -> Result<Seed, Failure> {
        let wrong = |allowed: &str| Failure::input(format!("the seed is \"{text}\", allowed: {allowed}"));
        let signed = || text.trim().parse().map_err(|_| wrong("a whole number from -2^63 to 2^63 - 1"));
        match kind {
            Kind::Native => {
                Ok(Seed::Native(text.trim().parse().map_err(|_| wrong("a whole number from 0 to 2^64 - 1"))?))
            }
            Kind::Keras => Ok(Seed::Keras(signed()?)),
            Kind::Jax => Ok(Seed::Jax(signed()?)),
            Kind::JaxNn => Ok(Seed::JaxNn(signed()?)),
            Kind::Tensorflow => {
                let two = || wrong("S0,S1, two whole numbers from -2^63 to 2^63 - 1");
                let (a, b) = text.split_once(',').ok_or_else(two)?;
                let number = |text: &str| text.trim().parse::<i64>().map_err(|_| two());
                Ok(Seed::Tensorflow([number(a)?, number(b)?]))
            }
            Kind::Torch => Ok(Seed::Torch(text.trim().parse().map_err(Failure::input)?)),
            Kind::TorchKey => {
                let allowed = "SEED or SEED,OFFSET, whole numbers from 0 to 2^64 - 1, as torch.func._random.key and its like have them";
                let (seed, offset) = text.split_once(',').unwrap_or((text, "0"));
                let number = |text: &str| text.trim().parse().map_err(|_| wrong(allowed));
                Ok(Seed::TorchKey(TorchKey::from_data([number(seed)?, number(offset)?])))
            }
            Kind::TorchCuda => {
                let allowed = "SEED,sms=N,threads=N of the GPU, and ,offset=N unless it is 0";
                let (seed, rest) = text.split_once(',').ok_or_else(|| wrong(allowed))?;
                let (card, offset) = rest.split_once(",offset=").unwrap_or((rest, "0"));
                let number = |text: &str| text.trim().parse().map_err(|_| wrong(allowed));
                let (seed, offset) = (number(seed)?, number(offset)?);
                let card = card.parse().map_err(|_| wrong(allowed))?;
                Stream::torch_cuda(seed, offset, card).map_err(Failure::input)?;
                Ok(Seed::TorchCuda { seed, offset, card })
            }
        }
    }

    pub fn kind(self) -> Kind {
        match self {
            Seed::Native(_) => Kind::Native,
            Seed::Tensorflow(_) => Kind::Tensorflow,
            Seed::Keras(_) => Kind::Keras,
            Seed::Jax(_) => Kind::Jax,
            Seed::JaxNn(_) => Kind::JaxNn,
            Seed::Torch(_) => Kind::Torch,
            Seed::TorchKey(_) => Kind::TorchKey,
            Seed::TorchCuda { .. } => Kind::TorchCuda,
        }
    }

    /// The stream of the tensor of a model that is called `name`: of fanin's own by the name, of others from the seed that
    /// [`seeds`] makes of this one and the name. PyTorch's generator knows an order and no names: there the name is a place.
    pub fn stream(self, name: &str) -> Result<Stream, String> {
        Ok(match self {
            Seed::Native(seed) => Stream::named(seed, name),
            Seed::Tensorflow(seed) => Stream::tensorflow(seeds::tensorflow(seed, name)),
            Seed::Keras(seed) => Stream::keras(seeds::keras(seed, name)),
            Seed::Jax(seed) => Stream::jax(seeds::jax(JaxKey::new(seed), name)),
            Seed::JaxNn(seed) => Stream::jax_initializer(seeds::jax(JaxKey::new(seed), name)),
            Seed::Torch(_) => match name.parse() {
                Ok(place) => Stream::torch(place),
                Err(_) => return Err(self.of_a_model()),
            },
            Seed::TorchKey(_) | Seed::TorchCuda { .. } => return Err(self.of_a_model()),
        })
    }

    /// The error of a model whose tensors have names alone.
    fn of_a_model(self) -> String {
        format!(
            "the stream is {}, of a model, allowed: fanin fill of one tensor; or --generator torch with a plan that says in which order \
             PyTorch draws, as the package fanin for Python records it",
            self.kind().name()
        )
    }

    /// The stream of a tensor that has the seed alone: of fanin's own by its name, of others from the seed itself.
    pub fn stream_alone(self, name: &str) -> Result<Stream, String> {
        Ok(match self {
            Seed::Native(seed) => Stream::named(seed, name),
            Seed::Tensorflow(seed) => Stream::tensorflow(seed),
            Seed::Keras(seed) => Stream::keras(seed),
            Seed::Jax(seed) => Stream::jax(JaxKey::new(seed)),
            Seed::JaxNn(seed) => Stream::jax_initializer(JaxKey::new(seed)),
            Seed::Torch(place) => Stream::torch(place),
            Seed::TorchKey(key) => Stream::torch_key(key),
            Seed::TorchCuda { seed, offset, card } => {
                Stream::torch_cuda(seed, offset, card).map_err(|e| e.to_string())?
            }
        })
    }

    /// The value contract of its streams.
    pub fn contract(self) -> u32 {
        // Parsed seeds have a stream.
        self.stream_alone("").map_or(0, Stream::contract)
    }
}
