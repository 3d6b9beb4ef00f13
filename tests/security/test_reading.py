"""Reading what somebody else wrote runs none of it: a study beside a dump, a database, a git repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from places import DATA

from kftune.cli import main
from kftune.revision import revision_of

ODD = """\
from pathlib import Path
from kftune import Hparam, Hparams
Path(__file__).with_name('ran').touch()
class Odd(Hparams):
    learning_rate: float = {}
"""
STUDY = """\
name: ocr-small
hparams: {}
objective: {{metric: val_seq_accuracy, direction: maximize}}
budget: {{max_trials: 3}}
step: {{command: [python, train.py]}}
search: {{learning_rate: {{uniform: [0, 1]}}}}
"""


@pytest.mark.parametrize("value", ["0.1", "float('0.1')"], ids=["read", "not read"])
@pytest.mark.parametrize("command", ["results", "best", "report", "compare", "snippet"])
def test_the_study_beside_a_dump_runs_only_if_the_user_names_it(tmp_path, capsys, command, value):
    dump = Path(shutil.copy(DATA / "katib_dumps" / "ocr-small.yaml", tmp_path / "saved.yaml"))
    module = f"beside_{command}_{len(value)}"
    (tmp_path / f"{module}.py").write_text(ODD.format(value))
    (tmp_path / "study.yaml").write_text(STUDY.format(f"{module}:Odd"))
    extra = {"compare": [str(dump)], "report": ["--format", "text"]}.get(command, [])
    assert main([command, str(dump), *extra]) == 0
    assert not (tmp_path / "ran").exists()
    assert module not in sys.modules
    assert "study.yaml has the name of this Experiment" in capsys.readouterr().err


def test_a_class_that_its_source_does_not_show_is_named_with_what_to_do(tmp_path, capsys):
    dump = Path(shutil.copy(DATA / "katib_dumps" / "ocr-small.yaml", tmp_path / "saved.yaml"))
    (tmp_path / "beside_odd.py").write_text(ODD.format("float('0.1')"))
    (tmp_path / "study.yaml").write_text(STUDY.format("beside_odd:Odd"))
    main(["best", str(dump)])
    told = capsys.readouterr().err
    assert "its code was not run to type the values: module beside_odd must not be imported" in told
    assert f"if you trust it: --study {tmp_path / 'study.yaml'}" in told
    main(["best", str(dump), "--study", str(tmp_path / "study.yaml")])
    assert (tmp_path / "ran").exists()


ENDLESS = "WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r) SELECT"
OTHERS = """
CREATE TABLE study_directions (study_id, direction, objective);
CREATE TABLE study_system_attributes (study_id, key, value_json);
CREATE TABLE trials (trial_id, number, study_id, state, datetime_start, datetime_complete);
"""
OPTUNA = {
    "view": f"{OTHERS} CREATE VIEW studies AS {ENDLESS} a AS study_id, 'x' AS study_name FROM r WHERE a < 0;",
    "virtual table": f"{OTHERS} CREATE VIEW v AS {ENDLESS} a AS study_id, 'x' AS study_name FROM r WHERE a < 0;"
    "CREATE VIRTUAL TABLE studies USING fts5(study_id, study_name, content='v');",
}
OWN = {
    "view": f"CREATE VIEW meta AS {ENDLESS} 'study' AS key, '' AS value, a AS checksum FROM r WHERE a < 0;",
    "trigger": "CREATE TABLE meta (key, value, checksum); CREATE TABLE trials (number, state);"
    f"CREATE TRIGGER t BEFORE INSERT ON trials BEGIN INSERT INTO meta {ENDLESS} a, a, a FROM r; END;",
}


def database(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{script} PRAGMA user_version = 4;")
    return path


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", OPTUNA)
def test_a_storage_of_optuna_has_plain_tables(tmp_path, capsys, kind):
    place = database(tmp_path / "study.db", OPTUNA[kind])
    assert main(["results", str(place), "--objective", "loss"]) == 2
    assert f"'studies' is a {kind}" in capsys.readouterr().err
    assert main(["import", "optuna", str(place), "--out", str(tmp_path / "out")]) == 2


TABLES = """
CREATE TABLE studies (study_id, study_name); CREATE TABLE trial_params (trial_id, param_name, param_value,
distribution_json, param_id); CREATE TABLE trial_values (trial_id, objective, value, value_type);
CREATE TABLE trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type);
INSERT INTO studies VALUES (1, 's'); INSERT INTO study_directions VALUES (1, 'MINIMIZE', 0);
INSERT INTO trials VALUES (1, 0, 1, 'COMPLETE', NULL, NULL); INSERT INTO trial_values VALUES (1, 0, 0.5, 'FINITE');
"""


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE trial_values SET value = 'x'",
        "UPDATE trial_values SET objective = 99",
        "UPDATE trials SET state = 'odd'",
        "INSERT INTO study_system_attributes VALUES (1, 'study:metric_names', '[1')",
        "INSERT INTO trial_intermediate_values VALUES (1, 'x', 1, 'FINITE')",
        "INSERT INTO trial_params VALUES (1, 'x', 'a', '{}', 1)",
        "INSERT INTO trial_params VALUES (1, NULL, 1, NULL, 1)",
    ],
)
def test_a_storage_of_optuna_with_odd_values_is_refused(tmp_path, capsys, damage):
    assert main(["results", str(database(tmp_path / "study.db", OTHERS + TABLES))]) == 0
    place = database(tmp_path / "odd.db", f"{OTHERS} {TABLES} {damage};")
    assert main(["results", str(place)]) == 2
    assert re.search("a value cannot be read|has a value that Optuna does not store", capsys.readouterr().err)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("command", ["results", "status", "list", "compare"])
@pytest.mark.parametrize("kind", OWN)
def test_results_of_a_stranger_have_plain_tables(tmp_path, capsys, kind, command):
    database(tmp_path / "trials.db", OWN[kind])
    main([command, str(tmp_path), *([str(tmp_path)] if command == "compare" else [])])
    told = capsys.readouterr()
    assert f"is a {kind}" in told.out + told.err


@pytest.fixture
def repository(tmp_path):
    """A folder as an archive has it, with a git repository that names programs."""
    folder = tmp_path / "given"
    folder.mkdir()

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)

    (folder / "a.txt").write_text("a")
    (folder / ".gitattributes").write_text("*.txt filter=odd=name\n")
    (folder / "monitor").write_text("#!/bin/sh\ntouch ran\n")
    (folder / "monitor").chmod(0o755)
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "a")
    git("config", "core.fsmonitor", str(folder / "monitor"))
    git("config", "filter.odd=name.clean", "touch ran; cat")
    git("config", "filter.odd=name.process", "touch ran")
    git("config", "filter.odd=name.required", "true")
    return folder


def test_git_runs_no_program_that_a_repository_names(repository, monkeypatch):
    (repository / "a.txt").write_text("b")
    found = revision_of(repository)
    assert (len(found.commit), found.changed, found.problem) == (40, True, "")
    assert not (repository / "ran").exists()
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*")
    (repository / "a.txt").write_text("a")
    assert not revision_of(repository).changed
    assert not (repository / "ran").exists()


ODD_DUMPS = [
    ("status", "x"),
    ("spec.parallelTrialCount", "x"),
    ("spec.algorithm.algorithmName", 7),
    ("spec.parameters.0.name", None),
    ("spec.parameters.1.feasibleSpace.max", 10**400),
    ("spec.objective.objectiveMetricName", []),
    ("metadata", []),
]


@pytest.mark.parametrize(("place", "value"), ODD_DUMPS, ids=[place for place, _ in ODD_DUMPS])
def test_a_dump_with_odd_values_is_refused(tmp_path, capsys, place, value):
    dump = yaml.safe_load((DATA / "katib_dumps" / "ocr-small.yaml").read_text())
    *parents, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    inner = next(each for each in dump["items"] if each["kind"] == "Experiment")
    for part in parents:
        inner = inner[part]
    inner[last] = value
    (tmp_path / "saved.json").write_text(json.dumps(dump))
    assert main(["results", str(tmp_path / "saved.json")]) == 2
    assert capsys.readouterr().err.startswith("kftune: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [("assignment", 7), ("objective", "1e400"), ("duration", 10**400), ("values", None), ("origin", {}), ("name", [])],
)
def test_saved_results_with_odd_values_are_refused(tmp_path, capsys, name, value):
    shutil.copy(DATA / "katib_dumps" / "ocr-small.yaml", tmp_path / "saved.yaml")
    saved = tmp_path / "saved.json"
    main(["results", str(tmp_path / "saved.yaml"), "--format", "json", "--out", str(saved)])
    content = json.loads(saved.read_text())
    content["trials"][0][name] = value
    saved.write_text(json.dumps(content))
    assert main(["results", str(saved)]) == 2
    assert "this is not a whole document of" in capsys.readouterr().err


QUICK = """\
name: s
hparams: LstmHparams
search: {learning_rate: {loguniform: [0.001, 0.1]}}
objective: {metric: loss, direction: minimize}
algorithm: {name: random}
budget: {max_trials: 1}
step: {command: [sh, -c, echo loss=1]}
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A study with results, which somebody else has sent."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "study.yaml").write_text(QUICK)
    assert main(["run", str(folder / "study.yaml")]) == 0
    return folder


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ["trials.jsonl", "lock", "../.gitignore", "entities.json"])
def test_a_fifo_among_results_is_not_waited_for(planted, tmp_path, name):
    folder = Path(shutil.copytree(planted, tmp_path / "own"))
    place = folder / "runs" / "s" / name
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    for command in (["list", str(folder)], ["status", str(folder / "study.yaml")], ["lint", str(folder)]):
        main(command)
    assert main(["run", str(folder / "study.yaml"), "budget.max_trials=2"]) in (0, 2)


def test_a_lock_that_is_a_link_empties_no_file(planted, tmp_path, capsys):
    folder = Path(shutil.copytree(planted, tmp_path / "own"))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (folder / "runs" / "s" / "lock").unlink()
    (folder / "runs" / "s" / "lock").symlink_to(victim)
    assert main(["run", str(folder / "study.yaml"), "budget.max_trials=2"]) == 2
    assert "a lock must be a regular file, but this is a link; remove it" in capsys.readouterr().err
    assert victim.read_text() == "precious"


def test_a_log_that_is_a_link_overwrites_no_file(planted, tmp_path):
    folder = Path(shutil.copytree(planted, tmp_path / "own"))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for number in range(1, 4):
        log = folder / "runs" / "s" / "logs" / f"s-{number:04}.log"
        log.unlink(missing_ok=True)
        log.symlink_to(victim)
    assert main(["run", str(folder / "study.yaml"), "budget.max_trials=3"]) == 0
    assert victim.read_text() == "precious"
