"""Recording a model while it is built."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable

import torch
from torch.nn.modules import module as _module

from .exchange import exchange
from .plan import Plan, PlanError, plan_of
from .recorder import Answers, Recorder, RecordError
from .watch import watching


def record(build: Callable[[], torch.nn.Module]) -> tuple[torch.nn.Module, Plan]:
    """Builds a model with no memory for its weights, and says how each of its parameters and buffers starts.

    `build` is called once; what it returns is the model, whose parameters lie on the meta device until `plan.materialize_` gives them
    memory. Whatever its code does to its tensors is followed: `torch.nn.init`, arithmetic, copies, ties.

    Raises `RecordError` where the code goes on by a number that is drawn. What happened besides that makes the record doubtful (an operation
    that failed, also if the code went on; numbers of NumPy's generators) is in `plan.faults`, and tensors that are not known are in
    `plan.table()`: `plan.materialize_` refuses both.
    """
    recorder = Recorder()
    with _under(recorder):
        model = build()
    if not isinstance(model, torch.nn.Module):
        raise RecordError(f"what was built is of the type {type(model).__name__}, allowed: a torch.nn.Module")
    plan = plan_of(recorder, model)
    _release(model)
    return model, plan


class Recording(Plan):
    """The plan of the one model that is built in a block: see `recording`."""

    def __init__(self):
        super().__init__({})
        self._recorder: Recorder | None = Recorder()
        self._roots: list = []

    def bind(self, model: torch.nn.Module) -> "Recording":
        """Says which of several models of the block is meant."""
        if self._recorder is None:
            raise PlanError("the plan is that of a model already, allowed: one model for a recording")
        plan = plan_of(self._recorder, model)
        for key in ("entries", "aliases", "faults", "streams", "operations", "nodes", "reseeded"):
            setattr(self, key, getattr(plan, key))
        self._recorder = None
        _release(model)
        return self

    def check(self) -> None:
        if self._recorder is not None:
            raise PlanError(f"the block built {len(self._roots)} models, allowed: one, or plan.bind(model) says which")
        super().check()


@contextlib.contextmanager
def recording():
    """A block whose one model is recorded: `with fanin.torch.recording() as plan: model = Model(config)`. See `record`."""
    plan = Recording()
    modules: dict[int, weakref.ref] = {}
    children: set[int] = set()

    def note(owner, name, value):
        modules.setdefault(id(owner), weakref.ref(owner))
        if isinstance(value, torch.nn.Module):
            modules.setdefault(id(value), weakref.ref(value))
            children.add(id(value))

    hooks = [
        _module.register_module_module_registration_hook(note),
        _module.register_module_parameter_registration_hook(note),
        _module.register_module_buffer_registration_hook(note),
    ]
    try:
        with _under(plan._recorder):
            yield plan
    finally:
        for hook in hooks:
            hook.remove()
    plan._roots = [root for key, known in modules.items() if key not in children and (root := known()) is not None]
    if len(plan._roots) == 1:
        plan.bind(plan._roots[0])


@contextlib.contextmanager
def _under(recorder: Recorder):
    default = torch.get_default_device()
    if default.type == "meta":
        raise RecordError("the default device is meta, where libraries skip their initialisation, allowed: the CPU")
    with watching(recorder), Answers(recorder), recorder:
        yield


def _release(model: torch.nn.Module) -> None:
    """Puts the parameters that have memory on the meta device, too: all are given theirs together."""
    for parameter in list(model.parameters()):
        if parameter.device.type != "meta":
            meta = torch.empty_strided(parameter.shape, parameter.stride(), dtype=parameter.dtype, device="meta")
            exchange(parameter, meta)
