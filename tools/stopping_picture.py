"""Draws docs/guides/stopping.svg: the curves of the study in the guide, from a real run of it.

python tools/stopping_picture.py [RESULTS], RESULTS: the folder of a finished run; without it, the study runs.
"""

from __future__ import annotations

import math
import re
import sys
import tempfile
from pathlib import Path

from kftune.local import run_study
from kftune.results import Results, Trial, open_results
from kftune.study import load_study

GUIDE = Path(__file__).parents[1] / "docs" / "guides" / "stopping.md"
PICTURE = GUIDE.with_suffix(".svg")
_BLOCK = re.compile(r"^```\w+\n# file: (\S+)\n(.*?)^```$", re.M | re.S)
_REPORT = re.compile(r"^ ?step=(\d+) loss=(\S+)", re.M)
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 880, 420, 64, 24, 48, 48
_COLOURS = {"Succeeded": "#0969da", "EarlyStopped": "#bc4c00"}


def main(arguments: list[str]) -> int:
    """Runs the study if there are no results yet, and writes the picture."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(arguments[0]) if arguments else _run(Path(folder))
        with open_results(results) as found:
            PICTURE.write_text(picture(found), encoding="utf-8")
    return 0


def _run(folder: Path) -> Path:
    for name, code in _BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code, encoding="utf-8")
    study = folder / "sine" / "study.yaml"
    run_study(load_study(study), folder / "runs", study_path=study)
    return folder / "runs"


def picture(results: Results) -> str:
    """Returns the picture of a study's curves.

    Args:
        results: Its results.
    """
    curves = [(trial, _curve(results, trial)) for trial in results.trials() if trial.state in _COLOURS]
    values = [value for _, curve in curves for _, value in curve]
    last = max(step for _, curve in curves for step, _ in curve)
    low, high = math.log10(min(values)), math.log10(min(max(values), 10))
    best = results.best()

    def place(step: int, value: float) -> str:
        across = _LEFT + (step - 1) / (last - 1) * (_WIDTH - _LEFT - _RIGHT)
        share = (high - math.log10(min(value, 10.0))) / (high - low)
        return f"{across:.1f},{_TOP + share * (_HEIGHT - _TOP - _BOTTOM):.1f}"

    stopped = [trial for trial, _ in curves if trial.state == "EarlyStopped"]
    epochs, whole = sum(len(curve) for _, curve in curves), last * len(curves)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="Loss of {len(curves)} trials by epoch; {len(stopped)} were stopped early">',
        '  <style>text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }'
        " .end { text-anchor: end; } .middle { text-anchor: middle; }</style>",
        f'  <rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'  <text x="{_LEFT}" y="28">{len(curves)} trials, {len(stopped)} of them stopped early: '
        f"{epochs} epochs instead of {whole}</text>",
    ]
    for power in range(math.ceil(low), math.floor(high) + 1):
        line = place(1, 10.0**power).split(",")[1]
        parts.append(f'  <path d="M {_LEFT} {line} H {_WIDTH - _RIGHT}" stroke="#d1d9e0"/>')
        parts.append(f'  <text class="end" x="{_LEFT - 8}" y="{float(line) + 4:.1f}">{10.0**power:g}</text>')
    for step in (1, 3, 9, 27):
        across = place(step, 1.0).split(",")[0]
        parts.append(f'  <path d="M {across} {_TOP} V {_HEIGHT - _BOTTOM}" stroke="#d1d9e0" stroke-dasharray="3 4"/>')
        parts.append(f'  <text class="middle" x="{across}" y="{_HEIGHT - _BOTTOM + 20}">{step}</text>')
    parts.append(f'  <text class="middle" x="{_WIDTH / 2}" y="{_HEIGHT - 8}">epoch</text>')
    parts.append(f'  <text class="end" x="{_LEFT - 8}" y="28">loss</text>')
    for trial, curve in curves:
        width = 3 if best is not None and trial.number == best.number else 1.3
        colour = _COLOURS[trial.state]
        line = " ".join(place(*point) for point in curve)
        parts.append(f'  <polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        x, y = place(*curve[-1]).split(",")
        parts.append(f'  <circle cx="{x}" cy="{y}" r="3.2" fill="{colour}"/>')
    legend = (("EarlyStopped", "stopped early", 275), ("Succeeded", "ran to the end (bold: the best)", 130))
    for state, words, left in legend:
        start = _WIDTH - _RIGHT - left - 100
        parts.append(f'  <path d="M {start} 24 h 22" stroke="{_COLOURS[state]}" stroke-width="3"/>')
        parts.append(f'  <text x="{start + 28}" y="28">{words}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _curve(results: Results, trial: Trial) -> list[tuple[int, float]]:
    text = results.folder.log(trial.name).read_text(encoding="utf-8")
    return [(int(step), float(value)) for step, value in _REPORT.findall(text)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
