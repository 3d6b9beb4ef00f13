"""What a project file says."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from kftune.errors import KftuneError, ProjectError
from kftune.spec.container import DnsLabel
from kftune.spec.labels import DataKey, LabelKey, LabelValue
from kftune.spec.part import Part
from kftune.spec.quantities import Quantity
from kftune.spec.schema import file_schema
from kftune.validation import findings

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_STORAGE_CLASS = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class ProjectPart(Part):
    """One part of a project."""

    @classmethod
    def own_error(cls, error: ValidationError) -> KftuneError:  # type: ignore[override]  # another class of the tree
        """pydantic's findings as one error, a line each."""
        return ProjectError("\n".join(map(str, findings(error, cls))))


def _beside(value: str) -> str:
    path = PurePosixPath(value)
    if not value or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"a file is named by its path within the project's folder, but got {value!r}")
    return str(path)


def _tag(value: str) -> str:
    if _TAG.fullmatch(value) is None and _DIGEST.fullmatch(value) is None:
        raise ValueError(f"an image gets another tag (1.2) or digest (sha256: and 64 digits), but got {value!r}")
    return value


def _by_name(value: object) -> object:
    """The key of each file in a list is its name."""
    if not isinstance(value, (list, tuple)):
        return value
    keys = [PurePosixPath(str(file)).name for file in value]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise ValueError(f"each file needs a key of its own, but two are named {twice!r}; write KEY: FILE for each")
    return dict(zip(keys, value, strict=True))


def _storage_class(value: str) -> str:
    if _STORAGE_CLASS.fullmatch(value) is None:
        raise ValueError(f"a storage class is named in lower-case letters, digits, '-' and '.', but got {value!r}")
    return value


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


FileName = Annotated[str, AfterValidator(_beside)]
ImageTag = Annotated[str, AfterValidator(_tag)]
StorageClass = Annotated[str, AfterValidator(_storage_class)]
Files = Annotated[
    dict[DataKey, FileName],
    Field(min_length=1),
    BeforeValidator(_by_name, json_schema_input_type=tuple[FileName, ...] | dict[DataKey, FileName]),
]


class ProjectNamespace(ProjectPart):
    """The namespace that everything of the project is in."""

    name: DnsLabel
    """Its name."""
    create: bool = True
    """Whether the set makes it; false where somebody else does, such as Kubeflow's profiles."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Further labels of it, when the set makes it."""


class Claim(ProjectPart):
    """A PersistentVolumeClaim."""

    size: Quantity
    """Room that it asks for (``10Gi``)."""
    access: tuple[Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"], ...] = Field(
        ("ReadWriteMany",), min_length=1
    )
    """How nodes may mount it; pods on several nodes need ReadWriteMany."""
    storage_class: StorageClass | None = None
    """Storage class; left out, the cluster's default."""


class Overlay(ProjectPart):
    """What is different in one place where the project runs."""

    namespace: DnsLabel | None = None
    """Another namespace."""
    images: dict[str, ImageTag] = Field(default_factory=dict)
    """Name of an image, without a tag -> another tag or digest."""
    set: dict[FileName, tuple[str, ...]] = Field(default_factory=dict)
    """Study or pipeline file -> changes, such as ``budget.max_trials=4``, as after ``kftune render``."""


class Project(ProjectPart):
    """The set of objects that one folder of studies and pipelines becomes."""

    name: DnsLabel
    """What the project is called."""
    namespace: Annotated[ProjectNamespace, BeforeValidator(_named, json_schema_input_type=DnsLabel | ProjectNamespace)]
    """The namespace of everything; its name will do."""
    files: tuple[FileName, ...] = Field((), min_length=1)
    """The studies and pipelines that are applied; left out, all in the folder. Applying a study starts it."""
    claims: dict[DnsLabel, Claim] = Field(default_factory=dict)
    """PersistentVolumeClaims that the set makes, by name."""
    config_maps: dict[DnsLabel, Files] = Field(default_factory=dict)
    """ConfigMaps that the set makes, by name: files, or keys with a file each."""
    overlays: dict[DnsLabel, Overlay] = Field(default_factory=dict)
    """The same set for other places, by name."""


def project_schema() -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of a project file."""
    return file_schema(Project, "kftune project")
