"""What ``kftune results --format json`` prints, read back."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

from kftune.errors import StoreError
from kftune.metrics.curves import Curve
from kftune.metrics.targets import TargetResult
from kftune.metrics.values import MetricValues
from kftune.results.export import JSON_FORMAT
from kftune.results.layout import slug
from kftune.results.records import NOT_RETRIED, Aim, Meta, Origin, Retried, TrackedMetric, Trial
from kftune.results.sources.checked import checked
from kftune.results.trials import Recorded, Trials


def read(data: Mapping[str, Any], place: str) -> Trials:
    """Returns the trials in a JSON document.

    Args:
        data: The document.
        place: The file, for messages.

    Raises:
        StoreError: Another version of kftune wrote it, or it is not complete.
    """
    if data["format"] != JSON_FORMAT:
        raise StoreError(f"the format is {data['format']}, but this kftune reads {JSON_FORMAT}; update kftune", place)
    try:
        meta, trials = checked(_meta(data["study"]), [_trial(trial) for trial in data["trials"]])
        curves = {each["number"]: _curves(each["curves"]) for each in data["trials"] if "curves" in each}
        return Recorded(
            meta,
            trials,
            place=place,
            curves=curves,
            reason=data.get("reason"),
            targets=[TargetResult(**target) for target in data.get("targets", ())],
            active_seconds=data.get("active_seconds", 0.0),
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise StoreError(
            f"this is not a whole document of {JSON_FORMAT}: {type(error).__name__}: {error}", place
        ) from error


def _meta(study: Mapping[str, Any]) -> Meta:
    known = {key: value for key, value in study.items() if key in Meta._fields}
    known["metrics"] = tuple([TrackedMetric(**metric) for metric in study["metrics"]])
    known["more_objectives"] = tuple([Aim(each["direction"], each["goal"]) for each in study["objectives"][1:]])
    known["trial_names"] = tuple(known.get("trial_names", ()))
    return Meta(**{**known, "slug": slug(study["name"]), "compared": {}})


def _trial(data: Mapping[str, Any]) -> Trial:
    retried = {**data["retries"], **({"proposed": data["proposed"]} if data["proposed"] else {})}
    known = {key: value for key, value in data.items() if key in Trial._fields}
    return Trial(
        **{
            **known,
            "point": data["values"],
            "metrics": {name: MetricValues(**values) for name, values in data["metrics"].items()},
            "origin": Origin(**data["origin"]),
            "retried": Retried(**retried) if retried else NOT_RETRIED,
            "pid": None,
            "pid_started": None,
        }
    )


def _curves(data: Mapping[str, Any]) -> dict[str, Curve]:
    return {
        metric: Curve(
            array("q", curve["steps"]), array("d", curve["values"]), array("d", curve["seconds"]), curve["reported"]
        )
        for metric, curve in data.items()
    }
