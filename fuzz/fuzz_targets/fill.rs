//! Distributions of any numbers, anywhere in a tensor.
#![no_main]

use fanin::Distribution;
use fanin_fuzz::{draw, message, moments};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::{Corpus, fuzz_target};

#[derive(Arbitrary, Debug)]
struct Request {
    numbers: [Number; 4],
    seed: u64,
    start: u64,
    length: u8,
    kind: Kind,
}

/// Most doubles are beyond what a dtype holds.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Number {
    Double(f64),
    Single(f32),
    Scaled(i16, i8),
}

impl Number {
    fn value(self) -> f64 {
        match self {
            Number::Double(x) => x,
            Number::Single(x) => x.into(),
            Number::Scaled(digits, exponent) => f64::from(digits) * 2f64.powi(exponent.into()),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Kind {
    Constant,
    Uniform,
    Normal,
    TruncatedNormal,
    TruncatedAt,
    TruncatedAtTwo,
}

fuzz_target!(|request: Request| -> Corpus {
    let [a, b, low, high] = request.numbers.map(Number::value);
    let distribution = match request.kind {
        Kind::Constant => Distribution::Constant { value: a },
        Kind::Uniform => Distribution::Uniform { low: a, high: b },
        Kind::Normal => Distribution::Normal { mean: a, std: b },
        Kind::TruncatedNormal => Distribution::TruncatedNormal { mean: a, std: b, low, high },
        Kind::TruncatedAt => Distribution::truncated_at(a, b, high),
        Kind::TruncatedAtTwo => Distribution::truncated_at(a, b, 2.0),
    };
    match distribution.check() {
        // Moments take as long as thousands of values.
        Ok(()) if request.length == 0 => moments(&distribution),
        Ok(()) => draw(&distribution, request.seed, request.start, request.length.into()),
        Err(error) => message(&error, 0),
    }
    Corpus::Keep
});
