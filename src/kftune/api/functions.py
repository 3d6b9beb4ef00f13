"""The function that a trial calls: how another process finds it, and which class its argument has."""

from __future__ import annotations

import inspect
import os
import sys
import sysconfig
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, SupportsFloat, TypeVar, get_type_hints

from kftune.errors import UsageError
from kftune.hparams import Hparams
from kftune.hparams.homes import home_of, main_name

H = TypeVar("H", bound=Hparams)

Function = Callable[[H], SupportsFloat | Mapping[str, Any] | None]
"""A function that trains with the hyperparameters that it gets, and returns the value of the objective, or of several
metrics by name, or None if it reports with `kftune.report`."""

_REMEDY = "write it with def at the top of a .py file"
_IN_CELL = (
    "each trial is a process, which finds a function by the name of its file, but this one is in a notebook, or in "
    "text that Python does not read from a .py file; write the cell to a file (%%writefile objective.py), and then: "
    "from objective import {name}"
)


class Called(NamedTuple):
    """A function and its class, by the names that a trial's process finds them by."""

    name: str
    function: str
    hparams: type[Hparams]


def called(function: Function[Any], hparams: type[Hparams] | None) -> Called:
    """Returns how the processes of trials find a function.

    Args:
        function: The function.
        hparams: The class of its argument; None takes the one that it is annotated with.

    Raises:
        UsageError: Another process cannot find it, or its class is not known.
    """
    shown = getattr(function, "__qualname__", type(function).__qualname__)
    if not inspect.isfunction(function):
        raise UsageError(f"the objective must be a function, but is {function!r:.80}; {_REMEDY}")
    if function.__name__ == "<lambda>" or "<locals>" in shown:
        what = "a lambda" if function.__name__ == "<lambda>" else "inside another function"
        raise UsageError(
            f"each trial is a process, which finds the objective by its name, but {shown} is {what}; {_REMEDY}"
        )
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise UsageError(f"{shown} must return its result, but is async or a generator; return a number")
    _check_found(function, shown)
    return Called(function.__name__, home_of(function), hparams or _class_of(function))


def _check_found(function: Function[Any], shown: str) -> None:
    """Checks that the module of a function has it under its name."""
    name = function.__module__
    if name == "__main__" and not main_name():
        raise UsageError(_IN_CELL.format(name=shown))
    found: object = sys.modules.get(name)
    for part in shown.split("."):
        found = getattr(found, part, None)
    if found is not function:
        what = "there is none" if found is None else "that is another one"
        raise UsageError(f"the processes of trials look for {name}:{shown}, but {what}; {_REMEDY}")


def _class_of(function: Function[Any]) -> type[Hparams]:
    """Returns the class that the first parameter of a function is annotated with."""
    parameters = [*inspect.signature(function).parameters]
    if not parameters:
        raise UsageError(
            f"{function.__qualname__} must take the hyperparameters, but takes nothing; write "
            f"def {function.__name__}(h: MyHparams)"
        )
    try:
        found = get_type_hints(function).get(parameters[0])
    except Exception as error:
        raise UsageError(
            f"the annotations of {function.__qualname__} cannot be read: {error}; give hparams=MyHparams"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Hparams)):
        given = f"has no annotation of {parameters[0]!r}" if found is None else f"takes {found!r}"
        raise UsageError(
            f"{function.__qualname__} must say which class of hyperparameters it takes, but {given}; write "
            f"def {function.__name__}({parameters[0]}: MyHparams), or give hparams=MyHparams"
        )
    return found


def step_of(call: Called, metric: str) -> dict[str, Any]:
    """Returns the step whose trials call a function.

    Args:
        call: The function.
        metric: The name of the number that it returns.

    Raises:
        UsageError: Another process cannot find its class.
    """
    hparams = home_of(call.hparams)
    if hparams.startswith("__main__:"):
        raise UsageError(_IN_CELL.format(name=call.hparams.__name__))
    if "<locals>" in hparams:
        raise UsageError(
            f"each trial finds the class by its name, but {hparams} is inside a function; write it at the "
            f"top of a .py file"
        )
    return {
        "module": "kftune.api.call",
        "args": (call.function, hparams, metric),
        "env": {"PYTHONPATH": os.pathsep.join(_import_path())},
    }


def _import_path() -> list[str]:
    """Returns where this process finds modules, without what each Python has: a script changes it as it likes."""
    own = {*sysconfig.get_paths().values()}
    folders = [os.path.abspath(folder or ".") for folder in sys.path]  # noqa: PTH100  # links stay as they are
    return [
        folder
        for folder in dict.fromkeys(folders)
        if folder not in own and not folder.endswith((".zip", "lib-dynload")) and "site-packages" not in folder
    ]
