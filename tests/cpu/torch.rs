//! PyTorch's generator on the CPU against what PyTorch itself drew: `tests/golden/torch_draws.txt`, which `tests/golden/torch_draws.py` makes again.

use std::fs;

use fanin::torch::{Cuda, Draw, Place, ScalarType, TorchKey};
use fanin::{Distribution, Dtype, Fill, Layout, Scheme, Stream, cpu};
use sha2::{Digest, Sha256};

/// One operation of a line.
struct Operation {
    distribution: Distribution,
    scalar: ScalarType,
    elements: u64,
    is_strided: bool,
}

impl Operation {
    fn read(text: &str) -> Operation {
        let words: Vec<_> = text.split(' ').collect();
        let scheme: Scheme = words[0].parse().unwrap();
        let elements = words[2].parse().unwrap();
        Operation {
            distribution: scheme.distribution(&[elements], Layout::OUT_IN).unwrap(),
            scalar: words[1].parse().unwrap(),
            elements,
            is_strided: words.get(3) == Some(&"strided"),
        }
    }

    fn draw(&self) -> Draw {
        let draw = Draw::new(&self.distribution, self.scalar, self.elements).unwrap();
        if self.is_strided { draw.strided() } else { draw }
    }

    fn fill(&self, place: Place, dtype: Dtype) -> Fill {
        let stream = if self.is_strided { Stream::torch_strided(place) } else { Stream::torch(place) };
        self.distribution.fill(&[self.elements], stream, dtype).unwrap()
    }

    fn bytes(&self, place: Place) -> Vec<u8> {
        let dtype = match self.scalar {
            ScalarType::F32 => Dtype::F32,
            ScalarType::F16 => Dtype::F16,
            ScalarType::BF16 => Dtype::BF16,
            ScalarType::F64 => {
                let mut values = vec![0.0; self.elements as usize];
                self.draw().doubles(place, 0..self.elements, &mut values).unwrap();
                return values.into_iter().flat_map(f64::to_le_bytes).collect();
            }
        };
        cpu::bytes(&self.fill(place, dtype)).unwrap()
    }
}

fn lines() -> Vec<String> {
    let text = fs::read_to_string(fanin_tests::repository().join("tests/golden/torch_draws.txt")).unwrap();
    text.lines().skip(1).map(str::to_string).collect()
}

/// f64's are those of glibc.
fn is_drawn_here(line: &str) -> bool {
    cfg!(all(target_os = "linux", target_env = "gnu")) || !line.contains(" f64 ")
}

#[test]
fn all_bits_and_all_places_are_those_of_pytorch() {
    let mut values = 0;
    for line in lines().iter().filter(|line| is_drawn_here(line)) {
        let [seed, operations, words, spare, digest] = line.split(" | ").collect::<Vec<_>>().try_into().unwrap();
        let mut place = Place::new(seed.parse().unwrap());
        let mut hash = Sha256::new();
        for operation in operations.split("; ").map(Operation::read) {
            hash.update(operation.bytes(place));
            place = operation.draw().after(place);
            values += operation.elements;
        }
        assert_eq!(place.words().to_string(), words, "{line}");
        assert_eq!(place.to_string().contains(",pair="), spare == "pair", "{line}: {place}");
        let drawn: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(drawn, digest, "{line}");
    }
    assert!(values > 10_000_000, "{values}");
}

fn scheme(text: &str, shape: &[u64]) -> Distribution {
    text.parse::<Scheme>().unwrap().distribution(shape, Layout::OUT_IN).unwrap()
}

#[test]
fn any_part_is_the_slice_of_the_whole() {
    let place = Place::new(7).on(1 << 33);
    for text in ["uniform:low=-1,high=2", "normal:mean=0.5,std=0.02", "truncated_normal:mean=0,std=1,low=-2,high=2"] {
        for (shape, stream) in [
            ([37, 53], Stream::torch(place)),
            ([3, 5], Stream::torch(place)),
            ([37, 53], Stream::torch_strided(place)),
            ([64, 4096], Stream::torch(place)),
        ] {
            for &dtype in Dtype::ALL {
                let fill = scheme(text, &shape).fill(&shape, stream, dtype).unwrap();
                let (whole, size) = (cpu::bytes(&fill).unwrap(), dtype.bytes(1) as usize);
                let of = |row: u64, from: u64, to: u64| {
                    whole[(row * shape[1] + from) as usize * size..(row * shape[1] + to) as usize * size].to_vec()
                };
                let (top, left) = (shape[0] / 3, shape[1] / 2);
                let rows = cpu::bytes(&fill.slice(0, top..shape[0]).unwrap()).unwrap();
                assert_eq!(rows, (top..shape[0]).flat_map(|row| of(row, 0, shape[1])).collect::<Vec<_>>(), "{fill}");
                let columns = cpu::bytes(&fill.slice(1, left..shape[1] - 1).unwrap()).unwrap();
                let expected: Vec<_> = (0..shape[0]).flat_map(|row| of(row, left, shape[1] - 1)).collect();
                assert_eq!(columns, expected, "{fill}");
                let threads = (1..3).map(|threads| {
                    let mut out = vec![0f32; fill.len() as usize];
                    if dtype == Dtype::F32 {
                        cpu::fill_with_threads(&fill, &mut out, threads).unwrap();
                    }
                    out
                });
                assert!(threads.collect::<Vec<_>>().windows(2).all(|pair| pair[0] == pair[1]));
            }
        }
    }
}

#[test]
fn numbers_that_pytorch_has_printed_since_1_0_are_drawn() {
    let normal = scheme("normal:mean=0,std=1", &[16]);
    let values: Vec<f32> = cpu::vec(&normal.fill(&[16], Stream::torch(Place::new(42)), Dtype::F32).unwrap()).unwrap();
    let printed = [1.9269, 1.4873, 0.9007, -2.1055, 0.6784, -1.2345, -0.0431, -1.6047];
    assert!(values.iter().zip(printed).all(|(value, printed)| (value - printed).abs() <= 5.1e-5), "{values:?}");
}

#[test]
fn words_of_a_stream_are_those_of_the_sequence() {
    // The tenth thousand of the C++ standard's: seed 5489.
    let stream = Stream::torch(Place::new(5489).on(9996));
    assert_eq!(stream.block(0, 0)[3], 4_123_659_995);
    assert_eq!(stream.block(0, 7), Stream::torch(Place::new(5489)).block(2499, 0));
}

#[test]
fn what_pytorch_does_not_draw_so_is_refused() {
    let stream = Stream::torch(Place::new(0));
    let of = |text: &str, shape: &[u64], dtype| scheme(text, shape).fill(shape, stream, dtype).unwrap_err().to_string();
    for (text, words) in [
        ("orthogonal", "other frameworks draw this"),
        ("truncated_normal:mean=0,std=1,low=-0.2,high=0.2", "more than 0.3 of the normal"),
        ("normal:mean=0,std=1e4", "what f16 holds"),
    ] {
        let error = of(text, &[64, 64], Dtype::F16);
        assert!(error.contains(words), "{text}: {error}");
    }
    // Between two f32, as the mean is, which is rounded to the one below the bounds.
    let text = "truncated_normal:mean=1.0000000596,std=1e-9,low=1.0000000597,high=2";
    assert!(of(text, &[64], Dtype::F32).contains("for ever"));
    let normal = scheme("normal:mean=0,std=1", &[64]);
    for stream in [stream, Stream::torch_cuda(0, 0, Cuda::new(132, 2048).unwrap()).unwrap()] {
        let error = normal.fill_range(0..64, stream, Dtype::F32).unwrap_err();
        assert!(error.to_string().contains("Distribution::fill"), "{error}");
    }
    let fill = normal.fill(&[64], stream, Dtype::F32).unwrap();
    assert!(fill.clone().with_part(0, 0..4, scheme("uniform:low=0,high=1", &[4])).is_err());
    assert!(fill.with_part(0, 3..4, Distribution::Constant { value: 0.0 }).is_ok());
    assert!(stream.fold_in(0).unwrap_err().to_string().contains("PyTorch's"));
    assert!(Stream::torch_cuda(0, 2, Cuda::new(132, 2048).unwrap()).is_err());
    assert!(Cuda::new(0, 2048).is_err() && Cuda::new(132, 100).is_err() && "sms=1".parse::<Cuda>().is_err());
    // Beyond the end of the sequence there is no place.
    for words in [1 << 63, (1 << 63) - 64, u64::MAX] {
        let end = Place::new(0).on(words);
        let error = normal.fill(&[64], Stream::torch(end), Dtype::F32).unwrap_err();
        assert!(error.to_string().starts_with("the place in PyTorch's sequence is "), "{error}");
        let double = Draw::new(&normal, ScalarType::F64, 64).unwrap();
        assert!(double.doubles(end, 0..4, &mut [0.0; 4]).is_err());
        assert_eq!(double.after(end).words(), u64::MAX);
    }
    let draw = Draw::new(&normal, ScalarType::F64, 64).unwrap();
    assert!(
        draw.doubles(Place::new(0), 0..65, &mut [0.0; 65]).is_err()
            && draw.doubles(Place::new(0), 0..4, &mut [0.0; 5]).is_err()
    );
    assert!(Draw::new(&normal, ScalarType::F32, 64).unwrap().doubles(Place::new(0), 0..4, &mut [0.0; 4]).is_err());
}

/// `torch.func._random` of PyTorch 2.15 on a CPU.
#[test]
fn keys_are_those_of_pytorch() {
    let key = TorchKey::new(42).fold_in(7);
    assert_eq!(key.data(), [7_527_850_912_803_292_081, 3_344_896_577_480_189_866]);
    assert_eq!(key.split(2).data(), [895_772_573_455_791_644, 3_806_953_722_770_525_694]);
    let (uniform, normal) = (scheme("uniform:low=-0.0441,high=0.0441", &[6]), scheme("normal:mean=0.5,std=2", &[6]));
    let drawn = |distribution: &Distribution, dtype| -> Vec<f32> {
        let fill = distribution.fill_range(0..6, Stream::torch_key(key), dtype).unwrap();
        match dtype {
            Dtype::F32 => cpu::vec(&fill).unwrap(),
            Dtype::F16 => cpu::vec::<half::f16>(&fill).unwrap().into_iter().map(f32::from).collect(),
            _ => cpu::vec::<half::bf16>(&fill).unwrap().into_iter().map(f32::from).collect(),
        }
    };
    let uniforms = [
        (Dtype::F32, [-0.030_256_95, -0.042_064_715, 0.040_444_613, -0.025_321_681, 0.014_524_337, 0.006_385_393_4]),
        (Dtype::F16, [0.021_194_458, -0.040_832_52, -0.001_033_783, -0.032_897_95, -0.042_541_504, -0.037_567_14]),
        (Dtype::BF16, [0.037_353_516, -0.017_944_336, 0.035_888_672, -0.042_724_61, -0.031_738_28, 0.008_300_781]),
    ];
    for (dtype, values) in uniforms {
        assert_eq!(drawn(&uniform, dtype), values, "{dtype}");
    }
    let normals = [-1.428_772_6, -1.528_152_5, -0.534_264_1, 0.494_595_4, -0.157_479_35, 2.976_653_6];
    for (dtype, bound) in [(Dtype::F32, 1e-6), (Dtype::F16, 1e-3), (Dtype::BF16, 9e-3)] {
        let near = drawn(&normal, dtype).into_iter().zip(normals).all(|(x, y): (f32, f32)| (x - y).abs() <= bound);
        assert!(near, "{dtype}: {:?}", drawn(&normal, dtype));
    }
    let many = (scheme("uniform:low=0,high=1", &[6])).fill_range(
        0..1_000_003,
        Stream::torch_key(TorchKey::new(42)),
        Dtype::F32,
    );
    let digest: String =
        Sha256::digest(cpu::bytes(&many.unwrap()).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, "580408b658189cd7af7195fbcfb602653824d7af24c35957cc38c75ca4eede88");
}

/// What people printed of PyTorch on their GPUs, four decimals of it: github.com/pytorch/pytorch/issues.
#[test]
fn values_of_cuda_are_those_that_people_printed() {
    let unit = "uniform:low=0,high=1";
    let normal = "normal:mean=0,std=1";
    let [h100, a100, a6000, a4000] =
        [(132, 2048), (108, 2048), (84, 1536), (48, 1536)].map(|(sms, threads)| Cuda::new(sms, threads).unwrap());
    const LARGE: u64 = 49 * 12 * 112 * 144;
    type Printed = (&'static str, Cuda, u64, u64, u64, &'static [(u64, f32)]);
    let printed: [Printed; 8] = [
        // #79496
        (normal, a100, 10, 0, 3, &[(0, -0.1029), (1, 1.6810), (2, -0.2708)]),
        // #47347
        (unit, a100, 0, 0, 5, &[(0, 0.3990), (1, 0.5167), (2, 0.0249), (3, 0.9401), (4, 0.9459)]),
        // mrdbourke/pytorch-deep-learning#759: a weight, and the bias after it.
        ("uniform:low=-1,high=1", a100, 42, 0, 1, &[(0, 0.2259)]),
        ("uniform:low=-1,high=1", a100, 42, 4, 1, &[(0, 0.9754)]),
        // #143086
        (
            normal,
            h100,
            1,
            0,
            LARGE,
            &[(0, -0.2963), (1, 2.6764), (2, -0.1408), (LARGE - 3, -0.6970), (LARGE - 2, -0.7780), (LARGE - 1, 0.3267)],
        ),
        (normal, a100, 1, 0, LARGE, &[(LARGE - 3, 0.1549), (LARGE - 2, -0.6797), (LARGE - 1, -0.1656)]),
        // #62467
        (normal, a6000, 43, 0, 3 * 128 * 128, &[(0, 1.9983), (16384, 0.8704), (32768, 2.1127)]),
        // #97097, of deviation sqrt(5)
        (
            "normal:mean=5,std=2.23606797749979",
            a4000,
            14,
            0,
            100_000,
            &[
                (0, 2.8731),
                (1, 5.2727),
                (2, 2.9889),
                (97, 1.6853),
                (200, 6.5552),
                (297, 2.7704),
                (99_700, 8.6297),
                (99_999, 4.2604),
            ],
        ),
    ];
    for (text, card, seed, offset, elements, values) in printed {
        let stream = Stream::torch_cuda(seed, offset, card).unwrap();
        let fill = scheme(text, &[elements]).fill(&[elements], stream, Dtype::F32).unwrap();
        for &(at, value) in values {
            let drawn: Vec<f32> = cpu::vec(&fill.slice(0, at..at + 1).unwrap()).unwrap();
            assert!((drawn[0] - value).abs() <= 5.5e-5, "seed {seed}, {card}, element {at}: {} for {value}", drawn[0]);
        }
    }
    assert_eq!(a100.after(0, 1), 4);
}
