//! Seeds: a number, or another framework's as the program writes it, `KIND:NUMBERS`.

use fanin::{JaxKey, Stream, seeds};
use pyo3::prelude::*;

use crate::wrong;

const ALLOWED: &str = "a whole number from 0 to 2^64 - 1, or KIND:NUMBERS of another framework, KIND one of tensorflow, keras, jax, jax-nn";

/// Whose random words are drawn.
#[derive(Clone, Copy)]
pub enum Seed {
    Native(u64),
    Tensorflow([i64; 2]),
    Keras(i64),
    Jax(i64),
    JaxNn(i64),
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
            _ => return Err(refused()),
        })
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
        })
    }
}
