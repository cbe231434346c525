//! The matrices of a model, as rules draw them or as they lie in a checkpoint.

use std::collections::BTreeMap;
use std::path::Path;

use fanin::rules::{FileDtype, Plan, Planned, Recipe};
use fanin::{Distribution, Dtype, Fans, Fill, Stream};

use crate::draw::engine::Engine;
use crate::failure::Failure;
use crate::files::file_range::FileRange;
use crate::files::header::holds;
use crate::files::model;
use crate::files::summary::{for_each, size_of};

/// A matrix of a model.
pub struct Matrix {
    pub name: String,
    /// The number of others that are drawn as it is.
    pub like_it: usize,
    pub shape: Vec<u64>,
    pub fans: Fans,
    pub values: MatrixValues,
}

/// The values of a matrix: as a rule draws them, or as they lie in a file.
pub enum MatrixValues {
    Drawn(Box<Recipe>),
    Stored(FileRange, FileDtype),
}

/// The matrices of the model in this file by a plan of it, those that are drawn alike once.
pub fn matrices(plan: Plan, path: &Path) -> Result<Vec<Matrix>, Failure> {
    let mut stored = stored(path)?;
    let mut matrices: Vec<Matrix> = Vec::new();
    for Planned { name, shape, draw, fans, .. } in plan.into_tensors() {
        let is_matrix = shape.iter().filter(|d| **d > 1).count() > 1 && !shape.contains(&0);
        let (Some(fans), true) = (fans, is_matrix) else { continue };
        let values = match (stored.remove(&name), draw) {
            // Of fp8 the numbers alone are no weights.
            (Some((range, dtype)), _) if size_of(dtype).is_some() && dtype != FileDtype::F8E4M3 => {
                MatrixValues::Stored(range, dtype)
            }
            (None, Some(draw)) if !matches!(draw.distribution, Distribution::Constant { .. }) => {
                MatrixValues::Drawn(Box::new(draw))
            }
            _ => continue,
        };
        let matrix = Matrix { name, like_it: 0, shape, fans, values };
        match matrices.iter_mut().find(|other| other.is_drawn_like(&matrix)) {
            Some(other) => other.like_it += 1,
            None => matrices.push(matrix),
        }
    }
    if matrices.is_empty() {
        let at = path.display();
        return Err(Failure::input(format!("{at} has no matrix that is drawn, allowed: a model that has one")));
    }
    Ok(matrices)
}

impl Matrix {
    /// True for an embedding by its name, as models call them. Its rows are looked up, not summed.
    pub fn is_embedding(&self) -> bool {
        let name = self.name.to_lowercase();
        ["embed", "embd", "wte", "wpe"].iter().any(|part| name.contains(part))
    }

    fn is_drawn_like(&self, other: &Matrix) -> bool {
        match (&self.values, &other.values) {
            (MatrixValues::Drawn(a), MatrixValues::Drawn(b)) => {
                (&self.shape, self.fans, self.is_embedding()) == (&other.shape, other.fans, other.is_embedding())
                    && (a.distribution, &a.parts) == (b.distribution, &b.parts)
            }
            _ => false,
        }
    }

    /// The elements of the matrix, so many: drawn from this seed, or read.
    pub fn read(&self, count: usize, seed: u64, engine: &Engine) -> Result<Vec<f32>, Failure> {
        let mut values = Vec::new();
        let no_memory = |_| Failure::other(format!("tensor \"{}\" does not fit this machine's memory", self.name));
        values.try_reserve_exact(count).map_err(no_memory)?;
        match &self.values {
            MatrixValues::Drawn(recipe) => {
                let fill = fill_in_f32(recipe, seed)?;
                engine.draw(std::iter::once(fill), engine.chunk(u64::MAX), |bytes| {
                    for_each(FileDtype::F32, bytes, |x| values.push(x as f32));
                    Ok(())
                })?;
            }
            MatrixValues::Stored(range, dtype) => {
                range.read(|bytes| {
                    for_each(*dtype, bytes, |x| values.push(x as f32));
                    Ok(())
                })?;
            }
        }
        Ok(values)
    }
}

/// The fill of a matrix in f32.
pub fn fill_in_f32(recipe: &Recipe, seed: u64) -> Result<Fill, Failure> {
    let stream = Stream::named(seed, &recipe.stream);
    recipe.fill_of(stream, Dtype::F32).map_err(Failure::input)
}

/// The places of a checkpoint's tensors; none of a file that is no checkpoint.
fn stored(path: &Path) -> Result<BTreeMap<String, (FileRange, FileDtype)>, Failure> {
    if !model::is_checkpoint(path) {
        return Ok(BTreeMap::new());
    }
    let shards = model::shards(path, true)?;
    let tensors = shards.iter().flat_map(|shard| shard.header.tensors.iter().map(move |tensor| (shard, tensor)));
    let placed = tensors.map(|(shard, (tensor, bytes))| {
        let range = FileRange { path: shard.path.as_path().into(), bytes: bytes.clone() };
        (tensor.name.clone(), (range, holds(tensor)))
    });
    Ok(placed.collect())
}
