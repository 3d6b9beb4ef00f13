"""Writes files to start from.

  kftune new hparams NAME

makes pipelines/NAME/NAME_hparams.py (the class), train.py (a script that trains with it), study.yaml, and
tests/test_NAME.py. The study runs as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kftune.scaffold import new_hparams


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("what", choices=["hparams"], help="what to start")
    parser.add_argument("name", help="the model's name, such as text_cnn")
    parser.add_argument("--root", type=Path, default=Path(), help="the project's folder (default: this one)")


def run(arguments: argparse.Namespace) -> int:
    """Writes the files and says what to do next."""
    written = new_hparams(arguments.name, arguments.root)
    for path in written:
        print(f"wrote {path}")
    study = arguments.root / "pipelines" / arguments.name / "study.yaml"
    print(f"next: kftune run {study}")
    return 0
