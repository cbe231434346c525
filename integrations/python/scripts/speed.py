"""Times and memory of starting a model, beside torch's own initialisation: GPT-2, and a Llama of 300 million.

    python scripts/speed.py

Each in a process of its own, on one thread and on two: seconds, best of three, and by how much memory grew beyond what the weights take.
"""

import os
import resource
import subprocess
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
MODELS = ("gpt2", "llama")


def build(name):
    import transformers

    if name == "gpt2":
        config, cls = transformers.GPT2Config(), transformers.GPT2LMHeadModel
        return lambda: cls._from_config(config)
    config = transformers.LlamaConfig(
        vocab_size=32000, hidden_size=1024, intermediate_size=2816, num_hidden_layers=18, num_attention_heads=16, num_key_value_heads=8
    )
    cls = transformers.LlamaForCausalLM
    return lambda: cls._from_config(config)


def one(name, how, threads):
    import fanin.torch
    import torch

    torch.set_num_threads(threads)
    make = build(name)
    fanin.torch.record(lambda: torch.nn.Linear(2, 2))
    torch.nn.init.normal_(torch.empty(1000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    best, times = float("inf"), None
    for _ in range(3):
        model = None
        started = time.perf_counter()
        if how == "torch":
            model = make()
            recorded = started
        else:
            model, plan = fanin.torch.record(make)
            recorded = time.perf_counter()
            plan.materialize_(model, seed=42, threads=threads)
        took = time.perf_counter() - started
        if took < best:
            best, times = took, (recorded - started, took - (recorded - started))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    weights = sum(p.numel() * p.element_size() for p in model.parameters()) / 2**20
    count = sum(p.numel() for p in model.parameters())
    parts = f" (record {times[0]:.2f}, draw {times[1]:.2f})" if how == "fanin" else ""
    print(f"| {name}, {count / 1e6:.0f} M | {how} | {threads} | {best:.2f}{parts} | {weights:.0f} MiB | {grown:.0f} MiB |", flush=True)


if len(sys.argv) == 4:
    one(sys.argv[1], sys.argv[2], int(sys.argv[3]))
else:
    print(
        "| model | by | threads | seconds | weights | memory's peak beyond what was there |\n| --- | --- | --- | --- | --- | --- |",
        flush=True,
    )
    for name in MODELS:
        for threads in (1, 2):
            for how in ("torch", "fanin"):
                environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
                subprocess.run([sys.executable, __file__, name, how, str(threads)], check=True, env=environment)
