"""Compares studies: the best of each, the best so far, what differs, and whether the trials are enough to tell.

A study is named as for kftune results: its file, a folder of results, a file with trials, or katib:NAMESPACE/NAME.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from kftune.cli.arguments import a_source
from kftune.cli.output import write_data
from kftune.cli.places import add_source_options, open_given
from kftune.cli.table import fitted, indented
from kftune.results.compare import compare
from kftune.results.export import to_text

_STEPS = (1, 2, 5)
_LONGEST_VALUE = 60


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("studies", nargs="+", type=a_source, metavar="STUDY", help="two or more")
    parser.add_argument("--metric", help="the metric that counts (default: the objective of the studies)")
    add_source_options(parser)
    parser.add_argument("--format", choices=["text", "json"], default="text")


def run(arguments: argparse.Namespace) -> int:
    """Prints the comparison; the exit code is 1 if no trial has succeeded."""
    with ExitStack() as stack:
        opened = [
            stack.enter_context(open_given(argparse.Namespace(**{**vars(arguments), "study": study, "dir": None})))
            for study in arguments.studies
        ]
        found = compare(opened, arguments.metric)
    if arguments.format == "json":
        write_data(to_text(found))
    else:
        print("\n".join(_text(found)))
    return 0 if found["best"] is not None else 1


def _text(found: Mapping[str, Any]) -> Iterator[str]:
    objective, equal = found["objective"], found["equal_trials"]
    studies = found["studies"]
    yield f"{objective['direction']} {objective['metric']}\n"
    header = ["study", "trials", "best", "trial", f"best of {equal}", "90 % interval", "chance"]
    yield f"{fitted(header, [_row(study) for study in studies], 'json')}\n"
    yield "best so far after n trials\n"
    counts = list(_counts(max(study["trials"] for study in studies)))
    rows = [[str(count), *(_number(_at(study["best_so_far"], count)) for study in studies)] for count in counts]
    yield f"{indented(fitted(['n', *(study['label'] for study in studies)], rows, 'json'))}\n"
    yield from _about_space(found["space"], len(studies))
    yield from _about_differences(found["differences"], [study["label"] for study in studies])
    for caution in found["cautions"]:
        yield f"caution: {caution}"


def _row(study: Mapping[str, Any]) -> list[str]:
    best = study["best"]
    low, high = study["interval_at_equal"]
    chance = study["chance"]
    return [
        study["label"],
        str(study["trials"]),
        "" if best is None else _number(best["value"]),
        "" if best is None else best["trial"],
        _number(study["best_at_equal"]),
        "" if low is None and high is None else f"{_number(low) or 'none'} to {_number(high) or 'none'}",
        "" if chance is None else f"{chance:.0%}",
    ]


def _about_space(space: Mapping[str, Any], count: int) -> Iterator[str]:
    yield f"space  the same in all {count}: {', '.join(space['common']) or 'nothing'}"
    for name, domains in space["other_domain"].items():
        yield f"       {name} differs: {'; '.join(f'{label} {_short(domain)}' for label, domain in domains.items())}"
    for name, labels in space["not_in_all"].items():
        yield f"       {name} only in {', '.join(labels)}"
    yield ""


def _about_differences(differences: Mapping[str, Mapping[str, Any]], labels: Sequence[str]) -> Iterator[str]:
    if not differences:
        yield "algorithm, budget and code are the same\n"
        return
    rows = [[name, *(_short(values[label]) for label in labels)] for name, values in differences.items()]
    yield f"{fitted(['differs', *labels], rows, 'json')}\n"


def _counts(most: int) -> Iterator[int]:
    """Yields 1, 2, 5, 10, … and the last one."""
    scale = 1
    while scale <= most:
        yield from (scale * step for step in _STEPS if scale * step < most)
        scale *= 10
    yield most


def _at(curve: Sequence[float | None], count: int) -> float | None:
    return curve[count - 1] if 0 < count <= len(curve) else None


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _short(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        text = ", ".join(each.removeprefix("sha256:")[:12] for each in value) or "not known"
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
