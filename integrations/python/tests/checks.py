"""What a model holds when it initialises itself, beside what its plan draws."""

from __future__ import annotations

import math

import fanin.torch
import torch
from fanin import _fanin

# Of two samples of one law, sqrt(n m / (n + m)) times the largest distance of their distribution functions is beyond 2.8 with a probability
# of 2 exp(-2 * 2.8^2) = 3e-7; a mean is beyond 5.5 of its standard deviations with one of 4e-8.
KOLMOGOROV = 2.8
SIGMAS = 5.5


def values_of(model) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name, of ties the first."""
    named = dict(model.named_parameters())
    named.update(model.named_buffers())
    return {name: tensor.detach().clone() for name, tensor in named.items()}


def disagreements(build, seeds: int = 6) -> tuple[fanin.torch.Plan, list[str]]:
    """The plan of what is built, and what real instantiations on the CPU have otherwise than the plan's draws, of as many seeds each."""
    model, plan = fanin.torch.record(build)
    plan.check()
    real: dict[str, list[torch.Tensor]] = {}
    ours: dict[str, list[torch.Tensor]] = {}
    for seed in range(seeds):
        torch.manual_seed(seed)
        for name, value in values_of(build()).items():
            real.setdefault(name, []).append(value)
        fanin.torch.materialize_(model, plan, seed, widen=True)
        for name, value in values_of(model).items():
            ours.setdefault(name, []).append(value)
    wrong = [f"{name}: only one of both has it" for name in sorted(set(real) ^ set(ours))]
    for name in [name for name in real if name in ours]:
        fault = _difference(plan[name], real[name], ours[name])
        if fault:
            wrong.append(f"{name} ({plan[name].text()}): {fault}")
    wrong += _copies(plan, real)
    return plan, wrong


def _difference(entry, real, ours) -> str | None:
    if real[0].shape != ours[0].shape or real[0].dtype != ours[0].dtype:
        return f"{real[0].dtype} {list(real[0].shape)} really, {ours[0].dtype} {list(ours[0].shape)} here"
    if real[0].numel() == 0:
        return None
    x, y = (torch.stack([value.reshape(-1) for value in values]) for values in (real, ours))
    fixed_x, fixed_y = ((values == values[0]).all(0) | values.isnan().all(0) for values in (x, y))
    if entry.kind != "given" and x.is_floating_point():
        # A few are the same by chance, more of 16 bits.
        chance = x.shape[1] * 0.02 + 3 if x.element_size() == 2 else x.shape[1] // 20_000
        if (fixed_x != fixed_y).sum() > chance:
            return f"{int(fixed_x.sum())} of {x.shape[1]} elements are the same for all seeds, {int(fixed_y.sum())} here"
    elif not (fixed_x.all() and fixed_y.all()):
        return "given values differ between seeds"
    fixed = fixed_x & fixed_y
    if not torch.equal(x[0, fixed].nan_to_num(), y[0, fixed].nan_to_num()) and entry.dtype in (torch.float32, torch.int64, torch.bool):
        return f"values that do not vary differ by up to {(x[0, fixed] - y[0, fixed]).abs().max():.3g}"
    x, y = x[:, ~fixed].double().flatten(), y[:, ~fixed].double().flatten()
    if x.numel() == 0:
        return None
    apart = kolmogorov(x, y)
    # Rounded to 16 bits, many are the same.
    if apart > KOLMOGOROV:
        return f"the distribution functions are apart by {apart:.2f}"
    if entry.kind == "drawn" and not entry.slices:
        return _law(entry, x)
    return None


def _law(entry, x: torch.Tensor) -> str | None:
    """Whether values have a scheme's mean, standard deviation and bounds."""
    draw = _fanin.Draw(entry.scheme, list(entry.shape), seed="0", name="")
    name, keys = entry.scheme.split(":", 1)
    keys = dict(pair.split("=") for pair in keys.split(","))
    low, high = (float(keys.get(key, f"{sign}inf")) for key, sign in (("low", "-"), ("high", "")))
    if name in ("uniform", "truncated_normal", "log_uniform"):
        # As f32 and 16 bits have them.
        slack = {torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}.get(entry.dtype, 1e-5) * max(
            abs(v) for v in (low, high, draw.std) if math.isfinite(v)
        )
        if x.min() < low - slack or x.max() > high + slack:
            return f"{x.min():.6g} to {x.max():.6g} is beyond {low:.6g} to {high:.6g}"
    if name in ("orthogonal", "sparse", "identity") or entry.dtype not in (torch.float32, torch.float64):
        return None
    off = abs(float(x.mean()) - draw.mean) / (draw.std / math.sqrt(x.numel()))
    # The fourth moment of a normal is the largest of these laws'.
    spread = abs(float(((x - draw.mean) ** 2).mean()) / draw.std**2 - 1) * math.sqrt(x.numel() / 2)
    if off > SIGMAS or spread > SIGMAS * (1.6 if "log" in name or "soft" in name else 1):
        return f"the mean is {off:.1f} sigma off, the variance {spread:.1f}"
    return None


def kolmogorov(x: torch.Tensor, y: torch.Tensor) -> float:
    """How far two samples' distribution functions are apart, in units in which it hardly depends on their sizes."""
    x, y = x.sort().values, y.sort().values
    both = torch.cat([x, y])
    of = [torch.searchsorted(values, both, right=True) / values.numel() for values in (x, y)]
    return float((of[0] - of[1]).abs().max()) * math.sqrt(x.numel() * y.numel() / (x.numel() + y.numel()))


def _copies(plan, real) -> list[str]:
    """What the plan says holds the same values, and does not."""
    wrong, seen = [], {}
    for entry in plan:
        if entry.kind != "drawn" or entry.scheme.startswith("constant") or entry.name not in real:
            continue
        first = seen.setdefault((entry.scheme, entry.stream, entry.shape, tuple(entry.slices)), entry.name)
        if first != entry.name and not all(map(torch.equal, real[first], real[entry.name])):
            wrong.append(f"{entry.name}: has not really the values of {first}")
    # And what does, and is not said to.
    for at, one in enumerate(plan):
        for other in list(plan)[at + 1 :]:
            if one.shape == other.shape and one.name in real and other.name in real and one.kind == "drawn" == other.kind:
                same = not one.scheme.startswith("constant") and all(map(torch.equal, real[one.name], real[other.name]))
                if same and (one.scheme, one.stream) != (other.scheme, other.stream):
                    wrong.append(f"{other.name}: has really the values of {one.name}")
    return wrong
