"""Would the cluster take this Experiment? The API server's and Katib's answer, without either."""

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
    """Where it was refused, or `admitted`."""
    reasons: tuple[Reason, ...] = ()
    """In the order in which the server or the webhook lists them."""
    message: str = ""
    """What is said when there are no reasons."""
    path: Path = ()
    """What the message is about."""
    line: int | None = None
    column: int | None = None
    """The place, when the text is not YAML; from 1, in its piece."""
    spec: dict[str, Any] | None = None
    """The decoded spec with its defaults, when it came that far."""
    metadata: Mapping[str, Any] = MappingProxyType({})
    unknown: tuple[Path, ...] = ()
    """Fields that the server drops without a word."""

    @property
    def admitted(self) -> bool:
        """Whether the object is created."""
        return self.stage == "admitted"


def not_yaml(error: NotYamlError) -> Verdict:
    """The verdict on a text that cannot be read."""
    return Verdict("yaml", message=error.message, line=error.line, column=error.column)


def admit(
    value: object, *, cluster: Cluster | None = None, version: KatibVersion = "0.19", old: object = None
) -> Verdict:
    """Judges one object as the API server and Katib's webhooks do.

    Args:
        value: The JSON value of a document, as `kftune.katib.go.reading.read` gives it; it is not changed.
        cluster: What the cluster holds; None for a stock install with labelled namespaces.
        version: Which Katib.
        old: The living object when this is an update, else None.

    Raises:
        UsageError: The living object is no Experiment that a cluster could hold.
    """
    cluster = cluster or _STOCK
    refusal = server_refusal(value)
    if refusal is not None:
        return Verdict("server", refusal.reasons, refusal.message, refusal.path)
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
        return Verdict("webhook", (), message, ("metadata", "namespace"), spec=spec, metadata=metadata, unknown=unknown)
    before = _living(old, version) if old is not None else None
    reasons = tuple(webhook_reasons(metadata["name"], spec, before, cluster, version))
    stage: Stage = "webhook" if reasons else "admitted"
    return Verdict(stage, reasons, spec=spec, metadata=metadata, unknown=unknown)


_STOCK = Cluster()


def _living(old: object, version: KatibVersion) -> dict[str, Any]:
    """The decoded living object with the defaults of its spec."""
    try:
        before = struct("Experiment").decode(old)
    except DecodeError as error:
        raise UsageError(f"the living Experiment must decode, and does not: {error.message}") from None
    before["spec"] = with_defaults(before.get("spec", {}), version)
    return before
