"""The commands behind `make cluster`, `make cluster-down`, `make cluster-status` and `make e2e`.

PYTHONPATH=tests python -m cluster up|down|status|environment|report
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from cluster import kind, own
from cluster.components import kubernetes
from cluster.environment import environment
from cluster.layout import ClusterError
from cluster.report import report


def main(arguments: list[str]) -> int:
    """Runs a command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m cluster", description="A cluster of one node for the tests.")
    parser.add_argument("command", choices=("up", "down", "status", "environment", "report"))
    parser.add_argument("file", nargs="?", default="build/e2e.xml", help="the results to report (default: %(default)s)")
    parser.add_argument("--kubernetes", default="1.36", help="the minor version (default: %(default)s)")
    parser.add_argument("--kind", action="store_true", help="use kind, where Docker runs")
    parser.add_argument("--build-flag", action="append", default=[], help="an option for the builds of images")
    try:
        _run(parser.parse_args(arguments))
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; `make cluster-down` removes what is there", file=sys.stderr)
        return 130
    return 0


def _run(given: argparse.Namespace) -> None:
    if given.command == "environment":
        print("".join(f"export {name}={shlex.quote(text)}\n" for name, text in environment().items()), end="")
    elif given.command == "report":
        print(report(Path(given.file)))
    else:
        _run_on_cluster(given)


def _run_on_cluster(given: argparse.Namespace) -> None:
    way: kind.Kind | own.Own
    if given.kind or kind.is_up():
        way = kind.Kind(given.build_flag)
    else:
        way = own.Own(kubernetes(given.kubernetes), given.build_flag)
    if given.command == "down":
        way.down()
        return
    if given.command == "up":
        way.up()
    print(way.status())


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main(sys.argv[1:]))
