"""What tensors hold while a model is built: a graph of draws, given values, and what is computed of them."""

from __future__ import annotations

import itertools
import math
from typing import Any, Callable

import torch
from torch.utils._pytree import tree_leaves, tree_map

from .law import Law

# Where a view's elements are in its storage: the offset, the size, the strides, all in elements.
Geometry = tuple[int, tuple[int, ...], tuple[int, ...]]


class Node:
    """What a tensor of a shape and a dtype holds.

    `law` is that of its elements, if there is one in closed form; `source` the one draw whose elements they are made of, each of the
    element of the same number in row-major order; `draws` all that it depends on; `cause` says why it is not known, if it is not.
    """

    law: Law | None = None
    source: "Drawn | None" = None
    draws: frozenset["Drawn"] = frozenset()
    cause: str | None = None

    def __init__(self, shape, dtype):
        self.shape = tuple(shape)
        self.dtype = dtype

    @property
    def is_random(self) -> bool:
        return bool(self.draws) or self.cause is not None


_numbers = itertools.count()


class Drawn(Node):
    """A tensor of random numbers; `number` says which were drawn before."""

    def __init__(self, shape, dtype, law: Law):
        super().__init__(shape, dtype)
        self.number = next(_numbers)
        self.law = law
        # Which of the recording's operations drew it.
        self.operation: int | None = None
        if not law.is_constant:
            self.source = self
            self.draws = frozenset([self])


class Full(Node):
    """One number, everywhere."""

    def __init__(self, shape, dtype, value):
        super().__init__(shape, dtype)
        self.value = value
        self.law = Law("constant", (("value", float(value)),)) if not isinstance(value, complex) else None


class Given(Node):
    """Values."""

    def __init__(self, tensor: torch.Tensor):
        super().__init__(tensor.shape, tensor.dtype)
        self.tensor = tensor


class Unknown(Node):
    """What cannot be told, and why."""

    def __init__(self, shape, dtype, cause: str):
        super().__init__(shape, dtype)
        self.cause = cause


class Computed(Node):
    """What a function makes of other tensors."""

    def __init__(
        self, shape, dtype, function: Callable, args=(), kwargs=None, *, name="", changes=False, index=None, law=None, source=None
    ):
        super().__init__(shape, dtype)
        self.function, self.args, self.kwargs = function, args, kwargs or {}
        # Whether it changes its first argument, and which of its results it is.
        self.name, self.changes, self.index = name, changes, index
        self.law, self.source = law, source
        nodes = [leaf for leaf in tree_leaves((args, self.kwargs), is_leaf=_is_node) if isinstance(leaf, Node)]
        self.draws = frozenset().union(*(node.draws for node in nodes))
        self.cause = next((node.cause for node in nodes if node.cause), None)


class Written(Node):
    """A storage's first elements, on which others were written, the last of which counts."""

    def __init__(self, shape, dtype, stride, size: int, writes: tuple[tuple[Geometry, Node], ...]):
        super().__init__(shape, dtype)
        self.stride, self.size, self.writes = stride, size, writes
        self.draws = frozenset().union(*(node.draws for _, node in writes))
        self.cause = next((node.cause for _, node in writes if node.cause), None)
        if self.cause is None and not self._is_whole():
            self.cause = "a part of it was never written"
        laws = {node.law for _, node in writes}
        if len(laws) == 1 and (law := next(iter(laws))) is not None and law.is_constant and self.cause is None:
            self.law = law

    def _is_whole(self) -> bool:
        if any(covers(geometry, self.size) for geometry, _ in self.writes):
            return True
        touched = torch.zeros(self.size, dtype=torch.bool)
        for (offset, size, stride), _ in self.writes:
            touched.as_strided(size, stride, offset).fill_(True)
        return bool(touched.all())

    def boxes(self) -> list[tuple[tuple[tuple[int, int, int], ...] | None, Node]]:
        """Each write's place as (start, stop, step) for each dimension, None where it has none such."""
        return [(self._box(geometry), node) for geometry, node in self.writes]

    def _box(self, geometry: Geometry):
        if covers(geometry, self.size):
            return tuple((0, size, 1) for size in self.shape)
        offset, size, stride = geometry
        left, box = [(step, count) for count, step in zip(size, stride) if count > 1], []
        for count, step in zip(self.shape, self.stride):
            first = offset // step if step else 0
            offset -= first * step
            along = next((d for d in left if step and d[0] % step == 0 and d[0] // step * (d[1] - 1) + first < count), None)
            if along:
                left.remove(along)
                each = along[0] // step
                box.append((first, first + (along[1] - 1) * each + 1, each))
            else:
                box.append((first, first + 1, 1))
        return None if left or offset else tuple(box)


def _is_node(value) -> bool:
    return isinstance(value, Node)


def covers(geometry: Geometry, size: int) -> bool:
    """Whether a view has each of a storage's elements, in row-major order."""
    offset, shape, stride = geometry
    return offset == 0 and math.prod(shape) == size and is_dense(shape, stride)


def is_dense(shape, stride) -> bool:
    """Whether elements follow one another in row-major order."""
    expected = 1
    for size, step in zip(reversed(shape), reversed(stride)):
        if size != 1 and step != expected:
            return size == 0 or 0 in shape
        expected *= size
    return True


def distinct(shape, stride) -> bool:
    """Whether no two of a view's elements are one of the storage's."""
    reach = 0
    for step, size in sorted((step, size) for size, step in zip(shape, stride) if size > 1):
        if step <= reach:
            return False
        reach += step * (size - 1)
    return True


def reshaped(node: Node, shape) -> Node:
    """The same elements in the same order in another shape."""
    if tuple(shape) == node.shape:
        return node
    return Computed(shape, node.dtype, torch.reshape, (node, tuple(shape)), name="reshape", law=node.law, source=node.source)


def view(storage: Node, geometry: Geometry, shape, dtype) -> Node:
    """Elements of a storage by their places."""
    offset, size, stride = geometry

    def take(whole: torch.Tensor) -> torch.Tensor:
        return whole.contiguous().reshape(-1).as_strided(size, stride, offset).clone()

    # In another order they have the law, too, but are not the draw's by their numbers.
    law = storage.law
    if law is not None and not law.is_constant and not (law.is_elementwise and distinct(size, stride)):
        law = None
    return Computed(shape, dtype, take, (storage,), name="view", law=law)


def evaluate(node: Node, drawn: Callable[[Drawn], torch.Tensor], memo: dict[int, torch.Tensor] | None = None) -> torch.Tensor:
    """The values, by torch itself, of what `drawn` says of each draw."""
    memo = {} if memo is None else memo
    if id(node) in memo:
        return memo[id(node)]
    if node.cause:
        raise ValueError(node.cause)

    def value(of: Any) -> Any:
        return evaluate(of, drawn, memo) if isinstance(of, Node) else of

    if isinstance(node, Drawn):
        out = torch.full(node.shape, node.law["value"], dtype=node.dtype) if node.law.is_constant else drawn(node)
    elif isinstance(node, Full):
        out = torch.full(node.shape, node.value, dtype=node.dtype)
    elif isinstance(node, Given):
        out = node.tensor
    elif isinstance(node, Written):
        flat = torch.empty(node.size, dtype=node.dtype)
        for (offset, size, stride), part in node.writes:
            flat.as_strided(size, stride, offset).copy_(value(part).reshape(size))
        out = flat.as_strided(node.shape, node.stride)
    else:
        args, kwargs = tree_map(value, (node.args, node.kwargs), is_leaf=_is_node)
        if node.changes:
            args = (args[0].clone(), *args[1:])
        out = node.function(*args, **kwargs)
        out = args[0] if node.changes else out if node.index is None else tree_leaves(out)[node.index]
    memo[id(node)] = out
    return out
