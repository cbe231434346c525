#!/usr/bin/env python3
"""CPU seconds of PyTorch's own values: a large model's places, one rank's part of it, and PyTorch's own draws beside these.

python scripts/torch_speed.py
"""

import time

import fanin
import fanin.torch
import torch
import transformers as tf
from fanin import _fanin
from fanin.torch.graph import Drawn
from fanin.torch.replay import Replay

RANKS = 64


def timed(label, work, times=3):
    best = min(_seconds(work) for _ in range(times))
    print(f"{label}: {best:.3f} s", flush=True)
    return best


def _seconds(work):
    started = time.process_time()
    work()
    return time.process_time() - started


def values():
    """Values each on one thread: PyTorch draws on one in any case."""
    n = 20_000_000
    out = torch.empty(n)
    for name, scheme, draw in (
        ("uniform_", "uniform:low=-1.0,high=1.0", lambda: out.uniform_(-1, 1)),
        ("normal_", "normal:mean=0.0,std=0.02", lambda: out.normal_(0, 0.02)),
        (
            "trunc_normal_ at 2 sigmas",
            "truncated_normal:mean=0.0,std=0.02,low=-0.04,high=0.04",
            lambda: torch.nn.init.trunc_normal_(out, 0, 0.02, -0.04, 0.04),
        ),
    ):
        timed(f"{name}, 2 10^7 of f32, torch", draw)
        drawn = _fanin.TorchDraw(scheme, n, "f32", True)
        timed(f"{name}, 2 10^7 of f32, fanin", lambda: drawn.fill("42", [n], [(0, n)], (out.data_ptr(), out.nbytes), 1))


def large():
    config = tf.LlamaConfig(
        hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8, vocab_size=128256
    )
    started = time.process_time()
    model, plan = fanin.torch.record(lambda: tf.LlamaForCausalLM(config))
    print(f"Llama-3-8B recorded: {time.process_time() - started:.2f} s, {len(plan.operations)} operations", flush=True)
    end = None

    def places():
        nonlocal end
        end = Replay(plan, 42).end()

    timed("its places", places, 1)
    print(f"the generator ends at {end}")

    def seek():
        out = torch.empty(16)
        for operation, place in zip(plan.operations, replay.places):
            _fanin.TorchDraw("uniform:low=0.0,high=1.0", 16, "f32", True).fill(place, [16], [(0, 16)], (out.data_ptr(), out.nbytes), 1)

    replay = Replay(plan, 42)
    replay.end()
    timed(f"sixteen values at each of its {len(plan.operations)} places", seek, 2)
    for rank in (0, RANKS - 1):
        total = 0

        def part():
            nonlocal total
            total = 0
            for entry in plan:
                node = plan.nodes[entry.name]
                if not isinstance(node, Drawn) or node.law.is_constant:
                    continue
                rows = entry.shape[0]
                block = [(rows * rank // RANKS, rows * (rank + 1) // RANKS), *((0, size) for size in entry.shape[1:])]
                out = torch.empty([stop - start for start, stop in block])
                replay.put(node, block, out)
                total += out.numel()

        seconds = timed(f"rows of rank {rank} of {RANKS}", part, 1)
        print(f"  {total} values, {total / seconds / 1e6:.0f} million a second")
    out = torch.empty(total)
    timed("as many values, torch's own normal_", lambda: out.normal_(0, 0.02), 1)


if __name__ == "__main__":
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    torch.set_num_threads(1)
    values()
    large()
