//! The check that copied tensors are still those that were copied.

use fanin::rules::Tensor;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::files::base::Base;
use crate::files::file_range::FileRange;
use crate::files::header::holds;
use crate::files::provenance::CopiedPart;

/// The findings on a tensor that was copied, if only in part.
#[derive(Default)]
pub struct CopyCheck {
    /// The number of its bytes that were copied.
    pub bytes: u64,
    /// The reason why they are not those that were.
    pub wrong: Option<String>,
}

/// Compares what was copied of the tensor in these bytes with what is said of it, and with the base, and adds it to a hash.
pub fn compare(
    said: &CopiedPart,
    tensor: &Tensor,
    of_tensor: &FileRange,
    base: Option<&Base>,
    hash: &mut Option<Sha256>,
) -> Result<CopyCheck, Failure> {
    let bytes = match said.bytes(&tensor.shape, of_tensor.len()) {
        Ok(bytes) => bytes,
        Err(e) => return Ok(CopyCheck { bytes: 0, wrong: Some(e) }),
    };
    let here = of_tensor.first(bytes).read(|piece| {
        if let Some(hash) = hash {
            hash.update(piece);
        }
        Ok(())
    })?;
    let what = said.rows.map_or("its bytes".into(), |rows| format!("its first {rows} rows"));
    let wrong = if here != said.sha256 {
        let sha256 = &said.sha256;
        Some(format!("{what} had the SHA-256 {sha256} when they were copied, and have {here}"))
    } else if let Some(base) = base {
        let path = base.path.display();
        match base.tensor(&tensor.name, &tensor.shape) {
            Err(e) => Some(e),
            Ok(None) => Some(format!("the metadata says that it was copied, and {path} does not have it")),
            Ok(Some(there)) if there.dtype != holds(tensor) => {
                Some(format!("its dtype is {}, and {} in {path}", holds(tensor), there.dtype))
            }
            Ok(Some(there)) if there.rows != said.rows => {
                let rows = |rows: Option<u64>| rows.map_or("all".into(), |rows| rows.to_string());
                let (copied, there) = (rows(said.rows), rows(there.rows));
                Some(format!("{copied} of its rows were copied, says the metadata, and {there} are in {path}"))
            }
            Ok(Some(there)) => {
                let there = there.range.sha256()?;
                (there != here).then(|| format!("{what} have the SHA-256 {here}, and in {path} {there}"))
            }
        }
    } else {
        None
    };
    Ok(CopyCheck { bytes, wrong })
}
