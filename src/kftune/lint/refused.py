"""What `kftune lint` says of a study or a pipeline that kftune itself refuses."""

from __future__ import annotations

import re

from kftune.errors import KftuneError
from kftune.katib.admission import Verdict
from kftune.lint.judging import Judgement
from kftune.lint.report import Found, Placed
from kftune.lint.rules.findings import finding
from kftune.lint.sources import Document

# A further line of an error with places.
_PLACED = re.compile(r".*?:(\d+):(\d+): (.*)")


def refused(document: Document, error: KftuneError, code: str) -> Found:
    """A finding for each line of the error, with its place where it has one."""
    first, *others = str(getattr(error, "message", error)).split("\n")
    places = [(getattr(error, "line", None) or 1, getattr(error, "column", None) or 1)]
    messages = [first]
    for line in others:
        told = _PLACED.fullmatch(line)
        if told:
            places.append((int(told[1]), int(told[2])))
            messages.append(told[3])
        else:
            messages[-1] += f" {line.strip()}"
    found = [finding(code, (), message) for message in messages]
    judgement = Judgement(document, Verdict("decode", message=first), tuple(found))
    return judgement, [Placed(each, *place) for each, place in zip(found, places, strict=True)]
