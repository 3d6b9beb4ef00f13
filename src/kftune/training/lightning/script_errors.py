"""How a script ends when `fit` refuses what it was given: with one line, as `Hparams.from_args` does.

`fit` raises as any function does, so a caller can catch the error, and a notebook shows it in full. Only if nobody
catches it, and Python is about to end the script, is the traceback left out: it would show code of kftune.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import TracebackType

from kftune.errors import HparamsError, UsageError

_MARK = "_ends_script_with_one_line"


@contextmanager
def ends_scripts_with_one_line() -> Iterator[None]:
    """Marks the errors about hyperparameters and use that are raised inside; also a decorator.

    Raises:
        HparamsError: As raised inside.
        UsageError: As raised inside.
    """
    try:
        yield
    except (HparamsError, UsageError) as error:
        setattr(error, _MARK, True)
        _install()
        raise


@cache
def _install() -> None:
    others = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if getattr(error, _MARK, False):
            sys.stderr.write(f"{sys.argv[0]}: {error}\n")
        else:
            others(kind, error, trace)

    sys.excepthook = show
