"""Each module of torch.nn that has parameters, beside real instantiations."""

import inspect

import checks
import pytest
import torch
from torch import nn

ARGUMENTS = {
    "Linear": (64, 32),
    "LinearCrossEntropyLoss": (64, 32),
    "Bilinear": (8, 9, 10),
    "Conv1d": (8, 16, 3),
    "Conv2d": (8, 16, 3),
    "Conv3d": (8, 16, 3),
    "ConvTranspose1d": (8, 16, 3),
    "ConvTranspose2d": (8, 16, 3),
    "ConvTranspose3d": (8, 16, 3),
    "BatchNorm1d": (16,),
    "BatchNorm2d": (16,),
    "BatchNorm3d": (16,),
    "SyncBatchNorm": (16,),
    "InstanceNorm1d": (16, 1e-5, 0.1, True, True),
    "InstanceNorm2d": (16, 1e-5, 0.1, True, True),
    "InstanceNorm3d": (16, 1e-5, 0.1, True, True),
    "LayerNorm": (32,),
    "GroupNorm": (4, 16),
    "RMSNorm": (16,),
    "Embedding": (100, 16, 3),
    "EmbeddingBag": (100, 16),
    "RNN": (16, 32, 2),
    "LSTM": (16, 32, 2),
    "GRU": (16, 32, 2),
    "RNNCell": (16, 32),
    "LSTMCell": (16, 32),
    "GRUCell": (16, 32),
    "MultiheadAttention": (32, 4),
    "TransformerEncoderLayer": (32, 4, 64),
    "TransformerDecoderLayer": (32, 4, 64),
    "Transformer": (32, 4, 2, 2, 64),
    "PReLU": (8,),
    "AdaptiveLogSoftmaxWithLoss": (32, 100, [10, 50]),
}

# Bases, and what takes modules or has no parameters.
WITHOUT = """Module Sequential ModuleList ModuleDict ParameterList ParameterDict Container RNNBase RNNCellBase TransformerEncoder TransformerDecoder
FractionalMaxPool2d FractionalMaxPool3d Unflatten""".split()

VARIANTS = {
    "an encoder, whose layers are copies": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 3),
    "a decoder, whose layers are copies": lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(32, 4, 64), 2),
    "attention of other widths": lambda: nn.MultiheadAttention(32, 4, kdim=16, vdim=8, add_bias_kv=True),
    "an LSTM with projections": lambda: nn.LSTM(16, 32, 2, proj_size=8, bidirectional=True),
    "weight norm": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(32, 16)),
    "weight norm as it was": lambda: nn.utils.weight_norm(nn.Linear(32, 16)),
    "bf16 from the start": lambda: nn.Linear(320, 160, dtype=torch.bfloat16),
    "f16 in the end": lambda: nn.Linear(320, 160).half(),
    "f64": lambda: nn.Linear(32, 16, dtype=torch.float64),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_module_starts_as_it_does_really(name):
    _, wrong = checks.disagreements(lambda: getattr(nn, name)(*ARGUMENTS[name]), seeds=12)
    assert not wrong


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_starts_as_it_does_really(name):
    _, wrong = checks.disagreements(VARIANTS[name], seeds=12)
    assert not wrong


def test_no_module_with_parameters_is_left_out():
    classes = {name: cls for name, cls in vars(nn).items() if inspect.isclass(cls) and issubclass(cls, nn.Module)}
    for name, cls in classes.items():
        if name in ARGUMENTS or name in WITHOUT or name.startswith("Lazy"):
            continue
        required = [
            p
            for p in inspect.signature(cls).parameters.values()
            if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]
        module = cls(*[2] * len(required))
        assert not list(module.parameters()) and not list(module.buffers()), name


def test_a_lazy_module_is_unknown_by_name():
    import fanin.torch

    model, plan = fanin.torch.record(lambda: nn.LazyLinear(8))
    with pytest.raises(fanin.torch.PlanError, match="weight: it is lazy"):
        plan.materialize_(model, 42)
