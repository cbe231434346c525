"""The recorder: follows every storage of a model under construction, and gives weights no memory.

Under PyTorch's dispatch mode, what is large or random lies on the meta device; small tensors that are not random stay real, so that code which
reads them goes on as it does on a CPU. The default device stays the CPU: libraries skip their initialisation where it is meta.
"""

from __future__ import annotations

import math

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from . import law as laws
from .exchange import exchange
from .graph import Computed, Drawn, Full, Geometry, Given, Node, Unknown, Written, covers, evaluate, reshaped, view
from .operations import Operation, number_scheme, operation

aten = torch.ops.aten

# Tensors of no more elements, none of them random, are computed for real.
REAL_ELEMENTS = 1 << 20

# What has its argument's elements, in their order.
SAME = {"clone", "contiguous", "lift_fresh", "lift_fresh_copy", "lift", "detach", "alias", "_unsafe_view", "view_copy", "_to_copy"}

# What is changed in other ways than element by element is worked out again, by torch.
NO_CHANGE_OF_VALUES = {"requires_grad_", "resize_", "rename_", "_resize_output_"}

_DEVICE, _IS_META, _IS_CPU = (getattr(torch.Tensor, name).__get__ for name in ("device", "is_meta", "is_cpu"))
_SET_DATA = torch.Tensor.data.__set__
_FACTORIES = (torch.tensor, torch.as_tensor, torch.asarray)
# What hands numbers to Python without the dispatcher's knowledge.
_READERS = {getattr(torch.Tensor, name): name for name in ("numpy", "tolist", "__array__", "data_ptr", "__dlpack__")}


class RecordError(RuntimeError):
    """A model that cannot be recorded: names what its code did, and why that is not known."""


class Recorder(TorchDispatchMode):
    """What each storage holds, by the operations that made it."""

    def __init__(self):
        super().__init__()
        # By storage: of meta ones, and of real ones that hold, or should hold, what is random.
        self.writes: dict[int, list[tuple[Geometry, Node]]] = {}
        self.bases: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        self.kept: list[torch.UntypedStorage] = []
        # Whatever happened that no record can be trusted after.
        self.faults: list[str] = []
        # Whether operations that draw were run for real, whose results are unknown then.
        self.has_drawn = False
        # All operations that draw from torch's own generator, in order, and which function seeded it anew, if any did.
        self.operations: list[Operation] = []
        self.reseeded: str | None = None

    # What tensors hold.

    def follows(self, tensor: torch.Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self.writes

    def read(self, tensor: torch.Tensor) -> Node:
        """What a tensor holds."""
        shape, dtype = tuple(tensor.shape), tensor.dtype
        key = tensor.untyped_storage()._cdata
        writes = self.writes.get(key)
        if writes is None:
            if tensor.device.type == "meta" and tensor.numel():
                return Unknown(shape, dtype, "it was made on the meta device outside of the recording, or never written")
            return Given(tensor if tensor.device.type != "meta" else torch.empty(shape, dtype=dtype))
        if tensor.numel() == 0:
            return Given(torch.empty(shape, dtype=dtype))
        if not writes:
            return Unknown(shape, dtype, "it was never written")
        size = self._size(tensor)
        geometry = _geometry(tensor)
        last, node = writes[-1]
        if node.dtype != dtype:
            return Unknown(shape, dtype, f"it is a view, as {dtype}, of what was written as {node.dtype}")
        if last == geometry:
            return node
        if covers(last, size):
            if covers(geometry, size):
                return reshaped(node, shape)
            return view(node, geometry, shape, dtype)
        base_shape, base_stride = self.bases[key]
        if covers(geometry, size) and not covers((0, base_shape, base_stride), size):
            base_shape, base_stride = shape, tuple(tensor.stride())
        whole = Written(base_shape, dtype, base_stride, size, tuple(writes))
        if (0, base_shape, base_stride) == geometry:
            return whole
        if covers(geometry, size) and covers((0, base_shape, base_stride), size):
            return reshaped(whole, shape)
        # A part that one write alone has is that write's.
        return view(whole, geometry, shape, dtype)

    def write(self, tensor: torch.Tensor, node: Node) -> None:
        """Says what a tensor holds from now on."""
        key = tensor.untyped_storage()._cdata
        if key not in self.writes:
            if tensor.device.type != "meta" and not node.is_random:
                return
            self.follow(tensor, real=tensor.device.type != "meta")
        if tensor.numel() == 0:
            return
        geometry, writes = _geometry(tensor), self.writes[key]
        if covers(geometry, self._size(tensor)):
            writes.clear()
        writes[:] = [write for write in writes if write[0] != geometry]
        writes.append((geometry, node))

    def follow(self, tensor: torch.Tensor, real: bool = False) -> None:
        """Begins to follow a storage, which real values may be in."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        self.kept.append(storage)
        base = tensor._base if tensor._base is not None else tensor
        self.writes[key] = []
        self.bases[key] = tuple(base.shape), tuple(base.stride())
        if real and tensor.numel() < self._size(tensor):
            whole = torch.empty(0, dtype=tensor.dtype).set_(storage)
            self.writes[key].append(((0, tuple(whole.shape), tuple(whole.stride())), Given(whole.clone())))

    @staticmethod
    def _size(tensor: torch.Tensor) -> int:
        return tensor.untyped_storage().nbytes() // tensor.element_size()

    def number(self, value) -> float | int | None:
        """A number, or that of which a tensor is full."""
        if isinstance(value, (int, float)):
            return value
        if isinstance(value, torch.Tensor):
            node = self.read(value)
            if node.law is not None and node.law.is_constant:
                return node.law["value"]
            if isinstance(node, Given) and value.numel() == 1 and not value.dtype.is_complex:
                return value.detach().reshape(()).item()
        return None

    def is_unreal(self, tensor: torch.Tensor) -> bool:
        """Whether its memory, if it has any, is not what it holds."""
        return tensor.device.type == "meta" or self.follows(tensor)

    # What operations make.

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Nothing is compiled within a recording, and importing the compiler for it takes seconds.
        return False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunction():
            try:
                return self.dispatch(func, args, dict(kwargs or {}))
            except Exception as error:
                # Libraries swallow errors, and go on another way than on a CPU.
                self.fault(f"{func} failed: {error}")
                raise

    def fault(self, text: str) -> None:
        self.faults.append(text.strip().split("\n")[0][:300])

    def dispatch(self, func, args, kwargs):
        name = func._schema.name.split("::")[1]
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if name == "_local_scalar_dense":
            return self._scalar(func, tensors[0])
        if name in NO_CHANGE_OF_VALUES:
            return func(*args, **kwargs)
        if name == "set_" and len(tensors) == 2:
            node = self.read(tensors[1])
            out = func(*args, **kwargs)
            self.write(tensors[0], node)
            return out
        written = _written(func, args, kwargs)
        if any(not isinstance(tensor, torch.Tensor) for tensor in written):
            for tensor in tree_leaves(written):
                if self.follows(tensor):
                    raise RecordError(f"{func} changes several tensors at once")
            return func(*args, **kwargs)
        if written and name.endswith("_") and len(written) == 1 and written[0] is args[0]:
            return self._change(func, name, args, kwargs)
        if written:
            return self._out(func, name, args, kwargs, written, tensors)
        if not tensors:
            return self._factory(func, name, args, kwargs)
        return self._pure(func, name, args, kwargs, tensors)

    def _scalar(self, func, tensor):
        if not self.follows(tensor):
            return func(tensor)
        node = self.read(tensor)
        if node.is_random:
            raise RecordError(f"the model's code asks for a number that is drawn, or not known{_because(node)}, to go on by it")
        return evaluate(node, _none).reshape(()).item()

    def _change(self, func, name, args, kwargs):
        """An operation that changes its first argument."""
        target = args[0]
        is_random = torch.Tag.nondeterministic_seeded in func.tags
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if not is_random and not any(map(self.is_unreal, tensors)):
            return func(*args, **kwargs)
        node = self._changed(func, name, args, kwargs, is_random)
        others = [leaf for leaf in tree_leaves((args[1:], kwargs)) if isinstance(leaf, torch.Tensor)]
        if not node.is_random and not self.is_unreal(target):
            self.has_drawn |= is_random
            known = {id(other): evaluate(self.read(other), _none) for other in others if self.is_unreal(other)}
            args, kwargs = tree_map(lambda leaf: known.get(id(leaf), leaf), (args, kwargs))
            func(*args, **kwargs)
        self.write(target, node)
        return target

    def _changed(self, func, name, args, kwargs, is_random) -> Node:
        target = args[0]
        shape, dtype = target.shape, target.dtype
        if is_random:
            law = self._random(name.rstrip("_"), args[1:], kwargs)
            return self._draw(name, target, law, args[1:], kwargs)
        if name == "zero_":
            return Full(shape, dtype, 0)
        if name == "fill_":
            value = self.number(args[1])
            if value is not None:
                return Full(shape, dtype, value)
            return Computed(shape, dtype, func, (self._snapshot(target), self._snapshot(args[1])), name=name, changes=True)
        if name == "copy_":
            source = self._snapshot(args[1])
            if tuple(source.shape) == tuple(shape):
                return source if source.dtype == dtype else self._cast(source, dtype)
            law = source.law if source.law is not None and source.law.is_constant else None
            if law is not None:
                return Full(shape, dtype, law["value"])
            return Computed(shape, dtype, _broadcast, (source, tuple(shape), dtype), name="broadcast")
        law, source = self._closed(name.rstrip("_"), args, kwargs, shape)
        nodes = tree_map(lambda leaf: self._snapshot(leaf) if isinstance(leaf, torch.Tensor) else leaf, (args, kwargs))
        return Computed(shape, dtype, func, *nodes, name=name, changes=True, law=law, source=source)

    def _out(self, func, name, args, kwargs, written, tensors):
        """An operation that writes its result into another tensor."""
        if not any(map(self.is_unreal, tensors)):
            return func(*args, **kwargs)
        raise RecordError(f"{func} writes into out=, which is not followed")

    def _factory(self, func, name, args, kwargs):
        """An operation that makes tensors of none."""
        is_random = torch.Tag.nondeterministic_seeded in func.tags
        takes_device = any(argument.name == "device" for argument in func._schema.arguments)
        size = args[0] if args and isinstance(args[0], (list, tuple)) else ()
        elements = math.prod(size) if all(isinstance(n, int) for n in size) else 0
        is_empty = name.startswith("empty")
        law = self._random(name, (), kwargs) if is_random else None
        if takes_device and (is_empty or elements > REAL_ELEMENTS or law is not None):
            asked = dict(kwargs)
            kwargs.pop("pin_memory", None)
            kwargs.pop("generator", None)
            kwargs["device"] = torch.device("meta")
            if law is not None:
                if name == "normal":
                    size = next(arg for arg in (*args, kwargs.get("size")) if isinstance(arg, (list, tuple)))
                    law = self._random(name, [arg for arg in args if not isinstance(arg, (list, tuple))], kwargs)
                dtype = kwargs.get("dtype") or torch.get_default_dtype()
                out = torch.empty(size, dtype=dtype, device="meta")
                node = self._draw(name, out, law, [arg for arg in args if isinstance(arg, (int, float))], asked)
            else:
                out = func(*args, **kwargs)
                node = None if is_empty else self._made(func, name, args, asked, out)
            self.follow(out)
            if node is not None:
                self.write(out, node)
            return out
        device = kwargs.get("device")
        if device is not None and torch.device(device).type == "meta":
            kwargs["device"] = torch.device("cpu")
        out = func(*args, **kwargs)
        if is_random:
            self._undrawable(name, out, kwargs.get("generator"))
        return out

    def _made(self, func, name, args, kwargs, out) -> Node:
        full = {"zeros": 0, "ones": 1}.get(name)
        if name == "full":
            full = self.number(args[1])
        if full is not None:
            return Full(out.shape, out.dtype, full)
        kwargs = {key: value for key, value in kwargs.items() if key not in ("device", "pin_memory", "generator")}
        return Computed(out.shape, out.dtype, func, args, kwargs, name=name)

    def _pure(self, func, name, args, kwargs, tensors):
        """An operation that makes tensors of others."""
        is_random = torch.Tag.nondeterministic_seeded in func.tags
        law = self._random(name.removesuffix("_like"), (), kwargs) if is_random else None
        followed = [tensor for tensor in tensors if self.is_unreal(tensor)]
        is_empty = name.startswith(("empty", "new_empty"))
        large = is_empty or law is not None or _elements(name, args) > REAL_ELEMENTS
        if kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "meta":
            del kwargs["device"]
        if name == "equal" and followed:
            nodes = [self.read(tensor) for tensor in tensors]
            if any(node.is_random for node in nodes):
                raise RecordError("the model's code compares what is drawn, or not known, to go on by it")
            return func(*(evaluate(node, _none) for node in nodes))
        if not followed and not large:
            out = func(*args, **kwargs)
            if is_random:
                self._undrawable(name, out, kwargs.get("generator"))
            return out
        # On meta, what the result is like; real arguments of random values count as such.
        keys = ("device", "pin_memory", "generator")
        likeness = {key: value for key, value in kwargs.items() if key not in keys}
        if any(argument.name == "device" for argument in func._schema.arguments):
            if name != "_to_copy":
                likeness["device"] = torch.device("meta")
        storages = {}

        def on_meta(leaf):
            if not isinstance(leaf, torch.Tensor) or leaf.device.type == "meta":
                return leaf
            return storages.setdefault(id(leaf), leaf.to("meta"))

        if followed and all(tensor.device.type != "meta" for tensor in tensors) and _is_view(func):
            # Views of real memory are real.
            return func(*args, **kwargs)
        meta_args, meta_kwargs = tree_map(on_meta, (args, likeness))
        out = func(*meta_args, **meta_kwargs)
        known = {tensor.untyped_storage()._cdata for tensor in tensors}
        known |= {tensor.untyped_storage()._cdata for tensor in storages.values()}
        outs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        nodes = None
        for index, result in enumerate(outs):
            if result.untyped_storage()._cdata in known:
                continue
            if is_empty:
                self.follow(result)
                continue
            if is_random:
                if name == "normal":
                    law = self._random(name, args, kwargs)
                node = self._draw(name, result, law, args if name == "normal" else (), kwargs)
            else:
                if nodes is None:
                    kept = {key: value for key, value in kwargs.items() if key not in keys}
                    nodes = tree_map(lambda leaf: self._snapshot(leaf) if isinstance(leaf, torch.Tensor) else leaf, (args, kept))
                node = self._value(
                    func, name, args, kwargs, nodes, result, index if len(outs) > 1 or isinstance(out, (list, tuple)) else None
                )
            self.follow(result)
            self.write(result, node)
            if name in ("cat", "stack") and node.is_random:
                self._parts(name, args, kwargs, result)
        return out

    def _draw(self, name, tensor, law, args, kwargs) -> Node:
        """What an operation draws into a tensor, which is noted."""
        base = name.rstrip("_").removesuffix("_like")
        # Means and deviations that are tensors are placed in steps of their own.
        is_placed = any(isinstance(number, torch.Tensor) for number in (*args, kwargs.get("mean"), kwargs.get("std")))
        scheme = None
        if law and not is_placed:
            scheme = number_scheme({"rand": "uniform", "randn": "normal"}.get(base, base), *self._numbers(base, args, kwargs))
        noted = self.note(operation(name, tensor, scheme), kwargs.get("generator"))
        if law is None:
            return Unknown(tensor.shape, tensor.dtype, f"it is drawn by {name}, which fanin does not draw")
        node = Drawn(tensor.shape, tensor.dtype, law)
        node.operation = noted
        return node

    def note(self, noted: Operation, generator) -> int:
        """Notes an operation that draws, and says its number."""
        if generator is not None and generator is not torch.default_generator:
            # It takes no word of torch's own.
            noted = Operation(
                noted.name, 0, torch.float32, "uniform:low=0,high=1", refused="it is drawn from a generator of the code's own"
            )
        self.operations.append(noted)
        return len(self.operations) - 1

    def _undrawable(self, name, out, generator=None):
        self.has_drawn = True
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                noted = operation(name, tensor, None)
                if name == "randperm":
                    # A word for each element but the last.
                    noted = Operation(name, max(tensor.numel() - 1, 0), torch.float32, "uniform:low=0,high=1", refused="it shuffles")
                self.note(noted, generator)
                self.write(tensor, Unknown(tensor.shape, tensor.dtype, f"it is drawn by {name}, which fanin does not draw"))

    def _value(self, func, name, args, kwargs, nodes, result, index) -> Node:
        shape, dtype = result.shape, result.dtype
        node_args, node_kwargs = nodes
        if name in SAME and index is None:
            node = node_args[0]
            node = node if node.dtype == dtype else self._cast(node, dtype)
            return reshaped(node, shape)
        number = {"zeros_like": 0, "new_zeros": 0, "ones_like": 1, "new_ones": 1}.get(name)
        if name in ("full_like", "new_full"):
            number = self.number(args[1 if name == "full_like" else 2])
        if number is not None:
            return Full(shape, dtype, number)
        law, source = self._closed(name, args, kwargs, shape)
        return Computed(shape, dtype, func, node_args, node_kwargs, name=name, index=index, law=law, source=source)

    def _parts(self, name, args, kwargs, result):
        """Of what is put together, each part by itself."""
        along = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % result.dim()
        self.writes[result.untyped_storage()._cdata].clear()
        at = 0
        for tensor in args[0]:
            if tensor.numel() == 0:
                continue
            size = tensor.shape[along] if name == "cat" else 1
            part = result.narrow(along, at, size)
            node = self._snapshot(tensor)
            self.write(part, reshaped(node if node.dtype == result.dtype else self._cast(node, result.dtype), part.shape))
            at += size

    def _snapshot(self, value):
        """What a tensor holds now, whatever is written into it later."""
        if not isinstance(value, torch.Tensor):
            return value
        node = self.read(value)
        return Given(node.tensor.detach().clone()) if isinstance(node, Given) else node

    @staticmethod
    def _cast(node: Node, dtype) -> Node:
        if isinstance(node, Given):
            return Given(node.tensor.to(dtype))
        keeps = node.dtype.is_floating_point and dtype.is_floating_point
        law, source = (node.law, node.source) if keeps else (None, None)
        return Computed(node.shape, dtype, torch.Tensor.to, (node, dtype), name="to", law=law, source=source)

    def _random(self, name, args, kwargs) -> laws.Law | None:
        """The law of an operation that draws, if fanin draws it."""
        law = {"normal": laws.normal, "uniform": laws.uniform, "randn": laws.normal, "rand": laws.uniform}.get(name)
        numbers = self._numbers(name, args, kwargs) if law else ()
        return law(*numbers) if law and None not in numbers else None

    def _numbers(self, name, args, kwargs) -> tuple[float | None, float | None]:
        """Mean and deviation, or bounds; None for what is no number."""
        if name in ("rand", "randn"):
            return 0.0, 1.0
        numbers = [self.number(arg) for arg in args]

        def number(at, key, default):
            value = numbers[at] if len(numbers) > at else self.number(kwargs[key]) if key in kwargs else default
            return None if value is None else float(value)

        first, second = ("mean", "std") if name == "normal" else ("from", "to")
        return number(0, first, 0.0), number(1, second, 1.0)

    def _closed(self, name, args, kwargs, shape):
        """The law and the source of what element by element arithmetic makes, if there is one in closed form."""
        tensors = [arg for arg in args if isinstance(arg, torch.Tensor)]
        if not tensors or kwargs.get("rounding_mode"):
            return None, None
        first = self.read(tensors[0])
        if name == "add" and len(tensors) == 2 and first.source is not None:
            # x + log(-expm1(-x)), Mamba's time steps.
            if _is_softplus_rest(self.read(tensors[1]), first) and kwargs.get("alpha", 1) == 1:
                return laws.inverse_softplus(first.law), first.source
        x, other, swapped = first, args[1] if len(args) > 1 else None, False
        if args[0] is not tensors[0] or (len(tensors) == 2 and first.law is not None and first.law.is_constant):
            x, other, swapped = self.read(tensors[-1]), args[0], True
        if x.law is None or math.prod(x.shape) != math.prod(shape):
            return None, None
        number = self.number(other)
        alpha = float(kwargs.get("alpha", 1))
        law = None
        if name == "mul" and number is not None:
            law = laws.affine(x.law, number, 0.0)
        elif name == "div" and number and not swapped:
            law = laws.affine(x.law, 1 / number, 0.0)
        elif name == "add" and number is not None:
            law = laws.affine(x.law, alpha, number) if swapped else laws.affine(x.law, 1.0, number * alpha)
        elif name == "sub" and number is not None:
            law = laws.affine(x.law, -alpha, number) if swapped else laws.affine(x.law, 1.0, -number * alpha)
        elif name == "rsub" and number is not None and not swapped and alpha == 1:
            law = laws.affine(x.law, -1.0, number)
        elif name == "neg":
            law = laws.affine(x.law, -1.0, 0.0)
        elif name in ("clamp", "hardtanh") and not swapped:
            bounds = [
                self.number(args[at]) if len(args) > at and args[at] is not None else kwargs.get(key)
                for at, key in ((1, "min"), (2, "max"))
            ]
            law = laws.clamp(x.law, *bounds)
        elif name == "clamp_min" and number is not None:
            law = laws.clamp(x.law, number, None)
        elif name == "clamp_max" and number is not None:
            law = laws.clamp(x.law, None, number)
        elif name in ("erfinv", "exp", "log", "sqrt"):
            law = laws.function(x.law, name)
        return law, x.source if law is not None and not law.is_constant else None


class Answers(TorchFunctionMode):
    """What a model's code is told: that its tensors are on the CPU."""

    def __init__(self, recorder: Recorder):
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is _DEVICE:
            device = func(*args, **kwargs)
            return torch.device("cpu") if device.type == "meta" else device
        if func is _IS_META:
            return False
        if func is _IS_CPU:
            return True
        if func is _SET_DATA and args[0].device.type != args[1].device.type:
            # What is real has memory and what is not has none: the one takes the other's place.
            exchange(args[0], args[1].detach())
            return None
        if func in _FACTORIES and kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "meta":
            kwargs.pop("device")
        if func in _READERS and args and isinstance(args[0], torch.Tensor) and self.recorder.follows(args[0]):
            with torch._C.DisableTorchFunction():
                node = self.recorder.read(args[0])
                if not node.is_random and _READERS[func] in ("numpy", "tolist"):
                    return func(evaluate(node, _none), *args[1:], **kwargs)
            error = RecordError(f"the model's code asks by Tensor.{_READERS[func]} for what is drawn, or not known{_because(node)}")
            self.recorder.fault(str(error))
            raise error
        return func(*args, **kwargs)


def _none(draw):
    raise AssertionError("no draw is part of what is not random")


def _because(node: Node) -> str:
    return f" ({node.cause})" if node.cause else ""


def _broadcast(source, shape, dtype):
    return source.to(dtype).expand(shape).clone()


def _geometry(tensor: torch.Tensor) -> Geometry:
    return tensor.storage_offset(), tuple(tensor.shape), tuple(tensor.stride())


def _written(func, args, kwargs) -> list:
    """The arguments that an operation changes."""
    out = []
    for at, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[at] if at < len(args) else kwargs.get(argument.name)
            if value is not None:
                out.append(value)
    return out


def _is_view(func) -> bool:
    return any(out.alias_info is not None for out in func._schema.returns)


def _elements(name: str, args) -> int:
    """How many elements a result has at least whose size is told by an argument."""
    sizes = [arg for arg in args[1:] if isinstance(arg, (list, tuple)) and all(isinstance(n, int) for n in arg)]
    if name.startswith("new_"):
        return math.prod(sizes[0]) if sizes else 0
    if name.endswith("_like"):
        return args[0].numel()
    return 0


def _is_softplus_rest(node: Node, x: Node) -> bool:
    """Whether it is log(-expm1(-x))."""
    for name in ("log", "neg", "expm1", "neg"):
        if not isinstance(node, Computed) or node.name.rstrip("_") != name:
            return False
        node = node.args[0]
    return node is x
