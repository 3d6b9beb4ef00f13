"""A frame that is redrawn in place, also after the terminal has changed its size. Imports rich."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, ConsoleRenderable, RenderableType
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment, SegmentLines


class Redrawn(Live):
    """Draws a frame several times a second, in place of the one before.

    rich goes up by as many rows as the last frame had lines. In a narrower terminal these lines take more rows, and in
    a lower one their first rows leave the screen and come back when it grows. Both would stay behind, so their rows
    are counted and erased too.

    Args:
        frame: Makes the frame.
        console: The terminal.
        per_second: How often it is drawn.
    """

    def __init__(self, frame: Callable[[], RenderableType], console: Console, per_second: float) -> None:
        self._frame = frame
        self._widths: list[int] = []
        self._drawn: list[int] = []
        self._size = console.size
        self._above = 0
        self._error: OSError | None = None
        super().__init__(get_renderable=self._lines, console=console, refresh_per_second=per_second, transient=True)

    def refresh(self) -> None:
        """Draws the frame, also from a thread of its own; `check` raises the error that this ends in."""
        try:
            super().refresh()
        except OSError as error:
            self._error = error

    def check(self) -> None:
        """Raises the error of the terminal.

        Raises:
            OSError: The terminal has closed.
        """
        if self._error is not None:
            raise self._error

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Adds the erasure of such rows, and the frame, to what is printed."""
        size, before = self.console.size, self._size
        rows = sum(max(1, -(-width // size.width)) for width in self._drawn)
        more = rows - len(self._drawn) + (self._above if size.height > before.height else 0)
        self._above = max(0, self._above + rows - size.height) if size != before else self._above
        if any(not isinstance(each, Control) for each in renderables):
            self._above = 0  # a line is printed between those rows and the frame
        self._size = size
        self._drawn = [min(width, size.width) for width in self._widths[: size.height]]
        up = (ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
        erased: list[ConsoleRenderable] = [Control(*up * more)] if more > 0 else []
        return erased + super().process_renderables(renderables)

    def _lines(self) -> RenderableType:
        lines = [_stripped(line) for line in self.console.render_lines(self._frame(), pad=False)]
        self._widths = [Segment.get_line_length(line) for line in lines]
        return SegmentLines(lines, new_lines=True)


def _stripped(line: list[Segment]) -> list[Segment]:
    """Returns a line without blanks at its end: terminals differ in whether these take rows."""
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    return [*kept[:-1], kept[-1]._replace(text=kept[-1].text.rstrip())] if kept else []
