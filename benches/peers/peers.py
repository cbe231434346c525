#!/usr/bin/env python3
"""fanin beside its peers, in one run: how many values a second each draws into memory that it already has.

    cargo build --release --workspace
    pip install numpy mkl torch tensorflow-cpu jax     # any of them; cupy for cuRAND
    python3 benches/peers/peers.py

What is not measured is named below the table, with what it takes. CPU rows are pinned to as many cores as the row says has
threads; NumPy, MKL and PyTorch draw on one thread whatever they are given. GPU rows need a GPU: `--device` is the adapter that
fanin takes, and PyTorch's CUDA and CuPy's cuRAND run where there is CUDA. Burn takes minutes to build, and its program, for
`--burn`, runs on wgpu's default adapter: choose with VK_DRIVER_FILES. Every number is the median of `--runs` runs after one
that does not count. MKL has code for each of Intel's processors and for any other one, `def`: its rows say which it took.
"""

import argparse
import ctypes
import importlib.metadata
import json
import os
import re
import statistics
import subprocess
import sys
import time
from typing import Callable, NamedTuple


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


def mkl_library():
    """MKL's one library that loads the others, where pip puts it, or where the system's loader finds it."""
    try:
        files = importlib.metadata.files("mkl") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    names = [str(file.locate()) for file in files if re.fullmatch(r"libmkl_rt\.so[.0-9]*|mkl_rt.*\.dll", file.name)]
    for name in [*names, "libmkl_rt.so"]:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise ImportError("there is no libmkl_rt")


def mkl_rows(size, threads):
    mkl = mkl_library()
    mkl.MKL_Set_Num_Threads(threads)
    about = ctypes.create_string_buffer(200)
    mkl.mkl_get_version_string(about, len(about) - 1)
    version = re.search(r"Version ([0-9.]+)", about.value.decode())[1]
    draws = {which: getattr(mkl, f"vsRng{which}_64") for which in ["Uniform", "Gaussian"]}
    for draw in draws.values():
        number, pointer = ctypes.c_int64, ctypes.c_void_p
        draw.argtypes = [number, pointer, number, pointer, ctypes.c_float, ctypes.c_float]
    mkl.MKL_malloc.argtypes, mkl.MKL_malloc.restype = [ctypes.c_size_t, ctypes.c_int], ctypes.c_void_p
    out = mkl.MKL_malloc(4 * size, 64)
    if not out:
        raise MemoryError("MKL has no memory for so many elements")

    def draw(which, method, stream, a, b):
        if status := draws[which](method, stream, size, out, a, b):
            raise RuntimeError(f"vsRng{which} gave {status}")

    # VSL_BRNG_* and VSL_RNG_METHOD_* of mkl_vsl_defines.h.
    for generator, number in [("PHILOX4X32X10", 16), ("ARS5", 15), ("SFMT19937", 13)]:
        stream = ctypes.c_void_p()
        if status := mkl.vslNewStream(ctypes.byref(stream), ctypes.c_int(number << 20), ctypes.c_uint(42)):
            raise RuntimeError(f"vslNewStream gave {status} for {generator}")
        # Which of its libraries it took for this processor: libmkl_vml_avx512, libmkl_vml_def for any processor, and so on.
        with open("/proc/self/maps") as maps:
            code = ", ".join(sorted(set(re.findall(r"libmkl_vml_(\w+)", maps.read()))))
        name = f"MKL {version} ({code})"
        yield f"{name}, {generator}", "uniform", "f32", lambda: draw("Uniform", 0, stream, -1.0, 1.0)
        for method, number in [("BOXMULLER2", 1), ("ICDF", 2)]:
            yield f"{name}, {generator}, {method}", "normal", "f32", lambda: draw("Gaussian", number, stream, 0.0, 1.0)


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


class Peer(NamedTuple):
    name: str
    rows: Callable
    install: str


ON_CPU = [
    Peer("NumPy", numpy_rows, "pip install numpy"),
    Peer("MKL", mkl_rows, "pip install mkl"),
    Peer("PyTorch", torch_rows, "pip install torch"),
    Peer("TensorFlow", tensorflow_rows, "pip install tensorflow-cpu"),
    Peer("JAX", jax_rows, "pip install jax"),
]
ON_CUDA = [
    Peer("PyTorch CUDA", torch_cuda_rows, "pip install torch, and a GPU with CUDA"),
    Peer("CuPy", cupy_rows, "pip install cupy-cuda12x, and a GPU with CUDA"),
]
BURN = "cargo build --release --manifest-path benches/peers/burn/Cargo.toml, and --burn with the program that comes of it"


def be_peer(peer, size, runs, threads):
    """A peer's rows, in a process of its own: frameworks do not share threads and memory well."""
    rows, why = [], None
    try:
        for name, distribution, dtype, draw in peer.rows(size, threads):
            seconds = median_seconds(draw, runs)
            rows.append({"device": name, "distribution": distribution, "dtype": dtype, "seconds": seconds})
    except ImportError as error:
        why = f"not installed ({error}): {peer.install}"
    except Exception as error:  # without a GPU, CUDA's frameworks each fail in their own way
        why = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}; it takes {peer.install}"
    print(json.dumps({"rows": rows, "why": why}))


def printed(command, cores=None):
    """The JSON that a program prints, with only so many cores to use."""
    pin = (lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])) if cores else None
    return json.loads(subprocess.run(command, preexec_fn=pin, stdout=subprocess.PIPE, check=True, text=True).stdout)


def processor():
    """What this machine calls its processor. A virtual machine's name may be vague, its family and model are not."""
    with open("/proc/cpuinfo") as cpuinfo:
        facts = dict(re.findall(r"^(.+?)\s*:\s*(.*)$", cpuinfo.read().split("\n\n")[0], re.MULTILINE))
    numbers = ", ".join(f"{key} {facts[key]}" for key in ["cpu family", "model"] if key in facts)
    flags = f"{facts.get('flags', '')} {facts.get('Features', '')}".split()
    widest = [flag for flag in ["avx512f", "avx2", "asimd"] if flag in flags]
    name = facts.get("model name", "a processor without a name")
    return f"{name} ({', '.join(filter(None, [numbers, *widest[:1]]))})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1 << 24, help="elements of each fill")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--fanin", default="target/release/fanin", help="the program")
    parser.add_argument("--burn", help="what benches/peers/burn builds")
    parser.add_argument("--device", help="the adapter that fanin draws on beside the CPU, as for fanin bench")
    parser.add_argument("--peer", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.size < 1 or given.runs < 1:
        parser.error("--size and --runs are at least 1")
    everyone = ON_CPU + ON_CUDA
    if given.peer is not None:
        return be_peer(everyone[given.peer], given.size, given.runs, given.threads)

    amount = ["--size", str(given.size), "--runs", str(given.runs)]
    unmeasured = {}

    def peer_rows(peer, threads=1, cores=None):
        number = str(everyone.index(peer))
        try:
            said = printed([sys.executable, __file__, "--peer", number, "--threads", str(threads), *amount], cores)
        except subprocess.CalledProcessError as error:
            said = {"rows": [], "why": f"its process failed: {error}"}
        if said["why"]:
            unmeasured[peer.name] = said["why"]
        return said["rows"]

    def fanin_rows(*options, cores=None):
        try:
            return printed([given.fanin, "bench", "--json", *amount, *options], cores)
        except FileNotFoundError:
            sys.exit(f"there is no {given.fanin}: cargo build --release --workspace, or --fanin")
        except subprocess.CalledProcessError as error:
            sys.exit(f"fanin bench failed: {error}")

    # First, so that a device that does not exist is not said after minutes.
    on_gpu, no_gpu = [], "no --device was given"
    if given.device:
        on_gpu = [row for row in fanin_rows("--device", given.device) if row["backend"] != "cpu"]
        no_gpu = f"--device {given.device} is the CPU here"
    load = os.getloadavg()[0]
    parts = []
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        fanin = fanin_rows("--device", "cpu", "--threads", str(threads), cores=threads)
        parts.append((f"CPU, {threads} thread(s)", fanin, [r for p in ON_CPU for r in peer_rows(p, threads, threads)]))
    if on_gpu:
        peers = [row for peer in ON_CUDA for row in peer_rows(peer)]
        if given.burn:
            try:
                peers += printed([given.burn, str(given.size), str(given.runs)])
            except (OSError, subprocess.CalledProcessError) as error:
                unmeasured["Burn"] = str(error)
        else:
            unmeasured["Burn"] = BURN
        parts.append((on_gpu[0]["device"], on_gpu, peers))
    else:
        unmeasured.update({peer.name: f"{no_gpu}; it takes {peer.install}" for peer in ON_CUDA})
        unmeasured["Burn"] = f"{no_gpu}; it takes {BURN}"

    print(f"{given.size} elements, median of {given.runs} runs, 10^9 values/s")
    print(f"{processor()}, {len(os.sched_getaffinity(0))} core(s), load {load:.1f} before the peers\n")
    print("| where | distribution | dtype | fanin | peer | peer's | fanin : peer |\n|---|---|---|---|---|---|---|")
    for where, fanin, peers in parts:
        for ours in fanin:
            speed = f"{given.size / ours['seconds'] / 1e9:.3f}"
            if not peers:
                print(f"| {where} | {ours['distribution']} | {ours['dtype']} | {speed} | none | | |")
            same = [p for p in peers if (p["distribution"], p["dtype"]) == (ours["distribution"], ours["dtype"])]
            for peer in same:
                name = peer["device"] if peer.get("backend") is None else peer["backend"]
                cells = [where, ours["distribution"], ours["dtype"], speed, name]
                cells += [f"{given.size / peer['seconds'] / 1e9:.3f}", f"{peer['seconds'] / ours['seconds']:.2f}"]
                print("| " + " | ".join(cells) + " |")
    if unmeasured:
        print("\nNot measured:")
        for name, why in unmeasured.items():
            print(f"- {name}: {why}")


if __name__ == "__main__":
    main()
