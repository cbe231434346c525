"""PyTorch's own values: what `torch.manual_seed(seed); Model()` holds, by the plan's log of draws."""

import os
import re
import subprocess

import fanin
import fanin.torch
import models
import numpy as np
import pytest
import torch
from fanin.torch.replay import Replay, start_of
from torch import nn

PROGRAM = os.environ.get("FANIN")
AVX2 = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"), reason="PyTorch's values are those of x86-64 with AVX2"
)


class Draws(nn.Module):
    """Every way in which a tensor is drawn, and some that only take words."""

    def __init__(self):
        super().__init__()
        p = nn.Parameter
        self.small = p(torch.empty(7).normal_(0.5, 0.02))
        self.large = p(torch.empty(33, 5).normal_(0, 0.02))
        self.transposed = p(torch.empty(30, 40).t().normal_(1.0, 0.5))
        self.turned = p(torch.empty(6, 5, 4).permute(1, 2, 0).uniform_(-1, 1))
        self.gaps = p(torch.zeros(20, 8))
        with torch.no_grad():
            self.gaps[:, ::2].normal_()
            self.gaps[3:5, 1].uniform_()
        self.truncated = p(nn.init.trunc_normal_(torch.empty(50, 41), std=0.5, a=-0.7, b=1.0))
        self.truncated_small = p(nn.init.trunc_normal_(torch.empty(3, 3), std=1.0))
        self.halved = p(torch.empty(100, dtype=torch.float16).uniform_(-1, 1))
        self.brain = p(nn.init.trunc_normal_(torch.empty(1001, dtype=torch.bfloat16)))
        self.random_doubles = p(torch.randn(37, dtype=torch.float64))
        self.doubled = p(torch.empty(5, dtype=torch.float64).normal_(3, 2))
        self.doubles = p(torch.empty(4, 9, dtype=torch.float64).uniform_(2, 3))
        self.scaled = p(torch.randn(20, 3) * 0.02 + 1)
        self.same = p(torch.empty(17).uniform_(2, 2))
        self.still = p(torch.empty(17).normal_(2, 0))
        torch.randperm(1000)
        self.padded = nn.Embedding(11, 6, padding_idx=4)
        self.convolution = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        self.rows = p(torch.cat([torch.zeros(3, 5), torch.rand(4, 5), torch.randn(2, 5)]))
        self.like = p(torch.randn_like(torch.empty(8, 9).t()))


def tensors(model):
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def bits(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


@AVX2
@pytest.mark.parametrize("seed", [42, 0, 2**40 + 7, -3])
def test_every_draw_has_pytorchs_bits(seed):
    model, plan = fanin.torch.record(Draws)
    plan.materialize_(model, seed, generator="torch")
    torch.manual_seed(seed)
    theirs = Draws()
    for name, tensor in tensors(theirs).items():
        assert torch.equal(bits(tensors(model)[name]), bits(tensor)), name
    # And the generators stand at the same word.
    end, real = Replay(plan, seed).end(), start_of(torch.get_rng_state())
    assert end.split(",")[0] == real.split(",")[0] and ("pair" in end) == ("spare" in real)


@AVX2
def test_a_state_is_gone_on_from():
    model, plan = fanin.torch.record(models.Net)
    torch.manual_seed(7)
    torch.randn(12345), torch.rand(17), torch.randn(3)
    state = torch.get_rng_state()
    plan.materialize_(model, state, generator="torch", by_torch=True)
    torch.set_rng_state(state)
    theirs = models.Net()
    for name, tensor in tensors(theirs).items():
        assert torch.equal(bits(tensors(model)[name]), bits(tensor)), name


@AVX2
def test_a_model_that_is_converted_later_has_the_bits_of_one_that_was():
    model, plan = fanin.torch.record(models.Net)
    plan.materialize_(model.bfloat16(), 42, generator="torch", by_torch=True)
    torch.manual_seed(42)
    theirs = models.Net().bfloat16()
    assert all(torch.equal(bits(tensors(model)[name]), bits(tensor)) for name, tensor in tensors(theirs).items())


@AVX2
def test_arrays_are_drawn_by_pytorchs_seeds():
    torch.manual_seed(42)
    theirs = torch.empty(50, 41).normal_(0, 0.02)
    ours = fanin.array("normal:std=0.02", (50, 41), seed="torch:42", name=None, block=np.s_[10:20, 3:])
    assert (ours == theirs[10:20, 3:].numpy()).all()
    torch.manual_seed(42)
    torch.rand(1000)
    assert (fanin.array("uniform:low=0,high=1", (9,), seed="torch:42@1000", name=None) == torch.rand(9).numpy()).all()


def test_keys_are_pytorchs():
    random = pytest.importorskip("torch.func._random")
    for key in (random.key(42), random.fold_in(random.key(2**40), 7)):
        seed, offset = (int(number) for number in key.numpy())
        for dtype, name in ((torch.float32, "f32"), (torch.float16, "f16"), (torch.bfloat16, "bf16")):
            of = dict(seed=f"torch-key:{seed},{offset}", name=None, dtype=name)
            theirs = random.uniform(key, (1003,), low=-0.0441, high=0.0441, dtype=dtype)
            ours = fanin.array("uniform:low=-0.0441,high=0.0441", (1003,), **of)
            assert (np.asarray(ours, dtype="f4") == theirs.float().numpy()).all()
            theirs = random.normal(key, (1003,), mean=0.5, std=2.0, dtype=dtype).float().numpy()
            ours = np.asarray(fanin.array("normal:mean=0.5,std=2", (1003,), **of), dtype="f4")
            unit = {"f32": 1e-6, "f16": 2e-3, "bf16": 2e-2}[name]
            assert (ours == theirs).mean() > 0.95 and np.abs(ours - theirs).max() <= 2 * unit


class Orthogonal(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.mix = nn.Parameter(nn.init.orthogonal_(torch.empty(5, 7)))


class Exponential(nn.Module):
    def __init__(self):
        super().__init__()
        torch.rand(3).exponential_()
        self.weight = nn.Parameter(torch.randn(4))


class Seeding(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.weight = nn.Parameter(torch.randn(4))


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.weight = nn.Parameter(torch.empty(4).normal_(generator=torch.Generator()))


class Narrow(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(nn.init.trunc_normal_(torch.empty(64), a=-0.2, b=0.2))


class Tensors(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.normal(torch.zeros(9), torch.ones(9) * 0.1))


@pytest.mark.parametrize(
    "build, words",
    [
        (Orthogonal, ["'mix'", "orthogonal_", "by_torch=True"]),
        (Exponential, ["exponential", "not known"]),
        (Seeding, ["torch.manual_seed"]),
        (Own, ["'weight'", "generator of the code's own"]),
        (Narrow, ["trunc_normal_", "0.3"]),
        (Tensors, ["weight", "normal"]),
    ],
)
def test_what_is_not_replayed_is_refused_by_name(build, words):
    model, plan = fanin.torch.record(build)
    with pytest.raises(fanin.torch.PlanError) as error:
        plan.materialize_(model, 42, generator="torch")
    assert all(word in str(error.value) for word in words), error.value
    assert all(parameter.device.type == "meta" for parameter in model.parameters())


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(seed=42, generator="numpy"), "'numpy', allowed: 'fanin', 'torch'"),
        (dict(seed=2**64, generator="torch"), "allowed: a whole number from -2^63"),
        (dict(seed="x", generator="torch"), "SEED@WORDS"),
        (dict(seed=None, generator="torch"), "None"),
        (dict(seed=torch.zeros(5056, dtype=torch.uint8), generator="torch"), "none that a generator has"),
        (dict(seed=torch.zeros(3), generator="torch"), "torch.get_rng_state()"),
        (dict(seed=42, by_torch=True), "allowed: with generator='torch'"),
    ],
)
def test_wrong_seeds_and_generators_are_named(options, words):
    model, plan = fanin.torch.record(lambda: nn.Linear(3, 3))
    with pytest.raises(fanin.Error, match=re.escape(words)):
        plan.materialize_(model, **options)


@AVX2
@pytest.mark.skipif(not PROGRAM, reason="FANIN names no program")
def test_the_programs_checkpoint_of_a_plan_is_pytorchs_model(tmp_path):
    from safetensors.torch import load_file

    def build():
        return nn.Sequential(nn.Embedding(101, 37, padding_idx=1), models.Block(), nn.Linear(37, 9), nn.BatchNorm1d(9))

    model, plan = fanin.torch.record(build)
    plan.save(tmp_path / "plan.json")
    command = [
        PROGRAM,
        "init",
        str(tmp_path / "plan.json"),
        "-o",
        f"{tmp_path}/OUT/",
        "--generator",
        "torch",
        "--seed",
        "42",
        "--device",
        "cpu",
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    stored = load_file(tmp_path / "OUT" / "model.safetensors")
    torch.manual_seed(42)
    theirs = build().state_dict()
    assert set(stored) == set(theirs)
    assert all(torch.equal(bits(stored[name]), bits(tensor)) for name, tensor in theirs.items())
    printed = subprocess.run(
        [PROGRAM, "verify", str(tmp_path / "OUT" / "model.safetensors"), "--device", "cpu"], capture_output=True, text=True
    )
    assert printed.returncode == 0, printed.stdout + printed.stderr


def test_a_plan_of_a_file_is_refused(tmp_path):
    model, plan = fanin.torch.record(lambda: nn.Linear(3, 3))
    plan.save(tmp_path / "plan.json")
    with pytest.raises(fanin.torch.PlanError, match="from a file"):
        fanin.torch.load(tmp_path / "plan.json").materialize_(model, 42, generator="torch")
