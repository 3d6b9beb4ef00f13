"""``python -m kftune.training MODEL --name=value …``: the command of a training step, and of those around it.

MODEL is a name in the registry (``LstmHparams``) or its model type (``lstm``). The module ``kftune.training.<model
type>`` trains it. ``data``, ``evaluate`` and ``register`` are the other steps of a pipeline.
Exit status: 0 done, 1 training or registering failed, 2 wrong use, 128 + n stopped by signal n.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import cast

from kftune.errors import (
    KftuneError,
    MetricError,
    MissingExtraError,
    ModelRegistryError,
    UnknownNameError,
    UsageError,
)
from kftune.hparams import Hparams
from kftune.hparams.registry import HPARAMS_REGISTRY, RegistryEntry, load_hparams
from kftune.outputs import take
from kftune.training.shown import NAMES, write_shown

USAGE = """\
usage: python -m kftune.training MODEL [--data=PATH] [--model=PATH] [--metrics=PATH ...] [--name=value ...]

Trains MODEL and reports its metrics epoch by epoch, one line each.

arguments, beside the hyperparameters:
  --data    file with the circuit's readings, as the data step writes it
  --model   folder to write: hparams.json, model.pt (the best epoch) and summary.json
  --metrics, --train_loss, --val_loss, --val_mae
            files to write: what the kept epoch reported, as JSON
  --report  the file to write: an HTML page with the loss of each epoch
  --executor-output
            the file to write: the metrics as KFP's page wants them

environment:
  KFTUNE_OUTPUT_DIR   the folder to write where --model is not given; default: output
  KFTUNE_DATA         folder with readings, PLANT001/CIRCUIT01.csv and so on; default: those that come with kftune
  KFTUNE_DEVICE       cpu, cuda or cuda:N; default: cuda when there is a device, else cpu
  OMP_NUM_THREADS     CPU threads that torch uses

"""

# Step -> the module that runs it: `run(arguments) -> exit status`, and its help `USAGE`.
STEPS = {
    "data": "kftune.training.fetch",
    "evaluate": "kftune.training.judge",
    "register": "kftune.training.register",
}


def main(argv: Sequence[str]) -> int:
    """Runs the command line `argv` (without the program's name) and gives the exit status."""
    try:
        return _run(argv)
    except KeyboardInterrupt:  # before training listens to signals itself
        return 128 + signal.SIGINT
    except (KftuneError, OSError) as error:
        print(f"kftune.training: {error}", file=sys.stderr)
        return 1 if isinstance(error, (MetricError, MissingExtraError, ModelRegistryError, OSError)) else 2


def _run(argv: Sequence[str]) -> int:
    wants_help = bool({"-h", "--help"} & set(argv))
    if argv and argv[0] in STEPS:
        step = importlib.import_module(STEPS[argv[0]])
        if wants_help:
            print(step.USAGE, end="")
            return 0
        with _torch():
            return cast("int", step.run(argv[1:]))
    if argv and not argv[0].startswith("-"):
        entry = _entry(argv[0])
        hparams_class = load_hparams(entry["class_name"])
        if wants_help:
            print(USAGE + hparams_class.help_text(), end="")
            return 0
        given, rest = take(argv[1:], "data", "model", *NAMES)
        hparams = hparams_class.from_args(rest)  # before the trainer, so that a mistake need not wait for torch
        return _train(entry["model_type"], hparams, given)
    if wants_help:
        print(USAGE + _models())
        return 0
    types = ", ".join(entry["model_type"] for entry in HPARAMS_REGISTRY.values())
    raise UsageError(
        f"the first argument must be the model to train ({types}) or a step ({', '.join(STEPS)}), "
        f"but got {argv[0] if argv else 'none'}"
    )


def _train(model_type: str, hparams: Hparams, given: Mapping[str, str]) -> int:
    data, model = (Path(given[name]) if name in given else None for name in ("data", "model"))
    shown = {name: path for name, path in given.items() if name in NAMES}
    if shown and model is None:
        raise UsageError(f"--{min(shown)} is read from what the training writes; give --model=PATH too")
    status = load_trainer(model_type)(hparams, data, model)
    # torchrun starts several processes, of which the first writes.
    if status == 0 and model is not None and shown and os.environ.get("RANK", "0") == "0":
        write_shown(shown, model, hparams)
    return status


def _entry(model: str) -> RegistryEntry:
    try:
        return HPARAMS_REGISTRY.find(model)
    except UnknownNameError as error:
        raise UnknownNameError("model or step", model, [*error.known, *STEPS]) from error


def load_trainer(model_type: str) -> Callable[[Hparams, Path | None, Path | None], int]:
    """The function that trains a model type: `train` of the module ``kftune.training.<model type>``.

    It takes the hyperparameters, the file with the data and the folder to write; None leaves these to the environment.

    Raises:
        UsageError: kftune has no trainer for it.
        MissingExtraError: torch is not installed.
    """
    module_name = f"kftune.training.{model_type}"
    if model_type.isidentifier() and importlib.util.find_spec(module_name) is not None:
        with _torch():
            trainer = getattr(importlib.import_module(module_name), "train", None)
        if trainer is not None:
            return cast("Callable[[Hparams, Path | None, Path | None], int]", trainer)
    raise UsageError(
        f"python -m kftune.training trains kftune's own models, and model type {model_type!r} has no function "
        f"{module_name}.train; let the study's step name your own command or module instead"
    )


@contextmanager
def _torch() -> Iterator[None]:
    """What an import of torch needs around it: no warning for numpy, which nothing here needs, and the extra's name."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Failed to initialize NumPy", UserWarning)
            yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError("train", "torch") from error


def _models() -> str:
    entries = HPARAMS_REGISTRY.values()
    lines = [f"  {entry['model_type']:<12}{entry['description']}" for entry in entries]
    steps = f"other steps of a pipeline: {', '.join(STEPS)}"
    told = "python -m kftune.training NAME --help tells a model's hyperparameters, or a step's arguments."
    return "\n".join(["models:", *lines, "", steps, "", told])


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    # The first process of a container is not ended by a signal that it does not handle, and torch takes its time to
    # be imported; from then on training itself listens.
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main(sys.argv[1:]))
