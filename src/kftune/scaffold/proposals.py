"""Proposes search domains for the arguments of a script, by their names, types and defaults."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What a study does not search: where things are, how a run is set up, how much is printed and kept.
_NEVER = _words(
    """
    seed path dir file folder root output out input name workers device devices gpu gpus rank world port host url log
    logging save eval print debug verbose resume checkpoint ckpt wandb tensorboard project entity tag notes interval
    freq every epochs epoch steps step iters iter iterations samples pin classes vocab backend dtype precision amp fp16
    bf16 compile distributed local dataset data split version user experiment profile dry quiet overwrite force push hub
    token report cache download cuda cpu mps only
    """
)
_RATES = _words("lr rate decay wd eps epsilon alpha lambda reg l1 l2 temperature tau")
_SHARES = _words("dropout drop prob p ratio smoothing mixup cutmix")
_SIZES = _words("batch bs hidden dim units size width channels embd embed features neurons filters block dmodel ffn")
_COUNTS = _words("layers layer depth heads head blocks stages k")
_MOMENTA = _words("momentum beta beta1 beta2 betas gamma rho discount")


def proposed(name: str, default: Any, choices: Sequence[Any] | None, bounds: Sequence[tuple[str, float]] = ()) -> str:
    """Returns the domain that a study could search, as it is written in a study; empty if none is proposed.

    Args:
        name: The argument's name.
        default: Its default.
        choices: The values that it takes; None for others.
        bounds: Limits of a number.
    """
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    if words & _NEVER and not words & {"lr", "dropout"}:
        return ""
    if isinstance(default, bool):
        return "{choice: [true, false]}"
    if choices is not None:
        return f"{{choice: [{', '.join(map(_scalar, choices))}]}}" if 1 < len(choices) <= 12 else ""
    found = None
    if isinstance(default, int) and default > 0 and words & _SIZES:
        return _sizes(default, bounds)
    if isinstance(default, int):
        found = _of_int(words, default)
    elif isinstance(default, float):
        found = _of_float(words, default)
    return _within(*found, bounds) if found else ""


def _of_int(words: set[str], default: int) -> tuple[str, float, float, str] | None:
    if default > 0 and words & _COUNTS:
        return "int", max(1, default // 2), default * 2, ""
    return None


def _sizes(default: int, bounds: Sequence[tuple[str, float]]) -> str:
    """Returns multiples of a size: Katib draws them as they are, and no integers on a logarithmic scale."""
    values = {default // 4, default // 2, default, default * 2, default * 4}
    inside = [value for value in sorted(values) if value > 0 and all(_meets(value, *each) for each in bounds)]
    return f"{{choice: [{', '.join(map(str, inside))}]}}" if len(inside) > 1 else ""


def _meets(value: float, bound: str, limit: float) -> bool:
    return {"ge": value >= limit, "gt": value > limit, "le": value <= limit, "lt": value < limit}[bound]


def _of_float(words: set[str], default: float) -> tuple[str, float, float, str] | None:
    if not math.isfinite(default) or default < 0:
        return None
    if words & _SHARES and default < 1:
        return "uniform", 0, max(0.5, round(min(1.0, default * 1.5), 2)), ""
    if words & _MOMENTA and 0.5 <= default < 1:
        low, high = 1 - (1 - default) * 10, 1 - (1 - default) / 10
        return "uniform", max(0.5, low), high, ""
    if default == 0:
        return ("loguniform", 1e-6, 1e-2, "") if words & {"decay", "wd", "reg", "l1", "l2"} else None
    return ("loguniform", default / 10, default * 10, "") if words & _RATES or default < 1 else None


def _within(kind: str, low: float, high: float, rest: str, bounds: Sequence[tuple[str, float]]) -> str:
    """Returns a domain inside the limits; empty if nothing of it is left."""
    for bound, limit in bounds:
        if bound in ("ge", "gt"):
            low = max(low, limit)
        else:
            high = min(high, limit)
        if bound in ("gt", "lt") and limit in (low, high):
            return ""
    if low >= high or (kind == "loguniform" and low <= 0):
        return ""
    return f"{{{kind}: [{_number(low)}, {_number(high)}]{rest}}}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _scalar(value: Any) -> str:
    is_plain = re.fullmatch(r"[A-Za-z_][\w.-]*", str(value)) and str(value).lower() not in _WORDS
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)


_WORDS = ("true", "false", "null", "yes", "no", "on", "off")
