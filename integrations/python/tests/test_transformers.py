"""Models of transformers beside real instantiations: a sample; `scripts/compare.py` takes all of `transformers_small.py`, and more seeds."""

import checks
import fanin.torch
import pytest
import torch
import transformers_small

pytest.importorskip("transformers")

# Of what each has that the others have not: ties, a padded row, tables of positions, time steps, logarithms, experts, weight norm.
SAMPLE = [
    "LlamaForCausalLM",
    "RobertaForMaskedLM",
    "BeitForImageClassification",
    "Mamba2ForCausalLM",
    "Qwen3MoeForCausalLM",
    "Wav2Vec2Model",
    "RecurrentGemmaForCausalLM",
]


@pytest.mark.parametrize("name", SAMPLE)
def test_a_model_starts_as_it_does_really(name):
    _, wrong = checks.disagreements(transformers_small.build(name), seeds=4)
    assert not wrong


def test_ties_buffers_and_the_loss_are_those_of_a_model_that_starts_itself():
    build = transformers_small.build("GPT2LMHeadModel")
    model, plan = fanin.torch.record(build)
    plan.materialize_(model, seed=42)
    assert model.lm_head.weight is model.transformer.wte.weight and plan.aliases == {"lm_head.weight": "transformer.wte.weight"}
    assert not any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
    tokens = torch.arange(64).view(1, 64)
    torch.manual_seed(0)
    with torch.no_grad():
        ours, real = (model.eval()(input_ids=tokens, labels=tokens).loss for model in (model, build()))
    # Both are ln 301 and what an untrained model is off by.
    assert abs(ours - real) < 0.1


def test_a_block_records_as_a_call_does():
    build = transformers_small.build("LlamaForCausalLM")
    with fanin.torch.recording() as plan:
        model = build()
    _, other = fanin.torch.record(build)
    assert plan.table() == other.table() and len(plan) == 23
    plan.materialize_(model, seed=42)
    assert fanin.torch.verify_(model, plan, 42) == [] and fanin.torch.verify_(model, plan, 43) != []
