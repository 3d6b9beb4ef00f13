"""The webhook's rules for spec.trialTemplate.

Source: katib, pkg/webhook/v1beta1/experiment/validator/validator.go (validateTrialTemplate), and
pkg/controller.v1beta1/experiment/manifest/generator.go (GetTrialTemplate).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.job import job_problem
from kftune.katib.admission.reason import Reason, invalid, required
from kftune.katib.go.text import json_text, parameters_text, trial_parameters_text
from kftune.katib.go.unstructured import object_of
from kftune.katib.trial.substitution import (
    SubstitutionError,
    config_map_text,
    indexed_key,
    meta_key,
    placeholder,
    up_to_last,
)

_TEMPLATE = ("spec", "trialTemplate")
_SOURCE = (*_TEMPLATE, "trialSpec")
_PLACEHOLDER = re.compile(r"\$\{trialParameters\..+?\}")
_META_KEYS = frozenset({"Name", "Namespace", "Kind", "APIVersion", "Annotations", "Labels"})


def is_meta_reference(reference: str) -> bool:
    """Whether a reference names a field of the trial's own object, such as `${trialSpec.Name}`."""
    key = meta_key(reference)
    if key is None:
        return False
    indexed = indexed_key(key)
    return key in _META_KEYS or (indexed is not None and indexed[0] in _META_KEYS)


def template_reasons(spec: Mapping[str, Any], cluster: Cluster) -> list[Reason]:
    """Returns why the webhook rejects the trial template.

    Args:
        spec: The decoded spec with its defaults.
        cluster: The cluster with its ConfigMaps.
    """
    template = spec.get("trialTemplate")
    if template is None:
        return [required(_TEMPLATE, "must be specified")]
    reasons = []
    if not template.get("primaryContainerName"):
        reasons.append(required((*_TEMPLATE, "primaryContainerName"), "must be specified"))
    if not template.get("successCondition") or not template.get("failureCondition"):
        reasons.append(required(_TEMPLATE, "successCondition and failureCondition must be specified"))
    missing = _missing_part(template)
    if missing is not None:
        return [*reasons, missing]
    source = _template_text(template, cluster)
    if source is None:
        return reasons
    if isinstance(source, Reason):
        return [*reasons, source]
    found, text = _references(spec, template, source)
    reasons += found
    if text is not None:
        reasons += _object_reasons(template, text)
    return reasons


def _missing_part(template: Mapping[str, Any]) -> Reason | None:
    if not template.get("trialParameters"):
        return required((*_TEMPLATE, "trialParameters"), "must be specified")
    trial, config_map = template.get("trialSpec"), template.get("configMap")
    if trial is None and config_map is None:
        detail = "spec.trialTemplate.trialSpec or spec.trialTemplate.configMap must be specified"
        return required((*_TEMPLATE, "TrialSource"), detail)
    if trial is not None and config_map is not None:
        detail = "only one of spec.trialTemplate.trialSpec or spec.trialTemplate.configMap can be specified"
        return required(_TEMPLATE, detail)
    fields = ("configMapName", "configMapNamespace", "templatePath")
    if config_map is not None and not all(config_map.get(field) for field in fields):
        detail = "configMapName, configMapNamespace and templatePath must be specified"
        return required((*_TEMPLATE, "configMap"), detail)
    return None


def _template_text(template: Mapping[str, Any], cluster: Cluster) -> str | Reason | None:
    """Returns the template's text, or why it has none; None when it is in a ConfigMap that is not given."""
    trial = template.get("trialSpec")
    if trial is not None:
        return json_text(trial)
    place = template["configMap"]
    namespace, name = place["configMapNamespace"], place["configMapName"]
    if (namespace, name) not in cluster.config_maps and not cluster.knows_config_maps_of(namespace):
        return None
    try:
        return config_map_text({"spec": {"trialTemplate": template}}, cluster.config_maps)
    except SubstitutionError as error:
        return invalid(_TEMPLATE, f"unable to parse spec.trialTemplate: {error}")


def _references(spec: Mapping[str, Any], template: Mapping[str, Any], text: str) -> tuple[list[Reason], str | None]:
    """Returns the reasons of the trial parameters, and the text with replaced placeholders; None to stop there."""
    reasons: list[Reason] = []
    parameters = spec.get("parameters", [])
    known = {parameter.get("name", "") for parameter in parameters}
    names: set[str] = set()
    references: set[str] = set()
    declared = template["trialParameters"]
    for index, parameter in enumerate(declared):
        path = (*_TEMPLATE, "trialParameters", index)
        name, reference = parameter.get("name", ""), parameter.get("reference", "")
        if not name or not reference or "{" in name or "}" in name:
            detail = "name and reference must be specified and name must not contain '{' or '}'"
            reasons.append(invalid(path, detail))
            continue
        doubled = "name" if name in names else "reference" if reference in references else ""
        if doubled:
            shown = f"{parameter[doubled]} can't be duplicated in spec.trialTemplate.trialParameters"
            detail = f"parameter {doubled} {shown}: {trial_parameters_text(declared)}"
            reasons.append(invalid((*path, doubled), detail))
            continue
        names.add(name)
        references.add(reference)
        if known and reference not in known and not is_meta_reference(reference):
            detail = f"parameter reference {reference} does not exist in spec.parameters: {parameters_text(parameters)}"
            reasons.append(invalid((*path, "reference"), detail))
        if placeholder(name) not in text:
            detail = f"parameter name: {name} in spec.trialParameters not found in spec.trialTemplate: {text}"
            return [*reasons, invalid((*path, "name"), detail)], None
        text = text.replace(placeholder(name), "test-value")
    return reasons, text


def _object_reasons(template: Mapping[str, Any], text: str) -> Iterator[Reason]:
    """Checks the object that the text gives."""
    inline = template.get("trialSpec") is not None
    path = _SOURCE if inline else (*_TEMPLATE, "configMap")
    lines = up_to_last("}", text) if "${trialParameters." in text else ()
    left = [found for line in lines for found in _PLACEHOLDER.findall(line)]
    if left:
        shown = trial_parameters_text(template["trialParameters"])
        detail = f"parameters: [{' '.join(left)}] in spec.trialTemplate not found in spec.trialParameters: {shown}"
        yield invalid(path, detail, field="spec.trialTemplate")
    try:
        made = object_of(text)
    except ValueError:
        detail = f"unable to convert spec.trialTemplate: {text} to unstructured"
        yield invalid(path, detail, field="spec.trialTemplate")
        return
    metadata = made.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    for key in ("name", "namespace"):
        if isinstance(named.get(key), str) and named[key]:
            detail = "metadata.name and metadata.namespace in spec.trialTemplate must be omitted"
            yield invalid((*path, "metadata", key), detail, field="spec.trialTemplate")
            break
    version, kind = made.get("apiVersion"), made.get("kind")
    if not isinstance(version, str) or not version or not kind:
        detail = "APIVersion and Kind in spec.trialTemplate must be specified"
        yield required(path, detail, field="spec.trialTemplate")
    if version == "batch/v1" and kind == "Job":
        problem = job_problem(made)
        if problem is not None:
            where = (*path, *problem.path) if inline else path
            yield invalid(where, f"invalid spec.trialTemplate: {problem.detail}", field="spec.trialTemplate")
