"""All trials of a study.

Forms: a table (text); kftune's own JSON, documented in docs/results.md (json); one line a trial (csv); and the JSON
that experiment-list tuners write: timestamp, experiments_completed, best_result, all_results (seed).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kftune.cli.places import add_results_arguments, results_folder
from kftune.cli.table import table
from kftune.files import write_text
from kftune.results import Results, open_results
from kftune.results.export import to_csv, to_json, to_rows, to_seed_json, to_text


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    parser.add_argument("--format", choices=["text", "json", "csv", "seed"], default="text")
    parser.add_argument("--out", type=Path, help="file to write (default: the screen)")


def run(arguments: argparse.Namespace) -> int:
    """Prints or writes the trials."""
    with open_results(results_folder(arguments.study, arguments.dir)) as results:
        text = _FORMS[arguments.format](results)
    if arguments.out is None:
        sys.stdout.write(text)
    else:
        write_text(arguments.out, text)
        print(f"wrote {arguments.out}")
    return 0


def _to_table(results: Results) -> str:
    header, rows = to_rows(results)
    shown = [index for index, name in enumerate(header) if name not in ("started", "ended", "exit_code")]
    return table([header[index] for index in shown], [[row[index] for index in shown] for row in rows]) + "\n"


def _to_json_text(results: Results) -> str:
    return to_text(to_json(results))


def _to_seed_text(results: Results) -> str:
    return to_text(to_seed_json(results))


_FORMS = {"text": _to_table, "json": _to_json_text, "csv": to_csv, "seed": _to_seed_text}
