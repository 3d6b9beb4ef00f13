"""Which class of hyperparameters a name means, and the function that trains with it."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from kftune.errors import KftuneError, RegistryError, UnknownNameError, UsageError
from kftune.hparams import Hparams
from kftune.hparams.nearby import class_hint
from kftune.hparams.registry import HPARAMS_REGISTRY, import_module, load_hparams, name_of, trainer_of
from kftune.runs import YAML_SUFFIXES
from kftune.spec.classes import register_classes
from kftune.training.importing import torch_import

_OPTIONS = ("data", "output")
"""Arguments that a function may have besides the hyperparameters."""


class Trained(NamedTuple):
    """What a training returned.

    Attributes:
        status: Its exit status.
        metrics: Name -> value; None if it returned none.
    """

    status: int
    metrics: Mapping[str, float] | None


def folders_here() -> list[Path]:
    """Returns where a project's modules are: the working folder, then those in PYTHONPATH."""
    further = [Path(folder) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    return [Path.cwd(), *further]


def find_model(name: str, others: Sequence[str] = ()) -> type[Hparams]:
    """Returns the class that a name means.

    Args:
        name: A class name or model type of the registry, or ``module:Class``.
        others: Other words that could be meant, for the error.

    Raises:
        KftuneError: There is no such class, or it cannot be imported.
    """
    if name.endswith(YAML_SUFFIXES):
        raise UsageError(
            f"the first argument is a model, but got the file {name}; for hyperparameters write MODEL -c {name}, "
            f"for a study kftune run {name}"
        )
    folders = folders_here()
    if not _is_registered(name):
        register_classes(folders)
    if ":" not in name and not _is_registered(name):
        known = [word for entry in HPARAMS_REGISTRY.values() for word in (entry["class_name"], entry["model_type"])]
        raise UsageError(f"unknown model {name!r}; {class_hint(name, [*known, *others], folders)}")
    try:
        with torch_import():
            return load_hparams(name, folders)
    except RegistryError as error:
        raise _with_its_class(name, error) from error


def _is_registered(name: str) -> bool:
    try:
        HPARAMS_REGISTRY.find(name)
    except UnknownNameError:
        return False
    return True


def _with_its_class(name: str, error: RegistryError) -> KftuneError:
    """Returns the error for a name; one of a model says which classes in its module describe a whole training."""
    module_name, _, attribute = name.partition(":")
    module = sys.modules.get(module_name)
    wanted = getattr(getattr(module, attribute, None), "hparams_class", None)
    if wanted is None:
        return error
    classes = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Hparams)]
    whole = [
        f"{module_name}:{each.__name__}"
        for each in classes
        if each.__module__ == module_name and any(field.annotation is wanted for field in each.model_fields.values())
    ]
    hint = f"give {' or '.join(whole)}" if whole else f"write one with a field of the type {wanted.__name__}"
    return UsageError(f"{name} is a model; what is trained is named by the class of all hyperparameters: {hint}")


class Trainer:
    """The function that trains with a class.

    Args:
        hparams: The class.

    Raises:
        RegistryError: Its module cannot be imported.
        UsageError: There is no such function, it does not take the class, or it needs other arguments.
        MissingExtraError: torch is not installed.
    """

    def __init__(self, hparams: type[Hparams]) -> None:
        self.name = trainer_of(hparams)
        module_name, _, attribute = self.name.partition(":")
        with torch_import():
            module = _module(module_name, name_of(hparams))
        self._function: Callable[..., Any] | None = getattr(module, attribute, None)
        if not callable(self._function):
            raise UsageError(
                f"{name_of(hparams)} is trained by {self.name}(hparams), but {module_name} has no function "
                f"{attribute!r}; write it, register the class with trainer: MODULE:FUNCTION, or run your own script"
            )
        self._takes = _parameters(self._function)
        self._check_class(hparams)
        self._check_call()

    def _check_class(self, given: type[Hparams]) -> None:
        """Raises if the function says that it takes another class."""
        try:
            hints = get_type_hints(self._function)
        except Exception:  # any code; the annotations are only a help here
            return
        wanted = hints.get(next(iter(self._takes), ""))
        if isinstance(wanted, type) and issubclass(wanted, Hparams) and not issubclass(given, wanted):
            raise UsageError(f"{self.name} takes {wanted.__name__}, but got {given.__name__}; give {name_of(wanted)}")

    def _check_call(self) -> None:
        """Raises if the function cannot be called with the hyperparameters, and the options that it has."""
        try:
            signature = inspect.signature(self._function)  # type: ignore[arg-type]  # it is callable
        except (TypeError, ValueError):  # written in C
            return
        try:
            signature.bind(None, **dict.fromkeys(name for name in _OPTIONS if name in self._takes))
        except TypeError as error:
            raise UsageError(
                f"{self.name} is called with the hyperparameters, and with data and output if it has these arguments, "
                f"but it is {self.name.partition(':')[2]}{signature}: {error}"
            ) from None

    def __call__(self, hparams: Hparams, data: Path | None = None, output: Path | None = None) -> Trained:
        """Trains.

        Args:
            hparams: The hyperparameters.
            data: What ``--data`` says; None without it.
            output: The folder to write; None for KFTUNE_OUTPUT_DIR, which a function without this argument uses.

        Raises:
            UsageError: The function does not take the data, or it returned something other than `Trained` has.
        """
        options = dict(zip(_OPTIONS, (data, output), strict=True))
        taken = {name: value for name, value in options.items() if name in self._takes}
        if data is not None and "data" not in taken:
            raise UsageError(f"{self.name} takes no argument data, so there can be no --data; got --data={data}")
        if output is not None and "output" not in taken:
            os.environ["KFTUNE_OUTPUT_DIR"] = str(output)
        return self._result(self._function(hparams, **taken))  # type: ignore[misc]  # it is callable

    def _result(self, found: Any) -> Trained:
        metrics: Any = found if isinstance(found, Mapping) else getattr(found, "best", None)  # the latter: FitResult
        if found is None or type(found) is int:
            return Trained(found or 0, None)
        try:
            return Trained(0, {str(name): float(value) for name, value in metrics.items() if name != "epoch"})
        except (AttributeError, TypeError, ValueError):
            raise UsageError(
                f"{self.name} must return metrics (name -> number), what fit returns, an exit status or None, "
                f"but returned {found!r:.200}"
            ) from None


def _module(name: str, of: str) -> object:
    if name.startswith("kftune."):
        return importlib.import_module(name)
    return import_module(name, folders_here(), hint=f"it has the function that trains {of}")


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # written in C
        return {}
