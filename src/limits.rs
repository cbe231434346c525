//! The limits of what is asked for. Beyond each of them is an error that names it.

/// The elements of a tensor, and the end of a range of them: in no dtype do so many take more bytes than 64 bits count.
pub(crate) const MAX_ELEMENTS: u64 = 1 << 60;

/// The slices of other distributions in a tensor: each is asked at each run of elements.
pub(crate) const MAX_PARTS: usize = 64;

/// The longer side of an orthogonal matrix, which costs as much as a matrix product, unless larger ones are asked for.
pub(crate) const MAX_SIDE: u64 = 1 << 16;

/// The longer side of an orthogonal matrix with `large=true`.
pub(crate) const MAX_LARGE_SIDE: u64 = 1 << 20;

/// The values of a sequence, which a device gets from the host.
pub(crate) const MAX_SEQUENCE: u64 = 1 << 24;

/// The elements of a matrix of whose columns the host works out norms.
pub(crate) const MAX_NORMED: u64 = 1 << 30;

/// The elements of a truncated normal in PyTorch's stream: a round of more could end behind all places.
pub(crate) const MAX_TORCH_TRUNCATED: u64 = 1 << 48;

/// The limits of probes.
#[cfg(feature = "probe")]
pub(crate) mod probe {
    /// The batch: a dispatch has so many workgroups.
    pub(crate) const MAX_BATCH: u64 = 1 << 20;

    /// The layers of a network, and the units of one: their product is a number.
    pub(crate) const MAX_LAYERS: u64 = 1 << 32;

    /// The memory of a probe, in bytes.
    pub(crate) const MAX_BYTES: u128 = 16 << 30;
}

/// The limits of rules, models and configurations.
#[cfg(feature = "rules")]
pub(crate) mod rules {
    /// The dimensions of a tensor. NumPy and PyTorch have 64 at most.
    pub(crate) const MAX_DIMENSIONS: usize = 256;

    /// The bytes of a pattern of names.
    pub(crate) const MAX_PATTERN_BYTES: usize = 1000;

    /// The bytes of all patterns that have a layout of their own beside one scheme.
    pub(crate) const MAX_LAYOUTS_BYTES: usize = 1_000_000;

    /// The bytes of an expression, whose reader recurses.
    pub(crate) const MAX_EXPRESSION_BYTES: usize = 1000;

    /// The constants and counts of rules, which each tensor has.
    pub(crate) const MAX_WORDS: usize = 256;

    /// The bytes of a configuration.
    pub(crate) const MAX_CONFIG_BYTES: usize = 10_000_000;

    /// The tensors of a model, and the numbers that an architecture counts to. A fuzzer tries more inputs that are smaller.
    pub(crate) const MAX_TENSORS: u64 = if cfg!(fuzzing) { 1_000 } else { 1_000_000 };

    /// The formulas that are worked out for a model's tensors.
    pub(crate) const MAX_FORMULAS: u64 = 8 * MAX_TENSORS;

    /// The bytes of the names and shapes of a model's tensors.
    pub(crate) const MAX_MODEL_BYTES: u64 = 256 * MAX_TENSORS;

    /// The bytes of a tensor's name.
    pub(crate) const MAX_NAME_BYTES: usize = 1000;

    /// The models within one another.
    pub(crate) const MAX_SUBMODEL_DEPTH: usize = 4;

    /// The names of modules, times those of tensors, that are compared: each with each.
    pub(crate) const MAX_COMPARED: usize = if cfg!(fuzzing) { 100_000 } else { 200_000_000 };
}
