"""The metric line: what a trial prints to report its metrics, and the format by which collectors read it.

    step=3 train_loss=0.5 val_loss=0.31

A line is split at whitespace. Each token ``name=number`` is a report. Other tokens, such as ``loss=nan``, ``loss=``,
``loss=1,000``, ``acc=98%`` or ``(loss=0.5)``, are not. ``step=`` gives the step of the reports after it on the same
line.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kftune.errors import MetricError

if TYPE_CHECKING:
    from typing import SupportsFloat, SupportsIndex

    Number = SupportsFloat | SupportsIndex

SPACE = r"\t\n\f\r "
"""The inside of a character class: RE2's whitespace, spelled out because Python's own ``\\s`` matches more."""

NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
"""A complete number in RE2 and in Python; nan, inf, hexadecimal numbers and digit separators do not match."""

METRIC_FORMAT = rf"([^{SPACE}]*[!-~])=({NUMBER})(?:[{SPACE}]|$)"
"""The metric line as an RE2 regex with the groups name and value, for the filter of a collector.

The name group takes the token from its start up to its last ``=``, so that ``val_loss=0.3`` or ``x=loss=0.3`` are never
read as ``loss``. The regex contains no ``;``, because Katib joins filters with it.

Source: Katib's spec.metricsCollectorSpec.source.filter.metricsFormat: RE2, all matches in a line.
"""

STEP = "step"
"""The name in front of the step number; a metric cannot have it."""

_NAME = re.compile(r"[!#%&(-:<>?@A-Z\[\]^_a-z{}~]{1,255}")
_OUTSIDE_NAME = re.compile(r"[^!#%&(-:<>?@A-Z\[\]^_a-z{}~]+")


def check_metric_name(name: str) -> None:
    """Rejects a name that the metric line cannot carry.

    Args:
        name: A metric's name, such as ``val_loss``, ``val/loss`` or ``yolo:mAP_0.5``.

    Raises:
        MetricError: The name is ``step``, empty, too long, or contains a character with a special meaning in a line, a
            filter or a shell.

    Source: Katib joins metric names and filters with ``;`` and keeps names in a VARCHAR(255).
    """
    if name == STEP:
        raise MetricError(
            "a metric cannot be called 'step': on a metric line, that name gives the number of the step; "
            "report the step as step=..., or call the metric 'steps'"
        )
    if _NAME.fullmatch(name) is None:
        near = _OUTSIDE_NAME.sub("_", name).strip("_")[:255] or "val_loss"
        raise MetricError(
            "a metric name is 1 to 255 printable ASCII characters without spaces, quotes and any of = ; | \\ $ `; "
            f"given {name!r}; try {near!r}"
        )


def format_line(values: Mapping[str, Number], step: SupportsIndex | None = None) -> str:
    """Returns the line that reports `values`, without its line break.

    Args:
        values: The number of each metric: int, float, or another number that `float()` accepts, such as a NumPy scalar
            or a tensor with one element.
        step: The step (epoch, batch, ...) of the values, from 0; None leaves it out.

    Returns:
        For example ``step=3 val_loss=0.31``; a float has the digits of its `repr`.

    Raises:
        MetricError: There is no value, a name is invalid, the step is not a whole number from 0, or a value is not a
            finite number.
    """
    if not values:
        raise MetricError("report() needs at least one metric; write report(val_loss=0.31)")
    tokens = [] if step is None else [f"{STEP}={_step_text(step)}"]
    for name, value in values.items():
        check_metric_name(name)
        tokens.append(f"{name}={_value_text(name, value, step)}")
    return " ".join(tokens)


class Reported:
    """What this process has reported.

    Attributes:
        step: The step of the last report; None if it had none.
    """

    step: SupportsIndex | None = None


def report(
    values: Mapping[str, Number] | None = None, /, *more: object, step: SupportsIndex | None = None, **metrics: Number
) -> None:
    """Prints one metric line to standard output and flushes it.

    In a distributed run only the first process prints (environment ``RANK`` unset or 0). A collector reads the output
    of all processes and would otherwise count each value once for each of them.

    The line begins with a space. A progress bar leaves its text without a line break, so the first token would
    otherwise be joined to it and be lost.

    Args:
        values: Metrics with names that are not Python names: ``report({"val/loss": 0.31})``.
        *more: Nothing; ``report("val_loss", 0.31)`` is answered with the right form.
        step: The step of the values, from 0; None leaves it out.
        **metrics: Metrics by name: ``report(step=3, val_loss=0.31)``.

    Raises:
        MetricError: `format_line` rejects a value, a metric is given twice, or values have no names.
    """
    given: tuple[object, ...] = (values, *more)
    if more or not isinstance(given[0], (Mapping, type(None))):
        form = f"{{{given[0]!r}: {given[1]!r}}}" if len(given) == 2 and isinstance(given[0], str) else "val_loss=0.31"
        shown = ", ".join(f"{value!r:.60}" for value in given)
        raise MetricError(f"report() takes metrics by name; given {shown}; write report({form})")
    if os.environ.get("RANK", "0") not in {"", "0"}:
        return
    twice = sorted(metrics.keys() & (values or {}).keys())
    if twice:
        raise MetricError(f"a metric has one value in a report; {twice[0]!r} is given twice; remove one")
    line = format_line({**(values or {}), **metrics}, step)
    # A single write: print() makes two when Python runs unbuffered, and the lines of two processes would mix.
    sys.stdout.write(f" {line}\n")
    Reported.step = step
    sys.stdout.flush()


def _step_text(step: SupportsIndex) -> str:
    if isinstance(step, bool) or not hasattr(step, "__index__") or step.__index__() < 0:
        raise MetricError(f"a step is a whole number from 0; given {step!r:.60}; count epochs or batches")
    return str(step.__index__())


def _value_text(name: str, value: Number, step: SupportsIndex | None) -> str:
    # NumPy calls its own bool `bool` or `bool_`, by version
    if type(value).__name__ in {"bool", "bool_"}:
        raise MetricError(f"the metric {name!r} must be a number; given {value!r:.60}; write int(...) to report it")
    number = _as_float(name, value)
    if not math.isfinite(number):
        place = "" if step is None else f" at step {step}"
        raise MetricError(
            f"the metric {name!r} must be a finite number; given {number!r}{place}; "
            "stop the training, or report nothing for this step"
        )
    return int.__repr__(value) if isinstance(value, int) else repr(number)


def _as_float(name: str, value: Number) -> float:
    # torch warns when a tensor with a gradient is converted to float
    plain = value.detach() if hasattr(value, "detach") else value
    if hasattr(plain, "__float__") or hasattr(plain, "__index__"):
        try:
            return float(plain)
        except OverflowError:
            return math.inf
        except (TypeError, ValueError, RuntimeError) as error:
            raise MetricError(f"the metric {name!r} must be one number; {error}; given {value!r:.60}") from error
    raise MetricError(f"the metric {name!r} must be a number; given {value!r:.60}; convert it with float(...)")
