"""Writes the best values of a study into a YAML file, and leaves the rest of the file as it is.

kftune apply study.yaml --to circuits.yaml --at PLANT001/CIRCUIT01
kftune apply study.yaml --to config.yaml --at training --map lr=optimizer.learning_rate
kftune apply study.yaml --to circuits.yaml --at PLANT001/CIRCUIT01 --branch

It shows the changes, and asks in a terminal; elsewhere it needs --yes. It refuses values that no trial shows to be
better than the present ones: kftune run study.yaml --baseline-from circuits.yaml --at PLANT001/CIRCUIT01 runs these
first. --branch makes a git branch with one commit that states the evidence, and changes no file here.
The paths of --at and --map: keys with / between them, or dots if there is no /; name=C1 or 0 for an item of a list; a
backslash before a sign that belongs to a key. A study with the key apply needs no --to.
Exit codes: 0 applied, or there already; 1 refused or not written; 2 wrong use.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from kftune.applying import Plan, Target, choose, evidence_for, message_for, plan_for
from kftune.applying.message import branch_name
from kftune.cli.applying import add_place_arguments, check_names, hparams_of, place_of
from kftune.cli.output import write_data
from kftune.cli.places import add_results_arguments, given_entities, open_given
from kftune.errors import UsageError
from kftune.results import FINISHED, Trials
from kftune.results.entities import EntitiesFolder
from kftune.results.sources.through_study import entity_of
from kftune.runs import YAML_SUFFIXES


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add_results_arguments(parser)
    add_place_arguments(parser)
    parser.add_argument("--trial", metavar="NAME", help="this trial, by name or number (default: the best)")
    parser.add_argument("--metric", help="with several objectives: the one in which the trial is to be the best")
    parser.add_argument("--add", action="store_true", default=None, help="add keys that are missing, at the end")
    parser.add_argument(
        "--shared", action="store_true", help="change values that other places use too, through an anchor"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="show the changes only")
    parser.add_argument("--no-baseline", action="store_true", help="apply without a trial of the present values")
    parser.add_argument("--force", action="store_true", help="apply whatever the evidence is")
    parser.add_argument(
        "--branch",
        nargs="?",
        const="",
        metavar="NAME",
        help="make a git branch with one commit in place of writing the file (default name: kftune/STUDY-PLACE)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Shows the changes, and writes them."""
    if arguments.dry_run and arguments.yes:
        raise UsageError("--dry-run writes nothing, and --yes writes without asking; give one of them")
    entities = given_entities(arguments)
    if entities is not None:
        return _apply_all(entities, arguments)
    with open_given(arguments) as results:
        place = place_of(arguments, entity_of(results))
        hparams = hparams_of(arguments, results)
        target = Target(place.to, place.at, place.names)
        chosen = choose(results, hparams, trial=arguments.trial, metric=arguments.metric)
        check_names(place.names, [*chosen.values, *chosen.idle])
        planned = plan_for(chosen, target, hparams, add=place.add, shared=arguments.shared)
        print(f"{chosen.trial.name} of {sum(results.counts().values())} trials of {results.meta.name}")
        _say(f"{name} stays as it is: its condition does not hold in the trial" for name in chosen.idle)
        if not planned.changes:
            print(f"{target.label} has these values already")
            return 0
        evidence = evidence_for(results, chosen, target, hparams)
        print("\n".join(evidence.lines()))
        _say(planned.notes)
        sys.stdout.flush()
        write_data(planned.diff())
        problem = evidence.problem(
            needs_baseline=not arguments.no_baseline, run=_run_command(arguments.study, results), target=target
        )
        if problem and not arguments.force:
            print(f"not applied: {problem}", file=sys.stderr)
            return 1
        if problem:
            print(f"note: applied all the same, because of --force: {problem.partition('. ')[0]}", file=sys.stderr)
        message = message_for(results, chosen, evidence, planned)
        if arguments.branch is not None:
            return _branch(arguments, results, planned, message.title, message.body)
    return _write(arguments, planned)


def _apply_all(entities: EntitiesFolder, arguments: argparse.Namespace) -> int:
    """Applies the best values of each entity that has some, each at its own place."""
    for name in ("at", "trial", "branch"):
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name} is for one entity; give --entity NAME too")
    code = 0
    for row in entities.rows():
        if row.best is not None and row.entity.listed:
            print(f"{row.entity.name}:")
            code = max(code, run(argparse.Namespace(**{**vars(arguments), "entity": row.entity.name})))
        else:
            print(f"{row.entity.name}: not applied: no trial has succeeded", file=sys.stderr)
    return code


def _run_command(study: Path, results: Trials) -> str:
    """Returns the command that runs one more trial of a study."""
    file = study if study.suffix in YAML_SUFFIXES else "STUDY.yaml"
    done = sum(count for state, count in results.counts().items() if state in FINISHED)
    more = f" budget.max_trials={done + 1}" if done >= results.meta.max_trials else ""
    return f"kftune run {file}{more}"


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _write(arguments: argparse.Namespace, planned: Plan) -> int:
    if arguments.dry_run:
        return 0
    if not arguments.yes and not _agreed(f"write this to {planned.target.path}?"):
        return 1
    planned.write()
    print(f"wrote {planned.target.path}")
    return 0


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        print("nothing is written: this is no terminal to ask in; give --yes to write", file=sys.stderr)
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    print("nothing is written", file=sys.stderr)
    return False


def _branch(arguments: argparse.Namespace, results: Trials, planned: Plan, title: str, body: str) -> int:
    from kftune.commits import commit_on_branch

    name = arguments.branch or branch_name(results, planned)
    if arguments.dry_run:
        print(f"\nbranch {name}\n\n{title}\n\n{body}")
        return 0
    if not arguments.yes and not _agreed(f"make the branch {name}?"):
        return 1
    made = commit_on_branch(planned.target.path, planned.content, name, f"{title}\n\n{body}")
    print(
        f"made the branch {made.branch} with the commit {made.commit[:12]}; {made.base} and your files are as before\n"
        f"to propose it: git push -u origin {made.branch}, and open a pull request with this text\n\n{title}\n\n{body}"
    )
    return 0
