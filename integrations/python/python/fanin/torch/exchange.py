"""Giving a tensor other memory, while it stays the object that it is: ties, and what wrappers and optimisers hold of it, live on."""

from __future__ import annotations

import torch
from torch.distributed.tensor import DTensor


def exchange(tensor: torch.Tensor, new: torch.Tensor) -> None:
    """Puts a new tensor in the place of a parameter or a plain one; attributes that were set on it stay."""
    if isinstance(tensor, torch.nn.Parameter):
        new = torch.nn.Parameter(new, requires_grad=tensor.requires_grad)
    if isinstance(tensor, DTensor):
        torch.utils.swap_tensors(tensor, new)
        tensor.__dict__.update(new.__dict__)
    else:
        # swap_tensors is this, and refuses what is weakly referred to, as recurrent modules do. The object is the same, so they may.
        torch._C._swap_tensor_impl(tensor, new)
