"""Prints all trials of a study.

Formats: text is a table, csv has one line a trial, json is documented in docs/results.md, html is a page with pictures
of the results and of what trials reported over time, seed is the JSON of other tuners: timestamp,
experiments_completed, best_result, all_results, optuna is a storage of Optuna (--out study.db), and parquet is the
table of csv with types, for programs (--out trials.parquet).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from kftune.cli.arguments import a_count, a_path
from kftune.cli.output import write_binary, write_data
from kftune.cli.places import (
    add_results_arguments,
    check_no_entity,
    entities_of,
    given_entities,
    given_results,
    open_given,
)
from kftune.cli.table import fitted
from kftune.errors import UsageError
from kftune.files import write_bytes, write_text
from kftune.results import Trials
from kftune.results.entities import EntitiesFolder
from kftune.results.export import curves_to_rows, to_csv, to_json, to_rows, to_seed_json, to_text
from kftune.results.layout import RunFolder
from kftune.results.origins import COLUMNS, differing, short
from kftune.results.page import results_page


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    parser.add_argument("--format", choices=[*_FORMATS, *_FILES], default="text")
    parser.add_argument(
        "--where",
        metavar="CONDITION",
        help="only trials for which it holds: 'val_loss < 0.1 and optimizer == \"adam\"'",
    )
    parser.add_argument("--sort", metavar="COLUMN", help="the order: a metric, a hyperparameter, duration, started, …")
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument("--top", type=a_count, metavar="N", help="the first N; without --sort the best N")
    parser.add_argument(
        "--curves",
        action="store_true",
        help="what trials reported over time: one line a report (text, csv, parquet), or for each trial (json)",
    )
    parser.add_argument("--out", type=a_path, help="file to write (default: the screen)")
    parser.add_argument(
        "--salvage",
        action="store_true",
        help="print nothing of the trials: write what can be read of a damaged trials.db to a new one",
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints, writes or saves the trials."""
    if arguments.salvage:
        return _salvage(arguments)
    if arguments.curves and arguments.format not in _WITH_CURVES:
        raise UsageError(
            f"--curves is for the formats {', '.join(_WITH_CURVES)}; given {arguments.format}, "
            + ("which has the curves without it" if arguments.format == "html" else "which has no curves")
        )
    entities = given_entities(arguments)
    if entities is not None:
        return _of_entities(entities, arguments)
    with _selected(open_given(arguments), arguments) as results:
        if arguments.format in _FILES:
            return _write_file(results, arguments)
        text = _FORMATS[arguments.format](results, arguments.curves)
    return _put(text, arguments)


def _of_entities(entities: EntitiesFolder, arguments: argparse.Namespace) -> int:
    from kftune.cli.entities import results_of_each, results_text

    def selected(results: Trials) -> Trials:
        return _selected(results, arguments)

    if arguments.format != "parquet":
        return _put(results_text(entities, arguments, selected), arguments)
    from kftune.results.parquet import entities_to_parquet

    each = results_of_each(entities, selected)
    return _put_parquet(lambda: entities_to_parquet(entities.study, each, curves=arguments.curves), arguments)


def _put(text: str, arguments: argparse.Namespace) -> int:
    if arguments.out is None:
        print(text, end="") if arguments.format == "text" else write_data(text)
    else:
        write_text(arguments.out, text)
        print(f"wrote {arguments.out}")
    return 0


def _salvage(arguments: argparse.Namespace) -> int:
    """Saves the trials of a study, of an entity, or of all entities that have some."""
    from kftune.results.salvage import salvage

    whole = []
    for folder in _folders_to_salvage(arguments):
        saved = salvage(folder)
        if saved is None:
            whole.append(folder)
            continue
        print(f"{folder}: {saved.finished} finished trials are saved")
        for text, names in (
            ("had not ended, so the next run starts them again", saved.again),
            ("have only files left, and no result", saved.without),
        ):
            if names:
                print(f"{', '.join(names)} {text}")
        if saved.aside:
            print(f"the damaged files are kept: {', '.join(path.name for path in saved.aside)}")
    if whole:
        where = whole[0] if len(whole) == 1 else f"{len(whole)} entities"
        print(f"{where}: everything can be read, so nothing is written")
    return 0


def _folders_to_salvage(arguments: argparse.Namespace) -> list[Path]:
    entities = entities_of(arguments)
    if entities is None or not entities.exists:
        check_no_entity(arguments.entity, arguments.study)
        return [given_results(arguments.dir or arguments.study)]
    if arguments.entity is not None:
        return [entities.of(entities.entity(arguments.entity))]
    folders = [entities.of(entity) for entity in entities.entities()]
    return [folder for folder in folders if RunFolder(folder).has_results()]


def _selected(results: Trials, arguments: argparse.Namespace) -> Trials:
    where = arguments.where
    if where is None and arguments.sort is None and arguments.top is None and not arguments.reverse:
        return results
    from kftune.results.selection import Selected, Wanted

    holds = None
    if where is not None:
        from kftune.results.where import condition

        holds = condition(where, results.meta)
    return Selected(results, Wanted(holds, arguments.sort, arguments.reverse, arguments.top))


def _write_file(results: Trials, arguments: argparse.Namespace) -> int:
    """Writes a format that is no text."""
    if arguments.format == "parquet":
        from kftune.results.parquet import to_parquet

        return _put_parquet(lambda: to_parquet(results, curves=arguments.curves), arguments)
    if arguments.out is None:
        raise UsageError("--format optuna writes a file of SQLite; say which: --out study.db")
    from kftune.local.samplers.optuna_export import write_storage

    for note in write_storage(results, arguments.out):
        print(f"note: {note}", file=sys.stderr)
    print(f"wrote {arguments.out}")
    return 0


def _put_parquet(made: Callable[[], bytes], arguments: argparse.Namespace) -> int:
    if arguments.out is None and sys.stdout.isatty():
        raise UsageError("a Parquet file is not for a terminal; say where to write it: --out trials.parquet")
    content = made()
    if arguments.out is None:
        write_binary(content)
    else:
        write_bytes(arguments.out, content)
        print(f"wrote {arguments.out}")
    return 0


def _to_table(results: Trials, curves: bool) -> str:
    if curves:
        header, rows = curves_to_rows(results)
        return fitted(header, rows) + "\n"
    header, rows = to_rows(results)
    different = differing(dict(zip(header, row, strict=True)) for row in rows)
    hidden = {"started", "ended", "exit_code", "stopped_by", *COLUMNS} - {*different}
    shown = [(index, name) for index, name in enumerate(header) if name not in hidden]
    cells = [[short(name, row[index]) for index, name in shown] for row in rows]
    return fitted([name for _, name in shown], cells) + "\n"


_FILES = ("optuna", "parquet")
_WITH_CURVES = ("text", "json", "csv", "parquet")
_FORMATS: dict[str, Callable[[Trials, bool], str]] = {
    "text": _to_table,
    "json": lambda results, curves: to_text(to_json(results, curves=curves), indent=None if curves else 2),
    "csv": lambda results, curves: to_csv(results, curves=curves),
    "html": lambda results, _: results_page(results),
    "seed": lambda results, _: to_text(to_seed_json(results)),
}
