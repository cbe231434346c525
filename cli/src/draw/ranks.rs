//! The part of a model that this process draws. There is no communication: a rank knows its part from its number.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::limits::MAX_WORLD_SIZE;

/// This process among those that draw a model together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    pub rank: u64,
    pub world_size: u64,
}

/// The variables in which launchers say a process's rank and the number of ranks: torchrun, Open MPI, MPICH and Intel MPI, Slurm.
const LAUNCHERS: [(&str, &str); 4] = [
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
];

impl Rank {
    /// The rank that the user says, or else the launcher, or else the only one.
    pub fn chosen(rank: Option<u64>, world_size: Option<u64>) -> Result<Rank, Failure> {
        let checked = |rank, world_size, from: &str| {
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
            (Some(rank), Some(world_size)) => return checked(rank, world_size, "--rank and --world-size"),
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
                return checked(number(&of_rank)?, number(&of_size)?, &from);
            }
        }
        Ok(Rank { rank: 0, world_size: 1 })
    }

    pub fn is_only(self) -> bool {
        self.world_size == 1
    }
}

/// The way in which a model is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Whole tensors, each for one rank.
    Tensors,
    /// A slice of each tensor along this dimension for each rank.
    Along(usize),
    /// The way that each tensor's rule says.
    Rules,
}

impl std::str::FromStr for Sharing {
    type Err = String;

    fn from_str(text: &str) -> Result<Sharing, String> {
        match (text, text.parse()) {
            ("tensor", _) => Ok(Sharing::Tensors),
            ("rules", _) => Ok(Sharing::Rules),
            (_, Ok(dim)) => Ok(Sharing::Along(dim)),
            _ => Err("allowed: tensor, the number of a dimension, from 0 on, or rules".into()),
        }
    }
}

/// Ranks in rows and columns, or in more dimensions: the axes' names and sizes, neighbours along the last one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mesh(Vec<(String, u64)>);

impl std::str::FromStr for Mesh {
    type Err = String;

    fn from_str(text: &str) -> Result<Mesh, String> {
        let axis = |axis: &str| {
            let (name, size) = axis.split_once('=')?;
            let size = size.trim().parse().ok().filter(|&size| size > 0)?;
            Some((name.trim().to_string(), size)).filter(|(name, _)| !name.is_empty())
        };
        let axes: Option<Vec<_>> = text.split(',').map(axis).collect();
        let axes = axes.ok_or("allowed: AXIS=RANKS,.., such as tp=4,ep=2, each 1 or more")?;
        match axes.iter().enumerate().find(|(i, (name, _))| axes[..*i].iter().any(|(other, _)| other == name)) {
            Some((_, (name, _))) => Err(format!("the axis {name} stands twice, allowed: each name once")),
            None => Ok(Mesh(axes)),
        }
    }
}

impl Mesh {
    /// A check that it is one of all these ranks.
    pub fn check(&self, rank: Rank) -> Result<(), Failure> {
        let ranks = self.0.iter().try_fold(1u64, |all, (_, size)| all.checked_mul(*size));
        if ranks == Some(rank.world_size) {
            return Ok(());
        }
        let ranks = ranks.map_or("more than 2^64".into(), |ranks| ranks.to_string());
        Err(Failure::input(format!("--mesh has {ranks} ranks, allowed: {}, the world size", rank.world_size)))
    }

    /// The axes' names, with the rank's place along each.
    pub fn places(&self, rank: Rank) -> Vec<(&str, Rank)> {
        let mut rest = rank.rank;
        let mut places: Vec<_> = self
            .0
            .iter()
            .rev()
            .map(|(name, size)| {
                let place = Rank { rank: rest % size, world_size: *size };
                rest /= size;
                (name.as_str(), place)
            })
            .collect();
        places.reverse();
        places
    }
}

/// A rank's part of a dimension, as `torch.chunk` and with it DTensor and FSDP2 cut it: all of one size, but for the last ones, which
/// have less, or nothing.
pub fn chunk(size: u64, rank: Rank) -> Range<u64> {
    let each = size.div_ceil(rank.world_size);
    let at = |r: u64| each.saturating_mul(r).min(size);
    at(rank.rank)..at(rank.rank + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meshes_are_read_and_count_along_the_last_axis_first() {
        let mesh: Mesh = "tp=2, ep=3".parse().unwrap();
        let places = |rank| mesh.places(Rank { rank, world_size: 6 });
        let place = |rank, world_size| Rank { rank, world_size };
        // torch.distributed's init_device_mesh("cpu", (2, 3)): [[0, 1, 2], [3, 4, 5]].
        assert_eq!(places(4), [("tp", place(1, 2)), ("ep", place(1, 3))]);
        assert_eq!(places(2), [("tp", place(0, 2)), ("ep", place(2, 3))]);
        assert!(mesh.check(Rank { rank: 0, world_size: 6 }).is_ok());
        let error = mesh.check(Rank { rank: 0, world_size: 5 }).unwrap_err().message;
        assert_eq!(error, "--mesh has 6 ranks, allowed: 5, the world size");
        for wrong in ["", "tp", "tp=0", "tp=-1", "=2", "tp=2,", "tp=2,tp=2", "tp=x"] {
            assert!(wrong.parse::<Mesh>().unwrap_err().contains("allowed: "), "{wrong}");
        }
        let huge: Mesh = format!("a={0},b={0}", u64::MAX).parse().unwrap();
        assert!(huge.check(Rank { rank: 0, world_size: 1 }).is_err());
    }

    /// The golden cases are those of `tests/golden/torch_chunk.py`, with nothing for the ranks that `chunk` leaves out.
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
