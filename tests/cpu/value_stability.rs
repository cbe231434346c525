//! The value contract, frozen: what these seeds draw. If a change makes this test fail, some seed's values changed: that
//! needs a new `VALUE_CONTRACT`, and a word in CHANGELOG.md.

use fanin::{Dtype, Element, ErrorKind, Layout, Scheme, Stream};
use fanin_tests::{draw, little_endian};
use sha2::{Digest, Sha256};

/// Bit patterns of elements 0, 1, 2, 3 and 1031, and the first 8 bytes of the SHA-256 of 4,096 little-endian elements from
/// element 2^40 + 13 on.
fn frozen<T: Element>(scheme: &str, dtype: Dtype) -> String {
    let distribution = scheme.parse::<Scheme>().unwrap().distribution(&[64, 32], Layout::OUT_IN).unwrap();
    let fill = |range| distribution.fill_range(range, Stream::named(2026, "frozen"), dtype).unwrap();
    let first = draw::<T>(&fill(0..1032));
    let bits: Vec<String> = [0, 1, 2, 3, 1031].into_iter().map(|i| word(&first[i])).collect();
    let far = (1 << 40) + 13;
    let digest = digest(&draw::<T>(&fill(far..far + 4096)));
    format!("{scheme} {dtype}: {} {digest}", bits.join(" "))
}

const SCHEMES: [&str; 28] = [
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
    "log_uniform:low=0.001,high=0.1",
    "log_uniform:low=1e-6,high=60000",
    "log_of_uniform:low=1,high=16",
    "log_of_uniform:low=1e-6,high=60000",
    "inverse_softplus:low=0.001,high=0.1,floor=0.0001",
    "inverse_softplus:low=0.5,high=40,floor=0.7",
];

/// What depends on where an element is: with a shape and a layout.
const STRUCTURES: [(&str, &[u64], &str); 35] = [
    // Vectors are rows, columns, or either; one block of reflections and more; lengths of whole lanes and not; several matrices.
    ("orthogonal:gain=1", &[5, 7], "out_in"),
    ("orthogonal:gain=1", &[5, 7], "in_out"),
    ("orthogonal:gain=-1.4142135623730951", &[40, 33], "out_in"),
    ("orthogonal:gain=60000", &[70, 3], "out_in"),
    ("orthogonal:gain=1e-3", &[3, 70], "in_out"),
    ("orthogonal:gain=1", &[32, 32], "out_in"),
    ("orthogonal:gain=1", &[65, 66], "out_in"),
    ("orthogonal:gain=1", &[1, 1], "out_in"),
    ("orthogonal:gain=1", &[1, 9], "out_in"),
    ("orthogonal:gain=1", &[3, 34, 36], "batch_in_out"),
    ("orthogonal:gain=1", &[6, 4, 3, 3], "out_in"),
    ("orthogonal:gain=1", &[3, 3, 4, 6], "in_out"),
    ("delta_orthogonal:gain=1", &[6, 4, 3, 3], "out_in"),
    ("delta_orthogonal:gain=2", &[2, 4, 5, 7], "in_out"),
    ("delta_orthogonal:gain=1", &[2, 7, 5, 4], "batch_out_in"),
    ("identity:gain=-0.1", &[5, 7], "out_in"),
    ("identity:gain=1", &[7, 5], "in_out"),
    ("dirac:groups=1", &[4, 3, 2, 3], "out_in"),
    ("dirac:groups=3", &[6, 4, 4], "out_in"),
    ("dirac:groups=2", &[3, 4, 6, 8], "in_out"),
    ("sparse:sparsity=0.3,std=0.01", &[5, 7], "out_in"),
    ("sparse:sparsity=0.9,std=1", &[40, 33], "in_out"),
    ("sparse:sparsity=0.1,std=1", &[300, 3], "out_in"),
    ("sparse:sparsity=0.5,std=1", &[1, 8], "out_in"),
    ("arange:start=1,step=1,function=log", &[3, 16], "out_in"),
    ("arange:start=-5,step=0.1,axis=0", &[16, 3, 2], "out_in"),
    ("linspace:start=0.1,end=0.9,axis=1", &[3, 11, 2], "out_in"),
    ("linspace:start=0,end=-3,endpoint=false,function=exp", &[7], "out_in"),
    ("linspace:start=2,end=3", &[5, 1], "out_in"),
    ("inverse_frequencies:theta=10000", &[32], "out_in"),
    ("sinusoids:theta=10000,endpoint=false,interleaved=true", &[40, 16], "out_in"),
    ("sinusoids:theta=10000,endpoint=false,interleaved=false", &[2, 30, 9], "out_in"),
    ("sinusoids:theta=10000,endpoint=true,interleaved=false", &[1500, 4], "out_in"),
    ("sinusoids:theta=1.5,endpoint=true,interleaved=true", &[300, 6], "out_in"),
    ("column_norms:bound=0.05,rows=75", &[1, 1, 17], "out_in"),
];

/// Of a whole tensor: bit patterns of elements 0, 1, 2, 3 and the last, and the first 8 bytes of the SHA-256 of all; the same digest
/// of as many from element 2^40 + 13 on, where there are such.
fn frozen_structure<T: Element>(scheme: &str, shape: &[u64], layout: &str, dtype: Dtype) -> String {
    let (stream, of) = (Stream::named(2026, "frozen"), layout.parse().unwrap());
    let scheme_read: Scheme = scheme.parse().unwrap();
    let all = draw::<T>(&scheme_read.fill(shape, of, stream, dtype).unwrap());
    let last = all.len() - 1;
    let bits: Vec<String> = [0, 1, 2, 3, last].into_iter().map(|i| word(&all[i.min(last)])).collect();
    let distribution = scheme_read.distribution(shape, of).unwrap();
    let far = (1 << 40) + 13;
    let beyond = match distribution.fill_range(far..far + all.len() as u64, stream, dtype) {
        Ok(fill) => digest(&draw::<T>(&fill)),
        Err(error) => {
            assert!(scheme.starts_with("sparse") && error.kind() == ErrorKind::Range, "{scheme}: {error}");
            "-".to_string()
        }
    };
    let shape: Vec<String> = shape.iter().map(u64::to_string).collect();
    format!("{scheme} {} {layout} {dtype}: {} {} {beyond}", shape.join("x"), bits.join(" "), digest(&all))
}

fn word<T: Element>(element: &T) -> String {
    little_endian(&[*element]).iter().rev().map(|byte| format!("{byte:02x}")).collect()
}

fn digest<T: Element>(elements: &[T]) -> String {
    let digest = Sha256::digest(little_endian(elements));
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn contract_2_draws_what_it_always_drew() {
    assert_eq!(fanin::VALUE_CONTRACT, 2);
    let mut drawn = String::new();
    for scheme in SCHEMES {
        for &dtype in Dtype::ALL {
            drawn += &fanin_tests::for_dtype!(dtype, T => frozen::<T>(scheme, dtype));
            drawn += "\n";
        }
    }
    for (scheme, shape, layout) in STRUCTURES {
        for &dtype in Dtype::ALL {
            drawn += &fanin_tests::for_dtype!(dtype, T => frozen_structure::<T>(scheme, shape, layout, dtype));
            drawn += "\n";
        }
    }
    let path = fanin_tests::repository().join("tests/value_stability.txt");
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
