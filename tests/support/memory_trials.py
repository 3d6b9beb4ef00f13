"""Trials that no run has recorded."""

from __future__ import annotations

from typing import Any

from kftune.metrics.values import MetricValues
from kftune.results import Trial
from kftune.results.records import Origin


def a_trial(number: int, state: Any, loss: str | None, acc: str | None, point: dict[str, Any]) -> Trial:
    """Returns a trial with two metrics."""
    texts = {"val-loss": loss, "acc": acc}
    reported = {name: MetricValues(text, text, text, 1) for name, text in texts.items() if text is not None}
    return Trial(
        number=number,
        name=f"t-{number}",
        state=state,
        attempt=1,
        assignment={name: str(value) for name, value in point.items()},
        point=point,
        metrics=reported,
        objective=None if loss is None else float(loss),
        started=None,
        ended=None,
        duration=float(10 - number),
        exit_code=None,
        message="",
        pid=None,
        pid_started=None,
        origin=Origin("random", {}, 0),
    )
