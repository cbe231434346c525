"""A plan as a file, which the program reads: `fanin init plan.json -o OUT/`."""

from __future__ import annotations

import json
import os
import pathlib

import torch

from fanin import VALUE_CONTRACT

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
            if entry.slices:
                said["slices"] = [dict(zip(("dim", "start", "end", "scheme"), part)) for part in entry.slices]
        elif entry.kind == "given":
            values[entry.name] = entry.values.contiguous()
        else:
            said["refuse"] = entry.cause
        tensors[entry.name] = said
    text = {"plan": VERSION, "contract": VALUE_CONTRACT, "torch": torch.__version__}
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
