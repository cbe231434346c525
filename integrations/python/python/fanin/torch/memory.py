"""Drawing into memory of torch's: dense or not, of the CPU or another device."""

from __future__ import annotations

import math

import torch

from fanin import _fanin
from fanin._fanin import Error

DTYPES = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16"}

# Bytes that are drawn at once where they are not drawn in place.
CHUNK = 64 << 20


def dtype_name(dtype: torch.dtype, widen: bool) -> str:
    """The dtype that is drawn for one of torch's."""
    if dtype == torch.float64 and widen:
        return "f32"
    if dtype not in DTYPES:
        also = "; or float64 with widen=True, which draws float32 and widens it" if dtype == torch.float64 else ""
        raise Error(f"the dtype is {str(dtype).removeprefix('torch.')}, allowed: float32, float16, bfloat16{also}")
    return DTYPES[dtype]


def draw_into(draw: _fanin.Draw, block: list[tuple[int, int]], out: torch.Tensor, threads: int | None = None) -> None:
    """Draws a block of a tensor into a tensor of its shape."""
    if out.numel() == 0:
        return
    if out.device.type == "cpu" and out.dtype in DTYPES and out.is_contiguous():
        draw.fill(out.data_ptr(), out.nbytes, block, threads)
    elif out.device.type == "cuda":
        _through_pinned(draw, block, out, threads)
    else:
        for rows, part in _chunks(block, out):
            dense = torch.empty(part.shape, dtype=_drawn_in(out))
            draw.fill(dense.data_ptr(), dense.nbytes, rows, threads)
            part.copy_(dense)


def _drawn_in(out: torch.Tensor) -> torch.dtype:
    return out.dtype if out.dtype in DTYPES else torch.float32


def _through_pinned(draw, block, out, threads) -> None:
    """By two pinned buffers: one is drawn into while the other is copied."""
    chunks = list(_chunks(block, out))
    most = max(part.numel() for _, part in chunks)
    buffers = [torch.empty(most, dtype=_drawn_in(out), pin_memory=True) for _ in chunks[:2]]
    copied = [torch.cuda.Event() for _ in buffers]
    with torch.cuda.device(out.device):
        for number, (rows, part) in enumerate(chunks):
            buffer, event = buffers[number % 2], copied[number % 2]
            if number >= 2:
                event.synchronize()
            dense = buffer[: part.numel()].view(part.shape)
            draw.fill(dense.data_ptr(), dense.nbytes, rows, threads)
            part.copy_(dense, non_blocking=True)
            event.record()
        for event in copied:
            event.synchronize()


def _chunks(block, out: torch.Tensor):
    """Parts along the first dimension that are not larger than need be."""
    if out.dim() == 0:
        yield block, out
        return
    row = math.prod(out.shape[1:]) * out.element_size()
    rows = max(1, CHUNK // max(1, row))
    (start, _), rest = block[0], block[1:]
    for at in range(0, out.shape[0], rows):
        part = out[at : at + rows]
        yield [(start + at, start + at + part.shape[0]), *rest], part
