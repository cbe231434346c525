"""NumPy arrays: the library's values, whole and in part, and its errors."""

import hashlib
import os
import subprocess

import fanin
import ml_dtypes
import numpy as np
import pytest

SCHEMES = [
    ("normal:std=0.02", (64, 48)),
    ("uniform:low=-1,high=2", (7, 5, 3)),
    ("truncated_normal:std=0.02,low=-0.04,high=0.04", (1000,)),
    ("he_normal:mode=fan_out", (32, 16, 3, 3)),
    ("orthogonal:gain=1.4", (40, 33)),
    ("sparse:sparsity=0.3", (20, 10)),
    ("dirac:groups=2", (6, 4, 3)),
    ("log_uniform:low=0.001,high=0.1", (300,)),
    ("log_of_uniform:low=1,high=16", (300,)),
    ("inverse_softplus", (300,)),
    ("arange:start=1,function=log", (4, 16)),
    ("constant:value=0.5", ()),
]
PROGRAM = os.environ.get("FANIN")


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("scheme,shape", SCHEMES)
def test_a_block_has_the_bits_that_it_has_in_the_whole(scheme, shape, dtype):
    whole = fanin.array(scheme, shape, seed=42, name="w", dtype=dtype)
    assert whole.shape == shape
    index = tuple(slice(size // 3, size // 3 + max(1, size // 2)) for size in shape)
    part = fanin.array(scheme, shape, seed=42, name="w", dtype=dtype, block=index)
    assert part.tobytes() == whole[index].tobytes()
    assert fanin.digest(scheme, shape, seed=42, name="w", dtype=dtype) == hashlib.sha256(whole.tobytes()).hexdigest()


@pytest.mark.skipif(not PROGRAM, reason="FANIN names no program")
@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_the_digests_are_those_of_the_program(dtype):
    for scheme, shape in SCHEMES:
        if not shape:
            continue
        command = [
            PROGRAM,
            "fill",
            scheme,
            "x".join(map(str, shape)),
            "--name",
            "w",
            "--seed",
            "42",
            "--dtype",
            dtype,
            "--digest",
            "--device",
            "cpu",
        ]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert printed.split()[0] == fanin.digest(scheme, shape, seed=42, name="w", dtype=dtype), scheme


def test_out_is_drawn_in_place_whatever_its_strides():
    expected = fanin.array("normal", (6, 10), seed=1, name="w")
    out = np.zeros((6, 10), np.float32)
    assert fanin.array("normal", (6, 10), seed=1, name="w", out=out) is out
    wide = np.zeros((10, 12), np.float32)
    fanin.array("normal", (6, 10), seed=1, name="w", out=wide.T[::2])
    assert np.array_equal(out, expected) and np.array_equal(wide.T[::2], expected) and not wide.T[1::2].any()
    low = np.zeros((6, 10), ml_dtypes.bfloat16)
    fanin.array("normal", (6, 10), seed=1, name="w", out=low)
    assert np.array_equal(low, expected.astype(ml_dtypes.bfloat16))
    double = np.zeros((6, 10))
    fanin.array("normal", (6, 10), seed=1, name="w", out=double, widen=True)
    assert np.array_equal(double, expected.astype(np.float64))


def test_threads_and_slices_change_nothing_else():
    slices = [(0, 2, 3, "zeros"), (0, 4, 8, "uniform:low=5,high=6")]
    one = fanin.array("normal", (16, 4096), seed=1, name="w", slices=slices, threads=1)
    two = fanin.array("normal", (16, 4096), seed=1, name="w", slices=slices, threads=2)
    plain = fanin.array("normal", (16, 4096), seed=1, name="w")
    assert np.array_equal(one, two) and not one[2].any() and one[4:8].min() >= 5
    assert np.array_equal(one[8:], plain[8:]) and np.array_equal(one[:2], plain[:2])


def test_other_frameworks_seeds_are_their_streams():
    # jax.random.uniform(jax.random.key(42), (3,)): the tests of the library hold them against JAX itself.
    jax = pytest.importorskip("jax")
    ours = fanin.array("uniform", (1000,), seed="jax:42", name=None)
    assert np.array_equal(ours, np.asarray(jax.random.uniform(jax.random.key(42), (1000,))))


def test_a_scheme_is_resolved_by_its_layout():
    assert fanin.resolve("he_normal", (64, 32)) == "normal:mean=0,std=0.25"
    assert fanin.resolve("he_normal", (64, 32), "in_out") == fanin.resolve("he_normal:mode=fan_out", (64, 32))


@pytest.mark.parametrize(
    "arguments,words",
    [
        (dict(dtype="f64"), "the dtype is f64, allowed: f32, f16, bf16"),
        (dict(dtype=np.float64), "the dtype is f64, allowed"),
        (dict(dtype="int32"), 'the dtype is "int32"'),
        (dict(seed=None), "the seed is None, allowed: a whole number from 0"),
        (dict(seed=-1), 'the seed is "-1", allowed'),
        (dict(seed=2**64), "the seed is"),
        (dict(seed=1.5), "the seed is 1.5"),
        (dict(seed=True), "the seed is True"),
        (dict(seed="numpy:3"), 'the seed is "numpy:3"'),
        (dict(name=None), "the name is None, allowed: a text"),
        (dict(scheme="normel"), "did you mean normal"),
        (dict(scheme="normal:std=-1"), "std is -1"),
        (dict(scheme="he_normal", shape=(5,)), "fewer than two dimensions"),
        (dict(shape=(3, -1)), r"the shape is \(3, -1\)"),
        (dict(layout="out"), "layout"),
        (dict(slices=[(2, 0, 1, "zeros")]), "dimension"),
        (dict(slices=[(0, 0, 99, "zeros")]), "99"),
        (dict(block=np.s_[::2]), "slices without steps"),
        (dict(block=np.s_[:, :, :]), "at most 2 slices"),
        (dict(out=np.zeros((2, 2), np.float32)), r"the shape of out is \(2, 2\), allowed: \(4, 6\)"),
        (dict(out=[0.0]), "allowed: a NumPy array"),
        (dict(out=np.broadcast_to(np.float32(0), (4, 6))), "out is read-only"),
    ],
)
def test_a_wrong_use_is_named(arguments, words):
    given = dict(scheme="normal", shape=(4, 6), seed=42, name="w")
    given.update(arguments)
    with pytest.raises(fanin.Error, match=words):
        fanin.array(given.pop("scheme"), given.pop("shape"), **given)
