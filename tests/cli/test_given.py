"""What commands answer when they are given another kind of file than they take."""

from __future__ import annotations

from pathlib import Path

import pytest
from mistake_texts import printed
from places import CIRCUITS, ROOT

EXPERIMENT = (ROOT / "manifests/circuits/base/study.katib.yaml").read_text()
FILES = {
    "good.yaml": (CIRCUITS / "study.yaml").read_text(),
    "hparam.yaml": (CIRCUITS / "study.yaml").read_text().replace("hparams:", "hparam:", 1),
    "project.yaml": (CIRCUITS / "project.yaml").read_text(),
    "pipeline.yaml": (CIRCUITS / "pipeline.yaml").read_text(),
    "stpes.yaml": (CIRCUITS / "pipeline.yaml").read_text().replace("\nsteps:", "\nstpes:"),
    "pipeline.argo.yaml": (ROOT / "manifests/circuits/base/pipeline.argo.yaml").read_text(),
    "pipeline.kfp.yaml": (ROOT / "manifests/circuits/pipeline.kfp.yaml").read_text(),
    "renamed.yaml": (ROOT / "manifests/circuits/pipeline.argo-run.yaml").read_text(),
    "experiment.yaml": EXPERIMENT,
    "kind.yaml": EXPERIMENT.replace("kind: Experiment", "kind: Experimnt"),
    "version.yaml": f"apiVersion: v1\nkind: ConfigMap\n---\n{EXPERIMENT.replace('v1beta1', 'v1beta2', 1)}",
    "trial.yaml": "apiVersion: kubeflow.org/v1beta1\nkind: Trial\nmetadata: {name: x}\nspec: {}\n",
    "train.py": "import argparse\n\nclass Trainer:\n    lr: float = 0.1\n",
}
HPARAM = "hparam.yaml:3:1: hparam: Study has no key 'hparam'; did you mean 'hparams'?"
STEPS = "stpes.yaml:14:1: stpes: Pipeline has no key 'stpes'; did you mean 'steps'?"
KIND = "kind.yaml: this looks like a Katib Experiment, but kind is 'Experimnt'; did you mean 'Experiment'?"
VERSION = (
    "version.yaml: this looks like a Katib Experiment, but apiVersion is 'kubeflow.org/v1beta2'; "
    "did you mean 'kubeflow.org/v1beta1'?"
)
TRIAL = "trial.yaml is a Katib Trial; Katib makes it from an Experiment, so give the Experiment"
SCRIPT = "train.py is a Python script, not YAML; give the study that runs it (.yaml, .yml or .json)"
ARGO = (
    "pipeline.argo.yaml is a rendered Argo WorkflowTemplate; give the pipeline file it was rendered from, pipeline.yaml"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "message"),
    [
        *[(f"{command} hparam.yaml", HPARAM) for command in ("run", "show", "render")],
        *[(f"{command} stpes.yaml", STEPS) for command in ("pipeline run", "show", "render")],
        *[(f"{command} kind.yaml", KIND) for command in ("run", "pipeline run", "show", "render", "status", "best")],
        *[(f"{command} version.yaml", VERSION) for command in ("run", "show", "render", "results")],
        *[(f"{command} trial.yaml", TRIAL) for command in ("run", "pipeline run", "show", "render", "status")],
        *[(f"{command} train.py", SCRIPT) for command in ("run", "pipeline run", "show", "render", "status")],
        *[(f"{command} pipeline.argo.yaml", ARGO) for command in ("run", "pipeline run", "show", "render")],
        (
            "run pipeline.kfp.yaml",
            "pipeline.kfp.yaml is a rendered KFP spec; give the pipeline file it was rendered from, pipeline.yaml",
        ),
        (
            "run renamed.yaml",
            "renamed.yaml is a rendered Argo Workflow; give the pipeline file it was rendered from",
        ),
        (
            "render experiment.yaml",
            "experiment.yaml is an Experiment; run it with kftune run, or apply it with kubectl",
        ),
        (
            "show project.yaml",
            "project.yaml is a project; give one of its studies or pipelines, "
            "or render its folder: kftune render FOLDER --out DIR",
        ),
        ("run .", ". is a folder; give a file in it, such as experiment.yaml, good.yaml, hparam.yaml, kind.yaml"),
    ],
)
def test_another_kind_of_file_is_refused_by_what_it_is(folder: Path, command: str, message: str):
    assert printed(command.split(), folder) == f"exit 2\nkftune: {message}\n"


def test_a_folder_is_not_rendered_without_its_misspelt_study(tmp_path: Path):
    (tmp_path / "a").mkdir()
    for name in ("good.yaml", "hparam.yaml"):
        (tmp_path / "a" / name).write_text(FILES[name])
    text = printed(["render", "--all", "a", "--out", "b"], tmp_path)
    assert (text.partition("\n")[0], text.splitlines()[-1]) == ("exit 2", f"kftune: a/{HPARAM}")


def test_a_folder_is_not_rendered_without_a_project_of_another_name(tmp_path: Path):
    (tmp_path / "good.yaml").write_text(FILES["good.yaml"])
    (tmp_path / "projct.yaml").write_text(FILES["project.yaml"])
    assert printed(["render", "--all", ".", "--out", "out"], tmp_path).endswith(
        "kftune: projct.yaml looks like a project file, which must be named project.yaml; rename it\n"
    )


def test_a_project_is_not_rendered_without_its_misspelt_study(tmp_path: Path):
    (tmp_path / "project.yaml").write_text("name: x\nnamespace: team-a\n")
    for name in ("good.yaml", "hparam.yaml"):
        (tmp_path / name).write_text(FILES[name])
    assert printed(["render", ".", "--out", "out"], tmp_path) == f"exit 2\nkftune: {HPARAM}\n"
