#!/usr/bin/env python3
"""Shows that files of `fanin init` load where people load weights, with every bit that was written.

    cargo build --release --workspace
    pip install torch transformers accelerate
    python3 data/presets/load.py

Run with PyTorch 2.15.0, accelerate 1.15.0 and safetensors 0.8.0, under transformers 4.57.6 and 5.24.0. The tensor lists are those of
small models' own state dicts, as transformers saves them. For each model, as one file, as shards, and in bf16:

- safetensors reads what `fanin verify` draws again;
- transformers' `from_pretrained` takes a folder of the file and a config.json, with nothing missing, unexpected or of another shape,
  and `save_pretrained` writes the same bits under the same names;
- accelerate's `load_checkpoint_in_model` and `load_checkpoint_and_dispatch` take it, and the model's state dict has the file's bits,
  tied tensors too. (Transformers 5 renames ViT's tensors as it loads them, which accelerate does not, so that it is left out there.)

By hand, files of data/models/gpt2.json and data/models/vit-base.json in f32 and bf16 were the same bits in candle 0.11.1, by
`candle_core::safetensors::load` and by `VarBuilder::from_mmaped_safetensors`.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers as t
from accelerate import init_empty_weights, load_checkpoint_and_dispatch, load_checkpoint_in_model
from safetensors.torch import load_file

FANIN = os.environ.get("FANIN", "target/release/fanin")


def models():
    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128, "vocab_size": 500}
    yield "gpt2", t.GPT2LMHeadModel, t.GPT2Config(n_layer=2, n_embd=64, n_head=4, vocab_size=500, n_positions=128)
    yield "bert", t.BertForMaskedLM, t.BertConfig(**small)
    yield "llama", t.LlamaForCausalLM, t.LlamaConfig(**small)
    yield "vit", t.ViTForImageClassification, t.ViTConfig(**{**small, "image_size": 32, "patch_size": 8})


def headers(folder):
    """The tensors of all files of a folder: name -> {dtype, shape}."""
    tensors = {}
    for file in folder.glob("*.safetensors"):
        with open(file, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        tensors |= {name: {"dtype": i["dtype"], "shape": i["shape"]} for name, i in header.items() if name != "__metadata__"}
    return tensors


def read(folder):
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


def is_same(a, b):
    return a.dtype == b.dtype and torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8))


def same(model, written, what):
    """Whether a model has the bits of what was written, and no tensor that is neither written nor tied to one that is."""
    state = model.state_dict()
    ours = {tensor.data_ptr() for name, tensor in state.items() if name in written}
    for name, tensor in written.items():
        assert name in state, f"{what}: {name} is not in the model"
        assert is_same(tensor, state[name].cpu()), f"{what}: {name}"
    for name, tensor in state.items():
        assert not tensor.is_floating_point() or tensor.data_ptr() in ours, f"{what}: {name} is not of the file"


def load(preset, cls, config, more, folder):
    saved, ours = folder / "saved", folder / "ours"
    ours.mkdir()
    cls(config).save_pretrained(saved)
    config.save_pretrained(ours)
    listed = folder / "model.json"
    listed.write_text(json.dumps(headers(saved)))
    output = ours / "model.safetensors"
    subprocess.run([FANIN, "init", listed, "-o", output, "--preset", preset, "--seed", "7", *more], check=True, stdout=subprocess.DEVNULL)
    index = ours / "model.safetensors.index.json"
    checkpoint = index if index.exists() else output
    subprocess.run([FANIN, "verify", checkpoint], check=True, stdout=subprocess.DEVNULL)
    files = list(ours.glob("*.safetensors"))
    assert len(files) > 1 or "--max-shard-size" not in more
    written = read(ours)
    dtype = next(iter(written.values())).dtype
    assert set(written) == set(headers(saved))

    model, info = cls.from_pretrained(ours, output_loading_info=True, dtype=dtype)
    assert not any(info[key] for key in ["missing_keys", "unexpected_keys", "mismatched_keys"]), info
    model.save_pretrained(folder / "again")
    again = read(folder / "again")
    assert set(again) == set(written), set(again) ^ set(written)
    for name, tensor in written.items():
        assert is_same(tensor, again[name]), f"from_pretrained: {name}"
    loaded = ["from_pretrained"]
    if not set(written) <= set(model.state_dict()):
        return len(written), len(files), loaded

    model = cls(config).to(dtype)
    load_checkpoint_in_model(model, str(checkpoint), strict=False)
    model.tie_weights()
    same(model, written, "load_checkpoint_in_model")

    with init_empty_weights():
        model = cls(config).to(dtype)
    model.tie_weights()
    model = load_checkpoint_and_dispatch(model, str(checkpoint), device_map={"": "cpu"})
    same(model, written, "load_checkpoint_and_dispatch")
    return len(written), len(files), [*loaded, "load_checkpoint_in_model", "load_checkpoint_and_dispatch"]


def main():
    import accelerate

    t.utils.logging.disable_progress_bar()
    print(f"PyTorch {torch.__version__}, transformers {t.__version__}, accelerate {accelerate.__version__}")
    for preset, cls, config in models():
        for more in [], ["--max-shard-size", "200KB"], ["--dtype", "bf16"]:
            with tempfile.TemporaryDirectory() as folder:
                tensors, files, loaded = load(preset, cls, config, more, pathlib.Path(folder))
            print(f"{' '.join([cls.__name__, *more])}: {tensors} tensors, {files} files, the same by {', '.join(loaded)}")


if __name__ == "__main__":
    sys.exit(main())
