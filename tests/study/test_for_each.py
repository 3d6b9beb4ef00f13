"""`for_each`: the entities of a study, how its texts name them, and the study of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from json_schema import problems
from local_study import Tiny
from study_examples import toy

from kftune import render
from kftune.applying import Target
from kftune.errors import StudyError, UnknownNameError
from kftune.importers.outward import write_foreign
from kftune.study import Objective, Step, Study, load_study, study_from_dict
from kftune.study.entities import Entity
from kftune.study.for_each import ForEach
from kftune.study.schema import study_schema
from kftune.yaml_text.paths import parts_of, path_of

CIRCUITS = """\
PLANT001:
  CIRCUIT01: {epochs: 1, optimizer: {name: adam}, on: true}
  CIRCUIT02: {epochs: 2, optimizer: {name: "sgd"}, on: false}
PLANT002:
  CIRCUIT01: {<<: &some {epochs: 3}, optimizer: {name: "${entity}"}, on: null}
"""
NAMES = ["PLANT001/CIRCUIT01", "PLANT001/CIRCUIT02", "PLANT002/CIRCUIT01"]
NAMED = {"command": ["train", "--entity=${entity}"]}


DATA: dict[str, Any] = {
    "name": "many",
    "hparams": "local_study:Tiny",
    "objective": {"metric": "loss", "direction": "minimize"},
    "step": NAMED,
}


def study(for_each: Any, folder: Path = Path(), **parts: Any) -> Study:
    return study_from_dict({**DATA, "for_each": for_each, **parts}, [folder])


def entities(a_study: Study) -> tuple[Entity, ...]:
    assert a_study.for_each is not None
    return a_study.for_each.entities


@pytest.fixture
def circuits(tmp_path):
    (tmp_path / "circuits.yaml").write_text(CIRCUITS)
    return tmp_path


@pytest.mark.parametrize("for_each", ["circuits.yaml", {"file": "circuits.yaml", "at": "*/*"}])
def test_entities_are_found_in_a_file(circuits, for_each):
    found = entities(study(for_each, circuits))
    assert [entity.name for entity in found] == NAMES
    assert found[2].value == {"epochs": 3, "optimizer": {"name": "${entity}"}, "on": None}


@pytest.mark.parametrize(
    ("text", "at", "names"),
    [
        ("a: {x: 1}\nb:\nc: {}", None, ["a", "b", "c"]),
        ("a: {x: {y: 1}, z: 2}\nb: {x: {y: 1}, z: 2}", None, ["a", "b"]),
        ("- {name: a, x: 1}\n- {x: 2, name: b}", None, ["a", "2"]),
        ("[a, 1, b]", None, ["a", "1", "b"]),
        ("plants: {p: {c: {x: 1}}}\nother: 3", "plants/*/*", ["p/c"]),
        ("plants: [{id: p, x: 1}, {id: q, x: 2}]", "plants/*", ["p", "q"]),
        ("v1.2: {x: 1}\n'a/b': {x: 1}", "*", ["v1.2", "a/b"]),
        ("1: {x: 1}\ntrue: {x: 1}\n~: {x: 1}", None, ["1", "true", "~"]),
        ("a: &a {x: 1}\nb: *a", None, ["a", "b"]),
    ],
)
def test_a_name_is_the_keys_that_lead_to_an_entity(tmp_path, text, at, names):
    (tmp_path / "all.yaml").write_text(text)
    found = entities(study({"file": "all.yaml", **({"at": at} if at else {})}, tmp_path))
    assert [entity.name for entity in found] == (
        names if "plants" not in text else [f"plants/{name}" for name in names]
    )


@pytest.mark.parametrize("key", ["v1.2", "a/b", "a\\b", "ü", "..", "x=1", "a.b/c"])
def test_the_path_of_an_entity_leads_to_it_in_its_file(tmp_path, key):
    (tmp_path / "all.yaml").write_text(f"'{key}': {{x: 1}}\nplain: {{x: 2}}\n")
    (entity, _) = entities(study("all.yaml", tmp_path))
    assert entity.name == key
    target = Target(tmp_path / "all.yaml", entity.path)
    assert target.value(target.spot("x")) == 1


@pytest.mark.parametrize("keys", [["a"], ["a.b"], ["a/b"], ["a\\"], ["a", "b.c"], ["a/b", "c\\/d", "."], ["/", "\\"]])
def test_a_path_splits_into_the_keys_that_it_is_made_of(keys):
    assert parts_of(path_of(keys)) == keys


def test_the_study_of_an_entity_has_its_values_in_place_of_references(circuits):
    whole = study(
        "circuits.yaml",
        circuits,
        values={"a": "${entity.epochs}"},
        step={
            "command": ["sh", "-c", "echo ${HOME} $${entity}", "${entity.optimizer.name}-${entity.epochs}"],
            "args": ["${entity.on}"],
            "env": {"ENTITY": "${entity}"},
            "data": {"path": "data/${entity}.csv"},
        },
        apply={"to": "circuits.yaml"},
        algorithm={"seed": 7},
    )
    found = whole.for_entity("PLANT001/CIRCUIT02")
    assert found.for_each is None
    assert found.name == "many PLANT001/CIRCUIT02"
    assert found.fixed_values == {"a": 2}
    assert found.step.command == ("sh", "-c", "echo ${HOME} ${entity}", "sgd-2")
    assert found.step.args == ("false",)
    assert found.step.env == {"ENTITY": "PLANT001/CIRCUIT02"}
    assert found.step.data.path == "data/PLANT001/CIRCUIT02.csv"
    assert found.apply is not None
    assert found.apply.at == "PLANT001/CIRCUIT02"


def test_the_value_of_an_entity_is_not_read_for_references(circuits):
    found = study("circuits.yaml", circuits, step={"command": ["${entity.optimizer.name}"]})
    assert found.for_entity(NAMES[2]).step.command == ("${entity}",)


def test_each_entity_has_a_seed_of_its_own_and_always_the_same():
    whole = study(["a", "b"], algorithm={"seed": 7})
    seeds = [whole.for_entity(name).algorithm.seed for name in ("a", "b", "a")]
    assert seeds[0] == seeds[2] != seeds[1]
    assert study(["a"]).for_entity("a").algorithm.seed is None


def test_a_study_comes_back_from_what_it_writes(circuits):
    whole = study({"file": "circuits.yaml", "budget": {"max_trials": 5}}, circuits, values={"a": "${entity.epochs}"})
    again = study_from_dict(whole.to_dict(), [circuits])
    assert again.to_dict() == whole.to_dict()
    assert again.for_entity(NAMES[1]).identity() == whole.for_entity(NAMES[1]).identity()


def test_an_entity_of_a_list_may_have_values():
    whole = study([{"name": "a", "size": 1}, {"name": "b", "size": 3}], values={"a": "${entity.size}"})
    assert [whole.for_entity(name).fixed_values["a"] for name in "ab"] == [1, 3]


def test_python_code_can_give_entities():
    whole = Study(
        name="many",
        hparams=Tiny,
        objective=Objective(metric="loss", direction="minimize"),
        step=Step(command=("train", "--entity=${entity}")),
        for_each=ForEach(items=("a", "b")),
    )
    assert whole.for_entity("b").step.command == ("train", "--entity=b")


MISTAKES = {
    "no such file": ("none.yaml", {}, "there is no entities file 'none.yaml'"),
    "an empty list": ([], {}, "at least one"),
    "both": ({"items": ["a"], "file": "circuits.yaml"}, {}, "got both"),
    "neither": ({"budget": {"max_trials": 3}}, {}, "got neither"),
    "at without a file": ({"items": ["a"], "at": "*"}, {}, "for_each has items"),
    "twice": (["a", "b", "a"], {}, "for_each.items.2: no two entities have the same name, but 'a' is there twice"),
    "no name": ([{}], {}, "but got {}"),
    "a number with a fraction": ([1.5], {}, "but got 1.5"),
    "a name on two lines": (
        ["a\nb"],
        {},
        r"printable characters, at most 200, without blanks at its ends, but got 'a\nb'",
    ),
    "an empty name": ([""], {}, "but got ''"),
    "a long name": (["a" * 201], {}, "at most 200"),
    "no star": ({"file": "circuits.yaml", "at": "PLANT001"}, {}, "at has a *"),
    "a wrong key": ({"file": "circuits.yaml", "at": "PLANT01/*"}, {}, "did you mean 'PLANT001'"),
    "too deep": (
        {"file": "circuits.yaml", "at": "*/*/*"},
        {},
        "circuits.yaml:2:23: PLANT001/CIRCUIT01/epochs: an entity",
    ),
    "no level": ("uneven.yaml", {}, "say with at where they are"),
    "a scalar": ("scalar.yaml", {}, "holds one mapping or list, but"),
    "no YAML": ("broken.yaml", {}, "the entities cannot be read: "),
    "merged entities": ("merged.yaml", {}, "merged.yaml:2:1: entities stand here with their names, but this is <<"),
    "not named": (["a"], {"step": {"command": ["x"]}}, "nothing in the study names it"),
    "nearly a reference": (
        ["a"],
        {"step": {"command": ["${ entity }"]}},
        "step.command: a: a reference to the entity is",
    ),
    "no such key": (
        "circuits.yaml",
        {"step": {"command": ["${entity.epoch}"]}},
        "step.command: PLANT001/CIRCUIT01: ${entity.epoch} must be a key of each entity, but PLANT001/CIRCUIT01 has no "
        "'epoch'; did you mean 'epochs'?",
    ),
    "a key of a name": (["a"], {"step": {"command": ["${entity.x}"]}}, "a has no 'x'; it has no keys"),
    "a mapping in a text": (
        "circuits.yaml",
        {"step": {"args": ["${entity.optimizer}"], **NAMED}},
        "is a mapping in PLANT",
    ),
    "a value that does not fit": (
        [{"name": "a", "size": 1}, {"name": "b", "size": "x"}],
        {"values": {"a": "${entity.size}"}},
        "values: b: a: must be a valid integer",
    ),
    "a place that is not filled": (
        ["a"],
        {"description": "", "name": "for ${entity}"},
        "name: the entity is known to values",
    ),
    "one place for all": (["a"], {"apply": {"to": "x.yaml", "at": "p"}}, "apply.at: each entity has its own place"),
}


@pytest.mark.parametrize(("for_each", "parts", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(circuits, for_each, parts, message):
    (circuits / "uneven.yaml").write_text("a: {x: {y: 1}}\nb: {x: 1}\n")
    (circuits / "scalar.yaml").write_text("x")
    (circuits / "broken.yaml").write_text("x: [")
    (circuits / "merged.yaml").write_text("a: &a {x: {y: 1}}\n<<: *a\n")
    with pytest.raises(StudyError) as caught:
        study(for_each, circuits, **parts)
    assert message in str(caught.value)


def test_an_unknown_entity_has_a_near_name(circuits):
    with pytest.raises(UnknownNameError, match="PLANT001/CIRCUIT01"):
        study("circuits.yaml", circuits).for_entity("PLANT1/CIRCUIT01")
    with pytest.raises(StudyError, match="has none"):
        toy().for_entity("a")


def test_a_target_that_renders_one_study_refuses_entities():
    whole = toy(for_each=["a", "b"], step={"command": ["x", "${entity}"], "image": "registry.example/toy:1"})
    with pytest.raises(StudyError, match="one for each of 2 entities"):
        write_foreign("azureml", whole)
    assert render(whole.for_entity("b"), "katib").documents[0]["metadata"]["name"].startswith("toy-b-")


def test_a_thousand_entities_load_in_a_moment(tmp_path):
    plants = "".join(
        f"P{plant}:\n" + "".join(f"  C{n}: {{size: {n % 3 + 1}}}\n" for n in range(10)) for plant in range(100)
    )
    (tmp_path / "all.yaml").write_text(plants)
    (tmp_path / "study.yaml").write_text(
        "name: many\nhparams: local_study:Tiny\nobjective: {metric: loss, direction: minimize}\n"
        "step: {command: [x]}\nvalues: {a: '${entity.size}'}\nfor_each: all.yaml\n"
    )
    assert len(entities(load_study(tmp_path / "study.yaml"))) == 1000


FORMS = [
    "circuits.yaml",
    ["a", 1],
    [{"name": "a", "size": 3}],
    {"file": "circuits.yaml", "at": "*/*"},
    {"items": ["a"], "budget": {"max_trials": 3, "parallel": 2, "wall_clock": "1h", "max_failed": 2}},
]


@pytest.mark.parametrize("for_each", FORMS)
def test_the_schema_takes_what_the_loader_takes(circuits, for_each):
    assert study(for_each, circuits).for_each is not None
    assert list(problems({**DATA, "for_each": for_each}, study_schema())) == []


@pytest.mark.parametrize(
    "for_each", [3, [], {"items": ["a"], "parallel": 2}, {"budget": {"max_trials": 0}}, [None], [1.5]]
)
def test_the_schema_refuses_what_the_loader_refuses(circuits, for_each):
    with pytest.raises(StudyError):
        study(for_each, circuits)
    assert list(problems({**DATA, "for_each": for_each}, study_schema())) != []
