"""The webhook's rules for an update of an existing Experiment.

Source: katib, pkg/webhook/v1beta1/experiment/validator/validator.go, pkg/controller.v1beta1/experiment/util.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.admission.reason import Reason, invalid
from kftune.katib.go.experiment_fields import EXPERIMENT_FIELDS
from kftune.katib.trial.conditions import is_completed, is_restartable

_COUNTS = ("maxFailedTrialCount", "maxTrialCount", "parallelTrialCount")

# Pointers to structs: an empty struct differs from none.
_POINTERS = frozenset(
    name for fields in EXPERIMENT_FIELDS.values() for name, kind in fields.items() if kind.startswith("*=")
)


def update_reasons(spec: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[Reason]:
    """Yields why the webhook refuses the update.

    Args:
        spec: The new spec, with defaults.
        old: The existing object: its spec with defaults, and its status.
    """
    before = old["spec"]
    if _without_empty(spec) == _without_empty(before):
        return
    status = old.get("status", {})
    if is_completed(status) and not is_restartable(before, status):
        yield invalid(
            ("spec", "resumePolicy"),
            "Experiment can be restarted if it is in succeeded state by reaching max trials and spec.resumePolicy = "
            "LongRunning or spec.resumePolicy = FromVolume, when experiment is completed",
        )
    most = spec.get("maxTrialCount")
    if most is not None and most <= status.get("trials", 0):
        yield invalid(("spec", "maxTrialCount"), "must be greater than status.trials count")
    if _without_empty(_without_counts(spec)) != _without_empty(_without_counts(before)):
        detail = "only spec.parallelTrialCount, spec.maxTrialCount and spec.maxFailedTrialCount are editable"
        yield Reason("spec", "Forbidden", detail, ("spec",))


def _without_counts(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in _COUNTS}


def _without_empty(value: Any) -> Any:
    """Removes the fields that Go cannot tell from unset ones: empty text, lists and maps, false."""
    if isinstance(value, dict):
        inside = {key: _without_empty(item) for key, item in value.items() if key != "trialSpec"}
        kept = {key: item for key, item in inside.items() if key in _POINTERS or item not in ("", [], {}, False)}
        if "trialSpec" in value:
            kept["trialSpec"] = value["trialSpec"]
        return kept
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value
