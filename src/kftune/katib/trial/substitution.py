"""Makes the object that Katib creates for a trial: the template with the trial's values filled in.

Katib replaces text, not values: it writes an inline template as JSON, takes the text of a ConfigMap as it is, replaces
placeholders without escaping anything, and parses the result.

Source: katib v0.19.0, pkg/controller.v1beta1/experiment/manifest/generator.go; recorded runs of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kftune.errors import KatibError
from kftune.katib.go.text import json_text, plain_text
from kftune.katib.go.unstructured import object_of, set_metadata, string_map

_META = re.compile(r"\$\{trialSpec\.(.+?)\}")
_NO_TEMPLATE = "invalid memory address or nil pointer dereference: there must be a trial template"


class SubstitutionError(KatibError):
    """Katib cannot make the trial's object. It retries forever, and the Experiment makes no progress."""


class SubstitutionPanic(SubstitutionError):  # noqa: N818 - Go's word
    """Katib's controller crashes."""


def placeholder(name: str) -> str:
    """Returns the placeholder of a trial parameter in a template."""
    return f"${{trialParameters.{name}}}"


def up_to_last(sign: str, text: str) -> list[str]:
    """Returns the lines of a text up to the last sign on each, without those that have none.

    A search for what ends with the sign takes linear time there, and quadratic time where many begin and none ends.

    Args:
        sign: The sign.
        text: The text.
    """
    return [line[: line.rfind(sign) + 1] for line in text.split("\n") if sign in line]


def meta_key(reference: str) -> str | None:
    """Returns which field of the trial's own object is meant, `Name` for `${trialSpec.Name}`; None for other texts."""
    found = next(filter(None, map(_META.search, up_to_last("}", reference))), None)
    return None if found is None else found[1]


def indexed_key(key: str) -> tuple[str, str] | None:
    r"""Returns key and index of a key such as `Labels[team]`; None if it has none. In Katib: `(.+)\[(.+)]`."""
    for line in up_to_last("]", key):
        at = line.rfind("[", 1, max(len(line) - 2, 1))
        if at > 0:
            return line[:at], line[at + 1 : -1]
    return None


def run_object(
    experiment: Mapping[str, Any],
    assignments: Sequence[tuple[str, str]],
    *,
    name: str,
    namespace: str,
    config_map: str | None = None,
) -> dict[str, Any]:
    """Returns the object of one trial, as Katib asks the API server to create it.

    When a value holds a placeholder of another parameter, Katib's result is random; here the parameters are replaced in
    their order.

    Args:
        experiment: The Experiment, as `kftune.katib.go.reading.read` returns it.
        assignments: (parameter, value as text) of the trial, in order.
        name: The trial's name.
        namespace: The trial's namespace.
        config_map: The template's text when it is in a ConfigMap; see `config_map_text`.

    Raises:
        SubstitutionError: Katib fails to make the object.
        SubstitutionPanic: There is no template.
    """
    template = _template(experiment)
    trial = template.get("trialSpec")
    if trial is not None:
        text = json_text(trial)
    elif config_map is not None:
        text = config_map
        trial = _object(text)
    else:
        raise SubstitutionPanic(_NO_TEMPLATE)
    own = {"Name": name, "Namespace": namespace, "Kind": trial.get("kind"), "APIVersion": trial.get("apiVersion")}
    for parameter, value in _replacements(template, trial, assignments, own).items():
        text = text.replace(placeholder(parameter), value)
    made = _object(text)
    set_metadata(made, "name", name)
    set_metadata(made, "namespace", namespace)
    return made


def config_map_text(
    experiment: Mapping[str, Any], config_maps: Mapping[tuple[str, str], Mapping[str, str]]
) -> str | None:
    """Returns the text of a template in a ConfigMap; None for an inline template.

    Args:
        experiment: The Experiment.
        config_maps: (namespace, name) -> data.

    Raises:
        SubstitutionError: The ConfigMap or its entry does not exist.
        SubstitutionPanic: There is no template.
    """
    template = _template(experiment)
    if template.get("trialSpec") is not None:
        return None
    place = template.get("configMap")
    if place is None:
        raise SubstitutionPanic(_NO_TEMPLATE)
    name, path = place.get("configMapName", ""), place.get("templatePath", "")
    data = config_maps.get((place.get("configMapNamespace", ""), name))
    if data is None:
        raise SubstitutionError(f'configMap not found: ConfigMap "{name}" not found')
    if path not in data:
        shown = f"TemplatePath: {path}, ConfigMap: {plain_text(data)}"
        raise SubstitutionError(f"unable to find trial template in ConfigMap: {shown}")
    return data[path]


def _template(experiment: Mapping[str, Any]) -> Mapping[str, Any]:
    template = (experiment.get("spec") or {}).get("trialTemplate")
    if template is None:
        raise SubstitutionPanic(_NO_TEMPLATE)
    found: Mapping[str, Any] = template
    return found


def _object(text: str) -> dict[str, Any]:
    try:
        return object_of(text)
    except ValueError as error:
        raise SubstitutionError(f"failed to convert string to unstructured: {error}") from None


def _replacements(
    template: Mapping[str, Any],
    trial: Mapping[str, Any],
    assignments: Sequence[tuple[str, str]],
    own: Mapping[str, Any],
) -> dict[str, str]:
    """Returns trial parameter -> value; `own` holds the values of the trial's own fields."""
    assigned = dict(assignments)
    values: dict[str, str] = {}
    count = 0
    index = ""  # kept from one reference to the next, as in Katib
    for parameter in template.get("trialParameters") or ():
        reference = parameter.get("reference", "")
        key = meta_key(reference)
        if key is None:
            if reference not in assigned:
                raise SubstitutionError(
                    "unable to find non-meta parameter from TrialParameters in ParameterAssignment: "
                    f"parameter: {reference}, parameter assignment: {plain_text(assigned)}"
                )
            values[parameter.get("name", "")] = assigned[reference]
            count += 1
            continue
        if indexed := indexed_key(key):
            key, index = indexed
        value = own[key] if key in own else _entry(trial, key, index, reference)
        values[parameter.get("name", "")] = value if isinstance(value, str) else ""
    if len(assignments) != count:
        shown = " ".join(f"{{{parameter} {value}}}" for parameter, value in assignments)
        raise SubstitutionError(
            "unable to find parameter from ParameterAssignment in TrialParameters: "
            f"parameter assignments: [{shown}], non-meta trial parameter count: {count}"
        )
    return values


def _entry(trial: Mapping[str, Any], key: str, index: str, reference: str) -> str:
    """Returns the label or annotation of the trial that a reference names."""
    wrong = f"illegal reference of trial metadata: {reference}"
    if key not in ("Labels", "Annotations"):
        raise SubstitutionError(wrong)
    entries = string_map(trial, key.lower())
    if index not in entries:
        raise SubstitutionError(f"{wrong}; failed to fetch {key[:-1]}: {index}")
    return entries[index]
