"""A study for three circuits on a cluster, as Experiments and as a loop on Argo: run, read, applied, counted."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cluster_run import (
    LAUNCHER,
    TRAIN,
    kubectl,
    missing_for_a_run,
    own_namespace,
    read_object,
    true_conditions,
    wait_until,
)
from e2e_argo import (
    Tour,
    applied_tour,
    finished,
    launcher_pod,
    outputs_on_argo,
    seen,
    spans_on_argo,
    start,
    write_project,
)
from e2e_entities import (
    ENTITIES,
    ENTITY,
    SECONDS,
    SOURCE,
    best_values,
    by_entity,
    counted,
    kftune,
    labels_of,
    most_at_once,
    predicted,
    run_set,
)

from kftune import yaml_text

LACKING = missing_for_a_run(os.environ, TRAIN, LAUNCHER)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(900),
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
]
TRIALS = 2
AT_A_TIME = 2
QUEUE = "kueue.x-k8s.io/queue-name"
LABELS = ("PLANT001-CIRCUIT01-8bdf5c26", "PLANT001-CIRCUIT02-f79aa904", "PLANT002-CIRCUIT01-9f2c5cee")
NAMES = (
    "plants-plant001-circuit01-6c4fe57a",
    "plants-plant001-circuit02-4cf1a200",
    "plants-plant002-circuit01-7e5ef28a",
)
EACH = pytest.mark.parametrize("circuit", ENTITIES)


class Set(NamedTuple):
    """The Experiments of all circuits, when they have ended."""

    project: Path
    """The folder of the study."""
    namespace: str
    found: dict[str, dict[str, Any]]
    """Circuit -> its Experiment."""
    made: dict[str, int]
    """Kind of object -> how many there were."""

    def live(self, circuit: str) -> str:
        return f"katib:{self.namespace}/{self.found[circuit]['metadata']['name']}"


class Loop(NamedTuple):
    """A run of the pipeline that has ended."""

    tour: Tour
    workflow: dict[str, Any]
    made: dict[str, int]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Set]:
    folder = tmp_path_factory.mktemp("set")
    with own_namespace("entities") as namespace:
        project = write_project(folder, namespace, images(), SOURCE)
        changes = [f"targets.katib.namespace={namespace}", "targets.katib.retain=true"]
        kftune(project, "render", "study.yaml", "--out", "build", *changes)
        with counted(namespace, [*predicted(project, "study.yaml", "katib")]) as made:
            found = run_set(project / "build" / "study.katib.yaml", namespace)
            yield Set(project, namespace, found, made())


@pytest.fixture(scope="module")
def looped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    with applied_tour(tmp_path_factory.mktemp("loop"), images(), SOURCE) as tour:
        kinds = [*predicted(tour.pipeline.parent, "pipeline.yaml", "argo")]
        with counted(tour.namespace, kinds) as made:
            workflow = finished(tour, start(tour), SECONDS)
            yield Loop(tour, workflow, made())


def images() -> dict[str, str]:
    return {"train": os.environ[TRAIN], "launcher": os.environ[LAUNCHER]}


# -- as a set of Experiments -------------------------------------------------------------------------------------------


@pytest.mark.smoke
def test_every_experiment_of_a_set_succeeds_with_all_its_trials(ended: Set) -> None:
    assert {each["metadata"]["name"] for each in ended.found.values()} == {*NAMES}
    states = {circuit: true_conditions(each)[-1] for circuit, each in ended.found.items()}
    assert states == dict.fromkeys(ENTITIES, "Succeeded")
    assert [each["status"]["trialsSucceeded"] for each in ended.found.values()] == [TRIALS] * len(ENTITIES)


@pytest.mark.parametrize(("kind", "each"), [("experiments", 1), ("trials", TRIALS), ("jobs", TRIALS), ("pods", TRIALS)])
def test_all_objects_of_a_circuit_have_its_label_and_none_of_kueue(ended: Set, kind: str, each: int) -> None:
    found = [labels for label in LABELS for labels in labels_of(f"{kind} -l {ENTITY}={label}", ended.namespace)]
    assert [one[ENTITY] for one in found] == [label for label in LABELS for _ in range(each)]
    assert [one for one in labels_of(kind, ended.namespace) if QUEUE in one] == []


def test_the_objects_of_a_set_are_those_that_cost_counts(ended: Set, record_property: Any) -> None:
    record_property("objects", sum(ended.made.values()))
    assert ended.made == predicted(ended.project, "study.yaml", "katib")


@EACH
def test_the_results_of_a_live_experiment_are_those_of_its_circuit(ended: Set, circuit: str) -> None:
    found = json.loads(kftune(ended.project, "results", ended.live(circuit), "--format", "json"))
    assert found["counts"] == {"Succeeded": TRIALS}
    assert found["study"]["fixed"] == {"circuit": circuit}
    best = best_values(ended.found[circuit])
    assert {**found["best"]["values"], "loss": found["best"]["objective"]} == best
    # Each circuit has a best number of units of its own: the loss shows that the trial got its circuit.
    wanted = dict(zip(ENTITIES, (16, 32, 48), strict=True))[circuit]
    assert best["loss"] == abs(best["units"] - wanted) / 64 + abs(best["rate"] - 0.5)


def test_live_experiments_are_summarised_together(ended: Set) -> None:
    places = [ended.live(circuit) for circuit in ENTITIES]
    text = kftune(ended.project, "summarise", "--across", *places)
    assert text.startswith(f"minimize loss: {TRIALS * len(ENTITIES)} trials of {len(ENTITIES)} entities\n")


@EACH
def test_the_best_values_of_a_live_experiment_go_to_the_place_of_its_circuit(
    ended: Set, circuit: str, tmp_path: Path
) -> None:
    to = Path(shutil.copy(ended.project / "circuits.yaml", tmp_path))
    before: Any = yaml_text.load_file(to)
    kftune(ended.project, "apply", ended.live(circuit), "--to", str(to), "--no-baseline", "--yes")
    plant, _, name = circuit.partition("/")
    best = best_values(ended.found[circuit])
    changed = {**before[plant][name], "units": best["units"], "rate": best["rate"]}
    assert yaml_text.load_file(to) == {**before, plant: {**before[plant], name: changed}}


def test_a_run_here_starts_from_a_live_experiment(ended: Set, tmp_path: Path) -> None:
    circuit, folder = ENTITIES[0], tmp_path / "runs"
    start_from = ["--start-from", ended.live(circuit), "budget.max_trials=3"]
    kftune(ended.project, "run", "study.yaml", "--entity", circuit, *start_from, "--dir", str(folder), "--plain")
    found = json.loads(kftune(ended.project, "results", str(folder), "--entity", circuit, "--format", "json"))
    first, *_ = found["trials"]
    best = best_values(ended.found[circuit])
    assert {**first["values"], "loss": first["objective"]} == best
    assert first["origin"]["algorithm"].startswith(f"start_from {ended.live(circuit)} trial {NAMES[0]}-")
    assert found["counts"] == {"Succeeded": 3}


# -- as a loop of a pipeline -------------------------------------------------------------------------------------------


@pytest.mark.smoke
def test_a_loop_tunes_every_circuit_a_few_at_a_time(looped: Loop) -> None:
    assert looped.workflow["status"]["phase"] == "Succeeded", json.dumps(looped.workflow["status"])[-4000:]
    launchers = [span for span in spans_on_argo(looped.workflow) if span.step == "tune"]
    assert len(launchers) == len(ENTITIES)
    assert most_at_once(launchers) == AT_A_TIME
    found = by_entity(looped.tour.namespace)
    assert [found[circuit]["status"]["trialsSucceeded"] for circuit in ENTITIES] == [TRIALS] * len(ENTITIES)
    assert [found[circuit]["metadata"]["labels"][ENTITY] for circuit in ENTITIES] == [*LABELS]


def test_a_step_behind_the_loop_gets_the_best_values_of_every_circuit_in_their_order(looped: Loop) -> None:
    (got,) = seen(outputs_on_argo(looped.workflow))["collect"]
    found = by_entity(looped.tour.namespace)
    best = [best_values(found[circuit]) for circuit in ENTITIES]
    lists = {name: [float(one) for one in json.loads(text)] for name, text in got.items()}
    assert lists == {
        "losses": [each["loss"] for each in best],
        "units": [each["units"] for each in best],
        "rates": [each["rate"] for each in best],
    }


@EACH
def test_an_experiment_of_the_loop_is_read_as_that_of_its_circuit(looped: Loop, circuit: str) -> None:
    name = by_entity(looped.tour.namespace)[circuit]["metadata"]["name"]
    place = f"katib:{looped.tour.namespace}/{name}"
    read = kftune(looped.tour.pipeline.parent, "results", place, "--study", "study.yaml", "--format", "json")
    found = json.loads(read)
    assert (found["study"]["fixed"], found["counts"]) == ({"circuit": circuit}, {"Succeeded": TRIALS})


def test_the_experiments_of_both_forms_are_the_same_search(ended: Set, looped: Loop) -> None:
    # Not the same points: goptuna draws the parameters of a point in the order of a Go map, which is random.
    found = by_entity(looped.tour.namespace)
    same = ("algorithm", "objective", "parameters", "maxTrialCount", "parallelTrialCount", "maxFailedTrialCount")
    searched = [{key: found[circuit]["spec"][key] for key in same} for circuit in ENTITIES]
    assert searched == [{key: ended.found[circuit]["spec"][key] for key in same} for circuit in ENTITIES]


def test_the_objects_of_a_run_are_those_that_cost_counts(looped: Loop, record_property: Any) -> None:
    record_property("objects", sum(looped.made.values()))
    assert looped.made == predicted(looped.tour.pipeline.parent, "pipeline.yaml", "argo")


def test_a_launcher_of_the_loop_that_is_deleted_goes_on_with_the_experiment_of_its_circuit(tmp_path: Path) -> None:
    with applied_tour(tmp_path, images(), SOURCE, retries={"limit": 2, "backoff": "5s"}) as tour:
        name = start(tour)
        wait_until("experiments", tour.namespace, lambda found: found["items"], SECONDS)
        pod = str(launcher_pod(wait_until(f"workflow/{name}", tour.namespace, launcher_pod, SECONDS)))
        kubectl(["kubectl", "delete", "pod", pod, f"--namespace={tour.namespace}", "--wait=false"])
        run = finished(tour, name, SECONDS)
        assert run["status"]["phase"] == "Succeeded", json.dumps(run["status"])[-4000:]
        found = by_entity(tour.namespace)
        assert len(read_object("experiments", tour.namespace)["items"]) == len(ENTITIES)
        assert [found[circuit]["status"]["trials"] for circuit in ENTITIES] == [TRIALS] * len(ENTITIES)
        (got,) = seen(outputs_on_argo(run))["collect"]
        assert json.loads(got["losses"]) == [best_values(found[circuit])["loss"] for circuit in ENTITIES]
