"""Plans, and what they give a model: identity, wrappers, strides, files, initialisation of one's own."""

import fanin
import fanin.torch
import models
import numpy as np
import pytest
import torch
from fanin.torch import init
from torch import nn


@pytest.fixture
def net():
    return fanin.torch.record(models.Net)


def test_tensors_keep_their_identity_their_ties_and_their_attributes():
    def build():
        model = models.Net(tied=True)
        model.mix.weight.is_mine = True
        return model

    model, plan = fanin.torch.record(build)
    weight, optimizer = model.mix.weight, torch.optim.SGD(model.parameters(), 0.1)
    assert plan.aliases == {"head.weight": "embedding.weight"}
    plan.materialize_(model, seed=42)
    assert model.mix.weight is weight and weight.is_mine and weight.requires_grad
    assert model.head.weight is model.embedding.weight
    assert {id(p) for group in optimizer.param_groups for p in group["params"]} == {id(p) for p in model.parameters()}
    model(torch.arange(6).view(2, 3)).mean().backward()
    optimizer.step()
    assert "mix.weight" in fanin.torch.verify_(model, plan, 42)
    assert fanin.torch.verify_(plan.materialize_(model, seed=42), plan, 42) == []


def test_a_recording_takes_no_memory_for_weights_and_leaves_no_trace():
    state, functions = torch.get_rng_state(), {name: getattr(nn.init, name).__code__ for name in ("orthogonal_", "trunc_normal_", "eye_")}
    # 400 GB.
    model, plan = fanin.torch.record(lambda: nn.Sequential(*(nn.Linear(100_000, 100_000) for _ in range(10))))
    assert sum(p.numel() for p in model.parameters()) > 10**11 and all(p.is_meta for p in model.parameters())
    with pytest.raises(ZeroDivisionError):
        fanin.torch.record(lambda: 1 / 0)
    assert torch.equal(torch.get_rng_state(), state)
    assert functions == {name: getattr(nn.init, name).__code__ for name in functions}
    assert nn.Linear(2, 2).weight.device.type == "cpu" and not torch.empty(3).is_meta


def test_a_copy_that_was_transposed_or_scaled_is_the_same_draw():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.randn(6, 4))
            self.b = nn.Parameter(self.a.detach().t().clone() * 2)
            self.c = nn.Parameter(self.a.detach() / 4)

    model, plan = fanin.torch.record(Model)
    plan.materialize_(model, seed=42)
    assert torch.equal(model.b, model.a.t() * 2) and torch.equal(model.c, model.a / 4)


def test_a_stack_of_many_draws_is_one():
    def build():
        experts = [nn.init.xavier_uniform_(torch.empty(4, 6)) for _ in range(100)]
        return nn.ParameterList(
            [torch.stack(experts), torch.cat([torch.zeros(3, 6), *(torch.zeros(1, 6) + 1 for _ in range(70)), torch.zeros(2, 6)])]
        )

    model, plan = fanin.torch.record(build)
    assert plan["0"].scheme.startswith("uniform:") and not plan["0"].slices
    plan.materialize_(model, seed=42)
    assert model[0].unique().numel() > 2300 and torch.equal(model[1], torch.cat([torch.zeros(3, 6), torch.ones(70, 6), torch.zeros(2, 6)]))


def test_wrappers_names_are_stripped(net, tmp_path):
    import torch.distributed as dist
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    model, plan = net
    alone = plan.materialize_(fanin.torch.record(models.Net)[0], seed=42)
    model.blocks[0] = checkpoint_wrapper(model.blocks[0])
    plan.materialize_(torch.compile(model, backend="eager"), seed=42)
    assert torch.equal(model.blocks[0].up.weight, alone.blocks[0].up.weight)
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        assert fanin.torch.verify_(nn.parallel.DistributedDataParallel(model), plan, 42) == []
    finally:
        dist.destroy_process_group()


def test_buffers_of_both_kinds_come_back_from_meta(net):
    model, plan = net
    expected = models.Net()
    plan.materialize_(model.to("meta"), seed=42)
    assert torch.equal(model.positions, expected.positions) and torch.equal(model.frequencies, expected.frequencies)
    assert "frequencies" not in model.state_dict()


def test_strides_change_nothing(net):
    model, plan = net
    plan.materialize_(model, seed=42)
    other = fanin.torch.record(models.Net)[0]
    other.mix.weight = nn.Parameter(torch.empty(37, 74)[:, ::2])
    plan.materialize_(other, seed=42)
    assert other.mix.weight.stride() == (74, 2) and torch.equal(other.mix.weight, model.mix.weight)


@pytest.mark.parametrize("dtype,also", [(torch.float16, {}), (torch.bfloat16, {}), (torch.float64, {"widen": True})])
def test_another_dtype_is_the_same_draw_rounded(net, dtype, also):
    model, plan = net
    single = plan.materialize_(fanin.torch.record(models.Net)[0], seed=42)
    plan.materialize_(model.to(dtype), seed=42, **also)
    assert torch.equal(model.mix.weight, single.mix.weight.to(dtype)) and model.positions.dtype == torch.int64


def test_a_file_has_what_the_plan_has(net, tmp_path):
    model, plan = net
    plan.save(tmp_path / "plan.json")
    again = fanin.torch.load(tmp_path / "plan.json")
    assert [entry.text() for entry in again] == [entry.text() for entry in plan if entry.is_persistent]
    plan.materialize_(model, seed=42)
    del model.frequencies
    assert fanin.torch.verify_(model, again, 42) == []


def test_flat_buffers_are_drawn_through_views(net):
    model, plan = net
    plan.materialize_(model, seed=42)
    flat = torch.empty(10 + 37 * 37)
    entry = plan["mix.weight"]
    init.scheme_(flat[10:].view(37, 37), entry.scheme, name=entry.stream, seed=42)
    assert torch.equal(flat[10:], model.mix.weight.detach().flatten())


@pytest.mark.parametrize(
    "call,scheme",
    [
        (lambda t, **k: init.normal_(t, 1, 0.5, **k), "normal:mean=1,std=0.5"),
        (lambda t, **k: init.uniform_(t, -1, 2, **k), "uniform:low=-1,high=2"),
        (lambda t, **k: init.trunc_normal_(t, std=0.02, a=-0.04, b=0.04, **k), "truncated_normal:std=0.02,low=-0.04,high=0.04"),
        (lambda t, **k: init.constant_(t, 0.1, **k), "constant:value=0.1"),
        (init.zeros_, "zeros"),
        (init.ones_, "ones"),
        (init.xavier_uniform_, "glorot_uniform"),
        (init.xavier_normal_, "glorot_normal"),
        (lambda t, **k: init.kaiming_uniform_(t, a=5**0.5, **k), "standard"),
        (lambda t, **k: init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu", **k), "he_normal:mode=fan_out"),
        (init.orthogonal_, "orthogonal"),
        (lambda t, **k: init.sparse_(t, 0.3, **k), "sparse:sparsity=0.3"),
        (init.eye_, "identity"),
    ],
)
def test_initialisation_of_ones_own_draws_the_scheme(call, scheme):
    expected = fanin.array(scheme, (24, 16), seed=42, name="w")
    tensor = nn.Parameter(torch.empty(24, 16))
    assert call(tensor, name="w", seed=42) is tensor
    # Gains of two ways may differ in the last place.
    assert np.allclose(tensor.detach().numpy(), expected, rtol=1e-6, atol=0) and tensor.requires_grad


def test_the_table_says_how_each_starts(net):
    _, plan = net
    assert plan["embedding.weight"].text() == "normal:mean=0.0,std=1.0; constant:value=0.0 at 1..2 along dimension 0"
    assert plan["decay"].text() == "log_of_uniform:low=1.0,high=16.0" and plan["mix.weight"].text().startswith("orthogonal:gain=1.0,")
    assert "positions" in plan.table() and repr(plan).startswith("<fanin.torch.Plan of 25 tensors: 23 drawn, 2 given>")
