#!/usr/bin/env python3
"""How PyTorch cuts n elements for so many ranks: makes torch_chunk.txt again, which src/draw/ranks.rs is held against.

    pip install torch
    python3 cli/tests/golden/torch_chunk.py

What `torch.arange(n).chunk(ranks)` gives, with 0 for the ranks that it leaves out. DTensor's and FSDP2's own functions must cut the
same, or nothing is written. They are PyTorch's private ones: run with PyTorch 2.15.0.
"""

import pathlib

import torch
from torch.distributed.fsdp._fully_shard._fsdp_common import _chunk_with_empty
from torch.distributed.tensor import Shard
from torch.distributed.tensor._utils import _compute_local_shape_and_global_offset

lines = ["# elements, ranks: the elements of each rank; by torch_chunk.py"]
for n in range(41):
    for ranks in range(1, 13):
        whole = torch.arange(n)
        chunks = list(whole.chunk(ranks))
        sizes = [len(chunk) for chunk in chunks] + [0] * (ranks - len(chunks))
        of_shard, _ = Shard(0)._split_tensor(whole, ranks, with_padding=False)
        of_dtensor = [_compute_local_shape_and_global_offset((n,), (ranks,), [rank], [Shard(0)]) for rank in range(ranks)]
        of_fsdp = _chunk_with_empty(whole, ranks, dim=0)
        assert torch.equal(torch.cat(chunks), whole)
        assert [len(shard) for shard in of_shard] == sizes, (n, ranks)
        assert [shape for shape, _ in of_dtensor] == [(size,) for size in sizes], (n, ranks)
        assert [offset for _, offset in of_dtensor] == [(sum(sizes[:rank]),) for rank in range(ranks)], (n, ranks)
        assert [len(shard) for shard in of_fsdp] == sizes, (n, ranks)
        lines.append(f"{n} {ranks}: {' '.join(map(str, sizes))}")
(pathlib.Path(__file__).parent / "torch_chunk.txt").write_text("\n".join(lines) + "\n")
