//! Seeds: whose stream, and its numbers.

use clap::ValueEnum;
use fanin::{JaxKey, Stream};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Whose random words and values are drawn.
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
}

/// A stream's seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Words", into = "Words")]
pub enum Seed {
    Native(u64),
    Tensorflow([i64; 2]),
    Keras(i64),
    Jax(u64),
}

/// As it stands in a file's metadata: a number, or KIND:NUMBERS.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Words {
    Native(u64),
    Other(String),
}

impl From<Seed> for Words {
    fn from(seed: Seed) -> Words {
        match seed {
            Seed::Native(seed) => Words::Native(seed),
            other => Words::Other(other.to_string()),
        }
    }
}

impl TryFrom<Words> for Seed {
    type Error = String;

    fn try_from(words: Words) -> Result<Seed, String> {
        match words {
            Words::Native(seed) => Ok(Seed::Native(seed)),
            Words::Other(text) => {
                let wrong = || format!("the seed is \"{text}\"");
                let (kind, numbers) = text.split_once(':').ok_or_else(wrong)?;
                Seed::parse(Kind::from_str(kind, false).map_err(|_| wrong())?, numbers).map_err(|e| e.message)
            }
        }
    }
}

impl std::fmt::Display for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Seed::Native(seed) => write!(f, "{seed}"),
            Seed::Tensorflow([a, b]) => write!(f, "tensorflow:{a},{b}"),
            Seed::Keras(seed) => write!(f, "keras:{seed}"),
            Seed::Jax(seed) => write!(f, "jax:{seed}"),
        }
    }
}

impl Seed {
    pub fn parse(kind: Kind, text: &str) -> Result<Seed, Failure> {
        let wrong = |allowed: &str| Failure::input(format!("the seed is \"{text}\", allowed: {allowed}"));
        match kind {
            Kind::Native | Kind::Jax => {
                let seed = text.trim().parse().map_err(|_| wrong("a whole number from 0 to 2^64 - 1"))?;
                Ok(if kind == Kind::Native { Seed::Native(seed) } else { Seed::Jax(seed) })
            }
            Kind::Keras => {
                Ok(Seed::Keras(text.trim().parse().map_err(|_| wrong("a whole number from -2^63 to 2^63 - 1"))?))
            }
            Kind::Tensorflow => {
                let two = || wrong("S0,S1, two whole numbers from -2^63 to 2^63 - 1");
                let (a, b) = text.split_once(',').ok_or_else(two)?;
                let number = |text: &str| text.trim().parse::<i64>().map_err(|_| two());
                Ok(Seed::Tensorflow([number(a)?, number(b)?]))
            }
        }
    }

    pub fn kind(self) -> Kind {
        match self {
            Seed::Native(_) => Kind::Native,
            Seed::Tensorflow(_) => Kind::Tensorflow,
            Seed::Keras(_) => Kind::Keras,
            Seed::Jax(_) => Kind::Jax,
        }
    }

    /// The stream of a tensor: of fanin's own by its name; of others by the seed itself, or, where it is one of many, by its
    /// number among them: TensorFlow's second seed and Keras's seed are so much larger, and JAX's key has it folded in.
    pub fn stream(self, name: &str, number: Option<u64>) -> Stream {
        let by = number.unwrap_or(0) as i64;
        match self {
            Seed::Native(seed) => Stream::named(seed, name),
            Seed::Tensorflow([a, b]) => Stream::tensorflow([a, b.wrapping_add(by)]),
            Seed::Keras(seed) => Stream::keras(seed.wrapping_add(by)),
            Seed::Jax(seed) => {
                let key = JaxKey::new(seed);
                Stream::jax(number.map_or(key, |number| key.fold_in(number as u32)))
            }
        }
    }
}
