"""Sisters of `torch.nn.init` for those who write their own initialisation: of a seed and a name, on plain tensors and DTensors.

Each draws in place and returns the tensor. Fans are those of the whole tensor, whatever part of it is here.
"""

from __future__ import annotations

import torch

from fanin import _fanin
from fanin.arrays import Slice, seed_text

from . import shards
from .memory import draw_into, dtype_name
from .plan import PlanError


@torch.no_grad()
def scheme_(
    tensor: torch.Tensor,
    scheme: str,
    *,
    name: str,
    seed: int | str,
    layout: str = "out_in",
    slices: list[Slice] | tuple = (),
    widen: bool = False,
    threads: int | None = None,
) -> torch.Tensor:
    """Draws a tensor by a scheme's text: `orthogonal:gain=1.4`. `slices` have schemes of their own, (dim, start, stop, scheme)."""
    if tensor.device.type == "meta":
        raise PlanError(f"tensor {name!r} lies on the meta device, allowed: a tensor with memory, such as to_empty gives")
    shards.check(name, tensor)
    try:
        draw = _fanin.Draw(
            scheme,
            list(tensor.shape),
            seed=seed_text(seed),
            name=name,
            dtype=dtype_name(tensor.dtype, widen),
            layout=layout,
            slices=list(slices),
        )
    except _fanin.Error as error:
        raise PlanError(f"tensor {name!r}: {error}") from None
    local = shards.local_part(tensor)
    for block, place in shards.blocks(name, tensor):
        draw_into(draw, block, local[place] if place else local, threads)
    return tensor


def normal_(tensor, mean: float = 0.0, std: float = 1.0, **where):
    """N(mean, std^2)."""
    return scheme_(tensor, f"normal:mean={float(mean)!r},std={float(std)!r}", **where)


def uniform_(tensor, a: float = 0.0, b: float = 1.0, **where):
    """U[a, b)."""
    return scheme_(tensor, f"uniform:low={float(a)!r},high={float(b)!r}", **where)


def trunc_normal_(tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, **where):
    """N(mean, std^2) cut to [a, b], both absolute."""
    return scheme_(tensor, f"truncated_normal:mean={float(mean)!r},std={float(std)!r},low={float(a)!r},high={float(b)!r}", **where)


def constant_(tensor, val: float, **where):
    """One number."""
    return scheme_(tensor, f"constant:value={float(val)!r}", **where)


def zeros_(tensor, **where):
    """Zeros."""
    return scheme_(tensor, "zeros", **where)


def ones_(tensor, **where):
    """Ones."""
    return scheme_(tensor, "ones", **where)


def xavier_uniform_(tensor, gain: float = 1.0, **where):
    """U(+-gain sqrt(6 / (fan_in + fan_out)))."""
    return scheme_(tensor, f"glorot_uniform:gain={float(gain)!r}", **where)


def xavier_normal_(tensor, gain: float = 1.0, **where):
    """N of the standard deviation gain sqrt(2 / (fan_in + fan_out))."""
    return scheme_(tensor, f"glorot_normal:gain={float(gain)!r}", **where)


def kaiming_uniform_(tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", **where):
    """U(+-gain sqrt(3 / fan)), where the gain is the nonlinearity's, of the slope `a`."""
    return scheme_(tensor, f"he_uniform:mode={mode},gain={_gain(nonlinearity, a)!r}", **where)


def kaiming_normal_(tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", **where):
    """N of the standard deviation gain / sqrt(fan), where the gain is the nonlinearity's, of the slope `a`."""
    return scheme_(tensor, f"he_normal:mode={mode},gain={_gain(nonlinearity, a)!r}", **where)


def orthogonal_(tensor, gain: float = 1.0, **where):
    """Orthonormal rows or columns, whichever are fewer; each rank works out what it needs."""
    return scheme_(tensor, f"orthogonal:gain={float(gain)!r}", **where)


def sparse_(tensor, sparsity: float, std: float = 0.01, **where):
    """For each column, a part `sparsity` of zeros, and N(0, std^2) for the others."""
    return scheme_(tensor, f"sparse:sparsity={float(sparsity)!r},std={float(std)!r}", **where)


def eye_(tensor, **where):
    """The identity."""
    return scheme_(tensor, "identity", **where)


def dirac_(tensor, groups: int = 1, **where):
    """The identity at a convolution's middle tap, in each group."""
    return scheme_(tensor, f"dirac:groups={int(groups)}", **where)


def _gain(nonlinearity: str, slope: float) -> float:
    return float(torch.nn.init.calculate_gain(nonlinearity, slope))
