#!/usr/bin/env python3
"""fanin beside its peers, in one run: how many values a second each draws into memory that it already has.

    cargo build --release --workspace
    pip install numpy torch tensorflow-cpu jax     # any of them; cupy for cuRAND
    python3 benches/peers/peers.py

What is not installed is left out. CPU rows are pinned to as many cores as the row says has threads. GPU rows need a GPU:
`--device` is the adapter that fanin takes, and PyTorch's CUDA and CuPy's cuRAND run where there is CUDA. Burn takes minutes
to build, `cargo build --release --manifest-path benches/peers/burn/Cargo.toml`; `--burn PROGRAM` is what comes of it, which
runs on wgpu's default adapter: choose with VK_DRIVER_FILES. Every number is the median of `--runs` runs after one that does
not count.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time


def median_seconds(draw, runs):
    draw()
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        draw()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def numpy_rows(size, threads):
    import numpy

    name = f"NumPy {numpy.__version__}, PCG64"
    rng = numpy.random.Generator(numpy.random.PCG64(42))
    out = numpy.empty(size, numpy.float32)
    yield name, "uniform", "f32", lambda: rng.random(out=out, dtype=numpy.float32)
    yield name, "normal", "f32", lambda: rng.standard_normal(out=out, dtype=numpy.float32)


def torch_rows(size, threads, cuda=False):
    import torch

    name = f"PyTorch {torch.__version__}"
    if cuda:
        name = f"PyTorch {torch.__version__} CUDA"
        device, wait = "cuda", torch.cuda.synchronize
    else:
        torch.set_num_threads(threads)
        device, wait = "cpu", lambda: None
    for dtype, kind in [("f32", torch.float32), ("bf16", torch.bfloat16)]:
        out = torch.empty(size, dtype=kind, device=device)
        yield name, "constant", dtype, lambda: (out.fill_(1.0), wait())
        yield name, "uniform", dtype, lambda: (out.uniform_(-1.0, 1.0), wait())
        yield name, "normal", dtype, lambda: (out.normal_(), wait())
        truncated = torch.nn.init.trunc_normal_
        yield name, "truncated_normal", dtype, lambda: (truncated(out, 0.0, 1.0, -2.0, 2.0), wait())


def torch_cuda_rows(size, threads):
    yield from torch_rows(size, threads, cuda=True)


def tensorflow_rows(size, threads):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    name = f"TensorFlow {tensorflow.__version__}, stateless Philox"
    random, seed = tensorflow.random, [4, 2]
    yield name, "uniform", "f32", lambda: random.stateless_uniform([size], seed, alg="philox").device
    yield name, "normal", "f32", lambda: random.stateless_normal([size], seed, alg="philox").device
    yield name, "truncated_normal", "f32", lambda: random.stateless_truncated_normal([size], seed, alg="philox").device


def jax_rows(size, threads):
    import jax

    name = f"JAX {jax.__version__}, jitted, {jax.default_backend()}"
    key, random = jax.random.key(42), jax.random
    jitted = {
        "uniform": jax.jit(lambda key: random.uniform(key, (size,))),
        "normal": jax.jit(lambda key: random.normal(key, (size,))),
        "truncated_normal": jax.jit(lambda key: random.truncated_normal(key, -2.0, 2.0, (size,))),
    }
    for distribution, draw in jitted.items():
        yield name, distribution, "f32", lambda draw=draw: draw(key).block_until_ready()


def cupy_rows(size, threads):
    import cupy

    name = f"CuPy {cupy.__version__}, cuRAND Philox"
    rng = cupy.random.Generator(cupy.random.Philox4x3210(42))
    out, wait = cupy.empty(size, cupy.float32), cupy.cuda.runtime.deviceSynchronize
    yield name, "uniform", "f32", lambda: (rng.random(size, dtype=cupy.float32, out=out), wait())
    yield name, "normal", "f32", lambda: (rng.standard_normal(size, dtype=cupy.float32, out=out), wait())


ON_CPU = {"numpy": numpy_rows, "torch": torch_rows, "tensorflow": tensorflow_rows, "jax": jax_rows}
ON_CUDA = {"torch-cuda": torch_cuda_rows, "cupy": cupy_rows}


def be_peer(peer, size, runs, threads):
    """A peer's rows, in a process of its own: frameworks do not share threads and memory well."""
    rows = []
    try:
        for name, distribution, dtype, draw in {**ON_CPU, **ON_CUDA}[peer](size, threads):
            seconds = median_seconds(draw, runs)
            rows.append({"device": name, "distribution": distribution, "dtype": dtype, "seconds": seconds})
    except ImportError as error:
        print(f"{peer} is left out: {error}", file=sys.stderr)
    except Exception as error:  # without a GPU, CUDA's frameworks each fail in their own way
        print(f"{peer} is left out: {type(error).__name__}: {str(error).splitlines()[0]}", file=sys.stderr)
    print(json.dumps(rows))


def rows_of(command, cores=None):
    """The rows that a program prints, with only so many cores to use."""
    pin = (lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])) if cores else None
    done = subprocess.run(command, preexec_fn=pin, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1 << 24, help="elements of each fill")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--fanin", default="target/release/fanin", help="the program")
    parser.add_argument("--burn", help="what benches/peers/burn builds")
    parser.add_argument("--device", help="the adapter that fanin draws on beside the CPU, as for fanin bench")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peer:
        return be_peer(given.peer, given.size, given.runs, given.threads)

    amount = ["--size", str(given.size), "--runs", str(given.runs)]

    def peer_rows(peer, threads=1, cores=None):
        return rows_of([sys.executable, __file__, "--peer", peer, "--threads", str(threads), *amount], cores)

    bench = [given.fanin, "bench", "--json", *amount]
    parts = []
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        fanin = rows_of([*bench, "--device", "cpu", "--threads", str(threads)], threads)
        parts.append((f"CPU, {threads} thread(s)", fanin, [r for p in ON_CPU for r in peer_rows(p, threads, threads)]))
    if given.device:
        fanin = [row for row in rows_of([*bench, "--device", given.device]) if row["backend"] != "cpu"]
        peers = [row for peer in ON_CUDA for row in peer_rows(peer)]
        if given.burn:
            peers += rows_of([given.burn, str(given.size), str(given.runs)])
        parts.append((fanin[0]["device"], fanin, peers))

    print(f"{given.size} elements, median of {given.runs} runs, 10^9 values/s\n")
    print("| where | distribution | dtype | fanin | peer | peer's | fanin : peer |\n|---|---|---|---|---|---|---|")
    for where, fanin, peers in parts:
        for ours in fanin:
            same = [p for p in peers if (p["distribution"], p["dtype"]) == (ours["distribution"], ours["dtype"])]
            for peer in same:
                name = peer["device"] if peer.get("backend") is None else peer["backend"]
                cells = [where, ours["distribution"], ours["dtype"], f"{given.size / ours['seconds'] / 1e9:.3f}", name]
                cells += [f"{given.size / peer['seconds'] / 1e9:.3f}", f"{peer['seconds'] / ours['seconds']:.2f}"]
                print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
