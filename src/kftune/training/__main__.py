"""``python -m kftune.training MODEL --name=value …``: the command of a training step and of the steps around it.

MODEL is a name in the registry (``LstmHparams``), its model type (``lstm``), or ``module:Class``. kftune's own models
are trained by the module ``kftune.training.<model type>``, a project's own by its function `train(hparams)`: `models`.
``data``, ``evaluate`` and ``register`` are the other steps of a pipeline. ``kftune train`` is the same, for people.
Exit status: 0 done, 1 training or registering failed, 2 usage error, 128 + n stopped by signal n.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import cast

from kftune.errors import KftuneError, MetricError, MissingExtraError, ModelRegistryError, UsageError
from kftune.hparams import Hparams
from kftune.hparams.as_config import read_line, with_origins
from kftune.hparams.registry import HPARAMS_REGISTRY, name_of, trainer_of
from kftune.spec.classes import register_classes
from kftune.training.command_line import read_arguments
from kftune.training.importing import torch_import
from kftune.training.models import Trainer, find_model, folders_here
from kftune.training.step_outputs import write_training_outputs

USAGE = """\
usage: {program} MODEL [-c FILE ...] [--name=value ...] [name=value ...]

Trains MODEL and prints one line of metrics per epoch. MODEL is a name below, or module:Class.

hyperparameters; of two values for one, the later one counts, and files count least:
  --name=value, name=value
            sets one
  +name=value, ~name
            adds one to a mapping; restores a default
  -c FILE   YAML file of hyperparameters, once or more; a name is also looked for in KFTUNE_CONFIG_PATH
  --config-name NAME
            a file in the folders of KFTUNE_CONFIG_PATH, with or without .yaml
  --print-config
            prints the hyperparameters, with where each comes from, and trains nothing

other arguments; a hyperparameter of the same name has precedence:
  --data    data to train with, if the model takes some:
            lstm: the file that the step data writes; ocr: the folder that ocr-data writes, or its metadata.yaml;
            yolo: the file that detector-data writes, such as digits/data.yaml; detector: none, it draws its own;
            a model of yours: what its function takes as data
  -o, --model
            folder to write
  --metrics, --train_loss, --val_loss, --val_mae, --val_char_accuracy, --val_seq_accuracy
            files to write: the metrics of the best epoch, as JSON
  --report  file to write: an HTML page with the metrics of each epoch
  --executor-output
            file to write: the metrics in the form that KFP's page reads

environment:
  KFTUNE_OUTPUT_DIR   folder to write without -o (default: output)
  KFTUNE_DATA         lstm: folder with readings: PLANT001/CIRCUIT01.csv and so on (default: the readings in kftune)
  KFTUNE_DEVICE       cpu, cuda or cuda:N (default: cuda when there is a device, otherwise cpu)
  KFTUNE_CONFIG_PATH  folders with config files, separated by colons
  OMP_NUM_THREADS     number of CPU threads for torch

"""

# A study's trials share it (`step.warm`).
__warm_imports__ = ("kftune.training.warm",)

# Step -> its module, with `run(arguments) -> exit status` and the help text `USAGE`.
STEPS = {
    "data": "kftune.training.fetch",
    "ocr-data": "kftune.training.digits.step",
    "detector-data": "kftune.training.detector.step",
    "evaluate": "kftune.training.evaluation",
    "register": "kftune.training.register",
}


PROGRAM = "python -m kftune.training"


def main(argv: Sequence[str], program: str = PROGRAM) -> int:
    """Runs the command line `argv` (without the program's name) and returns the exit status.

    Args:
        argv: Model or step, and its arguments.
        program: What is run, for the help and for errors.
    """
    try:
        return _run(argv, program)
    except KeyboardInterrupt:  # before training handles signals itself
        return 128 + signal.SIGINT
    except (KftuneError, OSError) as error:
        if isinstance(error, BrokenPipeError) and program != PROGRAM:
            raise  # `kftune` ends quietly
        text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        print(f"{'kftune.training' if program == PROGRAM else 'kftune'}: {text}", file=sys.stderr)
        return 1 if isinstance(error, (MetricError, MissingExtraError, ModelRegistryError, OSError)) else 2


def _run(argv: Sequence[str], program: str) -> int:
    wants_help = bool({"-h", "--help"} & set(argv))
    steps = [*STEPS] if program == PROGRAM else []
    if argv and argv[0] in steps:
        step = importlib.import_module(STEPS[argv[0]])
        if wants_help:
            print(step.USAGE, end="")
            return 0
        with torch_import():
            return cast("int", step.run(argv[1:]))
    if argv and not argv[0].startswith("-"):
        hparams_class = find_model(argv[0], steps)
        if wants_help:
            name = name_of(hparams_class)
            print(USAGE.format(program=program) + f"{name}, trained by {trainer_of(hparams_class)}\n\n", end="")
            print(hparams_class.help_text(), end="")
            return 0
        return _train(hparams_class, argv[1:])
    if wants_help:
        print(USAGE.format(program=program) + _models(program, steps))
        return 0
    types = ", ".join(entry["model_type"] for entry in HPARAMS_REGISTRY.values())
    or_step = f" or a step ({', '.join(steps)})" if steps else ""
    raise UsageError(
        f"the first argument must be the model to train ({types}, or module:Class){or_step}, "
        f"but got {argv[0] if argv else 'nothing'}"
    )


def _train(hparams_class: type[Hparams], argv: Sequence[str]) -> int:
    line = read_arguments(argv, hparams_class)
    # Before torch is imported, so that a mistake is reported quickly.
    hparams, origin = read_line(hparams_class, line.hparams, line.config)
    if line.prints:
        print(with_origins(hparams.to_dict(), origin), end="")
        return 0
    status, metrics = Trainer(hparams_class)(hparams, line.data, line.output)
    # torchrun starts several processes; only the first writes.
    if status == 0 and line.outputs and os.environ.get("RANK", "0") == "0":
        folder = line.output or Path(os.environ.get("KFTUNE_OUTPUT_DIR") or "output")
        write_training_outputs(line.outputs, folder, hparams, metrics)
    return status


def _models(program: str, steps: Sequence[str]) -> str:
    register_classes(folders_here())
    lines = [f"  {entry['model_type']:<12}{entry['description']}" for entry in HPARAMS_REGISTRY.values()]
    if steps:
        lines += ["", f"other steps of a pipeline: {', '.join(steps)}"]
    of_steps = ", or the arguments of a step" if steps else ""
    more = f"{program} NAME --help shows the hyperparameters of a model{of_steps}."
    return "\n".join(["models:", *lines, "", more])


def end_on_sigterm() -> None:
    """Ends this process with 143 when it gets SIGTERM.

    A signal without a handler does not end the first process of a container. Training sets its own handlers, but only
    after torch is imported, which takes a while.
    """
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main(sys.argv[1:]))
