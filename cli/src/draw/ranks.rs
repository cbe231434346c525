//! Which part of a model this process draws. There is no communication: a rank knows its part from its number.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::draw::recipe::{Part, Tensor};
use crate::failure::Failure;

/// This process among those that draw a model together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    pub rank: u64,
    pub world_size: u64,
}

/// No model is drawn by more processes together.
const MAX_WORLD_SIZE: u64 = 1 << 20;

/// What launchers say a process's rank and their number are: torchrun, Open MPI, MPICH and Intel MPI, Slurm.
const LAUNCHERS: [(&str, &str); 4] = [
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
];

impl Rank {
    /// What the user says, or else the launcher, or else the only one.
    pub fn of(rank: Option<u64>, world_size: Option<u64>) -> Result<Rank, Failure> {
        let of = |rank, world_size, from: &str| {
            if world_size > MAX_WORLD_SIZE {
                Err(Failure::input(format!(
                    "{from}: the world size is {world_size}, allowed: at most {MAX_WORLD_SIZE}"
                )))
            } else if world_size > 0 && rank < world_size {
                Ok(Rank { rank, world_size })
            } else {
                Err(Failure::input(format!("{from}: the rank is {rank} of {world_size}, allowed: 0 to one less")))
            }
        };
        match (rank, world_size) {
            (Some(rank), Some(world_size)) => return of(rank, world_size, "--rank and --world-size"),
            (None, None) => {}
            _ => return Err(Failure::input("one of --rank and --world-size is given, allowed: both or none")),
        }
        for (rank, world_size) in LAUNCHERS {
            if let (Ok(of_rank), Ok(of_size)) = (std::env::var(rank), std::env::var(world_size)) {
                let from = format!("{rank} and {world_size}");
                let number = |text: &str| {
                    text.parse().map_err(|_| {
                        Failure::input(format!(
                            "{from}: \"{text}\" is no number; --rank and --world-size go before them"
                        ))
                    })
                };
                return of(number(&of_rank)?, number(&of_size)?, &from);
            }
        }
        Ok(Rank { rank: 0, world_size: 1 })
    }

    pub fn is_only(self) -> bool {
        self.world_size == 1
    }
}

/// How a model is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Whole tensors, with about as many bytes to each rank.
    Tensors,
    /// A slice of each tensor along a dimension; those that do not have it, whole to all.
    Along(usize),
}

impl std::str::FromStr for Split {
    type Err = String;

    fn from_str(text: &str) -> Result<Split, String> {
        match (text, text.parse()) {
            ("tensor", _) => Ok(Split::Tensors),
            (_, Ok(dim)) => Ok(Split::Along(dim)),
            _ => Err("allowed: tensor, or the number of a dimension, from 0 on".into()),
        }
    }
}

/// A rank's part of a dimension, as `torch.chunk` and with it DTensor and FSDP2 cut it: all of one size, but for the last ones, which
/// have less, or nothing.
fn chunk(size: u64, rank: Rank) -> Range<u64> {
    let each = size.div_ceil(rank.world_size);
    let at = |r: u64| each.saturating_mul(r).min(size);
    at(rank.rank)..at(rank.rank + 1)
}

/// The tensors of one rank.
pub fn share(tensors: Vec<Tensor>, rank: Rank, split: Split) -> Vec<Tensor> {
    if rank.is_only() {
        return tensors;
    }
    match split {
        Split::Tensors => {
            // The largest first, each to the rank that has least.
            let mut order: Vec<_> = tensors.iter().map(|t| (std::cmp::Reverse(t.bytes()), t.name.clone())).collect();
            order.sort();
            let mut loads = std::collections::BTreeSet::from_iter((0..rank.world_size).map(|r| (0u64, r)));
            let mut mine = std::collections::HashSet::new();
            for (std::cmp::Reverse(bytes), name) in order {
                let Some((load, least)) = loads.pop_first() else { break };
                loads.insert((load.saturating_add(bytes), least));
                if least == rank.rank {
                    mine.insert(name);
                }
            }
            tensors.into_iter().filter(|t| mine.contains(&t.name)).collect()
        }
        Split::Along(dim) => tensors
            .into_iter()
            .map(|mut tensor| {
                if let Some(&size) = tensor.recipe.draw.shape.get(dim) {
                    let Range { start, end } = chunk(size, rank);
                    tensor.recipe.part = Some(Part { dim: Some(dim), start, end });
                }
                tensor
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `tests/golden/torch_chunk.py`, with nothing for the ranks that `chunk` leaves out.
    #[test]
    fn parts_are_those_of_torch_chunk() {
        let sizes = |size, world_size| -> Vec<u64> {
            let part = |rank| chunk(size, Rank { rank, world_size });
            let parts: Vec<_> = (0..world_size).map(part).collect();
            assert_eq!((parts[0].start, parts[parts.len() - 1].end), (0, size));
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start), "{parts:?}");
            parts.into_iter().map(|part| part.end - part.start).collect()
        };
        let cases = include_str!("../../tests/golden/torch_chunk.txt").lines().filter(|line| !line.starts_with('#'));
        let numbers = |text: &str| text.split_whitespace().map(|n| n.parse().unwrap()).collect::<Vec<u64>>();
        let mut seen = Vec::new();
        for (case, of_torch) in cases.map(|line| line.split_once(':').unwrap()) {
            let [size, ranks] = numbers(case)[..] else { panic!("{case}") };
            assert_eq!(sizes(size, ranks), numbers(of_torch), "{size} elements, {ranks} ranks");
            seen.push((size, ranks));
        }
        assert!(seen.into_iter().eq((0..=40).flat_map(|size| (1..=12).map(move |ranks| (size, ranks)))));
        assert_eq!(sizes(u64::MAX, 2), [1 << 63, (1 << 63) - 1]);
    }
}
