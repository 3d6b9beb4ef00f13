"""Creates the files of a new model.

`kftune new hparams NAME` writes NAME_hparams.py (the class), train.py (a script that trains with it) and study.yaml
into pipelines/NAME, and tests/test_NAME.py. The study runs without changes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kftune.cli.arguments import a_path
from kftune.scaffold import new_hparams


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("what", choices=["hparams"], help="what to create")
    parser.add_argument("name", help="name of the model, such as text_cnn")
    parser.add_argument("--root", type=a_path, default=Path(), help="folder of the project (default: the current one)")


def run(arguments: argparse.Namespace) -> int:
    """Writes the files and prints the next command."""
    written = new_hparams(arguments.name, arguments.root)
    for path in written:
        print(f"wrote {path}")
    study = arguments.root / "pipelines" / arguments.name / "study.yaml"
    print(f"next: kftune run {study}")
    return 0
