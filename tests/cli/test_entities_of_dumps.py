"""The trials of an Experiment that was rendered for one entity are read, typed and applied as those of that entity."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from places import DATA

from kftune.cli import main
from kftune.results.past import past_of
from kftune.results.sources.find import trials_in
from kftune.results.sources.hints import Hints
from kftune.study import load_study

OWN, OTHER = "PLANT001/CIRCUIT02", "PLANT001/CIRCUIT01"
NOTHING_RAN = "--no-baseline"


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a study for three circuits, their values, and what a cluster has of one of them."""
    monkeypatch.delitem(sys.modules, "plant_hparams", raising=False)
    folder = Path(shutil.copytree(DATA / "e2e_entities", tmp_path / "plant"))
    shutil.copy(DATA / "katib_dumps" / "plants-circuit02.yaml", tmp_path / "saved.yaml")
    return folder


def read(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, str, str]:
    code = main([*command])
    return code, *capsys.readouterr()


@pytest.mark.parametrize("options", [[], ["--entity", OWN]], ids=["alone", "named"])
def test_the_fixed_values_are_those_of_its_entity(plant: Path, capsys, options: list[str]):
    study = ["--study", str(plant / "study.yaml")]
    code, text, _ = read(capsys, "results", str(plant.parent / "saved.yaml"), *study, *options, "--format", "json")
    found = json.loads(text)
    assert code == 0
    assert found["study"]["fixed"] == {"circuit": OWN}
    assert {trial["assignment"]["circuit"] for trial in found["trials"]} == {OWN}


@pytest.mark.parametrize("named", ["", "targets: {katib: {name: plants}}\n"], ids=["by the study", "by the target"])
def test_the_study_beside_a_dump_is_found_by_the_name_of_the_entitys_experiment(plant: Path, capsys, named: str):
    dump, study = shutil.copy(plant.parent / "saved.yaml", plant), plant / "study.yaml"
    text = study.read_text(encoding="utf-8")
    study.write_text(text.replace("name: plants\n", "name: mine\n") + named if named else text, encoding="utf-8")
    code, text, notes = read(capsys, "best", str(dump), "--format", "json")
    assert (code, json.loads(text)["best"]["assignment"]["circuit"]) == (0, OWN)
    assert f"values have the types of {study}" in notes


def test_a_study_whose_name_is_no_name_on_a_cluster_is_found_too(plant: Path, capsys):
    study = plant / "study.yaml"
    lines = study.read_text(encoding="utf-8").replace("name: plants\n", "name: All Plants\n")
    study.write_text(lines.replace('"${entity}"', OWN).replace("for_each", "# for_each"), encoding="utf-8")
    assert main(["render", str(study), "--out", str(plant / "build")]) == 0
    name = (plant / "build" / "study.katib.yaml").read_text(encoding="utf-8").split("  name: ")[1].split()[0]
    dump = (plant.parent / "saved.yaml").read_text(encoding="utf-8").replace("plants-plant001-circuit02-4cf1a200", name)
    (plant / "saved.yaml").write_text(dump.replace("kftune.io/entity", "kftune.io/other"), encoding="utf-8")
    capsys.readouterr()
    assert f"values have the types of {study}" in read(capsys, "best", str(plant / "saved.yaml"))[2]


@pytest.mark.parametrize("study", [[], ["study.yaml"]], ids=["alone", "with its study"])
def test_another_entity_is_refused(plant: Path, capsys, study: list[str]):
    through = [word for name in study for word in ("--study", str(plant / name))]
    code, _, said = read(capsys, "results", str(plant.parent / "saved.yaml"), *through, "--entity", OTHER)
    assert code == 2
    assert f"--entity is {OTHER}, but the trials of {plant.parent}/saved.yaml are of the entity {OWN}" in said


def test_trials_of_an_unknown_entity_ask_for_it(plant: Path, capsys):
    table = plant / "trials.csv"
    table.write_text("units,rate,loss\n8,0.5,0.25\n9,0.25,0.5\n", encoding="utf-8")
    study = ["--study", str(plant / "study.yaml")]
    code, _, said = read(capsys, "results", str(table), *study)
    assert code == 2
    assert f"does not say of which its trials are; give --entity, such as {OTHER}" in said
    code, _, said = read(capsys, "results", str(table), "--objective", "loss", "--direction=minimize", "--entity", OWN)
    assert code == 2
    assert f"--entity is {OWN}, but {table} does not say of which entity its trials are; give the study" in said
    code, text, _ = read(capsys, "results", str(table), *study, "--entity", OWN, "--format", "json")
    assert (code, json.loads(text)["study"]["fixed"]) == (0, {"circuit": OWN})


@pytest.mark.parametrize("study", [[], ["study.yaml"]], ids=["alone", "with its study"])
def test_its_best_values_go_to_the_place_of_its_entity(plant: Path, capsys, study: list[str]):
    through = [word for name in study for word in ("--study", str(plant / name))]
    dump, to = str(plant.parent / "saved.yaml"), plant / "circuits.yaml"
    before = to.read_text(encoding="utf-8")
    code, _, said = read(capsys, "apply", dump, *through, "--to", str(to), NOTHING_RAN, "--yes")
    assert (code, said.count("kftune:")) == (0, 0)
    here = "  CIRCUIT02: {circuit: PLANT001/CIRCUIT02, units: 8, rate: 0.5}\n"
    now = here.replace("8, rate: 0.5}", "17, rate: 0.46793736643388284}")
    assert to.read_text(encoding="utf-8") == before.replace(here, now)


def test_its_best_values_are_refused_at_the_place_of_another_entity(plant: Path, capsys):
    dump, to = str(plant.parent / "saved.yaml"), plant / "circuits.yaml"
    before = to.read_text(encoding="utf-8")
    study = ["--study", str(plant / "study.yaml"), "--at", OTHER]
    code, _, said = read(capsys, "apply", dump, *study, "--to", str(to), NOTHING_RAN, "--yes")
    assert code == 1
    assert f"circuit is '{OTHER}' there and '{OWN}' in the trials" in said
    assert to.read_text(encoding="utf-8") == before


def test_the_file_of_the_studys_own_apply_is_beside_the_study(plant: Path, capsys):
    study = plant / "study.yaml"
    study.write_text(study.read_text(encoding="utf-8") + "apply: {to: circuits.yaml}\n", encoding="utf-8")
    code, text, _ = read(
        capsys, "apply", str(plant.parent / "saved.yaml"), "--study", str(study), NOTHING_RAN, "--dry-run"
    )
    assert code == 0
    assert "+  CIRCUIT02: {circuit: PLANT001/CIRCUIT02, units: 17, rate: 0.46793736643388284}" in text


@pytest.mark.parametrize(("entity", "told"), [(OWN, 2), (OTHER, 0)])
def test_only_the_same_entity_is_told_of_its_results(plant: Path, entity: str, told: int):
    trials = trials_in(plant.parent / "saved.yaml", Hints())
    assert trials is not None
    past = past_of(load_study(plant / "study.yaml").for_entity(entity), [trials], 3, None)
    assert (len(past.first), len(past.told)) == (2, told)
    assert (f"since circuit is '{OWN}' there and '{OTHER}' here" in past.notes[-1]) == (entity == OTHER)
