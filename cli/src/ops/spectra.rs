//! The measurement of matrices: their variance gains, and the edges of their spectra.

use fanin::probe::{Activation, Probe, Spectrum};
use fanin::{ErrorKind, elements};
use serde::Serialize;

use crate::draw::engine::Engine;
use crate::failure::Failure;
use crate::limits::MAX_MULTIPLIED;
use crate::ops::matrices::{Matrix, MatrixValues, fill_in_f32};
use crate::progress;

/// The factor from the middle of all matrices beyond which a gain stands out.
const STANDS_OUT: f64 = 8.0;
/// The distance from one value within which a matrix is an isometry.
const ISOMETRY: f64 = 0.01;

/// A matrix that was measured, and how many others are drawn as it is.
#[derive(Serialize)]
pub struct MeasuredMatrix {
    pub tensor: String,
    pub like_it: usize,
    pub shape: Vec<u64>,
    pub fan_in: u64,
    pub std: f64,
    /// The variance times `fan_in`; nothing of an embedding.
    pub gain: Option<f64>,
    /// The gain that keeps gradients.
    pub wanted: f64,
    pub largest: Option<f64>,
    pub smallest: Option<f64>,
    pub expected_largest: f64,
    pub expected_smallest: f64,
    pub isometry: bool,
    pub stands_out: bool,
    /// True if its gain is more than [`STANDS_OUT`] times the wanted one, or less than that part of it.
    pub is_far: bool,
}

/// Measures matrices, which stand before such an activation.
pub fn measure(
    matrices: &[Matrix],
    activation: Activation,
    seed: u64,
    engine: &Engine,
) -> Result<Vec<MeasuredMatrix>, Failure> {
    // As many layers as it takes to tell, of a model whose layers are of many kinds.
    let probe = Probe::new(fanin::scheme::zeros(), activation);
    let wanted = probe.gain().map_err(Failure::input)?.map_or(f64::NAN, |gain| gain * gain);
    let clock = progress::clock();
    let measure = |matrix: &Matrix| {
        progress::show(&clock, &format!("measures {}", matrix.name));
        MeasuredMatrix::new(matrix, wanted, seed, engine)
    };
    let mut measured = matrices.iter().map(measure).collect::<Result<Vec<_>, _>>()?;
    clock.finish_and_clear();
    mark_outstanding(&mut measured);
    Ok(measured)
}

/// Marks the matrices whose gain is far from the middle one of all.
fn mark_outstanding(measured: &mut [MeasuredMatrix]) {
    let gains = measured.iter().flat_map(|matrix| std::iter::repeat_n(matrix.gain, matrix.like_it + 1));
    let mut gains: Vec<_> = gains.flatten().filter(|x| *x > 0.0).collect();
    gains.sort_by(f64::total_cmp);
    let Some(middle) = gains.get(gains.len() / 2) else { return };
    for matrix in measured {
        matrix.stands_out = matrix.gain.is_some_and(|gain| is_outside(gain / middle));
    }
}

/// True for a ratio beyond [`STANDS_OUT`], up or down.
fn is_outside(ratio: f64) -> bool {
    ratio.ln().abs() > STANDS_OUT.ln()
}

impl MeasuredMatrix {
    fn new(matrix: &Matrix, wanted: f64, seed: u64, engine: &Engine) -> Result<MeasuredMatrix, Failure> {
        let failed = |e| Failure::input(format!("tensor \"{}\": {e:#}", matrix.name));
        let count = elements(&matrix.shape).map_err(failed)?;
        let fan_in = matrix.fans.fan_in();
        let (rows, columns) = (matrix.shape[0] as usize, (count / matrix.shape[0].max(1)) as usize);
        let (std, spectrum) = if count <= MAX_MULTIPLIED {
            let spectrum = spectrum(matrix, rows, columns, seed, engine)?;
            (spectrum.rms, Some(spectrum))
        } else {
            match &matrix.values {
                MatrixValues::Drawn(recipe) => (recipe.distribution.mean().hypot(recipe.distribution.std()), None),
                MatrixValues::Stored(..) => (f64::NAN, None),
            }
        };
        let expected = Spectrum::expected(std, rows, columns);
        let gain = (!matrix.is_embedding()).then_some(std * std * fan_in as f64);
        Ok(MeasuredMatrix {
            tensor: matrix.name.clone(),
            like_it: matrix.like_it,
            shape: matrix.shape.clone(),
            fan_in,
            std,
            gain,
            wanted,
            largest: spectrum.map(|s| s.largest),
            smallest: spectrum.map(|s| s.smallest),
            expected_largest: expected.largest,
            expected_smallest: expected.smallest,
            isometry: spectrum.is_some_and(|s| s.largest > 0.0 && s.smallest > (1.0 - ISOMETRY) * s.largest),
            stands_out: false,
            is_far: gain.is_some_and(|gain| is_outside(gain / wanted)),
        })
    }
}

/// The spectrum of a matrix. On a GPU, a drawn matrix stays there, if it fits a buffer.
fn spectrum(matrix: &Matrix, rows: usize, columns: usize, seed: u64, engine: &Engine) -> Result<Spectrum, Failure> {
    if let (MatrixValues::Drawn(recipe), Engine::Gpu(gpu)) = (&matrix.values, engine) {
        match Spectrum::on_gpu(&gpu.filler, &fill_in_f32(recipe, seed)?, rows, columns) {
            // A matrix too large for one buffer is drawn in pieces, and multiplied here.
            Err(e) if e.kind() == ErrorKind::DeviceLimit => {}
            measured => {
                if let Some(spectrum) = gpu.or_cpu(measured.map(Some), || Ok(None))? {
                    return Ok(spectrum);
                }
            }
        }
    }
    let values = matrix.read(rows * columns, seed, engine)?;
    let failed = |e| Failure::input(format!("tensor \"{}\": {e:#}", matrix.name));
    Spectrum::measure(&values, rows, columns).map_err(failed)
}
