"""``python -m kftune.training MODEL --name=value …``: the command of a training step and of the steps around it.

MODEL is a name in the registry (``LstmHparams``) or its model type (``lstm``). The module ``kftune.training.<model
type>`` trains it. ``data``, ``evaluate`` and ``register`` are the other steps of a pipeline.
Exit status: 0 done, 1 training or registering failed, 2 usage error, 128 + n stopped by signal n.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import cast

from kftune.errors import KftuneError, MetricError, MissingExtraError, ModelRegistryError, UnknownNameError, UsageError
from kftune.hparams import Hparams
from kftune.hparams.registry import HPARAMS_REGISTRY, RegistryEntry, load_hparams
from kftune.outputs import take
from kftune.training.importing import torch_import
from kftune.training.step_outputs import NAMES, write_training_outputs

USAGE = """\
usage: python -m kftune.training MODEL [--data=PATH] [--model=PATH] [--metrics=PATH ...] [--name=value ...]

Trains MODEL and prints one line of metrics per epoch.

arguments, in addition to the hyperparameters:
  --data    the data, as the data step of the model writes it (lstm: data, ocr: ocr-data)
  --model   folder to write: hparams.json, model.pt (the best epoch) and summary.json
  --metrics, --train_loss, --val_loss, --val_mae, --val_char_accuracy, --val_seq_accuracy
            files to write: the metrics of the best epoch, as JSON
  --report  file to write: an HTML page with the metrics of each epoch
  --executor-output
            file to write: the metrics in the form that KFP's page reads

environment:
  KFTUNE_OUTPUT_DIR   folder to write when --model is not given (default: output)
  KFTUNE_DATA         folder with readings: PLANT001/CIRCUIT01.csv and so on (default: the readings in kftune)
  KFTUNE_DEVICE       cpu, cuda or cuda:N (default: cuda when there is a device, otherwise cpu)
  OMP_NUM_THREADS     number of CPU threads for torch

"""

# A study's trials share it (`step.warm`).
__warm_imports__ = ("kftune.training.warm",)

# Step -> its module, with `run(arguments) -> exit status` and the help text `USAGE`.
STEPS = {
    "data": "kftune.training.fetch",
    "ocr-data": "kftune.training.digits.step",
    "evaluate": "kftune.training.evaluation",
    "register": "kftune.training.register",
}


def main(argv: Sequence[str]) -> int:
    """Runs the command line `argv` (without the program's name) and returns the exit status."""
    try:
        return _run(argv)
    except KeyboardInterrupt:  # before training handles signals itself
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
        with torch_import():
            return cast("int", step.run(argv[1:]))
    if argv and not argv[0].startswith("-"):
        entry = _entry(argv[0])
        hparams_class = load_hparams(entry["class_name"])
        if wants_help:
            print(USAGE + hparams_class.help_text(), end="")
            return 0
        given, rest = take(argv[1:], "data", "model", *NAMES)
        hparams = hparams_class.from_args(rest)  # before torch is imported, so that a mistake is reported quickly
        return _train(entry["model_type"], hparams, given)
    if wants_help:
        print(USAGE + _models())
        return 0
    types = ", ".join(entry["model_type"] for entry in HPARAMS_REGISTRY.values())
    raise UsageError(
        f"the first argument must be the model to train ({types}) or a step ({', '.join(STEPS)}), "
        f"but got {argv[0] if argv else 'nothing'}"
    )


def _train(model_type: str, hparams: Hparams, given: Mapping[str, str]) -> int:
    data, model = (Path(given[name]) if name in given else None for name in ("data", "model"))
    outputs = {name: path for name, path in given.items() if name in NAMES}
    if outputs and model is None:
        raise UsageError(f"--{min(outputs)} is made from the training's output folder; give --model=PATH too")
    status = load_trainer(model_type)(hparams, data, model)
    # torchrun starts several processes; only the first writes.
    if status == 0 and model is not None and outputs and os.environ.get("RANK", "0") == "0":
        write_training_outputs(outputs, model, hparams)
    return status


def _entry(model: str) -> RegistryEntry:
    try:
        return HPARAMS_REGISTRY.find(model)
    except UnknownNameError as error:
        raise UnknownNameError("model or step", model, [*error.known, *STEPS]) from error


def load_trainer(model_type: str) -> Callable[[Hparams, Path | None, Path | None], int]:
    """Returns the function that trains a model type: `train` of the module ``kftune.training.<model type>``.

    It takes the hyperparameters, the file with the data and the folder to write; None takes these from the environment.

    Raises:
        UsageError: kftune has no trainer for this model type.
        MissingExtraError: torch is not installed.
    """
    module_name = f"kftune.training.{model_type}"
    if model_type.isidentifier() and importlib.util.find_spec(module_name) is not None:
        with torch_import():
            trainer = getattr(importlib.import_module(module_name), "train", None)
        if trainer is not None:
            return cast("Callable[[Hparams, Path | None, Path | None], int]", trainer)
    raise UsageError(
        f"python -m kftune.training trains kftune's own models, but model type {model_type!r} has no function "
        f"{module_name}.train; name your own command or module in the study's step"
    )


def _models() -> str:
    entries = HPARAMS_REGISTRY.values()
    lines = [f"  {entry['model_type']:<12}{entry['description']}" for entry in entries]
    steps = f"other steps of a pipeline: {', '.join(STEPS)}"
    more = "python -m kftune.training NAME --help shows the hyperparameters of a model, or the arguments of a step."
    return "\n".join(["models:", *lines, "", steps, "", more])


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    # A signal without a handler does not end the first process of a container. Training sets its own handlers, but only
    # after torch is imported, which takes a while.
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main(sys.argv[1:]))
