//! Streams: which words a tensor is made of.

use std::collections::HashSet;

use fanin::{Distribution, Dtype, ErrorKind, JaxKey, Stream, StreamRng, VALUE_CONTRACT, philox4x32_10, seeds};
use rand::distr::{Distribution as _, Uniform};
use rand::{Rng, RngExt, SeedableRng};

#[test]
fn the_words_are_philox_of_block_attempt_and_nonce() {
    let stream = Stream::from_key([1, 2], 3);
    let block = 0x0123_4567_89ab_cdef;
    assert_eq!(stream.block(block, 5), philox4x32_10([0x89ab_cdef, 0x0123_4567, 5, 3], [1, 2]));
}

/// The derivation in words: SHA-256 of the name is the counter, two bits of whose third word are set, the seed the key. The digests
/// are those of Python:
/// `struct.unpack("<4I", hashlib.sha256(name.encode()).digest()[:16])`.
#[test]
fn a_name_and_a_seed_make_a_key_as_documented() {
    let seed = 0x1122_3344_5566_7788;
    for (name, counter) in [
        ("weight", [0x8fdf_4408, 0xdaea_9eee, 0x7ebc_44a3, 0x69e7_7a1a]),
        ("Décodeur.0/Größe.W", [0x49cb_17e1, 0xd310_8cc4, 0x3e1d_5ced, 0xb17e_1fda]),
        ("", [0x42c4_b0e3, 0x141c_fc98, 0xc8f4_fb9a, 0x24b9_6f99]),
    ] {
        let [w0, w1, w2, w3]: [u32; 4] = counter;
        let [k0, k1, nonce, _] = philox4x32_10([w0, w1, w2 | 0xc000_0000, w3], [0x5566_7788, 0x1122_3344]);
        assert_eq!(Stream::named(seed, name), Stream::from_key([k0, k1], nonce), "{name}");
    }
    let [k0, k1, nonce, _] = philox4x32_10([9, 1, 0x8000_0000, 0], [7, 0]);
    assert_eq!(Stream::numbered(7, (1 << 32) + 9), Stream::from_key([k0, k1], nonce));
    let [k0, k1, nonce, _] = philox4x32_10([9, 1, 0x8000_0001, 5], [7, 8]);
    assert_eq!(Stream::from_key([7, 8], 5).fold_in((1 << 32) + 9).unwrap(), Stream::from_key([k0, k1], nonce));
    // As it is given: the same letters, composed otherwise, are another name.
    assert_ne!(Stream::named(0, "Gr\u{f6}\u{df}e"), Stream::named(0, "Gro\u{308}\u{df}e"));
}

/// Whatever key and nonce a program gives a stream of its own, what it draws are blocks of which no stream is derived.
#[test]
fn derivations_share_no_block_with_draws_and_with_one_another() {
    // What is drawn by a stream whose key is the seed.
    let drawn = |block, attempt| Stream::from_key([7, 0], 0).block(block, attempt);
    let of = |block: [u32; 4]| Stream::from_key([block[0], block[1]], block[2]);
    for number in 0..100 {
        let derived = [Stream::numbered(7, number), Stream::from_key([7, 0], 0).fold_in(number).unwrap()];
        assert_ne!(derived[0], derived[1]);
        assert!(!derived.contains(&of(drawn(number, 0))) && !derived.contains(&of(drawn(number, 1))));
        // Attempts from 2^31 on are kept for them.
        assert_eq!(derived, [of(drawn(number, 1 << 31)), of(drawn(number, (1 << 31) + 1))]);
    }
}

#[test]
fn nothing_is_folded_into_other_frameworks_streams() {
    let key = JaxKey::new(0);
    for (stream, framework) in [
        (Stream::tensorflow([0, 0]), "TensorFlow"),
        (Stream::keras(0), "TensorFlow"),
        (Stream::jax(key), "JAX"),
        (Stream::jax_initializer(key), "JAX"),
    ] {
        let error = stream.fold_in(3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stream);
        assert!(error.value().contains(framework), "{error}");
        assert!(error.to_string().contains(framework) && error.to_string().contains("from_key"), "{error}");
        assert_eq!(stream.contract(), 1);
    }
    assert_eq!(Stream::numbered(0, 0).contract(), VALUE_CONTRACT);
}

/// Python: `struct.unpack("<Q", hashlib.sha256(struct.pack("<q", seed) + name.encode()).digest()[:8])`, and of JAX
/// `struct.unpack("<2I", hashlib.sha256(name.encode()).digest()[:8])`.
#[test]
fn a_model_of_another_framework_has_a_seed_for_each_tensor() {
    assert_eq!(seeds::keras(42, "weight"), 1_954_251_466);
    assert_eq!(seeds::keras(-42, "Größe"), 1_193_871_568);
    // To Keras, these are one seed.
    assert_eq!(seeds::keras(-42, "Größe"), seeds::keras((1 << 31) - 44, "Größe"));
    assert_eq!(seeds::tensorflow([-3, 4], "Größe"), [-3, -6_589_729_284_424_062_636]);
    let key = JaxKey::new(42);
    assert_eq!(seeds::jax(key, "Größe"), key.fold_in(0x803f_dcae).fold_in(0x4665_9a98));
    // Neither another name nor a neighbouring seed makes the same tensor.
    let mut seen = HashSet::new();
    for seed in 0..100 {
        for name in ["a.weight", "b.weight", "c.weight", ""] {
            assert!((0..(1 << 31) - 2).contains(&seeds::keras(seed, name)));
            assert!(seen.insert(Stream::keras(seeds::keras(seed, name))));
            assert!(seen.insert(Stream::tensorflow(seeds::tensorflow([1, seed], name))));
            assert!(seen.insert(Stream::tensorflow(seeds::tensorflow([seed + 10, 5], name))));
            assert!(seen.insert(Stream::jax(seeds::jax(JaxKey::new(seed), name))));
        }
    }
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

    let mut seeded = StreamRng::seed_from_u64(1);
    assert!((0..10).contains(&seeded.random_range(0..10)));
    assert!(Uniform::new(0.0, 1.0).unwrap().sample(&mut seeded) < 1.0);
    let mut copy = seeded.clone();
    assert_eq!(seeded.next_u64(), copy.next_u64());
}

#[test]
fn elements_take_their_words_in_order() {
    // U[-2^31, 2^31) shows the words: each value is its word as a signed number, to f32's precision.
    let stream = Stream::named(3, "words");
    let uniform = Distribution::Uniform { low: -(2f64.powi(31)), high: 2f64.powi(31) };
    let values: Vec<f32> = fanin_tests::draw(&uniform.fill_range(0..4000, stream, Dtype::F32).unwrap());
    let mut rng = stream.rng();
    for x in values {
        let expected = rng.next_u32() as i32 as f32;
        assert!(x == expected || x == expected.next_down(), "{x} {expected}");
    }
}
