"""The live table after the terminal has changed its size, in a real terminal: tmux, which wraps old lines anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

# Draws a frame of a first line, wide lines, and a last line, until a file exists.
SHOW = """
import sys, time
from pathlib import Path
from rich.console import Console, Group
from rich.text import Text
from kftune.local.views.redrawn import Redrawn

console = Console()
lines = [Text("first")] + [Text("wide " * 15) for _ in range(4)] + [Text("last")]
with Redrawn(lambda: Group(*lines), console, 20):
    while not Path(sys.argv[1], "end").exists():
        note = Path(sys.argv[1], "note")
        if note.exists():
            console.print("a note")
            note.unlink()
        time.sleep(0.05)
console.print("summary")
time.sleep(60)
"""


class Terminal:
    """A terminal of 80 columns and 20 rows that shows the frame below a first line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "show.py").write_text(SHOW)
        command = f"echo shell; exec {sys.executable} {folder}/show.py {folder}"
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "20", command)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self.folder / "socket"), *arguments]
        # pytest's readline puts these into the environment of its process and of those that it starts.
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=20)
        return done.stdout

    def resize(self, columns: int, rows: int) -> None:
        # tmux tells the program of a resize a quarter of a second after the one before, and wraps its lines at once.
        time.sleep(0.4)
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))
        time.sleep(0.4)

    def screen(self) -> list[str]:
        """The lines on the screen that are not empty."""
        return [line for line in self._tmux("capture-pane", "-p").splitlines() if line]

    def all_lines(self) -> list[str]:
        """The same with the lines that have left the screen: tmux moves some out when it wraps others."""
        return [line for line in self._tmux("capture-pane", "-p", "-S", "-").splitlines() if line]

    def wait_for(self, holds: Callable[[], bool]) -> None:
        """Waits for something on the screen, which is empty for a moment while a frame is drawn."""
        end = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < end, self.all_lines()
            time.sleep(0.05)

    def close(self) -> None:
        self._tmux("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    shown = Terminal(tmp_path)
    shown.wait_for(lambda: shown.screen()[-1:] == ["last"])
    yield shown
    shown.close()


SIZES = [
    [(40, 20)],
    [(40, 20), (80, 20)],
    [(25, 20), (60, 20), (30, 20)],
    [(80, 4), (80, 20)],
    [(40, 5), (80, 20)],
    [(60, 3), (60, 5), (60, 20)],
]


def is_one_frame(lines: list[str]) -> bool:
    own = [line for line in lines if line != "shell"]
    return own[:1] == ["first"] and own[-1:] == ["last"] and sum(line.count("wide") for line in own) == 60


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_after_a_resize_the_screen_has_one_frame(terminal, sizes):
    for columns, rows in sizes:
        terminal.resize(columns, rows)
    terminal.wait_for(lambda: is_one_frame(terminal.screen()))


def test_a_resize_leaves_the_lines_above_the_frame(terminal):
    (terminal.folder / "note").touch()
    terminal.wait_for(lambda: "a note" in terminal.screen())
    for columns, rows in [(60, 20), (60, 4), (80, 20)]:
        terminal.resize(columns, rows)
    terminal.wait_for(lambda: terminal.all_lines()[:3] == ["shell", "a note", "first"])


def test_after_a_resize_the_frame_is_gone_at_the_end(terminal):
    terminal.resize(50, 20)
    (terminal.folder / "end").touch()
    terminal.wait_for(lambda: terminal.screen()[-1:] == ["summary"])
    assert {*terminal.screen()} <= {"shell", "summary"}
