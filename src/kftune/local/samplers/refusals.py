"""What a run says when its study refuses nearly every point."""

from __future__ import annotations

import time
from collections import Counter

from kftune.errors import RunError
from kftune.local.samplers.space import Searched, Space
from kftune.local.samplers.strategy import MOST_REFUSED, numbered_rng
from kftune.study.feasibility import Refusal

_MOST_SHOWN = 3
# A class may have a slow validator.
_LONGEST_SECONDS = 30.0


def check_allowed(searched: Searched) -> None:
    """Checks that a point which a trial may have is found, before the first trial.

    Args:
        searched: What is searched.

    Raises:
        RunError: Every point that was drawn is refused, or every point that there is.
    """
    if not searched.restricted:
        return
    space, refusals = Space(searched), list[Refusal]()
    rng, started = numbered_rng(0, 0), time.monotonic()
    while len(refusals) < MOST_REFUSED and time.monotonic() - started < _LONGEST_SECONDS:
        why = space.refusal(space.draw(rng.random))
        if why is None:
            return
        refusals.append(why)
    if space.listable and any(space.refusal(point) is None for point in space.all_points()):
        return
    raise _none_allowed(refusals)


def _none_allowed(refusals: list[Refusal]) -> RunError:
    first = {refusal.by: refusal.why for refusal in reversed(refusals)}
    counts = Counter(refusal.by for refusal in refusals).most_common(_MOST_SHOWN)
    lines = "\n".join(f"  {by} refuses {number} of them: {first[by]}" for by, number in counts)
    return RunError(
        f"a study needs points that its constraints and its class accept, but of {len(refusals)} drawn points none "
        f"is:\n{lines}\nLoosen them, or narrow the domains to where they hold"
    )
