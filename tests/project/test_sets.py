"""A project as a kustomization: what the real kubectl builds of it, and who may do what."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from json_schema import problems
from kubeflow_katib_api.models import V1beta1Experiment
from places import ROOT
from pods_of_set import not_restricted, pods

from kftune import yaml_text
from kftune.cli import main
from kftune.katib.crd.objects import is_known, judge_object
from kftune.project import load_project
from kftune.project.model import project_schema
from kftune.render.kustomize import render_objects, render_project
from kftune.render.kustomize.overlays import difference

CIRCUITS = ROOT / "pipelines" / "circuits"
OVERLAYS = [None, "dev", "prod"]
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def identity(document: dict[str, Any]) -> tuple[str, ...]:
    metadata = document["metadata"]
    return document["apiVersion"], document["kind"], metadata.get("namespace", ""), metadata["name"]


def built(folder: Path) -> dict[tuple[str, ...], Any]:
    """What kubectl makes of a kustomization."""
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    documents: Any = yaml_text.load_all(done.stdout)
    return {identity(document): document for document in documents}


def wanted(folder: Path, overlay: str | None) -> dict[tuple[str, ...], Any]:
    return {identity(document): document for document in render_objects(load_project(folder), overlay)}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the circuits that a test may change."""
    return Path(shutil.copytree(CIRCUITS, tmp_path / "circuits"))


def edit(project: Path, old: str, new: str, file: str = "project.yaml") -> None:
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new))


def write(project: Path, out: Path) -> None:
    assert main(["render", str(project), "--out", str(out)]) == 0


# -- kubectl builds what kftune means ---------------------------------------------------------------------------------


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubectl_builds_the_committed_set_to_the_objects_that_are_meant(overlay: str | None) -> None:
    folder = ROOT / "manifests" / "circuits"
    assert built(folder / "overlays" / overlay if overlay else folder) == wanted(CIRCUITS, overlay)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_api_server_stores_every_custom_object_whole(overlay: str | None) -> None:
    known = [each for each in wanted(CIRCUITS, overlay).values() if is_known(each)]
    assert {each["kind"] for each in known} >= {"Experiment", "WorkflowTemplate"}
    for each in known:
        verdict = judge_object(each)
        assert (verdict.problems, verdict.pruned) == ((), ()), each["kind"]


OVERLAY = """\
overlays:
  other:
    namespace: elsewhere
    images: {registry.example/circuits: "sha256:%s", registry.example/kftune-launcher: "2"}
    set:
      study.yaml: ["name=renamed", "search.dropout={uniform: [0.0, 0.5]}", ~metrics, "step.env={A/B~C: x}"]
      pipeline.yaml: ["~steps.register", "targets.argo.service_account=someone", "parameters.fresh=1.5"]
""" % ("0" * 64)


@needs_kubectl
def test_an_overlay_may_rename_add_and_remove_objects_and_move_all_to_another_namespace(
    project: Path, tmp_path: Path
) -> None:
    text = (project / "project.yaml").read_text()
    (project / "project.yaml").write_text(text[: text.index("overlays:")] + OVERLAY.replace("A/B~C", "A_B"))
    write(project, tmp_path / "out")
    found = built(tmp_path / "out" / "overlays" / "other")
    assert found == wanted(project, "other")
    assert {namespace for _, _, namespace, _ in found} == {"", "elsewhere"}
    assert f"@sha256:{'0' * 64}" in json.dumps([*found.values()])
    assert "team-a" not in json.dumps([*found.values()])


@needs_kubectl
@pytest.mark.parametrize("overlay", [None, "dev"])
@pytest.mark.parametrize(
    ("targets", "kinds"),
    [
        ("[katib]", {"Experiment"}),
        ("[argo]", {"WorkflowTemplate"}),
        ("[kfp]", set()),
        ("[katib, kfp-objects]", {"Experiment", "Pipeline", "PipelineVersion"}),
    ],
)
def test_a_set_holds_the_objects_of_its_targets(
    project: Path, tmp_path: Path, overlay: str | None, targets: str, kinds: set[str]
) -> None:
    edit(project, "namespace: team-a\n", f"namespace: team-a\ntargets: {targets}\n")
    write(project, tmp_path / "out")
    folder = tmp_path / "out"
    assert built(folder / "overlays" / overlay if overlay else folder) == wanted(project, overlay)
    custom = [each for each in wanted(project, overlay).values() if is_known(each)]
    assert {each["kind"] for each in custom} == kinds
    assert [judge_object(each).applied for each in custom] == [True] * len(custom)
    assert (folder / "pipeline.kfp.yaml").exists() == ("kfp]" in targets)


@needs_kubectl
@pytest.mark.parametrize(
    ("base", "other"),
    [
        ("{name: team-a, create: false}", "elsewhere"),
        ("team-a", "{name: elsewhere, create: false}"),
        ("{name: team-a, create: false}", "{name: elsewhere, create: true, labels: {a: b}}"),
        ("team-a", "{name: elsewhere, labels: {a: b}}"),
    ],
)
def test_an_overlay_may_be_in_a_namespace_that_it_creates_or_that_is_there(
    project: Path, tmp_path: Path, base: str, other: str
) -> None:
    edit(project, "namespace: team-a\n", f"namespace: {base}\n")
    edit(project, "namespace: team-a-dev", f"namespace: {other}")
    write(project, tmp_path / "out")
    found = built(tmp_path / "out" / "overlays" / "dev")
    assert found == wanted(project, "dev")
    created = [each for each in found.values() if each["kind"] == "Namespace"]
    is_created = "create: true" in other or "create" not in base + other
    assert [each["metadata"]["name"] for each in created] == ["elsewhere"] * is_created
    assert all(each["metadata"]["labels"].get("a") == ("b" if "labels" in other else None) for each in created)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~0", max_size=3), inner, max_size=3),
    max_leaves=12,
)


def patch(made: Any, change: dict[str, Any]) -> None:
    """Applies one operation of a JSON patch (RFC 6902)."""
    *way, last = [key.replace("~1", "/").replace("~0", "~") for key in change["path"].split("/")[1:]]
    inner = made
    for key in way:
        inner = inner[int(key) if isinstance(inner, list) else key]
    place: Any = int(last) if isinstance(inner, list) else last
    if change["op"] == "remove":
        del inner[place]
    else:
        assert (change["op"] == "add") == (place not in inner if isinstance(inner, dict) else False)
        inner[place] = change["value"]


@given(st.dictionaries(st.text("ab/~0", max_size=3), JSON), st.dictionaries(st.text("ab/~0", max_size=3), JSON))
def test_a_difference_makes_the_new_of_the_old(old: dict[str, Any], new: dict[str, Any]) -> None:
    made = copy.deepcopy(old)
    for change in difference(old, new):
        patch(made, change)
    assert json.dumps(made, sort_keys=True) == json.dumps(new, sort_keys=True)


# -- the objects ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_meets_the_restricted_pod_security_standard(overlay: str | None) -> None:
    found = [pod for document in render_objects(load_project(CIRCUITS), overlay) for pod in pods(document)]
    assert len(found) == 7
    assert [(name, refused) for name, pod in found for refused in not_restricted(pod)] == []


def test_the_checker_refuses_what_the_standard_refuses() -> None:
    pod = {"hostNetwork": True, "volumes": [{"name": "v", "hostPath": {}}], "containers": [{"name": "c"}]}
    assert len([*not_restricted(pod)]) == 6


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_katibs_own_model_takes_the_experiment_and_loses_no_key(overlay: str | None) -> None:
    (experiment,) = (one for one in render_objects(load_project(CIRCUITS), overlay) if one["kind"] == "Experiment")
    taken = V1beta1Experiment.model_validate(experiment)
    assert taken.model_dump(by_alias=True, exclude_none=True, mode="json") == experiment


def test_each_account_gets_only_the_verbs_that_its_steps_use() -> None:
    objects = render_objects(load_project(CIRCUITS))
    rules = {
        (role["metadata"]["name"], group or "core", resource): rule["verbs"]
        for role in objects
        if role["kind"] == "Role"
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert rules == {
        ("circuits-argo-executor", "argoproj.io", "workflowtaskresults"): ["create", "patch"],
        ("circuits-launcher", "kubeflow.org", "experiments"): ["create", "get"],
        ("circuits-launcher", "kubeflow.org", "suggestions"): ["get"],
        ("circuits-launcher", "kubeflow.org", "trials"): ["list"],
        ("circuits-launcher", "core", "pods"): ["list", "watch"],
        ("circuits-launcher", "core", "pods/log"): ["get"],
    }
    subjects = {one["metadata"]["name"]: one["subjects"] for one in objects if one["kind"] == "RoleBinding"}
    runner = [{"kind": "ServiceAccount", "name": "pipeline-runner", "namespace": "team-a"}]
    executor = [{"kind": "ServiceAccount", "name": "circuits-executor", "namespace": "team-a"}]
    assert subjects == {"circuits-argo-executor": executor, "circuits-launcher": runner}
    assert accounts(objects) == ["circuits-executor", "pipeline-runner"]


def accounts(objects: list[Any]) -> list[str]:
    return [one["metadata"]["name"] for one in objects if one["kind"] == "ServiceAccount"]


def test_argos_containers_have_an_account_of_their_own_and_only_the_launcher_gets_another_token(project: Path) -> None:
    objects = render_objects(load_project(project))
    (secret,) = (one for one in objects if one["kind"] == "Secret")
    assert secret["type"] == "kubernetes.io/service-account-token"
    assert secret["metadata"]["name"] == "circuits-executor.service-account-token"
    assert secret["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "circuits-executor"}
    (template,) = (one for one in objects if one["kind"] == "WorkflowTemplate")
    assert template["spec"]["executor"] == {"serviceAccountName": "circuits-executor"}
    assert template["spec"]["automountServiceAccountToken"] is False
    tokens = {each["name"]: each["automountServiceAccountToken"] for each in with_token(template)}
    assert tokens == {"tune": True}


def with_token(template: Any) -> list[Any]:
    return [each for each in template["spec"]["templates"] if "automountServiceAccountToken" in each]


def test_an_account_that_deletes_artifacts_may_do_what_argo_needs_for_it(project: Path) -> None:
    edit(project, ", service_account: pipeline-runner", ", artifact_gc: {when: run_ended}", "pipeline.yaml")
    objects = render_objects(load_project(project))
    (role,) = (one for one in objects if one["metadata"]["name"] == "circuits-argo-artifact-gc" and "rules" in one)
    assert role["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks"], "verbs": ["list", "watch"]},
        {"apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks/status"], "verbs": ["patch"]},
    ]
    (binding,) = (one for one in objects if one["kind"] == "RoleBinding" and "artifact-gc" in one["metadata"]["name"])
    assert [each["name"] for each in binding["subjects"]] == ["default"]


def test_a_set_without_argo_has_no_accounts_for_it(project: Path) -> None:
    edit(project, "namespace: team-a\n", "namespace: team-a\ntargets: [katib, kfp]\n")
    objects = render_objects(load_project(project))
    assert [one["kind"] for one in objects if "executor" in one["metadata"]["name"]] == []


def test_an_account_may_delete_experiments_only_where_a_tune_step_does(project: Path) -> None:
    edit(project, "    share: shared\n", "    share: shared\n    delete: succeeded\n", "pipeline.yaml")
    roles = {
        one["metadata"]["name"]: one["rules"] for one in render_objects(load_project(project)) if one["kind"] == "Role"
    }
    assert sorted(roles) == ["circuits-argo-executor", "circuits-launcher", "circuits-launcher-delete"]
    (rule,) = roles["circuits-launcher-delete"]
    assert rule == {"apiGroups": ["kubeflow.org"], "resources": ["experiments"], "verbs": ["delete", "patch"]}


def test_an_account_gets_the_rights_on_the_kind_of_job_that_its_steps_run_as(project: Path) -> None:
    job = (
        "    resources: {nodes: 2}\n"
        "    job: {kind: TrainJob, launcher: registry.example/launcher, service_account: nodes}\n"
    )
    share = "    volumes: [{name: shared, mount: /shared, claim: circuits-shared}]\n    share: shared\n"
    edit(project, "    kind: evaluate\n", f"    kind: evaluate\n{job}{share}", "pipeline.yaml")
    objects = render_objects(load_project(project))
    roles = {one["metadata"]["name"]: one["rules"] for one in objects if one["kind"] == "Role"}
    assert sorted(roles) == ["circuits-argo-executor", "circuits-launcher", "circuits-launcher-trainjob"]
    assert roles["circuits-launcher-trainjob"] == [
        {"apiGroups": ["trainer.kubeflow.org"], "resources": ["trainjobs"], "verbs": ["create", "delete", "get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ]
    bound = {one["metadata"]["name"]: one["subjects"] for one in objects if one["kind"] == "RoleBinding"}
    assert [subject["name"] for subject in bound["circuits-launcher-trainjob"]] == ["pipeline-runner"]
    assert accounts(objects) == ["circuits-executor", "nodes", "pipeline-runner"]


def test_a_pipeline_without_an_account_gets_some_of_its_own(project: Path) -> None:
    edit(project, ", service_account: pipeline-runner", "", "pipeline.yaml")
    objects = render_objects(load_project(project))
    assert accounts(objects) == ["circuits", "circuits-executor", "circuits-launcher"]
    subjects = {one["metadata"]["name"]: one["subjects"] for one in objects if one["kind"] == "RoleBinding"}
    assert [one["name"] for one in subjects["circuits-launcher"]] == ["circuits-launcher"]
    assert [one["name"] for one in subjects["circuits-argo-executor"]] == ["circuits-executor"]
    (template,) = (one for one in objects if one["kind"] == "WorkflowTemplate")
    assert template["spec"]["serviceAccountName"] == "circuits"


def test_the_namespace_lets_katib_collect_and_enforces_no_more_than_its_collector_meets() -> None:
    (space,) = (one for one in render_objects(load_project(CIRCUITS), "dev") if one["kind"] == "Namespace")
    assert space["metadata"]["name"] == "team-a-dev"
    labels = space["metadata"]["labels"]
    assert labels["katib.kubeflow.org/metrics-collector-injection"] == "enabled"
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
    assert labels["pod-security.kubernetes.io/warn"] == labels["pod-security.kubernetes.io/audit"] == "restricted"


def test_config_maps_hold_files_whole_and_bytes_that_are_no_text_as_base64(project: Path) -> None:
    (project / "raw.bin").write_bytes(b"\xff\x00")
    edit(project, "overlays:", "config_maps:\n  settings: [circuits.yaml]\n  raw: {key: raw.bin}\noverlays:")
    maps = {one["metadata"]["name"]: one for one in render_objects(load_project(project)) if one["kind"] == "ConfigMap"}
    assert maps["settings"]["data"] == {"circuits.yaml": (project / "circuits.yaml").read_text()}
    assert maps["raw"]["binaryData"] == {"key": "/wA="}


def test_a_namespace_that_somebody_else_makes_is_left_out(project: Path) -> None:
    edit(project, "namespace: team-a\n", "namespace: {name: team-a, create: false}\n")
    assert all(one["kind"] != "Namespace" for one in render_objects(load_project(project)))


def test_what_a_target_cannot_express_is_told_with_its_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = "    volumes: [{name: a, mount: /a, secret: both}, {name: b, mount: /b, config_map: both}]\n"
    edit(project, "    share: shared\n", "    share: shared\n" + both, "pipeline.yaml")
    assert main(["render", str(project), "--out", str(project / "out")]) == 2
    line = (project / "pipeline.yaml").read_text().splitlines().index(both.rstrip()) + 1
    assert f"kftune: {project}/pipeline.yaml:{line}:" in capsys.readouterr().err


def test_what_a_target_cannot_express_in_an_overlay_is_told_with_its_name(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = '"steps.data.volumes=[{name: a, mount: /a, secret: both}, {name: b, mount: /b, config_map: both}]"'
    edit(project, "pipeline.yaml: [", f"pipeline.yaml: [{both}, ")
    assert main(["render", str(project), "--out", str(project / "out")]) == 2
    assert f"kftune: {project}/project.yaml: overlay " in capsys.readouterr().err


def test_the_same_project_renders_to_the_same_files() -> None:
    assert render_project(load_project(CIRCUITS)) == render_project(load_project(CIRCUITS))


# -- files ------------------------------------------------------------------------------------------------------------


def test_a_later_render_removes_what_the_earlier_wrote_and_nothing_else(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(project, out)
    (out / "base" / "mine.yaml").write_text("a: 1\n")
    text = (project / "project.yaml").read_text()
    (project / "project.yaml").write_text(text[: text.index("  dev:")] + text[text.index("  prod:") :])
    write(project, out)
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["prod"]
    assert (out / "base" / "mine.yaml").exists()


def test_files_in_a_folder_that_no_render_wrote_stay(project: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "overlays").mkdir(parents=True)
    (tmp_path / "out" / "overlays" / "old.yaml").write_text("a: 1\n")
    (tmp_path / "out" / ".kftune-files").write_text("overlays/old.yaml\n")
    write(project, tmp_path / "out")
    assert (tmp_path / "out" / "overlays" / "old.yaml").exists()


def test_files_outside_of_the_folder_are_never_removed(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(project, out)
    (tmp_path / "precious").write_text("x")
    with (out / ".kftune-files").open("a") as file:
        file.write(f"../precious\n{tmp_path}/precious\n")
    write(project, out)
    assert (tmp_path / "precious").exists()


# -- notes and schema --------------------------------------------------------------------------------------------------


def test_a_claim_that_nobody_declares_is_noted(project: Path) -> None:
    edit(project, "  circuits-shared: {size: 5Gi}", "  something: {size: 5Gi}")
    (note,) = load_project(project).notes
    assert "claim 'circuits-shared', which must exist in the namespace" in note


def test_the_schema_takes_the_project_file_and_refuses_a_misspelt_key() -> None:
    content: Any = yaml_text.load_file(CIRCUITS / "project.yaml")
    assert [*problems(content, project_schema())] == []
    assert [*problems({**content, "claim": {}}, project_schema())]


def test_an_experiment_with_one_name_in_several_namespaces_is_noted_once(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(CIRCUITS, tmp_path / "circuits"))
    start = "the Experiment circuits-lstm is in the namespaces team-a, team-a-dev: "
    assert [note for note in render_project(load_project(folder)).notes if note.startswith("the Experiment ")] == []
    project = folder / "project.yaml"
    project.write_text(project.read_text().replace("targets.katib.name=circuits-lstm-dev, ", ""))
    notes = [note for note in render_project(load_project(folder)).notes if note.startswith("the Experiment ")]
    assert [note[: len(start)] for note in notes] == [start]
