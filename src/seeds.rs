//! Seeds of a model's tensors, made from the model's seed, for frameworks in which each tensor has its own seed.
//!
//! A tensor's seed depends on the model's seed and the tensor's name alone, as a stream of fanin's own does: neither on the order of
//! tensors nor on which others there are. It is a seed as the framework takes it, so that it draws the same tensor there.
//!
//! - The hash of TensorFlow and Keras is SHA-256 of the seed's eight bytes (little-endian two's complement) and the name's UTF-8
//!   bytes, as given, after them; its first eight bytes are a little-endian number `h`.
//! - JAX folds two words of 32 bits into the key: the first eight bytes of SHA-256 of the name's UTF-8 bytes, as given, in
//!   little-endian order.
//!
//! ```
//! use fanin::{JaxKey, Stream, seeds};
//!
//! let weight = Stream::keras(seeds::keras(42, "layer.0.weight")); // one tensor of a model of seed 42
//! let again = Stream::jax(seeds::jax(JaxKey::new(42), "layer.0.weight"));
//! # let _ = (weight, again);
//! ```

use sha2::{Digest, Sha256};

use crate::JaxKey;

/// The seed of a tensor for `tf.random.stateless_*`: the second number becomes `h`, as a signed number, of itself and the name.
pub fn tensorflow(seed: [i64; 2], name: &str) -> [i64; 2] {
    [seed[0], hash(seed[1], name) as i64]
}

/// The seed of a tensor for Keras, whose seeds are from 0 to 2^31 - 3: `h mod (2^31 - 2)`, of the model's seed mod (2^31 - 2), which is
/// the same to it.
///
/// With so few, two of a model's tensors share one with a chance of 2.3e-4 among 1,000 tensors, and of 2.3% among 10,000.
///
/// ```
/// // keras.initializers.GlorotUniform(seed=...) draws the same tensor.
/// assert_eq!(fanin::seeds::keras(42, "weight"), 1_954_251_466);
/// ```
pub fn keras(seed: i64, name: &str) -> i64 {
    const SEEDS: i64 = (1 << 31) - 2;
    (hash(seed.rem_euclid(SEEDS), name) % SEEDS as u64) as i64
}

/// The key of a tensor for JAX: `jax.random.fold_in(jax.random.fold_in(key, w0), w1)`.
///
/// ```
/// use fanin::{JaxKey, seeds};
///
/// // hashlib.sha256(b"weight").digest()[:8]
/// let key = JaxKey::new(42);
/// assert_eq!(seeds::jax(key, "weight"), key.fold_in(0x8fdf_4408).fold_in(0xdaea_9eee));
/// ```
pub fn jax(key: JaxKey, name: &str) -> JaxKey {
    let word = first_eight(&Sha256::digest(name.as_bytes()));
    key.fold_in(word as u32).fold_in((word >> 32) as u32)
}

fn hash(seed: i64, name: &str) -> u64 {
    first_eight(&Sha256::new_with_prefix(seed.to_le_bytes()).chain_update(name.as_bytes()).finalize())
}

/// The first eight bytes of a digest, little-endian.
fn first_eight(digest: &[u8]) -> u64 {
    digest.iter().take(8).rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}
