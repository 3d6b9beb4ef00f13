"""`run_study`: a study on this machine, from its file to its results."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from kftune._version import __version__
from kftune.errors import RunError
from kftune.local.processes.interrupts import Interrupts
from kftune.local.processes.launch import Launcher
from kftune.local.processes.leftovers import stop_leftovers
from kftune.local.samplers import check_runs_here, make_sampler
from kftune.local.study import plan
from kftune.local.study.engine import Engine
from kftune.local.study.events import OnEvent, now
from kftune.local.study.progress import Outcome
from kftune.local.study.study_plan import study_plan
from kftune.results import FINISHED, Meta, RunFolder, TrackedMetric, slug
from kftune.results.store import Store
from kftune.study import Study


def run_study(
    study: Study,
    folder: str | Path,
    *,
    study_path: str | Path | None = None,
    on_event: OnEvent | None = None,
    gpus: Sequence[str] | None = None,
    strict: bool = False,
    fresh: bool = False,
    launch: Callable[[RunFolder], plan.Launcher] | None = None,
) -> Outcome:
    """Runs a study here until its budget is used up, its goal is reached, or it is interrupted.

    Results that the folder has already are gone on with: what has finished stays and is never repeated, what was cut
    short runs again under the same number with the same values.

    Args:
        study: The study.
        folder: Where results go.
        study_path: The study's file: trials run in its folder, and find its modules.
        on_event: Called with what happens.
        gpus: The devices to share out among trials, as CUDA_VISIBLE_DEVICES names them. None finds them; an empty
            sequence lets trials that ask for a GPU run without.
        strict: Refuse a study of which something, such as an algorithm's setting, has no effect here.
        fresh: Move earlier results aside, and begin anew.
        launch: Makes what starts trials in another way than as processes; `study_path` and `gpus` then have no meaning.

    Raises:
        RunError: The study cannot run here.
        StoreError: Another run writes to the folder, or it holds the results of another study.
        MissingExtraError: A package that the algorithm needs is not installed.
    """
    check_runs_here(study.algorithm.name)
    path = Path(folder).resolve()
    launcher: plan.Launcher
    if launch is not None:
        launcher = launch(RunFolder(path))
    else:
        launcher = Launcher(study, RunFolder(path), None if study_path is None else Path(study_path), gpus)
    seed = random.SystemRandom().getrandbits(32) if study.algorithm.seed is None else study.algorithm.seed
    with Store(path, _meta(study, seed), keep_seed=study.algorithm.seed is None, fresh=fresh) as store:
        trials = store.trials()
        stop_leftovers((trial for trial in trials if trial.state not in FINISHED), store.folder.outputs)
        sampler = make_sampler(
            study,
            study.algorithm,
            study.objective.direction,
            store.meta.seed,
            parallel=launcher.parallel,
            trials=trials,
        )
        notes = [*launcher.notes, *sampler.notes]
        if strict and notes:
            raise RunError("\n".join(notes))
        return Engine(study_plan(study), store, sampler, launcher, Interrupts(), on_event).run()


def _meta(study: Study, seed: int) -> Meta:
    objective, compared = study.objective, study.compared()
    return Meta(
        name=study.name,
        slug=slug(study.name),
        direction=objective.direction,
        metrics=tuple(TrackedMetric(name, how) for name, how in study.reductions.items()),
        goal=objective.goal,
        algorithm=study.algorithm.name,
        settings=dict(study.algorithm.settings),
        seed=seed,
        max_trials=study.budget.max_trials,
        parallel=study.budget.parallel,
        fixed=study.fixed_values,
        space=compared["space"],
        identity=study.identity(),
        compared=compared,
        created=now(),
        version=__version__,
    )
