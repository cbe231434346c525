#!/usr/bin/env python3
"""What PyTorch, transformers, Keras, JAX and Flax start structured weights with: makes structured.safetensors and structured.json again,
or compares them.

    pip install torch transformers keras jax flax safetensors
    python3 tests/golden/structured.py            # says what the installed frameworks start otherwise
    python3 tests/golden/structured.py --write    # writes what they start

structured.safetensors holds f32 tensors. Its metadata has, under each tensor's name, a JSON object:

    scheme, layout    fanin's texts
    shape             that of the weight, in the framework
    framework         with its version
    holds             "values"; "pattern", 1 where the weight is not zero; "zeros in each column", a count for each;
                      "sample", values whose distribution alone is the scheme's
    ulps              of functions: how far the framework's f32 is at most from the exact value's, rounded to nearest
    off               the same as a plain number, of what a framework works out in f32 itself

structured.json lists the weights of recurrent layers, their shapes, and whether all their elements together are one orthogonal matrix,
[rest, last dimension].

torch.log and torch.pow are not rounded correctly, and another CPU may be off at other places. The sample is of torch.manual_seed(42).
"""

import argparse
import json
import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import flax
import flax.linen
import flax.nnx
import jax
import keras
import numpy
import torch
import transformers
from safetensors import safe_open
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
VERSIONS = {module.__name__: module.__version__.split("+")[0] for module in (torch, transformers, keras, jax, flax)}


class Cases:
    def __init__(self):
        self.tensors, self.about = {}, {}

    def add(self, name, values, scheme, layout, holds="values", shape=None, exact=None, is_in_f32=False):
        values = numpy.ascontiguousarray(numpy.asarray(values), dtype=numpy.float32)
        framework = name.split(".")[0]
        about = {"scheme": scheme, "layout": layout, "shape": list(shape or values.shape)}
        about |= {"framework": f"{framework} {VERSIONS[framework]}", "holds": holds}
        if exact is not None:
            exact = numpy.broadcast_to(exact.astype(numpy.float32), values.shape)
            if is_in_f32:
                about["off"] = float(numpy.abs(values - exact).max())
            else:
                about["ulps"] = int(numpy.abs(values.view(numpy.int32) - exact.view(numpy.int32)).max())
        assert name not in self.tensors, name
        self.tensors[name], self.about[name] = values, json.dumps(about)


def text(shape):
    return "x".join(map(str, shape))


def eyes(cases):
    for shape in [(1, 1), (5, 5), (3, 7), (7, 3)]:
        cases.add(f"torch.eye_.{text(shape)}", torch.nn.init.eye_(torch.empty(shape)), "identity", "out_in")
        for gain in [1.0, -2.5]:
            values = keras.initializers.Identity(gain)(shape)
            cases.add(f"keras.Identity.{text(shape)}.{gain}", values, f"identity:gain={gain}", "in_out")


def diracs(cases):
    channels = [(4, 4), (4, 6), (8, 3), (8, 1)]
    kernels = [(1,), (3,), (4,), (3, 3), (2, 4), (3, 3, 3), (1, 2, 4)]
    for groups in [1, 2, 4]:
        for shape in [c + k for c in channels for k in kernels]:
            values = torch.nn.init.dirac_(torch.empty(shape), groups)
            cases.add(f"torch.dirac_.{text(shape)}.{groups}", values, f"dirac:groups={groups}", "out_in")


def deltas(cases):
    kernels = [(1,), (2,), (3,), (4,), (5,), (3, 3), (2, 3), (4, 5), (2, 2), (3, 3, 3), (1, 2, 4), (2, 2, 2)]
    initializer = jax.nn.initializers.delta_orthogonal()
    for shape in [k + c for k in kernels for c in [(2, 3), (3, 3)]]:
        pattern = numpy.asarray(initializer(jax.random.key(42), shape)) != 0
        cases.add(f"jax.delta_orthogonal.{text(shape)}", pattern, "delta_orthogonal", "in_out", "pattern")


def sparse(cases):
    torch.manual_seed(42)
    for shape in [(1, 3), (7, 3), (10, 4), (100, 5), (257, 2)]:
        # 0.07 * 100 is above 7, and 0.55 * 100 above 55: one zero more.
        for sparsity in [0.0, 0.001, 0.07, 0.1, 0.29, 0.5, 0.55, 0.9, 1.0]:
            weight = torch.nn.init.sparse_(torch.empty(shape), sparsity)
            counts = (weight == 0).sum(0)
            scheme = f"sparse:sparsity={sparsity}"
            cases.add(f"torch.sparse_.{text(shape)}.{sparsity}", counts, scheme, "out_in", "zeros in each column", shape)


def mamba(cases):
    def mixer(dtype=torch.float32, **config):
        torch.manual_seed(42)
        config = transformers.MambaConfig(vocab_size=8, num_hidden_layers=1, **config)
        model = transformers.MambaForCausalLM._from_config(config, dtype=dtype)
        return {name: weight.detach().float() for name, weight in model.backbone.layers[0].mixer.named_parameters()}

    for states in [16, 128]:
        exact = numpy.log(numpy.arange(1, states + 1, dtype=numpy.float64))
        for dtype in ["float32", "bfloat16", "float16"]:
            weights = mixer(getattr(torch, dtype), hidden_size=8, expand=1, state_size=states)
            name = f"transformers.mamba.A_log.{states}.{dtype}"
            f32 = exact if dtype == "float32" else None
            cases.add(name, weights["A_log"], "arange:start=1,function=log", "out_in", exact=f32)
    cases.add("transformers.mamba.D", weights["D"], "ones", "out_in")
    weights = mixer(hidden_size=64, expand=64)
    scheme = "inverse_softplus_log_uniform:low=0.001,high=0.1,floor=0.0001"
    cases.add("transformers.mamba.dt_proj.bias", weights["dt_proj.bias"], scheme, "out_in", "sample")
    weights = mixer(hidden_size=64, expand=64, time_step_floor=0.005)
    scheme = "inverse_softplus_log_uniform:low=0.001,high=0.1,floor=0.005"
    cases.add("transformers.mamba.dt_proj.bias.floor", weights["dt_proj.bias"], scheme, "out_in", "sample")


def rotary(cases):
    for theta in [10000, 500000]:
        for dim in [64, 128]:
            rope = {"rope_type": "default", "rope_theta": float(theta)}
            config = transformers.LlamaConfig(hidden_size=2 * dim, num_attention_heads=2, head_dim=dim, rope_parameters=rope)
            values = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding(config).inv_freq
            exact = numpy.float64(theta) ** (-numpy.arange(0, dim, 2) / dim)
            scheme = f"inverse_frequencies:theta={theta}"
            cases.add(f"transformers.inv_freq.{theta}.{dim}", values, scheme, "out_in", exact=exact)


def sinusoids(cases):
    def exact(shape, n, is_sine, k):
        angles = numpy.arange(shape[0], dtype=numpy.float64)[:, None] / numpy.float64(10000) ** (k / n)
        return numpy.where(is_sine, numpy.sin(angles), numpy.cos(angles))

    def halves(channels):
        sines, channel = -(-channels // 2), numpy.arange(channels)
        return channel < sines, channel % sines

    models = transformers.models
    marian = models.marian.modeling_marian.MarianSinusoidalPositionalEmbedding
    for shape in [(512, 6), (40, 9), (7, 1)]:
        values = marian(*shape).create_weight()
        scheme = "sinusoids:interleaved=false"
        cases.add(f"transformers.marian.{text(shape)}", values, scheme, "out_in", exact=exact(shape, shape[1] / 2, *halves(shape[1])))
    for shape in [(512, 6), (40, 9)]:
        values = models.distilbert.modeling_distilbert.create_sinusoidal_embeddings(*shape, torch.empty(shape))
        channel = numpy.arange(shape[1])
        cases.add(f"transformers.distilbert.{text(shape)}", values, "sinusoids", "out_in",
                  exact=exact(shape, shape[1] / 2, channel % 2 == 0, channel // 2))
    for shape in [(1500, 4), (40, 16)]:
        values = models.whisper.modeling_whisper.sinusoids(*shape)
        scheme = "sinusoids:interleaved=false,endpoint=true"
        cases.add(f"transformers.whisper.{text(shape)}", values, scheme, "out_in",
                  exact=exact(shape, shape[1] / 2 - 1, *halves(shape[1])), is_in_f32=True)


def is_orthogonal(weight):
    matrix = numpy.asarray(weight, numpy.float64)
    if matrix.ndim < 2:
        return False
    matrix = matrix.reshape(-1, matrix.shape[-1])
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    return bool(numpy.abs(matrix @ matrix.T - numpy.eye(len(matrix))).max() < 1e-4)


def recurrent():
    units, inputs = 5, 3
    found = {}

    def add(framework, name, weight):
        weights = found.setdefault(f"{framework} {VERSIONS[framework.split('.')[0]]}", {})
        weights[name] = {"shape": list(weight.shape), "is_orthogonal": is_orthogonal(weight)}
        if weight.ndim == 1 or "bias" in name:
            weights[name]["values"] = numpy.asarray(weight).reshape(-1).tolist()

    keras.utils.set_random_seed(42)
    for name, shape in [("SimpleRNN", (4,)), ("GRU", (4,)), ("LSTM", (4,)), ("ConvLSTM1D", (4, 8)), ("ConvLSTM2D", (4, 8, 8))]:
        kernel = {"kernel_size": 3} if name.startswith("Conv") else {}
        layer = getattr(keras.layers, name)(units, name=name.lower(), **kernel)
        layer.build((None, *shape, inputs))
        for weight in layer.weights:
            if "seed_generator" not in weight.path:
                add("keras", weight.path, weight.numpy())
    key = jax.random.key(42)
    cells = ["SimpleCell", "LSTMCell", "OptimizedLSTMCell", "GRUCell", "MGUCell", "ConvLSTMCell"]
    for name in cells:
        is_convolution = name == "ConvLSTMCell"
        cell = getattr(flax.linen, name)(units, *([(3, 3)] if is_convolution else []))
        x = jax.numpy.zeros((2, 8, 8, inputs) if is_convolution else (2, inputs))
        for layer, weights in cell.init(key, cell.initialize_carry(key, x.shape), x)["params"].items():
            for weight in weights:
                add("flax.linen", f"{name}.{layer}.{weight}", numpy.asarray(weights[weight]))
    for name in cells[:4]:
        cell = getattr(flax.nnx, name)(inputs, units, rngs=flax.nnx.Rngs(42))
        for path, weight in sorted(flax.nnx.to_flat_state(flax.nnx.state(cell, flax.nnx.Param))):
            add("flax.nnx", ".".join([name, *map(str, path)]), numpy.asarray(weight[...]))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    cases = Cases()
    for fill in [eyes, diracs, deltas, sparse, mamba, rotary, sinusoids]:
        fill(cases)
    weights = recurrent()
    if given.write:
        (HERE / "structured.json").write_text(json.dumps(weights, indent=1) + "\n")
        save_file(cases.tensors, HERE / "structured.safetensors", metadata=cases.about)
    with safe_open(HERE / "structured.safetensors", "numpy") as stored:
        about = stored.metadata()
        values = {name: stored.get_tensor(name) for name in stored.keys()}
    different = sorted(values.keys() ^ cases.tensors.keys())
    for name in sorted(values.keys() & cases.tensors.keys()):
        same = values[name].shape == cases.tensors[name].shape and (values[name] == cases.tensors[name]).all()
        if not same or json.loads(about[name]) != json.loads(cases.about[name]):
            different.append(name)
    if json.loads((HERE / "structured.json").read_text()) != weights:
        different.append("structured.json")
    for name in different:
        print(f"{name} differs, or is new, or is gone")
    print(f"{len(cases.tensors)} tensors, {len(different)} different; by {VERSIONS}")
    sys.exit(len(different) > 0)


if __name__ == "__main__":
    main()
