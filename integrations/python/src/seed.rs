//! The streams of tensors by seeds as the program writes them.

use fanin::{Seed, Stream};
use pyo3::prelude::*;

use crate::{error, wrong};

/// The stream of a model's tensor of this name; without a name, of a tensor that has the seed alone.
pub fn stream(seed: &str, name: Option<&str>) -> PyResult<Stream> {
    let seed: Seed = seed.parse().map_err(error)?;
    match (seed, name) {
        (Seed::Native(_), None) => Err(wrong("the name", "None", "a text, of which the values depend beside the seed")),
        (Seed::Torch(_) | Seed::TorchKey(_) | Seed::TorchCuda { .. }, Some(name)) => {
            let allowed = "None for PyTorch's seeds, which draw in order, not by name; a whole model's is \
                           plan.materialize_(model, seed, generator=\"torch\")";
            Err(wrong("the name", format!("\"{name}\""), allowed))
        }
        (seed, Some(name)) => seed.stream(name).map_err(error),
        (seed, None) => seed.stream_alone("").map_err(error),
    }
}
