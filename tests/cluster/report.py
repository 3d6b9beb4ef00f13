"""Turns the results of `make e2e` into a table: what each test compared, and how it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from cluster.layout import ClusterError

_HEAD = ("test", "compared", "result", "seconds")


def report(results: Path) -> str:
    """Returns a Markdown table of the results.

    Args:
        results: The file that pytest writes with `--junit-xml`.

    Raises:
        ClusterError: It does not exist.
    """
    if not results.exists():
        raise ClusterError(f"{results} does not exist: `make e2e` writes it")
    # Our own file: it has no entities.
    suite = ElementTree.parse(results).getroot().find("testsuite")  # noqa: S314
    assert suite is not None
    rows = [_HEAD, ("---",) * len(_HEAD), *map(_row, suite.iter("testcase"))]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    count = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
    passed = count["tests"] - count["failures"] - count["errors"] - count["skipped"]
    minutes = float(suite.get("time", "0")) / 60
    told = [f"{passed} of {count['tests']} tests pass, {count['skipped']} skipped, in {minutes:.0f} minutes"]
    return "\n".join([", ".join([*told, *_versions()]) + ".", "", *lines])


def _versions() -> Iterator[str]:
    for name, text in json.loads(os.environ.get("KFTUNE_E2E_VERSIONS", "{}")).items():
        yield f"{name} {text}"


def _row(case: ElementTree.Element) -> tuple[str, ...]:
    module = case.get("classname", "").rpartition(".")[2].removeprefix("test_")
    name = case.get("name", "").removeprefix("test_").replace("_", " ")
    compared = [f"{one.get('value')} {one.get('name')}" for one in case.iter("property")]
    return f"{module}: {name}", ", ".join(compared), _result(case), f"{float(case.get('time', '0')):.0f}"


def _result(case: ElementTree.Element) -> str:
    for kind in ("failure", "error", "skipped"):
        if (found := case.find(kind)) is not None:
            reason = found.get("message", "").partition("\n")[0][:80]
            return f"skipped: {reason}" if kind == "skipped" else kind
    return "passed"
