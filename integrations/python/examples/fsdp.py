"""FSDP2: each rank draws its part, and the bits are those of one process.

torchrun --nproc-per-node 2 examples/fsdp.py
"""

import hashlib

import fanin.torch
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(1000, 256)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(256, 4, 512, batch_first=True) for _ in range(4))
        self.head = nn.Linear(256, 1000, bias=False)


dist.init_process_group("gloo" if not torch.cuda.is_available() else "nccl")
model, plan = fanin.torch.record(Model)
for layer in model.layers:
    fully_shard(layer)
fully_shard(model)
plan.materialize_(model, seed=42)

hash = hashlib.sha256()
for name, parameter in model.named_parameters():
    hash.update(parameter.full_tensor().detach().cpu().numpy().tobytes())
if dist.get_rank() == 0:
    print(f"{dist.get_world_size()} ranks: {hash.hexdigest()}")
dist.destroy_process_group()
