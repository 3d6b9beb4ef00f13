"""Makes the object that each trial creates: the template, with example values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.job import job_problem
from kftune.katib.admission.reason import field_text
from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import as_map, object_of
from kftune.katib.trial.substitution import placeholder
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import TEMPLATE, TRIAL

_CONFIG_MAP: Path = (*TEMPLATE, "configMap")


class RunObject(NamedTuple):
    """A trial's object."""

    value: Mapping[str, Any]
    """As written, with its placeholders; from a ConfigMap, with example values."""
    example: Callable[[], Any]
    """Makes the object with example values."""
    template: str | None = None
    """Its place in a ConfigMap; None if the Experiment holds it."""

    @property
    def kind(self) -> tuple[str, str]:
        """Its apiVersion and kind."""
        return str(self.value.get("apiVersion")), str(self.value.get("kind"))

    def placed(self, findings: Iterator[Finding]) -> Iterator[Finding]:
        """Yields findings with paths in the Experiment instead of paths below trialSpec in a ConfigMap."""
        if self.template is None:
            yield from findings
            return
        for found in findings:
            inside = found.path[: len(TRIAL)] == TRIAL
            place = f"{self.template}: {field_text(found.path[len(TRIAL) :])}: " if inside else ""
            yield found._replace(path=_CONFIG_MAP if inside else found.path, message=place + found.message)


def run_object(spec: Mapping[str, Any], cluster: Cluster) -> RunObject | None:
    """Returns the trial's object; None if it is in an unknown ConfigMap.

    Args:
        spec: The decoded spec of an admitted Experiment.
        cluster: What the cluster holds.
    """
    template = spec["trialTemplate"]
    trial = template.get("trialSpec")
    if trial is not None:
        return RunObject(trial, lambda: _filled(trial, _examples(spec)))
    place = template["configMap"]
    text = _text(place, cluster)
    made = None if text is None else _read(_filled(text, _examples(spec)))
    where = f"{place['configMapName']}/{place['templatePath']}"
    return RunObject(made, lambda: made, where) if made else None


def template_findings(spec: Mapping[str, Any], cluster: Cluster, run: RunObject | None) -> Iterator[Finding]:
    """Yields what goes wrong when values replace the placeholders of a ConfigMap; the webhook tries `test-value` only.

    Args:
        spec: The decoded spec of an admitted Experiment.
        cluster: What the cluster holds.
        run: The trial's object; None if it is unknown or invalid.
    """
    template = spec["trialTemplate"]
    text = _text(template["configMap"], cluster) if template.get("configMap") is not None else None
    if text is None:
        return
    if _read(text) is None:
        message = "Katib reads the template before it replaces placeholders, and it is invalid YAML; quote ${...}"
        yield finding("KT262", _CONFIG_MAP, message)
    elif run is None:
        yield finding("KT262", _CONFIG_MAP, "with values in place of the placeholders, the template is invalid YAML")
    elif run.kind == ("batch/v1", "Job"):
        problem = job_problem(run.value)
        if problem is not None:
            message = f"with values, {field_text(problem.path)} has the wrong type for a Job; quote ${{...}}"
            yield finding("KT262", _CONFIG_MAP, message)


def _text(place: Mapping[str, Any], cluster: Cluster) -> str | None:
    data = cluster.config_maps.get((place["configMapNamespace"], place["configMapName"]), {})
    return data.get(place["templatePath"])


def _read(text: str) -> dict[str, Any] | None:
    try:
        return object_of(text)
    except ValueError:
        return None


def _examples(spec: Mapping[str, Any]) -> dict[str, str]:
    """Returns an example value for each placeholder."""
    spaces = {parameter.get("name"): parameter["feasibleSpace"] for parameter in spec.get("parameters", ())}
    values = {}
    for parameter in spec["trialTemplate"]["trialParameters"]:
        space = as_map(spaces.get(parameter.get("reference")))
        listed = space.get("list") or [space.get("min", "x")]
        values[placeholder(parameter.get("name", ""))] = str(listed[0])
    return values


def _filled(value: Any, examples: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for name, example in examples.items() if "${" in value else ():
            value = value.replace(name, example)
        return value
    if isinstance(value, dict):
        return {key: _filled(item, examples) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, examples) for item in value]
    return value
