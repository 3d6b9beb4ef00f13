"""The JSON Schema of a study, pipeline or project file, or of what kftune lint --format json prints.

An editor that finds this first line in a file completes and checks it while you type:
  # yaml-language-server: $schema=study.schema.json
"""

from __future__ import annotations

import argparse
import json


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("what", choices=["study", "pipeline", "project", "lint"], help="what the schema is of")


def run(arguments: argparse.Namespace) -> int:
    """Prints the schema."""
    if arguments.what == "study":
        from kftune.study.schema import study_schema as schema
    elif arguments.what == "pipeline":
        from kftune.pipeline.schema import pipeline_schema as schema
    elif arguments.what == "project":
        from kftune.project.model import project_schema as schema
    else:
        from kftune.lint.schema import lint_schema as schema
    print(json.dumps(schema(), indent=2, ensure_ascii=False))
    return 0
