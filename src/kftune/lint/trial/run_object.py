"""The object that each trial creates: the template, with an example of what Katib puts in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.job import job_problem
from kftune.katib.admission.reason import field_text
from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import object_of
from kftune.katib.trial.substitution import placeholder
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding
from kftune.lint.trial.pods import TRIAL, as_map

_CONFIG_MAP: Path = ("spec", "trialTemplate", "configMap")


class RunObject(NamedTuple):
    """A trial's object as far as it is known."""

    value: Mapping[str, Any]
    """As it is written, placeholders and all; for a ConfigMap with examples put in."""
    example: Callable[[], Any]
    """Makes the object with examples put in."""
    template: str | None = None
    """Where in a ConfigMap it stands; None when the Experiment holds it."""

    @property
    def kind(self) -> tuple[str, str]:
        """Its apiVersion and kind."""
        return str(self.value.get("apiVersion")), str(self.value.get("kind"))

    def placed(self, findings: Iterator[Finding]) -> Iterator[Finding]:
        """The findings, which have paths below trialSpec, with paths that the Experiment has."""
        if self.template is None:
            yield from findings
            return
        for found in findings:
            inside = found.path[: len(TRIAL)] == TRIAL
            place = f"{self.template}: {field_text(found.path[len(TRIAL) :])}: " if inside else ""
            yield found._replace(path=_CONFIG_MAP if inside else found.path, message=place + found.message)


def run_object(spec: Mapping[str, Any], cluster: Cluster) -> RunObject | None:
    """The trial's object; None when it is in a ConfigMap that nobody gave.

    Args:
        spec: The decoded spec of an admitted Experiment.
        cluster: What the cluster holds.
    """
    template = spec["trialTemplate"]
    trial = template.get("trialSpec")
    if trial is not None:
        return RunObject(trial, lambda: _filled(trial, _examples(spec)))
    text = _text(template["configMap"], cluster)
    if text is None:
        return None
    for name, value in _examples(spec).items():
        text = text.replace(name, value)
    made = _read(text)
    place = template["configMap"]
    where = f"{place['configMapName']}/{place['templatePath']}"
    return RunObject(made, lambda: made, where) if made else None


def template_findings(spec: Mapping[str, Any], cluster: Cluster, run: RunObject | None) -> Iterator[Finding]:
    """What goes wrong when values are put into a template from a ConfigMap; the webhook tries `test-value` only."""
    template = spec["trialTemplate"]
    text = _text(template["configMap"], cluster) if template.get("configMap") is not None else None
    if text is None:
        return
    if _read(text) is None:
        message = "Katib reads the template before it puts values in, and as it stands it is not YAML; quote ${...}"
        yield finding("KT262", _CONFIG_MAP, message)
    elif run is None:
        yield finding("KT262", _CONFIG_MAP, "with values put in, the template is not YAML any more")
    elif run.kind == ("batch/v1", "Job"):
        problem = job_problem(run.value)
        if problem is not None:
            where = field_text(problem.path)
            yield finding("KT262", _CONFIG_MAP, f"with values put in, {where} is not of the Job's type: quote ${{...}}")


def _text(place: Mapping[str, Any], cluster: Cluster) -> str | None:
    data = cluster.config_maps.get((place["configMapNamespace"], place["configMapName"]), {})
    return data.get(place["templatePath"])


def _read(text: str) -> dict[str, Any] | None:
    try:
        return object_of(text)
    except ValueError:
        return None


def _examples(spec: Mapping[str, Any]) -> dict[str, str]:
    """Placeholder -> a value that it may get."""
    spaces = {parameter.get("name"): parameter["feasibleSpace"] for parameter in spec.get("parameters", ())}
    values = {}
    for parameter in spec["trialTemplate"]["trialParameters"]:
        space = as_map(spaces.get(parameter.get("reference")))
        listed = space.get("list") or [space.get("min", "x")]
        values[placeholder(parameter.get("name", ""))] = str(listed[0])
    return values


def _filled(value: Any, examples: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        if "${" in value:
            for name, example in examples.items():
                value = value.replace(name, example)
        return value
    if isinstance(value, dict):
        return {key: _filled(item, examples) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, examples) for item in value]
    return value
