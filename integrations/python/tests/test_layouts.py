"""One SHA-256 whatever the layout: DTensors of eight, the program's checkpoint of the plan, JAX arrays, `fanin.array`."""

import hashlib
import json
import os
import subprocess

import fanin
import fanin.torch
import layouts
import models
import numpy as np
import pytest
import torch

PROGRAM = os.environ.get("FANIN")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layouts")
    torch.multiprocessing.spawn(layouts.run, (str(folder),), nprocs=layouts.RANKS)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(layouts.RANKS)]


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=["f32", "bf16"])
def alone(request):
    model, plan = fanin.torch.record(models.Net)
    return plan.materialize_(model.to(request.param), seed=42), plan, request.param


def test_eight_layouts_have_one_digest(found, alone):
    model, _, dtype = alone
    expected = layouts.digest(model)
    placements = set()
    for layout in layouts.LAYOUTS:
        of_ranks = [ranks[key] for ranks in found if (key := f"{layout}, {dtype}") in ranks]
        assert of_ranks and {digest for digest, _ in of_ranks} == {expected}, layout
        placements.update(text for _, texts in of_ranks for text in texts)
    # The layouts were what they say.
    assert {"(Shard(dim=0),)", "(Shard(dim=1),)"} <= placements and any("_StridedShard" in text for text in placements)
    assert any("Replicate" in text for text in placements)


def test_eight_layouts_have_the_digest_of_pytorchs_own_model(found, alone):
    dtype = alone[2]
    threads = torch.get_num_threads()
    # As the ranks: a factorisation of PyTorch's depends on them.
    torch.set_num_threads(1)
    torch.manual_seed(42)
    expected = layouts.digest(models.Net().to(dtype))
    torch.set_num_threads(threads)
    for layout in layouts.LAYOUTS:
        of_ranks = [ranks[key][0] for ranks in found if (key := f"{layout}, {dtype}, torch") in ranks]
        assert of_ranks and set(of_ranks) == {expected}, layout


def test_what_was_given_memory_under_fsdp_trains(found):
    assert len({tuple(ranks["losses"]) for ranks in found}) == 1
    before, after = found[0]["losses"]
    assert after < before
    assert "blocks.0.up.weight" in found[0]["changed"] and "positions" not in found[0]["changed"]


def test_a_padded_row_is_zero_and_a_small_tensor_is_drawn(alone):
    model, _, _ = alone
    assert not model.embedding.weight[1].any() and model.embedding.weight[0].any()
    assert model.gate.min() >= 0 and model.gate.unique().numel() == 2


def test_arrays_have_the_bits_of_the_model(alone):
    jax = pytest.importorskip("jax")
    import fanin.jax

    model, plan, dtype = alone
    name = {torch.float32: "float32", torch.bfloat16: "bfloat16"}[dtype]
    devices = np.array(jax.devices())
    spread = jax.sharding.NamedSharding(jax.sharding.Mesh(devices, ("x",)), jax.sharding.PartitionSpec())
    for entry in plan:
        if entry.kind != "drawn":
            continue
        options = dict(seed=42, name=entry.stream, dtype=name, slices=entry.slices)
        ours = model.get_parameter(entry.name).detach().view(torch.uint8).numpy().tobytes()
        assert fanin.array(entry.scheme, entry.shape, **options).tobytes() == ours
        assert np.asarray(fanin.jax.array(entry.scheme, entry.shape, sharding=spread, **options)).tobytes() == ours


@pytest.mark.skipif(not PROGRAM, reason="FANIN names no program")
def test_the_programs_checkpoint_of_the_plan_has_the_bits_of_the_model(alone, tmp_path):
    from safetensors.torch import load_file

    model, plan, dtype = alone
    plan.save(tmp_path / "plan.json")
    out = tmp_path / "OUT"
    also = ["--dtype", "bf16"] if dtype == torch.bfloat16 else []
    command = [PROGRAM, "init", str(tmp_path / "plan.json"), "-o", f"{out}/", "--seed", "42", "--device", "cpu", *also]
    subprocess.run(command, check=True, capture_output=True, text=True)
    tensors = load_file(out / "model.safetensors")
    state = model.state_dict()
    assert set(tensors) == set(state)
    for name, tensor in state.items():
        assert torch.equal(tensors[name].view(torch.uint8), tensor.view(torch.uint8)), name
    model.load_state_dict(tensors)
    printed = subprocess.run([PROGRAM, "verify", str(out / "model.safetensors"), "--device", "cpu"], capture_output=True, text=True)
    assert printed.returncode == 0, printed.stdout + printed.stderr
    # `fanin fill` has a tensor that has no slices.
    weight = model.blocks[0].up.weight.detach()
    entry = plan["blocks.0.up.weight"]
    dtype_name = "bf16" if also else "f32"
    command = [
        PROGRAM,
        "fill",
        entry.scheme,
        "74x37",
        "--name",
        entry.name,
        "--seed",
        "42",
        "--dtype",
        dtype_name,
        "--digest",
        "--device",
        "cpu",
    ]
    digest = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0]
    assert digest == hashlib.sha256(weight.view(torch.uint8).numpy().tobytes()).hexdigest()
