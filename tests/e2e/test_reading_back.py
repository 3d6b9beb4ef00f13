"""What is read of an Experiment on a cluster is what is read of its saved YAML, and of a local run of its points."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cluster_run import TRAIN, kubectl, missing_for_a_run, own_namespace
from e2e_studies import image, run_here, run_on_cluster

LACKING = missing_for_a_run(os.environ, TRAIN)
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(LACKING is not None, reason=str(LACKING)),
    pytest.mark.timeout(1200),
]
COMPARED = ("state", "values", "assignment", "objective")
STUDIES = ["plain", "encoded", "reduced-max"]


class Places(NamedTuple):
    """The same study, at three places."""

    live: str
    saved: str
    here: str
    folder: Path

    def read(self, place: str, *command: str) -> str:
        """What a command prints of one place, without the place itself."""
        done = subprocess.run(
            [sys.executable, "-m", "kftune", command[0], getattr(self, place), *command[1:]],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.replace(getattr(self, place), "PLACE")


@pytest.fixture(scope="module", params=STUDIES)
def places(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    with own_namespace("reading") as namespace:
        seen = run_on_cluster(name, namespace, image())
        saved = folder / "saved.yaml"
        saved.write_text(kubectl(["kubectl", "get", "experiments,trials", f"--namespace={namespace}", "-o", "yaml"]))
        run_here(name, folder, [trial.assignment for trial in seen.trials], parallel=1)
        yield Places(f"katib:{namespace}/{name}", str(saved), str(folder / name), folder)


@pytest.mark.parametrize(
    "command",
    [
        ("results",),
        ("results", "--format", "json"),
        ("results", "--format", "csv"),
        ("results", "--top", "2"),
        ("best",),
        ("best", "--format", "json"),
        ("best", "--top", "3"),
        ("best", "--format", "args"),
        ("status",),
        ("report", "--format", "text"),
    ],
    ids=" ".join,
)
def test_a_live_experiment_reads_as_its_saved_yaml(places, command):
    live = places.read("live", *command)
    assert live == places.read("saved", *command)
    assert live


def trials_of(places: Places, place: str) -> list[dict[str, Any]]:
    """The trials at a place, as the JSON of ``kftune results`` has them, without what depends on machine and hour."""
    found = json.loads(places.read(place, "results", "--format", "json"))["trials"]
    trials = [{key: trial[key] for key in (*COMPARED, "metrics")} for trial in found]
    for trial in trials:
        # Katib's database keeps no count and no step.
        trial["metrics"] = {
            name: {key: values[key] for key in ("min", "max", "latest")} for name, values in trial["metrics"].items()
        }
    return sorted(trials, key=lambda trial: json.dumps(trial["assignment"]))


def test_a_live_experiment_has_the_trials_of_a_local_run(places):
    assert trials_of(places, "live") == trials_of(places, "here")


def test_the_best_values_are_those_of_a_local_run(places):
    live, here = (json.loads(places.read(place, "best", "--format", "json"))["best"] for place in ("live", "here"))
    assert {key: live[key] for key in COMPARED} == {key: here[key] for key in COMPARED}


def test_compared_with_each_other_they_are_equal(places):
    found = json.loads(places.read("live", "compare", places.saved, places.here, "--format", "json"))
    ours = [
        {key: study[key] for key in ("trials", "best_so_far", "interval_at_equal", "chance")}
        for study in found["studies"]
    ]
    assert len(ours) == 3
    assert [each for each in ours if each != ours[0]] == []
    values = [study["best"]["values"] for study in found["studies"]]
    assert [each for each in values if each != values[0]] == []


def test_their_reports_show_the_same_trials(places):
    pages = {place: page_of(places, place) for place in ("live", "saved", "here")}
    assert pages["live"] == pages["saved"]
    live, here = (data_of(pages[place]) for place in ("live", "here"))
    assert {key: live[key] for key in ("objectives", "best")} == {key: here[key] for key in ("objectives", "best")}
    assert by_name(live["parameters"]) == by_name(here["parameters"])


def page_of(places: Places, place: str) -> str:
    file = places.folder / f"{place}.html"
    places.read(place, "report", "--out", str(file))
    return file.read_text().replace(getattr(places, place), "PLACE")


def data_of(page: str) -> dict[str, Any]:
    found = re.search('<script type="application/json" id="data">(.*?)</script>', page)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def by_name(parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(parameters, key=lambda each: each["name"])
