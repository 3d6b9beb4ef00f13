"""Training scripts with parsers of their own, as people bring them, and a class for their arguments.

Each writes what it has read to the file in ``RECEIVED``, or prints it, and reports a metric. None knows kftune.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from kftune import Choice, Hparam, Hparams, LogUniform
from kftune.study import Study, study_from_dict


class Net(Hparams):
    """The arguments of the scripts."""

    learning_rate: float = Hparam(0.01, gt=0, search=LogUniform(1e-4, 1e-1))
    """Step size."""
    num_epochs: int = Hparam(10, ge=1, search=Choice(5, 10, 20))
    """Epochs."""
    amp: bool = Hparam(False, search=Choice(True, False))
    """Mixed precision."""
    dropout_rate: float | None = Hparam(None, search=Choice(None, 0.1, 0.5))
    """Dropout."""
    optimizer: str = Hparam("adam", search=Choice("adam", "sgd"))
    """Optimizer."""


_RECORD = """
import json, os
text = json.dumps(given)
if "RECEIVED" in os.environ:
    open(os.environ["RECEIVED"], "w").write(json.dumps([given, dict(os.environ)]))
else:
    print("given", text)
print("loss=0.5")
"""

# A parser with dashes, as guides for SageMaker show one; tests/seeds/test_000.py has a class with its defaults.
GUIDE = """
import argparse

parser = argparse.ArgumentParser(description="Trains a net.")
parser.add_argument("--learning-rate", default=0.01, type=float)
parser.add_argument("--num-epochs", default=10, type=int)
parser.add_argument("--batch-size", default=32, type=int)
parser.add_argument("--hidden-layers", default=2, type=int)
parser.add_argument("--hidden-units", default=128, type=int)
parser.add_argument("--dropout-rate", default=0.5, type=float)
given = vars(parser.parse_args())
"""

_PARSER = """
import argparse
parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--num-epochs", type=int, default=10)
parser.add_argument("--dropout-rate", type=float)
parser.add_argument("--optimizer", choices=["adam", "sgd"], default="adam")
parser.add_argument("--amp", {amp})
given = vars(parser.parse_args())
"""

SCRIPTS = {
    "store_true": _PARSER.format(amp='action="store_true"'),
    "optional": _PARSER.format(amp="action=argparse.BooleanOptionalAction, default=True"),
    "click": """
import click

@click.command()
@click.option("--learning-rate", type=float, default=0.01)
@click.option("--num-epochs", type=int, default=10)
@click.option("--dropout-rate", type=float)
@click.option("--optimizer", type=click.Choice(["adam", "sgd"]), default="adam")
@click.option("--amp/--no-amp", default=False)
def train(**values):
    global given
    given = values

train(standalone_mode=False)
""",
    "name=value": """
import ast, sys
given = {"dropout_rate": None}
for token in sys.argv[1:]:
    name, equals, text = token.partition("=")
    assert equals and not name.startswith("-"), token
    try:
        given[name] = {"true": True, "false": False}[text] if text in ("true", "false") else ast.literal_eval(text)
    except (ValueError, SyntaxError):
        given[name] = text
""",
    "environment": """
import os
read = os.environ
dropout = read.get("HP_DROPOUT_RATE")
given = {
    "learning_rate": float(read["HP_LEARNING_RATE"]),
    "num_epochs": int(read["HP_NUM_EPOCHS"]),
    "amp": read["HP_AMP"] == "true",
    "dropout_rate": None if dropout is None else float(dropout),
    "optimizer": read["HP_OPTIMIZER"],
}
""",
    "json-file": """
import argparse, json, os
parser = argparse.ArgumentParser()
parser.add_argument("--config", required=True)
path = parser.parse_args().config
assert path == os.environ["KFTUNE_HPARAMS_FILE"]
given = {"dropout_rate": None, **json.load(open(path))}
""",
}

ARGUMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "store_true": ("store_true", {"names": "dashes", "booleans": "flag"}),
    "two tokens": ("store_true", {"names": "dashes", "booleans": "flag", "style": "--name value"}),
    "optional": ("optional", {"names": "dashes", "booleans": "flag-no"}),
    "click": ("click", {"names": "dashes", "booleans": "flag-no", "style": "--name value"}),
    "name=value": ("name=value", {"style": "name=value"}),
    "environment": ("environment", {"as": "environment", "prefix": "HP_"}),
    "json-file": ("json-file", {"as": "json-file"}),
}
"""Name -> the script, and what a step says of it."""


def recording(text: str) -> str:
    """Returns a script that says what it has read."""
    return text + _RECORD


def script_in(folder: Path, text: str) -> tuple[str, ...]:
    """Writes a script, and returns the command that runs it."""
    file = folder / "train_it.py"
    file.write_text(recording(text), encoding="utf-8")
    return (sys.executable, str(file))


def foreign_study(command: tuple[str, ...], arguments: dict[str, Any], **parts: Any) -> Study:
    """Returns a study whose trials run a script."""
    return study_from_dict(
        {
            "name": "foreign",
            "hparams": Net,
            "objective": {"metric": "loss", "direction": "minimize"},
            "algorithm": {"name": "grid" if parts.pop("grid", False) else "random", "seed": 3},
            "step": {"image": "registry.example/net:1", "command": command, "arguments": arguments},
            **parts,
        }
    )
