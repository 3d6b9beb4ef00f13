"""A script with a parser of its own reads each value: through Katib and a real shell, and as KFP and Argo start it."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from foreign_scripts import ARGUMENTS, SCRIPTS, Net, foreign_study, script_in
from hypothesis import given
from hypothesis import strategies as st
from katib_as_run import leftover_placeholders, run_trial, substituted
from render_examples import container_of, parameters_of

from kftune import Choice, Conditional, Hparam, Hparams
from kftune.argv import CHOOSE, Kind, Style, chosen, to_json
from kftune.errors import RenderError
from kftune.hparams.fields import kinds_of
from kftune.launcher.best import best_texts
from kftune.pipeline import Pipeline, pipeline_from_dict
from kftune.render import render, render_pipeline
from kftune.render.line import WRITE
from kftune.render.tuning import _best

EVERY = sorted(ARGUMENTS)


def points(experiment):
    """Every combination of the listed values, with one value for each range."""
    items = parameters_of(experiment)
    texts = {name: item["feasibleSpace"].get("list", ["0.025"]) for name, item in items.items()}
    return [dict(zip(texts, values, strict=True)) for values in itertools.product(*texts.values())]


def read_by(job, folder) -> Any:
    """Runs a trial in a shell, as Katib wraps it; returns what its script has read."""
    return run_trial(job["spec"]["template"]["spec"]["containers"][0], folder)[0]


@pytest.mark.parametrize("name", EVERY)
def test_a_script_reads_every_value_through_katib_and_a_shell(name, tmp_path):
    script, arguments = ARGUMENTS[name]
    study = foreign_study(script_in(tmp_path, SCRIPTS[script]), arguments)
    experiment = render(study).documents[0]
    template = experiment["spec"]["trialTemplate"]["trialSpec"]
    assert leftover_placeholders(template, list(study.space)) == []
    wanted = _best(study)
    seen = set()
    for values in points(experiment):
        job = substituted(experiment, values)
        received = read_by(job, tmp_path)
        expected = Net.from_assignments(best_texts(wanted, values, {}))
        assert received == expected.to_dict()
        seen.add(expected.content_hash())
    assert len(seen) == 3 * 2 * 3 * 2


def test_a_searched_flag_is_the_whole_argument_or_nothing_and_decodes(tmp_path):
    study = foreign_study(("python", "train.py"), {"names": "dashes", "booleans": "flag"})
    experiment = render(study).documents[0]
    assert parameters_of(experiment)["amp"]["feasibleSpace"]["list"] == ["--amp", ""]
    assert parameters_of(experiment)["dropout_rate"]["feasibleSpace"]["list"] == [
        *("", "--dropout-rate=0.1", "--dropout-rate=0.5")
    ]
    assert " ${trialParameters.amp} ${trialParameters.dropout_rate} " in container_of(experiment)["args"][0]
    wanted = {"amp": _best(study)["amp"]}
    assert best_texts(wanted, {"amp": "--amp"}, {}) == {"amp": "true"}
    assert best_texts(wanted, {"amp": ""}, {}) == best_texts(wanted, {}, {}) == {"amp": "false"}


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
@pytest.mark.parametrize("name", EVERY)
def test_under_torchrun_the_program_gets_the_same_arguments(kind, name):
    _, arguments = ARGUMENTS[name]
    step = {
        "image": "i",
        "command": ["python", "train.py"],
        "arguments": arguments,
        "resources": {"nodes": 2, "procs_per_node": 2},
    }
    study = foreign_study((), {}, step=step, targets={"katib": {"trial_kind": kind}})
    spec = render(study).documents[0]["spec"]["trialTemplate"]["trialSpec"]["spec"]
    text = json.dumps(spec)
    assert "torchrun --nnodes=2 --nproc_per_node=2 train.py" in text
    alone = render(foreign_study(("python", "train.py"), arguments)).documents[0]
    front, _, rest = container_of(alone)["args"][0].partition("python train.py")
    assert json.dumps(front)[1:-1] in text
    assert json.dumps(rest)[1:-1] in text


def test_what_katib_cannot_choose_is_refused_with_a_way_out():
    class Branch(Hparams):
        kind: str = Hparam("a", search=Choice("a", "b"))
        amp: bool = Hparam(False, search=Conditional(Choice(True, False), {"kind": ["a"]}))

    with pytest.raises(RenderError, match=r"amp: Katib gives a trial one text.*set booleans and nulls to value"):
        render(foreign_study(("python", "train.py"), {"booleans": "flag"}, hparams=Branch))


def test_two_values_without_an_argument_are_refused():
    class Both(Hparams):
        amp: bool | None = Hparam(None, search=Choice(True, False, None))

    with pytest.raises(RenderError, match="amp: false and null are both no argument"):
        render(foreign_study(("python", "train.py"), {"booleans": "flag"}, hparams=Both))


def test_a_file_needs_a_python_program():
    with pytest.raises(RenderError, match="short Python program writes the file"):
        render(foreign_study(("./train",), {"as": "json-file"}))


# -- pipelines -------------------------------------------------------------------------------------------------------

VALUES = {"learning_rate": "0.025", "num_epochs": "5", "optimizer": "it's $HOME"}


def pipeline_of(command, arguments) -> Pipeline:
    step = {
        "kind": "train",
        "image": "registry.example/net:1",
        "command": list(command),
        "arguments": arguments,
        "hparams": f"{Net.__module__}:{Net.__name__}",
    }
    return pipeline_from_dict({"name": "foreign", "steps": {"train": step}})


def started(container, values, folder):
    """Runs a container's command line with the values of its parameters; returns what the script has read."""
    line = [*container["command"], *container.get("args", [])]

    def filled(token):
        for pattern in (r"\{\{inputs\.parameters\.(\w+)\}\}", r"\{\{\$\.inputs\.parameters\['(\w+)'\]\}\}"):
            token = re.sub(pattern, lambda found: values[found[1]], token)
        return token

    line = [filled(token) for token in line if "outputs" not in token]
    received = folder / "received.json"
    environment = {**os.environ, "RECEIVED": str(received)}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (line, done.stderr)
    return json.loads(received.read_text())[0]


def argo_container(pipeline):
    (workflow,) = [each for each in render_pipeline(pipeline, "argo").documents if each["kind"] == "WorkflowTemplate"]
    return next(each["container"] for each in workflow["spec"]["templates"] if "container" in each)


def kfp_container(pipeline):
    executors = render_pipeline(pipeline, "kfp").documents[0]["deploymentSpec"]["executors"]
    return next(iter(executors.values()))["container"]


@pytest.mark.parametrize("container_of_target", [argo_container, kfp_container])
@pytest.mark.parametrize("amp", ["true", "false"])
@pytest.mark.parametrize("dropout", ["null", "0.5"])
@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("click", "optional", "two tokens")])
def test_a_script_reads_every_value_as_argo_and_kfp_start_it(name, dropout, amp, container_of_target, tmp_path):
    script, arguments = ARGUMENTS[name]
    text = SCRIPTS[script].replace('choices=["adam", "sgd"], ', "")
    container = container_of_target(pipeline_of(script_in(tmp_path, text), arguments))
    values = {**VALUES, "amp": amp, "dropout_rate": dropout}
    assert started(container, values, tmp_path) == Net.from_assignments(values).to_dict()


# -- what the shell and Python do when only the run knows a text -----------------------------------------------------

TEXTS = st.sampled_from(
    ["true", "false", "null", "0.5", "", " ", "it's", "run", "--x", "$HOME `id`", "a\nb", "\\", "*"]
)


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), TEXTS), max_size=4),
    st.sampled_from(["--name=value", "--name value"]),
    st.sampled_from(["value", "flag", "flag-no"]),
    st.sampled_from(["omit", "value"]),
)
def test_the_shell_chooses_the_arguments_that_known_texts_would_have(listed, form, booleans, nulls):
    style = Style("dashes", form, booleans, nulls)
    groups: list[str] = []
    expected: list[str] = []
    for index, (is_boolean, is_optional, text) in enumerate(listed):
        kind = Kind(is_boolean=is_boolean, is_optional=is_optional)
        text = text if not is_boolean or text in ("true", "false") else "true"
        groups += chosen(f"a_{index}", text, style, kind)
        expected += style.tokens(f"a_{index}", text, kind)
    show = [sys.executable, "-c", "import json, sys; print(json.dumps(sys.argv[1:]))", "first"]
    done = subprocess.run(["sh", "-c", CHOOSE, "sh", *groups, "run", *show], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["first", *expected]


def test_a_boolean_that_is_neither_is_an_error_and_nothing_starts():
    groups = list(chosen("amp", "maybe", Style(booleans="flag"), Kind(is_boolean=True)))
    done = subprocess.run(
        ["sh", "-c", CHOOSE, "sh", *groups, "run", "echo"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "--amp must be true or false, but got maybe\n")


class Nested(Hparams):
    class Optimizer(Hparams):
        lr: float = 0.1
        name: str | None = None

    optimizer: Optimizer = Optimizer()
    sizes: list[int] = Hparam(default_factory=lambda: [1])
    note: str = ""
    either: int | str = 1


@given(st.none() | TEXTS, TEXTS, st.integers() | TEXTS, st.sampled_from(["omit", "value"]))
def test_python_in_the_container_writes_the_file_that_a_run_here_writes(tmp_path_factory, name, note, either, nulls):
    texts = Nested(optimizer=Nested.Optimizer(name=name), note=note, either=either).to_assignments()
    kinds = kinds_of(Nested.leaves())
    groups: list[str] = []
    for key, text in texts.items():
        kind = kinds[key]
        groups += [f"{'text' if kind.is_text else 'json'}{'-null' if kind.is_optional else ''}", key, text]
    folder = tmp_path_factory.mktemp("file")
    environment = {**os.environ, "KFTUNE_OUTPUT_DIR": str(folder)}
    line = [sys.executable, "-c", WRITE, "none", "", nulls, *groups, "run", "true"]
    subprocess.run(line, env=environment, check=True)
    written = json.loads((folder / "hparams.json").read_text(encoding="utf-8"))
    assert written == to_json(texts, Style(nulls=nulls), kinds)
    assert Nested(**written) == Nested(optimizer=Nested.Optimizer(name=name), note=note, either=either)
