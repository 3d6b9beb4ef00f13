"""The Experiments that row h reads: different copies of the circuits study's Experiment."""

from __future__ import annotations

from benchmarks.measure import ROOT

EXPERIMENT = ROOT / "manifests" / "circuits" / "base" / "study.katib.yaml"
COUNT = 50


def text() -> str:
    """Returns all of them as one text. Names, bounds and lists differ, so that no cached result fits two."""
    one = EXPERIMENT.read_text(encoding="utf-8")
    for old in ("name: circuits-lstm\n", 'min: "0.0001"', '- "32"', '- "30"'):
        if old not in one:
            raise ValueError(f"{EXPERIMENT} must contain {old!r}, which is replaced in each copy")
    return "---\n".join(
        one.replace("name: circuits-lstm\n", f"name: circuits-lstm-{number}\n")
        .replace('min: "0.0001"', f'min: "0.0001{number:02}"')
        .replace('- "32"', f'- "{1000 + number}"')
        .replace('- "30"', f'- "{2000 + number}"')
        for number in range(COUNT)
    )
