"""Renders a project as a kustomization for `kubectl apply -k`: a base, and overlays.

The base has its own folder, because an overlay cannot build on a folder above it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from kftune.errors import RenderError
from kftune.project import LoadedProject, Member, Project, Variant
from kftune.render import Rendering, render, render_pipeline
from kftune.render.kustomize.access import access
from kftune.render.kustomize.objects import claims, config_maps, namespace
from kftune.render.kustomize.overlays import KUSTOMIZATION, kustomization, overlay_files
from kftune.study import Study

# The targets that kubectl applies; the other files are for KFP's UI, or start one run.
_APPLIED = ("katib", "argo", "kfp-objects")

Documents = list[Any]


class ProjectRendering(NamedTuple):
    """The files of a kustomization, and notes about them."""

    files: dict[str, Documents]
    """Path within the project's folder -> documents."""
    notes: list[str]
    """Short sentences for the user."""


class MemberError(RenderError):
    """A study or pipeline of a project that a target cannot express.

    Args:
        message: What must hold, what is given, what works.
        file: Its file, relative to the project's folder.
        places: The keys that lead to the values in question, in this file.
    """

    def __init__(self, message: str, file: str, *places: tuple[str | int, ...]) -> None:
        super().__init__(message, *places)
        self.file = file


class _Objects(NamedTuple):
    applied: dict[str, Documents]
    beside: dict[str, Documents]
    notes: list[str]


def render_project(loaded: LoadedProject) -> ProjectRendering:
    """Renders the kustomization of a project.

    Raises:
        MemberError: A target cannot express a study or pipeline; the message says what, why and what works.
        RenderError: A target cannot express one as an overlay changes it.
        MissingExtraError: There is a pipeline and kfp is not installed.
    """
    base = _objects(loaded, loaded.base)
    files = {KUSTOMIZATION: [kustomization(["base"])]}
    files |= {f"base/{KUSTOMIZATION}": [kustomization([*base.applied])]}
    files |= {f"base/{path}": documents for path, documents in base.applied.items()}
    files |= base.beside
    variants = [base]
    for name, variant in loaded.overlays.items():
        try:
            found = _objects(loaded, variant)
        except MemberError as error:
            # Without places: the overlay may have changed the values.
            raise RenderError(f"overlay {name}: {error.file}: {error}") from error
        variants.append(found)
        for path, documents in overlay_files(loaded.base.namespace, base.applied, variant.namespace, found.applied):
            files[f"overlays/{name}/{path}"] = documents
        for path, documents in found.beside.items():
            if documents != base.beside.get(path):
                files[f"overlays/{name}/{path}"] = documents
    return ProjectRendering(files, [*loaded.notes, *base.notes, *_same_names(variants)])


def render_objects(loaded: LoadedProject, overlay: str | None = None) -> Documents:
    """Renders the objects directly: what building the base or an overlay must return.

    Args:
        loaded: The project.
        overlay: The overlay's name; None means the base.
    """
    variant = loaded.base if overlay is None else loaded.overlays[overlay]
    return [document for documents in _objects(loaded, variant).applied.values() for document in documents]


def _objects(loaded: LoadedProject, variant: Variant) -> _Objects:
    applied: dict[str, Documents] = {}
    beside: dict[str, Documents] = {}
    notes: list[str] = []
    for path, rendering in _rendered(loaded.project, variant.members):
        name = path.split(".")[-2]
        (applied if name in _APPLIED else beside)[path] = rendering.documents
        if rendering.created:
            beside[path.removesuffix(".yaml") + "-run.yaml"] = [*rendering.created]
        notes += [note for note in rendering.notes if note not in notes]
    shared = {
        "namespace.yaml": namespace(variant.created),
        "access.yaml": access(loaded.project, variant),
        "claims.yaml": claims(loaded.project, variant.namespace),
        "config-maps.yaml": config_maps(loaded.config_maps, variant.namespace),
    }
    return _Objects({**{path: found for path, found in shared.items() if found}, **applied}, beside, notes)


def _same_names(variants: Collection[_Objects]) -> Iterator[str]:
    """Yields which Experiments have one name in several namespaces.

    Source: katib v0.19.0, pkg/controller.v1beta1/suggestion/suggestion_controller.go lists the trials of an Experiment
    by its name, in all namespaces; goptuna refuses those that it did not draw.
    """
    found: dict[str, dict[str, None]] = {}
    for variant in variants:
        for document in (each for documents in variant.applied.values() for each in documents):
            if document["kind"] == "Experiment":
                metadata = document["metadata"]
                found.setdefault(metadata["name"], {})[metadata.get("namespace", "default")] = None
    for name, namespaces in found.items():
        if len(namespaces) > 1:
            yield (
                f"the Experiment {name} is in the namespaces {', '.join(namespaces)}: on one cluster, Katib mixes up "
                f"their trials, and the later one may never start one; give each a name with targets.katib.name in the "
                f"overlay's set"
            )


def _rendered(project: Project, members: Mapping[str, Member]) -> Iterator[tuple[str, Rendering]]:
    for file, member in members.items():
        try:
            yield from _manifests(file.rpartition(".")[0], member, project.targets)
        except RenderError as error:
            raise MemberError(str(error), file, *error.places) from error


def _manifests(stem: str, member: Member, targets: Collection[str]) -> Iterator[tuple[str, Rendering]]:
    if isinstance(member, Study):
        if "katib" in targets:
            yield f"{stem}.katib.yaml", render(member, "katib")
        return
    for target in ("argo", "kfp-objects", "kfp"):
        if target in targets:
            yield f"{stem}.{target}.yaml", render_pipeline(member, target)
