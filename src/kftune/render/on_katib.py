"""What Katib runs in place of a study's own algorithm, and which studies it cannot run at all."""

from __future__ import annotations

from kftune.errors import RenderError
from kftune.spec.part import PartError
from kftune.study import Algorithm, Study
from kftune.study.checks import check_algorithm

_MOST_SHOWN = 60


def on_katib(study: Study) -> Study:
    """Returns a study with the algorithm that it has on Katib.

    Args:
        study: The study.

    Raises:
        RenderError: It has constraints, starts from past trials, or has an algorithm that runs on this machine only and
            names no other.
    """
    if study.constraints:
        first = study.constraints[0]
        raise RenderError(
            f"Katib draws each value by itself, so it cannot keep the constraint "
            f"{first if len(first) <= _MOST_SHOWN else f'{first[:_MOST_SHOWN]}…'}; run the study on this machine "
            f"(kftune run), search one choice whose values are the combinations, or remove the constraints (on a "
            f"command line: ~constraints), so that all combinations are tried",
            ("constraints",),
        )
    # Source: katib, pkg/apis/manager/v1beta1/api.proto: a request has the Experiment and its own trials only; a warm
    # start is issue 1067, open.
    if study.start_from:
        raise RenderError(
            f"Katib starts every Experiment from nothing: its suggestion services take no points and no results of "
            f"others, so it cannot start from {study.start_from[0].place}; run the study on this machine (kftune run), "
            f"narrow its search to what past trials show (kftune summarise --across … -o study.yaml), or remove "
            f"start_from (on a command line: ~start_from)",
            ("start_from",),
        )
    other = study.targets.katib.algorithm
    if other is None:
        if study.algorithm.name == "grid":
            _check_grid(study)
        if study.algorithm.runs_on_katib:
            return study
        raise RenderError(
            f"the algorithm {study.algorithm.name} runs on this machine only; name one that Katib has in its place, "
            f"such as targets.katib.algorithm: random",
            ("algorithm", "name"),
        )
    algorithm = Algorithm(name=other.name, seed=study.algorithm.seed, settings=other.settings)
    substituted = study.model_copy(update={"algorithm": algorithm})
    try:
        check_algorithm(substituted)
        if other.name == "grid":
            _check_grid(substituted)
    except PartError as error:
        raise RenderError(f"targets.katib.algorithm: {error}", ("targets", "katib", "algorithm")) from error
    return substituted


def _check_grid(study: Study) -> None:
    """Checks that a grid fits into the budget with the points that the class refuses, which Katib tries too."""
    most = study.budget.max_trials
    if study.size > most:
        raise RenderError(
            f"a grid on Katib also tries the points that {study.hparams.__name__} refuses, so it has {study.size}, but "
            f"max_trials={most}; set max_trials to {study.size}, or set targets.katib.algorithm to random",
            ("budget", "max_trials"),
        )
