"""A pipeline's run here, with real processes: order, values, conditions, loops, retries, limits, the exit step."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from local_pipeline import Project
from local_study import is_alive, wait_until

from kftune.errors import RunError
from kftune.local import Event
from kftune.local.pipeline import PipelineFinished, PipelineStarted, StepPrinted, StepRetries, run_pipeline
from kftune.local.pipeline.settings import read_parameters

TWO = {"type": "int", "value": 2}

HPARAMS = '''
from kftune import Choice, Hparam, Hparams, IntUniform


class Own(Hparams):
    """Hyperparameters."""

    depth: int = Hparam(1, ge=0, search=IntUniform(0, 9))
    """Depth."""
    kind: str = Hparam("a", search=Choice("a", "b"))
    """Kind."""
    bias: float = 0.0
'''


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_step_runs_with_exactly_its_command_line_and_its_outputs_are_read(project):
    body = """
        assert os.getcwd() == str(here)
        Path(os.environ["KFTUNE_OUTPUT_DIR"], "own").write_text("file of its own")
        print(json.dumps(sys.argv[1:]))
        write("loss", "0.25"); write("many", "[1, 2]"); write("name", "two lines\\n")
        Path(given["model"]).mkdir(); Path(given["model"], "weights").write_text("1 2")
    """
    outputs = {"model": "model", "loss": "float", "many": "list", "name": "str"}
    steps = {
        "make": project.step("make", body, inputs={"rows": TWO, "flag": True, "text": "a b'c"}, outputs=outputs),
        "take": project.step(
            "take",
            "print(json.dumps(given)); print(Path(given['model'], 'weights').read_text())",
            inputs={name: f"${{steps.make.outputs.{name}}}" for name in outputs},
        ),
    }
    pipeline = project.pipeline(steps)
    run = project.run(pipeline)
    assert run.outcome.exit_code == 0
    folder = run.outcome.folder / "steps" / "make"
    paths = {name: str(folder / "outputs" / name) for name in outputs}
    node = pipeline.node("make")
    expected = node.command_line({"rows": "2", "flag": "true", "text": "a b'c", **paths})
    assert json.loads(run.log("make")) == expected[2:]
    assert (folder / "work" / "own").exists()
    assert run.ends["make"].outputs == {**paths, "loss": 0.25, "many": [1, 2], "name": "two lines"} | {
        "model": paths["model"]
    }
    taken, weights = run.log("take").splitlines()
    assert json.loads(taken) == {"loss": "0.25", "many": "[1, 2]", "model": paths["model"], "name": "two lines"}
    assert weights == "1 2"


def test_steps_that_do_not_wait_for_one_another_run_at_once_as_far_as_parallel_allows(project):
    steps = {
        "one": project.step("one", "(here / 'one.is').touch(); wait_for('two.is')"),
        "two": project.step("two", "(here / 'two.is').touch(); wait_for('one.is')"),
    }
    assert project.run(project.pipeline(steps)).states == {"one": "Succeeded", "two": "Succeeded"}
    body = "assert times('now') == 1; time.sleep(0.1); (here / 'now.count').unlink()"
    alone = {name: project.step(name, body) for name in ("a", "b", "c")}
    assert project.run(project.pipeline(alone), parallel=1).outcome.state == "Succeeded"
    assert project.run(project.pipeline(alone, parallel=1), parallel=None).outcome.state == "Succeeded"


def test_a_step_ends_once_though_a_child_closes_its_output_after_its_end(project):
    steps = {
        "prints": project.step("prints", "print('up', flush=True); time.sleep(0.1); (here / 'up.is').touch()"),
        "works": project.step("works", "import subprocess; wait_for('up.is'); subprocess.Popen(['sleep', '0.1'])"),
    }

    def busy(event: Event) -> None:
        """Meanwhile the other step ends, and then its child."""
        time.sleep(0.6 * isinstance(event, StepPrinted))

    path = project.folder / "pipeline.yaml"
    outcome = run_pipeline(project.pipeline(steps), project.runs, pipeline_path=path, parallel=2, on_event=busy)
    assert outcome.state == "Succeeded"


def test_a_value_has_the_text_that_its_step_wrote(project):
    steps = {
        "a": project.step("a", "write('f', given['x']); write('s', given['x'])", for_each="m", inputs={"x": "${item}"},
                          outputs={"f": "float", "s": "str"}),
        "z": project.step("z", "print(given['f'], given['s'], given['k'])", inputs={
            "f": "${steps.a.outputs.f}", "s": "${steps.a.outputs.s}",
            "k": {"type": "float", "value": "${parameters.k}"}}),
    }  # fmt: skip
    loops = {"m": {"items": ["2.0", " 1e-3", "7\n\n"]}}
    run = project.run(project.pipeline(steps, loops=loops, parameters={"k": 3}))
    assert run.log("z") == '[2.0, 1e-3,7\n] ["2.0"," 1e-3","7\\n"] 3\n'


def test_items_of_a_steps_list_and_a_number_given_to_a_run_keep_their_text(project):
    text = "[1.50, 1E5, -0, 2.0, 3]"
    steps = {
        "list": project.step("list", f"write('all', {text!r})", outputs={"all": "list"}),
        "each": project.step(
            "each",
            "write('text', given['i'] + ' ' + given['limit'])",
            for_each="m",
            inputs={"i": "${item}", "limit": "${parameters.limit}"},
            outputs={"text": "str"},
        ),
        "maps": project.step("maps", "write('all', '[{\"k\": 0.10}]')", outputs={"all": "list"}),
        "field": project.step("field", "print(given['k'])", for_each="f", inputs={"k": "${item.k}"}),
        "all": project.step("all", "print(given['texts'])", inputs={"texts": "${steps.each.outputs.text}"}),
    }
    loops = {
        "m": {"items": "${steps.list.outputs.all}", "item": "float"},
        "f": {"items": "${steps.maps.outputs.all}", "fields": {"k": "float"}},
    }
    pipeline = project.pipeline(steps, loops=loops, parameters={"limit": 0.5})
    run = project.run(pipeline, read_parameters(pipeline, ["limit=2"]))
    assert run.outcome.state == "Succeeded"
    assert json.loads(run.log("all")) == [f"{text} 2" for text in ("1.50", "1E5", "-0", "2.0", "3")]
    assert run.log("f/0001/field") == "0.10\n"


def test_a_step_whose_condition_does_not_hold_is_skipped_with_all_that_need_it(project):
    take = {"value": "${steps.maybe.outputs.loss}"}
    steps = {
        "first": project.step("first", "write('loss', '0.5')", outputs={"loss": "float"}),
        "maybe": project.step(
            "maybe",
            "write('loss', '1'); write('page', 'x')",
            when="${steps.first.outputs.loss} < ${parameters.limit}",
            outputs={"loss": "float", "page": "html"},
        ),
        "needs": project.step("needs", inputs={"loss": take}),
        "needs-that": project.step("needs-that", after=["needs"]),
        "has-default": project.step("has-default", "print(given['loss'])", inputs={"loss": {**take, "default": 7.5}}),
        "optional": project.step(
            "optional",
            "print(given)",
            inputs={"page": {"value": "${steps.maybe.outputs.page}", "optional": True}, "rows": 1},
        ),
        "judges": project.step("judges", when="${steps.maybe.outputs.loss} > 0"),
    }
    pipeline = project.pipeline(steps, parameters={"limit": 0.1})
    run = project.run(pipeline)
    assert run.outcome.state == "Succeeded"
    skipped = {task for task, state in run.states.items() if state == "Skipped"}
    assert skipped == {"maybe", "needs", "judges"}
    assert "${steps.first.outputs.loss} < ${parameters.limit}" in run.ends["maybe"].message
    assert run.log("has-default") == "7.5\n"
    assert run.log("optional") == "{'page': '', 'rows': '1'}\n"
    runs = project.run(pipeline, {"limit": 0.9})
    assert set(runs.states.values()) <= {"Succeeded", "Cached"}
    assert runs.log("has-default") == "1\n"


def test_a_loop_runs_for_each_item_with_its_bound_and_hands_on_the_list_in_order(project):
    body = """
        (here / f"{given['name']}.in").touch()
        assert len(list(here.glob("*.in"))) <= 2
        time.sleep(0.05 * (4 - int(given["size"])))
        write("square", str(int(given["size"]) ** 2))
    """
    loops = {"items": {"items": [{"size": n, "name": f"i{n}"} for n in (1, 2, 3)], "parallel": 2}}
    steps = {
        "square": project.step(
            "square",
            body,
            for_each="items",
            inputs={"size": "${item.size}", "name": "${item.name}"},
            outputs={"square": "int"},
        ),
        "second": project.step(
            "second",
            "(here / f\"{given['name']}.in\").unlink(); write('out', given['size'])",
            for_each="items",
            inputs={"size": "${steps.square.outputs.square}", "name": "${item.name}"},
            when="${steps.square.outputs.square} != 400",
            outputs={"out": "int"},
        ),
        "all": project.step("all", "print(given['them'])", inputs={"them": "${steps.second.outputs.out}"}),
    }
    run = project.run(project.pipeline(steps, loops=loops))
    assert run.log("all") == "[1,4,9]\n"
    assert run.ends["items/0002/square"].outputs == {"square": 4}
    assert len(run.started) == 7


def test_items_of_a_loop_come_from_a_parameter_or_an_output_and_may_be_none(project):
    steps = {
        "list": project.step(
            "list", "write('found', given['names'])", inputs={"names": "${parameters.names}"}, outputs={"found": "list"}
        ),
        "each": project.step(
            "each",
            "write('out', given['name'] * 2)",
            for_each="found",
            inputs={"name": "${item}"},
            when="${item} != 'skip'",
            outputs={"out": "str"},
        ),
        "all": project.step("all", "print(given['them'])", inputs={"them": "${steps.each.outputs.out}"}),
    }
    sections = {
        "loops": {"found": {"items": "${steps.list.outputs.found}"}},
        "parameters": {"names": {"type": "list", "default": ["a", "skip", "b"]}},
    }
    pipeline = project.pipeline(steps, **sections)
    assert project.run(pipeline).log("all") == '["aa","bb"]\n'
    run = project.run(pipeline, {"names": []})
    assert run.log("all") == "[]\n"
    assert run.outcome.state == "Succeeded"
    wrong = project.run(pipeline, {"names": ["a", 2]})
    assert wrong.states["each"] == "Failed"
    assert "item 2 of loop found" in wrong.ends["each"].message
    sections["loops"] = {"found": {"items": "${parameters.names}"}}
    assert project.run(project.pipeline(steps, **sections), fresh=True).log("all") == '["aa","bb"]\n'
    with pytest.raises(RunError, match=r"item 1 of loop found.*must be of type str, but 3"):
        project.run(project.pipeline(steps, **sections), {"names": [3]})


def test_a_failed_step_stops_only_what_waits_for_it_and_the_exit_step_is_told(project):
    steps = {
        "bad": project.step("bad", "print('the reason'); sys.exit(3)", outputs={"x": "int"}),
        "takes": project.step("takes", inputs={"x": "${steps.bad.outputs.x}"}),
        "later": project.step("later", after=["takes"]),
        "other": project.step("other", "time.sleep(0.2)"),
        "other-later": project.step("other-later", after=["other"]),
    }
    exit_step = project.step("bye", "print(given['status'])", inputs={"status": "${run.status}"})
    run = project.run(project.pipeline(steps, exit=exit_step))
    assert run.states == {
        "bad": "Failed",
        "takes": "NotRun",
        "later": "NotRun",
        "other": "Succeeded",
        "other-later": "Succeeded",
        "exit": "Succeeded",
    }
    assert run.outcome.exit_code == 1
    assert run.ends["bad"].message == "exit code 3; its last lines:\n  the reason"
    assert run.ends["takes"].message == "waits for bad, which is failed"
    assert run.log("exit") == "Failed\n"
    steps = {"good": project.step("good")}
    assert project.run(project.pipeline(steps, exit=exit_step)).log("exit") == "Succeeded\n"
    bad_exit = project.run(project.pipeline(steps, exit=project.step("bye", "sys.exit(1)")))
    assert (bad_exit.outcome.state, bad_exit.states["exit"]) == ("Failed", "Failed")


def test_a_failed_try_is_repeated_after_its_wait_and_its_log_is_kept(project):
    body = """
        tries = times("tries")
        print("try", tries)
        assert not Path(given["x"]).exists()
        write("x", "1")
        sys.exit(tries < 3)
    """
    retries = {"limit": 3, "backoff": 0.1, "factor": 3}
    steps = {"flaky": project.step("flaky", body, outputs={"x": "int"}, retries=retries)}
    run = project.run(project.pipeline(steps))
    assert run.outcome.state == "Succeeded"
    assert [event.wait for event in run.events if isinstance(event, StepRetries)] == pytest.approx([0.1, 0.3])
    folder = run.outcome.folder / "steps" / "flaky"
    assert (folder / "log.attempt1.txt").read_text() == "try 1\n"
    assert run.log("flaky") == "try 3\n"
    steps = {"never": project.step("never", "times('never'); sys.exit(1)", retries=2)}
    assert project.run(project.pipeline(steps)).states == {"never": "Failed"}
    assert project.count("never") == 3


def test_a_step_that_takes_too_long_is_stopped_and_then_killed_with_all_that_it_started(project):
    body = """
        import signal, subprocess
        signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
        child = subprocess.Popen(["sleep", "300"], start_new_session=True)
        (here / "child").write_text(str(child.pid))
        while True: time.sleep(1)
    """
    steps = {"slow": project.step("slow", body, timeout="1s", grace_period=0.5)}
    run = project.run(project.pipeline(steps))
    assert run.states == {"slow": "Failed"}
    assert run.ends["slow"].message == "ran longer than its timeout (1 s) and was stopped; its last lines:\n  asked"
    child = int((project.folder / "child").read_text())
    wait_until(lambda: not is_alive(child))


def test_a_run_that_takes_too_long_is_stopped_and_has_failed(project):
    steps = {
        "slow": project.step("slow", "time.sleep(300)"),
        "later": project.step("later", after=["slow"]),
    }
    exit_step = project.step("bye", "print(given['status'])", inputs={"status": "${run.status}"})
    run = project.run(project.pipeline(steps, timeout=0.5, exit=exit_step))
    assert run.states == {"slow": "Stopped", "later": "NotRun", "exit": "Succeeded"}
    assert (run.outcome.state, run.log("exit")) == ("Failed", "Failed\n")


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        ("", "int", "the output x is missing: a step writes it to the path that --x= gives (it wrote nothing)"),
        ("write('x', '1.5')", "int", "the output x must be of type int, but 1.5 is of type float"),
        ("write('x', 'NaN')", "float", "the output x must be finite, but holds NaN"),
        ("write('x', 'True')", "bool", "the output x is of type bool, so its file must hold JSON, but holds 'True'"),
        ("write('x', '[1')", "list", "the output x is of type list, so its file must hold JSON, but holds '[1'"),
        ("Path(given['x']).mkdir()", "str", "it is a file with a text, but a folder was written"),
        ("Path(given['x']).write_bytes(b'\\xff')", "str", "must be UTF-8"),
        ("write('x', 'a' * 2000000)", "str", "at most 1 MiB"),
    ],
)
def test_an_output_that_is_not_what_the_pipeline_says_fails_the_step(project, body, kind, told):
    run = project.run(project.pipeline({"make": project.step("make", body, outputs={"x": kind})}))
    assert run.states == {"make": "Failed"}
    assert told in run.ends["make"].message


def test_a_parameter_of_the_run_reaches_steps_and_hyperparameters(project):
    (project.folder / "own_hparams.py").write_text(HPARAMS)
    steps = {"train": project.step("train", "print(given)", hparams="own_hparams:Own", inputs={"a": "${parameters.a}"})}
    pipeline = project.pipeline(steps, parameters={"a": 1.0})
    assert project.run(pipeline, {"a": 2.0, "train_depth": 4}).log("train") == (
        "{'a': '2.0', 'depth': '4', 'kind': 'a', 'bias': '0.0'}\n"
    )
    with pytest.raises(RunError, match="must be given, but a is not: a=…"):
        project.run(project.pipeline(steps, parameters={"a": {"type": "float"}}))


def test_what_a_step_needs_and_is_not_here_is_told_before_anything_runs(project, monkeypatch):
    monkeypatch.delenv("TOKEN_OF_TEST", raising=False)
    secret = {"secrets": {"TOKEN_OF_TEST": {"name": "vault", "key": "token"}}}
    steps = {
        "first": project.step("first", "times('first')"),
        "second": project.step("second", "print(os.environ['TOKEN_OF_TEST'])", after=["first"], **secret),
    }
    with pytest.raises(RunError, match="step second: secrets and config maps come from the environment here"):
        project.run(project.pipeline(steps))
    assert not list(project.runs.glob("*/run.json"))
    monkeypatch.setenv("TOKEN_OF_TEST", "hush")
    assert project.run(project.pipeline(steps)).log("second") == "hush\n"
    for command, told in (
        (["python", "nowhere.py"], "nowhere.py is not; it is looked for from the pipeline file's folder"),
        (["no-such-program"], "no folder on PATH has 'no-such-program'"),
    ):
        with pytest.raises(RunError, match=rf"step last: .*{told}"):
            project.run(project.pipeline({**steps, "last": {"kind": "container", "command": command}}))


def test_a_tune_step_runs_its_study_and_hands_on_the_best_values(project):
    (project.folder / "tuned_hparams.py").write_text(HPARAMS)
    body = """
        data = float(Path(given["data"]).read_text())
        print(f"loss={int(given['depth']) + data + float(given['bias'])}")
    """
    project.step("trial", body)
    study = {
        "name": "own",
        "hparams": "tuned_hparams:Own",
        "objective": {"metric": "loss", "direction": "minimize"},
        "algorithm": {"name": "random", "seed": 3},
        "budget": {"max_trials": 4, "parallel": 2},
        "step": {"command": ["python", "trial.py"]},
    }
    steps = {
        "data": project.step("data", "write('data', '100')", kind="data"),
        "tune": {
            "kind": "tune",
            "study": study,
            "inputs": {"data": "${steps.data.outputs.data}"},
            "values": {"bias": "${parameters.bias}"},
        },
        "train": project.step(
            "train", "print(given)", hparams="tuned_hparams:Own", values_from="${steps.tune.outputs.best}"
        ),
    }
    run = project.run(project.pipeline(steps, parameters={"bias": 0.5}))
    assert run.outcome.state == "Succeeded", run.ends["tune"].message
    made = run.ends["tune"].outputs
    assert made["objective"] == made["best.depth"] + 100.5
    assert made["best_trial"].startswith("own-000")
    assert json.loads(Path(made["metrics"]).read_text()) == {"loss": made["objective"]}
    page = Path(made["report"]).read_text()
    assert page.count("<tr") == 5
    assert made["best_trial"] in page
    assert f"'depth': '{made['best.depth']}', 'kind': '{made['best.kind']}'" in run.log("train")
    lines = [event.line for event in run.events if isinstance(event, StepPrinted) and event.task == "tune"]
    assert any(line.startswith("[4/4] own-000") for line in lines)
    assert (run.outcome.folder / "steps" / "tune" / "study" / "trials.db").exists()
    again = project.run(project.pipeline(steps, parameters={"bias": 0.5}), fresh=True)
    paths = {"report": "", "metrics": ""}
    assert again.ends["tune"].outputs | paths == made | paths
    assert Path(again.ends["tune"].outputs["report"]).read_text() == page


def test_every_event_is_one_json_object_and_the_first_and_last_frame_the_run(project):
    steps = {"one": project.step("one", "print('hello')"), "two": project.step("two", after=["one"])}
    run = project.run(project.pipeline(steps))
    assert isinstance(run.events[0], PipelineStarted)
    assert isinstance(run.events[-1], PipelineFinished)
    told = [json.loads(json.dumps(event.to_dict())) for event in run.events]
    assert [event["event"] for event in told if event["event"] != "step_printed"] == [
        "pipeline_started",
        *["step_started", "step_finished"] * 2,
        "pipeline_finished",
    ]
    assert told[-1]["counts"] == {"Succeeded": 2}
    meta = json.loads((run.outcome.folder / "run.json").read_text())
    assert (meta["state"], meta["steps"]) == ("Succeeded", {"one": "Succeeded", "two": "Succeeded"})


def test_the_interpreter_is_the_one_that_runs_kftune(project):
    run = project.run(project.pipeline({"one": project.step("one", "print(sys.executable)")}))
    assert Path(run.log("one").strip()).samefile(sys.executable)
