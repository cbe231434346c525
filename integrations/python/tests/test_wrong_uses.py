"""What is used wrongly is an error that names the tensor, the value and what is allowed; nothing is drawn then."""

import random

import fanin
import fanin.torch
import models
import numpy as np
import pytest
import torch
from fanin.torch import PlanError, RecordError
from torch import nn


class Of(nn.Module):
    """A module whose one parameter `build` makes."""

    def __init__(self, build):
        super().__init__()
        self.weight = nn.Parameter(build())


def plan_of(build):
    return fanin.torch.record(lambda: Of(build))


def refused(build, words):
    model, plan = plan_of(build)
    with pytest.raises(PlanError, match=words):
        plan.materialize_(model, seed=42)
    assert model.weight.is_meta


@pytest.fixture
def net():
    return fanin.torch.record(models.Net)


def test_float64_is_refused_by_name_and_widened_where_asked(net):
    model, plan = net
    model.double()
    with pytest.raises(
        PlanError, match="tensor 'gate': the dtype is float64, allowed: float32, float16, bfloat16; or float64 with widen=True"
    ):
        plan.materialize_(model, seed=42)
    assert all(p.is_meta for p in model.parameters())
    plan.materialize_(model, seed=42, widen=True)
    single = fanin.torch.record(models.Net)[0]
    plan.materialize_(single, seed=42)
    assert torch.equal(model.mix.weight, single.mix.weight.double())


def test_a_dtype_that_no_float_is_is_refused():
    refused(lambda: torch.randn(4, dtype=torch.complex64), "weight")


def test_partial_placements_are_refused(net, tmp_path):
    import torch.distributed as dist
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.tensor import DTensor, Partial

    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        model, plan = net
        part = DTensor.from_local(torch.empty(2), DeviceMesh("cpu", [0]), [Partial()])
        model.gate = nn.Parameter(part)
        with pytest.raises(PlanError, match="tensor 'gate': the placement is Partial.*allowed: Shard, Replicate"):
            plan.materialize_(model, seed=42)
        with pytest.raises(PlanError, match="tensor 'x': the placement is Partial"):
            fanin.torch.init.normal_(part, name="x", seed=42)
    finally:
        dist.destroy_process_group()


def test_a_parameter_that_the_plan_does_not_know_is_named(net):
    model, plan = net
    model.extra = nn.Parameter(torch.zeros(3))
    with pytest.raises(PlanError, match="tensor 'extra': the plan does not know it"):
        plan.materialize_(model, seed=42)
    assert model.gate.is_meta


def test_a_plan_of_another_model_is_named(net):
    model, _ = net
    _, plan = fanin.torch.record(lambda: nn.Linear(4, 4))
    with pytest.raises(PlanError, match="the plan does not know it, allowed: the tensors of the model that was recorded"):
        plan.materialize_(model, seed=42)


def test_a_part_of_a_model_is_named_unless_it_is_meant(net):
    model, plan = net
    del model.gate
    with pytest.raises(PlanError, match="the model has not gate, which the plan has, allowed: .* strict=False"):
        plan.materialize_(model, seed=42)
    plan.materialize_(model, seed=42, strict=False)
    whole = fanin.torch.record(models.Net)[0]
    assert torch.equal(plan.materialize_(whole, 42).mix.weight, model.mix.weight)


def test_a_shape_that_changed_is_named(net):
    model, plan = net
    model.gate = nn.Parameter(torch.zeros(3))
    with pytest.raises(PlanError, match=r"tensor 'gate': the shape is \[3\], allowed: \[2\]"):
        plan.materialize_(model, seed=42)


@pytest.mark.parametrize(
    "seed,words",
    [(None, "the seed is None"), (-1, 'the seed is "-1"'), (1.5, "the seed is 1.5"), (2**64, "the seed is"), ("x", 'the seed is "x"')],
)
def test_no_seed_and_a_wrong_one_are_named(net, seed, words):
    model, plan = net
    with pytest.raises(fanin.Error, match=words):
        plan.materialize_(model, seed)
    with pytest.raises(fanin.Error, match=words):
        fanin.torch.init.normal_(torch.empty(3), name="w", seed=seed)
    assert model.gate.is_meta


def test_an_orthogonal_parametrization_is_refused():
    def build():
        # It works its start out by operations that have no kernel on meta.
        return nn.utils.parametrizations.orthogonal(nn.Linear(8, 8))

    # In silence it would be a matrix that is not orthogonal.
    with pytest.raises(RuntimeError, match="meta"):
        fanin.torch.record(build)


def test_an_exception_inside_poisons_the_record_also_if_it_is_swallowed():
    def build():
        weight = torch.randn(4, 4)
        try:
            torch.linalg.qr(weight.tril(), mode="no such mode")
        except Exception:
            weight = weight * 2
        return weight

    refused(build, "the recording cannot be trusted: aten.* failed")


@pytest.mark.parametrize(
    "build,words",
    [
        (lambda: torch.from_numpy(np.random.randn(4)).float(), "drawn from numpy.random"),
        (lambda: torch.from_numpy(np.random.default_rng(0).normal(size=4)).float(), "a generator of numpy.random, Generator"),
        (lambda: torch.from_numpy(np.random.RandomState(0).randn(4)).float(), "a generator of numpy.random, RandomState"),
        (lambda: torch.tensor([random.gauss(0, 1) for _ in range(4)]), "drawn from random"),
        (lambda: torch.tensor([random.Random(0).random()]), "a generator, random.Random"),
    ],
)
def test_numbers_of_other_generators_are_refused(build, words):
    refused(build, f"cannot be trusted: numbers were .*{words}")


@pytest.mark.parametrize(
    "build,words",
    [
        (lambda: torch.empty(4), "weight: it was never written"),
        (lambda: torch.cat([torch.empty(4, 2), torch.zeros(4, 2)]), "weight: it was never written"),
        (lambda: torch.empty(4, 4).index_fill_(0, torch.tensor([1]), 0.0), "weight: it was never written"),
        (lambda: torch.empty(8).exponential_(), "weight: it is drawn by exponential_, which fanin does not draw"),
        (lambda: torch.bernoulli(torch.full((8,), 0.5)), "weight: it is drawn by bernoulli"),
        (lambda: torch.randperm(8).float(), "weight: it is drawn by randperm"),
        (lambda: nn.functional.dropout(torch.ones(8)), "weight: it is drawn by"),
        (lambda: torch.randint(0, 5, (8,)).float() * torch.randn(8), "weight: it is drawn by randint"),
    ],
)
def test_what_is_not_known_is_named_and_never_guessed(build, words):
    refused(build, f"it is not known how 1 of 1 tensors start: {words}")


@pytest.mark.parametrize(
    "build,words",
    [
        (lambda: torch.randn(4) * torch.randn(4).max().item(), "asks for a number that is drawn"),
        (lambda: torch.zeros(4) if torch.randn(()) > 0 else torch.ones(4), "asks for a number that is drawn"),
        (lambda: torch.tensor(torch.randn(4).tolist()), "asks by Tensor.tolist for what is drawn"),
        (lambda: torch.from_numpy(torch.randn(4).numpy()), "asks by Tensor.numpy for what is drawn"),
    ],
)
def test_code_that_goes_on_by_a_drawn_number_is_refused_at_once(build, words):
    with pytest.raises(RecordError, match=words):
        plan_of(build)


def test_another_view_of_a_tensors_memory_is_named():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 4))
            self.turned = nn.Parameter(self.weight.detach().t())

    model, plan = fanin.torch.record(Model)
    with pytest.raises(PlanError, match="turned: it is another view of the memory of weight"):
        plan.materialize_(model, seed=42)


def test_a_tensor_from_before_the_recording_is_named():
    before = torch.empty(4, device="meta")
    refused(lambda: before, "weight: it was made on the meta device outside of the recording")


def test_what_is_no_model_is_named():
    with pytest.raises(RecordError, match="of the type int, allowed: a torch.nn.Module"):
        fanin.torch.record(lambda: 3)


def test_a_recording_within_a_recording_is_named():
    with pytest.raises(RecordError, match="a recording is under way"):
        fanin.torch.record(lambda: fanin.torch.record(models.Net)[0])
    # And the first one's end has put everything back.
    assert torch.nn.init.orthogonal_(torch.empty(3, 3)).norm() > 1


def test_the_default_device_meta_is_named():
    with torch.device("meta"), pytest.raises(RecordError, match="the default device is meta"):
        fanin.torch.record(models.Net)


def test_a_block_of_several_models_asks_which():
    with fanin.torch.recording() as plan:
        first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    with pytest.raises(PlanError, match=r"the block built 2 models, allowed: one, or plan.bind\(model\)"):
        plan.materialize_(first, seed=42)
    plan.bind(second)
    assert plan.materialize_(second, seed=42).weight.std() > 0


def test_a_tensor_that_the_plan_does_not_have_is_named(net):
    with pytest.raises(PlanError, match="the tensor is 'gte', which the plan does not know"):
        net[1]["gte"]


@pytest.mark.parametrize(
    "text,words",
    [
        ("{}", "is no plan"),
        ("[", "is no plan"),
        ('{"plan": 2, "contract": 2, "tensors": {}}', "the plan is of version 2, value contract 2, allowed: version 1"),
    ],
)
def test_a_file_that_is_no_plan_is_named(tmp_path, text, words):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(PlanError, match=words):
        fanin.torch.load(tmp_path / "plan.json")


def test_a_replayed_tensor_of_a_file_is_named(tmp_path):
    build = lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))  # noqa: E731
    model, plan = fanin.torch.record(build)
    plan.save(tmp_path / "plan.json")
    with pytest.raises(PlanError, match="tensor 'parametrizations.weight.original0' is norm, computed by torch"):
        fanin.torch.load(tmp_path / "plan.json").materialize_(model, seed=42)


@pytest.mark.parametrize(
    "call,words",
    [
        (lambda init: init.normal_(torch.empty(3, device="meta"), name="w", seed=1), "tensor 'w' lies on the meta device"),
        (lambda init: init.normal_(torch.empty(3, dtype=torch.float64), name="w", seed=1), "the dtype is float64"),
        (lambda init: init.normal_(torch.empty(3), std=-1, name="w", seed=1), "tensor 'w': std is -1"),
        (lambda init: init.kaiming_normal_(torch.empty(3), name="w", seed=1), "tensor 'w': .*fewer than two dimensions"),
        (lambda init: init.trunc_normal_(torch.empty(3), a=1, b=-1, name="w", seed=1), "tensor 'w': the window"),
        (lambda init: init.scheme_(torch.empty(3), "nrmal", name="w", seed=1), "did you mean normal"),
        (lambda init: init.eye_(torch.empty(3, 3, 3), name="w", seed=1), "2 dimensions"),
    ],
)
def test_an_initialisation_of_ones_own_is_named(call, words):
    with pytest.raises(PlanError, match=words):
        call(fanin.torch.init)
