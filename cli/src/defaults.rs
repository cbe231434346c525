//! What `init` does with tensors that are no matrices or convolutions.

use fanin::Distribution;

/// The last part of a vector's name that makes it a multiplier, which starts at 1: the weight of a norm (also called
/// gamma or scale) and the running variance of a batch norm.
const MULTIPLIERS: [&str; 6] = ["weight", "gamma", "scale", "running_var", "moving_variance", "var"];

/// The start of a vector or scalar: 1 for what multiplies, 0 for biases and all else.
pub fn vector(name: &str) -> Distribution {
    let last = name.rsplit(['.', '/']).next().unwrap_or(name);
    Distribution::Constant { value: if MULTIPLIERS.contains(&last) { 1.0 } else { 0.0 } }
}

#[cfg(test)]
mod tests {
    use super::vector;

    #[test]
    fn norms_start_as_the_identity() {
        for (name, value) in [
            ("transformer.h.0.ln_1.weight", 1.0),
            ("transformer.h.0.ln_1.bias", 0.0),
            ("bn1.running_mean", 0.0),
            ("bn1.running_var", 1.0),
            ("encoder/layer_norm/gamma", 1.0),
            ("encoder/layer_norm/beta", 0.0),
            ("weight", 1.0),
        ] {
            assert_eq!(vector(name), fanin::Distribution::Constant { value }, "{name}");
        }
    }
}
