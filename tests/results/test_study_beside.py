"""The values of an Experiment have the types of the study beside its dump."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from places import DATA, ROOT

from kftune.cli import main

OCR = ROOT / "pipelines" / "ocr"


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """Returns a dump of a cluster, with the study that it was rendered from beside it."""
    shutil.copy(OCR / "study.yaml", tmp_path / "my-study.yaml")
    (tmp_path / "other.yaml").write_text("name: ocr-small\n", encoding="utf-8")  # no study
    (tmp_path / "broken.yaml").write_text("name: [\n", encoding="utf-8")
    return Path(shutil.copy(DATA / "katib_dumps" / "ocr-small.yaml", tmp_path / "saved.yaml"))


def best(capsys: pytest.CaptureFixture[str], dump: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    assert main(["best", str(dump), *arguments, "--format", "json"]) == 0
    printed = capsys.readouterr()
    return json.loads(printed.out)["best"], printed.err


def test_the_study_of_that_name_types_the_values_and_is_named(dump: Path, capsys):
    found, notes = best(capsys, dump)
    assert found["values"]["batch_size"] == 16
    assert f"note: values have the types of {dump.parent}/my-study.yaml; another study: --study FILE" in notes
    (dump.parent / "my-study.yaml").unlink()
    found, notes = best(capsys, dump)
    assert (found["values"]["batch_size"], notes) == ("16", "")


@pytest.mark.parametrize("command", ["results", "best", "report", "compare"])
def test_every_command_that_reads_trials_finds_it(dump: Path, tmp_path: Path, capsys, command: str):
    extra = {"compare": [str(dump)], "report": ["--format", "text"]}.get(command, [])
    assert main([command, str(dump), *extra]) == 0
    assert "my-study.yaml; another study" in capsys.readouterr().err


def test_the_name_that_a_study_gives_its_experiment_counts(dump: Path, capsys):
    study = dump.parent / "my-study.yaml"
    text = study.read_text(encoding="utf-8").replace("name: ocr-small", "name: mine")
    study.write_text(text.replace("katib: {version", "katib: {name: ocr-small, version"), encoding="utf-8")
    assert best(capsys, dump)[0]["values"]["batch_size"] == 16


def test_a_study_with_a_class_that_is_not_there_is_named_and_leaves_the_values(dump: Path, capsys):
    study = dump.parent / "my-study.yaml"
    study.write_text(study.read_text(encoding="utf-8").replace("OcrHparams", "gone:Ocr"), encoding="utf-8")
    found, notes = best(capsys, dump)
    assert found["values"]["batch_size"] == "16"
    assert "my-study.yaml has the name of this Experiment; its code was not run to type the values: " in notes


def test_a_study_with_other_parameters_is_named_and_leaves_the_values(dump: Path, capsys):
    (dump.parent / "small_hparams.py").write_text(
        "from kftune import Hparam, Hparams, Uniform\n\n\nclass Small(Hparams):\n"
        "    learning_rate: float = Hparam(0.1, search=Uniform(0, 1))\n",
        encoding="utf-8",
    )
    (dump.parent / "my-study.yaml").write_text(
        "name: ocr-small\nhparams: small_hparams:Small\nobjective: {metric: val_seq_accuracy, direction: maximize}\n"
        "budget: {max_trials: 3}\nstep: {command: [python, train.py]}\n",
        encoding="utf-8",
    )
    found, notes = best(capsys, dump)
    assert found["values"]["batch_size"] == "16"
    assert "but not its parameters batch_size, label_smoothing, " in notes


def test_of_several_studies_one_has_to_be_chosen(dump: Path, capsys):
    shutil.copy(dump.parent / "my-study.yaml", dump.parent / "again.yaml")
    found, notes = best(capsys, dump)
    assert found["values"]["batch_size"] == "16"
    assert "several studies have the name of this Experiment: again.yaml, my-study.yaml" in notes
    assert best(capsys, dump, "--study", str(dump.parent / "again.yaml"))[0]["values"]["batch_size"] == 16


def test_arguments_have_the_form_that_the_study_says(dump: Path, capsys):
    study = dump.parent / "my-study.yaml"
    form = "  args: [ocr]\n  arguments: {names: dashes, style: --name value}\n"
    study.write_text(study.read_text(encoding="utf-8").replace("  args: [ocr]\n", form), encoding="utf-8")
    assert main(["best", str(dump), "--format", "args"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index("--batch-size") + 1] == "16"
    assert main(["report", str(dump), "--format", "text"]) == 0
    assert shlex.join(lines) in capsys.readouterr().out.splitlines()
