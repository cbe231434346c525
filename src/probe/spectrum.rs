//! The extreme singular values of a matrix.

use ndarray::ArrayView1;

use crate::{Distribution, Error, ErrorKind, Stream};

/// The largest and the smallest singular value of a matrix: by how much it can stretch and shrink what it is multiplied with.
///
/// ```
/// use fanin::probe::Spectrum;
/// use fanin::{Dtype, Layout, Stream, cpu, scheme};
///
/// let fill = scheme::he_normal().fill(&[256, 64], Layout::OUT_IN, Stream::named(42, "weight"), Dtype::F32)?;
/// let weight: Vec<f32> = cpu::vec(&fill)?;
/// let measured = Spectrum::measure(&weight, 256, 64)?;
/// let expected = Spectrum::expected(1.0 / 32f64.sqrt(), 256, 64); // the root of 2 / fan_in
/// assert!((measured.largest / expected.largest - 1.0).abs() < 0.1);
/// assert!((measured.smallest / expected.smallest - 1.0).abs() < 0.1);
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Spectrum {
    /// The largest.
    pub largest: f64,
    /// The smallest of the as many as the matrix has rows or columns, whichever are fewer.
    pub smallest: f64,
    /// The root of the elements' mean square.
    pub rms: f64,
}

/// The largest number of steps. Of a random matrix, whose values crowd at the edges, the two are then found to a few thousandths of the
/// largest.
const STEPS: usize = 64;

impl Spectrum {
    /// The extreme singular values of a matrix in row-major order.
    ///
    /// By G. Golub and W. Kahan's bidiagonalisation, 1965, of 64 steps at most: each is two products with the matrix. The largest is
    /// found from below, the smallest from above, both exactly where the matrix has fewer rows or columns than that, or is an isometry.
    ///
    /// # Errors
    /// [`ErrorKind::Slice`] if there are not so many values, or some are no finite numbers.
    pub fn measure(matrix: &[f32], rows: usize, columns: usize) -> Result<Spectrum, Error> {
        if rows.checked_mul(columns) != Some(matrix.len()) {
            let allowed = format!("those of {rows} rows and {columns} columns");
            return Err(Error::new(ErrorKind::Slice, "the number of values", matrix.len(), allowed));
        }
        if matrix.iter().any(|x| !x.is_finite()) {
            return Err(Error::new(ErrorKind::Slice, "a value of the matrix", "infinite or none", "finite numbers"));
        }
        let largest = matrix.iter().fold(0f32, |most, x| most.max(x.abs()));
        if largest == 0.0 {
            return Ok(Spectrum { largest: 0.0, smallest: 0.0, rms: 0.0 });
        }
        // Of the largest and the least that f32 holds, products are not.
        if !(1e-25..1e25).contains(&largest) {
            let unit: Vec<f32> = matrix.iter().map(|x| x / largest).collect();
            let (of_unit, by) = (Spectrum::measure(&unit, rows, columns)?, f64::from(largest));
            let Spectrum { largest, smallest, rms } = of_unit;
            return Ok(Spectrum { largest: by * largest, smallest: by * smallest, rms: by * rms });
        }
        let forth = |x: &[f64]| {
            let x: Vec<f32> = x.iter().map(|&x| x as f32).collect();
            let x = ArrayView1::from(&x);
            Ok(matrix.chunks(columns).map(|row| ArrayView1::from(row).dot(&x).into()).collect())
        };
        let back = |x: &[f64]| {
            let mut sums = vec![0f32; columns];
            for (row, &x) in matrix.chunks(columns).zip(x) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += x as f32 * value);
            }
            Ok(sums.into_iter().map(f64::from).collect())
        };
        let squares: f64 = matrix.iter().map(|&x| f64::from(x).powi(2)).sum();
        extremes(rows, columns, (squares / matrix.len() as f64).sqrt(), forth, back)
    }

    /// The extreme singular values of a matrix that a device draws, multiplies and keeps: only vectors come to the host.
    ///
    /// # Errors
    /// [`ErrorKind::Slice`] if the fill has not so many elements; [`ErrorKind::DeviceLimit`] and [`ErrorKind::Device`].
    ///
    /// ```
    /// # let instance = fanin::gpu::wgpu::Instance::new(fanin::gpu::wgpu::InstanceDescriptor::new_without_display_handle());
    /// # let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("no adapter: apt-get install mesa-vulkan-drivers");
    /// # let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    /// use fanin::probe::Spectrum;
    /// use fanin::{Dtype, Layout, Stream, gpu::GpuFiller, scheme};
    ///
    /// let filler = GpuFiller::untested(&device, &queue)?;
    /// let fill = scheme::he_normal().fill(&[256, 64], Layout::OUT_IN, Stream::named(42, "weight"), Dtype::F32)?;
    /// let measured = Spectrum::on_gpu(&filler, &fill, 256, 64)?;
    /// assert!((measured.largest / Spectrum::expected(measured.rms, 256, 64).largest - 1.0).abs() < 0.1);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    #[cfg(feature = "gpu")]
    pub fn on_gpu(
        filler: &crate::gpu::GpuFiller,
        fill: &crate::Fill,
        rows: usize,
        columns: usize,
    ) -> Result<Spectrum, Error> {
        let matrix = super::gpu::DeviceMatrix::new(filler, fill, rows, columns)?;
        let rms = matrix.rms()?;
        if rms == 0.0 {
            return Ok(Spectrum { largest: 0.0, smallest: 0.0, rms });
        }
        extremes(rows, columns, rms, |x| matrix.forth(x), |x| matrix.back(x))
    }

    /// The expected values of a large matrix of independent elements of this deviation and mean 0: the edges of V. Marchenko and L.
    /// Pastur's distribution, 1967, std (sqrt(rows) +- sqrt(columns)).
    ///
    /// See [`Spectrum`] for an example.
    pub fn expected(std: f64, rows: usize, columns: usize) -> Spectrum {
        let (a, b) = ((rows as f64).sqrt(), (columns as f64).sqrt());
        Spectrum { largest: std * (a + b), smallest: std * (a - b).abs(), rms: std }
    }
}

/// The extremes from the shorter side, so that what the other one has more is not found as zeros.
fn extremes(
    rows: usize,
    columns: usize,
    rms: f64,
    forth: impl Fn(&[f64]) -> Result<Vec<f64>, Error>,
    back: impl Fn(&[f64]) -> Result<Vec<f64>, Error>,
) -> Result<Spectrum, Error> {
    if rows < columns { lanczos(rows, rms, back, forth) } else { lanczos(columns, rms, forth, back) }
}

/// The extremes from products with a matrix of so many columns, and with its transpose.
fn lanczos(
    columns: usize,
    rms: f64,
    forth: impl Fn(&[f64]) -> Result<Vec<f64>, Error>,
    back: impl Fn(&[f64]) -> Result<Vec<f64>, Error>,
) -> Result<Spectrum, Error> {
    let (mut diagonal, mut above) = (Vec::new(), Vec::new());
    let (mut rights, mut lefts) = (Vec::<Vec<f64>>::new(), Vec::<Vec<f64>>::new());
    let mut right = start(columns);
    let mut largest = 0f64;
    for _ in 0..STEPS.min(columns) {
        normalise(&mut right);
        let mut left = forth(&right)?;
        rights.push(right);
        free_of(&mut left, &lefts);
        let alpha = normalise(&mut left);
        largest = largest.max(alpha);
        right = back(&left)?;
        lefts.push(left);
        free_of(&mut right, &rights);
        diagonal.push(alpha);
        let beta = norm(&right);
        above.push(beta);
        // Nothing new is left, but for what products in f32 rounded.
        if beta <= 1e-5 * largest || alpha <= 1e-5 * largest {
            break;
        }
    }
    // The squares are eigenvalues of a matrix of three diagonals.
    let before = std::iter::once(0.0).chain(above.iter().copied());
    let squares: Vec<f64> = diagonal.iter().zip(before).map(|(a, b)| a * a + b * b).collect();
    let beside: Vec<f64> = diagonal.iter().zip(&above).map(|(a, b)| (a * b) * (a * b)).collect();
    let reach = squares.iter().fold(0.0, |most: f64, x| most.max(*x)) * 4.0;
    let at = |number: usize| {
        let (mut low, mut high) = (0.0, reach);
        for _ in 0..100 {
            let middle = (low + high) / 2.0;
            if below(&squares, &beside, middle) > number { high = middle } else { low = middle }
        }
        f64::sqrt((low + high) / 2.0)
    };
    Ok(Spectrum { largest: at(squares.len() - 1), smallest: at(0), rms })
}

/// The number of eigenvalues below x, by Sturm's sequence.
fn below(squares: &[f64], beside: &[f64], x: f64) -> usize {
    let (mut count, mut pivot) = (0, 1.0);
    for (at, square) in squares.iter().enumerate() {
        let by = if at == 0 { 0.0 } else { beside[at - 1] / pivot };
        pivot = square - x - by;
        if pivot == 0.0 {
            pivot = f64::MIN_POSITIVE;
        }
        count += usize::from(pivot < 0.0);
    }
    count
}

/// A vector that no matrix has reason to be blind for.
fn start(len: usize) -> Vec<f64> {
    let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
    let fill = normal.fill_range(0..len as u64, Stream::named(0, "start"), crate::Dtype::F32);
    let drawn: Vec<f32> = fill.and_then(|fill| crate::cpu::vec(&fill)).unwrap_or_else(|_| vec![1.0; len]);
    drawn.into_iter().map(f64::from).collect()
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn normalise(x: &mut [f64]) -> f64 {
    let norm = norm(x);
    if norm > 0.0 {
        x.iter_mut().for_each(|x| *x /= norm);
    }
    norm
}

/// Takes from a vector what lies along others, twice, as rounding leaves some the first time.
fn free_of(x: &mut [f64], others: &[Vec<f64>]) {
    for _ in 0..2 {
        for other in others {
            let along: f64 = x.iter().zip(other).map(|(x, y)| x * y).sum();
            x.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dtype, Layout, scheme};

    /// Random matrices have the edges of Marchenko and Pastur, to what their size and 64 steps leave.
    #[test]
    fn random_matrices_have_the_edges_that_are_expected() {
        for (rows, columns) in [(2048, 512), (512, 2048), (1000, 900), (512, 512), (4000, 64)] {
            let fill = scheme::normal(0.0, 0.02)
                .fill(&[rows, columns], Layout::OUT_IN, Stream::named(7, "weight"), Dtype::F32)
                .unwrap();
            let (rows, columns) = (rows as usize, columns as usize);
            let matrix: Vec<f32> = crate::cpu::vec(&fill).unwrap();
            let measured = Spectrum::measure(&matrix, rows, columns).unwrap();
            let expected = Spectrum::expected(0.02, rows, columns);
            // The edge itself is spread by n^(-2/3) of the largest (C. Tracy, H. Widom 1994); 64 steps leave as much.
            let near = 3.0 * (rows.min(columns) as f64).powf(-2.0 / 3.0) * expected.largest;
            assert!((measured.largest - expected.largest).abs() < near, "{rows} {columns}: {measured:?}, {expected:?}");
            assert!(
                (measured.smallest - expected.smallest).abs() < near,
                "{rows} {columns}: {measured:?}, {expected:?}"
            );
        }
    }

    #[test]
    fn isometries_zeros_and_small_matrices_are_exact() {
        // A permutation, times 3.
        let n = 300;
        let matrix: Vec<f32> = (0..n * n).map(|i| if i % n == (7 * (i / n)) % n { 3.0 } else { 0.0 }).collect();
        let spectrum = Spectrum::measure(&matrix, n, n).unwrap();
        assert!((spectrum.largest - 3.0).abs() < 1e-5 && (spectrum.smallest - 3.0).abs() < 1e-5, "{spectrum:?}");
        assert_eq!(Spectrum::measure(&[0.0; 6], 2, 3).unwrap(), Spectrum { largest: 0.0, smallest: 0.0, rms: 0.0 });
        // The golden ratio and its inverse.
        let spectrum = Spectrum::measure(&[1.0, 1.0, 0.0, 1.0], 2, 2).unwrap();
        let golden = (1.0 + 5f64.sqrt()) / 2.0;
        assert!((spectrum.largest - golden).abs() < 1e-5 && (spectrum.smallest - 1.0 / golden).abs() < 1e-5);
        // Of rank one.
        let spectrum = Spectrum::measure(&[1.0, 2.0, 2.0, 4.0], 2, 2).unwrap();
        assert!((spectrum.largest - 5.0).abs() < 1e-5 && spectrum.smallest < 1e-3, "{spectrum:?}");
        let spectrum = Spectrum::measure(&[3e38, 0.0, 0.0, -1e38], 2, 2).unwrap();
        assert!((spectrum.largest / 3e38 - 1.0).abs() < 1e-5 && (spectrum.smallest / 1e38 - 1.0).abs() < 1e-5);
        assert!(Spectrum::measure(&[1.0], 1, 2).is_err() && Spectrum::measure(&[f32::NAN], 1, 1).is_err());
        assert!(Spectrum::measure(&[], 0, 3).is_err() || Spectrum::measure(&[], 0, 3).unwrap().largest == 0.0);
        assert_eq!(Spectrum::measure(&[-2.0], 1, 1).unwrap(), Spectrum { largest: 2.0, smallest: 2.0, rms: 2.0 });
    }
}
