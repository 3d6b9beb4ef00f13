"""What a script takes on its command line, read from its source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kftune.lint.drift.argparse_reader import argparse_script
from kftune.lint.drift.module import Module, SourceError
from kftune.lint.drift.script import Script
from kftune.lint.drift.signature_reader import signature_script


def read_script(file: Path, folders: Sequence[Path]) -> Script:
    """What a script takes.

    Args:
        file: The script.
        folders: Where the modules that it imports are looked for; others are not opened.
    """
    try:
        module = Module(file, folders)
        script = argparse_script(module) or signature_script(module)
    except SourceError as error:
        return Script(str(file), "", unclear=(str(error),))
    except RecursionError:
        return Script(str(file), "", unclear=(f"{file} is nested too deeply",))
    return script or Script(str(file), "", unclear=(f"{file} makes no parser that kftune knows",))
