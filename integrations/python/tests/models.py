"""Models that tests share."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width=37, hidden=74):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        nn.init.trunc_normal_(self.down.weight, std=0.02)
        nn.init.normal_(self.up.weight, 0, 0.02 / 2**0.5)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(self.norm(x))))


class Net(nn.Module):
    """Odd sizes, a padded row, a tie, an orthogonal matrix, a tensor smaller than a mesh, buffers of both kinds."""

    def __init__(self, tied=False):
        super().__init__()
        self.embedding = nn.Embedding(101, 37, padding_idx=1)
        self.blocks = nn.ModuleList(Block() for _ in range(3))
        self.mix = nn.Linear(37, 37, bias=False)
        nn.init.orthogonal_(self.mix.weight)
        self.gate = nn.Parameter(torch.rand(2))
        self.decay = nn.Parameter(torch.log(torch.empty(24).uniform_(1, 16)))
        self.head = nn.Linear(37, 101, bias=False)
        if tied:
            self.head.weight = self.embedding.weight
        self.register_buffer("positions", torch.arange(64))
        self.register_buffer("frequencies", 10_000 ** -(torch.arange(0, 36, 2) / 36), persistent=False)

    def forward(self, tokens):
        x = self.embedding(tokens) + self.gate.sum()
        for block in self.blocks:
            x = block(x)
        return self.head(self.mix(x)) * self.decay.mean()
