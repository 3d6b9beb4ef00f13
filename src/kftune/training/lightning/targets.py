"""Finds the class that hyperparameters name, such as ``torch.optim.AdamW``, and checks its arguments before training.

A name imports a module, which runs its code, so the module must be allowed: `torch.optim`, those of
`Model.allowed_modules`, and those that a project file lists under ``training_modules``.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from kftune.errors import HparamsError, near_names, suggestion
from kftune.spec.kind import PROJECT_FILE

ALLOWED = ("torch.optim",)

Target = TypeVar("Target", Optimizer, LRScheduler)


def check_targets(optimizer: Any, scheduler: Any, allowed: Sequence[str]) -> None:
    """Builds optimizer and scheduler for a single weight, so that what they refuse is known before training.

    Args:
        optimizer: The group `OptimizerHparams`.
        scheduler: The group `SchedulerHparams`.
        allowed: More modules that may be imported.

    Raises:
        HparamsError: A module is not allowed, a class is not found, or it refuses its arguments.
    """
    built = build("optimizer", optimizer, Optimizer, [nn.Parameter(nn.Linear(1, 1).weight.detach())], allowed)
    if scheduler.module_name is not None:
        build("scheduler", scheduler, LRScheduler, built, allowed)


def build(group: str, hparams: Any, base: type[Target], first: Any, allowed: Sequence[str]) -> Target:
    """Returns an instance of the class that a group of hyperparameters names.

    Args:
        group: The name of the group, for errors.
        hparams: The group, with ``module_name`` and ``kwargs``.
        base: The class of which it must be a subclass.
        first: Its first argument.
        allowed: More modules that may be imported.

    Raises:
        HparamsError: The module is not allowed, the class is not found, or it refuses its arguments.
    """
    name, kwargs = hparams.module_name, hparams.kwargs
    try:
        target = _find(name, base, allowed)
        _check_arguments(target, kwargs, name)
    except HparamsError as error:
        raise HparamsError(f"{group}.{error}") from error
    try:
        return target(first, **kwargs)
    except (TypeError, ValueError, RuntimeError) as error:
        raise HparamsError(f"{group}.kwargs: {name} refuses {dict(kwargs)!r}: {error}") from error


def _find(name: str, base: type[Target], allowed: Sequence[str]) -> type[Target]:
    module_name, _, class_name = name.rpartition(".")
    modules: tuple[str, ...] = (*ALLOWED, *allowed)
    if not _is_below(module_name, modules):
        modules = (*modules, *_of_project())
    if not _is_below(module_name, modules):
        raise HparamsError(
            f"module_name: {name} is in no module that may be imported: {', '.join(modules)}; add its module to "
            f"training_modules in {PROJECT_FILE}, or to the model's allowed_modules"
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise HparamsError(f"module_name: {name}: no module {error.name!r} can be imported") from error
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, base) and found is not base):
        values = vars(module).items()
        known = [key for key, value in values if isinstance(value, type) and issubclass(value, base)]
        raise HparamsError(
            f"module_name: {module_name} has no {_KINDS[base]} {class_name!r}; "
            f"{suggestion(class_name, [key for key in known if key != base.__name__])}"
        )
    return found


_KINDS: dict[type, str] = {Optimizer: "optimizer", LRScheduler: "scheduler"}


def _is_below(module_name: str, modules: Sequence[str]) -> bool:
    return any(f"{module_name}.".startswith(f"{module}.") for module in modules)


def _of_project() -> Iterator[str]:
    """Yields the modules that the nearest project file allows, in the working folder or above."""
    from kftune.project.model import Project  # noqa: PLC0415  # only a module that is not built in needs it
    from kftune.spec.load import FileType, load_part  # noqa: PLC0415

    folder = Path.cwd()
    path = next((each / PROJECT_FILE for each in (folder, *folder.parents) if (each / PROJECT_FILE).is_file()), None)
    if path is not None:
        yield from load_part(path, FileType(name="project", keys="name:, namespace:", model=Project)).training_modules


def _check_arguments(target: type[Any], kwargs: Mapping[str, Any], name: str) -> None:
    parameters = [*inspect.signature(target).parameters.values()][1:]  # the first is what it works on
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    named = {each.name: each for each in parameters if each.kind is not each.VAR_POSITIONAL}
    unknown = [key for key in kwargs if key not in named]
    if unknown:
        near = near_names(unknown[0], named) or f"its arguments are {', '.join(named)}"
        raise HparamsError(f"kwargs: {name} has no argument {unknown[0]!r}; {near}")
    missing = [key for key, each in named.items() if each.default is each.empty and key not in kwargs]
    if missing:
        raise HparamsError(f"kwargs: {name} needs {missing[0]!r}; give kwargs.{missing[0]}")
