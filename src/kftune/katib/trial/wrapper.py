"""Katib's pod webhook: how it wraps the primary container's command, and what it mounts for the collector.

Source: katib v0.19.0, pkg/webhook/v1beta1/pod (inject_webhook.go, utils.go).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kftune.errors import KatibError
from kftune.katib.trial import METRICS_LOG, SHELLS, WRAPPED_COLLECTORS


class WrapperError(KatibError):
    """The pod is rejected, and the trial never starts."""


class WrapperPanic(WrapperError):  # noqa: N818 - Go's word
    """The webhook crashes, and the pod is rejected."""


class Mount(NamedTuple):
    """A volume of the primary container and of the collector."""

    name: str
    path: str


class Wrapped(NamedTuple):
    """The primary container after the webhook."""

    command: tuple[str, ...]
    args: tuple[str, ...]
    mounts: tuple[Mount, ...]
    """The mounts that were added."""


def wrap(
    command: Sequence[str],
    args: Sequence[str],
    collecting: Mapping[str, Any],
    *,
    early_stopping: bool = False,
    image: str = "",
) -> Wrapped:
    """Wraps the primary container.

    Args:
        command: Its command; empty for that of its image.
        args: Its args.
        collecting: spec.metricsCollectorSpec with its defaults.
        early_stopping: Whether the trial has stop rules.
        image: Its image, used when there is no command.

    Raises:
        WrapperError: There is no command, and the image's command cannot be looked up.
        WrapperPanic: The command is a shell without arguments, or the collector's path is missing.
    """
    kind = _kind(collecting)
    folder = _folder(collecting)
    mounts = (Mount("metrics-volume", folder),) if metrics_path(collecting) else ()
    if kind not in WRAPPED_COLLECTORS:
        return Wrapped(tuple(command), tuple(args), mounts)
    tokens = [*command, *args]
    if not command:
        if not is_full_reference(image):
            raise WrapperError(f'Failed to parse image "{image}": could not parse reference: {image}')
        reason = f"only the registry knows that of the image {image!r}"
        raise WrapperError(f"the container has no command, and {reason}; give a command")
    start = ["sh", "-c"]
    if tokens[0] in SHELLS:
        if len(tokens) == 1:
            raise WrapperPanic(
                f"index out of range [1] with length 1: {tokens[0]!r} must be followed by -c and a script"
            )
        if tokens[1] == "-c":
            start, tokens = tokens[:2], tokens[2:]
    if kind == "StdOut":
        tokens.append(f"1>{METRICS_LOG} 2>&1")
    if early_stopping:
        tokens.append(
            f"|| if test -f {_joined(folder, '$$$$.pid')} && "
            f"[ $(head -n 1 {_joined(folder, '$$.pid')}) = early-stopped ]; "
            "then echo Training Container was Early Stopped; "
            "else echo Training Container was Failed; exit 1; fi"
        )
    tokens.append(f"&& echo completed > {_joined(folder, '$$$$.pid')}")
    return Wrapped(tuple(start), (" ".join(tokens),), mounts)


def metrics_path(collecting: Mapping[str, Any]) -> str:
    """Returns the path that the collector reads; empty when it reads no files.

    Args:
        collecting: spec.metricsCollectorSpec with its defaults.

    Raises:
        WrapperPanic: The kind reads files, and there is no path.
    """
    kind = _kind(collecting)
    if kind == "StdOut":
        return METRICS_LOG
    place = (collecting.get("source") or {}).get("fileSystemPath")
    if kind in ("File", "TensorFlowEvent") and place is None:
        raise WrapperPanic(
            f"invalid memory address or nil pointer dereference: the collector {kind} must have a source.fileSystemPath"
        )
    if kind in ("File", "TensorFlowEvent", "Custom") and place is not None:
        return str(place.get("path", ""))
    return ""


def _folder(collecting: Mapping[str, Any]) -> str:
    """Returns the folder of the metrics and of the completion marker: that of the file, or the path itself."""
    path = metrics_path(collecting)
    kind = _kind(collecting)
    place = (collecting.get("source") or {}).get("fileSystemPath") or {}
    is_file = kind in ("StdOut", "File") or (kind == "Custom" and place.get("kind") == "File")
    return _clean(path[: path.rfind("/") + 1]) if is_file else path


def _kind(collecting: Mapping[str, Any]) -> str:
    return str((collecting.get("collector") or {}).get("kind", ""))


def _joined(folder: str, name: str) -> str:
    """`filepath.Join`."""
    return _clean(f"{folder}/{name}") if folder else name


def _clean(path: str) -> str:
    """`filepath.Clean`: removes doubled slashes, `.`, and each `..` that can be resolved."""
    rooted = path.startswith("/")
    kept: list[str] = []
    for part in path.split("/"):
        if part == ".." and (kept and kept[-1] != ".."):
            kept.pop()
        elif part == ".." and rooted:
            continue
        elif part not in ("", "."):
            kept.append(part)
    return ("/" if rooted else "") + "/".join(kept) or ("/" if rooted else ".")


_TAG = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REPOSITORY = re.compile(r"[a-z0-9_./-]{2,255}")
_REGISTRY = re.compile(r"(?:[A-Za-z0-9_.~!$&'()*+,;=-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")


def is_full_reference(image: str) -> bool:
    """Whether Katib can look up the command of an image: its name needs registry, path, and tag or digest."""
    return not image_problem(image)


def image_problem(image: str, *, strict: bool = True) -> str:
    """Returns why Katib cannot look up the command of an image; empty if it can read the name.

    Args:
        image: The image's name.
        strict: Whether the name must be complete, as from Katib 0.19 on; 0.18 takes Docker Hub and latest for what
            is missing.

    Source: katib v0.19.0 and v0.18.0, pkg/webhook/v1beta1/pod (utils.go); github.com/google/go-containerregistry,
        pkg/name (StrictValidation, WeakValidation).
    """
    base, at, digest = image.partition("@")
    head, colon, tag = base.rpartition(":")
    tagged = bool(colon) and "/" not in tag
    if tagged and _TAG.fullmatch(tag):
        base = head
    elif tagged:
        return f"{tag!r} is not a tag"
    elif strict and not at:
        return "it needs a tag or a digest"
    if at and not _DIGEST.fullmatch(digest):
        return f"{digest!r} is not a digest"
    return _repository_problem(base, strict=strict)


def _repository_problem(name: str, *, strict: bool) -> str:
    registry, slash, path = name.partition("/")
    if not slash or not ("." in registry or ":" in registry):
        registry, path = "", name
    if not _REPOSITORY.fullmatch(path):
        return f"{path!r} is not the path of an image: two or more of a-z, 0-9, '_', '.', '/' and '-'"
    if registry and not _REGISTRY.fullmatch(registry):
        return f"{registry!r} is not a registry"
    if strict and not registry:
        port = "; 'localhost' is one only with a port" if name.startswith("localhost/") else ""
        return f"it needs a registry{port}"
    if strict and registry in ("docker.io", "index.docker.io") and "/" not in path:
        return f"it needs the full path: {registry}/library/{path}"
    return ""
