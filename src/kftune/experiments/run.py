"""`run_list`: runs the experiments of a list on this machine, with the engine that runs studies."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from kftune._version import __version__
from kftune.errors import RunError, StoreError
from kftune.experiments.entries import FOLDER, Experiment
from kftune.experiments.file import Experiments
from kftune.experiments.results import Found, found_of
from kftune.experiments.study import PRESET, PresetStudy, study_of
from kftune.local import Event, Outcome, TrialFinished
from kftune.local.processes.interrupts import Interrupts
from kftune.local.processes.start import Start
from kftune.local.samplers import Sampler, Setup, Space, Strategy, Suggestion
from kftune.local.study.alone import StudyAlone
from kftune.local.study.audience import Audience
from kftune.local.study.changes import changes
from kftune.local.study.events import OnEvent, now
from kftune.local.study.plan import StudyPlan
from kftune.local.study.reader import StudyReader
from kftune.local.study.retries import retry_note
from kftune.local.study.shared_trials import trial_variables
from kftune.local.study.trials import StudyTrials
from kftune.metrics.definition import exponent_notes
from kftune.results import FINISHED, Meta, RunFolder, TrackedMetric, Trial, open_results, slug
from kftune.results.store import Store

_CHANGED = "the experiment has changed in the list since it ran"


class ListRun(NamedTuple):
    """How a run of a list ended.

    Attributes:
        outcome: The same as of a study.
        found: What the experiments of this run have reached so far, in the order of the list.
    """

    outcome: Outcome
    found: list[Found]


class _Sampler(Sampler):
    """Gives each trial the next experiment that has not run yet, in their order."""

    def __init__(self, study: PresetStudy, waiting: Iterable[Experiment]) -> None:
        space = Space(study)
        super().__init__(space, Strategy(Setup(space, study.algorithm, study.objective.direction, 0)), 0)
        self._waiting = deque(each.name for each in waiting)

    def ask(self, number: int) -> Suggestion | None:
        return self.suggestion({PRESET: self._waiting.popleft()}) if self._waiting else None

    def total(self, budget: int) -> int:
        return budget


class _Trials(StudyTrials):
    """Starts experiments. The folder of one may be the beginning of another one's, so the marks end with a slash."""

    def _record(self, trial: str, assignment: Mapping[str, str], output: Path, gpus: Sequence[str] | None) -> Start:
        start = super()._record(trial, assignment, output, gpus)
        folder = f"{output}/"
        variables = trial_variables(trial, folder)
        return start.with_changes(env={**start.env, **variables}, mark=(start.mark[0], folder))

    def remove_leftovers(self, trials: Iterable[Trial]) -> None:
        for trial in trials:
            if trial.state not in FINISHED:
                groups = [(trial.pid, trial.pid_started)] if trial.pid else []
                mark = f"KFTUNE_OUTPUT_DIR={self.folder.output(trial.name)}/"
                self.runner.remove_leftovers(mark, self.labels, groups)


class _Store(Store):
    """The results of a list, of which a run sees the chosen experiments only."""

    chosen: frozenset[str] = frozenset()

    def trials(self) -> list[Trial]:
        """Returns the chosen experiments that have run, by number."""
        return [trial for trial in super().trials() if trial.name in self.chosen]

    def found(self, name: str) -> Trial | None:
        """Returns an experiment; None if it has not run."""
        return next((trial for trial in self.trials() if trial.name == name), None)


def run_list(
    listed: Experiments,
    folder: str | Path,
    *,
    keys: Sequence[str] | None = None,
    parallel: int = 1,
    gpus: Sequence[str] | None = None,
    on_event: OnEvent | None = None,
    on_found: Callable[[list[Found]], object] = len,
    results_file: Path | None = None,
    fresh: bool = False,
    retry_failed: bool = False,
) -> ListRun:
    """Runs experiments here until all have ended, or the run is interrupted. One that fails does not end the others.

    Existing results in the folder are resumed: finished experiments do not run again, unless the list has other values
    for them now. Those that were cut short run again.

    Args:
        listed: The list.
        folder: Where results go: the files of each experiment in a folder of its name.
        keys: The names of the experiments to run; None for all.
        parallel: How many run at the same time.
        gpus: The devices to share, as CUDA_VISIBLE_DEVICES names them. None finds them, an empty sequence uses none.
        on_event: Called with each event of the run.
        on_found: Called with what the experiments have reached so far, after each of them.
        results_file: The file that `on_found` writes; it may be in the folder.
        fresh: Move earlier results aside, and start over.
        retry_failed: Run experiments again that have failed, with the same values.

    Raises:
        ConfigurationError: A name is unknown.
        RunError: The list cannot run here, or the results file cannot be written.
        StoreError: Another run writes to the folder, or it holds other results.
    """
    if parallel < 1:
        raise RunError(f"at least one experiment runs at the same time, but parallel is {parallel}")
    if results_file is not None:
        _check_results_file(results_file)
    path = Path(folder).resolve()
    is_foreign = listed.file.step.arguments is not None
    chosen = [_with_folder(_with_all(each) if is_foreign else each, path) for each in listed.chosen(keys)]
    names = tuple(each.name for each in chosen)
    # Trials that share imports are forks of one process, which is found by the folder of all trials.
    study = study_of(listed, chosen, listed.file.step.model_copy(update={"warm": False}), parallel)
    own = [results_file.name] if results_file is not None and results_file.resolve().parent == path else []
    place = RunFolder(path, tuple({*names, *_earlier_names(path), *own}))
    trials = _Trials(study, place, listed.place, gpus=gpus)
    with _Store(place, _meta(listed, study, names), fresh=fresh) as store:
        store.chosen = frozenset(names)
        trials.folder = store.folder
        trials.remove_leftovers(store.trials())
        for each in chosen:
            trial = store.found(each.name)
            if trial is not None and trial.assignment != dict(each.texts):
                store.run_again(trial.number, each.texts, _CHANGED)
                trials.notes.append(f"{each.name} runs again: {_CHANGED}")
        earlier = store.trials()
        trials.notes += store.notes
        trials.notes += exponent_notes(study.metric_definitions)
        trials.notes += changes(trials.code, trials.revision, earlier)
        if retry_failed:
            trials.notes.append(retry_note(earlier))
        known = {trial.name for trial in earlier}
        waiting = [each for each in chosen if each.name not in known]
        _check_free(store.folder, waiting)
        sampler = _Sampler(study, waiting)

        interrupts = Interrupts()
        audience = Audience(on_event, interrupts)

        def tell(event: Event) -> None:
            audience(event)
            if isinstance(event, TrialFinished):
                on_found(found_of(listed, chosen, store))

        plan = StudyPlan(
            meta=store.meta._replace(max_trials=len(chosen)),
            max_failed=None,
            reader=lambda trial: StudyReader(study),
            grace=study.step.grace_period,
        )
        engine = StudyAlone(plan, store, sampler, trials, interrupts, emit=tell, retry_failed=retry_failed)
        outcome = engine.run()
        found = found_of(listed, chosen, store)
        on_found(found)
        audience.raise_error()
        return ListRun(outcome, found)


def _check_results_file(file: Path) -> None:
    """Checks that a file can be written, before the hours after which it is.

    Raises:
        RunError: It cannot.
    """
    try:
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        file.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise RunError(
            f"{file}: results go here, but this file cannot be written: {error.strerror}; give another one"
        ) from error


def _check_free(folder: RunFolder, waiting: Iterable[Experiment]) -> None:
    """Checks that no experiment writes into a folder of someone else: a second try would move it away.

    Raises:
        StoreError: One would.
    """
    for each in waiting:
        output = folder.output(each.name)
        # A run that was killed just after a start leaves a log of an experiment that it has not stored.
        if not folder.log(each.name).exists() and (output.is_file() or (output.is_dir() and any(output.iterdir()))):
            raise StoreError(
                "an experiment writes to the folder of its name, but this one has files that are not its results; "
                "give another folder (--output-dir), or move them away",
                str(output),
            )


def _with_all(experiment: Experiment) -> Experiment:
    """Returns an experiment that passes all values: a script with its own parser does not know the class's defaults."""
    return replace(experiment, texts=experiment.hparams.to_assignments())


def _with_folder(experiment: Experiment, folder: Path) -> Experiment:
    """Returns an experiment that writes to the folder of its name, if its class has a field for the folder of all."""
    leaves = experiment.hparams.leaves()
    if FOLDER not in leaves or "experiment_name" not in leaves:
        return experiment
    texts = {**experiment.texts, FOLDER: str(folder)}
    ordered = {name: texts[name] for name in leaves if name in texts}
    return Experiment(experiment.key, experiment.name, experiment.hparams, experiment.given, ordered)


def _earlier_names(path: Path) -> tuple[str, ...]:
    try:
        with open_results(path) as earlier:
            return earlier.meta.trial_names
    except StoreError:  # there are none, or opening them for writing says what is wrong
        return ()


def _meta(listed: Experiments, study: PresetStudy, names: tuple[str, ...]) -> Meta:
    objective, given = study.objective, study.step.arguments
    compared = {
        "objective": {"metric": objective.metric, "direction": objective.direction, "reduce": objective.reduction},
        "regex": objective.regex,
        "command": {"line": study.step.start, **({} if given is None else {"arguments": given.model_dump()})},
        "hparams": f"{study.listed.__module__}:{study.listed.__qualname__}",
    }
    return Meta(
        name=listed.name,
        slug=slug(listed.name),
        direction=objective.direction,
        metrics=tuple(TrackedMetric(name, how) for name, how in study.reductions.items()),
        goal=None,
        algorithm=study.algorithm.name,
        settings={},
        seed=0,
        max_trials=len(names),
        parallel=study.budget.at_once,
        fixed={},
        space={PRESET: study.space[PRESET].to_spec()},
        identity=hashlib.sha256(json.dumps(compared, sort_keys=True).encode()).hexdigest(),
        compared=compared,
        created=now(),
        version=__version__,
        trial_names=names,
    )
