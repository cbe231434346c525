//! Seeds as options give them: a kind, and its numbers.

use clap::ValueEnum;
use fanin::Seed;

use crate::failure::Failure;

/// The framework whose random words and values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StreamKind {
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

impl StreamKind {
    /// The name as it is written.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default()
    }
}

/// The seed of these numbers.
pub fn parse(kind: StreamKind, numbers: &str) -> Result<Seed, Failure> {
    Ok(format!("{}:{numbers}", kind.name()).parse()?)
}

/// The kind of a seed.
pub fn stream_kind(seed: Seed) -> StreamKind {
    let named = |kind: &&StreamKind| kind.name() == seed.kind();
    let found = StreamKind::value_variants().iter().find(named).copied();
    found.unwrap_or_else(|| unreachable!("each kind of seed is a stream of the options"))
}

/// A check that the seed is one of models.
pub fn check_for_model(seed: Seed) -> Result<(), Failure> {
    match seed {
        Seed::TorchKey(_) | Seed::TorchCuda { .. } => Err(Failure::input(format!(
            "the stream of the model is {}, which draws single tensors, allowed: fanin fill, or --generator torch with a plan \
             that fanin for Python recorded",
            seed.kind()
        ))),
        _ => Ok(()),
    }
}
