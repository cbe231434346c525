"""Compares small models of transformers with what they hold when they initialise themselves.

    python scripts/compare.py [NAME ...] [--seeds N]

Moments, bounds, constants, given values, copies, ties and shapes of each tensor, of six seeds by default; one line for each model. Needs no network.
"""

import argparse
import collections
import pathlib
import sys
import time
import warnings

warnings.simplefilter("ignore")
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests"))

import checks  # noqa: E402
import torch  # noqa: E402
import transformers_small  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seeds", type=int, default=6)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kinds, failed, models = collections.Counter(), 0, 0
    for name in arguments.names or transformers_small.MODELS:
        started = time.perf_counter()
        plan, wrong = checks.disagreements(transformers_small.build(name), arguments.seeds)
        kinds += collections.Counter(entry.kind for entry in plan)
        models, failed = models + 1, failed + len(wrong)
        print(
            f"{name}: {len(plan)} tensors, {time.perf_counter() - started:.1f} s{''.join(f'{chr(10)}  WRONG {text}' for text in wrong)}",
            flush=True,
        )
    print(
        f"{models} models, {sum(kinds.values())} tensors ({', '.join(f'{count} {kind}' for kind, count in kinds.most_common())}), {failed} disagree"
    )
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
