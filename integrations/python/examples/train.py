"""A small transformer, trained on a few steps by FSDP2: the loss at the first step is the same for any number of processes.

    torchrun --nproc-per-node 1 examples/train.py [--torch]
    torchrun --nproc-per-node 2 examples/train.py [--torch]
    torchrun --nproc-per-node 4 examples/train.py [--torch]

With --torch, weights are drawn as FSDP2's documentation does: to_empty, then each rank's reset_parameters of its part, of one seed.
"""

import sys

import fanin.torch
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard

VOCABULARY, WIDTH, LENGTH, BATCH, STEPS = 256, 128, 32, 16, 5


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(WIDTH, 4, 512, dropout=0.0, batch_first=True) for _ in range(4))
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


def shard(model):
    for layer in model.layers:
        fully_shard(layer)
    return fully_shard(model)


dist.init_process_group("gloo")
rank, ranks = dist.get_rank(), dist.get_world_size()
if "--torch" in sys.argv:
    with torch.device("meta"):
        model = shard(Model())
    model.to_empty(device="cpu")
    torch.manual_seed(42)
    for module in model.modules():
        for reset in ("reset_parameters", "_reset_parameters"):
            if hasattr(module, reset):
                getattr(module, reset)()
else:
    model, plan = fanin.torch.record(Model)
    shard(model)
    plan.materialize_(model, seed=42)

# The same batch for all, of which each takes its share.
tokens = torch.randint(0, VOCABULARY, (BATCH, LENGTH + 1), generator=torch.Generator().manual_seed(0))[rank::ranks]
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
losses = []
for _ in range(STEPS):
    loss = nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    mean = loss.detach().clone()
    dist.all_reduce(mean, dist.ReduceOp.SUM)
    losses.append(f"{mean / ranks:.6f}")
if rank == 0:
    print(f"{ranks} ranks, {'torch' if '--torch' in sys.argv else 'fanin'}: losses {', '.join(losses)}")
dist.destroy_process_group()
