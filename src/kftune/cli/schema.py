"""The JSON Schema of a study file.

An editor that finds this first line in a study completes and checks it while you type:
  # yaml-language-server: $schema=study.schema.json
"""

from __future__ import annotations

import argparse
import json


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("what", choices=["study"], help="what the schema is of")


def run(arguments: argparse.Namespace) -> int:
    """Prints the schema."""
    from kftune.study.schema import study_schema

    print(json.dumps(study_schema(), indent=2, ensure_ascii=False))
    return 0
