//! The state of a device's proofs: what is proved there, and by which rounding.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::features::Rounding;
use super::kernels::Variant;
use crate::{Dtype, Error};

/// The proofs of a device.
#[derive(Debug)]
pub(super) struct Proofs {
    /// True if anybody asks for proofs.
    are_wanted: bool,
    /// The rounding of kernels, unless it was refused.
    rounding: Rounding,
    /// The reason why the language does not keep it on this device.
    refused: OnceLock<Error>,
    proved: Mutex<HashSet<Proof>>,
}

/// A kernel, a dtype and all else that is proved at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Proof {
    Pipeline(Variant, Rounding),
    /// The kernels of products of reflections, and those that look them up in this dtype.
    Orthogonal(Dtype, Rounding),
}

impl Proofs {
    /// Proofs that a device has to give, and the way in which it may keep its rounding.
    pub fn wanted(rounding: Rounding) -> Proofs {
        Proofs { are_wanted: true, ..Proofs::not_wanted(rounding) }
    }

    pub fn not_wanted(rounding: Rounding) -> Proofs {
        Proofs { are_wanted: false, rounding, refused: OnceLock::new(), proved: Mutex::default() }
    }

    /// The rounding of kernels from now on.
    pub fn rounding(&self) -> Rounding {
        if self.refused.get().is_some() { Rounding::ByGuards } else { self.rounding }
    }

    /// The failed proof because of which it is no longer kept by the language.
    pub fn refused(&self) -> Option<&Error> {
        self.refused.get()
    }

    /// Takes the language for what does not keep a rounding on this device.
    pub fn refuse_language(&self, why: Error) {
        // Another one's reason is as good.
        let _ = self.refused.set(why);
    }

    /// Proves something; where it fails by the language, by guards, as all else from then on. Gives by which of them it is proved.
    pub fn by_language_or_guards(&self, prove: impl Fn(Rounding) -> Result<(), Error>) -> Result<Rounding, Error> {
        let rounding = self.rounding();
        match prove(rounding) {
            Err(e) if rounding == Rounding::ByLanguage => self.refuse_language(e),
            proved => return proved.map(|()| rounding),
        }
        prove(Rounding::ByGuards).map(|()| Rounding::ByGuards)
    }

    pub fn proved(&self) -> MutexGuard<'_, HashSet<Proof>> {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn lacks(&self, proof: Proof) -> bool {
        self.are_wanted && !self.proved().contains(&proof)
    }
}
