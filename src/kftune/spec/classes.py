"""The hyperparameter classes of a project, found without importing every file of it.

A study or pipeline names its class (``module:Class``), and its file says where the module is. Modules that register
classes under short names are listed in the project file: ``registry: [module]``. They are imported when a name is not
known otherwise, or when all classes are listed. One may also have the entries in a dict, `TABLE`, and import nothing
of kftune.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kftune import yaml_text
from kftune.errors import RegistryError, UnknownNameError, YamlError
from kftune.hparams import Hparams
from kftune.hparams.registry import HPARAMS_REGISTRY, import_module, load_hparams
from kftune.runs import YAML_SUFFIXES, files_below
from kftune.spec.kind import PROJECT_FILE, kind_of, kind_of_file

TABLE = "HYPERPARAMETER_REGISTRY"
"""The name of a module's dict with the entries of its classes, as projects for SageMaker have it."""


class NamedClass(NamedTuple):
    """A class that a study or pipeline names as ``module:Class``."""

    name: str
    file: Path
    """The first file that names it."""


def load_class(name: str, folders: Sequence[Path] = ()) -> type[Hparams]:
    """Returns the hyperparameter class that a study or pipeline names.

    Args:
        name: A class name or model type of the registry, or ``module:Class``.
        folders: Folders to search for modules and for a project file, before the installed packages.

    Raises:
        UnknownNameError: No such registry name, or the module has no such class.
        RegistryError: A module cannot be imported, or the name is not that of an `Hparams` class.
    """
    if ":" not in name:
        try:
            HPARAMS_REGISTRY.find(name)
        except UnknownNameError:
            register_classes(folders)
    return load_hparams(name, folders)


def register_classes(folders: Sequence[Path]) -> list[str]:
    """Imports the modules that the project files in some folders list under ``registry``; returns their names.

    Raises:
        RegistryError: The list is invalid, a module cannot be imported, or an entry of its table is invalid.
        YamlError: A project file is not YAML.
    """
    found = []
    for folder in dict.fromkeys(folders):
        path = folder / PROJECT_FILE
        content = yaml_text.load_file(path) if path.is_file() else None
        if not isinstance(content, Mapping) or kind_of(content).name != "project":
            continue  # a file of another program
        modules = content.get("registry", ())
        if not isinstance(modules, (list, tuple)) or not all(isinstance(module, str) for module in modules):
            raise RegistryError(
                f"{path}: registry must be a list of modules, for example [classes], but is {modules!r}"
            )
        for module in modules:
            try:
                _register_table(module, import_module(module, (folder,)))
            except RegistryError as error:
                raise RegistryError(f"{path}: registry: {error}") from error
            found.append(module)
    return found


def _register_table(name: str, module: object) -> None:
    """Registers the entries that a module has in a dict, if it has one."""
    entries = getattr(module, TABLE, {})
    if not isinstance(entries, Mapping):
        raise RegistryError(f"{name}.{TABLE} must be a dict of class names to entries, but is {entries!r}")
    for class_name, entry in entries.items():
        try:
            HPARAMS_REGISTRY[class_name] = entry
        except RegistryError as error:
            raise RegistryError(f"{name}.{TABLE}: {error}") from error


def named_classes(folder: Path) -> list[NamedClass]:
    """Returns the classes that the studies and pipelines below a folder name; hidden folders are left out."""
    found: dict[str, NamedClass] = {}
    for path in files_below(folder, YAML_SUFFIXES):
        try:
            kind, content = kind_of_file(path)
        except (YamlError, OSError):
            continue  # not a file of kftune: templates of other programs are no YAML
        if kind.name in ("study", "pipeline"):
            for name in _names(content):
                found.setdefault(name, NamedClass(name, path))
    return [*found.values()]


def _names(content: Any) -> Iterator[str]:
    """Yields the classes that a study, or the steps of a pipeline, name by module."""
    if not isinstance(content, Mapping):
        return
    name, steps = content.get("hparams"), content.get("steps")
    if isinstance(name, str) and ":" in name:
        yield name
    for step in steps.values() if isinstance(steps, Mapping) else ():
        yield from _names(step)
        yield from _names(step.get("study") if isinstance(step, Mapping) else None)
