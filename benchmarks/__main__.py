"""Compares kftune with its peers: `python -m benchmarks`. Installs the peers: `python -m benchmarks setup`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.curves import picture
from benchmarks.measure import BenchmarkError, Line, Search, Skipped
from benchmarks.page import PICTURE, figure, page, spread
from benchmarks.stacks import MAIN, PEERS, VENVS, Stack

ROWS = {
    "a": "a_start_up",
    "b": "b_render",
    "c": "c_local",
    "d": "d_metrics",
    "e": "e_best",
    "f": "f_argv",
    "g": "g_pipeline",
    "h": "h_lint",
    "i": "i_search",
    "j": "j_stopping",
    "m": "m_models",
    "w": "w_warm",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the requested rows.

    Returns:
        0 when every goal is met, 1 when one is missed or a side broke.
    """
    arguments = _parser().parse_args(argv)
    if arguments.action == "setup":
        return _set_up()
    rounds = 3 if arguments.quick else arguments.rounds
    report: dict[str, Any] = {"machine": _machine(), "rounds": rounds, "rows": []}
    report["versions"] = {"Python": {"Python": platform.python_version()}}
    print(f"{report['machine']}, {rounds} rounds; the ratio is the median of the pairs [quartiles]")
    good = True
    for row in arguments.rows:
        good &= _measure(row, rounds, report)
    _print_versions(report["versions"])
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if arguments.page:
        titles = {row: _module(row).TITLE for row in arguments.rows}
        arguments.page.write_text(page(report, titles), encoding="utf-8")
        drawn = [line for line in report["rows"] if line.get("curves")]
        if drawn:
            arguments.page.with_name(PICTURE).write_text(picture(drawn), encoding="utf-8")
    return 0 if good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("action", nargs="?", choices=["run", "setup"], default="run", help="setup installs the peers")
    parser.add_argument(
        "--rows", type=_rows, default=list("abcdefgh"), metavar="a,b", help="these rows (default: a to h)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="how many times each side is measured (default: 7)")
    parser.add_argument("--quick", action="store_true", help="3 rounds: a rough first result")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure to a file")
    parser.add_argument("--page", type=Path, metavar="FILE", help="also write the table as Markdown")
    return parser


def _rows(text: str) -> list[str]:
    rows = text.split(",")
    unknown = sorted(set(rows) - set(ROWS))
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown row {unknown[0]!r}; rows are {', '.join(ROWS)}")
    return rows


def _set_up() -> int:
    for stack in PEERS:
        print(f"installing {stack.packages[0]} into {VENVS.name}/{stack.name}")
        stack.install()
    return 0


def _measure(row: str, rounds: int, report: dict[str, Any]) -> bool:
    module = _module(row)
    started = time.monotonic()
    print(f"\n({row}) {module.TITLE}", flush=True)
    good = True
    with tempfile.TemporaryDirectory(prefix="kftune-bench-") as folder:
        try:
            for line in module.measure(rounds, Path(folder)):
                print(_text(line), flush=True)
                report["rows"].append({"row": row, **_data(line)})
                good &= isinstance(line, Skipped) or line.passed
        except (BenchmarkError, OSError) as error:
            print(f"  BROKEN: {error}", flush=True)
            report["rows"].append({"row": row, "broken": str(error)})
            good = False
    print(f"  ({time.monotonic() - started:.0f} s)")
    report["versions"].update(_versions(module))
    return good


def _module(row: str) -> ModuleType:
    return import_module(f"benchmarks.{ROWS[row]}")


def _text(line: Line) -> str:
    if isinstance(line, Skipped):
        return f"  {line.ours} : {line.peer}\n    skipped: {line.reason}"
    if isinstance(line, Search):
        (name, ours), *peers = line.sides.items()
        found = "".join(f"\n    {line.wins[peer]:.2f} {peer} {spread(values)}" for peer, values in peers)
        return (
            f"  {line.what}: {name} {spread(ours)}; wins against, goal >= {line.least:.2f}  "
            f"{'PASS' if line.passed else 'WORSE'}{found}"
        )
    low, high = line.quartiles
    return (
        f"  {line.ours} : {line.peer}\n"
        f"    {figure(line.our_values, line.unit)} : {figure(line.peer_values, line.unit)}"
        f" = {line.ratio:.3g} [{low:.3g} .. {high:.3g}], goal <= {line.goal:g}  {'PASS' if line.passed else 'OVER'}"
    )


def _data(line: Line) -> dict[str, Any]:
    if isinstance(line, Skipped):
        return {"ours": line.ours, "peer": line.peer, "skipped": line.reason}
    if isinstance(line, Search):
        return {
            "what": line.what,
            "sides": {name: list(values) for name, values in line.sides.items()},
            "curves": {name: list(values) for name, values in line.curves.items()},
            "wins": line.wins,
            "least": line.least,
            "passed": line.passed,
        }
    return {
        "ours": line.ours,
        "peer": line.peer,
        "unit": line.unit,
        "our_values": list(line.our_values),
        "peer_values": list(line.peer_values),
        "ratio": line.ratio,
        "quartiles": list(line.quartiles),
        "goal": line.goal,
        "passed": line.passed,
    }


def _versions(module: ModuleType) -> dict[str, dict[str, str]]:
    stacks: tuple[Stack, ...] = (MAIN, *module.STACKS)
    found: dict[str, dict[str, str]] = {}
    for stack in stacks:
        found[f"{stack.name}: {stack.packages[0]}"] = stack.versions()
    return found


def _print_versions(versions: dict[str, dict[str, str]]) -> None:
    print("\nversions")
    for packages in versions.values():
        if packages:
            print(f"  {', '.join(f'{name} {version}' for name, version in packages.items())}")


def _machine() -> str:
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{_processor()}, {_cores()} cores, {system}, {time.strftime('%Y-%m-%d')}"


def _processor() -> str:
    try:
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    lines = (line.partition(":") for line in described.splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == "model name"), platform.machine())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
