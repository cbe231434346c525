#!/usr/bin/env python3
"""Loads what `fanin init` writes of a config.json into each class of the installed transformers, and runs it.

    cargo build --release --workspace
    pip install torch transformers                      # written for transformers 5.24 and PyTorch 2.15
    python3 data/architectures/load.py                       # all classes
    python3 data/architectures/load.py 'Qwen3*' GPT2Model    # those of these names

Of each class the model of tests/golden/families.json is written in f32 and in bf16. `from_pretrained` must report nothing missing,
unexpected or of another shape. `save_pretrained` must write the same bits under the same names, and outputs of a forward pass of random
inputs must be finite: of ids, of images with the ids that stand for them, of sounds, as the class takes them. Of each class one line tells
how many tensors were loaded, and how many numbers came out. RESULTS.md has what was found.
"""

import inspect
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
from fnmatch import fnmatch

import torch
import transformers
from safetensors.torch import load_file

from compare import TWO_DTYPES

FANIN = os.environ.get("FANIN", "target/release/fanin")
MODELS = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/families.json"
LENGTH = 12
# What makes a model's parts fit each other, where plans do without.
FITTING = {
    "Llama4ForConditionalGeneration": {"vision_config": {"projector_input_dim": 44}},
    "Llama4VisionModel": {"projector_input_dim": 44},
    "Qwen2*VL*": {"text_config": {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}}},
    "Qwen3Moe*": {"num_experts_per_tok": 2},
    "SiglipModel": {"text_config": {"projection_size": 80}},
}
# The id that stands for a part of an image.
IMAGE = 5
# Where transformers 5.24 itself fails: its DeBERTa, XLNet and wav2vec 2.0 with its codes mix bf16 and f32, its Llama 4 with images asks for an output that there is not, so that
# its parts run one by one.
IN_FLOAT32 = ["DebertaFor*", "DebertaModel", "XLNet*", "Wav2Vec2ForPreTraining"]
PARTS = {"Llama4ForConditionalGeneration": ["vision_model", "language_model"]}


def ids(model, shape):
    """Random ids of the vocabulary, none of them one that means something, but at the end the one that ends a text."""
    config = model.config.get_text_config()
    special = {IMAGE, *(value for key, value in config.to_dict().items() if key.endswith("token_id") and isinstance(value, int))}
    plain = torch.tensor([i for i in range(config.vocab_size) if i not in special])
    drawn = plain[torch.randint(len(plain), shape)]
    end = config.eos_token_id
    if isinstance(end, int) and end < config.vocab_size:
        drawn[..., -1] = end
    return drawn


def pixels(config):
    """One image of the configuration's size: of Qwen's, which has no size, its patches, and how many there are."""
    if hasattr(config, "spatial_merge_size"):
        patches = (2 * config.spatial_merge_size) ** 2
        inputs = config.in_channels * config.temporal_patch_size * config.patch_size**2
        return torch.randn(patches, inputs), {"image_grid_thw": torch.tensor([[1, 2 * config.spatial_merge_size, 2 * config.spatial_merge_size]])}
    size = getattr(config, "image_size", 64)
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    return torch.randn(1, config.num_channels, height, width), {}


def inputs(name, model):
    """What the class's forward pass takes."""
    takes = inspect.signature(model.forward).parameters
    choices = name.endswith("ForMultipleChoice") or name == "GPT2DoubleHeadsModel"
    given = {}
    if "input_ids" in takes:
        given["input_ids"] = ids(model, (1, 2, LENGTH) if choices else (1, LENGTH))
    if "decoder_input_ids" in takes:
        given["decoder_input_ids"] = ids(model, (1, LENGTH))
    if "input_features" in takes:
        given["input_features"] = torch.randn(1, model.config.num_mel_bins, 2 * model.config.max_source_positions)
    if "input_values" in takes:
        given["input_values"] = torch.randn(1, 2000)
    if "pixel_values" in takes:
        given["pixel_values"], more = pixels(getattr(model.config, "vision_config", model.config))
        given |= more
    given = {key: value.to(model.dtype) if value.is_floating_point() else value for key, value in given.items()}
    if hasattr(model.base_model, "get_image_features") and hasattr(model.config, "image_token_id"):
        # As many ids as the image has features.
        model.config.image_token_id = IMAGE
        of_images = {key: value for key, value in given.items() if key in ["pixel_values", "image_grid_thw"]}
        found = model.base_model.get_image_features(**of_images, return_dict=True)
        features = found.last_hidden_state if found.pooler_output is None else found.pooler_output
        features = features if isinstance(features, torch.Tensor) else torch.cat(list(features))
        image = torch.full((1, features.shape[:-1].numel()), IMAGE)
        given["input_ids"] = torch.cat([given["input_ids"][:, :2], image, given["input_ids"][:, 2:]], 1)
        if "mm_token_type_ids" in takes:
            given["mm_token_type_ids"] = (given["input_ids"] == IMAGE).int()
    return given


def numbers(output):
    """All tensors of floats of an output."""
    if isinstance(output, torch.Tensor):
        return [output] if output.is_floating_point() else []
    parts = list(output.values()) if isinstance(output, dict) else output if isinstance(output, (list, tuple)) else []
    return [tensor for part in parts for tensor in numbers(part)]


def is_same(a, b):
    return a.dtype == b.dtype and torch.equal(a.flatten().view(torch.uint8), b.flatten().view(torch.uint8))


def fitting(config):
    """The configuration with what makes its parts fit."""
    for name, changes in FITTING.items():
        if fnmatch(config["architectures"][0], name):
            config = {**config, **{key: {**config[key], **change} if isinstance(change, dict) else change for key, change in changes.items()}}
    return config


def load(config, dtype, folder):
    """How many tensors were loaded, and how many numbers came out."""
    name = config["architectures"][0]
    of_class = getattr(transformers, name)
    ours, again = folder / "ours", folder / "again"
    ours.mkdir()
    (ours / "config.json").write_text(json.dumps({**config, "dtype": dtype}))
    done = subprocess.run([FANIN, "init", ours / "config.json", "-o", ours / "model.safetensors", "--seed", "7"], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(done.stderr.strip())
    model, info = of_class.from_pretrained(ours, output_loading_info=True)
    reported = {key: sorted(map(str, value)) for key, value in info.items() if value}
    assert not reported, reported
    # It is the first tensor's.
    assert any(fnmatch(name, of) for of in TWO_DTYPES) or model.dtype == getattr(torch, dtype), model.dtype
    model.save_pretrained(again)
    ours, again = load_file(ours / "model.safetensors"), load_file(again / "model.safetensors")
    assert set(ours) == set(again), f"written again otherwise: {sorted(set(ours) ^ set(again))}"
    other = [key for key in ours if not is_same(ours[key], again[key])]
    assert not other, f"other bits: {other}"
    torch.manual_seed(1)
    model.eval()
    if any(fnmatch(name, of) for of in IN_FLOAT32):
        model.to(torch.float32)
    with torch.no_grad():
        given = inputs(name, model)
        found = []
        for part in [getattr(model, part) for part in PARTS.get(name, [])] or [model]:
            takes = inspect.signature(part.forward).parameters
            found += numbers(part(**{key: value for key, value in given.items() if key in takes}))
    assert found and all(tensor.numel() for tensor in found), "nothing came out"
    assert all(bool(tensor.isfinite().all()) for tensor in found), "not finite"
    return len(ours), sum(tensor.numel() for tensor in found)


def main():
    logging.disable()
    transformers.utils.logging.disable_progress_bar()
    patterns = sys.argv[1:] or ["*"]
    configs = [model["config"] for model in json.loads(MODELS.read_text())]
    configs = [config for config in configs if any(fnmatch(config["architectures"][0], of) for of in patterns)]
    failed = 0
    for config in configs:
        said = []
        for dtype in ["float32", "bfloat16"]:
            try:
                with tempfile.TemporaryDirectory() as folder:
                    tensors, count = load(fitting(config), dtype, pathlib.Path(folder))
                said.append(f"{tensors} tensors, {count} numbers")
            except Exception as error:
                failed += 1
                said.append(f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}")
        print(f"{config['architectures'][0]} | " + " | ".join(said), flush=True)
    print(f"transformers {transformers.__version__}, PyTorch {torch.__version__}: {len(configs)} classes, {failed} of {2 * len(configs)} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
