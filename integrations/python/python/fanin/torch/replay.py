"""PyTorch's own values: what one process holds after `torch.manual_seed(seed); Model()`, any part of it on any rank."""

from __future__ import annotations

import warnings

import torch

from fanin import _fanin

from .graph import Computed, Drawn, Full, Given, Node, Written, evaluate, reshaped
from .operations import Operation
from .plan import Plan, PlanError

# The versions of PyTorch whose draws are these; 2.12 has other normals in 16 bits.
COMPARED = ("2.13", "2.14", "2.15")


class Replay:
    """A plan's draws by PyTorch's generator, from a seed or a state on."""

    def __init__(self, plan: Plan, seed, *, by_torch: bool = False, threads: int | None = None):
        if plan.operations is None:
            raise PlanError("the plan comes from a file, allowed with generator='torch': a plan that was recorded here")
        if plan.reseeded:
            raise PlanError(f"the model's code calls {plan.reseeded}, allowed with generator='torch': code that draws and does not seed")
        if ".".join(torch.__version__.split(".")[:2]) not in COMPARED:
            warnings.warn(
                f"PyTorch's generator was compared with torch {', '.join(COMPARED)}, and this is {torch.__version__}", stacklevel=3
            )
        self.plan, self.by_torch, self.threads = plan, by_torch, threads
        self.places = [start_of(seed)]
        self.whole: dict[int, torch.Tensor] = {}
        self.memo: dict[int, torch.Tensor] = {}

    def place(self, number: int) -> str:
        """Where an operation begins; after the last one, where the generator stands."""
        operations = self.plan.operations
        while len(self.places) <= number:
            before = operations[len(self.places) - 1]
            if before.cause:
                raise PlanError(f"how many numbers PyTorch draws for {before} is not known: {before.cause}")
            self.places.append(before.draw().after(self.places[-1], before.then))
        return self.places[number]

    def end(self) -> str:
        """Where PyTorch's generator stands after the model is built, `SEED@WORDS`."""
        return self.place(len(self.plan.operations))

    def check(self, name: str, node: Node) -> None:
        """Refuses a tensor whose values are not drawn, by its name."""
        for draw in sorted(node.draws, key=lambda draw: draw.number):
            operation = self._operation(draw)
            why = operation.cause or operation.refused
            if why and not (operation.gain is not None and self.by_torch and not operation.cause):
                raise PlanError(f"tensor {name!r} is drawn by {operation}, which generator='torch' does not draw: {why}")

    def _operation(self, draw: Drawn) -> Operation:
        return self.plan.operations[draw.operation]

    def put(self, node: Node, block, out: torch.Tensor) -> None:
        """Puts a block of what a tensor holds into memory of its shape."""
        if isinstance(node, Full):
            out.fill_(node.value)
        elif isinstance(node, Drawn) and node.law.is_constant:
            out.fill_(node.law["value"])
        elif isinstance(node, Drawn) and self._is_plain(node):
            self._draw(node, node.shape, block, out)
        elif isinstance(node, Computed) and node.name == "to" and isinstance(node.args[0], Node) and node.shape == node.args[0].shape:
            between = torch.empty(out.shape, dtype=node.args[0].dtype)
            self.put(node.args[0], block, between)
            out.copy_(between.to(node.dtype))
        elif isinstance(node, Computed) and node.name == "reshape" and isinstance(node.args[0], Drawn) and self._is_plain(node.args[0]):
            self._draw(node.args[0], node.shape, block, out)
        elif isinstance(node, Written) and (boxes := _boxes(node)) is not None:
            for box, part in boxes:
                self._put_part(box, part, block, out)
        else:
            values = node.tensor if isinstance(node, Given) else evaluate(node, self._drawn, self.memo)
            out.copy_(values[tuple(slice(start, stop) for start, stop in block)] if block else values)

    def _put_part(self, box, part: Node, block, out: torch.Tensor) -> None:
        """What a block has of a part that was written into a tensor."""
        shared = [(max(a, start), min(b, stop)) for (a, b), (start, stop) in zip(box, block)]
        if any(start >= stop for start, stop in shared):
            return
        inside = tuple(slice(start - first, stop - first) for (start, stop), (first, _) in zip(shared, block))
        of_part = [(start - first, stop - first) for (start, stop), (first, _) in zip(shared, box)]
        self.put(reshaped(part, tuple(stop - start for start, stop in box)), of_part, out[inside] if inside else out)

    def _is_plain(self, node: Drawn) -> bool:
        """Whether its elements are in the order in which they are drawn."""
        operation = self._operation(node)
        return operation.order is None and operation.gain is None

    def _draw(self, node: Drawn, shape, block, out: torch.Tensor) -> None:
        if out.numel() == 0:
            return
        direct = out.device.type == "cpu" and out.dtype == node.dtype and out.is_contiguous()
        dense = out if direct else torch.empty(out.shape, dtype=node.dtype)
        draw, place = self._operation(node).draw(), self.place(node.operation)
        draw.fill(place, list(shape), list(block), (dense.data_ptr(), dense.nbytes), self.threads)
        if not direct:
            out.copy_(dense)

    def _drawn(self, node: Drawn) -> torch.Tensor:
        """A whole draw."""
        if id(node) not in self.whole:
            operation = self._operation(node)
            order = operation.order or tuple(range(len(node.shape)))
            memory = torch.empty([node.shape[dim] for dim in order], dtype=node.dtype)
            self._draw(node, memory.shape, [(0, size) for size in memory.shape], memory)
            values = memory.permute([order.index(dim) for dim in range(len(order))])
            self.whole[id(node)] = values if operation.gain is None else orthogonal(values, operation.gain)
        return self.whole[id(node)]


def start_of(seed) -> str:
    """Where PyTorch's generator begins: of a seed, a text `SEED@WORDS`, or a state as `torch.get_rng_state()` gives it."""
    if isinstance(seed, torch.Tensor):
        if seed.dtype != torch.uint8:
            raise PlanError(f"the state is a tensor of {seed.dtype}, allowed: torch.get_rng_state()")
        return _fanin.torch_place(seed.cpu().numpy().tobytes())
    if isinstance(seed, bool) or not isinstance(seed, (int, str)):
        raise PlanError(f"the seed is {seed!r}, allowed: a whole number from -2^63 to 2^64 - 1, or torch.get_rng_state()")
    if isinstance(seed, int):
        # As torch.manual_seed takes them.
        if not -(2**63) <= seed < 2**64:
            raise PlanError(f"the seed is {seed}, allowed: a whole number from -2^63 to 2^64 - 1, or torch.get_rng_state()")
        seed = str(seed % 2**64)
    _fanin.torch_words(seed)
    return seed


def orthogonal(values: torch.Tensor, gain: float) -> torch.Tensor:
    """What `torch.nn.init.orthogonal_` makes of its normal values, by this PyTorch's own factorisation."""
    flat = values.reshape(values.shape[0], -1)
    is_wide = flat.shape[0] < flat.shape[1]
    q, r = torch.linalg.qr(flat.t() if is_wide else flat)
    q = q * torch.diag(r, 0).sign()
    return ((q.t() if is_wide else q).reshape(values.shape)) * gain


def _boxes(node: Written):
    """The parts of a tensor as blocks, if they are such."""
    boxes = []
    for box, part in node.boxes():
        if box is None or any(step != 1 for _, _, step in box):
            return None
        boxes.append((tuple((start, stop) for start, stop, _ in box), part))
    return boxes
