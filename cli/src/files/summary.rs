//! What a tensor of a file holds, in a few numbers.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use half::{bf16, f16};
use safetensors::Dtype;

pub const BINS: usize = 24;

#[derive(Default)]
pub struct Summary {
    pub count: u64,
    pub finite: u64,
    pub mean: f64,
    /// The sum of squares of what is left of the mean.
    squares: f64,
    pub min: f64,
    pub max: f64,
    pub zeros: u64,
    pub nan: u64,
    pub infinite: u64,
    pub histogram: [u64; BINS],
}

/// Bytes of an element, of the floats that are summarised.
pub fn size_of(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::F64 => Some(8),
        Dtype::F32 => Some(4),
        Dtype::F16 | Dtype::BF16 => Some(2),
        _ => None,
    }
}

impl Summary {
    /// Of the elements of this dtype and size that are in these bytes of a file.
    pub fn of(file: &File, bytes: Range<u64>, dtype: Dtype, size: usize) -> io::Result<Summary> {
        let mut s = Summary { min: f64::INFINITY, max: f64::NEG_INFINITY, ..Summary::default() };
        // The mean first, and then what is left of it: two passes lose no digits.
        let mut sum = 0.0;
        for_each(file, bytes.clone(), dtype, size, |x| {
            s.count += 1;
            if x.is_finite() {
                s.finite += 1;
                sum += x;
                s.min = s.min.min(x);
                s.max = s.max.max(x);
                s.zeros += u64::from(x == 0.0);
            } else if x.is_nan() {
                s.nan += 1;
            } else {
                s.infinite += 1;
            }
        })?;
        s.mean = sum / s.finite as f64;
        let width = s.max - s.min;
        for_each(file, bytes, dtype, size, |x| {
            if x.is_finite() {
                s.squares += (x - s.mean) * (x - s.mean);
                let bin = if width > 0.0 { ((x - s.min) / width * BINS as f64) as usize } else { BINS / 2 };
                s.histogram[bin.min(BINS - 1)] += 1;
            }
        })?;
        Ok(s)
    }

    pub fn std(&self) -> f64 {
        (self.squares / self.finite as f64).sqrt()
    }
}

/// Calls `f` for each value.
fn for_each(mut file: &File, bytes: Range<u64>, dtype: Dtype, size: usize, mut f: impl FnMut(f64)) -> io::Result<()> {
    file.seek(SeekFrom::Start(bytes.start))?;
    let mut left = bytes.end - bytes.start;
    let mut buffer = vec![0; left.min(1 << 20) as usize];
    while left > 0 {
        let count = left.min(buffer.len() as u64) as usize;
        file.read_exact(&mut buffer[..count])?;
        for element in buffer[..count].chunks_exact(size) {
            let half = || [element[0], element[1]];
            f(match dtype {
                Dtype::F16 => f16::from_le_bytes(half()).to_f64(),
                Dtype::BF16 => bf16::from_le_bytes(half()).to_f64(),
                Dtype::F32 => f32::from_le_bytes([element[0], element[1], element[2], element[3]]).into(),
                _ => f64::from_le_bytes(element.try_into().unwrap_or_default()),
            });
        }
        left -= count as u64;
    }
    Ok(())
}
