"""How many of the points that Katib may draw for a study its class refuses."""

from __future__ import annotations

import random
from collections.abc import Iterator

from kftune.hparams.fields import may_refuse
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding, Severity
from kftune.study import Study

_DRAWS = 200


def refusal_findings(study: Study) -> Iterator[Finding]:
    """Yields that the class of a study refuses points of its space, which Katib draws all the same."""
    if not may_refuse(study.hparams):
        return
    rng = random.Random("kftune")
    points = [
        study.active({name: domain.quantile(rng.random()) for name, domain in study.space.items()})
        for _ in range(_DRAWS)
    ]
    found = [(point, why) for point in points if (why := study.feasibility.class_refusal(point)) is not None]
    if not found:
        return
    (point, why), budget = found[0], study.budget
    failed = len(found) / _DRAWS * budget.max_trials
    severity: Severity = "fails" if failed >= budget.failures_allowed else "wrong"
    values = ", ".join(f"{name}={value!r}" for name, value in point.items())
    message = (
        f"{why.by} refuses {len(found)} of {_DRAWS} drawn points, such as {values} ({why.why}); Katib runs them, and "
        f"their trials fail: about {failed:.0f} of {budget.max_trials}, and the Experiment fails after "
        f"{budget.failures_allowed}"
    )
    yield finding("KT409", ("hparams",), message, severity)
