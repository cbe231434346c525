//! The summary of a tensor: what it holds, in a few numbers.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use fanin::rules::FileDtype;
use float8::F8E4M3;
use half::{bf16, f16};

pub const BINS: usize = 24;

/// A taker of bytes, also from another thread.
pub type Take<'a> = &'a mut (dyn FnMut(&[u8]) + Send);

/// The summary of a tensor's elements.
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

/// The bytes of an element, of the floats that are summarised.
pub fn size_of(dtype: FileDtype) -> Option<usize> {
    match dtype {
        FileDtype::F64 => Some(8),
        FileDtype::F32 => Some(4),
        FileDtype::F16 | FileDtype::BF16 => Some(2),
        FileDtype::F8E4M3 => Some(1),
        _ => None,
    }
}

impl Summary {
    /// The summary of elements of this dtype that `pass` hands over, some bytes at a time, without cutting one; it is called twice.
    pub fn collect<E>(dtype: FileDtype, mut pass: impl FnMut(Take) -> Result<(), E>) -> Result<Summary, E> {
        let mut s = Summary { min: f64::INFINITY, max: f64::NEG_INFINITY, ..Summary::default() };
        // The mean first, and then what is left of it: two passes lose no digits.
        let mut sum = 0.0;
        let mut first = |x: f64| {
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
        };
        pass(&mut |bytes| for_each(dtype, bytes, &mut first))?;
        s.mean = sum / s.finite as f64;
        let width = s.max - s.min;
        let mut second = |x: f64| {
            if x.is_finite() {
                s.squares += (x - s.mean) * (x - s.mean);
                let bin = if width > 0.0 { ((x - s.min) / width * BINS as f64) as usize } else { BINS / 2 };
                s.histogram[bin.min(BINS - 1)] += 1;
            }
        };
        pass(&mut |bytes| for_each(dtype, bytes, &mut second))?;
        Ok(s)
    }

    /// The summary of the elements of this dtype in these bytes of a file.
    pub fn read(mut file: &File, bytes: Range<u64>, dtype: FileDtype) -> io::Result<Summary> {
        let mut buffer = vec![0; (bytes.end - bytes.start).min(1 << 20) as usize];
        Summary::collect(dtype, |take| {
            file.seek(SeekFrom::Start(bytes.start))?;
            let mut left = bytes.end - bytes.start;
            while left > 0 {
                let count = left.min(buffer.len() as u64) as usize;
                file.read_exact(&mut buffer[..count])?;
                take(&buffer[..count]);
                left -= count as u64;
            }
            Ok(())
        })
    }

    /// The summary of the same elements, each times a number.
    pub fn scaled(self, number: f64) -> Summary {
        let (mean, squares) = (self.mean * number, self.squares * number * number);
        Summary { mean, squares, min: self.min * number, max: self.max * number, ..self }
    }

    pub fn std(&self) -> f64 {
        (self.squares / self.finite as f64).sqrt()
    }

    /// The object that `--json` prints.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "count": self.count, "mean": self.mean, "std": self.std(), "min": self.min, "max": self.max, "zeros": self.zeros,
            "nan": self.nan, "infinite": self.infinite, "histogram": self.histogram,
        })
    }
}

/// Calls `f` for each element.
pub fn for_each(dtype: FileDtype, bytes: &[u8], mut f: impl FnMut(f64)) {
    let Some(size) = size_of(dtype) else { return };
    for element in bytes.chunks_exact(size) {
        let half = || [element[0], element[1]];
        f(match dtype {
            FileDtype::F16 => f16::from_le_bytes(half()).to_f64(),
            FileDtype::BF16 => bf16::from_le_bytes(half()).to_f64(),
            FileDtype::F8E4M3 => F8E4M3::from_bits(element[0]).to_f64(),
            FileDtype::F32 => f32::from_le_bytes([element[0], element[1], element[2], element[3]]).into(),
            _ => f64::from_le_bytes(element.try_into().unwrap_or_default()),
        });
    }
}
