"""What happens before and after a study runs: the present values as its first trial, and its key `apply`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kftune.applying import Target, baseline_command, choose, evidence_for, plan_for, with_baseline
from kftune.applying.plan import check_keys
from kftune.cli.applying import names_of
from kftune.errors import UsageError
from kftune.results import open_results

if TYPE_CHECKING:
    from kftune.study import Study


def prepared(study: Study, arguments: argparse.Namespace) -> Study:
    """Returns the study that is run: with the present values first, if a command line or the study asks for it.

    Args:
        study: The study.
        arguments: The command line of `kftune run`.

    Raises:
        UsageError: The present values cannot be a trial, or a key is missing that `apply` may not add.
        YamlError: The file with them is not YAML.
    """
    if arguments.baseline_from is None and (arguments.at is not None or arguments.map):
        raise UsageError("--at and --map belong to --baseline-from FILE; give it too")
    if arguments.baseline_from is not None and arguments.baseline:
        raise UsageError("--baseline tries the defaults of the class, --baseline-from the values of a file; give one")
    if arguments.baseline:
        study = with_baseline(study)
    if arguments.baseline_from is not None:
        target = Target(arguments.baseline_from, arguments.at or "", names_of(arguments.map))
        study = with_baseline(study, target, option="--baseline-from")
    if study.apply is None:
        return study
    target = _target(study, arguments.file)
    check_keys(study.space, target, add=study.apply.add)  # not only after the run
    if study.apply.baseline and arguments.baseline_from is None:
        study = with_baseline(study, target, option="apply (baseline: false runs without)")
    return study


def apply_best(study: Study, folder: Path, file: Path, *, quiet: bool) -> None:
    """Writes the best values of a study that has run, as its key `apply` says.

    Args:
        study: The study.
        folder: Its results.
        file: Its file.
        quiet: Whether standard output is for events.

    Raises:
        KftuneError: They cannot be written.
    """
    if study.apply is None:
        return
    stream = sys.stderr if quiet else sys.stdout
    with open_results(folder) as results:
        target = _target(study, file)
        if results.meta.more_objectives and len(results.pareto()) > 1:
            print(
                f"not applied: the Pareto set has several trials; choose one: kftune apply {file} --metric NAME",
                file=sys.stderr,
            )
            return
        chosen = choose(results, study.hparams)
        planned = plan_for(chosen, target, study.hparams, add=study.apply.add)
        if not planned.changes:
            print(f"{target.label} has the values of {chosen.trial.name} already", file=stream)
            return
        evidence = evidence_for(results, chosen, target, study.hparams)
        run = baseline_command(f"kftune run {file}", target.path, target.at)
        problem = evidence.problem(needs_baseline=study.apply.baseline, run=run, target=target)
    if problem:
        print(f"not applied: {problem}", file=sys.stderr)
        return
    for note in planned.notes:
        print(f"note: {note}", file=sys.stderr)
    print("\n".join([*evidence.lines(), planned.diff()]), end="", file=stream)
    planned.write()
    print(f"wrote {target.path}", file=stream)


def _target(study: Study, file: Path) -> Target:
    place = study.apply
    if place is None:
        raise UsageError(f"{file}: the study has no key apply; add apply: {{to: FILE}}")
    return Target(file.parent / place.to, place.at, place.map)
