//! Operations that draw, and the places after them.

use std::ops::Range;
use std::thread;

use super::sequence::{Cursors, Kind, MAX_ROUNDS, Sequence};
use crate::arithmetic::special;
use crate::error::require;
use crate::limits::{MAX_ELEMENTS, MAX_TORCH_TRUNCATED};
use crate::names::{Named, as_text};
use crate::stream::TorchTensor;
use crate::torch_words::place::{END, Place};
use crate::{Distribution, Dtype, Error, ErrorKind, threads};

/// An element type that PyTorch's generator draws: fanin's, and f64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScalarType {
    /// `torch.float32`.
    F32,
    /// `torch.float16`.
    F16,
    /// `torch.bfloat16`.
    BF16,
    /// `torch.float64`.
    F64,
}

impl From<Dtype> for ScalarType {
    fn from(dtype: Dtype) -> ScalarType {
        match dtype {
            Dtype::F32 => ScalarType::F32,
            Dtype::F16 => ScalarType::F16,
            Dtype::BF16 => ScalarType::BF16,
        }
    }
}

impl ScalarType {
    fn kind(self) -> Kind {
        match self {
            ScalarType::F32 => Some(Dtype::F32),
            ScalarType::F16 => Some(Dtype::F16),
            ScalarType::BF16 => Some(Dtype::BF16),
            ScalarType::F64 => None,
        }
    }
}

impl Named for ScalarType {
    const WHAT: &'static str = "element type";
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])] = &[
        (ScalarType::F32, "f32", &["float32"]),
        (ScalarType::F16, "f16", &["float16", "half"]),
        (ScalarType::BF16, "bf16", &["bfloat16"]),
        (ScalarType::F64, "f64", &["float64", "double"]),
    ];
}
as_text!(ScalarType);

/// An operation of PyTorch's that fills a tensor: `uniform_`, `normal_` or `trunc_normal_`, by its distribution.
///
/// See the [module](super) for an example.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Draw {
    distribution: Distribution,
    scalar: ScalarType,
    elements: u64,
    is_dense: bool,
}

impl Draw {
    /// The operation on a tensor of so many elements, without gaps and in row-major order.
    ///
    /// # Errors
    /// Those of [`Distribution::check`]; [`ErrorKind::Parameter`] for what PyTorch draws otherwise, or not at all; [`ErrorKind::Dtype`] for
    /// what the element type does not hold; [`ErrorKind::Shape`] for more than 2^60 elements.
    pub fn new(distribution: &Distribution, scalar: ScalarType, elements: u64) -> Result<Draw, Error> {
        distribution.check()?;
        check_kind(distribution, scalar.kind())?;
        if elements > MAX_ELEMENTS {
            let allowed = format!("at most {MAX_ELEMENTS}");
            return Err(Error::new(ErrorKind::Shape, "the number of elements", elements, allowed));
        }
        check_size(distribution, elements)?;
        Ok(Draw { distribution: *distribution, scalar, elements, is_dense: true })
    }

    /// The same on memory with gaps, or in another order than row-major: PyTorch draws normals of it one by one.
    pub fn strided(self) -> Draw {
        Draw { is_dense: false, ..self }
    }

    /// The place after the operation. If the sequence ends before, the place has 2^64 - 1 words, and nothing can be drawn there.
    ///
    /// For a truncated normal, all values have to be drawn to find the place. This is not so if the bounds are more than 5.77 standard
    /// deviations from the mean, which no value of a block of 16 reaches.
    pub fn after(&self, place: Place) -> Place {
        if check_end(&self.distribution, self.elements, place).is_err() {
            return place.on(u64::MAX);
        }
        let tensor = self.at(place);
        tensor.after(self.rounds(&tensor))
    }

    /// The values of a range of its elements in f64, if it draws such.
    ///
    /// # Errors
    /// [`ErrorKind::Dtype`] if it draws another element type; [`ErrorKind::Stream`] where the sequence ends before; [`ErrorKind::Range`] for what is beyond its elements; [`ErrorKind::Slice`] if
    /// the slice has another length; [`ErrorKind::Parameter`] for normals where the C library is not glibc, whose functions PyTorch's are.
    pub fn doubles(&self, place: Place, range: Range<u64>, out: &mut [f64]) -> Result<(), Error> {
        if self.scalar != ScalarType::F64 {
            return Err(Error::new(ErrorKind::Dtype, "the operation's element type", self.scalar, "f64"));
        }
        if range.start > range.end || range.end > self.elements {
            let allowed = format!("start <= end <= {}", self.elements);
            return Err(Error::new(ErrorKind::Range, "the element range", format!("{range:?}"), allowed));
        }
        if out.len() as u64 != range.end - range.start {
            let allowed = format!("{}, the range's", range.end - range.start);
            return Err(Error::new(ErrorKind::Slice, "the slice's length", out.len(), allowed));
        }
        check_end(&self.distribution, self.elements, place)?;
        self.at(place).doubles(range, &mut Cursors::default(), out);
        Ok(())
    }

    fn at(&self, place: Place) -> Sequence {
        let Draw { distribution, scalar, elements, is_dense } = *self;
        Sequence { place, is_dense, elements, kind: scalar.kind(), distribution }
    }

    /// How many rounds a truncated normal takes.
    fn rounds(&self, tensor: &Sequence) -> u64 {
        let Distribution::TruncatedNormal { mean, std, low, high } = self.distribution else { return 1 };
        // The smallest number that a logarithm is taken of is 2^-24, and sqrt(2 ln 2^24) is 5.77; the mean is rounded to f32.
        let reach = 5.78 * std + mean.abs() * 2f64.powi(-22);
        let is_far = low <= mean - reach && high >= mean + reach;
        let is_in_blocks = self.is_dense && self.elements >= 16;
        if self.elements == 0 || is_far && is_in_blocks && !matches!(self.scalar, ScalarType::F64) {
            return 1;
        }
        let mut rounds = 1;
        if self.scalar == ScalarType::F64 {
            let mut cursors = Cursors::default();
            let mut left = tensor.rejected_doubles(0, None, &mut cursors);
            while !left.is_empty() && rounds < MAX_ROUNDS {
                left = tensor.rejected_doubles(rounds, Some(&left), &mut cursors);
                rounds += 1;
            }
            return rounds;
        }
        // Each part by itself, until it has nothing left; the last one that has counts.
        let share = self.elements.div_ceil(PARTS).next_multiple_of(1 << 16);
        let count = self.elements.div_ceil(share);
        let mut each = vec![0u64; count as usize];
        let parts: Vec<_> = each.iter_mut().zip(0u64..).collect();
        let cores = if count == 1 { 1 } else { thread::available_parallelism().map_or(1, usize::from) };
        threads::share(cores, parts, |(rounds, part)| {
            let mut cursors = Cursors::default();
            let range = part * share..((part + 1) * share).min(self.elements);
            let mut left = tensor.rejected(0, None, range.clone(), &mut cursors);
            *rounds = 1;
            while !left.is_empty() && *rounds < MAX_ROUNDS {
                left = tensor.rejected(*rounds, Some(&left), range.clone(), &mut cursors);
                *rounds += 1;
            }
        });
        each.into_iter().max().unwrap_or(1)
    }
}

/// The number of parts that a large truncated normal is cut into.
const PARTS: u64 = 64;

/// An error unless PyTorch draws a tensor of this as it is drawn here.
pub(super) fn check(distribution: &Distribution, dtype: Dtype, tensor: &TorchTensor) -> Result<(), Error> {
    let elements = tensor.elements.ok_or_else(of_a_range)?;
    check_kind(distribution, Some(dtype))?;
    check_size(distribution, elements)?;
    check_end(distribution, elements, tensor.place)
}

pub(super) fn of_a_range() -> Error {
    let allowed =
        "a fill of the whole tensor (Distribution::fill) or slices of it: PyTorch's values depend on the tensor's size";
    Error::new(ErrorKind::Stream, "the stream", "PyTorch's, of a range of elements", allowed)
}

/// An error unless all words that a tensor might take are in the sequence.
fn check_end(distribution: &Distribution, elements: u64, place: Place) -> Result<(), Error> {
    let rounds = if matches!(distribution, Distribution::TruncatedNormal { .. }) { MAX_ROUNDS } else { 1 };
    // Two words an element, and two blocks or a pair more.
    let most = u128::from(rounds) * (2 * u128::from(elements) + 64);
    if u128::from(place.words()) + most <= u128::from(END) {
        return Ok(());
    }
    let value = format!("{place}, of {distribution} in {elements} elements");
    let allowed = format!("one that {most} words before 2^63 follow, which they may take");
    Err(Error::new(ErrorKind::Stream, "the place in PyTorch's sequence", value, allowed))
}

pub(super) fn check_kind(distribution: &Distribution, kind: Kind) -> Result<(), Error> {
    let largest = kind.map_or(f64::MAX, Dtype::max);
    let held = |name: &'static str, value: f64, reach: f64| {
        let allowed = format!("what {} holds", kind.map_or("f64".to_string(), |dtype| dtype.to_string()));
        let is_held = value.abs() + reach <= largest && (value == 0.0 || value.abs() >= 2f64.powi(-100));
        if is_held { Ok(()) } else { Err(Error::new(ErrorKind::Dtype, name, crate::number::Number(value), allowed)) }
    };
    match *distribution {
        Distribution::Uniform { low, high } => {
            held("low", low, 0.0)?;
            held("high", high, 0.0)?;
            require(high - low <= largest, "high", high, "a bound whose distance from the other the dtype holds")
        }
        Distribution::Normal { mean, std } => {
            held("mean", mean, REACH * std)?;
            held("std", std, 0.0)?;
            library_for(kind)
        }
        Distribution::TruncatedNormal { mean, std, low, high } => {
            held("mean", mean, REACH * std)?;
            held("std", std, 0.0)?;
            let below = |x: f64| (1.0 + special::erf((x - mean) / std / std::f64::consts::SQRT_2)) / 2.0;
            if below(high) - below(low) <= 0.3 {
                let allowed = "one that holds more than 0.3 of the normal: of others PyTorch draws uniform candidates, and asks a library \
                               which to keep";
                return Err(Error::new(ErrorKind::Window, "the window", distribution, allowed));
            }
            if !can_be_met(kind, mean, std, low, high) {
                let allowed =
                    "one that has values of the dtype that the normal reaches: PyTorch would look for one for ever";
                return Err(Error::new(ErrorKind::Window, "the window", distribution, allowed));
            }
            library_for(kind)
        }
        _ => Err(Error::new(
            ErrorKind::Parameter,
            "the distribution",
            distribution,
            "uniform, normal, truncated_normal in PyTorch's stream",
        )),
    }
}

/// So many standard deviations no value is from the mean: sqrt(2 ln 2^53) is 8.57.
const REACH: f64 = 9.0;

/// A round of a larger truncated normal could end behind all places.
fn check_size(distribution: &Distribution, elements: u64) -> Result<(), Error> {
    if elements > MAX_TORCH_TRUNCATED && matches!(distribution, Distribution::TruncatedNormal { .. }) {
        let allowed = format!("at most {MAX_TORCH_TRUNCATED} of a truncated normal in PyTorch's stream");
        return Err(Error::new(ErrorKind::Shape, "the number of elements", elements, allowed));
    }
    Ok(())
}

/// Whether a value within the bounds, which are rounded as it is, is among some that the normal has.
fn can_be_met(kind: Kind, mean: f64, std: f64, low: f64, high: f64) -> bool {
    let rounded = |x: f64| match kind {
        None => x,
        Some(Dtype::F32) => f64::from(x as f32),
        Some(Dtype::F16) => half::f16::from_f32(x as f32).to_f64(),
        Some(Dtype::BF16) => half::bf16::from_f32(x as f32).to_f64(),
    };
    // In pairs the mean is what it is, in blocks it is rounded to f32.
    [mean, if kind.is_some() { f64::from(mean as f32) } else { mean }].into_iter().all(|mean| {
        let mut some = (-30..=30).map(|tenths| rounded(mean + std * f64::from(tenths) / 10.0));
        some.any(|x| x >= rounded(low) && x <= rounded(high))
    })
}

/// f64's normals are those of PyTorch's own library.
fn library_for(kind: Kind) -> Result<(), Error> {
    let is_there = cfg!(all(target_os = "linux", target_env = "gnu"));
    if kind.is_some() || is_there {
        return Ok(());
    }
    let allowed = "f32, f16, bf16 on this system: of f64 PyTorch's normals are those of glibc, which is not here";
    Err(Error::new(ErrorKind::Parameter, "the element type of a normal in PyTorch's stream", "f64", allowed))
}
