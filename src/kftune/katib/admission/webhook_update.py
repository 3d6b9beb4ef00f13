"""The webhook's rules for a change of a living Experiment.

Source: katib, pkg/webhook/v1beta1/experiment/validator/validator.go, pkg/controller.v1beta1/experiment/util.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kftune.katib.admission.reason import Reason, invalid

_COUNTS = ("maxFailedTrialCount", "maxTrialCount", "parallelTrialCount")

# Pointers to structs: an empty one differs from none.
_POINTERS = frozenset(
    [
        "objective",
        "algorithm",
        "earlyStopping",
        "trialTemplate",
        "metricsCollectorSpec",
        "nasConfig",
        "configMap",
        "collector",
        "customCollector",
        "source",
        "httpGet",
        "fileSystemPath",
        "filter",
    ]
)


def update_reasons(spec: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[Reason]:
    """What the webhook has against the change.

    Args:
        spec: The new spec, with defaults.
        old: The living object: its spec with defaults, and its status.
    """
    before = old["spec"]
    if _settled(spec) == _settled(before):
        return
    status = old.get("status", {})
    if _ended(status) and not _may_restart(before, status):
        yield invalid(
            ("spec", "resumePolicy"),
            "Experiment can be restarted if it is in succeeded state by reaching max trials and spec.resumePolicy = "
            "LongRunning or spec.resumePolicy = FromVolume, when experiment is completed",
        )
    most = spec.get("maxTrialCount")
    if most is not None and most <= status.get("trials", 0):
        yield invalid(("spec", "maxTrialCount"), "must be greater than status.trials count")
    if _settled(_without_counts(spec)) != _settled(_without_counts(before)):
        detail = "only spec.parallelTrialCount, spec.maxTrialCount and spec.maxFailedTrialCount are editable"
        yield Reason("spec", "Forbidden", detail, ("spec",))


def _ended(status: Mapping[str, Any]) -> bool:
    return any(_holds(status, kind) is not None for kind in ("Succeeded", "Failed"))


def _may_restart(spec: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    succeeded = _holds(status, "Succeeded")
    return (
        succeeded is not None
        and succeeded.get("reason") == "ExperimentMaxTrialsReached"
        and spec["resumePolicy"] in ("LongRunning", "FromVolume")
    )


def _holds(status: Mapping[str, Any], kind: str) -> Mapping[str, str] | None:
    for condition in status.get("conditions", ()):
        if condition.get("type") == kind and condition.get("status") == "True":
            found: Mapping[str, str] = condition
            return found
    return None


def _without_counts(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in _COUNTS}


def _settled(value: Any) -> Any:
    """The value without what Go cannot tell from nothing: empty text, lists and maps, false."""
    if isinstance(value, dict):
        settled = {key: _settled(item) for key, item in value.items() if key != "trialSpec"}
        kept = {key: item for key, item in settled.items() if key in _POINTERS or item not in ("", [], {}, False)}
        if "trialSpec" in value:
            kept["trialSpec"] = value["trialSpec"]
        return kept
    if isinstance(value, list):
        return [_settled(item) for item in value]
    return value
