"""Predicts whether a cluster admits an Experiment: the answer of the API server and of Katib's webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from kftune.errors import UsageError
from kftune.katib.admission.cluster import INJECTION_LABEL, Cluster
from kftune.katib.admission.defaults import KatibVersion, with_defaults
from kftune.katib.admission.reason import Reason
from kftune.katib.admission.server import server_refusal
from kftune.katib.admission.webhook import webhook_reasons
from kftune.katib.go.reading import NotYamlError
from kftune.katib.go.types import DecodeError, Path, dropped_fields, struct

Stage = Literal["yaml", "server", "decode", "webhook", "panic", "admitted"]


class Verdict(NamedTuple):
    """The answer to one document."""

    stage: Stage
    """The stage that rejected it, or `admitted`."""
    reasons: tuple[Reason, ...] = ()
    """The reasons, in the order of the server or the webhook."""
    message: str = ""
    """The message when there are no reasons."""
    path: Path = ()
    """The place that the message is about."""
    line: int | None = None
    column: int | None = None
    """The place in the piece, from 1, when the text is not YAML."""
    spec: dict[str, Any] | None = None
    """The decoded spec with its defaults; None when it was rejected before."""
    metadata: Mapping[str, Any] = MappingProxyType({})
    unknown: tuple[Path, ...] = ()
    """Fields that the server drops silently."""

    @property
    def admitted(self) -> bool:
        """Whether the object is created."""
        return self.stage == "admitted"


def not_yaml(error: NotYamlError) -> Verdict:
    """Returns the verdict on a text that is not YAML."""
    return Verdict("yaml", message=error.message, line=error.line, column=error.column)


def admit(
    value: object, *, cluster: Cluster | None = None, version: KatibVersion = "0.19", old: object = None
) -> Verdict:
    """Checks one object as the API server and Katib's webhooks do.

    Args:
        value: The JSON value of a document, as `kftune.katib.go.reading.read` returns it; it is not changed. For
            generateName see `kftune.katib.admission.server.with_name`.
        cluster: The cluster; None for a stock install with labelled namespaces.
        version: Katib's version.
        old: The existing object when this is an update; otherwise None.

    Raises:
        UsageError: `old` is not an Experiment that a cluster can hold.
    """
    cluster = cluster or _STOCK
    refusal = server_refusal(value)
    if refusal is not None:
        return Verdict("server", reasons=refusal.reasons, message=refusal.message, path=refusal.path)
    try:
        decoded, dropped = dropped_fields(value, struct("Experiment"))
    except DecodeError as error:
        return Verdict("decode", message=error.message, path=error.path)
    unknown = tuple(struct("Experiment").unknown(value)) if dropped else ()
    metadata = decoded.get("metadata", {})
    spec = with_defaults(decoded.get("spec", {}), version)
    if not cluster.is_labelled(metadata.get("namespace")):
        namespace = metadata.get("namespace") or "default"
        message = (
            f'Cannot create the Experiment "{metadata["name"]}" in namespace "{namespace}": '
            f'the namespace lacks label "{INJECTION_LABEL}: enabled"'
        )
        about = ("metadata", "namespace")
        return Verdict("webhook", message=message, path=about, spec=spec, metadata=metadata, unknown=unknown)
    before = _existing(old, version) if old is not None else None
    reasons = tuple(webhook_reasons(metadata["name"], spec, before, cluster, version))
    stage: Stage = "webhook" if reasons else "admitted"
    return Verdict(stage, reasons=reasons, spec=spec, metadata=metadata, unknown=unknown)


_STOCK = Cluster()


def _existing(old: object, version: KatibVersion) -> dict[str, Any]:
    """Returns the decoded existing object with the defaults of its spec."""
    try:
        before = struct("Experiment").decode(old)
    except DecodeError as error:
        raise UsageError(f"the existing Experiment cannot be decoded: {error.message}") from None
    before["spec"] = with_defaults(before.get("spec", {}), version)
    return before
