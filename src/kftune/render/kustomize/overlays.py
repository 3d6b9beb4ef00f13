"""Renders an overlay as kustomize patches: the difference between two renderings, object by object.

kustomize's transformers for images and counts reach neither a trial's image in an Experiment nor one in the launcher's
arguments. So kftune renders the base and the overlay, and patches hold the difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kftune.render.rendering import present

KUSTOMIZATION = "kustomization.yaml"

Documents = list[Any]


class _Id(NamedTuple):
    api: str
    kind: str
    name: str

    @property
    def file(self) -> str:
        return f"{self.kind.lower()}-{self.name}.yaml"

    @property
    def target(self) -> dict[str, str]:
        group, _, version = self.api.rpartition("/")
        return present({"group": group, "version": version, "kind": self.kind, "name": self.name})


def overlay_files(
    old_space: str, base: Mapping[str, Documents], new_space: str, wanted: Mapping[str, Documents]
) -> Iterator[tuple[str, Documents]]:
    """Yields the files of an overlay's folder, its kustomization last.

    Args:
        old_space: The base's namespace.
        base: File -> objects of the base.
        new_space: The overlay's namespace.
        wanted: File -> objects that building the overlay must return.
    """
    before, after = _by_id(base), _by_id(wanted)
    patches: list[dict[str, Any]] = []
    resources = ["../../base"]
    for each, original in before.items():
        # kustomize renames the namespace, so `after` has it under another name.
        target = after.get(each._replace(name=new_space) if each.kind == "Namespace" else each)
        if target is None:
            metadata = {key: original["metadata"][key] for key in ("name", "namespace") if key in original["metadata"]}
            path = f"removed-{each.file}"
            yield path, [{"apiVersion": each.api, "kind": each.kind, "metadata": metadata, "$patch": "delete"}]
            patches.append({"path": path})
            continue
        moved = original if new_space == old_space else _moved(original, new_space)
        changes = [*difference(moved, target)]
        if changes:
            path = f"changed-{each.file}"
            yield path, [changes]
            patches.append({"path": path, "target": each.target})
    for path, documents in wanted.items():
        added = [document for document in documents if not _is_in(before, document)]
        if added:
            yield path, added
            resources.append(path)
    more = {"namespace": new_space if new_space != old_space else None, "patches": patches}
    yield KUSTOMIZATION, [kustomization(resources, **present(more))]


def _is_in(before: Mapping[_Id, Any], document: Mapping[str, Any]) -> bool:
    """Returns whether the base has an object; it has one namespace, under its own name."""
    if document["kind"] == "Namespace":
        return any(each.kind == "Namespace" for each in before)
    return _id(document) in before


def kustomization(resources: list[str], **more: Any) -> dict[str, Any]:
    """Renders a kustomization of files and folders."""
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **more, "resources": resources}


def difference(old: Any, new: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """Yields the operations of a JSON patch (RFC 6902) that turns `old` into `new`.

    Args:
        old: Any JSON value.
        new: Any JSON value.
        path: The JSON pointer of both values.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            if key not in new:
                yield {"op": "remove", "path": f"{path}/{_escaped(key)}"}
        for key, value in new.items():
            place = f"{path}/{_escaped(key)}"
            if key in old:
                yield from difference(old[key], value, place)
            else:
                yield {"op": "add", "path": place, "value": value}
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from difference(one, other, f"{path}/{index}")
    elif type(old) is not type(new) or old != new:
        yield {"op": "replace", "path": path, "value": new}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _id(document: Mapping[str, Any]) -> _Id:
    return _Id(document["apiVersion"], document["kind"], document["metadata"]["name"])


def _by_id(files: Mapping[str, Documents]) -> dict[_Id, dict[str, Any]]:
    return {_id(document): document for documents in files.values() for document in documents}


def _moved(document: Mapping[str, Any], space: str) -> dict[str, Any]:
    """Returns an object in another namespace, as kustomize writes it; patches name all subjects of a RoleBinding."""
    key = "name" if document["kind"] == "Namespace" else "namespace"
    return {**document, "metadata": {**document["metadata"], key: space}}
