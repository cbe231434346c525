"""Records every model of transformers, torchvision or timm, and says of how many tensors it is known how they start.

    python scripts/survey.py transformers|torchvision|timm [NAME ...] [--json OUT.jsonl]

Models of transformers are those of five of its mappings, by their default configurations, with at most four layers where the configuration has
such a number. Needs no network. One line for what is not built or not wholly known; then the table that RESULTS.md has.
"""

from __future__ import annotations

import argparse
import collections
import gc
import json
import os
import signal
import time
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.simplefilter("ignore")

import fanin.torch  # noqa: E402
import torch  # noqa: E402

MAPPINGS = [
    "MODEL_MAPPING",
    "MODEL_FOR_CAUSAL_LM_MAPPING",
    "MODEL_FOR_MASKED_LM_MAPPING",
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING",
    "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING",
]
LAYERS = "num_hidden_layers num_layers n_layer n_layers encoder_layers decoder_layers num_encoder_layers num_decoder_layers depth num_block"
MOST_LAYERS = 4
SECONDS = 60


def shrink(config, depth=0):
    """Fewer layers, in configurations within configurations too."""
    for key in LAYERS.split():
        if isinstance(getattr(config, key, None), int) and getattr(config, key) > MOST_LAYERS:
            setattr(config, key, MOST_LAYERS)
    for key in ("layer_types", "mlp_layer_types"):
        if isinstance(getattr(config, key, None), list):
            setattr(config, key, getattr(config, key)[:MOST_LAYERS])
    if depth < 3:
        for value in list(vars(config).values()):
            if hasattr(value, "to_dict"):
                shrink(value, depth + 1)
    return config


def of_transformers():
    import transformers
    from transformers.models.auto import modeling_auto

    transformers.logging.set_verbosity(50)
    seen = set()
    for mapping in MAPPINGS:
        models = getattr(modeling_auto, mapping)
        for configuration in list(models.keys()):
            try:
                classes = models[configuration]
            except Exception as error:
                yield configuration.__name__, [_raising(error)]
                continue
            for cls in classes if isinstance(classes, (tuple, list)) else [classes]:
                if cls is not None and cls.__name__ not in seen:
                    seen.add(cls.__name__)
                    yield cls.__name__, [_build(cls, configuration, True), _build(cls, configuration, False)]


def _raising(error):
    def build():
        raise error

    return build


def _build(cls, configuration, small):
    def build():
        config = shrink(configuration()) if small else configuration()
        return cls._from_config(config) if hasattr(cls, "_from_config") else cls(config)

    return build


def of_torchvision():
    import torchvision

    backbones = ("rcnn", "ssd", "fcos", "retinanet", "deeplab", "fcn", "lraspp")
    for name in torchvision.models.list_models():
        also = {"weights_backbone": None} if any(part in name for part in backbones) else {}
        yield name, [lambda name=name, also=also: torchvision.models.get_model(name, weights=None, **also)]


def of_timm():
    import timm

    families = collections.defaultdict(list)
    for name in timm.list_models():
        families[name.split("_")[0].rstrip("0123456789")].append(name)
    for names in families.values():
        for name in names[:: max(1, len(names) // 2)][:2]:
            yield name, [lambda name=name: timm.create_model(name, pretrained=False)]


def alarm(*_):
    raise TimeoutError(f"more than {SECONDS} s")


def one(builds):
    """What became of a model: a plan, or why there is none."""
    errors = []
    for build in builds:
        signal.alarm(SECONDS)
        started = time.perf_counter()
        try:
            _, plan = fanin.torch.record(build)
            return plan, time.perf_counter() - started, errors
        except Exception as error:
            errors.append(f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200] if str(error).strip() else ''}")
        finally:
            signal.alarm(0)
    return None, 0.0, errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", choices=("transformers", "torchvision", "timm"))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    signal.signal(signal.SIGALRM, alarm)
    torch.set_num_threads(1)
    kinds, schemes = collections.Counter(), collections.Counter()
    tried = built = whole = doubtful = 0
    seconds = 0.0
    out = open(arguments.json, "w") if arguments.json else None
    for name, builds in {"transformers": of_transformers, "torchvision": of_torchvision, "timm": of_timm}[arguments.library]():
        if arguments.names and name not in arguments.names:
            continue
        tried += 1
        plan, took, errors = one(builds)
        seconds += took
        row = {"name": name, "errors": errors}
        if plan is None:
            print(f"{name}: not built: {errors[0]}", flush=True)
        else:
            built += 1
            counts = collections.Counter(entry.kind for entry in plan)
            kinds += counts
            schemes += collections.Counter(
                entry.scheme.split(":")[0] + (" and slices" if entry.slices else "") for entry in plan if entry.kind == "drawn"
            )
            doubtful += bool(plan.faults)
            whole += not plan.faults and not counts["unknown"]
            odd = [(entry.name, entry.text()) for entry in plan if entry.kind in ("unknown", "replayed")]
            row.update(kinds=counts, faults=plan.faults, odd=odd, seconds=round(took, 3))
            for fault in plan.faults:
                print(f"{name}: refused: {fault}", flush=True)
            unknown = [text for text in odd if "UNKNOWN" in text[1]]
            if unknown:
                print(f"{name}: {len(unknown)} unknown, such as {unknown[0][0]}: {unknown[0][1]}", flush=True)
        if out:
            print(json.dumps(row), file=out, flush=True)
        plan = None
        gc.collect()
    total = sum(kinds.values())
    print(
        f"\n{arguments.library}, torch {torch.__version__}: {tried} models, {built} built, {whole} wholly known, {doubtful} refused as doubtful"
    )
    print(
        f"{total} tensors in {seconds:.0f} s: "
        + ", ".join(f"{count} {kind} ({100 * count / total:.2f} %)" for kind, count in kinds.most_common())
    )
    print("drawn by: " + ", ".join(f"{scheme} {count}" for scheme, count in schemes.most_common()))


if __name__ == "__main__":
    main()
