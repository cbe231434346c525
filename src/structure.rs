//! Distributions in which an element depends on its place, or on other elements.

use std::fmt;

use crate::arithmetic::special;
use crate::error::{finite, require};
use crate::limits::{MAX_LARGE_SIDE, MAX_NORMED, MAX_SEQUENCE, MAX_SIDE};
use crate::moments::NORMAL_REACH;
use crate::number::Number;
use crate::{Dtype, Error, ErrorKind, Matrix};

/// A distribution of whole matrices, or values that depend on where an element is.
///
/// ```
/// use fanin::{Dtype, Layout, Stream, cpu, scheme};
///
/// let fill = scheme::orthogonal(1.0).fill(&[3, 4], Layout::OUT_IN, Stream::named(42, "weight"), Dtype::F32)?;
/// let w: Vec<f32> = cpu::vec(&fill)?;
/// let dot = |a: usize, b: usize| (0..4).map(|i| w[4 * a + i] * w[4 * b + i]).sum::<f32>();
/// assert!((dot(0, 0) - 1.0).abs() < 1e-6 && dot(0, 2).abs() < 1e-6);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Structure {
    /// `gain` times a matrix with orthonormal rows or columns, whichever are fewer: those of a random rotation (of Haar's measure).
    Orthogonal {
        /// The length of the orthonormal vectors.
        gain: f64,
        /// The places of the matrices; other taps are zero.
        matrix: Matrix,
    },
    /// `gain` where output and input have the same number, zero elsewhere.
    Identity {
        /// The value on the diagonal.
        gain: f64,
        /// The number of groups that outputs are shared out into, each of which has a diagonal of its own.
        groups: u64,
        /// The places of the matrices; other taps are zero.
        matrix: Matrix,
    },
    /// N(0, std^2), but zero for `ceil(sparsity * outputs)` of each input's outputs.
    Sparse {
        /// The part of the outputs that is zero, from 0 to 1.
        sparsity: f64,
        /// The standard deviation of the others.
        std: f64,
        /// The places of the matrices.
        matrix: Matrix,
    },
    /// A function of the index along one dimension: `f(start + index * step)`.
    Sequence {
        /// The function's argument at index 0.
        start: f64,
        /// The growth of the argument with each index.
        step: f64,
        /// The function whose values the elements are.
        function: Function,
        /// The number of indices of the dimension.
        count: u64,
        /// The number of elements that follow one another with the same index.
        inner: u64,
    },
    /// Sines and cosines of positions, a row each: of the position times `theta^(-k / n)` for k = 0, 1, ..., where n is half the number of
    /// channels, or one less with `endpoint`.
    Sinusoids {
        /// The number of rows.
        positions: u64,
        /// The number of columns, half of them sines and half cosines; of an odd number, the sines are one more.
        channels: u64,
        /// The base of the frequencies, at least 1.
        theta: f64,
        /// True if the last frequency is `1 / theta` itself.
        endpoint: bool,
        /// True if the sine and the cosine of a frequency are neighbours, false if all sines come before all cosines.
        interleaved: bool,
    },
    /// The Euclidean norms of the columns of a matrix that the same stream draws from U\[-bound, bound), in the same dtype. PyTorch's
    /// `weight_norm` keeps these norms beside the weight.
    ColumnNorms {
        /// The bound of the matrix's elements.
        bound: f64,
        /// The number of its rows.
        rows: u64,
        /// The number of its columns, each of which has a norm.
        columns: u64,
    },
}

/// The function that a [`Structure::Sequence`] takes of its line.
///
/// ```
/// assert_eq!("log".parse::<fanin::Function>()?, fanin::Function::Log);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Function {
    /// The number itself.
    Linear,
    /// The natural logarithm of the number.
    Log,
    /// e to the power of the number.
    Exp,
}

impl crate::names::Named for Function {
    const WHAT: &'static str = "function";
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])] =
        &[(Function::Linear, "linear", &["none"]), (Function::Log, "log", &["ln"]), (Function::Exp, "exp", &[])];
}
crate::names::as_text!(Function);

impl Function {
    pub(crate) fn value(self, x: f64) -> f64 {
        match self {
            Function::Linear => x,
            Function::Log => special::ln(x),
            Function::Exp => special::exp(x),
        }
    }
}

impl Structure {
    pub(crate) fn check(&self) -> Result<(), Error> {
        match *self {
            Structure::Orthogonal { gain, matrix } => {
                ordinary("gain", gain)?;
                let longest = matrix.longer();
                if longest > MAX_LARGE_SIDE {
                    return Err(Error::new(
                        ErrorKind::Shape,
                        "the matrix's longer side",
                        longest,
                        format!("at most {MAX_LARGE_SIDE}"),
                    ));
                }
                Ok(())
            }
            Structure::Identity { gain, groups, matrix } => {
                finite("gain", gain)?;
                let outputs = if matrix.is_transposed { matrix.columns() } else { matrix.rows() };
                if groups == 0 || outputs % groups != 0 {
                    let allowed = format!("at least 1, and a divisor of the {outputs} outputs");
                    return Err(Error::new(ErrorKind::Shape, "groups", groups, allowed));
                }
                Ok(())
            }
            Structure::Sparse { sparsity, std, .. } => {
                require((0.0..=1.0).contains(&sparsity), "sparsity", sparsity, "0 to 1")?;
                require(std.is_finite() && std >= 0.0, "std", std, "finite and at least 0")
            }
            Structure::Sequence { start, step, function, count, inner } => {
                finite("start", start)?;
                finite("step", step)?;
                if !(1..=MAX_SEQUENCE).contains(&count) {
                    let allowed = format!("1 to {MAX_SEQUENCE}");
                    return Err(Error::new(ErrorKind::Shape, "the length of the sequence", count, allowed));
                }
                if inner == 0 || count.checked_mul(inner).is_none_or(|period| period >= 1 << 31) {
                    let allowed = "at least 1, and below 2^31 times the sequence's values";
                    return Err(Error::new(ErrorKind::Shape, "the number of elements with one index", inner, allowed));
                }
                for index in [0, count - 1] {
                    let x = start + index as f64 * step;
                    let y = function.value(x);
                    let value = format!("{function} of {} at index {index}", Number(x));
                    if !y.is_finite() {
                        return Err(Error::new(ErrorKind::Parameter, "the sequence's value", value, "a finite number"));
                    }
                }
                Ok(())
            }
            Structure::Sinusoids { positions, channels, theta, endpoint, .. } => {
                require(theta.is_finite() && theta >= 1.0, "theta", theta, "finite and at least 1")?;
                if endpoint && (channels < 4 || !channels.is_multiple_of(2)) {
                    let allowed = "an even number from 4 on, where the last frequency is 1 / theta (endpoint=true)";
                    return Err(Error::new(ErrorKind::Shape, "the number of channels", channels, allowed));
                }
                if !positions.checked_mul(channels).is_some_and(|count| (1..=MAX_SEQUENCE).contains(&count)) {
                    let value = format!("{positions} positions of {channels} channels");
                    let allowed = format!("1 to {MAX_SEQUENCE} values");
                    return Err(Error::new(ErrorKind::Shape, "the table of sinusoids", value, allowed));
                }
                Ok(())
            }
            Structure::ColumnNorms { bound, rows, columns } => {
                require(bound.is_finite() && bound > 0.0, "bound", bound, "finite and above 0")?;
                for (name, count) in [("rows", rows), ("columns", columns)] {
                    if count == 0 {
                        return Err(Error::new(ErrorKind::Shape, name, count, "at least 1"));
                    }
                }
                match rows.checked_mul(columns) {
                    Some(elements) if elements <= MAX_NORMED => Ok(()),
                    _ => {
                        let allowed = format!("at most {MAX_NORMED} elements");
                        let value = format!("{rows}x{columns}");
                        Err(Error::new(ErrorKind::Shape, "the matrix whose columns have norms", value, allowed))
                    }
                }
            }
        }
    }

    pub(crate) fn mean(&self) -> f64 {
        match *self {
            Structure::ColumnNorms { bound, rows, .. } => bound * norm_of_uniform(rows as f64),
            Structure::Orthogonal { .. } | Structure::Sparse { .. } => 0.0,
            Structure::Identity { gain, .. } => gain * self.ones(),
            Structure::Sequence { .. } | Structure::Sinusoids { .. } => self.moments().0,
        }
    }

    pub(crate) fn std(&self) -> f64 {
        match *self {
            Structure::ColumnNorms { bound, rows, .. } => {
                let rows = rows as f64;
                bound * (rows / 3.0 - norm_of_uniform(rows).powi(2)).max(0.0).sqrt()
            }
            Structure::Orthogonal { gain, matrix } => {
                gain.abs() / (matrix.longer() as f64).sqrt() / (matrix.taps().count() as f64).sqrt()
            }
            Structure::Identity { gain, .. } => gain.abs() * (self.ones() * (1.0 - self.ones())).sqrt(),
            Structure::Sparse { std, matrix, .. } => {
                let (outputs, _) = outputs_and_inputs(&matrix);
                std * (1.0 - self.zeros() as f64 / outputs as f64).sqrt()
            }
            Structure::Sequence { .. } | Structure::Sinusoids { .. } => self.moments().1,
        }
    }

    /// A bound on the magnitude of its elements.
    pub(crate) fn reach(&self) -> f64 {
        match *self {
            Structure::Orthogonal { gain, .. } | Structure::Identity { gain, .. } => gain.abs(),
            Structure::Sparse { std, .. } => NORMAL_REACH * std,
            Structure::Sequence { .. } => self.values().fold(0.0, |most, y| y.abs().max(most)),
            Structure::Sinusoids { .. } => 1.0,
            Structure::ColumnNorms { bound, rows, .. } => bound * (rows as f64).sqrt(),
        }
    }

    /// The part of an identity's elements that are on its diagonals.
    fn ones(&self) -> f64 {
        let Structure::Identity { groups, matrix, .. } = *self else { return 0.0 };
        let (outputs, inputs) = outputs_and_inputs(&matrix);
        (groups * inputs.min(outputs / groups)) as f64 / matrix.len() as f64
    }

    /// The number of each input's outputs that are zero.
    pub(crate) fn zeros(&self) -> u64 {
        let Structure::Sparse { sparsity, matrix, .. } = *self else { return 0 };
        // As PyTorch: a product that is a hair above a whole number counts as the next.
        (sparsity * outputs_and_inputs(&matrix).0 as f64).ceil() as u64
    }

    /// The number of a sequence's values, and of the elements that follow one another with each.
    pub(crate) fn sequence(&self) -> Option<(u64, u64)> {
        match *self {
            Structure::Sequence { count, inner, .. } => Some((count, inner)),
            Structure::Sinusoids { positions, channels, .. } => Some((positions.saturating_mul(channels), 1)),
            _ => None,
        }
    }

    /// A sequence's value at each index.
    pub(crate) fn value(&self) -> impl Fn(u64) -> f64 + use<> {
        let (structure, column) = (*self, self.column());
        move |index| match structure {
            Structure::Sequence { start, step, function, .. } => function.value(start + index as f64 * step),
            Structure::Sinusoids { channels, .. } => {
                let (frequency, is_sine) = column(index % channels);
                let angle = (index / channels) as f64 * frequency;
                if is_sine { special::sin(angle) } else { special::cos(angle) }
            }
            _ => f64::NAN,
        }
    }

    /// The frequency of each column of sinusoids, and whether it is one of sines.
    fn column(&self) -> impl Fn(u64) -> (f64, bool) + use<> {
        let (channels, theta, endpoint, interleaved) = match *self {
            Structure::Sinusoids { channels, theta, endpoint, interleaved, .. } => {
                (channels, theta, endpoint, interleaved)
            }
            _ => (1, 1.0, false, false),
        };
        let sines = channels.div_ceil(2);
        let step = -special::ln(theta) / (channels as f64 / 2.0 - f64::from(u8::from(endpoint)));
        move |channel| {
            let (k, is_sine) =
                if interleaved { (channel / 2, channel % 2 == 0) } else { (channel % sines, channel < sines) };
            (special::exp(k as f64 * step), is_sine)
        }
    }

    /// A sequence's values.
    fn values(&self) -> impl Iterator<Item = f64> + use<> {
        (0..self.sequence().map_or(0, |(count, _)| count)).map(self.value())
    }

    /// Mean and standard deviation of a sequence's values, none of what is no structure.
    fn moments(&self) -> (f64, f64) {
        if self.check().is_err() {
            return (f64::NAN, f64::NAN);
        }
        let Structure::Sinusoids { positions, channels, .. } = *self else {
            let count = self.sequence().map_or(0, |(count, _)| count) as f64;
            let mean = self.values().sum::<f64>() / count;
            return (mean, (self.values().map(|y| (y - mean).powi(2)).sum::<f64>() / count).sqrt());
        };
        // The mean cosine and sine of the angles 0, x, 2 x, ..: the sum of a geometric series.
        let count = positions as f64;
        let mean = |x: f64| {
            let (length, middle) =
                (special::sin(count * x / 2.0) / (count * special::sin(x / 2.0)), (count - 1.0) * x / 2.0);
            (length * special::cos(middle), length * special::sin(middle))
        };
        let (mut sum, mut squares) = (0.0, 0.0);
        for (frequency, is_sine) in (0..channels).map(self.column()) {
            let ((cosine, sine), (of_twice, _)) = (mean(frequency), mean(2.0 * frequency));
            sum += if is_sine { sine } else { cosine };
            squares += (1.0 + if is_sine { -of_twice } else { of_twice }) / 2.0;
        }
        let mean = sum / channels as f64;
        (mean, (squares / channels as f64 - mean * mean).max(0.0).sqrt())
    }

    /// A check that a dtype holds the values that are not zero.
    pub(crate) fn check_in(&self, dtype: Dtype) -> Result<(), Error> {
        self.check()?;
        let largest = match *self {
            Structure::Orthogonal { gain, .. } | Structure::Identity { gain, .. } => gain,
            Structure::Sparse { std, .. } => std,
            Structure::Sequence { .. } | Structure::Sinusoids { .. } | Structure::ColumnNorms { .. } => self.reach(),
        };
        let typical = match *self {
            Structure::Orthogonal { gain, matrix } => gain / (matrix.longer() as f64).sqrt(),
            // Of what would be zeros the norm is 0.
            Structure::ColumnNorms { bound, .. } => bound,
            _ => largest,
        };
        let allowed = format!("0, or numbers within what {dtype} holds");
        let holds = largest.abs() <= dtype.max() && (typical == 0.0 || dtype.nearest(typical) != 0.0);
        if holds { Ok(()) } else { Err(Error::new(ErrorKind::Dtype, "the distribution", self.to_string(), allowed)) }
    }

    pub(crate) fn matrix(&self) -> Option<Matrix> {
        match *self {
            Structure::Orthogonal { matrix, .. }
            | Structure::Identity { matrix, .. }
            | Structure::Sparse { matrix, .. } => Some(matrix),
            Structure::Sequence { .. } | Structure::Sinusoids { .. } | Structure::ColumnNorms { .. } => None,
        }
    }

    /// Elements after which it begins anew.
    pub(crate) fn period(&self) -> u64 {
        let sequence = self.sequence().map(|(count, inner)| count * inner);
        let norms = match *self {
            Structure::ColumnNorms { columns, .. } => Some(columns),
            _ => None,
        };
        sequence.or(norms).or(self.matrix().map(|matrix| matrix.len())).unwrap_or(1)
    }
}

/// The expected norm of so many numbers of U\[-1, 1): of a sum S of squares, E\[sqrt(S)\] is the integral of (1 - E\[exp(-s^2 S)\]) / s^2 over
/// positive s, divided by sqrt(pi); here by the trapezoid rule in ln(s), whose error is far below rounding.
fn norm_of_uniform(rows: f64) -> f64 {
    const STEP: f64 = 0.125;
    const SQRT_PI: f64 = 1.772_453_850_905_516;
    let term = |k: i32| {
        let s = special::exp(STEP * f64::from(k)) / rows.sqrt();
        let t = s * s;
        // 1 - E[exp(-t u^2)] of one number, by its series where it is small.
        let lost = if t < 1e-3 {
            t * (1.0 / 3.0 - t * (1.0 / 10.0 - t * (1.0 / 42.0 - t * (1.0 / 216.0 - t / 1320.0))))
        } else {
            1.0 - SQRT_PI / 2.0 * special::erf(s) / s
        };
        let log = if lost < 1e-4 {
            -lost * (1.0 + lost * (1.0 / 2.0 + lost * (1.0 / 3.0 + lost / 4.0)))
        } else {
            special::ln(1.0 - lost)
        };
        -special::expm1(rows * log) / s
    };
    (-280..=280).map(term).sum::<f64>() * STEP / SQRT_PI
}

/// A gain whose products are ordinary numbers in f32.
fn ordinary(name: &'static str, value: f64) -> Result<(), Error> {
    let holds = value == 0.0 || (2f64.powi(-60)..=2f64.powi(60)).contains(&value.abs());
    require(holds, name, value, "0, or a magnitude from 2^-60 to 2^60")
}

/// An orthogonal matrix of this size, if it is one that was asked for.
pub(crate) fn orthogonal(gain: f64, matrix: Matrix, large: bool) -> Result<Structure, Error> {
    if matrix.longer() > MAX_SIDE && !large {
        let sides = format!("{}x{}", matrix.rows(), matrix.columns());
        let allowed = format!("sides of at most {MAX_SIDE}, or large=true, up to {MAX_LARGE_SIDE}");
        return Err(Error::new(ErrorKind::Shape, "the orthogonal matrix", sides, allowed));
    }
    Ok(Structure::Orthogonal { gain, matrix })
}

pub(crate) fn outputs_and_inputs(matrix: &Matrix) -> (u64, u64) {
    let sides = (matrix.rows(), matrix.columns());
    if matrix.is_transposed { (sides.1, sides.0) } else { sides }
}

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = Number;
        match *self {
            Structure::Orthogonal { gain, matrix } => write!(f, "orthogonal:gain={},{matrix}", n(gain)),
            Structure::Identity { gain, groups, matrix } => {
                write!(f, "identity:gain={},groups={groups},{matrix}", n(gain))
            }
            Structure::Sparse { sparsity, std, matrix } => {
                write!(f, "sparse:sparsity={},std={},{matrix}", n(sparsity), n(std))
            }
            Structure::Sequence { start, step, function, count, inner } => {
                write!(f, "arange:start={},step={},function={function},count={count},inner={inner}", n(start), n(step))
            }
            Structure::Sinusoids { positions, channels, theta, endpoint, interleaved } => {
                write!(f, "sinusoids:positions={positions},channels={channels},theta={},", n(theta))?;
                write!(f, "endpoint={endpoint},interleaved={interleaved}")
            }
            Structure::ColumnNorms { bound, rows, columns } => {
                write!(f, "column_norms:bound={},rows={rows},columns={columns}", n(bound))
            }
        }
    }
}
