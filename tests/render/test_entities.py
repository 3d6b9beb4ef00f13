"""A study with entities on a cluster: one Experiment for each, and in a pipeline a loop over them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from argo_as_run import lint as argo_lint
from hera.workflows import models
from kubeflow_katib_api.models import V1beta1Experiment
from pipeline_examples import pipeline
from study_examples import data

from kftune import yaml_text
from kftune.errors import PipelineError, RenderError
from kftune.katib.go.names import DNS_1035, LABEL_VALUE
from kftune.lint.checker import check
from kftune.lint.options import LintOptions
from kftune.pipeline import ItemReference, Pipeline
from kftune.pipeline.ports import text_of
from kftune.render import Rendering, render
from kftune.render.argo import render_argo
from kftune.render.kfp import render_kfp
from kftune.render.launching import Launching, put_in
from kftune.render.tuning import tuning_of
from kftune.spec.labels import ENTITY_LABEL, label_value
from kftune.study import Study, study_from_dict

LAUNCHER = {"image": "registry.example/launcher:1"}
NAMES = ["PLANT001/CIRCUIT01", "PLANT001/circuit01", "a b", "it's $HOME", 'q"${trialParameters.units}', "水", "x" * 200]
ENTITIES = [{"name": name, "size": 2**index} for index, name in enumerate(NAMES)]


def study_data(for_each: Any = ENTITIES, **changes: Any) -> dict[str, Any]:
    trial = {"command": ["python", "train.py"], "args": ["--fast", "--where=at ${entity}"], "queue": "gpus"}
    whole: dict[str, Any] = {
        "for_each": for_each,
        "values": {"note": "${entity}", "warmup.needed": "x", "tags": ["${entity}", "b"]},
        "search": {"units": {"int": [1, 64]}},
        "algorithm": {"name": "random", "seed": 3},
        "budget": {"max_trials": 3, "parallel": 2},
        "step": {"image": "registry.example/toy:1", "resources": {"cpu": 1, "memory": "1Gi"}, **trial},
    }
    return data(**whole | changes)


def study(for_each: Any = ENTITIES, **changes: Any) -> Study:
    return study_from_dict(study_data(for_each, **changes))


def rendered(for_each: Any = ENTITIES, **changes: Any) -> Rendering:
    return render(study(for_each, **changes))


def tuned(for_each: Any = ENTITIES, fields: dict[str, Any] | None = None, **changes: Any) -> Pipeline:
    written = {"kind": "tune", "study": study_data(for_each, **changes), **LAUNCHER, **(fields or {})}
    return pipeline({"tune": written})


# -- one Experiment for each ---------------------------------------------------------------------------------------


def test_each_entity_has_an_experiment_that_katib_accepts():
    documents = rendered().documents
    assert len(documents) == len(NAMES)
    for document in documents:
        taken = V1beta1Experiment.from_dict(document)
        assert taken is not None
        assert taken.to_dict()["spec"]["maxTrialCount"] == 3
    yaml = yaml_text.dump_all(documents)
    assert [*yaml_text.load_all(yaml)] == documents


def test_names_are_valid_and_no_two_are_the_same():
    names = [document["metadata"]["name"] for document in rendered().documents]
    assert len(set(names)) == len(NAMES)
    assert all(len(name) <= 40 and DNS_1035.fullmatch(name) for name in names)
    assert names[0].startswith("toy-plant001-circuit01-")


def test_labels_are_valid_and_the_annotation_has_the_whole_name():
    for name, document in zip(NAMES, rendered().documents, strict=True):
        metadata, trial = document["metadata"], document["spec"]["trialTemplate"]["trialSpec"]
        label = metadata["labels"][ENTITY_LABEL]
        assert len(label) <= 63
        assert LABEL_VALUE.fullmatch(label)
        assert metadata["annotations"] == {ENTITY_LABEL: name}
        assert metadata["labels"]["app.kubernetes.io/part-of"] == "toy"
        assert trial["metadata"]["labels"] == {ENTITY_LABEL: label, "kueue.x-k8s.io/queue-name": "gpus"}
        assert trial["spec"]["template"]["metadata"]["labels"][ENTITY_LABEL] == label


@pytest.mark.parametrize("text", [*NAMES, "", "-", "a_", "-a.b", "a" * 63, "A.b_c-1"])
def test_a_labels_value_is_the_text_itself_or_one_with_a_hash(text):
    label = label_value(text)
    assert len(label) <= 63
    assert LABEL_VALUE.fullmatch(label)
    assert label
    assert (label == text) == (bool(text) and len(text) <= 63 and LABEL_VALUE.fullmatch(text) is not None)


def test_each_entity_has_its_own_values_and_seed():
    documents = rendered().documents
    lines = [each["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"] for each in documents]
    first = lines[0]["containers"][0]["args"][0]
    assert first.startswith("python train.py --fast '--where=at PLANT001/CIRCUIT01' ")
    assert "--note=PLANT001/CIRCUIT01" in first
    seeds = [each["spec"]["algorithm"]["algorithmSettings"][0]["value"] for each in documents]
    assert len(set(seeds)) == len(NAMES)
    assert seeds[0] == str(study().for_entity(NAMES[0]).algorithm.seed)


def test_a_name_of_the_target_is_the_beginning_of_each():
    documents = rendered(["a", "b"], targets={"katib": {"name": "plants"}}).documents
    assert all(
        each["metadata"]["name"].startswith(f"plants-{name}-") for each, name in zip(documents, "ab", strict=True)
    )


def test_the_bound_of_all_trials_at_a_time_is_a_queue():
    queued = rendered().notes[0]
    assert queued == (
        "7 Experiments start together, with up to 2 trials each at a time, 14 in all, and 7 pods of their algorithms; "
        "the quota of the ClusterQueue behind the LocalQueue gpus bounds them, not for_each.budget.parallel"
    )
    step = {"command": ["train", "--entity=${entity}"], "image": "registry.example/toy:1"}
    assert "nothing keeps them to 2: set step.queue to a LocalQueue of Kueue" in rendered(step=step).notes[0]
    enough = {"items": ["a", "b"], "budget": {"parallel": 4}}
    assert all("start together" not in note for note in rendered(enough, step=step).notes)


def test_a_note_is_there_once_for_all_entities():
    notes = rendered().notes
    assert len(set(notes)) == len(notes)
    assert "the container must not run as root: its image needs a numeric USER" in notes


def test_a_shared_limit_that_nothing_keeps_is_named():
    shared = {"items": ["a", "b"], "budget": {"wall_clock": "2h", "max_failed": 3, "max_cost": 9}}
    notes = rendered(shared).notes
    assert any("for_each.budget.wall_clock (7200s) applies to kftune run of the study only" in note for note in notes)
    assert any("for_each.budget.max_cost (9) applies to kftune run of the study only" in note for note in notes)
    assert any("for_each.budget.max_failed (3) applies to kftune run of the study only" in note for note in notes)


@pytest.mark.parametrize(
    ("most", "instead"), [(20, "set budget.max_trials to 2"), (6, "give it 6 entities or fewer")], ids=["less", "fewer"]
)
def test_fewer_trials_for_all_than_they_would_have_are_refused(most, instead):
    shared = {"items": ENTITIES, "budget": {"max_trials": most}}
    with pytest.raises(RenderError, match=f"7 entities with 3 trials each have 21, but .* is {most}; {instead}"):
        rendered(shared)
    with pytest.raises(PipelineError, match=f"nothing in a pipeline counts the trials .* is {most}; {instead}"):
        tuned(shared)
    assert len(rendered({"items": ENTITIES, "budget": {"max_trials": 21}}).documents) == 7


def test_an_entity_that_katib_cannot_run_is_named():
    with pytest.raises(RenderError, match=r"^a: Katib draws each value by itself"):
        rendered(["a"], constraints=["units > 3"])


def test_a_label_of_the_users_own_is_not_replaced():
    step = {"command": ["train", "--e=${entity}"], "image": "registry.example/toy:1", "labels": {ENTITY_LABEL: "mine"}}
    with pytest.raises(RenderError, match=r"step\.labels must not have kftune\.io/entity"):
        rendered(["a"], step=step)


def test_two_hundred_entities_are_rendered_and_each_is_small(tmp_path: Path):
    names = [f"PLANT{plant:03}/CIRCUIT{circuit:02}" for plant in range(10) for circuit in range(20)]
    documents = rendered(names).documents
    assert len({document["metadata"]["name"] for document in documents}) == 200
    assert max(len(json.dumps(document)) for document in documents) < 10_000


def test_lint_accepts_what_is_rendered(tmp_path: Path):
    path = tmp_path / "set.yaml"
    path.write_text(yaml_text.dump_all(rendered().documents), encoding="utf-8")
    report = check([str(path)], LintOptions())
    assert [each.outcome for each in report.documents] == ["ok"] * len(NAMES)


def test_lint_looks_at_the_study_and_the_pipeline_with_their_entities(tmp_path: Path):
    parts = {"hparams": "LstmHparams", "objective": {"metric": "loss", "direction": "minimize"}, "search": None}
    written = study_data(["a b", "c"], **parts, values={"circuit": "${entity}"})
    (tmp_path / "study.yaml").write_text(yaml_text.dump(written), encoding="utf-8")
    made = {"name": "all", "steps": {"tune": {"kind": "tune", "study": "study.yaml", **LAUNCHER}}}
    (tmp_path / "pipeline.yaml").write_text(yaml_text.dump(made), encoding="utf-8")
    of_study, of_pipeline = (check([str(tmp_path / f"{name}.yaml")], LintOptions()) for name in ("study", "pipeline"))
    assert [each.outcome for each in of_study.documents] == ["ok", "ok"]
    assert [each.outcome for each in of_pipeline.documents] == ["ok"]


# -- a loop in a pipeline ------------------------------------------------------------------------------------------


def texts_of_item(made: Pipeline, launching: Launching, item: dict[str, Any]) -> dict[str, str]:
    """What the launcher gets for an item, as every target takes it from the plan."""
    sources = {name: given.source for name, given in launching.node.arguments.items()}
    return {
        name: text_of(item[source.field])
        for name, source in sources.items()
        if isinstance(source, ItemReference) and source.field is not None
    }


def test_a_loop_makes_the_same_experiments_as_the_study_by_itself():
    made, own = tuned(), rendered().documents
    launching = tuning_of(made.node("tune"))
    entries = made.loops["tune-entities"].entries or ()
    assert len(entries) == len(own)
    for item, document in zip(entries, own, strict=True):
        experiment = put_in(launching.object, texts_of_item(made, launching, item))
        for each in (experiment, document):
            del each["metadata"]["name"]
        arguments = [
            each["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0].pop("args")[0]
            for each in (experiment, document)
        ]
        assert experiment == document
        assert shlex.split(arguments[0]) == shlex.split(arguments[1])


def test_as_many_entities_run_at_a_time_as_their_trials_allow():
    def parallel(budget: dict[str, int], shared: dict[str, int]) -> tuple[int | None, int]:
        made = tuned({"items": ENTITIES, "budget": shared}, budget={"max_trials": 6, **budget})
        launching = tuning_of(made.node("tune"))
        return made.loops["tune-entities"].parallel, launching.object["spec"]["parallelTrialCount"]

    assert parallel({"parallel": 2}, {}) == (1, 2)
    assert parallel({"parallel": 2}, {"parallel": 9}) == (4, 2)
    assert parallel({"parallel": 4}, {"parallel": 3}) == (1, 3)


def test_argo_takes_the_loop():
    rendering = render_argo(tuned())
    workflow = rendering.created[0]
    assert models.Workflow.model_validate(workflow).model_dump(by_alias=True, exclude_none=True) == workflow
    assert argo_lint(yaml_text.dump_all(rendering.documents)) is None
    loop = next(each for each in workflow["spec"]["templates"] if each["name"] == "Loop-tune-entities")
    assert loop["parallelism"] == 1
    items = json.loads(loop["dag"]["tasks"][0]["withParam"])
    assert [item["entity"] for item in items] == NAMES
    assert not any("for_each" in note for note in rendering.notes)


def test_kfp_takes_the_loop():
    spec = render_kfp(tuned()).documents[0]
    (loop,) = (task for task in spec["root"]["dag"]["tasks"].values() if "parameterIterator" in task)
    assert loop["iteratorPolicy"] == {"parallelismLimit": 1}
    assert [item["entity"] for item in json.loads(loop["parameterIterator"]["items"]["raw"])] == NAMES


def test_two_hundred_entities_fit_into_a_workflow():
    names = [f"PLANT{plant:03}/CIRCUIT{circuit:02}" for plant in range(10) for circuit in range(20)]
    made = tuned(names)
    assert len(json.dumps(render_argo(made).created[0])) < 100_000
    assert len(json.dumps(render_kfp(made).documents[0])) < 100_000
    with pytest.raises(RenderError, match=r"a run would have \d+ nodes and about"):
        render_argo(tuned([f"{name}/{index}/{'x' * 170}" for name in names for index in range(9)]))


def test_other_steps_get_a_value_of_each_entity():
    written = {"kind": "tune", "study": study_data(), **LAUNCHER}
    after = {"kind": "container", "command": ["echo"], "inputs": {"best": "${steps.tune.outputs.objective}"}}
    made = pipeline({"tune": written, "after": {**after, "image": "registry.example/toy:1"}})
    assert made.node("after").arguments["best"].type == "list"


def test_a_value_of_the_step_replaces_that_of_the_entity():
    made = tuned(fields={"values": {"note": "all the same"}})
    launching = tuning_of(made.node("tune"))
    assert "note" not in made.node("tune").hparams
    assert "--note=all the same" in json.dumps(launching.object)


def test_a_pipeline_comes_back_from_what_it_writes():
    made = tuned()
    again = pipeline(**{name: part for name, part in made.to_dict().items() if name == "steps"})
    assert again.to_dict() == made.to_dict()
    assert again.content_hash() == made.content_hash()
    assert [*again.loops] == ["tune-entities"]


_TRAIN = {"image": "registry.example/toy:1"}
MISTAKES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "in another loop": ({}, {"for_each": "x"}, "a tune step whose study has entities is a loop over them"),
    "an input of the same name": (
        {},
        {"inputs": {"where": "x"}},
        "--where names the entity in args of the study, and is",
    ),
    "in the command": (
        {"step": {"command": ["train", "${entity}"], **_TRAIN}},
        {},
        r"through values, or an argument --NAME=\$\{entity\}, but the study names it in step\.command",
    ),
    "in the environment": (
        {"step": {"command": ["train"], "env": {"ENTITY": "${entity}"}, **_TRAIN}},
        {},
        r"the study names it in step\.env",
    ),
    "in the data": (
        {"step": {"command": ["train"], "data": {"mount": "/data/${entity}"}, **_TRAIN}},
        {},
        r"the study names it in step\.data",
    ),
    "in an argument without a name": (
        {"step": {"command": ["train"], "args": ["${entity}"], **_TRAIN}},
        {},
        r"the study names it in step\.args",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_study_that_no_loop_can_run_is_refused(name):
    changes, fields, message = MISTAKES[name]
    with pytest.raises(PipelineError, match=message):
        tuned(["a", "b"], fields, **changes)
