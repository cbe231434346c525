"""A plan: how each parameter and buffer of a model starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from fanin import _fanin
from fanin._fanin import Error

from .graph import Computed, Drawn, Given, Node, Unknown, Written, evaluate
from .law import Law, constant
from .operations import Operation
from .recorder import Recorder


class PlanError(Error):
    """What a plan cannot do: names the tensors, and why."""


@dataclass
class Entry:
    """How a tensor starts.

    `kind` is one of `drawn` (by `scheme`, by words of the stream `stream`, but for `slices`), `given` (`values`), `replayed` (by torch, of
    draws of whole tensors) and `unknown` (for `cause`). `shape` is the whole tensor's.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    kind: str
    scheme: str | None = None
    stream: str | None = None
    slices: list[tuple[int, int, int, str]] = field(default_factory=list)
    values: torch.Tensor | None = None
    node: Node | None = None
    cause: str | None = None
    is_buffer: bool = False
    is_persistent: bool = True

    def text(self) -> str:
        """What a person reads of it."""
        if self.kind == "given":
            return "given values"
        if self.kind == "replayed":
            return f"replayed: {self.cause}"
        if self.kind == "unknown":
            return f"UNKNOWN: {self.cause}"
        parts = "".join(f"; {scheme} at {start}..{stop} along dimension {dim}" for dim, start, stop, scheme in self.slices)
        return f"{self.scheme}{parts}{f'; the words of {self.stream}' if self.stream != self.name else ''}"


class Plan:
    """How each parameter and buffer of a model starts: what `record` returns.

    `entries` are by name; `aliases` are other names of the same tensor. `faults` are what happened while it was recorded that makes all of
    it doubtful: a plan that has any refuses to draw.
    """

    def __init__(self, entries: dict[str, Entry], aliases: dict[str, str] | None = None, faults: list[str] | None = None):
        self.entries = entries
        self.aliases = aliases or {}
        self.faults = faults or []
        # All that torch's generator draws while the model is built, in order, what each tensor holds of it, and who seeds it within; of a plan
        # that was recorded here.
        self.operations: list[Operation] | None = None
        self.nodes: dict[str, Node] = {}
        self.reseeded: str | None = None
        # The streams of draws that are seen in replayed tensors alone.
        self.streams: dict[Drawn, str] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def __getitem__(self, name: str) -> Entry:
        try:
            return self.entries[self.aliases.get(name, name)]
        except KeyError:
            raise PlanError(f"the tensor is {name!r}, which the plan does not know, allowed: the {len(self)} of its table()") from None

    def __contains__(self, name: str) -> bool:
        return self.aliases.get(name, name) in self.entries

    def table(self) -> str:
        """A line for each tensor: its name, dtype and shape, and how it starts."""
        rows = [(entry.name, f"{str(entry.dtype).removeprefix('torch.')} {list(entry.shape)}", entry.text()) for entry in self]
        widths = [max((len(row[at]) for row in rows), default=0) for at in (0, 1)]
        lines = [f"{name:{widths[0]}}  {shape:{widths[1]}}  {text}" for name, shape, text in rows]
        lines += [f"{alias:{widths[0]}}  is {name}" for alias, name in self.aliases.items()]
        return "\n".join([*(f"NOT TO BE TRUSTED: {fault}" for fault in self.faults), *lines])

    def __repr__(self) -> str:
        kinds = [entry.kind for entry in self]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("drawn", "given", "replayed", "unknown") if kind in kinds)
        return (
            f"<fanin.torch.Plan of {len(self)} tensors: {counts or 'none'}{', not to be trusted' if self.faults else ''}>\n{self.table()}"
        )

    def check(self) -> None:
        """Refuses a plan that does not know all: names the tensors and the causes."""
        if self.faults:
            raise PlanError(f"the recording cannot be trusted: {'; '.join(self.faults)}")
        unknown = [entry for entry in self if entry.kind == "unknown"]
        if unknown:
            shown = "; ".join(f"{entry.name}: {entry.cause}" for entry in unknown[:8])
            more = f"; and {len(unknown) - 8} more" if len(unknown) > 8 else ""
            raise PlanError(f"it is not known how {len(unknown)} of {len(self)} tensors start: {shown}{more}")

    def materialize_(self, model, seed, **options):
        """See `fanin.torch.materialize_`."""
        from .materialize import materialize_

        return materialize_(model, self, seed, **options)

    def save(self, path) -> None:
        """Writes the plan as a file: see `fanin.torch.save`."""
        from .file import save

        save(self, path)


def tensors_of(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor, bool, bool]]:
    """Every name of a parameter or a buffer, with the tensor, whether it is a buffer, and whether it is persistent."""
    for name, parameter in model.named_parameters(remove_duplicate=False):
        yield name, parameter, False, True
    for prefix, module in model.named_modules(remove_duplicate=False):
        for key, buffer in module._buffers.items():
            if buffer is not None:
                yield f"{prefix}.{key}" if prefix else key, buffer, True, key not in module._non_persistent_buffers_set


def plan_of(recorder: Recorder, model: torch.nn.Module) -> Plan:
    """The plan of a model that was built while it was recorded."""
    nodes: dict[str, Node] = {}
    entries, aliases, names = {}, {}, {}
    shared: dict[int, list] = {}
    plain = [(name, tensor, True, False) for name, tensor in attributes_of(model) if recorder.is_unreal(tensor)]
    for name, tensor, is_buffer, is_persistent in (*tensors_of(model), *plain):
        if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
            cause = "it is lazy, and has no shape before the first call"
            entries[name] = Entry(name, (), tensor.dtype, "unknown", cause=cause, is_buffer=is_buffer, is_persistent=is_persistent)
            continue
        key = (tensor.untyped_storage()._cdata, tensor.storage_offset(), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype)
        if tensor.numel() and key in names:
            first = names[key]
            aliases[name] = first
            entries[first].is_persistent |= is_persistent
            continue
        names[key] = name
        nodes[name] = _node(recorder, tensor, shared)
        shared.setdefault(key[0], []).append((_reach(tensor), name))
        entries[name] = Entry(name, tuple(tensor.shape), tensor.dtype, "unknown", is_buffer=is_buffer, is_persistent=is_persistent)
    plan = Plan(entries, aliases, list(recorder.faults))
    _Classes(plan, nodes).fill()
    plan.operations, plan.nodes, plan.reseeded = recorder.operations, nodes, recorder.reseeded
    return plan


def _reach(tensor: torch.Tensor) -> range:
    """Of its storage, from where to where it is."""
    first = tensor.storage_offset()
    return range(
        first, first + sum(step * (size - 1) for size, step in zip(tensor.shape, tensor.stride())) + 1 if tensor.numel() else first
    )


def _node(recorder: Recorder, tensor: torch.Tensor, shared: dict[int, list]) -> Node:
    """What a tensor holds; unknown, if it is another view of a tensor that has a name: memory of its own would not be the same."""
    reach = _reach(tensor)
    for other, name in shared.get(tensor.untyped_storage()._cdata, ()):
        if reach.start < other.stop and other.start < reach.stop:
            return Unknown(tensor.shape, tensor.dtype, f"it is another view of the memory of {name}")
    return recorder.read(tensor.detach())


def attributes_of(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors that are a module's, and neither parameters nor buffers."""
    for prefix, module in model.named_modules():
        for key, value in vars(module).items():
            if isinstance(value, torch.Tensor):
                yield f"{prefix}.{key}" if prefix else key, value


class _Classes:
    """What kind of entry each tensor is, by what it holds and what others hold of the same draws."""

    def __init__(self, plan: Plan, nodes: dict[str, Node]):
        self.plan, self.nodes = plan, nodes
        self.keys = {name: _key(node) for name, node in nodes.items()}
        # Of the same values, the first; of a draw, who shows it.
        self.first: dict = {}
        self.users: dict[Drawn, set] = {}
        self.owner: dict[Drawn, str] = {}
        for name, node in nodes.items():
            self.first.setdefault(self.keys[name], name)
            for draw in node.draws:
                self.users.setdefault(draw, set()).add(self.keys[name])
            if node.source is not None and node.law is not None:
                self.owner.setdefault(node.source, name)

    def fill(self) -> None:
        for name, node in self.nodes.items():
            entry = self.plan.entries[name]
            first = self.plan.entries[self.first[self.keys[name]]]
            if first is not entry:
                # Copied while it was built: the same values, by the same words.
                for key in ("kind", "scheme", "stream", "slices", "values", "node", "cause"):
                    setattr(entry, key, getattr(first, key))
                if entry.kind == "drawn" and node.law is not None and node.law.is_constant:
                    entry.stream = entry.name
                continue
            self._classify(entry, node)

    def _classify(self, entry: Entry, node: Node) -> None:
        if node.cause:
            entry.cause = node.cause
        elif not node.draws:
            self._known(entry, node)
        elif node.law is not None and node.source is not None:
            self._drawn(entry, node.law, self.owner[node.source])
        elif node.law is not None and self._is_alone(entry, node.draws):
            # The only one who shows it, in whatever order.
            self._drawn(entry, node.law, entry.name)
        elif (slices := self._slices(entry, node)) is not None:
            self._drawn(entry, slices[0], entry.name, slices[1], node)
        else:
            self._replayed(entry, node)

    def _known(self, entry: Entry, node: Node) -> None:
        law = _constant(node) if entry.dtype.is_floating_point else None
        if law is not None:
            self._drawn(entry, law, entry.name)
            return
        entry.kind, entry.values = "given", evaluate(node, _none).detach().clone()

    def _drawn(self, entry: Entry, law: Law, stream: str, slices=(), node: Node | None = None) -> None:
        if law.is_constant and not slices:
            stream = entry.name
        entry.kind, entry.scheme, entry.stream, entry.slices = "drawn", law.text(), stream, list(slices)
        try:
            _fanin.Draw(entry.scheme, list(entry.shape), seed="0", name=stream, slices=entry.slices)
        except Error as error:
            entry.scheme, entry.stream, entry.slices = None, None, []
            if node is not None:
                self._replayed(entry, node)
            else:
                entry.kind, entry.cause = "unknown", str(error)

    def _replayed(self, entry: Entry, node: Node) -> None:
        inner = node
        while isinstance(inner, Computed) and inner.name in ("reshape", "to", "view") and isinstance(inner.args[0], Computed):
            inner = inner.args[0]
        what = inner.name if isinstance(inner, Computed) else "parts of several draws"
        entry.kind, entry.node, entry.cause = "replayed", node, f"{what}, computed by torch of whole draws"
        for number, draw in enumerate(sorted(node.draws, key=lambda draw: draw.number)):
            self.plan.streams.setdefault(draw, self.owner.get(draw, f"{entry.name}#{number}"))

    def _is_alone(self, entry: Entry, draws) -> bool:
        return all(self.users[draw] == {self.keys[entry.name]} for draw in draws)

    def _slices(self, entry: Entry, node: Node):
        """The law of the whole, and slices of other laws, if that is what a tensor is."""
        while isinstance(node, Computed) and node.name == "to":
            node = node.args[0]
        if not isinstance(node, Written) or node.shape != entry.shape or not self._is_alone(entry, node.draws):
            return None
        parts, seen = [], set()
        for box, part in node.boxes():
            law = _constant(part) if not part.draws else part.law
            if box is None or law is None or (seen & part.draws) or len(part.draws) > 1:
                return None
            seen |= part.draws
            cuts = [(dim, start, stop) for dim, (start, stop, step) in enumerate(box) if (start, stop) != (0, entry.shape[dim])]
            if len(cuts) > 1 or any(step != 1 for _, _, step in box):
                return None
            parts.append((cuts[0] if cuts else None, law))
        base = next((at for at in reversed(range(len(parts))) if parts[at][0] is None), 0)
        return parts[base][1], _merged(parts[base][1], parts[base + 1 :])


def _merged(base: Law, parts) -> list[tuple[int, int, int, str]]:
    """Slices that are not the same as what is there, those that follow one another as one: the library has at most 64."""
    merged: list[tuple[int, int, int, str]] = []
    for (dim, start, stop), law in parts:
        apart = all(dim == other and (stop <= first or last <= start) for other, first, last, _ in merged)
        if law == base and apart:
            continue
        if merged and merged[-1][0] == dim and merged[-1][2] == start and merged[-1][3] == law.text():
            start = merged.pop()[1]
        merged.append((dim, start, stop, law.text()))
    return merged


def _key(node: Node):
    """What of two tensors is equal if they hold the same values."""
    if node.source is not None and node.law is not None:
        return "law", node.source, node.law
    if isinstance(node, Computed) and node.name in ("reshape", "to"):
        return node.name, node.shape, node.dtype, _key(node.args[0])
    if isinstance(node, Written) and node.draws:
        return "parts", node.shape, tuple((geometry, _key(part)) for geometry, part in node.writes)
    return "node", id(node)


def _constant(node: Node) -> Law | None:
    """The law of what is one number everywhere."""
    if node.law is not None:
        return node.law if node.law.is_constant else None
    if isinstance(node, Given) and node.tensor.numel() and node.tensor.dtype.is_floating_point:
        value = node.tensor.reshape(-1)[0].item()
        if value == value and abs(value) != float("inf") and not (value == 0 and torch.signbit(node.tensor).any()):
            return constant(value) if bool((node.tensor == value).all()) else None
    return None


def _none(draw):
    raise AssertionError("no draw is part of what is not random")
