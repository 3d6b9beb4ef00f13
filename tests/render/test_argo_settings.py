"""What `targets.argo` says about a cluster: accounts, what is deleted and when, where artifacts go, and limits."""

from __future__ import annotations

from typing import Any

import pytest
from argo_as_run import lint
from argo_examples import IMAGE, argo
from argo_traps import traps
from hera.workflows import models
from pipeline_examples import chain, step, tune

from kftune import yaml_text
from kftune.errors import PipelineError
from kftune.katib.crd.objects import judge_object
from kftune.render.argo import render_argo
from kftune.render.rendering import Rendering

SCHEDULE = {"cron": "30 4 * * *"}


def rendered(steps: dict[str, Any] | None = None, schedule: Any = None, **target: Any) -> Rendering:
    return render_argo(argo(steps or {"a": step()}, targets={"argo": target}, schedule=schedule))


def spec_of(steps: dict[str, Any] | None = None, **target: Any) -> Any:
    return rendered(steps, **target).documents[0]["spec"]


def tokens(spec: Any) -> dict[str, bool]:
    found = {each["name"]: each.get("automountServiceAccountToken") for each in spec["templates"]}
    return {name: token for name, token in found.items() if token is not None}


@pytest.mark.parametrize("version", ["3.6", "3.7", "4.0", "4.1"])
@pytest.mark.parametrize(
    ("target", "field", "value"),
    [
        ({"pod_gc": {"when": "step_succeeded"}}, "podGC", {"strategy": "OnPodSuccess"}),
        (
            {"pod_gc": {"when": "step_ended", "delay": "10m"}},
            "podGC",
            {"strategy": "OnPodCompletion", "deleteDelayDuration": "600s"},
        ),
        ({"pod_gc": {"when": "run_succeeded"}}, "podGC", {"strategy": "OnWorkflowSuccess"}),
        ({"pod_gc": {"when": "run_ended"}}, "podGC", {"strategy": "OnWorkflowCompletion"}),
        ({"artifact_gc": {"when": "never"}}, "artifactGC", {"strategy": "Never"}),
        ({"artifact_gc": {"when": "run_ended"}}, "artifactGC", {"strategy": "OnWorkflowCompletion"}),
        (
            {"artifact_gc": {"when": "run_deleted", "service_account": "gc", "force": True}},
            "artifactGC",
            {"strategy": "OnWorkflowDeletion", "serviceAccountName": "gc", "forceFinalizerRemoval": True},
        ),
        ({"artifact_repository": {}}, "artifactRepositoryRef", {"configMap": "artifact-repositories"}),
        (
            {"artifact_repository": {"config_map": "ours", "key": "s3.eu"}},
            "artifactRepositoryRef",
            {"configMap": "ours", "key": "s3.eu"},
        ),
        (
            {"mutex": "one", "semaphores": [{"config_map": "limits", "key": "gpus"}]},
            "synchronization",
            {
                "mutexes": [{"name": "one"}],
                "semaphores": [{"configMapKeyRef": {"name": "limits", "key": "gpus"}}],
            },
        ),
    ],
)
def test_each_setting_stands_in_the_spec_and_argo_takes_it(version: str, target: Any, field: str, value: Any):
    rendering = rendered(version=version, **target)
    assert rendering.documents[0]["spec"][field] == value
    text = yaml_text.dump_all([*rendering.documents, *rendering.created])
    assert lint(text) is None
    assert traps(text) == []
    for document in rendering.documents:
        model = getattr(models, document["kind"])
        assert model.model_validate(document).model_dump(by_alias=True, exclude_none=True, mode="json") == document
        assert judge_object(document).applied


def test_a_schedule_says_how_late_a_run_starts_and_how_many_are_kept():
    target: Any = {"starting_deadline": "10m", "keep_succeeded_runs": 0, "keep_failed_runs": 7, "keep_failed": "1d"}
    cron = rendered(schedule=SCHEDULE, **target).documents[1]["spec"]
    assert cron["startingDeadlineSeconds"] == 600
    assert (cron["successfulJobsHistoryLimit"], cron["failedJobsHistoryLimit"]) == (0, 7)


@pytest.mark.parametrize("name", ["starting_deadline", "keep_succeeded_runs", "keep_failed_runs"])
def test_what_only_a_schedule_uses_is_noted_without_one(name: str):
    note = f"targets.argo.{name} has no effect without a schedule"
    target: Any = {name: 5}
    assert note in rendered(**target).notes
    assert note not in rendered(schedule=SCHEDULE, **target).notes


@pytest.mark.parametrize(
    "target",
    [
        {"pod_gc": {"when": "sometimes"}},
        {"pod_gc": {"delay": "5m"}},
        {"pod_gc": {"when": "run_ended", "delay": 0}},
        {"artifact_gc": {"when": "step_ended"}},
        {"artifact_repository": {"key": "a/b"}},
        {"semaphores": [{"config_map": "limits"}]},
        {"keep_failed_runs": -1},
        {"executor_account": "Argo"},
    ],
)
def test_what_argo_would_refuse_is_refused_in_the_pipeline(target: Any):
    with pytest.raises(PipelineError, match=r"targets\.argo"):
        rendered(**target)


def test_without_an_account_of_its_own_argos_container_uses_that_of_the_step_and_a_note_says_who_may_what():
    rendering = rendered(chain(tune=tune(image=IMAGE)), service_account="runner")
    spec = rendering.documents[0]["spec"]
    assert "executor" not in spec
    assert "automountServiceAccountToken" not in spec
    assert tokens(spec) == {}
    assert any("which the step's program can read" in note for note in rendering.notes)
    assert any("its program may create Experiments" in note for note in rendering.notes)


def test_with_an_executor_account_only_the_program_of_a_tune_step_gets_a_token():
    spec = spec_of(chain(tune=tune(image=IMAGE)), service_account="runner", executor_account="argo-executor")
    assert spec["executor"] == {"serviceAccountName": "argo-executor"}
    assert spec["automountServiceAccountToken"] is False
    assert tokens(spec) == {"tune": True}
    notes = rendered(chain(tune=tune(image=IMAGE)), service_account="runner", executor_account="argo-executor").notes
    assert any("argo-executor.service-account-token of type kubernetes.io/service-account-token" in n for n in notes)
    assert [note for note in notes if "may create Experiments" in note] == []


@pytest.mark.parametrize(
    ("step_account", "launcher_account", "account"),
    [("own", None, "own"), (None, "launcher", "launcher"), ("own", "launcher", "own")],
)
def test_a_tune_step_with_an_account_of_its_own_keeps_others_from_creating_experiments(
    step_account: str | None, launcher_account: str | None, account: str
):
    steps = chain(tune=tune(image=IMAGE, service_account=step_account))
    rendering = rendered(steps, service_account="runner", launcher_account=launcher_account)
    templates = rendering.documents[0]["spec"]["templates"]
    accounts = {each["name"]: each["serviceAccountName"] for each in templates if "serviceAccountName" in each}
    assert accounts == {"tune": account}
    notes = rendering.notes
    assert [note for note in notes if "may create Experiments" in note] == []


def test_a_step_whose_program_needs_a_token_says_so_in_kubernetes_own_words():
    spec = spec_of({"a": step(pod={"automountServiceAccountToken": True})}, executor_account="argo-executor")
    (template,) = (each for each in spec["templates"] if each["name"] == "a")
    assert template["podSpecPatch"] == '{"automountServiceAccountToken":true}'


def test_who_deletes_artifacts_and_with_which_rights_is_noted():
    notes = rendered(artifact_gc={"when": "run_ended", "service_account": "cleaner"}).notes
    assert any("cleaner deletes artifacts" in note and "workflowartifactgctasks/status" in note for note in notes)
    assert [note for note in rendered(artifact_gc={"when": "never"}).notes if "deletes artifacts" in note] == []


def test_the_config_maps_that_a_run_needs_are_noted():
    notes = rendered(
        chain(tune=tune(image=IMAGE)),
        artifact_repository={"config_map": "repositories"},
        semaphores=[{"config_map": "limits", "key": "gpus"}],
    ).notes
    assert "runs wait for the config map limits, which holds how many may run in gpus" in notes
    assert any("the artifact repository of the config map repositories" in note for note in notes)
