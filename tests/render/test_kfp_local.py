"""`kftune pipeline run` beside `kfp.local`, which runs the KFP rendering of the same pipeline in containers.

docs/guides/kfp.md says what kfp.local cannot run; the last tests hold its words to that.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from container_engine import IMAGE, api_socket, needed_engine
from hparams_examples import Everything
from kfp_local import KfpLocal
from local_pipeline import Project, Run
from places import CIRCUITS, ROOT

from kftune import yaml_text
from kftune.errors import ContainerError
from kftune.images import lock_of, resolve
from kftune.local.pipeline.artifacts import Made, collect
from kftune.pipeline import Pipeline, pipeline_from_dict

pytestmark = pytest.mark.container

CIRCUITS = CIRCUITS / "pipeline.yaml"

GIVEN = """\
import json, os, sys
given = dict(token[2:].split("=", 1) for token in sys.argv[1:])
def write(name, text):
    open(given[name], "w", newline="").write(text)
def read(*path):
    return open(os.path.join(*path), newline="").read()
"""
ECHO = "for name in given:\n    if not name.startswith('out_'):\n        write('out_' + name, given[name])\n"

VALUES: dict[str, Any] = {
    "tiny": 1e-05,
    "whole": 3.0,
    "large": 1e22,
    "count": 3,
    "most": 2**53,
    "true_one": True,
    "false_one": False,
    "text": " a \"b\" 'c'\n\td\\e $HOME `f` %s ä漢😀 ",
    "word": "true",
    "empty": "",
    "items": [1, 2.5, -1e-07, "a 'b'", "漢", True, [], {}],
    "none": [],
    "table": {"a b": 1, "nested": {"list": [0.1, {"deep": False}]}, "ü": "\"'"},
}


@pytest.fixture(scope="module")
def kfp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KfpLocal]:
    engine, folder = needed_engine(), tmp_path_factory.mktemp("kfp")
    with api_socket(engine, folder) as socket:
        yield KfpLocal(socket, folder, as_root=engine.rootless)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def step(code: str, kind: str = "container", **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "command": ["python", "-c", GIVEN + code], "image": IMAGE, **fields}


def made_by(pipeline: Pipeline, run: Run) -> dict[str, list[dict[str, Made]]]:
    """Step -> what it wrote, item by item of its loop; nothing of a step that was skipped."""
    steps = run.outcome.folder / "steps"
    places = {node.name: node.name if node.loop is None else f"{node.loop}/*/{node.name}" for node in _nodes(pipeline)}
    return {name: _read(pipeline, name, sorted(steps.glob(f"{place}/outputs"))) for name, place in places.items()}


def made_by_kfp(pipeline: Pipeline, root: Path) -> dict[str, list[dict[str, Made]]]:
    places = {node.name: node.name if node.loop is None else f"*-iteration-*/{node.name}" for node in _nodes(pipeline)}
    return {name: _read(pipeline, name, sorted(root.glob(f"*/{place}"))) for name, place in places.items()}


def _nodes(pipeline: Pipeline) -> list[Any]:
    return [*pipeline.plan.nodes.values(), *([pipeline.plan.exit] if pipeline.plan.exit else [])]


def _read(pipeline: Pipeline, name: str, folders: list[Path]) -> list[dict[str, Made]]:
    """What is in folders of outputs; of metrics also what KFP's page would show."""
    outputs = next(node.outputs for node in _nodes(pipeline) if node.name == name)
    found = [collect(outputs, folder) for folder in folders]
    for read, folder in zip(found, folders, strict=True):
        for told in folder.glob("executor[-_]output*"):  # it has another name in kfp.local
            read["shown"] = Made("dict", told, json.loads(told.read_text()))
    return [{output: replace(made, path=Path(), text="") for output, made in read.items()} for read in found]


def everywhere(kfp: KfpLocal, project: Project, pipeline: Pipeline, **given: Any) -> list[dict[str, Any]]:
    """What the steps wrote in kfp.local, in processes and in containers."""
    runs = [project.run(pipeline, given, runtime=runtime) for runtime in ("process", "container")]
    assert [run.outcome.state for run in runs] == ["Succeeded"] * 2, [end.message for end in runs[1].ends.values()]
    return [made_by_kfp(pipeline, kfp.run(pipeline, **given)), *(made_by(pipeline, run) for run in runs)]


@pytest.mark.slow
def test_values_of_every_type_arrive_alike_from_parameters_constants_and_steps(kfp, project):
    types = {name: type(value).__name__ for name, value in VALUES.items()}
    outputs = {f"out_{name}": kind for name, kind in types.items()}
    steps = {
        "first": step(ECHO, inputs={name: f"${{parameters.{name}}}" for name in VALUES}, outputs=outputs),
        "again": step(ECHO, inputs={name: f"${{steps.first.outputs.out_{name}}}" for name in VALUES}, outputs=outputs),
        "constant": step(
            ECHO,
            inputs={name: {"type": types[name], "value": value} for name, value in VALUES.items()},
            outputs=outputs,
        ),
    }
    defaults = {name: {"type": types[name], "default": value} for name, value in VALUES.items()}
    for parameters, given in (defaults, {}), ({name: {"type": types[name]} for name in VALUES}, VALUES):
        made = everywhere(kfp, project, project.pipeline(steps, parameters=parameters), **given)
        assert made[0] == made[1] == made[2]
        wanted = {f"out_{name}": value for name, value in VALUES.items()}
        assert [type(each["again"][0]["out_items"].value[5]) for each in made] == [bool] * 3  # to Python 1 is True
        for name in steps:
            assert {output: each.value for output, each in made[0][name][0].items()} == wanted


@pytest.mark.slow
def test_artifacts_hyperparameters_loops_and_conditions_give_the_same(kfp, project):
    made = everywhere(kfp, project, training(project), limit=0.5)
    assert made[0] == made[1] == made[2]
    ((page,), (alone,), (instead,)) = (made[0][name] for name in ("report", "when-asked", "instead"))
    assert page["page"].digest
    assert page["notes"].digest
    shown = made[0]["evaluate"][0]["shown"].value["artifacts"]["metrics"]["artifacts"]
    assert shown == [{"metadata": {"val_loss": 0.25, "lines": 4, "tiny": 1e-07}}]
    assert (alone["done"].value, instead["out_loss"].value) == (1, 0.25)
    assert made[0]["gather"][0]["out_squares"].value == [1.0, 2.25]
    given = made[0]["train"][0]["hparams"].value
    assert Everything.from_args(given) == Everything(**HPARAMS)


@pytest.mark.slow
def test_what_a_condition_skips_is_skipped_alike_and_a_default_counts(kfp, project):
    made = everywhere(kfp, project, training(project), limit=0.125)
    assert made[0] == made[1] == made[2]
    assert [made[0][name] for name in ("report", "when-asked")] == [[], []]
    assert made[0]["instead"][0]["out_loss"].value == 7.5


HPARAMS: dict[str, Any] = {"real": 1e-05, "maybe_real": 3.0, "text": "a 'b' \"c\" ü", "numbers": [1, 2], "flag": True}
TRAIN = """
os.makedirs(os.path.join(given["model"], "layers", "none"))
open(os.path.join(given["model"], "layers", "w.bin"), "wb").write(bytes(range(256)))
open(os.path.join(given["model"], "lines"), "w").write(read(given["data"]) * 2)
own = ("--data=", "--model=", "--hparams=")
write("hparams", json.dumps([token for token in sys.argv[1:] if not token.startswith(own)]))
"""
EVALUATE = """
size = len(open(os.path.join(given["model"], "layers", "w.bin"), "rb").read())
metrics = {"val_loss": 64 / size, "lines": read(given["model"], "lines").count("\\n"), "tiny": 1e-07}
write("metrics", json.dumps(metrics))
write("executor-output", json.dumps({"artifacts": {"metrics": {"artifacts": [{"metadata": metrics}]}}}))
write("val_loss", json.dumps(metrics["val_loss"]))
"""
REPORT = """
write("page", "<h1>" + read(given["metrics"]) + "</h1>")
write("loss", "0.25")
write("notes", "# " + read(given["model"], "lines"))
"""


def training(project: Project) -> Pipeline:
    """Artifacts from step to step, hyperparameters, a loop that gathers, conditions with and without default."""
    model, loss = "${steps.train.outputs.model}", "${steps.evaluate.outputs.val_loss}"
    steps = {
        "data": step("write('data', 'eins\\nzwei ü\\r\\n')", "data"),
        "train": step(
            TRAIN,
            "train",
            inputs={"data": "${steps.data.outputs.data}"},
            hparams="hparams_examples:Everything",
            values=HPARAMS,
            outputs={"model": "model", "hparams": "list"},
        ),
        "evaluate": step(
            EVALUATE, "evaluate", inputs={"model": model}, outputs={"metrics": "metrics", "val_loss": "float"}
        ),
        "report": step(
            REPORT,
            when=f"{loss} < ${{parameters.limit}}",
            inputs={"model": model, "metrics": "${steps.evaluate.outputs.metrics}"},
            outputs={"page": "html", "notes": "markdown", "loss": "float"},
        ),
        "when-asked": step("write('done', '1')", when="${parameters.limit} >= 0.5", outputs={"done": "int"}),
        "instead": step(
            ECHO,
            inputs={"loss": {"value": "${steps.report.outputs.loss}", "default": 7.5}},
            outputs={"out_loss": "float"},
        ),
        "square": step(
            "write('square', json.dumps(float(given['size']) ** 2))",
            for_each="sizes",
            inputs={"size": "${item.size}", "kind": "${item.kind}", "limit": "${parameters.limit}"},
            outputs={"square": "float"},
        ),
        "twice": step(
            ECHO, for_each="sizes", inputs={"square": "${steps.square.outputs.square}"}, outputs={"out_square": "float"}
        ),
        "gather": step(ECHO, inputs={"squares": "${steps.twice.outputs.out_square}"}, outputs={"out_squares": "list"}),
    }
    loops = {"sizes": {"items": [{"size": 1, "kind": "a b"}, {"size": 1.5, "kind": "ü"}], "parallel": 2}}
    return project.pipeline(steps, parameters={"limit": 0.5}, loops=loops)


def test_the_exit_step_gets_the_same_word(kfp, project):
    end = step(ECHO, inputs={"status": "${run.status}"}, outputs={"out_status": "str"})
    del end["kind"]
    steps = {"work": step("write('size', '2')", outputs={"size": "int"})}
    made = everywhere(kfp, project, project.pipeline(steps, exit=end))
    assert made[0] == made[1] == made[2]
    assert made[0]["exit"][0]["out_status"].value == "Succeeded"


def test_a_step_that_fails_fails_the_run_alike(kfp, project):
    pipeline = project.pipeline({"work": step("sys.exit(3)")})
    assert project.run(pipeline, runtime="container").ends["work"].message.startswith("exit code 3")
    with pytest.raises(RuntimeError, match=r"finished with status .*FAILURE.*Inner task failed: .*work"):
        kfp.run(pipeline)


@pytest.mark.slow
def test_the_circuits_pipeline_trains_the_same_model_to_the_byte(kfp, project):
    """Without its tune step, which needs a cluster, and the condition, which kfp.local never finds true."""
    data: Any = yaml_text.load_file(CIRCUITS)
    del data["steps"]["tune"], data["steps"]["register"]["when"], data["steps"]["train"]["values_from"]
    data["defaults"] = {"image": built_image(), "env": data["defaults"]["env"]}
    pipeline = pipeline_from_dict(data, [CIRCUITS.parent])
    made = everywhere(kfp, project, pipeline, train_epochs=1)
    assert made[0] == made[1] == made[2]
    assert made[0]["evaluate"][0]["val_loss"].value > 0
    assert made[0]["train"][0]["model"].digest
    assert made[0]["register"][0]["registered"].digest


def built_image() -> str:
    """images/train, where `make build-images` has built it."""
    try:
        image = resolve("images/train", CIRCUITS, "here")
    except ContainerError as error:
        pytest.skip(str(error))
    if needed_engine().image_id(image) is None:
        pytest.skip(f"{image} is not here: make build-images")
    base, mine = lock_of(ROOT).images["train"].base, ".".join(map(str, sys.version_info[:2]))
    if f"python:{mine}" not in base:  # a model's summary names it, so that no two of them write the same bytes
        pytest.skip(f"images/train is made on {base}, and this is Python {mine}")
    return image


# -- what kfp.local 2.17 cannot run, in its own words: once one of these fails, docs/guides/kfp.md says too much -------

WORDS = step("""write('words', '["a", "b"]')""", outputs={"words": "list"})
EACH = step(ECHO, for_each="words", inputs={"word": "${item}"}, outputs={"out_word": "str"})


def test_kfp_local_has_no_loop_over_what_a_step_wrote(kfp, project):
    loops = {"words": {"items": "${steps.list.outputs.words}"}}
    with pytest.raises(ValueError, match="Parent pipeline input argument 'pipelinechannel--list-words' not found"):
        kfp.run(project.pipeline({"list": WORDS, "each": EACH}, loops=loops))


def test_kfp_local_runs_a_loop_over_records_beside_an_exit_step(kfp, project):
    each = step("pass", for_each="words", inputs={"word": "${item.word}"})
    loops = {"words": {"items": [{"word": "a"}, {"word": "b"}]}}
    end = {"command": ["true"], "image": IMAGE}
    kfp.run(project.pipeline({"each": each}, exit=end, loops=loops))


def test_kfp_local_gives_a_loop_its_item_in_the_place_of_what_a_step_outside_wrote(kfp, project):
    inputs = {"word": "${item}", "words": "${steps.list.outputs.words}"}
    outputs = {"out_word": "str", "out_words": "str"}
    each = step(ECHO, for_each="words", inputs=inputs, outputs=outputs)
    pipeline = project.pipeline({"list": WORDS, "each": each}, loops={"words": {"items": ["a", "b"]}})
    made = made_by_kfp(pipeline, kfp.run(pipeline))["each"]
    assert [item["out_words"].value for item in made] == ["a", "b"]


def test_kfp_local_never_runs_a_step_whose_condition_asks_what_a_step_wrote(kfp, project, caplog):
    steps = {
        "count": step("write('many', '3')", outputs={"many": "int"}),
        "maybe": step("pass", when="${steps.count.outputs.many} > 1"),
    }
    pipeline = project.pipeline(steps)
    assert made_by_kfp(pipeline, kfp.run(pipeline))["maybe"] == []
    assert "Could not resolve parent input: count-many" in caplog.messages


def test_kfp_local_by_itself_knows_no_artifact_of_a_container(kfp, project):
    steps = {
        "data": step("write('data', '1')", "data"),
        "take": step("pass", inputs={"data": "${steps.data.outputs.data}"}),
    }
    with pytest.raises(ValueError, match="Tried to get output 'data' from task 'data', but task 'data' not found"):
        kfp.run(project.pipeline(steps), knows_artifacts=False)
