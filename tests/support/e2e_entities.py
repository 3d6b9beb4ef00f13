"""A study for three circuits on a cluster, as a set of Experiments and as a loop of a pipeline, and what it makes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster_run import apply_command, kubectl, read_object, true_conditions, wait_until
from e2e_argo import Span
from places import DATA

SOURCE = DATA / "e2e_entities"
ENTITIES = ("PLANT001/CIRCUIT01", "PLANT001/CIRCUIT02", "PLANT002/CIRCUIT01")
ENTITY = "kftune.io/entity"
SECONDS = 420

_OF_EVERY_CLUSTER = {"events", "events.events.k8s.io", "endpoints", "endpointslices.discovery.k8s.io"}
"""What a controller makes for every pod or Service: `kftune cost` does not count it."""


def kftune(folder: Path, *arguments: str) -> str:
    """Returns what kftune prints.

    Args:
        folder: The current folder of the command.
        arguments: The command line.

    Raises:
        AssertionError: It fails.
    """
    command = [sys.executable, "-m", "kftune", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_set(manifest: Path, namespace: str) -> dict[str, dict[str, Any]]:
    """Runs the Experiments of a file to their end. Returns them by their entity.

    Args:
        manifest: The file.
        namespace: Its namespace, which is there.
    """
    kubectl(apply_command(dry_run=False), manifest.read_text(encoding="utf-8"))
    wait_until(
        "experiments",
        namespace,
        lambda found: all({"Succeeded", "Failed"} & {*true_conditions(each)} for each in found["items"]),
        SECONDS,
    )
    return by_entity(namespace)


def by_entity(namespace: str) -> dict[str, dict[str, Any]]:
    """Returns the Experiments of a namespace by their entity."""
    found = read_object("experiments", namespace)["items"]
    return {each["metadata"]["annotations"][ENTITY]: each for each in found}


def predicted(project: Path, file: str, engine: str) -> dict[str, int]:
    """Returns kind -> number of objects that `kftune cost` says; its line of pods has the same number.

    Args:
        project: The folder of the file.
        file: The study or the pipeline.
        engine: What runs it.
    """
    data = json.loads(kftune(project, "cost", file, "--format", "json"))
    objects: dict[str, int] = data["objects"][engine]
    line = next(one for one in kftune(project, "cost", file).splitlines() if one.strip().startswith(f"pods ({engine})"))
    assert line.split()[-1] == str(objects["Pod"])
    return {kind.lower(): count for kind, count in objects.items()}


@contextmanager
def counted(namespace: str, kinds: Sequence[str]) -> Iterator[Callable[[], Counter[str]]]:
    """Counts the new objects of a namespace by kind, also those that are deleted before the block ends.

    Gives a function that returns the numbers. Kinds that are not watched count by what is there at its call.

    Args:
        namespace: The namespace.
        kinds: The kinds that are watched, such as ``Pod``.
    """
    before = _there(namespace)
    with tempfile.TemporaryDirectory() as folder:
        watches = []
        for kind in kinds:
            with (Path(folder) / kind).open("w") as seen:
                command = ["kubectl", "get", kind.lower(), f"--namespace={namespace}", "--watch", "-o", "name"]
                watches.append(subprocess.Popen(command, stdout=seen, stderr=subprocess.DEVNULL))

        def new() -> Counter[str]:
            assert [watch.poll() for watch in watches] == [None] * len(watches)
            seen = {line for file in Path(folder).iterdir() for line in file.read_text().split()}
            return Counter(name.partition("/")[0].partition(".")[0] for name in (seen | _there(namespace)) - before)

        try:
            yield new
        finally:
            for watch in watches:
                watch.terminate()
                watch.wait()


def _there(namespace: str) -> set[str]:
    """Returns the objects of a namespace, of all kinds."""
    known = kubectl(["kubectl", "api-resources", "--namespaced", "--verbs=list,watch", "-o", "name"]).split()
    kinds = ",".join(sorted({*known} - _OF_EVERY_CLUSTER))
    return {*kubectl(["kubectl", "get", kinds, f"--namespace={namespace}", "-o", "name"]).split()}


def most_at_once(spans: Sequence[Span]) -> int:
    """Returns how many of some spans overlap at most; one that begins when another ends does not overlap it."""
    return max(sum(other.started <= one.started < other.ended for other in spans) for one in spans)


def best_values(experiment: dict[str, Any]) -> dict[str, float]:
    """Returns the best value of each parameter of an Experiment, and that of its objective, as Katib has them."""
    best = experiment["status"]["currentOptimalTrial"]
    (metric,) = best["observation"]["metrics"]
    values = {each["name"]: float(each["value"]) for each in best["parameterAssignments"]}
    return {**values, metric["name"]: float(metric["min"])}


def labels_of(what: str, namespace: str) -> list[dict[str, str]]:
    """Returns the labels of each object of a kind, such as ``pods -l app=x``."""
    return [each["metadata"].get("labels", {}) for each in read_object(what, namespace)["items"]]
