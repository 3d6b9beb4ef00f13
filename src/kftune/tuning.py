"""Functions for notebooks and scripts that tune models: run a study, take its best values, paste or compare them.

Each one is short for what a command does: `submit_tuning_job` for ``kftune run``, `get_best_trial_results` for
``kftune best``, `generate_circuits_yaml_snippet` for ``kftune snippet``, and `apply_best_trial` for ``kftune apply``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kftune.applying import Target, baseline_command, choose, evidence_for, plan_for, snippet, with_baseline
from kftune.applying.classes import class_of
from kftune.errors import UsageError
from kftune.local import run_study
from kftune.results import Trials, slug
from kftune.results.sources.find import open_trials
from kftune.runs import RUNS
from kftune.study import load_study


class TuningJob(NamedTuple):
    """A study that has run.

    Attributes:
        name: The name of the study.
        folder: Its results.
        state: Succeeded, Failed or Interrupted.
        message: Why it ended, as a sentence.
    """

    name: str
    folder: Path
    state: str
    message: str


class BestTrial(NamedTuple):
    """The best trial of a study.

    Attributes:
        study: The name of the study.
        trial: The name of the trial.
        metric: The objective.
        value: Its value.
        hyperparameters: What was searched, by dotted name, as the class reads it.
        fixed: What all trials of the study were given.
        given: All values that the trial was given, in the order of its command line.
        metrics: The value that counts of each metric.
        trials: How many trials the study has.
    """

    study: str
    trial: str
    metric: str
    value: float | None
    hyperparameters: dict[str, Any]
    fixed: dict[str, Any]
    given: dict[str, Any]
    metrics: dict[str, float | None]
    trials: int


Run = TuningJob | str | Path
"""A job, or the folder or file with the trials of a study."""


def submit_tuning_job(
    study: str | Path, *overrides: str, folder: str | Path | None = None, baseline: bool = False
) -> TuningJob:
    """Runs a study here, and waits for its end. Run it again to go on where it has stopped.

    Args:
        study: The study file.
        overrides: Changes to it, as for ``kftune run``: ``budget.max_trials=10``, ``name=circuit02``.
        folder: Where the results go; ``runs/NAME`` beside the file by default.
        baseline: Whether the defaults of the class are tried first.

    Returns:
        How it ended.

    Raises:
        StudyError: The study is invalid.
        RunError: It cannot run here.
        StoreError: The folder has the results of another study.
    """
    path = Path(study)
    loaded = load_study(path, overrides)
    place = Path(folder) if folder is not None else path.parent / RUNS / slug(loaded.name)
    outcome = run_study(with_baseline(loaded) if baseline else loaded, place, study_path=path)
    return TuningJob(loaded.name, place, outcome.state, outcome.message)


def get_best_trial_results(run: Run, *, metric: str | None = None) -> BestTrial:
    """Returns the best trial of a study.

    Args:
        run: The job, or the folder or file with its trials.
        metric: With several objectives: the one in which the trial is to be the best.

    Raises:
        UsageError: No trial has succeeded, or several are equally good.
        StoreError: There are no trials.
    """
    with _opened(run) as results:
        return _best_of(results, _place(run), metric)


def _best_of(results: Trials, place: Path, metric: str | None) -> BestTrial:
    hparams, _ = class_of(results, place)
    chosen = choose(results, hparams, metric=metric)
    trial, tracked = chosen.trial, {each.name: each.reduce for each in results.meta.metrics}
    metrics = {name: trial.metrics[name].number(reduce) for name, reduce in tracked.items() if name in trial.metrics}
    name = results.meta.objectives[chosen.objective or 0].name
    return BestTrial(
        study=results.meta.name,
        trial=trial.name,
        metric=name,
        value=metrics.get(name, trial.objective),
        hyperparameters=chosen.values,
        fixed=chosen.others,
        given=chosen.all_values,
        metrics=metrics,
        trials=sum(results.counts().values()),
    )


def generate_circuits_yaml_snippet(best: BestTrial | Run, at: str = "") -> str:
    """Returns the values of the best trial as a block of YAML, to be pasted.

    Args:
        best: The best trial, or the job, or the folder or file with its trials.
        at: Keys around the values, such as ``PLANT001/CIRCUIT01``.

    Raises:
        UsageError: No trial has succeeded, or several are equally good.
        StoreError: There are no trials.
    """
    found = best if isinstance(best, BestTrial) else get_best_trial_results(best)
    return snippet(found.given, at)


def compare_tuning_runs(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Returns a row for each study, the best value first: a table, as ``pandas.DataFrame`` takes it.

    Args:
        runs: The jobs, or the folders or files with their trials. Their first objective must be the same.

    Raises:
        UsageError: A study has no result, or they have other objectives.
        StoreError: One has no trials.
    """
    rows = []
    aims = set()
    for run in runs:
        with _opened(run) as results:
            objective = results.meta.objectives[0]
            aims.add((objective.name, objective.direction))
            best = _best_of(results, _place(run), objective.name)
        rows.append(
            {
                "study": best.study,
                "trials": best.trials,
                "best": best.trial,
                best.metric: best.value,
                **best.hyperparameters,
            }
        )
    if len(aims) > 1:
        named = " and ".join(sorted(f"{direction} {name}" for name, direction in aims))
        raise UsageError(f"studies are compared in one objective, but these have {named}; compare those of one")
    for name, direction in aims:
        rows.sort(key=lambda row: row[name], reverse=direction == "maximize")
    return rows


def apply_best_trial(
    run: Run, to: str | Path, at: str = "", *, add: bool = False, baseline: bool = True, write: bool = True
) -> str:
    """Writes the values of the best trial into a YAML file, as ``kftune apply`` does.

    Args:
        run: The job, or the folder or file with its trials.
        to: The file.
        at: The mapping in it, such as ``PLANT001/CIRCUIT01``.
        add: Whether keys that are missing are added.
        baseline: Whether a trial of the present values is needed that is worse.
        write: Whether the file is written; otherwise only the difference is returned.

    Returns:
        The changes as a unified diff; empty if the file has these values already.

    Raises:
        UsageError: The evidence does not suffice, or keys are missing.
        YamlError: The file is not YAML, has no such mapping, or a value cannot be changed safely.
    """
    with _opened(run) as results:
        hparams, _ = class_of(results, _place(run))
        chosen = choose(results, hparams)
        target = Target(Path(to), at)
        planned = plan_for(chosen, target, hparams, add=add)
        evidence = evidence_for(results, chosen, target, hparams)
    if not planned.changes:
        return ""
    run = baseline_command("kftune run STUDY.yaml", target.path, target.at)
    problem = evidence.problem(needs_baseline=baseline, run=run, target=target)
    if problem:
        raise UsageError(f"not applied: {problem}")
    if write:
        planned.write()
    return planned.diff()


def _opened(run: Run) -> Trials:
    return open_trials(_place(run))


def _place(run: Run) -> Path:
    return run.folder if isinstance(run, TuningJob) else Path(run)
