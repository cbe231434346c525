"""NumPy arrays, drawn in place or anew."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from . import _fanin
from ._fanin import Error

# A slice along a dimension that has a scheme of its own: the dimension, from, before, the scheme.
Slice = tuple[int, int, int, str]


def seed_text(seed) -> str:
    """A seed as the library reads it; no seed is an error, since whoever forgets one wants none in particular."""
    if isinstance(seed, str):
        return seed
    if seed is None or isinstance(seed, bool):
        raise Error(f"the seed is {seed}, allowed: a whole number from 0 to 2^64 - 1")
    try:
        return str(operator.index(seed))
    except TypeError:
        raise Error(f"the seed is {seed!r}, allowed: a whole number from 0 to 2^64 - 1") from None


def shape_of(shape) -> list[int]:
    """A shape as the library reads it."""
    sizes = [shape] if isinstance(shape, (int, np.integer)) else list(shape)
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 0:
            raise Error(f"the shape is {tuple(sizes)}, allowed: whole numbers from 0 on")
    return [int(size) for size in sizes]


def dtype_name(dtype, wide: bool = False) -> str:
    """The dtype that is drawn for one of NumPy's or a name: f32 for float64 where it is to be `wide`, and f64 refused else."""
    name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
    if name in ("f64", "float64", "double"):
        if wide:
            return "f32"
        raise Error("the dtype is f64, allowed: f32, f16, bf16; or f64 with widen=True, which draws f32 and widens it")
    return name


def numpy_dtype(name: str) -> np.dtype:
    """NumPy's dtype of that name; bf16 is that of ml_dtypes."""
    if name in ("bf16", "bfloat16"):
        try:
            import ml_dtypes
        except ImportError:
            raise Error("the dtype is bf16, which NumPy has not, allowed: f32, f16, or bf16 with the package ml_dtypes") from None
        return np.dtype(ml_dtypes.bfloat16)
    names = {"f32": "float32", "f16": "float16", "half": "float16", "f64": "float64", "double": "float64"}
    try:
        return np.dtype(names.get(name, name))
    except TypeError:
        raise Error(f"the dtype is {name!r}, allowed: f32, f16, bf16") from None


def drawing(scheme, shape, *, seed, name, dtype, layout="out_in", slices: Sequence[Slice] = ()) -> _fanin.Draw:
    """A tensor, ready to be drawn."""
    return _fanin.Draw(scheme, shape_of(shape), seed=seed_text(seed), name=name, dtype=dtype, layout=layout, slices=list(slices))


def block_of(index, shape) -> list[tuple[int, int]]:
    """A block, (start, stop) for each dimension, of an index of slices such as `np.s_[2:4, :]`."""
    if index is None:
        return [(0, size) for size in shape]
    index = index if isinstance(index, tuple) else (index,)
    if len(index) > len(shape):
        raise Error(f"the block is {index}, allowed: at most {len(shape)} slices, of the shape {tuple(shape)}")
    block = []
    for at, size in zip((*index, *[slice(None)] * (len(shape) - len(index))), shape):
        if not isinstance(at, slice) or at.step not in (None, 1):
            raise Error(f"the block is {index}, allowed: slices without steps, such as np.s_[2:4, :]")
        start, stop, _ = at.indices(size)
        block.append((start, max(start, stop)))
    return block


def array(
    scheme: str,
    shape,
    *,
    seed: int | str,
    name: str | None,
    dtype="f32",
    layout: str = "out_in",
    slices: Sequence[Slice] = (),
    block=None,
    out: np.ndarray | None = None,
    widen: bool = False,
    threads: int | None = None,
) -> np.ndarray:
    """An array of a scheme: the tensor of this seed and name, or a block of it.

    `shape` is the whole tensor's, by which a scheme of fans is resolved as `layout` says (`out_in`: PyTorch's, `in_out`: Keras' and JAX').
    `slices` are slices along a dimension that have schemes of their own, of which the last counts. `block` is an index of slices,
    `np.s_[2:4, :]`, and then the result has its shape, and the bits that these elements have in the whole. `out` is drawn into: an array of
    that shape, of any strides, whose dtype counts then. `name=None` is for other frameworks' seeds alone, `jax:42`, which then are the tensor's own.

    Raises `fanin.Error`, a `ValueError`, that names the thing, its value and what is allowed. float64 is refused, or with `widen=True` f32
    is drawn and widened.
    """
    if out is not None:
        if not isinstance(out, np.ndarray):
            raise Error(f"out is of the type {type(out).__name__}, allowed: a NumPy array")
        if not out.flags.writeable:
            raise Error("out is read-only, allowed: an array that can be written")
        dtype = out.dtype
    named = dtype_name(dtype, widen)
    draw = drawing(scheme, shape, seed=seed, name=name, dtype=named, layout=layout, slices=slices)
    ranges = block_of(block, draw.shape)
    sizes = tuple(stop - start for start, stop in ranges)
    if out is None:
        out = np.empty(sizes, numpy_dtype(dtype if isinstance(dtype, str) else np.dtype(dtype).name))
    elif out.shape != sizes:
        raise Error(f"the shape of out is {out.shape}, allowed: {sizes}, the block's")
    drawn_in = numpy_dtype(named)
    dense = out if out.flags.c_contiguous and out.dtype == drawn_in and out.dtype.isnative else np.empty(sizes, drawn_in)
    draw.fill(dense.ctypes.data if dense.size else 0, dense.nbytes, ranges, threads)
    if dense is not out:
        out[...] = dense
    return out


def digest(
    scheme: str, shape, *, seed: int | str, name: str | None, dtype="f32", layout: str = "out_in", slices: Sequence[Slice] = ()
) -> str:
    """The SHA-256, in hexadecimal, of a tensor's little-endian bytes: what `fanin fill --digest` prints. The whole is not kept in memory."""
    return drawing(scheme, shape, seed=seed, name=name, dtype=dtype_name(dtype), layout=layout, slices=slices).digest()


def resolve(scheme: str, shape, layout: str = "out_in") -> str:
    """The text of a scheme that is resolved for a weight of a shape: `he_normal` for [64, 32] is `normal:mean=0,std=0.25`."""
    return _fanin.resolve(scheme, shape_of(shape), layout)


def preset(name: str) -> str:
    """The rules that come with fanin under a name, `gpt2` or `pytorch`: a TOML text."""
    return _fanin.preset(name)
