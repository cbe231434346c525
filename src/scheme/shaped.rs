//! Schemes that are resolved by a weight's shape itself, not by its fans.

use std::fmt;

use crate::error::dimensions;
use crate::error::finite;
use crate::number::Number;
use crate::structure::{Function, Structure, orthogonal};
use crate::{Distribution, Error, ErrorKind, Layout, Matrix, elements};

/// A scheme whose elements depend on where they are.
///
/// ```
/// use fanin::{Layout, Scheme, scheme};
///
/// let scheme = scheme::orthogonal(2f64.sqrt());
/// assert!(matches!(scheme, Scheme::Shaped(_)));
/// let distribution = scheme.distribution(&[64, 32, 3, 3], Layout::OUT_IN)?; // rows of 32 * 9
/// assert!((distribution.std() - (2.0f64 / 288.0).sqrt()).abs() < 1e-12);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Shaped {
    /// `gain` times orthonormal rows or columns of the weight as a matrix, outputs by all else ([`Matrix::from_shape`]).
    Orthogonal {
        /// The length of the orthonormal vectors.
        gain: f64,
        /// True if a side may be longer than 2^16.
        large: bool,
    },
    /// The same of outputs by inputs at a convolution's middle tap ([`Matrix::at_centre`]), zero at the others.
    DeltaOrthogonal {
        /// The length of the orthonormal vectors.
        gain: f64,
        /// True if a side may be longer than 2^16.
        large: bool,
    },
    /// `gain` on the diagonal of a matrix.
    Identity {
        /// The value there.
        gain: f64,
    },
    /// 1 at a convolution's middle tap (of an even number, the one behind the middle, as PyTorch has it), from each group's inputs to its first outputs.
    Dirac {
        /// The number of groups; where it is 1, those of the layout.
        groups: u64,
    },
    /// Normal but for some zeros in each column.
    Sparse {
        /// The part of each input's outputs that is zero, from 0 to 1.
        sparsity: f64,
        /// The standard deviation of the others.
        std: f64,
    },
    /// A function of the index along a dimension.
    Sequence {
        /// Its argument at index 0.
        start: f64,
        /// The step or the end of the sequence.
        until: Until,
        /// The function of the sequence's numbers that gives the elements.
        function: Function,
        /// The dimension; negative numbers count from the last one, -1.
        axis: i64,
    },
    /// Sines and cosines, positions by channels: the last two dimensions of a weight. See [`Structure::Sinusoids`].
    Sinusoids {
        /// The base of the frequencies, at least 1.
        theta: f64,
        /// True if the last frequency is `1 / theta` itself.
        endpoint: bool,
        /// True if the sine and the cosine of a frequency are neighbours, false if all sines come before all cosines.
        interleaved: bool,
    },
    /// The norms of a uniform matrix's columns, of which there are as many as elements.
    ColumnNorms {
        /// The bound of the matrix's elements.
        bound: f64,
        /// The number of its rows.
        rows: u64,
    },
}

/// The step or the end of a sequence.
///
/// ```
/// use fanin::{Layout, scheme};
///
/// let five = scheme::linspace(0.0, 1.0, -1).distribution(&[5], Layout::OUT_IN)?;
/// assert_eq!(five, scheme::arange(0.0, 0.25, -1).distribution(&[5], Layout::OUT_IN)?);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Until {
    /// The step from one index to the next.
    Step(f64),
    /// The argument at the last index.
    End(f64),
    /// The argument at the index behind the last.
    Before(f64),
}

impl Shaped {
    /// A check of what is wrong whatever the shape.
    pub(super) fn check(&self) -> Result<(), Error> {
        match *self {
            Shaped::Dirac { groups } => self.resolve(&[groups.max(1), 1, 1], Layout::OUT_IN).map(|_| ()),
            Shaped::DeltaOrthogonal { .. } => self.resolve(&[1, 1, 1], Layout::OUT_IN).map(|_| ()),
            Shaped::Sequence { start, until: Until::Step(x) | Until::End(x) | Until::Before(x), .. } => {
                finite("start", start)?;
                finite("the sequence's step or end", x)
            }
            Shaped::Sinusoids { .. } => self.resolve(&[1, 4], Layout::OUT_IN).map(|_| ()),
            _ => self.resolve(&[1, 1], Layout::OUT_IN).map(|_| ()),
        }
    }

    /// The distribution of a weight of this shape.
    pub(super) fn resolve(&self, shape: &[u64], layout: Layout) -> Result<Distribution, Error> {
        let groups = self.groups(layout)?;
        let structure = match *self {
            Shaped::Orthogonal { gain, large } => orthogonal(gain, Matrix::from_shape(shape, layout)?, large)?,
            Shaped::DeltaOrthogonal { gain, large } => {
                dimensions_in(shape, 3..=usize::MAX, "delta_orthogonal")?;
                let matrix = Matrix::at_centre(shape, layout)?;
                let (outputs, inputs) = crate::structure::outputs_and_inputs(&matrix);
                if inputs > outputs {
                    let value = format!("{}, of {inputs} inputs and {outputs} outputs", dimensions(shape));
                    let allowed = "no more inputs than outputs, so that no activation is lost";
                    return Err(Error::new(ErrorKind::Shape, "the shape", value, allowed));
                }
                orthogonal(gain, matrix, large)?
            }
            Shaped::Identity { gain } => {
                dimensions_in(shape, 2..=2, "identity")?;
                Structure::Identity { gain, groups: 1, matrix: Matrix::from_shape(shape, layout)? }
            }
            Shaped::Dirac { .. } => {
                dimensions_in(shape, 3..=5, "dirac")?;
                Structure::Identity { gain: 1.0, groups, matrix: Matrix::at_tap(shape, layout, |taps| taps / 2)? }
            }
            Shaped::Sparse { sparsity, std } => {
                dimensions_in(shape, 2..=2, "sparse")?;
                Structure::Sparse { sparsity, std, matrix: Matrix::from_shape(shape, layout)? }
            }
            Shaped::Sequence { start, until, function, axis } => {
                elements(shape)?;
                let at = if axis < 0 { axis.saturating_add(shape.len() as i64) } else { axis };
                let dim = usize::try_from(at).ok().filter(|&dim| dim < shape.len()).ok_or_else(|| {
                    let allowed = format!("one of the dimensions of {}", dimensions(shape));
                    Error::new(ErrorKind::Shape, "axis", axis, allowed)
                })?;
                if shape.contains(&0) {
                    return Ok(Distribution::Constant { value: 0.0 });
                }
                let (count, inner) = (shape[dim], shape[dim + 1..].iter().product());
                let step = match until {
                    Until::Step(step) => step,
                    Until::End(end) if count > 1 => (end - start) / (count - 1) as f64,
                    Until::End(_) => 0.0,
                    Until::Before(end) => (end - start) / count as f64,
                };
                Structure::Sequence { start, step, function, count, inner }
            }
            Shaped::Sinusoids { theta, endpoint, interleaved } => {
                dimensions_in(shape, 2..=usize::MAX, "sinusoids")?;
                elements(shape)?;
                if shape.contains(&0) {
                    return Ok(Distribution::Constant { value: 0.0 });
                }
                let (positions, channels) = (shape[shape.len() - 2], shape[shape.len() - 1]);
                Structure::Sinusoids { positions, channels, theta, endpoint, interleaved }
            }
            Shaped::ColumnNorms { bound, rows } => match elements(shape)? {
                0 => return Ok(Distribution::Constant { value: 0.0 }),
                columns => Structure::ColumnNorms { bound, rows, columns },
            },
        };
        structure.check()?;
        Ok(Distribution::Structured(structure))
    }

    /// The number of groups of a weight of this layout, for a scheme that knows of groups.
    fn groups(&self, layout: Layout) -> Result<u64, Error> {
        let (said, wrong) =
            (layout.groups(), |value, allowed| Err(Error::new(ErrorKind::Shape, "groups", value, allowed)));
        match *self {
            Shaped::Dirac { groups } if groups == said || said == 1 => Ok(groups),
            Shaped::Dirac { groups: 1 } => Ok(said),
            Shaped::Dirac { groups } => {
                let value = format!("{groups} in the scheme {self} and {said} in the layout {layout}");
                wrong(value, "the same in both, or in one of them alone")
            }
            // The place of an element along its axis is the same in any layout.
            Shaped::Sequence { .. } | Shaped::Sinusoids { .. } | Shaped::ColumnNorms { .. } => Ok(1),
            _ if said != 1 => {
                let value = format!("{said} in the layout {layout}, for the scheme {self}");
                wrong(value, "1, as this scheme takes a weight as one matrix, in all frameworks")
            }
            _ => Ok(1),
        }
    }
}

fn dimensions_in(shape: &[u64], counts: std::ops::RangeInclusive<usize>, scheme: &str) -> Result<(), Error> {
    if counts.contains(&shape.len()) {
        return Ok(());
    }
    let allowed = match (counts.start(), counts.end()) {
        (from, to) if from == to => format!("{from} dimensions for the scheme {scheme}"),
        (from, &usize::MAX) => format!("{from} dimensions or more for the scheme {scheme}"),
        (from, to) => format!("{from} to {to} dimensions for the scheme {scheme}"),
    };
    Err(Error::new(ErrorKind::Shape, "the shape", dimensions(shape), allowed))
}

/// The text that reads back as the same scheme.
impl fmt::Display for Shaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = Number;
        let large = |large| if large { ",large=true" } else { "" };
        match *self {
            Shaped::Orthogonal { gain, large: l } => write!(f, "orthogonal:gain={}{}", n(gain), large(l)),
            Shaped::DeltaOrthogonal { gain, large: l } => write!(f, "delta_orthogonal:gain={}{}", n(gain), large(l)),
            Shaped::Identity { gain } => write!(f, "identity:gain={}", n(gain)),
            Shaped::Dirac { groups } => write!(f, "dirac:groups={groups}"),
            Shaped::Sparse { sparsity, std } => write!(f, "sparse:sparsity={},std={}", n(sparsity), n(std)),
            Shaped::Sequence { start, until, function, axis } => {
                let (name, key, x, more) = match until {
                    Until::Step(step) => ("arange", "step", step, ""),
                    Until::End(end) => ("linspace", "end", end, ""),
                    Until::Before(end) => ("linspace", "end", end, ",endpoint=false"),
                };
                write!(f, "{name}:start={},{key}={}{more},function={function},axis={axis}", n(start), n(x))
            }
            Shaped::Sinusoids { theta, endpoint, interleaved } => {
                write!(f, "sinusoids:theta={},endpoint={endpoint},interleaved={interleaved}", n(theta))
            }
            Shaped::ColumnNorms { bound, rows } => write!(f, "column_norms:bound={},rows={rows}", n(bound)),
        }
    }
}
