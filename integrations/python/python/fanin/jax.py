"""JAX arrays of any sharding, the same bits on any mesh.

    w = fanin.jax.array("he_normal", (1024, 4096), sharding=NamedSharding(mesh, P("x")), seed=42, name="dense.kernel")

Each device's part is drawn by itself, by `jax.make_array_from_callback`: nothing is drawn whole and shared out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from . import _fanin
from ._fanin import Error
from .arrays import Slice, drawing, dtype_name, numpy_dtype

__all__ = ["array", "init_like"]


def array(
    scheme: str,
    shape,
    *,
    seed: int | str,
    name: str | None,
    dtype="float32",
    sharding: jax.sharding.Sharding | None = None,
    layout: str = "in_out",
    slices: Sequence[Slice] = (),
) -> jax.Array:
    """A JAX array of a scheme: the tensor of this seed and name, shared out as `sharding` says (on the default device, without one).

    `shape` is the whole array's, by which a scheme of fans is resolved; `layout` says what its dimensions mean, `in_out` as of Flax's kernels.
    `slices` are slices along a dimension, (dim, start, stop, scheme), that have schemes of their own. Raises `fanin.Error`, a `ValueError`:
    of float64, of no seed, of what a scheme or a sharding cannot do.
    """
    named = dtype_name(dtype if isinstance(dtype, str) else np.dtype(dtype).name)
    draw = drawing(scheme, shape, seed=seed, name=name, dtype=named, layout=layout, slices=slices)
    shape, of = tuple(draw.shape), numpy_dtype(named)

    def part(index) -> np.ndarray:
        block = [at.indices(size)[:2] for at, size in zip(index, shape)]
        out = np.empty([stop - start for start, stop in block], of)
        draw.fill(out.ctypes.data if out.size else 0, out.nbytes, block)
        return out

    if sharding is None:
        sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    try:
        return jax.make_array_from_callback(shape, sharding, part, dtype=of)
    except ValueError as error:
        if isinstance(error, Error):
            raise
        raise Error(f"array {name!r} of the shape {shape} cannot be shared out: {error}") from error


def init_like(tree, rules, *, seed: int | str, shardings=None, dtype=None):
    """A tree of arrays like a tree of `jax.ShapeDtypeStruct`s, such as `jax.eval_shape` or `nnx.eval_shape` gives.

    Names are the paths in the tree, with points between: `params.dense.kernel`. `rules` is the name of a preset (`flax`), a TOML text of rules,
    a mapping of names to schemes, or a plan of `fanin.torch`. `shardings` is one sharding for all, a tree of them, or None. `dtype` is that of
    all; without it, what the rules say, or the leaf's own. Raises `fanin.Error` with the array's name.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    planned = _planned(rules, [(name, [int(size) for size in leaf.shape]) for name, (_, leaf) in zip(names, leaves)])
    if shardings is None or isinstance(shardings, jax.sharding.Sharding):
        each = [shardings] * len(leaves)
    else:
        each = structure.flatten_up_to(shardings)
    arrays = []
    for name, (_, leaf), sharding in zip(names, leaves, each):
        if not jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating):
            raise Error(f"array {name!r}: the dtype is {leaf.dtype}, allowed: floats; a tree of weights has no others")
        scheme, stream, of_rule, slices = planned[name]
        if scheme is None:
            raise Error(f"array {name!r} is skipped by the rules, allowed: rules that have a scheme for it, or a tree without it")
        try:
            made = array(scheme, leaf.shape, seed=seed, name=stream, dtype=dtype or of_rule or leaf.dtype, sharding=sharding, slices=slices)
        except Error as error:
            raise Error(f"array {name!r}: {error}") from None
        arrays.append(made)
    return jax.tree_util.tree_unflatten(structure, arrays)


def _planned(rules, tensors):
    """By name: the scheme, the stream, the dtype that a rule asks for, slices."""
    if isinstance(rules, str):
        text = rules if "[[rule]]" in rules else _fanin.preset(rules)
        return {name: (scheme, stream, dtype, slices) for name, scheme, stream, dtype, slices in _fanin.plan(text, tensors)}
    found = {}
    for name, _ in tensors:
        try:
            of = rules[name]
        except KeyError:
            raise Error(f"array {name!r} is not among those that have a scheme, allowed: a scheme for each of the tree's arrays") from None
        if isinstance(of, str):
            found[name] = (of, name, None, [])
        elif getattr(of, "kind", None) == "drawn":
            found[name] = (of.scheme, of.stream, None, of.slices)
        else:
            raise Error(f"array {name!r}: it is {getattr(of, 'text', lambda: repr(of))()}, allowed: what is drawn by a scheme")
    if not isinstance(rules, Mapping) and not hasattr(rules, "entries"):
        raise Error(f"the rules are of the type {type(rules).__name__}, allowed: a preset's name, TOML, a mapping, or a plan")
    return found
