"""The page in a browser without a window: its script runs without a complaint, and quickly."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
from report_studies import CASES, recorded

from kftune.results.trials import Trials
from kftune.study_report.page import report_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--enable-logging=stderr",
    "--window-size=1280,6000",  # so that all plots are drawn
)
COMMON = "conditional"

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium")
nightly = partial(pytest.param, marks=pytest.mark.nightly)


def opened(results: Trials, folder: Path) -> tuple[str, str]:
    """Returns what the page became in a browser, and what the browser said about it."""
    page = folder / "page.html"
    page.write_text(report_page(results), encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *ARGUMENTS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.mark.parametrize("case", [COMMON, *(nightly(case) for case in CASES if case != COMMON)])
def test_the_script_of_a_page_runs_to_its_end(case: str, tmp_path: Path) -> None:
    page, said = opened(CASES[case], tmp_path)
    assert said == ""
    assert "data-ready" in page


@pytest.mark.nightly
def test_a_page_of_1000_trials_with_20_hyperparameters_and_100_steps_is_open_within_3_seconds(tmp_path: Path):
    points = [{f"p{place}": (place * trial) % 997 / 997 for place in range(20)} for trial in range(1000)]
    results = recorded(points, [trial / 7 for trial in range(1000)], curve=[1 / (place + 3) for place in range(100)])
    page, said = opened(results, tmp_path)
    assert said == ""
    assert int(re.findall(r'data-ready="(\d+)"', page)[0]) < 3000
