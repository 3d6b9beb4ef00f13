"""Removes what is large in results and can be made again; prints it, and removes it with --yes.

These go: logs and outputs of trials that have ended and are not among the best, files of earlier tries, results that
--fresh moved aside, and the cache of pipeline runs that are gone. With --keep-runs, old runs of pipelines go too. The
database of a study stays, and so does all that a run writes to now. Links are removed, and not followed. The exit code
is 1 if something cannot be read or removed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kftune.cli.arguments import a_count, a_path
from kftune.cli.places import given_results
from kftune.cli.table import table
from kftune.errors import UsageError
from kftune.results.kept import plan, remove
from kftune.results.kept.disk import size_text
from kftune.results.layout import ASIDE


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("place", type=a_path, metavar="FOLDER|STUDY", help="a folder with results below it, or a file")
    parser.add_argument(
        "--keep-best", type=a_count, default=3, metavar="N", help="trials of a study that keep their files (default: 3)"
    )
    parser.add_argument(
        "--keep-runs", type=a_count, metavar="N", help="runs of a pipeline that stay, the latest (default: all)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only print what would go; so it is without --yes")
    parser.add_argument("--yes", action="store_true", help="remove it")


def run(arguments: argparse.Namespace) -> int:
    """Prints what can go, or removes it."""
    if arguments.dry_run and arguments.yes:
        raise UsageError("--dry-run removes nothing, and --yes removes; give one of them")
    place: Path = arguments.place
    folder = given_results(place)
    # The results of a file are also those that its --fresh moved aside.
    aside = [] if place.is_dir() else sorted(folder.parent.glob(f"{folder.name}{ASIDE}*"))
    aside = [path for path in aside if path.is_dir() and not path.is_symlink()]
    made = plan(folder, aside=aside, keep_best=arguments.keep_best, keep_runs=arguments.keep_runs)
    problems = [f"cannot be read: {each}" for each in made.unreadable]
    gone = made.unneeded
    if arguments.yes:
        gone, not_removed = remove(made.unneeded)
        problems += not_removed
    if gone:
        print(table(["path", "why", "size"], [[each.path, each.why, size_text(each.bytes)] for each in gone]))
    for left in made.left:
        print(f"stays: {left}")
    total = f"{len(gone)} files and folders, {size_text(sum(each.bytes for each in gone))}"
    if made.is_empty:
        print(f"no results below {folder}")
    elif arguments.yes:
        print(f"removed: {total}")
    else:
        print(f"would go: {total}; --yes removes them" if gone else "nothing would go")
    for each in problems:
        print(each, file=sys.stderr)
    return 1 if problems else 0
