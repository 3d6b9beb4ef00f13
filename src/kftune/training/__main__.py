"""``python -m kftune.training MODEL --name=value …``: the command of a training step.

MODEL is a name in the registry (``LstmHparams``) or its model type (``lstm``). The module ``kftune.training.<model
type>`` trains it. Exit status: 0 done, 1 training failed, 2 wrong use, 128 + n stopped by signal n.
"""

from __future__ import annotations

import importlib
import importlib.util
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from types import FrameType
from typing import cast

from kftune.errors import KftuneError, MetricError, MissingExtraError, UsageError
from kftune.hparams import Hparams
from kftune.registry import HPARAMS_REGISTRY, load_hparams

USAGE = """\
usage: python -m kftune.training MODEL [--name=value ...]

Trains MODEL and reports its metrics epoch by epoch, one line each.

environment:
  KFTUNE_OUTPUT_DIR   folder for hparams.json, model.pt (the best epoch) and summary.json; default: output
  KFTUNE_DATA         folder with readings, PLANT001/CIRCUIT01.csv and so on; default: those that come with kftune
  KFTUNE_DEVICE       cpu, cuda or cuda:N; default: cuda when there is a device, else cpu
  OMP_NUM_THREADS     CPU threads that torch uses

"""


def main(argv: Sequence[str]) -> int:
    """Runs the command line `argv` (without the program's name) and gives the exit status."""
    try:
        return _run(argv)
    except KeyboardInterrupt:  # before training listens to signals itself
        return 128 + signal.SIGINT
    except (KftuneError, OSError) as error:
        print(f"kftune.training: {error}", file=sys.stderr)
        return 1 if isinstance(error, (MetricError, MissingExtraError, OSError)) else 2


def _run(argv: Sequence[str]) -> int:
    wants_help = bool({"-h", "--help"} & set(argv))
    if argv and not argv[0].startswith("-"):
        entry = HPARAMS_REGISTRY.find(argv[0])
        hparams_class = load_hparams(entry["class_name"])
        if wants_help:
            print(USAGE + hparams_class.help_text(), end="")
            return 0
        hparams = hparams_class.from_args(argv[1:])  # before the trainer, so that a mistake need not wait for torch
        return load_trainer(entry["model_type"])(hparams)
    if wants_help:
        print(USAGE + _models())
        return 0
    types = ", ".join(entry["model_type"] for entry in HPARAMS_REGISTRY.values())
    raise UsageError(f"the first argument must be the model to train ({types}), but got {argv[0] if argv else 'none'}")


def load_trainer(model_type: str) -> Callable[[Hparams], int]:
    """The function that trains a model type: `train` of the module ``kftune.training.<model type>``.

    Raises:
        UsageError: kftune has no trainer for it.
        MissingExtraError: torch is not installed.
    """
    module_name = f"kftune.training.{model_type}"
    if model_type.isidentifier() and importlib.util.find_spec(module_name) is not None:
        try:
            with warnings.catch_warnings():
                # torch warns when numpy is missing; nothing here needs it.
                warnings.filterwarnings("ignore", "Failed to initialize NumPy", UserWarning)
                trainer = getattr(importlib.import_module(module_name), "train", None)
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise MissingExtraError("train", "torch") from error
        if trainer is not None:
            return cast("Callable[[Hparams], int]", trainer)
    raise UsageError(
        f"python -m kftune.training trains kftune's own models, and model type {model_type!r} has no function "
        f"{module_name}.train; let the study's step name your own command or module instead"
    )


def _models() -> str:
    entries = HPARAMS_REGISTRY.values()
    lines = [f"  {entry['model_type']:<12}{entry['description']}" for entry in entries]
    return "\n".join(["models:", *lines, "", "python -m kftune.training MODEL --help lists a model's hyperparameters."])


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    # The first process of a container is not ended by a signal that it does not handle, and torch takes its time to
    # be imported; from then on training itself listens.
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main(sys.argv[1:]))
