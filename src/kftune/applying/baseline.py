"""The values that a file has now, as the first trial of a study."""

from __future__ import annotations

import re
from typing import Any

from kftune.applying.evidence import differences, present_values
from kftune.applying.target import Target
from kftune.errors import HparamsError, StudyError, UsageError
from kftune.study import Study

# The place of the baseline among the first points of the study.
_POINT = re.compile(r"^points\.0(\.\S+)?: ")


def with_baseline(study: Study, target: Target | None = None, *, option: str = "--baseline") -> Study:
    """Returns a study that first tries the present values.

    Args:
        study: The study.
        target: The place of the present values; None for the defaults of the class.
        option: What asks for it, for messages.

    Raises:
        UsageError: These values are not in the space of the study, or the file has others that its trials do not get.
    """
    point = _defaults(study) if target is None else _present(study, target, option)
    try:
        # A value whose condition does not hold may be outside of its domain.
        return study.replace(points=(study.active(point), *study.points))
    except StudyError as error:
        where = "the defaults of the class" if target is None else f"the values of {target.label}"
        problem = error.message.partition("\n")[0].replace("a first point", "the baseline")
        raise UsageError(
            f"{option}: {where} cannot be a trial of this study: {_POINT.sub('', problem)}; widen its space, or "
            f"leave the baseline out"
        ) from error


def _defaults(study: Study) -> dict[str, Any]:
    return {name: study.leaves[name].default for name in study.space if study.leaves[name].has_default}


def _present(study: Study, target: Target, option: str) -> dict[str, Any]:
    problems = differences(study.fixed_values, study.space, study.hparams, target)
    if problems:
        raise UsageError(
            f"{option}: the trials of this study do not get the values that {target.label} has: {'; '.join(problems)}; "
            f"fix these in the study (values:), or give another --at"
        )
    point = {}
    found = present_values(study.space, study.hparams, target)
    for name in study.space:
        leaf = study.leaves[name]
        if name in found:
            try:
                point[name] = leaf.jsonable(found[name])
            except HparamsError as error:
                raise UsageError(f"{option}: {target.label}: {error}") from error
        elif leaf.has_default:
            point[name] = leaf.default
        else:
            raise UsageError(f"{option}: {target.label} has no {name}, which has no default either; write it there")
    return point
