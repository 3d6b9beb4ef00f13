from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from kftune.lint.rule import SEVERITIES
from kftune.lint.search import Search, search_problems
from kftune.lint.search.space import parameters_of

DATA = Path(__file__).parent / "data" / "lint" / "engines.jsonl.gz"

# What the recorded outcome cannot say, or chance decided.
EXPLAINED = {
    # Recorded after one batch, whose trials were nearly all; the Experiment would have stayed Running.
    **dict.fromkeys(
        (f"hyperband-matrix-{number:04}" for number in (238, 246, 250, 251, 252, 253)), "the last trials never come"
    ),
    **dict.fromkeys(
        (f"hyperband-lattice-{number:04}" for number in (460, 5236, 5242, 5243)), "the last trials never come"
    ),
    "hyperband-hbcount-4153": "results came one by one, so that each request was for one",
    # The distribution was not compared in these runs of 1000 draws; it is ignored all the same.
    **dict.fromkeys(("cmaes-lattice-5223", "sobol-lattice-5233", "pbt-lattice-5253"), "not compared"),
    # Drawn at random, and lucky: most points of these grids stop the search.
    **dict.fromkeys(("grid-logbounds-0890", "grid-logbounds-0974"), "chance"),
    "pbt-logbounds-1952": "chance: one point of eleven is below min",
    # Beyond what the rules look at.
    "cmaes-bounds-1393": "a range of 2^63",
    "bayesianoptimization-bounds-1298": "bounds of 1e-320",
}


def recorded() -> list[dict[str, Any]]:
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def outcome_of(case: dict[str, Any]) -> str:
    search = Search(
        case["algorithm"],
        tuple((name, value) for name, value in case["settings"]),
        tuple(parameters_of(case["parameters"])),
        case["parallel"],
        case["max"],
    )
    outcomes = [problem.outcome for problem in search_problems(search) if problem.outcome != "habit"]
    return min(outcomes, key=SEVERITIES.index, default="ok")


def test_every_recorded_outcome_is_predicted_or_explained_by_name():
    wrong = {case["id"] for case in recorded() if outcome_of(case) != case["outcome"]}
    assert wrong == set(EXPLAINED)
    assert len(wrong) < len(recorded()) / 100
