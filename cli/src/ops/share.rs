//! The sharing of a model among ranks.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use fanin::rules::{self, Slice};

use crate::draw::ranks::{Mesh, Rank, Sharing, chunk};
use crate::failure::Failure;
use crate::files::content::Content;

/// The part of a model that one rank has: whole tensors, or slices of them.
pub fn share(tensors: Vec<Content>, rank: Rank, split: Sharing, mesh: Option<&Mesh>) -> Result<Vec<Content>, Failure> {
    if rank.is_only() {
        return Ok(tensors);
    }
    match split {
        Sharing::Tensors => {
            let mine = whole(&tensors, rank);
            Ok(tensors.into_iter().filter(|content| mine.contains(&content.tensor.name)).collect())
        }
        Sharing::Along(dim) => tensors.into_iter().map(|content| slice(content, dim, rank)).collect(),
        Sharing::Rules if tensors.iter().all(|tensor| matches!(tensor.split, None | Some(rules::Split::Whole))) => {
            Err(Failure::input(
                "no rule that a tensor met says a split, so that every rank would have the whole model, allowed: rules with split, or \
             --split with tensor or a dimension",
            ))
        }
        Sharing::Rules => {
            let places = mesh.map_or_else(Vec::new, |mesh| mesh.places(rank));
            let is_one = |content: &&Content| content.split == Some(rules::Split::Tensor);
            let mine = whole(tensors.iter().filter(is_one), rank);
            let is_mine = |content: &Content| !is_one(&content) || mine.contains(&content.tensor.name);
            tensors.into_iter().filter(is_mine).map(|content| by_rule(content, rank, &places)).collect()
        }
    }
}

/// The tensors of these that a rank has: the largest first, each to the rank that has least.
fn whole<'a>(tensors: impl IntoIterator<Item = &'a Content>, rank: Rank) -> HashSet<String> {
    let mut order: Vec<_> =
        tensors.into_iter().map(|content| (Reverse(content.bytes()), &content.tensor.name)).collect();
    order.sort();
    let mut loads = BTreeSet::from_iter((0..rank.world_size).map(|r| (0u64, r)));
    let mut mine = HashSet::new();
    for (Reverse(bytes), name) in order {
        let Some((load, least)) = loads.pop_first() else { break };
        loads.insert((load.saturating_add(bytes), least));
        if least == rank.rank {
            mine.insert(name.clone());
        }
    }
    mine
}

fn by_rule(content: Content, rank: Rank, places: &[(&str, Rank)]) -> Result<Content, Failure> {
    let wrong = |message: String| Err(Failure::input(format!("tensor \"{}\": {message}", content.tensor.name)));
    let names = || places.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    match content.split.clone() {
        Some(rules::Split::Along(dim)) if places.len() > 1 => {
            wrong(format!("its split is {dim}, allowed with a mesh: dimensions for some of its axes, {}", names()))
        }
        Some(rules::Split::Along(dim)) => slice(content, dim, rank),
        Some(rules::Split::Mesh(axes)) => {
            if let Some(axis) = axes.keys().find(|axis| !places.iter().any(|(name, _)| name == axis)) {
                let names = if places.is_empty() { "none; --mesh says them".into() } else { names() };
                return wrong(format!("its split is along the mesh's axis {axis}, allowed: {names}"));
            }
            let along = places.iter().filter_map(|(name, place)| Some((*axes.get(*name)?, *place)));
            along.into_iter().try_fold(content, |content, (dim, place)| slice(content, dim, place))
        }
        _ => Ok(content),
    }
}

/// A tensor's slice of a rank; one without the dimension is left whole.
fn slice(mut content: Content, dim: usize, rank: Rank) -> Result<Content, Failure> {
    if let (Some((recipe, fill)), Some(&size)) = (&mut content.drawn, content.tensor.shape.get(dim)) {
        let Range { start, end } = chunk(size, rank);
        recipe.slices.push(Slice { dim: Some(dim), start, end });
        *fill = fill.slice(dim, start..end)?;
        content.tensor.shape = fill.shape();
    }
    Ok(content)
}
