"""What a recording has to watch beside the dispatcher: functions that do nothing on meta, and generators that PyTorch does not know."""

from __future__ import annotations

import contextlib
import random
import sys
import threading
import types

import torch

from . import law as laws
from .graph import Drawn
from .operations import Operation, operation
from .recorder import RecordError

# One recording at a time: what it changes is the process's.
_LOCK = threading.Lock()
_current = None

# PyTorch makes them no-ops on meta, or they read what they have drawn; with their parameters' names and defaults.
CAUGHT = {
    "orthogonal_": (("tensor", "gain", "generator"), {"gain": 1.0}),
    "sparse_": (("tensor", "sparsity", "std", "generator"), {"std": 0.01}),
    "eye_": (("tensor",), {}),
    "dirac_": (("tensor", "groups"), {"groups": 1}),
    "_no_grad_trunc_normal_": (("tensor", "mean", "std", "a", "b", "generator"), {}),
}


def caught(name: str, args, kwargs):
    """What one of these functions does while a model is recorded."""
    names, defaults = CAUGHT[name]
    given = {**defaults, **dict(zip(names, args)), **kwargs}
    tensor = given["tensor"]
    with torch._C.DisableTorchFunction():
        node = _node(name, tensor, given)
        noted = [_current.note(operation, given.get("generator")) for operation in _operations(name, tensor, given)]
        if noted and isinstance(node, Drawn):
            node.operation = noted[0]
        _current.write(tensor, node)
    return tensor


def _operations(name: str, tensor: torch.Tensor, given) -> list[Operation]:
    """What of torch's generator a function takes."""
    if name == "_no_grad_trunc_normal_":
        mean, std, low, high = (float(given[key]) for key in ("mean", "std", "a", "b"))
        made = operation("trunc_normal_", tensor, f"truncated_normal:mean={mean!r},std={std!r},low={low!r},high={high!r}")
        return [made]
    if name == "orthogonal_":
        made = operation("orthogonal_", tensor, "normal:mean=0,std=1", apart=True)
        made.refused = "its factorisation differs with PyTorch's threads; by_torch=True has it made whole, by this PyTorch"
        made.gain = float(given["gain"])
        return [made]
    if name == "sparse_":
        made = operation("sparse_", tensor, f"normal:mean=0,std={float(given['std'])!r}")
        made.refused, made.then = "it shuffles", tensor.shape[1] * max(tensor.shape[0] - 1, 0) if tensor.dim() == 2 else 0
        return [made]
    return []


def _node(name: str, tensor: torch.Tensor, given):
    shape = tuple(tensor.shape)
    try:
        if name == "_no_grad_trunc_normal_":
            law = laws.truncated_normal(*(float(given[key]) for key in ("mean", "std", "a", "b")))
        elif tensor.numel() == 0:
            law = laws.constant(0.0)
        elif name == "orthogonal_":
            if len(shape) < 2:
                raise ValueError("Only tensors with 2 or more dimensions are supported")
            rows = shape[0]
            law = laws.matrix(f"orthogonal:gain={float(given['gain'])!r},large=true", (rows, tensor.numel() // rows))
        elif name == "sparse_":
            law = laws.matrix(f"sparse:sparsity={float(given['sparsity'])!r},std={float(given['std'])!r}", shape)
        elif name == "eye_":
            law = laws.matrix("identity", shape)
        else:
            law = laws.matrix(f"dirac:groups={int(given['groups'])}", shape)
    except ValueError as error:
        _current.fault(f"torch.nn.init.{name} failed: {error}")
        raise
    return Drawn(shape, tensor.dtype, law)


@contextlib.contextmanager
def watching(recorder):
    """Catches those functions however they were imported, and looks at other generators before and after."""
    global _current
    if not _LOCK.acquire(blocking=False):
        raise RecordError("a recording is under way in this process, allowed: one at a time")
    try:
        _current = recorder
        with _functions(), _seeding(), _generators(recorder):
            yield
    finally:
        _current = None
        _LOCK.release()


@contextlib.contextmanager
def _functions():
    # Who has imported a function has the function itself: its code is exchanged, not its name's value.
    saved = {}
    try:
        for name in CAUGHT:
            function = getattr(torch.nn.init, name, None)
            if function is None:
                raise RecordError(f"this torch, {torch.__version__}, has no torch.nn.init.{name}, which the recording has to catch")
            namespace = {}
            exec(f"def {name}(*args, **kwargs):\n from fanin.torch import watch\n return watch.caught({name!r}, args, kwargs)", namespace)
            saved[function] = function.__code__, function.__defaults__, function.__kwdefaults__
            function.__code__, function.__defaults__, function.__kwdefaults__ = namespace[name].__code__, None, None
        yield
    finally:
        for function, (code, defaults, kwdefaults) in saved.items():
            function.__code__, function.__defaults__, function.__kwdefaults__ = code, defaults, kwdefaults


@contextlib.contextmanager
def _seeding():
    """Notes who seeds torch's generator, however the function was imported."""
    saved = {}
    try:
        for name in ("manual_seed", "seed", "set_rng_state"):
            function = getattr(torch.random, name)
            saved[function] = function.__code__
            REAL[name] = types.FunctionType(function.__code__, function.__globals__, name, function.__defaults__)
            namespace = {}
            exec(f"def {name}(*args, **kwargs):\n from fanin.torch import watch\n return watch.seeded({name!r}, args, kwargs)", namespace)
            function.__code__ = namespace[name].__code__
        yield
    finally:
        for function, code in saved.items():
            function.__code__ = code


REAL: dict = {}


def seeded(name: str, args, kwargs):
    """What one of these functions does while a model is recorded."""
    _current.reseeded = _current.reseeded or f"torch.{name}"
    return REAL[name](*args, **kwargs)


class _Noting(type):
    """A class in another's place, which notes what is made of it."""

    def __new__(cls, real, note):
        return super().__new__(cls, real.__name__, (), {"real": real, "note": staticmethod(note)})

    def __init__(cls, real, note):
        pass

    def __call__(cls, *args, **kwargs):
        made = cls.real(*args, **kwargs)
        cls.note(made)
        return made

    def __instancecheck__(cls, instance):
        return isinstance(instance, cls.real)


@contextlib.contextmanager
def _generators(recorder):
    """Numbers of other generators look like constants: the states of those that are there, and of those that are made, tell."""
    import numpy

    def of_numpy(generator):
        return lambda: repr(generator.bit_generator.state if hasattr(generator, "bit_generator") else generator.get_state(legacy=False))

    states = {"random": random.getstate, "numpy.random": lambda: repr(numpy.random.get_state(legacy=False))}
    watched = [(name, state, state()) for name, state in states.items()]

    def note(generator):
        state = of_numpy(generator)
        watched.append((f"a generator of numpy.random, {type(generator).__name__}", state, state()))

    initialise = random.Random.__init__

    def noting(self, *args, **kwargs):
        initialise(self, *args, **kwargs)
        # That of temporary files' names draws no weights.
        if type(self) is random.Random and sys._getframe(1).f_globals.get("__name__") != "tempfile":
            watched.append(("a generator, random.Random", self.getstate, self.getstate()))

    real = {name: getattr(numpy.random, name) for name in ("RandomState", "Generator", "default_rng")}
    torch_before, seed_before = torch.get_rng_state(), torch.initial_seed()

    def default_rng(*args, **kwargs):
        made = real["default_rng"](*args, **kwargs)
        note(made)
        return made

    numpy.random.RandomState, numpy.random.Generator = (_Noting(real[name], note) for name in ("RandomState", "Generator"))
    numpy.random.default_rng = default_rng
    random.Random.__init__ = noting
    try:
        yield
    finally:
        for name, maker in real.items():
            setattr(numpy.random, name, maker)
        random.Random.__init__ = initialise
        for name, state, before in watched:
            if state() != before:
                recorder.fault(f"numbers were drawn from {name}, and look like constants")
        is_reseeded = torch.initial_seed() != seed_before or recorder.has_drawn
        if not is_reseeded and not torch.equal(torch.get_rng_state(), torch_before):
            recorder.fault("numbers were drawn from torch's generator that no operation was seen to draw")
