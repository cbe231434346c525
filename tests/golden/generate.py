#!/usr/bin/env python3
"""What TensorFlow, Keras and JAX draw, for tests/frameworks.rs: makes peers.json and peers.safetensors again, or compares them.

    pip install tensorflow-cpu keras jax safetensors
    python3 tests/golden/generate.py            # says which cases the installed frameworks draw otherwise
    python3 tests/golden/generate.py --write    # writes what they draw

JAX's float16 cases were drawn on a CPU with AVX512-FP16: without it, XLA rounds the product of a window's width and a fraction, too,
and jax.uniform.*.float16.* and jax.truncated_normal.*.float16.* differ by a unit in the last place of the uniform value.

The cases, with their seeds, shapes, dtypes and arguments, are those of peers.json. Values are stored as float32.
"""

import argparse
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import jax
import keras
import numpy
import tensorflow as tf
from safetensors.numpy import load_file, save_file

HERE = pathlib.Path(__file__).parent


def of_tensorflow(case):
    draw = getattr(tf.random, case["op"])
    return draw(case["shape"], case["seed"], dtype=getattr(tf, case["dtype"]), alg="philox", **case["args"])


def of_keras(case):
    initializer = getattr(keras.initializers, case["op"])(seed=case["seed"], **case["args"])
    return initializer(case["shape"], dtype=case["dtype"])


def of_jax(case):
    key, op, shape = jax.random.key(case["seed"]), case["op"], tuple(case["shape"])
    if op == "uniform of fold_in(key, 7)":
        return jax.random.uniform(jax.random.fold_in(key, 7), shape)
    if op == "uniform of split(key, 3)[2]":
        return jax.random.uniform(jax.random.split(key, 3)[2], shape)
    return getattr(jax.random, op)(key, shape=shape, dtype=case["dtype"], **case["args"])


def of_initializers(case):
    initializer = getattr(jax.nn.initializers, case["op"])(**case["args"])
    return initializer(jax.random.key(case["seed"]), tuple(case["shape"]), case["dtype"])


FRAMEWORKS = {
    "tensorflow": of_tensorflow,
    "keras (tensorflow backend)": of_keras,
    "jax": of_jax,
    "jax.nn.initializers": of_initializers,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    peers = json.loads((HERE / "peers.json").read_text())
    stored = load_file(HERE / "peers.safetensors")
    drawn, different = {}, 0
    for case in peers["cases"]:
        values = numpy.asarray(FRAMEWORKS[case["framework"]](case)).astype(numpy.float32).reshape(case["shape"])
        drawn[case["name"]] = values
        if case["name"] not in stored:
            different += 1
            print(f"{case['name']} is new")
        elif not numpy.array_equal(values, stored[case["name"]].reshape(case["shape"])):
            different += 1
            worst = numpy.abs(values - stored[case["name"]].reshape(case["shape"])).max()
            print(f"{case['name']} differs, by {worst} at most")
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__, "jax": jax.__version__, "numpy": numpy.__version__}
    print(f"{len(drawn)} cases, {different} differ; drawn by {versions}, stored by {peers['versions']}")
    if given.write:
        peers["versions"] = versions
        (HERE / "peers.json").write_text(json.dumps(peers, indent=1))
        save_file(drawn, HERE / "peers.safetensors")
    sys.exit(different > 0 and not given.write)


if __name__ == "__main__":
    main()
