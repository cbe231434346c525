#!/usr/bin/env python3
"""The value contract from its text alone: VALUES.md, implemented with Python's standard library and nothing of the crate.

Compares streams, numbers, functions and elements with tests/value_stability.txt, tests/golden/*.txt and the vectors of
VALUES.md. Prints what it compared; exits with 1 on a difference. `--vectors` prints those of section 8 anew.
"""

import functools
import hashlib
import math
import os
import struct
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")

# 1. Arithmetic. Python's floats are f64. A sum, difference or product of two f32 in f64, rounded to f32, is rounded as if once.

_F = struct.Struct("<f")
_I = struct.Struct("<I")
MASK = 0xFFFFFFFF


def f32(x):
    return _F.unpack(_F.pack(x))[0]


def bits(x):
    return _I.unpack(_F.pack(x))[0]


def of_bits(u):
    return _F.unpack(_I.pack(u))[0]


def signed(u):
    return u - (1 << 32) if u >> 31 else u


def clamp(x, low, high):
    return low if x < low else high if x > high else x


# 2. Words.


def philox(counter, key):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = p1 >> 32 ^ c1 ^ k0, p1 & MASK, p0 >> 32 ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c0, c1, c2, c3


def halves(n):
    return n & MASK, n >> 32


class Stream:
    def __init__(self, key, nonce):
        self.key, self.nonce, self.kept = tuple(key), nonce, {}

    @classmethod
    def derived(cls, counter, key):
        k0, k1, nonce, _ = philox(counter, key)
        return cls((k0, k1), nonce)

    @classmethod
    def named(cls, seed, name):
        w = struct.unpack("<4I", hashlib.sha256(name.encode()).digest()[:16])
        return cls.derived((w[0], w[1], w[2] | 0xC0000000, w[3]), halves(seed))

    @classmethod
    def numbered(cls, seed, n):
        return cls.derived((*halves(n), 0x80000000, 0), halves(seed))

    def fold_in(self, data):
        return Stream.derived((*halves(data), 0x80000001, self.nonce), self.key)

    def block(self, b, attempt):
        if (b, attempt) not in self.kept:
            self.kept[b, attempt] = philox((*halves(b), attempt, self.nonce), self.key)
        return self.kept[b, attempt]


class Rng:
    def __init__(self, stream):
        self.words = (word for b in range(1 << 64) for word in stream.block(b, 0))

    def u32(self):
        return next(self.words)

    def u64(self):
        low = next(self.words)
        return low | next(self.words) << 32

    def bytes(self, n):
        return b"".join(_I.pack(next(self.words)) for _ in range((n + 3) // 4))[:n]


# 3. From a distribution to numbers, in f64.

MAX = 2.0**128 - 2.0**104
LARGEST = {"f32": MAX, "f16": 65504.0, "bf16": 2.0**128 - 2.0**120}
RADIUS_UNIT = float.fromhex("0x1.5ac41c94d6246p-4")
NAMES = "location offset scale coarse fine first last unit limit tiny word low high mass_per_step beyond slope curve peak width"
LOCATION, OFFSET, UNIT, BOUNDS, NARROW = 1, 2, 4, 8, 16
INF = math.inf


class Refused(Exception):
    pass


def distribution(scheme, shape=(64, 32)):
    """Of those texts of schemes that the frozen files have: (kind, parameters)."""
    name, _, text = scheme.partition(":")
    p = {key: float(value) for key, value in (pair.split("=") for pair in text.split(",") if pair)}
    fan_in, fan_out = float(shape[1]), float(shape[0])
    if name == "he_normal":
        return "normal", (0.0, math.sqrt(2.0 / fan_in))
    if name == "glorot_uniform":
        a = math.sqrt(3.0 * 1.0 / ((fan_in + fan_out) / 2.0))
        return "uniform", (-a, a)
    return name, tuple(p.values())


def is_normal(x):
    return 2.0**-126 <= abs(x) <= MAX


def normal_f32(x):
    y = f32(clamp(x, -MAX, MAX))
    return y if is_normal(y) else 0.0


def value_at(dtype, ordinal):
    magnitude = abs(ordinal)
    x = struct.unpack("<e", struct.pack("<H", magnitude))[0] if dtype == "f16" else of_bits(
        magnitude << 16 if dtype == "bf16" else magnitude
    )
    return -x if ordinal < 0 else x


def within(dtype, low, high, open_=False):
    largest = {"f32": 0x7F7FFFFF, "f16": 0x7BFF, "bf16": 0x7F7F}[dtype]
    smallest = {"f32": 0x800000, "f16": 1, "bf16": 0x80}[dtype]

    def count_below(test):  # The first ordinal at which the test holds: it does from there on.
        below, at = -largest - 1, largest + 1
        while at - below > 1:
            middle = (below + at) // 2
            below, at = (below, middle) if test(value_at(dtype, middle)) else (middle, at)
        return at

    first = count_below(lambda v: v >= low)
    last = count_below(lambda v: v >= high if open_ else v > high) - 1
    if 0 < abs(first) < smallest:
        first = smallest if first > 0 else 0
    if 0 < abs(last) < smallest:
        last = 0 if last > 0 else -smallest
    if first > last:
        raise Refused(f"no {dtype} value lies in the window")
    return value_at(dtype, first) + 0.0, value_at(dtype, last) + 0.0


def scaled(location, scale, magnitude):
    if magnitude == 0.0 or 2.0**-40 <= magnitude <= 2.0**40:
        unit = 1.0
    else:
        unit = math.ldexp(1.0, int(clamp(math.frexp(magnitude)[1] - 1, -126, 127)))
    n = dict.fromkeys(NAMES.split(), 0.0)
    n["location"] = normal_f32(location / unit)
    n["offset"] = normal_f32(location / unit - n["location"])
    n["scale"] = normal_f32(scale / unit)
    n["unit"] = unit
    n["limit"] = f32(min(MAX / unit, MAX))
    n["tiny"] = normal_f32(2.0**-126 / unit)
    n["asks"] = (
        (LOCATION if n["location"] != 0 else 0) | (OFFSET if n["offset"] != 0 else 0) | (UNIT if unit != 1 else 0)
    )
    return n


def fits(dtype, *values):
    if any(abs(value) > LARGEST[dtype] for value in values):
        raise Refused("outside the dtype")


def sampler(kind, parameters, dtype):
    if kind == "constant":
        (value,) = parameters
        fits(dtype, value)
        return "Constant", {**dict.fromkeys(NAMES.split(), 0.0), "asks": 0, "word": rounded(f32(value), dtype)}
    if kind == "uniform":
        low, high = parameters
        fits(dtype, low, high)
        first, last = within(dtype, low, high, True)
        middle, half = low / 2 + high / 2, high / 2 - low / 2
        n = scaled(middle, half / 2.0**31, max(abs(low), abs(high)))
        per = half / n["unit"] / 2.0**15
        n["coarse"] = of_bits(bits(normal_f32(per)) & 0xFFFF0000)
        n["fine"] = normal_f32(per - n["coarse"])
        n.update(first=first, last=last, asks=n["asks"] | BOUNDS)
        return "Uniform", n
    if kind == "normal":
        mean, std = parameters
        fits(dtype, mean, std)
        if std == 0:
            return sampler("constant", (mean + 0.0,), dtype)
        n = scaled(mean, std * RADIUS_UNIT, max(abs(mean), std))
        n["first"], n["last"] = within(dtype, -INF, INF)
        if abs(mean) + 7 * std > LARGEST[dtype]:
            n["asks"] |= BOUNDS
        return "Normal", n
    if kind == "log_uniform":
        low, high = parameters
        fits(dtype, low, high)
        first, last = within(dtype, low, high, True)
        return "Values", {"of": lambda u: log_uniform(low, high, u), "first": first, "last": last}
    if kind == "log_of_uniform":
        low, high = parameters
        fits(dtype, low, high)
        first, last = within(dtype, ln(low), ln(high), True)
        return "Values", {"of": lambda u: log_of_uniform(low, high, u), "first": first, "last": last}
    if kind == "inverse_softplus":
        low, high, floor = parameters
        fits(dtype, low, high)
        return "Values", {"of": lambda u: inverse_softplus(low, high, floor, u), **ends(dtype)}
    mean, std, low, high = parameters
    fits("f32", mean, std)
    return truncated_normal(mean, std, low, high, within(dtype, low, high), within("f32", low, high))


def ends(dtype):
    return {"first": -LARGEST[dtype], "last": LARGEST[dtype]}


def log_uniform(low, high, u):
    a, b = ln(low), ln(high)
    return clamp(exp(a + u * (b - a)), low, high)


def log_of_uniform(low, high, u):
    return clamp(ln(low + u * (high - low)), ln(low), ln(high))


def inverse_softplus(low, high, floor, u):
    x = max(log_uniform(low, high, u), floor)
    return x + ln(-expm1(-x))


def held(n, value, dtype):
    return rounded(clamp(normal_f32(value), n["first"], n["last"]), dtype)


def truncated_normal(mean, std, low, high, bounds, w):
    std = max(std, 1e-60)
    a, b = (low - mean) / std, (high - mean) / std
    mirrored = a + b < 0
    if mirrored:
        a, b = -b, -a
    root_2 = float.fromhex("0x1.6a09e667f3bcdp+0")
    acceptance = erfc(a / root_2) / 2 - erfc(b / root_2) / 2
    if acceptance >= 0.48:
        n = scaled(mean, std * RADIUS_UNIT, max(abs(mean), std))
        if n["asks"] == 0:
            n["low"], n["high"] = w
            n["asks"] = BOUNDS if bounds != w else 0
        else:
            n["low"] = normal_f32((low - mean) / n["unit"])
            n["high"] = normal_f32((high - mean) / n["unit"])
            n["asks"] |= BOUNDS
        n["first"], n["last"] = bounds
        return "TruncatedByNormal", n
    width = max((high - low) / std, 1e-280)
    robert = a if a > 1e8 else (a + math.sqrt(a * a + 4)) / 2
    rate = max(min(robert, a + width / 2), 2.0**-3 / width)
    quotient = std / rate
    try:
        distance = f32(quotient)
        if distance < quotient:
            distance = of_bits(bits(distance) + 1)
    except OverflowError:
        distance = INF
    if is_normal(distance):
        rate = std / distance
    slope, curve = 1 - a / rate, 0.5 / rate / rate
    if curve == 0:
        best = math.nan if slope == 0 or math.isnan(slope) else math.copysign(INF, slope)
    else:
        best = slope / (2 * curve)
    best = clamp(best, 0.0, rate * width)
    peak = max(best * (slope - curve * best), 0.0) if math.isfinite(best) else 0.0
    scale = (-std if mirrored else std) / rate
    near = high if mirrored else low
    mass = -expm1(-rate * width)
    narrow = mass <= 0.5
    n = scaled(near, scale, max(abs(near), abs(scale)))
    n["asks"] |= BOUNDS | (NARROW if narrow else 0)
    n["mass_per_step"] = normal_f32((-mass if narrow else mass) / 2.0**33)
    n["beyond"] = normal_f32(exp(-rate * width))
    n["slope"], n["curve"], n["peak"] = normal_f32(2 * slope), normal_f32(2 * curve), normal_f32(2 * peak)
    n["width"] = normal_f32(rate * width)
    n["first"], n["last"] = bounds
    return "TruncatedByExponential", n


H = float.fromhex("0x1.62e42feep-1")
L = float.fromhex("0x1.a39ef35793c76p-33")
ROOT_PI = float.fromhex("0x1.c5bf891b4ef6bp+0")


def series(x):
    total = 1.0
    for n in range(16, 1, -1):
        total = 1 + x / n * total
    return total


def exp(x):
    if x > 710:
        return INF
    if x < -746:
        return 0.0
    k = math.floor(x / (H + L) + 0.5)
    r = x - k * H - k * L
    h = k // 2
    return (1 + r * series(r)) * math.ldexp(1.0, h) * math.ldexp(1.0, k - h)


def expm1(x):
    return x * series(x) if abs(x) < 0.5 else exp(x) - 1


def ln(x):
    if x == 0:
        return -INF
    if x < 0 or math.isnan(x):
        return math.nan
    if x == INF:
        return x
    c = 54 if x < 2.0**-1022 else 0
    x = x * 2.0**c
    k = math.frexp(x)[1] - 1
    m = math.ldexp(x, -k)
    if m > float.fromhex("0x1.6a09e667f3bcdp+0"):
        m, k = m / 2, k + 1
    s = (m - 1) / (m + 1)
    q, total = s * s, 0.0
    for n in range(23, 1, -2):
        total = q * (1 / n + total)
    k -= c
    return k * H + (k * L + 2 * s * total + 2 * s)


def erfc(x):
    return 1 - near_erf(x) if abs(x) < 1 else 2 - tail(-x) if x < 0 else tail(x)


def near_erf(x):
    total = 1.0
    for n in range(45, 1, -2):
        total = 1 + 2 * x * x / n * total
    return 2 / ROOT_PI * x * exp(-x * x) * total


def tail(x):
    if x > 28:
        return 0.0
    fraction = x
    for n in range(200, 0, -1):
        fraction = x + n / 2 / fraction
    cut = math.floor(x * 2.0**20) / 2.0**20
    half = exp(-cut * cut / 2)
    return half * (half * exp(-(x - cut) * (x + cut)) / (ROOT_PI * fraction))


P = float.fromhex("0x1.921fb54p+0")
Q = float.fromhex("0x1.10b461p-30")
R = float.fromhex("0x1.a62633145c06ep-58")


def turned(x):
    """Sine, cosine and how many quarter turns are taken off."""
    k = math.floor(x / (P + Q) + 0.5)
    a = x - k * P
    b = a - k * Q
    rest = b - k * R
    t = ((a - b) - k * Q) + ((b - rest) - k * R)
    q = rest * rest

    def series(m):
        total = 1.0
        for n in range(m, 2, -2):
            total = 1 - q / (n * (n + 1)) * total
        return total

    return rest - (rest * (q / 6 * series(16)) - t), 1 - (q / 2 * series(15) + rest * t), k


def sin(x):
    sine, cosine, k = turned(x)
    return (sine, cosine, -sine, -cosine)[k % 4]


def cos(x):
    sine, cosine, k = turned(x)
    return (cosine, -sine, -cosine, sine)[k % 4]


# 4. Kernels, in f32: every operation is rounded by `r`.

r = f32
LN_4 = of_bits(0x3FB17218)
A5, A4, A3, A2, A1, A0 = map(of_bits, (0x3FD8AC5D, 0xBF1F47B9, 0x3F4E8593, 0x3F209980, 0x3F803AAF, 0x3FFFFF93))
R0, R1 = of_bits(0x40339161), of_bits(0x411CD534)
S2, S1, S0 = map(of_bits, (0x159F9EF8, 0xA7255305, 0x37C90FC7))
C2, C1, C0 = map(of_bits, (0x1E7BA039, 0xAF9DD078, 0x3F7FFF3A))
NEAR_ONE = of_bits(0xBE95F619)
LN_2_HIGH, LN_2_LOW = of_bits(0x3F317200), of_bits(0x35BFBE8E)
B9, *B = map(
    of_bits,
    (
        0x3DA10498, 0xBE03EC9C, 0x3E066F6C, 0xBE113665, 0x3E2A3C49,
        0xBE4CD2D6, 0x3E800110, 0xBEAAAAA5, 0x3F000000, 0xBF800000,
    ),
)  # fmt: skip


def middle(u):
    return f32(2 * signed(u) + 1)


def middle_unsigned(u):
    return f32(2 * u + 1)


def twice_neg_ln(t):
    if t < 0:
        y, e = r(t * -(2.0**-33)), 0
    else:
        y, e = r(1 - of_bits(bits(t) & 0x007FFFFF | 0x3F000000)), 159 - (bits(t) >> 23)
    p = A5
    for a in (A4, A3, A2, A1, A0):
        p = r(r(p * y) + a)
    return r(r(p * y) + r(f32(e) * LN_4))


def root(q):
    y = of_bits(0x5F304000 - (bits(q) >> 1))
    y = r(y * r(R0 - r(r(q * y) * y)))
    x = r(q * y)
    return r(x * r(R1 - r(x * y)))


def circle(w1):
    """Angle, sine and cosine."""
    j = w1 & 0x3FFFFFFF
    j -= (j & 0x20000000) << 1
    angle = f32((2 * j + 1) / 2.0**15)
    s = r(angle * angle)
    sine = r(r(r(r(r(S2 * s) + S1) * s) + S0) * angle)
    cosine = r(r(r(r(C2 * s) + C1) * s) + C0)
    return angle, sine, -cosine if w1 >> 31 else cosine


def normal_pair(w0, w1, scale):
    radius = r(scale * root(twice_neg_ln(middle(w0))))
    _, sine, cosine = circle(w1)
    a, b = r(radius * cosine), r(radius * sine)
    return (b, a) if w1 & 0x40000000 else (a, b)


def neg_ln(v, f):
    u = bits(v) + 0x004AFB0D
    if f >= NEAR_ONE:
        x, e = f, 0.0
    else:
        x, e = r(of_bits((u & 0x007FFFFF) + 0x3F3504F3) - 1), f32(127 - (u >> 23))
    p = B9
    for c in B:
        p = r(r(p * x) + c)
    return r(r(e * LN_2_HIGH) + r(r(e * LN_2_LOW) + r(p * x)))


def spread(u):
    return r(f32(2 * (u & 0xFF) - 255) * 2.0**-18)


def two_sum(a, b):
    s = r(a + b)
    t = r(s - a)
    return s, r(r(a - r(s - t)) + r(b - t))


def joined(n, distance, rest):
    if not n["asks"] & LOCATION:
        return r(distance + rest)
    total, lost = two_sum(n["location"], distance)
    if n["asks"] & OFFSET:
        rest = r(rest + n["offset"])
    return r(total + r(lost + rest))


def rounded(x, dtype):
    """The bits of an f32 in the dtype, to nearest even."""
    if dtype == "f32":
        return bits(x)
    if dtype == "f16":
        return struct.unpack("<H", struct.pack("<e", x))[0]
    u = bits(x)
    return u + 0x7FFF + (u >> 16 & 1) >> 16


def value_of(word, dtype):
    """The number of the dtype's bits."""
    if dtype == "f16":
        return struct.unpack("<e", struct.pack("<H", word))[0]
    return of_bits(word if dtype == "f32" else word << 16)


def element(n, value, dtype):
    if n["asks"] & UNIT:
        held = clamp(value, -n["limit"], n["limit"])
        value = 0.0 if abs(held) < n["tiny"] else r(held * n["unit"])
    if n["asks"] & BOUNDS:
        value = clamp(value, n["first"], n["last"])
    return rounded(value, dtype)


def uniform_value(n, u):
    high = f32(signed(u) >> 16)
    return joined(n, r(high * n["coarse"]), r(r(high * n["fine"]) + r(f32(u & 0xFFFF) * n["scale"])))


def normal_value(n, d, w1):
    return joined(n, d, r(d * spread(w1))) if n["asks"] & LOCATION else d


def by_normal(n, stream, number, attempt):
    w = stream.block(number, attempt)
    for pair in (w[:2], w[2:]):
        for d in normal_pair(*pair, n["scale"]):
            value = d
            if n["asks"] & LOCATION:
                above, below = r(d - n["low"]), r(n["high"] - d)
                room = below if below < above else above
                value = joined(n, d, r((abs(d) if abs(d) < room else room) * spread(pair[1])))
            yield value, d < n["low"] or d > n["high"]


def exponential(n, w0, w1):
    """The parts of a candidate: t, p, v, e, twice_neg_ln, threshold, value."""
    narrow = n["asks"] & NARROW != 0
    t = middle_unsigned(w0) if narrow else middle(w0)
    near = narrow or t < 0
    p = r(t * n["mass_per_step"])
    v = r((1.0 if near else n["beyond"]) + p)
    e = neg_ln(v, p if near else r(v - 1))
    threshold = r(n["peak"] - r(e * r(n["slope"] - r(n["curve"] * e))))
    far = r(n["width"] - e)
    rest = r(n["scale"] * r((far if far < e else e) * spread(w1)))
    return t, p, v, e, twice_neg_ln(middle(w1)), threshold, joined(n, r(n["scale"] * e), rest)


def by_exponential(n, stream, number, attempt):
    for k in (2 * attempt, 2 * attempt + 1):
        w = stream.block(number, k)
        for pair in (w[:2], w[2:]):
            *_, q, threshold, value = exponential(n, *pair)
            yield value, q < threshold


# 5. Truncated normal: which candidate is which element.


def group_values(n, stream, candidates, tile, l, log=None):
    """The values of a group's elements, in order."""
    drawn = [c for j in range(8) for c in candidates(n, stream, 256 * tile + l + 32 * j, 0)]
    values = [value for value, _ in drawn]
    waiting = [at for at, (_, rejected) in enumerate(drawn) if rejected]
    for attempt in range(1, 65):
        if not waiting:
            break
        for k, (value, rejected) in enumerate(candidates(n, stream, 32 * tile + l, attempt)):
            if not rejected and waiting:
                if log is not None:
                    log.append((waiting[0], attempt, k))
                values[waiting.pop(0)] = value
    for at in waiting:
        values[at] = joined(n, 0.0, 0.0)
    return values


def draw(made, stream, elements, dtype):
    """Bit patterns of elements."""
    kernel, n = made
    if kernel == "Constant":
        return [n["word"] for _ in elements]
    if kernel == "Values":
        word = lambda i: stream.block(i // 4, 0)[i % 4]
        return [held(n, n["of"]((word(i) + 0.5) / 2.0**32), dtype) for i in elements]
    if kernel == "Uniform":
        return [element(n, uniform_value(n, stream.block(i // 4, 0)[i % 4]), dtype) for i in elements]
    if kernel == "Normal":

        @functools.lru_cache(8)
        def four(b):
            w = stream.block(b, 0)
            return [normal_value(n, d, p[1]) for p in (w[:2], w[2:]) for d in normal_pair(*p, n["scale"])]

        return [element(n, four(i // 4)[i % 4], dtype) for i in elements]
    candidates = by_normal if kernel == "TruncatedByNormal" else by_exponential
    groups = functools.lru_cache(64)(lambda tile, l: group_values(n, stream, candidates, tile, l))
    bits_ = []
    for i in elements:
        b = i // 4 % 256
        bits_.append(element(n, groups(i // 1024, b % 32)[b // 32 * 4 + i % 4], dtype))
    return bits_


# 6. Structures: elements that depend on their places.


class Matrix:
    """Of a shape and a layout; with a middle, the matrix of outputs by inputs at one tap."""

    def __init__(self, shape, layout, middle=None):
        shape = list(shape)
        if layout.startswith("batch_"):
            shape, layout = shape[1:], layout[len("batch_") :]
        self.transposed = layout == "in_out"
        if layout == "out_in":
            outputs, inputs, kernel, self.kernel_last = shape[0], shape[1], shape[2:], True
        elif layout == "in_out":
            outputs, inputs, kernel, self.kernel_last = shape[-1], shape[-2], shape[:-2], False
        else:
            raise ValueError(layout)
        self.taps = math.prod(kernel)
        self.tap = 0
        if middle is None:
            inputs, self.taps = inputs * self.taps, 1
        else:
            for k in kernel:
                self.tap = self.tap * k + middle(k)
        self.outputs = outputs
        self.rows, self.columns = (inputs, outputs) if self.transposed else (outputs, inputs)

    def place(self, e):
        """Matrix, row, column; None beside the tap."""
        if self.kernel_last:
            e, tap = divmod(e, self.taps)
            m, e = divmod(e, self.rows * self.columns)
        else:
            m, e = divmod(e, self.rows * self.columns * self.taps)
            tap, e = divmod(e, self.rows * self.columns)
        return (m, *divmod(e, self.columns)) if tap == self.tap else None

    def output_and_input(self, row, column):
        return (column, row) if self.transposed else (row, column)


def dot(a, b):
    lanes = [0.0] * 32
    for l, (x, y) in enumerate(zip(a, b)):
        lanes[l % 32] = r(lanes[l % 32] + r(x * y))
    for h in (16, 8, 4, 2, 1):
        lanes = [r(lanes[l] + lanes[l + h]) for l in range(h)]
    return lanes[0]


def inverse_sqrt(q):
    half = r(0.5 * q)
    y = of_bits(0x5F3759DF - (bits(q) >> 1))
    for _ in range(3):
        y = r(y * r(1.5 - r(r(half * y) * y)))
    return y


def reciprocal(q):
    root = inverse_sqrt(q)
    g = r(root * root)
    return r(g + r(g * r(1 - r(q * g))))


def normals(stream, start, end):
    scale = f32(RADIUS_UNIT)
    for i in range(start, end):
        w = stream.block(i // 4, 0)
        yield normal_pair(*(w[2:] if i & 2 else w[:2]), scale)[i & 1]


@functools.lru_cache(64)
def reflections(stream, m, count, length, first):
    """Of a block: v_j from coordinate `first` on, signs, T."""
    vs, signs = [], []
    for j in range(first, min(first + 32, count)):
        start = (m * count + j) * (-(-length // 4) * 4)
        v = [0.0] * (j - first) + list(normals(stream, start + j, start + length))
        square = dot(v, v)
        sign = 1.0 if v[j - first] < 0 else -1.0
        v[j - first] = r(v[j - first] - r(sign * r(square * inverse_sqrt(square))))
        vs.append(v)
        signs.append(sign)
    n = len(vs)
    p = [[dot(vs[i], vs[j]) if i <= j else 0.0 for j in range(n)] for i in range(n)]
    t = [[0.0] * n for _ in range(n)]
    for j in range(n):
        for i in range(j, -1, -1):
            inverse = reciprocal(r(p[i][i] * 0.5))
            if i == j:
                t[i][j] = inverse
                continue
            total = 0.0
            for k in range(i + 1, j + 1):
                total = r(total + r(p[i][k] * t[k][j]))
            t[i][j] = -r(total * inverse)
    return vs, signs, t


@functools.lru_cache(4096)
def vector(stream, m, count, length, c):
    x = [0.0] * length
    for block in range(c // 32, -1, -1):
        first = 32 * block
        vs, signs, t = reflections(stream, m, count, length, first)
        if block == c // 32:
            x[c] = signs[c - first]
        y = [dot(v, x[first:]) for v in vs]
        z = []
        for i in range(len(vs)):
            total = 0.0
            for j in range(len(vs)):
                total = r(total + r(t[i][j] * y[j]))
            z.append(total)
        for l in range(first, length):
            s = [0.0] * 4
            for j, v in enumerate(vs):
                s[j % 4] = r(s[j % 4] + r(z[j] * v[l - first]))
            x[l] = r(x[l] - r(r(s[0] + s[2]) + r(s[1] + s[3])))
    return x


def orthogonal(stream, matrix, gain, dtype, e):
    place = matrix.place(e)
    if place is None:
        return 0
    m, row, column = place
    count, length = sorted((matrix.rows, matrix.columns))
    c, l = (row, column) if matrix.rows <= matrix.columns else (column, row)
    largest = LARGEST[dtype]
    return rounded(clamp(r(f32(gain) * vector(stream, m, count, length, c)[l]), -largest, largest), dtype)


def identity(matrix, gain, groups, dtype, e):
    place = matrix.place(e)
    if place is None:
        return 0
    output, input_ = matrix.output_and_input(*place[1:])
    return rounded(f32(gain), dtype) if output % (matrix.outputs // groups) == input_ else 0


def mixed(x):
    x = (x ^ x >> 16) * 0xD2511F53 & MASK
    x = (x ^ x >> 15) * 0xCD9E8D57 & MASK
    return x ^ x >> 16


def permuted(stream, input_, outputs, output):
    keys = philox((*halves(input_), 0x80000002, stream.nonce), stream.key)
    b = max(1, -(-(outputs - 1).bit_length() // 2))
    x = output
    while True:
        left, right = x >> b, x & (1 << b) - 1
        for n in range(8):
            left, right = right, left ^ mixed(right ^ keys[n % 4] + n & MASK) >> 32 - b
        x = left << b | right
        if x < outputs:
            return x


def sinusoids(positions, channels, theta, endpoint, interleaved, dtype):
    n, sines = channels / 2 - (1 if endpoint else 0), math.ceil(channels / 2)

    def value(e):
        p, c = e // channels % positions, e % channels
        k, function = (c // 2, (sin, cos)[c % 2]) if interleaved else (c % sines, sin if c < sines else cos)
        return held(ends(dtype), function(p * exp(k * (-ln(theta) / n))), dtype)

    return value


def structure(scheme, shape, layout, stream, dtype):
    """A function from an element's number to its bits."""
    name, _, text = scheme.partition(":")
    p = dict(pair.split("=") for pair in text.split(",") if pair)
    number_of = lambda key, otherwise=0.0: float(p.get(key, otherwise))
    if name in ("orthogonal", "delta_orthogonal"):
        matrix = Matrix(shape, layout, (lambda k: (k - 1) // 2) if name == "delta_orthogonal" else None)
        return lambda e: orthogonal(stream, matrix, number_of("gain"), dtype, e)
    if name == "identity":
        matrix = Matrix(shape, layout)
        return lambda e: identity(matrix, number_of("gain"), 1, dtype, e)
    if name == "dirac":
        matrix = Matrix(shape, layout, lambda k: k // 2)
        return lambda e: identity(matrix, 1.0, int(p["groups"]), dtype, e)
    if name == "sparse":
        matrix = Matrix(shape, layout)
        zeros = math.ceil(number_of("sparsity") * matrix.outputs)
        made = sampler("normal", (0.0, number_of("std")), dtype)

        def sparse(e):
            output, input_ = matrix.output_and_input(*matrix.place(e)[1:])
            return 0 if permuted(stream, input_, matrix.outputs, output) < zeros else draw(made, stream, [e], dtype)[0]

        return sparse
    if name == "sinusoids":
        return sinusoids(*shape[-2:], number_of("theta"), p["endpoint"] == "true", p["interleaved"] == "true", dtype)
    if name == "column_norms":
        made, columns, squares = sampler("uniform", (-number_of("bound"), number_of("bound")), dtype), math.prod(shape), {}

        def norm(e):
            if not squares:
                squares.update(dict.fromkeys(range(columns), 0.0))
                elements = range(int(p["rows"]) * columns)
                for i, word in zip(elements, draw(made, stream, elements, dtype)):
                    squares[i % columns] += value_of(word, dtype) ** 2
            return held(ends(dtype), math.sqrt(squares[e % columns]), dtype)

        return norm
    axis = int(p.get("axis", -1)) % len(shape)
    count, inner = shape[axis], math.prod(shape[axis + 1 :])
    start, function = number_of("start"), p.get("function", "linear")
    if name == "arange":
        step = number_of("step")
    elif name == "inverse_frequencies":
        start, step, function = 0.0, (-ln(number_of("theta")) - 0.0) / count, "exp"
    elif p.get("endpoint") == "false":
        step = (number_of("end") - start) / count
    else:
        step = (number_of("end") - start) / (count - 1) if count > 1 else 0.0
    f = {"linear": lambda x: x, "log": ln, "exp": exp}[function]
    values = [held(ends(dtype), f(start + index * step), dtype) for index in range(count)]
    return lambda e: values[e // inner % count]


# 8. Test vectors, and the comparisons.


def x(value):
    return f"{bits(value):08x}"


def words(w):
    return " ".join(f"{u:08x}" for u in w)


def shown(n):
    names = [name for name in NAMES.split() if n[name] != 0 and name not in ("first", "last", "unit", "limit", "tiny", "word")]
    if n["asks"] & BOUNDS:
        names += ["first", "last"]
    if n["asks"] & UNIT:
        names += ["unit", "limit", "tiny"]
    asks = [name for name in ("LOCATION", "OFFSET", "UNIT", "BOUNDS", "NARROW") if n["asks"] & globals()[name]]
    return [f"{name} {x(n[name])}" for name in names] + asks


def vectors():
    stream = Stream.named(2026, "frozen")
    w, w257 = stream.block(0, 0), stream.block(257, 0)
    lines = [
        f'named(2026, "frozen"): key {words(stream.key)}, nonce {stream.nonce:08x}',
        f"block 0, attempt 0: {words(w)}",
        f"block 257, attempt 0: {words(w257)}",
        f"block 0, attempt 1: {words(stream.block(0, 1))}",
    ]

    def begin(scheme, dtype="f32"):
        kernel, n = sampler(*distribution(scheme), dtype)
        lines.extend(["", f"{scheme} {dtype}: {kernel}"])
        line = " "
        for part in shown(n):
            if len(line) + len(part) > 116:
                lines.append(line)
                line = " "
            line += f" {part},"
        lines.append(line[:-1])
        return n

    def end(n, text, value, *dtypes):
        drawn = "".join(f"; {d} {element(n, value, d):0{8 if d == 'f32' else 4}x}" for d in dtypes)
        lines.append(f"  {text}{', ' if ':' in text else ': '}value {x(value)}{drawn}")

    for scheme in ("uniform:low=-0.05,high=0.05", "uniform:low=0.1,high=0.1005"):
        n = begin(scheme)
        for at, u in ((0, w[0]), (1, w[1])):
            high = f32(signed(u) >> 16)
            rest = r(r(high * n["fine"]) + r(f32(u & 0xFFFF) * n["scale"]))
            end(n, f"element {at}: distance {x(r(high * n['coarse']))}, rest {x(rest)}", uniform_value(n, u))
    n = begin("normal:mean=0,std=1")
    for at, pair in ((0, w[:2]), (2, w[2:])):
        t = middle(pair[0])
        q = twice_neg_ln(t)
        angle, sine, cosine = circle(pair[1])
        d = normal_pair(*pair, n["scale"])
        radius = r(n["scale"] * root(q))
        lines.append(f"  elements {at}, {at + 1}: t {x(t)}, twice_neg_ln {x(q)}, root {x(root(q))}, radius {x(radius)},")
        lines.append(f"    angle {x(angle)}, sine {x(sine)}, cosine {x(cosine)}, normal_pair {x(d[0])} {x(d[1])}")
    n = begin("normal:mean=0.5,std=0.02")
    for at, d in enumerate(normal_pair(*w[:2], n["scale"])):
        s, lost = two_sum(n["location"], d)
        text = f"element {at}: d {x(d)}, spread {x(spread(w[1]))}, two_sum {x(s)} {x(lost)}"
        end(n, text, normal_value(n, d, w[1]), "f16", "bf16")
    n = begin("normal:mean=0,std=1e-37")
    for at, d in enumerate(normal_pair(*w[:2], n["scale"])):
        end(n, f"element {at}", d, "f32", "f16", "bf16")
    for scheme in (
        "truncated_normal:mean=0,std=0.02,low=-0.04,high=0.04",
        "truncated_normal:mean=0,std=1,low=-1,high=inf",
        "truncated_normal:mean=0.3,std=0.2,low=0,high=1",
        "truncated_normal:mean=0,std=1,low=0,high=inf",
        "truncated_normal:mean=0,std=1,low=5,high=6",
        "truncated_normal:mean=0,std=1,low=-0.001,high=0.001",
        "truncated_normal:mean=2,std=0.5,low=-0.5,high=0.25",
    ):
        n = begin(scheme)
        candidates = by_exponential if n["mass_per_step"] else by_normal
        if candidates is by_exponential:
            for k, pair in enumerate((w[:2], w[2:])):
                t, p, v, e, q, threshold, value = exponential(n, *pair)
                lines.append(f"  block 0, candidate {k}: t {x(t)}, p {x(p)}, v {x(v)}, e {x(e)}, twice_neg_ln {x(q)},")
                lines.append(f"    threshold {x(threshold)}, {'rejected' if q < threshold else 'kept'}, value {x(value)}")
        log = []
        values = group_values(n, stream, candidates, 0, 0, log)
        replaced = ", ".join(f"{at} <- {a}.{k}" for at, a, k in log[:7]) + (", .." if log[7:] else "") or "none"
        lines.append(f"  group 0, place <- attempt.candidate: {replaced}")
        lines.append(f"  elements 0 .. 3: {words([element(n, v, 'f32') for v in values[:4]])}")
    for scheme in ("log_uniform:low=0.001,high=0.1", "inverse_softplus:low=0.001,high=0.1,floor=0.0001"):
        _, n = sampler(*distribution(scheme), "f32")
        drawn = [held(n, n["of"]((u + 0.5) / 2.0**32), "f32") for u in w]
        lines.extend(["", f"{scheme} f32", f"  elements 0 .. 3: {words(drawn)}"])
    lines.extend(["", "orthogonal:gain=1 f32, [out, in] = [3, 4]: vectors are rows, stride 4"])
    vs, signs, t = reflections(stream, 0, 3, 4, 0)
    for j, v in enumerate(vs):
        drawn = [0.0] * j + list(normals(stream, 4 * j + j, 4 * j + 4))
        q = dot(drawn, drawn)
        lines.append(f"  reflection {j}: x {' '.join(map(x, drawn))}, q {x(q)}, inverse_sqrt {x(inverse_sqrt(q))},")
        column = " ".join(x(t[i][j]) for i in range(j + 1))
        lines.append(f"    sign {signs[j]:+.0f}, v {' '.join(map(x, v))}, T_0j .. T_jj {column}")
    for c in range(3):
        lines.append(f"  vector {c}: {' '.join(map(x, vector(stream, 0, 3, 4, c)))}")
    lines.extend(["", "sparse, 11 outputs: b 2"])
    for input_ in (0, 7):
        lines.append(f"  input {input_}: keys {words(philox((input_, 0, 0x80000002, stream.nonce), stream.key))},")
        lines.append(f"    permuted(0 .. 10): {' '.join(str(permuted(stream, input_, 11, o)) for o in range(11))}")
    return lines


class Comparison:
    def __init__(self):
        self.differences = 0

    def of(self, what, pairs):
        count = 0
        for name, ours, theirs in pairs:
            count += 1
            if ours != theirs:
                self.differences += 1
                print(f"DIFFERENT: {name}\n  by VALUES.md {ours}\n  frozen       {theirs}")
        print(f"{count} {what}")
        if count == 0:
            self.differences += 1


def lines_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read().splitlines()


def known_philox():
    for counter, key, result in (
        ((0,) * 4, (0,) * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((MASK,) * 4, (MASK,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ):
        yield str(counter), words(philox(counter, key)), result


def number(text):
    """A number as the frozen files write it: 7, 2^32+9, 2^64-1."""
    power, sign, more = text.partition("-") if "-" in text else text.partition("+")
    base, _, exponent = power.partition("^")
    return int(base) ** int(exponent or 1) + int((sign + more) or 0)


def streams():
    for line in lines_of("tests/golden/streams.txt"):
        name, _, theirs = line.partition(": ")
        first, *folds = name.split(", fold_in ")
        kind, _, rest = first.partition(" ")
        if kind == "named":
            seed, _, text = rest.partition(" ")
            stream = Stream.named(number(seed), "" if text == '""' else text)
        elif kind == "numbered":
            stream = Stream.numbered(*map(number, rest.split(" ")))
        elif kind == "from_key":
            k0, k1, nonce = map(int, rest.replace("[", "").replace("]", "").replace(",", "").split(" "))
            stream = Stream((k0, k1), nonce)
        else:
            continue
        for data in folds:
            stream = stream.fold_in(number(data))
        rng = Rng(stream)
        drawn = f"{rng.u32():08x} {rng.u64():016x} {rng.bytes(7).hex()} {rng.u64():016x} {rng.u32():08x}"
        yield name, f"{words(stream.block(0, 0))} / {words(stream.block((1 << 32) + 1, 5))} / {drawn}", theirs


def functions():
    known = {"exp": exp, "expm1": expm1, "erfc": erfc, "ln": ln, "sin": sin, "cos": cos}
    for line in lines_of("tests/golden/special.txt"):
        name, argument, theirs = line.split(" ")
        if name in known:
            (at,) = struct.unpack(">d", bytes.fromhex(argument))
            yield f"{name}({at!r})", struct.pack(">d", known[name](at)).hex(), theirs


def numbers():
    for line in lines_of("tests/golden/numbers.txt"):
        name, _, theirs = line.partition(": ")
        of, dtype, scheme = name.split(" ")
        if of != "native":
            continue
        try:
            kernel, n = sampler(*distribution(scheme), dtype)
            fields = [n[f] if f == "word" and kernel == "Constant" else bits(n[f]) for f in NAMES.split()] + [n["asks"]]
            ours = f"{kernel} {' '.join(f'{field:x}' for field in fields)}"
        except Refused:
            # Words are in no contract: that it is refused is.
            ours = theirs if "allowed: " in theirs else "refused"
        yield name, ours, theirs


def elements():
    stream = Stream.named(2026, "frozen")
    far = (1 << 40) + 13
    for line in lines_of("tests/value_stability.txt"):
        name, _, theirs = line.partition(": ")
        if name.count(" ") > 1:
            continue
        scheme, dtype = name.split(" ")
        made = sampler(*distribution(scheme), dtype)
        size = 4 if dtype == "f32" else 2
        near = " ".join(f"{u:0{2 * size}x}" for u in draw(made, stream, (0, 1, 2, 3, 1031), dtype))
        drawn = draw(made, stream, range(far, far + 4096), dtype)
        yield name, f"{near} {digest(drawn, size)}", theirs


def digest(elements, size):
    return hashlib.sha256(b"".join(u.to_bytes(size, "little") for u in elements)).digest()[:8].hex()


def structures():
    stream = Stream.named(2026, "frozen")
    far = (1 << 40) + 13
    for line in lines_of("tests/value_stability.txt"):
        name, _, theirs = line.partition(": ")
        if name.count(" ") == 1:
            continue
        scheme, dimensions, layout, dtype = name.split(" ")
        shape = [int(k) for k in dimensions.split("x")]
        size = 4 if dtype == "f32" else 2
        at = structure(scheme, shape, layout, stream, dtype)
        count = math.prod(shape)
        drawn = [at(e) for e in range(count)]
        near = " ".join(f"{drawn[min(e, count - 1)]:0{2 * size}x}" for e in (0, 1, 2, 3, count - 1))
        beyond = "-" if scheme.startswith("sparse") else digest([at(e) for e in range(far, far + count)], size)
        yield name, f"{near} {digest(drawn, size)} {beyond}", theirs


def main():
    comparison = Comparison()
    ours = "\n".join(vectors())
    text = "\n".join(lines_of("docs/VALUES.md"))
    begin = text.index("```text\n") + len("```text\n")
    theirs = text[begin : text.index("\n```", begin)]
    if "--vectors" in sys.argv:
        print(ours)
        return 0
    comparison.of("known answers of Philox", known_philox())
    comparison.of("native streams and generators of tests/golden/streams.txt", streams())
    comparison.of("values of exp, expm1, erfc, ln, sin and cos of tests/golden/special.txt", functions())
    comparison.of("native kernels' numbers of tests/golden/numbers.txt", numbers())
    pairs = list(zip(ours.split("\n"), theirs.split("\n")))
    comparison.of("lines of vectors in VALUES.md", ((a[:40], a, b) for a, b in pairs))
    if len(ours.split("\n")) != len(theirs.split("\n")):
        comparison.of("vectors in all", [("count", len(ours.split("\n")), len(theirs.split("\n")))])
    comparison.of("lines of tests/value_stability.txt (elements 0, 1, 2, 3, 1031; 4,096 from 2^40 + 13 on)", elements())
    comparison.of("structures of tests/value_stability.txt (whole tensors; as many elements from 2^40 + 13 on)", structures())
    print(f"{comparison.differences} differences")
    return 1 if comparison.differences else 0


if __name__ == "__main__":
    sys.exit(main())
