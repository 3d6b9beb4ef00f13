"""Writes the report of a study: one HTML page that opens offline, or a form of it for this terminal.

The page has the history, learning curves, parallel coordinates, importances, slices, two hyperparameters at a time, a
timeline, a table with filter and sort, the best values as YAML and as arguments, and where the results come from.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from kftune.cli.arguments import a_path
from kftune.cli.places import add_results_arguments, open_given
from kftune.errors import UsageError
from kftune.files import write_text

_PAGE = Path("report.html")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    parser.add_argument("--format", choices=["html", "text"], default="html", help="text: plots in this terminal")
    parser.add_argument("--out", type=a_path, help=f"file to write (default: {_PAGE}; of text: the screen)")


def run(arguments: argparse.Namespace) -> int:
    """Writes the report."""
    out: Path | None = arguments.out
    if out is not None and out.is_dir():
        raise UsageError(f"--out is the file to write, but {out} is a folder; for example --out {out / _PAGE}")
    with open_given(arguments) as results:
        if arguments.format == "text":
            from kftune.study_report.text import report_text

            text = report_text(
                results,
                shutil.get_terminal_size((80, 24)).columns,
                colours=out is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ,
                is_unicode=out is not None or (sys.stdout.encoding or "").lower().replace("-", "") == "utf8",
            )
            if out is None:
                print(text, end="")
                return 0
        else:
            from kftune.study_report.page import report_page

            text = report_page(results)
    target = out or _PAGE
    write_text(target, text)
    print(f"wrote {target}")
    return 0
