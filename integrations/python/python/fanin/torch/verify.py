"""Comparing a live model with its plan."""

from __future__ import annotations

import torch

from . import shards
from .materialize import Job
from .plan import Plan


@torch.no_grad()
def verify_(
    model: torch.nn.Module,
    plan: Plan,
    seed: int | str | torch.Tensor,
    *,
    generator: str = "fanin",
    strict: bool = True,
    widen: bool = False,
    by_torch: bool = False,
) -> list[str]:
    """The names of those tensors whose part on this rank has other bits than the plan gives it for this seed; none, if all are the same.

    Nothing is changed, and no other rank is asked. A tensor without memory differs. Raises `PlanError` as `materialize_` does.
    """
    job = Job(model, plan, seed, generator=generator, strict=strict, widen=widen, by_torch=by_torch)
    differ = []
    for tensor, entry in job.once():
        local = shards.local_part(tensor)
        if local.device.type == "meta":
            differ.append(entry.name)
            continue
        for block, place in shards.blocks(entry.name, tensor):
            stored = local[place] if place else local
            expected = torch.empty(stored.shape, dtype=stored.dtype)
            job.put(entry, block, expected)
            if not torch.equal(_bits(stored.cpu()), _bits(expected)):
                differ.append(entry.name)
                break
    return differ


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)
