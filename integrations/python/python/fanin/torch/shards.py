"""Which elements of a tensor are here: all of a plain one, a rank's part of a DTensor."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch.distributed.tensor import DTensor, Replicate, Shard

from .plan import PlanError

# (start, stop) for each dimension.
Block = list[tuple[int, int]]


def local_part(tensor: torch.Tensor) -> torch.Tensor:
    """The memory of this rank, without a history."""
    tensor = tensor.detach()
    return tensor._local_tensor if isinstance(tensor, DTensor) else tensor


def blocks(name: str, tensor: torch.Tensor) -> Iterator[tuple[Block, tuple[slice, ...]]]:
    """Blocks of the whole tensor, and where in this rank's part each lies."""
    if not isinstance(tensor, DTensor):
        yield [(0, size) for size in tensor.shape], tuple(slice(None) for _ in tensor.shape)
        return
    mesh = tensor.device_mesh
    if mesh.get_coordinate() is None:
        return
    along = []
    for dim, size in enumerate(tensor.shape):
        at, pieces = 0, []
        for start, stop in _runs(_indices(size, dim, mesh, tensor.placements)):
            pieces.append(((start, stop), slice(at, at + stop - start)))
            at += stop - start
        along.append(pieces)
    for pieces in itertools.product(*along):
        yield [block for block, _ in pieces], tuple(place for _, place in pieces)


def check(name: str, tensor: torch.Tensor) -> None:
    """Refuses placements of which no rank's part is a part of the whole."""
    for placement in tensor.placements if isinstance(tensor, DTensor) else ():
        if not isinstance(placement, Replicate) and not _is_split(placement):
            raise PlanError(
                f"tensor {name!r}: the placement is {placement!r}, allowed: Shard, Replicate; sums over ranks have no elements of their own"
            )


def _is_split(placement) -> bool:
    return isinstance(placement, Shard) or type(placement).__name__ == "_StridedShard"


def _indices(size: int, dim: int, mesh, placements) -> list[int]:
    """A dimension's indices that this rank has: the placements themselves share them out."""
    left = torch.arange(size)
    for axis, placement in enumerate(placements):
        if _is_split(placement) and placement.dim == dim:
            alone = Shard(0) if isinstance(placement, Shard) else type(placement)(0, split_factor=placement.split_factor)
            pieces, _ = alone._split_tensor(left, mesh.size(axis), with_padding=False, contiguous=True)
            left = pieces[mesh.get_local_rank(axis)]
    return left.tolist()


def _runs(indices: list[int]) -> list[tuple[int, int]]:
    """Indices that follow one another, together."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and runs[-1][1] == index:
            runs[-1][1] += 1
        else:
            runs.append([index, index + 1])
    return [(start, stop) for start, stop in runs]
