#!/usr/bin/env python3
"""What PyTorch's generator on the CPU draws, for tests/cpu/torch.rs: makes torch_draws.txt again, or compares it with the PyTorch that is here.

    pip install torch
    ATEN_CPU_CAPABILITY=avx2 python3 tests/golden/torch_draws.py            # says which lines the installed PyTorch draws otherwise
    ATEN_CPU_CAPABILITY=avx2 python3 tests/golden/torch_draws.py --write    # writes what it draws

A line is a seed; what is drawn one after the other after torch.manual_seed, each as a scheme, a dtype, how many elements, and `strided` for
memory with gaps, of truncated normals for that of a transpose; how many words the generator has handed out then; whether a value of a pair is left; and the SHA-256 of the values'
little-endian bytes. It needs x86-64 with AVX2: other kernels draw other normals.
"""

import argparse
import hashlib
import pathlib
import struct
import sys

import torch

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "f64": torch.float64}
SIZES = (1, 2, 3, 8, 15, 16, 17, 31, 32, 33, 37, 40, 1000, 1003, 65536, 100003, 1 << 20, (1 << 20) + 7)
SCHEMES = (
    "uniform:low=-0.0441,high=0.0441",
    "uniform:low=0,high=1",
    "normal:mean=0,std=1",
    "normal:mean=0.5,std=0.02",
    "truncated_normal:mean=0,std=1,low=-2,high=2",
    "truncated_normal:mean=0,std=0.02,low=-2,high=2",
    "truncated_normal:mean=1,std=0.5,low=0.7,high=3",
)


def cases():
    for dtype in DTYPES:
        for scheme in SCHEMES:
            sizes = [size for size in SIZES if size < 200000 or not scheme.startswith("truncated") and "0.5" not in scheme]
            for size in sizes:
                yield 42, f"{scheme} {dtype} {size}"
            for size in (1, 15, 16, 40, 1001):
                yield 0, f"{scheme} {dtype} {size} strided"
    for seed in (0, 2**32 + 42, 2**64 - 1, 137):
        yield seed, "normal:mean=0,std=1 f32 4096"
    # What is left of a pair, and who takes it.
    small, serial = "normal:mean=0.5,std=0.02", "truncated_normal:mean=0,std=1,low=-2,high=2"
    for dtype in DTYPES:
        for last in (f"{small} {dtype} 1", f"{small} {dtype} 7", f"{small} {dtype} 100 strided", f"{serial} {dtype} 9", f"{small} {dtype} 16"):
            yield 7, f"{small} f32 15; {last}"
            yield 7, f"{small} bf16 3; uniform:low=0,high=1 {dtype} 100; normal:mean=0,std=1 {dtype} 33; {last}"
    yield 42, "uniform:low=0,high=1 f32 0; normal:mean=0,std=1 f32 0; normal:mean=0,std=1 f32 1 strided"


def drawn(seed, text):
    torch.manual_seed(seed)
    digest = hashlib.sha256()
    for draw in text.split("; "):
        scheme, dtype, size, *strided = draw.split()
        name, numbers = scheme.split(":")
        of = {key: float(value) for key, value in (pair.split("=") for pair in numbers.split(","))}
        size = int(size)
        tensor = torch.empty(size, dtype=DTYPES[dtype])
        if strided and name == "truncated_normal":
            rows = next(rows for rows in (2, 3, 7, 1) if size % rows == 0)
            tensor = tensor.view(rows, -1).t()
        elif strided and size > 1:
            # One element has no gaps.
            tensor = torch.empty(2 * size, dtype=DTYPES[dtype])[::2]
        if name == "uniform":
            tensor.uniform_(of["low"], of["high"])
        elif name == "normal":
            tensor.normal_(of["mean"], of["std"])
        else:
            torch.nn.init.trunc_normal_(tensor, of["mean"], of["std"], of["low"], of["high"])
        # In memory's order.
        digest.update(tensor.t().contiguous().view(torch.uint8).numpy().tobytes())
    state = torch.get_rng_state().numpy().tobytes()
    spare = struct.unpack_from("<i", state, 24 + 8 * 624 + 24)[0]
    return f"{seed} | {text} | {words(seed, state)} | {'pair' if spare else '-'} | {digest.hexdigest()}"


def words(seed, state):
    """How many words come before a state: another generator walks there, 624 words at a time."""
    (left,) = struct.unpack_from("<i", state, 8)
    (following,) = struct.unpack_from("<Q", state, 16)
    walker = torch.Generator().manual_seed(seed)
    at, block = 0, torch.empty(624, dtype=torch.int32)
    while walker.get_state().numpy().tobytes()[24 : 24 + 8 * 624] != state[24 : 24 + 8 * 624]:
        block.random_(generator=walker)
        at += 624
    if at == 0:
        return 0
    return at - 624 + (624 if left == 1 else following)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    path = pathlib.Path(__file__).with_suffix(".txt")
    lines = [drawn(*case) for case in cases()]
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}", file=sys.stderr)
    if options.write:
        path.write_text(f"# torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}; made by torch_draws.py\n" + "\n".join(lines) + "\n")
        return
    stored = path.read_text().splitlines()[1:]
    differ = [line for line, known in zip(lines, stored, strict=True) if line != known]
    for line in differ:
        print(line)
    print(f"{len(differ)} of {len(lines)} lines differ")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
