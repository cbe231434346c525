"""Giving a model memory and its values."""

from __future__ import annotations

import torch
from torch.distributed.tensor import DTensor

from fanin import _fanin
from fanin.arrays import seed_text

from . import shards
from .exchange import exchange
from .graph import Drawn, evaluate
from .memory import draw_into, dtype_name
from .plan import Entry, Plan, PlanError, attributes_of, tensors_of
from .replay import Replay

# What wrappers put into names.
WRAPPERS = ("_orig_mod.", "_checkpoint_wrapped_module.", "_fsdp_wrapped_module.")


@torch.no_grad()
def materialize_(
    model: torch.nn.Module,
    plan: Plan,
    seed: int | str | torch.Tensor,
    *,
    generator: str = "fanin",
    device: torch.device | str | None = None,
    strict: bool = True,
    widen: bool = False,
    threads: int | None = None,
    by_torch: bool = False,
) -> torch.nn.Module:
    """Gives memory to what has none, and draws each parameter and buffer in place: of a DTensor this rank's part, without a word to others.

    Call it after `fully_shard`, `parallelize_module` and `model.to(dtype)`. `seed` is a whole number from 0 to 2^64 - 1. `device` is where
    plain tensors that have no memory get it (the CPU by default); DTensors get it on their mesh's. With `strict=False` the model may be a
    part of the plan's, such as a pipeline stage. Of `float64`, `widen=True` draws float32. `threads` is how many draw, by default all.

    With `generator="torch"` the values are PyTorch's own, those of one process on a CPU after `torch.manual_seed(seed); Model()`, bit for bit, on
    any mesh; `seed` may be the state that `torch.get_rng_state()` gave, too. It is for plans that were recorded in this process. What has no
    elements of its own is refused by name: `orthogonal_`, which `by_torch=True` makes whole on each rank, by this PyTorch.

    Raises `PlanError` before anything is changed, if the plan does not know how a tensor starts, the model has one that the plan has not,
    or of another shape, or a dtype or a placement that cannot be drawn. Returns the model.
    """
    job = Job(model, plan, seed, generator=generator, strict=strict, widen=widen, threads=threads, by_torch=by_torch)
    _give_memory(job, device)
    for tensor, entry in job.once():
        local = shards.local_part(tensor)
        for block, place in shards.blocks(entry.name, tensor):
            job.put(entry, block, local[place] if place else local)
    return model


class Job:
    """A model, a plan and a seed that fit one another."""

    def __init__(self, model, plan: Plan, seed, *, generator="fanin", strict=True, widen=False, threads=None, by_torch=False):
        plan.check()
        if generator not in ("fanin", "torch"):
            raise PlanError(f"the generator is {generator!r}, allowed: 'fanin', 'torch'")
        if by_torch and generator != "torch":
            raise PlanError("by_torch is True, allowed: with generator='torch'")
        self.replay = Replay(plan, seed, by_torch=by_torch, threads=threads) if generator == "torch" else None
        self.plan, self.seed, self.threads = plan, "0" if self.replay else seed_text(seed), threads
        self.tensors: list[tuple[str, torch.Tensor, Entry]] = []
        self.whole: dict[int, torch.Tensor] = {}
        _fanin.Draw("zeros", [], seed=self.seed, name="")
        met = set()
        plain = ((name, tensor) for name, tensor in attributes_of(model) if name in plan)
        for name, tensor in (*((name, tensor) for name, tensor, _, _ in tensors_of(model)), *plain):
            entry = self._entry(name)
            if tuple(tensor.shape) != entry.shape:
                raise PlanError(f"tensor {name!r}: the shape is {list(tensor.shape)}, allowed: {list(entry.shape)}, the plan's")
            shards.check(name, tensor)
            if self.replay:
                self._check_replay(name, tensor, entry)
            elif entry.kind == "drawn":
                try:
                    self._draw(entry.scheme, entry.shape, entry.stream, dtype_name(tensor.dtype, widen), entry.slices)
                except _fanin.Error as error:
                    raise PlanError(f"tensor {name!r}: {error}") from None
            elif entry.kind == "replayed":
                dtype_name(tensor.dtype, True)
                if entry.node is None:
                    raise PlanError(
                        f"tensor {name!r} is {entry.cause}, and the plan comes from a file, allowed: a plan that was recorded here"
                    )
            elif entry.values.dtype.is_floating_point != tensor.dtype.is_floating_point:
                raise PlanError(f"tensor {name!r}: the dtype is {tensor.dtype}, allowed: {entry.values.dtype}, the plan's")
            met.add(entry.name)
            self.tensors.append((name, tensor, entry))
        missing = [entry.name for entry in plan if entry.name not in met]
        if missing and strict:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise PlanError(
                f"the model has not {', '.join(missing[:5])}{more}, which the plan has, allowed: its model, or a part of it with strict=False"
            )

    def _check_replay(self, name: str, tensor: torch.Tensor, entry: Entry) -> None:
        node = self.plan.nodes[entry.name]
        self.replay.check(name, node)
        if node.dtype.is_floating_point != tensor.dtype.is_floating_point:
            raise PlanError(f"tensor {name!r}: the dtype is {tensor.dtype}, allowed: {node.dtype}, the plan's")
        for draw in node.draws:
            self.replay.place(draw.operation)

    def _entry(self, name: str) -> Entry:
        clean = name
        for wrapper in WRAPPERS:
            clean = clean.replace(wrapper, "")
        # DistributedDataParallel's, which may be a module's own name.
        for known in (clean, clean.removeprefix("module.")):
            if known in self.plan:
                return self.plan[known]
        raise PlanError(f"tensor {name!r}: the plan does not know it, allowed: the tensors of the model that was recorded")

    def once(self):
        """Each tensor once, whatever names it has."""
        seen = set()
        for _, tensor, entry in self.tensors:
            if id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor, entry

    def put(self, entry: Entry, block, out: torch.Tensor) -> None:
        """Puts a block of a tensor into memory of its shape."""
        if self.replay:
            self.replay.put(self.plan.nodes[entry.name], block, out)
        elif entry.kind == "drawn":
            draw = self._draw(entry.scheme, entry.shape, entry.stream, dtype_name(out.dtype, True), entry.slices)
            draw_into(draw, block, out, self.threads)
        else:
            values = entry.values if entry.kind == "given" else self._replayed(entry)
            out.copy_(values[tuple(slice(start, stop) for start, stop in block)] if block else values)

    def _draw(self, scheme, shape, stream, dtype, slices=()) -> _fanin.Draw:
        return _fanin.Draw(scheme, list(shape), seed=self.seed, name=stream, dtype=dtype, slices=list(slices))

    def _replayed(self, entry: Entry) -> torch.Tensor:
        if id(entry.node) not in self.whole:
            self.whole[id(entry.node)] = evaluate(entry.node, self._drawn)
        return self.whole[id(entry.node)]

    def _drawn(self, node: Drawn) -> torch.Tensor:
        out = torch.empty(node.shape, dtype=node.dtype)
        draw = self._draw(node.law.text(), node.shape, self.plan.streams[node], dtype_name(node.dtype, True))
        draw_into(draw, [(0, size) for size in node.shape], out, self.threads)
        return out


def _give_memory(job: Job, device) -> None:
    """To what lies on meta: each tensor stays the object that it is, so that ties and what wrappers hold of it live on."""
    for tensor, _ in job.once():
        if tensor.device.type != "meta":
            continue
        if isinstance(tensor, DTensor):
            local = tensor._local_tensor
            new = DTensor.from_local(
                torch.empty_strided(local.shape, local.stride(), dtype=local.dtype, device=tensor.device_mesh.device_type),
                tensor.device_mesh,
                tensor.placements,
                run_check=False,
                shape=tensor.shape,
                stride=tensor.stride(),
            )
        else:
            new = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device or "cpu")
        exchange(tensor, new)
