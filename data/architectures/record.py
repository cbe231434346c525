#!/usr/bin/env python3
"""Holds each tensor's distribution against that which PyTorch's code, recorded, gives it: the same law with the same numbers, exactly.

    cargo build --release --workspace
    integrations/python/test                                 # makes integrations/python/.venv, with fanin, PyTorch and transformers
    PYTHON=integrations/python/.venv/bin/python              # written for transformers 5.24 and PyTorch 2.15
    $PYTHON data/architectures/record.py                     # every class of compare.py's cases, one model of each
    $PYTHON data/architectures/record.py 'Qwen3*' 'GPT*'     # some of them
    EACH=10 SEED=2 $PYTHON data/architectures/record.py      # ten of each, other sizes

A class's first model is of sizes chosen at random, the others have one of compare.py's options too. `fanin.torch.record` says by which law each
element starts, `fanin rules CONFIG.json` which one fanin draws. Both are compared element by element, so that zero rows, parts, and experts
that are one tensor in memory and many in a file are compared too: in the laws' places save_pretrained writes each element's number in a list
of laws. Given values, such as a logarithm's, are compared by value, within one unit of f32; Whisper's sines as far as its code, in f32, has their
angles. What the recorder knows no law of is counted by its reason, and left to compare.py's moments.

Numbers are equal as f64s, or 1e-12 of each other where PyTorch comes to one by another order of the same arithmetic: bounds of torch.nn's
modules by sqrt(3) * (gain / sqrt(fan)), which fanin has by 1/sqrt(fan); deviations of T5, CLIP and SigLIP by powers (n ** -0.5) or the root of
a quotient; Mamba's steps by exp(log(x)).
Such are counted apart, and listed by their law.
"""

import collections
import json
import logging
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
from fnmatch import fnmatch

import fanin.torch
import torch
import transformers
from compare import CASES, DTYPES, FANIN, PREFIXES, changed, made, planned, worked_out, written
from fanin import _fanin

EACH = int(os.environ.get("EACH", "1"))
SEED = int(os.environ.get("SEED", "1"))
TRIES = 30
CLOSE = 1e-12
NUMBER = re.compile(r"-?(?:\d+\.?\d*(?:e-?\d+)?|inf)")
OF_NAME = {name: dtype for dtype, name in DTYPES.items()}
NOTHING = "PyTorch's code knows no law"

DEPTHS = ["num_hidden_layers", "n_layers", "n_layer", "num_layers", "encoder_layers", "decoder_layers", "depth"]
WIDTHS = ["hidden_size", "dim", "n_embd", "d_model", "embed_dim"]
HEADS = ["num_attention_heads", "n_heads", "n_head", "num_heads", "encoder_attention_heads", "decoder_attention_heads"]
EVEN = ["head_dim", "qk_rope_head_dim", "d_kv"]
EXPERTS = ["num_experts", "num_local_experts", "n_routed_experts"]
SMALL = ["n_shared_experts", "first_k_dense_replace", "mlp_ratio"]
AS_THEY_ARE = ["pad_token_id", "decoder_start_token_id", "num_experts_per_tok", "n_group", "topk_group", "mm_tokens_per_image", "num_stages",
               "image_size", "num_key_value_heads", "rotary_dim"]


def sized(common, rng):
    """A configuration of the same keys with other sizes."""
    sizes = {}
    for key, value in common.items():
        if isinstance(value, dict):
            value = sized(value, rng)
        elif key in DEPTHS and "attention_types" not in common:
            value = rng.randint(1, 3)
        elif key in WIDTHS:
            value = 24 * rng.randint(1, 6)
        elif key in HEADS and not isinstance(value, list):
            value = rng.choice([1, 2, 3, 4, 6])
        elif key in EVEN:
            value = 2 * rng.randint(3, 14)
        elif key in EXPERTS:
            value = rng.randint(2, 6)
        elif key in SMALL:
            value = rng.randint(1, 3)
        elif key == "patch_size":
            value = rng.randint(3, 9)
        elif key == "hidden_sizes":
            value = [8 * rng.randint(1, 6) for _ in value]
        elif key == "depths":
            value = [rng.randint(1, 3) for _ in value]
        elif isinstance(value, int) and key not in AS_THEY_ARE + DEPTHS:
            value = rng.randint(value // 2 + 1, 2 * value)
        sizes[key] = value
    if "num_key_value_heads" in sizes:
        sizes["num_key_value_heads"] = rng.choice([n for n in (1, 2, 3, 4, 6) if sizes["num_attention_heads"] % n == 0])
    if "image_size" in sizes:
        sizes["image_size"] = sizes.get("patch_size", 8) * rng.randint(2, 5) + rng.choice([0, 0, 1])
    if "linear_num_key_heads" in sizes:
        sizes["linear_num_value_heads"] = sizes["linear_num_key_heads"] * rng.randint(1, 3)
    if "n_groups" in sizes:
        sizes["hidden_size"] = sizes["num_heads"] * sizes["head_dim"] // 2
    if "rotary_dim" in sizes:
        sizes["rotary_dim"] = rng.choice([2, 4])
    return sizes


def fits(given):
    """Whether heads can be shared out, also of a configuration within. What no layer could take, transformers makes all the same."""
    heads, shared = given.get("num_attention_heads"), given.get("num_key_value_heads")
    return not (heads and shared and heads % shared) and all(fits(value) for value in given.values() if isinstance(value, dict))


class Laws:
    """A list of laws: a tensor of numbers in it says by which law each element starts."""

    def __init__(self):
        self.numbers = {}

    def number(self, law):
        return self.numbers.setdefault(law, len(self.numbers))

    def of_row(self, row):
        """Of a plan's row: its dtype and distribution, and its parts'."""
        values = torch.full(row["shape"], self.number((row["holds"], row["distribution"])), dtype=torch.float32)
        for part in row["parts"]:
            values.narrow(part["dim"], part["start"], part["end"] - part["start"]).fill_(self.number((row["holds"], part["distribution"])))
        return values

    def __getitem__(self, number):
        return list(self.numbers)[number]


def same_said_once(law):
    """A law as one text, where two say the same: a constant is as its dtype has it, a deviation of 0 is a constant, a floor below all is none."""
    holds, text = law
    text = re.sub(r"^normal\(([^,]*), 0\^2\)$", r"constant(\1)", text)
    # The logarithm of 1 alone.
    text = re.sub(r"^arange:start=1,step=1,function=log,count=1,inner=\d+$", "constant(0)", text)
    if constant := re.fullmatch(r"constant\((.*)\)", text):
        text = f"constant({torch.tensor(float(constant[1]), dtype=OF_NAME[holds]).item() + 0.0!r})"
    if bounds := re.fullmatch(r"inverse_softplus\(log_uniform\[(.*), (.*)\), at least (.*)\)", text):
        text = f"inverse_softplus(log_uniform[{bounds[1]}, {bounds[2]}), at least {max(bounds[1], bounds[3], key=float)})"
    return holds, text


def compared(recorded, planned_law):
    """How a law that was recorded and one of fanin's compare."""
    (holds, text), (other_holds, other) = same_said_once(recorded), same_said_once(planned_law)
    if (holds, text) == (other_holds, other):
        return "equal"
    if holds != other_holds or NUMBER.sub("#", text) != NUMBER.sub("#", other):
        return "different"
    pairs = [(float(x), float(y)) for x, y in zip(NUMBER.findall(text), NUMBER.findall(other))]
    return "close" if all(x == y or abs(x - y) <= CLOSE * max(abs(x), abs(y)) for x, y in pairs) else "different"


def rows_of(plan):
    """The program's rows of those entries of a recorded plan that have a law."""
    drawn = {entry.name: entry for entry in plan if entry.kind == "drawn" and entry.dtype.is_floating_point and entry.is_persistent}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "plan.json"
        fanin.torch.Plan(drawn).save(path)
        done = subprocess.run([FANIN, "rules", path, "--json"], stdout=subprocess.PIPE, check=True)
    return {row["tensor"]: row for row in json.loads(done.stdout)}


def through_the_file(name, given, values):
    """What save_pretrained writes of the model where its tensors have these values: floats, each of which must be there."""
    model = made(name, {key: value for key, value in given.items() if key != "dtype"})
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(values[key])
    return {PREFIXES.get(name, "") + key: tensor for key, tensor in written(model)[0].items() if tensor.is_floating_point()}


def has_values(row, tensor):
    """Whether given values are the row's: a sequence's, a table's or a constant's. PyTorch's own logarithms and sines are a unit off the
    nearest at places, and Whisper's sines as far as f32 has their angles."""
    dtype = OF_NAME[row["holds"]]
    wrong = torch.ones(row["shape"], dtype=torch.bool)
    for part in [row, *row["parts"]]:
        of_part = (lambda whole: whole.narrow(part["dim"], part["start"], part["end"] - part["start"])) if "dim" in part else lambda whole: whole
        given = of_part(tensor)
        if found := worked_out(part["distribution"], dtype):
            drawn = torch.empty(given.shape)
            _fanin.Draw(part["distribution"], list(drawn.shape), seed="0", name="").fill(drawn.data_ptr(), 4 * drawn.numel())
            drawn = drawn.to(dtype).float()
            of_part(wrong).copy_((given - drawn).abs() > torch.finfo(dtype).eps * drawn.abs() + found[1])
        else:
            of_part(wrong).copy_(given != torch.tensor(part["mean"], dtype=dtype).float() if part["std"] == 0 else torch.tensor(True))
    return not wrong.any()


def compare(name, given, found, totals):
    """Compares one model, counts its tensors in `totals`, and says what is different; None if transformers refuses it."""
    of_class = getattr(transformers, name)
    options = dict(given)
    dtype = getattr(torch, options.pop("dtype", "float32"))
    try:
        _, plan = fanin.torch.record(lambda: of_class._from_config(of_class.config_class(**options), dtype=dtype))
    except Exception:
        # What is not refused without the recorder is the recorder's own error.
        try:
            made(name, given)
        except Exception:
            return None
        raise
    if plan.faults:
        totals[f"not closed: the recording is doubtful: {plan.faults[0]}"] += len(plan)
        return []
    rows, error = planned({"architectures": [name], "model_type": of_class.config_class.model_type, **given})
    if rows is None:
        totals["different"] += 1
        return [error]
    rows = {row["tensor"]: row for row in rows}

    laws, numbers, tables, recorded = Laws(), {}, {}, rows_of(plan)
    words = collections.Counter(entry.stream for entry in plan if entry.kind == "drawn")
    for entry in plan:
        if entry.name not in recorded:
            reason = "given" if entry.kind == "given" else f"{entry.kind}: {entry.cause}"
            values = torch.full(entry.shape, laws.number((NOTHING, reason)), dtype=torch.float32)
        elif words[entry.stream] > 1 and not entry.scheme.startswith("constant"):
            values = torch.full(entry.shape, laws.number(("a copy of", entry.stream)), dtype=torch.float32)
        else:
            values = laws.of_row(recorded[entry.name])
        for key in (entry.name, *(alias for alias, of in plan.aliases.items() if of == entry.name)):
            numbers[key] = values
            tables[key] = entry.values if entry.kind == "given" else torch.zeros(())
    in_file = through_the_file(name, given, numbers)
    is_any = any(entry.kind == "given" and entry.is_persistent and entry.dtype.is_floating_point for entry in plan)
    tables = through_the_file(name, given, tables) if is_any else {}

    wrong = []
    for key in sorted(set(in_file) | set(rows)):
        of = [laws[number] for number in in_file[key].unique().long().tolist()] if key in in_file else []
        is_given = of == [(NOTHING, "given")]
        row = rows.get(key)
        if row is None or key not in in_file:
            wrong.append(f"{key}: {'more' if key in rows else 'missing'}")
        elif row["shape"] != list(in_file[key].shape):
            wrong.append(f"{key}: {list(in_file[key].shape)}, not {row['shape']}")
        elif row["skip"]:
            wrong.append(f"{key}: it is skipped, and starts by {of}")
        elif is_given and has_values(row, tables[key]):
            totals["given values, the same"] += 1
        elif is_given:
            wrong.append(f"{key}: given values, not {row['distribution']}")
        elif any(law[0] == NOTHING for law in of):
            totals["not closed: " + "; ".join(law[1] for law in of if law[0] == NOTHING)] += 1
        else:
            ours = laws.of_row(row)
            # A tensor of no elements has no law.
            pairs = torch.stack([in_file[key].flatten(), ours.flatten()]).unique(dim=1).long().T.tolist() if ours.numel() else []
            pairs = [(laws[x], laws[y]) for x, y in pairs]
            verdicts = {pair: compared(*pair) for pair in pairs}
            worst = next((verdict for verdict in ("different", "close") if verdict in verdicts.values()), "equal")
            if worst == "different":
                texts = [f"{x[1]} in {x[0]}, not {y[1]} in {y[0]}" for (x, y), verdict in verdicts.items() if verdict == worst]
                wrong.append(f"{key}: {'; '.join(texts)}")
                continue
            totals[worst] += 1
            totals["of them with parts"] += bool(row["parts"])
            for pair, verdict in verdicts.items():
                if verdict == "close":
                    found[NUMBER.sub("#", pair[0][1])].append((key, pair))
    totals["different"] += len(wrong)
    return wrong


def main():
    logging.disable()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    cases = {}
    for names, common, tried in CASES:
        for name in names:
            if not sys.argv[1:] or any(fnmatch(name, of) for of in sys.argv[1:]):
                cases.setdefault(name, []).append((common, tried))
    found, totals = collections.defaultdict(list), collections.Counter()
    models = classes = 0
    for name, of in cases.items():
        rng = random.Random(f"{SEED} {name}")
        before = totals["different"]
        done = 0
        for _ in range(EACH * TRIES):
            if done == EACH:
                break
            common, tried = of[0] if done == 0 else rng.choice(of)
            sizes = sized(common, rng)
            given = sizes if done == 0 else changed(sizes, common, rng.choice(tried))
            if not fits(given):
                continue
            try:
                wrong = compare(name, given, found, totals)
            except Exception as error:
                wrong = [f"{type(error).__name__}: {error}"]
                totals["different"] += 1
            if wrong is None:
                continue
            done += 1
            for text in wrong:
                print(f"{name} {json.dumps(given)}: {text}", flush=True)
        if done < EACH:
            print(f"{name}: {done} models, not {EACH}, of {EACH * TRIES} that were tried", flush=True)
        models += done
        classes += 1
        print(f"{name}: {done} models, {totals['different'] - before} different", flush=True)
    for law, pairs in found.items():
        key, (one, two) = pairs[0]
        print(f"close: {law}: {len(pairs)} tensors, such as {key}: {one[1]}, and fanin's {two[1]}")
    print(f"transformers {transformers.__version__}, PyTorch {torch.__version__}: {classes} classes, {models} models")
    for what, count in sorted(totals.items()):
        print(f"{count:8} {what}")
    sys.exit(totals["different"] > 0 or models < classes * EACH)


if __name__ == "__main__":
    main()
