"""How `kftune run` runs a Katib Experiment: which one of the file, what lint says of it, and the options of its own."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any, NamedTuple

from kftune.errors import UsageError, suggestion
from kftune.katib.admission.cluster import Cluster, KatibConfig, cluster_of
from kftune.katib.admission.server import API_VERSION
from kftune.lint.judging import Judgement, judge
from kftune.lint.report import placed
from kftune.lint.sources import Document, Source, decoded, documents
from kftune.spec.kind import kind_of

_EDITABLE = ("maxTrialCount", "parallelTrialCount", "maxFailedTrialCount")
_TOLD = ("fails", "hangs", "wrong")


class Chosen(NamedTuple):
    """The Experiment to run."""

    value: dict[str, Any]
    cluster: Cluster
    notes: list[str]
    """What lint predicts for a cluster."""

    @property
    def name(self) -> str:
        """Its metadata.name."""
        return str(self.value["metadata"]["name"])


def choose(path: Path, name: str | None, overrides: list[str]) -> Chosen:
    """The Experiment of a file, judged as lint does.

    Args:
        path: The file; other documents in it are what the cluster holds.
        name: Which Experiment, where there are several.
        overrides: ``maxTrialCount=4`` and the like.

    Raises:
        UsageError: There is no such Experiment, or a cluster would refuse it.
    """
    found = list(documents(Source(str(path), decoded(path.read_bytes()), named=True)))
    document = _one(path, [each for each in found if _is_experiment(each)], name)
    value = copy.deepcopy(document.value)
    for override in overrides:
        _override(value, override)
    cluster = cluster_of((each.value for each in found), KatibConfig(), labelled=True)
    judgement = judge(document._replace(value=value), cluster, "0.19")
    if not judgement.verdict.admitted:
        raise UsageError(_refusal(path, judgement))
    notes = [
        f"on a cluster ({each.finding.code}, line {each.line}): {each.finding.message}"
        for each in placed(judgement)
        if each.finding.severity in _TOLD
    ]
    return Chosen(value, cluster, notes)


def _is_experiment(document: Document) -> bool:
    return document.error is not None or kind_of(document.value).name == "Experiment"


def _one(path: Path, found: list[Document], name: str | None) -> Document:
    unreadable = next((each for each in found if each.error is not None), None)
    if unreadable is not None and unreadable.error is not None:
        error = unreadable.error
        raise UsageError(f"{path}:{unreadable.piece.line + (error.line or 1)}:{error.column or 1}: {error.message}")
    names = [_name(each) for each in found]
    if name is None and len(found) > 1:
        raise UsageError(f"{path} holds several Experiments; choose one with --name: {', '.join(names)}")
    for each in found:
        if name in (None, _name(each)):
            return each
    if not found:
        raise UsageError(f"{path} holds no Experiment of {API_VERSION}")
    raise UsageError(f"{path} holds no Experiment {name!r}; {suggestion(str(name), names)}")


def _name(document: Document) -> str:
    metadata = document.value.get("metadata")
    return str(metadata.get("name")) if isinstance(metadata, dict) else "without a name"


def _override(value: dict[str, Any], text: str) -> None:
    key, _, given = text.removeprefix("spec.").partition("=")
    if key not in _EDITABLE:
        raise UsageError(
            f"of an Experiment only {', '.join(_EDITABLE)} can be changed here, but got {text!r}; "
            f"{suggestion(key, _EDITABLE)}"
        )
    if not re.fullmatch(r"[0-9]{1,9}", given):
        raise UsageError(f"{key} must be a whole number, but got {given!r}")
    spec = value.get("spec")
    if isinstance(spec, dict):
        spec[key] = int(given)


def _refusal(path: Path, judgement: Judgement) -> str:
    lines = [f"{path}: a cluster refuses this Experiment, so it does not run here either:"]
    for each in placed(judgement):
        if each.finding.severity == "refused":
            lines.append(f"  {path}:{each.line}:{each.column}: {each.finding.code}: {each.finding.message}")
    lines.append(f"kftune lint {path} tells more")
    return "\n".join(lines)


def variables(given: list[str]) -> dict[str, str]:
    """``NAME=VALUE`` texts as a mapping.

    Raises:
        UsageError: One is something else.
    """
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name):
            raise UsageError(f"--env takes NAME=VALUE, but got {text!r}")
        found[name] = value
    return found


def mounts(given: list[str]) -> dict[str, Path]:
    """``VOLUME=PATH`` texts as a mapping, the paths made absolute.

    Raises:
        UsageError: One is something else, or the path is not there.
    """
    found = {}
    for text in given:
        name, equals, place = text.partition("=")
        if not equals or not name or not place:
            raise UsageError(f"--mount takes VOLUME=PATH or /CONTAINER/PATH=PATH, but got {text!r}")
        path = Path(place).resolve()
        if not path.exists():
            raise UsageError(f"--mount {name}: {path} is not there")
        found[name if name == "/" else name.rstrip("/")] = path
    return found
