//! The names of a model's tensors, their dtypes and shapes: a JSON list, or the header of a safetensors file.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;

use fanin::rules::Model;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::draw::fp8::SCALES;
use crate::failure::near;

/// The largest header or list that is read or written, as in the safetensors library.
pub const MAX_HEADER: u64 = 100_000_000;

/// One tensor of a model.
#[derive(Debug)]
pub struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<u64>,
    /// Of a weight that a configuration has in fp8, the rows and columns that share a scale.
    pub block: Option<[u64; 2]>,
}

impl Tensor {
    pub fn named_shape(&self) -> fanin::rules::Tensor {
        fanin::rules::Tensor::new(self.name.as_str(), self.shape.as_slice())
    }
}

/// The contents of a file's header.
#[derive(Debug)]
pub struct Header {
    /// The tensors, and where in the file each is: end to end, from the end of the header on.
    pub tensors: Vec<(Tensor, Range<u64>)>,
    /// The value of "fanin" in its metadata.
    pub provenance: Option<String>,
    /// Its own bytes, with those that say how many it has.
    pub bytes: u64,
}

/// Reads the header of a file of so many bytes from its begin. If it is `whole`, it must hold what its header says.
pub fn read(mut file: impl Read, length: u64, whole: bool) -> Result<Header, String> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes)
        .map_err(|_| format!("the file holds {length} bytes, allowed: a safetensors header of at least 8"))?;
    let size = u64::from_le_bytes(bytes);
    let most = MAX_HEADER.min(length.saturating_sub(8));
    if size > most {
        return Err(format!("the header's length is {size} bytes, allowed in this file: at most {most}"));
    }
    let mut json = Vec::new();
    file.take(size).read_to_end(&mut json).map_err(|e| e.to_string())?;
    let model = parsed(&json)?;
    drop(json);
    let bytes = 8 + size;
    let provenance = model.metadata().get("fanin").cloned();
    let mut tensors = model.into_tensors().into_iter().map(placed).collect::<Result<Vec<_>, _>>()?;
    let mut infos = tensors.iter().map(info).collect::<Result<Vec<_>, _>>()?;
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
fn placed(mut of: fanin::rules::Tensor) -> Result<(Tensor, Range<u64>), String> {
    let place = of.data_offsets.take().ok_or_else(|| format!("tensor \"{}\" has no data_offsets", of.name))?;
    Ok((tensor(of)?, place))
}

fn info((tensor, place): &(Tensor, Range<u64>)) -> Result<(String, TensorInfo), String> {
    let name = &tensor.name;
    let size = |n: u64| usize::try_from(n).map_err(|_| format!("tensor \"{name}\" does not fit this machine's memory"));
    let shape = tensor.shape.iter().map(|&d| size(d)).collect::<Result<_, _>>()?;
    let data_offsets = (size(place.start)?, size(place.end)?);
    Ok((name.clone(), TensorInfo { dtype: tensor.dtype, shape, data_offsets }))
}

/// Reads a list, in its order: name -> {dtype, shape}, as a header has them. People write it, in whatever case.
pub fn list(json: &[u8]) -> Result<Vec<Tensor>, String> {
    let mut tensors = parsed(json)?.into_tensors();
    tensors.iter_mut().filter_map(|tensor| tensor.dtype.as_mut()).for_each(|dtype| dtype.make_ascii_uppercase());
    tensors.into_iter().map(tensor).collect()
}

/// A tensor of a list.
pub fn named(name: String, dtype: &str, shape: Vec<u64>) -> Result<Tensor, String> {
    let mut of = fanin::rules::Tensor::new(name, shape);
    of.dtype = Some(dtype.to_ascii_uppercase());
    tensor(of)
}

/// The tensors of a model, in its order.
pub fn of_model(model: Model) -> Result<Vec<Tensor>, String> {
    model.into_tensors().into_iter().map(tensor).collect()
}

fn parsed(json: &[u8]) -> Result<Model, String> {
    Model::from_json(json).map_err(|e| format!("{e:#}"))
}

/// A tensor, whose dtype has safetensors' name.
fn tensor(of: fanin::rules::Tensor) -> Result<Tensor, String> {
    let said = of.dtype.unwrap_or_default();
    match serde_json::from_value(said.as_str().into()) {
        Ok(dtype) => Ok(Tensor { name: of.name, dtype, shape: of.shape, block: None }),
        Err(_) => Err(format!(
            "tensor \"{}\" has the dtype \"{said}\"{} allowed: safetensors' dtypes, such as F32, F16, BF16",
            of.name,
            near(&said, ["F32", "F16", "BF16", "F64"])
        )),
    }
}

/// The weights among these tensors that are in fp8 and have scales beside them.
pub fn scaled<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> BTreeSet<&'a str> {
    let (mut weights, mut scales) = (BTreeSet::new(), BTreeSet::new());
    for tensor in tensors {
        match (tensor.dtype, tensor.name.strip_suffix(SCALES)) {
            (Dtype::F8_E4M3, _) => weights.insert(tensor.name.as_str()),
            (Dtype::F32, Some(of)) => scales.insert(of),
            _ => false,
        };
    }
    weights.retain(|name| scales.contains(name));
    weights
}

/// True if it holds no floats, so that nothing is drawn.
pub fn is_integer(dtype: Dtype) -> bool {
    use Dtype::*;
    matches!(dtype, BOOL | U8 | I8 | U16 | I16 | U32 | I32 | U64 | I64)
}

/// The dtype of a file that holds what is drawn in this one.
pub fn file_dtype(dtype: fanin::Dtype) -> Result<Dtype, String> {
    match dtype {
        fanin::Dtype::F32 => Ok(Dtype::F32),
        fanin::Dtype::F16 => Ok(Dtype::F16),
        fanin::Dtype::BF16 => Ok(Dtype::BF16),
        other => Err(format!("no file of this version holds {other}")),
    }
}

/// The dtype to draw a tensor in where nothing else is said.
pub fn own_dtype(dtype: Dtype) -> Result<fanin::Dtype, String> {
    match dtype {
        Dtype::F32 => Ok(fanin::Dtype::F32),
        Dtype::F16 => Ok(fanin::Dtype::F16),
        Dtype::BF16 => Ok(fanin::Dtype::BF16),
        Dtype::C64 => Err("its dtype is C64, which fanin does not draw".into()),
        other => Err(format!("its dtype is {other}, allowed: F32, F16, BF16, or any float with --dtype")),
    }
}
