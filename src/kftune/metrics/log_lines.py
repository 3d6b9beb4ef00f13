"""The lines of a log, read again each time they are asked for, so that a log of any size fits into memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


class LogLines:
    r"""The lines of a file without their line breaks, as `split(b"\n")` gives them.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        with self._path.open("rb"):
            pass

    def __iter__(self) -> Iterator[bytes]:
        """Yields the lines; the last one is empty if the file ends with a line break."""
        last = b"\n"
        with self._path.open("rb") as file:
            for last in file:
                yield last.removesuffix(b"\n")
        if last.endswith(b"\n"):
            yield b""
