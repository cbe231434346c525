//! The limits of what is asked for and read. Beyond each of them is an error that names it.

/// The bytes of a header, a list or a plan that is read or written, as in the safetensors library.
pub(crate) const MAX_HEADER_BYTES: u64 = 100_000_000;

/// The bytes of the headers of all files that an index names, together.
pub(crate) const MAX_HEADERS_BYTES: u64 = 4 * MAX_HEADER_BYTES;

/// The bytes of a person's TOML.
pub(crate) const MAX_TOML_BYTES: u64 = 10_000_000;

/// The files of a checkpoint, by the digits in their names.
pub(crate) const MAX_FILES: usize = 99_999;

/// The processes that draw a model together.
pub(crate) const MAX_WORLD_SIZE: u64 = 1 << 20;

/// The elements of a matrix that `probe` multiplies: 1 GiB of floats. Of larger ones it tells the variance alone.
pub(crate) const MAX_MULTIPLIED: u64 = 1 << 28;

/// The elements of a fill that `bench` times.
pub(crate) const MAX_BENCH_ELEMENTS: u64 = 1 << 40;

/// The runs that `bench` takes the median of.
pub(crate) const MAX_BENCH_RUNS: u32 = 10_000;
