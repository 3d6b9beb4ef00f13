"""Studies in memory, for the tests of reports: small ones, and those with unusual values and texts."""

from __future__ import annotations

import json
import math
import random
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from kftune.metrics.curves import Curve
from kftune.metrics.values import MetricValues
from kftune.results.records import Aim, State, TrackedMetric, Trial
from kftune.results.trials import Recorded, plain_meta

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>&\u2028\x1b[2J\"'\\"


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def recorded(
    points: Sequence[Mapping[str, Any]],
    values: Sequence[float | Sequence[float] | None],
    *,
    states: Sequence[State] = (),
    message: str = "",
    name: str = "small",
    metrics: Sequence[str] = ("loss",),
    curve: Sequence[float] = (),
    **known: Any,
) -> Recorded:
    """Returns a study with these trials. Several objectives have a sequence of values for each trial."""
    meta = plain_meta(
        name,
        metrics=tuple([TrackedMetric(metric, "latest") for metric in metrics]),
        more_objectives=tuple([Aim("minimize") for _ in metrics[1:]]),
        algorithm="random",
        **known,
    )
    trials = []
    for place, (point, value) in enumerate(zip(points, values, strict=True)):
        score: list[float | None] = [*value] if isinstance(value, Sequence) else [value]
        state: State = states[place] if states else "Failed" if value is None else "Succeeded"
        reported = {
            metric: MetricValues(repr(each), repr(each), repr(each), 1)
            for metric, each in zip(metrics, score, strict=True)
            if each is not None
        }
        trials.append(
            Trial(
                number=place + 1,
                name=f"{name}-{place + 1:04}",
                state=state,
                attempt=1,
                assignment={key: text_of(each) for key, each in point.items()},
                point=dict(point),
                metrics=reported,
                objective=score[0],
                started=f"2026-01-01T00:{place // 60 % 60:02}:{place % 60:02}+00:00",
                ended=f"2026-01-01T01:{place // 60 % 60:02}:{place % 60:02}+00:00",
                duration=3600.0,
                exit_code=0,
                message="" if state == "Succeeded" else message,
                pid=None,
                pid_started=None,
                origin=meta.origin(),
            )
        )
    steps = array("q", range(1, len(curve) + 1))
    curves = {
        trial.number: {metrics[0]: Curve(steps, array("d", curve), array("d", curve), len(curve))}
        for trial in trials
        if curve
    }
    return Recorded(meta, trials, place="memory", curves=curves)


def sampled(size: int, **known: Any) -> Recorded:
    """Returns a study with a float on a logarithmic scale, an integer, a category and a conditional float."""
    rng = random.Random(3)
    points: list[dict[str, Any]] = []
    for _ in range(size):
        point: dict[str, Any] = {
            "lr": 10 ** rng.uniform(-5, -1),
            "layers": rng.randint(1, 8),
            "optimizer": rng.choice(["adam", "sgd"]),
        }
        points.append({**point, **({"momentum": rng.random()} if point["optimizer"] == "sgd" else {})})
    space = {
        "lr": {"loguniform": [1e-5, 1e-1]},
        "layers": {"int": [1, 8]},
        "optimizer": {"choice": ["adam", "sgd"]},
        "momentum": {"uniform": [0.0, 1.0], "when": {"optimizer": ["sgd"]}},
    }
    values = [(math.log10(point["lr"]) + 3) ** 2 + rng.random() / 10 for point in points]
    return recorded(points, values, space=space, **known)


CASES: dict[str, Recorded] = {
    "no trial": recorded([], [], space={"lr": {"loguniform": [1e-5, 1e-1]}}),
    "no trial and no space": recorded([], []),
    "one trial": recorded([{"lr": 0.1}], [0.5]),
    "two trials": recorded([{"lr": 0.1}, {"lr": 0.2}], [0.5, 0.25], curve=[3.0, 2.0, 1.0]),
    "all failed": recorded([{"lr": 0.1}] * 3, [None] * 3, message="exit code 1\nTraceback"),
    "failed, with curves": recorded([{"lr": 0.1}] * 3, [None] * 3, curve=[1.0, 1e300]),
    "categories only": recorded(
        [{"a": each, "b": each == "x"} for each in "xyz" * 5],
        [float(place) for place in range(15)],
        space={"a": {"choice": ["z", "y", "x"]}},
    ),
    "numbers that are listed": recorded(
        [{"units": 2**place} for place in range(5, 10)] * 3,
        [float(place) for place in range(15)],
        space={"units": {"choice": [512, 256, 128, 64, 32]}},
    ),
    "conditional": sampled(40),
    "equal values": recorded([{"lr": place / 10} for place in range(12)], [1.0] * 12),
    "nan and infinity": recorded(
        [{"lr": 0.1}, {"lr": math.nan}, {"lr": math.inf}, {"lr": 0.2}], [math.nan, math.inf, -math.inf, 1.0]
    ),
    "extreme values": recorded([{"x": -1.7e308}, {"x": 1.7e308}, {"x": 0}] * 4, [1.7e308, -1.7e308, 5e-324] * 4),
    "a tiny range": recorded(
        [{"x": 1 + place * 1e-12} for place in range(12)], [3 + place * 1e-12 for place in range(12)]
    ),
    "tiny numbers": recorded(
        [{"x": place * 1e-12} for place in range(1, 13)], [place * 1e-300 for place in range(1, 13)]
    ),
    "huge integers": recorded([{"x": 10**400}, {"x": 2**63}], [1.0, 2.0]),
    "unicode": recorded(
        [{"学习率.λ🚀": "ünïcödé 数", "e\u0301": place} for place in range(12)],
        [float(place) for place in range(12)],
        name="研究 🔬",
    ),
    "hostile": recorded(
        [{HOSTILE: HOSTILE, "lr": place} for place in range(12)],
        [float(place) if place % 2 else None for place in range(12)],
        name=HOSTILE,
        metrics=(HOSTILE,),
        message=HOSTILE,
    ),
    "several objectives": recorded(
        [{"x": place / 20} for place in range(20)],
        [(place / 20, (20 - place) ** 2 / 40) for place in range(20)],
        metrics=("loss", "size"),
    ),
    "three objectives": recorded(
        [{"x": place / 20} for place in range(20)],
        [(place, -place, place % 3) for place in range(20)],
        metrics=("a", "b", "c"),
    ),
    "lists and objects": recorded([{"betas": [0.9, 0.99]}, {"betas": {"a": None}}, {"betas": None}], [1.0, 2.0, 3.0]),
    "texts that are numbers": recorded([{"lr": "0.1"}, {"lr": "0.2"}], [1.0, 2.0]),
    "many hyperparameters": recorded([{f"p{place}": place for place in range(100)}] * 2, [1.0, 2.0]),
    "running": recorded([{"lr": 0.1}] * 3, [1.0, None, None], states=["Succeeded", "Running", "Created"]),
}
"""What a report must draw without an error."""
