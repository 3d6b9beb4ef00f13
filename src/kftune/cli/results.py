"""Prints all trials of a study.

Formats: text is a table, csv has one line a trial, json is documented in docs/results.md, and seed is the JSON of other
tuners: timestamp, experiments_completed, best_result, all_results.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from kftune.cli.arguments import a_path
from kftune.cli.output import write_data
from kftune.cli.places import add_results_arguments, open_given
from kftune.cli.table import table
from kftune.files import write_text
from kftune.results import Results
from kftune.results.export import to_csv, to_json, to_rows, to_seed_json, to_text
from kftune.results.origins import COLUMNS, differing, short


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    parser.add_argument("--format", choices=[*_FORMATS], default="text")
    parser.add_argument("--out", type=a_path, help="file to write (default: the screen)")


def run(arguments: argparse.Namespace) -> int:
    """Prints or writes the trials."""
    with open_given(arguments) as results:
        text = _FORMATS[arguments.format](results)
    if arguments.out is None:
        print(text, end="") if arguments.format == "text" else write_data(text)
    else:
        write_text(arguments.out, text)
        print(f"wrote {arguments.out}")
    return 0


def _to_table(results: Results) -> str:
    header, rows = to_rows(results)
    different = differing(dict(zip(header, row, strict=True)) for row in rows)
    hidden = {"started", "ended", "exit_code", *COLUMNS} - {*different}
    shown = [(index, name) for index, name in enumerate(header) if name not in hidden]
    cells = [[short(name, row[index]) for index, name in shown] for row in rows]
    return table([name for _, name in shown], cells) + "\n"


_FORMATS: dict[str, Callable[[Results], str]] = {
    "text": _to_table,
    "json": lambda results: to_text(to_json(results)),
    "csv": to_csv,
    "seed": lambda results: to_text(to_seed_json(results)),
}
