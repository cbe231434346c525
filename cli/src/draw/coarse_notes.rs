//! The notes on a distribution for which a dtype is too coarse or too short.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use fanin::{Distribution, Dtype, Scheme, Structure};

/// The smallest difference of deviations that is told.
const TOLD: f64 = 0.01;

/// The note on a distribution, if the deviation that comes out is not the one that is meant.
pub fn note(distribution: &Distribution, dtype: Dtype) -> Option<String> {
    if let Some(note) = empty(distribution) {
        return Some(note);
    }
    if is_fine(distribution, dtype) {
        return None;
    }
    let (meant, comes) = (distribution.std(), distribution.std_in(dtype));
    let differs = (comes - meant).abs() > TOLD * meant;
    differs.then(|| format!("{distribution} has a std of {meant:.4e}, but in {dtype} a std of {comes:.4e} comes out"))
}

/// The note on a sparse matrix whose every column is zero, though less was asked for: of few outputs, the zeros are rounded up.
fn empty(distribution: &Distribution) -> Option<String> {
    match distribution {
        Distribution::Structured(Structure::Sparse { sparsity, std, .. })
            if *sparsity < 1.0 && *std > 0.0 && distribution.std() == 0.0 =>
        {
            Some(format!(
                "{distribution} is all zeros: of each input's outputs, the part {sparsity}, rounded up, is all of them"
            ))
        }
        _ => None,
    }
}

/// True if the dtype's values are much closer than the distribution is wide, and reach as far. (Most are; the values themselves take a
/// moment to work out.)
fn is_fine(distribution: &Distribution, dtype: Dtype) -> bool {
    let (std, largest) = match *distribution {
        Distribution::Constant { .. } => return true,
        Distribution::Uniform { low, high } => (distribution.std(), low.abs().max(high.abs())),
        Distribution::Normal { mean, std } => (std, mean.abs() + 7.0 * std),
        // The window may be narrow, or far out.
        Distribution::TruncatedNormal { mean, std, low, high } => {
            let reach = |bound: f64| bound.clamp(mean - 7.0 * std, mean + 7.0 * std).abs();
            if low > mean - std || high < mean + std {
                return false;
            }
            (std, reach(low).max(reach(high)))
        }
        _ => return false,
    };
    let (step, smallest) = match dtype {
        Dtype::F16 => (2f64.powi(-10), 2f64.powi(-14)),
        Dtype::BF16 => (2f64.powi(-7), 1e-37),
        Dtype::F32 => (2f64.powi(-23), 1e-37),
        _ => return false,
    };
    largest < dtype.max() && largest * step * 8.0 < std && smallest * 100.0 < std
}

/// The notes on a model's tensors, each kind once.
#[derive(Default)]
pub struct CoarseNotes {
    kinds: HashMap<(String, Dtype), Option<usize>>,
    notes: Vec<(String, String, usize)>,
}

impl CoarseNotes {
    pub fn add(&mut self, distribution: &Distribution, dtype: Dtype, name: &str) {
        let kind = match self.kinds.entry((Scheme::from(*distribution).to_string(), dtype)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(note(distribution, dtype).map(|note| {
                self.notes.push((note, name.into(), 0));
                self.notes.len() - 1
            })),
        };
        if let Some(kind) = kind {
            self.notes[kind].2 += 1;
        }
    }

    pub fn notes(self) -> impl Iterator<Item = String> {
        self.notes.into_iter().map(|(note, first, tensors)| match tensors {
            1 => format!("{note}: {first}"),
            _ => format!("{note}: {first} and {} more", tensors - 1),
        })
    }
}
