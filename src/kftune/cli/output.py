"""Writes to standard output: texts for people in the terminal's encoding, data for programs as UTF-8."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def open_closed() -> None:
    """Opens standard input, output and error where the process has none (`>&-`): what is written there is lost.

    The next file that is opened would otherwise get the number of the closed one, and what is printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the smallest number that is free
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115


def tolerate(stream: TextIO | None) -> None:
    """Makes a stream escape the characters that its encoding lacks, instead of raising an error.

    Args:
        stream: Standard output or error; None where a process has none.
    """
    # In UTF-8, surrogateescape writes the bytes of a file name as they are.
    keeps_bytes = getattr(stream, "encoding", None) == "utf-8" and getattr(stream, "errors", "") == "surrogateescape"
    if stream is not None and hasattr(stream, "reconfigure") and not keeps_bytes:
        stream.reconfigure(errors="backslashreplace")


def write_data(text: str) -> None:
    """Writes YAML, JSON or CSV to standard output, as UTF-8 whatever the terminal has; bytes of file names stay."""
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:  # a program has replaced the stream
        sys.stdout.write(text)
        return
    buffer.write(text.encode("utf-8", "surrogateescape"))
    buffer.flush()
