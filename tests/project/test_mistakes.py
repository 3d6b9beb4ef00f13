"""What people get to read when a project file is wrong: each text stands in tests/snapshots/project_mistakes.txt.

mistake_texts.py says how it is written anew.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from mistake_texts import REMEDY, printed, record, recorded
from places import CIRCUITS

SNAPSHOTS = "project_mistakes.txt"

PROJECT = """\
name: circuits
namespace: team-a
files: [study.yaml, pipeline.yaml]
claims:
  circuits-shared: {size: 5Gi}
config_maps:
  settings: [circuits.yaml]
overlays:
  dev:
    namespace: team-a-dev
    images: {registry.example/circuits: dev}
    set:
      study.yaml: [budget.max_trials=4, step.resources.cpu=1]
      pipeline.yaml: [steps.tune.timeout=30m]
"""


class Edit(NamedTuple):
    """A file in which `old` was mistakenly written as `new`."""

    old: str
    new: str
    file: str = "project.yaml"


EDITS = {
    # the file
    "file: misspelt section": Edit("claims:\n", "claim:\n"),
    "file: a list": Edit(PROJECT, "[study.yaml, pipeline.yaml]\n"),
    "file: broken YAML": Edit("{size: 5Gi}", "{size: 5Gi"),
    "file: a key twice": Edit("namespace: team-a\n", "namespace: team-a\nnamespace: team-b\n"),
    "file: no name": Edit("name: circuits\n", ""),
    "file: no namespace": Edit("namespace: team-a\n", ""),
    "name: in upper case": Edit("name: circuits\n", "name: Circuits\n"),
    # where it is
    "namespace: with _": Edit("namespace: team-a\n", "namespace: team_a\n"),
    "namespace: a misspelt key": Edit("namespace: team-a\n", "namespace: {name: team-a, crate: false}\n"),
    "namespace: a label that no cluster takes": Edit(
        "namespace: team-a\n", "namespace: {name: team-a, labels: {owner: a b}}\n"
    ),
    "namespace: another than a pipeline names": Edit("namespace: team-a\n", "namespace: team-b\n"),
    # what is in it
    "files: one name": Edit("files: [study.yaml, pipeline.yaml]", "files: study.yaml"),
    "files: none": Edit("files: [study.yaml, pipeline.yaml]", "files: []"),
    "files: one that is not there": Edit("pipeline.yaml]", "pipelin.yaml]"),
    "files: one twice": Edit("pipeline.yaml]", "pipeline.yaml, study.yaml]"),
    "files: neither study nor pipeline": Edit("pipeline.yaml]", "circuits.yaml]"),
    "files: outside of the folder": Edit("pipeline.yaml]", "../pipeline.yaml]"),
    "files: two that are written to one": Edit("pipeline.yaml]", "pipeline.yaml, study.yml]"),
    "files: two studies of one name": Edit("pipeline.yaml]", "pipeline.yaml, same.yaml]"),
    "files: a misspelt section of a study": Edit("objective:", "objectve:", "study.yaml"),
    "files: a misspelt kind of step": Edit("kind: data", "kind: dta", "pipeline.yaml"),
    "files: a step that Argo cannot run": Edit(
        "kind: evaluate\n", "kind: evaluate\n    instance_count: 2\n", "pipeline.yaml"
    ),
    "files: an image that was never built": Edit(
        "image: registry.example/circuits:1", "image: images/train", "study.yaml"
    ),
    # storage and files
    "claims: no size": Edit("{size: 5Gi}", "{}"),
    "claims: a size alone": Edit("{size: 5Gi}", "5Gi"),
    "claims: a unit that Kubernetes has not": Edit("5Gi", "5GB"),
    "claims: nothing": Edit("5Gi", "0"),
    "claims: an unknown access": Edit("5Gi}", "5Gi, access: [RWX]}"),
    "claims: a storage class that cannot be": Edit("5Gi}", "5Gi, storage_class: My Class}"),
    "claims: nearly the one that is used": Edit("circuits-shared:", "circuits-share:"),
    "config_maps: a file that is not there": Edit("[circuits.yaml]", "[circuit.yaml]"),
    "config_maps: a file from outside": Edit("[circuits.yaml]", "[../circuits.yaml]"),
    "config_maps: two files of one name": Edit("[circuits.yaml]", "[circuits.yaml, more/circuits.yaml]"),
    "config_maps: a key that cannot be": Edit("[circuits.yaml]", "{my key: circuits.yaml}"),
    "config_maps: no file": Edit("[circuits.yaml]", "[]"),
    "config_maps: too large": Edit("[circuits.yaml]", "[large.txt]"),
    # overlays
    "overlays: a name in upper case": Edit("  dev:\n", "  Dev:\n"),
    "overlays: nothing in one": Edit("  dev:\n", "  test:\n  dev:\n"),
    "overlays: a misspelt key": Edit("    images:", "    image:"),
    "overlays: a namespace with _": Edit("team-a-dev", "team_dev"),
    "overlays: an image that nothing runs": Edit("{registry.example/circuits: dev}", "{registry.example/circuit: dev}"),
    "overlays: an image with its tag": Edit("{registry.example/circuits: dev}", "{registry.example/circuits:1: dev}"),
    "overlays: a whole image for a tag": Edit(
        "{registry.example/circuits: dev}", "{registry.example/circuits: registry.example/circuits:dev}"
    ),
    "overlays: a tag that is a number": Edit("circuits: dev}", "circuits: 1.1}"),
    "overlays: a file that is not in the set": Edit("      study.yaml: ", "      studi.yaml: "),
    "overlays: changes as a mapping": Edit("[steps.tune.timeout=30m]", "{steps.tune.timeout: 30m}"),
    "overlays: a change without a value": Edit("budget.max_trials=4", "budget.max_trials"),
    "overlays: a change of an unknown key": Edit("budget.max_trials", "budget.max_trails"),
    "overlays: a change of no step": Edit("steps.tune", "steps.tun"),
    "overlays: a change to what cannot be": Edit("max_trials=4", "max_trials=0"),
    "overlays: a change of the namespace": Edit("cpu=1]", "cpu=1, targets.katib.namespace=team-b]"),
    "overlays: a change that Katib cannot express": Edit(
        "cpu=1]", "cpu=1, targets.katib.encoding=native, 'search.learning_rate={qloguniform: [0.001, 0.01], q: 0.001}']"
    ),
}

COMMANDS = {
    "command: no folder to write to": ["render", "right"],
    "command: one target": ["render", "right", "--out", "out", "--target", "katib"],
    "command: changes": ["render", "right", "--out", "out", "budget.max_trials=3"],
    "command: JSON": ["render", "right", "--out", "out", "--format", "json"],
    "command: a folder without a project": ["render", "empty", "--out", "out"],
    "command: a folder with nothing to apply": ["render", "bare", "--out", "out"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projects")
    made = Path(shutil.copytree(CIRCUITS, folder / "right"))
    (made / "project.yaml").write_text(PROJECT)
    study = (made / "study.yaml").read_text()
    (made / "study.yml").write_text(study.replace("name: circuits-lstm", "name: other"))
    (made / "same.yaml").write_text(study)
    (made / "large.txt").write_text("x" * 1_100_000)
    (folder / "empty").mkdir()
    (folder / "bare").mkdir()
    (folder / "bare" / "project.yaml").write_text("name: bare\nnamespace: team-a\n")
    return folder


def _of_edit(edit: Edit, folder: Path) -> str:
    shutil.rmtree(folder / "wrong", ignore_errors=True)
    file = Path(shutil.copytree(folder / "right", folder / "wrong")) / edit.file
    assert edit.old in file.read_text()
    file.write_text(file.read_text().replace(edit.old, edit.new, 1))
    text = printed(["render", "wrong", "--out", "out"], folder)
    assert not (folder / "out").exists()
    return text


@pytest.fixture(scope="module")
def texts(folder: Path) -> dict[str, str]:
    found = {name: _of_edit(edit, folder) for name, edit in EDITS.items()}
    found |= {name: printed(arguments, folder) for name, arguments in COMMANDS.items()}
    record(SNAPSHOTS, found)
    return found


def test_the_project_without_a_mistake_is_rendered(folder: Path) -> None:
    assert printed(["render", "right", "--out", "made"], folder).startswith("exit 0\n")


@pytest.mark.parametrize("name", [*EDITS, *COMMANDS])
def test_a_mistake_is_answered_with_its_recorded_text(name: str, texts: dict[str, str]) -> None:
    assert texts[name] == recorded(SNAPSHOTS).get(name), REMEDY


def test_every_mistake_is_refused_without_a_traceback(texts: dict[str, str]) -> None:
    assert [name for name, text in texts.items() if not text.startswith("exit 2\nkftune: ")] == []


def test_every_mistake_in_a_file_names_a_file(texts: dict[str, str]) -> None:
    named = re.compile(r"\b(project|study|pipeline)\.yaml\b")
    assert [name for name in EDITS if not named.search(texts[name])] == []
