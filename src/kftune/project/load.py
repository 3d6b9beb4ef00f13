"""Loads a project: its file, and its studies and pipelines as in the base and in each overlay."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kftune import yaml_text
from kftune.errors import PipelineError, ProjectError, StudyError, UsageError, near_names, suggestion
from kftune.images import resolve
from kftune.pipeline import Node, Pipeline, TuneStep, load_pipeline
from kftune.project.model import Overlay, Project, ProjectNamespace
from kftune.runs import YAML_SUFFIXES
from kftune.spec.container import ContainerSettings
from kftune.spec.kind import PROJECT_FILE, kind_of_file
from kftune.spec.load import FileType, load_part
from kftune.study import Study, load_study

# Source: Kubernetes, ValidateConfigMap (MaxSecretSize): all values together.
_LARGEST_CONFIG_MAP = 1_048_576
_TAG_AND_DIGEST = re.compile(r"(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@sha256:[0-9a-f]{64})?$")

Member = Study | Pipeline
_MEMBER_KINDS = ("study", "pipeline")
_FILE = FileType(name="project", keys="name:, namespace:", model=Project)


@dataclass(frozen=True)
class Variant:
    """The project as in the base or in one overlay.

    Attributes:
        namespace: Its namespace.
        members: The studies and pipelines by file, in the order in which they are applied.
        created: The namespace, if the project creates it.
    """

    namespace: str
    members: Mapping[str, Member]
    created: ProjectNamespace | None = None


@dataclass(frozen=True)
class LoadedProject:
    """A project file with all that it names.

    Attributes:
        project: The content of the file.
        base: The project without an overlay.
        overlays: The project with each overlay, by name.
        config_maps: The content of each key of each ConfigMap, by name.
        notes: Notes for the user.
    """

    project: Project
    base: Variant
    overlays: Mapping[str, Variant]
    config_maps: Mapping[str, Mapping[str, bytes]]
    notes: tuple[str, ...]


def load_project(folder: str | Path) -> LoadedProject:
    """Returns the project in a folder: its project file, and the studies and pipelines in the same folder.

    Args:
        folder: A folder with a ``project.yaml``.

    Raises:
        ProjectError: The project is invalid; the error has file, line and column.
        StudyError, PipelineError: A study or pipeline is invalid.
        YamlError: A file is not YAML.
        OSError: A file cannot be read.
    """
    path = Path(folder) / PROJECT_FILE
    return _Reader(path, load_part(path, _FILE)).loaded()


@dataclass(frozen=True)
class _Reader:
    path: Path
    project: Project

    def loaded(self) -> LoadedProject:
        files = self._files()
        members = {file: self._member(file, ["namespace"]) for file in files}
        self._check_names(members, ["files"])
        space = self.project.namespace
        base = Variant(space.name, members, space if space.create else None)
        overlays = {name: self._overlay(name, overlay, base) for name, overlay in self.project.overlays.items()}
        contents = {name: self._contents(name, files) for name, files in self.project.config_maps.items()}
        return LoadedProject(self.project, base, overlays, contents, tuple(self._undeclared(base)))

    def error(self, message: str, keys: Sequence[str | int], at_key: bool = False) -> ProjectError:
        text = self.path.read_text(encoding="utf-8")
        where = ".".join(map(str, keys))
        return ProjectError(f"{where}: {message}", str(self.path), *yaml_text.locate(text, keys, key=at_key))

    def _files(self) -> list[str]:
        folder = self.path.parent
        found = sorted(
            str(file.relative_to(folder))
            for file in folder.iterdir()
            if file.suffix in YAML_SUFFIXES and kind_of_file(file)[0].name in _MEMBER_KINDS
        )
        manifests: dict[str, str] = {}
        for index, name in enumerate(self.project.files or found):
            self._check_file(name, found, ["files", index])
            other = manifests.setdefault(name.rpartition(".")[0], name)
            if other != name:
                raise self.error(f"{other} and {name} would be rendered to the same files; rename one", ["files"])
            if name in self.project.files[:index]:
                raise self.error(f"each file is applied once, but {name} is listed twice", ["files", index])
        if not self.project.files and not found:
            raise ProjectError("the folder of the project has no study or pipeline", str(self.path))
        return [*self.project.files] or found

    def _check_file(self, name: str, found: Collection[str], keys: Sequence[str | int]) -> None:
        file = self.path.parent / name
        if not file.is_file():
            raise self.error(f"the folder has no file {name!r}; {suggestion(name, found)}", keys)
        kind, _ = kind_of_file(file)
        if kind.name not in _MEMBER_KINDS:
            raise self.error(f"{name} is {kind}; {suggestion(name, found)}", keys)

    def _check_names(self, members: Mapping[str, Member], keys: Sequence[str | int]) -> None:
        """Rejects two studies, or two pipelines, of the same name: kustomize rejects the same object twice."""
        files: dict[tuple[type[Member], str], str] = {}
        for file, member in members.items():
            other = files.setdefault((type(member), member.name), file)
            if other != file:
                what = "studies" if isinstance(member, Study) else "pipelines"
                raise self.error(
                    f"{what} of a project need different names, but {other} and {file} are both {member.name!r}", keys
                )

    def _member(
        self, file: str, keys: Sequence[str | int], namespace: str | None = None, overrides: Sequence[str] = ()
    ) -> Member:
        """Returns a study or pipeline in the namespace, with the images that a cluster pulls.

        Args:
            file: Its file.
            keys: The keys of the setting that errors are about.
            namespace: The namespace; None means that of the project.
            overrides: Changes to the file.
        """
        path = self.path.parent / file
        space = namespace or self.project.namespace.name
        if kind_of_file(path)[0].name == "study":
            study = load_study(path, overrides)
            self._check_namespace(file, study.targets.katib.namespace, keys)
            placed = load_study(path, [*overrides, f"targets.katib.namespace={_quoted(space)}"])
            return placed.with_images(lambda image: resolve(image, path))
        pipeline = load_pipeline(path, overrides)
        targets = pipeline.targets
        for given in (targets.argo.namespace, targets.kfp.namespace):
            self._check_namespace(file, given, keys)
        own = [f"targets.{name}.namespace={_quoted(space)}" for name in ("argo", "kfp")]
        own += _own_accounts(pipeline)
        loaded = load_pipeline(path, [*overrides, *own]).with_images(lambda image: resolve(image, path))
        return _tuning_where_it_runs(loaded)

    def _check_namespace(self, file: str, given: str | None, keys: Sequence[str | int]) -> None:
        if given is not None and given != self.project.namespace.name:
            raise self.error(
                f"a project is in one namespace, but {file} names {given!r}; remove it there, or give the project or "
                f"the overlay that namespace",
                keys,
            )

    def _overlay(self, name: str, overlay: Overlay, base: Variant) -> Variant:
        place = ["overlays", name]
        for file in overlay.set:
            if file not in base.members:
                raise self.error(
                    f"the project has no {file!r}; {suggestion(file, base.members)}",
                    [*place, "set", file],
                    True,
                )
        known = {image_name(image) for member in base.members.values() for image in _images(member)}
        named = self.project.namespace
        if overlay.namespace is not None:
            named = named.model_copy(update=overlay.namespace.model_dump(exclude_unset=True))
        space, members = named.name, {}
        for file in base.members:
            keys = [*place, "set", file] if file in overlay.set else place
            try:
                members[file] = self._member(file, keys, space, overlay.set.get(file, ()))
            except (StudyError, PipelineError, UsageError) as error:
                raise self.error(f"with these changes {file} is invalid: {error}", keys) from error
            known |= {image_name(image) for image in _images(members[file])}
        self._check_names(members, place)
        for image in overlay.images:
            if image not in known:
                raise self.error(
                    f"no step runs the image {image!r}; {suggestion(image, known)}", [*place, "images", image], True
                )

        def swapped(image: str) -> str:
            tag = overlay.images.get(image_name(image))
            if tag is None:
                return image
            return f"{image_name(image)}{'@' if tag.startswith('sha256:') else ':'}{tag}"

        swapped_members = {file: member.with_images(swapped) for file, member in members.items()}
        return Variant(space, swapped_members, named if named.create else None)

    def _contents(self, name: str, files: Mapping[str, str]) -> dict[str, bytes]:
        contents = {}
        for key, file in files.items():
            path = self.path.parent / file
            if not path.is_file():
                near = near_names(path.name, [other.name for other in path.parent.glob("*")])
                hint = f"; {near}" if near else ""
                raise self.error(f"the folder of the project has no file {file!r}{hint}", ["config_maps", name])
            contents[key] = path.read_bytes()
        size = sum(map(len, contents.values()))
        if size > _LARGEST_CONFIG_MAP:
            raise self.error(
                f"a ConfigMap holds at most {_LARGEST_CONFIG_MAP} bytes, but these files have {size}; put large files "
                f"on a claim",
                ["config_maps", name],
            )
        return contents

    def _undeclared(self, base: Variant) -> Iterator[str]:
        """Yields a note for each claim and ConfigMap that is used, but not created by the project.

        Raises:
            ProjectError: Its name is close to one that the project creates.
        """
        declared: dict[str, Collection[str]] = {"claim": self.project.claims, "ConfigMap": self.project.config_maps}
        told = set()
        for file, member in base.members.items():
            for kind, name in _uses(member):
                known = declared[kind]
                if name in known or (kind, name) in told:
                    continue
                told.add((kind, name))
                section = "claims" if kind == "claim" else "config_maps"
                if near := near_names(name, known):
                    raise self.error(f"{file} uses the {kind} {name!r}, which is not declared; {near}", [section])
                yield f"{file} uses the {kind} {name!r}, which must exist in the namespace; {section} can create it"


def image_name(image: str) -> str:
    """Returns the name of an image without tag and digest."""
    return _TAG_AND_DIGEST.sub("", image)


def _quoted(text: str) -> str:
    return f'"{text}"'


def _own_accounts(pipeline: Pipeline) -> Iterator[str]:
    """Yields the service accounts of a pipeline that names none: the set creates them, each with the rights it needs.

    An account that is named may be bound to one of the cloud, which reads and writes artifacts, so steps keep it.
    """
    argo, name = pipeline.targets.argo, pipeline.name
    if argo.executor_account is None:
        yield f"targets.argo.executor_account={_quoted(f'{name}-executor')}"
    if argo.service_account is None:
        yield f"targets.argo.service_account={_quoted(name)}"
        if argo.launcher_account is None:
            yield f"targets.argo.launcher_account={_quoted(f'{name}-launcher')}"


def _tuning_where_it_runs(pipeline: Pipeline) -> Pipeline:
    """Returns the pipeline with Experiments in its own namespace: in another one, it has no rights to create them."""

    def there(node: Node) -> Node:
        if not isinstance(node.step, TuneStep):
            return node
        targets = node.step.study.targets
        katib = targets.katib.model_copy(update={"namespace": None})
        study = node.step.study.model_copy(update={"targets": targets.model_copy(update={"katib": katib})})
        return replace(node, step=node.step.model_copy(update={"study": study}))

    copy = pipeline.model_copy()
    nodes = {name: there(node) for name, node in pipeline.plan.nodes.items()}
    copy.__dict__["plan"] = replace(pipeline.plan, nodes=nodes)
    return copy


def _containers(member: Member) -> Iterator[ContainerSettings]:
    if isinstance(member, Study):
        yield member.step
        return
    for node in (*member.plan.nodes.values(), *([member.plan.exit] if member.plan.exit else [])):
        yield node.step
        if isinstance(node.step, TuneStep):
            yield node.step.study.step


def _images(member: Member) -> set[str]:
    found = {container.image for container in _containers(member)}
    if isinstance(member, Pipeline):
        found |= {node.step.job.launcher for node in member.plan.nodes.values() if node.step.job is not None}
    return {image for image in found if image is not None}


def _uses(member: Member) -> Iterator[tuple[str, str]]:
    """Yields the claims and ConfigMaps that a study or pipeline uses."""
    for container in _containers(member):
        for volume in container.volumes:
            if volume.claim is not None:
                yield "claim", volume.claim
            if volume.config_map is not None:
                yield "ConfigMap", volume.config_map
        yield from (("ConfigMap", config.name) for config in container.config_maps.values())
