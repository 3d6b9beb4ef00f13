"""A study with curves, failures and unusual texts, as a file that `kftune export` reads."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

from memory_trials import a_trial

from kftune.metrics.curves import Curve
from kftune.results import TrackedMetric, Trial
from kftune.results.export import to_json, to_text
from kftune.results.trials import Recorded, plain_meta

BEGIN = 1769860800.25
"""When trial 1 began, in seconds since 1970."""

POINTS: list[dict[str, Any]] = [
    {"lr": 0.1, "units": 4, "opt": "adam", "bias": True, "layers": [1, 2]},
    {"lr": 0.25, "units": 8, "opt": None, "bias": False, "layers": [3]},
    {"lr": 0.5, "opt": "sgd"},
]
_CURVE = Curve(array("q", [1, 5, 5]), array("d", [0.75, 0.5, 0.625]), array("d", [0.5, 1.0, 1.5]), 3)


def trials() -> list[Trial]:
    times: dict[str, Any] = {"started": "2026-01-31T12:00:00.250Z", "ended": "2026-01-31T12:00:10Z"}
    return [
        a_trial(1, "Succeeded", "0.5", "0.75", POINTS[0])._replace(**times),
        a_trial(2, "EarlyStopped", "0.25", None, POINTS[1])._replace(stopped_by="bandit", **times),
        a_trial(3, "Failed", None, None, POINTS[2])._replace(message="exit code 3", **times, name="../up"),
        a_trial(4, "Running", None, None, POINTS[2])._replace(**times),
    ]


def study(found: list[Trial], **known: Any) -> Recorded:
    meta = plain_meta(
        "small nets",
        metrics=(TrackedMetric("val-loss", "min"), TrackedMetric("acc", "latest")),
        space={name: {} for name in POINTS[0]},
        fixed={"epochs": 3},
        created="2026-01-31T12:00:00Z",
        identity="0123",
    )
    return Recorded(meta._replace(**known), found, place="here", curves={1: {"val-loss": _CURVE}})


def saved(path: Path, found: list[Trial] | None = None, **known: Any) -> str:
    """Writes the study as JSON, and returns the path."""
    path.write_text(to_text(to_json(study(found or trials(), **known), curves=True)), encoding="utf-8")
    return str(path)
