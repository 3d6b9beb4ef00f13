"""A tune step whose study has entities, on this machine: a loop over them, with the points of the study by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local_pipeline import Project

from kftune.local.study.run import run_study
from kftune.results import open_results
from kftune.study import study_from_dict

STUDY: dict[str, Any] = {
    "name": "sites",
    "hparams": "LstmHparams",
    "values": {"circuit": "${entity}"},
    "for_each": {"items": ["a b", "it's $HOME"], "budget": {"parallel": 4}},
    "objective": {"metric": "loss", "direction": "minimize"},
    "algorithm": {"name": "random", "seed": 3},
    "budget": {"max_trials": 2, "parallel": 2},
    "step": {"command": ["sh", "-c", 'echo "loss=${#1}"', "train"], "args": ["--where=at ${entity}"]},
}


def tried(folder: Path) -> list[dict[str, str]]:
    with open_results(folder) as results:
        return [trial.assignment for trial in results.trials()]


def test_each_entity_runs_with_its_values_and_the_points_that_it_has_by_itself(tmp_path: Path):
    project = Project(tmp_path)
    after = project.step("after", "write('seen', given['found'])", inputs={"found": "${steps.tune.outputs.objective}"})
    steps = {"tune": {"kind": "tune", "study": STUDY}, "after": {**after, "outputs": {"seen": "str"}}}
    run = project.run(project.pipeline(steps))
    assert run.outcome.state == "Succeeded", run.ends
    (seen,) = tmp_path.glob("runs/*/steps/after/outputs/seen")
    assert seen.read_text() == "[14.0,21.0]"  # the lengths of --where=at a b, and of the other
    whole = study_from_dict(STUDY)
    for number, name in enumerate(("a b", "it's $HOME"), start=1):
        (of_loop,) = tmp_path.glob(f"runs/*/steps/tune-entities/{number:04}/tune/study")
        own = tmp_path / f"own-{number}"
        run_study(whole.for_entity(name), own)
        assert tried(of_loop) == tried(own)
        assert {each["circuit"] for each in tried(own)} == {name}
