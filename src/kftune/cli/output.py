"""Writes to standard output: texts for people in the terminal's encoding, data for programs as UTF-8."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def tolerate(stream: TextIO | None) -> None:
    """Makes a stream escape the characters that its encoding lacks, instead of raising an error.

    Args:
        stream: Standard output or error; None where a process has none.
    """
    # In UTF-8, surrogateescape writes the bytes of a file name as they are.
    keeps_bytes = getattr(stream, "encoding", None) == "utf-8" and getattr(stream, "errors", "") == "surrogateescape"
    if stream is not None and hasattr(stream, "reconfigure") and not keeps_bytes:
        stream.reconfigure(errors="backslashreplace")


def flush_or_drop(stream: TextIO | None) -> OSError | None:
    """Writes what is left; when that fails, nothing more is written, so that Python does not fail again at its end.

    Args:
        stream: Standard output or error; None where a process has none.

    Returns:
        Why it cannot be written; None if it can.
    """
    if stream is None:
        return None
    try:
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error
    return None


def write_data(text: str) -> None:
    """Writes YAML, JSON or CSV to standard output, as UTF-8 whatever the terminal has; bytes of file names stay."""
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:  # a program has replaced the stream
        sys.stdout.write(text)
        return
    buffer.write(text.encode("utf-8", "surrogateescape"))
    buffer.flush()
