//! Schemes as text, and what is refused.

use std::ops::Range;

use fanin::scheme::{FanMode, Spread, variance_scaling};
use fanin::{Distribution, Dtype, ErrorKind, Layout, Nonlinearity, Scheme, Stream};

fn parse(text: &str) -> Scheme {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn every_name_reads_and_every_scheme_reads_back() {
    // Of all names, those that need no value.
    let unknown = "no_such".parse::<Scheme>().unwrap_err().to_string();
    let names = unknown.rsplit_once("allowed: ").unwrap().1.split(", ").filter(|name| name.parse::<Scheme>().is_ok());
    let names: Vec<_> = names.collect();
    assert!(names.len() > 20, "{names:?}");
    let others = "random_uniform random_normal trunc_normal xavier_uniform xavier_normal kaiming_uniform kaiming_normal He-Normal";
    let given = [
        "constant:value=3",
        "Constant:VALUE=-1e-300",
        "truncated_normal:mean=5,low=0",
        "he_normal:gain=0.3,mode=fan_out,truncated=true",
    ];
    for text in names.into_iter().chain(others.split_whitespace()).chain(given) {
        let scheme = parse(text);
        assert_eq!(parse(&scheme.to_string()), scheme, "{text}");
    }
}

#[test]
fn other_names_are_the_same_scheme() {
    for (a, b) in [
        ("xavier_uniform", "glorot_uniform"),
        ("kaiming_normal", "he_normal"),
        ("HE_Normal:Mode=Fan-Out,TRUNCATED=True", "he_normal:mode=fan_out,truncated=true"),
        ("he_normal:nonlinearity=Leaky-ReLU:negative_slope=1", "he_normal:nonlinearity=leaky_relu,negative_slope=1"),
        // A bound that is not given is none.
        ("truncated_normal:mean=5,low=0", "truncated_normal:mean=5,low=0,high=inf"),
        ("truncated_normal:high=0", "truncated_normal:low=-inf,high=0"),
        ("variance_scaling:scale=2", "he_normal:truncated=true"),
        ("variance_scaling:mode=fan_avg,distribution=uniform", "glorot_uniform"),
        ("truncated_normal:std=0.5", "truncated_normal:std=0.5,low=-1,high=1"),
        ("truncated_normal:mean=1,std=0.5,sigmas=3", "truncated_normal:mean=1,std=0.5,low=-0.5,high=2.5"),
    ] {
        assert_eq!(parse(a), parse(b));
    }
    let scaled = variance_scaling(2.6, FanMode::FanAvg, Spread::TruncatedNormalUncorrected);
    assert_eq!(parse("variance_scaling_initializer:mode=fan_avg"), scaled);
}

#[test]
fn a_wrong_text_is_an_error_that_names_what_is_wrong_and_what_is_allowed() {
    for (text, parts) in [
        ("", &["\"\"", "he_normal"][..]),
        ("he_norml", &["he_norml", "he_normal"]),
        ("normal:stdev=1", &["stdev", "mean, std"]),
        ("normal:std", &["std", "key=value"]),
        ("normal:std=1,std=2", &["std", "once"]),
        ("normal:std=wide", &["wide", "a number"]),
        ("normal:std=-1", &["std is -1", "at least 0"]),
        ("normal:std=NaN", &["std is NaN"]),
        ("normal:mean=inf", &["mean is inf"]),
        ("zeros:value=1", &["value", "none"]),
        ("constant", &["value of the scheme constant is not given", "a number"]),
        ("constant:value=nan", &["value is NaN"]),
        ("uniform:low=1,high=1", &["[1, 1]", "low < high"]),
        ("uniform:low=2,high=1", &["[2, 1]"]),
        ("uniform:low=-inf,high=0", &["low is -inf"]),
        ("truncated_normal:std=0", &["std is 0", "above 0"]),
        ("truncated_normal:low=nan", &["low is NaN"]),
        ("truncated_normal:low=3,high=2", &["[3, 2]"]),
        ("truncated_normal:sigmas=2,low=0", &["sigmas", "\"2\"", "not both"]),
        ("truncated_normal:sigmas=2,high=3", &["sigmas", "not both"]),
        ("truncated_normal:sigmas=0", &["sigmas is 0"]),
        ("he_normal:mode=fan", &["fan", "fan_in, fan_out, fan_avg"]),
        ("he_normal:gain=0", &["gain", "above 0"]),
        ("he_normal:gain=-1", &["gain is -1", "above 0"]),
        ("uniform_unit_scaling:factor=-2", &["factor is -2", "above 0"]),
        ("variance_scaling_initializer:factor=-2", &["factor is -2", "above 0"]),
        ("xavier", &["\"xavier\"", "glorot_uniform"]),
        ("he", &["\"he\"", "he_normal"]),
        ("msra", &["\"msra\"", "he_normal"]),
        ("normal:", &["\"\"", "key=value"]),
        ("normal:std=1e-400", &["std", "1e-400", "f64 holds"]),
        ("truncated_normal:high=1e400", &["high", "1e400", "f64 holds"]),
        ("variance_scaling:scale=1e308,distribution=uniform", &["scale is 1e308"]),
        ("normal:std=1,", &["\"\"", "key=value"]),
        ("he_normal:nonlinearity=leaky_relu:negative_slope=1,negative_slope=1", &["negative_slope"]),
        ("he_normal:gain=1,nonlinearity=relu", &["not both"]),
        ("he_normal:nonlinearity=rleu", &["rleu", "leaky_relu"]),
        ("he_normal:negative_slope=0.1", &["negative_slope", "leaky_relu"]),
        ("he_normal:nonlinearity=relu,negative_slope=0.1", &["negative_slope", "leaky_relu"]),
        ("he_normal:truncated=maybe", &["maybe", "true"]),
        ("glorot_uniform:truncated=true", &["truncated", "gain"]),
        ("variance_scaling:distribution=cauchy", &["cauchy", "uniform, normal, truncated_normal"]),
        ("variance_scaling:scale=inf", &["scale", "inf"]),
    ] {
        let error = text.parse::<Scheme>().expect_err(text).to_string();
        for part in parts {
            assert!(error.contains(part), "{text}: \"{error}\" does not say \"{part}\"");
        }
    }
}

#[test]
fn a_misspelt_name_is_answered_with_the_nearest() {
    let of_scheme = |text: &str| text.parse::<Scheme>().unwrap_err().to_string();
    for (error, says) in [
        (
            of_scheme("normal:sdt=1"),
            "a parameter of the scheme normal is \"sdt\", did you mean std? allowed: mean, std",
        ),
        (
            of_scheme("he_normal:mode=fan_on"),
            "mode of the scheme he_normal is \"fan_on\", did you mean fan_in? allowed: fan_in, fan_out, fan_avg",
        ),
        (
            of_scheme("he_normal:truncated=ture"),
            "truncated of the scheme he_normal is \"ture\", did you mean true? allowed: true, false",
        ),
        (
            "f31".parse::<Dtype>().unwrap_err().to_string(),
            "the dtype is \"f31\", did you mean f32? allowed: f32, f16, bf16",
        ),
        (
            "folat16".parse::<Dtype>().unwrap_err().to_string(),
            "the dtype is \"folat16\", did you mean float16? allowed: f32, f16, bf16",
        ),
        ("f8".parse::<Dtype>().unwrap_err().to_string(), "the dtype is \"f8\", allowed: f32, f16, bf16"),
        (
            "out_ni".parse::<Layout>().unwrap_err().to_string(),
            "the layout is \"out_ni\", did you mean out_in? allowed: out_in, in_out, out_kernel_in, depthwise, batch_out_in, \
             batch_in_out, axes, fans",
        ),
        (
            "tahn".parse::<Nonlinearity>().unwrap_err().to_string(),
            "the nonlinearity is \"tahn\", did you mean tanh? allowed: linear, conv, sigmoid, tanh, relu, leaky_relu, selu",
        ),
    ] {
        assert_eq!(error, says);
    }
    let name = of_scheme("kaiming_nornal:mode=fan_in");
    assert!(
        name.starts_with("the scheme is \"kaiming_nornal\", did you mean kaiming_normal? allowed: zeros, "),
        "{name}"
    );
}

/// A deviation that f64 does not hold is no tensor of zeros.
#[test]
fn scales_beyond_f64_are_refused() {
    for scale in [5e-324, 1e308, 0.0, -1.0, f64::NAN, f64::INFINITY] {
        let scheme = variance_scaling(scale, FanMode::FanIn, Spread::Normal);
        let error = scheme.distribution(&[1, 10], Layout::OUT_IN).unwrap_err();
        assert_eq!((error.kind(), error.thing()), (ErrorKind::Parameter, "scale"), "{scale}");
    }
}

#[test]
fn a_fill_that_cannot_be_drawn_is_refused() {
    let fill = |distribution: Distribution, dtype, range| distribution.fill_range(range, Stream::numbered(0, 0), dtype);
    let constant = |value| Distribution::Constant { value };
    for (distribution, dtype) in [
        (constant(1e39), Dtype::F32),
        (constant(65505.0), Dtype::F16),
        (Distribution::Uniform { low: -1e5, high: 0.0 }, Dtype::F16),
        (Distribution::Normal { mean: 1e6, std: 1.0 }, Dtype::F16),
        (Distribution::Normal { mean: 0.0, std: 1e39 }, Dtype::BF16),
    ] {
        let error = fill(distribution, dtype, 0..1).unwrap_err();
        assert!(error.kind() == ErrorKind::Dtype, "{distribution}: {error}");
    }
    for (distribution, dtype) in [
        // Between two neighbours of the dtype; below the smallest normal; above the largest value.
        (Distribution::Uniform { low: 1.0001, high: 1.0002 }, Dtype::F16),
        (Distribution::Uniform { low: 1.0001, high: 1.0078125 }, Dtype::BF16),
        (Distribution::Uniform { low: 1e-40, high: 2e-40 }, Dtype::F32),
        (Distribution::TruncatedNormal { mean: 0.0, std: 1.0, low: 1.0001, high: 1.0002 }, Dtype::F16),
        (Distribution::TruncatedNormal { mean: 0.0, std: 1.0, low: 1e6, high: f64::INFINITY }, Dtype::F16),
        (Distribution::TruncatedNormal { mean: 0.0, std: 1.0, low: 1e39, high: 1e40 }, Dtype::F32),
    ] {
        let error = fill(distribution, dtype, 0..1).unwrap_err();
        assert!(error.kind() == ErrorKind::Window, "{distribution}: {error}");
    }
    for range in [Range { start: 5, end: 4 }, 0..u64::MAX, u64::MAX - 1..u64::MAX] {
        assert!(fill(constant(0.0), Dtype::F32, range).unwrap_err().kind() == ErrorKind::Range);
    }
    let whole = fill(constant(0.0), Dtype::F32, 10..20).unwrap();
    for range in [9..12, 10..21, Range { start: 15, end: 14 }] {
        assert!(whole.elements(range).unwrap_err().kind() == ErrorKind::Range);
    }
}

#[test]
fn a_scheme_that_needs_fans_says_so_for_a_vector() {
    let error = parse("lecun_normal").distribution(&[768], Layout::OUT_IN).unwrap_err();
    assert!(error.kind() == ErrorKind::Shape, "{error}");
    assert!(parse("normal").distribution(&[768], Layout::OUT_IN).is_ok());
    assert!(parse("zeros").distribution(&[], Layout::OUT_IN).is_ok());
}

/// Parameters of any magnitude, also infinite, NaN, equal and nearly equal ones: each is an error, or draws values within
/// its bounds. Nothing panics.
#[test]
fn any_parameters_are_refused_or_drawn_within_bounds() {
    let mut rng = Stream::named(1, "parameters").rng();
    let (mut drawn, mut refused) = (0, 0);
    for case in 0..300_000 {
        let distribution = fanin_tests::any_distribution(&mut rng);
        let _ = (distribution.mean(), distribution.std(), distribution.to_string());
        let dtype = Dtype::ALL[case % 3];
        let Ok(fill) = distribution.fill_range(0..5, Stream::numbered(0, case as u64), dtype) else {
            refused += 1;
            continue;
        };
        drawn += 1;
        let values: Vec<f64> =
            fanin_tests::for_dtype!(dtype, T => fanin_tests::draw::<T>(&fill).into_iter().map(f64::from).collect());
        let (low, high) = match distribution {
            Distribution::Uniform { low, high } => (low, high.next_down()),
            Distribution::TruncatedNormal { low, high, .. } => (low, high),
            _ => (-dtype.max(), dtype.max()),
        };
        assert!(values.iter().all(|x| low <= *x && *x <= high), "{distribution} {dtype}: {values:?}");
        let reach = distribution.reach() * (1.0 + 1e-6) + f64::from(f32::MIN_POSITIVE);
        let is_within = values.iter().all(|x| x.abs() <= reach);
        assert!(dtype != Dtype::F32 || is_within, "{distribution} reaches {reach:e}: {values:?}");
    }
    assert!(drawn > 50_000 && refused > 50_000, "{drawn} drawn, {refused} refused");
}

/// No value is beyond a distribution's reach, and of 2^16 the largest is near it: 4.4 standard deviations of 6.78, or a window's end.
#[test]
fn distributions_reach_as_far_as_they_say() {
    for text in [
        "constant:value=-3",
        "uniform:low=-2,high=1",
        "normal:mean=-1,std=0.5",
        "truncated_normal:std=2,low=-3,high=1",
        "truncated_normal:std=0.02,low=-2,high=2",
        "truncated_normal:mean=1,std=1,low=3,high=4",
        "truncated_normal:mean=0,std=1,low=2",
        "truncated_normal:mean=1,std=1,high=0.5",
        "log_uniform:low=0.001,high=7",
        "log_of_uniform:low=0.001,high=7",
        "inverse_softplus:low=0.001,high=0.1,floor=1e-4",
        "orthogonal:gain=2",
        "identity:gain=-2",
        "sparse:sparsity=0.5,std=0.1",
        "arange:start=-5,step=0.01,count=256",
        "sinusoids:theta=100",
        "column_norms:bound=0.3,rows=4",
    ] {
        let fill = parse(text).fill(&[256, 256], Layout::OUT_IN, Stream::named(7, text), Dtype::F32);
        let fill = fill.unwrap_or_else(|e| panic!("{text}: {e}"));
        let reach = parse(text).distribution(&[256, 256], Layout::OUT_IN).unwrap().reach();
        let largest = fanin_tests::draw::<f32>(&fill).into_iter().map(|x| f64::from(x.abs())).fold(0.0, f64::max);
        assert!(largest <= reach * (1.0 + 1e-7), "{text}: {largest} is beyond {reach}");
        // Of tails without end and large matrices, little comes near it.
        let is_rare = ["orthogonal", "low=2", "high=0.5"].iter().any(|part| text.contains(part));
        let least = if is_rare { 0.1 } else { 0.6 };
        assert!(largest >= least * reach, "{text}: {largest} of {reach}");
    }
}

/// Mean and deviation of sinusoids are those of their values, which are rounded to f32.
#[test]
fn sinusoids_have_the_moments_of_their_values() {
    for (text, shape) in [
        ("sinusoids", [40, 16]),
        ("sinusoids:interleaved=false", [511, 33]),
        ("sinusoids:endpoint=true,interleaved=false", [1500, 64]),
        ("sinusoids:theta=1", [1000, 3]),
        ("sinusoids:theta=1e300", [77, 10]),
        ("sinusoids", [1, 5]),
        ("sinusoids", [100_000, 1]),
    ] {
        let distribution = parse(text).distribution(&shape, Layout::OUT_IN).unwrap();
        let fill = distribution.fill(&shape, Stream::named(7, text), Dtype::F32).unwrap();
        let values: Vec<f64> = fanin_tests::draw::<f32>(&fill).into_iter().map(f64::from).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let std = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        let (is_mean, is_std) = (distribution.mean(), distribution.std());
        assert!((mean - is_mean).abs() < 6e-8, "{text} {shape:?}: a mean of {mean}, not {is_mean}");
        assert!((std - is_std).abs() < 6e-8, "{text} {shape:?}: a deviation of {std}, not {is_std}");
    }
}

/// What a dtype makes of a distribution: the deviation that comes out, and an error where nothing is left of it.
#[test]
fn a_dtype_holds_a_distribution_or_says_what_comes_out() {
    use fanin::{Distribution, Dtype, Stream, cpu};

    fn drawn<T: fanin::Element + Into<f64>>(distribution: &Distribution) -> f64 {
        let fill = distribution.fill_range(0..1 << 20, Stream::numbered(7, 0), T::DTYPE).unwrap();
        let values: Vec<f64> = cpu::vec::<T>(&fill).unwrap().into_iter().map(Into::into).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / values.len() as f64).sqrt()
    }
    let normal = |mean, std| Distribution::Normal { mean, std };
    let cut = |std, low, high| Distribution::TruncatedNormal { mean: 0.0, std, low, high };
    for (distribution, dtype) in [
        (normal(0.0, 0.02), Dtype::BF16),
        (normal(0.0, 1e-7), Dtype::F16),
        (normal(0.0, 3e-8), Dtype::F16),
        (normal(0.0, 6e4), Dtype::F16),
        (normal(1.0, 1e-3), Dtype::BF16),
        (normal(1.0, 3e-8), Dtype::F32),
        (normal(0.0, 2e38), Dtype::F32),
        (normal(0.0, 1e38), Dtype::BF16),
        (cut(1.0, 1.0, 1.02), Dtype::BF16),
        (cut(1e-7, -1e-7, 2e-7), Dtype::F16),
        (Distribution::Uniform { low: 1.0, high: 1.01 }, Dtype::BF16),
        (Distribution::Uniform { low: -1e-7, high: 1e-7 }, Dtype::F16),
        (Distribution::Uniform { low: -0.3, high: 0.3 }, Dtype::F32),
    ] {
        let came = match dtype {
            Dtype::F32 => drawn::<f32>(&distribution),
            Dtype::F16 => drawn::<half::f16>(&distribution),
            _ => drawn::<half::bf16>(&distribution),
        };
        // Of 2^20 values a deviation is known to 0.07 %, if they are normal; what jumps is worked out to about 0.1 %.
        let said = distribution.std_in(dtype);
        assert!((said / came - 1.0).abs() < 0.01, "{distribution} in {dtype}: {said}, {came} drawn");
    }
    for (distribution, dtype) in [
        (normal(0.0, 1e-9), Dtype::F16),
        (normal(1.0, 1e-9), Dtype::F32),
        (normal(0.0, 1e-40), Dtype::F32),
        (normal(1.0, 1e-4), Dtype::BF16),
        (cut(1e-9, -2e-9, 2e-9), Dtype::F16),
        (cut(1.0, 1.0, 1.001), Dtype::BF16),
        (Distribution::Uniform { low: 1.0, high: 1.001 }, Dtype::BF16),
        (Distribution::Uniform { low: 0.0, high: 1e-8 }, Dtype::F16),
    ] {
        let error = distribution.check_in(dtype).unwrap_err();
        assert_eq!(error.kind(), fanin::ErrorKind::Dtype, "{distribution} in {dtype}: {error}");
        assert!(error.to_string().contains(&format!("all of which {dtype} rounds to")), "{error}");
        let draw = fanin::rules::Recipe::new(distribution, [8], "w");
        assert_eq!(draw.fill(0, dtype).unwrap_err().to_string(), error.to_string());
        let scheme = fanin::Scheme::from(distribution);
        assert!(scheme.fill(&[8], fanin::Layout::OUT_IN, Stream::numbered(7, 0), dtype).is_err());
        // A fill draws what is left.
        assert!(distribution.fill_range(0..8, Stream::numbered(7, 0), dtype).is_ok());
    }
    // What is meant to be one value is.
    assert!(normal(0.0, 0.0).check_in(Dtype::F16).is_ok());
    assert!(normal(0.0, -1.0).check_in(Dtype::F16).is_err());
}
