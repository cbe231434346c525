//! Seeds: a number, or another framework's as the program writes it, `KIND:NUMBERS`.

use fanin::torch::{Cuda, Place, TorchKey};
use fanin::{JaxKey, Stream, seeds};
use pyo3::prelude::*;

use crate::{error, wrong};

const ALLOWED: &str = "a whole number from 0 to 2^64 - 1, or KIND:NUMBERS of another framework, KIND one of tensorflow, keras, jax, jax-nn, torch, \
     torch-key, torch-cuda";

/// Whose random words are drawn.
#[derive(Clone, Copy)]
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

impl Seed {
    pub fn parse(text: &str) -> PyResult<Seed> {
        let refused = || wrong("the seed", format!("\"{text}\""), ALLOWED);
        let Some((kind, numbers)) = text.split_once(':') else {
            return text.trim().parse().map(Seed::Native).map_err(|_| refused());
        };
        let one = || numbers.trim().parse().map_err(|_| refused());
        Ok(match kind.to_ascii_lowercase().as_str() {
            "native" => Seed::Native(numbers.trim().parse().map_err(|_| refused())?),
            "keras" => Seed::Keras(one()?),
            "jax" => Seed::Jax(one()?),
            "jax-nn" => Seed::JaxNn(one()?),
            "tensorflow" => {
                let (a, b) = numbers.split_once(',').ok_or_else(refused)?;
                let number = |text: &str| text.trim().parse().map_err(|_| refused());
                Seed::Tensorflow([number(a)?, number(b)?])
            }
            "torch" => Seed::Torch(numbers.trim().parse().map_err(error)?),
            "torch-key" => {
                let (seed, offset) = numbers.split_once(',').unwrap_or((numbers, "0"));
                let number = |text: &str| text.trim().parse().map_err(|_| refused());
                Seed::TorchKey(TorchKey::from_data([number(seed)?, number(offset)?]))
            }
            "torch-cuda" => Seed::cuda(numbers)?,
            _ => return Err(refused()),
        })
    }

    /// `SEED,sms=N,threads=N[,offset=N]`.
    fn cuda(numbers: &str) -> PyResult<Seed> {
        let allowed = "torch-cuda:SEED,sms=N,threads=N, and ,offset=N if it is not 0";
        let refused = || wrong("the seed", format!("\"torch-cuda:{numbers}\""), allowed);
        let (seed, rest) = numbers.split_once(',').ok_or_else(refused)?;
        let seed = seed.trim().parse().map_err(|_| refused())?;
        let (card, offset) = match rest.rsplit_once(",offset=") {
            Some((card, offset)) => (card, offset.trim().parse().map_err(|_| refused())?),
            None => (rest, 0),
        };
        let card: Cuda = card.parse().map_err(error)?;
        Stream::torch_cuda(seed, offset, card).map_err(error)?;
        Ok(Seed::TorchCuda { seed, offset, card })
    }

    /// The stream of a model's tensor of this name; without a name, of a tensor that has the seed alone.
    pub fn stream(self, name: Option<&str>) -> PyResult<Stream> {
        Ok(match (self, name) {
            (Seed::Native(seed), Some(name)) => Stream::named(seed, name),
            (Seed::Native(_), None) => {
                return Err(wrong("the name", "None", "a text, of which the values depend beside the seed"));
            }
            (Seed::Tensorflow(seed), Some(name)) => Stream::tensorflow(seeds::tensorflow(seed, name)),
            (Seed::Tensorflow(seed), None) => Stream::tensorflow(seed),
            (Seed::Keras(seed), Some(name)) => Stream::keras(seeds::keras(seed, name)),
            (Seed::Keras(seed), None) => Stream::keras(seed),
            (Seed::Jax(seed), Some(name)) => Stream::jax(seeds::jax(JaxKey::new(seed), name)),
            (Seed::Jax(seed), None) => Stream::jax(JaxKey::new(seed)),
            (Seed::JaxNn(seed), Some(name)) => Stream::jax_initializer(seeds::jax(JaxKey::new(seed), name)),
            (Seed::JaxNn(seed), None) => Stream::jax_initializer(JaxKey::new(seed)),
            (Seed::Torch(place), None) => Stream::torch(place),
            (Seed::TorchKey(key), None) => Stream::torch_key(key),
            (Seed::TorchCuda { seed, offset, card }, None) => Stream::torch_cuda(seed, offset, card).map_err(error)?,
            (Seed::Torch(_) | Seed::TorchKey(_) | Seed::TorchCuda { .. }, Some(name)) => {
                let allowed = "None for PyTorch's seeds, which know an order and no names; a whole model's is \
                               plan.materialize_(model, seed, generator=\"torch\")";
                return Err(wrong("the name", format!("\"{name}\""), allowed));
            }
        })
    }
}
