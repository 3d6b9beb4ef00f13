"""``python -m kftune.api.call FUNCTION CLASS METRIC --name=value ...``: the process of a trial that calls a function.

It makes an instance of the class, calls the function, and reports what that returns. Exit status: 0 done, 1 the
function raised an error, or returned what is no result.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from kftune.errors import KftuneError, UsageError
from kftune.metrics import report
from kftune.metrics.line import Reported

_IMPORTING = "KFTUNE_IMPORTING"


def importing() -> str:
    """Returns the function that this process, that of a trial, looks for at this moment; empty otherwise."""
    return os.environ.get(_IMPORTING, "")


def main(argv: Sequence[str]) -> int:
    """Calls the function, and returns the exit status."""
    function, hparams, metric, *arguments = argv
    try:
        called, values = _prepared(function, hparams, arguments)
    except KftuneError as error:
        return _fail(str(error))
    try:
        result = called(values)
    except Exception as error:
        # The frames of the user's code only.
        traceback.print_exception(error.with_traceback(error.__traceback__ and error.__traceback__.tb_next))
        return 1
    try:
        _report(result, function, metric)
    except KftuneError as error:
        return _fail(f"{function}: {error}")
    return 0


def _prepared(function: str, hparams: str, arguments: Sequence[str]) -> tuple[Any, Any]:
    os.environ[_IMPORTING] = function
    try:
        return _found(function), _found(hparams).from_args(arguments)
    finally:
        del os.environ[_IMPORTING]


def _found(name: str) -> Any:
    """Returns the function or class that ``module:name`` names."""
    module, _, dotted = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in dotted.split("."):
        found = getattr(found, part, None)
    if found is None:
        where = getattr(sys.modules[module], "__file__", None) or "built in"
        raise UsageError(
            f"a trial's process finds no {dotted} in {where}; define it there outside of if __name__ == '__main__', "
            f"and give the file a name that no other module has"
        )
    return found


def _report(result: object, function: str, metric: str) -> None:
    """Reports what a function has returned."""
    if result is None:
        sys.stderr.write(f"{function} returned None; what counts is what it reported\n")
    else:
        # What the function has reached with its last step.
        values: Any = result if isinstance(result, Mapping) else {metric: result}
        report(values, step=Reported.step)


def _fail(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
