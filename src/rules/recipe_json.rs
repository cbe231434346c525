//! Recipes in files' metadata, as JSON.

use serde::{Deserialize, Serialize};

use super::recipe::{Part, Recipe, Slice, ZERO};
#[cfg(doc)]
use crate::Stream;
use crate::error::{dimensions, quoted};
use crate::limits::rules::MAX_DIMENSIONS;
use crate::{Distribution, Error, ErrorKind, Scheme, Seed, elements};

/// A recipe as a file's metadata has it: what does not follow from the tensor's name and shape, and the file's seed.
///
/// ```
/// use fanin::rules::{Recipe, RecipeJson};
/// use fanin::{Distribution, Seed};
///
/// let recipe = Recipe::new(Distribution::Normal { mean: 0.0, std: 0.02 }, [100, 8], "wte");
/// let json = serde_json::to_string(&recipe.to_json("wte", Seed::Native(42)))?;
/// assert_eq!(json, r#"{"scheme":"normal:mean=0,std=0.02","contract":2}"#);
/// let read: RecipeJson = serde_json::from_str(&json)?;
/// assert_eq!(Recipe::from_json(&read, "wte", &[100, 8])?, recipe);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeJson {
    scheme: String,
    contract: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    alone: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zero_row: Option<u64>,
    #[serde(default, rename = "slices", skip_serializing_if = "Vec::is_empty")]
    parts: Vec<PartJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<Vec<u64>>,
    #[serde(default, rename = "part", skip_serializing_if = "Option::is_none")]
    slices: Option<OneOrMany>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scale: Option<f32>,
}

impl RecipeJson {
    /// The value contract of the stream that drew it: see [`Stream::contract`].
    pub fn contract(&self) -> u32 {
        self.contract
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartJson {
    dim: usize,
    start: u64,
    end: u64,
    scheme: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "a part is neither {start, end} nor {dim, start, end} nor a list of them")]
enum OneOrMany {
    One(Slice),
    Many(Vec<Slice>),
}

impl OneOrMany {
    fn as_slice(&self) -> &[Slice] {
        match self {
            OneOrMany::One(slice) => std::slice::from_ref(slice),
            OneOrMany::Many(slices) => slices,
        }
    }
}

impl Recipe {
    /// The JSON that a file of this seed keeps of a tensor of this name. See [`RecipeJson`] for an example.
    pub fn to_json(&self, name: &str, seed: Seed) -> RecipeJson {
        let part = |Part { dim, range, distribution }: &Part| PartJson {
            dim: *dim,
            start: range.start,
            end: range.end,
            scheme: Scheme::from(*distribution).to_string(),
        };
        RecipeJson {
            scheme: Scheme::from(self.distribution).to_string(),
            contract: seed.contract(),
            stream: (self.stream != name).then(|| self.stream.clone()),
            // Of no meaning for streams by name.
            alone: self.alone && !matches!(seed, Seed::Native(_)),
            zero_row: None,
            parts: self.parts.iter().map(part).collect(),
            whole: (!self.slices.is_empty()).then(|| self.shape.clone()),
            slices: match self.slices[..] {
                [] => None,
                [one] => Some(OneOrMany::One(one)),
                _ => Some(OneOrMany::Many(self.slices.clone())),
            },
            scale: self.scale,
        }
    }

    /// The recipe that a file keeps of a tensor, which has this name and shape there.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for what is no recipe of this tensor; those of schemes' texts.
    ///
    /// See [`RecipeJson`] for an example.
    pub fn from_json(json: &RecipeJson, name: &str, shape: &[u64]) -> Result<Recipe, Error> {
        let wrong = |thing: &'static str, said: String| Error::failed(ErrorKind::Model, thing, said);
        let distribution = resolved(&json.scheme)?;
        let whole = json.whole.as_deref().unwrap_or(shape);
        if whole.len() > MAX_DIMENSIONS {
            let allowed = format!("at most {MAX_DIMENSIONS}");
            return Err(wrong("the whole", format!("has {} dimensions", whole.len())).allowing(allowed));
        }
        let count = elements(whole)?;
        let stream = json.stream.as_deref().unwrap_or(name);
        let mut recipe = Recipe { alone: json.alone, scale: json.scale, ..Recipe::new(distribution, whole, stream) };
        recipe.slices = json.slices.as_ref().map_or_else(Vec::new, |part| part.as_slice().to_vec());
        let mut left = whole.to_vec();
        for &Slice { dim, start, end } in &recipe.slices {
            let most = match dim {
                None if recipe.slices.len() > 1 => {
                    return Err(wrong("its parts", "are several".into()).allowing("each along a dimension"));
                }
                None => count,
                Some(dim) => *left.get(dim).ok_or_else(|| {
                    let allowed = format!("below {}, as the whole is {}", whole.len(), dimensions(whole));
                    wrong("the part", format!("is along dimension {dim}")).allowing(allowed)
                })?,
            };
            if start > end || end > most {
                let allowed = format!("within 0 to {most}");
                return Err(Error::new(ErrorKind::Model, "the part", format!("{start} to {end}"), allowed));
            }
            match dim {
                None => left = vec![end - start],
                Some(dim) => left[dim] = end - start,
            }
        }
        if left != shape {
            let said = format!("is {}, and {} by the metadata", dimensions(shape), dimensions(&left));
            return Err(wrong("its shape", said));
        }
        for PartJson { dim, start, end, scheme } in &json.parts {
            recipe = recipe.with_part(*dim, *start..*end, resolved(scheme)?);
        }
        if let Some(row) = json.zero_row {
            recipe = recipe.with_part(0, row..row.saturating_add(1), ZERO);
        }
        if let Some(scale) = json.scale.filter(|scale| !scale.is_normal() || *scale < 0.0) {
            let allowed = "above 0, and a number that f32 holds to all its digits";
            return Err(Error::new(ErrorKind::Model, "the scale", format!("{scale:e}"), allowed));
        }
        Ok(recipe)
    }
}

fn resolved(scheme: &str) -> Result<Distribution, Error> {
    match scheme.parse()? {
        Scheme::Fixed(distribution) => Ok(distribution),
        _ => Err(Error::failed(ErrorKind::Model, format!("the scheme {}", quoted(scheme)), "is not resolved")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dtype;

    /// A file's words on 2^59 empty runs, all of which are allowed.
    #[test]
    fn empty_runs_are_not_walked() {
        let wholes: [&[u64]; 4] = [&[1 << 59, 2], &[1 << 58, 2, 2], &[1 << 59, 0, 2], &[0, 1 << 59, 2]];
        for whole in wholes {
            let json = format!(
                r#"{{"scheme":"normal:mean=0,std=1","contract":2,"whole":{whole:?},"part":{{"dim":1,"start":0,"end":0}}}}"#
            );
            let mut shape = whole.to_vec();
            shape[1] = 0;
            let recipe = Recipe::from_json(&serde_json::from_str(&json).unwrap(), "w", &shape).unwrap();
            assert!(recipe.fill(0, Dtype::F32).unwrap().is_empty(), "{whole:?}");
        }
    }
}
