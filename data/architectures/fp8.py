#!/usr/bin/env python3
"""Holds what fanin writes of fp8 configurations against the installed transformers: names, shapes, dtypes, values.

    cargo build --release --workspace
    pip install torch transformers accelerate           # written for transformers 5.24 and PyTorch 2.15
    python3 data/architectures/fp8.py                        # each class of an architecture that says which its linear layers are
    python3 data/architectures/fp8.py 'Deepseek*'            # some of them

`from_pretrained` must report nothing missing, unexpected or mismatched: on the CPU, where transformers makes other floats of fp8, and as on a
GPU, where it keeps them (the check that there is one is passed over; no layer runs). What comes out on the CPU must be the unquantised
model to the format's error. transformers, quantising the unquantised model, must write tensors of the same names, shapes and dtypes, and
having read fanin's, the same bytes.
"""

import contextlib
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings
from fnmatch import fnmatch
from unittest import mock

import torch
import transformers
from safetensors.torch import load_file
from transformers.quantizers.quantizer_finegrained_fp8 import FineGrainedFP8HfQuantizer

from compare import CASES, FANIN

# Blocks that divide each dimension of the cases, and such that do not: there transformers reads fp8 as on a GPU alone.
DIVIDING = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [1, 2]}
QUANTISED = [
    (True, DIVIDING),
    (True, {**DIVIDING, "modules_to_not_convert": ["lm_head", "model.layers.0", "gate"]}),
    (True, {**DIVIDING, "ignored_layers": ["mlp.experts", "self_attn.o_proj", "q_proj", "lm_head"]}),
    (True, {**DIVIDING, "modules_to_not_convert": []}),
    (False, {"quant_method": "fp8"}),
    (False, {**DIVIDING, "weight_block_size": [24, 7]}),
]


def as_on_a_gpu():
    return mock.patch.object(FineGrainedFP8HfQuantizer, "validate_environment", lambda *given, **named: None)


def run(*arguments):
    done = subprocess.run([FANIN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return None if done.returncode == 0 else done.stderr.strip()


def loaded(of_class, folder, **given):
    """The model, and what is wrong with its tensors."""
    model, report = of_class.from_pretrained(folder, output_loading_info=True, **given)
    return model, [f"{kind}: {sorted(report[kind])[:4]}" for kind in report if report[kind] and kind != "error_msgs"]


def signs(folder):
    """Names, shapes and dtypes of a folder's tensors."""
    return {name: (list(tensor.shape), tensor.dtype) for name, tensor in load_file(folder / "model.safetensors").items()}


def apart(signs):
    """The same where transformers, quantising experts itself, has written their scales in one: each expert's, as it writes those it read."""
    made = {}
    for name, (shape, dtype) in signs.items():
        within, _, which = name.rpartition(".")
        parts = {"down_proj_scale_inv": ["down_proj"], "gate_up_proj_scale_inv": ["gate_proj", "up_proj"]}.get(which)
        if parts is None or not within.endswith(".experts"):
            made[name] = (shape, dtype)
            continue
        experts, rows, columns = shape
        for expert in range(experts):
            for part in parts:
                made[f"{within}.{expert}.{part}.weight_scale_inv"] = ([rows // len(parts), columns], dtype)
    return made


def difference(ours, theirs):
    names = [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
    return [f"{name}: {ours.get(name)}, transformers {theirs.get(name)}" for name in sorted(names)[:3]]


def wrong(name, given, divides, quantised, folder):
    """What is wrong, in words."""
    of_class = getattr(transformers, name)
    config = of_class.config_class(**given).to_dict() | {"architectures": [name], "dtype": "float32"}
    (folder / "plain.json").write_text(json.dumps(config))
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": quantised}))
    for file in ["plain", "config"]:
        failed = run("init", str(folder / f"{file}.json"), "-o", f"{folder / file}/", "--seed", "1", "--device", "cpu")
        # transformers has a scale for it, and the weight without one.
        if failed and config.get("tie_word_embeddings") and "does not name lm_head" in failed:
            return []
        if failed:
            return [failed]
    ours = signs(folder / "config")
    with as_on_a_gpu():
        model, found = loaded(of_class, folder / "config")
        fp8 = sum(parameter.dtype == torch.float8_e4m3fn for parameter in model.parameters())
        if found or not fp8:
            return [*found, f"as on a GPU, {fp8} parameters in fp8"]
        # transformers cannot write experts that it has left as they are.
        has_kept_experts = any(".experts." in key for key in ours) and "mlp.experts" in quantised.get("ignored_layers", [])
        if divides and not has_kept_experts:
            model.save_pretrained(folder / "saved")
            theirs = load_file(folder / "saved/model.safetensors")
            mine = load_file(folder / "config/model.safetensors")
            same = [key for key in mine if key not in theirs or mine[key].view(torch.uint8).ne(theirs[key].view(torch.uint8)).any()]
            if same or mine.keys() != theirs.keys():
                return [f"saved again otherwise: {same[:3]}"]
            more = {key: value for key, value in quantised.items() if key not in ("quant_method", "fmt")}
            by_itself = transformers.FineGrainedFP8Config(**more)
            of_plain, found = loaded(of_class, folder / "plain", quantization_config=by_itself)
            of_plain.save_pretrained(folder / "theirs")
            found += difference(ours, apart(signs(folder / "theirs")))
            if found:
                return found
    if not divides:
        return []
    here, found = loaded(of_class, folder / "config")
    plain, _ = loaded(of_class, folder / "plain")
    exact = plain.state_dict()
    for key, value in here.state_dict().items():
        # Half a step: 2^-4 of a value, or of the smallest step; scales are 0.02 * 6.78 / 448 or smaller.
        error = (value.double() - exact[key].double()).abs()
        if (error > torch.maximum(exact[key].double().abs() / 16, torch.tensor(1e-3 / 1024))).any():
            found.append(f"{key} is {error.max().item()} off")
    return found


def linear():
    """The classes of architectures that say which their linear layers are."""
    texts = [path.read_text() for path in pathlib.Path(__file__).parent.glob("*.toml")]
    return [text for text in texts if "\nlinear = " in text]


def main(patterns):
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    transformers.utils.logging.disable_progress_bar()
    texts = linear()
    tried = failed = 0
    # Of each class the first case.
    classes = {}
    for names, common, _ in CASES:
        for name in names:
            # As on a GPU, transformers reads experts alone that have as many blocks in one matrix as in two.
            more = {"intermediate_size": 64} if name.startswith("Olmoe") else {}
            classes.setdefault(name, {**common, **more})
    for name, common in classes.items():
        if not any(f"\n{name} = " in text for text in texts) or not any(fnmatch(name, pattern) for pattern in patterns or "*"):
            continue
        for divides, quantised in QUANTISED:
            with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(open(os.devnull, "w")):
                try:
                    found = wrong(name, common, divides, quantised, pathlib.Path(folder))
                except Exception as error:
                    found = [f"transformers: {error!r}"]
            tried += 1
            if found:
                failed += 1
                print(f"{name} {json.dumps(quantised)}: {'; '.join(found)}", flush=True)
    print(f"transformers {transformers.__version__}, PyTorch {torch.__version__}: {tried} models: {failed} wrong")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
