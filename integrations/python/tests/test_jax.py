"""JAX arrays: the same bits on any mesh."""

import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
os.environ["JAX_PLATFORMS"] = "cpu"

import fanin
import fanin.jax
import jax
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

SHARDINGS = [
    (1, ("x",), P()),
    (8, ("x",), P("x")),
    ((2, 4), ("x", "y"), P("x", "y")),
    ((2, 4), ("x", "y"), P(None, ("x", "y"))),
    ((4, 2), ("x", "y"), P("y")),
]


def sharding(shape, axes, spec):
    devices = np.array(jax.devices())[: np.prod(shape)].reshape(shape)
    return NamedSharding(Mesh(devices, axes), spec)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("scheme", ["normal:std=0.02", "orthogonal", "he_normal:truncated=true"])
def test_any_sharding_has_the_same_bits(scheme, dtype):
    whole = fanin.array(scheme, (64, 48), seed=42, name="w", dtype=dtype, layout="in_out")
    for at in SHARDINGS:
        made = fanin.jax.array(scheme, (64, 48), seed=42, name="w", dtype=dtype, sharding=sharding(*at))
        assert made.sharding == sharding(*at) and np.asarray(made).tobytes() == whole.tobytes()


def test_a_tree_is_drawn_by_rules_and_by_schemes():
    tree = {"dense": {"kernel": jax.ShapeDtypeStruct((16, 32), "float32"), "bias": jax.ShapeDtypeStruct((32,), "bfloat16")}}
    shardings = {"dense": {"kernel": sharding(*SHARDINGS[2]), "bias": sharding(8, ("x",), P("x"))}}
    made = fanin.jax.init_like(tree, "flax", seed=42, shardings=shardings)
    kernel = fanin.array("lecun_normal:truncated=true", (16, 32), seed=42, name="dense.kernel", layout="in_out")
    assert np.array_equal(made["dense"]["kernel"], kernel) and made["dense"]["bias"].dtype == "bfloat16"
    assert not np.asarray(made["dense"]["bias"], "float32").any()
    schemes = {"dense.kernel": "ones", "dense.bias": "normal"}
    again = fanin.jax.init_like(tree, schemes, seed=42, dtype="float32")
    assert np.all(np.asarray(again["dense"]["kernel"]) == 1)
    assert np.array_equal(again["dense"]["bias"], fanin.array("normal", (32,), seed=42, name="dense.bias"))


@pytest.mark.parametrize(
    "tree,rules,words",
    [
        ({"w": jax.ShapeDtypeStruct((4,), "int32")}, {"w": "zeros"}, "array 'w': the dtype is int32"),
        ({"w": jax.ShapeDtypeStruct((4,), "float32")}, {}, "array 'w' is not among"),
        ({"w": jax.ShapeDtypeStruct((4,), "float32")}, {"w": "he_normal"}, "array 'w': .*fewer than two"),
        ({"w": jax.ShapeDtypeStruct((4,), "float32")}, "flux", "did you mean flax"),
    ],
)
def test_a_wrong_tree_is_named(tree, rules, words):
    with pytest.raises(fanin.Error, match=words):
        fanin.jax.init_like(tree, rules, seed=42)


def test_a_sharding_that_does_not_divide_is_named():
    with pytest.raises(fanin.Error, match="'w' of the shape"):
        fanin.jax.array("normal", (7, 3), seed=42, name="w", sharding=sharding(8, ("x",), P("x")))
