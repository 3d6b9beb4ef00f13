"""The commands on a study for many entities and its results."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import re
import shlex

import pytest
from mistake_texts import printed

from kftune import yaml_text
from kftune.results import open_results

STUDY = """\
name: pumps
hparams: local_study:Tiny
objective: {metric: loss, direction: minimize}
algorithm: {name: grid}
budget: {max_trials: 6, parallel: 2}
step:
  command: [sh, -c, 'test $0 != P2/C1 || exit 4; echo loss=0.${1#--a=}${2#--b=} | sed s/true/1/ | sed s/false/2/']
  args: ["${entity}"]
for_each: pumps.yaml
"""
PUMPS = """\
# present values
P1:
  C1: {a: 3, b: true} # keep
  C2: {a: 1, b: false}
P2: {C1: {a: 3, b: true}}
"""
BEST = PUMPS.replace("{a: 3, b: true} # keep", "{a: 1, b: true} # keep").replace("b: false", "b: true")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "pumps.yaml").write_text(PUMPS)
    return tmp_path


@pytest.fixture
def done(folder):
    printed(["run", "study.yaml"], folder)
    return folder


def test_a_run_names_the_entity_on_each_line_and_ends_with_code_1_if_one_failed(folder):
    text = printed(["run", "study.yaml"], folder)
    status, headline, place, *lines = text.splitlines()
    assert status == "exit 1"
    assert headline == "pumps: minimize loss, grid, 3 entities, 18 trials, 2 at once"
    assert place == "results in PROJECT/runs/pumps"
    about = [line for line in lines if "pumps-p" in line]
    assert len(about) >= 2 * (6 + 6 + 3)
    assert all(re.match(r"(\[\d+/18\] )?P\d/C\d: pumps-p\d-c\d-\d{4} ", line) for line in about)
    assert "P2/C1: Failed (MaxFailedReached): 3 of 3 trials have failed" in text
    assert re.search(r"^progress: \d+/18 trials, 2 of 3 entities have ended", text, re.M)
    assert "1 entity has failed: P2/C1" in text
    assert "entities: 1 MaxFailedReached, 2 MaxTrialsReached\n" in text


def test_events_are_one_json_object_a_line_with_the_entity(folder):
    status, *lines = printed(["run", "study.yaml", "--json", "--entity", "P1/C2"], folder).splitlines()
    events = [json.loads(line) for line in lines]
    assert status == "exit 0"
    assert [event["event"] for event in (events[0], events[-1])] == ["entities_started", "entities_finished"]
    assert {event.get("entity") for event in events[1:-1]} == {"P1/C2"}


def test_status_and_best_and_results_have_all_entities(done):
    assert re.search(r"^P1/C1 +MaxTrialsReached +6 Succeeded +0\.11 \(", printed(["status", "study.yaml"], done), re.M)
    status = json.loads(printed(["status", "runs/pumps", "-o", "json"], done).partition("\n")[2])
    assert status["counts"] == {"Failed": 3, "Succeeded": 12}
    assert [each["state"] for each in status["entities"]] == [
        "MaxTrialsReached",
        "MaxTrialsReached",
        "MaxFailedReached",
    ]
    best = json.loads(printed(["best", "study.yaml", "--format", "json"], done).partition("\n")[2])
    assert [each["best"] and each["best"]["objective"] for each in best["entities"]] == [0.11, 0.11, None]
    assert yaml_text.load(printed(["best", "study.yaml", "--format", "yaml"], done).partition("\n")[2]) == best
    rows = list(
        csv.DictReader(io.StringIO(printed(["results", "study.yaml", "--format", "csv"], done).partition("\n")[2]))
    )
    assert [row["entity"] for row in rows] == ["P1/C1"] * 6 + ["P1/C2"] * 6 + ["P2/C1"] * 3
    (top, *_) = json.loads(
        printed(["results", "study.yaml", "--top", "1", "--format", "json"], done).partition("\n")[2]
    )["entities"]["P1/C1"]["trials"]
    assert top["objective"] == 0.11


def test_every_command_reads_one_entity(done):
    with open_results(done / "runs" / "pumps" / "P1+C2") as results:
        best = results.best()
    assert f"pumps P1/C2: {best and best.name}" in printed(["best", "study.yaml", "--entity", "P1/C2"], done)
    assert "P1+C2/logs" in printed(["logs", "runs/pumps", "best", "--entity", "P1/C2", "--path"], done)
    assert printed(["report", "study.yaml", "--entity", "P1/C2", "--format", "text"], done).startswith("exit 0\n")
    assert "pumps P1/C1" in printed(["compare", "runs/pumps/P1+C1", "runs/pumps/P1+C2"], done)


def test_apply_writes_each_entity_at_its_own_place_and_nothing_else(done):
    text = printed(["apply", "study.yaml", "--to", "pumps.yaml", "--no-baseline", "--yes"], done)
    assert "P2/C1: not applied" in text
    assert (done / "pumps.yaml").read_text() == BEST
    assert "has these values already" in printed(
        ["apply", "runs/pumps", "--to", "pumps.yaml", "--entity", "P1/C2", "--no-baseline", "--yes"], done
    )


@pytest.mark.parametrize("entity", [[], ["--entity", "P1/C1"]], ids=["all", "one"])
def test_apply_names_the_command_that_runs_the_present_values_of_entities(folder, entity):
    study = STUDY.replace("max_trials: 6, parallel: 2", "max_trials: 2").replace("name: grid", "name: random, seed: 2")
    each = "for_each: {items: [P1/C1, P1/C2], budget: {max_trials: 3}}"
    (folder / "study.yaml").write_text(study.replace("for_each: pumps.yaml", each))
    printed(["run", "study.yaml"], folder)
    apply = ["apply", "study.yaml", "--to", "pumps.yaml", "--dry-run", *entity]
    (command,) = re.findall(r"Run them as a trial: kftune (.*?); or apply without", printed(apply, folder))
    assert printed(shlex.split(command), folder).startswith("exit 0\n")
    text = printed(apply, folder)
    assert "no trial ran" not in text
    assert re.search(r"^loss 0\.\d+, baseline 0\.", text, re.M)


def test_a_study_that_says_so_applies_the_best_values_of_each_entity(folder):
    (folder / "study.yaml").write_text(f"{STUDY}apply: {{to: pumps.yaml}}\n")
    text = printed(["run", "study.yaml"], folder)
    assert (folder / "pumps.yaml").read_text() == BEST
    assert "P1/C2" in text
    with open_results(folder / "runs" / "pumps" / "P1+C1") as results:
        assert results.trials()[0].point == {"a": 3, "b": True}


def test_the_present_values_of_each_entity_come_first(folder):
    printed(["run", "study.yaml", "--baseline-from", "pumps.yaml"], folder)
    for name, values in {"P1+C1": {"a": 3, "b": True}, "P1+C2": {"a": 1, "b": False}}.items():
        with open_results(folder / "runs" / "pumps" / name) as results:
            assert results.trials()[0].point == values


def test_list_has_one_line_and_prune_looks_into_each(done):
    (_, header, line) = printed(["list", "runs"], done).splitlines()
    assert header.startswith("path")
    assert re.match(r"runs/pumps +study for 3 entities +Completed +3 Failed, 12 Succeeded ", line)
    assert printed(["prune", "runs"], done).count("not among the best") > 10


def test_a_run_of_several_entities_protects_the_results_of_each(done):
    with (done / "runs" / "pumps" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        assert f"running (process {os.getpid()})" in printed(["status", "runs/pumps/P1+C1"], done)
        assert f"running (process {os.getpid()})" in printed(["status", "study.yaml"], done)
        assert printed(["prune", "runs", "--yes"], done).count(f"process {os.getpid()} writes here") == 3


def test_show_names_the_entities_and_their_budget(folder):
    text = printed(
        ["show", "study.yaml", "for_each={file: pumps.yaml, budget: {max_trials: 9, wall_clock: 1h}}"], folder
    )
    assert (
        "  for each   3 entities: P1/C1, P1/C2, P2/C1\n             9 trials, 2 in parallel, at most 3600 s in all"
        in text
    )
    one = json.loads(
        printed(["show", "study.yaml", "--entity", "P2/C1", "--format", "json"], folder).partition("\n")[2]
    )
    assert one["name"] == "pumps P2/C1"
    assert one["command"][3] == "P2/C1"


@pytest.mark.parametrize(("options", "rows"), [([], 15), (["--top", "1"], 2), (["--curves"], 12)])
def test_a_parquet_file_has_the_trials_of_all_entities(done, options, rows):
    parquet = pytest.importorskip("pyarrow.parquet")
    printed(["results", "study.yaml", "--format", "parquet", "--out", "all.parquet", *options], done)
    table = parquet.read_table(done / "all.parquet")
    assert (table.num_rows, table.column_names[0]) == (rows, "entity")
    assert {"P1/C1", "P1/C2"} <= set(table["entity"].to_pylist())
    assert table.schema.metadata[b"kftune.study"] == b"pumps"


@pytest.mark.parametrize("command", [["summarise", "--across"], ["best"]])
def test_the_folder_above_results_of_entities_names_them(done, command):
    assert "runs: there are no results here; kftune run creates them; there are some in runs/pumps\n" in printed(
        [*command, "runs"], done
    )


def test_damaged_results_of_entities_are_named_and_saved(done):
    for name in ("P1+C1", "P1+C2"):
        (done / "runs" / "pumps" / name / "trials.db").write_bytes(b"damaged" * 1000)
    text = printed(["status", "study.yaml"], done)
    assert re.search(r"^P1/C1 +cannot be read$", text, re.M)
    assert re.search(r"^P1/C1 cannot be read: .*kftune results runs/pumps/P1\+C1 --salvage", text, re.M)
    assert re.search(r"^P1/C1 +\(cannot be read\)$", printed(["best", "study.yaml"], done), re.M)
    one = printed(["results", "study.yaml", "--salvage", "--entity", "P1/C2"], done)
    assert "runs/pumps/P1+C2: 6 finished trials are saved" in one
    rest = printed(["results", "study.yaml", "--salvage"], done)
    assert "runs/pumps/P1+C1: 6 finished trials are saved" in rest
    assert "2 entities: everything can be read, so nothing is written" in rest
    assert "for 3 entities: " in printed(["status", "study.yaml"], done)
    assert "cannot be read" not in printed(["status", "study.yaml"], done)
