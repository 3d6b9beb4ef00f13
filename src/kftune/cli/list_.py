"""Lists the results below a folder: studies, Experiments, experiment lists and runs of pipelines.

Links are not followed, and hidden folders are passed over. The exit code is 1 if something cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from kftune.cli.arguments import a_path
from kftune.cli.output import write_data
from kftune.cli.table import table
from kftune.errors import UsageError
from kftune.results.kept import Row, find_results, rows_of
from kftune.results.kept.disk import size_text

FORMAT = "kftune.list/1"
"""The format of the JSON; it changes when the meaning of a key changes."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("folder", type=a_path, nargs="?", default=Path(), help="where to look (default: here)")
    parser.add_argument("--format", choices=["text", "json"], default="text")


def run(arguments: argparse.Namespace) -> int:
    """Prints the results."""
    folder: Path = arguments.folder
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise UsageError(f"kftune list looks into a folder, but {folder} {what}; kftune status FILE is for one study")
    found = find_results(folder)
    rows = rows_of(found)
    if arguments.format == "json":
        data = {"format": FORMAT, "results": [row._asdict() for row in rows], "unreadable": found.unreadable}
        write_data(f"{json.dumps(data, indent=2, ensure_ascii=False)}\n")
    elif rows:
        print(table(["path", "what", "state", "trials", "best", "changed", "size"], [*map(_cells, rows)]))
    else:
        print(f"no results below {folder}")
    for each in found.unreadable:
        print(f"cannot be read: {each}", file=sys.stderr)
    return 1 if found.unreadable else 0


def _cells(row: Row) -> list[str]:
    state = row.state if row.writer is None else f"{row.state} (process {row.writer})"
    counts = ", ".join(f"{count} {name}" for name, count in row.counts.items())
    steps = "steps: " if row.what == "pipeline run" and counts else ""
    best = "" if row.best is None else f"{row.best['metric']}={row.best['value']} ({row.best['trial']})"
    return [row.path, row.what, state, f"{steps}{counts}", best, row.changed, size_text(row.bytes)]
