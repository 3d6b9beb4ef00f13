"""Classes that other packages, or modules beside a study, add to kftune.

A package declares them as entry points of a group, such as ``kftune.stopping_rules``; a module needs no declaration:
``module:Class`` names its class. Installed packages are searched only for a name that kftune itself does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from kftune.errors import RegistryError, near_names, suggestion
from kftune.hparams.registry import import_module

Base = TypeVar("Base")


def names_of(group: str) -> list[str]:
    """Returns the names that installed packages add to a group.

    Args:
        group: The group of entry points.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415  # costs as much as half of a start-up

    return sorted({point.name for point in entry_points(group=group)})


def installed(group: str, name: str) -> str:
    """Returns where the class is that an installed package adds under a name, as ``module:Class``; empty without one.

    Args:
        group: The group of entry points.
        name: The name.

    Raises:
        RegistryError: Two packages add that name.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415

    found = {point.value: point for point in entry_points(group=group, name=name)}
    if len(found) > 1:
        owners = " and ".join(sorted(f"{place} of {point.dist and point.dist.name}" for place, point in found.items()))
        raise RegistryError(f"a name in {group} belongs to one package, but {owners} have {name!r}; uninstall one")
    return next(iter(found), "")


def load_class(
    place: str, base: type[Base] | tuple[type[Base], ...], what: str, folders: Sequence[Path] = ()
) -> type[Base]:
    """Returns a class.

    Args:
        place: Where it is, as ``module:Class``.
        base: The class, or classes, of which it must be a subclass.
        what: What it is, such as ``stopping rule``, for the errors.
        folders: Folders to search for the module before the installed packages.

    Raises:
        RegistryError: The module cannot be imported, or it has no such class.
    """
    module_path, _, name = place.partition(":")
    form = f"a {what} of one's own is written module:Class, as in an import"
    if not all(part.isidentifier() for part in module_path.split(".")) or module_path.endswith(".py"):
        raise RegistryError(f"{module_path!r} is not the name of a module; {form}")
    beside = [file.stem for folder in folders for file in folder.glob("*.py")]
    module = import_module(module_path, folders, hint=near_names(module_path, beside) or form)
    found = getattr(module, name, None)
    bases = base if isinstance(base, tuple) else (base,)
    wanted = " or ".join(each.__name__ for each in bases)
    if found is None:
        classes = [
            key
            for key, value in vars(module).items()
            if isinstance(value, type) and issubclass(value, bases) and value.__module__ == module_path
        ]
        raise RegistryError(f"module {module_path} has no class {name!r} for a {what}; {suggestion(name, classes)}")
    if not (isinstance(found, type) and issubclass(found, bases)):
        raise RegistryError(f"{place} must be a subclass of {wanted} to be a {what}, but is {found!r}")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise RegistryError(f"{place} must define {', '.join(missing)} to be a {what}")
    return found
