"""Images that start as root in containers that forbid it: Experiments, studies, and the steps of pipelines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lint_examples import EXAMPLE_HPARAMS, EXAMPLE_STUDY, example_text

from kftune.images import LOCK_FILE
from kftune.katib.admission.cluster import Cluster
from kftune.lint import LintOptions, check
from kftune.lint.experiment import check_experiment
from kftune.lint.sources import SourceText, documents
from kftune.lint.trial.root_images import starts_as_root

PIPELINE = """\
name: toy
defaults: {image: python:3.11-slim}
targets: {argo: {}}
steps:
  first: {kind: container, command: [python, a.py]}
  second: {kind: container, command: [python, b.py], SECOND}
"""
LOCK = '{"version": 1, "images": {}}\n'


@pytest.mark.parametrize(
    "image",
    [
        "python",
        "python:3.11-slim-bookworm",
        "docker.io/library/python@sha256:" + "0" * 64,
        "mirror.example:5000/library/python:3",
        "pytorch/pytorch:2.6.0-cuda12.4-cudnn9-runtime",
        "registry.example/cache/pytorch/pytorch",
        "nvcr.io/nvidia/pytorch:25.01-py3",
        "nvidia/cuda:12.4.1-base-ubuntu22.04",
        "tensorflow/tensorflow:2.18.0-gpu",
        "rocm/pytorch:latest",
        "ghcr.io/kubeflow/katib/pytorch-mnist-cpu:v0.19.0",
    ],
)
def test_public_images_that_start_as_root_are_known(image: str):
    assert starts_as_root(image)


@pytest.mark.parametrize(
    "image",
    [
        "",
        "registry.example/python:3",
        "registry.example/team/train",
        "team/python",
        "my-python",
        "pythonista",
        "registry.example/nvidia",
        "pytorch/pytorch-fork/x",
        "jupyter/scipy-notebook",
    ],
)
def test_other_images_may_name_a_user(image: str):
    assert not starts_as_root(image)


def codes(pod: str, container: str) -> set[str]:
    run = "command: [python, t.py], args: ['${trialParameters.lr}', '${trialParameters.units}']"
    inside = f"{{{pod}containers: [{{name: main, image: 'python:3', {run}, {container}}}]}}"
    text = example_text(f"spec: {{trialTemplate: {{trialSpec: {{spec: {{template: {{spec: {inside}}}}}}}}}}}")
    (found,) = documents(SourceText("x.yaml", text, named=True))
    return {each.code for each in check_experiment(found, Cluster(), "0.19").findings} & {"KT280", "KT304"}


@pytest.mark.parametrize(
    ("pod", "container", "expected"),
    [
        ("", "securityContext: {runAsNonRoot: true}", {"KT280"}),
        ("", "securityContext: {runAsNonRoot: true, runAsUser: 0}", {"KT280"}),
        ("securityContext: {runAsNonRoot: true}, ", "tty: true", {"KT280"}),
        ("securityContext: {runAsUser: 1000}, ", "securityContext: {runAsNonRoot: true}", set()),
        ("", "securityContext: {runAsNonRoot: true, runAsUser: 1000}", set()),
        ("", "securityContext: {runAsNonRoot: false}", {"KT304"}),
        ("securityContext: {runAsNonRoot: true}, ", "securityContext: {runAsNonRoot: false}", {"KT304"}),
    ],
)
def test_root_is_either_forbidden_or_advised_against(pod: str, container: str, expected: set[str]):
    assert codes(pod, container) == expected


def test_an_init_container_that_forbids_root_is_checked_too():
    first = "initContainers: [{name: i, image: busybox, securityContext: {runAsNonRoot: true}}], "
    assert "KT280" in codes(first, "securityContext: {runAsNonRoot: true, runAsUser: 1}")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "toy_hparams.py").write_text(EXAMPLE_HPARAMS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("toy_hparams", None)
    yield tmp_path
    sys.modules.pop("toy_hparams", None)


def found(name: str, text: str) -> list[tuple[str, str]]:
    Path(name).write_text(text)
    findings = check(name, LintOptions(katib_version="0.19")).findings
    return [(each.code, each.path) for each in findings if each.code in ("KT280", "KT304")]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("image: r.example/i:1", [("KT280", "defaults.image")]),
        ("image: 'pytorch/pytorch:1'", [("KT280", "defaults.image"), ("KT280", "steps.second.image")]),
        ("image: 'pytorch/pytorch:1', security: {run_as_user: 7}", [("KT280", "defaults.image")]),
        ("security: {run_as_non_root: false}", [("KT280", "defaults.image"), ("KT304", "steps.second")]),
        (
            "image: 'node:1', container: {securityContext: {runAsUser: 5}}",
            [("KT280", "defaults.image")],
        ),
    ],
)
def test_the_steps_of_a_pipeline_are_checked(project: Path, second: str, expected: list[tuple[str, str]]):
    assert found("pipeline.yaml", PIPELINE.replace("SECOND", second)) == expected


@pytest.mark.parametrize(
    ("security", "expected"), [("", "KT280"), (", security: {run_as_user: 7}", ""), (", X: y", "KT304")]
)
def test_the_experiment_of_a_study_is_checked(project: Path, security: str, expected: str):
    given = security.replace("X: y", "security: {run_as_non_root: false}")
    study = EXAMPLE_STUDY.replace("registry.example/toy:1", f"python:3{given}")
    assert [code for code, _ in found("study.yaml", study)] == [expected] * bool(expected)


@pytest.mark.parametrize(
    ("dockerfile", "base", "expected"),
    [
        ("", "python:3", True),
        ("", "registry.example/base:1", False),
        ("USER 10001:10001\n", "python:3", False),
        ("USER 10001\nRUN true\nUSER root\n", "python:3", True),
        ("USER app\n", "registry.example/base:1", True),
        ("USER 10001\nFROM base\n", "python:3", False),
        ("USER 10001\nFROM debian AS other\n", "python:3", True),
        ("", "images/below", False),
    ],
)
def test_the_user_of_an_image_of_the_project_is_known(project: Path, dockerfile: str, base: str, expected: bool):
    (project / "images" / "toy").mkdir(parents=True)
    (project / "images" / "below").mkdir()
    (project / "images" / "below" / "Dockerfile").write_text("ARG BASE_IMAGE=python:3\nFROM $BASE_IMAGE\nUSER 7\n")
    (project / "images" / "toy" / "Dockerfile").write_text(
        f"ARG BASE_IMAGE={base}\nFROM ${{BASE_IMAGE}} AS base\n{dockerfile}"
    )
    (project / LOCK_FILE).write_text(LOCK)
    study = EXAMPLE_STUDY.replace("registry.example/toy:1", "images/toy")
    assert (("KT280", "step.image") in found("study.yaml", study)) == expected


TRAIN_JOB = """\
name: toy
hparams: toy_hparams:ToyHparams
objective: {metric: val_loss, direction: minimize}
budget: {max_trials: 4}
targets: {katib: {trial_kind: TrainJob}}
step: {command: [python, train.py], image: IMAGE}
"""


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("python:3", ["KT280"]),
        ("registry.example/toy:1", []),
        ("python:3, security: {run_as_user: 7}", []),
        ("python:3, security: {run_as_non_root: false}", []),
    ],
)
def test_the_trainer_of_a_train_job_is_checked(project: Path, image: str, expected: list[str]):
    assert [code for code, _ in found("study.yaml", TRAIN_JOB.replace("IMAGE", image))] == expected


def test_the_patch_of_a_train_job_is_read_as_the_server_does(project: Path):
    wrong = "registry.example/toy:1, pod: {tolerations: [{key: a, operator: Exists, value: b}]}"
    (project / "study.yaml").write_text(TRAIN_JOB.replace("IMAGE", wrong))
    findings = [each for each in check("study.yaml").findings if each.code == "KT277"]
    assert [each.severity for each in findings] == ["hangs"]
    assert findings[0].message.endswith("JobSet creates no Job")
