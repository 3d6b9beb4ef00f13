"""Writes to standard output: texts for people in the terminal's encoding, data for programs as UTF-8.

What a terminal would obey is escaped on its way: names, values, messages and logs may come from anybody.
"""

from __future__ import annotations

import os
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, BinaryIO, TextIO, cast

from kftune.shown import shown

_SIZE = 64 * 1024


class _Shown:
    """A stream that escapes what a terminal would obey, apart from the colours of kftune's own lines.

    Args:
        stream: The stream that it writes to; it has everything else.
    """

    def __init__(self, stream: TextIO) -> None:
        self.unfiltered = stream

    def write(self, text: str) -> int:
        self.unfiltered.write(shown(text, colours=self.unfiltered.isatty()))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unfiltered, name)


@contextmanager
def shown_streams() -> Iterator[None]:
    """Lets standard output and error escape what a terminal would obey, and what their encoding lacks."""
    before = sys.stdout, sys.stderr
    for stream in before:
        tolerate(stream)
    sys.stdout, sys.stderr = (cast("TextIO", stream and _Shown(stream)) for stream in before)
    sys.excepthook = _show_traceback  # it is called after the end of the block
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _show_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints a traceback as Python does; the message of an error may be anybody's."""
    import traceback

    if sys.stderr is not None:
        sys.stderr.write(shown("".join(traceback.format_exception(kind, error, trace))))


def terminal() -> TextIO:
    """Returns standard output for what draws on a terminal, and escapes texts of others itself."""
    return cast("TextIO", getattr(sys.stdout, "unfiltered", sys.stdout))


def write_log(file: BinaryIO, *, raw: bool) -> None:
    """Writes the log of a trial or step to standard output.

    Args:
        file: The log.
        raw: Whether its bytes stay as they are. Otherwise what a terminal would obey is escaped, apart from the return
            of the carriage: a progress bar writes over its own line.
    """
    sys.stdout.flush()
    decoder = getincrementaldecoder("utf-8")("backslashreplace")
    while piece := file.read(_SIZE):
        if raw:
            sys.stdout.buffer.write(piece)
        else:
            terminal().write("\r".join(map(shown, decoder.decode(piece).split("\r"))))
    terminal().write(shown(decoder.decode(b"", final=True)))
    sys.stdout.flush()


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
    """Writes YAML, JSON or CSV to standard output, as UTF-8 whatever the terminal has; bytes of file names stay.

    A program gets it as it is. On a terminal, what that would obey is escaped.
    """
    sys.stdout.flush()
    text = shown(text) if sys.stdout.isatty() else text
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:  # a program has replaced the stream
        sys.stdout.write(text)
        return
    buffer.write(text.encode("utf-8", "surrogateescape"))
    buffer.flush()


def write_binary(content: bytes) -> None:
    """Writes bytes to standard output, for a pipe or a file."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
