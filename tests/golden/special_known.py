#!/usr/bin/env python3
"""Values of special functions to 20 digits, for src/arithmetic/special.rs: makes special_known.txt again.

    pip install mpmath
    python3 tests/golden/special_known.py
"""

import pathlib
import random

import mpmath

mpmath.mp.dps = 40
random.seed(1)
spread = [random.uniform(-30, 30) for _ in range(150)] + [random.uniform(-3, 3) for _ in range(250)]
small = [s * 10.0 ** -random.uniform(0, 300) for s in (1, -1) for _ in range(40)]
points = {
    "exp": spread + small + [random.uniform(-744, 709.7) for _ in range(250)],
    "expm1": spread + small + [random.uniform(-744, 709.7) for _ in range(50)] + [0.4999, 0.5, -0.5, -0.4999],
    "erf": [x / 3 for x in spread] + small + [0.9999999, 1.0, 1.0000001, -1.0],
    "erfc": spread + small + [random.uniform(0, 27.2) for _ in range(300)] + [0.9999999, 1.0, 1.0000001, -1.0],
}
small_and_large = [10.0 ** random.uniform(-307, 308) for _ in range(300)]
near_one = [1 + s * 10.0 ** -random.uniform(0, 15.5) for s in (1, -1) for _ in range(100)]
subnormal = [5e-324, 1e-310, 2.2250738585072009e-308, 2.2250738585072014e-308, 1.7976931348623157e308]
edges = [0.5**0.5, 2.0**0.5, 1.4142135623730954, 0.5, 1.0, 2.0]
points["ln"] = [abs(x) for x in spread + small] + small_and_large + near_one + subnormal + edges
# Positions times frequencies, anything up to 2^24, and the f64s nearest to zeros of either function.
angles = [random.randrange(1, 100_000) * 10_000 ** -random.uniform(0, 1) for _ in range(400)]
angles += [random.uniform(-1, 1) * 2.0 ** random.uniform(-30, 24) for _ in range(400)] + [1.0, 99_999.0, 16_777_215.0, 16_777_216.0]
zeros = [float(k * mpmath.pi / 2) for k in [*range(1, 60), *(random.randrange(60, 10_680_707) for _ in range(200))]]
points["sin"] = points["cos"] = spread + small + angles + zeros
lines = ["# function, argument (an f64), value to 20 digits; by tests/golden/special_known.py, with mpmath"]
for name, arguments in points.items():
    for x in arguments:
        value = getattr(mpmath, name)(mpmath.mpf(x))
        if abs(value) >= mpmath.mpf(2) ** -1074:
            lines.append(f"{name} {x!r} {mpmath.nstr(value, 20, min_fixed=0, max_fixed=0)}")
(pathlib.Path(__file__).parent / "special_known.txt").write_text("\n".join(lines) + "\n")
