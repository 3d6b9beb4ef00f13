"""The changes that `kftune lint --fix` proposes, by code.

`kftune.lint.fixing` checks each changed text, and keeps a change that removes its finding and adds no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, NamedTuple

from kftune.katib.admission.cluster import INJECTION_LABEL
from kftune.katib.admission.reason import field_text
from kftune.katib.go.scalars import resolve
from kftune.katib.go.types import Path, known_fields
from kftune.katib.go.unstructured import value_at
from kftune.lint.trial.pods import TRIAL
from kftune.yaml_text import edits


class Spot(NamedTuple):
    """The place of a finding: the text of one document, the object in it, and the path in the object."""

    text: str
    value: Any
    prefix: Path
    """The path of the object in the document."""
    path: Path
    """The path of the finding in the object."""

    @property
    def full(self) -> Path:
        """The path in the document."""
        return (*self.prefix, *self.path)

    def at(self, path: Path) -> Any:
        """Returns the value at a path of the object; None if there is none."""
        return value_at(self.value, path)


Changes = Iterator[tuple[str | None, str]]
"""Changed texts and what was done; None for a text that cannot be changed safely."""
Fix = Callable[[Spot], Changes]


def _other_type(spot: Spot) -> Changes:
    """Quotes a number that should be a string, or unquotes a string that should be a number."""
    value = spot.at(spot.path)
    name = field_text(spot.path[-3:] if isinstance(spot.path[-2:][0], int) else spot.path[-2:])
    if isinstance(value, (bool, int, float)):
        yield edits.quoted(spot.text, spot.full), f"quote {name}"
    elif isinstance(value, str) and isinstance(resolve(value), (bool, int, float)):
        yield edits.unquoted(spot.text, spot.full), f"unquote {name}"


def _field_name(spot: Spot, kind: str, path: Path) -> Changes:
    """Renames a field to the only known field with a similar name."""
    name, owner = str(path[-1]), spot.at(spot.path[:-1])
    known = known_fields(kind, path[:-1])
    near = get_close_matches(name, known, n=2, cutoff=0.8) or get_close_matches(name.lower(), known, n=2, cutoff=0.8)
    same = [field for field in known if field.lower() == name.lower()]
    choice = (same or near)[:2]
    if len(choice) == 1 and isinstance(owner, dict) and choice[0] not in owner:
        yield edits.renamed(spot.text, spot.full, choice[0]), f"rename {name} to {choice[0]}"


def _experiment_field(spot: Spot) -> Changes:
    yield from _field_name(spot, "Experiment", spot.path)


def _job_field(spot: Spot) -> Changes:
    yield from _other_type(spot)
    if spot.path[: len(TRIAL)] == TRIAL and len(spot.path) > len(TRIAL):
        yield from _field_name(spot, "Job", spot.path[len(TRIAL) :])


def _spelling(words: Iterable[str]) -> Fix:
    """Corrects upper and lower case of one of the words."""
    by_small = {word.lower(): word for word in words}

    def fix(spot: Spot) -> Changes:
        value = spot.at(spot.path)
        word = by_small.get(value.lower()) if isinstance(value, str) else None
        if word is not None and word != value:
            yield edits.replaced(spot.text, spot.full, word), f"change {value} to {word}"

    return fix


def _insertion(tree: Mapping[str, Any], what: str) -> Fix:
    """Inserts keys into the mapping that the finding points to; existing mappings are kept."""

    def fix(spot: Spot) -> Changes:
        path, inner = spot.path, tree
        while isinstance(spot.at(path), dict) and len(inner) == 1:
            (key, below), *_ = inner.items()
            if not isinstance(below, dict) or key not in spot.at(path):
                break
            path, inner = (*path, key), below
        yield edits.inserted(spot.text, (*spot.prefix, *path), inner), what

    return fix


def _no_proxy(spot: Spot) -> Changes:
    # The finding points to the template's metadata, which may not exist.
    tree = {"metadata": {"annotations": {"sidecar.istio.io/inject": '"false"'}}}
    what = 'add annotation sidecar.istio.io/inject: "false"'
    yield from _insertion(tree, what)(spot._replace(path=spot.path[:-1]))


def _restart_policy(spot: Spot) -> Changes:
    yield edits.replaced(spot.text, spot.full, "Never"), "change restartPolicy to Never"
    yield from _insertion({"restartPolicy": "Never"}, "add restartPolicy: Never")(spot._replace(path=spot.path[:-1]))


def _shell(spot: Spot) -> Changes:
    """Names the shell by its name instead of its path."""
    fields = [index for index, part in enumerate(spot.path) if part in ("command", "args")]
    path: Path = (*spot.path[: fields[-1]], "command", 0) if fields else ()
    first = spot.at(path)
    found = re.fullmatch(r"/(?:usr/)?(?:local/)?bin/(sh|bash)", first) if isinstance(first, str) else None
    if found:
        yield edits.replaced(spot.text, (*spot.prefix, *path), found[1]), f"change {first} to {found[1]}"


def _last_newline(spot: Spot) -> Changes:
    value = spot.at(spot.path)
    full = (*spot.full, len(value) - 1) if isinstance(value, list) else spot.full
    yield edits.without_last_newline(spot.text, full), "remove the final newline"


def _semicolon(spot: Spot) -> Changes:
    regex = spot.at(spot.path)
    if isinstance(regex, str):
        safe = re.sub(r"\\?(.)", lambda match: r"\x3b" if match[1] == ";" else match[0], regex, flags=re.DOTALL)
        yield edits.replaced(spot.text, spot.full, safe), r"change ; to \x3b"


FIXES: Mapping[str, Fix] = MappingProxyType(
    {
        "KT102": _other_type,
        "KT103": _other_type,
        "KT104": _experiment_field,
        "KT109": _spelling(("minimize", "maximize")),
        "KT112": _spelling(("Never", "LongRunning", "FromVolume")),
        "KT114": _spelling(
            ("double", "int", "discrete", "categorical", "uniform", "logUniform", "normal", "logNormal")
        ),
        "KT119": _job_field,
        "KT120": _spelling(("StdOut", "File", "TensorFlowEvent", "Custom", "Push")),
        "KT241": _semicolon,
        "KT250": _shell,
        "KT251": _last_newline,
        "KT270": _restart_policy,
        "KT301": _insertion({"backoffLimit": "0"}, "add backoffLimit: 0"),
        "KT307": _no_proxy,
    }
)


def labelled(text: str, prefix: Path, namespace: Mapping[str, Any]) -> str | None:
    """Returns the text of a Namespace with Katib's label; None if it cannot be inserted.

    Args:
        text: The document.
        prefix: The path of the Namespace in it.
        namespace: The Namespace.
    """
    spot = Spot(text, namespace, prefix, ())
    labels: Path = ("metadata", "labels")
    if INJECTION_LABEL in (spot.at(labels) or {}):
        return edits.replaced(text, (*prefix, *labels, INJECTION_LABEL), "enabled")
    fix = _insertion({"metadata": {"labels": {INJECTION_LABEL: "enabled"}}}, "")
    return next(fix(spot))[0]
