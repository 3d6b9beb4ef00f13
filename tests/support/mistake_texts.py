"""The texts that users see when they make mistakes, as files in tests/snapshots: `=== name`, then the text.

`KFTUNE_SNAPSHOTS=write .venv/bin/pytest tests/cli/test_mistakes.py` writes such a file; check its diff.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from places import SNAPSHOTS

from kftune.cli import main

FOLDER = SNAPSHOTS
REMEDY = "read the new text; if it is right, update the snapshots"


def recorded(file: str) -> dict[str, str]:
    """Returns the texts of a file, by name."""
    path = FOLDER / file
    parts = re.split(r"^=== (.*)\n", path.read_text(), flags=re.M)[1:] if path.exists() else []
    return dict(zip(parts[::2], parts[1::2], strict=True))


def record(file: str, texts: Mapping[str, str]) -> None:
    """Writes a file of texts if KFTUNE_SNAPSHOTS is set to write."""
    if os.environ.get("KFTUNE_SNAPSHOTS") == "write":
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / file).write_text("".join(f"=== {name}\n{text}" for name, text in texts.items()))


def printed(arguments: list[str], folder: Path) -> str:
    """Returns the output of a kftune command in a folder, with its exit code."""
    text = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(text), redirect_stderr(text):
        patch.chdir(folder)
        status = main(arguments)
    return f"exit {status}\n{text.getvalue()}".replace(str(folder.resolve()), "PROJECT")
