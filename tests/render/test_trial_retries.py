"""What of `budget.retries` a rendered trial can do, and what the render says about the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from render_examples import make_study

from kftune import yaml_text
from kftune.lint import check
from kftune.render import Rendering, render

STEP = {
    "image": "registry.example/plain:1",
    "module": "plain.train",
    "resources": {"cpu": 1, "memory": "1Gi"},
}
UNITS = {"out_of_memory": {"halve": "units"}}
LOST = [{"type": "DisruptionTarget", "status": "True"}]
IGNORE_LOST = {"action": "Ignore", "onPodConditions": LOST}
FAIL_LOST = {"action": "FailJob", "onPodConditions": LOST}


def fail_on(operator: str, *codes: int) -> dict[str, Any]:
    return {
        "action": "FailJob",
        "onExitCodes": {"containerName": "train", "operator": operator, "values": [*codes]},
    }


def rendered(retries: dict[str, Any] | None = None, kind: str = "Job", **budget: Any) -> Rendering:
    given = {"budget": {**budget, **({} if retries is None else {"retries": retries})}}
    return render(make_study(step=STEP, targets={"katib": {"trial_kind": kind}}, **given))


def job_of(rendering: Rendering) -> dict[str, Any]:
    (experiment,) = rendering.documents
    spec = experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]
    return {key: value for key, value in spec.items() if key != "template"}


FAIL_KILLED = fail_on("In", 137, 143)
JOBS: dict[str, tuple[dict[str, Any] | None, int, list[dict[str, Any]]]] = {
    "nothing": (None, 0, []),
    "zeros": ({"failed": 0, "lost": 0, "out_of_memory": 0}, 0, []),
    "lost": ({"lost": 2}, 0, [IGNORE_LOST]),
    "failed": ({"failed": 2}, 2, [FAIL_LOST, FAIL_KILLED]),
    "failed and lost": ({"failed": 2, "lost": 1}, 2, [IGNORE_LOST, FAIL_KILLED]),
    "memory": ({"out_of_memory": 3}, 3, [FAIL_LOST, fail_on("NotIn", 137)]),
    "memory and lost": ({"out_of_memory": 3, "lost": 1}, 3, [IGNORE_LOST, fail_on("NotIn", 137)]),
    "failed and memory": ({"failed": 1, "out_of_memory": 3}, 4, [FAIL_LOST]),
    "all": ({"failed": 1, "out_of_memory": 3, "lost": 1}, 4, [IGNORE_LOST]),
    "smaller values": (UNITS, 0, []),
    "smaller values and failed": ({"failed": 1, **UNITS}, 1, [FAIL_LOST, FAIL_KILLED]),
}


@pytest.mark.parametrize("case", JOBS)
def test_a_job_starts_its_pod_again_after_the_kinds_that_it_can_tell(case: str):
    retries, count, rules = JOBS[case]
    expected = {"backoffLimit": count, **({"podFailurePolicy": {"rules": rules}} if rules else {})}
    assert job_of(rendered(retries)) == expected


@pytest.mark.parametrize("case", JOBS)
def test_lint_finds_nothing_in_such_a_job(case: str, tmp_path: Path):
    study = rendered(JOBS[case][0], trial_timeout="1h")
    (tmp_path / "study.katib.yaml").write_text(yaml_text.dump_all(study.documents))
    assert check([tmp_path / "study.katib.yaml"]).findings == ()


def test_the_two_keys_for_lost_trials_mean_the_same():
    by_step = render(make_study(step={**STEP, "preemption": {"retries": 2}}))
    by_budget = render(make_study(step=STEP, budget={"retries": {"lost": 2}}))
    assert (by_step.documents, by_step.notes) == (by_budget.documents, by_budget.notes)


MEMORY = "a Job knows want of memory by the exit code 137 only"
NOTES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "failed": ("Job", {"failed": 2}, [MEMORY]),
    "memory": ("Job", {"out_of_memory": 2}, [MEMORY]),
    "both": ("Job", {"failed": 2, "out_of_memory": 3}, ["a Job has one counter: a trial runs again up to 5", MEMORY]),
    "halve": ("Job", UNITS, ["Katib cannot change the values of a trial: it does not halve units"]),
    "halve and failed": ("Job", {**UNITS, "failed": 1}, ["Katib cannot change the values of a trial", MEMORY]),
    "PyTorchJob": ("PyTorchJob", {"failed": 2}, ["a PyTorchJob does not start failed pods again"]),
    "PyTorchJob: memory": ("PyTorchJob", UNITS, ["a PyTorchJob does not start failed pods again"]),
    "PyTorchJob: all": ("PyTorchJob", {"failed": 1, "lost": 1}, ["a PyTorchJob fails when", "a PyTorchJob does not"]),
    "TrainJob": ("TrainJob", {"out_of_memory": 2}, ["the runtime of a TrainJob decides how often failed pods start"]),
}


@pytest.mark.parametrize("case", NOTES)
def test_what_an_object_cannot_do_is_told(case: str):
    kind, retries, told = NOTES[case]
    plain = set(rendered(kind=kind).notes)
    notes = [note for note in rendered(retries, kind).notes if note not in plain]
    assert [note.startswith(start) for note, start in zip(notes, told, strict=True)] == [True] * len(told)


def test_a_timeout_that_counts_as_want_of_memory_is_told():
    notes = rendered({"out_of_memory": 1}, trial_timeout="1h").notes
    assert "out_of_memory retries both" in " ".join(notes)


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
def test_other_objects_are_rendered_as_without_retries(kind: str):
    assert rendered({"failed": 2, "out_of_memory": 2}, kind).documents == rendered(None, kind).documents
