"""Writes a config file to start from: each hyperparameter of a model with its default, type, limits and meaning.

`kftune init sums:SumsRun` writes config.yaml, and `kftune train sums:SumsRun -c config.yaml` trains with it. Without a
model the file has what every typed model has: optimizer, schedule, checkpoints, data and trainer.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kftune.cli.arguments import a_path
from kftune.cli.output import write_data
from kftune.errors import UsageError

_TYPED = "kftune.training:RunHparams"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("model", nargs="?", help="name in the registry, model type, or module:Class")
    parser.add_argument(
        *("-o", "--output"),
        metavar="FILE",
        type=a_path,
        default=Path("config.yaml"),
        help="the file to write; - for standard output (default: config.yaml)",
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def run(arguments: argparse.Namespace) -> int:
    """Writes the file and prints the next command."""
    from kftune.files import write_text
    from kftune.hparams.as_config import blueprint
    from kftune.training.models import find_model

    model = arguments.model or _TYPED
    text = blueprint(find_model(model))
    path: Path = arguments.output
    if str(path) == "-":
        write_data(text)
        return 0
    if path.exists() and not arguments.force:
        raise UsageError(f"{path} is there already; give another file with -o, or --force to write over it")
    write_text(path, text)
    print(f"wrote {path}")
    if arguments.model is None:
        print("it has what every typed model has; kftune init MODEL writes the fields of a model too", file=sys.stderr)
    print(f"next: kftune train {arguments.model or 'MODEL'} -c {path}")
    return 0
