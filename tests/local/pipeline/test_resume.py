"""A pipeline's run that fails or is cut short goes on; what has not changed is taken from earlier runs."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from local_pipeline import Project
from local_study import is_alive, wait_until

from kftune import yaml_text
from kftune.cli import main
from kftune.errors import StoreError
from kftune.local import Note
from kftune.pipeline import Pipeline
from kftune.results.lock import take_lock


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def written(project: Project, pipeline: Pipeline) -> Path:
    """The pipeline's file, for runs from the command line."""
    path = project.folder / "pipeline.yaml"
    path.write_text(json.dumps(pipeline.to_dict()))
    assert yaml_text.load_file(path)
    return path


def started(project: Project, *options: str) -> subprocess.Popen[str]:
    """A run in a process of its own, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "kftune", "pipeline", "run", "pipeline.yaml", "--dir=runs", "--plain", *options],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_a_run_goes_on_at_the_failed_step(project):
    steps = {
        "first": project.step("first", "times('first'); write('x', '5')", outputs={"x": "int"}, cache=False),
        "second": project.step(
            "second",
            "times('second'); sys.exit(not (here / 'mended').exists())",
            inputs={"x": "${steps.first.outputs.x}"},
        ),
        "third": project.step("third", "times('third')", after=["second"]),
    }
    pipeline = project.pipeline(steps, exit=project.step("bye", "times('bye')"))
    failed = project.run(pipeline)
    assert failed.states == {"first": "Succeeded", "second": "Failed", "third": "NotRun", "exit": "Succeeded"}
    (project.folder / "mended").touch()
    run = project.run(pipeline)
    assert run.outcome.folder == failed.outcome.folder
    assert run.states == {"first": "Kept", "second": "Succeeded", "third": "Succeeded", "exit": "Succeeded"}
    assert [project.count(name) for name in ("first", "second", "third", "bye")] == [1, 2, 1, 2]
    assert (run.outcome.folder / "steps" / "second" / "log.attempt1.txt").exists()
    other = project.run(pipeline)
    assert other.outcome.folder != run.outcome.folder
    assert other.states == {"first": "Succeeded", "second": "Cached", "third": "Cached", "exit": "Succeeded"}


def test_another_parameter_begins_another_run(project):
    steps = {"first": project.step("first", "sys.exit(1)", inputs={"a": "${parameters.a}"})}
    pipeline = project.pipeline(steps, parameters={"a": 1})
    folders = {project.run(pipeline, {"a": value}).outcome.folder for value in (1, 2, 1)}
    assert len(folders) == 2
    assert project.run(pipeline, {"a": 1}, fresh=True).outcome.folder not in folders


def test_what_has_not_changed_is_taken_from_an_earlier_run(project):
    (project.folder / "source").write_text("one")
    steps = {
        "data": project.step(
            "data",
            "times('data'); write('data', (here / 'source').read_text())",
            outputs={"data": "dataset"},
            cache=False,
        ),
        "train": project.step(
            "train",
            "times('train'); Path(given['model']).mkdir(); Path(given['model'], 'w').write_text(given['a'])",
            inputs={"data": "${steps.data.outputs.data}", "a": "${parameters.a}"},
            outputs={"model": "model"},
        ),
        "judge": project.step(
            "judge",
            "times('judge'); write('loss', '1')",
            inputs={"model": "${steps.train.outputs.model}"},
            outputs={"loss": "float"},
        ),
    }
    pipeline = project.pipeline(steps, parameters={"a": "x"})
    first = project.run(pipeline)
    again = project.run(pipeline)
    assert again.states == {"data": "Succeeded", "train": "Cached", "judge": "Cached"}
    assert first.outcome.folder.name in again.ends["train"].message
    assert again.text("train", "model/w") == "x"
    assert again.ends["judge"].outputs == {"loss": 1.0}
    (project.folder / "source").write_text("two")
    changed = project.run(pipeline)
    # The data are others, but the model came out the same.
    assert changed.states == {"data": "Succeeded", "train": "Succeeded", "judge": "Cached"}
    assert project.run(pipeline, {"a": "z"}).states["train"] == "Succeeded"
    assert project.run(pipeline, fresh=True).states == dict.fromkeys(steps, "Succeeded")
    project.step("judge", "write('loss', '2')")
    assert project.run(pipeline).states["judge"] == "Succeeded"
    assert (
        project.run(
            project.pipeline({**steps, "judge": {**steps["judge"], "env": {"A": "1"}}}, parameters={"a": "x"})
        ).states["judge"]
        == "Succeeded"
    )


def test_a_result_that_was_changed_since_is_not_taken(project):
    steps = {"make": project.step("make", "write('model', 'good')", outputs={"model": "model"})}
    pipeline = project.pipeline(steps)
    first = project.run(pipeline)
    (first.outcome.folder / "steps" / "make" / "outputs" / "model").write_text("spoilt")
    run = project.run(pipeline)
    assert run.states == {"make": "Succeeded"}
    assert run.text("make", "model") == "good"
    assert any(isinstance(event, Note) and "has been changed since" in event.message for event in run.events)


def test_two_runs_do_not_write_to_one_folder(project):
    with ExitStack() as stack:
        stack.callback(os.close, take_lock(project.runs / "lock"))
        stack.enter_context(pytest.raises(StoreError, match="only one run at a time"))
        project.run(project.pipeline({"a": project.step("a")}))


def test_ctrl_c_stops_what_runs_and_the_next_run_goes_on(project):
    steps = {
        "first": project.step("first", "times('first')"),
        "slow": project.step(
            "slow",
            "(here / 'pid').write_text(str(os.getpid())); time.sleep(0 if (here / 'quick').exists() else 300)",
            after=["first"],
        ),
        "last": project.step("last", after=["slow"]),
    }
    written(project, project.pipeline(steps, exit=project.step("bye", "times('bye')")))
    process = started(project)
    wait_until(lambda: (project.folder / "pid").exists() and (project.folder / "pid").read_text())
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130, out
    assert "Interrupted: interrupted; the same command resumes the run" in out
    assert not is_alive(int((project.folder / "pid").read_text()))
    assert project.count("bye") == 0
    (project.folder / "quick").touch()
    again = started(project)
    out, _ = again.communicate(timeout=30)
    assert again.returncode == 0, out
    assert "first Kept" in out
    assert (project.count("first"), project.count("bye")) == (1, 1)


def test_a_kill_leaves_processes_that_the_next_run_ends_first(project):
    body = """
        (here / f"pid{times('slow')}").write_text(str(os.getpid()))
        time.sleep(0 if (here / "quick").exists() else 300)
    """
    written(project, project.pipeline({"slow": project.step("slow", body)}))
    process = started(project)
    wait_until(lambda: (project.folder / "pid1").exists())
    process.kill()
    process.communicate()
    left = int((project.folder / "pid1").read_text())
    assert is_alive(left)
    (project.folder / "quick").touch()
    again = started(project)
    out, _ = again.communicate(timeout=30)
    assert again.returncode == 0, out
    assert not is_alive(left)


def test_a_fresh_run_that_was_killed_is_still_fresh_when_it_is_resumed(project):
    steps = {
        "slow": project.step("slow", "time.sleep(300 if times('slow') == 2 else 0)"),
        "last": project.step("last", "times('last')", after=["slow"]),
    }
    written(project, project.pipeline(steps))
    started(project).communicate(timeout=30)
    process = started(project, "--fresh")
    wait_until(lambda: project.count("slow") == 2)
    process.kill()
    process.communicate()
    again = started(project)
    out, _ = again.communicate(timeout=30)
    assert again.returncode == 0, out
    assert "was begun with --fresh" in out
    assert "Cached" not in out
    assert (project.count("slow"), project.count("last")) == (3, 2)
    later, _ = started(project).communicate(timeout=30)
    assert later.count("Cached") >= 2, later


@pytest.mark.nightly  # tests/crash aims kills at the same
def test_kills_at_any_moment_lose_no_finished_step_and_repeat_none(project):
    loops = {"items": {"items": list(range(24)), "parallel": 3}}
    steps = {
        "one": project.step(
            "one",
            "times(f\"one{given['i']}\"); time.sleep(0.1); write('x', given['i'])",
            for_each="items",
            inputs={"i": "${item}"},
            outputs={"x": "int"},
        ),
        "two": project.step(
            "two",
            "times(f\"two{given['i']}\"); write('z', str(int(given['i']) * 2))",
            for_each="items",
            inputs={"i": "${steps.one.outputs.x}"},
            outputs={"z": "int"},
        ),
        "sum": project.step("sum", "print(sum(json.loads(given['all'])))", inputs={"all": "${steps.two.outputs.z}"}),
    }
    written(project, project.pipeline(steps, loops=loops))
    chance = random.Random(20)
    done: dict[str, int] = {}
    kills = 0
    for killed in killed_runs(project, (0.3 + chance.random() * 0.6 for _ in range(20))):
        kills += killed
        done = {name: project.count(name) for name in done_items(project)} | done
    assert kills >= 2  # on a quick machine there is not time for more
    process = started(project)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert {name: project.count(name) for name in done} == done, "an item was done and ran again"
    assert len(list(project.runs.glob("*/run.json"))) == 1 or "Cached" in out
    last = sorted(project.runs.glob("*/steps/sum/log.txt"))[-1]
    assert last.read_text() == "552\n"


def killed_runs(project: Project, moments: Iterator[float]) -> Iterator[bool]:
    """Runs the pipeline for so many seconds each time, until it is done; yields whether it was killed."""
    for seconds in moments:
        process = started(project, "--parallel=3")
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            yield True
        else:
            yield False
            if process.returncode == 0:
                return


def done_items(project: Project) -> set[str]:
    """The names under which the done tasks of the loop count themselves."""
    done = project.runs.glob("*/steps/items/*/*/done.json")
    return {f"{path.parent.name}{int(path.parent.parent.name) - 1}" for path in done}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["train_dept=3"], "unknown run parameter 'train_dept'; did you mean 'train_depth'?"),
        (["limit=high"], "the parameter limit is of type float, for example limit=0.5, but got 'high'"),
        (["limit=NaN"], "the parameter limit is of type float"),
        (["names=a,b"], "the parameter names is of type list, for example names=[1,2], but got 'a,b'"),
        (["limit"], "a parameter of the run is name=value, but got 'limit'"),
        (["limit=1", "limit=2"], "a parameter is given once, but limit is there twice"),
        (["train_depth=-1"], "the parameter train_depth sets depth of step train"),
        (["--parallel=0"], "--parallel must be at least 1, but got 0"),
        (["--image=images/x"], "images are for steps in containers"),
        (["steps.trian.cache=false"], "trian"),
    ],
)
def test_a_mistake_on_the_command_line_is_told_and_nothing_runs(project, monkeypatch, capsys, settings, told):
    (project.folder / "given_hparams.py").write_text(
        'from kftune import Hparam, Hparams\n\n\nclass Given(Hparams):\n    """Given."""\n\n'
        '    depth: int = Hparam(1, ge=0)\n    """Depth."""\n'
    )
    sys.modules.pop("given_hparams", None)
    steps = {"train": project.step("train", "times('train')", hparams="given_hparams:Given")}
    parameters = {"limit": 0.5, "names": ["a"]}
    written(project, project.pipeline(steps, parameters=parameters))
    monkeypatch.chdir(project.folder)
    assert main(["pipeline", "run", "pipeline.yaml", *settings]) == 2
    assert told in capsys.readouterr().err
    assert project.count("train") == 0


def test_images_that_the_file_names_for_containers_do_not_keep_processes_from_running(project, monkeypatch):
    pipeline = project.pipeline({"train": project.step("train", "times('train')")})
    pipeline = pipeline.replace(targets={"local": {"images": {"registry.example/x:1": "images/x"}}})
    written(project, pipeline)
    monkeypatch.chdir(project.folder)
    assert main(["pipeline", "run", "pipeline.yaml", "--plain"]) == 0
    assert project.count("train") == 1


def test_json_has_one_object_a_line_and_a_terminal_gets_a_table(project, monkeypatch, capsys):
    steps = {"bad": project.step("bad", "print('the reason'); sys.exit(3)")}
    written(project, project.pipeline(steps))
    monkeypatch.chdir(project.folder)
    assert main(["pipeline", "run", "pipeline.yaml", "--json"]) == 1
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert (events[0], events[-1]) == ("pipeline_started", "pipeline_finished")
    assert main(["pipeline", "run", "pipeline.yaml"]) == 1
    shown = capsys.readouterr().out
    assert "bad failed: exit code 3; its last lines:\n  the reason\n  the whole log: less runs/toy/" in shown
    # A terminal of its own.
    reader, writer = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "kftune", "pipeline", "run", "pipeline.yaml"],
        stdout=writer,
        stderr=writer,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(writer)
    text = read_all(reader)
    assert process.wait() == 1
    assert b"Failed" in text
    assert b"the reason" in text


def read_all(terminal: int) -> bytes:
    """Everything that is written to a terminal until its other end is closed."""
    text = b""
    with suppress(OSError), open(terminal, "rb", buffering=0) as file:
        while chunk := file.read(65536):
            text += chunk
    return text
