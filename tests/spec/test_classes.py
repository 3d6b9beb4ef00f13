"""The classes of a project: those that its files name, and those that the modules of its project file register."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

CLASS = """
from kftune import Hparam, Hparams, Uniform


class {name}(Hparams):
    '''Class {name}.'''

    lr: float = Hparam(0.1, search=Uniform(0, 1))
"""
STUDY = """
name: s
hparams: {hparams}
objective: {{metric: loss, direction: minimize}}
step: {{command: [python, train.py]}}
"""
PIPELINE = """
name: p
steps:
  train: {kind: train, hparams: "third:Third", command: [python, train.py]}
  tune:
    kind: tune
    study:
      name: inline
      hparams: fourth:Fourth
      objective: {metric: loss, direction: minimize}
      step: {command: [python, train.py]}
"""
REGISTERS = """
from kftune import HPARAMS_REGISTRY

HPARAMS_REGISTRY["Own"] = {"module_path": "own", "model_type": "own_net", "description": "ours"}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two studies with modules of one name, a pipeline, a project that registers a class, and files that do harm."""
    for folder, name in (("a", "First"), ("b", "Second")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "hp.py").write_text(CLASS.format(name=name))
        (tmp_path / folder / "study.yaml").write_text(STUDY.format(hparams=f"hp:{name}"))
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "third.py").write_text(CLASS.format(name="Third"))
    (tmp_path / "fourth.py").write_text(CLASS.format(name="Fourth"))
    (tmp_path / "project.yaml").write_text("name: p\nnamespace: n\nregistry: [classes]\n")
    (tmp_path / "classes.py").write_text(dedent(REGISTERS))
    (tmp_path / "own.py").write_text(CLASS.format(name="Own"))
    (tmp_path / "study.yaml").write_text(STUDY.format(hparams="own_net"))
    (tmp_path / "table.py").write_text("HYPERPARAMETER_REGISTRY = ['Own']\n")
    (tmp_path / "unrelated.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "project.yaml").write_text("registry: https://other.example\n")
    (tmp_path / "template.yaml").write_text("{{ chart }}: [\n")
    return tmp_path


def kftune(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "kftune", *arguments]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)


def test_the_list_has_named_and_registered_classes_and_imports_no_other_file(project):
    done = kftune(project, "registry", "list", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = {entry["class_name"]: entry for entry in json.loads(done.stdout)}
    assert list(found) == [
        "LstmHparams",
        "OcrHparams",
        "DetectorHparams",
        "YoloHparams",
        "Own",
        "First",
        "Second",
        "Third",
        "Fourth",
    ]
    assert found["Own"]["model_type"] == "own_net"
    assert found["First"]["description"] == "named in a/study.yaml"
    assert found["Fourth"] == {
        "class_name": "Fourth",
        "module_path": "fourth",
        "model_type": "",
        "description": "named in pipeline.yaml",
    }


def test_check_imports_each_class_from_the_folder_of_the_file_that_names_it(project):
    done = kftune(project, "registry", "check", "--format", "json")
    assert done.returncode == 0, done.stdout
    assert [row["name"] for row in json.loads(done.stdout)] == [
        "LstmHparams",
        "OcrHparams",
        "DetectorHparams",
        "YoloHparams",
        "Own",
        "hp:First",
        "hp:Second",
        "third:Third",
        "fourth:Fourth",
    ]
    (project / "b" / "hp.py").write_text("import missing_package\n")
    failed = kftune(project, "registry", "check", "--format", "json")
    assert failed.returncode == 1
    assert [row["name"] for row in json.loads(failed.stdout) if not row["ok"]] == ["hp:Second"]


@pytest.mark.parametrize("name", ["Own", "own_net", "own:Own", "First", "hp:Second", "Third"])
def test_show_finds_a_class_by_any_of_its_names(project, name):
    done = kftune(project, "registry", "show", name)
    assert done.returncode == 0, done.stderr
    assert "Class " in done.stdout


def test_an_unknown_class_is_named_with_those_of_the_project(project):
    done = kftune(project, "registry", "show", "Secnd")
    assert done.returncode == 2
    assert "did you mean 'b.hp:Second'" in done.stderr


def test_a_study_may_use_a_name_that_a_module_of_its_project_registers(project):
    done = kftune(project.parent, "show", str(project / "study.yaml"))
    assert "own:Own" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("registry", "problem"),
    [
        ("[clases]", "project.yaml: registry: no module 'clases' in"),
        ("classes", "project.yaml: registry must be a list of modules, for example [classes], but is 'classes'"),
        ("[unrelated]", "project.yaml: registry: "),
        ("[table]", "registry: table.HYPERPARAMETER_REGISTRY must be a dict of class names to entries, but is ['Own']"),
    ],
)
def test_a_list_of_modules_that_cannot_be_imported_is_refused_with_the_file(project, registry, problem):
    (project / "project.yaml").write_text(f"name: p\nnamespace: n\nregistry: {registry}\n")
    done = kftune(project, "registry", "list")
    assert done.returncode == 2
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
