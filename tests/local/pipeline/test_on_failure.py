"""``on_failure``: what a failed step means for those that do not wait for it, in each target."""

from __future__ import annotations

from pathlib import Path

import argo_controller
import pytest
from argo_examples import argo
from local_pipeline import Project
from pipeline_examples import step

from kftune.errors import PipelineError
from kftune.pipeline import Pipeline
from kftune.render.argo import render_argo
from kftune.render.kfp import render_kfp


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def looped(in_loop: str, in_pipeline: str) -> Pipeline:
    steps = {
        "one": step(for_each="items", inputs={"i": "${item}"}, outputs={"x": "int"}),
        "two": step(for_each="items", inputs={"x": "${steps.one.outputs.x}"}),
        "beside": step(),
        "later": step(after=["beside"]),
        "all": step(inputs={"x": "${steps.one.outputs.x}"}),
    }
    loops = {"items": {"items": [1, 2, 3], "parallel": 1, "on_failure": in_loop}}
    return argo(steps, loops=loops, on_failure=in_pipeline, exit=step(inputs={"status": "${run.status}"}))


@pytest.mark.parametrize(
    ("sections", "states"),
    [
        ({}, {"one": "SFS", "two": "SNS", "beside": "S", "later": "S", "all": "N", "exit": "S"}),
        ({"loop": "stop"}, {"one": "SFN", "two": "SNN", "beside": "S", "later": "S", "all": "N", "exit": "S"}),
        ({"pipeline": "stop"}, {"one": "SFN", "two": "SNN", "beside": "S", "later": "N", "all": "N", "exit": "S"}),
    ],
)
def test_on_failure_says_whether_further_steps_start_after_a_failure(project, sections, states):
    steps = {
        "one": project.step(
            "one",
            "sys.exit(3 if given['i'] == '2' and not (here / 'mended').exists() else 0)",
            for_each="items",
            inputs={"i": "${item}"},
        ),
        "two": project.step(
            "two", "write('x', '1')", for_each="items", after=["one"], outputs={"x": "int"}, cache=False
        ),
        "beside": project.step("beside", "time.sleep(1)"),
        "later": project.step("later", after=["beside"]),
        "all": project.step("all", inputs={"x": "${steps.two.outputs.x}"}),
    }
    loop = {"items": [1, 2, 3], "parallel": 1, "on_failure": sections.get("loop", "continue")}
    made = project.pipeline(
        steps,
        loops={"items": loop},
        on_failure=sections.get("pipeline", "continue"),
        exit=project.step("bye", "print(given['status'])", inputs={"status": "${run.status}"}),
    )
    run = project.run(made)
    found = dict.fromkeys(states, "")
    for task, state in sorted(run.states.items()):
        found[task.rsplit("/")[-1]] = found.get(task.rsplit("/")[-1], "") + state[0]
    assert (run.outcome.state, found) == ("Failed", states)
    assert run.log("exit") == "Failed\n"
    (project.folder / "mended").touch()
    again = project.run(made)
    assert (again.outcome.state, again.outcome.folder) == ("Succeeded", run.outcome.folder)


def test_a_step_that_runs_when_another_fails_ends_by_itself_with_its_retries(project):
    steps = {
        "bad": project.step("bad", "wait_for('up'); sys.exit(1)"),
        "runs": project.step("runs", "(here / 'up').touch(); time.sleep(0.5); sys.exit(times('runs') < 2)", retries=1),
        "next": project.step("next", after=["runs"]),
    }
    run = project.run(project.pipeline(steps, on_failure="stop"))
    assert run.states == {"bad": "Failed", "runs": "Succeeded", "next": "NotRun"}
    assert run.ends["next"].message == "bad failed, and the run has on_failure: stop"


@pytest.mark.parametrize(("choice", "state"), [("continue", "Succeeded"), ("stop", "NotRun")])
def test_a_step_that_cannot_be_started_has_failed_too(project, choice, state):
    steps = {"long": project.step("long", inputs={"text": "x" * 200_000}), "beside": project.step("beside")}
    run = project.run(project.pipeline(steps, on_failure=choice))
    assert run.states == {"long": "Failed", "beside": state}
    assert "could not be started" in run.ends["long"].message


def fails_for_the_second_item(name: str, argv: list[str]) -> dict[str, str]:
    """What pods write; step one fails for the item 2."""
    if argv[-2:] == ["--i=2", "--x=/kftune/outputs/x"]:
        raise argo_controller.FailedError
    return {"x": "1"}


def test_argo_starts_all_steps_that_do_not_wait_for_the_failed_one():
    rendering = render_argo(looped("continue", "continue"))
    assert "failFast" not in str(rendering.documents)
    pods = argo_controller.run(rendering.documents[0], fails_for_the_second_item)
    started = [(pod.template, *pod.argv[3:4]) for pod in pods if pod.template in ("one", "exit")]
    assert started == [("one", "--i=1"), ("one", "--i=2"), ("one", "--i=3"), ("exit", "--status=Failed")]
    names = [pod.template for pod in pods]
    assert {name: names.count(name) for name in ("two", "beside", "later", "all")} == {
        "two": 2,
        "beside": 1,
        "later": 1,
        "all": 0,
    }


@pytest.mark.parametrize(("render", "engine"), [(render_argo, "Argo"), (render_kfp, "KFP")])
@pytest.mark.parametrize(
    ("choices", "named"),
    [
        (("stop", "continue"), "loop 'items'"),
        (("continue", "stop"), "the pipeline"),
        (("stop", "stop"), "the pipeline and loop 'items'"),
    ],
)
def test_a_note_names_what_cannot_stop_on_a_cluster(render, engine, choices, named):
    plain, stopping = render(looped("continue", "continue")), render(looped(*choices))
    assert stopping.documents == plain.documents
    (note,) = {*stopping.notes} - {*plain.notes}
    assert note.startswith(
        f"{engine} starts every step that does not wait for the failed one: on_failure: stop of {named}"
    )


def test_on_failure_is_one_of_two_words():
    with pytest.raises(PipelineError, match=r"on_failure.*'continue' or 'stop'"):
        looped("halt", "continue")
