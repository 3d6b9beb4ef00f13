"""Creates the files of a new model.

`kftune new hparams NAME` writes NAME_hparams.py (the class), train.py (a script that trains with it) and study.yaml
into pipelines/NAME, and tests/test_NAME.py. The study runs without changes. `kftune new pipeline NAME` adds a pipeline
around the study, and `kftune new project NAME` also what a cluster needs.

`kftune new hparams NAME --from train.py` writes the class and the study of a script that stays as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from kftune.cli.arguments import a_path
from kftune.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("what", choices=["hparams", "pipeline", "project"], help="what to create")
    parser.add_argument("name", help="name of the model, such as text_cnn")
    parser.add_argument("--root", type=a_path, default=Path(), help="folder of the project (default: the current one)")
    parser.add_argument(
        "--from",
        dest="script",
        metavar="SCRIPT",
        type=a_path,
        help="write the class and the study of this training script, from its own arguments; it is read, never run",
    )
    parser.add_argument("--command", metavar="NAME", help="with --from: the script's subcommand, if it has several")


def run(arguments: argparse.Namespace) -> int:
    """Writes the files and prints the next command."""
    if arguments.script is None:
        if arguments.command:
            raise UsageError("--command goes with --from: it names a subcommand of that script")
        return _from_templates(arguments)
    if arguments.what != "hparams":
        raise UsageError(
            f"--from writes a class and a study, so it goes with hparams, but got {arguments.what}: "
            f"kftune new hparams {arguments.name} --from {arguments.script}"
        )
    from kftune.scaffold.from_script import new_from_script

    written, remarks = new_from_script(arguments.name, arguments.root, arguments.script, arguments.command or "")
    for path in written:
        print(f"wrote {path}")
    for remark in remarks:
        print(f"  {remark}")
    print(f"next: {_what_is_open(written[-1])} {written[-1]}, then kftune run {written[-1]}")
    return 0


def _what_is_open(study: Path) -> str:
    """Returns what the user has to do with a study that was written from a script: some scripts print no metric."""
    from kftune import yaml_text

    written: Any = yaml_text.load_file(study)
    return "look at" if written["objective"]["metric"] else "write objective.metric in"


def _from_templates(arguments: argparse.Namespace) -> int:
    from kftune.scaffold import new_files

    for path in new_files(arguments.what, arguments.name, arguments.root):
        print(f"wrote {path}")
    file = "study.yaml" if arguments.what == "hparams" else "pipeline.yaml"
    print(f"next: kftune run {arguments.root / 'pipelines' / arguments.name / file}")
    return 0
