"""What a rank does in `test_layouts.py`: one process group, many meshes over it."""

from __future__ import annotations

import hashlib
import json

import fanin.torch
import models
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

RANKS = 4
LAYOUTS = ["one process", "FSDP2 on 2", "FSDP2 on 3", "FSDP2 on 4", "FSDP2 along dimension 1", "TP on 4", "FSDP2 and TP, 2x2", "HSDP, 2x2"]


def shard(model, layout: str):
    """Shares a model out; None, if this rank is not part of it."""
    rank = dist.get_rank()

    def fsdp(mesh, **options):
        for block in model.blocks:
            fully_shard(block, mesh=mesh, **options)
        fully_shard(model, mesh=mesh, **options)

    def tp(mesh):
        for block in model.blocks:
            parallelize_module(block, mesh, {"up": ColwiseParallel(), "down": RowwiseParallel()})

    if layout == "one process":
        return model if rank == 0 else None
    if layout == "TP on 4":
        tp(DeviceMesh("cpu", list(range(4))))
    elif layout in ("FSDP2 on 2", "FSDP2 on 3", "FSDP2 on 4"):
        ranks = int(layout[-1])
        mesh = DeviceMesh("cpu", list(range(ranks)))
        if rank >= ranks:
            return None
        fsdp(mesh)
    elif layout == "FSDP2 along dimension 1":
        # Of which each rank must have as much.
        even = {37: 0, 74: 1}
        fsdp(
            DeviceMesh("cpu", [0, 1]), shard_placement_fn=lambda p: Shard(1 if p.dim() == 2 and even.get(p.shape[1]) else 0)
        ) if rank < 2 else DeviceMesh("cpu", [0, 1])
        return model if rank < 2 else None
    else:
        mesh = DeviceMesh("cpu", [[0, 1], [2, 3]], mesh_dim_names=("first", "second"))
        if layout == "HSDP, 2x2":
            fsdp(mesh)
        else:
            tp(mesh["second"])
            fsdp(mesh["first"])
    return model


def digest(model) -> str:
    """Of all tensors as wholes, by their names."""
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    hash = hashlib.sha256()
    for name in sorted(named):
        tensor = named[name].detach()
        whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        hash.update(name.encode() + whole.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return hash.hexdigest()


def run(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=RANKS)
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        for layout in LAYOUTS:
            model, plan = fanin.torch.record(models.Net)
            model = shard(model.to(dtype), layout)
            if model is None:
                continue
            parts = [p for p in model.parameters() if isinstance(p, DTensor)]
            assert all(p.device.type == "meta" for p in model.parameters())
            plan.materialize_(model, seed=42)
            assert fanin.torch.verify_(model, plan, 42) == []
            found[f"{layout}, {dtype}"] = digest(model), sorted({str(p.placements) for p in parts})
            # PyTorch's own values, into the same memory.
            plan.materialize_(model, seed=42, generator="torch", by_torch=True)
            assert fanin.torch.verify_(model, plan, 42, generator="torch", by_torch=True) == []
            found[f"{layout}, {dtype}, torch"] = digest(model), []
    model, plan = fanin.torch.record(models.Net)
    fully_shard(model, mesh=DeviceMesh("cpu", list(range(RANKS))))
    plan.materialize_(model, seed=42)
    # What was given memory trains, and no other rank has other values.
    loss = model(torch.arange(12).view(2, 6)).logsumexp(-1).mean()
    loss.backward()
    torch.optim.SGD(model.parameters(), 0.1).step()
    after = model(torch.arange(12).view(2, 6)).logsumexp(-1).mean()
    found["losses"] = float(loss.detach()), float(after.detach())
    found["changed"] = sorted(fanin.torch.verify_(model, plan, 42))
    with open(f"{folder}/{rank}.json", "w") as out:
        json.dump(found, out)
    dist.barrier()
    dist.destroy_process_group()
