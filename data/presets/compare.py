#!/usr/bin/env python3
"""Holds the presets against what the installed frameworks draw: means, deviations, zero rows.

    cargo build --release --workspace
    pip install torch torchvision transformers keras tensorflow-cpu flax      # any of them
    python3 data/presets/compare.py

Each tensor's mean and standard deviation must be within 6 standard errors of the preset's.
"""

import json
import math
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
FANIN = os.environ.get("FANIN", "target/release/fanin")


def compare(name, preset, tensors):
    """`tensors`: name -> numpy array, integers included."""
    import numpy

    dtype = {"f": "F32", "i": "I64", "u": "I64", "b": "BOOL"}
    listed = {key: {"dtype": dtype[t.dtype.kind], "shape": list(t.shape)} for key, t in tensors.items()}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(listed, file)
        file.flush()
        rules = [FANIN, "rules", file.name, "--preset", preset, "--json"]
        rows = json.loads(subprocess.run(rules, check=True, stdout=subprocess.PIPE).stdout)
    wrong = 0
    for row in rows:
        values = numpy.asarray(tensors[row["tensor"]], numpy.float64)
        if row["skip"]:
            continue
        for part in row["parts"]:
            # Rows of padding, which are zero, and gates that start at one.
            those = slice(part["start"], part["end"])
            wrong += part["dim"] != 0 or part["std"] != 0 or bool(numpy.any(values[those] != part["mean"]))
            values = numpy.delete(values, those, 0)
        if row["distribution"].startswith("orthogonal:gain=1,"):
            sides = dict(pair.split("=") for pair in row["distribution"].split(":")[1].split(","))
            matrix = values.reshape(int(sides["rows"]), int(sides["columns"]))
            matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
            if numpy.abs(matrix @ matrix.T - numpy.eye(len(matrix))).max() > 1e-5:
                wrong += 1
                print(f"  {row['tensor']} {values.shape} is not orthogonal as {row['distribution']}")
            continue
        std, count = row["std"], values.size
        near_std = abs(values.std() - std) <= 6 * std / math.sqrt(2 * count) + 1e-8
        near_mean = abs(values.mean() - row["mean"]) <= 6 * std / math.sqrt(count) + 1e-8
        if not (near_std and near_mean):
            wrong += 1
            print(f"  {row['tensor']} {values.shape}: {values.mean():.5f}, {values.std():.5f}, not {row['distribution']}")
    print(f"{name}, preset {preset}: {len(rows)} tensors, {wrong} wrong")
    return wrong


def of_torch(model):
    return {name: tensor.float().numpy() if tensor.is_floating_point() else tensor.numpy()
            for name, tensor in model.state_dict().items()}


def transformers_models():
    import transformers as t

    version = f"transformers {t.__version__}"
    small = {"hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 512}
    gpt2 = t.GPT2Config(n_layer=5, n_embd=256, n_head=4, vocab_size=2000)
    yield f"{version} GPT2LMHeadModel", "gpt2", of_torch(t.GPT2LMHeadModel(gpt2))
    yield f"{version} LlamaForCausalLM", "llama", of_torch(t.LlamaForCausalLM(t.LlamaConfig(vocab_size=2000, **small)).float())
    yield f"{version} BertForMaskedLM", "bert", of_torch(t.BertForMaskedLM(t.BertConfig(vocab_size=2000, **small)))
    yield f"{version} ViTForImageClassification", "vit", of_torch(t.ViTForImageClassification(t.ViTConfig(**small)))


def torchvision_models():
    import torchvision

    version = f"torchvision {torchvision.__version__}"
    yield f"{version} resnet18", "resnet", of_torch(torchvision.models.resnet18())
    yield f"{version} resnext50_32x4d", "resnet", of_torch(torchvision.models.resnext50_32x4d())


def torch_layers():
    import torch
    from torch import nn

    layers = {
        "fc": nn.Linear(300, 200), "conv": nn.Conv2d(16, 32, 3, groups=2), "conv1": nn.Conv1d(20, 30, 5),
        "transposed": nn.ConvTranspose2d(16, 32, 3), "embed": nn.Embedding(500, 64), "ln": nn.LayerNorm(64),
        "bn": nn.BatchNorm1d(64), "lstm": nn.LSTM(100, 80, 2, bidirectional=True), "gru": nn.GRU(50, 64),
        "cell": nn.LSTMCell(30, 40), "attn": nn.MultiheadAttention(64, 4),
    }
    yield f"PyTorch {torch.__version__} layers", "pytorch", of_torch(nn.ModuleDict(layers))


def keras_layers():
    import keras
    import numpy
    from keras import layers as l

    tensors = {}
    for layer, shape in [
        (l.Dense(200, name="dense"), (1, 300)), (l.Conv2D(32, 3, name="conv2d"), (1, 8, 8, 16)),
        (l.DepthwiseConv2D(3, name="depthwise"), (1, 8, 8, 16)), (l.SeparableConv2D(24, 3, name="separable"), (1, 8, 8, 16)),
        (l.Conv1D(30, 5, name="conv1d"), (1, 8, 20)), (l.LayerNormalization(name="ln"), (1, 64)),
        (l.BatchNormalization(name="bn"), (1, 64)), (l.Embedding(500, 64, name="embedding"), (1,)),
        (l.SimpleRNN(40), (1, 5, 30)), (l.GRU(40), (1, 5, 30)), (l.LSTM(40), (1, 5, 30)), (l.LSTM(50), (1, 5, 30)),
        (l.LSTMCell(20), (1, 30)), (l.GRUCell(20), (1, 30)), (l.Bidirectional(l.LSTM(24)), (1, 5, 30)),
        (l.ConvLSTM1D(16, 3), (1, 5, 12, 8)), (l.ConvLSTM2D(16, 3), (1, 5, 12, 12, 8)),
    ]:
        layer.build(shape)
        # A layer by itself has its weights' names alone, others their path.
        path = lambda weight: weight.path if "/" in weight.path else f"{layer.name}/{weight.name}"
        tensors |= {path(weight): numpy.asarray(weight.value) for weight in layer.weights if "seed" not in weight.path}
    yield f"Keras {keras.__version__} layers", "keras", tensors


def flax_layers():
    import flax
    import flax.nnx
    import jax
    import numpy
    from flax import linen as nn

    class Layers(nn.Module):
        @nn.compact
        def __call__(self):
            nn.LayerNorm()(nn.Dense(200)(numpy.zeros((1, 300))))
            nn.Embed(500, 64)(numpy.zeros((1,), numpy.int32))
            for cell in [nn.SimpleCell, nn.LSTMCell, nn.OptimizedLSTMCell, nn.GRUCell, nn.MGUCell]:
                nn.RNN(cell(40))(numpy.zeros((1, 5, 30)))
            nn.BatchNorm(use_running_average=True)(nn.Conv(32, (3, 3))(numpy.zeros((1, 8, 8, 16))))
            return nn.Conv(30, (5,))(numpy.zeros((1, 8, 20)))

    leaves = jax.tree_util.tree_leaves_with_path(Layers().init(jax.random.key(0)))
    tensors = {"/".join(part.key for part in path): numpy.asarray(leaf) for path, leaf in leaves}
    yield f"Flax {flax.__version__} layers", "flax", tensors
    cells = {name: getattr(flax.nnx, name)(30, 40, rngs=flax.nnx.Rngs(0))
             for name in ["SimpleCell", "LSTMCell", "OptimizedLSTMCell", "GRUCell"]}
    tensors = {}
    for name, cell in cells.items():
        state = flax.nnx.state(cell, flax.nnx.Param)
        tensors |= {"/".join([name, *map(str, path)]): numpy.asarray(leaf[...])
                    for path, leaf in flax.nnx.to_flat_state(state)}
    yield f"Flax {flax.__version__} nnx cells", "flax", tensors


def main():
    wrong = 0
    for models in [transformers_models, torchvision_models, torch_layers, keras_layers, flax_layers]:
        try:
            for name, preset, tensors in models():
                wrong += compare(name, preset, tensors)
        except ImportError as error:
            print(f"{models.__name__} is left out: {error}")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
