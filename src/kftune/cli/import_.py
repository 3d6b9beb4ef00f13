"""Writes a study from the search of another system, with a report of what becomes of each part.

The class is written beside the study, or is the one that --hparams names. The report has what is carried exactly, what
is converted and means the same, what has no equivalent and what to use, and what to fill in. Files are read, never run.

Systems:
  sagemaker    tuning_config (YAML, JSON, Python text), CreateHyperParameterTuningJob, HyperparameterTuner
  azureml      sweep jobs and components
  wandb        sweep configurations
  optuna       SQLite and journal storages, distributions as JSON
  ray          param_space as JSON, tune.* calls in Python text
  hydra        parameters of the Optuna, Ax, Nevergrad and basic sweepers
  katib        Experiments
  experiments  lists of experiments

Exit codes: 0 done, 1 the study needs a change before it loads, or --strict and something has no equivalent (then
nothing is written), 2 wrong use or file.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
from pathlib import Path

from kftune.cli.arguments import a_path
from kftune.cli.output import write_data
from kftune.errors import ForeignFileError, KftuneError, UnknownNameError, UsageError
from kftune.files import write_text
from kftune.importers import SYSTEMS, Imported, Options, read_foreign
from kftune.importers.report import losses, report_json, report_text


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("system", choices=[*SYSTEMS], help="the system that the file is of")
    parser.add_argument("file", type=a_path, help="the file to read")
    parser.add_argument(
        "-o", "--out", type=a_path, metavar="STUDY", help="study to write (default: NAME_study.yaml here)"
    )
    parser.add_argument("--hparams", metavar="MODULE:CLASS", help="a class that exists, in place of a new one")
    parser.add_argument("--command", metavar="TEXT", help="command line of a trial, such as 'python train.py'")
    parser.add_argument("--image", metavar="IMAGE", help="image that a cluster runs")
    parser.add_argument(
        "--pick", metavar="NAME", help="which study, Experiment, sweep or definition, if the file has several"
    )
    parser.add_argument(
        "--log-bounds",
        choices=["exponents", "values"],
        help="how to read bounds of logarithmic ranges, in azureml and wandb (default: exponents, as these do)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="write nothing if something has no equivalent, and exit with 1"
    )
    parser.add_argument("--force", action="store_true", help="overwrite the files")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="form of the report")


def run(arguments: argparse.Namespace) -> int:
    """Writes the study and prints the report."""
    options = Options(
        log_bounds=arguments.log_bounds,
        pick=arguments.pick or "",
        command=tuple(shlex.split(arguments.command or "")),
        image=arguments.image or "",
    )
    imported = read_foreign(arguments.system, arguments.file, options)
    refused = arguments.strict and bool(losses(imported))
    written = [] if refused else _write(imported, arguments)
    problem = _problem(written[-1]) if written else ""
    _print(imported, arguments, [str(each) for each in written], problem)
    return 1 if refused or problem else 0


def _write(imported: Imported, arguments: argparse.Namespace) -> list[Path]:
    """Writes the class, if there is no other, and the study; returns the files, the study last."""
    from kftune.importers.names import study_name
    from kftune.importers.writing import class_text, study_text
    from kftune.scaffold.names import class_name_of

    name = study_name(imported.name).replace("-", "_")
    target: Path = arguments.out or Path(f"{name}_study.yaml")
    # It goes into the docstring of the class.
    file = re.sub(r"[^\w.-]", "_", arguments.file.name)
    origin = f"kftune import {arguments.system} {file}"
    class_name = class_name_of(name)
    texts = {}
    if arguments.hparams is None:
        hparams = f"{name}_hparams:{class_name}"
        texts[target.parent / f"{name}_hparams.py"] = class_text(imported, class_name, origin)
    else:
        hparams = arguments.hparams
        _check_fields(imported, hparams, target, str(arguments.file))
    texts[target] = study_text(imported, hparams, origin)
    existing = next((path for path in texts if path.exists() or path.is_symlink()), None)
    if existing is not None and not arguments.force:
        raise UsageError(f"{existing} already exists; nothing was written. Give --force to overwrite it, or another -o")
    for path, text in texts.items():
        write_text(path, text)
    return [*texts]


def _check_fields(imported: Imported, hparams: str, target: Path, file: str) -> None:
    """Checks that a class of the user has all imported hyperparameters."""
    from kftune.hparams.registry import load_hparams

    leaves = load_hparams(hparams, (target.parent.resolve(), Path.cwd())).leaves()
    for name in imported.fields:
        if name not in leaves:
            raise ForeignFileError(f"{hparams}: {UnknownNameError('hyperparameter', name, leaves)}", file)


def _problem(study: Path) -> str:
    """Returns why the written study does not load; empty if it does."""
    from kftune.study import load_study

    try:
        load_study(study)
    except KftuneError as error:
        return str(error)
    return ""


def _print(imported: Imported, arguments: argparse.Namespace, written: list[str], problem: str) -> None:
    if arguments.format == "json":
        found = {**report_json(imported, arguments.system, str(arguments.file), written), "problem": problem or None}
        write_data(f"{json.dumps(found, indent=2, ensure_ascii=False)}\n")
        return
    for each in written:
        print(f"wrote {each}")
    print(report_text(imported), end="")
    if problem:
        print(f"the study needs a change before it loads: {problem}")
    elif written:
        print(f"next: look at {written[-1]}, then kftune run {_quoted(written[-1])}")
    else:
        print("nothing was written, because of --strict")


def _quoted(path: str) -> str:
    return path if re.fullmatch(r"[\w./-]+", path) else shlex.quote(path)
