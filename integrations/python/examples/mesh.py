"""FSDP2 and tensor parallelism on a mesh of 2x2: the bits are those of one process.

torchrun --nproc-per-node 4 examples/mesh.py
"""

import hashlib

import fanin.torch
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(256, 1024)
        self.down = nn.Linear(1024, 256)
        nn.init.trunc_normal_(self.down.weight, std=0.02)


device = "cuda" if torch.cuda.is_available() else "cpu"
mesh = init_device_mesh(device, (2, 2), mesh_dim_names=("data", "tensor"))
model, plan = fanin.torch.record(lambda: nn.Sequential(*(Block() for _ in range(4))))
for block in model:
    parallelize_module(block, mesh["tensor"], {"up": ColwiseParallel(), "down": RowwiseParallel()})
    fully_shard(block, mesh=mesh["data"])
fully_shard(model, mesh=mesh["data"])
plan.materialize_(model, seed=42)

alone = plan.materialize_(fanin.torch.record(lambda: nn.Sequential(*(Block() for _ in range(4))))[0], seed=42)
whole = {name: p.full_tensor() if isinstance(p, DTensor) else p for name, p in model.named_parameters()}
assert all(torch.equal(whole[name].cpu(), p) for name, p in alone.named_parameters())
hash = hashlib.sha256()
for name, p in whole.items():
    hash.update(p.detach().cpu().numpy().tobytes())
if dist.get_rank() == 0:
    print(f"2x2: {hash.hexdigest()}")
dist.destroy_process_group()
