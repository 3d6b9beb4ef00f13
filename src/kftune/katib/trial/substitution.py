"""The object that Katib creates for a trial: the template with the trial's values put in.

Katib replaces texts, not values: an inline template is written as JSON, a ConfigMap's is taken as it is, and what comes
out is read again. Nothing is escaped on the way.

Source: katib v0.19.0, pkg/controller.v1beta1/experiment/manifest/generator.go; recorded runs of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kftune.errors import KatibError
from kftune.katib.go.text import json_text, plain_text
from kftune.katib.go.unstructured import object_of, set_metadata, string_map

META = re.compile(r"\$\{trialSpec\.(.+?)\}")
"""A reference to something of the trial's own object, such as `${trialSpec.Name}`; the group is its key."""

META_INDEXED = re.compile(r"(.+)\[(.+)]")
"""A key with an index, such as `Labels[team]`."""


class SubstitutionError(KatibError):
    """Katib cannot make the trial's object; it tries again for ever, and the Experiment makes no progress."""


class SubstitutionPanic(SubstitutionError):  # noqa: N818 - it is Go's word for it
    """Katib's controller crashes."""


def placeholder(name: str) -> str:
    """What stands in a template for a trial parameter."""
    return f"${{trialParameters.{name}}}"


def run_object(
    experiment: Mapping[str, Any],
    assignments: Sequence[tuple[str, str]],
    *,
    name: str,
    namespace: str,
    config_map: str | None = None,
) -> dict[str, Any]:
    """The object of one trial.

    Where a value holds a placeholder of another parameter, Katib's result depends on chance; here the parameters are
    replaced in their order.

    Args:
        experiment: The Experiment, as `kftune.katib.go.reading.read` gives it.
        assignments: (parameter, value as text) of the trial, in order.
        name: The trial's name.
        namespace: The trial's namespace.
        config_map: The template's text when it is in a ConfigMap; see `config_map_text`.

    Returns:
        The object as the API server is asked to create it.

    Raises:
        SubstitutionError: Katib has an error here.
        SubstitutionPanic: There is no template at all.
    """
    template = _template(experiment)
    trial = template.get("trialSpec")
    text = json_text(trial) if trial is not None else _given(config_map)
    if trial is None:
        trial = _object(text)
    for parameter, value in _replacements(template, trial, assignments, name, namespace).items():
        text = text.replace(placeholder(parameter), value)
    made = _object(text)
    set_metadata(made, "name", name)
    set_metadata(made, "namespace", namespace)
    return made


def config_map_text(
    experiment: Mapping[str, Any], config_maps: Mapping[tuple[str, str], Mapping[str, str]]
) -> str | None:
    """The text of the template that stands in a ConfigMap; None for an inline one.

    Args:
        experiment: The Experiment.
        config_maps: (namespace, name) -> data.

    Raises:
        SubstitutionError: There is no such ConfigMap, or not this entry in it.
        SubstitutionPanic: There is no template at all.
    """
    template = _template(experiment)
    if template.get("trialSpec") is not None:
        return None
    place = template.get("configMap")
    if place is None:
        raise SubstitutionPanic("invalid memory address or nil pointer dereference: there must be a trial template")
    name, path = place.get("configMapName", ""), place.get("templatePath", "")
    data = config_maps.get((place.get("configMapNamespace", ""), name))
    if data is None:
        raise SubstitutionError(f'configMap not found: configmaps "{name}" not found')
    if path not in data:
        shown = f"TemplatePath: {path}, ConfigMap: {plain_text(data)}"
        raise SubstitutionError(f"unable to find trial template in ConfigMap: {shown}")
    return data[path]


def _template(experiment: Mapping[str, Any]) -> Mapping[str, Any]:
    template = (experiment.get("spec") or {}).get("trialTemplate")
    if template is None:
        raise SubstitutionPanic("invalid memory address or nil pointer dereference: there must be a trial template")
    found: Mapping[str, Any] = template
    return found


def _given(config_map: str | None) -> str:
    if config_map is None:
        raise SubstitutionPanic("invalid memory address or nil pointer dereference: there must be a trial template")
    return config_map


def _object(text: str) -> dict[str, Any]:
    try:
        return object_of(text)
    except ValueError as error:
        raise SubstitutionError(f"failed to convert string to unstructured: {error}") from None


def _replacements(
    template: Mapping[str, Any],
    trial: Mapping[str, Any],
    assignments: Sequence[tuple[str, str]],
    name: str,
    namespace: str,
) -> dict[str, str]:
    """Trial parameter -> its value."""
    assigned = dict(assignments)
    values: dict[str, str] = {}
    count = 0
    index = ""  # kept from one reference to the next, as in Katib
    for parameter in template.get("trialParameters") or ():
        reference = parameter.get("reference", "")
        meta = META.search(reference)
        if meta is None:
            if reference not in assigned:
                raise SubstitutionError(
                    "unable to find non-meta parameter from TrialParameters in ParameterAssignment: "
                    f"parameter: {reference}, parameter assignment: {plain_text(assigned)}"
                )
            values[parameter.get("name", "")] = assigned[reference]
            count += 1
            continue
        key = meta[1]
        if indexed := META_INDEXED.search(key):
            key, index = indexed.groups()
        values[parameter.get("name", "")] = _metadata(trial, key, index, reference, name, namespace)
    if len(assignments) != count:
        shown = " ".join(f"{{{parameter} {value}}}" for parameter, value in assignments)
        raise SubstitutionError(
            "unable to find parameter from ParameterAssignment in TrialParameters: "
            f"parameter assignments: [{shown}], non-meta trial parameter count: {count}"
        )
    return values


def _metadata(trial: Mapping[str, Any], key: str, index: str, reference: str, name: str, namespace: str) -> str:
    if key in ("Name", "Namespace"):
        return name if key == "Name" else namespace
    if key in ("Kind", "APIVersion"):
        found = trial.get(key[0].lower() + key[1:] if key == "Kind" else "apiVersion")
        return found if isinstance(found, str) else ""
    if key in ("Labels", "Annotations"):
        entries = string_map(trial, key.lower())
        if index in entries:
            return entries[index]
        raise SubstitutionError(
            f"illegal reference of trial metadata: {reference}; failed to fetch {key[:-1]}: {index}"
        )
    raise SubstitutionError(f"illegal reference of trial metadata: {reference}")
