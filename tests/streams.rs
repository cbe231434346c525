//! Streams: which words a tensor is made of.

mod common;

use std::collections::HashSet;

use fanin::{Distribution, Dtype, Fill, PhiloxRng, Stream, philox4x32_10};
use rand::distr::{Distribution as _, Uniform};
use rand::{Rng, RngExt, SeedableRng};

#[test]
fn the_words_are_philox_of_block_attempt_and_nonce() {
    let stream = Stream::from_key([1, 2], 3);
    let block = 0x0123_4567_89ab_cdef;
    assert_eq!(stream.block(block, 5), philox4x32_10([0x89ab_cdef, 0x0123_4567, 5, 3], [1, 2]));
}

/// The derivation in words: SHA-256 of the name is the counter, the seed the key. The digests are those of Python:
/// `struct.unpack("<4I", hashlib.sha256(name.encode()).digest()[:16])`.
#[test]
fn a_name_and_a_seed_make_a_key_as_documented() {
    let seed = 0x1122_3344_5566_7788;
    for (name, counter) in [
        ("weight", [0x8fdf_4408, 0xdaea_9eee, 0x7ebc_44a3, 0x69e7_7a1a]),
        ("Décodeur.0/Größe.W", [0x49cb_17e1, 0xd310_8cc4, 0x3e1d_5ced, 0xb17e_1fda]),
        ("", [0x42c4_b0e3, 0x141c_fc98, 0xc8f4_fb9a, 0x24b9_6f99]),
    ] {
        let [k0, k1, nonce, _] = philox4x32_10(counter, [0x5566_7788, 0x1122_3344]);
        assert_eq!(Stream::named(seed, name), Stream::from_key([k0, k1], nonce), "{name}");
    }
    let [k0, k1, nonce, _] = philox4x32_10([9, 1, 0, 0], [7, 0]);
    assert_eq!(Stream::numbered(7, (1 << 32) + 9), Stream::from_key([k0, k1], nonce));
}

#[test]
fn a_million_tensors_have_a_million_streams() {
    let mut seen = HashSet::new();
    for i in 0..500_000 {
        assert!(seen.insert(Stream::named(0, &format!("model.layers.{i}.weight"))));
        assert!(seen.insert(Stream::numbered(0, i)));
    }
    for seed in 1..1000 {
        assert!(seen.insert(Stream::named(seed, "model.layers.0.weight")));
    }
}

#[test]
fn a_generator_of_rand_draws_the_tensors_words_in_order() {
    let stream = Stream::named(42, "weight");
    let mut rng = stream.rng();
    let words: Vec<u32> = (0..40).map(|_| rng.next_u32()).collect();
    let expected: Vec<u32> = (0..10).flat_map(|block| stream.block(block, 0)).collect();
    assert_eq!(words, expected);
    let mut bytes = [0; 16];
    stream.rng().fill_bytes(&mut bytes);
    assert_eq!(bytes[..4], words[0].to_le_bytes());
    assert_eq!(stream.rng().next_u64(), u64::from(words[0]) | u64::from(words[1]) << 32);

    let mut seeded = PhiloxRng::seed_from_u64(1);
    assert!((0..10).contains(&seeded.random_range(0..10)));
    assert!(Uniform::new(0.0, 1.0).unwrap().sample(&mut seeded) < 1.0);
    let mut copy = seeded.clone();
    assert_eq!(seeded.next_u64(), copy.next_u64());
}

#[test]
fn elements_take_their_words_in_order() {
    // U[-2^31, 2^31) shows the words: each value is its word, less 2^31, to f32's precision.
    let stream = Stream::named(3, "words");
    let uniform = Distribution::Uniform { low: -(2f64.powi(31)), high: 2f64.powi(31) };
    let values: Vec<f32> = common::draw(&Fill::new(&uniform, stream, Dtype::F32, 0..4000).unwrap());
    let mut rng = stream.rng();
    for x in values {
        let expected = (rng.next_u32() ^ 0x8000_0000) as i32 as f32;
        assert!(x == expected || x == expected.next_down(), "{x} {expected}");
    }
}
