"""What the API server rejects before Katib sees the object: a missing or wrong kind, invalid metadata.

Source: k8s.io/apimachinery pkg/api/validation (objectmeta.go), pkg/util/validation; recorded in the tests' corpus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kftune.katib.admission.reason import Reason, invalid, required
from kftune.katib.go.json_reading import not_an_object
from kftune.katib.go.names import DNS_LABEL, LABEL_VALUE, MOST_ANNOTATION_BYTES, QUALIFIED, SUBDOMAIN
from kftune.katib.go.types import DecodeError, Path, missing_kind, struct

API_VERSION = "kubeflow.org/v1beta1"
KIND = "Experiment"

_ENDS = "and must start and end with an alphanumeric character"
_LOWER = "must consist of lower case alphanumeric characters"
_SUBDOMAIN_RULE = f"a lowercase RFC 1123 subdomain {_LOWER}, '-' or '.', {_ENDS}"
_LABEL_RULE = f"a lowercase RFC 1123 label {_LOWER} or '-', {_ENDS}"
_QUALIFIED_RULE = f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
_VALUE_RULE = "a valid label must be an empty string or " + _QUALIFIED_RULE.removeprefix("must ")
_NAME = (253, SUBDOMAIN, _SUBDOMAIN_RULE)


_GENERATED = "bcdfg"  # stands for the five random letters and digits after generateName
_LONGEST_PREFIX = 58


class Refusal(NamedTuple):
    """Why the server rejects an object."""

    message: str
    reasons: tuple[Reason, ...] = ()
    path: Path = ()


def server_refusal(value: object) -> Refusal | None:
    """Returns why the API server rejects a value, or None."""
    if value is not None and not isinstance(value, dict):
        return Refusal(not_an_object(value))
    kind = value.get("kind") if value is not None else None
    if value is None or not isinstance(kind, str) or not kind:
        return Refusal(missing_kind(value), path=("kind",))
    version = value.get("apiVersion")
    shown = version if isinstance(version, str) else ""
    if (shown, kind) != (API_VERSION, KIND):
        return Refusal(
            f"not {API_VERSION} {KIND}: {shown} {kind}", path=("apiVersion" if shown != API_VERSION else "kind",)
        )
    if "metadata" not in value:
        return Refusal("metadata: name or generateName is required")
    try:
        metadata = struct("ObjectMeta").decode(value["metadata"])
    except DecodeError as error:
        return Refusal(error.message.replace("type v1beta1.", "type v1."), path=("metadata", *error.path))
    reasons = tuple(metadata_reasons(metadata))
    return Refusal("", reasons) if reasons else None


def name_of(metadata: Mapping[str, Any]) -> str:
    """Returns the name of an object, or one as the server generates it; empty if it has neither name nor generateName.

    Source: k8s.io/apiserver, pkg/storage/names (generate.go).
    """
    name, prefix = str(metadata.get("name") or ""), str(metadata.get("generateName") or "")
    return name or (prefix and prefix[:_LONGEST_PREFIX] + _GENERATED)


def with_name(value: object) -> object:
    """Returns an object with the name that the server generates for it when a client creates it from generateName.

    Args:
        value: The JSON value of a document; it is not changed. Other values are returned as they are.
    """
    metadata = value.get("metadata") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(metadata, dict) or metadata.get("name"):
        return value
    if not isinstance(metadata.get("generateName"), str):
        return value
    return {**value, "metadata": {**metadata, "name": name_of(metadata)}}


def metadata_reasons(metadata: Mapping[str, Any]) -> Iterator[Reason]:
    """Yields why the API server rejects decoded metadata, of an object of any kind."""
    prefix = metadata.get("generateName", "")
    if prefix:
        # A generated name ends in a letter, so the prefix may end in "-".
        for rule in _broken(f"{prefix[:-2]}a" if len(prefix) > 1 and prefix[-1] == "-" else prefix, *_NAME):
            yield invalid(("metadata", "generateName"), rule)
    name = metadata.get("name", "")
    if not name:
        yield required(("metadata", "name"), "name or generateName is required")
    else:
        for rule in _broken(name, *_NAME):
            yield invalid(("metadata", "name"), rule)
    namespace = metadata.get("namespace", "")
    if namespace:
        for rule in _broken(namespace, 63, DNS_LABEL, _LABEL_RULE):
            yield invalid(("metadata", "namespace"), rule)
    labels = metadata.get("labels", {})
    for key, text in labels.items():
        at = ("metadata", "labels", key)
        for rule in _broken_key(key):
            yield invalid(at, rule, field="metadata.labels")
        for rule in _broken(text, 63, LABEL_VALUE, _VALUE_RULE):
            yield invalid(at, rule, field="metadata.labels")
    yield from _annotation_reasons(metadata.get("annotations", {}))


def _annotation_reasons(annotations: Mapping[str, str]) -> Iterator[Reason]:
    size = 0
    for key, text in annotations.items():
        size += len(key.encode(errors="replace")) + len(text.encode(errors="replace"))
        for rule in _broken_key(key.lower()):
            yield invalid(("metadata", "annotations", key), rule, field="metadata.annotations")
    if size > MOST_ANNOTATION_BYTES:
        detail = f"may not be more than {MOST_ANNOTATION_BYTES} bytes"
        yield Reason("metadata.annotations", "TooLong", detail, ("metadata", "annotations"))


def _broken(text: str, longest: int, pattern: re.Pattern[str], rule: str) -> Iterator[str]:
    if len(text.encode(errors="replace")) > longest:
        yield f"must be no more than {longest} characters"
    if not pattern.fullmatch(text):
        yield rule


def _broken_key(key: str) -> Iterator[str]:
    """Checks the key of a label or an annotation: `name` or `prefix/name`."""
    prefix, slash, name = key.rpartition("/")
    if slash:
        if not prefix:
            yield "prefix part must be non-empty"
        elif "/" in prefix:
            yield f"a qualified name {_QUALIFIED_RULE}"
            return
        else:
            yield from (f"prefix part {rule}" for rule in _broken(prefix, *_NAME))
    if not name:
        yield "name part must be non-empty"
    else:
        yield from (f"name part {rule}" for rule in _broken(name, 63, QUALIFIED, _QUALIFIED_RULE))
