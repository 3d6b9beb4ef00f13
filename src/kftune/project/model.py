"""`Project`: what a project file describes."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from kftune.errors import ProjectError
from kftune.spec.labels import DataKey, DnsLabel, LabelKey, LabelValue, matching
from kftune.spec.part import Part
from kftune.spec.quantities import Quantity
from kftune.spec.schema import file_schema


class ProjectPart(Part):
    """One section of a project file."""

    ERROR = ProjectError


def _beside(value: str) -> str:
    path = PurePosixPath(value)
    if not value or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"a file is given by its path inside the folder of the project, but got {value!r}")
    return str(path)


def _by_name(value: object) -> object:
    """Returns the files of a list by their names."""
    if not isinstance(value, (list, tuple)):
        return value
    keys = [PurePosixPath(str(file)).name for file in value]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise ValueError(f"each file needs another key, but two are named {twice!r}; write KEY: FILE for each")
    return dict(zip(keys, value, strict=True))


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


ProjectTarget = Literal["katib", "argo", "kfp", "kfp-objects"]
FileName = Annotated[str, AfterValidator(_beside)]
ImageTag = Annotated[
    str,
    matching(
        r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|sha256:[0-9a-f]{64}",
        "an image gets a tag (1.2) or digest (sha256: and 64 digits)",
    ),
]
StorageClass = Annotated[
    str,
    matching(
        r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?",
        "the name of a storage class is lower-case letters, digits, '-' and '.'",
    ),
]
ModuleName = Annotated[
    str,
    matching(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", "a module is given by its dotted name, without .py (classes)"),
]
Files = Annotated[
    dict[DataKey, FileName],
    Field(min_length=1),
    BeforeValidator(_by_name, json_schema_input_type=tuple[FileName, ...] | dict[DataKey, FileName]),
]


class ProjectNamespace(ProjectPart):
    """The namespace of the project."""

    name: DnsLabel
    """Its name."""
    create: bool = True
    """Whether the project creates it; false if something else does, such as Kubeflow's profiles."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """More labels, if the project creates it."""


class Claim(ProjectPart):
    """A PersistentVolumeClaim."""

    size: Quantity
    """Its size (``10Gi``)."""
    access: tuple[Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"], ...] = Field(
        ("ReadWriteMany",), min_length=1
    )
    """How nodes can mount it; pods on several nodes need ReadWriteMany."""
    storage_class: StorageClass | None = None
    """Storage class; default: that of the cluster."""


class Overlay(ProjectPart):
    """Changes to the project for one place where it runs."""

    namespace: Annotated[
        ProjectNamespace | None, BeforeValidator(_named, json_schema_input_type=DnsLabel | ProjectNamespace)
    ] = None
    """The namespace, in place of that of the project. What it does not say is as in that of the project."""
    images: dict[str, ImageTag] = Field(default_factory=dict)
    """Name of an image, without a tag -> tag or digest."""
    set: dict[FileName, tuple[str, ...]] = Field(default_factory=dict)
    """Study or pipeline file -> overrides, such as ``budget.max_trials=4``."""


class Project(ProjectPart):
    """The studies and pipelines of a folder, and the objects that they need."""

    name: DnsLabel
    """Its name."""
    namespace: Annotated[ProjectNamespace, BeforeValidator(_named, json_schema_input_type=DnsLabel | ProjectNamespace)]
    """The namespace; the short form is its name."""
    targets: Annotated[tuple[ProjectTarget, ...], Field(min_length=1)] = ("katib", "argo", "kfp")
    """What is rendered: Experiments (``katib``), objects of Argo Workflows (``argo``), files for the page of Kubeflow
    Pipelines, which are not applied (``kfp``), and objects for Kubeflow Pipelines that keeps pipelines in Kubernetes
    (``kfp-objects``)."""
    files: tuple[FileName, ...] = Field((), min_length=1)
    """The studies and pipelines to apply; default: all in the folder. Applying a study starts it."""
    registry: tuple[ModuleName, ...] = ()
    """Modules in the folder that register hyperparameter classes, or have a dict HYPERPARAMETER_REGISTRY of them. They
    are imported when a class is looked for by its name."""
    training_modules: tuple[ModuleName, ...] = ()
    """Modules, with those below them, from which hyperparameters may name an optimizer or a scheduler besides
    ``torch.optim``; a training reads them from the project file in its working folder or above."""
    claims: dict[DnsLabel, Claim] = Field(default_factory=dict)
    """PersistentVolumeClaims to create, by name."""
    config_maps: dict[DnsLabel, Files] = Field(default_factory=dict)
    """ConfigMaps to create, by name: a list of files, or key -> file."""
    overlays: dict[DnsLabel, Overlay] = Field(default_factory=dict)
    """Changes for other places, by name."""


def project_schema() -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of a project file."""
    return file_schema(Project, "kftune project")
