//! A tensor of a file: how it was made, in words that make it again.

use std::ops::Range;

use fanin::rules::{Draw, Split};
use fanin::{Distribution, Dtype, Fill, Scheme, Seed, Stream};
use serde::{Deserialize, Serialize};

use crate::draw::seed;

/// The most dimensions of a tensor, as in the library's lists.
const MAX_DIMENSIONS: usize = 256;

/// A tensor of a file.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub recipe: Recipe,
    /// The way in which ranks share it, if its rule says so.
    pub split: Option<Split>,
}

impl Tensor {
    pub fn elements(&self) -> u64 {
        self.recipe.shape().iter().product()
    }

    /// Bytes in the file.
    pub fn bytes(&self) -> u64 {
        self.elements().saturating_mul(self.recipe.size(self.dtype))
    }
}

/// The recipe of a file's tensor: all but the seed and the dtype.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    pub draw: Draw,
    /// True if it has the seed alone, and is no tensor of a model.
    pub alone: bool,
    /// The part of it that is in the file, if not all: each is a part of the one before.
    pub part: Vec<Part>,
    /// If the file has E4M3 numbers, what they are multiplied by.
    pub scale: Option<f32>,
}

/// A part of a tensor: a slice along a dimension, or, without one, some of its elements in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dim: Option<usize>,
    pub start: u64,
    pub end: u64,
}

/// A recipe as it stands in a file's metadata.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    scheme: String,
    /// The value contract of its stream.
    pub contract: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    alone: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zero_row: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    slices: Vec<Slice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<Vec<u64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<Parts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scale: Option<f32>,
}

/// A slice that has a distribution of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    pub dim: usize,
    pub start: u64,
    pub end: u64,
    pub scheme: String,
}

/// One part, or parts of parts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "a part is neither {start, end} nor {dim, start, end} nor a list of them")]
enum Parts {
    One(Part),
    Many(Vec<Part>),
}

impl Recipe {
    /// A whole tensor of a model by its rule.
    pub fn planned(draw: Draw) -> Recipe {
        Recipe { draw, alone: false, part: Vec::new(), scale: None }
    }

    pub fn stream(&self, seed: Seed) -> Result<Stream, String> {
        let name = &self.draw.stream;
        if self.alone { seed.stream_alone(name).map_err(|e| e.to_string()) } else { seed::stream(seed, name) }
    }

    /// Bytes of an element in the file, of what is drawn in this dtype.
    pub fn size(&self, dtype: Dtype) -> u64 {
        if self.scale.is_some() { 1 } else { dtype.bytes(1) }
    }

    /// The dimensions in the file.
    pub fn shape(&self) -> Vec<u64> {
        let mut shape = self.draw.shape.clone();
        for part in &self.part {
            match part.dim {
                None => shape = vec![part.end - part.start],
                Some(dim) => shape[dim] = part.end - part.start,
            }
        }
        shape
    }

    /// The fill of the part that is in the file.
    pub fn fill(&self, seed: Seed, dtype: Dtype) -> Result<Fill, String> {
        let of = |e: fanin::Error| format!("{e:#}");
        let whole = self.draw.fill_of(self.stream(seed)?, dtype).map_err(of)?;
        let part = |fill: Fill, &Part { dim, start, end }: &Part| match dim {
            None => fill.part(start..end),
            Some(dim) => fill.slice(dim, start..end),
        };
        self.part.iter().try_fold(whole, part).map_err(of)
    }

    pub fn to_words(&self, name: &str, seed: Seed) -> Words {
        Words {
            scheme: Scheme::from(self.draw.distribution).to_string(),
            contract: seed::contract(seed),
            // Of no meaning for streams by name.
            alone: self.alone && !matches!(seed, Seed::Native(_)),
            stream: (self.draw.stream != name).then(|| self.draw.stream.clone()),
            zero_row: None,
            slices: self.draw.parts.iter().map(Slice::of).collect(),
            whole: (!self.part.is_empty()).then(|| self.draw.shape.clone()),
            part: match &self.part[..] {
                [] => None,
                [part] => Some(Parts::One(part.clone())),
                parts => Some(Parts::Many(parts.to_vec())),
            },
            scale: self.scale,
        }
    }

    /// The recipe of a tensor of this name and shape in the file.
    pub fn from_words(words: &Words, name: &str, shape: &[u64]) -> Result<Recipe, String> {
        let distribution = resolved(&words.scheme)?;
        let whole = words.whole.clone().unwrap_or_else(|| shape.to_vec());
        if whole.len() > MAX_DIMENSIONS {
            return Err(format!("the whole has {} dimensions, allowed: at most {MAX_DIMENSIONS}", whole.len()));
        }
        let elements = fanin::elements(&whole).map_err(|e| e.to_string())?;
        let parts = match &words.part {
            None => &[][..],
            Some(Parts::One(part)) => std::slice::from_ref(part),
            Some(Parts::Many(parts)) => parts,
        };
        let mut left = whole.clone();
        for &Part { dim, start, end } in parts {
            let most = match dim {
                None if parts.len() > 1 => return Err("its parts are several, allowed: each along a dimension".into()),
                None => elements,
                Some(dim) => *left.get(dim).ok_or_else(|| {
                    format!(
                        "the part is along dimension {dim}, allowed: below {}, as the whole is {whole:?}",
                        whole.len()
                    )
                })?,
            };
            if start > end || end > most {
                return Err(format!("the part is {start} to {end}, allowed: within 0 to {most}"));
            }
            if let Some(dim) = dim {
                left[dim] = end - start;
            }
        }
        let stream = words.stream.clone().unwrap_or_else(|| name.into());
        let mut draw = Draw::new(distribution, whole, stream);
        for Slice { dim, start, end, scheme } in &words.slices {
            draw = draw.with_part(*dim, *start..*end, resolved(scheme)?);
        }
        if let Some(row) = words.zero_row {
            draw = draw.with_zero_row(row);
        }
        if let Some(scale) = words.scale.filter(|scale| !scale.is_normal() || *scale < 0.0) {
            return Err(format!(
                "the scale is {scale:e}, allowed: above 0, and a number that f32 holds to all its digits"
            ));
        }
        let recipe = Recipe { draw, alone: words.alone, part: parts.to_vec(), scale: words.scale };
        if recipe.shape() != shape {
            return Err(format!("its shape is {shape:?}, and {:?} by the metadata", recipe.shape()));
        }
        Ok(recipe)
    }
}

impl Slice {
    fn of(part: &fanin::rules::Part) -> Slice {
        let Range { start, end } = part.range;
        Slice { dim: part.dim, start, end, scheme: Scheme::from(part.distribution).to_string() }
    }
}

fn resolved(scheme: &str) -> Result<Distribution, String> {
    match scheme.parse().map_err(|e: fanin::Error| e.to_string())? {
        Scheme::Fixed(distribution) => Ok(distribution),
        _ => Err(format!("the scheme \"{scheme}\" is not resolved")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file's words on 2^59 empty runs, all of which are allowed.
    #[test]
    fn empty_runs_are_not_walked() {
        let wholes: [&[u64]; 4] = [&[1 << 59, 2], &[1 << 58, 2, 2], &[1 << 59, 0, 2], &[0, 1 << 59, 2]];
        for whole in wholes {
            let words = format!(
                r#"{{"scheme":"normal:mean=0,std=1","contract":2,"whole":{whole:?},"part":{{"dim":1,"start":0,"end":0}}}}"#
            );
            let mut shape = whole.to_vec();
            shape[1] = 0;
            let recipe = Recipe::from_words(&serde_json::from_str(&words).unwrap(), "w", &shape).unwrap();
            assert!(recipe.fill(Seed::Native(0), Dtype::F32).unwrap().is_empty(), "{whole:?}");
        }
    }
}
