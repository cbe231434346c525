"""A plan as a file, which the program reads: `fanin init plan.json -o OUT/`."""

from __future__ import annotations

import json
import os
import pathlib
import sys

import torch

from fanin import VALUE_CONTRACT

from .graph import Computed, Drawn, Full, Node, Written
from .operations import DTYPES, Operation
from .plan import Entry, Plan, PlanError

VERSION = 1
# safetensors' names.
_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}


def save(plan: Plan, path: str | os.PathLike) -> None:
    """Writes a plan: a JSON list of its tensors, as `fanin init`, `rules`, `verify` and `probe` read it.

    Of values that are given, such as tables of positions, a file of the same name that ends in `.values.safetensors` is written beside it (by
    the package safetensors). Buffers that are not persistent are left out, as they are of a checkpoint. What torch has to replay has no
    scheme; the program refuses it by name. Raises `PlanError` if the plan does not know how a tensor starts.
    """
    plan.check()
    path = pathlib.Path(path)
    tensors, values = {}, {}
    for entry in plan:
        if not entry.is_persistent:
            continue
        if entry.dtype not in _NAMES:
            raise PlanError(f"tensor {entry.name!r}: the dtype is {entry.dtype}, allowed: {', '.join(_DTYPES)}")
        said = {"dtype": _NAMES[entry.dtype], "shape": list(entry.shape)}
        if entry.kind == "drawn":
            said["scheme"] = entry.scheme
            if entry.stream != entry.name:
                said["stream"] = entry.stream
            if (draw := _draw_of(plan, entry)) is not None:
                said["draw"] = draw
            if entry.slices:
                said["slices"] = [dict(zip(("dim", "start", "end", "scheme"), part)) for part in entry.slices]
        elif entry.kind == "given":
            values[entry.name] = entry.values.contiguous()
        else:
            said["refuse"] = entry.cause
        tensors[entry.name] = said
    text = {"plan": VERSION, "contract": VALUE_CONTRACT, "torch": torch.__version__}
    if "transformers" in sys.modules:
        text["transformers"] = sys.modules["transformers"].__version__
    if plan.reseeded:
        text["reseeded"] = plan.reseeded
    if plan.operations:
        text["draws"] = [_said(operation) for operation in plan.operations]
    if values:
        from safetensors.torch import save_file

        beside = path.with_name(f"{path.stem}.values.safetensors")
        save_file(values, beside)
        text["values"] = beside.name
    aliases = {alias: name for alias, name in plan.aliases.items() if name in tensors}
    if aliases:
        text["aliases"] = aliases
    text["tensors"] = tensors
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(text, indent=1) + "\n")
    partial.replace(path)


def _said(operation: Operation) -> dict:
    said = {"name": operation.name, "elements": operation.elements, "dtype": DTYPES.get(operation.dtype, str(operation.dtype))}
    if operation.cause:
        return {**said, "cause": operation.cause}
    said["scheme"] = operation.scheme
    if operation.order is not None:
        said["strided"] = True
    if operation.then:
        said["then"] = operation.then
    return said


def _draw_of(plan: Plan, entry: Entry) -> int | None:
    """The operation that draws a tensor, each element by its own, but for slices of one number."""
    node = plan.nodes.get(entry.name)
    if isinstance(node, Written) and node.boxes():
        (box, first), *others = node.boxes()
        is_base = box == tuple((0, size, 1) for size in entry.shape)
        node = first if is_base and all(isinstance(part, Full) for _, part in others) else None
    while isinstance(node, Computed) and node.name == "reshape" and isinstance(node.args[0], Node):
        node = node.args[0]
    if not isinstance(node, Drawn) or node.law.is_constant or plan.operations is None:
        return None
    operation = plan.operations[node.operation]
    is_plain = operation.order is None and operation.refused is None and operation.cause is None
    return node.operation if is_plain and node.dtype == entry.dtype else None


def load(path: str | os.PathLike) -> Plan:
    """Reads a plan that `save` wrote."""
    path = pathlib.Path(path)
    try:
        text = json.loads(path.read_text())
        version, tensors = text["plan"], text["tensors"]
        if version != VERSION or text["contract"] != VALUE_CONTRACT:
            allowed = f"version {VERSION}, contract {VALUE_CONTRACT}"
            raise PlanError(f"{path}: the plan is of version {version}, value contract {text['contract']}, allowed: {allowed}")
        values = {}
        if "values" in text:
            from safetensors.torch import load_file

            values = load_file(path.with_name(text["values"]))
        entries = {name: _entry(name, said, values) for name, said in tensors.items()}
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, PlanError):
            raise
        raise PlanError(f"{path} is no plan, allowed: what plan.save wrote ({type(error).__name__}: {error})") from None
    return Plan(entries, text.get("aliases"))


def _entry(name: str, said: dict, values: dict) -> Entry:
    of = dict(name=name, shape=tuple(said["shape"]), dtype=_DTYPES[said["dtype"]])
    if "scheme" in said:
        slices = [(part["dim"], part["start"], part["end"], part["scheme"]) for part in said.get("slices", ())]
        return Entry(**of, kind="drawn", scheme=said["scheme"], stream=said.get("stream", name), slices=slices)
    if "refuse" in said:
        return Entry(**of, kind="replayed", cause=said["refuse"])
    return Entry(**of, kind="given", values=values[name])
