//! How a tensor of a file was made, in words that make it again.

use std::ops::Range;

use fanin::rules::Draw;
use fanin::{Dtype, Fill, Scheme, Stream};
use serde::{Deserialize, Serialize};

use crate::seed::Seed;

/// What a tensor of a file draws: all but the seed and the dtype.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    pub draw: Draw,
    /// Whether it has the seed alone, and is no tensor of a model.
    pub alone: bool,
    /// The whole tensor's dimensions.
    pub whole: Vec<u64>,
    /// What of it is in the file, if not all.
    pub part: Option<Part>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<Vec<u64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<Part>,
}

impl Recipe {
    /// A whole tensor of a model by its rule.
    pub fn planned(draw: Draw, whole: Vec<u64>) -> Recipe {
        Recipe { draw, alone: false, whole, part: None }
    }

    pub fn stream(&self, seed: Seed) -> Stream {
        let name = &self.draw.stream;
        if self.alone { seed.stream_alone(name) } else { seed.stream(name) }
    }

    /// The dimensions in the file.
    pub fn shape(&self) -> Vec<u64> {
        match &self.part {
            None => self.whole.clone(),
            Some(Part { dim: None, start, end }) => vec![end - start],
            Some(Part { dim: Some(dim), start, end }) => {
                let mut shape = self.whole.clone();
                shape[*dim] = end - start;
                shape
            }
        }
    }

    /// The fills that make up the whole tensor.
    pub fn whole_fills(&self, seed: Seed, dtype: Dtype) -> Result<Vec<Fill>, fanin::Error> {
        self.draw.fills_of(self.stream(seed), dtype, &self.whole)
    }

    /// The fills that make up what is in the file, in order, from an element of the file's tensor on.
    pub fn fills<'a>(&self, whole: &'a [Fill], from: u64) -> impl Iterator<Item = Fill> + 'a {
        let mut skipped = from;
        self.ranges()
            .filter_map(move |range| {
                let skip = skipped.min(range.end - range.start);
                skipped -= skip;
                (range.start + skip < range.end).then_some(range.start + skip..range.end)
            })
            .flat_map(move |range| {
                whole.iter().filter_map(move |fill| {
                    let of = fill.range();
                    let common = range.start.max(of.start)..range.end.min(of.end);
                    (common.start < common.end).then(|| fill.part(common).expect("a part of a fill is inside it"))
                })
            })
    }

    /// The elements of the whole tensor that are in the file, in order.
    fn ranges(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let all: u64 = self.whole.iter().product();
        let (runs, stride, start, end) = match self.part {
            None => (1, 0, 0, all),
            Some(Part { dim: None, start, end }) => (1, 0, start, end),
            Some(Part { dim: Some(dim), start, end }) => {
                let inner: u64 = self.whole[dim + 1..].iter().product();
                let runs: u64 = self.whole[..dim].iter().product();
                (runs, self.whole[dim] * inner, start * inner, end * inner)
            }
        };
        (0..runs).map(move |run| run * stride + start..run * stride + end)
    }

    pub fn to_words(&self, name: &str, seed: Seed) -> Words {
        Words {
            scheme: Scheme::from(self.draw.distribution).to_string(),
            contract: self.stream(seed).contract(),
            // Of no meaning for streams by name.
            alone: self.alone && !matches!(seed, Seed::Native(_)),
            stream: (self.draw.stream != name).then(|| self.draw.stream.clone()),
            zero_row: self.draw.zero_row,
            whole: self.part.is_some().then(|| self.whole.clone()),
            part: self.part.clone(),
        }
    }

    /// Of a tensor of this name and shape in the file.
    pub fn from_words(words: &Words, name: &str, shape: &[u64]) -> Result<Recipe, String> {
        let scheme: Scheme = words.scheme.parse().map_err(|e: fanin::Error| e.to_string())?;
        let Scheme::Fixed(distribution) = scheme else {
            return Err(format!("the scheme \"{}\" is not resolved", words.scheme));
        };
        let whole = words.whole.clone().unwrap_or_else(|| shape.to_vec());
        let elements = fanin::elements(&whole).map_err(|e| e.to_string())?;
        if let Some(Part { dim, start, end }) = words.part {
            let most = match dim {
                None => elements,
                Some(dim) => *whole.get(dim).ok_or_else(|| format!("{whole:?} has no dimension {dim}"))?,
            };
            if start > end || end > most {
                return Err(format!("the part is {start} to {end}, allowed: within 0 to {most}"));
            }
        }
        let stream = words.stream.clone().unwrap_or_else(|| name.into());
        let draw = Draw { distribution, dtype: None, stream, zero_row: words.zero_row };
        let recipe = Recipe { draw, alone: words.alone, whole, part: words.part.clone() };
        if recipe.shape() != shape {
            return Err(format!("its shape is {shape:?}, and {:?} by the metadata", recipe.shape()));
        }
        Ok(recipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanin::Distribution;

    #[test]
    fn parts_take_their_elements_and_a_zero_row_is_cut_out() {
        let distribution = Distribution::Normal { mean: 0.0, std: 1.0 };
        let draw = Draw { distribution, dtype: None, stream: "w".into(), zero_row: Some(1) };
        let ranges = |part: Option<Part>, from: u64| {
            let recipe = Recipe { draw: draw.clone(), alone: true, whole: vec![3, 4, 2], part };
            let whole = recipe.whole_fills(Seed::Native(0), Dtype::F32).unwrap();
            recipe.fills(&whole, from).map(|f| f.range()).collect::<Vec<_>>()
        };
        assert_eq!(ranges(None, 0), [0..8, 8..16, 16..24]);
        assert_eq!(ranges(None, 9), [9..16, 16..24]);
        let along = |dim, start, end| Some(Part { dim: Some(dim), start, end });
        assert_eq!(ranges(along(0, 1, 3), 0), [8..16, 16..24]);
        assert_eq!(ranges(along(1, 1, 3), 0), [2..6, 10..14, 18..22]);
        assert_eq!(ranges(along(1, 1, 3), 5), [11..14, 18..22]);
        assert_eq!(ranges(along(2, 1, 2), 0).len(), 12);
        assert_eq!(ranges(along(1, 2, 2), 0), []);
        assert_eq!(ranges(Some(Part { dim: None, start: 5, end: 9 }), 1), [6..8, 8..9]);
    }
}
