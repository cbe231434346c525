//! What can be wrong with a request, in the words of the request.

use crate::dtype::Dtype;

/// Everything fanin refuses. Each message names the thing, its value and what is allowed; when one is returned, nothing
/// was drawn, recorded or submitted.
///
/// ```
/// use fanin::Distribution;
///
/// let wrong = Distribution::Normal { mean: 0.0, std: -1.0 };
/// assert_eq!(wrong.check().unwrap_err().to_string(), "std is -1, allowed: finite and at least 0");
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number of a scheme or distribution is outside its domain.
    #[error("{name} is {value}, allowed: {allowed}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// `low` is not below `high`.
    #[error("the window [{low}, {high}] is empty, allowed: low < high")]
    Window {
        /// The lower bound that was given.
        low: f64,
        /// The upper bound that was given.
        high: f64,
    },
    /// No value of the dtype lies between the bounds.
    #[error(
        "no {dtype} value lies in the window from {low} to {high} (subnormal f32 and bf16 values are not drawn), \
         allowed: a window that holds at least one"
    )]
    NoValueInWindow {
        /// The dtype that has no value there.
        dtype: Dtype,
        /// The lower bound that was given.
        low: f64,
        /// The upper bound that was given.
        high: f64,
    },
    /// A number does not fit the dtype's finite range.
    #[error("{name} is {value}, allowed in {dtype}: from -{max} to {max}")]
    OutsideDtype {
        /// The parameter's name.
        name: &'static str,
        /// What was given.
        value: f64,
        /// The dtype that cannot hold it.
        dtype: Dtype,
        /// The dtype's largest finite value.
        max: f64,
    },
    /// The shape has no fan_in and fan_out.
    #[error(
        "the shape {shape:?} has no fan_in and fan_out: {why}; give a scheme without fans (zeros, ones, constant, uniform, \
         normal, truncated_normal), or the fans themselves with Fans::new"
    )]
    NoFans {
        /// The shape that was given.
        shape: Vec<u64>,
        /// What is missing in it.
        why: &'static str,
    },
    /// A fan is zero.
    #[error("{name} is 0, allowed: at least 1")]
    ZeroFan {
        /// `fan_in` or `fan_out`.
        name: &'static str,
    },
    /// The groups do not divide the dimension that they split.
    #[error("groups is {groups}, allowed for the shape {shape:?}: at least 1 and a divisor of {dimension}")]
    Groups {
        /// The number of groups that was given.
        groups: u64,
        /// The dimension that the groups split.
        dimension: u64,
        /// The shape that was given.
        shape: Vec<u64>,
    },
    /// The product of a shape's dimensions is too large to count.
    #[error("the shape {shape:?} holds more elements than fanin addresses, allowed: at most 2^63")]
    ShapeOverflow {
        /// The shape that was given.
        shape: Vec<u64>,
    },
    /// A range of elements runs backwards or past the last element that can be addressed.
    #[error("the element range {start}..{end} is not valid, allowed: start <= end <= {limit}")]
    Range {
        /// The first element.
        start: u64,
        /// One past the last element.
        end: u64,
        /// The largest end.
        limit: u64,
    },
    /// The slice's length is not the fill's.
    #[error("the slice holds {slice} elements, allowed for this fill: exactly {fill}")]
    SliceLength {
        /// Elements in the slice.
        slice: u64,
        /// Elements of the fill.
        fill: u64,
    },
    /// The slice's element type is not the fill's dtype.
    #[error("the slice holds {slice} values, allowed for this fill: {fill}")]
    SliceDtype {
        /// The slice's dtype.
        slice: Dtype,
        /// The fill's dtype.
        fill: Dtype,
    },
    /// The buffer ends before the fill does.
    #[error(
        "the buffer holds {size} bytes, allowed for this fill: at least {needed} (the end of the last element, rounded up \
         to a 32-bit word)"
    )]
    BufferTooSmall {
        /// The buffer's size in bytes.
        size: u64,
        /// The size needed in bytes.
        needed: u64,
    },
    /// The buffer was created without the usage that a kernel needs.
    #[error("the buffer's usages are {usages:?}, allowed: any that include STORAGE")]
    BufferUsage {
        /// The usages that the buffer has.
        usages: wgpu::BufferUsages,
    },
    /// The byte offset cuts an element in two.
    #[error("the byte offset is {offset}, allowed for {dtype}: a multiple of {size}")]
    Offset {
        /// The offset that was given, in bytes.
        offset: u64,
        /// The fill's dtype.
        dtype: Dtype,
        /// The dtype's size in bytes.
        size: u64,
    },
    /// The device lacks what the kernels need.
    #[error("the device's limit {limit} is {value}, allowed: at least {needed}")]
    DeviceLimit {
        /// The limit's name in `wgpu::Limits`.
        limit: &'static str,
        /// The device's value.
        value: u64,
        /// What the kernels need.
        needed: u64,
    },
    /// The device draws other bits than the CPU: it cannot be used.
    #[error(
        "the device draws other bits than the CPU: {failed} of {checks} checks failed, the first of them {check}, in \
         {different} of {values} values, allowed: a device that passes the self-test, or GpuFiller::untested"
    )]
    SelfTest {
        /// The first check that failed.
        check: String,
        /// How many of its values differ.
        different: u64,
        /// How many values it has.
        values: u64,
        /// How many checks failed.
        failed: usize,
        /// How many checks there are.
        checks: usize,
    },
    /// Nothing can be folded into the stream.
    #[error(
        "fold_in is of a stream of {framework}, allowed: fanin's own streams, Stream::named, numbered and from_key (and keys of \
         JAX, JaxKey::fold_in)"
    )]
    FoldIn {
        /// Whose stream it is.
        framework: &'static str,
    },
    /// The device failed, or was lost.
    #[error("the device failed: {reason}")]
    Device {
        /// What the device or its driver said.
        reason: String,
    },
    /// The text names no scheme.
    #[error("there is no scheme named \"{name}\", allowed: {allowed}")]
    UnknownScheme {
        /// The name that was given.
        name: String,
        /// The names that are known.
        allowed: String,
    },
    /// The scheme has no such parameter.
    #[error("the scheme {scheme} has no parameter \"{name}\", allowed: {allowed}")]
    UnknownParameter {
        /// The scheme's name.
        scheme: String,
        /// The parameter that was given.
        name: String,
        /// The parameters it has.
        allowed: String,
    },
    /// A parameter in a text cannot be read.
    #[error("the scheme {scheme} cannot read {name}=\"{value}\", allowed: {allowed}")]
    ParameterText {
        /// The scheme's name.
        scheme: String,
        /// The parameter's name.
        name: String,
        /// The text that was given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A text is not one of a fixed set of names.
    #[error("there is no {what} named \"{name}\", allowed: {allowed}")]
    UnknownName {
        /// What was looked for.
        what: &'static str,
        /// The name that was given.
        name: String,
        /// The names that are known.
        allowed: &'static str,
    },
    /// Rules cannot be read.
    #[error("line {line}: {reason}")]
    Rules {
        /// The line of the text, from 1 on.
        line: usize,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// A rule cannot be applied to a tensor.
    #[error("tensor \"{name}\", by the rule of line {line}: {reason}")]
    OfTensor {
        /// The tensor's name.
        name: String,
        /// The rule's line in its text, from 1 on.
        line: usize,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// Tensors meet no rule.
    #[error("{} met no rule, allowed: a rule for each, or one for \"*\" at the end: {}", count(names), some(names))]
    Unmatched {
        /// The tensors' names.
        names: Vec<String>,
    },
    /// A tensor has no such row.
    #[error("the zero row is {row}, allowed: below {rows}")]
    Row {
        /// The row that was asked for.
        row: u64,
        /// How many the tensor has.
        rows: u64,
    },
}

fn count(names: &[String]) -> String {
    if names.len() == 1 { "1 tensor".into() } else { format!("{} tensors", names.len()) }
}

/// The first of a list that may be long.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}
