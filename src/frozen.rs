//! The numbers of every kernel, frozen: what is worked out on the host is part of the value contract, and no host may work it
//! out otherwise.

use crate::kernel::{Numbers, Sampler, Twin};
use crate::{Distribution, Dtype, JaxKey, Scheme, Stream};

fn distributions() -> Vec<Distribution> {
    let truncated = |mean, std, low, high| Distribution::TruncatedNormal { mean, std, low, high };
    let infinite = f64::INFINITY;
    let mut distributions = vec![
        Distribution::Constant { value: -0.1 },
        Distribution::Uniform { low: 0.0, high: 1.0 },
        Distribution::Uniform { low: -0.3, high: 0.7 },
        Distribution::Uniform { low: -0.05, high: 0.05 },
        Distribution::Uniform { low: 0.0, high: 0.01 },
        Distribution::Uniform { low: 1000.0, high: 1000.5 },
        Distribution::Uniform { low: 1e-15, high: 3e-15 },
        Distribution::Normal { mean: 0.0, std: 1.0 },
        Distribution::Normal { mean: 0.1, std: 0.02 },
        Distribution::Normal { mean: 0.0, std: 1e-37 },
        Distribution::Normal { mean: 1e4, std: 1e-3 },
        truncated(0.0, 0.02, -0.04, 0.04),
        truncated(0.5, 0.25, 0.0, 1.0),
        truncated(0.0, 1.0, -1.0, 3.0),
        truncated(0.0, 1.0, 0.0, infinite),
        truncated(0.0, 1.0, -infinite, -0.5),
        truncated(0.0, 1.0, 5.0, infinite),
        truncated(0.0, 1.0, 26.0, 27.0),
        truncated(0.0, 1.0, -1e-3, 1e-3),
        truncated(2.0, 0.5, -0.5, 0.25),
        truncated(0.0, 1e-30, -1e-30, 3e-29),
    ];
    distributions.push(truncated(-1e9, 1.0, 0.0, infinite));
    // The edges at which normal proposals are accepted with 0.48, and a hair to either side: Phi(z) = 0.74, and 0.52.
    for edge in [0.643_345_405_392_917f64, 0.050_153_583_464_733_614] {
        for z in [edge.next_down(), edge, edge.next_up(), edge - 1e-12, edge + 1e-12] {
            let window = if edge > 0.5 { truncated(0.0, 1.0, -z, z) } else { truncated(0.0, 1.0, z, infinite) };
            distributions.push(window);
        }
    }
    distributions
}

/// `tests/golden/numbers.txt` has, for each stream, dtype and distribution, the kernel and the f32 words of its numbers, or why
/// there are none; the page's twin gives the same for native ones. `FANIN_WRITE=1` writes them anew.
#[test]
fn the_numbers_of_kernels_are_what_they_always_were() {
    let key = JaxKey::new(1);
    let streams = [
        ("native", Stream::named(0, "weight")),
        ("tensorflow", Stream::tensorflow([1, 2])),
        ("jax", Stream::jax(key)),
        ("jax.nn", Stream::jax_initializer(key)),
    ];
    let mut text = String::new();
    for (of, stream) in streams {
        for &dtype in Dtype::ALL {
            for distribution in distributions() {
                let made = match Sampler::new(&distribution, dtype, &stream) {
                    Ok(sampler) => {
                        let kernel = sampler.kernel();
                        let words =
                            bytemuck::cast::<Numbers, [u32; 20]>(sampler.numbers()).map(|word| format!("{word:x}"));
                        format!("{kernel:?} {}", words.join(" "))
                    }
                    Err(error) => error.to_string(),
                };
                text += &format!("{of} {dtype} {}: {made}\n", Scheme::from(distribution));
            }
        }
    }
    crate::golden::agrees("numbers.txt", &text);
}
