//! Streams of other frameworks against what the frameworks themselves drew: `tests/golden/peers.*`, which
//! `tests/golden/generate.py` makes again.

use std::fs;

use fanin::{Distribution, Dtype, Element, Fill, JaxKey, Layout, Scheme, Stream, cpu};
use half::{bf16, f16};
use safetensors::SafeTensors;
use serde_json::Value;

/// The cases of the JSON, each with the framework's values as f32.
fn cases() -> Vec<(Value, Vec<f32>)> {
    let folder = fanin_tests::repository().join("tests/golden");
    let json: Value = serde_json::from_slice(&fs::read(folder.join("peers.json")).unwrap()).unwrap();
    let bytes = fs::read(folder.join("peers.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let cases = json["cases"].as_array().unwrap().clone();
    let values = |case: &Value| {
        let tensor = tensors.tensor(case["name"].as_str().unwrap()).unwrap();
        tensor.data().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    cases.into_iter().map(|case| (values(&case), case)).map(|(values, case)| (case, values)).collect()
}

fn shape(case: &Value) -> Vec<u64> {
    case["shape"].as_array().unwrap().iter().map(|d| d.as_u64().unwrap()).collect()
}

/// What fanin draws for a case.
fn fill(case: &Value) -> Fill {
    let argument = |name: &str, otherwise: f64| case["args"].get(name).map_or(otherwise, |x| x.as_f64().unwrap());
    let text = |name: &str| case[name].as_str().unwrap();
    let dtype = match text("dtype") {
        "float32" => Dtype::F32,
        "float16" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        other => panic!("{other}"),
    };
    let shape = shape(case);
    let scheme = |name: &str| {
        let scheme: Scheme = name.parse().unwrap();
        scheme.distribution(&shape, Layout::IN_OUT).unwrap()
    };
    let initializer = text("framework") == "jax.nn.initializers";
    let uniform = |low, high| Distribution::Uniform { low, high };
    let (mean, std) = (argument("mean", 0.0), argument("stddev", 1.0));
    let distribution = match text("op") {
        "uniform" if initializer => uniform(0.0, argument("scale", 0.01)),
        "stateless_uniform" | "uniform" | "RandomUniform" => uniform(argument("minval", 0.0), argument("maxval", 1.0)),
        "uniform of fold_in(key, 7)" | "uniform of split(key, 3)[2]" => uniform(0.0, 1.0),
        "stateless_normal" | "normal" | "RandomNormal" => Distribution::Normal { mean, std },
        "stateless_truncated_normal" | "TruncatedNormal" => Distribution::truncated_at(mean, std, 2.0),
        "truncated_normal" => {
            let (low, high) = (argument("lower", -2.0) * std, argument("upper", 2.0) * std);
            Distribution::TruncatedNormal { mean, std, low, high }
        }
        "GlorotUniform" | "glorot_uniform" => scheme("glorot_uniform"),
        "GlorotNormal" | "glorot_normal" => scheme("glorot_normal:truncated=true"),
        "HeUniform" | "he_uniform" => scheme("he_uniform"),
        "HeNormal" | "he_normal" => scheme("he_normal:truncated=true"),
        "LecunUniform" | "lecun_uniform" => scheme("lecun_uniform"),
        "LecunNormal" | "lecun_normal" => scheme("lecun_normal:truncated=true"),
        "VarianceScaling" => scheme("variance_scaling:scale=2,mode=fan_out,distribution=normal"),
        other => panic!("{other}"),
    };
    let seed = &case["seed"];
    let stream = match text("framework") {
        "tensorflow" => Stream::tensorflow([seed[0].as_i64().unwrap(), seed[1].as_i64().unwrap()]),
        "keras (tensorflow backend)" => Stream::keras(seed.as_i64().unwrap()),
        _ => {
            let key = JaxKey::new(seed.as_i64().unwrap());
            let key = match text("op") {
                "uniform of fold_in(key, 7)" => key.fold_in(7),
                "uniform of split(key, 3)[2]" => key.split(2),
                _ => key,
            };
            if initializer { Stream::jax_initializer(key) } else { Stream::jax(key) }
        }
    };
    distribution.fill_range(0..fanin::elements(&shape).unwrap(), stream, dtype).unwrap()
}

fn drawn(fill: &Fill) -> Vec<f32> {
    fn draw<T: Element>(fill: &Fill) -> Vec<T> {
        let mut values = vec![T::zeroed(); fill.len() as usize];
        cpu::fill(fill, &mut values).unwrap();
        values
    }
    match fill.dtype() {
        Dtype::F32 => draw::<f32>(fill),
        Dtype::F16 => draw::<f16>(fill).into_iter().map(f32::from).collect(),
        Dtype::BF16 => draw::<bf16>(fill).into_iter().map(f32::from).collect(),
        other => panic!("{other} has no element type here"),
    }
}

/// A unit in the last place of the dtype at x.
fn ulp(x: f32, dtype: Dtype) -> f32 {
    let digits = match dtype {
        Dtype::F32 => 23,
        Dtype::F16 => 10,
        Dtype::BF16 => 7,
        other => panic!("{other} has no digits here"),
    };
    let least = if dtype == Dtype::F16 { -14 } else { -126 };
    2f32.powi((x.abs().log2().floor() as i32).max(least) - digits)
}

#[test]
fn uniforms_are_the_frameworks_bit_for_bit() {
    let mut count = 0;
    for (case, golden) in cases() {
        if !case["op"].as_str().unwrap().to_lowercase().contains("uniform") {
            continue;
        }
        let ours = drawn(&fill(&case));
        assert_eq!(ours.len(), golden.len());
        let different = ours.iter().zip(&golden).position(|(a, b)| a.to_bits() != b.to_bits());
        assert_eq!(different, None, "{case}: {:?}", different.map(|i| (ours[i], golden[i])));
        count += 1;
    }
    assert_eq!(count, 36 + 25 + 4 * 4 + 3 * 4 + 4 + 2 * 2 + 3 * 3 + 7);
}

#[test]
fn normals_are_the_frameworks_but_for_the_last_places() {
    let (mut count, mut exact, mut values, mut worst) = (0, 0u64, 0u64, (0f32, 0f32));
    for (case, golden) in cases() {
        if case["op"].as_str().unwrap().to_lowercase().contains("uniform") {
            continue;
        }
        let fill = fill(&case);
        let ours = drawn(&fill);
        assert_eq!(ours.len(), golden.len());
        // In units of what the values are multiplied with.
        let scale = case["args"].get("stddev").map_or(1.0, |s| s.as_f64().unwrap() as f32);
        for (i, (a, b)) in ours.iter().zip(&golden).enumerate() {
            let (off, place) = ((a - b).abs(), ulp(*b, fill.dtype()));
            let near = match fill.dtype() {
                Dtype::F32 => off <= 4.0 * place || off <= 4e-7 * scale.max(1.0),
                _ => off <= place,
            };
            assert!(near, "{case}, element {i}: {a} and {b}, {} ulp", off / place);
            exact += u64::from(a == b);
            values += 1;
            if fill.dtype() == Dtype::F32 {
                worst = (worst.0.max(off), worst.1.max(off / place));
            }
        }
        count += 1;
    }
    println!("{count} cases: {exact} of {values} values equal, the worst f32 {} off, {} ulp", worst.0, worst.1);
    assert_eq!(count, 36 + 27 + 24 + 4 * 6 + 3 * 4 + 3 + 2 * 2);
}

/// Programs that draw through the rand crates take the same words: a uniform value is made of 23 bits of one.
#[test]
fn a_generator_over_a_stream_gives_the_words_of_its_values() {
    use rand::Rng;
    let unit = Distribution::Uniform { low: 0.0, high: 1.0 };
    for (stream, bits) in [
        (Stream::tensorflow([3, -4]), (|word| word & 0x7f_ffff) as fn(u32) -> u32),
        (Stream::jax(JaxKey::new(5)), |word| word >> 9),
        (Stream::jax_initializer(JaxKey::new(-5)), |word| word >> 9),
    ] {
        let values = drawn(&unit.fill_range(0..1000, stream, Dtype::F32).unwrap());
        let mut rng = stream.rng();
        for value in values {
            assert_eq!(bits(rng.next_u32()) as f32 / 8_388_608.0, value, "{stream:?}");
        }
    }
}

/// Magnitudes at which a step could be subnormal or infinite, where devices differ.
#[test]
fn extreme_parameters_are_refused() {
    let normal = |mean, std| Distribution::Normal { mean, std };
    let key = JaxKey::new(0);
    for (stream, mean) in [
        (Stream::tensorflow([0, 0]), 1e30),
        (Stream::jax(key), 1e30),
        // Whose mean is 0.
        (Stream::jax_initializer(key), 0.0),
    ] {
        for wrong in [
            normal(0.0, 1e-30),
            normal(mean, 1e30),
            Distribution::Uniform { low: -1e-25, high: 1e-25 },
            Distribution::truncated_at(0.0, 1e25, 2.0),
        ] {
            let error = wrong.fill_range(0..4, stream, Dtype::F32).unwrap_err().to_string();
            assert!(error.contains("2^-60 to 2^60"), "{wrong}: {error}");
        }
        assert!((normal(0.0, f64::NAN)).fill_range(0..4, stream, Dtype::F32).is_err());
        assert!((normal(0.0, f64::INFINITY)).fill_range(0..4, stream, Dtype::F32).is_err());
        assert!((normal(0.0, 1e-15)).fill_range(0..4, stream, Dtype::F32).is_ok());
    }
}

/// `jax.random.key(seed)` of JAX 0.10, without `jax_enable_x64`: its low 32 bits. From 2^63 on JAX refuses, as a key's type does.
#[test]
fn keys_are_jaxs() {
    for (seed, data) in [
        (0, [0, 0]),
        (-1, [0, 0xffff_ffff]),
        (-5, [0, 0xffff_fffb]),
        (1 << 31, [0, 0x8000_0000]),
        ((1 << 32) + 5, [0, 5]),
        (1 << 40, [0, 0]),
        (i64::MAX, [0, 0xffff_ffff]),
        (-(1 << 31) - 1, [0, 0x7fff_ffff]),
        (i64::MIN, [0, 0]),
    ] {
        assert_eq!(JaxKey::new(seed).data(), data, "{seed}");
    }
    // fold_in(key(0), d), by JAX.
    for (data, folded) in [
        (0, [0x6b20_0159, 0x99ba_4efe]),
        (7, [0xa1ef_7a4d, 0x116e_b6b3]),
        (1 << 31, [0x36af_47bc, 0x25f2_8bf1]),
        (u32::MAX, [0x2c4e_0437, 0xe1e3_2d13]),
    ] {
        assert_eq!(JaxKey::new(0).fold_in(data).data(), folded, "{data}");
    }
}

/// A window is one of the kind of stream that was asked for, and no other.
#[test]
fn a_window_that_no_initializer_has_is_refused() {
    let stream = Stream::jax_initializer(JaxKey::new(0));
    let message = |distribution: Distribution| match distribution.fill_range(0..4, stream, Dtype::F32) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let uniform = |low, high| Distribution::Uniform { low, high };
    for distribution in [
        uniform(-0.3, 0.3),
        uniform(0.0, 0.3),
        Distribution::Normal { mean: 0.0, std: 0.1 },
        Distribution::TruncatedNormal { mean: 0.0, std: 0.1, low: -0.1, high: 0.3 },
    ] {
        assert_eq!(message(distribution), "");
    }
    let allowed = "allowed: 0 or -high in the streams of jax.nn.initializers";
    assert_eq!(message(uniform(-0.3, 0.7)), format!("low is -0.3, {allowed}"));
    assert_eq!(message(uniform(-0.3, 0.3f64.next_up())), format!("low is -0.3, {allowed}"));
    assert_eq!(message(uniform(0.1, 0.2)), format!("low is 0.1, {allowed}"));
    let allowed = "allowed: 0 in the streams of jax.nn.initializers";
    assert_eq!(message(Distribution::Normal { mean: 0.5, std: 0.1 }), format!("mean is 0.5, {allowed}"));
    assert_eq!(message(Distribution::truncated_at(0.5, 0.1, 2.0)), format!("mean is 0.5, {allowed}"));
}

/// JAX draws a truncated normal by the inverse error function of the dtype's numbers: where there are few between the bounds' error
/// functions, or where they reach 1, its own values are no truncated normal (github.com/jax-ml/jax/issues/10951). Of [3, inf] it gives
/// 3.4e38 13 times in a million, of [5.5, 1e6] nothing but 999999.94.
#[test]
fn windows_where_jaxs_own_values_are_wrong_are_refused() {
    let made = |dtype, mean: f64, std: f64, low: f64, high: f64| {
        let window = Distribution::TruncatedNormal { mean, std, low: mean + low * std, high: mean + high * std };
        let key = JaxKey::new(1);
        let of = |stream| window.fill_range(0..10_000, stream, dtype);
        if mean == 0.0 {
            let initializer = of(Stream::jax_initializer(key)).err().map(|e| e.to_string());
            assert_eq!(initializer, of(Stream::jax(key)).err().map(|e| e.to_string()));
        }
        of(Stream::jax(key))
    };
    let inf = f64::INFINITY;
    for (low, high) in [
        (5.5, inf),
        (5.5, 1e6),
        (5.5, 6.0),
        (4.0, 5.0),
        (3.6, 6.0),
        (3.0, inf),
        (2.0, inf),
        (-inf, inf),
        (-20.0, 20.0),
        (3.0, 3.001),
    ] {
        for (low, high) in [(low, high), (-high, -low)] {
            for (mean, std) in [(0.0, 1.0), (0.0, 0.02), (0.5, 0.25)] {
                let error = made(Dtype::F32, mean, std, low, high).unwrap_err();
                assert_eq!(error.kind(), fanin::ErrorKind::Window, "{low}, {high}: {error}");
                assert!(error.allowed().unwrap().contains("JAX"), "{error}");
            }
        }
    }
    for dtype in [Dtype::F16, Dtype::BF16] {
        for (low, high) in [(1.5, 3.0), (2.0, 3.0), (1.5, inf), (-6.0, 6.0), (-inf, 1.0)] {
            assert_eq!(made(dtype, 0.0, 1.0, low, high).unwrap_err().kind(), fanin::ErrorKind::Window, "{low}, {high}");
        }
        for (low, high) in [(-2.0, 2.0), (-1.0, 3.0), (-3.0, 3.0), (0.0, 2.0), (1.0, 3.0)] {
            assert!(made(dtype, 0.0, 1.0, low, high).is_ok(), "{low}, {high} in {dtype}");
        }
    }
    // What is drawn is a truncated normal: by Kolmogorov's statistic, of which 1.95 leaves one in a thousand.
    for (low, high) in [
        (-2.0, 2.0),
        (-6.0, 6.0),
        (0.0, inf),
        (1.0, 3.0),
        (2.0, 3.0),
        (3.0, 4.0),
        (3.0, 6.0),
        (3.5, 6.0),
        (1.0, 1.0001),
    ] {
        let fill = made(Dtype::F32, 0.0, 1.0, low, high).unwrap();
        let mut values: Vec<f64> = cpu::vec::<f32>(&fill).unwrap().into_iter().map(f64::from).collect();
        values.sort_by(f64::total_cmp);
        let normal = statrs::distribution::Normal::new(0.0, 1.0).unwrap();
        let beyond = |x: f64| statrs::distribution::ContinuousCDF::sf(&normal, x);
        let count = values.len() as f64;
        let off = |(at, x): (usize, &f64)| {
            let below = (beyond(low) - beyond(*x)) / (beyond(low) - beyond(high));
            (below - at as f64 / count).abs().max((below - (at + 1) as f64 / count).abs())
        };
        let worst = values.iter().enumerate().map(off).fold(0.0, f64::max) * count.sqrt();
        assert!(worst < 1.95, "{low}, {high}: {worst}");
    }
    let error = made(Dtype::F32, 0.0, 1.0, 5.5, inf).unwrap_err().to_string();
    let said = "the window is normal(0, 1^2) in [5.5, inf], allowed: a window in JAX's streams that begins within 3.5 sigmas of the mean, \
                or is wider: JAX draws it from the f32 numbers between the bounds' error functions, which are 1 here";
    assert_eq!(error, said);
}
