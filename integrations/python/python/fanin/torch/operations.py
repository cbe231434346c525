"""The operations of PyTorch's generator in the order in which a model's code asked for them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fanin import _fanin

DTYPES = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16", torch.float64: "f64"}


@dataclass
class Operation:
    """One operation that draws.

    `scheme` says what, by the words that `elements` of `dtype` take; without one, `cause` says why it is not known how many words it takes.
    `order` is that of memory, the dimensions from the outermost on, where it is not row-major without gaps. `then` is how many words more are
    taken. `refused` says why the values are not drawn where the words are known; `gain` is that of an orthogonal matrix.
    """

    name: str
    elements: int
    dtype: torch.dtype
    scheme: str | None = None
    order: tuple[int, ...] | None = None
    then: int = 0
    cause: str | None = None
    refused: str | None = None
    gain: float | None = None

    def draw(self) -> _fanin.TorchDraw:
        """The operation as the library draws it."""
        return _fanin.TorchDraw(self.scheme, self.elements, DTYPES[self.dtype], self.order is None)

    def __str__(self) -> str:
        return f"{self.name} of {self.elements} elements of {str(self.dtype).removeprefix('torch.')}"


def operation(name: str, tensor: torch.Tensor, scheme: str | None, *, apart: bool = False) -> Operation:
    """An operation that fills a tensor, or one like it that is made `apart`, without gaps."""
    made = Operation(name, tensor.numel(), tensor.dtype, scheme, None if apart else order_of(tensor))
    if scheme is None:
        made.cause = "fanin does not replay it"
    elif tensor.dtype not in DTYPES:
        made.cause = f"the dtype is {tensor.dtype}, allowed: float32, float16, bfloat16, float64"
    elif scheme.startswith("truncated_normal") and made.order is not None and not _fills_its_memory(tensor):
        made.cause = "its memory has gaps, of which PyTorch draws the first round otherwise than the rest"
    else:
        try:
            made.draw()
        except _fanin.Error as error:
            made.cause = str(error)
    return made


def number_scheme(name: str, first: float, second: float) -> str | None:
    """The scheme of `normal_(mean, std)` or `uniform_(from, to)`."""
    if name == "normal":
        return f"normal:mean={first!r},std={second!r}"
    # One value alone takes as many words as any other two.
    return f"uniform:low={first!r},high={second!r}" if first != second else "uniform:low=0,high=1"


def order_of(tensor: torch.Tensor) -> tuple[int, ...] | None:
    """The dimensions in memory's order, the longest stride first; None where that is row-major, without gaps."""
    if tensor.is_contiguous():
        return None
    return tuple(sorted(range(tensor.dim()), key=lambda dim: -tensor.stride(dim) if tensor.shape[dim] > 1 else 0))


def _fills_its_memory(tensor: torch.Tensor) -> bool:
    return 1 + sum(step * (size - 1) for size, step in zip(tensor.shape, tensor.stride())) == tensor.numel()
