"""Applies rendered objects to a cluster, and applies them again: the second time must change nothing."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from cluster_run import apply_command, kubectl, refusal, unused_name
from e2e_admission import katib_config
from e2e_rendered import Object, Rendered, in_few_namespaces

from kftune.katib.admission import Verdict, admit
from kftune.katib.admission.cluster import Cluster

_SECONDS_TO_SETTLE = 90


class Place(NamedTuple):
    """A namespace, and the objects that are applied to it as one."""

    namespace: str
    objects: list[Object]

    def text(self) -> str:
        """Returns the texts of the objects, each as it was rendered."""
        return _joined(self.objects)


class Set(NamedTuple):
    """All that is rendered, by what a cluster can do with it."""

    places: list[Place]
    """What can be applied."""
    to_create: list[tuple[str, Object]]
    """What has no name until it is created, with its namespace."""
    to_refuse: list[tuple[str, Object, Verdict]]
    """The Experiments that lint says are refused, with their namespace."""
    lacking: list[Object]
    """What this cluster has no kind for, and what is no object of Kubernetes."""


def set_for(rendered: Sequence[Rendered]) -> Set:
    """Returns what to give to the cluster, in unused namespaces.

    Args:
        rendered: Files and kustomizations.
    """
    api_versions = kubectl(["kubectl", "api-versions"]).split()
    cluster = Cluster(katib_config())
    found = Set([], [], [], [])
    for members in in_few_namespaces(rendered):
        place = Place(unused_name("apply"), [])
        for one in (part for member in members for part in member.moved(place.namespace).objects()):
            if one.content.get("apiVersion") not in api_versions:
                found.lacking.append(one)
            elif one.content["kind"] == "Experiment" and not admit(one.content, cluster=cluster).admitted:
                found.to_refuse.append((place.namespace, one, admit(one.content, cluster=cluster)))
            elif one.name is None:
                found.to_create.append((place.namespace, one))
            else:
                place.objects.append(one)
        found.places.append(place)
    return found


def _joined(objects: Collection[Object]) -> str:
    return "\n---\n".join(one.text for one in objects)


def apply(place: Place) -> dict[str, str]:
    """Applies the objects of a place, strictly. Returns the resourceVersion of each.

    Raises:
        AssertionError: The server refuses one; the message says which, and why.
    """
    command = [*apply_command(dry_run=False), "-n", place.namespace, "-o", "json"]
    found: Any = json.loads(kubectl(command, place.text()))
    items = found["items"] if found["kind"] == "List" else [found]
    return {f"{one['kind']} {one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in items}


def changed_by_applying_again(place: Place) -> dict[str, tuple[str, str]]:
    """Returns the objects that a further apply changes, with their resourceVersions before and after.

    Controllers write the status of a new object, which also changes its resourceVersion: an object counts only when it
    is changed for as long as they are given to come to rest.
    """
    deadline = time.monotonic() + _SECONDS_TO_SETTLE
    before = apply(place)
    while True:
        after = apply(place)
        changed = {name: (before[name], version) for name, version in after.items() if before[name] != version}
        if not changed or time.monotonic() > deadline:
            return changed
        before = after


def difference(place: Place) -> str:
    """Returns what `kubectl diff` finds between the objects of a place and those that the cluster has."""
    command = ["kubectl", "diff", "--server-side", *apply_command(dry_run=False)[3:4], "-n", place.namespace, "-f", "-"]
    done = subprocess.run(command, input=place.text(), capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def refusal_of_creation(namespace: str, one: Object) -> str | None:
    """Returns why the server would not create an object, by a dry run; None if it would.

    Args:
        namespace: Where it would be created.
        one: The object.
    """
    command = ["kubectl", "create", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-"]
    said = refusal(command, one.text)
    return f"{one.source}: {said}" if said else None
