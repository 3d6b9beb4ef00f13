"""What KFP's backend does with a rendered pipeline, where kfp.local differs: placeholders, states, inputs of groups.

Source: kubeflow/pipelines 2.17, backend/src/v2: driver and launcher, measured on a cluster.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from pipeline_examples import pipeline, step, tune

from kftune.cli import main
from kftune.errors import RenderError
from kftune.pipeline import Pipeline
from kftune.render.kfp import render_kfp

SHOW = [sys.executable, "-c", "import json, sys; print(json.dumps(sys.argv[1:]))"]


def rendered(steps: dict[str, Any], **sections: Any) -> Pipeline:
    return pipeline(steps, **{"defaults": {"image": "registry.example/toy:1"}, **sections})


def spec_of(made: Pipeline) -> dict[str, Any]:
    return render_kfp(made).documents[0]


def argv_of(spec: dict[str, Any], name: str, texts: dict[str, str]) -> list[str]:
    """The command line of a step as its container gets it: known placeholders are replaced, others stay as text."""
    container = spec["deploymentSpec"]["executors"][f"exec-{name}"]["container"]
    return [replaced(token, texts) for token in (*container["command"], *container["args"])]


def replaced(token: str, texts: dict[str, str]) -> str:
    for placeholder, text in texts.items():
        token = token.replace(placeholder, text)
    return token


def printed(argv: list[str]) -> list[str]:
    """The arguments that a module gets when a rendered line runs as a process."""
    start = argv.index("python")
    run = subprocess.run([*argv[:start], *SHOW, *argv[start + 3 :]], check=True, capture_output=True, text=True)
    return json.loads(run.stdout)  # type: ignore[no-any-return]  # a list of texts


def dangling(spec: dict[str, Any]) -> list[tuple[str, str]]:
    """Task and input, for each input that comes from an input that the parent does not have."""
    parts = [spec["root"], *(part for part in spec["components"].values() if "dag" in part)]
    return [
        (name, given["componentInputParameter"])
        for part in parts
        for name, task in part["dag"]["tasks"].items()
        for given in task.get("inputs", {}).get("parameters", {}).values()
        if given.get("componentInputParameter", "")
        and given["componentInputParameter"] not in part.get("inputDefinitions", {}).get("parameters", {})
    ]


@pytest.mark.parametrize(
    ("output", "wanted"),
    [("{{$.outputs.output_file}}", "/m/judge/output_metadata.json"), ("/local/executor_output.json", None)],
)
def test_a_step_gets_the_file_that_the_backend_or_kfp_local_reads(output, wanted):
    """The backend leaves the placeholder as text, and reads the file in the folder of the output artifacts."""
    spec = spec_of(rendered({"judge": step(kind="evaluate", outputs={"metrics": "metrics"})}))
    texts = {
        "{{$.inputs.parameters['executor_output']}}": output,
        "{{$.outputs.artifacts['metrics'].path}}": "/m/judge/metrics",
    }
    argv = argv_of(spec, "judge", texts)
    assert printed(argv) == ["--metrics=/m/judge/metrics", f"--executor-output={wanted or output}"]


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("COMPLETE", "Succeeded"),
        ("SUCCEEDED", "Succeeded"),  # kfp.local
        ("FAILED", "Failed"),
        ("CANCELED", "Failed"),
        ("RUNNING", "Unknown"),
    ],
)
def test_the_exit_step_gets_a_word_for_each_state_of_the_backend(state, word):
    end = {"module": "toy", "inputs": {"status": "${run.status}"}}
    spec = spec_of(rendered({"work": step()}, exit=end))
    status = json.dumps({"state": state, "error": {"message": '"state":"COMPLETE"'}})
    assert printed(argv_of(spec, "exit", {"{{$.inputs.parameters['status']}}": status})) == [f"--status={word}"]


def test_an_exit_step_is_never_cached():
    spec = spec_of(rendered({"work": step()}, exit={"module": "toy", "inputs": {"text": "bye"}}))
    tasks = spec["root"]["dag"]["tasks"]
    assert tasks["exit"]["cachingOptions"] == {}


def expanded(text: str) -> str:
    """What the kubelet makes of a text: `$$` becomes `$`, `$(NAME)` the variable.

    Source: kubernetes, third_party/forked/golang/expansion/expand.go.
    """
    return re.sub(r"\$\$|\$\(([^)]*)\)", lambda found: "$" if found[0] == "$$" else f"<{found[1]}>", text)


@pytest.mark.parametrize("value", ["$(HOME)", "a $$ b", "$$$(X)", "$HOME costs 3$", "$$$"])
def test_the_kubelet_leaves_a_constant_as_it_was_written(value):
    inputs = {"text": value, "items": {"type": "list", "value": [value, {"k": value}]}}
    given = spec_of(rendered({"work": step(inputs=inputs)}))["root"]["dag"]["tasks"]["work"]["inputs"]["parameters"]
    constants = {name: given[name]["runtimeValue"]["constant"] for name in inputs}
    assert expanded(constants["text"]) == value
    assert json.loads(expanded(constants["items"])) == [value, {"k": value}]


@pytest.mark.parametrize(
    ("sections", "name"),
    [({"parameters": {"p": "$(HOME)"}}, "p"), ({"loops": {"l": {"items": ["$$"]}}}, "an item")],
)
def test_a_value_of_the_run_that_the_kubelet_would_change_is_refused(sections, name):
    fields: dict[str, Any] = {"for_each": "l", "inputs": {"i": "${item}"}} if "loops" in sections else {}
    steps = {"work": step(**fields)}
    with pytest.raises(RenderError, match=f"^{name} must not hold"):
        render_kfp(rendered(steps, **sections))


FIELDS = {"label": "${item.label}", "k": "${item.k}"}
LOOPS = {"l": {"items": [{"label": "a", "k": 1}, {"label": "b", "k": 2}]}}


@pytest.mark.parametrize("behind", ["exit", "when"])
def test_a_loop_over_mappings_takes_no_input_that_its_group_lacks(behind):
    steps: dict[str, dict[str, Any]] = {
        "exit": {"work": step(for_each="l", inputs=FIELDS)},
        "when": {
            "gate": step(when="${parameters.go} == 'yes'", outputs={"o": "float"}),
            "work": step(for_each="l", inputs={**FIELDS, "x": "${steps.gate.outputs.o}"}),
        },
    }
    end: dict[str, Any] = {"exit": {"exit": {"module": "toy"}}, "when": {}}
    made = rendered(steps[behind], loops=LOOPS, parameters={"go": "yes"}, **end[behind])
    spec = spec_of(made)
    assert dangling(spec) == []
    loop = next(part for name, part in spec["components"].items() if name.startswith("comp-for-loop"))
    item = next(name for name in loop["inputDefinitions"]["parameters"] if "loop-item-param" in name)
    given = loop["dag"]["tasks"]["work"]["inputs"]["parameters"]["label"]
    assert given == {
        "componentInputParameter": item,
        "parameterExpressionSelector": 'parseJson(string_value)["label"]',
    }


@pytest.mark.parametrize("inputs", [{"i": "${item}"}, {"i": {"type": "dict", "value": "${item}"}}])
def test_a_whole_mapping_as_an_input_is_refused_with_the_name_of_the_step(inputs):
    with pytest.raises(RenderError, match=r"step 'work' takes a whole mapping as \$\{item\}; write"):
        render_kfp(rendered({"work": step(for_each="l", inputs=inputs)}, loops=LOOPS))


def test_a_secret_and_a_config_map_of_one_name_are_refused():
    volumes = [
        {"name": "a", "mount": "/a", "secret": "both"},
        {"name": "b", "mount": "/b", "config_map": "both"},
    ]
    match = "volume 'a' is secret 'both' and volume 'b' is config_map 'both'"
    with pytest.raises(RenderError, match=match) as caught:
        render_kfp(rendered({"work": step(volumes=volumes)}))
    assert caught.value.places == (
        ("steps", "work", "volumes", 0, "secret"),
        ("steps", "work", "volumes", 1, "config_map"),
    )
    with pytest.raises(RenderError, match=match) as caught:
        render_kfp(rendered({"work": step()}, defaults={"image": "registry.example/toy:1", "volumes": volumes}))
    assert caught.value.places == (("defaults", "volumes", 0, "secret"), ("defaults", "volumes", 1, "config_map"))


def test_a_render_names_the_lines_of_both_objects(tmp_path, capsys):
    path = tmp_path / "p.yaml"
    path.write_text(
        "name: p\nsteps:\n  work:\n    kind: container\n    module: toy\n    image: registry.example/toy:1\n"
        "    volumes:\n      - {name: a, mount: /a, secret: both}\n      - {name: b, mount: /b, config_map: both}\n"
    )
    assert main(["render", str(path), "--target", "kfp"]) == 2
    told = capsys.readouterr().err
    assert f"{path}:8:38: KFP names a volume after its object" in told
    assert told.endswith(f"(see {path}:9:42)\n")


@pytest.mark.parametrize(
    ("of_run", "of_steps", "told"),
    [
        (None, ("maker", "asker"), "choose one that has the rights of all of 'asker', 'maker' when you start a run"),
        (None, ("maker", "maker"), "choose 'maker' when you start a run"),
        ("runner", ("runner", None), "choose 'runner' when you start a run"),
        (
            "asker",
            ("maker", "asker"),
            "choose 'asker' when you start a run, and give it the rights of 'maker' too, which the steps name",
        ),
        (
            "runner",
            ("maker", "asker"),
            "choose 'runner' when you start a run, and give it the rights of 'asker', 'maker' too, which the "
            "steps name",
        ),
    ],
)
def test_the_note_on_accounts_says_which_rights_the_runs_account_needs(of_run, of_steps, told):
    steps = {
        f"s{number}": tune(service_account=account, image="registry.example/launcher:1")
        for number, account in enumerate(of_steps)
    }
    made = rendered(steps, targets={"kfp": {"service_account": of_run}})
    (note,) = (note for note in render_kfp(made).notes if "service account of the run" in note)
    assert note.endswith(told)
