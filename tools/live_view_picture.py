"""Draws docs/live-view.svg: the live view of the demo when most of its trials have ended, from a real run.

python tools/live_view_picture.py
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from kftune.local import run_study
from kftune.local.study.events import Event, TrialFinished, TrialStarted
from kftune.local.views.study_live import LiveStudyView
from kftune.study import load_study

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "live-view.svg"
DEMO = "pipelines/circuits/demo.yaml"
_WIDTH = 126
_SHOWN_AFTER = 9
"""The frame is that in which a trial starts after so many have ended."""


class Pictured(LiveStudyView):
    """Keeps one frame of the live view."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.svg = ""
        self._ended = 0
        self._console = Console(record=True, width=_WIDTH, file=io.StringIO(), highlight=False, force_terminal=True)
        self._console.print(Text(f"$ kftune run {DEMO}"))

    def __call__(self, event: Event) -> None:
        """Applies an event, and draws the frame once most trials have ended."""
        super().__call__(event)
        self._ended += isinstance(event, TrialFinished)
        if isinstance(event, TrialStarted) and self._ended == _SHOWN_AFTER:
            self._console.print(self._draw())
            self.svg = self._console.export_svg(title="", unique_id="live-view", clear=False)


def main() -> int:
    """Runs the demo, and writes the picture."""
    view = Pictured()
    place = ROOT / DEMO
    with tempfile.TemporaryDirectory() as folder:
        run_study(load_study(place), folder, study_path=place, on_event=view)
    PICTURE.write_text(view.svg, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
