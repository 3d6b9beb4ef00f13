"""Prints the JSON Schema of a study, pipeline, project, price table or experiment list, or of the JSON of kftune lint.

An editor completes and checks a file while you type, if the file begins with this line:
  # yaml-language-server: $schema=study.schema.json
"""

from __future__ import annotations

import argparse
import json
from importlib import import_module

from kftune.cli.output import write_data

_MODULES = {
    "study": "kftune.study.schema",
    "pipeline": "kftune.pipeline.schema",
    "project": "kftune.project.model",
    "prices": "kftune.spec.prices",
    "experiments": "kftune.experiments.file",
    "lint": "kftune.lint.schema",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("what", choices=[*_MODULES], help="what the schema describes")


def run(arguments: argparse.Namespace) -> int:
    """Prints the schema."""
    schema = getattr(import_module(_MODULES[arguments.what]), f"{arguments.what}_schema")
    write_data(f"{json.dumps(schema(), indent=2, ensure_ascii=False)}\n")
    return 0
