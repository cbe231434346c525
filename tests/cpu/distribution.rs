//! That what is drawn is distributed as documented: against exact distribution functions, on the lattice of the dtype.
//!
//! The null hypothesis is strict: the real-valued distribution, rounded to the nearest f32, then to the nearest element, and kept
//! inside its bounds.
//! Each cell is a run of neighbouring elements, and its expected mass is that of the real interval that rounds to it.
//!
//! Every statistic is turned into standard errors (sigmas) and must stay within 5; for a Poisson count or a Kolmogorov
//! distance, its probability must be above 5.7e-7, which is the same. Seeds are fixed, so a pass or a failure repeats.
//!
//! CI draws 2^22 values each. The full set, whose result is in `benches/RESULTS.md`, draws 2^32 (2^34 for tails):
//!
//! ```text
//! FANIN_TEST_LOG2=32 cargo test --release -p fanin-tests --test cpu distribution -- --nocapture --test-threads=1
//! ```
//!
//! Values come from the CPU twin; that GPUs draw the same bits is tested elsewhere.

use std::ops::{Range, RangeBounds};
use std::sync::Mutex;

use fanin::{Distribution, Dtype, Element, Stream};
use fanin_tests::draw;
use half::{bf16, f16};
use statrs::distribution::{ChiSquared, ContinuousCDF, DiscreteCDF, Poisson};

const INFINITY: f64 = f64::INFINITY;
/// Elements drawn at once.
const CHUNK: u64 = 1 << 20;

fn log2_samples() -> u32 {
    std::env::var("FANIN_TEST_LOG2").map_or(22, |text| text.parse().expect("FANIN_TEST_LOG2 is a number"))
}

/// Draws elements of a tensor chunk by chunk.
fn for_each_chunk<T: Element>(distribution: &Distribution, range: Range<u64>, mut f: impl FnMut(&[T])) {
    let fill =
        distribution.fill_range(range.clone(), Stream::named(2026, &distribution.to_string()), T::DTYPE).unwrap();
    for start in range.clone().step_by(CHUNK as usize) {
        f(&draw::<T>(&fill.elements(start..range.end.min(start + CHUNK)).unwrap()));
    }
}

/// Runs the cases on two threads.
fn run_all<C: Sync>(cases: &[C], run: impl Fn(&C) + Sync) {
    let next = Mutex::new(cases.iter());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(case) = next.lock().unwrap().next() else { return };
                    run(case);
                }
            });
        }
    });
}

/// P(Z > x).
fn upper_tail(x: f64) -> f64 {
    libm::erfc(x / std::f64::consts::SQRT_2) / 2.0
}

/// P(Z > a + s) / P(Z > a), also where both are too small for f64. Beyond 25 sigmas the Mills ratio's asymptotic series is
/// exact to 1e-11 (Abramowitz and Stegun 26.2.12).
fn tail_ratio(a: f64, s: f64) -> f64 {
    if s == INFINITY {
        return 0.0;
    }
    if a < 25.0 {
        return upper_tail(a + s) / upper_tail(a);
    }
    let mills = |x: f64| {
        let t = 1.0 / (x * x);
        (1.0 - t * (1.0 - t * (3.0 - t * (15.0 - t * 105.0)))) / x
    };
    (-s * (a + s / 2.0)).exp() * mills(a + s) / mills(a)
}

/// The exact P(X <= x).
fn cdf(distribution: &Distribution, x: f64) -> f64 {
    match *distribution {
        Distribution::Constant { value } => f64::from(u8::from(value <= x)),
        Distribution::Uniform { low, high } => ((x - low) / 2.0 / (high / 2.0 - low / 2.0)).clamp(0.0, 1.0),
        Distribution::Normal { mean, std } => upper_tail(-(x - mean) / std),
        Distribution::TruncatedNormal { mean, std, low, high } => {
            if x <= low {
                return 0.0;
            }
            if x >= high {
                return 1.0;
            }
            let middle = (low - mean) / std + (high - mean) / std;
            if middle < 0.0 {
                let mirror = Distribution::TruncatedNormal { mean: -mean, std, low: -high, high: -low };
                return 1.0 - cdf(&mirror, -x);
            }
            let a = (low - mean) / std;
            let beyond = 1.0 - tail_ratio(a, (high - low) / std);
            // For a below the mean, the lower tail is the accurate one.
            let within = if a < 0.0 {
                (upper_tail(a) - upper_tail((x - mean) / std)) / upper_tail(a)
            } else {
                let s = (x - low) / std;
                if s * (a + s) < 1e-3 { small_step(a, s) } else { 1.0 - tail_ratio(a, s) }
            };
            within / beyond_mass(a, (high - low) / std, beyond)
        }
        ref other => panic!("{other} has no distribution function here"),
    }
}

/// 1 - P(Z > a + s) / P(Z > a) for small s, where the difference would cancel: the density's integral by Simpson's rule.
fn small_step(a: f64, s: f64) -> f64 {
    let hazard = if a < 25.0 {
        (-a * a / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() / upper_tail(a)
    } else {
        let t = 1.0 / (a * a);
        a / (1.0 - t * (1.0 - t * (3.0 - t * (15.0 - t * 105.0))))
    };
    let density = |s: f64| (-s * (a + s / 2.0)).exp();
    hazard * s / 6.0 * (density(0.0) + 4.0 * density(s / 2.0) + density(s))
}

fn beyond_mass(a: f64, width: f64, plain: f64) -> f64 {
    if a >= 0.0 && width * (a + width) < 1e-3 { small_step(a, width) } else { plain }
}

/// An element's place in the order of its dtype's values, and back; both zeros are 0.
trait Ordinal: Element {
    fn ordinal(self) -> i32;
    fn value(ordinal: i32) -> f64;
}

fn signed(magnitude: u32, negative: bool) -> i32 {
    if negative { -(magnitude as i32) } else { magnitude as i32 }
}

impl Ordinal for f32 {
    fn ordinal(self) -> i32 {
        signed(self.to_bits() & 0x7fff_ffff, self.is_sign_negative())
    }

    fn value(ordinal: i32) -> f64 {
        f64::from(f32::from_bits(ordinal.unsigned_abs())) * f64::from(ordinal.signum())
    }
}

impl Ordinal for f16 {
    fn ordinal(self) -> i32 {
        signed(u32::from(self.to_bits() & 0x7fff), self.is_sign_negative())
    }

    fn value(ordinal: i32) -> f64 {
        f64::from(f16::from_bits(ordinal.unsigned_abs() as u16)) * f64::from(ordinal.signum())
    }
}

impl Ordinal for bf16 {
    fn ordinal(self) -> i32 {
        signed(u32::from(self.to_bits() & 0x7fff), self.is_sign_negative())
    }

    fn value(ordinal: i32) -> f64 {
        f64::from(bf16::from_bits(ordinal.unsigned_abs() as u16)) * f64::from(ordinal.signum())
    }
}

/// Cells of neighbouring elements: the first element of each, and the expected mass of each.
struct Cells {
    firsts: Vec<i32>,
    masses: Vec<f64>,
    /// How many firsts lie below each multiple of 2^16, for a shorter search.
    guide: Vec<u32>,
}

impl Cells {
    /// About `count` cells of equal probability; fewer where single elements hold more.
    fn new<T: Ordinal>(distribution: &Distribution, count: u32) -> Cells {
        // Where the real interval that rounds to element `o` begins: to an f32 first, whose rounding moves the edge of a 16-bit
        // dtype by half of its last place, since a tie goes to the even one.
        let edge = |o: i32| {
            let middle = T::value(o - 1) / 2.0 + T::value(o) / 2.0;
            let tie = middle as f32;
            if T::DTYPE == Dtype::F32 || !tie.is_normal() {
                return middle;
            }
            let neighbour = if o % 2 == 0 { tie.next_down() } else { tie.next_up() };
            middle / 2.0 + f64::from(neighbour) / 2.0
        };
        let largest = match T::DTYPE {
            Dtype::F32 => f32::MAX.ordinal(),
            Dtype::F16 => f16::MAX.ordinal(),
            Dtype::BF16 => bf16::MAX.ordinal(),
            other => panic!("{other} has no lattice here"),
        };
        // What rounds to an element outside the bounds becomes the first or last one inside.
        let allowed = |o: i32| distribution.bounds().contains(&T::value(o));
        let mut firsts = vec![i32::MIN];
        for i in 1..count {
            let quantile = f64::from(i) / f64::from(count);
            let (mut low, mut high) = (-largest, largest);
            while low < high {
                // `midpoint` rounds towards zero.
                let middle = ((i64::from(low) + i64::from(high)).div_euclid(2)) as i32;
                if cdf(distribution, edge(middle)) < quantile { low = middle + 1 } else { high = middle }
            }
            let splits = low > *firsts.last().unwrap() && allowed(low - 1) && allowed(low);
            if splits && cdf(distribution, edge(low)) < 1.0 {
                firsts.push(low);
            }
        }
        let mut edges: Vec<f64> = firsts.iter().skip(1).map(|&o| cdf(distribution, edge(o))).collect();
        edges.insert(0, 0.0);
        edges.push(1.0);
        let masses = edges.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let multiples = (-(1 << 15)..=1 << 15).map(|i: i64| i << 16);
        let guide = multiples.map(|m| firsts.partition_point(|&first| i64::from(first) < m) as u32).collect();
        Cells { masses, firsts, guide }
    }

    fn cell<T: Ordinal>(&self, x: T) -> usize {
        let o = x.ordinal();
        let at = ((o >> 16) + (1 << 15)) as usize;
        let (from, to) = (self.guide[at] as usize, self.guide[at + 1] as usize);
        from + self.firsts[from..to].partition_point(|&first| first <= o) - 1
    }
}

/// What counts say of masses.
struct Fit {
    /// (chi^2 - dof) / sqrt(2 dof), for people.
    sigmas: f64,
    /// The probabilities of a smaller and of a larger chi^2, the lesser of them.
    probability: f64,
    /// sqrt(n) times the Kolmogorov distance at the cells' edges.
    kolmogorov: f64,
}

impl Fit {
    fn new(counts: &[u64], masses: &[f64]) -> Fit {
        let n = counts.iter().sum::<u64>() as f64;
        let chi_square: f64 = counts.iter().zip(masses).map(|(&o, &p)| (o as f64 - n * p).powi(2) / (n * p)).sum();
        let (mut gap, mut furthest) = (0.0, 0f64);
        for (&o, &p) in counts.iter().zip(masses) {
            gap += o as f64 / n - p;
            furthest = furthest.max(f64::abs(gap));
        }
        let kolmogorov = n.sqrt() * furthest;
        if counts.len() == 1 {
            return Fit { sigmas: 0.0, probability: 1.0, kolmogorov };
        }
        let dof = (counts.len() - 1) as f64;
        let distribution = ChiSquared::new(dof).unwrap();
        Fit {
            sigmas: (chi_square - dof) / (2.0 * dof).sqrt(),
            probability: distribution.cdf(chi_square).min(distribution.sf(chi_square)),
            kolmogorov,
        }
    }

    #[track_caller]
    fn assert(&self, what: &str) {
        let Fit { sigmas, probability, kolmogorov } = self;
        println!("{what}: chi-square {sigmas:+.2} sigma, Kolmogorov sqrt(n) D {kolmogorov:.2}");
        assert!(*probability > FIVE_SIGMAS, "{what}: chi-square {sigmas:+.2} sigma, probability {probability:e}");
        assert!(*kolmogorov < KOLMOGOROV, "{what}: sqrt(n) D = {kolmogorov:.2}");
    }
}

/// The probability of more than 5 sigmas on one side of a normal.
const FIVE_SIGMAS: f64 = 2.87e-7;
/// sqrt(n) D above this has a probability of 5.7e-7 (2 exp(-2 d^2)).
const KOLMOGOROV: f64 = 2.75;

#[track_caller]
fn assert_distributed<T: Ordinal>(distribution: &Distribution, n: u64, cells: u32) {
    let cells = Cells::new::<T>(distribution, cells.min((n / 64) as u32));
    let mut counts = vec![0u64; cells.masses.len()];
    for_each_chunk::<T>(distribution, 0..n, |values| {
        for &x in values {
            counts[cells.cell(x)] += 1;
        }
    });
    let what = format!("{distribution} {}: 2^{} values, {} cells", T::DTYPE, n.ilog2(), counts.len());
    Fit::new(&counts, &cells.masses).assert(&what);
}

fn truncated(mean: f64, std: f64, low: f64, high: f64) -> Distribution {
    Distribution::TruncatedNormal { mean, std, low, high }
}

fn distributions() -> Vec<Distribution> {
    vec![
        Distribution::Uniform { low: 0.0, high: 1.0 },
        Distribution::Uniform { low: -0.05, high: 0.05 },
        Distribution::Uniform { low: 1000.0, high: 1000.5 },
        Distribution::Uniform { low: -3e38, high: 3.4e38 },
        Distribution::Uniform { low: 1.0, high: 1.0 + 2f64.powi(-20) },
        Distribution::Normal { mean: 0.0, std: 1.0 },
        Distribution::Normal { mean: 0.5, std: 0.02 },
        Distribution::Normal { mean: 100.0, std: 1e-3 },
        Distribution::Normal { mean: 100.1, std: 1e-3 },
        Distribution::Normal { mean: 0.0, std: 1e-30 },
        truncated(0.0, 0.02, -0.04, 0.04),
        truncated(0.0, 1.0, -1.0, 1.0),
        truncated(0.0, 1.0, 0.0, INFINITY),
        truncated(0.0, 1.0, -0.25, INFINITY),
        truncated(0.0, 1.0, -INFINITY, -1.0),
        truncated(0.0, 1.0, 5.0, 6.0),
        truncated(0.0, 1.0, 10.0, INFINITY),
        truncated(0.0, 1.0, -INFINITY, -40.0),
        truncated(0.0, 1.0, -1e-3, 1e-3),
        truncated(0.0, 1.0, -3.0, 0.5),
        truncated(0.0, 1.0, 2.0, 2.001),
        truncated(5.0, 0.1, 0.0, 1.0),
        truncated(0.0, 1.0, 1e4, INFINITY),
        truncated(0.5, 1e-30, 0.5, 0.75),
        truncated(1.0, 1.0, -INFINITY, 1.5),
    ]
}

#[test]
fn f32_values_are_distributed_as_documented() {
    run_all(&distributions(), |d| assert_distributed::<f32>(d, 1 << log2_samples(), 1 << 16));
}

/// Every representable value of the bulk is a cell of its own.
#[test]
fn f16_and_bf16_values_have_the_mass_of_their_rounding_cells() {
    let cases = [
        Distribution::Uniform { low: 0.0, high: 1.0 },
        Distribution::Uniform { low: -0.05, high: 0.05 },
        Distribution::Uniform { low: 3.0, high: 3.1 },
        Distribution::Normal { mean: 0.0, std: 1.0 },
        Distribution::Normal { mean: 0.5, std: 0.02 },
        truncated(0.0, 0.02, -0.04, 0.04),
        truncated(0.0, 1.0, 5.0, 6.0),
        truncated(0.0, 1.0, -INFINITY, -10.0),
        truncated(0.0, 1.0, -1e-3, 1e-3),
        truncated(0.0, 1.0, 1.0, 1.01),
    ];
    run_all(&cases, |d| {
        assert_distributed::<f16>(d, 1 << log2_samples(), 1 << 16);
        assert_distributed::<bf16>(d, 1 << log2_samples(), 1 << 16);
    });
}

/// Both tails together, and the neighbourhood of 0.
#[test]
fn normal_tails_and_the_values_nearest_to_zero_are_as_frequent_as_they_should_be() {
    let n = 1u64 << (log2_samples() + 2);
    let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
    let beyond = [3.0, 4.0, 5.0, 6.0];
    let within = [2f64.powi(-8), 2f64.powi(-16), 2f64.powi(-20), 2f64.powi(-24)];
    let halves: Vec<_> = [0..n / 2, n / 2..n].to_vec();
    let totals = Mutex::new(([0u64; 4], [0u64; 4], 0u64, 0f32));
    run_all(&halves, |range| {
        let mut counts = ([0u64; 4], [0u64; 4], 0u64, 0f32);
        for_each_chunk::<f32>(&normal, range.clone(), |values| {
            for &x in values {
                let z = f64::from(x.abs());
                if z > 3.0 {
                    (0..4).for_each(|i| counts.0[i] += u64::from(z > beyond[i]));
                } else if z < 0.01 {
                    (0..4).for_each(|i| counts.1[i] += u64::from(z < within[i]));
                }
                counts.2 += u64::from(x == 0.0);
                counts.3 = counts.3.max(x.abs());
            }
        });
        let mut totals = totals.lock().unwrap();
        (0..4).for_each(|i| (totals.0[i], totals.1[i]) = (totals.0[i] + counts.0[i], totals.1[i] + counts.1[i]));
        (totals.2, totals.3) = (totals.2 + counts.2, totals.3.max(counts.3));
    });
    let (beyond_counts, within_counts, zeros, largest) = totals.into_inner().unwrap();
    println!("normal, n = 2^{}: {zeros} zeros, largest |z| {largest}", n.ilog2());
    for i in 0..4 {
        let expected = n as f64 * 2.0 * upper_tail(beyond[i]);
        assert_poisson(beyond_counts[i], expected, &format!("|z| > {}", beyond[i]));
        let expected = n as f64 * libm::erf(within[i] / std::f64::consts::SQRT_2);
        assert_poisson(within_counts[i], expected, &format!("|z| < {}", within[i]));
    }
    assert_eq!(zeros, 0);
}

#[track_caller]
fn assert_poisson(count: u64, expected: f64, what: &str) {
    let poisson = Poisson::new(expected).unwrap();
    let below = poisson.cdf(count);
    let above = if count == 0 { 1.0 } else { poisson.sf(count - 1) };
    println!("{what}: {count}, expected {expected:.2}, tail probability {:.3}", below.min(above));
    assert!(below.min(above) > FIVE_SIGMAS, "{what}: {count}, expected {expected}");
}

#[test]
fn no_value_is_out_of_bounds_in_any_dtype() {
    fn count<T: Ordinal>(distribution: &Distribution, n: u64) -> u64 {
        let bounds = distribution.bounds();
        let mut outside = 0;
        for_each_chunk::<T>(distribution, 0..n, |values| {
            for &x in values {
                let x = T::value(x.ordinal());
                outside += u64::from(!bounds.contains(&x));
            }
        });
        outside
    }
    let n = 1 << (log2_samples() + 2).min(30);
    let uniforms =
        [(0.0, 1.0), (-0.1, 0.3), (1.0, 1.0078125), (1024.0, 1032.0), (-65504.0, 65504.0), (2f64.powi(-24), 3e-7)];
    let windows = [
        (-0.02, 0.04),
        (1.0, 1.0078125),
        (-1e-3, 1.1e-3),
        (5.0, 5.1),
        (-INFINITY, -8.0),
        (0.0, INFINITY),
        (1.0001, 1.009),
    ];
    let cases: Vec<_> = uniforms
        .map(|(low, high)| Distribution::Uniform { low, high })
        .into_iter()
        .chain(windows.map(|(low, high)| truncated(0.0, 1.0, low, high)))
        .collect();
    // The values are shared out over the cases.
    let each = n / cases.len() as u64 + 1;
    run_all(&cases, |d| {
        let outside = [count::<f32>(d, each), count::<f16>(d, each), count::<bf16>(d, each)];
        assert_eq!(outside, [0; 3], "{d}");
    });
    println!("bounds: 0 of {} values per dtype out of bounds", each * cases.len() as u64);
}

/// Pairs at a distance, in 256 x 256 cells, and triples of neighbours, in 40^3: no value takes part twice, so that the
/// statistic is chi-square.
#[test]
fn neighbours_at_any_distance_are_independent() {
    let n = 1usize << (log2_samples() - 1).min(27);
    let cases = [
        Distribution::Uniform { low: 0.0, high: 1.0 },
        Distribution::Normal { mean: 0.0, std: 1.0 },
        truncated(0.0, 1.0, -2.0, 2.0),
    ];
    run_all(&cases, |d| {
        let (by_256, by_40) = (Cells::new::<f32>(d, 256), Cells::new::<f32>(d, 40));
        let (mut pairs_of, mut triples_of) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for_each_chunk::<f32>(d, 0..n as u64, |values| {
            pairs_of.extend(values.iter().map(|&x| by_256.cell(x) as u8));
            triples_of.extend(values.iter().map(|&x| by_40.cell(x) as u8));
        });
        for lag in [1, 2, 3, 4, 32, 64, 128, 256, 1024, 4096, 32768] {
            let mut counts = vec![0u64; 1 << 16];
            for run in pairs_of.chunks_exact(2 * lag) {
                for (&a, &b) in run[..lag].iter().zip(&run[lag..]) {
                    counts[usize::from(a) << 8 | usize::from(b)] += 1;
                }
            }
            let masses: Vec<f64> =
                by_256.masses.iter().flat_map(|p| by_256.masses.iter().map(move |q| p * q)).collect();
            Fit::new(&counts, &masses).assert(&format!("{d}: {n} values, pairs at lag {lag}"));
        }
        let mut counts = vec![0u64; 40 * 40 * 40];
        for triple in triples_of.chunks_exact(3) {
            counts[(usize::from(triple[0]) * 40 + usize::from(triple[1])) * 40 + usize::from(triple[2])] += 1;
        }
        let p = &by_40.masses;
        let masses: Vec<f64> = (0..64_000).map(|i: usize| p[i / 1600] * p[i / 40 % 40] * p[i % 40]).collect();
        Fit::new(&counts, &masses).assert(&format!("{d}: {n} values, triples"));
    });
}

/// The sample correlation of n independent pairs has the standard error 1 / sqrt(n).
#[test]
fn tensors_seeds_and_shards_are_uncorrelated() {
    let (pairs, n) = if log2_samples() >= 28 { (1000, 1 << 20) } else { (100, 1 << 14) };
    let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
    let values = |seed: u64, name: &str, start: u64| {
        let fill = normal.fill_range(start..start + n, Stream::named(seed, name), Dtype::F32).unwrap();
        draw::<f32>(&fill)
    };
    run_all(&["tensors of one seed", "seeds of one tensor", "shards of one tensor"], |kind| {
        let draw = |i: u64| match kind.split(' ').next() {
            Some("tensors") => values(1, &format!("layers.{i}.weight"), 0),
            Some("seeds") => values(i, "weight", 0),
            _ => values(1, "weight", i * n),
        };
        let mut previous = draw(0);
        let mut largest = 0f64;
        for i in 1..=pairs {
            let next = draw(i);
            let r: f64 = previous.iter().zip(&next).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>() / n as f64;
            largest = largest.max(r.abs() * (n as f64).sqrt());
            previous = next;
        }
        println!("{kind}: largest of {pairs} correlations of {n} values is {largest:.2} sigma");
        assert!(largest < 5.0, "{kind}: {largest:.2} sigma");
    });
}

/// Intervals that hold few values, and the extremes of scale: every value that may be drawn is, and no other.
#[test]
fn narrow_intervals_draw_each_of_their_values() {
    let ulp = 2f64.powi(-23);
    for (distribution, expected) in [
        (Distribution::Uniform { low: 1.0, high: 1.0 + ulp }, vec![1.0]),
        (Distribution::Uniform { low: 1.0, high: 1.0 + 3.0 * ulp }, vec![1.0, 1.0 + ulp, 1.0 + 2.0 * ulp]),
        (Distribution::Uniform { low: 1.0 - ulp / 4.0, high: 1.0 + ulp / 4.0 }, vec![1.0]),
        (Distribution::Uniform { low: -1e-40, high: 1e-40 }, vec![0.0]),
        (truncated(0.0, 1.0, 1.0, 1.0 + ulp), vec![1.0, 1.0 + ulp]),
        (truncated(3.0, 1e-9, 1.0 - ulp / 4.0, 1.0 + ulp / 4.0), vec![1.0]),
        (truncated(0.0, 1e-38, 0.0, 1e-38), vec![0.0]),
        (Distribution::Normal { mean: 2.5, std: 0.0 }, vec![2.5]),
        (Distribution::Normal { mean: 0.0, std: 1e-45 }, vec![0.0]),
        (Distribution::Normal { mean: 2.5, std: 1e-40 }, vec![2.5]),
    ] {
        let mut seen = Vec::new();
        for_each_chunk::<f32>(&distribution, 0..20_000, |values| seen.extend(values.iter().map(|&x| f64::from(x))));
        seen.sort_by(f64::total_cmp);
        seen.dedup();
        // The smallest normal f32 is drawn where 0 and it are the only values below 1e-38 + 1e-38.
        seen.retain(|&x| x == 0.0 || x.abs() >= f64::from(f32::MIN_POSITIVE) * 1.01 || expected.contains(&x));
        assert_eq!(seen, expected, "{distribution}");
    }
}
