//! The names of a model's tensors, their dtypes and shapes: a JSON list, or the header of a safetensors file.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;

use fanin::rules::{FileDtype, Model, Tensor};
use safetensors::tensor::{Metadata, TensorInfo};

use crate::draw::fp8::SCALES;
use crate::limits::MAX_HEADER_BYTES;

/// The contents of a file's header.
#[derive(Debug)]
pub struct Header {
    /// The tensors, and where in the file each is: end to end, from the end of the header on.
    pub tensors: Vec<(Tensor, Range<u64>)>,
    /// The value of "fanin" in its metadata.
    pub provenance: Option<String>,
    /// The number of its own bytes, with those that say how many it has.
    pub bytes: u64,
}

/// Reads the header of a file of so many bytes from its begin. If it is `whole`, it must hold what its header says.
pub fn read(mut file: impl Read, length: u64, whole: bool) -> Result<Header, String> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes)
        .map_err(|_| format!("the file holds {length} bytes, allowed: a safetensors header of at least 8"))?;
    let size = u64::from_le_bytes(bytes);
    let most = MAX_HEADER_BYTES.min(length.saturating_sub(8));
    if size > most {
        return Err(format!("the header's length is {size} bytes, allowed in this file: at most {most}"));
    }
    let mut json = Vec::new();
    file.take(size).read_to_end(&mut json).map_err(|e| e.to_string())?;
    let model = parsed(&json)?;
    drop(json);
    let bytes = 8 + size;
    let provenance = model.metadata().get("fanin").cloned();
    let mut tensors = with_dtypes(model)?.into_iter().map(placed).collect::<Result<Vec<_>, _>>()?;
    let mut infos = tensors.iter().map(|(tensor, place)| info(tensor, place.clone())).collect::<Result<Vec<_>, _>>()?;
    // The library checks what a list does not have: that the data's offsets fit the shapes and one another.
    infos.sort_by_key(|(_, info)| info.data_offsets);
    let end = infos.last().map_or(0, |(_, info)| info.data_offsets.1 as u64).saturating_add(bytes);
    Metadata::new(None, infos).map_err(|e| e.to_string())?;
    if whole && length != end {
        return Err(format!("the file holds {length} bytes, and its header speaks of {end}"));
    }
    for (_, place) in &mut tensors {
        *place = bytes.saturating_add(place.start)..bytes.saturating_add(place.end);
    }
    Ok(Header { tensors, provenance, bytes })
}

/// A tensor, and where its bytes are from the end of the header on.
fn placed(mut tensor: Tensor) -> Result<(Tensor, Range<u64>), String> {
    let place = tensor.data_offsets.take().ok_or_else(|| format!("tensor \"{}\" has no data_offsets", tensor.name))?;
    Ok((tensor, place))
}

/// A header's entry for a tensor whose bytes are at this place.
pub fn info(tensor: &Tensor, place: Range<u64>) -> Result<(String, TensorInfo), String> {
    let shape = tensor.shape.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<_>>();
    let [start, end] = [place.start, place.end].map(|at| isize::try_from(at).ok().map(isize::cast_unsigned));
    let (Some(shape), Some(start), Some(end)) = (shape, start, end) else {
        return Err(format!("tensor \"{}\" of shape {:?} does not fit a file", tensor.name, tensor.shape));
    };
    let dtype = serde_json::from_value(holds(tensor).name().into()).map_err(|e| e.to_string())?;
    Ok((tensor.name.clone(), TensorInfo { dtype, shape, data_offsets: (start, end) }))
}

/// The element type of a tensor of a file or a list, each of which has one.
pub fn holds(tensor: &Tensor) -> FileDtype {
    tensor.dtype.unwrap_or_else(|| unreachable!("a tensor of a file or a list has a dtype"))
}

/// Reads a list, in its order: name -> {dtype, shape}, as a header has them. People write it, in whatever case.
pub fn list(json: &[u8]) -> Result<Vec<Tensor>, String> {
    with_dtypes(parsed(json)?)
}

fn parsed(json: &[u8]) -> Result<Model, String> {
    Model::from_json(json).map_err(|e| format!("{e:#}"))
}

/// The tensors of a model, each of which has a dtype.
fn with_dtypes(model: Model) -> Result<Vec<Tensor>, String> {
    match model.tensors().iter().find(|tensor| tensor.dtype.is_none()) {
        Some(Tensor { name, .. }) => {
            Err(format!("tensor \"{name}\" has no dtype, allowed: safetensors' dtypes, such as F32, F16, BF16"))
        }
        None => Ok(model.into_tensors()),
    }
}

/// The weights among these tensors that are in fp8 and have scales beside them.
pub fn scaled<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> BTreeSet<&'a str> {
    let (mut weights, mut scales) = (BTreeSet::new(), BTreeSet::new());
    for tensor in tensors {
        match (tensor.dtype, tensor.name.strip_suffix(SCALES)) {
            (Some(FileDtype::F8E4M3), _) => weights.insert(tensor.name.as_str()),
            (Some(FileDtype::F32), Some(of)) => scales.insert(of),
            _ => false,
        };
    }
    weights.retain(|name| scales.contains(name));
    weights
}
