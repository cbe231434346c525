//! Shape and layout -> the matrix that a weight is.

use std::fmt;

use crate::error::dimensions;
use crate::layout::Role;
use crate::{Error, ErrorKind, Layout, elements};

/// The matrix, or the batch of matrices, that a weight tensor is.
///
/// The matrices of a batch lie one after the other, in row-major order. If a kernel is zero except at one tap, the matrix is at that tap.
///
/// | weight | rows | columns |
/// | --- | --- | --- |
/// | [`Layout::OUT_IN`], `[out, in, *kernel]` | out | in * kernel |
/// | [`Layout::IN_OUT`], `[*kernel, in, out]` | kernel * in | out |
/// | with batch axes in front | those of each weight | |
///
/// ```
/// use fanin::{Layout, Matrix};
///
/// let matrix = Matrix::from_shape(&[64, 3, 7, 7], Layout::OUT_IN)?;
/// assert_eq!((matrix.rows(), matrix.columns()), (64, 147));
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrix {
    rows: u64,
    columns: u64,
    /// True if columns are outputs, and rows inputs.
    pub(crate) is_transposed: bool,
    taps: Taps,
}

/// The taps of a kernel that is zero but for one of them, if they are apart from the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taps {
    One,
    /// Each is a matrix; of so many the one with this number.
    Outside {
        count: u64,
        tap: u64,
    },
    /// Each element of the matrix has so many.
    Inside {
        count: u64,
        tap: u64,
    },
}

/// The place of an element in a tensor's matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MatrixPlace {
    /// The number of the matrix in the tensor.
    pub number: u64,
    pub row: u64,
    pub column: u64,
    /// True if it is at the tap.
    pub is_inside: bool,
}

impl Matrix {
    /// The whole weight as a matrix: outputs by all else. Neither transposition nor groups of a layout matter, as in the frameworks.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] for a shape without the layout's dimensions or with one of 0; unless batch axes are the first ones and
    /// those of outputs follow one another, behind them or at the end.
    pub fn from_shape(shape: &[u64], layout: Layout) -> Result<Matrix, Error> {
        let Sides { outputs, inputs, kernel, outputs_first, .. } = Sides::new(shape, layout)?;
        let rest = inputs * kernel.iter().product::<u64>();
        let (rows, columns) = if outputs_first { (outputs, rest) } else { (rest, outputs) };
        Matrix::new(rows, columns, !outputs_first, Taps::One)
    }

    /// Outputs by inputs, at the middle tap of the kernel: along an even number of taps the one before the middle, as JAX has it.
    ///
    /// # Errors
    /// Those of [`from_shape`](Matrix::from_shape); [`ErrorKind::Shape`] where the kernel's dimensions lie between those of outputs and inputs.
    ///
    /// ```
    /// use fanin::{Layout, Matrix};
    ///
    /// let matrix = Matrix::at_centre(&[64, 32, 3, 3], Layout::OUT_IN)?;
    /// assert_eq!((matrix.rows(), matrix.columns()), (64, 32));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn at_centre(shape: &[u64], layout: Layout) -> Result<Matrix, Error> {
        Matrix::at_tap(shape, layout, |taps| (taps - 1) / 2)
    }

    /// The same at this tap along each of the kernel's dimensions.
    pub(crate) fn at_tap(shape: &[u64], layout: Layout, middle: fn(u64) -> u64) -> Result<Matrix, Error> {
        let Sides { outputs, inputs, kernel, outputs_first, kernel_last, kernel_first, .. } =
            Sides::new(shape, layout)?;
        let taps = match kernel.iter().product() {
            1 => Taps::One,
            _ if !kernel_last && !kernel_first => {
                return Err(none(shape, layout, "the kernel's dimensions are neither the first nor the last"));
            }
            count => {
                let tap = kernel.iter().fold(0, |tap, &taps| tap * taps + middle(taps));
                if kernel_last { Taps::Inside { count, tap } } else { Taps::Outside { count, tap } }
            }
        };
        let (rows, columns) = if outputs_first { (outputs, inputs) } else { (inputs, outputs) };
        Matrix::new(rows, columns, !outputs_first, taps)
    }

    pub(crate) fn new(rows: u64, columns: u64, is_transposed: bool, taps: Taps) -> Result<Matrix, Error> {
        for (name, side) in [("rows", rows), ("columns", columns)] {
            if !(1..1 << 31).contains(&side) {
                return Err(Error::new(ErrorKind::Shape, format!("the matrix's {name}"), side, "1 to 2^31 - 1"));
            }
        }
        if let Taps::Inside { count, tap } | Taps::Outside { count, tap } = taps {
            let row = count.checked_mul(columns).is_some_and(|row| row < 1 << 31);
            if !row || count == 0 {
                let allowed = "at least 1, and below 2^31 times the matrix's columns";
                return Err(Error::new(ErrorKind::Shape, "the kernel's taps", count, allowed));
            }
            if tap >= count {
                return Err(Error::new(ErrorKind::Shape, "the kernel's tap", tap, format!("below {count}")));
            }
        }
        elements(&[rows, columns, taps.count()])?;
        Ok(Matrix { rows, columns, is_transposed, taps })
    }

    /// The number of rows, as they lie in memory.
    ///
    /// See [`Matrix`] for an example.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// The number of columns, as they lie in memory.
    ///
    /// See [`Matrix`] for an example.
    pub const fn columns(&self) -> u64 {
        self.columns
    }

    pub(crate) const fn shorter(&self) -> u64 {
        if self.rows <= self.columns { self.rows } else { self.columns }
    }

    pub(crate) const fn longer(&self) -> u64 {
        if self.rows <= self.columns { self.columns } else { self.rows }
    }

    pub(crate) const fn taps(&self) -> Taps {
        self.taps
    }

    /// Elements that an element of the matrix has beside it, itself among them.
    pub(crate) const fn inside(&self) -> u64 {
        match self.taps {
            Taps::Inside { count, .. } => count,
            _ => 1,
        }
    }

    /// The number of the tap that the matrix is at.
    pub(crate) const fn tap_inside(&self) -> u64 {
        match self.taps {
            Taps::Inside { tap, .. } => tap,
            _ => 0,
        }
    }

    /// Elements of the tensor from one row to the next.
    pub(crate) const fn row_len(&self) -> u64 {
        self.columns * self.inside()
    }

    /// Elements of the tensor from one matrix to the next, those of other taps among them.
    pub(crate) const fn len(&self) -> u64 {
        self.rows * self.columns * self.taps.count()
    }

    pub(crate) const fn place(&self, element: u64) -> MatrixPlace {
        let row = element / self.row_len();
        let (block, row) = (row / self.rows, row % self.rows);
        let (within, inside) = (element % self.row_len(), self.inside());
        let (number, is_inside) = match self.taps {
            Taps::One => (block, true),
            Taps::Inside { tap, .. } => (block, within % inside == tap),
            Taps::Outside { count, tap } => (block / count, block % count == tap),
        };
        MatrixPlace { number, row, column: within / inside, is_inside }
    }
}

impl Taps {
    pub const fn count(self) -> u64 {
        match self {
            Taps::One => 1,
            Taps::Outside { count, .. } | Taps::Inside { count, .. } => count,
        }
    }
}

/// The matrix as a scheme's text has it.
impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows={},columns={}", self.rows, self.columns)?;
        if self.is_transposed {
            write!(f, ",transposed=true")?;
        }
        match self.taps {
            Taps::One => Ok(()),
            Taps::Outside { count, tap } => write!(f, ",taps={count},tap={tap},outside=true"),
            Taps::Inside { count, tap } => write!(f, ",taps={count},tap={tap}"),
        }
    }
}

/// The sides of a weight, by the meaning of its dimensions.
struct Sides {
    outputs: u64,
    inputs: u64,
    /// The number of taps along each of the kernel's dimensions.
    kernel: Vec<u64>,
    outputs_first: bool,
    kernel_first: bool,
    kernel_last: bool,
}

impl Sides {
    fn new(shape: &[u64], layout: Layout) -> Result<Sides, Error> {
        elements(shape)?;
        let roles = layout.roles(shape).map_err(|why| none(shape, layout, &why))?;
        if shape.contains(&0) {
            return Err(none(shape, layout, "a dimension is 0"));
        }
        let of = |role: Option<Role>| -> Vec<usize> { (0..shape.len()).filter(|&dim| roles[dim] == role).collect() };
        let product = |dims: &[usize]| dims.iter().map(|&dim| shape[dim]).product::<u64>();
        let follow = |dims: &[usize]| dims.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let (inputs, outputs, batch, kernel) =
            (of(Some(Role::In)), of(Some(Role::Out)), of(Some(Role::Batch)), of(None));
        if batch.last().is_some_and(|&last| last != batch.len() - 1) {
            return Err(none(shape, layout, "the batch axes are not the first ones"));
        }
        let (Some(&first), Some(&last)) = (outputs.first(), outputs.last()) else {
            return Err(none(shape, layout, "there are no outputs"));
        };
        let (outputs_first, outputs_last) = (first == batch.len(), last == shape.len() - 1);
        if outputs.len() + batch.len() == shape.len() {
            return Err(none(shape, layout, "there is nothing but outputs"));
        }
        if !follow(&outputs) || !outputs_first && !outputs_last {
            return Err(none(
                shape,
                layout,
                "the outputs' axes do not follow one another from the first one on or to the last one",
            ));
        }
        Ok(Sides {
            outputs: product(&outputs),
            inputs: product(&inputs),
            outputs_first,
            kernel_first: follow(&kernel) && kernel.first() == Some(&batch.len()),
            kernel_last: follow(&kernel) && kernel.last() == Some(&(shape.len() - 1)),
            kernel: kernel.iter().map(|&dim| shape[dim]).collect(),
        })
    }
}

fn none(shape: &[u64], layout: Layout, why: &str) -> Error {
    let value = format!("{} in the layout {layout}, of which {why}", dimensions(shape));
    let allowed = "a shape of two or more dimensions, outputs first or last, behind those of a batch";
    Error::new(ErrorKind::Shape, "the shape", value, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_flattened_as_frameworks_do() {
        let sides = |shape: &[u64], layout: &str| {
            let matrix = Matrix::from_shape(shape, layout.parse().unwrap()).unwrap();
            (matrix.rows(), matrix.columns(), matrix.is_transposed)
        };
        // PyTorch: [out, the rest]. Keras, JAX: [the rest, out].
        assert_eq!(sides(&[64, 3, 7, 7], "out_in"), (64, 147, false));
        assert_eq!(sides(&[64, 3, 7, 7], "out_in_transposed"), (64, 147, false));
        assert_eq!(sides(&[7, 7, 3, 64], "in_out"), (147, 64, true));
        assert_eq!(sides(&[64, 7, 7, 3], "out_kernel_in"), (64, 147, false));
        assert_eq!(sides(&[8, 30, 20], "batch_in_out"), (30, 20, true));
        // Flax's heads.
        assert_eq!(sides(&[768, 12, 64], "axes:in_axes=0,out_axes=1+2"), (768, 768, true));
        assert_eq!(sides(&[12, 64, 768], "axes:in_axes=0+1,out_axes=2"), (768, 768, true));
    }

    #[test]
    fn what_is_no_matrix_is_named() {
        for (shape, layout, why) in [
            (&[768][..], "out_in", "fewer than two"),
            (&[], "out_in", "fewer than two"),
            (&[0, 8], "out_in", "is 0"),
            (&[8, 8], "fans:fan_in=8,fan_out=8", "only the fans"),
            (&[3, 4, 5], "axes:in_axes=0,out_axes=1", "do not follow"),
            (&[3, 4, 5], "axes:in_axes=1,out_axes=0+2", "do not follow"),
            (&[3, 4], "axes:out_axes=0+1,in_axes=", "nothing but outputs"),
            (&[3, 4, 5], "axes:in_axes=0,out_axes=1,batch_axes=2", "batch axes are not the first"),
            (&[1 << 40, 2], "out_in", "rows"),
        ] {
            let error = Matrix::from_shape(shape, layout.parse().unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Shape);
            assert!(error.to_string().contains(why), "{error}");
        }
        let between = Matrix::at_centre(&[64, 3, 3, 32], Layout::OUT_KERNEL_IN).unwrap_err();
        assert!(between.to_string().contains("neither the first nor the last"), "{between}");
    }

    #[test]
    fn elements_have_their_places() {
        // [2 weights, 4 out, 3 in, 5 taps]
        let matrix = Matrix::at_centre(&[2, 4, 3, 5], Layout::BATCH_OUT_IN).unwrap();
        let mut found = Vec::new();
        for element in 0..120 {
            let place = matrix.place(element);
            if place.is_inside {
                found.push((element, place.number, place.row, place.column));
            }
        }
        let expected = (0..2).flat_map(|n| (0..4).flat_map(move |r| (0..3).map(move |c| (n, r, c))));
        let expected: Vec<_> = expected.map(|(n, r, c)| (((n * 4 + r) * 3 + c) * 5 + 2, n, r, c)).collect();
        assert_eq!(found, expected);
        // [3 x 2 taps, 4 in, 7 out]
        let matrix = Matrix::at_centre(&[3, 2, 4, 7], Layout::IN_OUT).unwrap();
        for element in 0..168 {
            let place = matrix.place(element);
            assert_eq!(place.is_inside, element / 28 == 2, "{element}");
            assert_eq!((place.number, place.row, place.column), (0, element / 7 % 4, element % 7));
        }
    }
}
