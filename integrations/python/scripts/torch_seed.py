#!/usr/bin/env python3
"""Whole models from `torch.manual_seed(42)`: what PyTorch holds beside what the plan's `generator="torch"` gives, bit for bit.

python scripts/torch_seed.py [PART OF A NAME ...]
"""

import sys
import time

import fanin.torch
import torch
import torchvision
import transformers as tf
from fanin.torch.replay import Replay
from torch import nn

tf.logging.set_verbosity_error()


def vision(name):
    return lambda: getattr(torchvision.models, name)(weights=None)


MODELS = {
    "small layers": lambda: nn.Sequential(
        nn.Linear(3, 5),
        nn.BatchNorm1d(5),
        nn.Linear(5, 7),
        nn.Embedding(4, 3),
        nn.Embedding(7, 5, padding_idx=2),
        nn.LSTM(5, 3, 2),
        nn.Conv2d(3, 5, 3),
        nn.MultiheadAttention(8, 2),
    ),
    "transformer encoder": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64), 3),
    "llama": lambda: tf.LlamaForCausalLM(
        tf.LlamaConfig(
            hidden_size=96,
            intermediate_size=200,
            num_hidden_layers=4,
            num_attention_heads=6,
            num_key_value_heads=2,
            vocab_size=1001,
            pad_token_id=0,
        )
    ),
    "llama, tied, bf16": lambda: tf.LlamaForCausalLM._from_config(
        tf.LlamaConfig(
            hidden_size=98,
            intermediate_size=201,
            num_hidden_layers=2,
            num_attention_heads=7,
            num_key_value_heads=7,
            vocab_size=1001,
            tie_word_embeddings=True,
        ),
        dtype=torch.bfloat16,
    ),
    "gpt2, 124 M": lambda: tf.GPT2LMHeadModel(tf.GPT2Config()),
    "bert": lambda: tf.BertForMaskedLM(
        tf.BertConfig(hidden_size=60, num_attention_heads=6, intermediate_size=111, num_hidden_layers=3, vocab_size=997)
    ),
    "vit": lambda: tf.ViTForImageClassification(
        tf.ViTConfig(hidden_size=48, num_attention_heads=6, intermediate_size=100, num_hidden_layers=3, image_size=32, patch_size=4)
    ),
    "mixtral": lambda: tf.MixtralForCausalLM(
        tf.MixtralConfig(
            hidden_size=48,
            num_attention_heads=6,
            num_key_value_heads=2,
            intermediate_size=100,
            num_hidden_layers=2,
            vocab_size=500,
            num_local_experts=3,
        )
    ),
    "t5": lambda: tf.T5ForConditionalGeneration(tf.T5Config(d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=1000)),
    "mamba2": lambda: tf.Mamba2ForCausalLM(
        tf.Mamba2Config(hidden_size=32, num_heads=8, head_dim=8, state_size=16, n_groups=2, num_hidden_layers=2, vocab_size=500)
    ),
    "wav2vec2": lambda: tf.Wav2Vec2Model(
        tf.Wav2Vec2Config(hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
    ),
    "resnet18": vision("resnet18"),
    "swin_t": vision("swin_t"),
    "convnext_tiny": vision("convnext_tiny"),
    "vit_b_16": vision("vit_b_16"),
}


def tensors(model):
    return {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers(remove_duplicate=False))}


def equal(a, b):
    a, b = (tensor.detach().contiguous() for tensor in (a, b))
    return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a.reshape(-1).view(torch.uint8), b.reshape(-1).view(torch.uint8))


def compare(name, build):
    built, plan = fanin.torch.record(build)
    operations = plan.operations
    times, done = [], []
    for is_state in (False, True):
        torch.manual_seed(42)
        if is_state:
            # Three values of pairs are taken, so that one is left.
            torch.randn(12345), torch.rand(17), torch.randn(3)
        seed = torch.get_rng_state() if is_state else 42
        started = time.perf_counter()
        model = build()
        times.append(time.perf_counter() - started)
        ends = fanin.torch.replay.start_of(torch.get_rng_state())
        started = time.perf_counter()
        try:
            plan.materialize_(built, seed, generator="torch")
            note = ""
        except fanin.torch.PlanError as error:
            plan.materialize_(built, seed, generator="torch", by_torch=True)
            note = f"; by_torch: {error}"[:100]
        times.append(time.perf_counter() - started)
        mine, theirs = tensors(built), tensors(model)
        wrong = [key for key in theirs if not equal(mine[key], theirs[key])]
        end = Replay(plan, seed).end()
        same_end = end.split(",")[0] == ends.split(",")[0] and ("," in end) == ("," in ends)
        values = sum(tensor.numel() for tensor in theirs.values())
        done.append((len(theirs) - len(wrong), len(theirs), values, same_end, end.split("@")[-1], wrong[:3]))
    (a, b, values, same_a, words, wrong_a), (c, d, _, same_b, _, wrong_b) = done
    print(
        f"| {name} | {values} | {a} of {b} | {c} of {d} | {len(operations)} | {words} | {same_a and same_b} | {times[0]:.2f} | {times[1]:.2f} |"
        + f"{note} {wrong_a or ''} {wrong_b or ''}".rstrip(),
        flush=True,
    )


def main():
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, transformers {tf.__version__}")
    print(
        "| model | values | tensors equal from seed 42 | from a state | operations | words | the generator ends at the same word | torch, s | fanin, s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, build in MODELS.items():
        if not sys.argv[1:] or any(part in name for part in sys.argv[1:]):
            compare(name, build)


if __name__ == "__main__":
    main()
