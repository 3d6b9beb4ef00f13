"""What the API server refuses in what says where a pod runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.go.types import Path
from kftune.katib.go.unstructured import as_list
from kftune.katib.pod.checks import (
    KEY,
    LABEL,
    LABEL_TEXT,
    OPTIONAL_KEY,
    Check,
    Problem,
    all_of,
    each,
    fields,
    is_open,
    labels,
    on_map,
    one_of,
    text,
    unique,
    whole,
)
from kftune.katib.pod.values import VALUES

_SELECTOR_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_INCLUSION = one_of("Honor", "Ignore")


def _toleration(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    operator, given = value.get("operator") or "Equal", value.get("value")
    if not value.get("key") and operator != "Exists" and not is_open(operator):
        yield Problem(path, "a toleration without key needs operator Exists")
    if operator == "Exists" and given:
        yield Problem((*path, "value"), "a toleration with operator Exists has no value")
    if operator == "Equal":
        yield from LABEL_TEXT(given, (*path, "value"))
    if value.get("tolerationSeconds") is not None and value.get("effect") != "NoExecute":
        yield Problem((*path, "tolerationSeconds"), "tolerationSeconds needs effect NoExecute")


TOLERATIONS = each(
    all_of(
        on_map(_toleration),
        fields(
            {
                "key": OPTIONAL_KEY,
                "operator": one_of("Exists", "Equal"),
                "effect": one_of(*VALUES["effect"]),
            }
        ),
    )
)


def _expression(operators: tuple[str, ...], values: Check) -> Check:
    def counted(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
        operator, given = value.get("operator"), value.get("values")
        if operator in ("In", "NotIn") and not given:
            yield Problem(path, f"operator {operator} needs values")
        elif operator in ("Exists", "DoesNotExist") and given:
            yield Problem((*path, "values"), f"operator {operator} has no values")
        elif operator in ("Gt", "Lt") and (not isinstance(given, list) or len(given) != 1):
            yield Problem(path, f"operator {operator} needs exactly one value")

    return all_of(
        fields({"key": KEY, "operator": one_of(*operators), "values": values}, "key", "operator"), on_map(counted)
    )


_SELECTOR = fields(
    {"matchLabels": labels, "matchExpressions": each(_expression(_SELECTOR_OPERATORS, each(LABEL_TEXT)))}
)


def _one_value(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if len(as_list(value.get("values"))) > 1:
        yield Problem((*path, "values"), "the name of a node is compared with one value")


def _label_keys(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        if value.get(name) and value.get("labelSelector") is None:
            yield Problem((*path, name), f"{name} needs labelSelector")


_TERM = fields(
    {
        "matchExpressions": each(_expression((*_SELECTOR_OPERATORS, "Gt", "Lt"), each(LABEL_TEXT))),
        "matchFields": each(
            all_of(
                fields(
                    {"key": text("metadata.name".__eq__, "metadata.name"), "operator": one_of("In", "NotIn")}, "key"
                ),
                on_map(_one_value),
            )
        ),
    }
)
_POD_TERM = all_of(
    on_map(_label_keys),
    fields(
        {"labelSelector": _SELECTOR, "namespaceSelector": _SELECTOR, "namespaces": each(LABEL), "topologyKey": KEY},
        "topologyKey",
    ),
)
_WEIGHT = whole(1, 100)
_PODS = fields(
    {
        "requiredDuringSchedulingIgnoredDuringExecution": each(_POD_TERM),
        "preferredDuringSchedulingIgnoredDuringExecution": each(
            fields({"weight": _WEIGHT, "podAffinityTerm": _POD_TERM}, "podAffinityTerm", "weight")
        ),
    }
)
AFFINITY = fields(
    {
        "nodeAffinity": fields(
            {
                "requiredDuringSchedulingIgnoredDuringExecution": fields(
                    {"nodeSelectorTerms": each(_TERM)}, "nodeSelectorTerms"
                ),
                "preferredDuringSchedulingIgnoredDuringExecution": each(
                    fields({"weight": _WEIGHT, "preference": _TERM}, "weight")
                ),
            }
        ),
        "podAffinity": _PODS,
        "podAntiAffinity": _PODS,
    }
)


def _min_domains(value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if value.get("minDomains") is not None and value.get("whenUnsatisfiable") == "ScheduleAnyway":
        yield Problem((*path, "minDomains"), "minDomains needs whenUnsatisfiable DoNotSchedule")


SPREAD = all_of(
    each(
        all_of(
            fields(
                {
                    "maxSkew": whole(1),
                    "minDomains": whole(1),
                    "whenUnsatisfiable": one_of(*VALUES["whenUnsatisfiable"]),
                    "nodeAffinityPolicy": _INCLUSION,
                    "nodeTaintsPolicy": _INCLUSION,
                    "labelSelector": _SELECTOR,
                },
                "maxSkew",
                "topologyKey",
                "whenUnsatisfiable",
            ),
            on_map(_min_domains),
            on_map(_label_keys),
        )
    ),
    unique("topologyKey", "whenUnsatisfiable"),
)
