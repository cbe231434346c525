"""Neural-network weights: one seed, the same bits on every machine, for any part of any tensor.

`fanin.array` draws NumPy arrays, `fanin.torch` PyTorch's models as they initialise themselves, `fanin.jax` JAX arrays of any sharding. A scheme
is a text, the same as of the program: `normal:std=0.02`, `he_normal:mode=fan_out`, `orthogonal`. A seed is a whole number from 0 to 2^64 - 1,
or another framework's, `jax:42`.
"""

from ._fanin import VALUE_CONTRACT, Error
from .arrays import array, digest, preset, resolve

__all__ = ["Error", "VALUE_CONTRACT", "array", "digest", "preset", "resolve"]
