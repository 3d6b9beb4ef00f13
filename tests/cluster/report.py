"""Turns the results of `make e2e` into a table: for each part what was compared, and how it ended."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from cluster.layout import ClusterError

_HEAD = ("part", "tests", "passed", "skipped", "compared", "seconds")
_BAD = ("failure", "error")


def report(results: Path) -> str:
    """Returns a Markdown table of the results, what the tests note beside their counts, and the tests that fail.

    Args:
        results: The file that pytest writes with `--junit-xml`.

    Raises:
        ClusterError: It does not exist.
    """
    if not results.exists():
        raise ClusterError(f"{results} does not exist: `make e2e` writes it")
    cases = [*ElementTree.parse(results).getroot().iter("testcase")]  # noqa: S314 - our own file
    parts: dict[str, list[ElementTree.Element]] = {}
    for case in cases:
        parts.setdefault(case.get("classname", "").rpartition(".")[2].removeprefix("test_"), []).append(case)
    rows = [_HEAD, ("---",) * len(_HEAD), *(_row(name, part) for name, part in parts.items())]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    notes = [
        f"- {one.get('name')}: {one.get('value')}"
        for case in cases
        for one in case.iter("property")
        if not one.get("value", "").isdecimal()
    ]
    failing = [f"{_outcome(case)}: {case.get('name')}" for case in cases if _outcome(case) in _BAD]
    return "\n".join([_summary(cases), "", *lines, "", *notes, *failing])


def _summary(cases: list[ElementTree.Element]) -> str:
    count = Counter(map(_outcome, cases))
    minutes = sum(_seconds(case) for case in cases) / 60
    told = f"{count['passed']} of {len(cases)} tests pass, {count['skipped']} are skipped, in {minutes:.0f} minutes"
    return ", ".join([told, *_versions()]) + "."


def _versions() -> Iterator[str]:
    for name, text in json.loads(os.environ.get("KFTUNE_E2E_VERSIONS", "{}")).items():
        yield f"{name} {text}"


def _row(name: str, cases: list[ElementTree.Element]) -> tuple[str, ...]:
    count = Counter(map(_outcome, cases))
    compared: Counter[str] = Counter()
    for case in cases:
        for one in case.iter("property"):
            if one.get("value", "").isdecimal():
                compared[one.get("name", "")] += int(one.get("value", "0"))
    told = ", ".join(f"{number} {what}" for what, number in compared.items())
    seconds = f"{sum(map(_seconds, cases)):.0f}"
    return name, str(len(cases)), str(count["passed"]), str(count["skipped"]), told, seconds


def _seconds(case: ElementTree.Element) -> float:
    return float(case.get("time", "0"))


def _outcome(case: ElementTree.Element) -> str:
    return next((kind for kind in (*_BAD, "skipped") if case.find(kind) is not None), "passed")
