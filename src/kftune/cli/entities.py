"""Runs a study for each of its entities, and prints what is known of them."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kftune.cli.output import write_data
from kftune.cli.table import fitted
from kftune.errors import UsageError
from kftune.results import Trials
from kftune.results.entities import STOPPED, UNREADABLE, EntitiesFolder, Row
from kftune.results.export import to_json, to_rows, to_text
from kftune.results.origins import COLUMNS

if TYPE_CHECKING:
    from kftune.local.entities.outcome import EntitiesOutcome
    from kftune.local.study.events import OnEvent
    from kftune.study import Study

# Columns that a table in a terminal has no room for.
_HIDDEN = {"started", "ended", "exit_code", "stopped_by", *COLUMNS}

View = Callable[[], AbstractContextManager["OnEvent"]]


def prepared(
    study: Study, folder: Path, arguments: argparse.Namespace, gpus: Sequence[str] | None
) -> tuple[Callable[[OnEvent], int], View, Callable[[int], None]]:
    """Returns what runs a study for each of its entities, its view, and what comes after the run.

    Args:
        study: The study.
        folder: Where results go.
        arguments: The command line of `kftune run`.
        gpus: The devices to share among trials.

    Raises:
        UsageError: An option is for one study.
    """
    from kftune.cli.live import open_live
    from kftune.lint.study import drift_notes
    from kftune.local.entities.run import run_entities
    from kftune.local.views import entities_view

    each = study.for_each
    if each is None:
        raise UsageError(f"{arguments.file} has no for_each")
    if arguments.at is not None:
        raise UsageError("each entity has its own place in the file of --baseline-from; leave out --at")
    first = study.for_entity((arguments.entity or [each.entities[0].name])[0])
    outcomes: list[EntitiesOutcome] = []

    def prepare(name: str, study: Study) -> Study:
        if study.apply is None and not (arguments.baseline or arguments.baseline_from or arguments.map):
            return study
        from kftune.cli.around_run import prepared as with_present_values

        at = each.entity(name).path if arguments.baseline_from else None
        return with_present_values(study, argparse.Namespace(**{**vars(arguments), "at": at}))

    def go(on_event: OnEvent) -> int:
        outcome = run_entities(
            study,
            folder,
            entities=arguments.entity,
            study_path=arguments.file,
            on_event=on_event,
            gpus=gpus,
            runtime=arguments.runtime or "process",
            notes=drift_notes(first, arguments.file),
            strict=arguments.strict,
            fresh=arguments.fresh,
            retry_failed=arguments.retry_failed,
            prepare=prepare,
            open_live=open_live,
        )
        outcomes.append(outcome)
        return outcome.exit_code

    def after(code: int) -> None:
        if study.apply is not None and code in (0, 1):
            from kftune.cli.around_run import apply_best

            results = EntitiesFolder(folder)
            for name, end in outcomes[0].entities.items():
                if end.best is not None and not end.has_failed:
                    place = results.of(results.entity(name))
                    apply_best(study.for_entity(name), place, arguments.file, quiet=arguments.json)

    hints = [f"kftune best {folder}", f"kftune best {folder} --entity NAME"]
    return go, lambda: entities_view(sys.stdout, hints, plain=arguments.plain), after


def print_status(entities: EntitiesFolder, form: str) -> None:
    """Prints how far all entities are.

    Args:
        entities: Their results.
        form: text, json or yaml.
    """
    rows, (seconds, reason, message) = list(entities.rows()), entities.state()
    writer = entities.writer()
    if form != "text":
        data = {
            "name": entities.study,
            "reason": reason,
            "running": writer is not None,
            "seconds": seconds,
            "counts": _counts_of(rows),
            "entities": [_data(row) for row in rows],
        }
        _write(form, data)
        return
    state = f"running (process {writer})" if writer else reason or f"{STOPPED}; the same kftune run resumes it"
    counts = ", ".join(f"{count} {name}" for name, count in _counts_of(rows).items()) or "none"
    print(f"study {entities.study} for {len(rows)} entities: {state}\n  trials  {counts}")
    if message and not writer:
        print(f"  {message}")
    print(f"\n{_table(rows)}")
    _say_unreadable(rows)


def print_best(entities: EntitiesFolder, arguments: argparse.Namespace) -> int:
    """Prints the best trial of each entity; the exit code is 1 if none has one.

    Args:
        entities: Their results.
        arguments: The command line of `kftune best`.

    Raises:
        UsageError: An option is for one entity.
    """
    for name in ("top", "metric"):
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name} is for one entity; give --entity NAME too")
    if arguments.format == "args":
        raise UsageError("a command line is that of one trial; give --entity NAME too")
    rows = list(entities.rows())
    if arguments.format != "text":
        _write(arguments.format, {"name": entities.study, "entities": [_data(row) for row in rows]})
    else:
        names = list(dict.fromkeys(name for row in rows if row.best is not None for name in row.best.point))
        header = ["entity", "trial", "objective", *names]
        cells = [
            [
                row.entity.name,
                *((row.best.name, row.value) if row.best else (f"({_state(row)})", "")),
                *(row.best.shown(name) if row.best is not None and name in row.best.point else "" for name in names),
            ]
            for row in rows
        ]
        print(f"the best trial of each of {len(rows)} entities of {entities.study}:\n")
        print(fitted(header, cells))
        _say_unreadable(rows)
    return 0 if any(row.best is not None for row in rows) else 1


def results_of_each(entities: EntitiesFolder, selected: Callable[[Trials], Trials]) -> Iterator[tuple[str, Trials]]:
    """Yields the name of each entity that has results, with these, which are open until the next one.

    Args:
        entities: Their results.
        selected: Returns the trials that the command line chooses.
    """
    for entity in entities.entities():
        results = entities.open(entity)
        if results is not None:
            with results:
                yield entity.name, selected(results)


def results_text(entities: EntitiesFolder, arguments: argparse.Namespace, selected: Callable[[Trials], Trials]) -> str:
    """Returns the trials of all entities as text.

    Args:
        entities: Their results.
        arguments: The command line of `kftune results`.
        selected: Returns the trials that the command line chooses.

    Raises:
        UsageError: The format is for one entity.
    """
    form = arguments.format
    if form not in ("text", "csv", "json") or arguments.curves:
        what = "--curves" if arguments.curves else f"--format {form}"
        raise UsageError(f"{what} is for one entity; give --entity NAME too")
    found: dict[str, Any] = {}
    lines: list[tuple[str, dict[str, Any]]] = []
    for entity, chosen in results_of_each(entities, selected):
        if form == "json":
            found[entity] = to_json(chosen)
        else:
            names, rows = to_rows(chosen)
            lines += [(entity, dict(zip(names, row, strict=True))) for row in rows]
    if form == "json":
        return to_text({"study": entities.study, "entities": found})
    header = list(dict.fromkeys(name for _, line in lines for name in line if form == "csv" or name not in _HIDDEN))
    cells = [[entity, *(line.get(name, "") for name in header)] for entity, line in lines]
    if form == "text":
        return fitted(["entity", *header], cells) + "\n"
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([["entity", *header], *cells])
    return out.getvalue()


def _counts_of(rows: Iterable[Row]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for row in rows:
        found.update(row.counts)
    return dict(sorted(found.items()))


def _table(rows: Sequence[Row]) -> str:
    """Returns a table with a line for each entity: its state, its trials, and its best one."""
    cells = [
        [
            row.entity.name if row.entity.listed else f"{row.entity.name} (no longer listed)",
            _state(row),
            ", ".join(f"{count} {state}" for state, count in row.counts.items()),
            "" if row.best is None else f"{row.value} ({row.best.name})",
        ]
        for row in rows
    ]
    return fitted(["entity", "state", "trials", "best"], cells)


def _state(row: Row) -> str:
    """Returns the state of an entity as a cell of a table, which has no room for why it cannot be read."""
    return UNREADABLE if row.state.startswith(UNREADABLE) else row.state


def _say_unreadable(rows: Iterable[Row]) -> None:
    for row in rows:
        if row.state.startswith(UNREADABLE):
            print(f"{row.entity.name} {row.state}", file=sys.stderr)


def _data(row: Row) -> dict[str, Any]:
    """Returns what is known of an entity as JSON."""
    entity, best = row.entity, row.best
    found = None if best is None else {"trial": best.name, "objective": best.objective, "values": dict(best.point)}
    return {
        "entity": entity.name,
        "path": entity.path,
        "folder": entity.folder,
        "listed": entity.listed,
        "state": row.state,
        "counts": dict(row.counts),
        "best": found,
    }


def _write(form: str, data: Any) -> None:
    if form == "json":
        write_data(f"{json.dumps(data, indent=2, ensure_ascii=False)}\n")
        return
    from kftune import yaml_text

    write_data(yaml_text.dump(data))
