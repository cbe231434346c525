//! Streams, frozen: what derivations, generators and other frameworks' streams give. If a change makes this test fail, some
//! seed's values changed: that needs a new number in `Stream::contract`, and a word in CHANGELOG.md. `FANIN_WRITE=1` writes
//! `tests/golden/streams.txt` anew.

use fanin::{Distribution, Dtype, Element, JaxKey, Stream, seeds};
use fanin_tests::{draw, little_endian};
use rand::Rng;
use sha2::{Digest, Sha256};

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Block 0, block 2^32 + 1 at attempt 5, and what a generator gives: words, 64 bits, bytes of uneven lengths.
fn words(stream: Stream) -> String {
    let hex = |words: [u32; 4]| words.map(|word| format!("{word:08x}")).join(" ");
    let mut rng = stream.rng();
    let mut bytes = [0; 7];
    let (word, long) = (rng.next_u32(), rng.next_u64());
    rng.fill_bytes(&mut bytes);
    format!(
        "{} / {} / {word:08x} {long:016x} {} {:016x} {:08x}",
        hex(stream.block(0, 0)),
        hex(stream.block((1 << 32) + 1, 5)),
        hexadecimal(&bytes),
        rng.next_u64(),
        rng.next_u32()
    )
}

/// Bit patterns of elements 0 to 3 and 1031, and the first 8 bytes of the SHA-256 of 1,000 little-endian elements from element
/// 2^33 + 3 on.
fn values<T: Element>(distribution: &Distribution, stream: Stream) -> String {
    let fill = |range| distribution.fill_range(range, stream, T::DTYPE).unwrap();
    let first = draw::<T>(&fill(0..1032));
    let bits = [0, 1, 2, 3, 1031].map(|i| {
        let bytes: Vec<u8> = little_endian(&first[i..=i]).into_iter().rev().collect();
        hexadecimal(&bytes)
    });
    let far = (1 << 33) + 3;
    let digest = Sha256::digest(little_endian(&draw::<T>(&fill(far..far + 1000))));
    format!("{} {}", bits.join(" "), hexadecimal(&digest[..8]))
}

#[test]
fn streams_are_what_they_always_were() {
    let weight = Stream::named(42, "layer.0.weight");
    let key = JaxKey::new(42);
    let derived = [
        ("named 0 \"\"", Stream::named(0, "")),
        ("named 42 layer.0.weight", weight),
        ("named 2^64-1 Größe", Stream::named(u64::MAX, "Größe")),
        ("numbered 0 0", Stream::numbered(0, 0)),
        ("numbered 7 2^32+9", Stream::numbered(7, (1 << 32) + 9)),
        ("numbered 2^64-1 2^64-1", Stream::numbered(u64::MAX, u64::MAX)),
        ("from_key [0, 0] 0", Stream::from_key([0, 0], 0)),
        ("from_key [1, 2] 3", Stream::from_key([1, 2], 3)),
        ("from_key [1, 2] 3, fold_in 0", Stream::from_key([1, 2], 3).fold_in(0).unwrap()),
        ("named 42 layer.0.weight, fold_in 2^32+9", weight.fold_in((1 << 32) + 9).unwrap()),
        ("named 42 layer.0.weight, fold_in 1, fold_in 2", weight.fold_in(1).unwrap().fold_in(2).unwrap()),
        ("tensorflow [1, 2]", Stream::tensorflow([1, 2])),
        ("tensorflow [-5, 2^40], of layer.0.weight", {
            Stream::tensorflow(seeds::tensorflow([-5, 1 << 40], "layer.0.weight"))
        }),
        ("keras 42", Stream::keras(42)),
        ("keras -6, of layer.0.weight", Stream::keras(seeds::keras(-6, "layer.0.weight"))),
        ("jax 42", Stream::jax(key)),
        ("jax -1", Stream::jax(JaxKey::new(-1))),
        ("jax 42, fold_in 7, split 3", Stream::jax(key.fold_in(7).split(3))),
        ("jax 42, of layer.0.weight", Stream::jax(seeds::jax(key, "layer.0.weight"))),
        ("jax_initializer 42", Stream::jax_initializer(key)),
    ];
    let mut text: String = derived.iter().map(|(name, stream)| format!("{name}: {}\n", words(*stream))).collect();

    let uniform = |low, high| Distribution::Uniform { low, high };
    let normal = |mean, std| Distribution::Normal { mean, std };
    let cut = |mean, std, low, high| Distribution::TruncatedNormal { mean, std, low, high };
    let of_tensorflow = vec![uniform(0.0, 1.0), uniform(-0.3, 0.7), normal(0.1, 0.02), cut(0.0, 0.02, -0.04, 0.04)];
    let of_jax = vec![
        uniform(0.0, 1.0),
        uniform(-0.3, 0.7),
        uniform(-0.3, 0.3),
        normal(0.1, 0.02),
        cut(0.0, 0.02, -0.04, 0.04),
        cut(1.0, 0.5, 0.5, 2.5),
    ];
    let of_initializers = vec![uniform(0.0, 0.01), uniform(-0.3, 0.3), normal(0.0, 0.02), cut(0.0, 0.02, -0.04, 0.04)];
    for (name, stream, distributions) in [
        ("tensorflow [1, 2]", Stream::tensorflow([1, 2]), &of_tensorflow),
        ("keras 42", Stream::keras(42), &of_tensorflow),
        ("jax 42", Stream::jax(key), &of_jax),
        ("jax_initializer 42", Stream::jax_initializer(key), &of_initializers),
    ] {
        for distribution in distributions {
            for &dtype in Dtype::ALL {
                let values = fanin_tests::for_dtype!(dtype, T => values::<T>(distribution, stream));
                text += &format!("{name} {dtype} {distribution}: {values}\n");
            }
        }
    }
    fanin_tests::golden::agrees("streams.txt", &text);
}

/// The contract of each kind of stream: a change of the values above is a change of one of these.
#[test]
fn contracts_are_numbered_by_kind() {
    let key = JaxKey::new(0);
    for (stream, contract) in [
        (Stream::named(0, "weight"), 2),
        (Stream::numbered(0, 0), 2),
        (Stream::from_key([0, 0], 0), 2),
        (Stream::tensorflow([0, 0]), 1),
        (Stream::keras(0), 1),
        (Stream::jax(key), 1),
        (Stream::jax_initializer(key), 1),
    ] {
        assert_eq!(stream.contract(), contract, "{stream:?}");
    }
}
