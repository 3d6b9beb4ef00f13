"""Trials' Jobs that the API server refuses, and similar ones that it accepts."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lint_examples import EXAMPLE
from places import DATA

from kftune import yaml_text


class PodCase(NamedTuple):
    """A change of the example of lint's pages."""

    name: str
    experiment: dict[str, Any]
    says: str
    """The API server's answer; empty if it accepts the Job and its pods."""

    @property
    def job(self) -> dict[str, Any]:
        """The Job of a trial, by the name of the case."""
        found: dict[str, Any] = copy.deepcopy(self.experiment["spec"]["trialTemplate"]["trialSpec"])
        found["metadata"] = {**found.get("metadata", {}), "name": self.name}
        return found

    @property
    def pod(self) -> dict[str, Any]:
        """The Job's pod, by the name of the case."""
        template = self.job["spec"]["template"]
        return {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {**template["metadata"], "name": self.name}}


def pod_cases() -> Iterator[PodCase]:
    """Yields the recorded cases."""
    for line in (DATA / "refused_pods.jsonl").read_text(encoding="utf-8").splitlines():
        given = json.loads(line)
        experiment: Any = yaml_text.load(EXAMPLE)
        trial = experiment["spec"]["trialTemplate"]["trialSpec"]
        template = trial["spec"]["template"]
        trial["spec"] |= given.get("job", {})
        trial["metadata"] = given.get("jobmeta", {})
        template["metadata"] = _changed(template["metadata"], given.get("meta", {}))
        first = template["spec"]["containers"][0]
        template["spec"]["containers"][0] = _changed(first, given.get("container", {}))
        template["spec"] = _changed(template["spec"], given.get("pod", {}))
        yield PodCase(given["case"], experiment, given["says"])


def _changed(value: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a mapping with other fields; resources are replaced as a whole."""
    made = dict(value)
    for name, given in change.items():
        inside = name != "resources" and isinstance(given, dict) and isinstance(made.get(name), dict)
        made[name] = _changed(made[name], given) if inside else given
    return made
