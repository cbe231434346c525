//! The value contract, frozen: what these seeds draw. If a change makes this test fail, some seed's values changed: that
//! needs a new `VALUE_CONTRACT`, and a word in CHANGELOG.md.

mod common;

use common::draw;
use fanin::{Dtype, Element, Fill, Layout, Scheme, Stream};
use sha2::{Digest, Sha256};

/// Bit patterns of elements 0, 1, 2, 3 and 1031, and the first 8 bytes of the SHA-256 of 4,096 little-endian elements from
/// element 2^40 + 13 on.
fn frozen<T: Element>(scheme: &str, dtype: Dtype) -> String {
    let distribution = scheme.parse::<Scheme>().unwrap().distribution(&[64, 32], Layout::OUT_IN).unwrap();
    let fill = |range| Fill::new(&distribution, Stream::named(2026, "frozen"), dtype, range).unwrap();
    let first = draw::<T>(&fill(0..1032));
    let bits: Vec<String> = [0, 1, 2, 3, 1031]
        .into_iter()
        .map(|i| bytemuck::bytes_of(&first[i]).iter().rev().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    let far = (1 << 40) + 13;
    let digest = Sha256::digest(bytemuck::cast_slice::<T, u8>(&draw::<T>(&fill(far..far + 4096))));
    let digest: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{scheme} {dtype}: {} {digest}", bits.join(" "))
}

const SCHEMES: [&str; 22] = [
    "constant:value=-0.1",
    "uniform:low=0,high=1",
    "uniform:low=-0.05,high=0.05",
    "uniform:low=1000,high=1000.5",
    "normal:mean=0,std=1",
    "normal:mean=0.5,std=0.02",
    "uniform:low=0.1,high=0.1005",
    "normal:mean=0.1,std=0.001",
    "normal:mean=0,std=1e-37",
    "truncated_normal:mean=0,std=0.02,low=-0.04,high=0.04",
    "truncated_normal:mean=0,std=1,low=-1,high=inf",
    "truncated_normal:mean=0,std=1,low=0,high=inf",
    "truncated_normal:mean=0,std=1,low=5,high=6",
    "truncated_normal:mean=0,std=1,low=-inf,high=-10",
    "truncated_normal:mean=0,std=1,low=-0.001,high=0.001",
    "truncated_normal:mean=2,std=0.5,low=-0.5,high=0.25",
    "truncated_normal:mean=0.3,std=0.2,low=0,high=1",
    "truncated_normal:mean=0,std=1e-30,low=2e-30,high=inf",
    "truncated_normal:mean=-1e9,std=1,low=0,high=inf",
    "uniform:low=-1e-30,high=3e-30",
    "he_normal",
    "glorot_uniform",
];

#[test]
fn contract_2_draws_what_it_always_drew() {
    assert_eq!(fanin::VALUE_CONTRACT, 2);
    let mut drawn = String::new();
    for scheme in SCHEMES {
        for &dtype in Dtype::ALL {
            drawn += &for_dtype!(dtype, T => frozen::<T>(scheme, dtype));
            drawn += "\n";
        }
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/value_stability.txt");
    if std::env::var_os("FANIN_WRITE").is_some() {
        std::fs::write(&path, &drawn).unwrap();
    }
    let frozen = std::fs::read_to_string(&path).unwrap();
    if drawn != frozen {
        for (new, old) in drawn.lines().zip(frozen.lines()).filter(|(new, old)| new != old) {
            println!("was {old}\nis  {new}");
        }
        panic!("values changed");
    }
}
