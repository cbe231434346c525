"""Laws: the distribution of a tensor's elements in closed form, and what arithmetic makes of it."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace

from fanin import _fanin

_STANDARD = statistics.NormalDist()
# Beyond so many standard deviations no normal number of 32 random bits lies.
_REACH = 8.0


@dataclass(frozen=True)
class Law:
    """A scheme by its name, and its numbers by their keys."""

    name: str
    numbers: tuple[tuple[str, float], ...]
    # Of matrices: where they lie, as the library writes it.
    place: str = ""

    def __getitem__(self, key: str) -> float:
        return dict(self.numbers)[key]

    @property
    def is_constant(self) -> bool:
        return self.name == "constant"

    @property
    def is_elementwise(self) -> bool:
        """Whether each element is drawn by itself, so that it does not matter which is where."""
        return not self.place

    def text(self) -> str:
        """The scheme as the program and the library read it."""
        keys = ",".join(f"{key}={value!r}" for key, value in self.numbers)
        return f"{self.name}:{keys}{',' + self.place if self.place else ''}"


def constant(value: float) -> Law:
    return Law("constant", (("value", float(value)),))


def normal(mean: float, std: float) -> Law:
    return constant(mean) if std == 0 else Law("normal", (("mean", float(mean)), ("std", float(std))))


def uniform(low: float, high: float) -> Law:
    return constant(low) if low == high else Law("uniform", (("low", float(low)), ("high", float(high))))


def truncated_normal(mean: float, std: float, low: float, high: float) -> Law:
    if std == 0:
        return constant(min(max(mean, low), high))
    numbers = (("mean", float(mean)), ("std", float(std)), ("low", float(low)), ("high", float(high)))
    return Law("truncated_normal", numbers)


def positive(name: str, low: float, high: float) -> Law:
    """`log_uniform` or `log_of_uniform` between two bounds above 0."""
    return Law(name, (("low", float(low)), ("high", float(high))))


def matrix(scheme: str, shape) -> Law:
    """A scheme of whole matrices, resolved for a shape: `orthogonal`, `identity`, `dirac`, `sparse`."""
    name, keys = _fanin.resolve(scheme, list(shape)).split(":", 1)
    scale = {"orthogonal": "gain", "identity": "gain", "sparse": "std"}[name]
    pairs = [pair.split("=", 1) for pair in keys.split(",")]
    value = next(float(number) for key, number in pairs if key == scale)
    place = ",".join(f"{key}={text}" for key, text in pairs if key != scale)
    return Law(name, ((scale, value),), place)


def affine(law: Law, factor: float, offset: float) -> Law | None:
    """The law of `x * factor + offset`, if it is one."""
    if not (math.isfinite(factor) and math.isfinite(offset)):
        return None
    if factor == 1 and offset == 0:
        return law
    if law.is_constant:
        return constant(law["value"] * factor + offset)
    if factor == 0:
        return constant(offset)
    if law.name == "normal":
        return normal(law["mean"] * factor + offset, law["std"] * abs(factor))
    if law.name in ("uniform", "truncated_normal"):
        low, high = sorted((law["low"] * factor + offset, law["high"] * factor + offset))
        if law.name == "uniform":
            return uniform(low, high)
        return truncated_normal(law["mean"] * factor + offset, law["std"] * abs(factor), low, high)
    if law.name == "log_uniform" and offset == 0 and factor > 0:
        return positive("log_uniform", law["low"] * factor, law["high"] * factor)
    if law.place and offset == 0:
        ((key, value),) = law.numbers
        return replace(law, numbers=((key, value * factor),))
    return None


def clamp(law: Law, low: float | None, high: float | None) -> Law | None:
    """The law of what is kept between two bounds, if it is one: where next to nothing lies beyond them."""
    low = -math.inf if low is None else low
    high = math.inf if high is None else high
    if law.is_constant:
        return constant(min(max(law["value"], low), high))
    if law.name in ("normal", "truncated_normal"):
        first, last = (law["low"], law["high"]) if law.name == "truncated_normal" else (-math.inf, math.inf)
        reach = _REACH * law["std"]
        if low <= max(first, law["mean"] - reach) and high >= min(last, law["mean"] + reach):
            return truncated_normal(law["mean"], law["std"], max(low, first), min(high, last))
    if law.name in ("uniform", "truncated_normal", "log_uniform"):
        # Bounds are made of the same numbers by other ways, and rounded otherwise.
        slack = 1e-6 * max(abs(bound) for bound in (low, high, law["low"], law["high"]) if math.isfinite(bound))
        if low - slack <= law["low"] and law["high"] <= high + slack:
            return law
    if law.name == "log_uniform" and high >= law["high"] and low > 0:
        return Law("floored", (*law.numbers, ("floor", float(low))))
    return None


def function(law: Law, name: str) -> Law | None:
    """The law of a function of each element, if it is one: `erfinv`, `exp`, `log`."""
    if name == "erfinv" and law.name == "uniform":
        # Of a uniform number it is a normal one of deviation 1/sqrt(2), cut where the uniform ends.
        def bound(p: float) -> float:
            return math.copysign(math.inf, p) if abs(p) >= 1 else _STANDARD.inv_cdf((1 + p) / 2) / math.sqrt(2)

        return truncated_normal(0.0, math.sqrt(0.5), bound(law["low"]), bound(law["high"]))
    if name == "exp" and law.name == "uniform" and law["high"] < 80:
        return positive("log_uniform", math.exp(law["low"]), math.exp(law["high"]))
    if name == "log" and law.name == "uniform" and law["low"] > 0:
        return positive("log_of_uniform", law["low"], law["high"])
    if name == "log" and law.name == "log_uniform":
        return uniform(math.log(law["low"]), math.log(law["high"]))
    if law.is_constant:
        functions = {"exp": math.exp, "log": math.log, "sqrt": math.sqrt}
        try:
            return constant(functions[name](law["value"])) if name in functions else None
        except ValueError:
            return None
    return None


def inverse_softplus(law: Law) -> Law | None:
    """The law of `x + log(-expm1(-x))`, which softplus makes x of, if it is one."""
    if law.name == "log_uniform":
        return Law("inverse_softplus", (*law.numbers, ("floor", law["low"])))
    if law.name == "floored":
        return replace(law, name="inverse_softplus")
    return None
