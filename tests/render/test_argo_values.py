"""A value that is not of its type ends a run on Argo where it ends a run here, in conditions and lists of loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import argo_controller
import pytest
from argo_examples import argo
from local_pipeline import Project
from pipeline_examples import step

from kftune.render.argo import render_argo


def on_argo(template: dict[str, Any], written: str) -> str:
    """The state of step b on Argo when step a has written a text."""
    try:
        pods = argo_controller.run(template, lambda name, argv: {"o": written})
    except argo_controller.StuckError:
        return "NotRun"
    return "Succeeded" if "b" in [pod.template for pod in pods] else "Skipped"


# What a step writes -> whether the step behind its condition runs; None where the run fails.
_COMPARED: dict[tuple[str, str], dict[str, bool | None]] = {
    ("float", "0.5"): {
        **{"0.4": True, " 7": False, "\t0.25\n": True, "1e-05": True, "3": False, "-1e308": True},
        **dict.fromkeys(("nan", "NaN", "-inf", "Infinity", "1e999", "-1e999", ".4", "+0.4", "0x1p-2", "x", ""), None),
    },
    ("int", "2"): {" 1": True, "7": False, "9007199254740993": False, "1.0": None, "1e0": None, "": None},
    ("bool", "true"): {"true": True, " true\n": True, "false": False, "True": None, "yes": None, "1": None},
    ("str", "'a'"): {"a": True, " a": False, "": False},
}


@pytest.mark.parametrize(
    ("kind", "constant", "written", "runs"),
    [(*compared, text, runs) for compared, cases in _COMPARED.items() for text, runs in cases.items()],
)
def test_a_condition_on_a_value_that_is_not_of_its_type_fails_the_run_here_and_on_argo(
    kind, constant, written, runs, tmp_path: Path
):
    sign = "<" if kind in ("float", "int") else "=="
    when = f"${{steps.a.outputs.o}} {sign} {constant}"
    template = render_argo(argo({"a": step(outputs={"o": kind}), "b": step(when=when)})).documents[0]
    project = Project(tmp_path)
    steps = {"a": project.step("a", f"write('o', {written!r})", outputs={"o": kind}), "b": project.step("b", when=when)}
    here = project.run(project.pipeline(steps))
    assert on_argo(template, written) == here.states["b"]
    assert here.outcome.state == ("Failed" if runs is None else "Succeeded")
    assert here.states["b"] == {None: "NotRun", True: "Succeeded", False: "Skipped"}[runs]


@pytest.mark.parametrize(
    ("kind", "written", "state"),
    [
        *(("float", text, "Succeeded") for text in ("1", " 2.5\n", "1e308")),
        *(("float", text, "NotRun") for text in ("nan", "1e999", "-1e999", "1.", "x")),
        *(("int", text, "Succeeded") for text in ("1", " -2", "123456789012345678901234567890")),
        *(("int", text, "NotRun") for text in ("1.0", "+1", "")),
        *(("bool", text, state) for text, state in ((" true", "Succeeded"), ("True", "NotRun"))),
        *(("list", text, "Succeeded") for text in ("[]", ' [1, {"a": [2]}]\n')),
        *(("list", text, "NotRun") for text in ("{}", "[1,]", "[nan]", "[1e999]", "[1] [2]")),
        *(("dict", text, "Succeeded") for text in ("{}", '{"a": {"b": 1}}')),
        *(("dict", text, "NotRun") for text in ("[]", "{a: 1}", '{"a": NaN}', "null")),
    ],
)
def test_an_output_of_a_loop_that_is_not_of_its_type_fails_the_run_here_and_on_argo(
    kind, written, state, tmp_path: Path
):
    steps: dict[str, dict[str, Any]] = {
        "a": {"for_each": "m", "inputs": {"x": "${item}"}, "outputs": {"o": kind}},
        "b": {"inputs": {"all": "${steps.a.outputs.o}"}},
    }
    loops = {"m": {"items": ["1", "2"]}}
    rendered = argo({name: step(**fields) for name, fields in steps.items()}, loops=loops)
    project = Project(tmp_path)
    bodies = {"a": f"write('o', {written!r})", "b": ""}
    run = project.run(
        project.pipeline({name: project.step(name, bodies[name], **steps[name]) for name in steps}, loops=loops)
    )
    assert (on_argo(render_argo(rendered).documents[0], written), run.states["b"]) == (state, state)
