#!/usr/bin/env python3
"""Holds `--preset auto` against every model of the installed transformers: what it says of each tensor is right, or it refuses the model.

    cargo build --release --workspace
    pip install torch transformers                      # written for transformers 5.24 and PyTorch 2.15
    python3 data/presets/sweep.py                            # all classes
    python3 data/presets/sweep.py 'Gemma*' 'ViltModel'       # some of them

Each class is made small, from its configuration's defaults and a few smaller numbers, and started by its own _init_weights; `fanin rules
--preset auto` is given the names and shapes that save_pretrained would write. Each tensor's mean and standard deviation must then be
within 6 standard errors of what auto says, its zero rows the same. initializer_range is set to 0.02, which presets have, and pad_token_id to the row that they have at zero. Where auto says
beside a preset that its names are those of another model_type, too, and it is one, the model counts as noted. The last line counts them.
"""

import json
import logging
import math
import os
import re
import subprocess
import sys
import tempfile
import warnings
from fnmatch import fnmatch

import torch
import transformers

FANIN = os.environ.get("FANIN", "target/release/fanin")
# What makes a default configuration small, where it has such a key.
SMALL = {
    "vocab_size": 301, "hidden_size": 64, "d_model": 64, "n_embd": 64, "dim": 64, "embed_dim": 64, "embedding_size": 64, "d_embed": 64,
    "intermediate_size": 96, "ffn_dim": 96, "d_ff": 96, "hidden_dim": 96, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96, "n_inner": 96,
    "num_hidden_layers": 2, "n_layer": 2, "n_layers": 2, "num_layers": 2, "encoder_layers": 2, "decoder_layers": 2,
    "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "num_heads": 4, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "d_kv": 16, "image_size": 32, "patch_size": 8, "max_position_embeddings": 80,
    "n_positions": 80, "bos_token_id": 1, "eos_token_id": 2, "moe_intermediate_size": 24, "num_experts": 4,
    "num_local_experts": 4, "n_routed_experts": 4, "initializer_range": 0.02,
}


def classes():
    """Models by their classes' names, each once."""
    from transformers.models.auto import modeling_auto

    names = set()
    for mapping, of in vars(modeling_auto).items():
        if mapping.startswith("MODEL_") and mapping.endswith("_MAPPING_NAMES"):
            for value in of.values():
                names.update(value if isinstance(value, (list, tuple)) else [value])
    return sorted(name for name in names if name)


def small(of_class):
    """A small configuration: of nested ones too, without the keys that it does not take."""

    def shrink(config):
        for key, value in SMALL.items():
            old = getattr(config, key, None)
            if type(old) in (int, float) and (old > value or key == "initializer_range"):
                try:
                    setattr(config, key, value)
                except AttributeError:
                    pass
        # A row of padding that is there no more would be none.
        padding, words = getattr(config, "pad_token_id", None), getattr(config, "vocab_size", None)
        if type(padding) is int and type(words) is int and padding >= words:
            config.pad_token_id = None
        layers = getattr(config, "layer_types", None)
        if isinstance(layers, list) and isinstance(getattr(config, "num_hidden_layers", None), int):
            config.layer_types = layers[: config.num_hidden_layers]
        for value in vars(config).values():
            if isinstance(value, transformers.PretrainedConfig):
                shrink(value)
        return config

    return shrink(of_class.config_class())


def near(values, mean, std):
    count = values.numel()
    near_mean = abs(values.mean().item() - mean) <= 6 * std / math.sqrt(count) + 1e-8
    return near_mean and abs(values.std(correction=0).item() - std) <= 6 * std / math.sqrt(2 * count) + 1e-8


def wrong(row, tensor):
    """What is wrong with what auto says of a tensor, if anything is."""
    values = tensor.double()
    if row["skip"] or values.numel() == 0:
        return None
    for part in row["parts"]:
        among = range(part["start"], part["end"])
        if bool((values.index_select(part["dim"], torch.tensor(list(among))) != part["mean"]).any()):
            return f"rows {among} are not {part['mean']}"
        rest = [i for i in range(values.shape[part["dim"]]) if i not in among]
        values = values.index_select(part["dim"], torch.tensor(rest, dtype=torch.int64))
    rows = values.flatten(1) if values.dim() > 1 else values[:, None]
    if row["std"] and bool((rows == 0).all(1).any()):
        return "it has rows of zeros more"
    if near(values, row["mean"], row["std"]):
        return None
    return f"{values.mean():.5f}, {values.std(correction=0):.5f}, not {row['distribution']}"


def planned(tensors, folder):
    dtype = lambda t: "F32" if t.is_floating_point() else "I64"
    listed = {key: {"dtype": dtype(t), "shape": list(t.shape)} for key, t in tensors.items()}
    path = os.path.join(folder, "list.json")
    with open(path, "w") as file:
        json.dump(listed, file)
    done = subprocess.run([FANIN, "rules", path, "--preset", "auto", "--json"], capture_output=True, text=True)
    return (json.loads(done.stdout) if done.returncode == 0 else None), done.stderr.strip()


def written(model, named):
    """What save_pretrained would write of these tensors: names as files have them, and of tied tensors the first."""
    try:
        from transformers.core_model_loading import revert_weight_conversion

        named = revert_weight_conversion(model, named)
    except ImportError:
        pass
    tied = set(getattr(model, "all_tied_weights_keys", None) or [])
    return {name: tensor for name, tensor in named.items() if name not in tied}


def compare(name, folder):
    try:
        of_class = getattr(transformers, name)
        config = small(of_class)
        with torch.device("meta"):
            model = of_class._from_config(config)
        if sum(p.numel() for p in model.parameters()) > 60_000_000:
            return "not made", "too large"
        tensors = written(model, model.state_dict())
    except Exception as error:
        return "not made", str(error).split("\n")[0]
    # By names and shapes alone, for which no value is needed.
    rows, said = planned(tensors, folder)
    if rows is None:
        return "refused", said.split("\n")[0]
    # Which row is padding is a configuration's to say, as a list is not: that of the preset.
    if hasattr(config, "pad_token_id"):
        config.pad_token_id = next((part["start"] for row in rows for part in row["parts"]), None)
    torch.manual_seed(1)
    model = of_class._from_config(config)
    tensors = written(model, model.state_dict())
    found = [(row["tensor"], wrong(row, tensors[row["tensor"]])) for row in rows]
    found = [f"{tensor}: {reason}" for tensor, reason in found if reason]
    if not found:
        return "right", said
    if type(config).model_type in re.findall(r"[\w-]+", said):
        return "noted", said
    return "wrong", "; ".join(found[:3])


def main():
    logging.disable()
    warnings.simplefilter("ignore")
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    names = [name for name in classes() if len(sys.argv) == 1 or any(fnmatch(name, of) for of in sys.argv[1:])]
    counts = {"right": 0, "refused": 0, "noted": 0, "wrong": 0, "not made": 0}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            outcome, said = compare(name, folder)
            counts[outcome] += 1
            print(f"{name}: {outcome}" + (f": {said}" if said else ""), flush=True)
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    print(f"transformers {transformers.__version__}, PyTorch {torch.__version__}: {len(names)} classes: {summary}")
    sys.exit(counts["wrong"] > 0)


if __name__ == "__main__":
    main()
