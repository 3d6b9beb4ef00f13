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
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kftune.applying import Plan, Problem, Target, baseline_command, choose, evidence_for, message_for, plan_for
from kftune.applying.message import branch_name
from kftune.cli.applying import add_place_arguments, check_names, hparams_of, place_of
from kftune.cli.output import write_data
from kftune.cli.places import add_results_arguments, entities_of, given_entities, open_given
from kftune.errors import UsageError
from kftune.results import FINISHED, Trials
from kftune.results.entities import EntitiesFolder, Row
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
    return _apply(arguments, lambda problem: print(f"not applied: {problem}", file=sys.stderr))


def _apply(arguments: argparse.Namespace, refused: Callable[[Problem], None], run: str = "") -> int:
    """Applies the best values of one study; `run` is the command that runs the present values, if not that for it."""
    place = place_of(arguments)
    with open_given(arguments) as results:
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
        run = run or _baseline_of_one(arguments, results, target)
        problem = evidence.problem(needs_baseline=not arguments.no_baseline, run=run, target=target)
        if problem and not arguments.force:
            refused(problem)
            return 1
        if problem:
            print(f"note: applied all the same, because of --force: {problem.why}", file=sys.stderr)
        message = message_for(results, chosen, evidence, planned)
        if arguments.branch is not None:
            return _branch(arguments, results, planned, message.title, message.body)
    return _write(arguments, planned)


def _apply_all(entities: EntitiesFolder, arguments: argparse.Namespace) -> int:
    """Applies the best values of each entity that has some, each at its own place."""
    for name in ("at", "trial", "branch"):
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name} is for one entity; give --entity NAME too")
    code, problems = 0, list[Problem]()

    def refused(problem: Problem) -> None:
        problems.append(problem)
        print(f"not applied: {problem.why}", file=sys.stderr)

    rows = [row for row in entities.rows() if row.entity.listed]
    run = _baseline_of_all(arguments, entities, rows)
    for row in rows:
        if row.best is not None:
            print(f"{row.entity.name}:")
            one = argparse.Namespace(**{**vars(arguments), "entity": row.entity.name})
            code = max(code, _apply(one, refused, run))
        else:
            print(f"{row.entity.name}: not applied: no trial has succeeded", file=sys.stderr)
    if problems:
        # What to do is said once, not for each of two hundred entities.
        print(f"not applied: {len(problems)} of {len(rows)} entities", file=sys.stderr)
        _say(dict.fromkeys(problem.remedy for problem in problems))
    return code


def _baseline_of_one(arguments: argparse.Namespace, results: Trials, target: Target) -> str:
    """Returns the command that runs the present values as one more trial of a study, or of one of its entities."""
    done = _finished(results.counts())
    more = f" budget.max_trials={done + 1}" if done >= results.meta.max_trials else ""
    if arguments.entity is None:
        return baseline_command(f"kftune run {_file(arguments)}{more}", target.path, target.at)
    entities = entities_of(arguments)
    of_all = sum(_finished(row.counts) for row in entities.rows()) if entities is not None else 0
    run = (
        f"kftune run {_file(arguments)} --entity {shlex.quote(arguments.entity)}{more}{_shared(arguments, of_all + 1)}"
    )
    return baseline_command(run, target.path)  # each entity has its own place there


def _baseline_of_all(arguments: argparse.Namespace, entities: EntitiesFolder, rows: Sequence[Row]) -> str:
    """Returns the command that runs the present values as one more trial of each entity."""
    # The order of a run is fair, so each entity has had one more trial when all have as many as this.
    each = 1 + max((_finished(row.counts) for row in rows), default=0)
    first = next((results for row in rows if row.counts and (results := entities.open(row.entity))), None)
    more = ""
    if first is not None:
        with first:
            more = f" budget.max_trials={each}" if each > first.meta.max_trials else ""
    run = f"kftune run {_file(arguments)}{more}{_shared(arguments, each * len(rows))}"
    return baseline_command(run, place_of(arguments).to)


def _shared(arguments: argparse.Namespace, number: int) -> str:
    """Returns the override that allows all entities together so many trials, where a limit allows fewer."""
    path: Path = arguments.through or arguments.study
    if path.suffix not in YAML_SUFFIXES or not path.is_file():
        return ""
    from kftune.study import load_study

    each = load_study(path).for_each
    limit = None if each is None else each.budget.max_trials
    return "" if limit is None or limit >= number else f" for_each.budget.max_trials={number}"


def _file(arguments: argparse.Namespace) -> Path | str:
    return arguments.study if arguments.study.suffix in YAML_SUFFIXES else "STUDY.yaml"


def _finished(counts: Mapping[Any, int]) -> int:
    return sum(count for state, count in counts.items() if state in FINISHED)


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
