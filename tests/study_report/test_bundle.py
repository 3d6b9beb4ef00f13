"""A bundle is all that is left of a study whose folder is deleted, and is read back as the study was."""

from __future__ import annotations

import io
import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from local_experiment import experiment
from mistake_texts import printed, record, recorded
from seed_project import kftune

from kftune import yaml_text
from kftune.results import open_results
from kftune.results.export import to_json, to_text
from kftune.results.sources import bundle as reading
from kftune.results.sources.find import open_trials

SNAPSHOTS = "export_mistakes.txt"
_CLASS = '''
from kftune import Hparam, Hparams, LogUniform

class Toy(Hparams):
    """A toy."""

    lr: float = Hparam(1e-3, search=LogUniform(1e-4, 1e-2))
    """Step size."""
'''
_SCRIPT = """
import os, sys
lr = float(sys.argv[1].split("=")[1])
if lr < 3e-4:
    sys.exit(f"no data in {os.getcwd()}")
for step in range(3):
    print(f"{step=} loss={lr + step}")
"""
_STUDY = f"""\
name: toy
hparams: toy_hparams:Toy
objective: {{metric: loss, direction: minimize}}
algorithm: {{name: random, seed: 7}}
budget: {{max_trials: 6, max_failed: 6}}
step: {{command: ["{sys.executable}", train.py]}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a study that has run, and its bundle."""
    found = tmp_path_factory.mktemp("bundled")
    for name, text in {"toy_hparams.py": _CLASS, "train.py": _SCRIPT, "study.yaml": _STUDY}.items():
        (found / name).write_text(text, encoding="utf-8")
    kftune(found, "run", "study.yaml", status=0)
    kftune(found, "export", "study.yaml", "--bundle", "toy.zip")
    return found


def contents(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as found:
        return {each: found.read(each).decode() for each in found.namelist()}


def test_a_bundle_has_results_pictures_the_study_and_its_class(folder: Path) -> None:
    found = contents(folder / "toy.zip")
    assert [*found] == [
        *("README.txt", "best.yaml", "curves.csv", "report.html", "results.json"),
        *("study/study.yaml", "study/toy_hparams.py", "trials.csv"),
    ]
    assert found["study/toy_hparams.py"] == _CLASS
    assert found["best.yaml"].startswith("lr: ")


def test_equal_results_give_equal_bytes_whatever_the_file_is_called(folder: Path) -> None:
    kftune(folder, "export", "study.yaml", "--bundle", "again.zip")
    assert (folder / "again.zip").read_bytes() == (folder / "toy.zip").read_bytes()


def test_no_file_of_results_in_a_bundle_has_a_path_of_this_machine(folder: Path) -> None:
    found = {name: text for name, text in contents(folder / "toy.zip").items() if not name.startswith("study/")}
    assert [name for name, text in found.items() if str(folder.parent) in text] == []


def test_a_bundle_survives_the_study_and_gives_back_its_trials_and_curves(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "toy.zip", tmp_path / "toy.zip")
    with open_results(folder / "runs" / "toy") as results, open_trials(tmp_path / "toy.zip") as read:
        before, after = to_json(results, curves=True), to_json(read, curves=True)
    for trial in (*before["trials"], before["best"]):
        trial["log"] = trial["output"] = None
        trial["message"] = trial["message"].replace(str(folder.resolve()), ".")
    assert after == before


@pytest.mark.parametrize("command", ["results", "best", "report", "compare", "status"])
def test_a_command_reads_a_bundle(command: str, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "toy.zip", tmp_path / "toy.zip")
    more = {"report": ["--out", "page.html"], "compare": ["toy.zip"]}.get(command, [])
    assert kftune(tmp_path, command, "toy.zip", *more)


def test_the_report_in_a_bundle_is_the_one_that_it_gives(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "toy.zip", tmp_path / "toy.zip")
    kftune(tmp_path, "report", "toy.zip", "--out", "page.html")
    assert (tmp_path / "page.html").read_text() == contents(tmp_path / "toy.zip")["report.html"]


def test_a_bundle_of_a_bundle_has_the_same_results(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "toy.zip", tmp_path / "toy.zip")
    kftune(tmp_path, "export", "toy.zip", "--bundle", "next.zip")
    assert contents(tmp_path / "next.zip")["results.json"] == contents(tmp_path / "toy.zip")["results.json"]


def zipped(compression: int = zipfile.ZIP_DEFLATED, **files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return content.getvalue()


def test_names_that_lead_out_of_a_bundle_are_not_extracted(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "inner" / "toy.zip"
    path.parent.mkdir()
    shutil.copy(folder / "toy.zip", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../outside.txt", "x")
    with open_trials(path) as read:
        assert len(read.trials()) == 6
    assert [each.name for each in tmp_path.rglob("*") if each.is_file()] == ["toy.zip"]


_MISTAKES = {
    "neither --to nor --bundle": ["export", "study.yaml"],
    "both": ["export", "study.yaml", "--to", "optuna", "--bundle", "new.zip"],
    "an unknown system": ["export", "study.yaml", "--to", "azure"],
    "Katib": ["export", "study.yaml", "--to", "katib"],
    "results in other words": ["export", "toy.zip", "--to", "optuna"],
    "a folder of results in other words": ["export", "study.yaml", "--to", "optuna", "--dir", "runs/toy"],
    "the study itself": ["export", "study.yaml", "--to", "optuna", "-o", "./study.yaml", "--force"],
    "a file that is there": ["export", "study.yaml", "--to", "optuna", "-o", "train.py"],
    "a bundle that is a folder": ["export", "study.yaml", "--bundle", "."],
    "a study that is not there": ["export", "studdy.yaml", "--to", "optuna"],
    "a bundle with another suffix": ["export", "study.yaml", "--bundle", "toy.tar"],
    "a bundle that is there": ["export", "study.yaml", "--bundle", "toy.zip"],
    "a bundle with -o": ["export", "study.yaml", "--bundle", "new.zip", "-o", "x.zip"],
    "a bundle without results": ["export", "new.yaml", "--bundle", "new.zip"],
    "reading: not there": ["best", "toi.zip"],
    "reading: no ZIP": ["best", "text.zip"],
    "reading: cut": ["best", "cut.zip"],
    "reading: damaged": ["best", "damaged.zip"],
    "reading: another compression": ["best", "lzma.zip"],
    "reading: without results": ["best", "other.zip"],
    "reading: broken results": ["best", "broken.zip"],
    "reading: other JSON": ["best", "list.zip"],
    "reading: a later format": ["best", "later.zip"],
    "reading: too large": ["best", "large.zip"],
}


@pytest.fixture(scope="module")
def texts(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    found = tmp_path_factory.mktemp("mistakes")
    for name in ("toy.zip", "study.yaml", "toy_hparams.py", "train.py"):
        shutil.copy(folder / name, found / name)
    (found / "new.yaml").write_text(_STUDY.replace("name: toy", "name: other"))
    content = (folder / "toy.zip").read_bytes()
    files = {
        "text.zip": b"no archive",
        "cut.zip": content[: len(content) // 2],
        "damaged.zip": zipped(zipfile.ZIP_STORED, results_json="[1, 2]").replace(b"[1, 2]", b"[1, 3]"),
        "lzma.zip": zipped(zipfile.ZIP_LZMA, results_json="{}"),
        "other.zip": zipped(notes_txt="x"),
        "broken.zip": zipped(results_json="{"),
        "large.zip": zipped(results_json="1" * 2000),
        "list.zip": zipped(results_json="[1]"),
        "later.zip": zipped(results_json=to_text({"format": "kftune.results/9"})),
    }
    for name, each in files.items():
        (found / name).write_bytes(each)
    with pytest.MonkeyPatch.context() as patch:
        made = {name: printed(each, found) for name, each in [*_MISTAKES.items()][:-1]}
        patch.setattr(reading, "MOST_BYTES", 1000)
        made |= {name: printed(each, found) for name, each in [*_MISTAKES.items()][-1:]}
    record(SNAPSHOTS, made)
    return made


@pytest.mark.parametrize("name", _MISTAKES)
def test_a_mistake_is_answered_with_its_recorded_text(name: str, texts: dict[str, str]) -> None:
    assert texts[name] == recorded(SNAPSHOTS).get(name)


def test_every_mistake_is_refused_without_a_traceback(texts: dict[str, str]) -> None:
    assert [name for name, text in texts.items() if not text.startswith("exit 2") or "Traceback" in text] == []


def test_a_bundle_of_an_experiment_has_the_experiment(tmp_path: Path) -> None:
    (tmp_path / "katib.yaml").write_text(yaml_text.dump(json.loads(json.dumps(experiment()))), encoding="utf-8")
    kftune(tmp_path, "run", "katib.yaml")
    kftune(tmp_path, "export", "katib.yaml", "--bundle", "katib.zip")
    found = contents(tmp_path / "katib.zip")
    assert "kind: Experiment" in found["experiment.yaml"]
    assert found["study/katib.yaml"] == (tmp_path / "katib.yaml").read_text()
