"""`tune`: runs a study on this machine, from Python."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, Unpack, overload

from kftune.api.call import importing
from kftune.api.functions import Function, called, step_of
from kftune.api.options import Options, changed, study_at, study_of
from kftune.api.tuned import Tuned
from kftune.errors import RunError, UsageError
from kftune.hparams import Hparams
from kftune.lint.study import drift_notes
from kftune.local import Outcome, run_study
from kftune.local.study.events import OnEvent
from kftune.local.views import study_view
from kftune.results import open_results, slug
from kftune.results.records import UNSUCCESSFUL
from kftune.runs import RUNS, make_results_folder
from kftune.study import Study

H = TypeVar("H", bound=Hparams)

_NOT_APPLIED = "apply of the study has no effect here; kftune run applies, and so does kftune.tuning.apply_best_trial"


class _Job(NamedTuple):
    """What runs."""

    study: Study
    place: Path
    """A file in the folder in which trials run; only its folder counts."""
    notes: list[str]
    """What the user should know before it runs."""


@overload
def tune(
    what: Study | str | Path,
    /,
    *,
    dir: str | Path | None = ...,
    show: bool = ...,
    on_event: OnEvent | None = ...,
    gpus: Sequence[str] | None = ...,
    fresh: bool = ...,
    retry_failed: bool = ...,
    **options: Unpack[Options],
) -> Tuned[Hparams]: ...


@overload
def tune(
    what: Function[H],
    /,
    *,
    hparams: type[H] | None = ...,
    dir: str | Path | None = ...,
    show: bool = ...,
    on_event: OnEvent | None = ...,
    gpus: Sequence[str] | None = ...,
    fresh: bool = ...,
    retry_failed: bool = ...,
    **options: Unpack[Options],
) -> Tuned[H]: ...


def tune(
    what: Any,
    /,
    *,
    hparams: type[Hparams] | None = None,
    dir: str | Path | None = None,
    show: bool = True,
    on_event: OnEvent | None = None,
    gpus: Sequence[str] | None = None,
    fresh: bool = False,
    retry_failed: bool = False,
    **options: Unpack[Options],
) -> Tuned[Any]:
    """Runs a study here, and waits for its end. Call it again to go on where it has stopped.

    Each trial is a process, with the same limits, stopping rules and retries as under ``kftune run``. A function is
    found by its name in that process, so it is written with ``def`` at the top of a ``.py`` file, and a script calls
    `tune` under ``if __name__ == "__main__":``.

    Args:
        what: A study, the path of its file, or a function that takes an instance of a class of hyperparameters and
            returns the value of the objective, or a dict of metrics. A function that reports with `kftune.report` may
            return None.
        hparams: The class of the function's argument; None takes the one that it is annotated with.
        dir: Where the results go. Default: ``runs/NAME`` beside the file, or in the current folder.
        show: Whether to print a line for each trial.
        on_event: Called with each event, in place of these lines.
        gpus: The devices to share among trials; None finds them.
        fresh: Move earlier results aside, and start over.
        retry_failed: Run trials again that failed.
        **options: Parts of the study, such as max_trials, parallel and seed; see `kftune.api.options.Options`.

    Returns:
        The results.

    Raises:
        UsageError: A trial cannot find the function, or an option is unknown.
        StudyError: The study is invalid.
        RunError: It cannot run here, no trial has succeeded, or too many have failed.
        StoreError: The folder has the results of another study.
        OutputError: Its lines cannot be printed; all trials have ended and are stored.
        KeyboardInterrupt: Ctrl-C, after all trials have ended and are stored.
    """
    if importing():
        raise UsageError(
            f"kftune.tune was called while a trial imports {importing().partition(':')[0]} to find its function; put "
            f"the call under if __name__ == '__main__':"
        )
    job = _job(what, hparams, options)
    folder = (job.place.parent / RUNS / slug(job.study.name)) if dir is None else Path(dir)
    make_results_folder(folder)
    given: dict[str, Any] = {
        "gpus": gpus,
        "fresh": fresh,
        "retry_failed": retry_failed,
        "study_path": job.place,
        "notes": job.notes,
    }
    if on_event is None and show:
        with study_view(sys.stdout, [f"kftune best {folder}"], plain=True) as view:
            outcome = run_study(job.study, folder, on_event=view, **given)
    else:
        outcome = run_study(job.study, folder, on_event=on_event, **given)
    _check(outcome, folder)
    return Tuned(folder, job.study.hparams)


def _job(what: Any, hparams: type[Hparams] | None, options: Mapping[str, Any]) -> _Job:
    if isinstance(what, Study | str | Path):
        if hparams is not None:
            raise UsageError("hparams is for a function; a study has its own class, so leave it out")
        path = Path.cwd() / "study.yaml" if isinstance(what, Study) else Path(what)
        study = changed(what if isinstance(what, Study) else study_at(path), options)
        notes = [_NOT_APPLIED] if study.apply is not None else []
        return _Job(study, path, [*notes, *drift_notes(study, path)])
    call = called(what, hparams)
    first = study_of(call.hparams, call.name.replace("_", "-"), {"command": ("function",)}, options)
    step = step_of(call, first.objective.metric)
    return _Job(first.replace(step=step), Path.cwd() / "function.py", [])


def _check(outcome: Outcome, folder: Path) -> None:
    """Raises an error if a study has no result that a caller should go on with."""
    if outcome.state == "Interrupted":
        raise KeyboardInterrupt(outcome.message)
    if outcome.state != "Failed":
        return
    with open_results(folder) as results:
        failed = [trial for trial in results.trials() if trial.state in UNSUCCESSFUL]
    why = outcome.message
    if outcome.reason == "MaxFailedReached":
        why = (
            f"{len(failed)} of {sum(outcome.counts.values())} trials have failed; their logs are in {folder}/logs. "
            f"Give retry_failed=True to run them again, a greater max_failed or max_trials to go on, or fresh=True to "
            f"start over"
        )
    last = f"\n{failed[-1].name}: {failed[-1].message}" if failed else ""
    raise RunError(f"the study has failed: {why}{last}")
